"""Things that are named and not counted: 甲旗和乙旗成功创建为示范县 is two of them.

A person who keeps a ledger counts such names; so does this, for the honours, verbs and kinds of
regions in ``designations.csv``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache

from evaluation.data.office.quantities import Found, Quantity, table

_NAME = r"[^，。；：:、,;!！?？“”()（）\d\s和与及]{2,14}"
_LIST = rf"(?P<names>{_NAME}?(?:[、和与及]{_NAME}?){{0,12}}?)"
_ADVERB = "(?:成功|先后|均|相继|分别|同时|也|已|全部|顺利)*"


@cache
def _words(kind: str) -> str:
    words = [row["word"] for row in table("designations.csv") if row["kind"] == kind]
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


@cache
def _shapes() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    honour = (
        rf"被?(?:{_words('verb')})(?P<level>[^，。；,;、]{{0,24}}?)(?P<honour>{_words('honour')})"
    )
    # A clause on its own: names after other words would be cut from the middle of something.
    listed = rf"(?:^|(?<=[，。；：:,;\s])){_LIST}{_ADVERB}{honour}"
    own = rf"(?:{_words('self')}){_ADVERB}{honour}"
    only = rf"唯一的?[一-鿿]{{0,4}}?(?:{_words('only')})"
    return re.compile(own), re.compile(listed), re.compile(only)


def find(text: str) -> list[Found]:
    """The counts of a text that are no numerals, in their order.

    >>> [one.figure for one in find("红山旗和白河旗成功创建为全国科普示范县")]
    ['红山旗和白河旗', '红山旗', '白河旗']
    """
    own, listed, only = _shapes()
    taken: list[Found] = []
    for found in own.finditer(text):
        taken.append(_one(found["honour"], found.start("honour"), 1))
    for found in listed.finditer(text):
        if not any(found.start() < one.end and one.start < found.end() for one in taken):
            taken += _listed(found)
    for found in only.finditer(text):
        unit = "work" if found[0].endswith("作品") else "count"
        taken.append(_one(found[0], found.start(), 1, unit))
    return sorted(taken, key=lambda one: (one.start, -one.end))


def _listed(found: re.Match[str]) -> Iterator[Found]:
    """The list of names as one count and, where they are regions, each as one."""
    start, words = found.start("names"), found["names"]
    spans = [part.span() for part in re.finditer("[^、和与及]+", words)]
    regions = [words[a:b] for a, b in spans if _is_region(words[a:b])]
    if re.search(f"{_words('self')}|全国|其中|[各个名]|^(?:推荐|推动|支持|指导)", words):
        return
    if len(spans) > 1:
        yield _one(words, start, len(spans))
    if len(regions) == len(spans):
        for a, b in spans:
            yield _one(words[a:b], start + a, 1)
    elif len(spans) == 1 and not found["level"].startswith("了"):
        yield _one(words, start, 1)


def _is_region(name: str) -> bool:
    ends = re.search(rf"(?:{_words('region')})$", name)
    return bool(ends) and not re.search(rf"(?:{_words('no_region')})$", name)


def _one(words: str, start: int, count: int, unit: str = "count") -> Found:
    value = Decimal(count)
    return Found(start, start + len(words), words, Quantity(value, unit, "=", Decimal(1)), "")
