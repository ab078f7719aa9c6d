"""The data package: read once, checked, typed; the only door through which figures enter."""

from __future__ import annotations

from evaluation.data.package import Dataset, hold, load

__all__ = ["Dataset", "hold", "load"]
