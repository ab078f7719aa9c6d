"""How objects speak in a notebook: sentences in both languages, a table, one line of text."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from evaluation.numerals import chance, fixed
from evaluation.text import t

MOST_LOCKS = 5
SHOWN_ROWS = 15
# Which numbers of a check are counts, shares or chances; all others are in the unit of the outcome.
COUNTS = {"count", "changes", "left_out", "draws", "doses", "differing", "not_estimable"}
SHARES = {"opposite_share", "sign_share", "rv", "rv_alpha", "strongest"}
P_VALUES = {"p", "p_holm"}  # columns of tables
CHANCES = {"p", "p_square"}


class Spoken:
    """Shows in a notebook what :meth:`summary` says above what :meth:`table` holds."""

    def summary(self, language: str = "en") -> str:
        """Say what the object holds, in plain sentences."""
        raise NotImplementedError

    def table(self) -> pd.DataFrame:
        """The numbers behind the sentences, tidy."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return card(self.summary(), self.table())


def drawn(name: str, *given: Any) -> Any:
    """A figure by a function of :mod:`evaluation.pictures`.

    Imported by name: what computes neither waits for matplotlib nor counts as changed with it.
    """
    return getattr(importlib.import_module("evaluation.pictures"), name)(*given)


def say(key: str, language: str, **values: object) -> str:
    """A text of the table as plain words."""
    return t(key, language, **values).striptags()


def whole(value: float) -> str:
    """A count with its thousands set off.

    >>> whole(12345)
    '12,345'
    """
    return f"{value:,.0f}"


def points(value: float) -> str:
    """A difference in percentage points with its sign.

    >>> points(0.0123), points(-1.5)
    ('+0.012', '−1.500')
    """
    text = fixed(value, 3)
    return f"+{text}" if value > 0 else text


def percent(share: float) -> str:
    """A share between 0 and 1 in per cent.

    >>> percent(0.3125)
    '31%'
    """
    return f"{fixed(100 * share, 0)}%"


def check_values(values: Mapping[str, float], language: str) -> dict[str, object]:
    """The numbers of a check as its sentence prints them."""
    return {name: _check_value(name, value, language) for name, value in values.items()}


def _check_value(name: str, value: float, language: str) -> object:
    if name in COUNTS:
        return whole(value)
    if name in SHARES:
        return f"{fixed(100 * value, 1)}%"
    if name in CHANCES:
        return t("number.p", language, p=chance(value).removeprefix("= "))
    return fixed(value, 3 if abs(value) < 1 else 1)


def card(text: str, frame: pd.DataFrame) -> str:
    """A paragraph above the first rows of a table, as HTML; nothing of either is markup."""
    shown = frame.head(SHOWN_ROWS)
    shown = shown.apply(lambda column: column.map(_chance if column.name in P_VALUES else _cell))
    more = Markup("<p>… {} / {}</p>").format(SHOWN_ROWS, len(frame))
    rest = more if len(frame) > SHOWN_ROWS else ""
    return Markup("<p>{}</p>").format(text) + Markup(shown.to_html(index=False, border=0)) + rest


def _chance(p: Any) -> str:
    """A p-value, never zero."""
    return "" if pd.isna(p) else chance(p).removeprefix("= ")


def _cell(value: Any) -> Any:
    """Three decimals are enough to read; missing values stay empty, years are no counts."""
    if isinstance(value, int) and value >= 10_000:
        return whole(value)
    if isinstance(value, float):
        return "" if pd.isna(value) else fixed(value, 3) if abs(value) < 1000 else whole(value)
    return value
