# lmerTest's, pbkrtest's and lme4's answers on our own simulated data: unbalanced, crossed, nested, slopes.
# From this folder: Rscript lmm.R   (writes ratings.csv, lmm.json)
# ratings.csv: 14 persons in 5 teams rate up to 9 tasks, twice, about a fifth of the rows lost; true SDs of
#   person intercept, person slope, task, team, residual: 1.0, 0.4, 0.7, 0.5, 1.0.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(jsonlite)})
set.seed(20261123)

ratings <- expand.grid(time = 0:1, task = sprintf("t%d", 1:9), person = sprintf("p%02d", 1:14))[, 3:1]
ratings$team <- sprintf("m%d", (as.integer(ratings$person) - 1) %% 5 + 1)
ratings$arm <- ifelse(as.integer(ratings$person) <= 6, "mandate", "control")
ratings$load <- round(rnorm(nrow(ratings), 3, 1.5), 2)
a <- rnorm(14); b <- 0.4 * rnorm(14); task <- 0.7 * rnorm(9); team <- 0.5 * rnorm(5); noise <- rnorm(nrow(ratings))
i <- as.integer(ratings$person)
ratings$y <- round(2 + a[i] + (0.3 + b[i]) * ratings$load + task[as.integer(ratings$task)] +
  team[as.integer(factor(ratings$team))] + 0.5 * (ratings$arm == "mandate") * ratings$time + noise, 6)
ratings$weight <- round(runif(nrow(ratings), 0.5, 3), 3)
ratings <- ratings[sort(sample(nrow(ratings), round(0.8 * nrow(ratings)))), ]
write.csv(ratings, "ratings.csv", row.names = FALSE, quote = FALSE)
ratings <- read.csv("ratings.csv", stringsAsFactors = TRUE)

control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-11, maxfun = 1e5))
modes <- function(m) lapply(ranef(m, condVar = TRUE), function(r)
  list(levels = rownames(r), columns = names(r), modes = as.matrix(r),
       covariance = { v <- attr(r, "postVar"); if (is.array(v)) aperm(v, c(3, 1, 2)) else NULL }))
answer <- function(formula, reml = TRUE, weighted = FALSE, kr = reml, effects = FALSE) {
  ratings$w <- if (weighted) ratings$weight else 1
  m <- suppressMessages(lmerTest::lmer(formula, ratings, REML = reml, weights = w, control = control))
  s <- coef(summary(m, ddf = "Satterthwaite")); vc <- as.data.frame(VarCorr(m))
  out <- list(formula = paste(deparse(formula), collapse = ""), method = if (reml) "REML" else "ML",
              weights = weighted, loglik = as.numeric(logLik(m)), names = rownames(s), estimates = unname(s[, "Estimate"]),
              se = unname(s[, "Std. Error"]), satterthwaite_df = unname(s[, "df"]),
              random = data.frame(group = vc$grp, term = ifelse(is.na(vc$var1), "", vc$var1),
                                  other = ifelse(is.na(vc$var2), "", vc$var2), value = vc$sdcor))
  if (kr) {
    k <- coef(summary(m, ddf = "Kenward-Roger"))
    out$kenward_roger_df <- unname(k[, "df"])
    out$kenward_roger_se <- unname(sqrt(diag(as.matrix(pbkrtest::vcovAdj(m)))))
  }
  if (effects) out$effects <- modes(m)
  out
}
fits <- list(
  answer(y ~ arm * time + load + (1 | person), effects = TRUE),
  answer(y ~ arm * time + load + (1 + load | person), effects = TRUE),
  answer(y ~ arm * time + load + (1 + load | person), reml = FALSE),
  answer(y ~ arm * time + load + (1 + load | person) + (1 | task), effects = TRUE),
  answer(y ~ arm * time + load + (1 | person) + (1 | task), reml = FALSE),
  answer(y ~ arm * time + load + (1 | team/person)),
  answer(y ~ arm + load + (1 | team/person) + (1 | task)),
  answer(y ~ arm * time + load + (1 | person) + (1 | task), weighted = TRUE, kr = FALSE))
versions <- sapply(c("lme4", "lmerTest", "pbkrtest"), function(p) as.character(packageVersion(p)))
write(toJSON(list(R = R.version.string, versions = as.list(versions), fits = fits), digits = 15, auto_unbox = TRUE,
             pretty = TRUE), "lmm.json")
