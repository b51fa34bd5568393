# glmmTMB or nlme on one table: Rscript scale_peers.R <job.json> <glmmTMB | lme>
# Timed: the fitting function alone, its model frame included; reading the table is not.
suppressMessages({library(glmmTMB); library(nlme); library(jsonlite)})
job <- fromJSON(commandArgs(TRUE)[1])
quiet <- function(code) suppressMessages(suppressWarnings(code))
table <- read.csv(job$table, stringsAsFactors = TRUE)
table$g <- factor(table$g)
fit <- function(data) {
  if (commandArgs(TRUE)[2] == "glmmTMB") {
    glmmTMB(as.formula(job$formula), data, dispformula = as.formula(job$scale))
  } else {
    lme(y ~ arm * x, data, random = as.formula(job$lme[1]), weights = eval(parse(text = job$lme[2])), method = "ML")
  }
}
invisible(quiet(try(fit(droplevels(table[table$g %in% levels(table$g)[1:40], ])), silent = TRUE)))
processor <- Inf
for (i in seq_len(job$repeats)) {
  took <- system.time(found <- quiet(fit(table)))
  processor <- min(processor, took[["user.self"]] + took[["sys.self"]])
}
cat(toJSON(list(processor = processor, loglik = as.numeric(logLik(found))), auto_unbox = TRUE, digits = 15), "\n")
