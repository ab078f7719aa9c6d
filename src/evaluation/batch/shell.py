"""The papermill engine of a batch: the cells of a notebook run in the process of their report.

No kernel is started and nothing is sent: a process forked for a report is as fresh as a kernel
would be, with everything imported. What a cell displays is kept as nbclient would keep it.
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

from ipykernel.jsonutil import encode_images
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbclient.exceptions import CellTimeoutError
from nbformat.v4 import new_output
from papermill.engines import Engine, papermill_engines
from papermill.iorw import write_ipynb
from traitlets import Type
from traitlets.config import Config

ENGINE = "kepu"
MAY_FAIL = "raises-exception"  # tag of a cell whose error does not end the notebook
CONFIG = Config({"HistoryManager": {"enabled": False}})


class _Late(BaseException):
    """Raised in a cell when the time of its report is over; no ``except Exception`` stops it."""


class _Stream(io.TextIOBase):
    """Standard output or error of a cell."""

    encoding = "utf-8"

    def __init__(self, name: str, shell: Shell):
        self.name, self._shell = name, shell

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        last = self._shell.outputs[-1] if self._shell.outputs else {}
        if text and last.get("name") == self.name and not self._shell.stale:
            last["text"] += text
        elif text:
            self._shell.show(new_output("stream", name=self.name, text=text))
        return len(text)


class _Hook(DisplayHook):
    """Keeps the value of a cell."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict, md_dict: dict | None = None) -> None:
        told = {"data": encode_images(format_dict), "metadata": md_dict or {}}
        number = self.prompt_count
        self.shell.show(new_output("execute_result", execution_count=number, **told))

    def finish_displayhook(self) -> None:
        self._is_active = False


class _Publisher(DisplayPublisher):
    """Keeps what a cell displays."""

    def publish(
        self, data: dict, metadata: dict | None = None, *, transient: Any = None,
        update: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        self._validate_data(data, metadata)
        told = {"data": encode_images(data), "metadata": metadata or {}}
        shown = self.shell.named.setdefault((transient or {}).get("display_id"), [])
        for output in shown if update else ():
            output.update(told)
        if not update:
            shown.append(self.shell.show(new_output("display_data", **told)))

    def clear_output(self, wait: bool = False) -> None:
        self.shell.stale = True
        if not wait:
            self.shell.clear()


class Shell(InteractiveShell):
    """Runs cells and keeps their outputs in ``outputs``."""

    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_Hook)

    def __init__(self, **kwargs: Any):
        self.outputs: list[Any] = []
        self.named: dict[Any, list[Any]] = {}  # by the identifier they can be updated by
        self.stale = False  # whether the next output takes the place of those before
        super().__init__(**kwargs)

    def show(self, output: Any) -> Any:
        """Keep an output."""
        self.clear()
        self.outputs.append(output)
        return output

    def clear(self) -> None:
        """Drop what was cleared."""
        if self.stale:
            self.outputs.clear()
        self.stale = False

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        if not issubclass(etype, _Late):
            told = {"ename": etype.__name__, "evalue": str(evalue), "traceback": stb}
            self.show(new_output("error", **told))

    def enable_gui(self, gui: str | None = None) -> None:
        """There is none; figures are shown as pictures."""

    def run(self, cell: Any) -> bool:
        """Run a cell and fill its outputs; whether it ended without an error."""
        self.outputs = cell.outputs = []
        streams = _Stream("stdout", self), _Stream("stderr", self)
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            done = self.run_cell(cell.source, store_history=True)
        cell.execution_count = done.execution_count
        return done.success


@contextlib.contextmanager
def _until(deadline: float) -> Iterator[None]:
    """Raise in the cell that is running at ``deadline``, again each second while it goes on.

    Where the system has no such alarm, only the end of the whole process is left.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return

    def late(number: int, frame: object) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 0.1), 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class InProcess(Engine):
    """Execute as papermill's own engine does, in this process."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, unfinished: str, deadline: float, **kwargs: Any
    ) -> None:
        """Execute until ``deadline``, a time of the monotonic clock.

        The notebook is saved at ``unfinished`` before the first cell and when execution breaks
        off: papermill saves twice a cell, which costs more than most cells take, or not at all.

        Raises
        ------
        CellTimeoutError : the time is over.
        """
        write_ipynb(nb_man.nb, unfinished)
        try:
            with _prepared() as shell:
                cls._cells(nb_man, shell, deadline)
        except BaseException:
            write_ipynb(nb_man.nb, unfinished)
            raise

    @classmethod
    def _cells(cls, nb_man: Any, shell: Shell, deadline: float) -> None:
        for index, cell in enumerate(nb_man.nb.cells):
            nb_man.cell_start(cell, index)
            good = cell.cell_type != "code" or not cell.source.strip()
            try:
                with _until(deadline):
                    good = good or shell.run(cell)
            except _Late:  # between the lines of a cell
                good = False
            if time.monotonic() > deadline:
                raise CellTimeoutError("the time of the report is over")
            if not good and MAY_FAIL not in cell.metadata.get("tags", []):
                nb_man.cell_exception(cell, index)
                break
            nb_man.cell_complete(cell, index)


@contextlib.contextmanager
def _prepared() -> Iterator[Shell]:
    """A shell with names of its own; modules beside the notebook can be imported."""
    main, path = sys.modules["__main__"], list(sys.path)
    # One for all: Matplotlib shows its figures by the shell it first met.
    shell = Shell.instance(config=CONFIG)
    shell.reset()
    shell.named.clear()
    sys.modules["__main__"] = shell.user_module
    sys.path.insert(0, "")
    # A warning told once in a notebook is told again in the next one.
    with warnings.catch_warnings():
        try:
            yield shell
        finally:
            sys.path[:], sys.modules["__main__"] = path, main


@cache
def engine() -> str:
    """Name of the engine, which papermill knows from now on."""
    papermill_engines.register(ENGINE, InProcess)
    return ENGINE
