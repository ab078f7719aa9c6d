"""Pages made when the site is built: notebooks as stored, the data dictionary, the reference."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

import claims
import dictionary
import reference
from evaluation.data.simulate import SOURCE

MADE = "generated"
MIME = "application/vnd.kepu.report+json"


def make(app: Sphinx, config: Config) -> None:
    """Write every made page into the source folder; what has not changed is not touched."""
    source = Path(app.srcdir)
    root = source.parent
    pages: dict[str, str] = {}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        pages[f"notebooks/{path.name}"] = readable(shown(path.read_text("utf-8")))
    pages |= dictionary.pages(root / "data")
    pages |= claims.pages(root / "tests")
    pages |= reference.pages(root / "ARCHITECTURE.md", root / "src" / "evaluation")
    write(source / MADE, pages)


def readable(notebook: str) -> str:
    """Lead the links in outputs to what this site has, or let their words stand alone.

    A source goes to the dictionary unless the notebook lists it itself; another report has no page.

    >>> print(readable(r'<a href=\\"#source-S1\\">S1</a>, <a href=\\"110000_zh.html\\">X</a>'))
    <a href=\\"../data/5_sources.html#source-S1\\">S1</a>, X
    """

    def address(found: re.Match) -> str:
        own = f'id=\\"{found[1]}\\"' in notebook
        return found[0] if own else f'href=\\"../data/5_sources.html#{found[1]}\\"'

    # What was simulated has no source to lead to.
    text = re.sub(rf'<a href=\\"#source-{SOURCE}\\">(.*?)</a>', r"\1", notebook)
    text = re.sub(r'href=\\"#(source-\w+)\\"', address, text)
    text = re.sub(r"\[([^]\n\"]+)\]\(\.\./[\w/]*README\.md\)", r"\1", text)
    return re.sub(r'<a href=\\"\w+\.html\\">(.*?)</a>', r"\1", text)


def shown(notebook: str) -> str:
    """A notebook without the data its outputs carry for the writers of other formats."""
    book = json.loads(notebook)
    for cell in book["cells"]:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(MIME, None)
    return json.dumps(book, ensure_ascii=False, indent=1)


def write(folder: Path, pages: Mapping[str, str]) -> None:
    """Bring ``folder`` to hold ``pages`` and nothing else."""
    wanted = {folder / name: text for name, text in pages.items()}
    if folder.is_dir():
        for path in [p for p in folder.rglob("*") if p.is_file() and p not in wanted]:
            path.unlink()
        for path in [p for p in folder.iterdir() if p.is_dir() and not any(p.iterdir())]:
            shutil.rmtree(path)
    for path, text in wanted.items():
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8", newline="\n")


def tongue(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Say on pages below ``zh/`` that they are Chinese: readers aloud and fonts go by it."""
    if page.startswith("zh/"):
        context["language"] = "zh-CN"


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the pages before Sphinx looks for sources."""
    app.connect("config-inited", make)
    app.connect("html-page-context", tongue)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
