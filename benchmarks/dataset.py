"""The data of the benchmark: computed by formulas, so that every machine has the same, and loaded by COPY.

Agents take turns: session `i` belongs to agent `i mod agents`. The latest ten sessions of every agent have 24
messages each, so that a shape reads the same amount of data in every size. A tree of 200 sessions and a
session of 200 messages are in the middle. Messages come in turns of four: the user asks, the agent calls a
tool, the tool answers, the agent replies. A step of a session is an event, a usage record, and a new state of
a module: the session of 200 messages has a step in every turn, the others have two steps.

Every session has a memory of its user and its agent, so that each user has twenty. A memory is accessed two
to eight times, may have one or two annotations, and is related to three other memories of its agent. The
first agent has a million metrics over the year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from agentdata.operations.states import changes, state_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = UUID("01900000-0000-7000-8000-00000000be9c")
_PROJECT = str(PROJECT)
API_KEY = "ad_benchmrk_" + "b" * 43
"""A key that is only valid in the database of the benchmark."""

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=365)
LATEST = 10
LATEST_MESSAGES = 24
TREE_SESSIONS = 200
TREE_BRANCHES = 3
LONG_MESSAGES = 200
MESSAGE_GAP = timedelta(seconds=10)
TURN = 4
STEPS = 2
STEP_TOKENS, STEP_COST_USD = 64, 0.000_001
"""The prompt tokens of a model in each step, and their cost; it writes no tokens."""

RELATED_MEMORIES = 4
"""The size of a group of memories of an agent that are all related to each other."""

ACCESS_GAP = timedelta(hours=5)
WRITERS = 16
"""The number of sessions at the beginning that clients write to, one for each client; no shape reads them."""

PAGE_RANGE = 4_000
"""The number of sessions in the date range of the filtered page, in every size."""

METRICS = 1_000_000
METRIC_TYPE = "response_time"
"""The number and the type of the metrics of the first agent, in every size."""

_STATUSES = ("COMPLETED",) * 6 + ("FAILED", "CANCELLED", "PAUSED", "ACTIVE")
_EVENTS = ("checkpoint", "user_input", "error")
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
_KINDS = {
    "users": 1, "agents": 2, "agent_versions": 3, "sessions": 4, "messages": 5, "tool_calls": 6,
    "session_events": 7, "usage_records": 8, "module_states": 9, "state_transitions": 10,
}  # fmt: skip
_KINDS |= {"memories": 20, "memory_accesses": 21, "memory_annotations": 22}
_KINDS["agent_metrics"] = 11
_NULL = "\\N"


@dataclass(frozen=True)
class Size:
    """The numbers of rows."""

    name: str
    sessions: int
    messages: int
    agents: int
    users: int

    @cached_property
    def gap(self) -> timedelta:
        """The time between the starts of one session and the next."""
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
    def _ordinary(self) -> tuple[int, int]:
        """The number of messages in ordinary sessions, and the number of these sessions."""
        special = self.agents * LATEST * LATEST_MESSAGES + LONG_MESSAGES
        return self.messages - special, self.sessions - self.agents * LATEST - 1

    def started_at(self, index: int) -> datetime:
        """Return the start of a session."""
        return BEGIN + self.gap * index

    def message_count(self, index: int) -> int:
        """Return the number of messages in a session."""
        if index == self.long:
            return LONG_MESSAGES
        if index >= self.sessions - self.agents * LATEST:
            return LATEST_MESSAGES
        messages, sessions = self._ordinary
        return messages * (index + 1) // sessions - messages * index // sessions + index * 7 % 9 - 4

    def steps(self, index: int) -> int:
        """Return the number of steps of a session."""
        return LONG_MESSAGES // TURN if index == self.long else STEPS

    def errors(self, index: int) -> int:
        """Return the number of errors of a session: every tenth call if it is answered, every third step."""
        calls = range(2, self.message_count(index), TURN)
        return sum(_fails(place) for place in calls) + self.steps(index) // len(_EVENTS)

    def step_at(self, index: int, step: int) -> datetime:
        """Return the time of a step of a session: that of the last message of its turn, or of the session."""
        return self.started_at(index) + MESSAGE_GAP * min((step + 1) * TURN, self.message_count(index))

    def memory_created_at(self, index: int) -> datetime:
        """Return the time when a session's memory was created: that of its last message."""
        return self.started_at(index) + MESSAGE_GAP * self.message_count(index)

    def related_memories(self, index: int) -> list[int]:
        """Return the indexes of the memories that a memory is related to, which belong to the same agent."""
        group = RELATED_MEMORIES * self.agents
        first = index - index % group + index % self.agents
        return [other for other in range(first, first + group, self.agents) if other != index]

    def status(self, index: int) -> str:
        """Return the status of a session; sessions of trees have ended, so that durations stay the same."""
        open_ends = self.tree <= index < self.tree + TREE_SESSIONS or self.parent(index) is not None
        status = _STATUSES[index * 3 % 10]
        return "COMPLETED" if open_ends and status in {"ACTIVE", "PAUSED"} else status

    def parent(self, index: int) -> int | None:
        """Return the index of a session's parent; there is one large tree, and one of ten in every 100."""
        offset = index - self.tree
        if 0 <= offset < TREE_SESSIONS:
            return self.tree + (offset - 1) // TREE_BRANCHES if offset else None
        offset = index % 100 - 50
        return index - offset + (offset - 1) // TREE_BRANCHES if 0 < offset < LATEST else None

    def ancestors(self, index: int) -> list[int]:
        """Return the indexes of a session's ancestors, the root first."""
        parent = self.parent(index)
        return [] if parent is None else [*self.ancestors(parent), parent]


