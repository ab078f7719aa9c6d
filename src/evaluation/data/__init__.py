"""The data package: read once, checked, typed; the only door through which figures enter."""

from __future__ import annotations

__all__ = ["Dataset", "hold", "load"]


def __getattr__(name: str) -> object:
    """Take a public name from ``package`` when first used: tables are slow to import."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from evaluation.data import package

    return getattr(package, name)
