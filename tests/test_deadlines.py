"""Things are called at their deadlines, and an error of one leaves the others alone."""

from __future__ import annotations

import asyncio
from typing import Any

from agentdata.deadlines import Deadlines


async def test_each_thing_is_called_once_at_its_deadline_unless_it_is_removed() -> None:
    deadlines, called, loop = Deadlines(), [], asyncio.get_running_loop()
    last = asyncio.Event()
    began = loop.time()

    def call(name: str) -> None:
        called.append((name, loop.time() - began))
        if name == "late":
            last.set()

    for name, seconds in (("late", 0.06), ("early", 0.0), ("removed", 0.03)):
        deadlines.add(name, began + seconds, call)
    deadlines.remove("removed")
    deadlines.remove("never added")
    await last.wait()
    assert [name for name, _ in called] == ["early", "late"]
    assert called[1][1] >= 0.06
    # After all were called, the timer begins anew with the next.
    last.clear()
    deadlines.add("late", loop.time(), call)
    await last.wait()


async def test_an_error_leaves_the_others_alone() -> None:
    deadlines, loop = Deadlines(), asyncio.get_running_loop()
    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: errors.append(context))
    called = [asyncio.Event() for _ in range(2)]

    def fail(_name: str) -> None:
        raise LookupError

    deadlines.add("wrong", loop.time(), fail)
    for event in called:
        deadlines.add(event, loop.time() + 0.02, asyncio.Event.set)
    async with asyncio.timeout(5):
        for event in called:
            await event.wait()
    assert [type(context["exception"]) for context in errors] == [LookupError]
