# Answers of R's survey (Lumley; GPL) and the data of its examples; see README.md beside this file.
# Run: Rscript make_survey.R
suppressMessages(library(survey))
options(survey.lonely.psu = "fail")
data(api); data(nhanes)
here <- "."
keep <- c("snum", "stype", "dnum", "pw", "fpc", "api99", "api00", "enroll", "api.stu", "sch.wide", "awards")
apiclus2$fpc <- apiclus2$fpc1
api <- rbind(cbind(sample = "strat", apistrat[keep]), cbind(sample = "clus1", apiclus1[keep]),
             cbind(sample = "clus2", apiclus2[keep]))
write.csv(api, file.path(here, "api.csv"), row.names = FALSE, quote = FALSE, na = "")
nh <- nhanes[, c("SDMVPSU", "SDMVSTRA", "WTMEC2YR", "HI_CHOL", "race", "RIAGENDR")]
write.csv(nh, gzfile(file.path(here, "nhanes.csv.gz")), row.names = FALSE, quote = FALSE, na = "")

strat <- svydesign(id = ~1, strata = ~stype, weights = ~pw, data = apistrat, fpc = ~fpc)
clus1 <- svydesign(id = ~dnum, weights = ~pw, data = apiclus1, fpc = ~fpc)
clus2 <- svydesign(id = ~dnum, weights = ~pw, data = apiclus2, fpc = ~fpc1)
nhd <- svydesign(id = ~SDMVPSU, strata = ~SDMVSTRA, weights = ~WTMEC2YR, nest = TRUE, data = nhanes)

rows <- list()
add <- function(design, statistic, domain, estimate, se = NA, low = NA, high = NA, deff = NA)
  rows[[length(rows) + 1]] <<- data.frame(design, statistic, domain, estimate, se, low, high, deff)
plain <- function(name, statistic, domain, object)
  add(name, statistic, domain, unname(coef(object)), unname(as.vector(SE(object))))

designs <- list(strat = strat, clus1 = clus1, clus2 = clus2)
for (name in names(designs)) {
  d <- designs[[name]]
  plain(name, "total enroll", "", svytotal(~enroll, d, na.rm = TRUE))
  m <- svymean(~api00, d, deff = "replace")
  add(name, "mean api00", "", unname(coef(m)), unname(as.vector(SE(m))), deff = unname(as.vector(deff(m))))
  plain(name, "ratio api.stu/enroll", "", svyratio(~api.stu, ~enroll, d, na.rm = TRUE))
  by <- svyby(~api00, ~stype, d, svymean, covmat = TRUE)
  for (k in as.character(by$stype)) add(name, "mean api00", k, by[k, "api00"], by[k, "se"])
  plain(name, "difference api00", "H-E", svycontrast(by, c(H = 1, E = -1)))
  p <- svymean(~I(awards == "Yes"), d)
  for (method in c("logit", "beta")) {
    ci <- svyciprop(~I(awards == "Yes"), d, method = method)
    add(name, paste("share awards", method), "", as.vector(ci), unname(SE(p))[2], confint(ci)[1], confint(ci)[2])
  }
  q <- svyquantile(~api00, d, c(.25, .5, .9), ci = TRUE, interval.type = "mean")
  for (k in 1:3) add(name, "quantile api00", c("0.25", "0.5", "0.9")[k],
                     q$api00[k, 1], q$api00[k, 4], q$api00[k, 2], q$api00[k, 3])
}
plain("clus1", "difference api00-api99", "", svycontrast(svymean(~api00 + api99, clus1), c(api00 = 1, api99 = -1)))

types <- data.frame(stype = c("E", "H", "M"), Freq = c(4421, 755, 1018))
wide <- data.frame(sch.wide = c("No", "Yes"), Freq = c(1072, 5122))
post <- postStratify(clus1, ~stype, types)
raked <- rake(clus1, list(~stype, ~sch.wide), list(types, wide), control = list(maxit = 50, epsilon = 1e-10))
greg <- calibrate(clus1, ~stype + sch.wide, c(`(Intercept)` = 6194, stypeH = 755, stypeM = 1018, sch.wideYes = 5122),
                  calfun = "raking", epsilon = 1e-12, maxit = 100)
for (name in c("post", "raked", "greg")) {
  d <- get(name)
  plain(name, "total enroll", "", svytotal(~enroll, d))
  plain(name, "mean api00", "", svymean(~api00, d))
  by <- svyby(~api00, ~stype, d, svymean)
  for (k in as.character(by$stype)) add(name, "mean api00", k, by[k, "api00"], by[k, "se"])
}

nhs <- subset(nhd, !is.na(HI_CHOL))
plain("nhanes", "share HI_CHOL", "", svymean(~HI_CHOL, nhs))
by <- svyby(~HI_CHOL, ~race, nhs, svymean, covmat = TRUE)
for (k in as.character(by$race)) add("nhanes", "share HI_CHOL", k, by[k, "HI_CHOL"], by[k, "se"])
plain("nhanes", "difference HI_CHOL", "2-1", svycontrast(by, c("2" = 1, "1" = -1)))
for (method in c("logit", "beta")) {
  ci <- svyciprop(~HI_CHOL, nhs, method = method)
  add("nhanes", paste("share HI_CHOL", method), "", as.vector(ci), NA, confint(ci)[1], confint(ci)[2])
}

# One stratum of apistrat cut to a single school, under each rule for it.
lone <- rbind(apistrat[apistrat$stype != "H", ], apistrat[apistrat$stype == "H", ][1, ])
for (rule in c("remove", "adjust", "average")) {
  options(survey.lonely.psu = rule)
  d <- svydesign(id = ~1, strata = ~stype, weights = ~pw, data = lone, fpc = ~fpc)
  plain("lone", "mean api00", rule, svymean(~api00, d))
}
answers <- do.call(rbind, rows)
answers <- cbind(answers[1:3], lapply(answers[4:8], function(x) trimws(formatC(x, digits = 12, format = "g"))))
answers[answers == "NA"] <- ""
write.csv(answers, file.path(here, "survey_r.csv"), row.names = FALSE, quote = FALSE)
