# lme4 on one table: Rscript one_fit.R <job.json>   prints what it measured as JSON.
# Timed: lmer alone, its model frame included; reading the table is not.
suppressMessages({library(lme4); library(jsonlite)})
job <- fromJSON(commandArgs(TRUE)[1])
peak <- function() {
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  if (length(line)) 1024 * as.numeric(gsub("[^0-9]", "", line)) else NA
}
quiet <- function(code) suppressMessages(suppressWarnings(code))
small <- data.frame(y = rnorm(50), x = rnorm(50), g = gl(10, 5))
invisible(quiet(lmer(y ~ x + (1 + x | g), small)))
read <- function(file) {
  whole <- grepl("i4$", file)
  readBin(file, if (whole) "integer" else "double", n = job$rows, size = if (whole) 4 else 8)
}
table <- as.data.frame(lapply(job$raw, read))
for (name in job$groups) table[[name]] <- factor(table[[name]])
invisible(gc())
before <- peak()
seconds <- processor <- Inf
for (i in seq_len(job$repeats)) {
  took <- system.time(fit <- quiet(lmer(as.formula(job$formula), table, REML = job$method == "REML")))
  seconds <- min(seconds, took[["elapsed"]])
  processor <- min(processor, took[["user.self"]] + took[["sys.self"]])
  if (i == 1) grown <- peak() - before
}
cat(toJSON(list(loglik = as.numeric(logLik(fit)), seconds = seconds, processor = processor, grown = grown,
                note = if (isSingular(fit)) "singular" else paste(length(fit@optinfo$conv$lme4$messages), "messages")),
           auto_unbox = TRUE, digits = 15))
