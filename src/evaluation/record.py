"""What a run leaves in writing: an entry a report, the state and versions it rests on."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from evaluation import journal, manifest
from evaluation.fingerprint import DISTRIBUTION
from evaluation.plan import Job
from evaluation.worker import CACHED, FAILED, MADE, Outcome

PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "matplotlib", "papermill", "nbconvert")


@dataclass(frozen=True)
class State:
    """The data and the code a run rests on, as its manifest records them.

    ``implausible`` counts figures that look implausible and nobody has confirmed.
    """

    data: str
    data_hash: str
    commit: str
    date: str
    simulated: bool = False
    implausible: int = 0


@dataclass
class Record:
    """What became of the reports of one run, as it grows; every step is logged at once.

    ``entries`` are those of the manifest by file stem, earlier runs' included.
    """

    out: Path
    state: State
    entries: dict[str, dict[str, Any]]
    log: journal.Journal
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.log.write("started", **vars(self.state))

    def add(self, job: Job, outcome: Outcome, key: Mapping[str, str]) -> None:
        """Take an outcome; ``key`` are the hashes the report rests on."""
        self.outcomes[job.id] = outcome
        if outcome.status == CACHED:
            self.log.write("cached", id=job.id)
            return
        before = self.entries.get(job.stem)
        entry = manifest.entry(job, outcome, self.state, key, before, self.out)
        self.entries[job.stem] = entry
        self.log.write("report", entry=entry)

    def told(self) -> dict[str, Any]:
        """What the manifest tells of the run: start, duration, counts, versions, data."""
        counts = [outcome.status for outcome in self.outcomes.values()]
        return {
            "started": self.started.isoformat(timespec="seconds"),
            "package": metadata.version(DISTRIBUTION),
            "python": platform.python_version(),
            "packages": {name: metadata.version(name) for name in PACKAGES},
            "seconds": round(time.monotonic() - self.clock, 1),
            **{status: counts.count(status) for status in (MADE, CACHED, FAILED)},
            **vars(self.state),
        }
