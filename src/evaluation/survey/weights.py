"""Weights of a sample: fitted to census margins, trimmed, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from evaluation.base.errors import KepuError
from evaluation.survey.linear import Calibrated
from evaluation.survey.respondents import Respondents, quoted

ROUNDS, CONVERGED = 1000, 1e-10
# Margins of one census agree to the last person; those of two tables of it to rounding.
AGREE = 1e-4


def rake(sample: Respondents, margins: Sequence[pd.DataFrame]) -> Respondents:
    """Fit weights to margins by iterative proportional fitting; one margin post-stratifies.

    Parameters
    ----------
    margins : each with its columns (as ``region, sex``) and ``total``, the people in each cell.

    Returns
    -------
    The sample with weights whose totals are the margins'; variances then are those of residuals.

    Raises
    ------
    KepuError : margins that do not fit the sample or each other, or no convergence.

    Source
    ------
    Deming & Stephan (1940), Annals of Mathematical Statistics 11:427-444.
    """
    if sample.calibration is not None:
        raise KepuError("these weights are calibrated already — give all margins at once")
    columns = list(dict.fromkeys(c for m in margins for c in m.columns if c != "total"))
    names = sample.known(columns)
    cells = sample.query(
        f"SELECT {names}, sum(w) AS w FROM {sample.view} GROUP BY {names} ORDER BY ALL"
    )
    cells[columns] = cells[columns].astype(str)
    codes, totals = zip(*(_margin(cells, m) for m in margins), strict=True)
    whole = [total.sum() for total in totals]
    if max(whole) - min(whole) > AGREE * max(whole):
        told = ", ".join(f"{value:,.0f}" for value in whole)
        raise KepuError(f"the margins add up to different numbers ({told}) — take one census")
    factor = _fitted(cells["w"].to_numpy(), codes, totals)
    starts = np.cumsum([0, *(len(total) for total in totals)])
    place = np.concatenate([c + s for c, s in zip(codes, starts[:-1], strict=True)])
    rows = np.tile(np.arange(len(cells)), len(codes))
    shape = (len(cells), int(starts[-1]))
    margin = sparse.csr_array((np.ones(len(rows)), (rows, place)), shape)
    return _joined(sample, cells[columns].assign(g=factor), columns, Calibrated(margin, factor))


def _margin(cells: pd.DataFrame, margin: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The row of a margin that each cell belongs to, and the margin's totals."""
    keys = [c for c in margin.columns if c != "total"]
    told, wanted = " × ".join(keys), margin["total"].to_numpy(float)
    if not keys or not np.all(np.isfinite(wanted) & (wanted > 0)):
        raise KepuError(f"margin {told}: needs its columns, and totals above 0")
    rows = pd.MultiIndex.from_frame(margin[keys].astype(str))
    if rows.has_duplicates:
        raise KepuError(f"margin {told}: a cell stands twice — give each once")
    code = rows.get_indexer(pd.MultiIndex.from_frame(cells[keys]))
    for missing, message in (
        (cells.loc[code < 0, keys].to_numpy(), "the sample has {} and the margin has not"),
        (margin.loc[~np.isin(np.arange(len(wanted)), code), keys].to_numpy(),
         "nobody in the sample is {} — join it with a neighbour"),
    ):  # fmt: skip
        if len(missing):
            raise KepuError(f"margin {told}: {message.format(' '.join(map(str, missing[0])))}")
    return code, wanted


def _fitted(weight: np.ndarray, codes, totals) -> np.ndarray:
    factor = np.ones(len(weight))
    for _ in range(ROUNDS):
        worst = 0.0
        for code, total in zip(codes, totals, strict=True):
            ratio = total / np.bincount(code, weight * factor, len(total))
            factor *= ratio[code]
            worst = max(worst, np.abs(ratio - 1).max())
        if worst < CONVERGED or len(codes) == 1:
            return factor
    raise KepuError(f"raking does not converge in {ROUNDS} rounds — join small cells of margins")


def _joined(sample: Respondents, cells, columns, calibration: Calibrated) -> Respondents:
    view = f"{sample.view}_raked"
    cells = cells.assign(cell=np.arange(len(cells)))
    sample.connection.register("given_cells", cells)
    on = " AND ".join(f"p.{quoted(c)} = c.{quoted(c)}" for c in columns)
    kinds = ", ".join(f"CAST({quoted(c)} AS {quoted(f'type_{c}')}) AS {quoted(c)}" for c in columns)
    sample.connection.execute(
        f"CREATE OR REPLACE TABLE {view}_cells AS SELECT {kinds}, g, cell FROM given_cells"
    )
    sample.connection.unregister("given_cells")
    select = (
        f"SELECT p.* REPLACE (p.w * c.g AS w), c.cell FROM {sample.view} p JOIN {view}_cells c "
        f"ON {on}"
    )
    return sample.again(view, select, calibration)


def trim(sample: Respondents, most: float, within: Sequence[str] = ()) -> Respondents:
    """Cut weights at ``most`` times the mean weight of their group; the group's total is kept.

    Some may end above the cap by the factor that restores the total. Trim before calibrating.
    """
    if sample.calibration is not None or not most > 1:
        raise KepuError("trim before calibrating, at more than 1 times the mean weight")
    over = f"PARTITION BY {sample.known(within)}" if within else ""
    view, cap = f"{sample.view}_cut", f"least(w, {most:.17g} * avg(w) OVER ({over}))"
    select = (
        f"SELECT * EXCLUDE (w, cut), cut * sum(w) OVER ({over}) / sum(cut) OVER ({over}) AS w "
        f"FROM (SELECT *, {cap} AS cut FROM {sample.view})"
    )
    return sample.again(view, select, None)


def diagnose(sample: Respondents, by: Sequence[str] = ()) -> pd.DataFrame:
    """Weights by group: respondents, total, extremes, coefficient of variation, effective n.

    ``deff`` is Kish's 1 + cv², what unequal weights alone cost; ``effective`` is (Σw)² / Σw².
    """
    names = sample.known(by)
    found = sample.query(
        f"SELECT {names + ',' if by else ''} count(*) AS n, sum(w) AS total, min(w) AS least, "
        "max(w) AS most, stddev_pop(w) / avg(w) AS cv, sum(w) ** 2 / sum(w * w) AS effective "
        f"FROM {sample.view} {f'GROUP BY {names} ORDER BY {names}' if by else ''}"
    )
    return found.assign(deff=found["n"] / found["effective"])
