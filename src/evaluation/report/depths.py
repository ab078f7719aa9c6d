"""One report at three depths: a brief for who decides, a report to work with, an annex to check.

A part of a section stands in the report or in the annex, by the table below; together they hold
every part once. The brief is a section of its own. What only one depth holds, the others lead to:
pages by a link, PDF and Word by the number of the annex.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from markupsafe import Markup

from evaluation.base.text import DEPTHS, t
from evaluation.report.blocks import Block, Figure, Heading, Paragraph, Part, Section, Table, Title
from evaluation.report.blocks import to_json as written

BRIEF, REPORT, ANNEX = DEPTHS
KICKER = "kicker"  # style of a line above the title
GROUPS = ("youth", "farmers", "industrial_workers", "elderly", "officials")
# What of a section stands in the report; of one that is not named here everything does.
IN_REPORT: dict[str, frozenset[str]] = {
    "chain": frozenset(),
    "level": frozenset({"rates", "gains", "rank"}),
    "targets": frozenset({"progress", "outlook"}),
    "inputs": frozenset({"intro", "glance", "proxies.title", "proxies", "missing", "norms"}),
    "effect": frozenset(
        {"answer", "basis", "design", "locks.title", "locks", "components", "here", "limits"}
    ),
    "designs": frozenset(),
    "value": frozenset({"bought"}),
    "moves": frozenset(),
    "groups": frozenset({"intro", *(f"{name}.figures" for name in GROUPS)}),
    "governance": frozenset({"progress", "measures"}),
    "quality": frozenset({"coverage", "contradictions"}),
    "sources": frozenset(),
    "method": frozenset(),
    "glossary": frozenset(),
}
NAMES = {BRIEF: "depth.brief", REPORT: "depth.report", ANNEX: "depth.annexes"}
_IDENTIFIER = re.compile(r'\bid="([^"]+)"')


def arranged(
    parts: Sequence[Part], depth: str, language: str, made: Collection[str] = ()
) -> list[tuple[Part, ...]]:
    """What stands at a depth in place of each part of a report.

    Parameters
    ----------
    parts : of the whole report, in their order.
    depth : one of ``DEPTHS``; ``""`` for the report undivided.
    made : depths that are written beside this one, and may be led to.

    Returns
    -------
    list of as many tuples as there are parts, empty where nothing of a part belongs here.
    """
    if not depth:
        return [() if _is_brief(part) else (part,) for part in parts]
    if depth == BRIEF:
        keywords = next((part.keywords for part in parts if isinstance(part, Title)), "")
        return [_brief(part, keywords) if _is_brief(part) else () for part in parts]
    numbers = _numbers(parts)
    if depth == ANNEX:
        return [_annex(part, numbers, language) for part in parts]
    led = numbers if ANNEX in made else {}
    return [() if _is_brief(part) else _report(part, led, language) for part in parts]


def official(
    parts: Sequence[Part], language: str, made: Collection[str] = ()
) -> tuple[Title, list[Section], list[Section]]:
    """A report as an official document: title, body, attachments.

    The body opens with headline and lead of the brief and ends with its requests and cautions;
    between them stands the report. Each section of the annex, if ``made``, is an attachment.
    """
    title = next(part for part in parts if isinstance(part, Title))
    sections = [p for p in parts if isinstance(p, Section)]
    brief = next(filter(_is_brief, sections), None)
    if brief is None:
        return title, sections, []
    numbers = _numbers(parts)
    led = numbers if ANNEX in made else {}
    body = [s for part in sections if not _is_brief(part) for s in _report(part, led, language)]
    ends = [brief[name] for name in ("next", "cautions")]
    body += [
        Section(f"{BRIEF}-{place}", head.text, tuple(blocks))
        for place, (head, *blocks) in enumerate(ends, 1)
    ]
    attachments = [
        Section(f"{ANNEX}-{part.id}", part.title, _split(part)[ANNEX])
        for part in sections if part.id in led
    ]  # fmt: skip
    told = Markup("<strong>{}</strong>").format(brief.title)
    heads = [block for block in title.blocks if getattr(block, "style", "") == "subtitle"]
    rest = [block for block in title.blocks if block not in heads]
    opening = (*heads, Paragraph(told, "lead"), *brief["lead"], *rest)
    return replace(title, blocks=opening), body, attachments


def _is_brief(part: Part) -> bool:
    return isinstance(part, Section) and part.id == BRIEF


def _brief(section: Section, keywords: str) -> tuple[Part, ...]:
    """The brief as a document: its title is the finding, each heading begins a section."""
    runs: list[tuple[Markup, list[Block]]] = [(section.title, [])]
    for block in section.blocks:
        if isinstance(block, Heading):
            runs.append((block.text, []))
        else:
            runs[-1][1].append(block)
    (text, opening), *rest = runs
    sections = [
        Section(f"{BRIEF}-{place}", title, tuple(blocks))
        for place, (title, blocks) in enumerate(rest, 1)
    ]
    return (Title(text, tuple(opening), keywords), *sections)


def _split(section: Section) -> dict[str, tuple[Block, ...]]:
    """The blocks of a section by depth."""
    chosen = IN_REPORT.get(section.id)
    if chosen is None or (chosen and not section.names):  # one sentence on what is missing
        return {REPORT: section.blocks, ANNEX: ()}
    names = section.names or ("",) * len(section.blocks)
    pairs = list(zip(names, section.blocks, strict=True))
    return {
        REPORT: tuple(block for name, block in pairs if name in chosen),
        ANNEX: tuple(block for name, block in pairs if name not in chosen),
    }


def _numbers(parts: Sequence[Part]) -> dict[str, int]:
    """The number of each section's annex, for sections that have one."""
    sections = (part for part in parts if isinstance(part, Section) and not _is_brief(part))
    held = [section.id for section in sections if _split(section)[ANNEX]]
    return {name: place for place, name in enumerate(held, 1)}


