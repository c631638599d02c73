"""A load of appends, whose clients repeat with the same idempotencyKey until the server acknowledges."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx

from tests.databases import run

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS = 16
PAUSE_S = 0.05
"""How long a client pauses before it repeats a request, in seconds."""

START = "mutation { startSession(input: {}) { id } }"
APPEND = """mutation($session: ID!, $content: String!, $key: String!) {
  appendMessages(
    sessionId: $session, messages: [{role: USER, content: $content}], idempotencyKey: $key
  ) { id }
}"""
PASSING = {"OVERLOADED", "TIMEOUT"}
"""The codes of errors after which the same request may succeed."""


class Appends:
    """Appends of one message each, to some sessions of a project."""

    def __init__(self, url: str, secret: str, total: int, *, sessions: int = 8, size: int = 0) -> None:
        self.total = total
        self._size = size
        self.acknowledged = 0
        self.refused: Counter[str] = Counter()
        """How often a request was repeated, by the reason."""
        self._url = url
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._sessions: list[str] = []
        self._count = sessions
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Append all messages; raise AssertionError if the server answers with a fault of its own."""
        numbers = iter(range(self.total))
        async with httpx.AsyncClient(headers=self._headers, timeout=60) as http:
            for _ in range(self._count):
                made = (await http.post(self._url, json={"query": START})).json()
                self._sessions.append(made["data"]["startSession"]["id"])

        async def work() -> None:
            async with httpx.AsyncClient(headers=self._headers, timeout=60) as http:
                for number in numbers:
                    await self._append(http, number)

        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(work())

    async def reach(self, share: float) -> None:
        """Wait until a share of the appends is acknowledged."""
        count = int(self.total * share)
        await self._until(lambda: self.acknowledged >= count)

    async def suffer(self, count: int) -> None:
        """Wait until so many more requests were refused or lost."""
        count += self.refused.total()
        await self._until(lambda: self.refused.total() >= count)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    async def _append(self, http: httpx.AsyncClient, number: int) -> None:
        variables = {
            "session": self._sessions[number % len(self._sessions)],
            # Random digits, because PostgreSQL compresses texts.
            "content": f"message {number}{secrets.token_hex(self._size // 2)}",
            "key": f"append {number}",
        }
        while (reason := await self._refusal(http, variables)) is not None:
            self.refused[reason] += 1
            self._changed.set()
            await asyncio.sleep(PAUSE_S)
        self.acknowledged += 1
        self._changed.set()

    async def _refusal(self, http: httpx.AsyncClient, variables: dict[str, Any]) -> str | None:
        """Send a request, and return why it has to be repeated, or None if it was acknowledged."""
        try:
            answer = await http.post(self._url, json={"query": APPEND, "variables": variables})
        except httpx.TransportError as error:
            return type(error).__name__
        content = answer.json()
        if "errors" not in content:
            return None
        codes = {error["extensions"]["code"] for error in content["errors"]}
        assert codes <= PASSING, content
        return str(min(codes))

    def check(self, owner_url: str) -> None:
        """Check that each append is stored exactly once, and that the sessions count right."""
        assert self.acknowledged == self.total
        sessions = ", ".join(f"'{id_}'" for id_ in self._sessions)
        stored, different, first_to_last, counted = run(
            owner_url,
            f"SELECT count(*) FROM messages WHERE session_id IN ({sessions})",  # noqa: S608  # ids of the server
            f"SELECT count(DISTINCT content) FROM messages WHERE session_id IN ({sessions})",  # noqa: S608  # as above
            f"SELECT sum(last) FROM (SELECT max(sequence) AS last FROM messages"  # noqa: S608  # as above
            f" WHERE session_id IN ({sessions}) GROUP BY session_id) AS each",
            f"SELECT sum(message_count) FROM sessions WHERE id IN ({sessions})",  # noqa: S608  # as above
        )
        assert (stored, different, first_to_last, counted) == (self.total,) * 4
