"""A plan in words: what the estimates permit to say of it, and the text of ``kepu scenario``."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from evaluation.evidence import gate
from evaluation.report.sums import chance
from evaluation.report.writer import Writer
from evaluation.value.scenario import Projection


def judged(w: Writer, key: str, found: Projection) -> list[Markup]:
    """The verdict with its locks; with a budget also its worth. Every sentence passes the gate."""
    told, strength = found.result.summary(), "none" if found.locks < 1 else "some"
    sentences = [
        w.t(f"outlook.{found.verdict}"),
        w.t(
            f"outlook.locks.{strength}",
            locks=w.number("evidence.locks", found.locks, "", 0),
            most=w.number("evidence.most", 5, "", 0),
        ),
    ]
    if found.result.ratio is not None and found.budget:
        ratio = found.result.ratio
        sentences.append(
            w.t(
                "outlook.ratio",
                ratio=w.number(f"{key}.ratio", ratio.value, "yuan", 0),
                interval=w.interval(f"{key}.ratio", ratio.low, ratio.high, "", 0),
            )
        )
    elif found.budget:
        sentences.append(
            w.t(
                "outlook.worth",
                wtp=w.number("value.wtp", found.result.wtp, "yuan", 0),
                p=chance(w, f"{key}.probability", told["probability"]),
            )
        )
    for sentence in sentences:
        gate(str(Markup(sentence).striptags()), w.language, found.locks)
    return [w.joined(*sentences)]


def lines(study: Any, found: Projection, language: str) -> list[str]:
    """The outlook as lines of plain text, for the command line."""
    w, told = Writer(study.dataset, language), found.result.summary()
    rows = [
        w.t(
            "outlook.change",
            dose=w.t(f"dose.{item.lever}"),
            year=w.year(found.levels[item.lever][0]),
            today=w.number(f"{item.lever}.today", found.levels[item.lever][1], "", 2),
            planned=w.number(
                f"{item.lever}.planned", found.levels[item.lever][1] * item.factor, "", 2
            ),
            rise=w.number(f"{item.lever}.rise", 100 * (item.factor - 1), "percent", 0, signed=True),
        )
        for item in found.changes
    ]
    rows.append(
        w.t(
            "outlook.gain",
            region=w.name(found.region),
            points=w.number("points", told["points"], "percentage_point", 3, signed=True),
            interval=w.interval("points", told["points.low"], told["points.high"], "", 3),
            adults=w.number("adults", told["adults"], "", 0, signed=True),
            range=w.interval("adults", told["adults.low"], told["adults.high"], "", 0),
        )
    )
    if found.budget:
        rows.append(
            w.t(
                "outlook.budget",
                budget=w.number("budget", found.budget, "yuan", 0),
                per_head=w.number("per_head", found.budget / found.result.people, "", 2),
            )
        )
    if study.simulated:
        rows.insert(0, w.t("view.simulated"))
    return [str(Markup(row).striptags()) for row in (*rows, *judged(w, "outlook", found))]
