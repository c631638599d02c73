"""Hostile requests get designed answers, and another project notices nothing of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.run import run
from tests.fuzz.target import prepared

if TYPE_CHECKING:
    from agentdata.database_urls import DatabaseUrls

SECONDS = float(os.environ.get("FUZZ_SECONDS", "45"))
_LONGEST_PROBE_S = 5.0
"""How long a small query of another project may take, in seconds, on a machine that the fuzz keeps busy."""


@pytest.mark.slow
async def test_hostile_requests_get_designed_answers(database_urls: DatabaseUrls) -> None:
    async with prepared(database_urls) as target:
        tally = await run(target, seconds=SECONDS, seed=1)
    assert not tally.faults, (str(tally), tally.faults[:5])
    assert tally.requests > SECONDS
    assert tally.probes > SECONDS / 2
    assert tally.slowest_probe_s < _LONGEST_PROBE_S, str(tally)
