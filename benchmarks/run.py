"""Time a batch against a plain loop over the same notebooks; prints a table of ratios.

Both ways run in this one process tree, one after the other, several times; only the ratio of the
medians is meant to be read, because seconds belong to a machine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import papermill
from nbconvert import HTMLExporter

ROOT = Path(__file__).resolve().parent.parent
REGIONS = ("150100", "150200", "150300", "150400")
ROUNDS = 3


def plain_loop(out: Path) -> None:
    """One kernel after another, exported one after another, as a script would."""
    for region in REGIONS:
        target = out / f"{region}.ipynb"
        papermill.execute_notebook(
            ROOT / "notebooks/region_report.ipynb",
            target,
            parameters={"region": region},
            cwd=ROOT / "notebooks",
            progress_bar=False,
        )
        page, _ = HTMLExporter().from_filename(str(target))
        target.with_suffix(".html").write_text(page, encoding="utf-8")


def batch(out: Path) -> None:
    """The same reports by the batch engine, language and parameters alike."""
    file = out / "batch.yml"
    regions = ", ".join(f'"{region}"' for region in REGIONS)
    file.write_text(
        "title: {zh: 测时, en: Timing}\nnotebook: region_report\n"
        f"regions: [{regions}]\nlanguages: [zh]\nformats: [html]\n",
        encoding="utf-8",
    )
    kepu = Path(sys.executable).with_name("kepu")
    command = [str(kepu), "batch", str(file), "--out", str(out / "o")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def timed(work) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        work(Path(folder))
        return time.perf_counter() - start


def main() -> None:
    times: dict[str, list[float]] = {"plain loop": [], "kepu batch": []}
    for _ in range(ROUNDS):
        times["plain loop"].append(timed(plain_loop))
        times["kepu batch"].append(timed(batch))
    base = statistics.median(times["plain loop"])
    print(f"{len(REGIONS)} regional reports, median of {ROUNDS} rounds")
    print(f"{'way':<12}{'seconds':>10}{'per report':>12}{'ratio':>8}")
    for way, values in times.items():
        median = statistics.median(values)
        print(f"{way:<12}{median:>10.1f}{median / len(REGIONS):>12.2f}{base / median:>8.2f}")


if __name__ == "__main__":
    main()
