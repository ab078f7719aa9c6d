"""Take the paths of this machine out of what a run keeps; pictures and numbers stay as they are."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

Pairs = tuple[tuple[str, str], ...]


def tidy(path: Path, pairs: Pairs) -> Any:
    """Rewrite an executed notebook without paths of this machine; give it back."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    run = notebook.metadata.pop("papermill", {})
    notebook.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python",
    }  # fmt: skip
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # papermill draws one anew for the cell it puts in
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
    clean = nbformat.from_dict(_hidden(notebook, pairs))
    clean.metadata["kepu"] = _hidden(dict(run.get("parameters", {})), pairs)
    nbformat.write(clean, path)
    return clean


def _hidden(value: Any, pairs: Pairs) -> Any:
    """Replace paths in every text of a tree, pictures excepted (their base64 must stay whole)."""
    if isinstance(value, str):
        return hide(value, pairs)
    if isinstance(value, list | tuple):
        return [_hidden(item, pairs) for item in value]
    if isinstance(value, dict):
        return {k: v if k.startswith("image/") else _hidden(v, pairs) for k, v in value.items()}
    return value


def hide(text: str, pairs: Pairs) -> str:
    """Replace each folder of ``pairs`` by its stand-in, where it stands as a whole path.

    >>> hide("/srv/a/x.py, /srv/ab, x=/srv/a/9 in /srv/a.", (("/srv/a", "~"),))
    '~/x.py, /srv/ab, x=~/9 in ~.'
    """
    for folder, stand_in in pairs:
        text = re.sub(rf"(?<![\w+/.-]){re.escape(folder)}(?![\w-]|\.\w)", stand_in, text)
    return text


def hidden(data: Path, notebooks: Path) -> tuple[tuple[str, str], ...]:
    """List the folders no report may show, the longest first, each with its stand-in."""
    package = str(Path(__file__).parents[1])
    pairs = {str(Path.home()): "~", tempfile.gettempdir(): "(tmp)", sys.prefix: "(env)"}
    pairs |= {sys.base_prefix: "(python)", package: "src"}
    for path, stand_in in ((notebooks.parent, "."), (data, data.name)):
        pairs |= {str(path.absolute()): stand_in, str(path.resolve()): stand_in}
    pairs = {folder: name for folder, name in pairs.items() if len(Path(folder).parts) > 1}
    return tuple(sorted(pairs.items(), key=lambda pair: -len(pair[0])))
