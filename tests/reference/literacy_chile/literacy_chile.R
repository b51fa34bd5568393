# Reference values for analysis/literacy_chile: none were published for this sample.
# Run in this folder: ALC_STATS_DATA=<folder> Rscript literacy_chile.R
# The data stay where they are; only derived numbers are written.
library(jsonlite)
suppressMessages({library(lavaan); library(psych)})

file <- file.path(Sys.getenv("ALC_STATS_DATA"), "chatgpt-literacy-chile", "data_universities.csv")
d <- read.csv(file, fileEncoding = "UTF-8-BOM")
d <- d[d$consentimiento == "SI", ]
university <- sub("^Universidad ", "", d$universidad)
rank <- 5 - match(substr(d$frecuencia_uso_ChatGPT, 1, 1), c("A", "B", "C", "D", "E"))
sizes <- c(CT = 6, EC = 6, CC = 5, AC = 4, HE = 4)
items <- lapply(names(sizes), function(s) paste0(s, seq_len(sizes[[s]])))
names(items) <- tolower(names(sizes))

omega <- function(x) {
  names(x) <- paste0("x", seq_along(x))
  loading <- paste0("l", seq_along(x)); own <- paste0("t", seq_along(x))
  total <- paste(loading, collapse = " + ")
  text <- paste(c(
    paste("f =~", paste0(loading, "*", names(x), collapse = " + ")),
    paste0(names(x), " ~~ ", own, "*", names(x)),
    paste0("omega := (", total, ")^2 / ((", total, ")^2 + ", paste(own, collapse = " + "), ")")
  ), collapse = "\n")
  e <- parameterEstimates(cfa(text, x, std.lv = TRUE))
  e$est[e$lhs == "omega"]
}
reliabilities <- function(rows) lapply(items, function(names) {
  x <- d[rows, names]
  list(alpha = unname(psych::alpha(x, warnings = FALSE)$total$raw_alpha), omega = omega(x), n = nrow(x))
})
groups <- c(list(all = rep(TRUE, nrow(d))), lapply(c(a = "A", b = "B", c = "C"), function(u) university == u))

# corrected correlations of students within universities
within <- d
for (name in unlist(items)) within[[name]] <- d[[name]] - ave(d[[name]], university)
scores <- sapply(items, function(names) rowMeans(within[names]))
omegas <- sapply(items, function(names) omega(within[names]))
corrected <- cor(scores) / sqrt(outer(omegas, omegas))
pairs <- combn(names(items), 2)
correlations <- setNames(lapply(seq_len(ncol(pairs)), function(k) corrected[pairs[1, k], pairs[2, k]]),
                         apply(pairs, 2, paste, collapse = "_"))

literacy <- rowMeans(d[unlist(items)])
hc3 <- function(m) {
  X <- model.matrix(m); bread <- solve(crossprod(X))
  u <- residuals(m) / (1 - hatvalues(m))
  sqrt(diag(bread %*% crossprod(X * u) %*% bread))
}
shown <- function(m) list(value = as.list(coef(m)), se = as.list(hc3(m)))
steps <- sapply(1:4, function(k) as.numeric(rank >= k)); colnames(steps) <- paste0("step_", 1:4)
trend <- lm(literacy ~ rank + university)
dose <- lm(literacy ~ steps + university)
inside <- lm(literacy ~ university + rank:university)

write_json(list(
  software = c(R.version.string, paste("lavaan", packageVersion("lavaan")), paste("psych", packageVersion("psych"))),
  n = nrow(d), first_eigenvalue = eigen(cor(d[unlist(items)]))$values[1],
  reliabilities = lapply(groups, reliabilities), corrected = correlations,
  trend = shown(trend), steps = shown(dose), by_university = shown(inside)
), "literacy_chile.json", digits = 12, auto_unbox = TRUE, pretty = TRUE)
