"""What inference after a regression of log SDs keeps, and the covariance of its coefficients.

The coefficients of the mean have the covariance of generalised least squares at the estimated
variances, as in every mixed model here. Those of the log SDs have the inverse of the (restricted)
likelihood's observed information in all variance parameters, the coefficients of the mean
profiled out. The expected information between the two is zero, and so are these covariances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from alc_stats.estimators.fixed_scale_terms import LogSdColumns
from alc_stats.estimators.kernels.scale_model import Between, ScaleModel, Slopes
from alc_stats.estimators.kernels.scale_search import ScaleOptimum
from alc_stats.estimators.lmm import LmmState
from alc_stats.estimators.small_sample import boundary_cap, per_parameter, satterthwaite
from alc_stats.records import FloatArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FixedScaleState:
    """A fitted model as functions of its variance parameters.

    Attributes
    ----------
    mixed : LmmState
        The mixed model at the estimated log SDs. Its residual SD, and the SD of the intercept
        whose log SD is modelled, are geometric means over the rows; without a constant among the
        columns they are those of a row of zeros.
    model : ScaleModel
    optimum : ScaleOptimum
    slopes : Slopes
        Of [X y] at the optimum.
    scale : LogSdColumns
    between : LogSdColumns or None
    """

    mixed: LmmState
    model: ScaleModel
    optimum: ScaleOptimum
    slopes: Slopes
    scale: LogSdColumns
    between: LogSdColumns | None

    @property
    def tau(self) -> FloatArray:
        """Standardised coefficients (K,) of the residual's log SD."""
        return self.optimum.point.place.phi[: self.model.scale.size]

    @property
    def log_sd(self) -> FloatArray:
        """Coefficients (k,) of the residual's log SD."""
        return self.model.scale.coefficients(self.tau, float(np.log(self.mixed.sigma)))

    @property
    def residual_sd(self) -> float:
        """Geometric mean over the rows of their residual SDs."""
        return float(self.mixed.sigma * np.exp(self.model.scale.values(self.tau).mean()))

    @property
    def between_log_sd(self) -> FloatArray:
        """Coefficients (l,) of the random intercept's log SD; NaN where it does not vary."""
        between = self.model.between
        if between is None or self.untold:
            return np.full(len(self.between.names) if self.between else 0, np.nan)
        a = self.optimum.point.place.phi[self.model.scale.size :]
        size = self.mixed.sigma * float(np.linalg.norm(self._intercept(between)))
        return between.columns.coefficients(a, float(np.log(size)))

    @property
    def untold(self) -> bool:
        """Whether the intercept whose log SD is modelled does not vary at all."""
        return self.model.between is not None and not np.any(self._intercept(self.model.between))

    @property
    def vcov(self) -> FloatArray:
        """Covariance of all coefficients: of the mean, the log SD, the intercept's log SD."""
        J = self._jacobian()
        spread = J @ variance_covariance(self) @ J.T
        return np.asarray(linalg.block_diag(self.mixed.vcov, (spread + spread.T) / 2.0))

    def satterthwaite_df(self, contrasts: FloatArray) -> FloatArray:
        """Degrees of freedom of contrasts (c, k) of all coefficients.

        Those of the mean as `small_sample.satterthwaite_df` defines them, the log SDs' estimation
        counted; infinite where a contrast is about log SDs alone.
        """
        p = len(self.mixed.solution.beta)
        df = np.full(len(contrasts), np.inf)
        about_mean = np.any(contrasts[:, :p] != 0.0, axis=1)
        if about_mean.any():
            df[about_mean] = _satterthwaite(self, contrasts[about_mean, :p])
        return df

    def _intercept(self, between: Between) -> FloatArray:
        """Row (q,) of the intercept in its grouping's relative factor, on the search's lam."""
        lam = self.model.template.unpack(self.mixed.optimum.theta)[between.factor]
        return np.asarray(self.mixed.scales.random[between.factor].back[between.column] @ lam)

    def _jacobian(self) -> FloatArray:
        """Derivatives (k + l, m) of the log SDs' coefficients in the variance parameters."""
        scale, between = self.model.scale, self.model.between
        free = self.mixed.optimum.free
        f, K, s = int(free.sum()), self.model.size, int(scale.constant is not None)
        k, rest = len(scale.origin), len(self.between.names) if self.between else 0
        J = np.zeros((k + rest, f + s + K))
        J[:k, f + s : f + s + scale.size] = scale.back
        if scale.constant is not None:
            J[:k, f] = scale.constant
        if between is not None and between.columns.constant is not None:
            J[k:, f + s + scale.size :] = between.columns.back
            J[k:, :f] = np.outer(between.columns.constant, self._log_size_slope(between)[free])
            if s:
                J[k:, f] = between.columns.constant
        return J

    def _log_size_slope(self, between: Between) -> FloatArray:
        """Derivative in theta of the log of the intercept's SD relative to sigma."""
        row, form = self._intercept(between), self.model.template
        size = float(row @ row)
        if size == 0.0:
            return np.full(len(self.mixed.optimum.theta), np.nan)
        back = self.mixed.scales.random[between.factor].back[between.column]
        slopes = [np.zeros((q, q)) for q in form.sizes]
        slopes[between.factor] = np.outer(back, row) / size
        return form.pack(tuple(slopes))


