"""The data that is asked for: made by a formula, so that it is the same on every machine, and loaded by COPY.

Agents take turns: session `i` belongs to agent `i mod agents`. The latest ten sessions of every agent have
24 messages each, so that what a shape reads weighs the same in every size. A tree of 200 sessions and a
session of 200 messages lie in the middle. Messages come in turns of four: the user asks, the agent calls a
tool, the tool answers, the agent replies. The first agent is measured a million times over the year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = UUID("01900000-0000-7000-8000-00000000be9c")
API_KEY = "ad_benchmrk_" + "b" * 43
"""Opens only the database of the benchmark, which is made from this file."""

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=365)
LATEST = 10
LATEST_MESSAGES = 24
TREE_SESSIONS = 200
TREE_BRANCHES = 3
LONG_MESSAGES = 200
MESSAGE_GAP = timedelta(seconds=10)
WRITERS = 16
"""The first sessions take the writes, one for each client; nothing else reads them."""

PAGE_RANGE = 4_000
"""How many sessions lie in the date range of the filtered page, in every size."""

METRICS = 1_000_000
METRIC_TYPE = "response_time"
"""How often the first agent is measured, in every size, and what is."""

_STATUSES = ("COMPLETED",) * 6 + ("FAILED", "CANCELLED", "PAUSED", "ACTIVE")
_ROLES = ("USER", "ASSISTANT", "TOOL", "ASSISTANT")
_TOOLS = ("search_orders", "get_weather", "create_ticket", "read_file", "run_query")
_SENTENCES = (
    "The order left the warehouse this morning and will arrive within two working days.",
    "Please check whether the invoice of last month was paid before anything else happens.",
    "I looked at the logs of the night and found three time-outs of the same service.",
    "A refund goes back to the card that was used, which usually takes about a week.",
    "The second paragraph of the report contradicts the table that stands right below it.",
    "We tried to restart the job twice, and each time it stopped at the very same record.",
    "Could you compare the two offers and tell me which is cheaper over three years?",
)
_KINDS = {"users": 1, "agents": 2, "agent_versions": 3, "sessions": 4, "messages": 5, "tool_calls": 6}
_KINDS["agent_metrics"] = 11
_NULL = "\\N"


@dataclass(frozen=True)
class Size:
    """How much there is."""

    name: str
    sessions: int
    messages: int
    agents: int
    users: int

    @cached_property
    def gap(self) -> timedelta:
        """Time from the beginning of one session to that of the next."""
        return SPAN / self.sessions

    @property
    def tree(self) -> int:
        """The index of the root of the large tree; its sessions follow it."""
        return self.sessions // 2

    @property
    def long(self) -> int:
        """The index of the session with many messages."""
        return self.tree + TREE_SESSIONS

    @cached_property
    def _usual(self) -> tuple[int, int]:
        """How many messages the sessions that are nothing special have together, and how many those are."""
        special = self.agents * LATEST * LATEST_MESSAGES + LONG_MESSAGES
        return self.messages - special, self.sessions - self.agents * LATEST - 1

    def started(self, index: int) -> datetime:
        """When a session began."""
        return BEGIN + self.gap * index

    def message_count(self, index: int) -> int:
        """How many messages a session has."""
        if index == self.long:
            return LONG_MESSAGES
        if index >= self.sessions - self.agents * LATEST:
            return LATEST_MESSAGES
        messages, sessions = self._usual
        return messages * (index + 1) // sessions - messages * index // sessions + index * 7 % 9 - 4

    def status(self, index: int) -> str:
        """Where a session stands; a whole tree has ended, so that its duration stays the same."""
        open_ends = self.tree <= index < self.tree + TREE_SESSIONS or self.parent(index) is not None
        status = _STATUSES[index * 3 % 10]
        return "COMPLETED" if open_ends and status in {"ACTIVE", "PAUSED"} else status

    def parent(self, index: int) -> int | None:
        """Give the index of a session's parent: one large tree, and one of ten sessions in every hundred."""
        offset = index - self.tree
        if 0 <= offset < TREE_SESSIONS:
            return self.tree + (offset - 1) // TREE_BRANCHES if offset else None
        offset = index % 100 - 50
        return index - offset + (offset - 1) // TREE_BRANCHES if 0 < offset < LATEST else None

    def ancestors(self, index: int) -> list[int]:
        """Give the indexes of the sessions above one, the root first."""
        parent = self.parent(index)
        return [] if parent is None else [*self.ancestors(parent), parent]


SIZES = {
    "small": Size("small", sessions=10_000, messages=300_000, agents=100, users=500),
    "large": Size("large", sessions=1_000_000, messages=10_000_000, agents=1_000, users=50_000),
}


def id_of(kind: str, index: int, at: datetime = BEGIN) -> str:
    """Give the UUIDv7 of a row; those of messages and calls count on within their session's index."""
    milliseconds = int(at.timestamp() * 1000)
    return _id(milliseconds, _KINDS[kind], index)


