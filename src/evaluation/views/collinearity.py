"""Can the proxies be told apart from each other, from income and from education?"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import seaborn as sns

from evaluation import style
from evaluation.report.blocks import Figure, Paragraph
from evaluation.report.context import Context
from evaluation.views import View, show, table

CONTROLS = ("log2_gdp_per_capita", "college_share")


def within(page: Context) -> pd.DataFrame:
    """Doses and controls of the gain panel, interval means taken out, complete rows only."""
    panel = page.study.provinces
    columns = [*("log2_" + page.study.dataset.doses["dose"]), *CONTROLS]
    frame = panel.dropna(subset=columns)
    return frame[columns] - frame.groupby("interval")[columns].transform("mean")


def inflation(frame: pd.DataFrame) -> pd.Series:
    """Variance inflation factor of each column given all others: diagonal of the inverse
    correlation matrix."""
    return pd.Series(np.diag(np.linalg.inv(frame.corr())), index=frame.columns)


def condition_number(frame: pd.DataFrame) -> float:
    """Ratio of the largest to the smallest singular value of columns scaled to unit length."""
    return float(np.linalg.cond(frame / np.linalg.norm(frame, axis=0)))


def _names(page: Context, columns: pd.Index) -> list[str]:
    return [str(page.writer.t(f"short.{column}")) for column in columns]


def heat_map(page: Context) -> View:
    """Correlations of the proxies with each other and with the controls."""
    w, frame = page.writer, within(page)
    names = [re.sub(r" ?([(（])", r"\n\1", name) for name in _names(page, frame.columns)]
    matrix = frame.corr()
    text = matrix.map("{:.2f}".format).replace("-", "−", regex=True)
    hidden = np.triu(np.ones(matrix.shape, dtype=bool))
    with style.figure(4.2) as figure:
        ax = figure.add_subplot()
        colours = sns.blend_palette([style.DARK, "white", style.ACCENT], as_cmap=True)
        sns.heatmap(
            matrix.iloc[1:, :-1], mask=hidden[1:, :-1], annot=text.iloc[1:, :-1], fmt="",
            vmin=-1, vmax=1, cmap=colours, cbar=False, linewidths=1, ax=ax,
            xticklabels=names[:-1], yticklabels=names[1:],
        )  # fmt: skip
        ax.tick_params(length=0, rotation=0)
        ax.grid(visible=False)
    caption = w.t("view.heat.caption", rows=w.number("collinear.rows", len(frame), "", 0))
    return show(page, Figure(style.figure_png(figure), caption, str(w.t("view.heat.alt"))))


def factors(page: Context) -> View:
    """Variance inflation factors, the condition number and what they mean."""
    w, frame = page.writer, within(page)
    vif = inflation(frame)
    rows = [
        (
            name,
            w.number(f"vif.{column}", vif[column], "", 1),
            w.number(f"vif.{column}.error", np.sqrt(vif[column]), "", 1),
        )
        for name, column in zip(_names(page, frame.columns), frame.columns, strict=True)
    ]
    doses = [column for column in frame if column not in CONTROLS]
    worst = vif[doses].idxmax()
    lead = w.t(
        "view.factors",
        worst=w.t(f"short.{worst}"),
        vif=w.number(f"vif.{worst}", vif[worst], "", 1),
        error=w.number(f"vif.{worst}.error", np.sqrt(vif[worst]), "", 1),
        condition=w.number("condition", condition_number(frame), "", 1),
    )
    columns = ("dose", "vif", "error_factor")
    body = table(page, w.t("view.factors.table"), columns, rows, (1, 2))
    return show(page, Paragraph(lead), body)
