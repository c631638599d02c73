"""Documents and filters that never come again leave the process within its bounds."""

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

MOST_BYTES = 60_000_000
"""How much a process may grow by what it keeps, and by what its allocator does not give back."""


@pytest.mark.skipif(not flood.RESIDENT.exists(), reason="only Linux tells what a process holds at the moment")
@pytest.mark.parametrize(
    ("kind", "times", "most_more"),
    [
        # All kept, so many would take 10 MB.
        ("documents", 110, 7_000_000),
        # All kept, so many would take 3 MB.
        ("filters", 250, 1_500_000),
    ],
)
async def test_a_flood_leaves_a_process_within_its_bounds(
    api: Api, database_url: str, kind: str, times: int, most_more: int
) -> None:
    """As much again as fills what is kept makes the process hardly larger."""
    command = [sys.executable, "-m", flood.__name__, database_url, str(api.project_id), kind, str(times)]
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=root)
    said, _ = await process.communicate()
    assert process.returncode == 0
    begin, between, end = json.loads(said)
    assert end - begin < MOST_BYTES
    assert end - between < most_more
