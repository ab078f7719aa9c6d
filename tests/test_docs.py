"""The documentation is true: the site builds, links lead somewhere, its code does what it says."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from filelock import FileLock
from typer.main import get_command

from doc_blocks import blocks, commands, environment, prints, save, typed
from evaluation.batch.cli import app

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [p for p in sorted(DOCS.rglob("*.md")) if "generated" not in p.parts]
GUIDES = [p for p in PAGES if p.parent.name == "how-to" and p.stem != "index"]
GUIDES.append(DOCS / "zh" / "next-evaluation.md")
TUTORIAL, TUTORIAL_ZH = DOCS / "tutorial.md", DOCS / "zh" / "tutorial.md"
OWN_FILES, OWN_FILES_ZH = DOCS / "how-to" / "own-files.md", DOCS / "zh" / "own-files.md"
NEEDED = ("sphinx", "myst_nb", "furo", "latex2mathml")
RUN, PARSED, SHOWN = {"console", "python"}, {"shell"}, {"{toctree}", "{literalinclude}", "diff"}
TOOLS = {"dask", "jupyter", "kepu", "make", "nbdime", "papermill", "pip", "pre-commit", "pytest"}
LOADING = (("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"))


def tracked(folder: Path) -> Path:
    """A copy of what the project consists of, changes not committed yet included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in listed:
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def changes_code(page: Path) -> bool:
    """Whether a page writes into ``src``, itself or by a script it has a reader save."""
    return any("src/" in block.caption + block.body for block in blocks(page) if block.caption)


def follow(
    page: Path, folder: Path, surroundings: dict[str, str], names: Mapping[str, str] | None = None
) -> None:
    """Save, type and run every block of a page; its Python is one script, run at the end.

    ``names`` stand on the page for what they map to here.
    """
    listed, code = blocks(page), []
    here = not changes_code(page)
    for block in listed:
        where = f"{page.name}, line {block.line}"
        if not block.run:
            compile(block.body, where, "exec")
        elif block.caption:
            save(block, folder)
        elif block.language == "python":
            code.append(block.body)
        for line, expected in commands(block) if block.language == "console" else ():
            if line.startswith("cd "):
                folder = folder / line.removeprefix("cd ")
                continue
            printed = typed(put(line, names), folder, surroundings, here=here)
            told = put(printed, {value: name for name, value in (names or {}).items()})
            assert prints(expected, told), f"{where}: {line}\nprints:\n{told}"
    if code:
        (folder / "guide.py").write_text("\n".join(code), "utf-8")
        told = typed("python guide.py && echo done", folder, surroundings, here=False)
        assert told.endswith("done\n"), f"{page.name}: the Python blocks\n{told}"


def put(text: str, names: Mapping[str, str] | None) -> str:
    for name, value in (names or {}).items():
        text = text.replace(name, value)
    return text


