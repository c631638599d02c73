"""A minute of mixed requests leaves the memory and the open files of the server as they were.

`python -m benchmarks.soak` runs the same for half an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.soak import MAX_MORE_FILES, QUERIES, soak
from tests.test_cli import environment, key_file, serving, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.test_cli import Serving

pytestmark = pytest.mark.slow

__all__ = ["environment", "started"]


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[Serving]:
    """Provide a server that logs errors only."""
    with serving(environment | {"AGENTDATA_LOG_LEVEL": "error"}) as server:
        yield server


async def test_memory_and_open_files_stay_flat(server: Serving, environment: dict[str, str]) -> None:
    key = key_file(environment).read_text().strip()
    made = await soak(server.url, key, server.process.pid, seconds=60, rate=100)
    memory, files = made.growth()
    # Caches still fill in the first minute.
    assert memory < 0.1
    assert files <= MAX_MORE_FILES
    assert made.requests.keys() == QUERIES.keys()
    assert made.requests.total() > 1_000
