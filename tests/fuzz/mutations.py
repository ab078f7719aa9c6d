"""Ways to spoil a data package, a batch file and a folder of reports, as data.

A mutation is ``(name, numbers, text)``: the numbers choose the place (taken modulo what is there),
the text is what may be put there. Plain tuples shrink well and read well in a failing example.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

HOSTILE = (
    "", " ", "0", "-1", "1e400", "nan", "inf", "１２３", "٩٩", "８．７３", "1_0", "0x1F", "1,5",
    "²", "9999", "../../victim", "/etc/passwd", "..", "a/b", "a\\b", "C:\\x", "~", "$HOME", "`id`",
    "{a}", "{0}", "}", "%s", "\x00", "\u202e", "\ufeff", "\u200b", "'", '"', '"""', "a\nb",
    "a\r\nb", "a\tb", "=1+1", "@SUM(A1)", "<script>alert(1)</script>", "javascript:alert(1)",
    "data:text/html,x", "http://[", "é" * 300, "科" * 70, "x" * 140_000, "F00001", "150000",
    "science_literacy_rate", "2020-09", "2020-13", "true", "None",
)  # fmt: skip
numbers = st.tuples(*[st.integers(0, 10_000)] * 4)
texts = st.one_of(
    st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
)
Mutation = tuple[str, tuple[int, int, int, int], str]


LARGEST = 10_000_000  # bytes of a file that is read to be spoiled further


def _files(root: Path, pattern: str = "*") -> list[Path]:
    """Files that can be spoiled further: no folders, no pipes, none that is too large to read."""
    files = (path for path in root.glob(pattern) if path.is_file())
    return sorted(path for path in files if path.stat().st_size <= LARGEST)


def _tables(root: Path) -> list[Path]:
    return _files(root, "*.csv")


def _cells(path: Path) -> list[list[str]]:
    csv.field_size_limit(10**9)
    return list(csv.reader(io.StringIO(path.read_text("utf-8", errors="replace"))))


def _write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="", errors="replace") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _on_rows(change: Callable[[list[list[str]], tuple, str], None]) -> Callable:
    @wraps(change)
    def mutate(root: Path, at: tuple, text: str) -> None:
        tables = _tables(root)
        if not tables:
            return
        path = tables[at[0] % len(tables)]
        rows = _cells(path)
        if rows and rows[0]:
            change(rows, at, text)
            _write(path, rows)

    return mutate


@_on_rows
def cell(rows, at, text):
    row = rows[at[1] % len(rows)]
    if row:
        row[at[2] % len(row)] = text


@_on_rows
def drop_row(rows, at, text):
    del rows[at[1] % len(rows)]


@_on_rows
def repeat_row(rows, at, text):
    rows.append(list(rows[at[1] % len(rows)]))


@_on_rows
def short_row(rows, at, text):
    row = rows[at[1] % len(rows)]
    del row[at[2] % max(len(row), 1) :]


@_on_rows
def long_row(rows, at, text):
    rows[at[1] % len(rows)].append(text)


@_on_rows
def drop_column(rows, at, text):
    place = at[2] % len(rows[0])
    for row in rows:
        del row[place : place + 1]


@_on_rows
def rename_column(rows, at, text):
    rows[0][at[2] % len(rows[0])] = text


@_on_rows
def repeat_column(rows, at, text):
    place = at[2] % len(rows[0])
    for row in rows:
        row.append(row[place] if place < len(row) else "")


@_on_rows
def whole_column(rows, at, text):
    place = at[2] % len(rows[0])
    for row in rows[1:]:
        if place < len(row):
            row[place] = text


def everywhere(root, at, text):
    """One identifier is replaced in all tables: consistent, and hostile."""
    regions = root / "regions.csv"
    rows = _cells(regions) if regions in _tables(root) else []
    if len(rows) < 2 or not rows[1]:
        return
    old = rows[1 + at[1] % (len(rows) - 1)][0]
    for path in _tables(root):
        changed = [[text if value == old else value for value in row] for row in _cells(path)]
        _write(path, changed)


def _on_bytes(change: Callable[[bytes, tuple, str], bytes]) -> Callable:
    def mutate(root: Path, at: tuple, text: str) -> None:
        files = _files(root)
        if files:
            path = files[at[0] % len(files)]
            path.write_bytes(change(path.read_bytes(), at, text))

    return mutate