SIZES = {
    "small": Size("small", sessions=10_000, messages=300_000, agents=100, users=500),
    "large": Size("large", sessions=1_000_000, messages=10_000_000, agents=1_000, users=50_000),
}


def _fails(place: int) -> bool:
    """Return whether the call that the message at a place makes fails, if it is answered: one in ten."""
    return place % 40 == 2  # noqa: PLR2004 - every tenth of those that make calls


def id_of(kind: str, index: int, at: datetime = BEGIN) -> str:
    """Return the UUIDv7 of a row; the index is unique in its table."""
    milliseconds = int(at.timestamp() * 1000)
    return _id(milliseconds, _KINDS[kind], index)


def _id(milliseconds: int, kind: int, index: int) -> str:
    return (
        f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7{kind:03x}-8000-{index:012x}"
        # The version and the variant are those of RFC 9562; the rest is the time, the table and the index.
    )


def agent_id(size: Size, index: int) -> str:
    """Return the id of a session's agent."""
    return id_of("agents", index % size.agents)


def user_id(size: Size, index: int) -> str:
    """Return the id of a session's user."""
    return id_of("users", index * 13 % size.users)


def session_id(size: Size, index: int) -> str:
    """Return the id of a session."""
    return id_of("sessions", index, size.started_at(index))


