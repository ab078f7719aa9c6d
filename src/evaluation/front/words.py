"""Texts of the front page: always both languages at once, the reader's choice shows one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from evaluation.numerals import fixed
from evaluation.text import LANGUAGES, t

Pair = dict[str, str]
TAGS = {"zh": "zh-CN", "en": "en"}
LEVEL = "95%"


def pair(key: str, **values: Any) -> Pair:
    """Text ``key`` in both languages as plain text; a value may itself be a pair.

    >>> pair("front.by", value="15%", year=2025)
    {'zh': '2025年15%', 'en': '15% by 2025'}
    """
    found = {}
    for language in LANGUAGES:
        own = {k: v[language] if isinstance(v, Mapping) else v for k, v in values.items()}
        # As markup, so that nothing is escaped here: every use escapes, once.
        given = {name: Markup(str(value)) for name, value in own.items()}
        found[language] = str(t(key, language, **{"level": LEVEL, **given}))
    return found


def both(text: Mapping[str, str] | str, **values: Any) -> Markup:
    """A pair, or the pair of a key, as two elements of which the page shows one."""
    found = pair(text, **values) if isinstance(text, str) else text
    return Markup("").join(
        Markup('<span lang="{}" class="t">{}</span>').format(TAGS[language], found[language])
        for language in LANGUAGES
    )


def label(text: Mapping[str, str] | str, **values: Any) -> Markup:
    """A pair as the attribute that stands for a picture or a control without words."""
    found = pair(text, **values) if isinstance(text, str) else text
    return Markup('aria-label="{} · {}" data-label-zh="{}" data-label-en="{}"').format(
        *(escape(found[language]) for language in (*LANGUAGES, *LANGUAGES))
    )


def joined(*parts: Mapping[str, str] | str) -> Pair:
    """Parts of a phrase: apart in English, close together in Chinese."""
    gaps = {"zh": "", "en": " "}
    return {
        language: gaps[language].join(
            part if isinstance(part, str) else part[language] for part in parts
        )
        for language in LANGUAGES
    }


def interval(low: float, high: float, unit: str = "", digits: int = 1) -> Pair:
    """An interval in brackets."""
    return pair("number.interval", low=fixed(low, digits), high=fixed(high, digits), unit=unit)


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign.

    >>> signed(1.314), signed(-0.5, 1), signed(0.001)
    ('+1.31', '−0.5', '0.00')
    """
    text = fixed(value, digits)
    return f"+{text}" if value > 0 and any(digit in text for digit in "123456789") else text


def percent(value: float) -> str:
    """A published share with its own decimals.

    >>> percent(10.04), percent(15.0)
    ('10.04%', '15%')
    """
    return f"{value:.6g}%"
