# lme4's and lmerTest's answers on our own simulated data.
# From this folder: Rscript mixed.R   (writes firms.csv, balanced.csv, mixed.json)
# firms.csv: 12 firms, 5 to 9 persons each, 5 weeks, about 5 % of the rows lost; true SDs of the firm
#   intercept, firm week slope, person intercept, residual: 1.0, 0.3, 0.8, 1.0; `flat` has no firm variance.
# balanced.csv: 10 firms, 4 persons each, 4 weeks, half of the firms treated.
suppressMessages({library(lme4); library(lmerTest); library(jsonlite)})
set.seed(20261122)

firms <- do.call(rbind, lapply(1:12, function(f) {
  persons <- sample(5:9, 1); a <- rnorm(1); b <- 0.3 * rnorm(1) + 0.4 * a * 0.3
  do.call(rbind, lapply(seq_len(persons), function(i) {
    u <- 0.8 * rnorm(1)
    data.frame(firm = sprintf("f%02d", f), person = sprintf("p%d", i), arm = if (f <= 6) "mandate" else "control",
               week = 0:4, tenure = round(runif(1, 0, 20), 1), mu = a + u + b * 0:4)
  }))
}))
firms$mandate <- as.numeric(firms$arm == "mandate")
noise <- rnorm(nrow(firms))
firms$y <- round(5 + firms$mu + 0.3 * firms$week + 0.5 * firms$mandate * firms$week + 0.02 * firms$tenure + noise, 6)
flat <- 2 + 0.1 * firms$week + rnorm(nrow(firms))
firms$flat <- round(flat - ave(flat, firms$firm) + mean(flat), 6)
firms$mu <- NULL
firms <- firms[sort(sample(nrow(firms), round(0.95 * nrow(firms)))), ]
write.csv(firms, "firms.csv", row.names = FALSE, quote = FALSE)

balanced <- expand.grid(week = 0:3, person = sprintf("p%d", 1:4), firm = sprintf("f%02d", 1:10))[, c("firm", "person", "week")]
balanced$cweek <- balanced$week - 1.5
balanced$mandate <- as.numeric(as.integer(balanced$firm) <= 5)
a <- rnorm(10); b <- 0.5 * rnorm(10); u <- 0.8 * rnorm(40)
balanced$y <- round(3 + a[as.integer(balanced$firm)] + b[as.integer(balanced$firm)] * balanced$week +
  u[as.integer(interaction(balanced$person, balanced$firm))] + 0.4 * balanced$mandate * balanced$week + rnorm(160), 6)
write.csv(balanced, "balanced.csv", row.names = FALSE, quote = FALSE)

firms <- read.csv("firms.csv", stringsAsFactors = TRUE)
balanced <- read.csv("balanced.csv", stringsAsFactors = TRUE)
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5))
answer <- function(formula, data, file, reml, kr = FALSE) {
  m <- suppressMessages(lmerTest::lmer(formula, data, REML = reml, control = control))
  vc <- as.data.frame(VarCorr(m))
  out <- list(formula = paste(deparse(formula), collapse = ""), file = file, method = if (reml) "REML" else "ML",
              loglik = as.numeric(logLik(m)), names = names(fixef(m)), estimates = unname(fixef(m)),
              se = unname(sqrt(diag(as.matrix(vcov(m))))), singular = isSingular(m),
              random = data.frame(group = vc$grp, term = ifelse(is.na(vc$var1), "", vc$var1),
                                  other = ifelse(is.na(vc$var2), "", vc$var2), value = vc$sdcor))
  if (kr) out$kenward_roger_df <- unname(coef(summary(m, ddf = "Kenward-Roger"))[, "df"])
  out
}
fits <- list()
for (reml in c(TRUE, FALSE)) fits <- c(fits, list(
  answer(y ~ mandate * week + tenure + (1 | firm), firms, "firms.csv", reml),
  answer(y ~ mandate * week + tenure + (1 | firm/person), firms, "firms.csv", reml),
  answer(y ~ arm * week + (1 + week | firm), firms, "firms.csv", reml),
  answer(y ~ mandate * week + (1 + week | firm) + (1 | firm:person), firms, "firms.csv", reml),
  answer(y ~ mandate * week + (1 + week || firm), firms, "firms.csv", reml),
  answer(y ~ week + (0 + week | firm), firms, "firms.csv", reml),
  answer(y ~ mandate * week + (1 + week | firm/person), firms, "firms.csv", reml),
  answer(log(tenure + 1) ~ arm + (1 | firm), firms, "firms.csv", reml),
  answer(flat ~ week + (1 | firm), firms, "firms.csv", reml)))
fits <- c(fits, list(
  answer(y ~ mandate * cweek + (1 | firm/person), balanced, "balanced.csv", TRUE, TRUE),
  answer(y ~ mandate * cweek + (1 + cweek | firm), balanced, "balanced.csv", TRUE, TRUE),
  answer(y ~ mandate * cweek + (1 + cweek | firm) + (1 | firm:person), balanced, "balanced.csv", TRUE, TRUE)))
versions <- sapply(c("lme4", "lmerTest", "pbkrtest"), function(p) as.character(packageVersion(p)))
write(toJSON(list(R = R.version.string, versions = as.list(versions), fits = fits), digits = NA, auto_unbox = TRUE, pretty = TRUE), "mixed.json")
