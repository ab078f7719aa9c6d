"""Texts of the package in two languages, numbers as text, and what a page may link to and run."""

from __future__ import annotations

import base64
import csv
import hashlib
import math
import re
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib.resources import files

from markupsafe import Markup, escape

from evaluation.base.errors import KepuError

# ------------------------------------------------------------------------------------------
# Texts in both languages: one table, one look-up; a missing key or language raises.


LANGUAGES = ("zh", "en")


@cache
def texts() -> dict[str, dict[str, str]]:
    """The whole text table: key -> {language: template}."""
    with files("evaluation").joinpath("text.csv").open(encoding="utf-8", newline="") as handle:
        return {
            row["key"]: {lang: row[lang] for lang in LANGUAGES} for row in csv.DictReader(handle)
        }


def check_language(language: str) -> None:
    """Refuse a language that texts do not have."""
    if language not in LANGUAGES:
        raise KepuError(f"Unknown language '{language}'; known: {', '.join(LANGUAGES)}.")


def t(key: str, language: str, **values: object) -> Markup:
    """Text ``key`` in ``language`` with its ``{placeholders}`` filled.

    Values are escaped unless they are markup (numbers that carry their source are). Of
    ``[count:is|are]`` the first stands where the value ``count`` is 1, the second where it is not.

    Raises
    ------
    KepuError : unknown key or language, or a placeholder without a value.

    Examples
    --------
    >>> t("missing.value", "en")
    Markup('not found')
    """
    check_language(language)
    if key not in texts():
        raise KepuError(f"Text key '{key}' is not in text.csv; add a row with zh and en.")
    try:
        template = _CHOICE.sub(
            lambda found: found[2 if Markup(escape(values[found[1]])).striptags() == "1" else 3],
            texts()[key][language],
        )
        return Markup(template).format(**values)
    except KeyError as missing:
        raise KepuError(f"Text '{key}' ({language}) needs a value for {missing}.") from missing


def marked(text: str) -> Markup:
    """A definition in words, its numbers marked as constants of a definition.

    >>> marked("aged 18–69 & more")
    Markup('aged <span class="term">18–69</span> &amp; more')
    """
    term = Markup('<span class="term">{}</span>').format
    parts = re.split(r"([0-9]+(?:[–.,-][0-9]+)*)", text)
    return Markup("").join(term(part) if part[:1].isdigit() else part for part in parts)


_CHOICE = re.compile(r"\[(\w+):([^|\[\]]*)\|([^|\[\]]*)\]")


COMMON = ("html", "pdf", "docx")  # formats of every language
OFFICIAL = "official"  # Word in the layout of Chinese official documents, one for all depths
FORMATS = (*COMMON, OFFICIAL)


def formats_in(language: str, formats: Iterable[str]) -> tuple[str, ...]:
    """Those of some formats that a language has.

    >>> formats_in("en", ("pdf", "official"))
    ('pdf',)
    """
    return tuple(name for name in formats if name != OFFICIAL or language == "zh")


# Of a regional report, from what is read first to what is looked up.
DEPTHS = ("brief", "report", "annex")


def file_stem(stem: str, depth: str = "") -> str:
    """How the files of a report are named at a depth: the report itself by the stem alone.

    >>> file_stem("150000_zh", "report"), file_stem("150000_zh", "brief")
    ('150000_zh', '150000_zh_brief')
    """
    return f"{stem}_{depth}" if depth in ("brief", "annex") else stem


# ------------------------------------------------------------------------------------------
# Numbers as plain text: rounded to the size of their error, a p-value never as zero.


SMALLEST_P = 0.001


def fixed(value: float, digits: int) -> str:
    """A number with so many decimals, halves away from zero as a reader would round them.

    >>> fixed(1.31 / 2, 2), fixed(-1234.5, 0), fixed(-0.001, 1)
    ('0.66', '−1,235', '0.0')
    """
    exact = Decimal(f"{value:.12g}").quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    text = f"{exact:,f}"
    return text.replace("-", "−") if exact else text.lstrip("-")


def rounded(value: float, error: float, unbounded: str = "∞") -> str:
    """A number with as many decimals as two digits of its error have; minus sign, not hyphen.

    Where the error is unknown or zero the number keeps three digits of its own.

    >>> rounded(-0.12345, 0.031), rounded(1234.5, 210), rounded(0.5, float("nan"))
    ('−0.123', '1,234', '0.500')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return unbounded if value > 0 else f"−{unbounded}" if unbounded == "∞" else unbounded
    known = math.isfinite(error) and error > 0
    size = error if known else abs(value)
    digits = (1 if known else 2) - math.floor(math.log10(size)) if size > 0 else 0
    text = f"{value:,.{max(0, digits)}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("-")
    return text.replace("-", "−")


def chance(p: float) -> str:
    """A p-value with its sign of comparison: ``= 0.042``, ``< 0.001``.

    >>> chance(0.0421), chance(0.0001), chance(0.9999)
    ('= 0.042', '< 0.001', '= 1.000')
    """
    if math.isnan(p):
        return "= –"
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"= {p:.3f}"


# ------------------------------------------------------------------------------------------
# What a page may link to, and what it may run.


# No blank, quote, bracket, control or mark that turns the direction of text; no name before a host.
_BARRED = r"\s\"'<>\\^`{|}\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_WEB = re.compile(rf"https?://[^/?#@{_BARRED}]+(?:[/?#][^{_BARRED}]*)?", re.I)
_DOI = re.compile(rf"(?:doi:\s*)?(10\.\d{{4,9}}/[^{_BARRED}]+)", re.I | re.A)


def link(address: str) -> str:
    """The address to link to, ``""`` where it may only be shown: http, https and DOI alone.

    >>> link("https://example.org/a?b=1"), link("doi:10.1000/182")
    ('https://example.org/a?b=1', 'https://doi.org/10.1000/182')
    >>> link("javascript:alert(1)"), link("data:text/html,x"), link("https://gov.cn@example.org")
    ('', '', '')
    """
    given = address.strip()
    if found := _DOI.fullmatch(given):
        return f"https://doi.org/{found[1]}"
    return given if _WEB.fullmatch(given) else ""


def policy(script: str, style: str = "", pictures: bool = False) -> str:
    """Content-Security-Policy of a page that fetches nothing and runs one script, by its hash.

    Parameters
    ----------
    script, style : exactly what stands between the tags. Without ``style`` any may stand in the
        page. pictures : whether the page holds pictures as ``data:``.
    """
    styles = _hashed(style) if style else "'unsafe-inline'"
    rules = [
        "default-src 'none'",
        "img-src data:" if pictures else "",
        f"style-src {styles}",
        f"script-src {_hashed(script)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(filter(None, rules))


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def is_date(text: str) -> bool:
    """Whether a text is a day, a month or a year as pages print them.

    >>> [is_date(text) for text in ("2026-01-31", "2026", "2026-02-30", "20260131")]
    [True, True, False, False]
    """
    if not re.fullmatch(r"[0-9]{4}(-[0-9]{2}){0,2}", text, re.ASCII):
        return False
    try:
        date.fromisoformat(f"{text}-01-01"[:10])
    except ValueError:
        return False
    return True
