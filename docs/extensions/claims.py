"""What the tests show: every test module with the names of its tests, which are sentences."""

from __future__ import annotations

import ast
from pathlib import Path


def pages(tests: Path) -> dict[str, str]:
    """Write the page; each module is a target, ``{ref}`test_survey```."""
    parts = [
        "# What the tests show",
        "The name of a test says what holds; `make test` makes sure that it does.",
    ]
    for path in sorted(tests.glob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        names = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
        told = [f"- {_sentence(name)}" for name in names if name.startswith("test_")]
        if told:
            about = (ast.get_docstring(tree) or "").split("\n\n")[0]
            parts += [f"({path.stem})=\n## {path.stem}", about, "\n".join(told)]
    return {"tests.md": "\n\n".join(parts) + "\n"}


def _sentence(name: str) -> str:
    text = name.removeprefix("test_").replace("_", " ")
    return text[0].upper() + text[1:]
