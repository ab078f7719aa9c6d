"""Reports made by this machine: as many at once as asked for, each in a process of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from evaluation import private
from evaluation.attempt import Launcher, attempt
from evaluation.worker import Outcome, Task


def outcomes(
    tasks: Sequence[Task],
    *,
    workers: int,
    prepare: Mapping[str, Any],
    begun: Callable[[str], None],
    noted: Callable[[str], None] = lambda text: None,
) -> Iterator[Outcome]:
    """Yield outcomes as they arrive; the files of each lie in the folder of its task.

    Parameters
    ----------
    workers : reports made at once.
    prepare : see :class:`evaluation.attempt.Launcher`.
    begun : called with the id of each report as it is started, from any thread.
    noted : called once where every report pays for a fresh interpreter.
    """
    with (
        private.folder("run-") as jupyter,
        contextlib.closing(Launcher(jupyter, prepare)) as launcher,
        ThreadPoolExecutor(min(workers, len(tasks))) as pool,
    ):
        if launcher.notice:
            noted(f"each report starts an interpreter of its own: {launcher.notice}")

        def one(task: Task) -> Outcome:
            begun(task.job.id)
            return attempt(task, launcher)

        futures = [pool.submit(one, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:  # interrupted: end the reports under way instead of waiting for them
            pool.shutdown(wait=False, cancel_futures=True)
            launcher.close()
