"""The reference: one page for each row of the table of modules in ARCHITECTURE.md."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

ROW = re.compile(r"^\| (`[^|]*`) \| ([^|]+) \|$", re.MULTILINE)
HEAD = "| module | what it does |"


def rows(architecture: str) -> list[tuple[list[str], str]]:
    """Read the table: patterns of modules and what they do, in its order."""
    table = architecture.split(HEAD, 1)[1].split("\n\n", 1)[0]
    return [(re.findall(r"`([^`]+)`", names), told) for names, told in ROW.findall(table)]


def modules(package: Path) -> list[str]:
    """Names of the modules below a package, without its own name, packages before their parts."""
    paths = [p.relative_to(package).with_suffix("") for p in package.rglob("*.py")]
    parts = [p.parent if p.name == "__init__" else p for p in paths]
    return sorted(".".join(p.parts) for p in parts if p.parts and p.name != "__main__")


def matches(module: str, pattern: str) -> bool:
    """Whether a module is meant by a pattern, ``results``, ``plot_*`` or ``models/``."""
    if pattern.endswith("/"):
        return module.split(".")[0] == pattern[:-1]
    return fnmatch(module, pattern)


def grouped(architecture: str, package: Path) -> list[tuple[str, list[str]]]:
    """Give each page its title and its modules; those in no row stand on a last one."""
    left, found = modules(package), []
    for patterns, told in rows(architecture):
        mine = [m for pattern in patterns for m in left if matches(m, pattern)]
        left = [m for m in left if m not in mine]
        found.append((told, list(dict.fromkeys(mine))))
    return [*found, ("Other modules", left)] if left else found


def pages(architecture: Path, package: Path) -> dict[str, str]:
    """Write the reference pages, numbered as the table is."""
    made = {}
    groups = grouped(architecture.read_text("utf-8"), package)
    for number, (told, names) in enumerate(groups, start=1):
        title = re.sub(r"`", "", told)
        lines = [f"# {title[0].upper()}{title[1:]}", ""]
        for name in names:
            lines += [f"## {name}", "", "```{eval-rst}", f".. automodule:: evaluation.{name}"]
            lines += ["```", ""]
        made[f"api/{number:02}_{names[0].split('.')[0].strip('_')}.md"] = "\n".join(lines)
    return made
