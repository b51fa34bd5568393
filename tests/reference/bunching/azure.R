# What is known of the Azure traces, and the usual polynomial at their caps by lm().
# Rscript azure.R folder-of-the-two-traces > azure.csv
folder <- commandArgs(TRUE)[1]
trace <- lapply(c(code = "code", conv = "conv"), function(n)
  read.csv(file.path(folder, sprintf("AzureLLMInferenceTrace_%s.csv", n))))
cat("name,value\n")
say <- function(name, value) cat(sprintf("%s,%.8f\n", name, value))
for (n in names(trace)) {
  say(paste0("rows_", n), nrow(trace[[n]]))
  say(paste0("median_context_", n), median(trace[[n]]$ContextTokens))
  say(paste0("median_generated_", n), median(trace[[n]]$GeneratedTokens))
  say(paste0("most_context_", n), max(trace[[n]]$ContextTokens))
  say(paste0("most_generated_", n), max(trace[[n]]$GeneratedTokens))
}
# Bins of 2 % of the cutoff within 60 %; the zone is from 20 % short to 4 % beyond.
bunching <- function(x, cutoff, order = 4) {
  k <- floor((x / cutoff - 1) / 0.02 + 1e-9) + 31
  count <- tabulate(k[k >= 1 & k <= 60], 60)
  middle <- (-30:29) * 0.02 + 0.01
  outside <- !(1:60 %in% 21:32); joined <- 1:60 %in% 31:32
  d <- data.frame(count = count, poly(middle, order))
  fit <- lm(count ~ ., data = d[outside, ])
  expected <- predict(fit, d)
  power <- 10^floor(log10(cutoff))
  steps <- power * c(1, 0.5, 0.1)
  edges <- cutoff * (1 + (-30:30) * 0.02)
  X <- cbind(1, as.matrix(d[, -1])); smooth <- ncol(X)
  for (s in steps) {
    column <- diff(ceiling(edges / s - 1e-9)) > 0
    wider <- cbind(X, column * 1)
    if (qr(wider[outside, ])$rank == ncol(wider)) X <- wider
  }
  # Least squares under the constraint that the curve holds as many as were counted.
  total <- colSums(X)
  K <- rbind(cbind(crossprod(X[outside, ]), total), c(total, 0))
  beta <- solve(K, c(crossprod(X[outside, ], count[outside]), sum(count)))[seq_len(ncol(X))]
  height <- mean(X[joined, 1:smooth] %*% beta[1:smooth])
  c(joined = sum(count[joined]),
    naive = sum(count[joined] - expected[joined]) / mean(expected[joined]),
    constrained = (sum(count[joined]) - sum(X[joined, ] %*% beta)) / height)
}
asked <- list(context_code = list(trace$code$ContextTokens, 7435),
              generated_conv = list(trace$conv$GeneratedTokens, 1000),
              context_conv = list(trace$conv$ContextTokens, 4096),
              context_code_at_4096 = list(trace$code$ContextTokens, 4096))
for (n in names(asked)) {
  found <- bunching(asked[[n]][[1]], asked[[n]][[2]])
  for (part in names(found)) say(paste0(n, "_", part), found[[part]])
}
