"""After `kill -9` during writes, acknowledged writes are stored and no write is stored in part."""

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

    Repeated = Callable[[int], Awaitable[None]]
    """A write that remembers what was acknowledged; its argument is the number of the turn."""

__all__ = ["environment", "started"]


@asynccontextmanager
async def client_of_server(environment: dict[str, str]) -> AsyncIterator[tuple[Client, psutil.Process]]:
    """Provide a client of a separate server process, which is killed at the end."""
    with serving_process(environment) as server:
        client = Client(server.url, key_file(environment).read_text().strip())
        async with client.http:
            yield client, psutil.Process(server.process.pid)
        await asyncio.to_thread(server.end, signal.SIGKILL)


async def write_until_killed(server: psutil.Process, killed: str, *writes: Repeated) -> None:
    """Repeat concurrent writes until the server or its PostgreSQL is killed during them."""
    enough = asyncio.Event()
    turns = Counter(dict.fromkeys(range(len(writes)), 0))

    async def repeat(place: int, write: Repeated) -> None:
        while True:
            try:
                await write(turns[place])
            except (httpx.HTTPError, AssertionError, ValueError):
                # After the kill, requests may fail in any of these ways.
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
FOUND = """query($session: ID!, $agent: ID!, $memory: ID!) {
  session(id: $session) {
    messageCount interactionCount promptTokens completionTokens costUsd sandbox { kind }
    messages(first: 500) { totalCount nodes { externalId sequence } }
    events(first: 500) { totalCount nodes { id sequence } }
    usage(first: 500) { totalCount nodes { id } }
    moduleStates(first: 500) { totalCount nodes { version stateHash previousState { version } } }
    stateTransitions { totalCount }
    metrics(first: 500) { totalCount nodes { id } }
  }
  agent(id: $agent) { metrics(first: 500) { totalCount nodes { id } } }
  memory(id: $memory) {
    content accessCount history { totalCount }
    accesses(first: 500) { totalCount nodes { id } }
    annotations(first: 500) { totalCount nodes { content isApplied } }
    relatedMemories(first: 500) { totalCount nodes { id relatedMemories { nodes { id } } } }
  }
}"""


class Known:
    """The acknowledged rows that a client knows of, by kind and then by key."""

    def __init__(self, client: Client, ids: dict[str, str]) -> None:
        self.ask = client.ask
        self.ids = ids
        self.of: defaultdict[str, dict[Any, Any]] = defaultdict(dict)

    async def messages(self, turn: int) -> None:
        together = f"{turn % 3 + 1} of {uuid4().hex}"
        one = {"role": "USER", "promptTokens": 5}
        many = [one | {"externalId": f"{together}: {place}"} for place in range(turn % 3 + 1)]
        rows = (await self.ask(MESSAGES, id=self.ids["session"], many=many))["rows"]
        self.of["messages"] |= {row["externalId"]: row["sequence"] for row in rows}

    async def events(self, turn: int) -> None:
        many = [{"eventType": f"{place}"} for place in range(turn % 3 + 1)]
        rows = (await self.ask(EVENTS, id=self.ids["session"], many=many))["rows"]
        self.of["events"] |= {row["id"]: row["sequence"] for row in rows}

    async def usage(self, turn: int) -> None:
        one = {"sessionId": self.ids["session"], "model": "small", "completionTokens": 5, "costUsd": 0.25}
        rows = (await self.ask(USAGE, many=[one] * (turn % 3 + 1)))["rows"]
        self.of["usage"] |= {row["id"]: None for row in rows}

    async def state(self, turn: int) -> None:
        row = (await self.ask(STATE, id=self.ids["session"], state={"turn": turn}))["row"]
        self.of["states"][row["version"]] = row["stateHash"]

    async def metrics(self, _turn: int) -> None:
        made = await self.ask(METRICS, session=self.ids["session"], agent=self.ids["agent"])
        for kind, rows in made.items():
            self.of[kind] |= {row["id"]: None for row in rows}

    async def sandbox(self, turn: int) -> None:
        row = (await self.ask(SANDBOX, id=self.ids["session"], kind=f"{turn}"))["row"]
        self.of["sandbox"]["turn"] = int(row["kind"])

    async def accesses(self, turn: int) -> None:
        one = {"accessType": "read", "accessedBy": "A", "accessorType": "AGENT"}
        many = [one | {"memoryId": self.ids["memory"]}] * (turn % 3 + 1)
        rows = (await self.ask(ACCESSES, many=many))["rows"]
        self.of["accesses"] |= {row["id"]: None for row in rows}

    async def annotation(self, _turn: int) -> None:
        made = await self.ask(ANNOTATE, id=self.ids["memory"], content=uuid4().hex)
        row = (await self.ask(APPLY, id=made["row"]["id"]))["row"]
        self.of["applied"][row["content"]] = None

    async def link(self, _turn: int) -> None:
        others = [row["id"] for row in (await self.ask(REMEMBER))["rows"]]
        await self.ask(LINK, id=self.ids["memory"], others=others)
        self.of["linked"] |= dict.fromkeys(others)


