"""What it cost, what that bought, and what could be moved: pure functions on a study's parts."""

from __future__ import annotations

from evaluation.value.analysis import Value, assemble

__all__ = ["Value", "assemble"]
