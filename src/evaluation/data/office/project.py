"""Projects: what travels in the wheel, and a folder with a data package made into a project.

A project is a folder with ``data/``, ``notebooks/``, ``reports/batches/`` and the file
``kepu.toml`` that marks it. Its notebooks are copies a person may change; its batch ``all`` makes
the reports of every region of the package.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from evaluation.base import files
from evaluation.base.cache import PACKAGE, SHIPPED
from evaluation.base.errors import KepuError, shown
from evaluation.base.text import COMMON, LANGUAGES, t
from evaluation.data.tables import Files, content_of, parse, read_descriptor, read_files

MARK = "# A project of kepu: its data, notebooks and reports belong together.\n"
DATA, NOTEBOOKS, BATCHES = "data", "notebooks", "reports/batches"
BATCH = f"{BATCHES}/all.yml"
PARAMETERS = "parameters"  # the tag of a notebook's cell of parameters
ANOTHER = "choose another folder"  # the remedy where one cannot be written

# ------------------------------------------------------------------------------------------
# What travels in the wheel.


def shipped(name: str) -> Path:
    """A folder that comes with the program, as ``notebooks``; a checkout has its own.

    Raises
    ------
    KepuError : the installation is not whole.
    """
    for place in (SHIPPED, PACKAGE.parents[1]):
        if (place / name).is_dir():
            return place / name
    raise KepuError(f"the installed program lacks its folder {name} — install the wheel again")


# ------------------------------------------------------------------------------------------
# The regions of a package, as far as a batch names them.


@dataclass(frozen=True)
class Group:
    """Regions reported together: their codes, the ``set`` that names them all, their title."""

    codes: tuple[str, ...]
    set: str
    title: dict[str, str]
    whole: dict[str, str]


def groups(package: Files) -> list[Group]:
    """Every region that has a report, once, by the sets of the package in their order.

    Regions in no set have none, unless the package declares no set: then all but the whole, which
    is the region without a parent.

    Raises
    ------
    DataError : the tables of regions cannot be read.
    KepuError : the package has no region beside the whole.
    """
    regions, sets, levels = (_table(package, n) for n in ("regions", "region_sets", "levels"))
    regions = regions.set_index("code")
    below = [code for code, parent in regions["parent_code"].items() if parent]
    listed = {name: list(codes) for name, codes in sets.groupby("set", sort=False)["code"]}
    found, taken = [], set()
    for name, codes in (listed or {"": below}).items():
        own = tuple(c for c in codes if c in below and c not in taken)
        taken |= set(own)
        if own:
            same = name if list(own) == codes else ""
            found.append(Group(own, same, *_titles(name, regions.loc[list(own)], regions, levels)))
    if not found:
        raise KepuError(
            f"{shown(package.root)} has no region to report on — add regions with a parent to "
            "regions.csv"
        )
    return found


def _table(package: Files, name: str) -> pd.DataFrame:
    """A table as text, by the path its descriptor gives; one not described is empty."""
    paths = {r["name"]: r["path"] for r in read_descriptor(package)["resources"]}
    if name not in paths:
        return pd.DataFrame()
    return parse(paths[name], content_of(package, paths[name], f"add the table {name}")).frame


def _titles(
    name: str, own: pd.DataFrame, regions: pd.DataFrame, levels: pd.DataFrame
) -> tuple[dict[str, str], dict[str, str]]:
    """What a group is called, and the region its members belong to, in every language."""
    parents = own["parent_code"].unique()
    above = parents[0] if len(parents) == 1 else next(iter(regions.index), "")
    whole = {lang: regions[f"name_{lang}"].get(above, above) for lang in LANGUAGES}
    kinds = _kinds(own, levels)
    if len(kinds) != 1:
        return {n: name.replace("_", " ") or _say("project.all", n) for n in LANGUAGES}, whole
    names = {"zh": kinds["name_zh"].iloc[0], "en": kinds["plural_en"].iloc[0]}
    titles = {lang: _say("project.regions", lang, level=names[lang], whole=whole[lang])
              for lang in LANGUAGES}  # fmt: skip
    return {lang: text[:1].upper() + text[1:] for lang, text in titles.items()}, whole


def _kinds(own: pd.DataFrame, levels: pd.DataFrame) -> pd.DataFrame:
    """The levels that regions count as, of those the package names."""
    if levels.empty:
        return levels
    levels = levels.set_index("level")
    other = levels.get("counts_as", pd.Series("", levels.index))  # an optional column
    as_other = other.where(other != "", levels.index.to_series())
    return levels[levels.index.isin(own["level"].map(as_other))]


def _say(key: str, language: str, **values: str) -> str:
    return t(key, language, **values).unescape()  # for a file, which is no page


# ------------------------------------------------------------------------------------------
# The files of a project: its batch, its notebooks, its marker.


def batch(found: Sequence[Group], languages: Sequence[str] = LANGUAGES) -> dict[str, Any]:
    """The batch ``all`` of a package: an overview of its first set, then every region."""
    overview = next((group for group in found if group.set), None)
    blocks: list[dict[str, Any]] = []
    if overview is not None:
        title = {lang: _say("project.overview", lang, whole=overview.whole[lang])
                 for lang in LANGUAGES}  # fmt: skip
        blocks = [{"title": title, "notebook": "overview", "region_set": overview.set}]
    for group in found:
        named = {"region_set": group.set} if group.set else {"regions": list(group.codes)}
        blocks.append({"title": group.title, "notebook": "region_report", **named})
    title = {lang: _say("project.all", lang) for lang in LANGUAGES}
    return {
        "title": title, "languages": list(languages), "formats": list(COMMON), "reports": blocks,
    }  # fmt: skip


def notebook(path: Path, defaults: Mapping[str, str | int]) -> str:
    """The text of a notebook without outputs, its parameters set to ``defaults`` by name.

    Raises
    ------
    KepuError : it is no notebook.
    """
    found = files.read_notebook(path)
    found["metadata"].pop("kepu", None)  # what stored outputs were made from
    for cell in found["cells"]:
        if cell["cell_type"] != "code":
            continue
        cell["outputs"], cell["execution_count"] = [], None
        if PARAMETERS in cell["metadata"].get("tags", []):
            source = _filled("".join(cell["source"]), defaults)
            cell["source"] = source.splitlines(keepends=True)
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def _filled(source: str, defaults: Mapping[str, str | int]) -> str:
    """A cell of parameters whose defaults are those of ``defaults``; comments stay."""
    lines = source.encode().split(b"\n")
    for node in ast.parse(source).body:
        name = getattr(getattr(node, "target", None), "id", "")
        value = getattr(node, "value", None)
        if name not in defaults or not isinstance(value, ast.Constant):
            continue
        text = json.dumps(defaults[name], ensure_ascii=False).encode()
        line = lines[value.lineno - 1]
        lines[value.lineno - 1] = line[: value.col_offset] + text + line[value.end_col_offset :]
    return b"\n".join(lines).decode()


def scaffold(folder: Path, languages: Sequence[str] = LANGUAGES) -> list[Path]:
    """Make a folder that holds a data package in ``data/`` a project; give what was written.

    Parameters
    ----------
    folder : its ``data/`` may be without facts still; nothing that is there is written over.
    languages : of the reports of its batch.

    Raises
    ------
    KepuError : something is in the way, the package's regions cannot be read, or the folder cannot
        be written; then nothing was written.
    """
    _free(folder, files.MARKER, NOTEBOOKS, BATCH)
    package = read_files(folder / DATA)
    found, waves = groups(package), _table(package, "waves")
    chosen: dict[str, str | int] = {"region": found[0].codes[0]}
    if len(waves):
        chosen["first_year"] = min(map(int, waves["wave"]))
    if named := [group.set for group in found if group.set]:
        chosen["region_set"] = named[0]
    # The numbered notebooks tell of the national data and stay with them.
    templates = sorted(shipped(NOTEBOOKS).glob("[!0-9]*.ipynb"))
    texts = {f"{NOTEBOOKS}/{path.name}": notebook(path, chosen) for path in templates}
    kept = yaml.safe_dump(batch(found, languages), allow_unicode=True, sort_keys=False)
    texts[BATCH] = f"# Every report of this project: `kepu batch all`.\n{kept}"
    texts[files.MARKER] = MARK  # last: what it marks is whole
    return _written(folder, texts)


def workbook(folder: Path) -> list[Path]:
    """Copy the national workbook into a folder: its data, all its notebooks, its batches.

    Raises
    ------
    KepuError : something is in the way, or the folder cannot be written; then nothing was written.
    """
    _free(folder, files.MARKER, NOTEBOOKS, DATA, BATCHES)
    made = not folder.exists()
    with files.written(folder, ANOTHER):
        folder.mkdir(parents=True, exist_ok=True)
    texts = {}
    for name, pattern in ((DATA, "**/*.*"), (NOTEBOOKS, "*.ipynb"), (BATCHES, "*.yml")):
        place = shipped(name)
        paths = sorted(path for path in place.glob(pattern) if path.is_file())
        texts |= {f"{name}/{p.relative_to(place).as_posix()}": p.read_text("utf-8") for p in paths}
    texts[files.MARKER] = MARK
    try:
        return _written(folder, texts)
    except BaseException:
        if made:
            folder.rmdir()
        raise


def _free(folder: Path, *names: str) -> None:
    """Refuse a folder in which one of these is already there."""
    there = [name for name in names if os.path.lexists(folder / name)]
    if there:
        raise KepuError(
            f"{shown(folder)} already holds {there[0]} — choose another folder, or move it away"
        )


def _written(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write files of a project, all or none; the last one is written last."""
    top = {name.partition("/")[0] for name in texts}
    mine = [name for name in top if not os.path.lexists(folder / name)]
    with (
        files.written(folder, ANOTHER),
        tempfile.TemporaryDirectory(prefix=".kepu-", dir=folder) as parts,
    ):
        done: list[Path] = []
        try:
            for name, text in texts.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                files.replace(path, text, Path(parts))
                done.append(path)
        except BaseException:
            for path in done:
                path.unlink(missing_ok=True)
            for name in mine:
                shutil.rmtree(folder / name, ignore_errors=True)
            raise
    return done
