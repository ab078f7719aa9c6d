"""What several test modules share."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.data import Dataset, load
from evaluation.tables import package_hash

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """The project's data package.

    Whether it keeps the contract is asked once, in test_schema.py, not by every test process.
    """
    return load(DATA, checked_hash=package_hash(DATA))
