"""The record of a folder of reports: manifest.json for programs, index.html for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from evaluation import journal
from evaluation.folder import replace
from evaluation.plan import OVERVIEW, Job
from evaluation.worker import FAILED, MADE, Outcome

NAME = "manifest.json"
GROUPS = {
    OVERVIEW: ("全国总览", "National overview"),
    "province": ("省、自治区、直辖市", "Provinces"),
    "league": ("盟市", "Leagues and prefecture cities"),
    "city": ("城市", "Cities"),
    "county": ("旗县区", "Counties, banners and districts"),
}
LEVELS = {"prefecture_city": "league", "nation": OVERVIEW}


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
        "date": state.date,
        "data_hash": state.data_hash,
        "simulated": state.simulated,
    }


def write(
    out: Path, reports: Mapping[str, Mapping[str, Any]], run: Mapping[str, Any]
) -> dict[str, str]:
    """Write manifest.json and index.html and give their texts by name.

    A report is listed while its page is there.

    Parameters
    ----------
    reports : entries by file stem.
    run : what is told of this run: start, duration, versions, data.
    """
    kept = [
        reports[stem]
        for stem in sorted(reports)
        if reports[stem]["status"] == FAILED or _there(reports[stem], out)
    ]
    manifest = {"run": dict(run), "reports": kept}
    texts = {
        NAME: _text(manifest),
        "index.html": index(manifest),
    }
    for name, text in texts.items():
        replace(out / name, text)
    return texts


def _there(entry: Mapping[str, Any], out: Path) -> bool:
    stored = any("url" in file for file in entry.get("files", {}).values())
    return stored or (out / entry["file"]).exists()


def _version(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Say which page an earlier run left and what it rests on."""
    return {key: entry.get(key, "") for key in ("file", "date", "data_hash")}


def index(manifest: Mapping[str, Any]) -> str:
    """Render the bilingual list of a folder's reports, one card a region, grouped by level."""
    templates = Environment(
        loader=PackageLoader("evaluation"), autoescape=True, undefined=StrictUndefined
    )
    style = templates.loader.get_source(templates, "style.css")[0]
    reports = manifest["reports"]
    return templates.get_template("index.html.j2").render(
        groups=_groups(reports),
        run=manifest["run"],
        style=style,
        failed=sum(entry["status"] == FAILED for entry in reports),
        made=sum(entry["status"] == MADE for entry in reports),
        simulated=any(entry["simulated"] for entry in reports),
    )


def _groups(reports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Gather the reports by group and then by region; groups in the order of ``GROUPS``."""
    groups: dict[str, dict[tuple, dict[str, Any]]] = {name: {} for name in GROUPS}
    for entry in reports:
        level = LEVELS.get(entry["level"], entry["level"])
        cards = groups[level if level in GROUPS else "county"]
        key = (entry["region"], entry["notebook"], entry["simulated"])
        cards.setdefault(key, {**entry, "languages": {}})["languages"][entry["language"]] = entry
    return [
        {"level": name, "zh": GROUPS[name][0], "en": GROUPS[name][1], "cards": list(cards.values())}
        for name, cards in groups.items()
        if cards
    ]
