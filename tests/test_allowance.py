"""What an operation says of a part that its time limit stopped."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from agentdata.allowance import Allowance
from agentdata.deadlines import Deadlines


@pytest.mark.parametrize("lost", [True, False])
async def test_a_write_on_a_lost_connection_is_not_said_to_be_undone(*, lost: bool) -> None:
    async def cancel_statement() -> None:
        pass

    driver = SimpleNamespace(
        meter=SimpleNamespace(left=0), is_closed=lambda: lost, cancel_statement=cancel_statement
    )
    connection: Any = SimpleNamespace(driver=driver, usable=True)
    allowance = Allowance(seconds=0.01, max_bytes=100, deadlines=Deadlines())
    allowance.start()
    allowance.begin(connection, counted=False)
    await asyncio.sleep(0.05)
    refusal = allowance.refusal(connection)
    assert (refusal is None) == lost
    assert lost or "nothing of it was done" in str(refusal)
    allowance.end(connection)
    assert not connection.usable
