"""Time a provincial batch against a plain loop and against the limit; write a table for the docs.

Every way makes the very same reports from the same notebooks and parameters, as whole processes,
one after the other. Only the ratios are meant to be read: seconds belong to a machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "results.md"
START, END = "<!-- bench: start -->", "<!-- bench: end -->"
KEPU = str(Path(sys.executable).with_name("kepu"))
DATE = "1767225600"


def kepu(*arguments: str, out: Path, data: Path | None = None, batch: str = "provinces") -> None:
    """Run a batch to its end."""
    command = [KEPU, "batch", batch, "--out", str(out), *arguments]
    command += ["--data", str(data)] if data else []
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def here(way: str, jobs: Path) -> None:
    """Run one of this script's own ways in a process of its own."""
    subprocess.run([sys.executable, __file__, "--way", way, "--jobs", str(jobs)], check=True)


def plan(out: Path, only: list[str]) -> list[dict]:
    """Notebook and parameters of every report of the batch, as the manifest of a run tells them."""
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    reports = [{"notebook": r["notebook"], "parameters": r["parameters"], "region": r["region"]}
               for r in manifest["reports"]]  # fmt: skip
    return [report for report in reports if not only or report["region"] in only]


def plain_loop(jobs: list[dict], out: Path) -> None:
    """One kernel after another, exported one after another, as a script would."""
    import papermill
    from nbconvert import HTMLExporter

    for number, job in enumerate(jobs):
        target = out / f"{number}.ipynb"
        papermill.execute_notebook(
            ROOT / f"notebooks/{job['notebook']}.ipynb",
            target,
            parameters=job["parameters"],
            cwd=ROOT / "notebooks",
            kernel_name="python3",
            progress_bar=False,
        )
        page, _ = HTMLExporter().from_filename(str(target))
        target.with_suffix(".html").write_text(page, encoding="utf-8")


def same_cells(jobs: list[dict]) -> float:
    """The cells alone in one process that has drawn a report before; seconds for all jobs."""
    import papermill.parameterize
    from IPython.core.interactiveshell import InteractiveShell
    from papermill.iorw import load_notebook_node

    os.chdir(ROOT / "notebooks")
    shell = InteractiveShell.instance(display_page=False)
    shell.display_formatter.active_types = ["text/html", "text/plain"]

    def run(job: dict) -> None:
        notebook = load_notebook_node(str(ROOT / f"notebooks/{job['notebook']}.ipynb"))
        notebook = papermill.parameterize.parameterize_notebook(notebook, job["parameters"])
        shell.reset(new_session=False)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                shell.run_cell(cell.source, store_history=False).raise_error()

    run(jobs[0])
    begun = time.perf_counter()
    for job in jobs:
        run(job)
    return time.perf_counter() - begun


def timed(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def one_fact() -> str:
    """Change one figure of one league under a folder of all reports; say what is made again."""
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "data", Path(folder) / "out"
        shutil.copytree(ROOT / "data", data, ignore=shutil.ignore_patterns("simulated"))
        kepu("--format", "html", out=out, data=data, batch="all")
        facts = (data / "facts.csv").read_text("utf-8")
        line = next(text for text in facts.split("\n") if ",150600,2023,2023,gdp,gdp," in text)
        cells = line.split(",")
        cells[7] = str(float(cells[7]) + 1)
        (data / "facts.csv").write_text(facts.replace(line, ",".join(cells)), "utf-8")
        seconds = timed(lambda: kepu("--format", "html", out=out, data=data, batch="all"))
        manifest = json.loads((out / "manifest.json").read_text("utf-8"))
        events = (out / "events.jsonl").read_text("utf-8").splitlines()
        again = [json.loads(line)["entry"]["id"] for line in events if '"event": "report"' in line]
        return (
            f"One figure of one league changed (gross product of Ordos): {len(again)} of "
            f"{len(manifest['reports'])} reports made again ({', '.join(sorted(again))}), "
            f"{seconds:.1f} s with the check of the data."
        )


def measure(rounds: int, only: list[str]) -> dict[str, list[float]]:
    """Seconds of each way by round."""
    times: dict[str, list[float]] = {"plain": [], "batch": [], "limit": [], "again": []}
    choice = ["--only", ",".join(only)] if only else []
    with tempfile.TemporaryDirectory() as folder:
        out, jobs = Path(folder) / "out", Path(folder) / "jobs.json"
        kepu(*choice, out=out)  # fills the cache of estimates, which every way uses
        reports = plan(out, only)
        jobs.write_text(json.dumps(reports), "utf-8")
        for _ in range(rounds):
            times["batch"].append(timed(lambda: kepu("--fresh", *choice, out=out)))
            times["again"].append(timed(lambda: kepu(*choice, out=out)))
            told = subprocess.run(
                [sys.executable, __file__, "--way", "limit", "--jobs", str(jobs)],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            times["limit"].append(float(told.stdout.split()[-1]) / (os.cpu_count() or 1))
            times["plain"].append(timed(lambda: here("plain", jobs)))
            for name, values in times.items():
                print(f"{name}: {values[-1]:.1f} s", flush=True)
        times["reports"] = [float(len(reports))]
    return times


def table(times: dict[str, list[float]]) -> str:
    """The table of the docs: medians, and ratios within each round."""
    count, rounds = int(times["reports"][0]), len(times["plain"])
    cores = os.cpu_count() or 1

    def ratio(above: str, below: str) -> str:
        found = [a / b for a, b in zip(times[above], times[below], strict=True)]
        spread = f" ({min(found):.2f}–{max(found):.2f})" if rounds > 1 else ""
        return f"{statistics.median(found):.2f}{spread}"

    median = {name: statistics.median(times[name]) for name in ("plain", "batch", "limit", "again")}
    a_core_hour = count / median["batch"] * 3600 / cores
    counties = 2844 * 2
    rows = [
        ("plain loop of papermill and nbconvert", median["plain"], "1"),
        ("`kepu batch`", median["batch"], ratio("plain", "batch")),
        ("the limit: the same cells in a warm process, divided by cores", median["limit"],
         ratio("plain", "limit")),
        ("`kepu batch` again, nothing changed", median["again"], ""),
    ]  # fmt: skip
    lines = [
        f"{count} reports, {cores} cores, {rounds} round(s); medians, ratios within rounds.",
        "",
        "| way | seconds | a report | times the plain loop |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, seconds, against in rows:
        each = "" if "again" in name else f"{seconds / count:.2f}"
        lines.append(f"| {name} | {seconds:.1f} | {each} | {against} |")
    lines += [
        "",
        f"Batch over limit: {ratio('batch', 'limit')}. Reports per core-hour: {a_core_hour:,.0f}; "
        f"2,844 counties in two languages are {counties:,} reports, "
        f"{counties / a_core_hour:.1f} core-hours.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="region codes, comma-separated")
    parser.add_argument("--way", choices=["plain", "limit"], help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        jobs = json.loads(options.jobs.read_text("utf-8"))
        if options.way == "limit":
            print(same_cells(jobs))
        else:
            with tempfile.TemporaryDirectory() as folder:
                plain_loop(jobs, Path(folder))
        return
    os.environ["SOURCE_DATE_EPOCH"] = DATE
    only = [code for code in options.only.split(",") if code]
    found = f"{table(measure(options.rounds, only))}\n\n{one_fact()}"
    print(found)
    text = DOCS.read_text("utf-8")
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2]
    DOCS.write_text(f"{before}{START}\n{found}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
