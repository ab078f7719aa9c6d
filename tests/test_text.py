"""The text table: two languages a key, the same placeholders, no key unused and none missing."""

from __future__ import annotations

import ast
import csv
import json
import re
import string
from functools import cache
from pathlib import Path

import pytest
from markupsafe import Markup

from evaluation.base.errors import KepuError
from evaluation.base.text import LANGUAGES, t, texts
from evaluation.data.office.workbook import TOPICS
from evaluation.models import MODELS
from evaluation.report.governance import GROUPS, RELATED
from evaluation.report.inputs import DOMAINS
from evaluation.survey.standing import Progress

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "evaluation"
TABLE = SOURCE / "text.csv"
KEYS = sorted(texts())
HAN = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
# Terms that Chinese readers meet in Latin letters only.
LATIN = {"VIF", "p", "Id"}
MARKUP = re.compile(r'<span class="term">.*?</span>|<time>.*?</time>')


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def bare(template: str) -> str:
    """A template without placeholders and without markup."""
    parts = (text for text, _, _, _ in string.Formatter().parse(template))
    return re.sub(r"<[^>]+>", "", "".join(parts))


def test_no_key_stands_twice():
    with TABLE.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == ["key", *LANGUAGES]
    keys = [row["key"] for row in rows]
    assert sorted(keys) == KEYS
    assert len(keys) > 200


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_has_a_text_without_stray_space(language):
    for key in KEYS:
        text = texts()[key][language]
        assert text, key
        assert text == text.strip(), key
        assert "  " not in text, key


def test_both_languages_take_the_same_placeholders(dataset):
    """But for the words of a package, of which every text is given all."""
    given = set(dataset.words("zh"))
    assert given == set(dataset.words("en"))
    differing = {
        key: sorted(apart)
        for key in KEYS
        if (apart := (placeholders(texts()[key]["zh"]) ^ placeholders(texts()[key]["en"])) - given)
    }
    assert differing == {}


@pytest.mark.parametrize(("told", "verb"), [("1", "is"), ("3", "are"), ("11", "are")])
def test_a_count_of_one_has_the_words_of_one(told, verb):
    number = Markup('<data value="1">{}</data>').format(told)
    values = {"tried": 7, "what": "inputs", "names": "a", "outcome": "literacy"}
    text = t("findings.effect.single.some", "en", told=number, **values)
    assert f"</data> of 7 inputs (a) {verb} associated" in text
    assert "[" not in text and "|" not in text


def test_a_choice_without_its_count_is_refused():
    with pytest.raises(KepuError, match="needs a value for 'years'"):
        t("outlook.beyond", "en")


def test_english_has_no_chinese():
    assert [key for key in KEYS if HAN.search(texts()[key]["en"])] == []


def test_chinese_is_chinese():
    latin = [
        key
        for key in KEYS
        if re.search(r"[A-Za-z]", text := bare(texts()[key]["zh"]))
        and text.isascii()
        and text.strip() not in LATIN
    ]
    assert latin == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_say_no_number_that_is_not_marked(language):
    """Figures come from facts and results; a term such as an age band is marked as one."""
    # A workbook to fill in shows examples; it is no page.
    pages = [key for key in KEYS if not key.startswith("form.")]
    digits = [key for key in pages if re.search(r"\d", MARKUP.sub("", texts()[key][language]))]
    assert digits == []


