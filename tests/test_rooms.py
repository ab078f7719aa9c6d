"""The rooms of the package: few, imported in one direction, made of functions that can be read."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "evaluation"
ORDER = (
    "base", "figures", "stats", "data", "survey", "models", "evidence", "targets", "value",
    "study", "report", "batch",
)  # fmt: skip
MOST_PARAMETERS, MOST_LINES = 8, 45
MOST_FILES = 155
# A callback of typer has one parameter for each option of its command.
COMMANDS = ("batch/cli.py", "batch/cli_design.py", "batch/cli_import.py",
            "batch/cli_monitoring.py")  # fmt: skip
FILES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
NAMES = {name.removesuffix(".py").removesuffix("/__init__"): name for name in FILES}


def imports(name: str, tree: ast.AST, whole: bool) -> set[str]:
    """Files of the package that a file imports, inside functions as well where ``whole``.

    What stands under ``TYPE_CHECKING`` is no import.
    """
    nodes = ast.walk(tree) if whole else iter(tree.body)
    typed = {id(n) for node in ast.walk(tree) if isinstance(node, ast.If) for n in node.body
             if getattr(node.test, "id", "") == "TYPE_CHECKING"}  # fmt: skip
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and id(node) not in typed:
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            parts = [alias.name for alias in node.names]
        else:
            continue
        for part in parts:
            path = part.removeprefix("evaluation.").replace(".", "/")
            if part.startswith("evaluation."):
                found |= {NAMES.get(path) or NAMES.get(path.rpartition("/")[0], "__init__.py")}
    return found - {name, "__init__.py"}


def room(file: str) -> int:
    return ORDER.index(file.split("/")[0].removesuffix(".py"))


def functions():
    for file, tree in FILES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{file}:{node.name}", node


def test_the_package_has_twelve_entries_beside_its_text_tables():
    entries = {p.name.removesuffix(".py") for p in PACKAGE.iterdir()
               if p.suffix != ".csv" and p.name not in ("__init__.py", "__pycache__")}  # fmt: skip
    assert entries == set(ORDER)
    assert len(FILES) <= MOST_FILES


def test_imports_go_to_rooms_on_the_left():
    upward = [
        f"{file} imports {other}"
        for file, tree in FILES.items()
        if file != "__init__.py"
        for other in sorted(imports(file, tree, whole=True))
        if room(other) > room(file)
    ]
    assert upward == []


@pytest.mark.parametrize("whole", [False, True], ids=["at import", "inside functions too"])
def test_imports_run_in_no_circle(whole):
    graph = {file: imports(file, tree, whole) for file, tree in FILES.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' → '.join(error.args[1])}")


def test_rooms_say_what_they_are_for():
    for name in set(ORDER) - {"study"}:
        assert ast.get_docstring(FILES[f"{name}/__init__.py"]), name


def test_functions_are_short_and_take_few_parameters():
    long = [f"{name} ({node.end_lineno - node.lineno + 1} lines)" for name, node in functions()
            if node.end_lineno - node.lineno >= MOST_LINES]  # fmt: skip
    many = []
    for name, node in functions():
        taken = node.args
        given = [each.arg for each in taken.posonlyargs + taken.args + taken.kwonlyargs]
        count = len([each for each in given if each not in ("self", "cls")])
        if count > MOST_PARAMETERS and not name.startswith(COMMANDS):
            many.append(f"{name} ({count} parameters)")
    assert (long, many) == ([], [])
