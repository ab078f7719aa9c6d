"""Small areas: rates smoothed in one wave (Fay & Herriot), in several, from cells and a census."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, logit, xlogy
from scipy.stats import t

from evaluation.base.errors import ModelError
from evaluation.data.rules import SMOOTHED
from evaluation.stats.reml import reml
from evaluation.survey.respondents import Respondents
from evaluation.survey.standing import normal_quantile, rank_interval

# Fisher scoring of one variance ends at a step that small.
STEPS, CLOSE = 200, 1e-8


@dataclass(frozen=True)
class Smoothed:
    """Rates of areas by the model y = Xβ + u + e, Var(u) = σ², Var(e) known.

    Attributes
    ----------
    frame : one row an area: ``direct, direct_se, synthetic, combined, benchmarked, weight`` (of the
        direct rate), ``mse`` (Prasad-Rao, of the combined rate), ``mse_bootstrap`` (of the
        benchmarked rate), ``se, low, high`` (of the benchmarked rate: Prasad-Rao plus what
        benchmarking adds in the bootstrap, t on areas less coefficients), ``rank_low, rank_high``.
    covariates : that smoothed them.
    coefficients, errors : by covariate. variance : σ². loglike : restricted log-likelihood.
    """

    frame: pd.DataFrame
    covariates: tuple[str, ...]
    coefficients: pd.Series
    errors: pd.Series
    variance: float
    loglike: float

    @property
    def method(self) -> str:
        """How the rates were made, as a data package keeps it."""
        return f"{SMOOTHED}: {', '.join(self.covariates)}" if self.covariates else SMOOTHED

    def outcome(self, covariates: Collection[str]) -> pd.Series:
        """The benchmarked rates as the outcome of a regression on ``covariates``.

        Raises
        ------
        ModelError : a covariate that smoothed them: the regression would find what the smoothing
            put in.
        """
        both = sorted(set(covariates) & set(self.covariates))
        if both:
            raise ModelError(
                f"Rates smoothed by {', '.join(both)} cannot be regressed on it: what the model "
                "put in would be found again. Use the direct rates and their errors."
            )
        return self.frame["benchmarked"]


def smooth(
    direct: pd.Series,
    se: pd.Series,
    covariates: pd.DataFrame,
    shares: pd.Series,
    *,
    draws: int = 499,
    seed: int = 0,
    level: float = 0.95,
) -> Smoothed:
    """Fit the model of Fay and Herriot by REML and benchmark to the direct rate of all areas.

    Parameters
    ----------
    direct, se : (m,) direct rates and standard errors, above 0, indexed by area. covariates :
        (m, p) without the constant, known without error. shares : (m,) people of each area; the
        benchmarked rates, weighted by them, average to the direct ones.
    draws, seed : of the parametric bootstrap, which draws areas, fits and benchmarks again.

    Raises
    ------
    ModelError : too few areas, a missing or zero error, or tables that do not match.

    Source
    ------
    Fay & Herriot (1979), JASA 74:269-277; Prasad & Rao (1990), JASA 85:163-171; for REML Datta &
    Lahiri (2000), Statistica Sinica 10:613-627; bootstrap of González-Manteiga et al. (2008),
    Journal of Statistical Computation and Simulation 78:443-462.
    """
    y, D, X, share = _matched(direct, se, covariates, shares)
    fit = reml(y, X, D, {"area": np.eye(len(y))}, tested=False)
    bootstrapped = _bootstrapped(fit, D, X, share, draws, seed)
    frame = _side_by_side(fit, (y, D, X, share), bootstrapped, direct.index)
    half = t.ppf((1 + level) / 2, len(y) - X.shape[1]) * frame["se"]
    frame["low"], frame["high"] = frame["benchmarked"] - half, frame["benchmarked"] + half
    names = ["constant", *covariates.columns]
    return Smoothed(
        frame.join(rank_interval(frame["benchmarked"], frame["se"], level)),
        tuple(covariates.columns), pd.Series(fit.coefficients, names),
        pd.Series(np.sqrt(np.diag(fit.covariance)), names), fit.variances["area"], fit.loglike,
    )  # fmt: skip


def _side_by_side(fit, given, bootstrapped, index: pd.Index) -> pd.DataFrame:
    """Direct, synthetic, combined and benchmarked rates with their errors."""
    y, D, X, share = given
    combined, synthetic, weight, mse = _predicted(fit, y, D, X)
    of_benchmarked, added = bootstrapped
    return pd.DataFrame({
        "direct": y, "direct_se": np.sqrt(D), "synthetic": synthetic, "combined": combined,
        "benchmarked": combined * (share @ y) / (share @ combined), "weight": weight, "mse": mse,
        "mse_bootstrap": of_benchmarked, "se": np.sqrt(mse + np.maximum(added, 0)),
    }, index=index)  # fmt: skip


def _bootstrapped(fit, D, X, share, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared error of benchmarked rates in areas drawn from the fit, and what is added.

    The second is what it has more than that of combined rates; of no draws, NaN and 0.
    """
    rng = np.random.default_rng(seed)
    squares = np.zeros((2, len(D)))
    for _ in range(draws):
        truth = X @ fit.coefficients + rng.normal(0, np.sqrt(fit.variances["area"]), len(D))
        drawn = truth + rng.normal(0, np.sqrt(D))
        again = _predicted(_scored(drawn, D, X, fit.variances["area"]), drawn, D, X)[0]
        squares[0] += (again * (share @ drawn) / (share @ again) - truth) ** 2
        squares[1] += (again - truth) ** 2
    if not draws:
        return np.full(len(D), np.nan), np.zeros(len(D))
    return squares[0] / draws, (squares[0] - squares[1]) / draws


