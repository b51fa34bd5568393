# lme4's, lmerTest's, pbkrtest's, emmeans' and clubSandwich's answers on our own simulated data.
# From this folder: Rscript after_fit.R   (writes trial.csv, after_fit.json)
# trial.csv: 16 persons with about 7 rows each, 6 tasks, three arms, two shifts; true SDs of the person
#   intercept, its x slope, task and residual: 1.0, 0.4, 0.6, 0.8.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(emmeans); library(clubSandwich); library(jsonlite)})
set.seed(20261123)

trial <- expand.grid(row = 1:8, person = sprintf("p%02d", 1:16))
n <- nrow(trial)
trial$arm <- sample(c("control", "mandate", "choice"), n, TRUE, c(0.4, 0.35, 0.25))
trial$shift <- c("day", "night")[1 + (as.integer(trial$person) %% 2)]
trial$task <- sprintf("t%d", sample(1:6, n, TRUE))
trial$x <- round(runif(n, 2, 9), 3)
trial$novice <- rbinom(n, 1, 0.3)
a <- rnorm(16); b <- 0.4 * rnorm(16); g <- 0.6 * rnorm(6); p <- as.integer(trial$person)
trial$y <- round(4 + a[p] + (0.3 + b[p]) * (trial$x - 5) + g[as.integer(factor(trial$task))] + 0.5 * (trial$arm == "mandate") +
  0.6 * (trial$arm == "choice") * (trial$shift == "night") - 0.4 * trial$novice + 0.8 * rnorm(n), 6)
trial <- trial[sort(sample(n, 110)), c("person", "task", "arm", "shift", "x", "novice", "y")]
write.csv(trial, "trial.csv", row.names = FALSE, quote = FALSE)
trial <- read.csv("trial.csv", stringsAsFactors = TRUE)

control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5))
fixed <- y ~ arm * shift + x + novice + (1 + x | person) + (1 | task)
m <- lmerTest::lmer(fixed, trial, control = control)
crossed <- lmerTest::lmer(y ~ arm * shift + x + novice + (1 | person) + (1 | task), trial, control = control)
plain <- lm(y ~ arm * shift + x + novice, trial)

frame <- function(grid) { d <- as.data.frame(grid); names(d) <- sub("lower.CL", "low", sub("upper.CL", "high", names(d))); d }
pairs_of <- function(grid, adjust) { p <- as.data.frame(pairs(grid, adjust = adjust)); ci <- as.data.frame(confint(pairs(grid, adjust = adjust)))
  p$low <- ci$lower.CL; p$high <- ci$upper.CL; p }
means <- function(model, mode) {
  em <- function(...) if (is.null(mode)) emmeans(model, ...) else emmeans(model, ..., lmer.df = mode)
  arm <- suppressMessages(em("arm")); cells <- em("arm", by = "shift"); both <- em(c("arm", "shift"))
  list(arm = frame(arm), arm_by_shift = frame(cells), arm_shift = frame(both), at = frame(suppressMessages(em("arm", at = list(x = c(3, 8), shift = "night")))),
       novice = frame(suppressMessages(em("novice"))), x = frame(suppressMessages(em("x", at = list(x = c(2, 4.5))))),
       tukey = pairs_of(arm, "tukey"), tukey_by_shift = pairs_of(cells, "tukey"), holm = pairs_of(arm, "holm"), none_both = pairs_of(both, "none"))
}
contrasts <- list(list(expression = "arm[T.mandate] - arm[T.control]", L = c(0, -1, 1, 0, 0, 0, 0, 0)),
                  list(expression = "shift[T.night] + arm[T.mandate]:shift[T.night]", L = c(0, 0, 0, 1, 0, 0, 0, 1)),
                  list(expression = "Intercept + 5*x", L = c(1, 0, 0, 0, 5, 0, 0, 0)))
families <- list(list(terms = c("arm[T.control]:shift[T.night]", "arm[T.mandate]:shift[T.night]"), rows = c(7, 8)),
                 list(terms = c("arm[T.control]", "arm[T.mandate]", "x"), rows = c(2, 3, 5)),
                 list(terms = c("x"), rows = 5))
one <- function(L) lapply(c("Satterthwaite", "Kenward-Roger"), function(ddf) { a <- lmerTest::contest1D(m, L, ddf = ddf); list(df = a$df, se = a[["Std. Error"]]) })
many <- function(rows) { L <- diag(8)[rows, , drop = FALSE]; s <- lmerTest::contestMD(m, L, ddf = "Satterthwaite"); k <- pbkrtest::KRmodcomp(m, L)$stats
  list(satterthwaite = list(statistic = s[["F value"]], df2 = s$DenDF, p = s[["Pr(>F)"]]), kenward_roger = list(statistic = k$Fstat, df2 = k$ddf, p = k$p.value)) }
cr2 <- vcovCR(plain, cluster = trial$person, type = "CR2")
modes <- function(model, group) { r <- ranef(model)[[group]]; list(levels = rownames(r), names = colnames(r), modes = as.matrix(r)) }
new <- data.frame(person = c("p01", "p16", "p99"), task = c("t1", "t7", "t2"), arm = c("mandate", "control", "choice"), shift = c("day", "night", "night"), x = c(5, 2.5, 8), novice = c(0, 1, 0))
out <- list(R = R.version.string, versions = as.list(sapply(c("lme4", "lmerTest", "pbkrtest", "emmeans", "clubSandwich"), function(p) as.character(packageVersion(p)))),
  names = names(fixef(m)), loglik = as.numeric(logLik(m)),
  means = list("kenward-roger" = means(m, "kenward-roger"), satterthwaite = means(m, "satterthwaite"), linear = means(plain, NULL)),
  contrasts = lapply(contrasts, function(k) c(k["expression"], list(satterthwaite = one(k$L)[[1]], kenward_roger = one(k$L)[[2]],
    cr2 = { t <- linear_contrast(plain, cr2, contrasts = matrix(k$L, 1)); list(df = t$df, se = t$SE) }))),
  joint = lapply(families, function(f) c(f["terms"], many(f$rows))),
  modes = list(person = modes(m, "person"), task = modes(m, "task")),
  fitted = unname(predict(m)), fitted_fixed = unname(predict(m, re.form = NA)),
  new = new, predicted = unname(predict(m, new, allow.new.levels = TRUE)), predicted_fixed = unname(predict(m, new, re.form = NA)),
  linear = as.data.frame(predict(plain, new, interval = "prediction")), linear_confidence = as.data.frame(predict(plain, new, interval = "confidence")))
write(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "after_fit.json")
