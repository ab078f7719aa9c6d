"""Where in the program a result of a page is written, read from the program itself.

A page names each computed number by a key such as ``gap.150000.2022``. The room of the report
builds those keys in place, as ``f"gap.{code}.{wave}"``; the text of its source says which function
does, and which computations that function draws on. So nothing has to be kept in step by hand.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

COMPUTING = ("stats", "panel", "models", "evidence", "targets", "value", "data", "study")
# Functions whose first argument is the key of a text, not of a result; and those of a writer whose
# first argument is a key or its beginning, whatever it looks like.
TEXTS = ("t", "say")
WRITERS = ("number", "numbers", "estimate", "interval", "probability")
HOLE = "{}"
DEPTH = 3  # steps from a function to what its context computes for it


@dataclass(frozen=True)
class Origin:
    """A function that writes results: its place, the pattern of their keys, what it draws on.

    ``uses`` holds functions of the computing rooms and the parts of the study it reads.
    """

    file: str
    function: str
    line: int
    key: str
    uses: tuple[str, ...]

    def __str__(self) -> str:
        drawn = f", from {', '.join(self.uses)}" if self.uses else ""
        return f"{self.file}, line {self.line}: {self.function} writes {self.key}{drawn}"


def origins(key: str) -> list[Origin]:
    """The functions that write a result, the best match of its key alone.

    A key may have an ending of its own, as ``.low`` and ``.high`` of an interval.
    """
    found = [origin for origin in _all() if _matches(origin.key, key)]
    if not found:
        return []
    most = max(_weight(origin.key) for origin in found)
    return [origin for origin in found if _weight(origin.key) == most]


def _weight(pattern: str) -> tuple[int, int]:
    """How much a pattern says: parts of a key, then letters of its own."""
    return pattern.count("."), len(pattern.replace(HOLE, ""))


def _matches(pattern: str, key: str) -> bool:
    parts = (re.escape(part) for part in pattern.split(HOLE))
    return re.fullmatch(rf"{'[^ ]+?'.join(parts)}(\.[^ ]+)?", key) is not None


@cache
def _all() -> tuple[Origin, ...]:
    """Every function of the report that builds keys, in the order of files and lines."""
    trees = {
        f"report/{path.name}": ast.parse(path.read_text("utf-8"))
        for path in sorted(files("evaluation.report").iterdir(), key=lambda path: path.name)
        if path.name.endswith(".py")
    }
    drawn: dict[str, dict[str, None]] = {}
    for _ in range(DEPTH):
        for tree in trees.values():
            imported = _imported(tree)
            for node in _functions(tree):
                asked = (name for part in _asked(node) for name in drawn.get(part, ()))
                uses = dict.fromkeys([*_uses(node, imported), *asked])
                drawn[node.name] = drawn.get(node.name, {}) | uses
    return tuple(origin for file, tree in trees.items() for origin in _written(file, tree, drawn))


def _asked(function: ast.FunctionDef) -> Iterator[str]:
    """What a function asks of its context, by name."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in ("context", "self"):
            yield node.attr


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _written(file: str, tree: ast.Module, drawn: dict[str, dict]) -> Iterator[Origin]:
    """Keys a file builds; ``drawn`` is what each function of the report draws on by itself."""
    texts, imported = _first(tree, TEXTS), _imported(tree)
    keys = {id(node.args[0]) for node in _calls(tree, WRITERS)}
    for node in _functions(tree):
        # What a function is given by those it calls comes after what it takes itself.
        called = [name for call in _calls(node) for name in drawn.get(_name(call), ())]
        uses = tuple(dict.fromkeys([*_uses(node, imported), *called]))
        within = {id(v) for n in ast.walk(node) if isinstance(n, ast.JoinedStr) for v in n.values}
        for part in ast.walk(node):
            key = _pattern(part, whole=id(part) in keys)
            if key and id(part) not in within and id(part) not in texts:
                yield Origin(file, node.name, part.lineno, key, uses)


def _pattern(node: ast.AST, whole: bool = False) -> str:
    """The pattern of a key a string stands for, ``""`` where it can be none.

    A string that is handed to a writer as a ``whole`` may be a single word.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    elif isinstance(node, ast.JoinedStr):
        text = "".join(v.value if isinstance(v, ast.Constant) else HOLE for v in node.values)
    else:
        return ""
    own = re.fullmatch(r"[A-Za-z_]+(\.[\w{}-]+)+|\{\}(\.[\w{}-]+)*\.[a-z_]{2,}[\w{}.-]*", text)
    return text if own or (whole and re.fullmatch(r"[a-z_]+", text)) else ""


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _calls(tree: ast.AST, names: tuple[str, ...] = ()) -> Iterator[ast.Call]:
    """Calls with an argument by position, of functions of these names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and (not names or _name(node) in names):
            yield node


def _first(tree: ast.AST, names: tuple[str, ...]) -> set[int]:
    """All parts of the first arguments of calls."""
    return {id(part) for call in _calls(tree, names) for part in ast.walk(call.args[0])}


def _imported(tree: ast.Module) -> dict[str, str]:
    """Names a file takes from the computing rooms."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = node.module.removeprefix("evaluation.")
            if node.module.startswith("evaluation.") and module.split(".")[0] in COMPUTING:
                found |= {a.asname or a.name: f"{module}.{a.name}" for a in node.names}
    return found


def _uses(function: ast.FunctionDef, imported: dict[str, str]) -> Iterator[str]:
    for argument in function.args.args:
        for node in ast.walk(argument.annotation) if argument.annotation else ():
            if getattr(node, "id", "") in imported and node.id != "Dataset":
                yield imported[node.id]
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", "")
            if name in imported:
                yield imported[name]
            owner = getattr(getattr(node.func, "value", None), "id", "")
            if owner in imported:
                yield f"{imported[owner]}.{node.func.attr}"
        if isinstance(node, ast.Attribute):
            holder = getattr(node.value, "attr", getattr(node.value, "id", ""))
            if holder == "study" and node.attr != "dataset":
                yield f"study.{node.attr}"
