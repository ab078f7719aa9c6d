"""Tile maps: one square a region, roughly where it lies. Tiles, not boundaries.

``tiles.csv`` gives row and column of each tile, its label (a bar marks where a Chinese name may
break) and the letters of GB/T 2260 that stand for it where there is little room. Position and
size say nothing of area. Hong Kong, Macao and Taiwan have tiles and, in these data, no figures;
their names stand in the table, those of all others come with the reports.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from evaluation.front.words import Pair


@dataclass(frozen=True)
class Tile:
    """A square of the grid; ``names`` is empty where the report names the region."""

    code: str
    row: int
    column: int
    label: Pair
    letters: str
    names: Pair | None


@cache
def layout(name: str) -> tuple[Tile, ...]:
    """The tiles of a set, ``provinces`` or ``inner_mongolia_leagues``; empty for any other."""
    with files("evaluation.front").joinpath("tiles.csv").open(encoding="utf-8") as handle:
        lines = [line for line in csv.DictReader(handle) if line["set"] == name]
    return tuple(
        Tile(
            line["code"],
            int(line["row"]),
            int(line["column"]),
            {"zh": line["label_zh"], "en": line["label_en"]},
            line["code_en"],
            {"zh": line["name_zh"], "en": line["name_en"]} if line["name_zh"] else None,
        )
        for line in lines
    )
