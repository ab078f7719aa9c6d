"""The gate on words: what a sentence may claim at a strength of evidence, in both languages."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from evaluation.base.errors import KepuError
from evaluation.base.text import LANGUAGES, texts

MAXIMUM = 5


@dataclass(frozen=True)
class Words:
    """Expressions that need at least ``locks`` to be said.

    ``beside`` is an expression that, in the same sentence, lifts the ban; empty where nothing does.
    """

    locks: int
    zh: tuple[str, ...]
    en: tuple[str, ...]
    beside_zh: str = ""
    beside_en: str = ""

    def of(self, language: str) -> tuple[str, ...]:
        """The expressions in a language."""
        return self.zh if language == "zh" else self.en

    def beside(self, language: str) -> str:
        """What lifts the ban in a language."""
        return self.beside_zh if language == "zh" else self.beside_en


ASSOCIATION = Words(
    1,
    ("关联", "正相关", "负相关", "相关性", "与.{1,20}相关", "同步(?:上升|提高|变化)",
     "越.{1,12}越"),
    (r"associat\w*", r"correlat\w*", r"goes? with", r"went with", r"go(?:es)? together"),
)  # fmt: skip
EFFECT = Words(
    3,
    ("效果", "效应", "成效", "作用", "影响", "见效", "有效", "效用"),
    (r"effect\w*", r"impact\w*", r"influenc\w+"),
    "关联",
    r"associat\w*",
)
CAUSE = Words(
    5,
    ("导致", "使得", "促使", "引起", "造成", "带来", "促成", "拉动", "归功于", "得益于", "归因",
     "因果", "因为", "由于", "因此", "从而", "源于", "促进了", "提升了", "推动了", "改善了",
     "增强了", "提高了", "使.{0,12}(?:提高|上升|增加|增长|改善|提升|下降|降低)",
     "让.{0,8}(?:提高|上升|提升)"),
    (r"caus(?:e|es|ed|ing|al|ality|ally)", r"le[ad]d?s? to", r"leading to",
     r"result(?:s|ed|ing)? (?:in|from)", r"thanks to", r"due to", r"owing to", r"dr[io]ves?",
     r"driven", r"because(?: of)?", r"contribut\w+ to", r"boost\w*", r"improv\w+",
     r"rais(?:e|es|ed|ing)", r"achiev\w+", r"br(?:ings?|ought) about", r"responsible for",
     r"attribut\w+", r"therefore", r"thus", r"work(?:s|ed)", r"produc(?:e|es|ed)",
     r"ma(?:kes?|de) .{1,40} (?:higher|rise|grow)", r"prov(?:es?|ed|en)"),
)  # fmt: skip
RULES = (ASSOCIATION, EFFECT, CAUSE)

# Names of statistical notions, and headings, in which the word makes no claim.
TERMS = {
    "zh": ("设计效应", "固定效应", "随机效应", "最小可检出效应", "平均偏效应", "成效评价",
           "有效样本", "有效观测", "有效省份", "样本有效", "相关系数"),
    "en": ("design effects?", "fixed[- ]effects?", "random[- ]effects?", "wave effects?",
           "region effects?", "interval effects?", "minimum detectable effects?",
           "average partial effects?",
           "effective (?:samples?|observations|provinces|regions|number|size)"),
}  # fmt: skip

# Sentences of the text table that use such a word to deny the claim or to bound what can be read.
# They are let through word for word, never in a variant.
DENIALS = (
    "effect.some",
    "findings.effect.some",
    "effect.here.text",
    "inputs.intro",
    "level.gains.note",
    "method.words",
    "norms.coverage",
)
SENTENCE = re.compile(r"(?<=[。！？；!?;])|(?<=\.)(?=\s|$)")


def _known(language: str, locks: int) -> None:
    if language not in LANGUAGES:
        raise KepuError(f"Unknown language '{language}'; known: {', '.join(LANGUAGES)}.")
    if not 0 <= locks <= MAXIMUM:
        raise KepuError(f"Locks run from 0 to {MAXIMUM}; got {locks}.")


def forbidden(language: str, locks: int) -> tuple[str, ...]:
    """Expressions (regular expressions) that a text at this strength may not use.

    Below 1 association as well; below 3 ``effect`` unless the sentence says ``associated``; below
    5 every word of cause, for 3 and 4 permit only "consistent with an effect".

    Raises
    ------
    KepuError : an unknown language or locks outside 0 to 5.
    """
    _known(language, locks)
    return tuple(word for rule in RULES if locks < rule.locks for word in rule.of(language))


@cache
def _form(words: tuple[str, ...], language: str) -> re.Pattern[str]:
    joined = "|".join(words)
    return re.compile(joined if language == "zh" else rf"\b(?:{joined})\b", re.IGNORECASE)


@cache
def _as_written(key: str, language: str) -> re.Pattern[str]:
    """The sentence of a text key with anything but a further sentence in its places."""
    parts = []
    template = re.sub(r"<[^>]+>", "", texts()[key][language])
    for text, name, _, _ in string.Formatter().parse(template):
        parts.append(re.sub(r"(?:\\\s)+", r"\\s*", re.escape(text)))
        parts.append(r"(?:(?!\.\s)[^。！？!?]){0,400}?" if name else "")
    return re.compile("".join(parts), flags=re.DOTALL)


def said(text: str, language: str, locks: int, denials: Iterable[str] = DENIALS) -> list[str]:
    """Forbidden expressions a text uses, once terms and denials are taken out."""
    _known(language, locks)
    for key in denials:
        text = _as_written(key, language).sub(" ", text)
    text = _form(TERMS[language], language).sub(" ", text)
    found = []
    for rule in RULES:
        if locks >= rule.locks:
            continue
        for sentence in SENTENCE.split(text):
            beside = rule.beside(language)
            if not (beside and re.search(beside, sentence, re.IGNORECASE)):
                found += _form(rule.of(language), language).findall(sentence)
    return found


def gate(text: str, language: str, locks: int, denials: Iterable[str] = DENIALS) -> str:
    """Return the text unchanged, or refuse it.

    Parameters
    ----------
    text : what a reader would see, without markup. locks : strength of the evidence, 0 to 5.
    denials : keys of sentences that may stand as they are written.

    Raises
    ------
    KepuError : the text says more than the evidence permits; names the words.

    >>> gate("More museums are associated with gains.", "en", 2)
    'More museums are associated with gains.'
    """
    words = said(text, language, locks, denials)
    if words:
        listed = ", ".join(f"'{word}'" for word in dict.fromkeys(words))
        raise KepuError(f"With {locks} of {MAXIMUM} locks no sentence may say {listed}: {text}")
    return text
