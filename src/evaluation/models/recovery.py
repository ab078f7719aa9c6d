"""How often answers are wrong, by simulation: recovery and calibration."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import repeat
from typing import Any

import joblib
import numpy as np
import pandas as pd
from scipy import sparse, stats

from evaluation import models
from evaluation.base.errors import KepuError, ModelError
from evaluation.models.columns import GAINS, checked, dummies, equation
from evaluation.models.panels import Panels, roles
from evaluation.stats.bootstrap import cluster_codes, wild_cluster_bootstrap
from evaluation.stats.least_squares import Equation, jackknife
from evaluation.stats.permutation import randomisation_inference
from evaluation.stats.power import region_correlation
from evaluation.survey.standing import wilson_interval

# ------------------------------------------------------------------------------------------
# Generated panels with a known truth, one generator a model; nothing here is an observation.


WAVES = (2010, 2015, 2018, 2020, 2022)
LEVEL = {"outcome": "rate", "doses": ["dose"], "region": "region", "wave": "wave"}
GAIN = LEVEL | {"outcome": "gain"}
TRUE_EFFECT = 0.5


@dataclass(frozen=True)
class Rung:
    """A generator of panels with their truth, and the arguments its model is given."""

    draw: Callable[[np.random.Generator, int], tuple[pd.DataFrame, float]]
    arguments: dict[str, Any]


def _grid(rng: np.random.Generator, regions: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Rows of regions and waves with a dose related to the region, and both effects."""
    region, wave = np.repeat(np.arange(regions), len(WAVES)), np.tile(WAVES, regions)
    own = rng.normal(size=regions)[region]
    trend = (wave - WAVES[0]) / (WAVES[-1] - WAVES[0])
    frame = pd.DataFrame({"region": region, "wave": wave})
    frame["dose"] = 0.7 * own + trend + 0.7 * rng.normal(size=len(frame))
    return frame, own, trend


