"""Sums of money and chances in words: in 万 or millions of yuan, and never a chance of nought."""

from __future__ import annotations

from markupsafe import Markup

from evaluation.report.writer import Writer, plain

MILLION, WAN, YI = 1e6, 1e4, 1e8
# Chances from draws are printed in whole percent; beyond these they are only said to be there.
LEAST, MOST = 0.01, 0.99


def money(w: Writer, key: str, yuan: float, digits: int = 0) -> Markup:
    """A sum without its unit's name: in 万 or, from one on, 亿 in Chinese, else in millions.

    ``digits`` are those of millions; 万 are a hundredth of that and need two fewer.
    """
    w.number(key, yuan)  # keeps the result, and refuses a second value under its name
    scale, word, places = MILLION, " million", digits
    if w.language == "zh":
        scale, word, places = (YI, "亿", 2) if abs(yuan) >= YI else (WAN, "万", max(0, digits - 2))
    text = plain(yuan / scale, w.language, places) + word
    return Markup('<data value="{}" data-result="{}">{}</data>').format(f"{yuan:.10g}", key, text)


def money_interval(w: Writer, key: str, low: float, high: float) -> Markup:
    """The interval of a sum in the same unit."""
    ends = {"low": money(w, f"{key}.low", low), "high": money(w, f"{key}.high", high)}
    return w.t("number.interval", unit="", **ends)


def chance(w: Writer, key: str, p: float) -> Markup:
    """A chance in whole percent; next to nought or certainty as below or above a limit."""
    if p < LEAST:
        return w.t("value.below", limit=w.number("value.least", 100 * LEAST, "percent", 0))
    if p > MOST:
        return w.t("value.above", limit=w.number("value.most", 100 * MOST, "percent", 0))
    return w.number(key, 100 * p, "percent", 0)
