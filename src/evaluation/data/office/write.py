"""Write what an import decided: tables, mapping and what was refused, or nothing."""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from evaluation.base.errors import KepuError, shown
from evaluation.base.files import inside

SIGNS = ("=", "+", "-", "@")
PLAIN = re.compile(r"[-+]?[\d.,]+%?")


def guarded(text: str) -> str:
    """A cell that no spreadsheet takes for a formula.

    >>> guarded("=1+1"), guarded("-3.5"), guarded("科普")
    ("'=1+1", '-3.5', '科普')
    """
    return f"'{text}" if text.startswith(SIGNS) and not PLAIN.fullmatch(text) else text


def unguarded(text: str) -> str:
    """The text a guarded cell stands for."""
    return text[1:] if text.startswith("'") and text[1:].startswith(SIGNS) else text


def lines(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """The text of a CSV file."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue()


def table(frame: pd.DataFrame) -> bytes:
    """A table of text as the bytes of its file."""
    return lines(frame.columns, frame.to_numpy().tolist()).encode()


def appended(table: pd.DataFrame, rows: list[dict]) -> pd.DataFrame:
    """A table of text with further rows, of each what the table has columns for."""
    more = [[str(row.get(name, "")) for name in table.columns] for row in rows]
    more = pd.DataFrame(more, columns=table.columns, dtype=str)
    return pd.concat([table, more], ignore_index=True)


def replace_all(root: Path, contents: dict[str, bytes], last: str) -> None:
    """Write files of a folder, each whole, and all of them or none.

    Parameters
    ----------
    contents : by name within ``root``; a file whose bytes are the same is left alone.
    last : the file that refers to the others, replaced when they are there, so that whoever reads
        meanwhile finds a sound package.

    Raises
    ------
    KepuError : another import is under way, or a file cannot be written; all is as it was.
    """
    lock = FileLock(root / ".import.lock")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with lock.acquire(timeout=0):
            _swap(root, contents, last)
    except Timeout:
        raise KepuError(f"{shown(root)}: another import is under way — wait for its end") from None
    except OSError as error:
        reason = error.strerror or error
        raise KepuError(
            f"{shown(root)} cannot be written ({reason}) — nothing was changed"
        ) from None


def _swap(root: Path, contents: dict[str, bytes], last: str) -> None:
    paths = {name: inside(root, name) for name in sorted(contents, key=lambda name: name == last)}
    before = {name: path.read_bytes() if path.exists() else None for name, path in paths.items()}
    due = {name: path for name, path in paths.items() if before[name] != contents[name]}
    parts = {name: path.with_name(f".{secrets.token_hex(8)}.part") for name, path in due.items()}
    done = []
    try:
        for name, part in parts.items():
            with part.open("xb") as stream:
                stream.write(contents[name])
                stream.flush()
                os.fsync(stream.fileno())
        for name, part in parts.items():
            done.append(name)
            os.replace(part, due[name])
    except BaseException:
        for name in done:
            if before[name] is None:
                due[name].unlink(missing_ok=True)
            else:
                due[name].write_bytes(before[name])
        raise
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
