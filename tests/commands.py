"""Commands, each in a process of its own, forked from one that has loaded the libraries once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Nothing of agentdata's own: what a command imports, and in which order, is up to the command.
LIBRARIES = [
    "alembic.command",
    "asyncpg",
    "orjson",
    "pydantic_settings",
    "sqlalchemy.ext.asyncio",
    "strawberry",
]

_forks = get_context("forkserver")
_forks.set_forkserver_preload(LIBRARIES)


def run(
    environment: dict[str, str], arguments: Sequence[str], *, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command of agentdata's to its end; raises TimeoutError where that does not come."""
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder) / name for name in ("stdout", "stderr")]
        process = _forks.Process(target=_run, args=(environment, arguments, said))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(arguments)
        return subprocess.CompletedProcess(
            arguments, process.exitcode, *[each.read_text(encoding="utf-8") for each in said]
        )


def _run(environment: dict[str, str], arguments: Sequence[str], said: Sequence[Path]) -> None:
    for descriptor, path in enumerate(said, start=1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["agentdata", *arguments]

    from agentdata.cli import main  # noqa: PLC0415  # as the command does: when it runs

    main()
