"""Reports of many simulated counties: is the thousandth as quick as the first, in as much memory?

Writes a simulated data package of all provinces and as many made-up counties, runs one batch over
the counties and reads times from its log of events, memory from the system.

With ``--growth`` nothing is made: what a check, a plan in two languages and the keys of its reports
take is measured at three sizes, in whole processes with an empty cache, and how it grows; of the
front page the drawing, the bytes, and what a sort and a search take in Chromium.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import psutil
import yaml
from playwright import sync_api as sync

from evaluation.batch import front
from evaluation.data import contract
from evaluation.data.simulate import (
    simulate_panel,
    simulated_descriptor,
    to_tables,
    truth_record,
    write,
)
from evaluation.data.tables import DESCRIPTOR, read_descriptor, read_files

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import front_samples  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
EVERY = 2.0


def package(folder: Path, counties: int) -> list[str]:
    """Write the package; give the codes of its counties."""
    files = read_files(ROOT / "data")
    descriptor, main = read_descriptor(files), contract.read(files).tables
    regions = main["regions"]
    provinces = regions[regions["level"] == "province"]
    codes = [f"9{number:05d}" for number in range(1, counties + 1)]
    made = pd.DataFrame({"code": codes, "level": "county", "parent_code": "100000", "band": ""})
    made["name_zh"] = [f"模拟{number}县" for number in range(1, counties + 1)]
    made["name_en"] = [f"Simulated county {number}" for number in range(1, counties + 1)]
    made["short_zh"] = made["name_zh"]
    main["regions"] = pd.concat([regions, made.reindex(columns=regions.columns)])
    simulated = pd.concat([provinces, made.reindex(columns=regions.columns)])
    simulation = simulate_panel(simulated, seed=1)
    folder.mkdir()
    papers = {DESCRIPTOR: simulated_descriptor(descriptor), "truth.json": truth_record(simulation)}
    write(to_tables(simulation, main), papers, folder)
    return codes


class Memory(threading.Thread):
    """Samples what the batch and its fork server hold themselves, in MB."""

    def __init__(self, batch: subprocess.Popen):
        super().__init__(daemon=True)
        self.batch, self.samples = psutil.Process(batch.pid), {"batch": [], "fork server": []}

    def run(self) -> None:
        while self.batch.is_running():
            try:
                self._sample("batch", self.batch)
                for child in self.batch.children():
                    if any("warm.server" in part for part in child.cmdline()):
                        self._sample("fork server", child)
            except psutil.NoSuchProcess:
                return
            time.sleep(EVERY)

    def _sample(self, name: str, process: psutil.Process) -> None:
        self.samples[name].append(process.memory_info().rss / 1e6)


def quarters(values: list[float]) -> tuple[float, float]:
    """Medians of the second tenth (the first warms up) and of the last tenth."""
    tenth = max(len(values) // 10, 1)
    return statistics.median(values[tenth : 2 * tenth]), statistics.median(values[-tenth:])


SIZES = (103, 1000, 2844)
KEPU = str(Path(sys.executable).with_name("kepu"))


def write_batch(place: Path, codes: list[str], languages: list[str]) -> list[str]:
    """Write a batch over the counties; give the arguments that name it, its data and its folder."""
    title = {"zh": "模拟县", "en": "Simulated counties"}
    batch = {"title": title, "notebook": "region_report", "regions": codes, "languages": languages}
    (place / "batch.yml").write_text(yaml.safe_dump(batch, allow_unicode=True), "utf-8")
    return [str(place / "batch.yml"), "--data", str(place / "data"), "--out", str(place / "out")]


def spent(place: Path, *arguments: str) -> tuple[float, float]:
    """CPU seconds (user) of one command, and the most memory in MB of any child so far."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([KEPU, *arguments], cwd=ROOT, check=True, capture_output=True,
                   env=os.environ | {"KEPU_CACHE": str(place / "cache")})  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before, after.ru_maxrss / 1e3


