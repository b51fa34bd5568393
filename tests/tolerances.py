"""Every tolerance in the tests, by name, with its reason. Sorted by name."""

BOOTSTRAPPED_ERRORS = 0.003
"""Standard errors that the source bootstrapped (multipliers), with ours by formula."""

BOOTSTRAP_LIMITS = 0.03
"""Percentile limits of 1999 resamples of a hundred rows beside printed ones of 500: a fifth of
their distance from the estimate."""

BOOTSTRAP_SD_150 = 0.25
"""The SD of 150 draws is known to some 6 %, and a bootstrap of 40 firms and a formula for many
differ by their small-sample factors: three times the first, and a little."""

BRUTE_GRID = 1e-8
"""Log-likelihoods by the trapezoid rule over all effects, whose error falls geometrically."""

CENTRAL_DIFFERENCE = 2e-6
"""Central differences, step 0.00001, of a deviance of some hundreds: rounding leaves 1e-8 a slope,
truncation 1e-10 times a third derivative of some thousands."""

CERTIFICATE_SLACK = 1.0
"""Digits a certificate may promise beyond what was reached: it knows sizes, not signs."""

DELTA_GRADIENT = 1e-6
"""Standard errors from central differences, step 0.00001 standard errors: truncation is 1e-10 of a
third derivative, which is large where a surface has its stationary point far away."""

DENSE_DEVIANCE = 1e-6
"""-2 log-likelihoods of some hundreds by the whole covariance matrix, and by searches that stop."""

DENSE_ROUNDING = 2e-15
"""Ten roundings a row and unit of the covariance matrix's condition number."""

DENSE_TWIN = 1e-9
"""The same quantity from inverses of whole matrices, which lose some four digits."""

DRAWN_QUANTILES = 1e-3
"""Limits whose folded normal quantile the source draws, around a centre that the flat optimum fixes
to the root of that precision."""

DRAWN_VARIANCE = 0.03
"""Variance of 200,000 draws of a product with heavy tails: some 0.5 % of Monte-Carlo error, six
times."""

EIGHT_DIGITS = 1e-8
"""Logistic regressions that two programs stop at a step of 1e-8 or less."""

ELEVEN_NODES = 1e-4
"""A log-likelihood of 34,000 that the source integrated with 11 nodes a person; an independent
program with 281 agrees with ours to the last digit."""

EXACT_ARITHMETIC = 1e-12
"""Closed forms in float64: a few hundred roundings at most."""

FEW_ROUNDINGS_DIGITS = 0.5
"""Digits that three roundings of the last place cost."""

FINITE_DIFFERENCE = 1e-6
"""Fourth-order differences, step 0.001, of a function of some thousands: rounding leaves 1e-9,
truncation 1e-12 times a fifth derivative of some thousands."""

FIVE_PRINTED_DIGITS = 5.1e-6
"""The source prints five decimals: half a unit of the last, and rounding of the half."""

FLAT_CENTRE = 2e-5
"""The shortest interval of two searches: its length is flat there, so that its centre has half the
digits."""

FLAT_OPTIMUM = 2e-6
"""Variances and standard errors of two searches that stop at the same log-likelihood: at an
optimum the likelihood is flat, so its last digit fixes only half the digits of the place."""

FOUR_PRINTED_DIGITS = 5.1e-5
"""The source prints four decimals: half a unit of the last, and rounding of the half."""

GLMER_HESSIAN = 1e-4
"""glmer differences its Hessian from deviances that are good to 1e-7; standard errors, relative."""

GLMER_LOGLIK = 1e-6
"""glmer's modes are good to some 1e-4, which leaves up to 4e-7 of its log-likelihoods of 500."""

GLMER_STOPS_EARLY = 1e-5
"""Coefficients, SDs and correlations, log odds, where glmer's search by values stopped."""

GLM_LAST_STEP = 1e-6
"""R's glm stops at a relative change of 1e-8 in the deviance; its standard errors are those of the
step before."""

HEAPS = 0.2
"""A heap of some hundred amounts, over a density that bends between two bins: a tenth, twice."""

IMPUTED_BY_OTHERS = 1e-9
"""diff-diff solves sparse normal equations of all effects, ours are concentrated: eleven digits
agree; two more are left for other machines."""
GRID_OF_HONESTDID = 1e-3
"""Limits on a grid of 0.00076, with critical values that the source takes from 1,000 draws."""

INCOMPLETE_ROWS = 1e-3
"""Pairwise and listwise deletion differ where 91 of 2,800 rows miss an answer."""

JACKKNIFE_ERRORS = 0.06
"""Standard errors by influence functions and by leaving out one of 90 or 120 units: they differ by
the second order of the estimate, some units over their number."""

JSON_DIGITS = 1e-12
"""R writes 15 significant digits; sums of about a hundred terms lose two or three of them."""

LMER_SANDWICH = 1e-4
"""Bias-reduced standard errors and degrees of freedom where lmer's search stopped: they move with
the random part, which a flat optimum leaves to half the digits of its log-likelihood."""

LAVAAN_STOPS_EARLY = 1e-6
"""Where lavaan's search for a factor's loadings rests: a relative change of the likelihood of 1e-10
leaves half the digits of the place."""

LME4_STOPS_EARLY = 2e-5
"""Standard deviations, correlations and modes where lme4 stopped searching: an optimum is flat, and
flattest in the correlation of a weak slope."""

