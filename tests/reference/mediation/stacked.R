# Rscript tests/reference/mediation/stacked.R > tests/reference/mediation/stacked.json
# The stacked model of Bauer, Preacher and Gil (2006) by nlme: mediator and outcome in one column,
# every coefficient random, a residual variance for each (lme4 has one residual variance only).
suppressMessages({library(nlme); library(jsonlite)})
d <- read.csv("tests/reference/mediation/stacked.csv")
for (v in c("x", "m")) {
  d[[paste0(v, "_own")]] <- ave(d[[v]], d$g)
  d[[paste0(v, "_rest")]] <- d[[v]] - d[[paste0(v, "_own")]]
}
first <- with(d, data.frame(g, z = m, sm = 1, sm_x = x_rest, sy = 0, sy_m = 0, sy_x = 0))
second <- with(d, data.frame(g, z = y, sm = 0, sm_x = 0, sy = 1, sy_m = m_rest, sy_x = x_rest))
s <- rbind(first, second)
s$outcome <- factor(s$sy)
f <- lme(z ~ 0 + sm + sm_x + sy + sy_m + sy_x, data = s,
         random = ~ 0 + sm + sm_x + sy + sy_m + sy_x | g, weights = varIdent(form = ~ 1 | outcome),
         method = "REML",
         control = lmeControl(maxIter = 500, msMaxIter = 500, niterEM = 100, tolerance = 1e-10,
                              msTol = 1e-10, opt = "nlminb"))
tau <- getVarCov(f)
ratio <- coef(f$modelStruct$varStruct, unconstrained = FALSE)
cat(toJSON(list(
  versions = list(R = R.version.string, nlme = as.character(packageVersion("nlme"))),
  loglik = as.numeric(logLik(f)), names = names(fixef(f)), estimates = as.numeric(fixef(f)),
  se = as.numeric(sqrt(diag(vcov(f)))), cov_ab_of_means = vcov(f)["sm_x", "sy_m"],
  cov_ab = tau["sm_x", "sy_m"], sd_a = sqrt(tau["sm_x", "sm_x"]), sd_b = sqrt(tau["sy_m", "sy_m"]),
  sigma_m = f$sigma, sigma_y = f$sigma * as.numeric(ratio)
), digits = 15, auto_unbox = TRUE, pretty = TRUE))