def test_markup_of_texts_is_balanced_and_known():
    for key in KEYS:
        for language in LANGUAGES:
            text = texts()[key][language]
            tags = re.findall(r"<(/?)(\w+)[^>]*>", text)
            opened = [name for slash, name in tags if not slash]
            assert opened == [name for slash, name in tags if slash], key
            assert set(opened) <= {"span", "time", "code", "cite"}, key


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    """The program and the code cells of the notebooks."""
    found = [(path, path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found += [(path, "".join(c["source"])) for c in cells if c["cell_type"] == "code"]
    return [(path, ast.parse(code)) for path, code in found]


# Functions whose first argument is a key of the table.
SPEAKING = ("t", "missing", "pair", "both")


def asked() -> list[tuple[str, ast.expr]]:
    """First argument of every call that speaks, with the file it stands in."""
    calls = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in SPEAKING:
                    calls.append((path.name, node.args[0]))
    return calls


def templated() -> set[str]:
    """Keys that the page templates name."""
    pages = [path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.j2")]
    return {key for page in pages for key in re.findall(r"""["']([a-z_]+(?:\.\w+)+)["']""", page)}


def literals() -> set[str]:
    return templated() | {
        node.value
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_key_a_template_names_exists():
    keys = {key for key in templated() if not key.endswith((".html", ".j2", ".css"))}
    assert len(keys) > 20
    assert keys - set(texts()) == set()


def pattern(node: ast.JoinedStr) -> str:
    parts = (re.escape(v.value) if isinstance(v, ast.Constant) else "(.+?)" for v in node.values)
    return "".join(parts).removesuffix("(.+?)") + ("(.*)" if _open(node) else "")


def _open(node: ast.JoinedStr) -> bool:
    return not isinstance(node.values[-1], ast.Constant)


# Families whose keys a result carries with it, to be looked up by the page that shows it.
CARRIED = ("check.", "evidence.")


def carried(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) and str(getattr(node.values[0], "value", "")).startswith(
        CARRIED
    )


def vocabulary(dataset) -> set[str]:
    """Words a key may be completed with: those of the program and of the tables' vocabularies."""
    words = literals() | {"", *"123456789", *MODELS, *PROVENANCE}
    for table, column in {
        ("calendar", "again"), ("calendar", "kind"),
        ("indicators", "domain"), ("measures", "domain"),
        ("doses", "dose"), ("doses", "timing"),
        ("regions", "level"), ("regions", "band"), ("assumptions", "parameter"),
        ("assumptions", "level"), ("contradictions", "kind"), ("sources", "grade"),
        ("indicators", "indicator"),
    }:  # fmt: skip
        words |= set(getattr(dataset, table)[column])
    words |= {name for text in dataset.facts["caveats"] for name in text.split(";")}
    words |= {f"topic.{topic}" for topic in TOPICS}
    return words | {f"log2_{dose}" for dose in dataset.doses["dose"]}


# Filled in by the notebooks.
PROVENANCE = (
    "package", "commit", "data", "data_hash", "region", "region_set", "language", "first_year",
    "draws", "seed", "date",
)  # fmt: skip


def related() -> set[str]:
    """Keys of the groups whose national rates bear on a key group."""
    return {f"related.{name.replace('=', '.').replace(' ', '_')}" for name in RELATED}


def test_every_key_the_program_names_exists():
    absent = {
        (file, node.value)
        for file, argument in asked()
        for node in ast.walk(argument)
        if isinstance(node, ast.Constant)
        and re.fullmatch(r"[a-z_]+(\.[A-Za-z0-9_-]+)+", str(node.value))
        and node.value not in texts()
    }
    assert absent == set()


def test_every_family_of_keys_covers_its_vocabulary(dataset):
    caveats = {name for text in dataset.facts["caveats"] for name in text.split(";") if name}
    families = {
        "group.": GROUPS,
        "domain.": {*DOMAINS, *dataset.indicators["domain"], *dataset.measures["domain"]},
        "effect.table.": MODELS,
        "caveat.": caveats,
        "parameter.": dataset.assumptions["parameter"],
        "survey_level.": ("all",),
        "coverage.": ("published", "flagged", "missing"),
        "effect.sentence.": ("positive", "negative", "unknown", "not_after_holm"),
        "findings.change.": ("up", "down", "unclear", "missing", "break"),
        "findings.level.": ("above", "below", "near", "alone", "missing"),
        "provenance.": PROVENANCE,
    }
    statuses = re.findall(r"``(\w+)``", Progress.__doc__.partition("``required``")[0])
    statuses.remove("status")
    assert len(statuses) == 8
    families |= dict.fromkeys(("status.", "targets.", "findings.target."), statuses)
    absent = {f"{stem}{name}" for stem, names in families.items() for name in names}
    assert (absent | related()) - set(texts()) == set()


def test_every_key_of_the_table_is_used(dataset):
    words, named = vocabulary(dataset), literals() | related()
    forms = [node for _, argument in asked() for node in ast.walk(argument)]
    forms += [node for _, tree in trees() for node in ast.walk(tree) if carried(node)]
    patterns = [re.compile(pattern(node)) for node in forms if isinstance(node, ast.JoinedStr)]
    assert patterns

    def used(key: str) -> bool:
        if key in named:
            return True
        matches = (form.fullmatch(key) for form in patterns)
        return any(found and set(found.groups()) <= words for found in matches)

    assert [key for key in KEYS if not used(key)] == [], [key for key in KEYS if not used(key)]


def test_an_unknown_key_or_language_is_refused_with_the_remedy():
    with pytest.raises(KepuError, match=r"'no\.such' is not in text\.csv; add a row with zh and"):
        t("no.such", "en")
    with pytest.raises(KepuError, match="Unknown language 'fr'; known: zh, en"):
        t("missing.value", "fr")


def test_a_missing_value_is_refused_by_name():
    with pytest.raises(KepuError, match=r"Text 'period\.until' \(zh\) needs a value for 'end'"):
        t("period.until", "zh")


def test_values_are_escaped_unless_they_are_markup():
    plain = t("period.until", "en", end="<b>&</b>")
    assert plain == "up to &lt;b&gt;&amp;&lt;/b&gt;"
    assert t("period.until", "en", end=Markup("<time>2022</time>")) == "up to <time>2022</time>"


def test_each_thing_has_one_name_in_every_text():
    with (SOURCE / "terms.csv").open(encoding="utf-8", newline="") as handle:
        terms = list(csv.DictReader(handle))
    assert all(term["zh"] and term["en"] for term in terms)
    found = [
        (key, language, term[language])
        for term in terms
        for key, text in texts().items()
        for language in LANGUAGES
        if (avoid := term[f"avoid_{language}"])
        and re.search(avoid, re.sub(r"\{\w+\}", "0", text[language]))
    ]
    assert not found, f"text.csv has another word for these: {found}"


def test_reports_ask_offices_and_name_no_file_or_column():
    asked = {key: text for key, text in texts().items() if key.endswith("missing")}
    inside = re.compile(r"\w+\.csv|region_code|\b[a-z]+_[a-z_]+\b|\bRows? (in|of|with)\b")
    for key, text in asked.items():
        for language in LANGUAGES:
            assert not inside.search(re.sub(r"\{\w+\}", "", text[language])), (key, language)
    for key in ("level.missing", "targets.missing", "outlook.missing", "value.spent.missing"):
        assert "请" in asked[key]["zh"] and "asked of" in asked[key]["en"]
