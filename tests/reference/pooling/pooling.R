# Witness for tests/inference/test_pooling.py: Rubin's rules by mitools and mice, replicate weights by
# survey. Finite degrees of freedom are mice's: mitools 2.4 leaves (1 + 1/m) out of Barnard and
# Rubin's (1999) observed-data term.
# Run in this folder: Rscript pooling.R
library(jsonlite)
suppressMessages({library(survey); library(mitools); library(mice)})

set.seed(20261127)
zones <- 12
schools <- data.frame(school = 1:24, zone = rep(1:zones, each = 2), level = rnorm(24))
pupils <- schools[rep(1:24, each = 8), ]
n <- nrow(pupils)
pupils$escs <- round(rnorm(n) + 0.3 * pupils$level, 3)
pupils$ai <- round(runif(n), 3)
ability <- 0.5 * pupils$level + 0.4 * pupils$escs - 0.2 * pupils$ai + rnorm(n)
for (m in 1:5) pupils[[paste0("pv", m)]] <- round(ability + rnorm(n, sd = 0.5), 4)
pupils$w <- round(runif(n, 1, 3), 3)

base <- svydesign(~school, strata = ~zone, weights = ~w, data = pupils, nest = TRUE)
fay <- as.svrepdesign(base, type = "Fay", fay.rho = 0.5, compress = FALSE)
brr <- as.svrepdesign(base, type = "BRR", compress = FALSE)
full <- function(design) {
  factors <- unclass(design$repweights)
  factors <- if (is.list(factors)) factors$weights[factors$index, ] else factors
  matrix(as.numeric(factors), nrow = n) * design$pweights
}
# paired jackknife: in every zone one school is dropped and its partner counts twice
second <- ave(pupils$school, pupils$zone, FUN = function(s) s - min(s))
jk2 <- sapply(1:zones, function(z) pupils$w * ifelse(pupils$zone != z, 1, ifelse(second == 1, 2, 0)))
both <- cbind(jk2, sapply(1:zones, function(z) {
  pupils$w * ifelse(pupils$zone != z, 1, ifelse(second == 1, 0, 2))
}))
jk1 <- sapply(1:24, function(s) pupils$w * ifelse(pupils$school == s, 0, 24 / 23))
named <- function(x, prefix) setNames(as.data.frame(x), paste0(prefix, seq_len(ncol(x))))
out <- cbind(pupils[c("school", "zone", "escs", "ai", paste0("pv", 1:5), "w")],
             named(full(fay), "fay"), named(full(brr), "brr"), named(jk2, "jk"),
             named(both, "both"), named(jk1, "one"))
write.csv(out, "pupils.csv", row.names = FALSE)

design <- function(prefix, type, ...) {
  svrepdesign(data = out, weights = ~w, repweights = out[grep(paste0("^", prefix, "[0-9]+$"), names(out))],
              type = type, combined.weights = TRUE, mse = TRUE, ...)
}
designs <- list(
  Fay = design("fay", "Fay", rho = 0.5), BRR = design("brr", "BRR"),
  JK2 = design("jk", "JK2"), JK1 = design("one", "JK1", scale = 23 / 24),
  JRR = design("both", "other", scale = 0.5, rscales = rep(1, 24))
)
formulas <- lapply(1:5, function(m) as.formula(paste0("pv", m, " ~ escs + ai")))
pooled <- function(models, df) {
  Q <- sapply(models, coef)
  U <- sapply(models, function(m) diag(vcov(m)))
  lapply(seq_len(nrow(Q)), function(i) pool.scalar(Q[i, ], U[i, ], n = df + 1, k = 1))
}
part <- function(pooled, name) sapply(pooled, function(p) p[[name]])
answer <- function(d) {
  models <- lapply(formulas, function(f) svyglm(f, d))
  found <- pooled(models, 12)
  list(value = part(found, "qbar"), se = sqrt(part(found, "t")), df = part(found, "df"),
       missing = part(found, "fmi"), replicates = ncol(d$repweights))
}
plain <- lapply(formulas, function(f) lm(f, out))
unweighted <- MIcombine(lapply(plain, coef), lapply(plain, vcov))

write_json(list(
  software = c(R.version.string, paste("survey", packageVersion("survey")),
               paste("mitools", packageVersion("mitools")), paste("mice", packageVersion("mice"))),
  designs = lapply(designs, answer),
  rubin = list(value = coef(unweighted), se = sqrt(diag(vcov(unweighted))), df = unweighted$df,
               missing = unweighted$missinfo, df_small = part(pooled(plain, n - 3), "df"))
), "pooling.json", digits = 15, auto_unbox = TRUE, pretty = TRUE)
