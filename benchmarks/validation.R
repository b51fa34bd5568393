# lme4 with its defaults on exactly solved sets: Rscript validation.R <jobs.json>
# Prints variances, covariances and squared standard errors, 17 digits.
suppressMessages({library(lme4); library(jsonlite)})
jobs <- fromJSON(commandArgs(TRUE)[1], simplifyDataFrame = FALSE)
answer <- function(job) {
  table <- read.csv(job$file, colClasses = job$classes, stringsAsFactors = TRUE)
  warned <- character()
  fit <- tryCatch(withCallingHandlers(
    lmer(as.formula(job$formula), table, REML = TRUE),
    warning = function(w) { warned <<- c(warned, conditionMessage(w)); invokeRestart("muffleWarning") },
    message = function(m) { warned <<- c(warned, conditionMessage(m)); invokeRestart("muffleMessage") }),
    error = function(e) conditionMessage(e))
  if (is.character(fit)) return(list(failed = fit))
  parts <- as.data.frame(VarCorr(fit))
  list(group = parts$grp, var1 = parts$var1, var2 = parts$var2, vcov = parts$vcov,
       beta = unname(fixef(fit)), se2 = unname(diag(as.matrix(vcov(fit)))), warned = length(warned))
}
cat(toJSON(lapply(jobs, answer), auto_unbox = TRUE, digits = I(17), na = "string"))
