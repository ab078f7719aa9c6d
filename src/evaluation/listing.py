"""What ``kepu list`` shows: rows of regions, sets, indicators and batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.errors import KepuError
from evaluation.project import read_batch

Rows = tuple[Sequence[str], list[tuple[Any, ...]]]


def regions(dataset: Any) -> Rows:
    """Every region with its names, its level and the sets it belongs to."""
    sets = dataset.region_sets.groupby("code")["set"].agg(", ".join)
    rows = [
        (row.code, row.name_zh, row.name_en, row.level, sets.get(row.code, ""))
        for row in dataset.regions.itertuples()
    ]
    return ("code", "zh", "en", "level", "sets"), rows


def sets(dataset: Any) -> Rows:
    """Every set of regions with its size and its first members."""
    grouped = dataset.region_sets.groupby("set", sort=False)["code"]
    rows = [
        (name, len(codes), ", ".join(codes.iloc[:4]) + (" …" if len(codes) > 4 else ""))
        for name, codes in grouped
    ]
    return ("set", "regions", "codes"), rows


def indicators(dataset: Any) -> Rows:
    """Every indicator with its labels, unit and domain."""
    frame = dataset.indicators[["indicator", "label_zh", "label_en", "unit", "domain"]]
    return ("indicator", "zh", "en", "unit", "domain"), list(frame.itertuples(index=False))


def batches(folder: Path) -> Rows:
    """Every batch file with its titles."""
    rows = []
    for path in sorted(folder.glob("*.yml")):
        title = read_batch(path).get("title")
        shown = title if isinstance(title, dict) else {}
        rows.append((path.stem, shown.get("zh", ""), shown.get("en", "")))
    if not rows:
        raise KepuError(f"no batch file in {folder} — write one, see the README")
    return ("batch", "zh", "en"), rows