def _thinned(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    """Two waves in five are not published; which is unrelated to the rates."""
    kept = rng.permutation(len(frame))[: round(0.6 * len(frame))]
    return frame.iloc[np.sort(kept)].reset_index(drop=True)


def levels(rng: np.random.Generator, regions: int) -> tuple[pd.DataFrame, float]:
    """Rates with regional effects related to the dose, sampling error and more."""
    frame, own, trend = _grid(rng, regions)
    frame["v"] = rng.uniform(0.2, 0.8, len(frame))
    error = np.sqrt(frame["v"] + 0.3) * rng.normal(size=len(frame))
    other = 2 * rng.normal(size=regions)[frame["region"]]
    frame["rate"] = 10 + TRUE_EFFECT * frame["dose"] + 2 * own + other + 5 * trend + error
    return _thinned(rng, frame), TRUE_EFFECT


def shares(
    rng: np.random.Generator, regions: int, link: str = "probit"
) -> tuple[pd.DataFrame, float]:
    """Shares around a probit or logit of dose, region and wave; regions lean on their mean dose.

    The truth is the average of 100 β g(index) over the rows, the regional effects in the index.
    """
    law = stats.norm if link == "probit" else stats.logistic
    frame, _, trend = _grid(rng, regions)
    frame["trend"] = trend
    frame = _thinned(rng, frame)
    mean = frame.groupby("region")["dose"].transform("mean")
    scale = 1.0 if link == "probit" else 1.7
    lean = 0.15 * mean + 0.1 * rng.normal(size=regions)[frame["region"]]
    index = scale * (-1.7 + 0.05 * frame["dose"] + lean + 0.4 * frame["trend"])
    mu, spread = law.cdf(index), 400.0
    frame["rate"] = 100 * rng.beta(mu * spread, (1 - mu) * spread)
    return frame.drop(columns="trend"), float(100 * scale * 0.05 * law.pdf(index).mean())


def gains(rng: np.random.Generator, regions: int) -> tuple[pd.DataFrame, float]:
    """Annual gains with a dose, an opening level, known sampling variances and a further one."""
    frame, own, _ = _grid(rng, regions)
    frame["opening"] = 10 + 2 * own + rng.normal(size=len(frame))
    frame["v"] = rng.uniform(0.1, 0.4, len(frame))
    error = np.sqrt(frame["v"] + 0.2) * rng.normal(size=len(frame))
    frame["gain"] = 1 + TRUE_EFFECT * frame["dose"] - 0.1 * frame["opening"] + error
    return _thinned(rng, frame), TRUE_EFFECT


def means(rng: np.random.Generator, regions: int) -> tuple[pd.DataFrame, float]:
    """Differences of surveys two years apart: neighbouring gains share a survey's error."""
    v = rng.uniform(0.1, 0.8, (regions, len(WAVES)))
    own = 0.15 * rng.normal(size=(regions, 1))
    true = 5 + 2 * np.cumsum(0.8 + own + 0.1 * rng.normal(size=v.shape), axis=1)
    rates = true + np.sqrt(v) * rng.normal(size=v.shape)
    region, wave = np.repeat(np.arange(regions), len(WAVES) - 1), np.tile(WAVES[1:], regions)
    gain, variance = np.diff(rates) / 2, (v[:, 1:] + v[:, :-1]) / 4
    columns = {"region": region, "wave": wave, "gain": gain.ravel(), "v": variance.ravel()}
    columns |= {"opens": np.tile(WAVES[:-1], regions), "v0": (v[:, :-1] / 4).ravel()}
    return _thinned(rng, pd.DataFrame(columns)), 0.8


KNOWN, SPANS = {"variance": "v"}, ("opens", "wave", "v0")
# Only estimate and interval are compared, so what the linear models compute beside them is left.
ALONE = {"companions": False}
RUNGS: dict[str, Rung] = {
    "mean_gain": Rung(means, GAIN | KNOWN | {"doses": [], "spans": SPANS}),
    "gain_regression": Rung(gains, GAIN | KNOWN | ALONE | {"covariates": ["opening"]}),
    "two_way_fixed_effects": Rung(levels, LEVEL | KNOWN | ALONE),
    "fractional_probit": Rung(shares, LEVEL),
    "fractional_logit": Rung(lambda rng, n: shares(rng, n, "logit"), LEVEL),
    "partial_pooling": Rung(levels, LEVEL | KNOWN),
}


# ------------------------------------------------------------------------------------------
# Does each model find the truth it was given? Bias and coverage over generated panels.


@dataclass(frozen=True)
class Recovery:
    """What one model made of panels with a known truth.

    Attributes
    ----------
    panels : number drawn. refused : how many the model refused, which enter nothing else.
    truth, mean : means over the panels estimated; in the model's unit.
    bias, bias_error : mean of estimate - truth and its Monte Carlo standard error.
    spread : standard deviation of estimate - truth.
    coverage, coverage_low, coverage_high : share of intervals that hold the truth, with its 95 %
        Wilson interval; to be compared with ``level``.
    reasons : the refusals in the model's words, each once, with their number.
    """

    model: str
    panels: int
    refused: int
    truth: float
    mean: float
    bias: float
    bias_error: float
    spread: float
    coverage: float
    coverage_low: float
    coverage_high: float
    level: float
    reasons: tuple[tuple[str, int], ...] = ()


def _rows(model: str, panels: int, seed: int, regions: int, draws: int, level: float):
    """Error and cover of every panel the model accepts, and the refusals."""
    rung, rows, refusals = RUNGS[model], [], []
    for i, stream in enumerate(np.random.SeedSequence(seed).spawn(panels)):
        frame, truth = rung.draw(np.random.default_rng(stream), regions)
        run = {"draws": draws, "seed": seed + i, "level": level}
        try:
            found = models.fit(model, frame, **rung.arguments, **run)
        except ModelError as error:
            refusals.append(str(error))
            continue
        rows.append((truth, found.estimate, found.low <= truth <= found.high))
    return np.array(rows, dtype=float), refusals


def recover(
    model: str,
    panels: int = 500,
    seed: int = 1,
    *,
    regions: int = 31,
    draws: int = 399,
    level: float = 0.95,
) -> Recovery:
    """Fit a model to generated panels and compare estimates and intervals with the truth.

    Panels have ``regions`` regions and up to five waves, two rows in five missing; ``seed`` is
    that of the panels and of the bootstraps.

    Raises
    ------
    KepuError : no truth is defined for the model (the prediction test estimates nothing).
    ModelError : every panel is refused; the message is that of the first.
    """
    if model not in RUNGS:
        raise KepuError(f"No generated truth for model '{model}'. Known: {', '.join(RUNGS)}.")
    if panels < 2:
        raise KepuError(
            f"{panels} panels are too few to measure bias and coverage; take 2 or more."
        )
    rows, refusals = _rows(model, panels, seed, regions, draws, level)
    if len(rows) < 2:
        raise ModelError(f"{len(refusals)} of {panels} panels were refused, first: {refusals[0]}")
    truth, estimate, covered = rows.T
    error, share = estimate - truth, covered.mean()
    low, high = wilson_interval(float(share), len(rows), 1)
    counted = pd.Series(refusals, dtype=object).value_counts()
    return Recovery(
        model=model, panels=panels, refused=len(refusals), level=level,
        truth=float(truth.mean()), mean=float(estimate.mean()), bias=float(error.mean()),
        bias_error=float(error.std(ddof=1) / np.sqrt(len(rows))), spread=float(error.std(ddof=1)),
        coverage=float(share), coverage_low=float(low), coverage_high=float(high),
        reasons=tuple((str(text), int(n)) for text, n in counted.items()),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------
# Designs to calibrate on: generated ones of any size, and the panel of a data package.


# Generated panels: a share of 10 %, 700 respondents and a design effect of 1.5 a region and wave.
SAMPLING_SD = 100 * (1.5 * 0.1 * 0.9 / 700) ** 0.5
YEARS = 2  # between waves
SIGMA = 0.4  # s.d. of annual gains beyond sampling error, in percentage points
CORRELATION = 0.5  # of that part within a region
SCENARIO_EFFECT = 0.2  # percentage points a year per unit of the dose
FORM = re.compile(r"([1-9][0-9]{0,2})x([1-9][0-9]?)")


@dataclass(frozen=True)
class Scenario:
    """A truth to draw panels from; call it with a generator and an effect to get a design.

    ``effect`` is the true effect with which coverage is measured.
    """

    name: str
    effect: float
    draw: Callable[[np.random.Generator, float], Equation]

    def __call__(self, rng: np.random.Generator, effect: float) -> Equation:
        return self.draw(rng, effect)


def shock(rng: np.random.Generator, codes: np.ndarray, correlation: float) -> np.ndarray:
    """Standard normal errors correlated within regions, (N,)."""
    own, region = rng.normal(size=len(codes)), rng.normal(size=codes.max() + 1)
    return np.sqrt(1 - correlation) * own + np.sqrt(correlation) * region[codes]


def _regressors(rng: np.random.Generator, regions: int, waves: int, treated: int) -> pd.DataFrame:
    """Interval effects, a covariate, and a dose that differs between regions for good."""
    codes, interval = np.divmod(np.arange(regions * (waves - 1)), waves - 1)
    frame = dummies(pd.Series(interval, name="interval"), drop_first=False)
    level = rng.normal(size=regions)
    frame["income"] = (0.5 * level + rng.normal(size=regions))[codes]
    late = interval >= (waves - 1) // 2
    persistent = level[codes] + 0.3 * rng.normal(size=len(codes))
    frame["dose"] = np.where((codes < treated) & late, 1.0, 0.0) if treated else persistent
    return frame


def _generated(
    rng: np.random.Generator, effect: float, regions: int, waves: int, treated: int
) -> Equation:
    """Annual gains between waves whose sampling errors both of their gains share."""
    X = _regressors(rng, regions, waves, treated)
    codes, interval = np.divmod(np.arange(len(X)), waves - 1)
    sampled = SAMPLING_SD * rng.normal(size=(regions, waves))
    y = np.diff(sampled, axis=1).ravel() / YEARS + SIGMA * shock(rng, codes, CORRELATION)
    y = y + effect * X["dose"].to_numpy()
    # Minus the opening survey, plus the closing one: neighbouring gains share one of them.
    one = np.diff(np.eye(waves), axis=0) * SAMPLING_SD / YEARS
    shared = sparse.kron(sparse.eye_array(regions), sparse.csr_array(one @ one.T), format="csr")
    known = {"variance": shared.diagonal(), "covariance": shared}
    return Equation(y, X, codes, interval, **known, effects=waves - 1)


def generated(regions: int, waves: int, treated: int = 0) -> Scenario:
    """Regions x waves, drawn anew for every panel.

    ``treated`` regions take a 0/1 dose from the middle of the panel on; with 0 all have a dose.
    """
    if regions < 2 or waves < 2:
        raise KepuError(f"A design needs 2 regions and 2 waves or more, not {regions}x{waves}.")
    if not 0 <= treated < regions:
        raise KepuError(f"'treated' must lie between 0 and {regions - 1}; it is {treated}.")
    name = f"{regions}x{waves}" + (f", {treated} treated" if treated else "")
    draw = partial(_generated, regions=regions, waves=waves, treated=treated)
    return Scenario(name, SCENARIO_EFFECT, draw)


def _actual(
    rng: np.random.Generator,
    effect: float,
    design: Equation,
    spans: np.ndarray,
    sampling: np.ndarray,
    sigma: float,
    correlation: float,
) -> Equation:
    errors = sampling * rng.normal(size=len(sampling))
    codes, _ = cluster_codes(design.clusters, len(design.y))
    y = spans @ errors + sigma * shock(rng, codes, correlation)
    y = y + effect * design.X.iloc[:, -1].to_numpy()
    return replace(design, y=y)


def _spans(frame: pd.DataFrame, rates: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows x region-waves with ±1/years where a gain ends or begins, and the rates' errors."""
    keys = pd.MultiIndex.from_frame(rates[["region_code", "wave"]])
    spans = np.zeros((len(frame), len(keys)))
    for wave, sign in (("wave_to", 1.0), ("wave_from", -1.0)):
        place = keys.get_indexer(pd.MultiIndex.from_frame(frame[["region_code", wave]]))
        spans[np.arange(len(frame)), place] = sign / frame["years"].to_numpy()
    used = np.abs(spans).sum(axis=0) > 0
    return spans[:, used], rates["se"].to_numpy()[used]


def actual(panels: Panels, dose: str) -> Scenario:
    """The panel of gains as it is: its regions, gaps, doses, covariates and sampling errors.

    Outcomes are drawn from the fitted variances with no effect and none of the covariates, to
    which the test is blind; gains that meet in a wave share its sampling error.
    """
    part = roles(GAINS, [f"log2_{dose}"], panels.controls)
    checked(panels.provinces, part, waves=1)
    design = equation(GAINS, panels.provinces, part)
    frame = panels.provinces.iloc[design.rows]
    spans, sampling = _spans(frame, panels.rates)
    draw = partial(
        _actual, design=design, spans=spans, sampling=sampling,
        sigma=max(0.0, design.excess) ** 0.5,
        correlation=region_correlation(design.fit(), design.codes),
    )  # fmt: skip
    return Scenario(f"actual, {dose}", SCENARIO_EFFECT, draw)


def parse(text: str) -> tuple[int, int]:
    """Regions and waves of a design written as ``31x5``."""
    found = FORM.fullmatch(text)
    if not found:
        raise KepuError(
            f"Unknown design '{text}': write regions x waves as 31x5 (up to 999x99), or actual."
        )
    return int(found[1]), int(found[2])


# ------------------------------------------------------------------------------------------
# How often the headline is wrong: false positives and coverage under a simulated truth.


CHUNK = 25
HEADLINE = "wild cluster bootstrap"
RANDOMISATION = "randomisation inference"


@dataclass(frozen=True)
class Calibration:
    """False-positive rates and coverage of one design.

    Attributes
    ----------
    design : its name. regions, observations : of the first panel. panels, draws, seed, level.
    rates : records ``procedure, measure, share, low, high, panels``; the interval is the Monte
        Carlo error, 95 % Wilson. ``panels`` leaves out those the procedure refused.
    refusals : the reason and how many panels were refused for it.
    """

    design: str
    regions: int
    observations: int
    panels: int
    draws: int
    seed: int
    level: float
    rates: tuple[dict[str, Any], ...]
    refusals: dict[str, int]

    def table(self) -> pd.DataFrame:
        """The rates, one a row."""
        return pd.DataFrame(list(self.rates))

    def share(self, measure: str, procedure: str = HEADLINE) -> float:
        """One of the rates, e.g. ``false positives``; missing where every panel was refused."""
        found = [
            row["share"]
            for row in self.rates
            if (row["measure"], row["procedure"]) == (measure, procedure)
        ]
        return found[0] if found else float("nan")

    def record(self) -> dict[str, Any]:
        """What JSON takes."""
        return asdict(self)


def _answers(design: Equation, draws: int, seed: int, level: float) -> dict[str, tuple[float, Any]]:
    """P-value and interval of each procedure for the last column; raises as the headline does."""
    fit = design.fit()
    codes, clusters = cluster_codes(design.clusters, len(design.y))
    found = wild_cluster_bootstrap(design, design.X.shape[1] - 1, draws, seed=seed, level=level)
    crv3 = jackknife(fit, codes, level=level)
    t = stats.t(df=clusters - 1)
    half = float(t.ppf((1 + level) / 2)) * found.se
    crv1 = (found.estimate - half, found.estimate + half)
    return {
        HEADLINE: (found.p, (found.low, found.high)),
        "CRV3, t": (crv3.p, (crv3.low, crv3.high)),
        "CRV1, t": (float(2 * t.sf(abs(found.t))), crv1),
    }


def _panel(scenario: Scenario, number: int, draws: int, seed: int, level: float):
    """One panel without and one with an effect: records of wrong answers, or the refusal."""
    stream = np.random.SeedSequence([seed, number])
    rng = np.random.default_rng(stream)
    own = int(stream.generate_state(1)[0])
    null, truth = scenario(rng, 0.0), scenario.effect
    records: list[tuple[str, str, bool]] = []
    try:
        for name, (p, _) in _answers(null, draws, own, level).items():
            records.append((name, "false positives", p <= 1 - level))
        for name, (_, (low, high)) in _answers(scenario(rng, truth), draws, own, level).items():
            records.append((name, "coverage", low <= truth <= high))
    except ModelError as error:
        # P-value of randomisation inference and the smallest p-value the design allows.
        found = randomisation_inference(
            null, null.X.shape[1] - 1, draws, seed=own, statistic="coefficient"
        )
        p, smallest = found.p, found.smallest_p
        if smallest > 1 - level:
            floor = f"Randomisation inference reaches no p-value below {smallest:.3f} here either."
            return [], f"{error} {floor}"
        return [(RANDOMISATION, "false positives", p <= 1 - level)], str(error)
    return records, ""


def _chunk(scenario: Scenario, numbers: range, draws: int, seed: int, level: float) -> list:
    return [_panel(scenario, number, draws, seed, level) for number in numbers]


def _rates(records: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    rows = []
    for (procedure, measure), wrong in records.groupby(["procedure", "measure"], sort=False)["hit"]:
        share = float(wrong.mean())
        low, high = wilson_interval(share, len(wrong), 1)
        row = {"procedure": procedure, "measure": measure, "share": share}
        rows.append(row | {"low": float(low), "high": float(high), "panels": len(wrong)})
    return tuple(rows)


def calibrate(
    scenario: Scenario,
    *,
    panels: int = 2000,
    draws: int = 999,
    seed: int = 1,
    level: float = 0.95,
    workers: int | None = None,
    told: Callable[[int], None] | None = None,
) -> Calibration:
    """Run the headline procedure on many simulated panels of one design.

    Every panel is estimated as a real one is, variances beyond sampling error and weights
    included. The answer does not depend on the number of workers.

    Parameters
    ----------
    scenario : draws a panel of the design. panels : how many, each without and with an effect.
    workers : processes, by default one a core. told : called with the number of panels done.
    """
    if panels < 1:
        raise KepuError(f"'panels' must be at least 1; it is {panels}.")
    chunks = [range(i, min(i + CHUNK, panels)) for i in range(0, panels, CHUNK)]
    run = joblib.Parallel(n_jobs=workers or os.cpu_count(), return_as="generator")
    found, reasons = [], []
    jobs = zip(repeat(scenario), chunks, repeat(draws), repeat(seed), repeat(level), strict=False)
    for answers in run(joblib.delayed(_chunk)(*job) for job in jobs):
        found += [record for records, _ in answers for record in records]
        reasons += [reason for _, reason in answers if reason]
        if told is not None:
            told(len(answers))
    first = scenario(np.random.default_rng(seed), 0.0)
    return Calibration(
        design=scenario.name, regions=len(np.unique(first.clusters)), observations=len(first.y),
        panels=panels, draws=draws, seed=seed, level=level,
        rates=_rates(pd.DataFrame(found, columns=["procedure", "measure", "hit"])),
        refusals={reason: reasons.count(reason) for reason in dict.fromkeys(reasons)},
    )  # fmt: skip
