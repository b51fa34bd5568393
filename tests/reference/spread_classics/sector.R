# Residual SDs of Catholic and public schools (High School and Beyond) by nlme's varIdent, REML.
# From the repository's root: Rscript tests/reference/spread_classics/sector.R > tests/reference/spread_classics/sector.json
# varIdent's coefficient is a ratio of SDs; its logarithm is the log SD.
suppressMessages({library(nlme); library(jsonlite)})
rows <- merge(as.data.frame(MathAchieve), as.data.frame(MathAchSchool)[c("School", "Sector")], by = "School")
rows$School <- factor(as.character(rows$School))
fit <- lme(MathAch ~ 1, rows, random = ~ 1 | School, weights = varIdent(form = ~ 1 | Sector), method = "REML",
           control = lmeControl(opt = "optim", msTol = 1e-12, tolerance = 1e-12, msMaxIter = 1000))
same <- lme(MathAch ~ 1, rows, random = ~ 1 | School, method = "REML")
ratio <- coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
cat(toJSON(list(
  versions = list(R = R.version.string, nlme = as.character(packageVersion("nlme"))),
  log_sd_catholic = log(ratio[["Catholic"]] / ratio[["Public"]]),
  loglik = as.numeric(logLik(fit)), loglik_equal = as.numeric(logLik(same)),
  mean = fixef(fit)[[1]]), auto_unbox = TRUE, digits = 15, pretty = TRUE))
cat("\n")
