# Witness of the spline, the two lines, the quadratic's ends, Johnson and Neyman's pointwise region and
# the within-between model. Writes the made-up data it uses beside its answers.
#   Rscript tests/reference/inversion/inversion.R
suppressMessages({library(mgcv); library(sandwich); library(clubSandwich); library(lme4); library(lmerTest); library(jsonlite)})
folder <- if (file.exists("inversion.R")) "." else "tests/reference/inversion"
out <- list()

# -- dose and outcome, 20 firms of unequal size --------------------------------------------------
set.seed(20261127)
firm <- rep(1:20, times = sample(4:14, 20, replace = TRUE))
n <- length(firm)
x <- round(rgamma(n, 3, 0.25), 2)
z <- round(rnorm(n), 3)
y <- round(30 + 2.2 * x - 0.07 * x^2 + 0.8 * z + rnorm(20, 0, 1.5)[firm] + rnorm(n, 0, 3), 3)
dose <- data.frame(firm, x, z, y)
write.csv(dose, file.path(folder, "dose.csv"), row.names = FALSE)

at <- as.numeric(quantile(x, c(0.1, 0.25, 0.5, 0.75, 0.9)))
g <- gam(y ~ s(x, bs = "cr") + z, data = dose)
p <- predict(g, data.frame(x = at, z = mean(z)), se.fit = TRUE)
out$spline <- list(at = at, fitted = as.numeric(p$fit), se = as.numeric(p$se.fit), edf = sum(g$edf) , gcv = as.numeric(g$gcv.ubre))

# Simonsohn's procedure for a maximum, written from its description
two <- function(xc, cl) {
  d <- transform(dose, low = pmin(x - xc, 0), high = pmax(x - xc, 0))
  a <- lm(y ~ low + high + I(x > xc) + z, d); b <- lm(y ~ low + high + I(x >= xc) + z, d)
  one <- function(m, k) {
    if (cl) { t <- coef_test(m, vcov = "CR2", cluster = d$firm, test = "Satterthwaite"); i <- match(k, rownames(t)); c(t$beta[i], t$SE[i], t$df_Satt[i]) }
    else c(coef(m)[[k]], sqrt(vcovHC(m, "HC3")[k, k]), m$df.residual)
  }
  rbind(one(a, "low"), one(b, "high"))
}
ux <- sort(unique(x)); q <- quantile(ux, c(0.1, 0.9))
middle <- ux[ux > q[1] & ux < q[2]]
pm <- predict(g, data.frame(x = middle, z = mean(z)), se.fit = TRUE)
flat <- middle[pm$fit + pm$se.fit >= max(pm$fit)]
lines <- function(cl) {
  first <- two(median(flat), cl); t <- abs(first[, 1] / first[, 2])
  xc <- as.numeric(quantile(flat, t[2] / sum(t), type = 1))
  c(list(breakpoint = xc), list(slopes = two(xc, cl)))
}
out$flat <- range(flat)
out$hc3 <- lines(FALSE)
out$cr2 <- lines(TRUE)

u <- (x - mean(x)) / sd(x)
m <- lm(y ~ u + I(u^2) + z, dose)
v <- vcovCR(m, cluster = firm, type = "CR2")
ends <- (range(x) - mean(x)) / sd(x)
K <- rbind(c(0, 1, 2 * ends[1], 0), c(0, 1, 2 * ends[2], 0))
t <- linear_contrast(m, v, contrasts = K, test = "Satterthwaite")
c2 <- coef_test(m, v, test = "Satterthwaite")
out$quadratic <- list(slopes = t$Est / sd(x), se = t$SE / sd(x), df = t$df, curvature = c2$beta[3], curvature_se = c2$SE[3],
  vcov = unclass(as.matrix(v))[2:3, 2:3], coef = coef(m)[2:3], df_terms = c2$df_Satt[2:3], mean = mean(x), sd = sd(x))

# -- within and between --------------------------------------------------------------------------
set.seed(7)
N <- 12 * 8 * 5
d <- data.frame(firm = rep(1:12, each = 40), person = rep(1:96, each = 5), time = rep(0:4, 96))
d$mandate <- as.integer(d$firm <= 6 & d$time > 0)
usual <- rnorm(96, 0, 0.6)
d$tokens <- round(exp(8 + usual[d$person] + 0.4 * d$mandate + rnorm(N, 0, 0.5)), 1)
d$quality <- round(50 + (2 + rnorm(12, 0, 0.7)[d$firm] + rnorm(96, 0, 0.8)[d$person] - 1.8 * d$mandate) * (log(d$tokens) - 8 - usual[d$person]) +
  rnorm(96, 0, 3)[d$person] + rnorm(12)[d$firm] + rnorm(N, 0, 1.5), 3)
d$quota <- d$mandate * (1 + d$firm %% 3)
write.csv(d, file.path(folder, "work.csv"), row.names = FALSE)
d$use <- log(d$tokens)
cell <- interaction(d$person, d$mandate, drop = TRUE); fm <- interaction(d$firm, d$mandate, drop = TRUE)
cm <- ave(d$use, cell); ff <- ave(d$use, fm)
d$within <- d$use - cm; d$person_mean <- cm - ff; d$firm_mean <- ff - mean(ff)
d$occasion <- interaction(d$mandate, d$time, drop = TRUE)
fit <- lmer(quality ~ occasion + within + mandate:within + person_mean + mandate:person_mean + firm_mean + mandate:firm_mean +
  (1 | firm) + (0 + mandate | firm) + (0 + within | firm) + (1 | firm:person) + (0 + within | firm:person), d,
  control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10)))
L <- matrix(0, 3, length(fixef(fit)), dimnames = list(NULL, names(fixef(fit))))
L[1, "within"] <- 1; L[2, c("within", "within:mandate")] <- 1; L[3, "within:mandate"] <- 1
names_fixed <- names(fixef(fit))
kr <- lapply(1:3, function(i) contest1D(fit, L[i, ], ddf = "Kenward-Roger"))
out$within <- list(value = sapply(kr, function(k) k$Estimate), se = sapply(kr, function(k) k[["Std. Error"]]), df = sapply(kr, function(k) k$df),
  loglik = as.numeric(logLik(fit)), sd = as.data.frame(VarCorr(fit))$sdcor)

# -- pointwise Johnson-Neyman, least squares ------------------------------------------------------
j <- lm(quality ~ within * quota, d)
b <- coef(j)[c("within", "within:quota")]; V <- vcov(j)[c("within", "within:quota"), c("within", "within:quota")]
tc <- qt(0.975, j$df.residual)
roots <- polyroot(c(b[1]^2 - tc^2 * V[1, 1], 2 * (b[1] * b[2] - tc^2 * V[1, 2]), b[2]^2 - tc^2 * V[2, 2]))
out$johnson_neyman <- list(roots = sort(Re(roots)), imaginary = max(abs(Im(roots))), critical = tc, scheffe = sqrt(2 * qf(0.95, 2, j$df.residual)))

out$versions <- c(R = R.version.string, sapply(c("mgcv", "sandwich", "clubSandwich", "lme4", "lmerTest", "pbkrtest"), function(p) as.character(packageVersion(p))))
write(toJSON(out, digits = 15, auto_unbox = TRUE, pretty = TRUE), file.path(folder, "inversion.json"))
