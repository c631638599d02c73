"""Run agentdata commands, each in a new process forked from one that has loaded the libraries."""

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
    from multiprocessing.context import ForkServerProcess

# No modules of agentdata: what a command imports, and in which order, is part of the test.
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
    """Run an agentdata command and return its result; raise TimeoutError if it takes too long."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("stdout", "stderr")]
        process = _forks.Process(target=_run, args=(environment, arguments, outputs))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(arguments)
        return subprocess.CompletedProcess(
            arguments, process.exitcode, *[each.read_text(encoding="utf-8") for each in outputs]
        )


def start(environment: dict[str, str], *arguments: str) -> ForkServerProcess:
    """Start an agentdata command, and return its process without its output."""
    nowhere = [Path(os.devnull)] * 2
    process = _forks.Process(target=_run, args=(environment, arguments, nowhere))
    process.start()
    return process


def _run(environment: dict[str, str], arguments: Sequence[str], outputs: Sequence[Path]) -> None:
    for descriptor, path in enumerate(outputs, start=1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["agentdata", *arguments]

    from agentdata.cli import main  # noqa: PLC0415  # like the command, which imports it when it runs

    main()
