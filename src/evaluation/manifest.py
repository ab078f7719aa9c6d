"""The record of a folder of reports: manifest.json for programs, index.html for people."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation import front
from evaluation.front import summary
from evaluation.plan import Job
from evaluation.worker import FAILED, MADE, Outcome


def read(out: Path) -> dict[str, Any]:
    """Read the manifest of a folder, an empty one where there is none yet."""
    path = out / "manifest.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {"run": {}, "reports": []}


def write(
    out: Path,
    jobs: Sequence[Job],
    outcomes: Mapping[str, Outcome],
    state: Any,
    run: Mapping[str, Any],
) -> None:
    """Write manifest.json and index.html; earlier reports stay listed while their page is there.

    Parameters
    ----------
    out : folder of the reports.
    jobs, outcomes : what this run did, outcomes by job id.
    state : data, data_hash, commit, date and simulated of this run.
    run : start, duration and versions of this run.
    """
    entries = {entry["stem"]: entry for entry in read(out)["reports"]}
    entries = {
        stem: entry
        for stem, entry in entries.items()
        if entry["status"] == FAILED or (out / entry["file"]).exists()
    }
    for job in jobs:
        before = entries.get(job.stem, {})
        entry = entries[job.stem] = _entry(job, outcomes[job.id], state)
        if entry["status"] == FAILED and (out / f"{job.stem}.html").exists():
            entry["earlier"] = before.get("earlier") or _version(before)
        if entry["file"]:
            entry["summary"] = summary.read((out / entry["file"]).read_text("utf-8"))
    manifest = {
        "run": {**run, **vars(state)},
        "reports": sorted(entries.values(), key=lambda entry: entry["stem"]),
    }
    _replace(out / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")
    _replace(out / "index.html", index(manifest))


def _version(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Say which page an earlier run left and what it rests on."""
    return {key: entry.get(key, "") for key in ("file", "date", "data_hash")}


def _entry(job: Job, outcome: Outcome, state: Any) -> dict[str, Any]:
    made = outcome.status == MADE
    return {
        "id": job.id,
        "stem": job.stem,
        "notebook": job.notebook,
        "region": job.region,
        "level": job.level,
        "names": job.names,
        "language": job.language,
        "parameters": job.parameters,
        "status": outcome.status,
        "seconds": round(outcome.seconds, 1),
        "file": f"{job.stem}.html" if made else "",
        "error": outcome.error,
        "earlier": {},
        "warnings": list(outcome.warnings),
        "date": state.date,
        "data_hash": state.data_hash,
        "simulated": state.simulated,
    }


def index(manifest: Mapping[str, Any]) -> str:
    """Render the front page of a folder from the summaries its manifest holds."""
    entries = manifest["reports"]
    return front.page(manifest, {entry["stem"]: entry.get("summary") or {} for entry in entries})


def _replace(path: Path, text: str) -> None:
    """Write a file whole: a reader sees the old one or the new one."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, "utf-8")
    os.replace(part, path)
