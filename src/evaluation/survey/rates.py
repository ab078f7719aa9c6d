"""Rates of domains with standard errors, intervals, design effects and what may be published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

from evaluation.base.errors import KepuError
from evaluation.survey.linear import Totals
from evaluation.survey.respondents import Respondents, quoted
from evaluation.survey.standing import korn_graubard_interval, normal_quantile, wilson_interval

# Points from which a person has basic literacy, is literate, is advanced.
CUTOFFS = (55.0, 70.0, 85.0)
INTERVALS = ("korn_graubard", "wilson", "logit")
METHOD = "linearised"
# NCHS (2017), Vital and Health Statistics 2(175): the standard for proportions.
FEWEST, NARROW, WIDE, RELATIVE, FEW_UNITS = 30, 0.05, 0.30, 1.30, 8


@dataclass(frozen=True)
class Asked:
    """What is estimated: shares from so many points on; ``interval`` of INTERVALS; ``level``."""

    cutoffs: Sequence[float] = CUTOFFS
    interval: str = "korn_graubard"
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.interval not in INTERVALS:
            raise KepuError(f"no interval '{self.interval}' — use {', '.join(INTERVALS)}")
        if not 0 < self.level < 1:
            raise KepuError(f"'level' must lie strictly between 0 and 1; it is {self.level}.")


def intervals(p, variance, n, free, asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """Interval of shares by their design-based variance; missing without degrees of freedom.

    Parameters
    ----------
    p, variance : (D,) shares and variances. n : respondents. free : design degrees of freedom.

    Source
    ------
    Korn & Graubard (1998), Survey Methodology 24:193-201, the effective sample at most n (NCHS
    2017); the logit and Wilson intervals with quantiles of t as R's ``survey``.
    """
    low, high = np.full(len(p), np.nan), np.full(len(p), np.nan)
    known = (n >= 2) & (free >= 1) & np.isfinite(p)
    p, v, n, free = p[known], variance[known], n[known], free[known]
    # Nobody or everybody: no spread is seen, and the sample counts as it is (NCHS 2017).
    plain = (v <= 0) | (p <= 0) | (p >= 1)
    deff = np.where(plain, 1.0, v * n / np.where(plain, 1.0, p * (1 - p)))
    t = stats.t.ppf((1 + asked.level) / 2, free)
    if asked.interval == "korn_graubard":
        found = korn_graubard_interval(p, n, deff, free, asked.level)
    elif asked.interval == "wilson":
        # A quantile of t is the normal one on a sample smaller by the squared ratio.
        ratio = (t / normal_quantile(asked.level)) ** 2
        found = wilson_interval(p, n, deff * ratio, asked.level)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            half = np.where(plain, np.nan, t * np.sqrt(v) / (p * (1 - p)))
            found = expit(logit(p) - half), expit(logit(p) + half)
    low[known], high[known] = found
    return low, high


def rates(sample: Respondents, by: Sequence[str] = (), asked: Asked | None = None) -> pd.DataFrame:
    """Shares of people from each cut-off on, and the mean score, in every domain.

    Parameters
    ----------
    by : columns that divide the sample, as ``("region", "sex")``; empty for all of it.

    Returns
    -------
    The columns of ``by``, ``measure`` (``share_70``, ``mean``), ``estimate`` and ``se`` (shares
    from 0 to 1, the mean in points), ``low, high, n, deff, effective, free, units_few, method``.
    The design effect is the variance over that of n persons drawn with replacement.
    """
    asked = asked or Asked()
    values = {f"share_{cut:g}": f"(score >= {cut:.17g})::INTEGER" for cut in asked.cutoffs}
    totals = sample.totals(by, {**values, "mean": "score", "square": "score * score"})
    parts = [_measure(totals, name, asked) for name in [*values, "mean"]]
    labels = list(totals.labels.columns)
    found = pd.concat(parts, ignore_index=True)
    found["method"] = METHOD + (", calibrated" if sample.calibration else "")
    order = found.assign(place=np.tile(np.arange(len(totals.labels)), len(parts)))
    order = order.sort_values(["place"], kind="stable", ignore_index=True)
    return order[[*labels, *(c for c in order.columns if c not in (*labels, "place"))]]


def _measure(totals: Totals, name: str, asked: Asked) -> pd.DataFrame:
    estimate, z = totals.ratio(name)
    variance, n, free = totals.variance(z), totals.respondents(), totals.freedom()
    if name == "mean":
        spread = totals.ratio("square")[0] - estimate**2
        half = stats.t.ppf((1 + asked.level) / 2, np.maximum(free, 1)) * np.sqrt(variance)
        half = np.where(free >= 1, half, np.nan)
        low, high = estimate - half, estimate + half
    else:
        spread = estimate * (1 - estimate)
        low, high = intervals(estimate, variance, n, free, asked)
    with np.errstate(divide="ignore", invalid="ignore"):
        deff = np.where((spread > 0) & (variance > 0), variance * n / spread, np.nan)
    return totals.labels.assign(
        measure=name, estimate=estimate, se=np.where(free >= 1, np.sqrt(variance), np.nan),
        low=low, high=high, n=n.astype(int), deff=deff, effective=n / deff, free=free.astype(int),
    )  # fmt: skip


def differences(
    sample: Respondents, by: Sequence[str], over: str, pair: tuple[str, str],
    asked: Asked | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The second value of ``over`` less the first, as two waves, in each domain of ``by``.

    Primary units in both give their covariance. Returns the columns of ``by``, ``measure``,
    ``estimate, se, low, high, free, p`` (shares 0 to 1, interval and test by t).
    """
    asked = asked or Asked()
    values = {f"share_{cut:g}": f"(score >= {cut:.17g})::INTEGER" for cut in asked.cutoffs}
    totals = sample.totals([*by, over], {**values, "mean": "score"})
    frame, free = totals.labels, totals.freedom()
    absent = [value for value in pair if value not in set(frame[over])]
    if absent:
        raise KepuError(f"no respondent has {over} {absent[0]} — there are "
                        f"{', '.join(sorted(set(frame[over])))}")  # fmt: skip
    names = list(by) if len(by) != 1 else by[0]
    groups = frame.groupby(names, sort=True).groups if by else {(): frame.index}
    rows = []
    for name in [*values, "mean"]:
        estimate, z = totals.ratio(name)
        for key, places in groups.items():
            own = {frame.at[i, over]: i for i in places}
            if not set(pair) <= set(own):
                continue
            first, second = (own[value] for value in pair)
            contrast = np.zeros(len(frame))
            contrast[[first, second]] = -1, 1
            se = float(np.sqrt(totals.variance(z, contrast)[0]))
            label = key if isinstance(key, tuple) else (key,)
            rows.append([*label, name, estimate[second] - estimate[first], se,
                         min(free[first], free[second])])  # fmt: skip
    found = pd.DataFrame(rows, columns=[*by, "measure", "estimate", "se", "free"])
    t = stats.t.ppf((1 + asked.level) / 2, found["free"].clip(lower=1))
    half = (t * found["se"]).where(found["free"] >= 1)
    score = (found["estimate"] / found["se"]).abs()
    p = 2 * stats.t.sf(score, found["free"].clip(lower=1))
    return found.assign(low=found["estimate"] - half, high=found["estimate"] + half, p=p)


