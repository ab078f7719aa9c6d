"""What a report rests on, as hashes: while they stay, the report need not be made again; pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from evaluation.base import cache as fingerprint
from evaluation.batch import state
from evaluation.batch.plan import Job
from evaluation.data import slices
from evaluation.data.package import Dataset

# Modules that turn an executed notebook into the files of a report, whatever the notebook imports.
MAKERS = ("evaluation.batch.worker",)
SLICES = "evaluation.data.slices"
PARTS = ("data", "notebook", "code", "parameters", "environment")
# Recorded on the page; a report made with other values of these says nothing else.
RECORDED = frozenset({"data_hash", "commit"})


def keyed(dataset: Dataset, notebooks: Path, date: str) -> Callable[[Job], dict[str, str]]:
    """Give the function that finds the key of a job: one SHA-256 for each of ``PARTS``.

    Parameters
    ----------
    dataset : the checked package. A notebook that imports ``evaluation.data.slices`` rests on the
        slice of its region or region set, any other on the whole package.
    notebooks : folder of the notebooks.
    date : day of the run. Of a date that was filled in only the year counts: it decides which
        targets are due, the day is only printed.
    """

    slicer = slices.Slicer(dataset)

    @cache
    def slice_hash(region: str, region_set: str) -> str:
        return (slicer.of_region(region) if region else slicer.of_set(region_set)).hash

    def key(job: Job) -> dict[str, str]:
        text, modules = fingerprint.notebook(notebooks / f"{job.notebook}.ipynb")
        region_set = job.parameters.get("region_set", "")
        part = SLICES in modules and (job.region or region_set)
        return {
            "data": slice_hash(job.region, region_set) if part else dataset.hash,
            "notebook": text,
            "code": fingerprint.code(*modules, *MAKERS),
            "parameters": _parameters(job, date),
            "environment": fingerprint.environment(),
        }

    return key


def _parameters(job: Job, date: str) -> str:
    kept = {k: v for k, v in job.parameters.items() if k not in RECORDED}
    if kept.get("date") == date:
        kept["date"] = date[:4]
    text = json.dumps(kept, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def reason(job: Job, key: Mapping[str, str], entry: Mapping[str, Any] | None, out: Path) -> str:
    """Say why a report must be made, ``""`` where the one in ``out`` is still true.

    Parameters
    ----------
    entry : what the manifest of ``out`` says of the report, if anything.
    """
    if entry is None:
        return "not made yet"
    if entry["status"] == "failed":
        return "failed before"
    changed = [name for name in PARTS if entry.get("key", {}).get(name) != key[name]]
    if changed:
        return f"changed: {', '.join(changed)}"
    files = entry.get("files", {})
    missing = [kind for kind in (*job.formats, "notebook") if kind not in files]
    if missing:
        return f"no {missing[0]} yet"
    for file in files.values():
        there = state.there(file) if "url" in file else _whole(out / file["name"], file["sha256"])
        if not there:
            return f"{file['name']} is missing or was changed"
    return ""


def _whole(path: Path, sha256: str) -> bool:
    try:
        if not path.is_file():  # to open a pipe would wait for its writer
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except OSError:  # a page that cannot be read is made again
        return False
