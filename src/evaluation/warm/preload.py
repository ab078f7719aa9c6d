"""What a fork server imports and loads, so that its processes need not."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from evaluation import fingerprint

if TYPE_CHECKING:
    from evaluation.study import Study

# What a kernel itself consists of; all of it late imports of ipykernel.
KERNEL = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "ipykernel.zmqshell",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.display",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio",
)
# What a person's notebooks import.
NOTEBOOKS = (
    "pandas",
    "seaborn",
    "scipy.stats",
    "sklearn.linear_model",
    "statsmodels.api",
    "statsmodels.formula.api",
    "ipywidgets",
    "evaluation.explorer",
    "evaluation.report",
    "evaluation.store",
    "evaluation.views",
)
# What turns an executed notebook into a report.
REPORTS = (
    "papermill",
    "nbconvert.exporters.html",
    "evaluation.engine",
    "evaluation.report.html",
    "evaluation.front.summary",
    "evaluation.worker",
)
# Compiles the grammar of addresses for a second when jsonschema finds it, which does without; no
# part of a notebook is checked by it.
NEEDLESS = "rfc3987_syntax"
# At import this package connects Matplotlib to the running kernel: each kernel must do so itself.
OWN = "matplotlib_inline"


def kernels() -> None:
    """Import what kernels and a person's notebooks need."""
    _imported(*KERNEL, *NOTEBOOKS)


def reports(data: str, data_hash: str, studies: list[list[int]], modules: list[str]) -> None:
    """Import and load what the processes of a batch need: reports and their kernels alike.

    Parameters
    ----------
    data : folder of the data package.
    data_hash : its hash, as it was checked.
    studies : draws and seed of each study the reports rest on.
    modules : what their notebooks import of this package.
    """
    fingerprint.whole()  # before anything is imported: processes know what they are made of
    sys.modules.setdefault(NEEDLESS, None)  # type: ignore[arg-type]
    _imported(*KERNEL, *REPORTS, *modules)
    if sys.modules[NEEDLESS] is None:
        del sys.modules[NEEDLESS]
    if not studies:
        return
    from evaluation import data as packages
    from evaluation import store
    from evaluation.errors import KepuError

    dataset = packages.load(data, data_hash)
    packages.hold(dataset)
    for draws, seed in studies:
        try:
            store.hold(dataset, draws=draws, seed=seed)
            _rehearse(store.load_study(dataset, draws=draws, seed=seed))
        except KepuError as error:  # each notebook meets it again and its report says so
            print(f"no study of {draws} draws: {error}", file=sys.stderr)


def _imported(*names: str) -> None:
    for name in names:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == OWN]:
        del sys.modules[name]


def _rehearse(study: Study) -> None:
    """Make a page and drop it: fonts, templates, late imports and what all share stay.

    In every language but the first only the section whose figures all provinces share.
    """
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    from evaluation import report
    from evaluation.front import summary
    from evaluation.observations import model_regions
    from evaluation.report.html import write
    from evaluation.text import LANGUAGES

    region, (first, *others) = model_regions(study.dataset)[0], LANGUAGES
    for language in (first, *others):
        context = report.open_report(study, region, language, date="2025-01-01")
        chosen = report.SECTIONS if language == first else ("findings", "effect")
        parts = [report.title(context), *(report.SECTIONS[name](context) for name in chosen)]
        shown = [part._repr_mimebundle_() for part in parts]
        shown.append({"text/html": str(report.record(context))})
        cells = [new_code_cell(outputs=[new_output("display_data", data)]) for data in shown]
        made = write(new_notebook(cells=cells), language, ("html",))
        summary.read(made["html"].decode())
