"""Docstrings as this package writes them: prose where numpydoc expects a type.

Types stand in the signatures, so what follows ``name :`` describes, and so do all lines below
``Returns``. Both are moved to where they are read as descriptions before napoleon comes.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

LISTS = ("Parameters", "Other Parameters", "Attributes", "Raises")
RULE = re.compile(r"^-{3,}$")
LITERAL = re.compile(r"(``.*?``|`.*?`)")
ITEM = re.compile(r"^([\w*][\w*., ]*?) : (\S.*)$")


def described(lines: list[str]) -> list[str]:
    """Rewrite the sections of one docstring.

    >>> described(["Parameters", "----------", "draws : bootstrap draws,", "    at least 99."])
    ['Parameters', '----------', 'draws', '    bootstrap draws,', '    at least 99.']
    >>> described(["Returns", "-------", "DataFrame, one row a wave:", "its ``rate``."])
    [':returns: DataFrame, one row a wave:', '    its ``rate``.']
    """
    found: list[str] = []
    section = ""
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        if line and RULE.match(following):
            section = line
            found += [] if section == "Returns" else [line]
        elif RULE.match(line):
            found += [] if section == "Returns" else [line]
        elif section == "Returns" and line:
            found.append(f"    {line}" if found and found[-1].strip() else f":returns: {line}")
        elif section in LISTS and (item := ITEM.match(line)):
            found += [item[1], f"    {item[2]}"]
        else:
            found.append(line)
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
    """Rewrite docstrings before napoleon does."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
