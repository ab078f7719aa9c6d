"""The specification curve: every reasonable specification of an estimate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy import sparse

from evaluation.base.errors import ModelError
from evaluation.evidence.checks import BREAK, Estimated, check
from evaluation.evidence.grade import DEPARTING_SHARE
from evaluation.stats.least_squares import Equation, basis, solve_many
from evaluation.stats.permutation import TIE, p_value

# The reasonable specifications of one estimate, listed before any is fitted.
TRANSFORMATIONS = ("log2", "level", "z")
# A wave is left out in its turn if it holds this share of the rows; smaller ones change nothing.
LARGE_WAVE = 0.1
# Subsets of covariates are all taken up to this many covariates (2 to the power of 6 = 64).
MAXIMUM_COVARIATES = 6


@dataclass(frozen=True, eq=False)
class Curve:
    """The common sample of all specifications, and what they choose from.

    Attributes
    ----------
    equations : of the estimate. doses : transformation -> (N,) first dose, per s.d. between rows
        after the effects are taken out. flagged : (N,) gain crosses a break.
    masks : list of (break gains in or out, wave left out or empty, (N,) bool).
    """

    equations: Equation
    doses: dict[str, np.ndarray]
    masks: list[tuple[str, str, np.ndarray]]


def _level(values: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """The dose as log2 and as level; a dose not on the log scale needs to be positive for log2."""
    if name.startswith("log2_"):
        return {"log2": values, "level": np.exp2(values)}
    forms = {"log2": np.log2(values)} if (values > 0).all() else {}
    return forms | {"level": values}


def _standard(values: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Standard score within each wave; 0 where a wave has no spread."""
    groups = pd.Series(values).groupby(waves)
    spread = groups.transform("std").to_numpy()
    centred = values - groups.transform("mean").to_numpy()
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)


