"""Reference fits of MIXREGLS' model (Hedeker and Nordgren 2013) that share nothing with alc_stats.

Everything is in log variances, as MIXREGLS has it: between-subjects variance exp(u'alpha), within
exp(w'tau + tau_l theta + sigma_scale zeta). The location effect is integrated in closed form given
the scale effect, the scale effect by the trapezoid rule on a fixed grid, and the search is scipy's
BFGS with differences. `printed` are the rows 6a, 6b and 7 of the project's methods reference (C1),
from two prototypes that agree with one another; the program checks them against its own fit.

    python location_scale.py FOLDER_WITH_DATA > location_scale.json
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
from scipy import optimize, special

GRID = np.linspace(-7.0, 7.0, 281)
PRINTED = {
    "riesby": {
        "loglik": -1122.294556,
        "loglik_no_scale_effect": -1134.499708,
        "beta": [22.37884, -2.29546, 1.88321, -0.02874],
        "se_beta": [0.72573, 0.18772, 1.07226, 0.26775],
        "alpha": [2.19808, 0.50514],
        "se_alpha": [0.35395, 0.45230],
        "tau": [2.08760, 0.19240, 0.28820],
        "se_tau": [0.23640, 0.06281, 0.24530],
        "tau_l": 0.21356,
        "se_tau_l": 0.14567,
        "sigma_scale": 0.65885,
        "se_sigma_scale": 0.13396,
    },
    "posmood": {
        "loglik": -34141.9593,
        "loglik_no_scale_effect": -35167.8842,
        "loglik_uncorrelated": -34166.4877,
        "beta": [6.99034, -0.36996, -0.15001],
        "alpha": [0.29842, 0.10535, 0.00445],
        "tau": [0.76323, 0.08077, 0.21594],
        "se_tau": [0.04748, 0.02474, 0.06131],
        "tau_l": -0.21761,
        "se_tau_l": 0.03102,
        "sigma_scale": 0.59744,
        "se_sigma_scale": 0.02264,
    },
    "hsb": {
        "loglik": -23300.6851,
        "loglik_no_scale_effect": -23313.3422,
        "sigma_omega": 0.1298,
        "r": -0.836,
    },
}


def constant(data):
    return np.ones(len(data))


def models(folder):
    riesby = pd.read_csv(folder / "riesby.csv")
    mood = pd.read_csv(folder / "posmood.csv")
    hsb = pd.read_csv(folder / "nlme__MathAchieve.csv")
    three = np.column_stack([constant(mood), mood.alone, mood.genderf])
    yield (
        "riesby",
        riesby.hamdep,
        np.column_stack([constant(riesby), riesby.week, riesby.endog, riesby.endweek]),
        np.column_stack([constant(riesby), riesby.endog]),
        np.column_stack([constant(riesby), riesby.week, riesby.endog]),
        riesby.id,
    )
    yield "posmood", mood.posmood, three, three, three, mood.id
    female = (hsb.Sex == "Female").to_numpy(float)
    yield (
        "hsb",
        hsb.MathAch,
        np.column_stack([constant(hsb), hsb.SES]),
        np.ones((len(hsb), 1)),
        np.column_stack([constant(hsb), hsb.SES, female]),
        hsb.School,
    )


def log_likelihood(psi, y, X, U, W, person, sizes):
    p, u = X.shape[1], U.shape[1]
    beta, alpha, tau = np.split(psi[:-2], [p, p + u])
    tau_l, sigma_scale = psi[-2:]
    omega = np.hypot(tau_l, sigma_scale)
    r = tau_l / omega
    residual, load, variance = y - X @ beta, np.exp(0.5 * U @ alpha), np.exp(W @ tau)
    A, c, E, L = (
        np.bincount(person, weights)[:, None]
        for weights in (
            load**2 / variance,
            load * residual / variance,
            residual**2 / variance,
            W @ tau,
        )
    )
    n, z = sizes[:, None], GRID[None]
    # scale effect omega z; location effect N(r z, 1 - r^2) given z
    weight, rest = np.exp(-omega * z), 1.0 - r * r
    centred = c - A * r * z
    squares = E - 2.0 * r * z * c + (r * z) ** 2 * A
    determinant = 1.0 + weight * rest * A
    given = -0.5 * (
        n * np.log(2.0 * np.pi)
        + L
        + n * omega * z
        + np.log(determinant)
        + weight * squares
        - weight**2 * rest * centred**2 / determinant
    )
    density = given - 0.5 * z * z - 0.5 * np.log(2.0 * np.pi) + np.log(GRID[1] - GRID[0])
    return float(special.logsumexp(density, axis=1).sum())


def hessian(function, at):
    k, h = len(at), 1e-3
    found, step = np.empty((k, k)), np.eye(k) * h
    for a in range(k):
        for b in range(a + 1):
            corners = [
                sign * function(at + s * step[a] + t * step[b])
                for s, t, sign in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
            ]
            found[a, b] = found[b, a] = sum(corners) / (4.0 * h * h)
    return found


def fit(y, X, U, W, group):
    person, _ = pd.factorize(group)
    y, sizes = np.asarray(y, float), np.bincount(person)
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    half = np.log(0.5 * np.mean((y - X @ beta) ** 2))
    start = [*beta, half, *[0.0] * (U.shape[1] - 1), half, *[0.0] * (W.shape[1] - 1), 0.05, 0.4]

    def minus(psi):
        return -log_likelihood(psi, y, X, U, W, person, sizes)

    found = optimize.minimize(minus, start, method="BFGS", options={"gtol": 1e-4})
    found = optimize.minimize(minus, found.x, method="BFGS", options={"gtol": 1e-5})
    found = optimize.minimize(
        minus,
        found.x,
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-11, "maxfev": 4000},
    )
    return found.x, -found.fun, np.sqrt(np.diag(np.linalg.inv(hessian(minus, found.x))))


def record(psi, loglik, se, p, u):
    beta, alpha, tau = np.split(psi[:-2], [p, p + u])
    se_beta, se_alpha, se_tau = np.split(se[:-2], [p, p + u])
    tau_l, sigma_scale = psi[-2], abs(psi[-1])
    omega = np.hypot(tau_l, sigma_scale)
    return {
        "loglik": loglik,
        "beta": list(beta), "se_beta": list(se_beta),
        "alpha": list(alpha), "se_alpha": list(se_alpha),
        "tau": list(tau), "se_tau": list(se_tau),
        "tau_l": tau_l, "se_tau_l": se[-2],
        "sigma_scale": sigma_scale, "se_sigma_scale": se[-1],
        "sigma_omega": omega, "r": tau_l / omega,
    }  # fmt: skip


def check(name, own):
    for key, printed in PRINTED[name].items():
        if key.startswith("loglik_"):
            continue  # of other models, which this program does not fit
        digits = np.array(own[key]) - np.array(printed)
        loose = 2e-4 if key == "loglik" else 5e-4 if name == "hsb" else 1.5e-5
        assert np.abs(digits).max() < loose, (name, key, own[key], printed)


def main():
    versions = {
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
    out = {"scale": "log variance", "versions": versions, "fits": {}, "printed": PRINTED}
    for name, y, X, U, W, group in models(Path(sys.argv[1])):
        out["fits"][name] = record(*fit(y, X, U, W, group), X.shape[1], U.shape[1])
        sys.stderr.write(f"{name} {out['fits'][name]}\n")
        check(name, out["fits"][name])
    sys.stdout.write(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
