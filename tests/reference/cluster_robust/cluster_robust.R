# Cluster-robust covariances of mixed models and least squares: clubSandwich on our own data.
# From this folder: Rscript cluster_robust.R   (writes firms.csv, cluster_robust.json)
# firms.csv: 9 firms of 2 to 9 persons, 2 to 8 rows each; person intercepts and week slopes, firm intercepts, errors
#   whose SD grows with x in some firms; 4 firms have the mandate; `size` is the firm's. Some values are missing.
suppressMessages({library(nlme); library(lme4); library(clubSandwich); library(jsonlite)})
set.seed(20261124)
persons <- c(2, 3, 4, 5, 5, 6, 7, 8, 9)
d <- do.call(rbind, lapply(seq_along(persons), function(f) {
  a <- 0.7 * rnorm(1)
  do.call(rbind, lapply(seq_len(persons[f]), function(i) {
    rows <- sample(2:8, 1); u <- rnorm(1); b <- 0.25 * rnorm(1)
    week <- sort(sample(0:9, rows)); x <- round(rnorm(rows, 0.3 * f), 4)
    data.frame(firm = sprintf("f%d", f), person = sprintf("f%dp%d", f, i), week = week, x = x,
               mandate = as.numeric(f %in% c(1, 4, 5, 8)),
               y = round(2 + a + u + (0.2 + b) * week + 0.3 * x + rnorm(rows) * exp(0.15 * x), 6))
  }))
}))
d$y[c(5, 60)] <- NA; d$x[17] <- NA
d <- d[sample(nrow(d)), ]
write.csv(d, "firms.csv", row.names = FALSE, quote = FALSE, na = "")
d <- read.csv("firms.csv", stringsAsFactors = TRUE)
d <- d[complete.cases(d), ]
kinds <- c("CR0", "CR1", "CR2", "CR3")
answer <- function(m, call, names, cluster, level, sds) {
  one <- function(k) {
    V <- vcovCR(m, cluster = cluster, type = k)
    t <- coef_test(m, vcov = V, test = "Satterthwaite")
    list(se = t$SE, df = t$df_Satt, p = t$p_Satt, vcov = unname(as.matrix(V)))
  }
  list(call = call, cluster = level, names = names, sds = sds, kinds = setNames(lapply(kinds, one), kinds))
}
tight <- lmeControl(msTol = 1e-13, tolerance = 1e-12, msMaxIter = 500, maxIter = 500, opt = "nlminb", niterEM = 50)
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e6))
lme_answer <- function(random, call, cluster, level) {
  m <- lme(y ~ mandate * week + x, random = random, data = d, control = tight)
  answer(m, call, names(fixef(m)), cluster, level, m$sigma)
}
lmer_answer <- function(formula, cluster, level) {
  m <- lmer(formula, d, control = control)
  answer(m, paste(deparse(formula), collapse = ""), names(fixef(m)), cluster, level, sigma(m))
}
l <- lm(y ~ mandate * week + x, d)
out <- list(R = R.version.string,
  versions = lapply(list(nlme = "nlme", lme4 = "lme4", clubSandwich = "clubSandwich"), function(p) as.character(packageVersion(p))),
  models = list(
    lmer_answer(y ~ mandate * week + x + (1 | person), d$person, "person"),
    lmer_answer(y ~ mandate * week + x + (1 | person), d$firm, "firm"),
    lmer_answer(y ~ mandate * week + x + (1 | firm/person), d$firm, "firm"),
    lmer_answer(y ~ mandate * week + x + (1 + week | person), d$firm, "firm"),
    lmer_answer(y ~ mandate * week + x + (1 | firm) + (1 + week | person), d$firm, "firm"),
    answer(l, "y ~ mandate * week + x", names(coef(l)), d$firm, "firm", summary(l)$sigma)),
  lme = list(
    lme_answer(~ 1 | person, "y ~ mandate * week + x + (1 | person)", d$firm, "firm"),
    lme_answer(~ 1 + week | person, "y ~ mandate * week + x + (1 + week | person)", d$person, "person")))
write(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "cluster_robust.json")