def _matched(direct, se, covariates, shares) -> Sequence[np.ndarray]:
    tables = [direct, se, covariates, shares]
    if not all(table.index.equals(direct.index) for table in tables):
        raise ModelError("Rates, errors, covariates and shares must be of the same areas.")
    y, D = direct.to_numpy(float), se.to_numpy(float) ** 2
    X = np.column_stack([np.ones(len(y)), covariates.to_numpy(float)])
    share = shares.to_numpy(float) / shares.sum()
    if len(y) < X.shape[1] + 3:
        raise ModelError(
            f"{len(y)} areas are too few for {X.shape[1]} coefficients and a variance."
        )
    if not (np.isfinite(y).all() and np.isfinite(X).all() and (share > 0).all()):
        raise ModelError("Rates, covariates and shares must be known, shares above 0.")
    if not (D > 0).all():  # NaN as well
        bad = direct.index[~(D > 0)][0]
        raise ModelError(
            f"Area {bad} has no standard error above 0: leave it out, or smooth errors."
        )
    return y, D, X, share


def _scored(y, D, X, start: float) -> SimpleNamespace:
    """The same fit by Fisher scoring from near its end: V is diagonal, and draws are many."""
    s2 = start
    for _ in range(STEPS):
        W = 1 / (s2 + D)
        C = np.linalg.inv((X.T * W) @ X)
        b = C @ (X.T @ (W * y))
        squares, cubes = C @ ((X.T * W**2) @ X), C @ ((X.T * W**3) @ X)
        score = ((W * (y - X @ b)) ** 2).sum() - W.sum() + np.trace(squares)
        information = (W**2).sum() - 2 * np.trace(cubes) + (squares * squares.T).sum()
        last, s2 = s2, max(0.0, s2 + score / information)
        if abs(s2 - last) <= CLOSE * (s2 + D.min()):
            break
    return SimpleNamespace(variances={"area": s2}, coefficients=b, covariance=C)


def _predicted(fit, y, D, X):
    """Combined and synthetic rates, weight of the direct ones, and mean squared error.

    The error is g1 + g2 + 2 g3 with the variance of σ² by REML, 2 / Σ (σ² + D)⁻².
    """
    s2 = fit.variances["area"]
    V = s2 + D
    weight = s2 / V
    synthetic = X @ fit.coefficients
    g1, g3 = weight * D, D**2 / V**3 * (2 / (1 / V**2).sum())
    g2 = (1 - weight) ** 2 * np.einsum("ij,jk,ik->i", X, fit.covariance, X)
    return synthetic + weight * (y - synthetic), synthetic, weight, g1 + g2 + 2 * g3


