"""Sums of money and chances in words: in 万元 or million yuan, and never a chance of nought."""

from __future__ import annotations

from markupsafe import Markup

from evaluation.report.writer import Writer

MILLION, WAN = 1e6, 1e4
# Chances from draws are printed in whole percent; beyond these they are only said to be there.
LEAST, MOST = 0.01, 0.99


def _scaled(w: Writer, key: str) -> tuple[str, float]:
    return (f"{key}.wan", WAN) if w.language == "zh" else (f"{key}.million", MILLION)


def money(w: Writer, key: str, yuan: float, digits: int = 0) -> Markup:
    """A sum in the unit its language counts in; the text around it names the unit.

    ``digits`` are those of millions; 万元 are a hundredth of that and need two fewer.
    """
    name, unit = _scaled(w, key)
    return w.number(name, yuan / unit, "", max(0, digits - 2) if w.language == "zh" else digits)


def money_interval(w: Writer, key: str, low: float, high: float) -> Markup:
    """The interval of a sum in the same unit."""
    name, unit = _scaled(w, key)
    return w.interval(name, low / unit, high / unit, "", 0)


def chance(w: Writer, key: str, p: float) -> Markup:
    """A chance in whole percent; next to nought or certainty as below or above a limit."""
    if p < LEAST:
        return w.t("value.below", limit=w.number("value.least", 100 * LEAST, "percent", 0))
    if p > MOST:
        return w.t("value.above", limit=w.number("value.most", 100 * MOST, "percent", 0))
    return w.number(key, 100 * p, "percent", 0)