def _id(milliseconds: int, kind: int, index: int) -> str:
    return (
        f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7{kind:03x}-8000-{index:012x}"
        # Version 7 and the variant stand where RFC 9562 has them; the rest is time, table and place.
    )


def agent_id(size: Size, index: int) -> str:
    """Give the id of a session's agent."""
    return id_of("agents", index % size.agents)


def user_id(size: Size, index: int) -> str:
    """Give the id of a session's user."""
    return id_of("users", index * 13 % size.users)


def session_id(size: Size, index: int) -> str:
    """Give the id of a session."""
    return id_of("sessions", index, size.started(index))


def tokens(count: int) -> tuple[int, int]:
    """Add up the tokens of a session's first messages: read and written."""
    written = [place for place in range(1, count + 1) if place % 2 == 0]
    return sum(100 + place * 13 % 50 for place in written), sum(20 + place * 7 % 30 for place in written)


COLUMNS = {
    "users": "project_id, id, external_id, email, name, user_data, created_at, updated_at",
    "agents": (
        "project_id, id, external_id, name, type, description, provider, model, temperature, system_prompt,"
        " config, tools, specializations, total_sessions, completed_sessions, failed_sessions,"
        " created_at, updated_at"
    ),
    "agent_versions": (
        "project_id, id, agent_id, version_number, changes, system_prompt, config, is_active, activated_at,"
        " deactivated_at, performance, created_at, updated_at"
    ),
    "sessions": (
        "project_id, id, external_id, title, user_id, agent_id, agent_version_id, status, platform, provider,"
        " purpose, tags, quality_score, source, context, state, metadata, last_activity_at, started_at,"
        " ended_at, interaction_count, message_count, last_sequence, prompt_tokens, completion_tokens,"
        " cost_usd, parent_id, root_id, depth, ancestor_ids, created_at, updated_at"
    ),
    "messages": (
        "project_id, id, session_id, sequence, role, content, user_id, agent_id, model, token_count,"
        " prompt_tokens, completion_tokens, latency_ms, metadata, created_at, updated_at"
    ),
    "tool_calls": (
        "project_id, id, message_id, session_id, position, call_id, name, arguments, result, error, status,"
        " answer_id, started_at, duration_ms, created_at, updated_at"
    ),
    "agent_metrics": (
        "project_id, id, agent_id, version_id, metric_type, metric_value, timestamp, metadata, created_at"
    ),
}
"""The columns that are loaded, in the order of the lines below; the others keep their defaults."""


def users(size: Size) -> Iterator[str]:
    """Give the lines of the users, as COPY reads them."""
    for index in range(size.users):
        data = _json({"plan": ("free", "pro", "team")[index % 3], "locale": "en"})
        yield _line(
            PROJECT, id_of("users", index), f"user-{index}", f"user{index}@example.com", f"User {index}",
            data, BEGIN, BEGIN,
        )  # fmt: skip


def agents(size: Size) -> Iterator[str]:
    """Give the lines of the agents, with the counts of their sessions."""
    ended = {"COMPLETED": [0] * size.agents, "FAILED": [0] * size.agents}
    for index in range(size.sessions):
        status = size.status(index)
        if status in ended:
            ended[status][index % size.agents] += 1
    for index in range(size.agents):
        yield _line(
            PROJECT, id_of("agents", index), f"agent-{index}", f"agent {index:05d}", "assistant",
            _SENTENCES[index % len(_SENTENCES)], "openai", "gpt-4o", 0.7,
            _SENTENCES[(index + 1) % len(_SENTENCES)], _json({"retries": index % 3, "stream": True}),
            _json(list(_TOOLS[: 1 + index % 5])), "{billing,support}",
            (size.sessions - index - 1) // size.agents + 1, ended["COMPLETED"][index], ended["FAILED"][index],
            BEGIN, BEGIN,
        )  # fmt: skip


def agent_versions(size: Size) -> Iterator[str]:
    """Give the lines of the versions: three of every agent, the last of them active."""
    for agent in range(size.agents):
        for number in range(3):
            active = number == 2  # noqa: PLR2004 - the last of three
            yield _line(
                PROJECT, id_of("agent_versions", agent * 3 + number), id_of("agents", agent), f"1.{number}.0",
                _json({"prompt": f"revision {number}"}), _SENTENCES[number], _json({"retries": number}),
                "t" if active else "f", BEGIN + timedelta(days=number),
                _NULL if active else BEGIN + timedelta(days=number + 1),
                _json({"accuracy": 0.8 + number / 100}),
                BEGIN + timedelta(days=number), BEGIN + timedelta(days=number),
            )  # fmt: skip


