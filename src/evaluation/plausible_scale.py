"""How far each figure lies from its neighbours in time and from its peers, on the data's own scale.

Shares are compared as 2 arcsin √p, on which the sampling error of a share does not depend on its
size; everything else as logarithms, on which a wrong unit or a lost digit is a constant.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

SHARE = "percent"
# The median absolute deviation of a normal sample times this is its standard deviation.
NORMAL = 1.4826
# Fewer peers than this do not tell what is common to a year, nor a region's place among them.
PEERS = 5
# From fewer deviations no scale can be told; see SCALE_UNKNOWN in ``plausible``.
SAMPLE = 12
ROUNDS = 4  # of median polish; later ones change nothing that is printed


def prepared(
    facts: pd.DataFrame, regions: pd.DataFrame, units: pd.DataFrame, countable: frozenset[str]
) -> pd.DataFrame:
    """Facts that can be compared, on the scale of comparison.

    Returns
    -------
    The columns of ``facts`` and ``share``, ``half`` (added before a logarithm, so that a count may
    be zero), ``y`` (transformed value), ``t`` (year), ``panel`` (figures of one indicator and
    kind), ``line`` (one series of one region and group), ``depth`` of the region below the nation.
    """
    half = np.where(facts["unit"].isin(countable), 0.5, 0.0)
    frame = facts.assign(share=facts["unit"] == SHARE, half=half, t=facts["year"].astype(float))
    keys = ["region_code", "series", "group", "kind"]
    frame["y"] = transformed(frame["value"], frame)
    frame = frame[frame["y"].notna() & frame["t"].notna()].copy()
    frame["panel"] = frame.groupby(["indicator", "unit", "kind"]).ngroup()
    frame["line"] = frame.groupby(keys).ngroup()
    # What is common to a year is told by regions, whatever definitions their figures follow.
    frame["place"] = frame.groupby(["panel", "region_code", "group"]).ngroup()
    frame["depth"] = frame["region_code"].map(depths(regions))
    frame["parent"] = frame["region_code"].map(regions.set_index("code")["parent_code"])
    return frame


def transformed(value: pd.Series, like: pd.DataFrame) -> pd.Series:
    """Values on the scale of comparison; missing where they have none (zero funds, losses)."""
    value = value.astype(float)
    share = 2 * np.arcsin(np.sqrt(value.clip(0, 100) / 100))
    positive = (value + like["half"]).where(value >= 0)
    logarithm = np.log(positive.where(positive > 0))
    return share.where(like["share"], logarithm)


def returned(y: pd.Series, like: pd.DataFrame) -> pd.Series:
    """Values in their own unit; the inverse of :func:`transformed`."""
    share = 100 * np.sin(y.clip(0, np.pi) / 2) ** 2
    return share.where(like["share"], (np.exp(y) - like["half"]).clip(lower=0))


def depths(regions: pd.DataFrame) -> dict[str, int]:
    """How many regions lie above each; a circle of parents ends where it began."""
    parents = dict(zip(regions["code"], regions["parent_code"], strict=True))
    found = {}
    for code in parents:
        above: list[str] = []
        while (code_above := parents.get(above[-1] if above else code, "")) and (
            code_above not in above
        ):
            above.append(code_above)
        found[code] = len(above)
    return found


def common(frame: pd.DataFrame) -> pd.Series:
    """What is common to all figures of a panel in a year, by median polish; zero where unknown.

    A year with few regions takes its value from the years beside it.
    """
    year = frame.groupby(["panel", "t"]).ngroup()
    known = frame.groupby(year)["place"].transform("nunique") >= PEERS
    place = pd.Series(0.0, frame.index)
    effect = place
    for _ in range(ROUNDS):
        effect = (frame["y"] - place).groupby(year).transform("median").where(known)
        place = (frame["y"] - effect).groupby(frame["place"]).transform("median").fillna(0)
    effect = effect.copy()
    told = frame.assign(effect=effect)[known].drop_duplicates(["panel", "t"]).sort_values("t")
    curves = {panel: (rows["t"], rows["effect"]) for panel, rows in told.groupby("panel")}
    for panel, rows in frame[~known].groupby("panel"):
        effect[rows.index] = np.interp(rows["t"], *curves[panel]) if panel in curves else 0.0
    return effect


def in_time(frame: pd.DataFrame, effect: pd.Series) -> pd.DataFrame:
    """Each figure beside the two nearest of its series, less what is common to the years.

    A figure alone in its series stands beside those of its region by other definitions.

    Returns
    -------
    Index of ``frame``, only rows with a neighbour; ``off`` (how far ``y`` lies beyond both
    neighbours, zero between them), ``scale`` (robust standard deviation of a difference over as
    many years), ``known`` (how many differences of the panel there are), ``t_a, t_b, v_a, v_b``
    (years and values of the neighbours, the second may be missing), ``own`` (one series).
    """
    cell = frame.assign(whole=frame["group"] == "").groupby(["panel", "depth", "whole"]).ngroup()
    rows = frame[["line", "place", "t", "panel", "value"]]
    rows = rows.assign(e=frame["y"] - effect, cell=cell)
    own = _neighbours(rows, "line")
    alone = rows[~rows.index.isin(own.index)]
    others = _neighbours(rows, "place").reindex(alone.index).dropna(subset="e_a")
    rows = rows.join(pd.concat([own.assign(own=True), others.assign(own=False)]), how="inner")
    a = rows["e"] - rows["e_a"]
    b = (rows["e"] - rows["e_b"]).fillna(a)
    nearer = a.abs() <= b.abs()
    rows["off"] = a.where(nearer, b).where(np.sign(a) == np.sign(b), 0.0)
    years = (rows["t"] - rows["t_a"].where(nearer, rows["t_b"])).abs()
    typical = (a.abs() + b.abs()) / 2
    rows["scale"] = _typical(typical, rows, years)
    rows["known"] = typical.groupby(rows["panel"]).transform("count")
    return rows[["off", "scale", "known", "t_a", "t_b", "v_a", "v_b", "own"]]


def _neighbours(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Year, value and level of the two nearest: before and after, or both on the one side."""
    points = rows.groupby([by, "t"], as_index=False).agg(v=("value", "first"), e=("e", "median"))
    at = {step: points.groupby(by)[["t", "v", "e"]].shift(step) for step in (2, 1, -1, -2)}
    first, second = at[1].fillna(at[-2]), at[-1].fillna(at[2])
    lone = first["e"].isna()
    first, second = first.where(~lone, second), second.mask(lone)
    near = points[[by, "t"]].join(first.add_suffix("_a")).join(second.add_suffix("_b"))
    joined = rows[[by, "t"]].reset_index().merge(near[first["e"].notna()], on=[by, "t"])
    return joined.set_index("index").drop(columns=[by, "t"])