LMERTEST_DIFFERENCES = 1e-5
"""lmerTest differences its Hessian numerically, at the place where lme4 stopped searching."""

LOGISTIC_OF_DIFF_DIFF = 1e-5
"""Its logistic regression stops some digits before those of csdid and of R, which agree."""

LOGIT_LAST_STEP = 1e-6
"""statsmodels' Logit stops at a Newton step of 1e-8: standard errors are those of a step before,
relative."""

LOG_VARIANCE_TWIN = 2e-6
"""scipy's search by values and a Hessian by differences of step 0.001: six digits of both."""

META_SEARCH = 1e-8
"""Two searches for a variance that end at relative steps of 1e-12 and 1e-12: estimates that weigh
by it keep eight digits, and so does a tail probability."""

MGCV_SEARCH = 1e-5
"""Where mgcv's search for the smoothing stops (its score flat to 1e-7), relative."""

MIXEDLM_ESTIMATES = 2e-5
"""MixedLM stops at a score of 1e-5 standard errors, next to a limit at 1e-3: that leaves 1e-5 of
variances and standard errors, and less of fixed effects."""

MIXEDLM_LOGLIK = 1e-6
"""The likelihood is flat where MixedLM stops: half the square of its score next to a limit."""

MONTE_CARLO_SIGMAS = 4.0
"""A seeded simulation mean is off by more than four standard errors once in 16,000 seeds."""

NLME_STOPS_EARLY = 5e-5
"""Where nlme's search stops: its log-likelihood is flat, and VarCorr() prints seven digits."""

ONE_PRINTED_DECIMAL = 0.051
"""The source prints one decimal: half a unit of it, and rounding of the half."""

OTHER_ALGORITHM = 1e-9
"""The same closed form by another route (R's QR, another factorisation), well-conditioned data."""

OTHER_SEARCH = 2e-6
"""Degrees of freedom and standard errors at the place where lme4 stopped searching, relative."""

PERCENTILES_OR_NORMAL = 0.1
"""Widths of a percentile and a normal interval of a mean of a hundred skewed products, relative."""

PROFILE_RISE = 1e-6
"""Deviance at a profile limit, measured by a dense twin whose own search ends at 1e-9 or so."""

PUBLISHED_OBJECTIVE = 2e-9
"""-2 log-likelihoods of some hundreds, as far as the search that was published went."""

PUBLISHED_TWO_DIGITS = 0.005
"""Half a unit of the second decimal: all a published table shows."""

PYFIXEST_CLUSTERED = 1e-7
"""pyfixest takes fixed effects out by iteration that stops at 1e-8 of the outcome."""

QUADRATURE = 1e-9
"""Twice a log-likelihood of some hundreds by 25 adaptive nodes a herd and by QUADPACK's 1e-12."""

SAME_BY_RELATION = 1e-5
"""Two writings of one model, fifty rows: variances near zero are roots of rounding, 1e-8 of
what is measured, a shift by 1e9 costs nine digits, degrees of freedom are second derivatives."""

SAME_LOGLIK = 1e-8
"""Log-likelihoods of some hundreds at one optimum: lme4 stops within 1e-10 of its maximum."""

SAME_LOGLIK_BY_RELATION = 1e-6
"""Log-likelihoods of about a hundred; rescaling by 10^12 adds thousands and takes them away."""

SIX_SIGNIFICANT_DIGITS = 1e-5
"""Committed results of replications are rounded to six significant digits."""

SPLINED_PROFILE = 2e-4
"""lme4 reads the limits of its profiles from splines through a dozen points."""

SPREAD_PROFILE = 1e-5
"""Deviance at a limit of a location-scale profile, by a plain program whose BFGS stops at 1e-6."""

STUDENTISED_RANGE = 2e-5
"""scipy and R integrate Tukey's distribution to about 1e-8; small p have fewer digits."""

SUMS_IN_SINGLE_PRECISION = 1e-5
"""Sums of some tens of values of size ten in float32."""

SURVREG_LAST_STEP = 1e-5
"""survreg's coefficients are good to about 1e-9 at the end of its Newton's steps, but its standard
errors are those of the step before, relative."""

TEN_DIGITS = 1e-10
"""The least a certified variance parameter must have right."""

TEN_PRINTED_DIGITS = 5e-9
"""The file prints about ten significant digits of group means up to ten."""

SUM_OF_A_GRID = 1e-6
"""A likelihood summed over an even grid that cuts the normal at 5.5: its tails are 4e-8."""

THREE_PRINTED_DIGITS = 5.1e-4
"""The source prints three decimals: half a unit of the last, and rounding of the half."""

TURNED_SEARCH = 1e-9
"""AICc of some hundreds at the best angle: a search for a minimum leaves half the digits of the
angle and so nearly all of the residual sum of squares."""

TWELVE_PRINTED_DIGITS = 5e-12
"""The source prints twelve or thirteen significant digits: half a unit of the twelfth."""

TWICE_DIFFERENCED = 2e-5
"""A Hessian by second differences of a deviance, one Richardson step: about six digits."""

TWO_STAGES_ITERATED = 2e-5
"""did2s of pyfixest subtracts effects found by iteration that stops at 1e-6 of the outcome."""

UNITS_ONLY = 1e-10
"""The same model in other units or another order: rounding of some hundreds of operations, times
the condition of small designs."""