# Several waves together (Rao & Yu).
# Variances in units of the outcome's, and how much of a time effect lasts a unit of time.
STARTS = ((0.3, 0.1, 0.3), (0.05, 0.4, 0.7), (0.3, 0.3, 0.0))
BOUNDS = ((0.0, None), (0.0, None), (-0.98, 0.98))


@dataclass(frozen=True)
class Waves:
    """Rates by y = Xβ + u_i + v_it + e_it, v_it = ρ v_i,t-1 + ε_it, Var(e) known.

    Attributes
    ----------
    frame : one row an area and wave: ``direct, direct_se, synthetic, combined, benchmarked, se,
        low, high``; ``se`` is the root of the bootstrap's mean squared error, of ``benchmarked``.
    area, time : Var(u) and the stationary Var(v). correlation : ρ. loglike : restricted.
    """

    frame: pd.DataFrame
    covariates: tuple[str, ...]
    coefficients: pd.Series
    errors: pd.Series
    area: float
    time: float
    correlation: float
    loglike: float

    @property
    def method(self) -> str:
        """How the rates were made, as a data package keeps it."""
        return f"{SMOOTHED}: {', '.join(self.covariates)}" if self.covariates else SMOOTHED


class _Panel:
    """Areas as blocks of all waves, (m, T); where a wave is lacking all is 0 and V is 1."""

    def __init__(self, area, time, D, X):
        self.i, areas = pd.factorize(area)
        self.times, self.j = np.unique(time, return_inverse=True)
        m, T = len(areas), len(self.times)
        self.there = np.zeros((m, T), dtype=bool)
        self.there[self.i, self.j] = True
        self.gap = np.abs(np.subtract.outer(self.times, self.times))
        self.X, self.D, self.y = self.block(X), self.block(D), np.zeros((m, T))
        self.both = self.there[:, :, None] & self.there[:, None, :]

    def block(self, values: np.ndarray) -> np.ndarray:
        found = np.zeros((*self.there.shape, *values.shape[1:]))
        found[self.i, self.j] = values
        return found

    def effects(self, theta) -> np.ndarray:
        """Covariance of u + v over the waves, (T, T)."""
        rho = theta[2]
        fading = np.sign(rho) ** self.gap * np.abs(rho) ** self.gap if rho else self.gap == 0
        return theta[0] + theta[1] * fading

    def solve(self, theta):
        """V⁻¹ by area, coefficients, their covariance and the restricted log-likelihood."""
        V = self.both * self.effects(theta)
        diagonal = np.arange(len(self.times))
        V[:, diagonal, diagonal] += np.where(self.there, self.D, 1.0)
        inverse = np.linalg.inv(V)
        weighted = inverse @ self.X
        information = np.einsum("itk,itl->kl", self.X, weighted)
        b = np.linalg.solve(information, np.einsum("itk,it->k", weighted, self.y))
        r = self.y - self.X @ b
        n, k = self.there.sum(), self.X.shape[2]
        logs = np.linalg.slogdet(V)[1].sum() + np.linalg.slogdet(information)[1]
        rss = np.einsum("it,its,is->", r, inverse, r)
        value = -0.5 * ((n - k) * np.log(2 * np.pi) + logs + rss)
        return inverse, b, np.linalg.inv(information), float(value)

    def fit(self, y: np.ndarray, starts) -> np.ndarray:
        """Variances and ρ of highest restricted likelihood for outcomes (N,)."""
        self.y, scale = self.block(y), float(np.var(y))
        sizes = np.array([scale, scale, 1.0])
        tried = [minimize(lambda s: -self.solve(s * sizes)[3], np.array(start),
                          bounds=BOUNDS, method="L-BFGS-B") for start in starts]  # fmt: skip
        best = min(tried, key=lambda found: found.fun)
        return best.x * sizes

    def predict(self, theta) -> tuple[np.ndarray, np.ndarray]:
        """Best predictions and synthetic rates, (N,)."""
        inverse, b, *_ = self.solve(theta)
        synthetic = self.X @ b
        effects = self.both * self.effects(theta)
        found = synthetic + np.einsum("its,isr,ir->it", effects, inverse, self.y - synthetic)
        return found[self.i, self.j], synthetic[self.i, self.j]


