# Bastani et al. (2025), exam problems: persons, classes and problems crossed, by lme4.
# From the repository's root, ALC_STATS_DATA set:
# Rscript tests/reference/transfer/problems.R > tests/reference/transfer/problems.json
suppressMessages({library(lme4); library(lmerTest); library(jsonlite)})
raw <- read.csv(file.path(Sys.getenv("ALC_STATS_DATA"), "bastani-genai-harm/problem_part3.csv"), na.strings = c("", "NA"))
rows <- raw[raw$Honors == 0 & !is.na(raw$gpa_prev) & !is.na(raw$Grader), ]
for (name in c("Student.ID", "Class", "Year", "Session", "Grader", "Problem", "teacher")) rows[[name]] <- factor(rows[[name]])
rows$arm <- factor(rows$Treatment.arm)
fit <- lmer(Score ~ GPTBase + GPTTutor + gpa_prev + teacher + Grader + Session + Year + (1 | Student.ID) + (1 | Class) +
              (1 | Problem) + (1 | Problem:arm) + (1 | Class:Problem), rows,
            control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5)))
two <- rbind(base = c(0, 1, -0), tutor = c(0, 0, 1), tutor_over_base = c(0, -1, 1))
full <- matrix(0, 3, length(fixef(fit))); full[, 1:3] <- two
found <- do.call(rbind, lapply(1:3, function(i) contest1D(fit, full[i, ])))
cat(toJSON(list(
  versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4")),
                  lmerTest = as.character(packageVersion("lmerTest"))),
  n = nobs(fit), estimate = setNames(as.list(found$Estimate), rownames(two)),
  se = setNames(as.list(found[["Std. Error"]]), rownames(two)), df = setNames(as.list(found$df), rownames(two)),
  sd = setNames(as.list(as.data.frame(VarCorr(fit))$sdcor), as.data.frame(VarCorr(fit))$grp)),
  auto_unbox = TRUE, digits = 10, pretty = TRUE))
cat("\n")
