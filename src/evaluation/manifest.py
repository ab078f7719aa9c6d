"""The record of a folder of reports: manifest.json for programs, index.html for people."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation import fingerprint, front, journal
from evaluation.folder import replace
from evaluation.plan import Job
from evaluation.worker import FAILED, MADE, Outcome

NAME, PAGE = "manifest.json", "index.html"
SHOWN = ("data", "data_hash", "commit", "date")  # what the front page tells of a run


def entries(out: Path) -> dict[str, dict[str, Any]]:
    """What a folder holds by file stem, with what a killed run had made and could not list."""
    listed = {entry["stem"]: entry for entry in _read(out)["reports"]}
    return listed | {entry["stem"]: entry for entry in journal.unfinished(out)}


def recover(out: Path) -> dict[str, dict[str, Any]]:
    """Give the entries of a folder, and list those a killed run had made before its log goes."""
    found = entries(out)
    if journal.unfinished(out):
        reports = [found[stem] for stem in sorted(found)]
        replace(out / NAME, _text({**_read(out), "reports": reports}))
    return found


def _read(out: Path) -> dict[str, Any]:
    path = out / NAME
    return json.loads(path.read_text("utf-8")) if path.exists() else {"run": {}, "reports": []}


def _text(manifest: Mapping[str, Any]) -> str:
    return json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"


def entry(
    job: Job,
    outcome: Outcome,
    state: Any,
    key: Mapping[str, str],
    before: Mapping[str, Any] | None,
    out: Path,
) -> dict[str, Any]:
    """Record one report: what it is, what became of it, what it rests on.

    Parameters
    ----------
    state : data, data_hash, commit, date and simulated of the run.
    key : hashes the report rests on.
    before : the entry of an earlier run; where this one failed, its page stays linked.
    """
    made = outcome.status == MADE
    earlier = {}
    if not made and before and (out / f"{job.stem}.html").exists():
        earlier = before.get("earlier") or _version(before)
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
        "attempts": outcome.attempts,
        "file": f"{job.stem}.html" if made else "",
        "files": outcome.files,
        "key": dict(key),
        "error": outcome.error,
        "earlier": earlier,
        "warnings": list(outcome.warnings),
        "summary": outcome.summary,
        "date": state.date,
        "data_hash": state.data_hash,
        "simulated": state.simulated,
    }


def write(
    out: Path,
    reports: Mapping[str, Mapping[str, Any]],
    run: Mapping[str, Any],
    own: front.Boundaries | None = None,
) -> dict[str, str]:
    """Write manifest.json and index.html and give their texts by name.

    A report is listed while its page is there.

    Parameters
    ----------
    reports : entries by file stem.
    run : what is told of this run: start, duration, versions, data.
    own : boundaries the map is drawn with in place of tiles.
    """
    kept = [
        reports[stem]
        for stem in sorted(reports)
        if reports[stem]["status"] == FAILED or _there(reports[stem], out)
    ]
    before = _read(out).get("front", {})
    manifest = {"run": dict(run), "reports": kept}
    key = _front_key(manifest, own)
    page = _kept(out / PAGE, before) if before.get("key") == key else ""
    page = page or index(manifest, own)
    manifest["front"] = {"key": key, "sha256": hashlib.sha256(page.encode()).hexdigest()}
    texts = {NAME: _text(manifest), PAGE: page}
    for name, text in texts.items():
        replace(out / name, text)
    return texts


def _front_key(manifest: Mapping[str, Any], own: front.Boundaries | None) -> str:
    """Hash of what the front page shows and of the code that draws it."""
    run = {name: manifest["run"].get(name) for name in SHOWN}
    told = json.dumps([run, manifest["reports"]]) + repr(own) + fingerprint.code(front.__name__)
    return hashlib.sha256(told.encode()).hexdigest()


def _kept(path: Path, before: Mapping[str, str]) -> str:
    """The page in ``path`` where it is still the one ``before`` tells of, else ``""``."""
    page = path.read_text("utf-8") if path.exists() else ""
    return page if hashlib.sha256(page.encode()).hexdigest() == before["sha256"] else ""


def _there(entry: Mapping[str, Any], out: Path) -> bool:
    stored = any("url" in file for file in entry.get("files", {}).values())
    return stored or (out / entry["file"]).exists()


def _version(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Say which page an earlier run left and what it rests on."""
    return {key: entry.get(key, "") for key in ("file", "date", "data_hash")}


def index(manifest: Mapping[str, Any], own: front.Boundaries | None = None) -> str:
    """Render the front page of a folder from the summaries its manifest holds."""
    reports = manifest["reports"]
    summaries = {entry["stem"]: entry.get("summary") or {} for entry in reports}
    return front.page(manifest, summaries, own=own)
