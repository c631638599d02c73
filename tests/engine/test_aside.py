"""Threads beside the event loop are shared fairly among projects."""

from __future__ import annotations

import asyncio
import gc
from functools import partial
from threading import Event
from typing import TYPE_CHECKING
from uuid import uuid4
from weakref import finalize

import pytest

from agentdata.engine import aside as aside_module
from agentdata.engine.aside import Aside
from agentdata.errors import OverloadedError
from agentdata.sight.request import RequestRecord, current

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

FLOODING, OTHER = uuid4(), uuid4()


def asked(aside: Aside, project: UUID, work: Callable[[], object]) -> asyncio.Task[object]:
    """Run a function for a request of a project."""

    async def run() -> object:
        record = RequestRecord("")
        record.project = project
        current.set(record)
        return await aside.run(work)

    return asyncio.create_task(run())


async def test_projects_take_turns_and_a_flood_loses_its_own() -> None:
    aside, order, go = Aside("test", 10), list[str](), Event()
    first = asked(aside, FLOODING, go.wait)
    await asyncio.sleep(0.05)
    flood = [asked(aside, FLOODING, partial(order.append, f"f{n}")) for n in range(12)]
    await asyncio.sleep(0.05)
    others = [asked(aside, OTHER, partial(order.append, f"o{n}")) for n in range(3)]
    await asyncio.sleep(0.05)
    go.set()
    await asyncio.gather(first, *others)
    results = await asyncio.gather(*flood, return_exceptions=True)
    assert [isinstance(each, OverloadedError) for each in results] == [False] * 7 + [True] * 5
    assert order == ["f0", "o0", "f1", "o1", "f2", "o2", "f3", "f4", "f5", "f6"]


async def test_what_was_cancelled_does_not_run() -> None:
    aside, order, go = Aside("test", 10), list[int](), Event()
    first = asked(aside, OTHER, go.wait)
    await asyncio.sleep(0.05)
    tasks = [asked(aside, OTHER, partial(order.append, n)) for n in range(3)]
    await asyncio.sleep(0.05)
    tasks[1].cancel()
    first.cancel()  # it runs on, and the others wait for it
    await asyncio.sleep(0.05)
    assert not order
    go.set()
    await asyncio.gather(tasks[0], tasks[2])
    assert order == [0, 2]


async def test_errors_reach_whoever_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        await Aside("test", 1).run(lambda: 1 // 0)


class Circle:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


async def test_the_cycles_that_a_function_leaves_are_freed_before_the_next_runs() -> None:
    aside, gone = Aside("test", 10, leaves_cycles=True), list[bool]()

    def leave_a_cycle() -> None:
        finalize(Circle(), gone.append, True)  # noqa: FBT003  # an argument of `append`

    gc.disable()
    try:
        await aside.run(leave_a_cycle)
        assert await aside.run(gone.copy) == [True]
    finally:
        gc.enable()


async def test_an_error_holds_nothing_of_its_function_while_it_is_sent() -> None:
    aside, gone = Aside("test", 10, leaves_cycles=True), list[bool]()

    def fail() -> None:
        circle = Circle()
        finalize(circle, gone.append, True)  # noqa: FBT003  # as above
        try:
            dict[int, int]()[id(circle)]
        except KeyError:
            raise ValueError from None

    gc.disable()
    try:
        with pytest.raises(ValueError, match=r"^$") as caught:
            await aside.run(fail)
        assert await aside.run(gone.copy) == [True]
        # Logs still name the places that it passed through.
        assert caught.traceback[-1].name == "fail"
    finally:
        gc.enable()


async def test_results_in_cycles_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside_module, "_FREEZE_AFTER", 64)
    monkeypatch.setattr(aside_module, "_ALL_AFTER", 1_024)
    aside, alive = Aside("test", 10, leaves_cycles=True), set[int]()

    def make(number: int) -> Circle:
        circle = Circle()
        alive.add(number)
        finalize(circle, alive.remove, number)
        return circle

    gc.disable()
    try:
        for number in range(3_000):
            # A result is still in use when the next function begins, as an error is until it is sent.
            circle = await aside.run(make, number)
            assert circle.itself is circle
        # Those of the last functions, and one of each time that what is in use was frozen.
        assert len(alive) < 64 + 1_024 // 64 + 2
    finally:
        gc.enable()
