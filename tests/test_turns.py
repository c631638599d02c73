"""Turns go to those who came first, and nobody who waits takes another one's."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from agentdata.errors import OverloadedError
from agentdata.turns import Turns


class Doing:
    """Tasks that take a turn, and hold it until they are told to end."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.began: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def begin(self, name: str, *shares: tuple[str, int]) -> None:
        """Have a task take a turn, if it can."""

        async def do() -> None:
            async with self.turns.take(shares):
                self.began.append(name)
                await self._ends[name].wait()

        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(do())
        await self.settle()

    async def end(self, *names: str) -> None:
        """Have tasks give their turns back."""
        for name in names:
            self._ends[name].set()
        await self.settle()

    async def settle(self) -> None:
        """Let all tasks go as far as they can."""
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def doing() -> Doing:
    """Provide tasks that wait for their turns for as long as it takes."""
    return Doing(Turns(None))


async def test_so_many_begin_and_the_others_follow_in_the_order_in_which_they_came(doing: Doing) -> None:
    for name in "abcdef":
        await doing.begin(name, ("session", 2))
    assert doing.began == ["a", "b"]
    await doing.end("b")
    assert doing.began == ["a", "b", "c"]
    await doing.end("a", "c")
    assert doing.began == ["a", "b", "c", "d", "e"]
    await doing.end("d", "e", "f")
    await asyncio.gather(*doing.tasks.values())


async def test_who_waits_under_one_key_takes_no_place_under_the_next(doing: Doing) -> None:
    await doing.begin("a", ("one", 1), ("all", 2))
    await doing.begin("b", ("one", 1), ("all", 2))
    await doing.begin("c", ("other", 1), ("all", 2))
    assert doing.began == ["a", "c"]
    await doing.begin("d", ("third", 1), ("all", 2))
    await doing.end("a")
    # "d" has waited for a place among all since before "b" could.
    assert doing.began == ["a", "c", "d"]
    await doing.end("c")
    assert doing.began == ["a", "c", "d", "b"]
    await doing.end("b", "d")
    await asyncio.gather(*doing.tasks.values())


async def test_who_gives_up_or_fails_leaves_its_place_to_the_next(doing: Doing) -> None:
    for name in "abc":
        await doing.begin(name, ("session", 1), ("all", 1))
    for name in ("b", "a"):
        doing.tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await doing.tasks[name]
    await doing.settle()
    assert doing.began == ["a", "c"]
    await doing.end("c")
    with pytest.raises(LookupError):
        async with doing.turns.take([("session", 1), ("all", 1)]):
            raise LookupError
    async with doing.turns.take([("session", 1), ("all", 1)]):
        pass


async def test_who_waits_too_long_is_told_so_and_leaves_nothing_behind() -> None:
    turns = Turns(0.02)
    async with turns.take([("session", 1)]):
        with pytest.raises(OverloadedError, match="too many writes to the same data"):
            async with turns.take([("all", 1), ("session", 1)]):
                pytest.fail("it had no turn")
        async with turns.take([("all", 1)]):
            pass
    async with turns.take([("session", 1)]):
        pass
    # Only those who wait are timed, not those who have their turn.
    with pytest.raises(TimeoutError):
        async with turns.take([("session", 1)]), asyncio.timeout(0.05):
            await asyncio.Event().wait()


async def test_a_key_that_nobody_uses_is_forgotten(doing: Doing) -> None:
    for number in range(100):
        async with doing.turns.take([(str(number), 1)]):
            assert len(doing.turns._semaphores) == 1  # noqa: SLF001  # what is kept is asked
    assert len(doing.turns._semaphores) == 0  # noqa: SLF001  # what is kept is asked