def tokens(size: Size, index: int) -> tuple[int, int]:
    """Return the totals of prompt and completion tokens of a session's messages and steps."""
    written = [place for place in range(1, size.message_count(index) + 1) if place % 2 == 0]
    read = sum(100 + place * 13 % 50 for place in written) + size.steps(index) * STEP_TOKENS
    return read, sum(20 + place * 7 % 30 for place in written)


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
        " ended_at, interaction_count, message_count, error_count, last_sequence, last_event_sequence,"
        " prompt_tokens, completion_tokens, cost_usd, parent_id, root_id, depth, ancestor_ids,"
        " created_at, updated_at"
    ),
    "messages": (
        "project_id, id, session_id, sequence, role, content, user_id, agent_id, model, token_count,"
        " prompt_tokens, completion_tokens, latency_ms, metadata, created_at, updated_at"
    ),
    "tool_calls": (
        "project_id, id, message_id, session_id, position, call_id, name, arguments, result, error, status,"
        " answer_id, started_at, duration_ms, created_at, updated_at"
    ),
    "session_events": "project_id, id, session_id, sequence, event_type, event_data, created_at, timestamp",
    "usage_records": (
        "project_id, id, session_id, agent_id, model, prompt_tokens, completion_tokens, cost_usd, created_at,"
        " timestamp"
    ),
    "module_states": (
        "project_id, id, module_id, session_id, version, state, state_hash, previous_state_id, created_at"
    ),
    "state_transitions": (
        "project_id, id, session_id, state_id, next_state_id, trigger_type, previous_values, new_values,"
        " created_at"
    ),
    "memories": (
        "project_id, id, external_id, name, description, content, data, memory_type, user_id, agent_id,"
        " session_id, importance, confidence, source_type, verification_status, topics, last_accessed_at,"
        " access_count, rated_count, usefulness_total, metadata, created_at, updated_at"
    ),
    "memory_accesses": (
        "project_id, id, memory_id, access_type, accessed_by, accessor_type, context, usefulness, created_at"
    ),
    "memory_annotations": (
        "project_id, id, memory_id, annotation_type, content, verification_status, created_by_agent_id,"
        " applied_at, created_at, updated_at"
    ),
    "memory_links": "project_id, memory_id, related_id, created_at",
    "agent_metrics": (
        "project_id, id, agent_id, version_id, metric_type, metric_value, timestamp, metadata, created_at"
    ),
}
"""The columns that are loaded, in the order of the values below; the others have their defaults."""


def users(size: Size) -> Iterator[str]:
    """Yield the users, as lines that COPY reads."""
    for index in range(size.users):
        data = _json({"plan": ("free", "pro", "team")[index % 3], "locale": "en"})
        yield _line(
            _PROJECT, id_of("users", index), f"user-{index}", f"user{index}@example.com", f"User {index}",
            data, BEGIN, BEGIN,
        )  # fmt: skip


def agents(size: Size) -> Iterator[str]:
    """Yield the agents, with the counts of their sessions."""
    ended = {"COMPLETED": [0] * size.agents, "FAILED": [0] * size.agents}
    for index in range(size.sessions):
        status = size.status(index)
        if status in ended:
            ended[status][index % size.agents] += 1
    for index in range(size.agents):
        yield _line(
            _PROJECT, id_of("agents", index), f"agent-{index}", f"agent {index:05d}", "assistant",
            _SENTENCES[index % len(_SENTENCES)], "openai", "gpt-4o", 0.7,
            _SENTENCES[(index + 1) % len(_SENTENCES)], _json({"retries": index % 3, "stream": True}),
            _json(list(_TOOLS[: 1 + index % 5])), "{billing,support}",
            (size.sessions - index - 1) // size.agents + 1, ended["COMPLETED"][index], ended["FAILED"][index],
            BEGIN, BEGIN,
        )  # fmt: skip


def agent_versions(size: Size) -> Iterator[str]:
    """Yield the versions: three of every agent, of which the last is active."""
    for agent in range(size.agents):
        for number in range(3):
            active = number == 2  # noqa: PLR2004 - the last of three
            yield _line(
                _PROJECT, id_of("agent_versions", agent * 3 + number), id_of("agents", agent),
                f"1.{number}.0", _json({"prompt": f"revision {number}"}), _SENTENCES[number],
                _json({"retries": number}),
                "t" if active else "f", BEGIN + timedelta(days=number),
                _NULL if active else BEGIN + timedelta(days=number + 1),
                _json({"accuracy": 0.8 + number / 100}),
                BEGIN + timedelta(days=number), BEGIN + timedelta(days=number),
            )  # fmt: skip