@pytest.mark.parametrize("killed", ["server", "postgres"])
async def test_acknowledged_writes_survive_a_kill(environment: dict[str, str], killed: str) -> None:
    async with client_of_server(environment) as (client, server):
        made = await client.ask(MAKE)
        known = Known(client, {name: row["id"] for name, row in made.items()})
        at_once = (known.messages, known.events, known.usage, known.state, known.accesses, known.annotation)
        await write_until_killed(
            server, killed, *at_once * 2, known.metrics, known.link, known.link, known.sandbox
        )
    async with client_of_server(environment) as (client, _):
        found = await client.ask(FOUND, **known.ids)
    _check_session(found["session"], known)
    _check_memory(found["memory"], known)
    assert known.of["ofSession"].keys() <= {row["id"] for row in _rows(found["session"], "metrics")}
    assert known.of["ofAgent"].keys() <= {row["id"] for row in _rows(found["agent"], "metrics")}


def _rows(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = parent[name]["nodes"]
    assert len(nodes) == parent[name]["totalCount"]
    return nodes


def _check_session(session: dict[str, Any], known: Known) -> None:
    said = {row["externalId"]: row["sequence"] for row in _rows(session, "messages")}
    assert known.of["messages"].items() <= said.items()
    assert sorted(said.values()) == list(range(1, len(said) + 1))
    counts = (session["messageCount"], session["interactionCount"], session["promptTokens"])
    assert counts == (len(said), len(said), 5 * len(said))
    # The messages of one write are all stored, or none is.
    together = Counter(id_.partition(":")[0] for id_ in said)
    assert all(count == int(sent.split()[0]) for sent, count in together.items())
    happened = {row["id"]: row["sequence"] for row in _rows(session, "events")}
    assert known.of["events"].items() <= happened.items()
    assert sorted(happened.values()) == list(range(1, len(happened) + 1))
    used = {row["id"] for row in _rows(session, "usage")}
    assert known.of["usage"].keys() <= used
    assert (session["completionTokens"], session["costUsd"]) == (5 * len(used), 0.25 * len(used))
    states = sorted(_rows(session, "moduleStates"), key=lambda row: row["version"])
    assert known.of["states"].items() <= {row["version"]: row["stateHash"] for row in states}.items()
    before = [None, *({"version": version} for version in range(1, len(states)))]
    assert [row["previousState"] for row in states] == before
    assert session["stateTransitions"]["totalCount"] == len(states) - 1
    assert int(session["sandbox"]["kind"]) >= known.of["sandbox"]["turn"]


def _check_memory(memory: dict[str, Any], known: Known) -> None:
    accesses = {row["id"] for row in _rows(memory, "accesses")}
    assert known.of["accesses"].keys() <= accesses
    assert memory["accessCount"] == len(accesses)
    applied = {row["content"] for row in _rows(memory, "annotations") if row["isApplied"]}
    assert known.of["applied"].keys() <= applied
    # Each annotation was appended once, and each previous content was kept.
    assert sorted(memory["content"].splitlines()) == sorted(["begin", *applied])
    assert memory["history"]["totalCount"] == len(applied)
    related = {row["id"]: row["relatedMemories"]["nodes"] for row in _rows(memory, "relatedMemories")}
    assert known.of["linked"].keys() <= related.keys()
    assert all(back == [{"id": known.ids["memory"]}] for back in related.values())
