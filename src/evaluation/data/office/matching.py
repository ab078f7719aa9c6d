"""Which indicator a figure may be: by the words around it and by its unit.

Words are those of the package's own names (``indicators.csv``) and the phrases beside this file
(``indicator_words.csv``). A score is a share from 0 to 1: how much of what an indicator is called
stands near the figure, rare words counted more than frequent ones.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from evaluation.data.office.quantities import table

MOST, LEAST = 5, 0.12  # candidates named for a figure; score below which none is named
# Units that offices use one for another: a school is counted in 所 and in 个.
_ALIKE = (
    {
        "count",
        "school",
        "set",
        "vehicle",
        "team",
        "level",
        "work",
        "piece",
        "edition",
        "item",
        "session",
        "volume",
        "indicator",
    },
    {"session", "course", "edition", "item", "episode", "session_per_year"},
    {"person", "person_time", "person_time_per_year", "click"},
    {"article", "item", "episode", "work", "article_time", "item_time", "click", "piece"},
    {"ordinal", "edition"},
    {"percent", "percentage_point"},
)
_WANTED = frozenset(["target", "norm"])  # domains of what a plan wants
_PART = re.compile(r"[，。；、：:（）()“”\"《》/·\s]+")


@dataclass(frozen=True)
class Around:
    """Texts near a figure, each with the weight its words have: the nearer, the more.

    ``plan``: whether the document says what is wanted, not what is.
    """

    pieces: tuple[tuple[str, float], ...]
    unit: str
    plan: bool = False


@dataclass(frozen=True)
class Match:
    """An indicator a figure may be, with its score."""

    indicator: str
    score: float


def pairs(text: str) -> list[str]:
    """Signs of a text two by two, Latin words whole; nothing joins over a bracket or a comma."""
    found = []
    for part in _PART.split(text):
        for run in re.findall(r"[A-Za-z&]+|[^\x00-\x7f]+", part):
            found += (
                [run.lower()] if run.isascii() else [run[i : i + 2] for i in range(len(run) - 1)]
            )
    return found


@dataclass(frozen=True)
class Matcher:
    """Indicators of one package.

    Parameters
    ----------
    indicators : ``indicators.csv``: indicator, label_zh, label_en, unit, domain.
    units : ``units.csv``: unit, base_unit.
    """

    indicators: pd.DataFrame
    units: pd.DataFrame

    @cached_property
    def bases(self) -> dict[str, str]:
        return dict(zip(self.units["unit"], self.units["base_unit"], strict=True))

    @cached_property
    def unit_of(self) -> dict[str, str]:
        units = (self.bases.get(unit, unit) for unit in self.indicators["unit"])
        return dict(zip(self.indicators["indicator"], units, strict=True))

    @cached_property
    def domain_of(self) -> dict[str, str]:
        return dict(zip(self.indicators["indicator"], self.indicators["domain"], strict=True))

    @cached_property
    def names(self) -> dict[str, dict[str, float]]:
        """Pairs of each indicator's names with their weights; words in brackets count less."""
        found = {}
        labels = self.indicators[["indicator", "label_zh", "label_en"]].itertuples(index=False)
        for indicator, chinese, english in labels:
            outside = re.sub(r"[（(].*?[）)]", " ", f"{chinese} ")
            weights = dict.fromkeys(pairs(chinese), 0.25)
            weights |= dict.fromkeys(pairs(outside), 1.0)
            found[indicator] = weights
            found[f"{indicator}\0en"] = dict.fromkeys(pairs(english), 1.0)
        return found

    @cached_property
    def rarity(self) -> dict[str, float]:
        seen = Counter(pair for name in self.names.values() for pair in name)
        return {pair: math.log(1 + len(self.names) / count) for pair, count in seen.items()}

    @cached_property
    def holders(self) -> dict[str, list[tuple[str, float]]]:
        """The names each pair is in."""
        found: dict[str, list[tuple[str, float]]] = {}
        for key, name in self.names.items():
            for pair, own in name.items():
                found.setdefault(pair, []).append((key, own))
        return found

    @cached_property
    def length(self) -> dict[str, float]:
        """The rarity of all pairs of a name together."""
        return {key: sum(self.rarity[pair] * own for pair, own in name.items())
                for key, name in self.names.items()}  # fmt: skip

    @cached_property
    def phrases(self) -> list[dict[str, str]]:
        """The rows of ``indicator_words.csv`` that are of an indicator of this package."""
        return [row for row in table("indicator_words.csv") if row["indicator"] in self.unit_of]

    def rank(self, around: Around) -> list[Match]:
        """Indicators of a unit that fits, the best first, at most ``MOST``."""
        scores: dict[str, float] = {}
        for key, near in self._near(_weights(around.pieces)).items():
            indicator = key.partition("\0")[0]
            # Long names are never said whole, short ones easily: a little of the length counts.
            covered = near / self.length[key] ** 0.8 / 4
            fit = self._fit(around.unit, self.unit_of[indicator])
            if fit:
                scores[indicator] = max(fit * covered, scores.get(indicator, 0.0))
        for row in self.phrases:
            if fit := self._fit(around.unit, self.unit_of[row["indicator"]]):
                said = fit * _said(row, around.pieces)
                named = scores.get(row["indicator"], 0.0)
                scores[row["indicator"]] = max(named, 0.8 * said + 0.3 * named)
        for name in scores:
            if (self.domain_of[name] in _WANTED) != around.plan:
                scores[name] *= 0.85
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:MOST]
        return [Match(name, round(min(score, 1.0), 3)) for name, score in best if score >= LEAST]

    def _fit(self, unit: str, other: str) -> float:
        """1 for the same unit, less for one that is used for it, 0 for any other."""
        unit = self.bases.get(unit, unit)
        if unit == other or not unit:
            return 1.0
        return 0.75 if any(unit in group and other in group for group in _ALIKE) else 0.0

    def _near(self, weights: dict[str, float]) -> dict[str, float]:
        """How much of each name is said nearby, by the rarity of its pairs."""
        near: dict[str, float] = {}
        for pair, weight in weights.items():
            for key, own in self.holders.get(pair, ()):
                near[key] = near.get(key, 0.0) + self.rarity[pair] * own * weight
        return near


def _weights(pieces: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text, weight in pieces:
        for pair in pairs(text):
            found[pair] = max(weight, found.get(pair, 0.0))
    return found


def _said(row: dict[str, str], pieces: tuple[tuple[str, float], ...]) -> float:
    """Weight of the nearest place where a phrase is said; all parts joined by + have to be."""
    if row["without"] and any(word in text for text, weight in pieces if weight >= 0.9
                              for word in row["without"].split("|")):  # fmt: skip
        return 0.0
    best = 0.0
    for phrase in row["words"].split("|"):
        parts = [max((w for text, w in pieces if part in text), default=0.0)
                 for part in phrase.split("+")]  # fmt: skip
        best = max(best, sum(parts) / len(parts) if all(parts) else 0.0)
    return best
