"""Several processes that serve the same socket: the kernel gives each connection to one of them."""

import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import ForkProcess

from agentdata.setup_error import SetupError


def run(count: int, serve: Callable[[], None], first: Callable[[], None]) -> None:
    """Run `serve` in so many processes, `first` in one of them instead, until this process leaves.

    They end with it, however it ends. One that was killed is replaced. It has to be called before this
    process has threads or a loop of its own, which forks would not have.

    Raises SetupError where one ends by itself, as one does that cannot start.
    """
    workers = [_start(first), *(_start(serve) for _ in range(count - 1))]
    try:
        while True:
            ended = connection.wait([worker.sentinel for worker in workers])
            for place, worker in enumerate(workers):
                if worker.sentinel not in ended:
                    continue
                worker.join()
                if worker.exitcode is None or worker.exitcode >= 0:
                    raise SetupError("a server process ended by itself; the log above says why")
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
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