cut = _on_bytes(lambda content, at, text: content[: at[1]])
insert = _on_bytes(lambda c, at, text: c[: at[1]] + text.encode() + c[at[1] :])
garbage = _on_bytes(lambda c, at, text: c[: at[1]] + bytes([at[2] % 256]) * 9 + c[at[1] :])
quote = _on_bytes(lambda c, at, text: c[: at[1]] + b'"' + c[at[1] :])
utf16 = _on_bytes(lambda c, at, text: c.decode("utf-8", "replace").encode("utf-16"))
gb18030 = _on_bytes(lambda c, at, text: c.decode("utf-8", "replace").encode("gb18030"))
marked = _on_bytes(lambda c, at, text: b"\xef\xbb\xbf" + c)
crlf = _on_bytes(lambda c, at, text: c.replace(b"\n", b"\r\n"))
old_mac = _on_bytes(lambda c, at, text: c.replace(b"\n", b"\r"))
nothing = _on_bytes(lambda c, at, text: b"")
semicolons = _on_bytes(lambda c, at, text: c.replace(b",", b";"))


def _chosen(root: Path, at: tuple) -> Path | None:
    files = sorted(path for path in root.iterdir() if path.is_file() and not path.is_symlink())
    return files[at[0] % len(files)] if files else None


def remove(root, at, text):
    if path := _chosen(root, at):
        path.unlink()


def folder_for_file(root, at, text):
    if path := _chosen(root, at):
        path.unlink()
        path.mkdir()


def link_out(root, at, text):
    if path := _chosen(root, at):
        path.unlink()
        path.symlink_to(root.parent.parent / "victim" / "secret.csv")


def link_loop(root, at, text):
    if path := _chosen(root, at):
        path.unlink()
        path.symlink_to(path.name)


def fifo(root, at, text):
    if path := _chosen(root, at):
        path.unlink()
        os.mkfifo(path)


def sparse(root, at, text):
    if path := _chosen(root, at):
        os.truncate(path, 1 << 30)


def odd_name(root, at, text):
    with open(os.path.join(os.fsencode(root), b"caf\xe9.csv"), "wb") as stream:
        stream.write(b"a,b\n1,2\n")


