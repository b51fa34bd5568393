# Witness for tests/measures: scales, spread and trajectories, on small simulated data.
# Run in this folder: Rscript measures.R
library(jsonlite)
library(metafor)

set.seed(20260817)
people <- expand.grid(wave = 1:2, person = 1:48)
people$firm <- paste0("f", (people$person - 1) %% 6 + 1)
people$arm <- ifelse(people$firm %in% c("f1", "f3", "f5"), "mandate", "control")
trait <- rnorm(48)[people$person]
likert <- function(x) pmin(5, pmax(1, round(3 + x)))
people$i1 <- likert(trait + rnorm(96, sd = 0.9))
people$i2 <- likert(-trait + rnorm(96, sd = 0.9))
people$i3 <- likert(trait + rnorm(96, sd = 0.9))
people$i4 <- likert(trait + rnorm(96, sd = 0.9))
people$i3[c(5, 17, 60)] <- NA
people$quality <- round(60 + 5 * trait + 3 * people$wave + rnorm(96, sd = 8), 1)
people$quality[c(9, 40)] <- NA
write.csv(people, "people.csv", row.names = FALSE)

# Cronbach's alpha of complete rows by its definition; interval of Feldt, Woodruff & Salih (1987)
keyed <- na.omit(transform(people[paste0("i", 1:4)], i2 = 6 - i2))
k <- ncol(keyed)
n <- nrow(keyed)
alpha <- k / (k - 1) * (1 - sum(apply(keyed, 2, var)) / var(rowSums(keyed)))
limits <- 1 - (1 - alpha) * qf(c(0.975, 0.025), n - 1, (n - 1) * (k - 1))

# bias-corrected log SD of every firm and wave
firms <- aggregate(quality ~ wave + firm, people, function(q) c(n = length(q), sd = sd(q)))
spread <- escalc(measure = "SDLN", sdi = firms$quality[, "sd"], ni = firms$quality[, "n"])

# mean and 95 % t interval by arm and wave, over people and over firm means
interval <- function(x) c(mean(x), t.test(x)$conf.int)
cells <- expand.grid(wave = 1:2, arm = c("control", "mandate"), stringsAsFactors = FALSE)
points <- t(mapply(function(w, a) {
  cell <- people[people$wave == w & people$arm == a & !is.na(people$quality), ]
  firm_means <- tapply(cell$quality, cell$firm, mean)
  c(interval(cell$quality), nrow(cell), interval(firm_means))
}, cells$wave, cells$arm))

write_json(
  list(
    versions = list(R = R.version.string, metafor = as.character(packageVersion("metafor"))),
    alpha = list(n = n, value = alpha, low = limits[1], high = limits[2]),
    log_sd = data.frame(firm = firms$firm, wave = firms$wave, n = firms$quality[, "n"],
                        value = as.numeric(spread$yi), variance = as.numeric(spread$vi)),
    trajectory = data.frame(cells, value = points[, 1], low = points[, 2], high = points[, 3], n = points[, 4],
                            firms_value = points[, 5], firms_low = points[, 6], firms_high = points[, 7])
  ),
  "measures.json", digits = 15, auto_unbox = TRUE, pretty = TRUE
)