def sessions(size: Size) -> Iterator[str]:
    """Yield the sessions, with their counts, totals and positions in their trees."""
    for index in range(size.sessions):
        started_at, count, status = size.started_at(index), size.message_count(index), size.status(index)
        last = started_at + MESSAGE_GAP * count
        above = [session_id(size, ancestor) for ancestor in size.ancestors(index)]
        id_ = session_id(size, index)
        prompt, completion = tokens(size, index)
        cost = completion * 0.00001 + size.steps(index) * STEP_COST_USD
        ended = _NULL if status in {"ACTIVE", "PAUSED"} else last
        yield _line(
            _PROJECT, id_, f"session-{index}", f"Session {index}", user_id(size, index),
            agent_id(size, index), id_of("agent_versions", index % size.agents * 3 + 2), status,
            ("web", "slack", "api")[index % 3],
            "openai", _SENTENCES[index % len(_SENTENCES)], f"{{topic-{index % 19},tier-{index % 3}}}",
            (index % 100) / 100, "user",
            _json({"locale": "en"}), _json({"step": index % 5}),
            _json({"region": ("eu", "us")[index // 20 % 2], "build": index % 1000}), last, started_at, ended,
            (count + 3) // 4, count, size.errors(index), count, size.steps(index), prompt, completion,
            f"{cost:.9f}", above[-1] if above else _NULL, above[0] if above else id_, len(above),
            "{" + ",".join(above) + "}", started_at, last,
        )  # fmt: skip


def messages(size: Size) -> Iterator[str]:
    """Yield the messages, session by session."""
    numbers = 0
    for index in range(size.sessions):
        session, user, agent = session_id(size, index), user_id(size, index), agent_id(size, index)
        started_at = size.started_at(index)
        for place in range(1, size.message_count(index) + 1):
            at = started_at + MESSAGE_GAP * place
            id_ = id_of("messages", numbers, at)
            numbers += 1
            role = _ROLES[(place - 1) % 4]
            by_agent = role == "ASSISTANT"
            prompt, completion = (100 + place * 13 % 50, 20 + place * 7 % 30) if by_agent else (_NULL, _NULL)
            yield (
                f"{_PROJECT}\t{id_}\t{session}\t{place}\t{role}\t{_content(index, place, role)}"
                f"\t{user if role == 'USER' else _NULL}\t{agent if by_agent else _NULL}"
                f"\t{'gpt-4o' if by_agent else _NULL}\t{20 + place * 7 % 30}\t{prompt}\t{completion}"
                f"\t{300 + place * 37 % 900 if by_agent else _NULL}"
                f'\t{{"channel": "web", "turn": {(place + 3) // 4}}}\t{at}\t{at}\n'
            )


def tool_calls(size: Size) -> Iterator[str]:
    """Yield the tool calls: the second message of every turn makes one, the third answers it."""
    numbers = 0
    for index in range(size.sessions):
        started_at, count = size.started_at(index), size.message_count(index)
        for place in range(2, count + 1, 4):
            at = started_at + MESSAGE_GAP * place
            answered, failed = place < count, _fails(place)
            answer = (
                id_of("messages", numbers + place, started_at + MESSAGE_GAP * (place + 1))
                if answered
                else _NULL
            )
            result = (
                _json({"found": place, "items": [index % 7, place]}) if answered and not failed else _NULL
            )
            yield _line(
                _PROJECT, id_of("tool_calls", numbers + place, at),
                id_of("messages", numbers + place - 1, at), session_id(size, index), 0, f"call_{place}",
                _TOOLS[place // 4 % len(_TOOLS)],
                _json({"query": f"item {index % 1000}", "limit": place}), result,
                "the service did not answer in time" if answered and failed else _NULL,
                ("FAILED" if failed else "SUCCEEDED") if answered else "PENDING", answer, at,
                50 + place * 11 % 400, at, at,
            )  # fmt: skip
        numbers += count


def _steps(size: Size) -> Iterator[tuple[int, int, int, datetime]]:
    """Yield the steps of all sessions: session, number in the session, number among all, and time."""
    taken = ((index, step) for index in range(size.sessions) for step in range(size.steps(index)))
    for number, (index, step) in enumerate(taken):
        yield index, step, number, size.step_at(index, step)


def session_events(size: Size) -> Iterator[str]:
    """Yield the session events."""
    for index, step, number, at in _steps(size):
        data = _json({"step": step, "reason": _SENTENCES[(index + step) % len(_SENTENCES)]})
        yield _line(
            _PROJECT, id_of("session_events", number, at), session_id(size, index), step + 1,
            _EVENTS[step % len(_EVENTS)], data, at, at,
        )  # fmt: skip


def usage_records(size: Size) -> Iterator[str]:
    """Yield the usage records."""
    for index, _, number, at in _steps(size):
        yield _line(
            _PROJECT, id_of("usage_records", number, at), session_id(size, index), agent_id(size, index),
            "text-embedding-3-small", STEP_TOKENS, 0, f"{STEP_COST_USD:.9f}", at, at,
        )  # fmt: skip


def module_states(size: Size) -> Iterator[str]:
    """Yield the module states: successive states of one module in each session."""
    for index, step, number, at in _steps(size):
        before = id_of("module_states", number - 1, size.step_at(index, step - 1)) if step else _NULL
        yield _line(
            _PROJECT, id_of("module_states", number, at), "workflow", session_id(size, index), step + 1,
            *_state_and_hash(step), before, at,
        )  # fmt: skip


def state_transitions(size: Size) -> Iterator[str]:
    """Yield the transitions: one to every state of a session except the first."""
    for index, step, number, at in _steps(size):
        if not step:
            continue
        before = id_of("module_states", number - 1, size.step_at(index, step - 1))
        yield _line(
            _PROJECT, id_of("state_transitions", number, at), session_id(size, index), before,
            id_of("module_states", number, at), ("agent_decision", "user_action")[step % 2],
            *_changes(step), at,
        )  # fmt: skip


@cache
def _state_and_hash(step: int) -> tuple[str, str]:
    state = _state(step)
    return _json(state), state_hash(state)


@cache
def _changes(step: int) -> tuple[str, str]:
    was, is_ = changes(_state(step - 1), _state(step))
    return _json(was), _json(is_)


def _state(step: int) -> dict[str, Any]:
    return {"step": step, "open": [f"item {step % 5}"], "customer": {"country": "SE", "calls": step // 2}}


def memory_id(size: Size, index: int) -> str:
    """Return the id of a session's memory."""
    return id_of("memories", index, size.memory_created_at(index))


def memories(size: Size) -> Iterator[str]:
    """Yield the memories, with the counts of their accesses and their verification."""
    for index in range(size.sessions):
        at, count = size.memory_created_at(index), _access_count(index)
        reported = [_usefulness(index, place) for place in range(1, count + 1)]
        known = [useful for useful in reported if useful is not None]
        yield _line(
            _PROJECT, memory_id(size, index), f"memory-{index}", f"Memory {index}",
            _SENTENCES[index % len(_SENTENCES)], _content(index, 0, "ASSISTANT"),
            _json({"plan": ("free", "pro", "team")[index % 3], "orders": index % 50}),
            ("fact", "preference", "interaction")[index % 3], user_id(size, index), agent_id(size, index),
            session_id(size, index), (index * 37 % 100) / 10, (index * 7 % 100) / 100,
            ("user_input", "agent_inference")[index % 2],
            "VERIFIED" if _annotation_count(index) else "UNVERIFIED",
            f"{{topic-{index % 19},tier-{index % 3}}}", at + ACCESS_GAP * count, count,
            len(known), sum(known) / 10,
            _json({"region": ("eu", "us")[index // 20 % 2]}), at, at,
        )  # fmt: skip


def memory_accesses(size: Size) -> Iterator[str]:
    """Yield the accesses: by the agent, and every third time by the user."""
    numbers = 0
    for index in range(size.sessions):
        memory, made = memory_id(size, index), size.memory_created_at(index)
        by_agent, by_user = (agent_id(size, index), "AGENT"), (user_id(size, index), "USER")
        for place in range(1, _access_count(index) + 1):
            at = made + ACCESS_GAP * place
            accessor, kind = by_agent if place % 3 else by_user
            useful = _usefulness(index, place)
            yield _line(
                _PROJECT, id_of("memory_accesses", numbers, at), memory,
                ("read", "reference", "read", "update")[place % 4], accessor, kind,
                _json({"query": f"item {index % 1000}", "rank": place}),
                _NULL if useful is None else useful / 10, at,
            )  # fmt: skip
            numbers += 1


def memory_annotations(size: Size) -> Iterator[str]:
    """Yield the annotations: a verification that was applied, and an enhancement that was not."""
    for index in range(size.sessions):
        for place in range(_annotation_count(index)):
            at = size.memory_created_at(index) + timedelta(days=1 + place)
            yield _line(
                _PROJECT, id_of("memory_annotations", index * 2 + place, at), memory_id(size, index),
                ("verification", "enhancement")[place], _SENTENCES[(index + place) % len(_SENTENCES)],
                _NULL if place else "VERIFIED", agent_id(size, index), _NULL if place else at, at, at,
            )  # fmt: skip


def memory_links(size: Size) -> Iterator[str]:
    """Yield the links of each memory with the others of its group; all links exist in both directions."""
    for index in range(size.sessions):
        memory = memory_id(size, index)
        for other in size.related_memories(index):
            at = size.memory_created_at(max(index, other))
            yield f"{_PROJECT}\t{memory}\t{memory_id(size, other)}\t{at}\n"


def _access_count(index: int) -> int:
    return 2 + index % 7


def _usefulness(index: int, place: int) -> int | None:
    """Return the usefulness in tenths that an access reports; None if it reports none."""
    return (index * 7 + place * 3) % 11 if place % 4 else None


def _annotation_count(index: int) -> int:
    return (0, 1, 0, 2)[index % 4]


def agent_metrics(size: Size) -> Iterator[str]:
    """Yield the metrics, at equal intervals."""
    agent, version = agent_id(size, 0), id_of("agent_versions", 2)
    gap = SPAN / METRICS
    for index in range(METRICS):
        at = BEGIN + gap * index
        yield _line(
            _PROJECT, id_of("agent_metrics", index, at), agent, version, METRIC_TYPE,
            200 + index * 7919 % 100_003 / 100, at, "{}", at,
        )  # fmt: skip


LINES = {
    "users": users,
    "agents": agents,
    "agent_versions": agent_versions,
    "sessions": sessions,
    "messages": messages,
    "tool_calls": tool_calls,
    "session_events": session_events,
    "usage_records": usage_records,
    "module_states": module_states,
    "state_transitions": state_transitions,
    "memories": memories,
    "memory_accesses": memory_accesses,
    "memory_annotations": memory_annotations,
    "memory_links": memory_links,
    "agent_metrics": agent_metrics,
}
"""The functions that yield the rows of each table as lines for COPY, in the order of their foreign keys."""


def _content(index: int, place: int, role: str) -> str:
    first = _SENTENCES[(index + place) % len(_SENTENCES)]
    if role == "TOOL":
        return f'{{"found": {place - 1}, "note": "{first}"}}'
    return f"{first} {_SENTENCES[(index * 3 + place * 5) % len(_SENTENCES)]}"


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _line(*values: object) -> str:
    # No value contains a tab, a line break or a backslash, so COPY needs no escapes.
    return "\t".join(map(str, values)) + "\n"
