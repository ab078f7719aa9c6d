"""The papermill engine of a run: papermill's own, which also keeps a notebook that broke off."""

from __future__ import annotations

from typing import Any

from papermill.engines import NBClientEngine, papermill_engines
from papermill.iorw import write_ipynb

NAME = "kepu"


class KeepingEngine(NBClientEngine):
    """Execute as papermill does; save before the first cell and when execution breaks off.

    papermill saves twice a cell or not at all. The first costs more than most cells take, the
    second loses the notebook of a kernel that died or hung.
    """

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, unfinished: str, **kwargs: Any
    ) -> Any:
        """Execute; ``unfinished`` is where the notebook is saved."""
        write_ipynb(nb_man.nb, unfinished)
        try:
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
        except BaseException:
            write_ipynb(nb_man.nb, unfinished)
            raise


def register() -> None:
    """Make the engine known to papermill under ``NAME``."""
    papermill_engines.register(NAME, KeepingEngine)
