"""After `kill -9` every acknowledged write is stored, and no write is stored in part."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.test_cli import environment, key_file, started
from tests.test_cli import serving as serving_process
from tests.test_concurrency import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Write = Callable[[int], Awaitable[None]]
    """A function that writes and records what was acknowledged; it takes the number of the turn."""

pytestmark = pytest.mark.slow

__all__ = ["environment", "started"]


@asynccontextmanager
async def running_server(environment: dict[str, str]) -> AsyncIterator[tuple[Client, psutil.Process]]:
    """Start a server in its own process, yield a client and the process, and kill it after the block."""
    with serving_process(environment) as server:
        client = Client(server.url, key_file(environment).read_text().strip())
        async with client.http:
            yield client, psutil.Process(server.process.pid)
        await asyncio.to_thread(server.end, signal.SIGKILL)


async def write_until_killed(server: psutil.Process, killed: str, *writes: Write) -> None:
    """Repeat writes concurrently, and kill the server or its PostgreSQL in the middle of them."""
    enough = asyncio.Event()
    turns = Counter(dict.fromkeys(range(len(writes)), 0))

    async def repeat(place: int, write: Write) -> None:
        while True:
            try:
                await write(turns[place])
            except (httpx.HTTPError, AssertionError, ValueError):
                # Requests may fail once the process was killed.
                if enough.is_set():
                    return
                enough.set()
                raise
            turns[place] += 1
            if min(turns.values()) > 5:
                enough.set()

    writers = [asyncio.create_task(repeat(place, write)) for place, write in enumerate(writes)]
    await asyncio.wait_for(enough.wait(), 60)
    for process in server.children(recursive=True) if killed == "postgres" else [server]:
        process.kill()
    await asyncio.wait_for(asyncio.gather(*writers), 60)


MAKE = """mutation {
  session: startSession(input: {}) { id }
  agent: createAgent(input: {name: "A"}) { id }
  memory: createMemory(input: {content: "begin"}) { id }
}"""
MESSAGES = """mutation($id: ID!, $many: [AppendMessageInput!]!) {
  rows: appendMessages(sessionId: $id, messages: $many) { externalId sequence }
}"""
EVENTS = """mutation($id: ID!, $many: [RecordEventInput!]!) {
  rows: recordEvents(sessionId: $id, events: $many) { id sequence }
}"""
USAGE = "mutation($many: [RecordUsageInput!]!) { rows: recordUsage(records: $many) { id } }"
STATE = """mutation($id: ID!, $state: JSON!) {
  row: setModuleState(input: {sessionId: $id, moduleId: "cart", state: $state}) { version stateHash }
}"""
METRICS = """mutation($session: ID!, $agent: ID!) {
  ofSession: recordSessionMetrics(metrics: {sessionId: $session, metricType: "a", metricValue: 1}) { id }
  ofAgent: recordAgentMetrics(metrics: {agentId: $agent, metricType: "a", metricValue: 1}) { id }
}"""
SANDBOX = (
    "mutation($id: ID!, $kind: String!) { row: setSandbox(sessionId: $id, input: {kind: $kind}) { kind } }"
)
ACCESSES = """mutation($many: [RecordMemoryAccessInput!]!) {
  rows: recordMemoryAccesses(accesses: $many) { id }
}"""
ANNOTATE = """mutation($id: ID!, $content: String!) {
  row: annotateMemory(input: {memoryId: $id, annotationType: "enhancement", content: $content}) { id }
}"""
APPLY = "mutation($id: ID!) { row: applyAnnotation(id: $id) { content } }"
REMEMBER = 'mutation { rows: createMemories(memories: [{content: "a"}, {content: "b"}]) { id } }'
LINK = """mutation($id: ID!, $others: [ID!]!) {
  row: linkMemories(memoryId: $id, relatedMemoryIds: $others) { id }
}"""
FOUND = """query($session: ID!, $memory: ID!) {
  session(id: $session) {
    messageCount interactionCount promptTokens completionTokens costUsd sandbox { kind }
    stateTransitions { totalCount }
  }
  memory(id: $memory) { content accessCount history { totalCount } }
}"""
PAGE = """query($id: ID!, $after: String) {
  parent: %s(id: $id) {
    page: %s(first: 500, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes { %s } }
  }
}"""


class Acknowledged:
    """The acknowledged writes: for each kind, the rows by their keys."""

    def __init__(self, client: Client, ids: dict[str, str]) -> None:
        self.ask = client.ask
        self.ids = ids
        self.rows: defaultdict[str, dict[Any, Any]] = defaultdict(dict)

    async def messages(self, turn: int) -> None:
        together = f"{turn % 3 + 1} of {uuid4().hex}"
        one = {"role": "USER", "promptTokens": 5}
        many = [one | {"externalId": f"{together}: {place}"} for place in range(turn % 3 + 1)]
        rows = (await self.ask(MESSAGES, id=self.ids["session"], many=many))["rows"]
        self.rows["messages"] |= {row["externalId"]: row["sequence"] for row in rows}

    async def events(self, turn: int) -> None:
        many = [{"eventType": f"{place}"} for place in range(turn % 3 + 1)]
        rows = (await self.ask(EVENTS, id=self.ids["session"], many=many))["rows"]
        self.rows["events"] |= {row["id"]: row["sequence"] for row in rows}

    async def usage(self, turn: int) -> None:
        one = {"sessionId": self.ids["session"], "model": "small", "completionTokens": 5, "costUsd": 0.25}
        rows = (await self.ask(USAGE, many=[one] * (turn % 3 + 1)))["rows"]
        self.rows["usage"] |= {row["id"]: None for row in rows}

    async def state(self, turn: int) -> None:
        row = (await self.ask(STATE, id=self.ids["session"], state={"turn": turn}))["row"]
        self.rows["states"][row["version"]] = row["stateHash"]

    async def metrics(self, _turn: int) -> None:
        made = await self.ask(METRICS, session=self.ids["session"], agent=self.ids["agent"])
        for kind, rows in made.items():
            self.rows[kind] |= {row["id"]: None for row in rows}

    async def sandbox(self, turn: int) -> None:
        row = (await self.ask(SANDBOX, id=self.ids["session"], kind=f"{turn}"))["row"]
        self.rows["sandbox"]["turn"] = int(row["kind"])

    async def accesses(self, turn: int) -> None:
        one = {"accessType": "read", "accessedBy": "A", "accessorType": "AGENT"}
        many = [one | {"memoryId": self.ids["memory"]}] * (turn % 3 + 1)
        rows = (await self.ask(ACCESSES, many=many))["rows"]
        self.rows["accesses"] |= {row["id"]: None for row in rows}

    async def annotation(self, _turn: int) -> None:
        made = await self.ask(ANNOTATE, id=self.ids["memory"], content=uuid4().hex)
        row = (await self.ask(APPLY, id=made["row"]["id"]))["row"]
        self.rows["applied"][row["content"]] = None

    async def link(self, _turn: int) -> None:
        others = [row["id"] for row in (await self.ask(REMEMBER))["rows"]]
        await self.ask(LINK, id=self.ids["memory"], others=others)
        self.rows["linked"] |= dict.fromkeys(others)


@pytest.mark.parametrize("killed", ["server", "postgres"])
async def test_acknowledged_writes_survive_a_kill(environment: dict[str, str], killed: str) -> None:
    async with running_server(environment) as (client, server):
        made = await client.ask(MAKE)
        acknowledged = Acknowledged(client, {name: row["id"] for name, row in made.items()})
        at_once = (
            acknowledged.messages,
            acknowledged.events,
            acknowledged.usage,
            acknowledged.state,
            acknowledged.accesses,
            acknowledged.annotation,
        )
        await write_until_killed(
            server,
            killed,
            *at_once * 2,
            acknowledged.metrics,
            acknowledged.link,
            acknowledged.link,
            acknowledged.sandbox,
        )
    async with running_server(environment) as (client, _):
        ids = acknowledged.ids
        found = await client.ask(FOUND, session=ids["session"], memory=ids["memory"])
        await _check_session(client, found["session"], acknowledged)
        await _check_memory(client, found["memory"], acknowledged)
        measured = await _rows(client, "session", ids, "metrics", "id")
        assert acknowledged.rows["ofSession"].keys() <= {row["id"] for row in measured}
        measured = await _rows(client, "agent", ids, "metrics", "id")
        assert acknowledged.rows["ofAgent"].keys() <= {row["id"] for row in measured}


async def _rows(
    client: Client, parent: str, ids: dict[str, str], name: str, fields: str
) -> list[dict[str, Any]]:
    """Return the rows of all pages of a connection."""
    rows: list[dict[str, Any]] = []
    after = None
    while True:
        asked = await client.ask(PAGE % (parent, name, fields), id=ids[parent], after=after)
        page = asked["parent"]["page"]
        rows += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            assert len(rows) == page["totalCount"]
            return rows
        after = page["pageInfo"]["endCursor"]


async def _check_session(client: Client, session: dict[str, Any], acknowledged: Acknowledged) -> None:
    ids = acknowledged.ids
    messages = await _rows(client, "session", ids, "messages", "externalId sequence")
    said = {row["externalId"]: row["sequence"] for row in messages}
    assert acknowledged.rows["messages"].items() <= said.items()
    assert sorted(said.values()) == list(range(1, len(said) + 1))
    counts = (session["messageCount"], session["interactionCount"], session["promptTokens"])
    assert counts == (len(said), len(said), 5 * len(said))
    # The messages of one request are all stored, or none.
    together = Counter(id_.partition(":")[0] for id_ in said)
    assert all(count == int(sent.split()[0]) for sent, count in together.items())
    events = await _rows(client, "session", ids, "events", "id sequence")
    happened = {row["id"]: row["sequence"] for row in events}
    assert acknowledged.rows["events"].items() <= happened.items()
    assert sorted(happened.values()) == list(range(1, len(happened) + 1))
    used = {row["id"] for row in await _rows(client, "session", ids, "usage", "id")}
    assert acknowledged.rows["usage"].keys() <= used
    assert (session["completionTokens"], session["costUsd"]) == (5 * len(used), 0.25 * len(used))
    states = await _rows(
        client, "session", ids, "moduleStates", "version stateHash previousState { version }"
    )
    states.sort(key=lambda row: row["version"])
    assert acknowledged.rows["states"].items() <= {row["version"]: row["stateHash"] for row in states}.items()
    before = [None, *({"version": version} for version in range(1, len(states)))]
    assert [row["previousState"] for row in states] == before
    assert session["stateTransitions"]["totalCount"] == len(states) - 1
    assert int(session["sandbox"]["kind"]) >= acknowledged.rows["sandbox"]["turn"]


async def _check_memory(client: Client, memory: dict[str, Any], acknowledged: Acknowledged) -> None:
    ids = acknowledged.ids
    accesses = {row["id"] for row in await _rows(client, "memory", ids, "accesses", "id")}
    assert acknowledged.rows["accesses"].keys() <= accesses
    assert memory["accessCount"] == len(accesses)
    annotations = await _rows(client, "memory", ids, "annotations", "content isApplied")
    applied = {row["content"] for row in annotations if row["isApplied"]}
    assert acknowledged.rows["applied"].keys() <= applied
    # Each annotation was appended once, and each previous content was kept.
    assert sorted(memory["content"].splitlines()) == sorted(["begin", *applied])
    assert memory["history"]["totalCount"] == len(applied)
    linked = await _rows(client, "memory", ids, "relatedMemories", "id relatedMemories { nodes { id } }")
    related = {row["id"]: row["relatedMemories"]["nodes"] for row in linked}
    assert acknowledged.rows["linked"].keys() <= related.keys()
    assert all(back == [{"id": acknowledged.ids["memory"]}] for back in related.values())
