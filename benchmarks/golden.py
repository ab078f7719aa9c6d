"""Keep what the workbook answers, to show after a change of its code that nothing else changed.

``python benchmarks/golden.py make DIR`` runs this very tree, copied without ``.git`` so that no
page names a commit, with a fixed date and an empty cache: every report in every format, the
estimates of every model and one scenario. ``compare A B`` says what differs between two of them.
"""

from __future__ import annotations

import argparse
import difflib
import filecmp
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATE = "1767225600"
QUICK = "150000,150100,110000,540000,overview"
SCENARIO = ["150000", "--set", "facility=60:84", "--budget", "118000000", "--json"]
SHOWN = 6  # lines of each difference
CLUE = 60  # characters kept on both sides of the first difference of two lines


def copied(tree: Path) -> None:
    """Copy the files git knows or would add into ``tree``."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.run(listing, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)


def installed(tree: Path, site: Path) -> None:
    """Describe the package of ``tree`` as installed, so that its own entry points are used."""
    project = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))["project"]
    folder = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    folder.mkdir(parents=True)
    head = ["Metadata-Version: 2.3", f"Name: {project['name']}", f"Version: {project['version']}"]
    needs = [f"Requires-Dist: {text}" for text in project["dependencies"]]
    (folder / "METADATA").write_text("\n".join([*head, *needs, ""]), "utf-8")
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{name} = {where}" for name, where in entries.items()))
    ]
    (folder / "entry_points.txt").write_text("\n".join([*lines, ""]), "utf-8")


class Kepu:
    """The command line of a copied tree, in a process and a cache of its own."""

    def __init__(self, place: Path):
        self.tree, self.site, self.log = place / "tree", place / "site", place / "log.txt"
        copied(self.tree)
        installed(self.tree, self.site)
        project = tomllib.loads((self.tree / "pyproject.toml").read_text("utf-8"))["project"]
        self.module = project["scripts"]["kepu"].partition(":")[0]
        cache = str(place / "cache")
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(self.tree / "src"), str(self.site)]),
            "SOURCE_DATE_EPOCH": DATE, "KEPU_CACHE": cache, "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "100",
        }  # fmt: skip

    def python(self, code: str, *arguments: str) -> tuple[int, str]:
        """Exit code and standard output; what is said beside it goes into the log."""
        with self.log.open("a", encoding="utf-8") as stream:
            done = subprocess.run(
                [sys.executable, "-c", code, *arguments], cwd=self.tree, env=self.environment,
                stdout=subprocess.PIPE, stderr=stream, text=True,
            )  # fmt: skip
        return done.returncode, done.stdout

    def __call__(self, *arguments: str) -> str:
        """What a command prints, and its exit code."""
        code, text = self.python(f"from {self.module} import main; main()", *arguments)
        return f"{text}exit {code}\n"


def make(target: Path, *, quick: bool) -> None:
    """Make the reports and keep what there is to compare in ``target``."""
    shutil.rmtree(target, ignore_errors=True)
    place, out = target / "work", target / "work" / "out"
    place.mkdir(parents=True)
    kepu = Kepu(place)
    choice = ["--only", QUICK, "--format", "html"] if quick else ["--format", "html,pdf,docx"]
    told = kepu("batch", "all", "--quiet", "--timeout", "1200", "--out", str(out), *choice)
    if not told.endswith("exit 0\n"):
        raise SystemExit(f"the batch failed: {told} — see {kepu.log}")
    pages(out, target, quick=quick)
    _, names = kepu.python("import evaluation; print(*evaluation.MODELS)")
    if not names:
        raise SystemExit(f"no model could be listed — see {kepu.log}")
    for name in names.split() if not quick else []:
        keep(target / "estimate" / f"{name}.txt", kepu("estimate", "--model", name, "--json"))
    if not quick:
        keep(target / "scenario.txt", kepu("scenario", *SCENARIO))
    shutil.rmtree(place / "cache", ignore_errors=True)


def pages(out: Path, target: Path, *, quick: bool) -> None:
    """Keep pages, texts of PDF and Word, and what the cells of the notebooks put out."""
    sums = []
    for path in sorted(out.glob("*.html")):
        sums.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
        keep(target / "html" / path.name, path.read_text("utf-8"))
    keep(target / "sums.txt", "\n".join([*sums, ""]))
    for path in sorted(out.glob("notebooks/*.ipynb")):
        keep(target / "notebooks" / f"{path.stem}.txt", results(path))
    for path in [] if quick else sorted(out.glob("*.pdf")):
        keep(target / "pdf" / f"{path.stem}.txt", pdf(path))
    for path in [] if quick else sorted(out.glob("*.docx")):
        keep(target / "word" / f"{path.stem}.txt", word(path))


def keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def results(path: Path) -> str:
    """Outputs of the cells of an executed notebook, one line each kind."""
    lines = []
    for number, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
        for output in cell.get("outputs", []):
            shown = output.get("data", {"text": output.get("text", output.get("evalue", ""))})
            lines += [f"{number} {kind} {json.dumps(shown[kind])}" for kind in sorted(shown)]
    return "\n".join([*lines, ""])


def pdf(path: Path) -> str:
    """Page count and text of a PDF."""
    from pypdf import PdfReader

    pages = [page.extract_text() for page in PdfReader(path).pages]
    return "\n\f\n".join([f"{len(pages)} pages", *pages])


def word(path: Path) -> str:
    """Paragraphs and cells of a Word file in their order, and the number of its pictures."""
    from docx import Document

    document = Document(str(path))
    lines = [f"{len(document.inline_shapes)} pictures"]
    for element in document.element.body.iter():
        if element.tag.endswith("}p"):
            lines.append("".join(node.text or "" for node in element.iter()
                                 if node.tag.endswith("}t")))  # fmt: skip
    return "\n".join(lines)


def compare(first: Path, second: Path) -> int:
    """Print which kept files differ and how; 1 if any does."""
    names = [kept(folder) for folder in (first, second)]
    lost = [f"only in {first}: {name}" for name in sorted(names[0] - names[1])]
    new = [f"only in {second}: {name}" for name in sorted(names[1] - names[0])]
    both = sorted(names[0] & names[1])
    other = [n for n in both if not filecmp.cmp(first / n, second / n, shallow=False)]
    print(*lost, *new, sep="\n", end="\n" if lost or new else "")
    for name in other:
        print(f"differs: {name}")
        texts = [(folder / name).read_text("utf-8").splitlines() for folder in (first, second)]
        changed = [a for a in difflib.unified_diff(*texts, lineterm="", n=0)][2:]
        for line in clues([a for a in changed if not a.startswith("@@")])[:SHOWN]:
            print(f"    {line}")
    print(f"{len(both) - len(other)} files equal, {len(other)} differ, {len(lost + new)} missing")
    return int(bool(lost or new or other))


def kept(folder: Path) -> set[str]:
    """Names of the files that are compared."""
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {path.as_posix() for path in found if path.parts[0] != "work"}


def clues(lines: list[str]) -> list[str]:
    """Shorten lines to where a removed one first differs from the added one at its place."""
    removed = [line[1:] for line in lines if line[0] == "-"]
    added = [line[1:] for line in lines if line[0] == "+"]
    shown = []
    for old, new in zip(removed, added, strict=False):
        pairs = enumerate(zip(old, new, strict=False))
        start = next((at for at, (a, b) in pairs if a != b), min(len(old), len(new)))
        start = max(start - CLUE, 0)
        shown += [f"-…{old[start : start + 2 * CLUE]}", f"+…{new[start : start + 2 * CLUE]}"]
    rest = removed[len(added) :] or added[len(removed) :]
    sign = "-" if len(removed) > len(added) else "+"
    return shown + [f"{sign}{line[: 2 * CLUE]}" for line in rest]


def main() -> None:
    """Make a set, or compare two."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="run this tree and keep its answers in DIR")
    making.add_argument("folder", type=Path)
    making.add_argument("--quick", action="store_true", help="pages of a few regions only")
    comparing = commands.add_parser("compare", help="say what differs between two sets")
    comparing.add_argument("folders", type=Path, nargs=2)
    given = parser.parse_args()
    if given.command == "compare":
        raise SystemExit(compare(*(folder.resolve() for folder in given.folders)))
    make(given.folder.resolve(), quick=given.quick)


if __name__ == "__main__":
    main()
