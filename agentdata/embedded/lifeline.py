"""Ends the server when this process is killed and cannot stop the server itself."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

PR_SET_PDEATHSIG = 1


@dataclass
class Lifeline:
    """Ties a child process to this one: pass `arguments` to its Popen, then call `hold` with its pid."""

    arguments: dict[str, Any] = field(default_factory=dict)
    watchdog: "subprocess.Popen[bytes] | None" = None

    def hold(self, pid: int) -> None:
        """Tie the started child, unless `arguments` did so already."""
        if not self.arguments:
            # It reads a pipe that only this process holds open, so it wakes when this process ends.
            self.watchdog = subprocess.Popen(  # noqa: S603 nothing of it is from outside
                ["/bin/sh", "-c", 'read -r _; kill -INT "$0"', str(pid)],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )


@contextmanager
def lifeline(*, by_kernel: bool = sys.platform == "linux") -> Iterator[Lifeline]:
    """Tie a child to this process: on Linux the kernel signals the child, elsewhere a watchdog does.

    On Linux the child is tied to the thread that starts it.
    """
    if by_kernel:
        yield Lifeline({"preexec_fn": _end_with_parent()})
        return
    tied = Lifeline()
    try:
        yield tied
    finally:
        if tied.watchdog:
            tied.watchdog.kill()
            tied.watchdog.communicate()


def _end_with_parent() -> Any:
    # Look everything up here, because little is safe between fork and exec.
    prctl, parent, getppid, end = ctypes.CDLL(None).prctl, os.getpid(), os.getppid, os._exit

    def end_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGINT.value)
        if getppid() != parent:  # the parent ended before prctl ran
            end(1)

    return end_with_parent
