"""Withhold small counts, and as many others as keep them from being worked out by subtraction.

Primary: counts above zero and under a threshold, and cells marked as resting on too few
respondents. Complementary: further cells, until no one who knows all that is shown, how totals are
made and that counts are not negative can bring a withheld cell into an interval narrower than the
protection. The interval is the exact one, by linear programming, in each direction.

Which cells were withheld for which reason is for the office alone: to show it would narrow the
intervals. A zero is shown. What follows from figures outside the frame is not guarded against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError

PRIMARY, COMPLEMENTARY = "primary", "complementary"
EXACT = 1e-6  # bounds nearer than this to a whole number are that number


@dataclass(frozen=True)
class Group:
    """A total and its parts, labels of cells; a part without a cell is unknown to all.

    What the parts lack of the total in the figures themselves is taken to be known.
    """

    total: str
    parts: tuple[str, ...]


def suppress(
    frame: pd.DataFrame, threshold: float, groups: Iterable[Group], protection: float = 0.0
) -> pd.DataFrame:
    """Withhold cells so that none under ``threshold`` can be told or worked out.

    Parameters
    ----------
    frame : one cell a row, labels as index, with ``value`` and where wanted ``withhold`` (True:
        withheld whatever its size, as a rate on too few respondents) and ``count`` (False: no
        count, its size says nothing).
    threshold : counts from 1 up to under this are withheld; the unit of ``value``.
    groups : how totals are made.
    protection : least width of the interval a withheld cell can be brought into, by default
        ``threshold``.

    Returns
    -------
    a copy with ``value`` missing where withheld and ``suppressed``: primary, complementary, ``""``.

    Raises
    ------
    KepuError : labels that are there twice, a threshold or a protection that is none.
    """
    if not frame.index.is_unique:
        raise KepuError("two cells have the same label — give each its own")
    if not 1 < threshold < float("inf") or not 0 <= protection < float("inf"):
        raise KepuError(
            f"{threshold:g} is no threshold, or {protection:g} no protection — give a threshold "
            "above 1 and a protection of 0 or more"
        )
    values = frame["value"].astype(float)
    counted = frame["count"] if "count" in frame else pd.Series(True, index=frame.index)
    small = counted & (values > 0) & (values < threshold)
    if "withhold" in frame:
        small |= frame["withhold"]
    primary = set(frame.index[small & values.notna()])
    table = Table(values.dropna().to_dict(), tuple(groups))
    hidden = table.protect(primary, protection or threshold)
    state = [PRIMARY if i in primary else COMPLEMENTARY if i in hidden else "" for i in frame.index]
    return frame.assign(value=values.mask(frame.index.isin(hidden)), suppressed=state)


class Table:
    """Cells with their values and the groups they stand in."""

    def __init__(self, values: dict[str, float], groups: Sequence[Group]):
        self.values = values
        self.groups = [group for group in groups if {group.total, *group.parts} & values.keys()]
        self.of: dict[str, list[int]] = {}
        for number, group in enumerate(self.groups):
            for label in (group.total, *group.parts):
                self.of.setdefault(label, []).append(number)

    def protect(self, primary: set[str], width: float) -> set[str]:
        """Labels to withhold: ``primary`` and what must go with them.

        What is withheld in addition is protected as well: whoever worked it out could go on.
        """
        hidden, waiting = set(primary), sorted(primary, key=lambda x: (-self.values[x], x))
        while waiting:
            label = waiting.pop(0)
            if self.is_wide(label, hidden, width):
                continue
            down = min(self.values[label] - self._least(label), width / 2)
            for move in (width - down, -down):
                added = self._moved(label, move, hidden) if move else set()
                hidden |= added
                waiting += sorted(added)
        return hidden

    def _moved(self, label: str, move: float, hidden: set[str]) -> set[str]:
        """The fewest and least cells that must move where one cell does, totals staying true."""
        from scipy.optimize import linprog

        names, matrix, _ = self._equations(self._linked(label, lambda name: True))
        count, place = len(names), names.index(label)
        free = np.array([name in hidden or name not in self.values for name in names])
        size = np.array([abs(self.values.get(name, 0.0)) for name in names])
        # To withhold a cell costs much, a large one a little more; one withheld anyway hardly any.
        cost = np.where(free, 1e-4, 1.0 + 0.01 * np.log1p(size))
        least = [self.values.get(name, 0.0) - self._least(name) for name in names]
        limits = [(0, None)] * count + [(0, None if self._unknown(n) else d)
                                        for n, d in zip(names, least, strict=True)]  # fmt: skip
        aim = np.zeros((1, count))
        aim[0, place] = 1.0
        equal = np.vstack([matrix, aim])
        found = linprog(
            np.concatenate([cost, cost]), A_eq=np.hstack([equal, -equal]),
            b_eq=np.append(np.zeros(len(matrix)), move), bounds=limits, method="highs",
        )  # fmt: skip
        if found.status:
            raise KepuError(f"{label} cannot be protected: nothing can be withheld with it")
        moved = np.abs(found.x[:count] - found.x[count:]) > EXACT
        return {name for name, far, own in zip(names, moved, free, strict=True) if far and not own}

    def is_wide(self, label: str, hidden: set[str], width: float) -> bool:
        """Whether what is shown leaves a cell an interval of at least this width."""
        low, high = self.bounds(label, hidden)
        return high - low >= width - EXACT

    def bounds(self, label: str, hidden: set[str]) -> tuple[float, float]:
        """Least and largest value of a withheld cell that agree with all that is shown."""
        from scipy.optimize import linprog

        names, matrix, right = self._equations(self._reach(label, hidden))
        if not len(matrix):
            return self._least(label), float("inf")
        aim = np.array([1.0 if name == label else 0.0 for name in names])
        limits = [(self._least(name), None) for name in names]
        ends = []
        for sign in (1, -1):
            found = linprog(sign * aim, A_eq=matrix, b_eq=right, bounds=limits, method="highs")
            if found.status == 3:  # no end in this direction
                ends.append(-sign * float("inf"))
            elif found.status == 0:
                ends.append(sign * found.fun)
            else:
                raise KepuError(f"the interval of {label} cannot be computed ({found.message})")
        return ends[0], ends[1]

    def _least(self, label: str) -> float:
        """What everyone knows of a cell: no count is negative."""
        return 0.0 if self.values.get(label, 0.0) >= 0 else -float("inf")

    def _unknown(self, label: str) -> bool:
        """Whether a part of a total has no cell, so that no one knows anything of it."""
        return label not in self.values

    def _equations(self, cells: set[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Cells in order, a row for each total that binds them, and what it says they amount to."""
        names = sorted(cells)
        place = {name: i for i, name in enumerate(names)}
        numbers = sorted({number for name in names for number in self.of.get(name, ())})
        matrix, right = np.zeros((len(numbers), len(names))), np.zeros(len(numbers))
        for row, number in enumerate(numbers):
            for name, sign in self._signed(number):
                if name in place:
                    matrix[row, place[name]] += sign
                    right[row] += sign * self.values.get(name, 0.0)
        return names, matrix, right

    def _signed(self, number: int) -> Iterator[tuple[str, float]]:
        group = self.groups[number]
        yield group.total, -1.0
        yield from ((part, 1.0) for part in group.parts)

    def _reach(self, label: str, hidden: set[str]) -> set[str]:
        """Unknowns that can be exchanged for each other over the groups they share."""
        return self._linked(label, lambda name: name in hidden or self._unknown(name))

    def _linked(self, label: str, counts: Callable[[str], bool]) -> set[str]:
        found, ahead = {label}, [label]
        while ahead:
            for number in self.of.get(ahead.pop(), ()):
                for name, _ in self._signed(number):
                    if name not in found and counts(name):
                        found.add(name)
                        ahead.append(name)
        return found
