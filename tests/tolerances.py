"""Every tolerance in the tests, by name, with its reason. Sorted by name."""

EXACT_ARITHMETIC = 1e-12
"""Closed forms in float64: a few hundred roundings at most."""

FINITE_DIFFERENCE = 1e-6
"""Fourth-order differences, step 0.001, of a function of some thousands: rounding leaves 1e-9,
truncation 1e-12 times a fifth derivative of some thousands."""

FLAT_OPTIMUM = 2e-6
"""Variances and standard errors of two searches that stop at the same log-likelihood: at an
optimum the likelihood is flat, so its last digit fixes only half the digits of the place."""

FOUR_PRINTED_DIGITS = 5.1e-5
"""The source prints four decimals: half a unit of the last, and rounding of the half."""

INCOMPLETE_ROWS = 1e-3
"""Pairwise and listwise deletion differ where 91 of 2,800 rows miss an answer."""

JSON_DIGITS = 1e-12
"""R writes 15 significant digits; sums of about a hundred terms lose two or three of them."""

MONTE_CARLO_SIGMAS = 4.0
"""A seeded simulation mean is off by more than four standard errors once in 16,000 seeds."""

OTHER_ALGORITHM = 1e-9
"""The same closed form by another route (R's QR, another factorisation), well-conditioned data."""

PROFILE_RISE = 1e-6
"""Deviance at a profile limit, measured by a dense twin whose own search ends at 1e-9 or so."""

PUBLISHED_TWO_DIGITS = 0.005
"""Half a unit of the second decimal: all a published table shows."""

SAME_LOGLIK = 1e-8
"""Log-likelihoods of some hundreds at one optimum: lme4 stops within 1e-10 of its maximum."""

SIX_SIGNIFICANT_DIGITS = 1e-5
"""Committed results of replications are rounded to six significant digits."""

SPLINED_PROFILE = 2e-4
"""lme4 reads the limits of its profiles from splines through a dozen points."""

TEN_PRINTED_DIGITS = 5e-9
"""The file prints about ten significant digits of group means up to ten."""

THREE_PRINTED_DIGITS = 5.1e-4
"""The source prints three decimals: half a unit of the last, and rounding of the half."""
