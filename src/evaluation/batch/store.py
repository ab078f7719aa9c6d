"""Reports kept elsewhere than in the folder of a run: at any address fsspec can write."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from evaluation.base.errors import KepuError
from evaluation.batch.state import Outcome

PATIENCE = 60.0  # seconds an address may take to be written for the first time
# Kinds of address whose place has a name before an @: it is a container or a user, no secret.
NAMED = ("abfs", "abfss", "adl", "hdfs", "sftp", "ssh", "smb", "webhdfs")
EXAMPLES = "file:///srv/reports or s3://bucket/reports"
FLEETING = (
    "--store {} keeps nothing beyond the process that writes it — give an address that lasts, as "
    + EXAMPLES
)
# Run by a process of its own: what it writes and another process reads does outlive a process.
WRITE = """
import sys
from fsspec.core import url_to_fs
address, name, content = sys.argv[1:]
try:
    system, root = url_to_fs(address)
    root = root.rstrip("/")
    system.makedirs(root, exist_ok=True)
    system.pipe_file(f"{root}/{name}", content.encode())
except Exception as error:
    print(f"{type(error).__name__}: {error}")
    sys.exit(1)
"""


def check(store: str) -> None:
    """Refuse an address at which a report would not be kept: write to it and read that again.

    Raises
    ------
    KepuError : it is no whole address, it holds a secret, what it needs is not installed, it cannot
        be written or read, or what is written there ends with the process that wrote it.
    """
    _parse(store)
    name, content = f".kepu-{secrets.token_hex(8)}", secrets.token_hex(16)
    try:
        written = subprocess.run(
            [sys.executable, "-P", "-c", WRITE, store, name, content],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _refusal(store, "used here", f"no answer within {PATIENCE:g} s") from None
    if written.returncode:
        raise _refusal(store, "used here", written.stdout or f"code {written.returncode}")
    with _sentence(store, "read"):
        system, root = _system(store)
        path = f"{root}/{name}"
        try:
            kept = system.exists(path) and system.cat_file(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                system.rm_file(path)
    if kept != content.encode():
        raise KepuError(FLEETING.format(store))


def _parse(store: str) -> None:
    """Refuse what is no whole address, or would show a secret in every manifest."""
    kind, _, rest = store.partition("://")
    user, at, _ = rest.rpartition("@")
    local = kind in ("file", "local")
    if at and not local and (":" in user or kind not in NAMED):
        raise KepuError(
            f"--store {kind}://… holds a user or a password, which every manifest would show — "
            "leave them out and give them in the environment, as FSSPEC_FTP_PASSWORD for ftp://"
        )
    if any(mark in store for mark in "?#") or "::" in store or not store.isprintable():
        raise KepuError(
            f"--store {kind.partition(':')[0]}:… has a part after ? or #, a chain with :: or a "
            f"character that is not printed — give the plain address of a folder, as {EXAMPLES}"
        )
    if kind == "memory":
        raise KepuError(FLEETING.format(store))
    if not kind or not rest:
        raise KepuError(
            f"--store {store} is no whole address — give its kind and place, as {EXAMPLES}"
        )
    if {".", ".."} & set(rest.replace("\\", "/").split("/")):
        raise KepuError(f"--store {store} leads elsewhere by its dots — write it without them")
    if local and not rest.startswith("/"):
        raise KepuError(
            f"--store {store} depends on the working folder — write the whole path, as {EXAMPLES}"
        )


@contextlib.contextmanager
def _sentence(store: str, done: str) -> Iterator[None]:
    """Turn whatever a file system raises, of no common kind, into one sentence."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - each package has errors of its own
        raise _refusal(store, done, str(error) or type(error).__name__) from None


def _refusal(store: str, done: str, told: str) -> KepuError:
    return KepuError(
        f"--store {store} cannot be {done} ({' '.join(told.split())[:300]}) — correct it, or what "
        "it needs"
    )


def put(outcome: Outcome, folder: Path, store: str) -> Outcome:
    """Write the files of a report to ``store``, read each again, give the outcome with addresses.

    Raises
    ------
    KepuError : the address cannot be written, or does not hold what was written.
    """
    files = {}
    for kind, entry in outcome.files.items():
        content = (folder / Path(entry["name"]).name).read_bytes()
        write(store, entry["name"], content)
        files[kind] = {**entry, "url": f"{store.rstrip('/')}/{entry['name']}", "size": len(content)}
    return replace(outcome, files=files)


def write(store: str, name: str, content: bytes) -> None:
    """Write one file to ``store`` and read it again.

    Raises
    ------
    KepuError : as of :func:`put`.
    """
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise KepuError(f"{name} leads out of {store} — rename the notebook")
    with _sentence(store, "written"):
        system, root = _system(store)
        path = f"{root}/{name}"
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.pipe_file(path, content)  # whole or not at all, as object stores write
        kept = system.cat_file(path)
    if hashlib.sha256(kept).digest() != hashlib.sha256(content).digest():
        raise _refusal(store, "relied on", f"{name} reads otherwise than it was written")


def seen(outcome: Outcome, store: str) -> bool:
    """Whether this machine sees the files of a report another one wrote to ``store``.

    Raises
    ------
    KepuError : the address cannot be read.
    """
    with _sentence(store, "read"):
        system, root = _system(store)
        system.invalidate_cache()
        paths = {f"{root}/{entry['name']}": entry["size"] for entry in outcome.files.values()}
        return all(system.exists(p) and system.size(p) == size for p, size in paths.items())


def there(entry: Mapping[str, Any]) -> bool:
    """Whether a file written before is still at its address, by its size.

    Raises
    ------
    KepuError : the address cannot be read.
    """
    folder, _, name = entry["url"].rpartition("/")
    return _sizes(folder).get(name) == entry["size"]


@cache
def _sizes(folder: str) -> dict[str, int]:
    with _sentence(folder, "read"):
        system, root = _system(folder)
        if not system.exists(root):
            return {}
        return {e["name"].rpartition("/")[2]: e["size"] for e in system.ls(root, detail=True)}


def _system(address: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    system, path = url_to_fs(address)
    return system, path.rstrip("/")
