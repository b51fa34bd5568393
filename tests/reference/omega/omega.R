# Witness for tests/measures/test_omega.py: one-factor models by lavaan on simulated answers.
# Run in this folder: Rscript omega.R
library(jsonlite)
suppressMessages(library(lavaan))

set.seed(20261127)
n <- 260
firm <- rep(1:26, each = 10)
group <- ifelse(firm <= 13, "mandate", "control")
A <- rnorm(26)[firm] * 0.5 + rnorm(n)
C <- 0.5 * A + sqrt(0.75) * rnorm(n)
answer <- function(trait, loading) {
  round(pmin(5, pmax(1, 3 + loading * trait + rnorm(n, sd = 0.9))))
}
people <- data.frame(firm = paste0("f", firm), group,
                     a1 = answer(A, 0.9), a2 = answer(A, 0.6), a3 = answer(-A, 0.8),
                     a4 = answer(A, 0.4), c1 = answer(C, 0.8), c2 = answer(C, 0.5),
                     c3 = answer(C, 0.7))
write.csv(people, "people.csv", row.names = FALSE)
people$a3 <- 6 - people$a3

one <- function(items, data) {
  loadings <- paste0("l", seq_along(items))
  residuals <- paste0("t", seq_along(items))
  total <- paste(loadings, collapse = " + ")
  text <- c(
    paste("f =~", paste0(loadings, "*", items, collapse = " + ")),
    paste0(items, " ~~ ", residuals, "*", items),
    paste0("omega := (", total, ")^2 / ((", total, ")^2 + ", paste(residuals, collapse = " + "), ")")
  )
  # estimator MLM: maximum likelihood, standard errors from fourth moments (robust.sem)
  m <- cfa(paste(text, collapse = "\n"), data, std.lv = TRUE, estimator = "MLM")
  e <- parameterEstimates(m)
  row <- e[e$lhs == "omega", ]
  normal <- cfa(paste(text, collapse = "\n"), data, std.lv = TRUE)
  list(loadings = e$est[e$op == "=~"], uniquenesses = e$est[e$op == "~~" & e$lhs != "f"],
       omega = row$est, se = row$se, chisq = unname(fitMeasures(normal, "chisq")),
       df = unname(fitMeasures(normal, "df")), srmr = unname(fitMeasures(normal, "srmr")))
}

items <- c("a1", "a2", "a3", "a4")
write_json(list(
  software = c(R.version.string, paste("lavaan", packageVersion("lavaan"))),
  awareness = one(items, people), capability = one(c("c1", "c2", "c3"), people),
  mandate = one(items, people[people$group == "mandate", ]),
  control = one(items, people[people$group == "control", ])
), "omega.json", digits = 15, auto_unbox = TRUE, pretty = TRUE)
