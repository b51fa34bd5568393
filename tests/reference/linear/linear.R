# Least squares with robust and clustered covariances: base R, sandwich and clubSandwich on our own data.
# From this folder: Rscript linear.R   (writes clusters.csv, linear.json)
# clusters.csv: 14 firms of 4 to 30 persons, firm effects, errors whose SD grows with x; some values missing.
suppressMessages({library(sandwich); library(clubSandwich); library(jsonlite)})
set.seed(20261123)
sizes <- c(4, 5, 6, 8, 8, 10, 12, 14, 15, 18, 20, 24, 27, 30)
d <- data.frame(firm = rep(sprintf("f%02d", seq_along(sizes)), sizes))
d$mandate <- as.numeric(d$firm %in% sprintf("f%02d", c(1, 3, 6, 9, 14)))
d$role <- sample(c("analyst", "engineer", "writer"), nrow(d), TRUE, c(0.5, 0.3, 0.2))
d$x <- round(rnorm(nrow(d), 2, 1) + 0.5 * rnorm(14)[as.integer(factor(d$firm))], 6)
d$y <- round(1 + 0.5 * d$mandate + 0.3 * d$x + (d$role == "writer") + 0.6 * rnorm(14)[as.integer(factor(d$firm))] +
  rnorm(nrow(d)) * exp(0.2 * d$x), 6)
d$y[c(7, 90)] <- NA; d$x[c(7, 33)] <- NA
write.csv(d, "clusters.csv", row.names = FALSE, quote = FALSE, na = "")
d <- read.csv("clusters.csv", stringsAsFactors = TRUE)
complete <- d[complete.cases(d), ]
m <- lm(y ~ mandate + x * role, complete)
se <- function(V) unname(sqrt(diag(as.matrix(V))))
cr2 <- coef_test(m, vcov = "CR2", cluster = complete$firm, test = "Satterthwaite")
out <- list(
  R = R.version.string,
  versions = lapply(list(sandwich = "sandwich", clubSandwich = "clubSandwich"), function(p) as.character(packageVersion(p))),
  formula = "y ~ mandate + x * role", names = names(coef(m)), estimates = unname(coef(m)),
  loglik = as.numeric(logLik(m)), r_squared = summary(m)$r.squared, residual_sd = summary(m)$sigma, n = nrow(complete),
  se = list(model = se(vcov(m)), HC0 = se(vcovHC(m, "HC0")), HC1 = se(vcovHC(m, "HC1")), HC2 = se(vcovHC(m, "HC2")),
            HC3 = se(vcovHC(m, "HC3")), CR1S = se(vcovCR(m, complete$firm, "CR1S")), CR2 = se(vcovCR(m, complete$firm, "CR2"))),
  cr2_df = cr2$df, cr2_p = cr2$p_Satt,
  vcov_cr2 = unname(as.matrix(vcovCR(m, complete$firm, "CR2"))),
  adjust = list(p = c(0.011, 0.002, 0.04, 0.3, 0.04), holm = p.adjust(c(0.011, 0.002, 0.04, 0.3, 0.04), "holm"),
                BH = p.adjust(c(0.011, 0.002, 0.04, 0.3, 0.04), "BH")),
  joint = local({h <- c("x:roleengineer", "x:rolewriter"); b <- coef(m)[h]; V <- vcov(m)[h, h]
    f <- drop(b %*% solve(V, b)) / 2; list(statistic = f, df2 = m$df.residual, p = pf(f, 2, m$df.residual, lower.tail = FALSE))}),
  panel = local({
    set.seed(7); p <- expand.grid(week = 1:6, firm = sprintf("f%02d", 1:9))[, c("firm", "week")]
    p$ai <- as.numeric(runif(54) < 0.4); p$hours <- round(rnorm(54, 40, 4), 3)
    p$y <- round(rnorm(9)[as.integer(p$firm)] + 0.3 * p$week + 0.5 * p$ai + 0.02 * p$hours + rnorm(54), 6)
    p <- p[-c(3, 17, 40), ]; write.csv(p, "panel.csv", row.names = FALSE, quote = FALSE)
    p <- read.csv("panel.csv", stringsAsFactors = TRUE)
    l <- lm(y ~ ai + hours + firm + factor(week), p); k <- c("ai", "hours")
    meat <- se(vcovCR(l, p$firm, "CR0")[k, k])
    # clusters 9, rows 51, absorbed firms are nested in the clusters: n - k counts 2 columns and 6 weeks (one of them the level)
    list(estimates = unname(coef(l)[k]), cr0_se = meat, residual_sd = summary(l)$sigma)}))
x <- c(4.1, 5.0, 6.2, 5.5, 4.8, 5.9, 6.1); y <- c(4.9, 5.2, 6.0, 5.1, 5.6, 5.8, 4.7)
tost <- function(paired) max(t.test(x, y, mu = -0.8, alternative = "greater", paired = paired)$p.value,
                             t.test(x, y, mu = 0.8, alternative = "less", paired = paired)$p.value)
w <- t.test(x, y)
out$means <- list(x = x, y = y, margin = 0.8, welch_p = tost(FALSE), paired_p = tost(TRUE), difference = unname(diff(rev(w$estimate))),
                  se = w$stderr, df = unname(w$parameter))
spread <- split(complete$y, complete$role)
z <- unlist(lapply(spread, function(v) abs(v - median(v)))); g <- factor(rep(names(spread), lengths(spread)))
bf <- anova(lm(z ~ g))
out$brown_forsythe <- list(statistic = bf[1, "F value"], df1 = bf[1, "Df"], df2 = bf[2, "Df"], p = bf[1, "Pr(>F)"])
write(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "linear.json")
