"""Simulated packages through the whole chain: how often each design says what, with which locks.

    python benchmarks/designs.py --packages 200 --processes 2 --cells randomised,continuous

Every package is written to disk, loaded with its contract checked, estimated and graded; what is
counted is the sentence the grade permits. Cells that are interrupted go on where they were.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from evaluation.data.package import load
from evaluation.data.rollout import WITHOUT, Scheme, Survey, write_package
from evaluation.data.simulate import Truth
from evaluation.data.tables import package_hash
from evaluation.evidence.designs import designs
from evaluation.evidence.grade import permitted
from evaluation.evidence.headline import headline
from evaluation.models.panels import panels
from evaluation.survey import panel

ROOT = Path(__file__).resolve().parents[1] / "data"
# Doses that move from survey to survey: an input that stays has no time before it.
MOVING = Truth(persistence=0.5, opening_effect=0.0)
CONTINUOUS = ("facility", "personnel", "activity")
PHASES = (0, 2016, 2018, 2020)


@dataclass(frozen=True)
class Cell:
    """A design: level and number of regions, scheme (none: a continuous dose), its effects."""

    level: str
    regions: int
    scheme: Scheme | None
    effects: dict[str, float]
    survey: Survey = field(default_factory=Survey)


POINTS = {"null": 0.0, "moderate": 1.0, "large": 3.0}
CELLS = {
    "randomised": Cell("county", 100, Scheme("randomised", (0, 2018)), POINTS),
    "phased_counties": Cell("county", 100, Scheme("phased_in", PHASES), POINTS),
    "phased_leagues": Cell("league", 12, Scheme("phased_in", PHASES), POINTS),
    "one_province": Cell("province", 31, Scheme("chosen", (2018, *[0] * 30)), POINTS),
    "continuous": Cell(
        "province", 31, None, {"null": 0.0, "moderate": 0.15, "large": 0.3}, Survey(smallest=0.3)
    ),
}  # fmt: skip


def one(name: str, effect: float, draws: int, seed: int) -> dict:
    """One package of a cell: estimate, interval, locks, the key of the sentence, what it took."""
    cell = CELLS[name]
    codes = _codes(cell.level)[: cell.regions]
    with tempfile.TemporaryDirectory() as folder:
        scheme = cell.scheme and replace(cell.scheme, effect=effect)
        doses = dict.fromkeys(CONTINUOUS, effect) if scheme is None else {}
        truth = replace(Truth(**WITHOUT) if scheme else MOVING, **(doses | {"fund": 0.0}))
        write_package(ROOT, Path(folder), codes, scheme, truth=truth, survey=cell.survey, seed=seed)
        data = load(folder)
    if scheme is None:
        found = headline(data, panels(data), draws=draws, seed=seed)
        result, grade, verdict, of = found.result, found.grade, found.result.verdict, "dose"
    else:
        found = designs(data, panel.rates(data), draws=draws, seed=seed)[0]
        if found.result is None:
            return {"seed": seed, "reason": found.reason}
        result, grade, verdict, of = found.result, found.grade, found.verdict, "programme"
    return {
        "seed": seed, "estimate": result.estimate, "low": result.low, "high": result.high,
        "locks": grade.locks, "said": permitted(grade, verdict, "en", of=of), "verdict": verdict,
        "moved": [part.key.removeprefix("evidence.") for part in grade.components[1:]],
    }  # fmt: skip


@cache
def _codes(level: str) -> list[str]:
    """Codes of the regions of a level in the main package, of which no figure is used."""
    kinds = load(ROOT, checked_hash=package_hash(ROOT)).kinds
    return kinds.index[kinds == level].tolist()


def run(name: str, label: str, count: int, processes: int, draws: int, kept: Path) -> list[dict]:
    """The packages of a cell, those already kept not made again."""
    file = kept / f"{name}-{label}.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {row["seed"] for row in rows}
    left = [seed for seed in range(1, count + 1) if seed not in done]
    make = partial(one, name, CELLS[name].effects[label], draws)
    with multiprocessing.get_context("spawn").Pool(processes) as pool, file.open("a") as stream:
        for row in pool.imap_unordered(make, left):
            stream.write(json.dumps(row) + "\n")
            stream.flush()
            rows.append(row)
    return [row for row in rows if row["seed"] <= count]


def line(name: str, label: str, rows: list[dict]) -> str:
    """One row of the table: bias, coverage, claims, locks, sentences, what took locks."""
    fitted = [row for row in rows if "estimate" in row]
    truth = CELLS[name].effects[label]
    values = np.array([[row[key] for key in ("estimate", "low", "high")] for row in fitted])
    if CELLS[name].scheme is None and truth:
        truth = float(values[:, 0].mean())  # the slope of the composite has no closed form
    cover = (values[:, 1] <= truth) & (truth <= values[:, 2])
    claims = np.array([row["verdict"] != "unknown" for row in fitted])
    locks = Counter(row["locks"] for row in fitted)
    said = Counter(row["said"].removeprefix("evidence.says.") for row in fitted)
    moved = Counter(key for row in fitted for key in row["moved"])
    cells = [
        name, label, str(len(rows)), f"{values[:, 0].mean() - truth:+.3f}", _share(cover),
        _share(claims), _shares(locks, len(fitted)), _shares(said, len(fitted)),
        _shares(moved, len(fitted)),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _share(held: np.ndarray) -> str:
    """A share with its exact (Clopper-Pearson) 95 % Monte Carlo interval."""
    low, high = proportion_confint(held.sum(), len(held), method="beta")
    return f"{held.mean():.0%} ({100 * low:.0f}–{100 * high:.0f})"


def _shares(counts: Counter, total: int) -> str:
    return ", ".join(f"{key} {count / total:.0%}" for key, count in sorted(counts.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--draws", type=int, default=499)
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--effects", default="null,moderate,large")
    parser.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "designs")
    given = parser.parse_args()
    given.kept.mkdir(parents=True, exist_ok=True)
    print("| design | effect | packages | bias | coverage | claims | locks | said | moved |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in given.cells.split(","):
        for label in [each for each in CELLS[name].effects if each in given.effects.split(",")]:
            rows = run(name, label, given.packages, given.processes, given.draws, given.kept)
            print(line(name, label, rows), flush=True)


if __name__ == "__main__":
    main()
