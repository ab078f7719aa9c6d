"""Texts of figures: numbers, line breaks, row names, keys; and the checks of what was given."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.style import ACCENT_TEXT, DARK, INK, SMALL, slim


def require(frame: pd.DataFrame, columns: tuple[str, ...], where: str) -> pd.DataFrame:
    """Return ``frame``, or raise ``ValueError`` naming the columns it lacks."""
    lacking = [column for column in columns if column not in frame.columns]
    if lacking:
        raise ValueError(
            f"{where}: column(s) {', '.join(lacking)} missing; needed: {', '.join(columns)}"
        )
    return frame


def one_a(frame: pd.DataFrame, columns: tuple[str, ...], where: str) -> pd.DataFrame:
    """Return ``frame``, or raise ``ValueError`` if two rows agree in all ``columns``."""
    double = frame[frame.duplicated(list(columns))]
    if len(double):
        first = ", ".join(str(double.iloc[0][column]) for column in columns)
        raise ValueError(f"{where}: more than one row for {first}; give one a {'/'.join(columns)}")
    return frame


def known(values: pd.Series, allowed: Mapping[str, object], where: str) -> None:
    """Raise ``ValueError`` for a value that is none of the keys of ``allowed``."""
    strange = sorted(set(map(str, values)) - set(allowed))
    if strange:
        raise ValueError(f"{where}: {', '.join(strange)} unknown; allowed: {', '.join(allowed)}")


def plain(value: float, _position: int | None = None) -> str:
    """Tick label with thousands separators and a minus sign of the width of a digit.

    >>> plain(-1250.5)
    '–1,250.5'
    """
    rounded = float(f"{value:.10g}")
    return f"{rounded:,.10g}".replace("-", slim("−")) if math.isfinite(rounded) else ""


def wrap(text: str, columns: int) -> str:
    """Break a text into lines of at most ``columns``; a Chinese character takes two.

    >>> wrap("per 10,000 residents", 12).split()
    ['per', '10,000', 'residents']
    >>> wrap("每万人科普人员数", 8).splitlines()
    ['每万人科', '普人员数']
    """
    lines, line = [], ""
    for piece in _pieces(str(text)):
        if line.strip() and _columns((line + piece).rstrip()) > columns:
            lines, line = [*lines, line.rstrip()], piece.lstrip()
        else:
            line += piece
    return "\n".join([*lines, line.rstrip()])


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _pieces(text: str) -> list[str]:
    # A line may break after a space or beside a wide character, but never before closing marks.
    pieces: list[str] = []
    for letter in text:
        wide = _columns(letter) == 2
        closing = unicodedata.category(letter) in ("Pe", "Pf", "Po")
        last = pieces[-1][-1] if pieces else " "
        if pieces and (closing or (last != " " and not wide and _columns(last) == 1)):
            pieces[-1] += letter
        else:
            pieces.append(letter)
    return pieces


def key(fig: Figure, entries: Sequence[tuple[str, Artist]]) -> None:
    """One line above the axes that says what each mark is: texts with a sample of the mark."""
    for text, mark in entries:
        mark.set_label(text)
    fig.legend(
        handles=[mark for _, mark in entries], loc="outside upper left", ncols=len(entries),
        handlelength=1.2, handleheight=0.9, handletextpad=0.5, columnspacing=1.8, borderpad=0.1,
        borderaxespad=0.2, labelcolor=DARK,
    )  # fmt: skip


def row_names(ax: Axes, names: Sequence[str], columns: int, highlight: Sequence[bool] = ()) -> None:
    """Name the rows of a chart, first row on top; highlighted names in the accent colour."""
    ax.set_yticks(range(len(names)), [slim(wrap(name, columns)) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    for tick in ax.get_yticklabels():
        # One line sits on the row by its baseline, two lines by their middle.
        tick.set(color=INK, linespacing=1.15, va=_middle(tick.get_text()))
    for tick, marked in zip(ax.get_yticklabels(), highlight, strict=False):
        tick.set_color(ACCENT_TEXT if marked else INK)


def _middle(text: str) -> str:
    return "center" if "\n" in text else "center_baseline"


def right_texts(ax: Axes, texts: Sequence[str]) -> None:
    """Write one text a row at the right of the axes."""
    for y, text in enumerate(map(str, texts)):
        ax.annotate(
            text, (1, y), xytext=(10, 0), xycoords=ax.get_yaxis_transform(), va=_middle(text),
            textcoords="offset points", fontsize=SMALL, annotation_clip=False,
        )  # fmt: skip
