"""From a batch to the list of reports to make; pure, so that a dry run costs nothing.

Everything a run could refuse is refused here, before any kernel starts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evaluation.batch import (
    FORMATS,
    BatchError,
    Block,
    Catalogue,
    check_block,
    split,
    unknown_region,
)
from evaluation.errors import ID, KepuError
from evaluation.parameters import Parameter, Problem, check_parameters, convert
from evaluation.text import LANGUAGES

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
    formats : what is written of it, of ``evaluation.batch.FORMATS``.
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


def make_plan(
    batch: Mapping[str, Any],
    dataset: Any,
    notebooks: Mapping[str, Mapping[str, Parameter]],
    *,
    file: str = "batch",
    filled: Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
    languages: Sequence[str] = (),
    formats: Sequence[str] = (),
    overrides: Mapping[str, str] | None = None,
    simulated: bool = False,
) -> list[Job]:
    """Expand a batch into jobs, one for each report and language, in the order of the file.

    Parameters
    ----------
    batch : the mapping a batch file holds.
    dataset, notebooks : see :func:`catalogue`.
    file : name of the batch file, for messages.
    filled : values of the run for every notebook that declares them: data, data_hash, date, commit.
    only : region codes or notebook names to keep; empty keeps all.
    languages : languages to keep; empty keeps all.
    formats : what to write in place of what the blocks say; empty leaves it to them.
    overrides : ``--set`` values as text; converted to the declared types.
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
    values, set_problems = _overrides(overrides or {}, used)
    problems += set_problems + _choices("--language", languages, LANGUAGES)
    problems += _choices("--format", formats, FORMATS)
    given = (filled or {}, values, simulated, tuple(formats))
    jobs = [
        job for block in blocks for job in _jobs(block, dataset, notebooks[block.notebook], *given)
    ]
    problems += _duplicates(jobs)
    if not problems:
        problems += _only(only, jobs, known)
    if problems:
        raise BatchError(file, problems)
    return [job for job in jobs if _kept(job, only, languages)]


def _jobs(block: Block, dataset, declared, filled, overrides, simulated, formats) -> list[Job]:
    regions = dataset.regions.drop_duplicates("code").set_index("code")
    jobs = []
    for region in block.regions or [""]:
        row = regions.loc[region] if region else {}
        names = {lang: row[f"name_{lang}"] if region else block.title.get(lang, block.notebook)
                 for lang in LANGUAGES}  # fmt: skip
        for language in block.languages:
            own = {"region": region, "region_set": block.region_set, "language": language}
            given = {**filled, **own, **block.parameters, **overrides}
            parameters = {k: v for k, v in given.items() if k in declared and v is not None}
            key = f"{region or block.notebook}_{language}"
            stem = f"{key}_simulated" if simulated else key
            level = row["level"] if region else OVERVIEW
            job = Job(key, block.notebook, region, level, names, language, parameters, stem)
            jobs.append(replace(job, formats=formats or block.formats))
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


def _choices(option: str, given: Sequence[str], allowed: Sequence[str]) -> list[Problem]:
    return [
        Problem(option, f"{value!r} is unknown", "choose one of them", tuple(allowed))
        for value in given
        if value not in allowed
    ]


def _duplicates(jobs: Sequence[Job]) -> list[Problem]:
    counts = Counter(job.stem.lower() for job in jobs)  # some file systems do not tell a from A
    remedy = "keep each region, notebook and language in one block only"
    return [Problem("reports", f"{stem} would be written {count} times", remedy)
            for stem, count in counts.items() if count > 1]  # fmt: skip


def _only(only: Sequence[str], jobs: Sequence[Job], known: Catalogue) -> list[Problem]:
    here = {name for job in jobs for name in (job.region, job.notebook)}
    problems = []
    for name in only:
        if name in known.codes and name not in here:
            problems.append(Problem("--only", f"{name!r} is not in this batch", "choose another"))
        elif name not in here:
            problems.append(unknown_region("--only", name, known))
    return problems


def _kept(job: Job, only: Sequence[str], languages: Sequence[str]) -> bool:
    chosen = not only or job.region in only or job.notebook in only
    return chosen and (not languages or job.language in languages)


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
