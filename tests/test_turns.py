"""Turns are taken in order of arrival, and waiters do not block others unnecessarily."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from agentdata.errors import OverloadedError
from agentdata.turns import Turns


class Workers:
    """Tasks that take turns and hold them until the test ends them."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.started: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def start(self, name: str, *limits: tuple[str, int]) -> None:
        """Start a task that takes its turns as soon as it can."""

        async def work() -> None:
            async with self.turns.take(limits):
                self.started.append(name)
                await self._ends[name].wait()

        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(work())
        await self.settle()

    async def end(self, *names: str) -> None:
        """Let tasks give their turns back."""
        for name in names:
            self._ends[name].set()
        await self.settle()

    async def settle(self) -> None:
        """Let all tasks run as far as they can."""
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def workers() -> Workers:
    """Provide tasks that wait for their turns without a timeout."""
    return Workers(Turns(None))


async def test_waiters_follow_in_the_order_of_their_arrival(workers: Workers) -> None:
    for name in "abcdef":
        await workers.start(name, ("session", 2))
    assert workers.started == ["a", "b"]
    await workers.end("b")
    assert workers.started == ["a", "b", "c"]
    await workers.end("a", "c")
    assert workers.started == ["a", "b", "c", "d", "e"]
    await workers.end("d", "e", "f")
    await asyncio.gather(*workers.tasks.values())


async def test_a_waiter_for_one_key_does_not_hold_a_turn_of_the_next_key(workers: Workers) -> None:
    await workers.start("a", ("one", 1), ("all", 2))
    await workers.start("b", ("one", 1), ("all", 2))
    await workers.start("c", ("other", 1), ("all", 2))
    assert workers.started == ["a", "c"]
    await workers.start("d", ("third", 1), ("all", 2))
    await workers.end("a")
    # "d" began to wait for a turn of "all" before "b" did.
    assert workers.started == ["a", "c", "d"]
    await workers.end("c")
    assert workers.started == ["a", "c", "d", "b"]
    await workers.end("b", "d")
    await asyncio.gather(*workers.tasks.values())


async def test_a_cancelled_or_failed_holder_passes_its_turn_on(workers: Workers) -> None:
    for name in "abc":
        await workers.start(name, ("session", 1), ("all", 1))
    for name in ("b", "a"):
        workers.tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await workers.tasks[name]
    await workers.settle()
    assert workers.started == ["a", "c"]
    await workers.end("c")
    with pytest.raises(LookupError):
        async with workers.turns.take([("session", 1), ("all", 1)]):
            raise LookupError
    async with workers.turns.take([("session", 1), ("all", 1)]):
        pass


async def test_a_waiter_that_times_out_is_refused_and_holds_no_turns() -> None:
    turns = Turns(0.02)
    async with turns.take([("session", 1)]):
        with pytest.raises(OverloadedError, match="too many requests for the same data"):
            async with turns.take([("all", 1), ("session", 1)]):
                pytest.fail("the turn was not free")
        async with turns.take([("all", 1)]):
            pass
    async with turns.take([("session", 1)]):
        pass
    # The timeout of the turns limits only waiting, not the time that a turn is held.
    with pytest.raises(TimeoutError):
        async with turns.take([("session", 1)]), asyncio.timeout(0.05):
            await asyncio.Event().wait()


async def test_the_line_of_an_unused_key_is_dropped(workers: Workers) -> None:
    for number in range(100):
        async with workers.turns.take([(str(number), 1)]):
            assert len(workers.turns._lines) == 1  # noqa: SLF001  # only this shows what is in memory
    assert len(workers.turns._lines) == 0  # noqa: SLF001  # only this shows what is in memory


async def test_more_than_may_wait_are_refused_at_once() -> None:
    workers = Workers(Turns(None, max_waiting=2, busy="the queue is full"))
    for name in "abc":
        await workers.start(name, ("key", 1))
    await workers.start("d", ("key", 1))
    with pytest.raises(OverloadedError, match="the queue is full"):
        await workers.tasks["d"]
    await workers.start("e", ("other", 1))
    await workers.end("a", "b", "c", "e")
    assert workers.started == ["a", "e", "b", "c"]
    await asyncio.gather(*[workers.tasks[name] for name in "abce"])


async def test_a_waiter_that_is_cancelled_in_the_moment_of_its_turn_passes_it_on(workers: Workers) -> None:
    for name in "abc":
        await workers.start(name, ("key", 1))
    workers.tasks["a"].cancel()
    workers.tasks["b"].cancel()
    await workers.settle()
    assert workers.started == ["a", "c"]
    await workers.end("c")
    await workers.start("d", ("key", 1))
    await workers.end("d")
    assert workers.started == ["a", "c", "d"]
    assert not workers.turns._lines  # noqa: SLF001  # only this shows what is in memory