def _descriptor(root: Path) -> dict[str, Any] | None:
    if root / "datapackage.json" not in _files(root):
        return None
    try:
        return json.loads((root / "datapackage.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # a mutation before this one
        return None


def _save(root: Path, descriptor: Any) -> None:
    path = root / "datapackage.json"
    if path.is_file():
        path.write_text(json.dumps(descriptor), "utf-8")


def _containers(value: Any) -> list[Any]:
    """Every object and list inside a value of JSON, from the outside in."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    here = [value] if isinstance(value, dict | list) and value else []
    return here + [part for item in inside for part in _containers(item)]


def _json_value(at: tuple, text: str) -> Any:
    values = (text, at[3], None, [], {}, [text], {"a": text}, True, -1, 1e308, [[[[text]]]])
    return values[at[3] % len(values)]


def describe(root, at, text):
    """Any one value of the descriptor is replaced or taken away."""
    descriptor = _descriptor(root)
    inside = _containers(descriptor)
    if not inside:
        return
    place = inside[at[1] % len(inside)]
    keys = sorted(place) if isinstance(place, dict) else range(len(place))
    key = list(keys)[at[2] % len(place)]
    if at[0] % 3:
        place[key] = _json_value(at, text)
    else:
        del place[key]
    _save(root, descriptor)


def weaken(root, at, text):
    """Constraints, keys, types or dialects are taken from the whole descriptor."""
    descriptor = _descriptor(root)
    taken = ("constraints", "pattern", "primaryKey", "foreignKeys", "required", "enum", "type")
    for part in _containers(descriptor):
        if isinstance(part, dict):
            part.pop(taken[at[1] % len(taken)], None)
    if isinstance(descriptor, dict):
        descriptor["profile"] = "http://127.0.0.1:9/profile.json"
        _save(root, descriptor)


def any_path(root, at, text):
    descriptor = _descriptor(root)
    paths = ("../../victim/secret.csv", "/etc/passwd", "http://127.0.0.1:9/a.csv", ".", "", text)
    resources = descriptor.get("resources") if isinstance(descriptor, dict) else None
    if isinstance(resources, list) and resources:
        resource = resources[at[1] % len(resources)]
        if isinstance(resource, dict):
            resource["path"] = paths[at[2] % len(paths)]
            _save(root, descriptor)


def nested(root, at, text):
    path = root / "datapackage.json"
    if path.is_file():
        path.write_text("[" * 100_000 + "]" * 100_000, "utf-8")


PACKAGE: dict[str, Callable[[Path, tuple, str], None]] = {
    function.__name__: function
    for function in (
        cell, drop_row, repeat_row, short_row, long_row, drop_column, rename_column, repeat_column,
        whole_column, everywhere, remove, folder_for_file, link_out, link_loop, fifo, sparse,
        odd_name, describe, weaken, any_path, nested,
    )
} | {
    "cut": cut, "insert": insert, "garbage": garbage, "quote": quote, "utf16": utf16,
    "gb18030": gb18030, "marked": marked, "crlf": crlf, "old_mac": old_mac, "nothing": nothing,
    "semicolons": semicolons,
}  # fmt: skip
# Single cells and the descriptor are what people and attackers change most.
_names = st.sampled_from(
    [*PACKAGE, *["cell"] * 12, *["describe"] * 6, *["everywhere"] * 3, "weaken"]
)
package_mutations = st.lists(st.tuples(_names, numbers, texts), min_size=1, max_size=3)


def spoil(root: Path, mutations: list[Mutation]) -> None:
    """Apply mutations to the data package at ``root``."""
    for name, at, text in mutations:
        PACKAGE[name](root, at, text)


_keys = st.sampled_from(
    [
        "title",
        "notebook",
        "region_set",
        "regions",
        "languages",
        "formats",
        "parameters",
        "reports",
        "x",
    ]
)
_leaves = st.one_of(
    texts, st.integers(), st.floats(), st.none(), st.booleans(), st.dates(),
    st.sampled_from(["page", "all", "zh", "en", "html", "region_report"]),
)  # fmt: skip
_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys | texts, inner, max_size=3),
    max_leaves=6,
)
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]" for i in range(9)
)
RAW = (
    BOMB, "[" * 20_000, "a: b: c", "\t", "%YAML 9\n---\n", "!!python/object/apply:os.system [id]",
    "a: 1\na: 2\n", "\x00", "- \n- -", "notebook: page\nregions: [01, 2024-01-01, 1e3]\n",
    "notebook: page\nnotebook: page\n", "&a [*a]", "? {a: b}\n: c\n",
)  # fmt: skip
batch_texts = st.one_of(
    st.sampled_from(RAW), st.text(max_size=40), st.dictionaries(_keys, _values, max_size=5)
)


def yaml_text(batch: str | dict[str, Any]) -> str:
    """The text of a batch file; what is no text yet is written as JSON, which YAML includes."""
    return batch if isinstance(batch, str) else json.dumps(batch, default=str, ensure_ascii=False)


STATE_FILES = (
    "manifest.json",
    "events.jsonl",
    "index.html",
    "notebooks",
    "notebooks/150000_en.ipynb",
)
STATE = ("empty", "cut", "list", "object", "garbage", "gone", "folder", "link", "value", "null")
state_mutations = st.lists(
    st.tuples(st.sampled_from(STATE_FILES), st.sampled_from(STATE), numbers, texts),
    min_size=1, max_size=2,
)  # fmt: skip


def spoil_state(out: Path, mutations: list[tuple]) -> None:
    """Apply mutations to a folder of reports."""
    contents = {"empty": b"", "list": b"[]\n", "object": b"{}\n", "null": b"null\n"}
    for name, how, at, text in mutations:
        path = out / name
        if not path.is_file() or path.is_symlink():
            continue
        content = path.read_bytes()
        path.unlink()
        if how == "folder":
            path.mkdir()
        elif how == "link":
            path.symlink_to(out.parent.parent / "victim" / "secret.csv")
        elif how == "cut":
            path.write_bytes(content[: at[0] % max(len(content), 1)])
        elif how == "garbage":
            path.write_bytes(content[: at[0]] + bytes([at[1] % 256]) * 9 + content[at[0] :])
        elif how == "value":
            path.write_bytes(_other_value(content, at, text))
        elif how in contents:
            path.write_bytes(contents[how])


def _other_value(content: bytes, at: tuple, text: str) -> bytes:
    try:
        value = json.loads(content)
    except ValueError:
        return content
    inside = _containers(value)
    if not inside:
        return content
    place = inside[at[1] % len(inside)]
    keys = sorted(place) if isinstance(place, dict) else range(len(place))
    place[list(keys)[at[2] % len(place)]] = _json_value(at, text)
    return json.dumps(value).encode()


_options = st.sampled_from([
    "--only", "--language", "--format", "--set", "--workers", "--timeout", "--store", "--scheduler",
    "--boundaries", "--approval", "--dry-run", "--quiet", "--explain", "--fresh", "--model",
    "--dose", "--budget",
])  # fmt: skip
_known = st.sampled_from([
    "150000", "zh", "en", "html", "inf", "nan", "0", "memory://", "ftp://", "file://", "a==b",
    "draws=９９９", "draws=", "=1", "region=1", "tcp://127.0.0.1:9",
])  # fmt: skip
_arguments = st.one_of(texts, _known)
option_lists = st.lists(st.tuples(_options, _arguments), max_size=3)
