"""The notebooks keep the conventions a reader relies on; nbval runs them (see the Makefile)."""

from __future__ import annotations

import ast
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
READING_ORDER = [
    "00_welcome", "01_data_and_evidence", "02_literacy", "03_investment", "04_effect",
    "05_robustness", "06_value", "07_targets", "08_scenarios", "09_designs", "10_next_evaluation",
    "11_monitoring", "12_index", "13_survey",
]  # fmt: skip
EXPECTED = {
    ROOT / "notebooks" / f"{name}.ipynb" for name in (*READING_ORDER, "region_report", "overview")
}
NOTEBOOKS = sorted(EXPECTED.union((ROOT / "notebooks").glob("*.ipynb")))
CHECKED = "nbval-check-output"
MAXIMUM_BYTES = 400_000
MAXIMUM_LINES = 10
FIGURES_IN_WORDS = re.compile(r"\d+[.,]\d|\d\s*(%|per ?cent|个百分点|亿|万)")
HAN = re.compile(r"[\u3400-\u9fff]")
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(home|tmp|root|work|Users|usr|opt|var|mnt)/|[A-Z]:\\\\")

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str = "") -> list[dict]:
    """Cells of a notebook, of one kind where it is given."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if kind in ("", cell["cell_type"])]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def checked(path: Path) -> list[dict]:
    return [cell for cell in cells(path) if CHECKED in tags(cell)]


def text_of(output: dict) -> str:
    """What an output says as text, images left out."""
    found = "".join(output.get("text", []))
    for kind, data in output.get("data", {}).items():
        found += "" if kind.startswith("image/") else "".join(data)
    return re.sub(r"data:image/[^\"]*", "", found)


def parameters(path: Path) -> ast.Module:
    return ast.parse(source(cells(path, "code")[1]))


def test_first_code_cell_only_imports(path):
    body = ast.parse(source(cells(path, "code")[0])).body
    assert all(isinstance(line, (ast.Import, ast.ImportFrom)) for line in body)


def test_nothing_is_imported_later(path):
    for cell in cells(path, "code")[1:]:
        nodes = ast.walk(ast.parse(source(cell)))
        assert not any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in nodes)


def test_parameters_are_the_second_code_cell_and_the_only_one(path):
    tagged = ["parameters" in tags(cell) for cell in cells(path, "code")]
    assert tagged.index(True) == 1 and sum(tagged) == 1


def test_every_parameter_is_typed_has_a_default_and_a_comment(path):
    body = parameters(path).body
    assert body and all(isinstance(line, ast.AnnAssign) and line.value for line in body)
    for line in source(cells(path, "code")[1]).splitlines():
        assert re.search(r"\s{2}# \w.{8,}", line), f"no comment that explains: {line}"


def test_every_parameter_is_of_its_type_and_used(path):
    rest = "\n".join(source(cell) for cell in cells(path, "code")[2:])
    names = {node.id for node in ast.walk(ast.parse(rest)) if isinstance(node, ast.Name)}
    for line in parameters(path).body:
        assert type(ast.literal_eval(line.value)).__name__ == line.annotation.id
        assert line.target.id in names, f"parameter '{line.target.id}' is never used"


def test_one_title_and_questions_as_headings_in_both_languages(path):
    text = [line for cell in cells(path, "markdown") for line in source(cell).splitlines()]
    assert sum(line.startswith("# ") for line in text) == 1
    headings = [line for line in text if re.match(r"#{1,6} ", line)]
    assert all(re.search(r" · .*[\u4e00-\u9fff]", line) for line in headings)
    if path.stem in READING_ORDER:
        assert all(re.search(r"\? · .*？$", line) for line in headings)


def test_every_question_is_followed_by_code(path):
    """A heading without a result below it asks and does not answer."""
    found = cells(path)
    for cell, following in pairwise(found):
        if source(cell).startswith("## "):
            assert following["cell_type"] == "code"


def test_cells_are_short_and_define_nothing(path):
    for cell in cells(path, "code"):
        lines = source(cell).splitlines()
        assert len(lines) <= MAXIMUM_LINES, f"{len(lines)} lines from: {lines[0]}"
        nodes = list(ast.walk(ast.parse(source(cell))))
        assert not any(isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.Lambda)) for n in nodes)


def test_result_prose_holds_no_retyped_numbers(path):
    for cell in cells(path, "markdown")[1:]:
        assert not (match := FIGURES_IN_WORDS.search(source(cell))), match.group()


def test_outputs_were_stored_by_one_run_from_top_to_bottom(path):
    code = cells(path, "code")
    counts = [cell["execution_count"] for cell in code]
    if path.stem not in READING_ORDER:  # a report is the output of a template
        assert not any(counts) and not any(cell["outputs"] for cell in code)
        return
    assert counts == list(range(1, len(code) + 1))
    assert any(cell["outputs"] for cell in code)


def test_no_output_is_an_error_or_a_complaint(path):
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            assert output["output_type"] in ("execute_result", "display_data"), source(cell)
            assert "Traceback (most recent call last)" not in text_of(output)


def test_outputs_hold_no_path_of_a_machine(path):
    for cell in cells(path):
        for part in (source(cell), *map(text_of, cell.get("outputs", []))):
            assert not (match := MACHINE_PATH.search(part)), match.group()


def test_checked_cells_hold_an_output_to_check(path):
    """nbval passes a stripped notebook, and one whose last line is silenced."""
    assert not (path.stem in READING_ORDER and len(checked(path)) < 3)
    for cell in checked(path):
        assert any(text_of(output).strip() for output in cell["outputs"]), source(cell)
        assert not source(cell).rstrip().endswith(";")
        assert "<img" not in "".join(text_of(output) for output in cell["outputs"])


def test_every_figure_has_a_caption_and_a_text_that_stands_for_it(path):
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            text = text_of(output)
            for figure in re.findall(r"<figure>.*?</figure>", text, flags=re.DOTALL):
                assert re.search(r'<img alt="[^"]{10,}"', figure)
                assert re.search(r"<figcaption>.{10,}</figcaption>", figure, flags=re.DOTALL)


def test_notebook_is_small_enough_to_open_at_once(path):
    assert path.stat().st_size < MAXIMUM_BYTES


def test_simulated_numbers_are_announced(path):
    """Every output computed from the simulated package says so before its first number."""
    for cell in cells(path, "code"):
        if "toy_page" in source(cell):
            text = re.sub(r"<style>.*?</style>", "", "".join(map(text_of, cell["outputs"])))
            assert re.search(r"[Ss]imulated|模拟", re.split(r"<data", text)[0])


def test_a_paper_ends_with_a_caveat_and_what_to_ask_next(path):
    """Question, data, table or figure, the sentence that reads it, caveat, next question."""
    if path.stem not in READING_ORDER:
        return
    text = "\n".join(source(cell) for cell in cells(path, "markdown"))
    assert re.search(r"[Cc]aveat", text) and "限制" in text
    last = source(cells(path)[-1])
    assert re.search(r"\b(Next|Back)\b", last) and HAN.search(last)
    kinds = {"<table", "<figure", "<ul"}
    shown = ["".join(map(text_of, cell["outputs"])) for cell in cells(path, "code")]
    assert sum("<p" in part and any(kind in part for kind in kinds) for part in shown) >= 2


def test_notebooks_store_no_widget_and_nothing_of_the_machine(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    noted = {"kepu"} if path.stem in READING_ORDER else set()
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"} | noted
    assert notebook["metadata"].get("kepu", {}).keys() <= {"made_from"}
    assert "version" not in notebook["metadata"]["language_info"]
    for cell in cells(path, "code"):
        assert set(cell["metadata"]) <= {"tags"}
        assert all("widget" not in kind for o in cell["outputs"] for kind in o.get("data", {}))


def test_links_lead_to_notebooks_that_exist(path):
    for cell in cells(path, "markdown"):
        for target in re.findall(r"\]\(([^)]+\.ipynb)\)", source(cell)):
            assert (path.parent / target).is_file()
