# Witness for response surfaces: least squares with HC3 and CR2, the multilevel surface with CR2, what follows
# from the coefficients by the delta method, the constrained family by AICc, influential rows, and errors in
# variables. people.csv is simulated by people.py. motcon.tab and motcon2.tab are read where
# ALC_STATS_DATA names the folder that holds them; numbers only are kept.
#   Rscript response_surface.R > response_surface.json
suppressMessages({library(sandwich); library(clubSandwich); library(lme4); library(jsonlite)})

p <- read.csv("people.csv")
centre <- mean(c(p$aware, p$able))
d <- data.frame(firm = p$firm, q = p$quality, x = p$aware - centre, y = p$able - centre)
d$x2 <- d$x^2; d$xy <- d$x * d$y; d$y2 <- d$y^2

sums <- rbind(a1 = c(0,1,1,0,0,0), a2 = c(0,0,0,1,1,1), a3 = c(0,1,-1,0,0,0), a4 = c(0,0,0,1,-1,1), a5 = c(0,0,0,1,0,-1))
shape <- list(
  x0  = function(b) solve(matrix(c(2*b[4], b[5], b[5], 2*b[6]), 2), -b[2:3])[1],
  y0  = function(b) solve(matrix(c(2*b[4], b[5], b[5], 2*b[6]), 2), -b[2:3])[2],
  p11 = function(b) (b[6] - b[4] + sqrt((b[4] - b[6])^2 + b[5]^2)) / b[5],
  p21 = function(b) (b[6] - b[4] - sqrt((b[4] - b[6])^2 + b[5]^2)) / b[5])
shape$p10 <- function(b) shape$y0(b) - shape$p11(b) * shape$x0(b)
shape$p20 <- function(b) shape$y0(b) - shape$p21(b) * shape$x0(b)

ends <- function(v, s, df) list(value = v, se = s, df = df, low = v - qt(.975, df) * s, high = v + qt(.975, df) * s)
gradient <- function(f, b, V) {  # fourth-order differences
  s <- sqrt(diag(V)) * 1e-3
  sapply(seq_along(b), function(i) { e <- replace(0 * b, i, s[i])
    (8 * (f(b + e) - f(b - e)) - (f(b + 2 * e) - f(b - 2 * e))) / (12 * s[i]) })
}
derived <- function(b, V, df) {
  lin <- lapply(setNames(rownames(sums), rownames(sums)), function(k)
    ends(sum(sums[k, ] * b), sqrt(c(sums[k, ] %*% V %*% sums[k, ])), df))
  non <- lapply(shape, function(f) { g <- gradient(f, b, V); ends(f(b), sqrt(c(g %*% V %*% g)), df) })
  c(lin, non)
}

surface <- function(d) {
  m <- lm(q ~ x + y + x2 + xy + y2, d)
  V <- vcovHC(m, "HC3"); b <- coef(m)
  list(n = nrow(d), b = unname(b), se = unname(sqrt(diag(V))), r2 = summary(m)$r.squared,
       derived = derived(unname(b), unname(V), m$df.residual))
}
condition <- function(d) {
  m <- lm(q ~ x + y, d); V <- unname(vcovHC(m, "HC3")); b <- unname(coef(m))
  f <- function(b) abs(b[2] - b[3]) - abs(b[2] + b[3])
  g <- gradient(f, b, V)
  c(ends(f(b), sqrt(c(g %*% V %*% g)), m$df.residual), list(b = b, slopes_se = sqrt(diag(V))))
}

aicc <- function(m, extra = 0) { k <- length(coef(m)) + 1 + extra; n <- length(resid(m))
  -2 * as.numeric(logLik(m)) + 2 * k + 2 * k * (k + 1) / (n - k - 1) }