def _typical(change: pd.Series, rows: pd.DataFrame, years: pd.Series) -> pd.Series:
    """Robust standard deviation of a change of such figures over as many years.

    It grows with the root of the years beyond the usual ones: up to these it is mostly the error
    of a figure, then what happened. ``cell`` of ``rows`` says whose changes are compared; where
    these are too few, those of the whole panel.
    """
    found = pd.Series(np.nan, rows.index)
    for by in ("cell", "panel"):
        root = np.sqrt((years / years.groupby(rows[by]).transform("median")).clip(lower=1))
        own = (change / root).groupby(rows[by])
        scale = NORMAL * own.transform("median") * root
        enough = own.transform("count") >= SAMPLE
        found = found.fillna(scale.where(enough) if by == "cell" else scale)
    return found


def beside_peers(frame: pd.DataFrame, effect: pd.Series, head: pd.Series) -> pd.DataFrame:
    """Each figure beside those of other regions at the same depth; amounts per resident.

    Parameters
    ----------
    head : logarithm of the residents, missing where not known. Whether a panel is an amount is
        told by its spread, which division by the residents makes smaller.

    Returns
    -------
    Index of ``frame``; ``off``, ``scale``, ``peers`` (how many other regions) and ``per_head``.
    """
    plain = _among(frame, frame["y"] - effect)
    divided = _among(frame, frame["y"] - effect - head)
    per_head = (divided["scale"] < plain["scale"]) & (divided["peers"] >= PEERS)
    return divided.where(per_head, plain).assign(per_head=per_head)


def _among(frame: pd.DataFrame, level: pd.Series) -> pd.DataFrame:
    """Deviations from the median of a depth, or of all groups, after what they are parts of.

    A region is part of the one above, a group of its region; where the whole is not known, those
    without a whole are compared with each other.
    """
    whole = frame["group"] == ""
    figures = level.groupby([frame["panel"], frame["region_code"], frame["group"]]).median()
    above = figures.reindex(
        pd.MultiIndex.from_arrays(
            [frame["panel"], frame["parent"].where(whole, frame["region_code"]), [""] * len(frame)]
        )
    ).to_numpy()
    within = ~np.isnan(above)
    level = level - np.where(within, above, 0.0)
    cell = frame.assign(whole=whole, within=within)
    cell = cell.groupby(["panel", "depth", "whole", "within"]).ngroup()
    # One place a region, so that long series do not outvote the others.
    place = level.groupby([cell, frame["place"]]).transform("median")
    once = place.where(~pd.DataFrame({"cell": cell, "place": frame["place"]}).duplicated())
    centre = once.groupby(cell).transform("median")
    scale = NORMAL * (once - centre).abs().groupby(cell).transform("median")
    peers = once.groupby(cell).transform("count") - 1
    return pd.DataFrame({"off": level - centre, "scale": scale, "peers": peers})
