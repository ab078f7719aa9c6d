"""The log of a run: one JSON object a line, written as things happen: nothing done is lost.

``events.jsonl`` holds the last run of a folder: ``started``, then ``cached`` with the id of a
report that was left, or ``report`` with the entry the manifest will have, and ``finished`` at the
end. A killed run leaves no last line; the next run takes over what it had made.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

NAME = "events.jsonl"


class Journal:
    """Writes the events of one run; every line is on the disk before the next thing is done."""

    def __init__(self, out: Path):
        self._stream: TextIO = (out / NAME).open("w", encoding="utf-8")

    def write(self, event: str, **values: Any) -> None:
        """Add an event with the time in seconds since 1970."""
        line = {"event": event, "time": round(time.time(), 3), **values}
        self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """End the log."""
        self._stream.close()


def unfinished(out: Path) -> list[Mapping[str, Any]]:
    """Entries of the reports a killed run had made and no manifest lists yet."""
    path = out / NAME
    if not path.exists():
        return []
    # The last line may have been cut off by the kill: what it told is made again.
    lines = path.read_text("utf-8", errors="replace").split("\n")[:-1]
    events = [json.loads(line) for line in lines]
    if any(event["event"] == "finished" for event in events):
        return []
    return [event["entry"] for event in events if event["event"] == "report"]