turned <- function(fit) {  # best over the direction of the axis: coarse grid, then refined
  deviance_at <- function(t) sum(resid(fit(t))^2)
  grid <- seq(0, pi, length.out = 721); best <- grid[which.min(sapply(grid, deviance_at))]
  fit(optimize(deviance_at, best + c(-1, 1) * pi / 360, tol = 1e-12)$minimum)
}
family <- function(d) {
  w <- function(t) cos(t) * d$x + sin(t) * d$y
  c(null = aicc(lm(q ~ 1, d)), "awareness only" = aicc(lm(q ~ x, d)), "capability only" = aicc(lm(q ~ y, d)),
    additive = aicc(lm(q ~ x + y, d)), IA = aicc(lm(q ~ x * y, d)),
    difference = aicc(lm(q ~ I(x - y), d)),
    SQD = aicc(lm(q ~ I((x - y)^2), d)), SSQD = aicc(lm(q ~ I(x - y) + I((x - y)^2), d)),
    SRSQD = aicc(turned(function(t) lm(d$q ~ w(t) + I(w(t)^2))), 1),
    RR = aicc(lm(q ~ I(x + y) + I((x - y)^2), d)), SRR = aicc(lm(q ~ x + y + I((x - y)^2), d)),
    SRRR = aicc(turned(function(t) lm(d$q ~ d$x + d$y + I(w(t)^2))), 1),
    full = aicc(lm(q ~ x + y + x2 + xy + y2, d)),
    cubic = aicc(lm(q ~ x + y + x2 + xy + y2 + I(x^3) + I(x^2 * y) + I(x * y^2) + I(y^3), d)))
}

clustered <- function(d) {
  t <- coef_test(lm(q ~ x + y + x2 + xy + y2, d), vcov = "CR2", cluster = d$firm, test = "Satterthwaite")
  list(b = t$beta, se = t$SE, df = t$df_Satt)
}
multilevel <- function(d, terms) {
  for (v in c("x", "y", "x2", "xy", "y2")) {
    d[[paste0(v, "_b")]] <- ave(d[[v]], d$firm); d[[paste0(v, "_w")]] <- d[[v]] - d[[paste0(v, "_b")]] }
  f <- as.formula(paste("q ~", paste0(terms, "_w", collapse = " + "), "+ x_b + y_b + (1 + x_w + y_w | firm)"))
  # bobyqa from lme4's start stops at a boundary 9 log units below the maximum of the linear model
  m <- lmer(f, d, control = lmerControl(optimizer = "nloptwrap", check.conv.singular = "ignore",
    optCtrl = list(algorithm = "NLOPT_LN_NELDERMEAD", xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e5)))
  t <- coef_test(m, vcov = "CR2", test = "Satterthwaite")
  list(b = unname(fixef(m)), se = t$SE, df = t$df_Satt, loglik = as.numeric(logLik(m)), singular = isSingular(m))
}
influential <- function(d) {  # beyond all three limits
  m <- lm(q ~ x + y + x2 + xy + y2, d); n <- nrow(d); k <- 6
  which(hatvalues(m) > 3 * k / n & abs(dffits(m)) > 2 * sqrt(k / n) & cooks.distance(m) > 4 / n)
}
errors_in_variables <- function(d, reliability) {
  n <- nrow(d); S <- var(cbind(d$x, d$y)); s <- c(cov(d$x, d$q), cov(d$y, d$q))
  solve(S - diag((1 - reliability) * diag(S)), s)
}

out <- list(R = R.version.string, sandwich = as.character(packageVersion("sandwich")),
  clubSandwich = as.character(packageVersion("clubSandwich")), lme4 = as.character(packageVersion("lme4")),
  people = list(centre = centre, surface = surface(d), condition = condition(d), family = as.list(family(d)),
    clustered = clustered(d), multilevel_linear = multilevel(d, c("x", "y")),
    multilevel_surface = multilevel(d, c("x", "y", "x2", "xy", "y2")),
    influential = unname(influential(d)), errors_in_variables = errors_in_variables(d, c(.85, .9))))
folder <- Sys.getenv("ALC_STATS_DATA")
if (nzchar(folder)) {
  one <- read.table(file.path(folder, "rsa-congruence/motcon.tab"))
  two <- read.table(file.path(folder, "rsa-congruence/motcon2.tab"), header = TRUE)
  as_surface <- function(q, x, y) data.frame(q, x, y, x2 = x^2, xy = x * y, y2 = y^2)
  m1 <- as_surface(one$postVA, one$ePow, one$iPow); m2 <- as_surface(two$VA, two$EM, two$IM)
  out$motcon <- list(surface = surface(m1), condition = condition(m1), family = as.list(family(m1)))
  out$motcon2 <- list(surface = surface(m2), condition = condition(m2), family = as.list(family(m2)))
}
cat(toJSON(out, auto_unbox = TRUE, digits = 15, pretty = TRUE), "\n")