@pytest.fixture(scope="session")
def cache(request, tmp_path_factory) -> Path:
    """One folder for kept studies: pages on the same data need not compute them again."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if hasattr(request.config, "workerinput") else folder) / "cache"


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_guide_does_what_it_says(page, tmp_path, cache):
    folder = tracked(tmp_path / "project")
    source = (folder if changes_code(page) else ROOT) / "src"
    follow(page, folder, environment(tmp_path / "home", source, cache))


def test_tutorial_followed_word_for_word_in_a_fresh_clone(tmp_path, cache):
    origin, work, home = tracked(tmp_path / "origin"), tmp_path / "work", tmp_path / "home"
    work.mkdir()
    person = ["-c", "user.name=reader", "-c", "user.email=reader@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*person, "commit", "-qm", "Begin"]):
        subprocess.run(["git", *command], cwd=origin, check=True)
    surroundings = environment(home, ROOT / "src", cache)
    # What `make` would install is this interpreter's: the clone's .venv is found to be complete.
    dry = ["make", "--dry-run", "setup", f"VENV={home}"]
    plan = subprocess.run(
        dry, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=True
    ).stdout
    Path(re.findall(r"touch (\S+)", plan)[0]).touch()
    (home / "bin" / "kepu").write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT / "src"} exec "{sys.executable}" -c '
        "'from evaluation.batch.entry import main; main()' \"$@\"\n"
    )  # make takes PYTHONPATH away
    names = {"ADDRESS": str(origin), ".venv": str(home)}
    follow(TUTORIAL, work, surroundings | {"MAKEFLAGS": f"VENV={home}"}, names)
    assert (work / "kepu-evaluation" / "reports" / "out" / "150100_zh.html").is_file()


@pytest.mark.parametrize(
    ("pages", "least"), [((TUTORIAL, TUTORIAL_ZH), 6), ((OWN_FILES, OWN_FILES_ZH), 1)]
)
def test_both_languages_of_a_tutorial_type_and_print_the_same(pages, least):
    told = [
        [(b.language, b.body) for b in blocks(page) if b.language in RUN | PARSED] for page in pages
    ]
    assert told[0] == told[1] and len(told[0]) >= least


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_every_block_is_of_a_kind_that_is_checked(page):
    for block in blocks(page):
        kind = block.language.split(" ")[0]
        assert block.caption or kind in RUN | PARSED | SHOWN, f"line {block.line}: {kind!r}"


def typeable(page: Path) -> list[list[str]]:
    lines = []
    for block in blocks(page):
        if block.language in PARSED or (block.language == "console" and page.stem == "README"):
            lines += [shlex.split(line, comments=True) for line in block.body.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_commands_that_are_only_shown_exist_with_their_options(page):
    targets = re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.M)
    for tool, *rest in typeable(page):
        assert tool in TOOLS, f"{tool} is nothing the guides tell to install"
        if tool == "make":
            assert rest[0] in targets
        if tool == "kepu":
            name, *arguments = [part.split("|")[0] for part in rest]
            get_command(app).commands[name].make_context(name, arguments)  # refuses what is not


@pytest.fixture(scope="session")
def site(request, tmp_path_factory) -> Path:
    """The site, built once for all processes, every warning an error."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install -e '.[docs]'")
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if hasattr(request.config, "workerinput") else folder
    out = folder / "site"
    with FileLock(f"{out}.lock"):
        if not out.exists():
            source = tracked(folder / "site-source")
            options = ["-q", "-W", "--keep-going", "-d", str(folder / "doctrees")]
            done = subprocess.run(
                [sys.executable, "-m", "sphinx", *options, str(source / "docs"), str(out)],
                env=os.environ | {"PYTHONPATH": str(source / "src")},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="session")
def built(site) -> dict[Path, BeautifulSoup]:
    read = {path: path.read_text("utf-8") for path in sorted(site.rglob("*.html"))}
    return {path: BeautifulSoup(text, "html.parser") for path, text in read.items()}


def test_the_site_builds_and_every_link_inside_it_leads_somewhere(built):
    assert len(built) > 40
    anchors = {path: {tag["id"] for tag in soup.find_all(id=True)} for path, soup in built.items()}
    for path, soup in built.items():
        for link in soup.find_all("a", href=True):
            parts = urlsplit(link["href"])
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name}: {link['href']}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in anchors[target], f"{path.name}: {link['href']}"


def test_reading_the_site_fetches_nothing(site, built):
    for path, soup in built.items():
        for tag, attribute in LOADING:
            for found in soup.find_all(tag):
                address = found.get(attribute) or ""
                assert not re.match(r"(https?:)?//", address), f"{path.name}: {address}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()[\s\"']*(https?:)?//", style.read_text("utf-8")), (
            style
        )


def test_formulas_are_drawn_without_a_script(site, built):
    drawn = [soup for soup in built.values() if soup.find("math")]
    assert drawn and not any("mathjax" in str(soup.find_all("script")).lower() for soup in drawn)
    for soup in drawn:
        assert not any("\\" in formula.get_text() for formula in soup.find_all("math"))


def test_every_module_stands_in_the_reference_once(built):
    shown = [tag["id"] for soup in built.values() for tag in soup.find_all(id=True)]
    package = ROOT / "src" / "evaluation"
    paths = [path.relative_to(package).with_suffix("") for path in package.rglob("*.py")]
    for path in paths:
        parts = [part for part in path.parts if part != "__init__"]
        name = ".".join(["evaluation", *parts])
        if parts:
            assert shown.count(f"module-{name}") == 1, name


def test_the_dictionary_counts_the_rows_of_every_table(built, dataset):
    page = next(soup for path, soup in built.items() if path.name == "1_tables.html")
    cells = [[cell.get_text("", strip=True) for cell in row.find_all("td")] for row in
             page.find("table").find_all("tr")[1:]]  # fmt: skip
    told = {file.removesuffix(".csv"): int(count.replace(",", "")) for file, _, count in cells}
    assert told == dataset.counts()


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "data/README.md"])
def test_links_of_the_pages_beside_the_code_lead_to_files(page):
    path = ROOT / page
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target
