# R's answer to the models of analysis/chatgpt_advice and to METR's with a developer intercept.
# Rscript witness.R <data folder>  > witness.json
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(jsonlite)})
data <- commandArgs(TRUE)[1]
d <- read.csv(file.path(data, "chatgpt-advice/responses_features.csv"))
d$expert <- as.numeric(d$advisor == "expert"); d$justified <- as.numeric(d$give_justification == "yes")
d$participant <- factor(d$participant_id); d$question <- factor(d$question_id)
d$miss <- ifelse(d$advice_answer %in% c("A", "B", "C", "D"), d$advice_confidence - d$advice_is_correct, NA); d$brier <- d$miss^2
tab <- function(m) {
  s <- coef(summary(m)); v <- as.data.frame(VarCorr(m)); named <- function(k) setNames(as.list(s[, k]), rownames(s))
  list(estimate = named(1), se = named(2), df = named(3), p = named(5),
       variance = setNames(as.list(v$vcov), v$grp))
}
one <- function(f) tab(lmer(as.formula(paste(f, "+ (1 | participant) + (1 | question)")), d))
i <- read.csv(file.path(data, "metr-2025/data_complete.csv"))
review <- ave(i$post_review_implementation_time, i$ai_treatment, FUN = function(x) ifelse(is.na(x), mean(x, na.rm = TRUE), x))
i$y <- log(i$initial_implementation_time + review); i$f <- log(i$predicted_time_no_ai)
i$applied <- ifelse(i$ai_treatment == 1, log(i$predicted_time_ai_allowed), i$f); i$miss <- i$applied - i$y
ols <- lm(y ~ ai_treatment + f, i); s <- coef(summary(ols))
out <- list(
  versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4")), lmerTest = as.character(packageVersion("lmerTest"))),
  model_a = one("weight_on_advice ~ expert * justified"),
  model_c = one("weight_on_advice ~ expert * justified + topic_familiarity + usage_level * expert"),
  bias = one("miss ~ 1"), resolution = tab(lmer(advice_confidence ~ advice_is_correct + (1 + advice_is_correct | participant) + (1 | question), d[!is.na(d$miss), ])),
  brier_by_usage = one("brier ~ usage_level"), bias_by_usage = one("miss ~ usage_level"),
  metr_ols = list(estimate = s["ai_treatment", 1], p_normal = 2 * pnorm(-abs(s["ai_treatment", 3])), p_t = s["ai_treatment", 4]),
  metr_developer = tab(lmer(y ~ ai_treatment + f + (1 | dev_id), i)),
  metr_miss = tab(lmer(miss ~ ai_treatment + (1 | dev_id), i)),
  metr_miss_slope = tab(lmer(miss ~ ai_treatment + (1 + ai_treatment | dev_id), i))
)
cat(toJSON(out, auto_unbox = TRUE, digits = I(15), pretty = TRUE))