def quantiles(
    sample: Respondents, by: Sequence[str], shares: Sequence[float], level: float = 0.95
) -> pd.DataFrame:
    """Quantiles of the score with Woodruff's interval.

    The quantile is the least score at or below which at least the share of all weight lies (R's
    ``qrule="math"``); its interval inverts that of the share at or below it, by t (R's
    ``interval.type="mean"``); its standard error is the interval's width over twice the quantile
    of t.

    Returns the columns of ``by`` and ``share, estimate, se, low, high, n, free``.

    Source
    ------
    Woodruff (1952), JASA 47:635-646.
    """
    known = sample.known(by)
    prefix = f"{known}, " if by else ""
    curve = sample.query(
        f"SELECT {prefix}score, sum(w) AS w FROM {sample.view} GROUP BY {prefix}score ORDER BY ALL"
    )
    grouped = curve.groupby(list(by), observed=True, sort=True) if by else [((), curve)]
    curves = [(part["score"].to_numpy(), np.cumsum(part["w"].to_numpy())) for _, part in grouped]
    rows = []
    for share in shares:
        if not 0 < share < 1:
            raise KepuError(f"a quantile of {share} is none — give shares between 0 and 1")
        at = [_inverse(x, w, share) for x, w in curves]
        totals = _below(sample, by, at)
        reached, z = totals.ratio("below")
        free, se = totals.freedom(), np.sqrt(totals.variance(z))
        t = stats.t.ppf((1 + level) / 2, np.maximum(free, 1))
        ends = [
            [_inverse(x, w, np.clip(reached[i] + sign * t[i] * se[i], 0, 1)) for sign in (-1, 1)]
            for i, (x, w) in enumerate(curves)
        ]
        low, high = np.transpose(ends)
        rows.append(totals.labels.assign(
            share=share, estimate=at, se=(high - low) / (2 * t), low=low, high=high,
            n=totals.respondents().astype(int), free=free,
        ))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def _inverse(score: np.ndarray, below: np.ndarray, share: float) -> float:
    place = np.searchsorted(below, share * below[-1] * (1 - 1e-12))
    return float(score[min(place, len(score) - 1)])


