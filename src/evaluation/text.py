"""Texts in both languages: one table, one look-up; a missing key or language raises."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from evaluation.errors import KepuError

LANGUAGES = ("zh", "en")


@cache
def texts() -> dict[str, dict[str, str]]:
    """The whole text table: key -> {language: template}."""
    with files("evaluation").joinpath("text.csv").open(encoding="utf-8", newline="") as handle:
        return {
            row["key"]: {lang: row[lang] for lang in LANGUAGES} for row in csv.DictReader(handle)
        }


def t(key: str, language: str, **values: object) -> Markup:
    """Text ``key`` in ``language`` with its ``{placeholders}`` filled.

    Values are escaped unless they are markup (numbers that carry their source are).

    Raises
    ------
    KepuError : unknown key or language, or a placeholder without a value.

    Examples
    --------
    >>> t("missing.value", "en")
    Markup('not found')
    """
    if language not in LANGUAGES:
        raise KepuError(f"Unknown language '{language}'; known: {', '.join(LANGUAGES)}.")
    if key not in texts():
        raise KepuError(f"Text key '{key}' is not in text.csv; add a row with zh and en.")
    try:
        return Markup(texts()[key][language]).format(**values)
    except KeyError as missing:
        raise KepuError(f"Text '{key}' ({language}) needs a value for {missing}.") from missing
