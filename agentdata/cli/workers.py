"""Runs several processes that serve the same socket; the kernel gives each connection to one of them."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import ForkProcess

from agentdata.setup_error import SetupError

_log = logging.getLogger(__name__)

_PAUSE_S = 1.0
"""The least number of seconds between two replacements."""


def run(
    count: int,
    serve: Callable[[int], None],
    first: Callable[[int], None],
    beside: Callable[[int], None] | None = None,
) -> None:
    """Run `first` in one worker process and `serve` in the others, until this process ends.

    If there is `beside`, it runs in one process more.

    All take the place of their process, from 0; the process that replaces another takes over its place.
    The workers end with this process, however it ends. A worker that a signal ended is replaced. Call this
    before the process has threads or an event loop, which a fork does not copy.

    Raises SetupError if a worker ends by itself, as it does when it cannot start.
    """
    tasks = [serve] * count + ([] if beside is None else [beside])
    workers = [_start(first, 0), *(_start(task, place) for place, task in enumerate(tasks) if place)]
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
                    "process %s was ended by signal %s and is replaced", worker.pid, -worker.exitcode
                )
                # Something may end every worker at once: do not fork in a busy loop.
                time.sleep(max(0, began + _PAUSE_S - time.monotonic()))
                began = time.monotonic()
                workers[place] = _start(tasks[place], place)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def _start(serve: Callable[[int], None], place: int) -> ForkProcess:
    # Forked workers share the memory of everything that is loaded.
    worker = get_context("fork").Process(target=_work, args=(serve, place))
    worker.start()
    return worker


def _work(serve: Callable[[int], None], place: int) -> None:
    # uvicorn raises the signal that stopped it again: with the default handlers it ends this process.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve(place)
    except SetupError as error:
        print(f"agentdata: {error}", file=sys.stderr)
        sys.exit(1)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