def _report(part: Part, numbers: dict[str, int], language: str) -> tuple[Part, ...]:
    if not isinstance(part, Section):
        return (part,)
    blocks = _split(part)
    if not blocks[REPORT]:
        return ()
    more = [_pointer(part, blocks[ANNEX], numbers[part.id], language)] if part.id in numbers else []
    return (replace(part, blocks=(*blocks[REPORT], *more), names=()),)


def _annex(part: Part, numbers: dict[str, int], language: str) -> tuple[Part, ...]:
    if isinstance(part, Title):
        text = t("depth.annex.title", language, title=part.text)
        return (replace(part, text=text),)
    if part.id not in numbers:
        return ()
    title = t("depth.annex.section", language, number=_term(numbers[part.id]), title=part.title)
    return (Section(f"{ANNEX}-{part.id}", title, _split(part)[ANNEX]),)


def _pointer(section: Section, blocks: Sequence[Block], number: int, language: str) -> Paragraph:
    """Where the rest of a section stands, with how many figures and tables."""
    counts = Counter(map(type, blocks))
    held = {"figures": counts[Figure], "tables": counts[Table]}
    key = ".".join(["depth.more", *(name for name, count in held.items() if count)])
    values = {name: _term(count) for name, count in held.items()}
    link = Markup('<a href="#{}-{}">{}</a>')
    annex = link.format(ANNEX, section.id, t("depth.annex", language, number=_term(number)))
    return Paragraph(t(key, language, annex=annex, **values), "note")


def _term(number: int) -> Markup:
    return Markup('<span class="term">{}</span>').format(number)


def places(parts: Sequence[Part]) -> dict[str, str]:
    """The depth that holds each place a reference may lead to: sections and marks in their texts.

    What the report holds is looked for there first.
    """
    found: dict[str, str] = {}
    for depth in (REPORT, ANNEX):
        for arrangement in arranged(parts, depth, "en", DEPTHS):
            for part in arrangement:
                held = [part.id] if isinstance(part, Section) else []
                written(part, lambda text, into=held: into.extend(_IDENTIFIER.findall(text)))
                found |= {name: depth for name in held if name not in found}
    return found
