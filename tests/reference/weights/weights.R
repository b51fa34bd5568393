# Prior weights in least squares and a mixed model: base R, sandwich, clubSandwich, lme4 on our own data.
# From this folder: Rscript weights.R   (writes weights.csv, weights.json)
# weights.csv: 12 firms of 4 to 9 rows, each row the mean of `size` persons, so Var(e) = sigma^2 / size.
suppressMessages({library(sandwich); library(clubSandwich); library(lme4); library(jsonlite)})
set.seed(20261201)
rows <- c(4, 9, 5, 6, 7, 8, 9, 4, 5, 6, 7, 8)
d <- data.frame(firm = rep(sprintf("f%02d", 1:12), rows))
d$mandate <- as.numeric(as.integer(factor(d$firm)) %% 2)
d$x <- round(rnorm(nrow(d), 2), 6)
d$size <- sample(c(0.5, 1, 2, 3, 8), nrow(d), TRUE)
d$y <- round(1 + 0.5 * d$mandate + 0.3 * d$x + 0.7 * rnorm(12)[as.integer(factor(d$firm))] +
  rnorm(nrow(d)) / sqrt(d$size), 6)
write.csv(d, "weights.csv", row.names = FALSE, quote = FALSE)
d <- read.csv("weights.csv", stringsAsFactors = TRUE)
m <- lm(y ~ mandate + x, d, weights = size)
se <- function(V) unname(sqrt(diag(as.matrix(V))))
mixed <- lmer(y ~ mandate + x + (1 | firm), d, weights = size)
out <- list(
  R = R.version.string,
  versions = lapply(list(sandwich = "sandwich", clubSandwich = "clubSandwich", lme4 = "lme4"),
                    function(p) as.character(packageVersion(p))),
  estimates = unname(coef(m)), loglik = as.numeric(logLik(m)), r_squared = summary(m)$r.squared,
  residual_sd = summary(m)$sigma, df = m$df.residual,
  se = list(model = se(vcov(m)), HC0 = se(vcovHC(m, "HC0")), HC1 = se(vcovHC(m, "HC1")), HC2 = se(vcovHC(m, "HC2")),
            HC3 = se(vcovHC(m, "HC3")), cluster = se(vcovCR(m, d$firm, "CR1S"))),
  mixed = list(estimates = unname(fixef(mixed)), se = se(vcov(mixed)), residual_sd = sigma(mixed),
               firm_sd = as.numeric(attr(VarCorr(mixed)$firm, "stddev"))))
write(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "weights.json")
