"""Several processes that serve the same socket: the kernel gives each connection to one of them."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import ForkProcess

from agentdata.setup_error import SetupError

_log = logging.getLogger(__name__)

_PAUSE_S = 1.0
"""How many seconds lie at least between two replacements."""


def run(count: int, serve: Callable[[], None], first: Callable[[], None]) -> None:
    """Run `serve` in so many processes, `first` in one of them instead, until this process leaves.

    They end with it, however it ends. One that a signal ended is replaced. It has to be called before this
    process has threads or a loop of its own, which forks would not have.

    Raises SetupError where one ends by itself, as one does that cannot start.
    """
    workers = [_start(first), *(_start(serve) for _ in range(count - 1))]
    began = time.monotonic()
    try:
        while True:
            ended = connection.wait([worker.sentinel for worker in workers])
            for place, worker in enumerate(workers):
                if worker.sentinel not in ended:
                    continue
                worker.join()
                if worker.exitcode is None or worker.exitcode >= 0:
                    raise SetupError("a server process ended by itself; the log above says why")
                _log.warning(
                    "process %s was ended by signal %s; it is replaced", worker.pid, -worker.exitcode
                )
                # Whatever ends them again and again is not to be kept busy.
                time.sleep(max(0, began + _PAUSE_S - time.monotonic()))
                began = time.monotonic()
                workers[place] = _start(serve)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def _start(serve: Callable[[], None]) -> ForkProcess:
    # Forked, they share the memory of all that is loaded.
    worker = get_context("fork").Process(target=_work, args=(serve,))
    worker.start()
    return worker


def _work(serve: Callable[[], None]) -> None:
    # uvicorn raises the signal that ended it once more: it ends this process as it ends any other.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
