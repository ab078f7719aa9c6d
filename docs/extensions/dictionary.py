"""The data dictionary: what the tables of the data package say of themselves, as pages."""

from __future__ import annotations

from pathlib import Path


def pages(data: Path) -> dict[str, str]:
    return {}
