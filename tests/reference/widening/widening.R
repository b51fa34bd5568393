# Rscript tests/reference/widening/widening.R > tests/reference/widening/widening.json
# metafor's lnVR and lnCVR per firm (one group each), and Knapp-Hartung meta-regressions of them.
suppressMessages({library(metafor); library(jsonlite)})
firms <- data.frame(
  n = c(12, 15, 9, 20, 14, 11, 16, 13, 18, 10),
  mean = c(52.1, 48.3, 55.0, 50.2, 47.9, 51.4, 53.3, 49.0, 50.7, 46.5),
  sd = c(8.1, 9.4, 7.2, 10.3, 8.8, 10.9, 12.4, 11.1, 9.9, 13.0),
  treated = rep(0:1, each = 5)
)
one <- function(y, v) {
  m <- rma(y, v, mods = ~ treated, data = firms, method = "REML", test = "knha",
           control = list(threshold = 1e-12, maxiter = 1000))
  list(estimates = as.numeric(m$beta), se = m$se, df = m$dfs, tau2 = m$tau2, p = m$pval)
}


es <- escalc(measure = "SDLN", sdi = sd, ni = n, data = firms)
cv <- escalc(measure = "CVLN", mi = mean, sdi = sd, ni = n, data = firms)
cat(toJSON(list(
  versions = list(R = R.version.string, metafor = as.character(packageVersion("metafor"))),
  firms = firms,
  sdln = list(y = as.numeric(es$yi), v = as.numeric(es$vi)),
  cvln = list(y = as.numeric(cv$yi), v = as.numeric(cv$vi)),
  lnsd = one(es$yi, es$vi), lncv = one(cv$yi, cv$vi), tenth = one(es$yi, es$vi / 10)
), digits = 15, auto_unbox = TRUE, pretty = TRUE))
