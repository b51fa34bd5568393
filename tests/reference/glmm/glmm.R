# lme4's answers on our own simulated data: crossed persons and tasks, persons in teams, one scalar grouping.
# From this folder: Rscript glmm.R   (writes answers.csv, batches.csv, glmm.json)
# answers.csv: 60 persons in 12 teams answer up to 16 tasks right or wrong, about a fifth lost. True log odds: 0.4
#   + 0.6 mandate - 0.5 novelty - 0.7 mandate:novelty, SDs of person intercept and novelty slope 0.9 and 0.6, task 0.7,
#   team 0.5.
# batches.csv: 40 herds of 4 batches with 5 to 20 trials each; SD of herds 0.8 (the design of lme4's cbpp, own data).
suppressMessages({library(lme4); library(jsonlite)})
set.seed(20261127)

answers <- expand.grid(task = sprintf("t%02d", 1:16), person = sprintf("p%02d", 1:60))[, 2:1]
i <- as.integer(answers$person); k <- as.integer(answers$task)
answers$team <- sprintf("m%02d", (i - 1) %% 12 + 1)
answers$arm <- ifelse((i - 1) %/% 12 %% 2 == 1, "mandate", "control")
answers$novelty <- as.integer(k %% 2 == 0)
answers$effort <- round(rnorm(nrow(answers), 50, 12), 1)
a <- 0.9 * rnorm(60); b <- 0.6 * rnorm(60); task <- 0.7 * rnorm(16); team <- 0.5 * rnorm(12)
mandate <- answers$arm == "mandate"
eta <- 0.4 + 0.6 * mandate - 0.5 * answers$novelty - 0.7 * mandate * answers$novelty + a[i] + b[i] * answers$novelty +
  task[k] + team[(i - 1) %% 12 + 1]
answers$right <- as.integer(runif(nrow(answers)) < plogis(eta))
answers <- answers[sort(sample(nrow(answers), round(0.8 * nrow(answers)))), ]
write.csv(answers, "answers.csv", row.names = FALSE, quote = FALSE)
answers <- read.csv("answers.csv", stringsAsFactors = TRUE)

batches <- expand.grid(period = 1:4, herd = sprintf("h%02d", 1:40))[, 2:1]
batches$size <- sample(5:20, nrow(batches), replace = TRUE)
herd <- 0.8 * rnorm(40)
batches$sick <- rbinom(nrow(batches), batches$size, plogis(-1 - 0.4 * (batches$period - 1) + herd[as.integer(batches$herd)]))
write.csv(batches, "batches.csv", row.names = FALSE, quote = FALSE)
batches <- read.csv("batches.csv", stringsAsFactors = TRUE)

control <- glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, rhobeg = 1e-2, maxfun = 2e5), tolPwrss = 1e-12,
                        check.conv.grad = "ignore", check.conv.singular = "ignore")
answer <- function(formula, data, nodes = 1, weights = NULL, effects = FALSE) {
  data$w <- if (is.null(weights)) 1 else data[[weights]]
  m <- suppressWarnings(glmer(formula, data, family = binomial, nAGQ = nodes, weights = w, control = control))
  s <- coef(summary(m)); vc <- as.data.frame(VarCorr(m))
  out <- list(formula = paste(deparse(formula), collapse = ""), nodes = nodes, weights = if (is.null(weights)) "" else weights,
              loglik = as.numeric(logLik(m)), names = rownames(s), estimates = unname(s[, "Estimate"]),
              se = unname(sqrt(diag(as.matrix(vcov(m, use.hessian = TRUE))))),
              random = data.frame(group = vc$grp, term = ifelse(is.na(vc$var1), "", vc$var1),
                                  other = ifelse(is.na(vc$var2), "", vc$var2), value = vc$sdcor))
  if (effects) out$effects <- lapply(ranef(m, condVar = TRUE), function(r)
    list(levels = rownames(r), columns = names(r), modes = as.matrix(r),
         covariance = { v <- attr(r, "postVar"); if (is.array(v)) aperm(v, c(3, 1, 2)) else NULL }))
  if (effects) out$fitted <- unname(head(fitted(m), 20))
  out
}
fits <- list(
  answer(right ~ arm * novelty + (1 | person), answers, effects = TRUE),
  answer(right ~ arm * novelty + (1 | person), answers, nodes = 25),
  answer(right ~ arm * novelty + effort + (0 + novelty | person), answers, nodes = 25),
  answer(right ~ arm * novelty + (1 | person) + (1 | task), answers, effects = TRUE),
  answer(right ~ arm * novelty + (1 + novelty | person) + (1 | task), answers, effects = TRUE),
  answer(right ~ arm * novelty + (1 + novelty || person) + (1 | task), answers),
  answer(right ~ arm * novelty + effort + (1 + novelty | person), answers),
  answer(right ~ arm * novelty + (1 | team/person) + (1 | task), answers),
  answer(right ~ arm * novelty + (1 | team/person), answers),
  answer(share ~ period + (1 | herd), transform(batches, share = sick / size), weights = "size", effects = TRUE),
  answer(share ~ period + (1 | herd), transform(batches, share = sick / size), nodes = 25, weights = "size"))
plain <- glm(right ~ arm * novelty + effort, binomial, answers)
s <- coef(summary(plain))
versions <- sapply(c("lme4", "Matrix"), function(p) as.character(packageVersion(p)))
write(toJSON(list(R = R.version.string, versions = as.list(versions), fits = fits,
                  plain = list(formula = "right ~ arm * novelty + effort", loglik = as.numeric(logLik(plain)),
                               names = rownames(s), estimates = unname(s[, 1]), se = unname(s[, 2]))),
             digits = 15, auto_unbox = TRUE, pretty = TRUE), "glmm.json")
