# Witness for what follows a mixed model: likelihood ratios, ICC, R2, profile intervals.
# Run: Rscript after_variance.R   (writes rows.csv, balanced.csv and after_variance.json beside itself)
suppressPackageStartupMessages({library(lme4); library(nlme); library(performance); library(psych); library(jsonlite)})
set.seed(20260)

# rows.csv: 24 persons in 6 firms, unbalanced occasions, 8 tasks crossed with persons
person <- rep(sprintf("p%02d", 1:24), times = rep(c(5, 6, 7, 8), 6))
firm <- paste0("f", (as.integer(substr(person, 2, 3)) - 1) %/% 4 + 1)
n <- length(person)
task <- paste0("t", sample(1:8, n, replace = TRUE))
i <- as.integer(factor(person)); f <- as.integer(factor(firm)); k <- as.integer(factor(task))
x <- round(rnorm(n) + rnorm(24)[i], 3)
z <- round(rnorm(24), 3)[i]
u0 <- rnorm(24, 0, 1); u1 <- 0.4 * u0 + rnorm(24, 0, 0.5)
y <- round(2 + 0.6 * x - 0.5 * z + u0[i] + u1[i] * x + rnorm(6, 0, 0.7)[f] + rnorm(8, 0, 0.6)[k] + rnorm(n), 4)
rows <- data.frame(y, x, z, person, firm, task)
write.csv(rows, "rows.csv", row.names = FALSE, quote = FALSE)

balanced <- data.frame(g = rep(sprintf("g%02d", 1:15), each = 4), rater = rep(1:4, 15))
balanced$y <- round(5 + rep(rnorm(15), each = 4) + rnorm(60), 4)
write.csv(balanced, "balanced.csv", row.names = FALSE, quote = FALSE)

exact <- lmerControl(optimizer = "nloptwrap", optCtrl = list(ftol_abs = 1e-13, xtol_abs = 1e-12, maxeval = 1e5))
m <- function(formula, data, REML = TRUE) lmer(formula, data, REML = REML, control = exact)
ll <- function(fit) as.numeric(logLik(fit))

intercepts <- y ~ x + z + (1 | person)
slopes <- y ~ x + z + (1 + x | person)
nested <- y ~ x + z + (1 | firm/person)
crossed <- y ~ x + z + (1 | person) + (1 | task)
models <- list(intercepts = intercepts, slopes = slopes, nested = nested, crossed = crossed)
r2s <- lapply(models, function(f) {
  found <- r2_nakagawa(m(f, rows), tolerance = 0)
  list(marginal = unname(found$R2_marginal), conditional = unname(found$R2_conditional))
})
iccs <- lapply(models[c("intercepts", "nested", "crossed")], function(f) {
  fit <- m(f, rows); found <- icc(fit, tolerance = 0)
  list(adjusted = found$ICC_adjusted, unadjusted = found$ICC_unadjusted,
       by_group = setNames(as.list(icc(fit, by_group = TRUE, tolerance = 0)$ICC), icc(fit, by_group = TRUE, tolerance = 0)$Group))
})
wide <- matrix(balanced$y, ncol = 4, byrow = TRUE)
one_way <- psych::ICC(wide, lmer = FALSE)$results
profile_of <- function(fit) {
  found <- confint(fit, parm = "theta_", oldNames = FALSE, quiet = TRUE)
  setNames(lapply(seq_len(nrow(found)), function(r) unname(found[r, ])), rownames(found))
}
ml <- m(slopes, rows, FALSE)
one <- lm(y ~ x + z, rows)

# Real data of nlme: numbers only
machines <- anova(lme(score ~ Machine, Machines, ~ 1 | Worker/Machine),
                  lme(score ~ Machine, Machines, ~ Machine - 1 | Worker,
                      control = lmeControl(msMaxIter = 500, msTol = 1e-12, tolerance = 1e-12)))
sums <- lme(distance ~ Sex * age, Orthodont, ~ 1 | Subject, contrasts = list(Sex = contr.sum))
treatments <- lme(distance ~ Sex * age, Orthodont, ~ 1 | Subject)

answers <- list(
  versions = as.list(sapply(c("lme4", "nlme", "performance", "insight", "psych"), function(p) as.character(packageVersion(p)))),
  R = R.version.string,
  loglik = list(
    intercepts_reml = ll(m(intercepts, rows)), slopes_reml = ll(m(slopes, rows)),
    uncorrelated_reml = ll(m(y ~ x + z + (1 + x || person), rows)),
    intercepts_ml = ll(m(intercepts, rows, FALSE)), slopes_ml = ll(m(slopes, rows, FALSE)),
    without_z_ml = ll(m(y ~ x + (1 | person), rows, FALSE)),
    one_level_ml = as.numeric(logLik(one)), one_level_reml = as.numeric(logLik(one, REML = TRUE))),
  r2 = r2s, icc = iccs,
  one_way = list(icc1 = one_way$ICC[1], low = one_way[1, "lower bound"], high = one_way[1, "upper bound"],
                 icck = one_way$ICC[4]),
  profile_slopes_ml = profile_of(ml),
  profile_crossed_ml = profile_of(m(crossed, rows, FALSE)),
  sleepstudy_profile_ml = profile_of(m(Reaction ~ Days + (1 + Days | Subject), sleepstudy, FALSE)),
  machines = list(ratio = machines$L.Ratio[2], p = machines$`p-value`[2]),
  orthodont_coding = c(sum = as.numeric(logLik(sums)), treatment = as.numeric(logLik(treatments))))
write_json(answers, "after_variance.json", auto_unbox = TRUE, digits = NA, pretty = TRUE)
