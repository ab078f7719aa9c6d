"""Keep a study between kernels: it is the same for every report of one state of data and code."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import joblib
import platformdirs

from evaluation import study
from evaluation.data import Dataset
from evaluation.study import Study

_LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "scikit-learn")


@cache
def code_hash() -> str:
    """SHA-256 over the package's sources and the versions of what it computes with."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    digest.update(" ".join(f"{name}={version(name)}" for name in _LIBRARIES).encode())
    return digest.hexdigest()


def load_study(
    dataset: Dataset, *, draws: int = 9999, seed: int = 20250101, folder: str | Path = ""
) -> Study:
    """The study of a data package, computed at most once for each state of data and code.

    Parameters
    ----------
    folder : where studies are kept; by default the user's cache folder. Deleting it loses
        nothing but time.
    """
    place = Path(folder) if folder else platformdirs.user_cache_path("kepu-evaluation")
    memory = joblib.Memory(place, verbose=0)
    build = memory.cache(_build, ignore=["dataset"])
    kept = build(dataset, dataset.hash, code_hash(), draws, seed)
    # The package may have been read from another folder when the study was kept.
    return Study(**{**vars(kept), "dataset": dataset})


def _build(dataset: Dataset, data: str, code: str, draws: int, seed: int) -> Study:
    return study.build(dataset, draws=draws, seed=seed)
