"""What a fork server imports and loads, so that its processes need not."""

from __future__ import annotations

import importlib
import sys

# Imported by nearly every notebook; those that start threads at import are left out.
MODULES = (
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
    "matplotlib.backends.backend_agg",
    "pandas",
    "seaborn",
    "scipy.stats",
    "statsmodels.api",
    "statsmodels.formula.api",
    "evaluation.report",
    "evaluation.store",
    "evaluation.views",
)
# At import this package connects Matplotlib to the running kernel: each kernel must do so itself.
OWN = "matplotlib_inline"


def kernels() -> None:
    """Import what notebooks import."""
    for name in MODULES:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == OWN]:
        del sys.modules[name]
