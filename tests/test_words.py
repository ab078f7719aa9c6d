"""Reports describe and associate; no sentence claims that one thing brought about another."""

from __future__ import annotations

import csv
import re
import string
from functools import cache

import pytest

from conftest import DATA, REGIONS
from evaluation.base.text import LANGUAGES, texts

CAUSAL = {
    "zh": (
        "导致", "使得", "促使", "引起", "造成", "带来", "促成", "拉动", "归功于", "得益于", "归因",
        "成效显著", "成效明显", "效果", "效应", "见效", "影响", "作用", "因果", "因为", "从而",
        "促进了", "提升了", "推动了", "改善了", "增强了", "使.{0,8}提高",
    ),
    "en": (
        r"caus(?:e|es|ed|ing|al|ality|ally)", r"leads? to", r"led to", r"result(?:s|ed|ing)? in",
        r"thanks to", r"due to", r"owing to", r"because of", r"drove", r"driven by", r"effects?",
        r"impacts?", r"influenc\w+", r"contribut\w+ to", r"boost\w*", r"improv\w+",
        r"achiev\w+", r"rais(?:es|ed|ing) (?:the|literacy|shares?|rates?)", r"brought about",
        r"responsible for", r"attribut\w+ to", r"work(?:s|ed) (?:best|well)",
    ),
}  # fmt: skip

# Names of statistical notions, and headings, in which the word makes no claim.
TERMS = {
    "zh": ("设计效应", "固定效应", "成效评价报告", "起作用的省份数"),
    "en": ("design effects", "design effect", "fixed effects"),
}

# Sentences of text.csv that use such a word to deny a claim ...
DENIALS = {
    "effect.some": "an association between provinces, said not to be a cause",
    "findings.effect.some": "the same in the key findings",
    "effect.single.some": "the same of inputs taken one by one",
    "findings.effect.single.some": "the same in the key findings",
    "effect.here.text": "an association is not what a region's spending achieved",
    "caution.cause": "what the brief warns of",
    "method.words": "the rule itself",
    "view.recovered.note": "not told apart does not mean no effect",
    "view.unknown.evidence.3": "what no publication tells",
}
# ... or that speak of an instrument, of a simulated truth, or of what is not known.
ALLOWED = {
    "level.gains.note": "a change of instrument is part of the gain",
    "view.recovered": "in a simulation the effects are known",
    "view.unknown.effect.2": "in the list of what cannot be answered",
}
EXEMPT = DENIALS | ALLOWED
# Sentences the strength of evidence must unlock; no page of today's data may print one.
GATED = ("evidence.says.consistent.", "evidence.says.effect.")


def claims(text: str, language: str) -> list[str]:
    """Causal words left in a text once statistical terms are taken out."""
    for term in TERMS[language]:
        text = re.sub(re.escape(term), " ", text, flags=re.IGNORECASE)
    form = "|".join(CAUSAL[language])
    form = form if language == "zh" else rf"\b(?:{form})\b"
    return [found.group() for found in re.finditer(form, text, flags=re.IGNORECASE)]


def literal(template: str) -> str:
    words = re.sub(r"\[\w+:|\{\w+\}", " ", template)  # [n:one|several] is either
    return re.sub(r"<[^>]+>", "", words)


def as_written(template: str) -> re.Pattern[str]:
    """The sentence of a template with anything in its places."""
    parts, template = [], re.sub(r"\[\w+:[^\]]*\]", "{either}", template)
    for text, name, _, _ in string.Formatter().parse(re.sub(r"<[^>]+>", "", template)):
        parts.append(re.sub(r"\s+", r"\\s*", re.escape(text).replace(r"\ ", " ")))
        parts.append(".{0,400}?" if name else "")
    return re.compile("".join(parts), flags=re.DOTALL)


def sayings(page) -> list[str]:
    """What the report says itself: neither titles of sources nor measures of a plan."""
    blocks = page.soup.find_all(["p", "li", "h1", "h2", "h3", "caption", "figcaption", "td", "th"])
    found = [image["alt"] for image in page.soup.find_all("img")]
    for block in blocks:
        own = [
            text
            for text in block.find_all(string=True)
            if not text.find_parent("cite") and not text.find_parent(attrs={"data-row": True})
        ]
        found.append("".join(own))
    return found


@cache
def labels(language: str) -> set[str]:
    """Names of indicators and of bodies, which the report repeats and does not assert."""
    found = set()
    for name, stem in (("indicators", "label"), ("organisations", "name")):
        with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
            found |= {row[f"{stem}_{language}"] for row in csv.DictReader(handle)}
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", [*REGIONS, "provinces"])
def test_no_report_claims_a_cause(pages, code, language):
    said = []
    for text in sayings(pages(code, language)):
        if text.strip() not in labels(language) and claims(text, language):
            for key in EXEMPT:
                text = as_written(texts()[key][language]).sub(" ", text)
            said += [(word, text) for word in claims(text, language)]
    assert said == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_of_the_table_claims_a_cause(language):
    """The same for sentences that today's data do not call up."""
    said = {
        key: claims(literal(text[language]), language)
        for key, text in texts().items()
        if key not in EXEMPT
        and not key.startswith(GATED)
        and claims(literal(text[language]), language)
    }
    assert said == {}


def test_every_exemption_is_needed():
    needed = {
        key
        for key in EXEMPT
        if any(claims(literal(texts()[key][language]), language) for language in LANGUAGES)
    }
    assert needed == set(EXEMPT)


@pytest.mark.parametrize("language", LANGUAGES)
def test_denials_deny(language):
    form = {"zh": "不|没有|无", "en": r"\b(?:not|no|nothing|nowhere|cannot)\b"}[language]
    for key in DENIALS:
        assert re.search(form, texts()[key][language]), key


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "经费增加促进了素质提高"),
        ("zh", "科普投入成效显著"),
        ("zh", "投入使素质明显提高"),
        ("en", "Spending led to higher literacy"),
        ("en", "Gains were due to new museums"),
        ("en", "The effect of funds on literacy"),
        ("en", "New museums raised literacy"),
    ],
)
def test_the_list_catches_a_claim(language, text):
    assert claims(text, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "地区与波次双向固定效应；设计效应取假定值"),
        ("en", "Two-way fixed effects; assumed sample sizes and design effect"),
        ("en", "is associated with gains; the target due in"),
    ],
)
def test_the_list_lets_statistics_through(language, text):
    assert claims(text, language) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_association_is_called_one(language):
    word = {"zh": "关联", "en": "associat"}[language]
    for key in ("effect.some", "effect.sentence.positive", "effect.sentence.negative"):
        assert word in texts()[key][language]
    unknown = {"zh": "无法判断", "en": "can be told"}[language]
    for key in ("effect.sentence.unknown", "effect.sentence.not_after_holm"):
        assert unknown in texts()[key][language]
