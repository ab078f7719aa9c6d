"""Docstrings as this package writes them: prose where numpydoc expects a type.

Types stand in the signatures, so what follows ``name :`` describes, and below ``Returns`` there
are sentences. napoleon would take both for types; here each section becomes a heading with a
list or with paragraphs.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

LISTS = ("Parameters", "Attributes", "Raises")
RULE = re.compile(r"^-{3,}$")
LITERAL = re.compile(r"(``.*?``|`.*?`)")
ITEM = re.compile(r"^(\*{0,2}\w[\w*., ]*?) : (\S.*)$")
NEXT = re.compile(r"(?<=[.;]) (?=\w+ : )")
NAME = re.compile(r"^(\*{0,2}\w[\w., ]*)$")


def described(lines: list[str]) -> list[str]:
    """Rewrite the sections of one docstring.

    >>> described(["Parameters", "----------", "draws : bootstrap draws,", "    at least 99."])
    ['.. rubric:: Parameters', '', '* ``draws``: bootstrap draws,', '  at least 99.', '']
    """
    found: list[str] = []
    for title, body in sections(lines):
        found += [f".. rubric:: {title}", ""] if title else []
        found += [*listed(body), ""] if title in LISTS else body
    return found


def sections(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Part a docstring at its underlined headings; what stands before the first has none."""
    heads = [n for n in range(len(lines) - 1) if lines[n].strip() and RULE.match(lines[n + 1])]
    ends = [*heads, len(lines)]
    parts = [(lines[n], lines[n + 2 : end]) for n, end in zip(heads, ends[1:], strict=True)]
    return [("", lines[: ends[0]]), *parts]


def listed(body: list[str]) -> list[str]:
    """Make a bullet list of the items; what comes after a blank line and is none stays as it is."""
    body = [part for line in body for part in NEXT.split(line)]
    found: list[str] = []
    inside = False
    for line, following in zip(body, [*body[1:], ""], strict=False):
        if item := ITEM.match(line):
            found, inside = [*found, f"* ``{item[1]}``: {item[2]}"], True
        elif NAME.match(line) and following.startswith(" "):
            found, inside = [*found, f"* ``{line}``:"], True
        elif inside and line:
            found.append(f"  {line.strip()}")
        else:
            found, inside = [*found, line], False
    return found


def plain(line: str) -> str:
    """Keep bars as they are, ``|t|``: reStructuredText would look for a substitution.

    >>> print(plain("large where |t| is, ``a|b``"))
    large where \\|t\\| is, ``a|b``
    """
    if line.lstrip().startswith((">>>", "...")):
        return line
    parts = LITERAL.split(line)
    return "".join(p if p.startswith("`") else p.replace("|", r"\|") for p in parts)


def _process(app: Sphinx, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [plain(line) for line in described(lines)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Rewrite docstrings before autodoc parses them."""
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
