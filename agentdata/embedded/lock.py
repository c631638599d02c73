"""Ensures that at most one program runs a server on a data folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agentdata.setup_error import SetupError


class DataFolderInUseError(SetupError):
    """Another program runs a server on the data folder."""

    def __init__(self, data_dir: Path, pid: int | None) -> None:
        super().__init__(
            f"the data folder {data_dir} is in use by another agentdata"
            + (f" (process {pid})" if pid else "")
            + "; stop that one, or set AGENTDATA_DATA_DIR to another folder"
        )


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the lock of the data folder; the system releases it however this process ends.

    Raises DataFolderInUseError.
    """
    # The file is never removed: otherwise two programs could lock two different files.
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataFolderInUseError(data_dir, _pid(lock)) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


def _pid(lock: int) -> int | None:
    """Return the pid of the lock's holder, or None if the holder has not written it yet."""
    with suppress(ValueError):
        return int(os.pread(lock, 32, 0))
    return None
