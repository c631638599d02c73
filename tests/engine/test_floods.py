"""A flood of documents or filters that never repeat does not make a process grow without bound."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine import flood

if TYPE_CHECKING:
    from tests.api import Api

pytestmark = pytest.mark.slow

MAX_GROWTH = 60_000_000
"""How much a process may grow, by its caches and by memory that the allocator does not return."""


# The test measures memory by /proc, which macOS does not have.
@pytest.mark.skipif(not flood.RESIDENT.exists(), reason="only Linux reports the resident pages of a process")
@pytest.mark.parametrize(
    ("kind", "times", "max_later_growth"),
    [
        # Without a bound, these documents would take 10 MB.
        ("documents", 110, 7_000_000),
        # Without a bound, these filters would take 3 MB.
        ("filters", 250, 1_500_000),
    ],
)
async def test_a_flood_of_new_documents_or_filters_keeps_memory_bounded(
    api: Api, database_url: str, kind: str, times: int, max_later_growth: int
) -> None:
    """Once the caches are full, as many requests again hardly grow the process."""
    command = [sys.executable, "-m", flood.__name__, database_url, str(api.project_id), kind, str(times)]
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=root)
    output, _ = await process.communicate()
    assert process.returncode == 0
    begin, between, end = json.loads(output)
    assert end - begin < MAX_GROWTH
    assert end - between < max_later_growth
