"""Evaluate what investment in science popularisation was associated with in scientific literacy.

Few names are enough for a notebook; they are imported when first used.

>>> import evaluation
>>> data = evaluation.load("data/simulated")
>>> data.simulated
True
>>> evaluation.panels(data).of("gain_regression").shape[0] > 0
True
"""

from __future__ import annotations

from importlib import import_module

# A public name and the module it is taken from; a module stands for itself.
_PUBLIC = {
    "KepuError": "base.errors",
    "MODELS": "models",
    "explore": "report.explorer",
    "fit": "models",
    "load": "study",
    "load_study": "study",
    "panels": "models.panels",
    "report": "",
    "scenario": "value.scenario",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("kepu-evaluation")
    if name not in _PUBLIC:
        known = ", ".join(_PUBLIC)
        raise AttributeError(f"evaluation has no '{name}'; its public names are {known}")
    if not _PUBLIC[name]:
        return import_module(f"{__name__}.{name}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