def smooth_waves(
    given: pd.DataFrame, covariates: list[str], *, draws: int = 199, seed: int = 0,
    level: float = 0.95,
) -> Waves:  # fmt: skip
    """Fit the model of Rao and Yu by REML; benchmark each wave to its direct rate.

    Parameters
    ----------
    given : one row an area and wave, any may be lacking: ``area``, ``time`` (years, numbers),
        ``direct``, ``se`` (above 0), ``share`` (people) and the covariates.
    draws, seed : of the parametric bootstrap, which draws effects, fits and benchmarks again.

    Raises
    ------
    ModelError : values missing, an area twice in a wave, one wave only, or too few areas.

    Source
    ------
    Rao & Yu (1994), Canadian Journal of Statistics 22:511-528; Rao & Molina (2015), Small Area
    Estimation, 2nd ed., sections 4.4.3 and 8.3. Waves of unequal distance take ρ to the power of
    the years between them.
    """
    y, D, X, share, panel = _matched_waves(given, covariates)
    theta = panel.fit(y, STARTS)
    _, b, covariance, loglike = panel.solve(theta)
    combined, synthetic = panel.predict(theta)
    benchmarked = combined * _factor(y, combined, share, panel.j)
    mse = _wave_errors(panel, theta, b, (X, D, share), draws, np.random.default_rng(seed))
    half = t.ppf((1 + level) / 2, panel.there.shape[0] - X.shape[1]) * np.sqrt(mse)
    frame = given[["area", "time"]].assign(
        direct=y, direct_se=np.sqrt(D), synthetic=synthetic, combined=combined,
        benchmarked=benchmarked, se=np.sqrt(mse), low=benchmarked - half, high=benchmarked + half,
    )  # fmt: skip
    names = ["constant", *covariates]
    return Waves(
        frame, tuple(covariates), pd.Series(b, names),
        pd.Series(np.sqrt(np.diag(covariance)), names), *map(float, theta), loglike,
    )  # fmt: skip


def _matched_waves(given: pd.DataFrame, covariates: list[str]):
    numbers = given[["time", "direct", "se", "share", *covariates]].to_numpy(float)
    if not np.isfinite(numbers).all() or not (numbers[:, [2, 3]] > 0).all():
        raise ModelError("Rates, errors, shares, times and covariates must be known, errors and "
                         "shares above 0: leave the area out of the wave.")  # fmt: skip
    twice = given.duplicated(["area", "time"])
    if twice.any():
        raise ModelError(f"Area {given.loc[twice, 'area'].iloc[0]} stands twice in a wave.")
    X = np.column_stack([np.ones(len(given)), numbers[:, 4:]])
    panel = _Panel(given["area"].to_numpy(), numbers[:, 0], numbers[:, 2] ** 2, X)
    m, T = panel.there.shape
    if T < 2 or m < X.shape[1] + 3:
        raise ModelError(f"{m} areas in {T} waves are too few: a time effect needs 2 waves and "
                         f"{X.shape[1] + 3} areas. Use one wave alone.")  # fmt: skip
    return numbers[:, 1], numbers[:, 2] ** 2, X, numbers[:, 3], panel


def _factor(y, combined, share, wave) -> np.ndarray:
    """What brings each wave's weighted mean to that of its direct rates, (N,)."""
    return (np.bincount(wave, share * y) / np.bincount(wave, share * combined))[wave]


