# Log residual SDs that follow columns, by glmmTMB and nlme: Rscript fixed_scale.R
# Writes rows.csv (simulated here) and fixed_scale.json. glmmTMB < 1.1.9 has log VARIANCES: `dispersion` and its
# standard errors are twice a log SD. nlme's varIdent is a ratio of SDs, varExp a log SD per unit.
suppressMessages({library(glmmTMB); library(nlme); library(lme4); library(jsonlite)})
set.seed(20261127)
J <- 48
rows <- data.frame(g = rep(1:J, each = 8))
rows$h <- (rows$g - 1) %/% 6 + 1
rows$k <- rep(1:12, length.out = nrow(rows))[sample(nrow(rows))]
rows$arm <- ifelse(rows$g %% 2 == 0, "mandate", "control")
rows$x <- round(rnorm(nrow(rows)), 4)
on <- as.numeric(rows$arm == "mandate")
rows$y <- round(2 + .4 * on + .5 * rows$x + .6 * rnorm(8)[rows$h] + .8 * rnorm(J)[rows$g] +
  .4 * rnorm(J)[rows$g] * rows$x + .5 * rnorm(12)[rows$k] +
  exp(-.1 + .35 * on + .2 * rows$x - .15 * on * rows$x) * rnorm(nrow(rows)), 6)
write.csv(rows, "rows.csv", row.names = FALSE)
for (name in c("g", "h", "k", "arm")) rows[[name]] <- factor(rows[[name]])

tight <- glmmTMBControl(optimizer = optim, optCtrl = list(reltol = 1e-15, maxit = 2000), optArgs = list(method = "BFGS"))
template <- function(formula, dispersion, REML, data = rows) {
  fit <- suppressWarnings(glmmTMB(formula, data, dispformula = dispersion, REML = REML, control = tight))
  found <- list(loglik = as.numeric(logLik(fit)), fixed = unname(fixef(fit)$cond), dispersion = unname(fixef(fit)$disp),
                sds = unname(unlist(lapply(VarCorr(fit)$cond, function(v) attr(v, "stddev")))))
  found$dispersion_se <- unname(sqrt(diag(fit$sdr$cov.fixed))[names(fit$sdr$par.fixed) == "betad"])
  found
}
mixed <- function(fit, extra = list()) {
  c(list(loglik = as.numeric(logLik(fit)), fixed = unname(fixef(fit)), se = unname(sqrt(diag(vcov(fit)))),
         sigma = fit$sigma, spread = unname(coef(fit$modelStruct$varStruct, unconstrained = FALSE))), extra)
}
lc <- lmeControl(msTol = 1e-14, tolerance = 1e-12, msMaxIter = 500, maxIter = 500, niterEM = 50, opt = "optim")
out <- list(versions = list(R = R.version.string, glmmTMB = as.character(packageVersion("glmmTMB")),
                            nlme = as.character(packageVersion("nlme")), lme4 = as.character(packageVersion("lme4"))))
for (REML in c(FALSE, TRUE)) {
  tag <- if (REML) "reml" else "ml"
  method <- if (REML) "REML" else "ML"
  out[[paste0("slopes_", tag)]] <- template(y ~ arm * x + (1 + x | g), ~ arm * x, REML)
  out[[paste0("nested_", tag)]] <- template(y ~ arm * x + (1 | h / g), ~ arm + x, REML)
  out[[paste0("crossed_", tag)]] <- template(y ~ x + (1 | g) + (1 | k), ~ x, REML)
  out[[paste0("none_", tag)]] <- template(y ~ arm * x, ~ arm * x, REML)
  out[[paste0("lme_ident_", tag)]] <- mixed(lme(y ~ arm * x, rows, random = ~ x | g, weights = varIdent(form = ~ 1 | arm),
                                                 method = method, control = lc))
  out[[paste0("lme_exp_nested_", tag)]] <- mixed(lme(y ~ arm * x, rows, random = ~ 1 | h / g, weights = varExp(form = ~ x),
                                                      method = method, control = lc))
  plain <- gls(y ~ arm * x, rows, weights = varComb(varIdent(form = ~ 1 | arm), varExp(form = ~ x)), method = method,
               control = glsControl(msTol = 1e-14, tolerance = 1e-12))
  out[[paste0("gls_", tag)]] <- list(loglik = as.numeric(logLik(plain)), fixed = unname(coef(plain)), sigma = plain$sigma,
                                     se = unname(sqrt(diag(vcov(plain)))),
                                     spread = unname(unlist(coef(plain$modelStruct$varStruct, unconstrained = FALSE))))
  # the residual SD of one sex fixed at 1, as in nlme's own tests/sigma-fixed-etc.R
  out[[paste0("fixed_sigma_", tag)]] <- mixed(lme(distance ~ I(age - 11), Orthodont, weights = varIdent(form = ~ 1 | Sex),
    method = method, control = lmeControl(sigma = 1, msTol = 1e-14, tolerance = 1e-12)))
  # a random intercept whose SD differs between the arms is two independent ones
  two <- lme(y ~ arm * x, rows, random = list(g = pdDiag(~ 0 + arm)), weights = varIdent(form = ~ 1 | arm), method = method,
             control = lc)
  out[[paste0("between_", tag)]] <- mixed(two, list(sds = unname(as.numeric(VarCorr(two)[1:2, "StdDev"]))))
}
out$sleepstudy <- template(Reaction ~ Days + (1 | Subject), ~ Days, FALSE, sleepstudy)
ident <- lme(distance ~ Sex * I(age - 11), Orthodont, random = ~ I(age - 11) | Subject, weights = varIdent(form = ~ 1 | Sex),
             control = lc)
same <- lme(distance ~ Sex * I(age - 11), Orthodont, random = ~ I(age - 11) | Subject, control = lc)
out$orthodont <- mixed(ident, list(lr = 2 * as.numeric(logLik(ident) - logLik(same))))
write(toJSON(out, auto_unbox = TRUE, digits = 15, pretty = TRUE), "fixed_scale.json")
