# Awareness and capability in one model: nlme's fit with a residual SD for each outcome, and
# clubSandwich's CR2 with Satterthwaite degrees of freedom. Run in this folder: Rscript gap.R
library(nlme)
library(clubSandwich)
library(jsonlite)

rows <- read.csv("rows.csv")
first <- rows$mandate == 0 & rows$post == 0
stack <- function(name, column) data.frame(
  firm = factor(rows$firm), person = factor(rows$person), outcome = name,
  mandate = rows$mandate, post = rows$post,
  y = (rows[[column]] - mean(rows[[column]][first], na.rm = TRUE)) / sd(rows[[column]][first], na.rm = TRUE)
)
long <- rbind(stack("awareness", "aware"), stack("capability", "skill"))
long <- long[!is.na(long$y), ]
long$A <- as.numeric(long$outcome == "awareness")
long$C <- 1 - long$A
# effect_sum is half the sum of both effects, effect_apart their difference
long$effect_apart <- long$mandate * long$post * (long$A - long$C) / 2
long$effect_sum <- long$mandate * long$post
long <- long[order(long$firm, long$person), ]

m <- lme(
  y ~ 0 + A + C + A:mandate + C:mandate + A:post + C:post + effect_sum + effect_apart, long,
  random = list(firm = pdBlocked(list(pdSymm(~ 0 + A + C), pdSymm(~ 0 + A:post + C:post))),
                person = pdSymm(~ 0 + A + C)),
  weights = varIdent(form = ~ 1 | outcome), method = "REML",
  control = lmeControl(opt = "optim", maxIter = 500, msMaxIter = 500, tolerance = 1e-10)
)
robust <- coef_test(m, vcov = "CR2", cluster = long$firm, test = "Satterthwaite")
b <- fixef(m)
ratio <- coef(m$modelStruct$varStruct, unconstrained = FALSE)
write_json(list(
  versions = list(R = as.character(getRversion()), nlme = as.character(packageVersion("nlme")),
                  clubSandwich = as.character(packageVersion("clubSandwich"))),
  reml = as.numeric(logLik(m)),
  awareness = unname(b["effect_sum"] + b["effect_apart"] / 2),
  capability = unname(b["effect_sum"] - b["effect_apart"] / 2),
  apart = unname(b["effect_apart"]),
  apart_se = sqrt(vcov(m)["effect_apart", "effect_apart"]),
  apart_cr2 = robust["effect_apart", "SE"],
  apart_df = robust["effect_apart", if ("df_Satt" %in% names(robust)) "df_Satt" else "df"],
  log_sd_ratio = unname(log(ratio))
), "gap.json", auto_unbox = TRUE, digits = NA, pretty = TRUE)
