"""How many typing slips `evaluation.plausible` names: one at a time, in cells chosen at random.

Run: python benchmarks/plausible.py [slips] [seed] [slips planted at once]
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import slips  # noqa: E402

from evaluation import data, plausible  # noqa: E402


def measure(dataset, count: int, seed: int, batch: int, only=None, missed=None) -> tuple:
    """Slips planted and slips named, by kind."""
    planted, named = Counter(), Counter()
    for kind, rows, changed in slips.planted(dataset, count, seed, batch, only):
        found = {warning.fact_id for warning in plausible.warnings(changed)}
        ids = dataset.facts.loc[rows, "fact_id"]
        planted[kind] += len(ids)
        named[kind] += int(ids.isin(found).sum())
        if missed is not None:
            missed += [(kind, i) for i in rows if dataset.facts.at[i, "fact_id"] not in found]
    return planted, named


def show(title: str, planted: Counter, named: Counter) -> None:
    """Print shares by kind and in all."""
    print(title)
    for kind in planted:
        print(f"  {kind:24} {named[kind]:4} of {planted[kind]:4}  {named[kind] / planted[kind]:.0%}")
    total = planted.total()
    print(f"  {'all':24} {named.total():4} of {total:4}  {named.total() / total:.1%}")


def main() -> None:
    """Measure the committed data, then its provincial rates with one source."""
    count, seed, batch = (int(a) for a in [*sys.argv[1:], *("500", "1", "1")[len(sys.argv) - 1 :]])
    dataset = data.load(ROOT / "data")
    facts = dataset.facts
    found = plausible.warnings(dataset)
    print(f"{len(found)} warnings on {len(facts):,} facts as they are")
    missed: list = []
    show("random cells", *measure(dataset, count, seed, batch, missed=missed))
    for kind, index in missed:
        row = facts.loc[index]
        print("    missed:", kind, row["fact_id"], row["indicator"], row["period_end"], row["value"])
    provinces = dataset.regions.loc[dataset.regions["level"] == "province", "code"]
    single = (facts["corroborated"] == 1) & ~facts["source_id"].str.contains(";")
    single &= facts["region_code"].isin(provinces) & (facts["indicator"] == slips.RATE)
    for kind in [k for k, (where, _) in slips.SLIPS.items() if "rate" in where]:
        rows = facts.index[single & slips.cells(dataset)[slips.SLIPS[kind][0]]]
        named = 0
        for index in rows:
            warned = plausible.warnings(slips.plant(dataset, kind, [index]))
            named += facts.at[index, "fact_id"] in {warning.fact_id for warning in warned}
        print(f"  provincial rates with one source, {kind}: {named} of {len(rows)}")


if __name__ == "__main__":
    main()
