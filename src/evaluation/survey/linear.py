"""Taylor-linearised variances from the totals of primary sampling units.

A row is one primary unit in one domain. Units of a stratum without a row in a domain count there
with a total of zero, so a domain is never treated as a sample of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from evaluation.base.errors import KepuError

# What a stratum with a single unit adds, by the names of R's ``survey``.
LONELY = ("fail", "remove", "adjust", "average")


@dataclass(frozen=True)
class Design:
    """Strata of a sample.

    Attributes
    ----------
    drawn : (H,) primary units drawn. units : (H,) units there are; infinite where not known or
        drawn with replacement. names : (H,) as the files have them.
    lonely : a stratum of one unit ``fail``s; is left out of the variance (``remove``: its unit was
        drawn with certainty); counts its squared distance from the mean of all (``adjust``); or
        adds what the others do on average (``average``).

    Raises
    ------
    KepuError : an unknown rule; fewer units than were drawn; a lonely unit under ``fail``.
    """

    drawn: np.ndarray
    units: np.ndarray
    names: np.ndarray
    lonely: str = "fail"

    def __post_init__(self) -> None:
        if self.lonely not in LONELY:
            raise KepuError(f"no rule '{self.lonely}' for lonely units — use {', '.join(LONELY)}")
        few = self.units < self.drawn
        if few.any():
            name, drawn, there = (x[few][0] for x in (self.names, self.drawn, self.units))
            raise KepuError(
                f"stratum {name}: {drawn} primary units were drawn of {there:g} — correct fpc, the "
                "number of units in the stratum's population"
            )
        if self.lonely == "fail" and self._alone.any():
            names = ", ".join(map(str, self.names[self._alone][:5]))
            raise KepuError(
                f"{self._alone.sum()} strata have one primary unit ({names}): no variance can be "
                "told — merge them with neighbours, or name a rule: remove, adjust or average"
            )

    @property
    def open(self) -> np.ndarray:
        """Share of each stratum's units that were not drawn."""
        return 1 - self.drawn / self.units

    @property
    def _alone(self) -> np.ndarray:
        return (self.drawn == 1) & (self.open > 1e-7)

    def variance(self, stratum, unit, group, z, times=None) -> np.ndarray:
        """Variance of the sums of ``z`` by group, Σ_h (1 - f_h) n_h / (n_h - 1) Σ_i (z_hi - z̄_h)².

        Parameters
        ----------
        stratum, unit, group, z : (R,) codes from 0, and values; rows of one unit in one group are
            added first. times : (R,) units a row stands for, with ``z`` of one of them.
        """
        size = int(group.max()) + 1 if len(group) else 0
        if times is None:
            code, kept = pd.factorize(group.astype(np.int64) * (int(unit.max()) + 1) + unit)
            if len(kept) < len(z):
                first = np.zeros(len(kept), dtype=int)
                first[code[::-1]] = np.arange(len(z))[::-1]
                z = np.bincount(code, z, len(kept))
                stratum, group = stratum[first], group[first]
        times = np.ones(len(z)) if times is None else times
        strata = len(self.drawn)
        code = group.astype(np.int64) * strata + stratum
        if size * strata <= 4 * len(z):
            cells = np.arange(size * strata)
        else:  # few of the pairs occur
            code, cells = pd.factorize(code)
        total, squares = (np.bincount(code, times * z**k, len(cells)) for k in (1, 2))
        h, n = cells % strata, self.drawn[cells % strata]
        several = n > 1
        spread = np.where(several, squares - total**2 / n, squares * (self.lonely == "adjust"))
        part = self.open[h] * np.where(several, n / np.maximum(n - 1, 1), 1.0) * spread
        inflated = strata / max(1, strata - self._alone.sum()) if self.lonely == "average" else 1.0
        return inflated * np.bincount(cells // strata, np.maximum(part, 0.0), size)


@dataclass(frozen=True)
class Calibrated:
    """Margins that weights were fitted to: cells crossed by all of them.

    ``margins`` is the (C, P) incidence of cells in margins, ``factor`` (C,) calibrated over design
    weight.
    """

    margins: sparse.csr_array
    factor: np.ndarray


@dataclass(frozen=True)
class Totals:
    """Totals of primary units in domains.

    Attributes
    ----------
    labels : (D rows) what each domain is. stratum, unit, domain : (R,) codes. count : (R,)
        respondents. values : weighted totals by name, (R,) each; ``weight`` is that of ones.
    times : (R,) units a row stands for, where many units have the same totals; values and count
        are then those of one of them. cell : (R,) cell of ``calibration``.
    """

    design: Design
    labels: pd.DataFrame
    stratum: np.ndarray
    unit: np.ndarray
    domain: np.ndarray
    count: np.ndarray
    values: Mapping[str, np.ndarray]
    times: np.ndarray | None = None
    cell: np.ndarray | None = None
    calibration: Calibrated | None = None

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums by domain, (D,)."""
        whole = values if self.times is None else values * self.times
        return np.bincount(self.domain, whole, len(self.labels))

    def ratio(self, top: str, bottom: str = "weight") -> tuple[np.ndarray, np.ndarray]:
        """Ratio of two totals in each domain, (D,), and its linearised values, (R,).

        A mean is the ratio to ``weight``; a share that of the weighted ones among all.
        """
        y, x = self.values[top], self.values[bottom]
        below = self.sums(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate = self.sums(y) / below
            return estimate, (y - estimate[self.domain] * x) / below[self.domain]

    def variance(self, z: np.ndarray, contrast: np.ndarray | None = None) -> np.ndarray:
        """Variance of the sum of ``z`` in each domain, (D,), or of one contrast of them, (1,).

        ``contrast`` (D,) are factors of the domains, as 1 and -1 for a difference: covariance from
        units that are in both enters.
        """
        stratum, unit, domain, z, times = self._residuals(z)
        if contrast is None:
            if times is None and self.calibration is None:
                times = np.ones(len(z))  # a unit has one row in a domain
            found = self.design.variance(stratum, unit, domain, z, times)
            return np.pad(found, (0, len(self.labels) - len(found)))
        z, none = z * contrast[domain], np.zeros(len(z), dtype=int)
        return self.design.variance(stratum, unit, none, z, times)

    def _residuals(self, z: np.ndarray):
        """Rows of ``z`` and, of calibrated weights, less what the margins explain.

        Deville & Särndal (1992), JASA 87:376-382: residuals of the regression on the margins by
        design weights, times calibrated weights.
        """
        if self.calibration is None:
            return self.stratum, self.unit, self.domain, z, self.times
        if self.times is not None:
            raise KepuError("calibrated weights need a column of primary units or of ids")
        A, g = self.calibration.margins, self.calibration.factor
        shape = (len(g), len(self.labels))
        by_cell = sparse.coo_array((z, (self.cell, self.domain)), shape).tocsr()
        weight = np.bincount(self.cell, self.values["weight"], len(g)) / g
        normal = (A.T @ sparse.diags_array(weight) @ A).toarray()
        right = (A.T @ sparse.diags_array(1 / g) @ by_cell).toarray()
        fitted = sparse.csr_array(A @ (np.linalg.pinv(normal, hermitian=True) @ right))
        fitted.data[np.abs(fitted.data) < 1e-14 * np.abs(fitted.data).max(initial=0.0)] = 0
        fitted.eliminate_zeros()
        shape = (len(self._strata_of_units), len(g))
        held = sparse.coo_array((self.values["weight"], (self.unit, self.cell)), shape).tocsr()
        less = (held @ fitted).tocoo()
        unit, domain = less.coords
        columns = (self._strata_of_units[unit], unit, domain, -less.data)
        own = (self.stratum, self.unit, self.domain, z)
        return *(np.concatenate(pair) for pair in zip(own, columns, strict=True)), None

    @cached_property
    def _strata_of_units(self) -> np.ndarray:
        found = np.zeros(int(self.unit.max()) + 1, dtype=int)
        found[self.unit] = self.stratum
        return found

    def respondents(self) -> np.ndarray:
        """Respondents in each domain, (D,)."""
        return self.sums(self.count)

    def freedom(self) -> np.ndarray:
        """Design degrees of freedom of each domain: its units less its strata, at least 0."""
        return self._freedom

    @cached_property
    def _freedom(self) -> np.ndarray:
        units = self.sums(np.ones(len(self.domain)))  # a unit has one row in a domain
        pairs = pd.unique(self.domain.astype(np.int64) * len(self.design.drawn) + self.stratum)
        strata = np.bincount(pairs // len(self.design.drawn), minlength=len(self.labels))
        return np.maximum(units - strata, 0)
