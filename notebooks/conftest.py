"""How nbval runs these notebooks: ``pytest --nbval-lax notebooks``, alone or with ``-n 2``.

Kernels are reached by socket files, for kernels started at once can draw the same port. With
``--nbval-kernel-name kepu-warm`` all processes share one fork server, closed at the end.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

SANITISE = Path(__file__).resolve().with_name("nbval.cfg")  # they travel together
WARM = "kepu-warm"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Set what a run of these notebooks needs, unless the command line names something else."""
    option = config.option
    if not (getattr(option, "nbval", False) or getattr(option, "nbval_lax", False)):
        return
    option.nbval_sanitize_with = option.nbval_sanitize_with or str(SANITISE)
    if getattr(option, "dist", "no") == "load":
        option.dist = "loadfile"
    if os.name == "posix":
        _by_socket_files()
    if option.nbval_kernel_name == WARM:
        _share_server(config)


def _by_socket_files() -> None:
    from jupyter_client.manager import KernelManager
    from nbval import kernel

    class SocketManager(KernelManager):
        """Reaches its kernel by files in a folder of its own."""

        def __init__(self, **named: object):
            folder = tempfile.TemporaryDirectory(prefix="kepu-nbval-")
            super().__init__(
                transport="ipc", connection_file=str(Path(folder.name, "kernel.json")), **named
            )
            self._folder = folder

    kernel.KernelManager = SocketManager


def _share_server(config: pytest.Config) -> None:
    from evaluation.batch.kernels import ADDRESS, Server, unsafe

    if not os.environ.get(ADDRESS) and not unsafe():
        server = Server()
        os.environ[ADDRESS] = server.address  # xdist's processes are started after this
        config.add_cleanup(server.close)
        config.add_cleanup(lambda: os.environ.pop(ADDRESS, None))