def _below(sample: Respondents, by: Sequence[str], at: list[float]) -> Totals:
    """Totals of those at or below the score of their domain."""
    if not by:
        return sample.totals(by, {"below": f"(score <= {at[0]:.17g})::INTEGER"})
    names = sample.known(by)
    sample.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE domains AS SELECT row_number() OVER (ORDER BY {names}) AS k,"
        f" * FROM (SELECT DISTINCT {names} FROM {sample.view})"
    )
    listed = ", ".join(f"({k}, {value:.17g})" for k, value in enumerate(at, 1))
    joined = (
        f"JOIN (SELECT d.* EXCLUDE (k), v.cut FROM domains d JOIN (VALUES {listed}) v(k, cut) "
        f"USING (k)) limits USING ({', '.join(map(quoted, by))})"
    )
    return sample.totals(by, {"below": "(score <= cut)::INTEGER"}, joined)


def presentation(found: pd.DataFrame) -> pd.Series:
    """Whether a share may be published: ``publish``, ``flag`` (for review) or ``suppress``.

    The standard of the US National Center for Health Statistics: suppressed on fewer than 30
    respondents or effective ones, and where the Korn-Graubard interval is at least 30 points wide,
    or wider than 5 points and than 1.3 times the share. Flagged for review with fewer than 8
    degrees of freedom, at 0 or 100 percent, and where the complement would be suppressed.

    Parameters
    ----------
    found : shares of :func:`rates` with the interval ``korn_graubard``; a mean is published.

    Source
    ------
    Parker et al. (2017), Vital and Health Statistics 2(175).
    """
    p, width = found["estimate"], found["high"] - found["low"]
    effective = found["effective"].fillna(found["n"])
    middle = (width > NARROW) & (width < WIDE)
    wide = (width >= WIDE) | (middle & (width > RELATIVE * p)) | width.isna()
    few = (found["n"] < FEWEST) | (effective < FEWEST)
    odd = (
        (found["free"] < FEW_UNITS) | (p <= 0) | (p >= 1) | (middle & (width > RELATIVE * (1 - p)))
    )
    named = np.select([few | wide, odd], ["suppress", "flag"], "publish")
    return pd.Series(np.where(found["measure"] == "mean", "publish", named), found.index)
