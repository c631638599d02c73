"""What ends the server when this process is killed and can do nothing any more."""

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
    """Ties a child process to this one: `arguments` for its Popen, then `hold` once its pid is known."""

    arguments: dict[str, Any] = field(default_factory=dict)
    watchdog: "subprocess.Popen[bytes] | None" = None

    def hold(self, pid: int) -> None:
        """Tie the started child, where starting it did not already."""
        if not self.arguments:
            # It reads from a pipe that only this process holds open, and so wakes when that is gone.
            self.watchdog = subprocess.Popen(  # noqa: S603 nothing of it is from outside
                ["/bin/sh", "-c", 'read -r _; kill -INT "$0"', str(pid)],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )


@contextmanager
def lifeline(*, by_kernel: bool = sys.platform == "linux") -> Iterator[Lifeline]:
    """Tie a child to this process: on Linux the kernel signals it, elsewhere a watchdog does.

    The kernel's tie is to the thread that starts the child.
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
    # Everything is looked up here: between fork and exec little can be done safely.
    prctl, parent, getppid, end = ctypes.CDLL(None).prctl, os.getpid(), os.getppid, os._exit

    def end_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGINT.value)
        if getppid() != parent:  # it was gone before
            end(1)

    return end_with_parent
