# Witness for tests/inference/test_cluster_bootstrap.py: intervals of package boot from given draws.
# Run in this folder: Rscript cluster_bootstrap.R
library(jsonlite)
library(boot)

set.seed(20261127)
firms <- data.frame(x = round(rexp(18), 3), size = rpois(18, 6) + 1)
ratio <- function(d, i) sum(d$x[i] * d$size[i]) / sum(d$size[i])
b <- boot(firms, ratio, R = 999)
ci <- boot.ci(b, conf = 0.95, type = c("perc", "basic", "bca"),
              L = empinf(b, type = "jack"))

write_json(list(
  software = c(R.version.string, paste("boot", packageVersion("boot"))),
  x = firms$x, size = firms$size, observed = b$t0, draws = as.vector(b$t),
  influence = empinf(b, type = "jack") / nrow(firms),
  se = sd(b$t),
  percent = ci$percent[4:5], basic = ci$basic[4:5], bca = ci$bca[4:5], bca_ranks = ci$bca[2:3]
), "cluster_bootstrap.json", digits = 15, auto_unbox = TRUE, pretty = TRUE)
