"""Rates with errors from millions of respondents: time, memory, linearity, beside ``samplics``.

Respondents are drawn into Parquet by the database, 20 in each primary unit of 103 counties; each
size runs in a process of its own. With ``--samplics PYTHON`` (an interpreter that has it) one
breakdown of one million respondents is estimated by both and the answers are compared.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COUNTIES, TAKE = 103, 20
BREAKDOWNS = ("", "sex", "age", "education", "residence", "occupation")
GROUPS = {"sex": 2, "age": 5, "education": 4, "residence": 2, "occupation": 5}
OTHER = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import polars as pl
from samplics import PopParam
from samplics.estimation import TaylorEstimator
f = pl.read_parquet(sys.argv[1])
start = time.perf_counter()
t = TaylorEstimator(PopParam.mean)
t.estimate(y=(f["score"] >= 70).cast(pl.Float64).to_numpy(), samp_weight=f["weight"].to_numpy(),
           stratum=f["stratum"].to_numpy(), psu=f["psu"].to_numpy(), domain=f["region"].to_numpy())
print(json.dumps({"seconds": time.perf_counter() - start,
                  "se": {str(k): float(v) for k, v in t.stderror.items()}}))
"""


def make(path: Path, count: int) -> None:
    """Write ``count`` respondents; about a quarter are literate."""
    import duckdb

    groups = ", ".join(f"'{name}' || floor(random() * {k})::INT AS {name}"
                       for name, k in GROUPS.items())  # fmt: skip
    duckdb.sql(f"""COPY (
        SELECT id, psu, 'R' || (psu % {COUNTIES}) AS region, 'S' || (psu % {COUNTIES}) AS stratum,
               1 + random() AS weight, {groups},
               greatest(0, least(100, 60 + (psu % {COUNTIES}) / 10.0 + (hash(psu) % 100) / 12.0
                        + 14 * (random() + random() + random() + random() - 2))) AS score
        FROM (SELECT range AS id, range // {TAKE} AS psu FROM range({count})))
        TO '{path}' (FORMAT parquet)""")


def measure(path: Path) -> dict:
    """Seconds and peak memory of this process for all breakdowns; errors of the first."""
    from evaluation.survey import rates, respondents

    start = time.perf_counter()
    by = [name for name in BREAKDOWNS if name]
    with respondents.read([path], respondents.Plan({}, by=by)) as sample:
        read = time.perf_counter() - start
        tables = [rates.rates(sample, ["region", *([b] if b else [])]) for b in BREAKDOWNS]
    first = tables[0].query("measure == 'share_70'").set_index("region")["se"]
    return {"seconds": time.perf_counter() - start, "read": read, "se": first.to_dict(),
            "rates": sum(len(t) for t in tables), "cpu": time.process_time(),
            "GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}  # fmt: skip


def one(path: Path) -> dict:
    """Seconds of reading and of one breakdown."""
    from evaluation.survey import rates, respondents

    start = time.perf_counter()
    with respondents.read([path], respondents.Plan({})) as sample:
        found = rates.rates(sample, ["region"], rates.Asked((70.0,)))
    seconds = time.perf_counter() - start
    errors = found.query("measure == 'share_70'").set_index("region")["se"]
    return {"seconds": seconds, "se": errors.to_dict()}


def child(*arguments: str) -> dict:
    done = subprocess.run([*arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1,10", help="millions of respondents")
    parser.add_argument("--samplics", help="a Python that has samplics and polars")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure or given.one:
        print(json.dumps(measure(given.measure) if given.measure else one(given.one)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for millions in map(float, given.sizes.split(",")):
            path = Path(folder) / f"{millions:g}.parquet"
            make(path, int(millions * 1e6))
            found = child(sys.executable, __file__, "--measure", str(path))
            print(
                f"{millions:g} million: {found['seconds']:.1f} s, {found['read']:.1f} s of them "
                f"reading, {found['cpu']:.0f} s of CPU, {found['GB']:.2f} GB, "
                f"{found['rates']:,} rates with errors",
                flush=True,
            )
            if given.samplics and millions == 1:
                own = child(sys.executable, __file__, "--one", str(path))
                other = child(given.samplics, "-c", OTHER, str(path))
                apart = max(abs(own["se"][k] / other["se"][k] - 1) for k in own["se"])
                print(
                    f"samplics: {other['seconds']:.1f} s, here {own['seconds']:.1f} s and reading: "
                    f"{other['seconds'] / own['seconds']:.0f} times; errors within {apart:.0e}",
                    flush=True,
                )
            path.unlink()


if __name__ == "__main__":
    main()