def sessions(size: Size) -> Iterator[str]:
    """Give the lines of the sessions, with their counts, totals and places in their trees."""
    for index in range(size.sessions):
        started, count, status = size.started(index), size.message_count(index), size.status(index)
        last = started + MESSAGE_GAP * count
        above = [session_id(size, ancestor) for ancestor in size.ancestors(index)]
        id_ = session_id(size, index)
        prompt, completion = tokens(count)
        ended = _NULL if status in {"ACTIVE", "PAUSED"} else last
        yield _line(
            PROJECT, id_, f"session-{index}", f"Session {index}", user_id(size, index), agent_id(size, index),
            id_of("agent_versions", index % size.agents * 3 + 2), status, ("web", "slack", "api")[index % 3],
            "openai", _SENTENCES[index % len(_SENTENCES)], f"{{topic-{index % 19},tier-{index % 3}}}",
            (index % 100) / 100, "user",
            _json({"locale": "en"}), _json({"step": index % 5}),
            _json({"region": ("eu", "us")[index // 20 % 2], "build": index % 1000}), last, started, ended,
            (count + 3) // 4, count, count, prompt, completion, f"{completion * 0.00001:.9f}",
            above[-1] if above else _NULL, above[0] if above else id_, len(above),
            "{" + ",".join(above) + "}", started, last,
        )  # fmt: skip


def messages(size: Size) -> Iterator[str]:
    """Give the lines of the messages, session by session."""
    numbers = 0
    for index in range(size.sessions):
        session, user, agent = session_id(size, index), user_id(size, index), agent_id(size, index)
        started = size.started(index)
        for place in range(1, size.message_count(index) + 1):
            at = started + MESSAGE_GAP * place
            id_ = id_of("messages", numbers, at)
            numbers += 1
            role = _ROLES[(place - 1) % 4]
            by_agent = role == "ASSISTANT"
            prompt, completion = (100 + place * 13 % 50, 20 + place * 7 % 30) if by_agent else (_NULL, _NULL)
            yield (
                f"{PROJECT}\t{id_}\t{session}\t{place}\t{role}\t{_content(index, place, role)}"
                f"\t{user if role == 'USER' else _NULL}\t{agent if by_agent else _NULL}"
                f"\t{'gpt-4o' if by_agent else _NULL}\t{20 + place * 7 % 30}\t{prompt}\t{completion}"
                f"\t{300 + place * 37 % 900 if by_agent else _NULL}"
                f'\t{{"channel": "web", "turn": {(place + 3) // 4}}}\t{at}\t{at}\n'
            )


def tool_calls(size: Size) -> Iterator[str]:
    """Give the lines of the tool calls: the second message of every turn makes one, the third answers it."""
    numbers = 0
    for index in range(size.sessions):
        started, count = size.started(index), size.message_count(index)
        for place in range(2, count + 1, 4):
            at = started + MESSAGE_GAP * place
            answered, failed = place < count, place % 40 == 2  # noqa: PLR2004 - one in ten
            answer = (
                id_of("messages", numbers + place, started + MESSAGE_GAP * (place + 1)) if answered else _NULL
            )
            result = (
                _json({"found": place, "items": [index % 7, place]}) if answered and not failed else _NULL
            )
            yield _line(
                PROJECT, id_of("tool_calls", numbers + place, at), id_of("messages", numbers + place - 1, at),
                session_id(size, index), 0, f"call_{place}", _TOOLS[place // 4 % len(_TOOLS)],
                _json({"query": f"item {index % 1000}", "limit": place}), result,
                "the service did not answer in time" if answered and failed else _NULL,
                ("FAILED" if failed else "SUCCEEDED") if answered else "PENDING", answer, at,
                50 + place * 11 % 400, at, at,
            )  # fmt: skip
        numbers += count


def agent_metrics(size: Size) -> Iterator[str]:
    """Give the lines of the metrics, one as far from the next as all others."""
    agent, version = agent_id(size, 0), id_of("agent_versions", 2)
    for index in range(METRICS):
        at = BEGIN + SPAN * index / METRICS
        yield _line(
            PROJECT, id_of("agent_metrics", index, at), agent, version, METRIC_TYPE,
            200 + index * 7919 % 100_003 / 100, at, "{}", at,
        )  # fmt: skip


LINES = {
    "users": users,
    "agents": agents,
    "agent_versions": agent_versions,
    "sessions": sessions,
    "messages": messages,
    "tool_calls": tool_calls,
    "agent_metrics": agent_metrics,
}
"""What makes the lines of each table, in the order of their references."""


def _content(index: int, place: int, role: str) -> str:
    first = _SENTENCES[(index + place) % len(_SENTENCES)]
    if role == "TOOL":
        return f'{{"found": {place - 1}, "note": "{first}"}}'
    return f"{first} {_SENTENCES[(index * 3 + place * 5) % len(_SENTENCES)]}"


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _line(*values: object) -> str:
    # Nothing above has a tab, a line break or a backslash in it, so COPY needs no escapes.
    return "\t".join(map(str, values)) + "\n"