def _wave_errors(panel: _Panel, theta, b, given, draws: int, rng) -> np.ndarray:
    """Mean squared error of the benchmarked rates where the fitted model is the truth."""
    X, D, share = given
    m, T = panel.there.shape
    root = np.linalg.cholesky(panel.effects(theta) + 1e-12 * np.eye(T))
    squares = np.zeros(len(D))
    for _ in range(draws):
        truth = X @ b + (rng.normal(size=(m, T)) @ root.T)[panel.i, panel.j]
        y = truth + rng.normal(0, np.sqrt(D))
        again = panel.fit(y, [theta / (np.var(y), np.var(y), 1)])
        combined = panel.predict(again)[0]
        squares += (combined * _factor(y, combined, share, panel.j) - truth) ** 2
    return squares / draws if draws else np.full(len(D), np.nan)


# From cells of a sample to areas through a census.
NEWTON_STEPS, CONVERGED, START = 100, 1e-10, 0.3
PRECISE = {"ftol": 1e-13, "gtol": 1e-7}


@dataclass(frozen=True)
class Poststratified:
    """Rates of areas by a logistic model of cells, averaged over the people of a census.

    Attributes
    ----------
    frame : by area, ``rate, se, low, high`` (0 to 1; given the deviations, so where these are known
        badly errors are too small) and ``n``, effective respondents. deviations : standard
        deviation of each effect, logits. coefficients : of the constant and the covariates.
        deviance : -2 log-likelihood by Laplace's approximation, up to a constant of the data.
    """

    frame: pd.DataFrame
    deviations: pd.Series
    coefficients: pd.Series
    deviance: float
    covariates: tuple[str, ...]

    @property
    def method(self) -> str:
        """How the rates were made, as a data package keeps it."""
        named = ", ".join((*self.deviations.index, *self.covariates))
        return f"{SMOOTHED}, post-stratified: {named}"


def cells(sample: Respondents, by: Sequence[str], cutoff: float, deff: float = 1.0) -> pd.DataFrame:
    """Cells of a sample: columns of ``by``, ``share`` (weighted) and ``n``, respondents / deff.

    Dividing by the design effect of the whole sample lets weights and clusters count (Ghitza &
    Gelman 2013, American Journal of Political Science 57:762-776).
    """
    names = sample.known(by)
    found = sample.query(
        f"SELECT {names}, count(*) / {max(deff, 1.0):.17g} AS n, sum(w * "
        f"(score >= {cutoff:.17g})::INTEGER) / sum(w) AS share FROM {sample.view} "
        f"GROUP BY {names} ORDER BY ALL"
    )
    return found.astype(dict.fromkeys(by, str))


def poststratify(
    found: pd.DataFrame, census: pd.DataFrame, effects: Sequence[str],
    covariates: Sequence[str] = (), *, level: float = 0.95,
) -> Poststratified:  # fmt: skip
    """Fit logit p = Xβ + Σ u_effect, u ~ N(0, σ²) of each effect, and average over the census.

    Parameters
    ----------
    found : of :func:`cells`, with ``n``, ``share`` and the effects. census : one row a cell of the
        population: the effects, covariates and ``people``. effects : columns with varying
        intercepts, the area first.

    Raises
    ------
    ModelError : a cell that the census lacks or has twice, people or covariates that are not known.

    Source
    ------
    Gelman & Little (1997), Survey Methodology 23:127-135. The deviations maximise Laplace's
    approximation with β and u at their joint mode (``nAGQ = 0`` of R's ``lme4``).
    """
    keys, rows = list(effects), _rows(found, census, list(effects), list(covariates))
    X = np.column_stack([np.ones(len(census)), census[list(covariates)].to_numpy(float)])
    coded = [pd.factorize(census[name], sort=True) for name in keys]
    Z = [sparse.csr_array((np.ones(len(c)), (np.arange(len(c)), c))) for c, _ in coded]
    sizes = np.array([z.shape[1] for z in Z])
    A = sparse.hstack([sparse.csr_array(X), *Z]).tocsr()
    share, n = (found[name].to_numpy(float) for name in ("share", "n"))
    fit = _Fit(A[rows], share, n, X.shape[1], sizes)
    best = minimize(fit.deviance, np.full(len(sizes), START), method="L-BFGS-B",
                    bounds=[(0, None)] * len(sizes), options=PRECISE)  # fmt: skip
    scaled, H = fit.mode(best.x)
    scale = fit.scale(best.x)
    area = sparse.csr_array((census["people"], (coded[0][0], np.arange(len(census)))))
    rate, se = _averaged(area, A, scaled, H, scale)
    half = normal_quantile(level) * se / (rate * (1 - rate))
    n = np.bincount(coded[0][0][rows], n, sizes[0])
    frame = pd.DataFrame({"rate": rate, "se": se, "low": expit(logit(rate) - half),
                          "high": expit(logit(rate) + half), "n": n}, coded[0][1])  # fmt: skip
    return Poststratified(
        frame, pd.Series(best.x, keys), pd.Series(scaled[: X.shape[1]], ["constant", *covariates]),
        float(best.fun), tuple(covariates),
    )  # fmt: skip