def variance_covariance(state: FixedScaleState) -> FloatArray:
    """Covariance (m, m) of the free theta, log sigma where it is estimated, and phi."""
    mixed, H = state.mixed, state.optimum.hessian
    f = int(mixed.optimum.free.sum())
    if mixed.objective.known is None:
        slope, degrees = _residual_slope(state), float(mixed.solution.degrees)
        inner = H + np.outer(slope, slope) / (4.0 * degrees)
        H = np.empty((len(inner) + 1,) * 2)
        others = np.delete(np.arange(len(H)), f)
        H[np.ix_(others, others)] = inner
        H[f, others] = H[others, f] = slope
        H[f, f] = 4.0 * degrees
    if not np.all(np.diag(H) > 0.0):  # no optimum: the certificate says so
        return np.full_like(H, np.nan)
    size = np.sqrt(np.diag(H))
    return np.asarray(
        2.0
        * np.linalg.pinv(H / np.outer(size, size), rcond=1e-14, hermitian=True)
        / np.outer(size, size)
    )


def _residual_slope(state: FixedScaleState) -> FloatArray:
    """Mixed second derivatives (f + K,) of the deviance in log sigma."""
    mixed = state.mixed
    c = mixed.solution.contrast
    in_theta = -_in_theta(mixed, c[None])[0]
    in_phi = -2.0 * np.einsum("v,kvw,w->k", c, state.slopes.cross, c)
    return np.asarray(-2.0 * np.concatenate([in_theta, in_phi]) / mixed.solution.sigma2)


def _satterthwaite(state: FixedScaleState, contrasts: FloatArray) -> FloatArray:
    mixed = state.mixed
    directions = contrasts @ mixed.scales.fixed.basis.back
    weights = directions @ mixed.solution.unscaled
    variances = np.einsum("ci,ci->c", weights, directions)
    padded = np.pad(weights, ((0, 0), (0, 1)))
    slopes = [_in_theta(mixed, padded)]
    if mixed.objective.known is None:
        slopes.append(2.0 * variances[:, None])
    slopes.append(2.0 * np.einsum("cv,kvw,cw->ck", padded, state.slopes.cross, padded))
    df = satterthwaite(variances, np.hstack(slopes), variance_covariance(state))
    involved = np.where(contrasts != 0.0, boundary_cap(mixed), np.inf)
    return np.asarray(np.minimum(df, involved.min(axis=1)))


def _in_theta(mixed: LmmState, directions: FloatArray) -> FloatArray:
    """`per_parameter` (c, f) of the free theta, of which there may be none."""
    if not mixed.random.factors:
        return np.zeros((len(directions), 0))
    return per_parameter(mixed, directions)[:, mixed.optimum.free]
