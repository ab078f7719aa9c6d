# Answers of R's metafor and lme4 to simulated areas; see README.md beside this file.
# Run: Rscript make_areas.R
suppressMessages({library(metafor); library(lme4)})
set.seed(4)
m <- 30; times <- 5
d <- expand.grid(time = 1:times, area = 1:m)
u <- rnorm(m, 0, 2)
v <- unlist(lapply(1:m, function(i) as.vector(arima.sim(list(ar = .6), times, sd = 1.2))))
d$x <- round(rnorm(m * times), 3)
d$se <- round(runif(m * times, .8, 2.5), 3)
d$direct <- round(10 + 1.5 * d$x + u[d$area] + v + rnorm(m * times, 0, d$se), 4)
d <- d[-c(7, 23, 88), ]
write.csv(d, "waves.csv", row.names = FALSE, quote = FALSE)
f <- rma.mv(direct, se^2, mods = ~x, random = list(~1 | area, ~time | area), struct = "AR", data = d,
            method = "REML", control = list(optimizer = "optim", optmethod = "Nelder-Mead", reltol = 1e-14, maxit = 5000))
answers <- data.frame(case = "waves", name = c("area", "time", "correlation", "constant", "x", "constant_se", "x_se"),
                      value = c(f$sigma2, f$tau2, f$rho, f$b, f$se))
k <- expand.grid(area = sprintf("A%02d", 1:25), age = letters[1:4], sex = c("f", "m"))
k$x <- rep(round(rnorm(25), 3), 8)
k$n <- sample(0:12, nrow(k), TRUE)
eta <- -1 + .5 * k$x + rnorm(25, 0, .5)[as.integer(k$area)] + rnorm(4, 0, .6)[as.integer(k$age)] + .2 * (k$sex == "m")
k$right <- rbinom(nrow(k), k$n, plogis(eta))
write.csv(k, "cells.csv", row.names = FALSE, quote = FALSE)
g <- glmer(cbind(right, n - right) ~ x + (1 | area) + (1 | age), k[k$n > 0, ], binomial, nAGQ = 0,
           control = glmerControl(optCtrl = list(xtol_abs = 1e-10, ftol_abs = 1e-12)))
stopifnot(getME(g, "theta") > 0)
answers <- rbind(answers, data.frame(case = "cells", name = c("area", "age", "constant", "x"),
                 value = c(attr(VarCorr(g)$area, "stddev"), attr(VarCorr(g)$age, "stddev"), fixef(g))))
p <- predict(g, k, type = "response")
answers <- rbind(answers, data.frame(case = "rates", name = levels(k$area)[1:5], value = tapply(p, k$area, mean)[1:5]))
answers$value <- formatC(answers$value, digits = 10, format = "g")
write.csv(answers, "areas_r.csv", row.names = FALSE, quote = FALSE)
