"""Keep what is costly and always the same: studies, and what was found out about a file before.

A study is the same for every report of one state of data and code. It is kept in the user's cache
folder between processes, and in memory where a fork server holds it for the processes it makes.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation import fingerprint
from evaluation.cache import JSON, PICKLE, cached
from evaluation.errors import KepuError

if TYPE_CHECKING:  # the command line remembers without importing what computes
    from evaluation.data import Dataset
    from evaluation.study import Study

LEAST_DRAWS = 99  # with fewer, no interval at 95 % has an end
_LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "scikit-learn")
_held: dict[tuple[str, str, int, int], Study] = {}


@cache
def code_hash() -> str:
    """SHA-256 over the modules a study is computed by and the versions of what they use."""
    state = fingerprint.code("evaluation.study") + _libraries()
    return hashlib.sha256(state.encode()).hexdigest()


def _libraries() -> str:
    versions = (f"{name}={version(name)}" for name in _LIBRARIES)
    return " ".join((f"python={platform.python_version()}", *versions))


def load(path: str | Path = "data") -> Dataset:
    """Read the data package at ``path``; its contract is checked once for each of its states.

    Parameters
    ----------
    path : folder with ``datapackage.json`` and its tables.

    Raises
    ------
    DataError
        Listing every breach of the contract, each with file, row, column, rule and remedy.

    Examples
    --------
    >>> load("data/simulated").simulated
    True
    """
    from evaluation import data
    from evaluation.data.tables import read_files

    files = read_files(Path(path))
    remembered("checked", files.hash, lambda: data.load(files).hash, "evaluation.data.contract")
    return data.load(files, files.hash)


def load_study(
    dataset: Dataset, *, draws: int = 9999, seed: int = 20250101, folder: str | Path = ""
) -> Study:
    """The study of a data package or a slice of one; estimates are computed at most once.

    Parameters
    ----------
    draws, seed : of the bootstraps; the same seed gives the same study.
    folder : where studies are kept, by default :func:`evaluation.cache.folder`.

    Raises
    ------
    KepuError : fewer than ``LEAST_DRAWS`` draws.
    """
    from evaluation import slices, study

    if draws < LEAST_DRAWS:
        raise KepuError(f"A bootstrap of {draws} draws tells nothing; take {LEAST_DRAWS} or more.")
    core = slices.of_study(dataset)
    key = (core.hash, code_hash(), draws, seed)
    return study.widen(_held.get(key) or _kept(core, key, folder), dataset)


def hold(dataset: Dataset, *, draws: int, seed: int) -> None:
    """Keep the study of ``dataset`` in memory, for this process and those forked from it."""
    from evaluation import slices

    core = slices.of_study(dataset)
    key = (core.hash, code_hash(), draws, seed)
    _held[key] = _kept(core, key, "")


def kept(make: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What ``make`` gives for these arguments, computed once for each state of its code.

    For what is costly and the same whenever it is asked for: simulations with a seed. ``make`` is
    a function of a module of this package.
    """
    import joblib

    state = fingerprint.code(make.__module__) + _libraries()
    name = f"{make.__module__}.{make.__qualname__}"
    key = f"{name} {state} {joblib.hash((given, named))}"
    return cached("simulations", key, lambda: make(*given, **named), PICKLE)


def _kept(core: Dataset, key: tuple[str, str, int, int], place: str | Path) -> Study:
    from evaluation import study

    draws, seed = key[2:]
    return cached(
        "studies", " ".join(map(str, key)), lambda: study.build(core, draws=draws, seed=seed),
        PICKLE, place,
    )  # fmt: skip


def remembered(kind: str, key: str, make: Callable[[], Any], by: str) -> Any:
    """What ``make`` gave for this ``key`` before, else what it gives now; any JSON value.

    ``by`` is the module that makes it: where its code has changed, nothing is remembered.
    """
    return cached(kind, f"{key} {fingerprint.code(by)}", make, JSON)
