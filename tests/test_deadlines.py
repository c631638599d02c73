"""Things are called at their deadlines, and an error of one leaves the others alone."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
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


def test_a_new_event_loop_begins_anew() -> None:
    deadlines = Deadlines()

    async def watch(seconds: float) -> bool:
        called = asyncio.Event()
        deadlines.add(called, asyncio.get_running_loop().time() + seconds, asyncio.Event.set)
        async with asyncio.timeout(5):
            return await called.wait() if not seconds else False

    assert not asyncio.run(watch(100))
    assert asyncio.run(watch(0))


async def test_a_call_sees_the_context_in_which_it_was_added() -> None:
    deadlines, loop = Deadlines(), asyncio.get_running_loop()
    name: ContextVar[str] = ContextVar("name", default="nobody")
    seen: list[str] = []
    done = asyncio.Event()

    def call(thing: str) -> None:
        seen.append(f"{thing} {name.get()}")
        if len(seen) == 2:
            done.set()

    async def add(own: str) -> None:
        name.set(own)
        deadlines.add(own, loop.time(), call)

    await asyncio.gather(add("one"), add("two"))
    await done.wait()
    assert sorted(seen) == ["one one", "two two"]