def _averaged(people, A, x, H, scale) -> tuple[np.ndarray, np.ndarray]:
    """Rates of areas, ``people`` (areas, cells), and their errors by the delta method."""
    p, whole = expit(A @ (x * scale)), people.sum(axis=1)
    slope = (people @ A.multiply((p * (1 - p))[:, None])).toarray() * scale / whole[:, None]
    se = np.sqrt(np.einsum("ij,ji->i", slope, np.linalg.solve(H, slope.T)))
    return (people @ p) / whole, se


def _rows(found, census, effects: list[str], covariates: list[str]) -> np.ndarray:
    """The row of the census that each cell of the sample is."""
    numbers = census[["people", *covariates]].to_numpy(float)
    if not np.isfinite(numbers).all() or not (numbers[:, 0] > 0).all():
        raise ModelError("People and covariates of the census must be known, people above 0.")
    index = pd.MultiIndex.from_frame(census[effects].astype(str))
    if index.has_duplicates:
        told = " ".join(index[index.duplicated()][0])
        raise ModelError(f"The census has the cell {told} twice: add it up.")
    rows = index.get_indexer(pd.MultiIndex.from_frame(found[effects].astype(str)))
    if (rows < 0).any():
        told = " ".join(found[effects].astype(str).to_numpy()[rows < 0][0])
        raise ModelError(f"The census has no cell {told}: add its people.")
    return rows


@dataclass(frozen=True)
class _Fit:
    """Penalised likelihood of cells; effects are in units of their deviation, so 0 is one too."""

    A: sparse.csr_array
    share: np.ndarray
    n: np.ndarray
    fixed: int
    sizes: np.ndarray

    def scale(self, deviations: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones(self.fixed), np.repeat(deviations, self.sizes)])

    def mode(self, deviations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joint mode of coefficients and effects by Newton steps, and the Hessian there."""
        A = self.A @ sparse.diags_array(self.scale(deviations))
        ridge = np.concatenate([np.zeros(self.fixed), np.ones(int(self.sizes.sum()))])
        x = np.zeros(A.shape[1])
        x[0] = logit(np.clip(np.average(self.share, weights=self.n), 0.001, 0.999))
        for _ in range(NEWTON_STEPS):
            p = expit(A @ x)
            H = (A.T @ A.multiply((self.n * p * (1 - p))[:, None])).toarray() + np.diag(ridge)
            step = np.linalg.solve(H, A.T @ (self.n * (self.share - p)) - ridge * x)
            x = x + step * min(1.0, 5.0 / np.abs(A @ step).max(initial=1.0))
            if np.abs(step).max() < CONVERGED:
                return x, H
        raise ModelError("The model of cells does not converge: join small groups.")

    def deviance(self, deviations: np.ndarray) -> float:
        """-2 log-likelihood, the effects integrated out at the mode."""
        x, H = self.mode(deviations)
        p = expit(self.A @ (self.scale(deviations) * x))
        fitted = xlogy(self.share, p) + xlogy(1 - self.share, 1 - p)
        u = x[self.fixed :]
        logs = np.linalg.slogdet(H[self.fixed :, self.fixed :])[1]
        return float(-2 * (self.n @ fitted) + u @ u + logs)
