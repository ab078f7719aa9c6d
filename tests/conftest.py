"""What several test modules share: the data, one study, and each report drawn once."""

from __future__ import annotations

import gc
import json
import os
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

# Two processes of tests share the cores: threads for small matrices would only wait for each
# other. Said before NumPy is loaded; commands that tests start hear it too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from bs4 import BeautifulSoup
from filelock import FileLock

from evaluation.data.package import Dataset, load
from evaluation.data.tables import package_hash
from evaluation.report.page import Context
from evaluation.study import Study, build

if TYPE_CHECKING:  # the figures are slow to import: only tests of pages pay for them
    from evaluation.report import Context

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"

# A province with every wave, the richest, one almost without data, and leagues and cities.
REGIONS = ("150000", "110000", "540000", "150100", "150500", "150600", "152900")
T = TypeVar("T")
DATE = "2026-03-01"
PROVENANCE = {"package": "0.1.0", "data": "data", "draws": "499", "seed": "1", "date": DATE}


@dataclass(frozen=True)
class Page:
    """One report in one language as a reader's browser gets it, pictures shortened."""

    code: str
    language: str
    html: str
    soup: BeautifulSoup

    @property
    def record(self) -> dict[str, float]:
        """The results attached to the page; only strict JSON is accepted."""

        def refuse(constant: str) -> float:
            raise AssertionError(f"{self.code} {self.language}: {constant} in the results")

        return json.loads(self.soup.find("template", id="results").string, parse_constant=refuse)

    def section(self, name: str):
        return self.soup.find("section", id=name)


def pytest_collection_finish() -> None:
    """What every test needs stays: garbage collections need not look through it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """The project's data package.

    Whether it keeps the contract is asked once, in test_schema.py, not by every test process.
    """
    return load(DATA, checked_hash=package_hash(DATA))


@pytest.fixture(scope="session")
def shared(request, tmp_path_factory) -> Path:
    """A folder that all processes of a run see."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if hasattr(request.config, "workerinput") else folder


@pytest.fixture(scope="session")
def study(dataset, shared) -> Study:
    made = _once(shared / "study.pickle", lambda: build(dataset, draws=499, seed=1))
    gc.freeze()
    return made


@pytest.fixture(scope="session")
def simulated(shared) -> Study:
    folder = DATA / "simulated"
    data = load(folder, checked_hash=package_hash(folder))
    made = _once(shared / "simulated.pickle", lambda: build(data, draws=199, seed=1))
    gc.freeze()
    return made


def _once(file: Path, compute: Callable[[], T]) -> T:
    """Compute in the process that comes first; the others read what it kept."""
    with FileLock(f"{file}.lock"):
        if not file.exists():
            file.write_bytes(pickle.dumps(compute()))
    return pickle.loads(file.read_bytes())


def overview_sections() -> dict:
    """The sections of an overview in their order, as its notebook shows them."""
    from evaluation import report
    from evaluation.report import overview

    ending = {name: report.SECTIONS[name] for name in ("sources", "method", "glossary")}
    return overview.OVERVIEW | ending


def draw(context: Context, sections: dict) -> str:
    """All sections of a page in their order, with title and record, pictures shortened."""
    from evaluation import report
    from evaluation.report import quality

    parts = [report.title(context), *(part(context).html() for part in sections.values())]
    return _short("\n".join(map(str, [*parts, quality.record(context)])))


def _short(html: str) -> str:
    return re.sub(r"(data:image/svg\+xml;base64,PHN2Zy)[A-Za-z0-9+/=]+", r"\1", html)


class Parts(NamedTuple):
    """One report section by section: kinds of its blocks, what it shows; keys it computed."""

    title: str
    record: str
    kinds: dict[str, list[str]]
    html: dict[str, str]
    computed: frozenset[str]


@pytest.fixture(scope="session")
def parts(study, shared) -> Callable[[str, str], Parts]:
    """The report of any region, made once for all tests and processes."""
    from evaluation import report
    from evaluation.report import quality

    def make(code: str, language: str) -> Parts:
        arguments = {"date": DATE, "provenance": PROVENANCE}
        context = report.open_report(study, code, language, **arguments)
        title = str(report.title(context))
        made = {name: part(context) for name, part in report.SECTIONS.items()}
        return Parts(
            title,
            str(quality.record(context)),
            {name: [type(block).__name__ for block in part.blocks] for name, part in made.items()},
            {name: _short(str(part.html())) for name, part in made.items()},
            frozenset(context.writer.computed),
        )

    return lambda code, language: _once(
        shared / f"parts-{code}-{language}.pickle", lambda: make(code, language)
    )


@pytest.fixture(scope="session")
def pages(request, shared) -> Callable[[str, str], Page]:
    """The report of a region, or the overview of a region set, drawn once for all processes."""
    known: dict[tuple[str, str], Page] = {}

    def make(code: str, language: str) -> str:
        from evaluation import report

        if code.isdigit():
            made = request.getfixturevalue("parts")(code, language)
            return _short("\n".join([made.title, *made.html.values(), made.record]))
        arguments = {"date": DATE, "provenance": PROVENANCE}
        study = request.getfixturevalue("study")
        context = report.open_overview(study, code, language, **arguments)
        return draw(context, overview_sections())

    def page(code: str, language: str) -> Page:
        if (code, language) not in known:
            file = shared / f"page-{code}-{language}.html"
            with FileLock(f"{file}.lock"):
                if not file.exists():
                    file.write_text(make(code, language), encoding="utf-8")
            html = file.read_text(encoding="utf-8")
            known[code, language] = Page(code, language, html, BeautifulSoup(html, "html.parser"))
            gc.freeze()  # some 100,000 objects that stay to the end
        return known[code, language]

    return page
