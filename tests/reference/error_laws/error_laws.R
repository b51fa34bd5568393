# survival's and AER's answers on our own simulated data: censored normal and t regressions whose SD differs by arm.
# From this folder: Rscript error_laws.R   (writes scores.csv, error_laws.json)
# scores.csv: 400 persons in two arms, 5 rows each; latent outcome 70 or 80 + 3 x + person + e, SD of persons 6, of e
#   12 or 15; `score` is cut at 0 and 100, `floored` at 60 only; `heavy` has t errors with 5 degrees of freedom.
suppressMessages({library(survival); library(AER); library(jsonlite)})
set.seed(20261127)
d <- expand.grid(row = 1:5, person = 1:400)
d$arm <- d$person %% 2
d$x <- round(rnorm(nrow(d)), 3)
u <- 6 * rnorm(400); sd <- ifelse(d$arm == 1, 15, 12)
mean <- 70 + 10 * d$arm + 3 * d$x + u[d$person]
latent <- round(mean + sd * rnorm(nrow(d)), 3)
d$score <- pmin(pmax(latent, 0), 100)
d$floored <- pmax(latent, 60)
d$heavy <- round(mean + sd * rt(nrow(d), 5) * sqrt(3 / 5), 3)
d$row <- NULL
write.csv(d, "scores.csv", row.names = FALSE, quote = FALSE)
d <- read.csv("scores.csv")

control <- survreg.control(rel.tolerance = 1e-13, maxiter = 200)
between <- with(d, Surv(ifelse(score <= 0, NA, score), ifelse(score >= 100, NA, score), type = "interval2"))
answer <- function(m, factor = 1) {
  k <- length(coef(m)); free <- m$var
  # log scale of each arm: a level and the difference of the second arm from the first
  turn <- diag(nrow(free))
  if (nrow(free) == k + 2) turn[k + 2, k + 1] <- -1
  list(coefficients = unname(c(coef(m), turn[-(1:k), -(1:k), drop = FALSE] %*% (log(m$scale) + log(factor)))),
       se = unname(sqrt(diag(turn %*% free %*% t(turn)))), loglik = m$loglik[2])
}
one <- survreg(between ~ arm + x, d, dist = "gaussian", control = control)
two <- survreg(between ~ arm + x + strata(arm), d, dist = "gaussian", control = control)
tobit <- AER::tobit(floored ~ arm + x, left = 60, right = Inf, data = d, control = control)
heavy <- function(nu) survreg(Surv(heavy) ~ arm + x + strata(arm), d, dist = "t", parms = nu, control = control)
best <- optimize(function(nu) heavy(nu)$loglik[2], c(2.5, 50), maximum = TRUE, tol = 1e-9)
nu <- best$maximum
out <- list(
  R = R.version.string,
  versions = lapply(list(survival = "survival", AER = "AER"), function(p) as.character(packageVersion(p))),
  one_sd = answer(one), sd_by_arm = answer(two), floored = answer(tobit),
  heavy = c(answer(heavy(nu), sqrt(nu / (nu - 2))), nu = nu))
write(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "error_laws.json")
