"""From a batch file and the project folder to the list of reports to make."""

from __future__ import annotations

import ast
import difflib
import hashlib
import math
import os
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.base import cache, files
from evaluation.base.errors import ID, KepuError
from evaluation.base.text import DEPTHS, FORMATS, LANGUAGES, formats_in, is_date

# ------------------------------------------------------------------------------------------
# Options and variables as typed values: parameters notebooks declare, ``--set``, lists, dates.


FILLED = ("region", "region_set", "language", "data", "data_hash", "commit")
TYPES = {"bool": bool, "int": int, "float": float, "str": str, "list": list, "dict": dict}
# Least and most of parameters whose meaning is the same in every notebook.
BOUNDS = {"draws": (99, 100_000), "seed": (0, 2**32 - 1)}
DAY = "date"  # means the same in every notebook as well; empty: that of the run
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,2})?", re.ASCII)


@dataclass(frozen=True)
class Problem:
    """One breach of a batch: the key it sits under, the rule, what is allowed and the remedy."""

    key: str
    rule: str
    remedy: str
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        allowed = f" (allowed: {', '.join(self.allowed)})" if self.allowed else ""
        return f"{self.key}: {self.rule}{allowed} — {self.remedy}"


@dataclass(frozen=True)
class Parameter:
    """A parameter a notebook declares: its name, its type (``None``: any) and its default."""

    name: str
    type: str | None
    default: str = ""

    @classmethod
    def declared(cls, name: str, annotation: str, default: str) -> Parameter:
        """A parameter as a cell of Python declares it; the default's type where no annotation.

        >>> Parameter.declared("draws", "", "999")
        Parameter(name='draws', type='int', default='999')
        """
        kind = annotation.split("[")[0].strip()
        if not kind:
            try:
                kind = type(ast.literal_eval(default)).__name__
            except (ValueError, SyntaxError):  # a default that is an expression declares no type
                kind = ""
        return cls(name, kind if kind in TYPES else None, default)

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` has the declared type; a truth value is no number."""
        if self.type is None:
            return True
        if isinstance(value, bool):
            return self.type == "bool"
        if isinstance(value, float) and not math.isfinite(value):
            return False
        return isinstance(value, (int, float) if self.type == "float" else TYPES[self.type])


def convert(text: str, kind: str | None) -> Any:
    """Read text as ``kind``; text that does not read stays text, which the type check refuses.

    Numbers are written in ASCII digits, without separators, and are finite.

    >>> convert("999", "int"), convert("1_0", "int"), convert("９", "int"), convert("true", "bool")
    (999, '1_0', '９', True)
    """
    if kind == "bool":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind == "list":
        return [part.strip() for part in text.split(",")]
    forms = {"int": (_WHOLE, int), "float": (_DECIMAL, float)}
    form, read = forms.get(kind, (None, str))
    return read(text) if form is None or form.fullmatch(text) else text


def parts(values: Iterable[str] | None) -> list[str]:
    """Split repeated options and comma-separated ones alike.

    >>> parts(["110000,150000", "overview"])
    ['110000', '150000', 'overview']
    """
    return [part.strip() for value in values or [] for part in value.split(",")]


def pairs(texts: Iterable[str] | None) -> dict[str, str]:
    """Read ``name=value`` texts.

    Raises
    ------
    KepuError : a text without value or name, or a name given twice.

    >>> pairs(["draws=99"])
    {'draws': '99'}
    """
    found: dict[str, str] = {}
    for text in texts or []:
        name, mark, value = text.partition("=")
        if not mark:
            raise KepuError(f"--set {text} has no value — write --set name=value")
        if not name.isidentifier():
            raise KepuError(f"--set {text} has no name of a parameter — write --set name=value")
        if name in found:
            raise KepuError(f"--set gives {name} twice — keep one")
        found[name] = value
    return found


def check_parameters(
    where: str, values: Any, notebook: str, declared: Mapping[str, Parameter]
) -> list[Problem]:
    """Compare the parameters of a block with those its notebook declares, names and types."""
    if not isinstance(values, Mapping):
        return [Problem(where, "holds no parameters", "write `name: value` lines")]
    free = tuple(name for name in declared if name not in FILLED)
    problems = []
    for name, value in values.items():
        key = f"{where}.{name}"
        if name in FILLED:
            problems.append(Problem(key, "is filled in by the run itself", "remove it"))
        elif name not in declared:
            rule = f"name a parameter that {notebook}.ipynb declares"
            problems.append(unknown(key, name, free, rule))
        else:
            problems += _misfits(key, value, notebook, declared[name])
    return problems


def _misfits(key: str, value: Any, notebook: str, declared: Parameter) -> list[Problem]:
    """What is wrong with the value of a parameter: its type, its size, its form."""
    name = declared.name
    if not declared.accepts(value):
        rule = f"{value!r:.80} is {type(value).__name__}, {notebook}.ipynb declares {declared.type}"
        number = declared.type == "str" and isinstance(value, int | float)
        quoted = f'write it in quotes: {name}: "{value}"' if number else ""
        return [Problem(key, rule, quoted or f"write a value like {declared.default}")]
    if name in BOUNDS and not BOUNDS[name][0] <= value <= BOUNDS[name][1]:
        remedy = f"choose {BOUNDS[name][0]:,} to {BOUNDS[name][1]:,}"
        return [Problem(key, f"{value} is out of bounds", remedy)]
    if name == DAY and declared.type == "str" and value and not is_date(value):
        return [Problem(key, f"{value!r:.80} is no date", 'write it as YYYY-MM-DD: "2026-01-31"')]
    return []


def unknown(key: str, value: Any, allowed: tuple[str, ...], remedy: str) -> Problem:
    """Word the refusal of a name that is none of ``allowed``."""
    shown = "nothing" if value is None else f"{value!r:.80}"
    return Problem(key, f"{shown} is unknown", remedy, tuple(map(str, allowed)))


# ------------------------------------------------------------------------------------------
# The contract of a batch file: which blocks it may hold and what every value may be.


KEYS = ("title", "notebook", "region_set", "regions", "languages", "formats", "parameters")
BRIEF_SHOWN = r"SECTIONS[\"brief\"]"  # in a notebook, as JSON: it is written at several depths
TAG = "parameters"  # of the cell of a notebook that papermill fills
NAMED = f"name a notebook with a cell tagged `{TAG}`"
UNTAGGED = (
    f"in JupyterLab give the tag `{TAG}` (property inspector, Common Tools, Cell Tags) to the cell "
    'that sets them, as region: str = "…"'
)
INHERITED = ("languages", "formats", "parameters")


class BatchError(KepuError):
    """A batch cannot be run; ``problems`` holds everything wrong with it."""

    def __init__(self, file: str, problems: Iterable[Problem]):
        self.file, self.problems = file, tuple(problems)
        noun = "problem" if len(self.problems) == 1 else "problems"
        lines = [f"{len(self.problems)} {noun} in {file}; no report was started:"]
        super().__init__("\n  ".join([*lines, *map(str, self.problems)]))


@dataclass(frozen=True)
class Block:
    """One checked block of a batch; ``regions`` is ``None`` for a notebook about a whole set."""

    notebook: str
    regions: tuple[str, ...] | None
    region_set: str | None
    languages: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    title: dict[str, str] = field(default_factory=dict)
    formats: tuple[str, ...] = ("html",)


@dataclass(frozen=True)
class Catalogue:
    """What a batch may name: regions, sets of regions, notebooks with their parameters."""

    codes: frozenset[str]
    sets: Mapping[str, tuple[str, ...]]
    notebooks: Mapping[str, Mapping[str, Parameter]]


def split(batch: Mapping[str, Any]) -> tuple[list[tuple[str, Mapping[str, Any]]], list[Problem]]:
    """Give every block of a batch with the key it sits under; ``reports:`` holds several."""
    if not isinstance(batch, Mapping):
        return [], [Problem("(file)", "holds no keys", "write it as `key: value` lines")]
    if "reports" not in batch:
        return [("", batch)], []
    remedy = "move it into a block under reports"
    outer = [k for k in batch if k not in ("title", "reports", *INHERITED)]
    problems = [unknown(str(k), k, ("title", "reports", *INHERITED), remedy) for k in outer]
    blocks = batch["reports"]
    if not (isinstance(blocks, list) and blocks and all(isinstance(b, Mapping) for b in blocks)):
        return [], [*problems, Problem("reports", "is no list of blocks", "write `- notebook: …`")]
    common = {k: batch[k] for k in INHERITED if k in batch}
    merged = []
    for number, block in enumerate(blocks):
        both = [part.get("parameters", {}) for part in (common, block)]
        joint = {**both[0], **both[1]} if all(isinstance(p, Mapping) for p in both) else both[1]
        merged.append((f"reports[{number}].", {**common, **block, "parameters": joint}))
    return merged, problems


def check_block(
    where: str, raw: Mapping[str, Any], catalogue: Catalogue
) -> tuple[Block | None, list[Problem]]:
    """Check one block; a block with any problem is not given back."""
    problems = [
        unknown(f"{where}{k}", k, KEYS, "correct or remove the key") for k in raw if k not in KEYS
    ]
    languages = _chosen(where, "languages", raw.get("languages", list(LANGUAGES)), LANGUAGES)
    formats = _chosen(where, "formats", raw.get("formats", ["html"]), FORMATS)
    problems += languages[1] + formats[1]
    if (
        not formats[1]
        and not languages[1]
        and not all(formats_in(language, formats[0]) for language in languages[0])
    ):
        said = "has no format for one of the languages"
        problems.append(Problem(f"{where}formats", said, "add pdf, docx or html"))
    regions, region_problems = _regions(where, raw, catalogue)
    problems += region_problems
    title = raw.get("title", {})
    if not isinstance(title, Mapping):
        problems.append(Problem(f"{where}title", "holds no languages", "write `zh: …`, `en: …`"))
    name = raw.get("notebook")
    known = catalogue.notebooks
    if not isinstance(name, str) or not known.get(name):
        problem = unknown(f"{where}notebook", name, tuple(sorted(filter(known.get, known))), NAMED)
        if isinstance(name, str) and name in known:
            rule = f"{name}.ipynb declares no parameters"
            problem = Problem(f"{where}notebook", rule, UNTAGGED)
        return None, [*problems, problem]
    declared = known[name]
    problems += check_parameters(f"{where}parameters", raw.get("parameters", {}), name, declared)
    if problems:
        return None, problems
    own = dict(raw.get("parameters", {}))
    regions = regions if "region" in declared else None
    region_set = raw.get("region_set")
    return Block(name, regions, region_set, languages[0], own, dict(title), formats[0]), []


def _regions(where, raw, catalogue) -> tuple[tuple[str, ...], list[Problem]]:
    given = [key for key in ("region_set", "regions") if key in raw]
    if len(given) != 1:
        rule = "names both region_set and regions" if given else "names no regions"
        remedy = "give either region_set or regions"
        return (), [Problem(where.rstrip(".") or "(file)", rule, remedy)]
    value = raw[given[0]]
    if given == ["region_set"]:
        if isinstance(value, str) and value in catalogue.sets:
            return tuple(catalogue.sets[value]), []
        remedy = "name a set of region_sets.csv"
        return (), [unknown(f"{where}region_set", value, tuple(catalogue.sets), remedy)]
    if not isinstance(value, list) or not value:
        return (), [Problem(f"{where}regions", "is no list of codes", "write regions: ['150000']")]
    codes = tuple(map(str, value))  # YAML reads an unquoted code as a number
    return codes, [unknown_region(f"{where}regions", c, catalogue) for c in codes
                   if c not in catalogue.codes]  # fmt: skip


def unknown_region(key: str, code: str, catalogue: Catalogue) -> Problem:
    """Word the refusal of a region code, with the codes nearest to it."""
    near = difflib.get_close_matches(code, sorted(catalogue.codes), n=3)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return Problem(key, f"{code!r} is no region code", f"{hint}`kepu list regions` shows them all")


def _chosen(where, key, value, allowed) -> tuple[tuple[str, ...], list[Problem]]:
    if not isinstance(value, list) or not value:
        rule = f"{value!r} is no list"
        return (), [Problem(f"{where}{key}", rule, f"write {key}: [{allowed[0]}]", allowed)]
    wrong = [v for v in value if v not in allowed]
    problems = [unknown(f"{where}{key}", v, allowed, f"correct {key}") for v in wrong]
    return tuple(value), problems


# ------------------------------------------------------------------------------------------
# From a batch to the list of reports to make; pure, so that a dry run costs nothing.


OVERVIEW = "overview"


@dataclass(frozen=True)
class Job:
    """One report in one language.

    Attributes
    ----------
    id : ``150000_zh``; for a notebook about a whole set its name, ``overview_zh``.
    notebook : name of the notebook, without its suffix.
    region : GB/T 2260 code, or ``""`` for a whole set.
    level : administrative level of the region, or ``"overview"``.
    names : name of the region or of the overview by language.
    language : ``"zh"`` or ``"en"``.
    parameters : what the notebook's parameters cell is given.
    stem : file name without suffix; it says ``simulated`` where the data are.
    formats : what is written of it, of ``evaluation.base.text.FORMATS``.
    depths : at which it is written, of ``evaluation.base.text.DEPTHS``; none: undivided.
    """

    id: str
    notebook: str
    region: str
    level: str
    names: dict[str, str]
    language: str
    parameters: dict[str, Any] = field(default_factory=dict)
    stem: str = ""
    formats: tuple[str, ...] = ("html",)
    depths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names that are no file names, whatever a data package lets pass.

        Raises
        ------
        KepuError : the id, the stem, the region or the notebook has other than safe characters.
        """
        given = (self.id, self.notebook, self.region or "0", self.stem or self.id)
        wrong = [name for name in given if not ID.fullmatch(name)]
        if wrong:
            raise KepuError(
                f"{wrong[0]!r} cannot name a report — correct the code of the region or the name "
                "of the notebook: up to 64 letters A-Z, digits, _, - and single dots, no sign first"
            )


def catalogue(dataset: Any, notebooks: Mapping[str, Mapping[str, Parameter]]) -> Catalogue:
    """Gather what a batch may name.

    Parameters
    ----------
    dataset : has the frames ``regions`` (column ``code``) and ``region_sets`` (``set``, ``code``).
    notebooks : declared parameters by notebook name.
    """
    members = dataset.region_sets.groupby("set", sort=False)["code"].agg(tuple)
    return Catalogue(frozenset(dataset.regions["code"]), dict(members), notebooks)


@dataclass(frozen=True)
class Choice:
    """What a person chose of a batch on the command line.

    Attributes
    ----------
    file : name of the batch file, for messages.
    only : region codes or notebook names to keep; empty keeps all.
    languages : languages to keep; empty keeps all.
    formats : what to write in place of what the blocks say; empty leaves it to them.
    overrides : ``--set`` values as text; converted to the declared types.
    depths : of those notebooks that have several; empty keeps all.
    """

    file: str = "batch"
    only: Sequence[str] = ()
    languages: Sequence[str] = ()
    formats: Sequence[str] = ()
    overrides: Mapping[str, str] = field(default_factory=dict)
    depths: Sequence[str] = ()


def make_plan(
    batch: Mapping[str, Any],
    dataset: Any,
    notebooks: Mapping[str, Mapping[str, Parameter]],
    choice: Choice = Choice(),
    *,
    filled: Mapping[str, Any] | None = None,
    simulated: bool = False,
) -> list[Job]:
    """Expand a batch into jobs, one for each report and language, in the order of the file.

    Parameters
    ----------
    batch : the mapping a batch file holds.
    dataset, notebooks : see :func:`catalogue`.
    filled : values of the run for every notebook that declares them: data, data_hash, date, commit.
    simulated : mark the files as made from simulated data.

    Raises
    ------
    BatchError : with every problem of the batch and of the choices at once.
    """
    known = catalogue(dataset, notebooks)
    parts, problems = split(batch)
    checked = [check_block(where, raw, known) for where, raw in parts]
    problems += [problem for _, found in checked for problem in found]
    blocks = [block for block, _ in checked if block is not None]
    used = {block.notebook: notebooks[block.notebook] for block in blocks}
    values, set_problems = _overrides(choice.overrides, used)
    problems += set_problems
    for name, allowed in (("language", LANGUAGES), ("format", FORMATS), ("depth", DEPTHS)):
        strange = [value for value in getattr(choice, f"{name}s") if value not in allowed]
        problems += [unknown(f"--{name}", v, allowed, "choose one of them") for v in strange]
    given = (filled or {}, values, simulated, tuple(choice.formats))
    jobs = [job for b in blocks for job in _jobs(b, dataset, notebooks[b.notebook], *given)]
    counts = Counter(job.stem.lower() for job in jobs)  # some file systems do not tell a from A
    remedy = "keep each region, notebook and language in one block only"
    problems += [Problem("reports", f"{stem} would be written {count} times", remedy)
                 for stem, count in counts.items() if count > 1]  # fmt: skip
    problems += [] if problems else _only(choice.only, jobs, known)
    if problems:
        raise BatchError(choice.file, problems)
    return [
        job for job in jobs
        if (not choice.only or {job.region, job.notebook} & set(choice.only))
        and (not choice.languages or job.language in choice.languages)
    ]  # fmt: skip


def _jobs(block: Block, dataset, declared, filled, overrides, simulated, formats) -> list[Job]:
    regions = dataset.regions.drop_duplicates("code").set_index("code").to_dict("index")
    jobs = []
    for region in block.regions or [""]:
        row = regions.get(region, {})
        names = {lang: row[f"name_{lang}"] if region else block.title.get(lang, block.notebook)
                 for lang in LANGUAGES}  # fmt: skip
        for language in block.languages:
            own = {"region": region, "region_set": block.region_set, "language": language}
            given = {**filled, **own, **block.parameters, **overrides}
            parameters = {k: v for k, v in given.items() if k in declared and v is not None}
            key = f"{region or block.notebook}_{language}"
            stem = f"{key}_simulated" if simulated else key
            level = row["level"] if region else OVERVIEW
            own = (key, block.notebook, region, level, names, language, parameters, stem)
            jobs.append(Job(*own, formats_in(language, formats or block.formats)))
    return jobs


def _overrides(texts: Mapping[str, str], used) -> tuple[dict[str, Any], list[Problem]]:
    """Convert ``--set`` texts by the declared type; each must be declared by a notebook in use."""
    values, problems = {}, []
    for name, text in texts.items():
        declaring = {nb: declared for nb, declared in used.items() if name in declared}
        if not declaring and used:
            every = {k: v for declared in used.values() for k, v in declared.items()}
            problems += check_parameters("--set", {name: text}, " or ".join(used), every)
        for notebook, declared in declaring.items():
            values[name] = convert(text, declared[name].type)
            problems += check_parameters("--set", {name: values[name]}, notebook, declared)
    return values, list(dict.fromkeys(problems))


def _only(only: Sequence[str], jobs: Sequence[Job], known: Catalogue) -> list[Problem]:
    here = {name for job in jobs for name in (job.region, job.notebook)}
    problems = []
    for name in only:
        if name in known.codes and name not in here:
            problems.append(Problem("--only", f"{name!r} is not in this batch", "choose another"))
        elif name not in here:
            problems.append(unknown_region("--only", name, known))
    return problems


def deepened(jobs: Sequence[Job], folder: Path, chosen: Sequence[str]) -> list[Job]:
    """Jobs with the depths chosen, all where none are, of notebooks that show a brief."""
    deep = {name for name in {job.notebook for job in jobs}
            if BRIEF_SHOWN in (folder / f"{name}.ipynb").read_text("utf-8")}  # fmt: skip
    depths = tuple(depth for depth in DEPTHS if depth in (chosen or DEPTHS))
    return [replace(job, depths=depths) if job.notebook in deep else job for job in jobs]


def studies(
    jobs: Sequence[Job], notebooks: Mapping[str, Mapping[str, Parameter]]
) -> list[tuple[int, int]]:
    """Draws and seed of every study the reports of a plan rest on."""
    found = set()
    for job in jobs:
        declared = notebooks[job.notebook]
        if {"draws", "seed"} <= declared.keys():
            values = (job.parameters.get(n, declared[n].default) for n in ("draws", "seed"))
            found.add(tuple(map(int, values)))
    return sorted(found)


# ------------------------------------------------------------------------------------------
# Find and read what a run needs from the project folder: notebooks, batches, the commit.


NAME = "kepu-evaluation"


def find_root(start: Path | None = None) -> Path:
    """Give the project folder at or above ``start``, see :func:`evaluation.base.files.is_project`.

    A checkout is one as well: the folder whose pyproject.toml bears our name.

    Parameters
    ----------
    start : by default the working folder.

    Raises
    ------
    KepuError : when no such folder is found, or the working folder was deleted.
    """
    try:
        begin, unread = (start or Path.cwd()).resolve(), []
    except OSError as error:
        raise KepuError(
            f"the working folder cannot be reached ({error.strerror}) — change into one that is "
            "there"
        ) from None
    for folder in (begin, *begin.parents):
        if files.is_project(folder) or _is_checkout(folder, unread):
            return folder
    beside = f" ({', '.join(unread)} cannot be read)" if unread else ""
    raise KepuError(
        f"no kepu project here or in any folder above{beside} — change into the project folder, "
        "make one with `kepu new DIR`, or name the folders with --notebooks, --data and --out"
    )


def _is_checkout(folder: Path, unread: list[str]) -> bool:
    """Whether a pyproject.toml here bears our name; one that cannot be read is added to a list."""
    file = folder / "pyproject.toml"
    if not os.path.lexists(file):
        return False
    try:
        found = tomllib.loads(files.read_text(file, files.MEGABYTE)).get("project")
    except (KepuError, ValueError, RecursionError):  # another's, which is not ours to mend
        unread.append(str(file))
        return False
    return isinstance(found, dict) and found.get("name") == NAME


def batch_path(given: Path) -> Path:
    """The batch file a person means: a path, or the name of one of the project's."""
    if given.suffix or os.path.exists(given):
        return given
    return find_root() / "reports" / "batches" / f"{given}.yml"


def read_batch(path: Path) -> dict[str, Any]:
    """Read a batch file into the mapping it holds."""
    found = files.read_yaml(path, absent="`kepu list batches` shows the batches")
    if not isinstance(found, dict):
        raise KepuError(f"{path} holds no keys — write it as `key: value` lines")
    return found


def read_notebooks(folder: Path) -> dict[str, dict[str, Parameter]]:
    """Read the declared parameters of every notebook; none where no cell is tagged for them."""
    if not folder.is_dir():
        raise KepuError(f"{folder} is no folder — name the notebooks' folder with --notebooks")
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        text = files.read_text(path, files.LARGEST["notebook"])
        content = hashlib.sha256(text.encode()).hexdigest()
        records = cache.remembered("notebooks", content, partial(_inspect, path), __name__)
        found[path.stem] = {name: Parameter.declared(name, *own) for name, own in records.items()}
    return found


def _inspect(path: Path) -> dict[str, tuple[str, str]]:
    """Annotation and default of each parameter, as the first cell with the tag writes them.

    The cell is read as the Python it is: papermill takes it line by line, and passes over what
    holds a second equals sign or goes on in another line.
    """
    found = files.read_notebook(path)
    if not found.get("metadata", {}).get("kernelspec", {}).get("name"):
        raise KepuError(f"{path} names no kernel — open it in JupyterLab and save it")
    for number, cell in enumerate(found["cells"], 1):
        if cell["cell_type"] == "code" and TAG in cell["metadata"].get("tags", []):
            try:
                return _assigned("".join(cell["source"]))
            except (SyntaxError, ValueError, RecursionError) as error:  # ValueError: NUL
                detail = getattr(error, "msg", None) or error
                raise KepuError(
                    f"{path}, cell {number}, tagged `{TAG}`: is no Python ({detail}) — correct it "
                    "in JupyterLab"
                ) from None
    return {}


def _assigned(source: str) -> dict[str, tuple[str, str]]:
    """Annotation and default of each name that the lines of a cell give a value."""
    if any(line.lstrip().startswith(("%", "!")) for line in source.splitlines()):
        from IPython.core.inputtransformer2 import TransformerManager  # slow to import

        source = TransformerManager().transform_cell(source)
    found = {}
    for node in ast.parse(source, type_comments=True).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        told = getattr(node, "annotation", None)
        kind = ast.unparse(told) if told else getattr(node, "type_comment", None) or ""
        if isinstance(told, ast.Constant):  # an annotation in quotes
            kind = str(told.value)
        default = ast.get_source_segment(source, node.value) or ""
        for target in getattr(node, "targets", None) or [node.target]:
            if isinstance(target, ast.Name):
                found[target.id] = kind, default
    return found


def commit(root: Path) -> str:
    """Give the short commit of ``root`` (``-dirty`` with uncommitted changes), or ``""``."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):  # a copy without git still makes reports
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def data_label(data: Path, notebooks: Path, root: Path) -> str:
    """Give the data folder as reports record it: relative to the notebooks, never absolute.

    A folder outside the project is recorded by its name alone.
    """
    data, root = data.resolve(), root.resolve()
    if not data.is_relative_to(root) or not notebooks.resolve().is_relative_to(root):
        return data.name
    return Path(os.path.relpath(data, notebooks.resolve())).as_posix()
