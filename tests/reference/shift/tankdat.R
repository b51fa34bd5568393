# Task change at TIME 6 (R package multilevel, tankdat): discontinuous growth by lme4.
# From the repository's root, ALC_STATS_DATA set:
# Rscript tests/reference/shift/tankdat.R > tests/reference/shift/tankdat.json
suppressMessages({library(lme4); library(jsonlite)})
rows <- read.csv(file.path(Sys.getenv("ALC_STATS_DATA"), "multilevel/multilevel__tankdat.csv"))
rows$before <- pmin(rows$TIME - 6, 0)
rows$drop <- as.numeric(rows$TIME >= 6)
rows$after <- pmax(rows$TIME - 6, 0)
people <- rows[!duplicated(rows$ID), ]
rows$consc <- (rows$CONSC - mean(people$CONSC)) / sd(people$CONSC)
rows$ID <- factor(rows$ID)
fit <- lmer(SCORE ~ (before + drop + after) * consc + (1 + drop + before + after | ID), rows,
            control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5)))
means <- tapply(rows$SCORE, rows$TIME, mean)
cat(toJSON(list(
  versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4"))),
  estimate = as.list(fixef(fit)), se = as.list(sqrt(diag(as.matrix(vcov(fit))))), means = as.list(means),
  deviance = as.numeric(-2 * logLik(fit))), auto_unbox = TRUE, digits = 10, pretty = TRUE))
cat("\n")
