"""How many typing slips `evaluation.data.plausible` names: in cells chosen at random.

Run: python benchmarks/plausible.py [slips] [seed] [1: one at a time, 0: one of each kind at once]
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import slips  # noqa: E402
from evaluation.data import package, plausible  # noqa: E402


def measure(dataset, drawn) -> tuple[Counter, Counter, list]:
    """Slips planted and slips named, by kind, and those missed; one evaluation an item."""
    planted, named, missed = Counter(), Counter(), []
    for chosen in drawn:
        found = {w.fact_id for w in plausible.warnings(slips.plant(dataset, chosen))}
        for kind, index in chosen:
            planted[kind] += 1
            named[kind] += (hit := dataset.facts.at[index, "fact_id"] in found)
            missed += [] if hit else [(kind, index)]
    return planted, named, missed


def show(title: str, planted: Counter, named: Counter) -> None:
    """Print shares by kind and in all."""
    print(title)
    for kind in planted:
        print(
            f"  {kind:24} {named[kind]:4} of {planted[kind]:4}  {named[kind] / planted[kind]:.0%}"
        )
    total = planted.total()
    print(f"  {'all':24} {named.total():4} of {total:4}  {named.total() / total:.1%}")


def main() -> None:
    """Measure the committed data, then its provincial rates with one source."""
    count, seed, alone = (*map(int, sys.argv[1:]), *(500, 1, 1)[len(sys.argv) - 1 :])
    dataset = package.load(ROOT / "data")
    facts = dataset.facts
    print(f"{len(plausible.warnings(dataset))} warnings on {len(facts):,} facts as they are")
    drawn = list(slips.draw(dataset, count, seed))
    if alone:
        drawn = [[slip] for chosen in drawn for slip in chosen]
    planted, named, missed = measure(dataset, drawn)
    show(f"{count} slips in random cells, seed {seed}", planted, named)
    for kind, index in missed:
        row = facts.loc[index]
        print("  missed:", kind, row["fact_id"], row["indicator"], row["period_end"], row["value"])
    provinces = dataset.regions.loc[dataset.regions["level"] == "province", "code"]
    single = facts["region_code"].isin(provinces) & (facts["corroborated"] == 1)
    masks = slips.cells(dataset)
    kinds = {k: where for k, (where, _) in slips.SLIPS.items() if "rate" in where}
    each = [[(k, i)] for k, where in kinds.items() for i in facts.index[single & masks[where]]]
    show("provincial rates with one source", *measure(dataset, each)[:2])


if __name__ == "__main__":
    main()