def front_page(counties: int) -> dict[str, float]:
    """CPU seconds and megabytes of a front page of invented figures; its slowest answers, in ms."""
    names = [(f"9{n:05d}", f"模拟{n}县", f"County {n}") for n in range(counties)]
    made = front_samples.batch([front_samples.named(*each) for each in names])
    start = time.process_time()
    html = front.page(*made)
    row = {"front page": time.process_time() - start, "MB": len(html.encode()) / 1e6}
    timed = """([selector, event, value]) => {
        const element = document.querySelector(selector), start = performance.now();
        element.value = value;
        element.dispatchEvent(new Event(event, { bubbles: true }));
        document.body.offsetHeight;
        return performance.now() - start;
    }"""
    with tempfile.TemporaryDirectory() as folder, sync.sync_playwright() as playwright:
        (place := Path(folder, "index.html")).write_text(html, "utf-8")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(place.as_uri())
        heads = ["th[data-column=latest] button", "th[data-column=name] button"] * 5
        sorts = [page.evaluate(timed, [head, "click", ""]) for head in heads]
        searches = [page.evaluate(timed, ["#search", "input", "Coun"[: n % 5]]) for n in range(10)]
        browser.close()
    return row | {"sort ms": statistics.median(sorts), "search ms": statistics.median(searches)}


def growth(sizes: Sequence[int]) -> None:
    """Print what each step takes at each size, and the exponents from first to last."""
    found: dict[str, list[float]] = {}
    for counties in sizes:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            named = write_batch(place, package(place / "data", counties), ["zh", "en"])
            facts = (place / "data" / "facts.csv").read_bytes().count(b"\n") - 1
            check, memory = spent(place, "check", "--data", str(place / "data"))
            plan, _ = spent(place, "batch", *named, "--dry-run")
            keys = spent(place, "batch", *named, "--dry-run", "--explain")[0]
        row = {"check": check, "plan": plan, "plan and keys": keys, **front_page(counties)}
        told = ", ".join(f"{name} {value:.2f}" for name, value in row.items())
        print(f"{counties:,} counties, {facts:,} facts: {told}; at most {memory:,.0f} MB")
        for name, seconds in row.items():
            found.setdefault(name, []).append(seconds)
    span = math.log(sizes[-1] / sizes[0])
    grown = (f"{name} {math.log(s[-1] / s[0]) / span:.2f}" for name, s in found.items())
    print(f"exponents, {sizes[0]:,} to {sizes[-1]:,} counties: {', '.join(grown)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counties", type=int, default=1000)
    parser.add_argument("--growth", action="store_true")
    given = parser.parse_args()
    if given.growth:
        growth(SIZES)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        codes = package(place / "data", given.counties)
        command = [KEPU, "batch", *write_batch(place, codes, ["zh"]), "--quiet"]
        running = subprocess.Popen(command, cwd=ROOT)
        memory = Memory(running)
        memory.start()
        code = running.wait()
        tell(place / "out", memory, code)


def tell(out: Path, memory: Memory, code: int) -> None:
    """Print what was measured."""
    events = [json.loads(line) for line in (out / "events.jsonl").read_text("utf-8").splitlines()]
    reports = [event for event in events if event["event"] == "report"]
    made = sum(event["entry"]["status"] == "made" for event in reports)
    span = reports[-1]["time"] - reports[0]["time"]
    print(
        f"{made} of {len(reports)} reports made, exit code {code}, {span / len(reports):.2f} s each"
    )
    times = [event["time"] for event in reports]
    tenth = max(len(times) // 10, 1)
    early, late = (
        (part[-1] - part[0]) / (len(part) - 1)
        for part in (times[tenth : 2 * tenth], times[-tenth:])
    )
    print(
        f"time per report: {early:.3f} s early, {late:.3f} s at the end, ratio {late / early:.3f}"
    )
    for name, values in memory.samples.items():
        early, late = quarters(values)
        print(f"resident memory of the {name}: {early:.0f} MB early, {late:.0f} MB at the end")


if __name__ == "__main__":
    main()
