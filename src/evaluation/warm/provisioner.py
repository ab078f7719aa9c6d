"""The kernel provisioner ``kepu-warm``: kernels forked from a process with everything imported."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from evaluation.warm.client import ADDRESS, LOG, Process, Server, unsafe

_lock = threading.Lock()
_own: list[Server] = []


class WarmProvisioner(LocalProvisioner):
    """Launch kernels by forking; all else as ``jupyter_client`` does for local kernels.

    The fork server named by the environment variable ``KEPU_WARM_SERVER`` is used, else one of this
    process's own, started with its first kernel. Where forking is unsafe the kernel is started
    as any other, and the log says so.
    """

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel for ``cmd``: the interpreter, ``-m ipykernel_launcher`` and arguments."""
        reason = unsafe()
        if reason:
            self.log.warning("standard kernel in place of a warm one: %s", reason)
            return await super().launch_kernel(cmd, **kwargs)
        start = {
            "arguments": {"argv": cmd[cmd.index("ipykernel_launcher") + 1 :]},
            "environment": kwargs.get("env"),
            "folder": str(kwargs.get("cwd") or os.getcwd()),
            "log": os.environ.get(LOG, ""),
        }
        # Waits for the server's imports the first time: not in the loop of a running JupyterLab.
        self.process = await asyncio.to_thread(_forked, start)
        self.pid = self.process.pid
        self.pgid = None  # signals go by way of the server, which knows whether the process lives
        self.cwd = start["folder"]
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait for the end; looks often, because forked kernels end within milliseconds."""
        while self.process and self.process.poll() is None:
            await asyncio.sleep(0.005)
        return await super().wait()


def _forked(start: dict[str, Any]) -> Process:
    return Process(_address(), "evaluation.warm.child:kernel", **start)


def _address() -> str:
    given = os.environ.get(ADDRESS)
    if given:
        return given
    with _lock:
        if not (_own and _own[0].alive):
            _own[:] = [Server()]
        return _own[0].address