def _per_sd(values: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """Scaled to unit standard deviation after the effects, so that estimates share one unit."""
    rest = values - effects @ np.linalg.lstsq(effects, values, rcond=None)[0]
    return values / rest.std()


def _masks(context: Estimated, eqs: Equation) -> list[tuple[str, str, np.ndarray]]:
    flagged = np.zeros(len(eqs.y), dtype=bool)
    if BREAK in context.panel.columns:
        flagged = context.panel[BREAK].to_numpy(dtype=bool)[eqs.rows]
    periods = eqs.periods.astype(str)
    names, counts = np.unique(periods, return_counts=True)
    large = names[counts >= LARGE_WAVE * len(eqs.y)]
    masks: dict[bytes, tuple[str, str, np.ndarray]] = {}
    for breaks, left in product(("in", "out"), ("", *large)):
        keep = (periods != left) & ~(flagged & (breaks == "out"))
        masks.setdefault(keep.tobytes(), (breaks, left, keep))
    return [entry for entry in masks.values() if entry[2].any()]


def curve(context: Estimated) -> Curve:
    """Everything the specifications are built from, on the rows complete in all covariates.

    One sample for all of them, so that they differ in what they specify and in nothing else.
    """
    eqs = context.equations()
    # As it came, not centred: a level has no logarithm once it is.
    raw = context.panel[context.roles.dose].to_numpy(dtype=float)[eqs.rows]
    forms = _level(raw, context.roles.dose)
    forms["z"] = _standard(forms["level"], eqs.periods)
    effects = eqs.matrix[:, : eqs.effects]
    doses = {k: _per_sd(forms[k], effects) for k in TRANSFORMATIONS if k in forms}
    return Curve(eqs, doses, _masks(context, eqs))


def subsets(context: Estimated) -> list[tuple[str, ...]]:
    """All subsets of the declared covariates; of more than six, none, each alone, all but each."""
    names = tuple(context.roles.covariates)
    sizes = range(len(names) + 1)
    if len(names) > MAXIMUM_COVARIATES:
        sizes = (0, 1, len(names) - 1, len(names))
    return [chosen for size in sizes for chosen in combinations(names, size)]


def specifications(
    context: Estimated, parts: Curve
) -> Iterator[tuple[dict[str, str], list[int], np.ndarray]]:
    """What each specification chooses by name, positions of its columns, and (N,) its rows."""
    eqs = parts.equations
    weightings = ("none",) if eqs.variance is None else ("known_variance", "none")
    others = range(len(eqs.names) - eqs.doses, len(eqs.names) - 1)
    for chosen, weighting, mask in product(subsets(context), weightings, parts.masks):
        breaks, left_out, rows = mask
        names = {
            "covariates": " + ".join(chosen),
            "weights": weighting,
            "breaks": breaks,
            "wave_left_out": left_out,
        }
        yield names, [*range(eqs.effects), *map(eqs.names.index, chosen), *others], rows


# Specification curve with a joint permutation test over region trajectories.
def dealings(eqs: Equation, draws: int, seed: int) -> tuple[np.ndarray, int]:
    """Row orders that deal whole trajectories between regions observed in the same waves.

    Returns
    -------
    (draws + 1, N) positions, the observed order first, and the number of regions that can move.
    """
    frame = pd.DataFrame({"region": eqs.codes, "wave": eqs.periods.astype(str)})
    if frame.duplicated().any():
        raise ModelError("A region is observed twice in one wave; trajectories are not defined.")
    frame["row"] = np.arange(len(frame))
    table = frame.pivot(index="region", columns="wave", values="row")
    patterns: dict[bytes, list[int]] = {}
    for region, seen in enumerate(table.notna().to_numpy()):
        patterns.setdefault(seen.tobytes(), []).append(region)
    groups = [np.array(members) for members in patterns.values() if len(members) > 1]
    if not groups:
        raise ModelError("No two regions are observed in the same waves: nothing can be dealt.")
    rng = np.random.default_rng(seed)
    order = np.tile(np.arange(len(table)), (draws + 1, 1))
    for members in groups:
        order[1:, members] = rng.permuted(order[1:, members], axis=1)
    rows = np.nan_to_num(table.to_numpy(), nan=-1).astype(int)
    columns = table.columns.get_indexer(frame["wave"])
    return rows[order[:, frame["region"]], columns], sum(map(len, groups))


def _root(eqs: Equation, X: np.ndarray, rows: np.ndarray, weighting: str) -> sparse.csr_array:
    """W of one specification on its rows, (rows, N).

    σ² is that of the equation without its dose, so that every dealing is treated alike.
    """
    pick = sparse.eye_array(len(rows), format="csr")[np.flatnonzero(rows)]
    if weighting == "none":
        return pick
    part = replace(eqs, X=X).subset(rows)
    if len(part.y) <= basis(part.matrix).shape[1]:
        return pick
    return part.root @ pick


def slopes(
    eqs: Equation, columns: list[int], rows: np.ndarray, weighting: str, dealt: Iterable[np.ndarray]
) -> Iterator[np.ndarray]:
    """Coefficients (B,) of each dose dealt (N, B) in one specification; missing if absorbed."""
    X = eqs.matrix[:, columns]
    root = _root(eqs, X, rows, weighting)
    q, y = basis(root @ X), root @ eqs.y
    rest = y - q @ (q.T @ y)
    few = rows.sum() <= X[rows].any(axis=0).sum() + 1
    for values in dealt:
        dose = root @ values
        total = (dose**2).sum(axis=0)
        left = total - ((q.T @ dose) ** 2).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            known = (left > 1e-9 * total) & ~few
            yield np.where(known, rest @ dose / left, np.nan)


def estimates(context: Estimated, parts: Curve, draws: int, seed: int):
    """All specifications on the observed and the dealt trajectories.

    Returns
    -------
    table of specifications with ``estimate`` (per s.d. of the dose), estimates on the dealings
    (specifications, draws), and the number of regions that can exchange.
    """
    eqs = parts.equations
    order, moved = dealings(eqs, draws, seed)
    dealt = {name: dose[order].T for name, dose in parts.doses.items()}
    rows, values = [], []
    for names, columns, kept in specifications(context, parts):
        count = int(kept.sum())
        rows += [{**names, "transformation": name, "observations": count} for name in dealt]
        values += slopes(eqs, columns, kept, names["weights"], dealt.values())
    values = np.array(values)
    table = pd.DataFrame(rows).assign(estimate=values[:, 0])
    known = table["estimate"].notna().to_numpy()
    return table[known].reset_index(drop=True), values[known, 1:], moved


def departing(context: Estimated, parts: Curve) -> float:
    """Share of the specifications of the dose as declared that lie farther from the headline than
    the reference effect.

    All of them contain the dose in one form, so an effect of whatever size moves all alike and the
    share tells nothing of it. σ² is that of the specification, its dose included.
    """
    eqs, shifts = parts.equations, []
    for names, columns, kept in specifications(context, parts):
        part = replace(eqs, X=eqs.X.iloc[:, [*columns, len(eqs.names) - 1]]).subset(kept)
        if names["weights"] == "none":
            part = replace(part, variance=None, covariance=None)
        if kept.sum() > len(part.names):
            white = part.white
            b = solve_many(white.y, white.matrix, np.ones((1, len(white.y)))).coefficients
            shifts.append(abs(float(b[0, -1]) - context.result.estimate))
    known = np.array([shift for shift in shifts if np.isfinite(shift)])
    if not known.size:
        raise ModelError("No specification identifies the dose.")
    return float((known > context.interest).mean())


@check("specification_curve", linear=True)
def specification_curve(context: Estimated):
    """Covariate subsets x dose scale x weights x break gains in or out x waves left out.

    Fails if more than a quarter of the specifications of the dose as declared lie farther from the
    headline than the reference effect. The joint test asks how often the absolute
    median of all specifications is as large when whole region trajectories of the dose are dealt
    anew: p = (1 + k) / (1 + B) (Simonsohn, Simmons & Nelson 2020, Nature Human Behaviour
    4:1208-1214). Its estimates are per standard deviation of the dose on its own scale; their
    weights leave the dose out of σ², so the headline's differ by a little.
    """
    parts = curve(context)
    table, dealt, moved = estimates(context, parts, context.draws, context.inference.seed)
    if table.empty:
        raise ModelError("No specification identifies the dose.")
    median, share = float(table["estimate"].median()), departing(context, parts)
    medians = np.abs(np.nanmedian(dealt, axis=0))
    extreme = int(np.count_nonzero(~(medians < abs(median) * (1 - TIE))))
    opposite = float((np.sign(table["estimate"]) != np.sign(context.result.estimate)).mean())
    values = {
        "count": len(table),
        "departing_share": share,
        "smallest": context.interest,
        "opposite_share": opposite,
        "median": median,
        "low": float(table["estimate"].min()),
        "high": float(table["estimate"].max()),
        "p": p_value(extreme, dealt.shape[1]),
        "draws": dealt.shape[1],
        "moved": moved,
    }
    return share <= DEPARTING_SHARE, values, table.to_dict("records")
