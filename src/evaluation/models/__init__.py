"""The estimators: one family a module, one line each in ``MODELS`` of ``registry``.

``MODELS``, ``Model``, ``named`` and ``fit`` are taken from there when first used: the statistics
they stand on are slow to import, and a package is checked without any.
"""

from __future__ import annotations


def __getattr__(name: str) -> object:
    if name not in ("MODELS", "Model", "fit", "named"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from evaluation.models import registry

    return getattr(registry, name)
