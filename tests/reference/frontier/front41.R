# The half-normal production frontier of front41Data by optim, with its Hessian by finite differences.
# Rscript front41.R folder-of-front41Data.csv > front41.csv
d <- read.csv(file.path(commandArgs(TRUE)[1], "front41Data.csv"))
y <- log(d$output); X <- cbind(1, log(d$capital), log(d$labour))
loss <- function(p) {
  e <- y - X %*% p[1:3]; s2 <- p[4]; g <- p[5]
  -sum(log(2) - 0.5 * log(s2) + dnorm(e / sqrt(s2), log = TRUE) +
       pnorm(-e * sqrt(g / (1 - g)) / sqrt(s2), log.p = TRUE))
}
fit <- optim(c(0.5, 0.3, 0.5, 0.2, 0.8), loss, method = "BFGS",
             control = list(reltol = 1e-15, maxit = 1000), hessian = TRUE)
fit <- optim(fit$par, loss, method = "Nelder-Mead", control = list(reltol = 1e-15, maxit = 5000))
se <- sqrt(diag(solve(optimHess(fit$par, loss, control = list(ndeps = rep(1e-4, 5))))))
s2 <- fit$par[4]; g <- fit$par[5]
e <- as.vector(y - X %*% fit$par[1:3]); mu <- -e * g; sd <- sqrt(g * (1 - g) * s2)
eff <- pnorm(mu / sd - sd) / pnorm(mu / sd) * exp(-mu + sd^2 / 2)
cat("name,value\n")
names <- c("constant", "log_capital", "log_labour", "sigma_squared", "gamma")
for (i in 1:5) cat(sprintf("%s,%.8f\nse_%s,%.8f\n", names[i], fit$par[i], names[i], se[i]))
cat(sprintf("log_likelihood,%.8f\nmean_efficiency,%.8f\nfirm_1,%.8f\nfirm_35,%.8f\n", -fit$value, mean(eff), eff[1], eff[35]))
