"""Plain Strawberry: types, resolvers, DataLoaders and the SQLAlchemy ORM, as its documentation teaches.

Each request has a DataLoader for each relation; pages under parents are loaded for all parents at once. A
request has one session in one transaction, in the same project and under the same role as with the other
servers; a lock keeps its loaders from using the session at the same time.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Generic, NewType, TypeVar
from uuid import UUID

import strawberry
from sqlalchemy import Float, cast, func, select, text, tuple_
from sqlalchemy import update as update_rows
from sqlalchemy.orm import aliased
from strawberry.dataloader import DataLoader
from strawberry.scalars import JSON
from strawberry.types import Info

import models
from benchmarks.dataset import PROJECT
from schema.enums import Interval, SeriesMetric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession


T = TypeVar("T")
BigInt = NewType("BigInt", int)


class Database:
    """One request's session and its lock."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._lock = asyncio.Lock()
        self._begun = False

    async def all(self, statement: Any) -> Sequence[Any]:
        """Run a statement and return all its rows."""
        async with self._lock:
            if not self._begun:
                self._begun = True
                await self._session.execute(text("SET LOCAL ROLE agentdata_app"))
                await self._session.execute(text(f"SET LOCAL app.project_id = '{PROJECT}'"))
            return (await self._session.execute(statement)).all()

    async def insert(self, rows: list[Any]) -> None:
        """Insert rows, and read back the values that the database generated."""
        async with self._lock:
            self._session.add_all(rows)
            await self._session.flush()

    async def commit(self) -> None:
        """Commit the transaction."""
        await self._session.commit()


def _one(database: Database, model: Any) -> DataLoader[UUID, Any]:
    async def load(keys: list[UUID]) -> list[Any]:
        rows = await database.all(select(model).where(model.project_id == PROJECT, model.id.in_(keys)))
        found = {row.id: row for (row,) in rows}
        return [found.get(key) for key in keys]

    return DataLoader(load_fn=load)


def _many(
    database: Database, model: Any, parent: Any, *order: Any
) -> DataLoader[tuple[UUID, int], list[Any]]:
    """Load the first rows of each parent, by row numbers."""

    async def load(keys: list[tuple[UUID, int]]) -> list[list[Any]]:
        most = max(first for _, first in keys)
        number = func.row_number().over(partition_by=parent, order_by=order).label("number")
        parents = [key for key, _ in keys]
        numbered = select(model, number).where(model.project_id == PROJECT, parent.in_(parents)).subquery()
        row = aliased(model, numbered)
        found: dict[UUID, list[Any]] = {key: [] for key in parents}
        statement = select(row).where(numbered.c.number <= most).order_by(numbered.c.number)
        for (item,) in await database.all(statement):
            found[getattr(item, parent.key)].append(item)
        return [found[key][:first] for key, first in keys]

    return DataLoader(load_fn=load)


class Loaders:
    """The loaders of one request."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.users = _one(database, models.User)
        self.agents = _one(database, models.Agent)
        m, c, s = models.Message, models.ToolCall, models.Session
        self.messages = _many(database, m, m.session_id, m.sequence)
        self.last_messages = _many(database, m, m.session_id, m.sequence.desc())
        self.tool_calls = _many(database, c, c.message_id, c.position)
        self.agent_sessions = _many(database, s, s.agent_id, s.started_at.desc(), s.id.desc())
        a, n = models.MemoryAccess, models.MemoryAnnotation
        self.accesses = _many(database, a, a.memory_id, a.created_at.desc(), a.id.desc())
        self.annotations = _many(database, n, n.memory_id, n.created_at.desc(), n.id.desc())
        self.related_memories: DataLoader[tuple[UUID, int], Any] = DataLoader(load_fn=self._related_memories)
        self.active_versions: DataLoader[UUID, Any] = DataLoader(load_fn=self._active_versions)
        self.sessions = _one(database, s)
        self.message_rows = _one(database, m)
        self.memory_rows = _one(database, models.Memory)
        self.statistics: DataLoader[UUID, Any] = DataLoader(load_fn=self._statistics)
        self.trees: DataLoader[tuple[UUID, UUID], Any] = DataLoader(load_fn=self._trees)

    async def _active_versions(self, keys: list[UUID]) -> list[Any]:
        v = models.AgentVersion
        statement = select(v).where(v.project_id == PROJECT, v.agent_id.in_(keys), v.is_active)
        found = {row.agent_id: row for (row,) in await self.database.all(statement)}
        return [found.get(key) for key in keys]

    async def _related_memories(self, keys: list[tuple[UUID, int]]) -> list[list[Any]]:
        m, link = models.Memory, models.MemoryLink
        number = func.row_number().over(
            partition_by=link.memory_id, order_by=(m.created_at.desc(), m.id.desc())
        )
        numbered = (
            select(m, link.memory_id, number.label("number"))
            .join(link, link.related_id == m.id)
            .where(m.project_id == PROJECT, link.project_id == PROJECT)
            .where(link.memory_id.in_([key for key, _ in keys]))
            .subquery()
        )
        statement = (
            select(aliased(m, numbered), numbered.c.memory_id)
            .where(numbered.c.number <= max(first for _, first in keys))
            .order_by(numbered.c.number)
        )
        found: dict[UUID, list[Any]] = {key: [] for key, _ in keys}
        for memory, parent in await self.database.all(statement):
            found[parent].append(memory)
        return [found[key][:first] for key, first in keys]

    async def _statistics(self, keys: list[UUID]) -> list[Any]:
        s = models.Session
        return await statistics(
            self.database, [s.project_id == PROJECT, s.agent_id.in_(keys)], s.agent_id, keys
        )

    async def _trees(self, keys: list[tuple[UUID, UUID]]) -> list[Any]:
        s, c, e = models.Session, models.ToolCall, models.SessionEvent
        roots = list({root for _, root in keys})
        sessions = await self.database.all(
            select(s).where(s.project_id == PROJECT, s.root_id.in_(roots)).order_by(s.depth.desc())
        )
        ids = [row.id for (row,) in sessions]
        failed: dict[UUID, Any] = {}
        for of, is_error in ((c, c.status == "FAILED"), (e, e.event_type == "error")):
            for id_, count in await self.database.all(
                select(of.session_id, func.count())
                .where(of.project_id == PROJECT, of.session_id.in_(ids), is_error)
                .group_by(of.session_id)
            ):
                failed[id_] = failed.get(id_, 0) + count
        below: dict[UUID, list[Any]] = {}
        for (row,) in sessions:
            for ancestor in [*row.ancestor_ids, row.id]:
                below.setdefault(ancestor, []).append(row)
        return [
            SessionTree(
                session_count=len(rows),
                max_depth=max(row.depth for row in rows),
                message_count=sum(row.message_count for row in rows),
                prompt_tokens=sum(row.prompt_tokens for row in rows),
                completion_tokens=sum(row.completion_tokens for row in rows),
                cost_usd=sum(row.cost_usd or 0 for row in rows),
                error_count=sum(failed.get(row.id, 0) for row in rows),
                duration_ms=(max(row.ended_at for row in rows) - min(row.started_at for row in rows))
                .total_seconds() * 1000,
            )
            for rows in (below[id_] for id_, _ in keys)
        ]  # fmt: skip


def loaders_of(info: Info[Any, None]) -> Loaders:
    """Return the loaders of a request."""
    loaders: Loaders = info.context["loaders"]
    return loaders


def _row(item: object) -> Any:
    """Return an object as the row that it really is; the type checker sees a GraphQL type."""
    return item


@strawberry.type
class PageInfo:
    """The position of a page."""

    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Connection(Generic[T]):
    """A page."""

    nodes: list[T]
    total_count: int | None = None
    page_info: PageInfo | None = None


@strawberry.type
class User:
    """A user."""

    id: strawberry.ID
    name: str | None
    email: str | None


@strawberry.type
class AgentVersion:
    """A version of an agent."""

    id: strawberry.ID
    version_number: str
    system_prompt: str | None
    config: JSON | None
    activated_at: datetime | None


@strawberry.type
class ToolCall:
    """A tool call."""

    id: strawberry.ID
    call_id: str | None
    name: str
    arguments: JSON
    result: JSON | None
    error: str | None
    status: str
    duration_ms: float | None

    @classmethod
    def is_type_of(cls, row: object, _info: Any) -> bool:
        """Return whether a row of the ORM has this type."""
        return isinstance(row, models.ToolCall)


@strawberry.type
class Message:
    """A message."""

    id: strawberry.ID
    sequence: int
    role: str
    content: str | None
    model: str | None
    token_count: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_ms: int | None
    flagged: bool
    created_at: datetime

    @strawberry.field
    def metadata(self) -> JSON:
        """Return the column, which has another attribute name in the ORM."""
        metadata: JSON = _row(self).metadata_
        return metadata

    @strawberry.field
    async def session(self, info: Info[Any, None]) -> Session:
        """Load the session."""
        session: Session = await loaders_of(info).sessions.load(_row(self).session_id)
        return session

    @strawberry.field
    async def tool_calls(self, info: Info[Any, None], first: int = 50) -> Connection[ToolCall]:
        """Load a page of calls."""
        return Connection(nodes=await loaders_of(info).tool_calls.load((_row(self).id, first)))

    @classmethod
    def is_type_of(cls, row: object, _info: Any) -> bool:
        """Return whether a row of the ORM has this type."""
        return isinstance(row, models.Message)


@strawberry.type
class SessionEvent:
    """An event."""

    id: strawberry.ID
    event_type: str
    event_data: JSON

    @classmethod
    def is_type_of(cls, row: object, _info: Any) -> bool:
        """Return whether a row of the ORM has this type."""
        return isinstance(row, models.SessionEvent)


@strawberry.type
class StateTransition:
    """A transition between states."""

    id: strawberry.ID
    trigger_type: str
    previous_values: JSON
    new_values: JSON

    @classmethod
    def is_type_of(cls, row: object, _info: Any) -> bool:
        """Return whether a row of the ORM has this type."""
        return isinstance(row, models.StateTransition)


@strawberry.type
class UsageRecord:
    """A usage record."""

    id: strawberry.ID
    model: str
    prompt_tokens: int
    cost_usd: float | None

    @classmethod
    def is_type_of(cls, row: object, _info: Any) -> bool:
        """Return whether a row of the ORM has this type."""
        return isinstance(row, models.UsageRecord)


Subject = Annotated[
    Message | SessionEvent | StateTransition | ToolCall | UsageRecord, strawberry.union("AuditSubject")
]


@strawberry.type
class AuditEntry:
    """One event in a session."""

    id: strawberry.ID
    at: datetime
    kind: str
    subject: Subject


def _entry_id(id_: UUID) -> strawberry.ID:
    """Return an entry's id, which differs from its subject's."""
    subject = str(id_)
    return strawberry.ID(f"{subject[:14]}8{subject[15:]}")


_AUDITED = {
    "MESSAGE": (models.Message, models.Message.created_at),
    "EVENT": (models.SessionEvent, models.SessionEvent.timestamp),
    "STATE_TRANSITION": (models.StateTransition, models.StateTransition.created_at),
    "TOOL_CALL": (models.ToolCall, models.ToolCall.created_at),
    "USAGE": (models.UsageRecord, models.UsageRecord.timestamp),
}


@strawberry.type
class SessionTree:
    """The totals of a session and its descendants."""

    session_count: int
    max_depth: int
    message_count: BigInt
    prompt_tokens: BigInt
    completion_tokens: BigInt
    cost_usd: float
    error_count: BigInt
    duration_ms: float


@strawberry.type
class Session:
    """A session."""

    id: strawberry.ID
    title: str | None
    status: str
    tags: list[str]
    depth: int
    started_at: datetime
    ended_at: datetime | None
    last_activity_at: datetime
    message_count: int
    interaction_count: int
    quality_score: float | None

    @strawberry.field
    def metadata(self) -> JSON:
        """Return the column, which has another attribute name in the ORM."""
        metadata: JSON = _row(self).metadata_
        return metadata

    @strawberry.field
    async def user(self, info: Info[Any, None]) -> User | None:
        """Load the user."""
        return await loaders_of(info).users.load(_row(self).user_id) if _row(self).user_id else None

    @strawberry.field
    async def agent(self, info: Info[Any, None]) -> Agent | None:
        """Load the agent."""
        return await loaders_of(info).agents.load(_row(self).agent_id) if _row(self).agent_id else None

    @strawberry.field
    async def last_message(self, info: Info[Any, None]) -> Message | None:
        """Load the last message."""
        found = await loaders_of(info).last_messages.load((_row(self).id, 1))
        return found[0] if found else None

    @strawberry.field
    async def messages(self, info: Info[Any, None], first: int = 50) -> Connection[Message]:
        """Load a page of messages."""
        return Connection(nodes=await loaders_of(info).messages.load((_row(self).id, first)))

    @strawberry.field
    def parent(self) -> Reference | None:
        """Return the parent's id."""
        return Reference(id=_row(self).parent_id) if _row(self).parent_id else None

    @strawberry.field
    async def tree(self, info: Info[Any, None]) -> SessionTree:
        """Load the totals."""
        tree: SessionTree = await loaders_of(info).trees.load((_row(self).id, _row(self).root_id))
        return tree

    @strawberry.field
    async def audit_trail(self, info: Info[Any, None], first: int = 50) -> Connection[AuditEntry]:
        """Load the first entries, one kind at a time."""
        entries = []
        for kind, (model, at) in _AUDITED.items():
            table: Any = model
            statement = (
                select(table, at)
                .where(table.project_id == PROJECT, table.session_id == _row(self).id)
                .order_by(at, table.id)
                .limit(first)
            )
            for row, time in await loaders_of(info).database.all(statement):
                entries.append(AuditEntry(id=_entry_id(row.id), at=time, kind=kind, subject=row))
        entries.sort(key=lambda entry: (entry.at, entry.id))
        return Connection(nodes=entries[:first])

    @strawberry.field
    async def descendants(self, info: Info[Any, None], first: int = 50) -> Connection[Session]:
        """Load the descendants."""
        s = models.Session
        statement = (
            select(s)
            .where(s.project_id == PROJECT, s.ancestor_ids.contains([_row(self).id]))
            .order_by(s.started_at, s.id)
            .limit(first)
        )
        return Connection(nodes=[row for (row,) in await loaders_of(info).database.all(statement)])


@strawberry.type
class Statistics:
    """The totals of sessions."""

    session_count: BigInt
    open_count: BigInt
    completed_count: BigInt
    failed_count: BigInt
    success_rate: float | None
    message_count: BigInt
    prompt_tokens: BigInt
    completion_tokens: BigInt
    cost_usd: float
    error_count: BigInt


def success_rate() -> Any:
    """Select the share of completed sessions among those that completed or failed."""
    s = models.Session
    completed = func.count().filter(s.status == "COMPLETED")
    return cast(completed, Float) / func.nullif(func.count().filter(s.status.in_(["COMPLETED", "FAILED"])), 0)


async def statistics(database: Database, where: list[Any], key: Any, keys: list[Any]) -> list[Statistics]:
    """Return the statistics of the sessions under each key: their totals, and the numbers of their errors."""
    s = models.Session
    totals = (
        select(
            key,
            func.count().label("session_count"),
            func.count().filter(s.is_active).label("open_count"),
            func.count().filter(s.status == "COMPLETED").label("completed_count"),
            func.count().filter(s.status == "FAILED").label("failed_count"),
            success_rate().label("success_rate"),
            func.sum(s.message_count).label("message_count"),
            func.sum(s.prompt_tokens).label("prompt_tokens"),
            func.sum(s.completion_tokens).label("completion_tokens"),
            func.coalesce(func.sum(s.cost_usd), 0).label("cost_usd"),
        )
        .where(*where)
        .group_by(key)
    )
    found = {row[0]: row._mapping for row in await database.all(totals)}  # noqa: SLF001 - public in SQLAlchemy
    errors = dict.fromkeys(keys, 0)
    for of, is_error in ERRORS:
        statement = (
            select(key, func.count())
            .join(of, (of.session_id == s.id) & (of.project_id == PROJECT))
            .where(*where, is_error)
            .group_by(key)
        )
        for id_, count in await database.all(statement):
            errors[id_] += count
    return [
        Statistics(
            **{name: value for name, value in found[each].items() if name != key.key},
            error_count=BigInt(errors[each]),
        )
        for each in keys
    ]


ERRORS: tuple[tuple[Any, Any], ...] = (
    (models.ToolCall, models.ToolCall.error.is_not(None)),
    (models.SessionEvent, models.SessionEvent.event_type == "error"),
)
"""The rows that count as errors."""


@strawberry.type
class Reference:
    """A reference to another session by its id."""

    id: strawberry.ID


@strawberry.type
class Bucket:
    """The measurements of one hour."""

    start: datetime
    count: BigInt = BigInt(0)
    sum: float = 0.0
    mean: float | None = None
    min: float | None = None
    max: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@strawberry.type
class Agent:
    """An agent."""

    id: strawberry.ID
    name: str
    model: str | None
    total_sessions: int
    success_rate: float | None

    @strawberry.field
    async def active_version(self, info: Info[Any, None]) -> AgentVersion | None:
        """Load the active version."""
        version: AgentVersion | None = await loaders_of(info).active_versions.load(_row(self).id)
        return version

    @strawberry.field
    async def statistics(self, info: Info[Any, None]) -> Statistics:
        """Load the statistics of the agent's sessions."""
        found: Statistics = await loaders_of(info).statistics.load(_row(self).id)
        return found

    @strawberry.field
    async def sessions(self, info: Info[Any, None], first: int = 50) -> Connection[Session]:
        """Load a page of sessions, the latest first."""
        return Connection(nodes=await loaders_of(info).agent_sessions.load((_row(self).id, first)))

    @strawberry.field
    async def series(
        self,
        info: Info[Any, None],
        metric: SeriesMetric,  # noqa: ARG002 - the benchmark uses only one
        metric_type: str,
        since: Annotated[datetime, strawberry.argument(name="from")],
        until: Annotated[datetime, strawberry.argument(name="to")],
        interval: Interval,
    ) -> list[Bucket]:
        """Group metrics by hour, and add the hours without metrics."""
        m = models.AgentMetric
        value, start = m.metric_value, func.date_trunc(interval.value, m.timestamp, "UTC")

        def share(part: float) -> Any:
            return func.percentile_cont(part).within_group(value)

        statement = (
            select(
                start.label("start"),
                func.count().label("count"),
                func.sum(value).label("sum"),
                func.avg(value).label("mean"),
                func.min(value).label("min"),
                func.max(value).label("max"),
                share(0.5).label("p50"),
                share(0.95).label("p95"),
                share(0.99).label("p99"),
            )
            .where(
                m.project_id == PROJECT,
                m.agent_id == _row(self).id,
                m.metric_type == metric_type,
                m.timestamp >= since,
                m.timestamp < until,
            )
            .group_by(text("1"))
        )
        rows = await loaders_of(info).database.all(statement)
        found = {row[0]: Bucket(**row._mapping) for row in rows}  # noqa: SLF001 - public in SQLAlchemy
        hours = [since + timedelta(hours=hour) for hour in range((until - since) // timedelta(hours=1))]
        return [found.get(hour) or Bucket(start=hour) for hour in hours]


@strawberry.type
class MemoryAccess:
    """An access to a memory."""

    id: strawberry.ID
    access_type: str
    accessed_by: str
    accessor_type: str
    context: JSON
    usefulness: float | None
    created_at: datetime


@strawberry.type
class MemoryAnnotation:
    """A note on a memory."""

    id: strawberry.ID
    annotation_type: str
    content: str
    is_applied: bool
    applied_at: datetime | None
    created_at: datetime


@strawberry.type
class Memory:
    """A memory."""

    id: strawberry.ID
    name: str | None
    content: str
    data: JSON
    memory_type: str | None
    importance: float
    confidence: float | None
    verification_status: str
    topics: list[str]
    access_count: int
    last_accessed_at: datetime | None
    created_at: datetime

    @strawberry.field
    async def accesses(self, info: Info[Any, None], first: int = 50) -> Connection[MemoryAccess]:
        """Load a page of accesses, the latest first."""
        return Connection(nodes=await loaders_of(info).accesses.load((_row(self).id, first)))

    @strawberry.field
    async def annotations(self, info: Info[Any, None], first: int = 50) -> Connection[MemoryAnnotation]:
        """Load a page of annotations, the latest first."""
        return Connection(nodes=await loaders_of(info).annotations.load((_row(self).id, first)))

    @strawberry.field
    async def related_memories(self, info: Info[Any, None], first: int = 50) -> Connection[Memory]:
        """Load a page of memories that this one is linked with, the latest first."""
        return Connection(nodes=await loaders_of(info).related_memories.load((_row(self).id, first)))


@strawberry.enum
class OrderField(Enum):
    """The fields that lists can be ordered by."""

    NAME = "name"
    STARTED_AT = "started_at"
    LAST_ACTIVITY_AT = "last_activity_at"


@strawberry.enum
class OrderDirection(Enum):
    """The direction of an order."""

    ASC = "ASC"
    DESC = "DESC"


@strawberry.input
class Order:
    """An order."""

    field: OrderField
    direction: OrderDirection


@strawberry.enum
class SessionStatus(Enum):
    """The statuses of sessions."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"


@strawberry.input
class StatusFilter:
    """A filter by status."""

    eq: SessionStatus


@strawberry.input
class ListFilter:
    """A filter by tags."""

    contains_all: list[str]


@strawberry.input
class DateTimeFilter:
    """A filter by time."""

    gte: datetime | None = None
    lt: datetime | None = None


@strawberry.input
class IDFilter:
    """A filter by id."""

    eq: strawberry.ID


@strawberry.input
class JSONFilter:
    """A filter by JSON."""

    contains: JSON


@strawberry.input
class SessionFilter:
    """A filter of sessions."""

    status: StatusFilter | None = None
    tags: ListFilter | None = None
    started_at: DateTimeFilter | None = None
    metadata: JSONFilter | None = None
    agent_id: IDFilter | None = None


def times_within(column: Any, wanted: DateTimeFilter) -> list[Any]:
    """Return the conditions of a filter by time."""
    since = [] if wanted.gte is None else [column >= wanted.gte]
    return since if wanted.lt is None else [*since, column < wanted.lt]


def sessions_where(wanted: SessionFilter | None) -> list[Any]:
    """Return the conditions on the sessions of the project that a filter selects."""
    s = models.Session
    where = [s.project_id == PROJECT]
    if wanted is None:
        return where
    if wanted.status is not None:
        where.append(s.status == wanted.status.eq.value)
    if wanted.tags is not None:
        where.append(s.tags.contains(wanted.tags.contains_all))
    if wanted.started_at is not None:
        where += times_within(s.started_at, wanted.started_at)
    if wanted.metadata is not None:
        where.append(s.metadata_.contains(wanted.metadata.contains))
    if wanted.agent_id is not None:
        where.append(s.agent_id == wanted.agent_id.eq)
    return where


@strawberry.enum
class MessageRole(Enum):
    """The speaker of a message."""

    USER = "USER"
    ASSISTANT = "ASSISTANT"


@strawberry.input
class AppendMessageInput:
    """A message to append."""

    role: MessageRole
    content: str | None = None
    metadata: JSON | None = None


@strawberry.type
class Query:
    """The queries."""

    @strawberry.field
    async def agent(self, info: Info[Any, None], id: strawberry.ID) -> Agent | None:  # noqa: A002 - the name in the contract
        """Find an agent."""
        agent: Agent | None = await loaders_of(info).agents.load(UUID(id))
        return agent

    @strawberry.field
    async def session(self, info: Info[Any, None], id: strawberry.ID) -> Session | None:  # noqa: A002 - the name in the contract
        """Find a session."""
        s = models.Session
        rows = await loaders_of(info).database.all(select(s).where(s.project_id == PROJECT, s.id == id))
        return rows[0][0] if rows else None

    @strawberry.field
    async def agents(
        self, info: Info[Any, None], order_by: list[Order], first: int = 50
    ) -> Connection[Agent]:
        """List agents."""
        a = models.Agent
        statement = select(a).where(a.project_id == PROJECT).order_by(*_order_by(a, order_by)).limit(first)
        return Connection(nodes=[row for (row,) in await loaders_of(info).database.all(statement)])

    @strawberry.field
    async def sessions(
        self,
        info: Info[Any, None],
        first: int = 50,
        after: str | None = None,
        filter: SessionFilter | None = None,  # noqa: A002 - the name in the contract
        order_by: list[Order] | None = None,
    ) -> Connection[Session]:
        """List sessions, the latest first."""
        s = models.Session
        database = loaders_of(info).database
        where = sessions_where(filter)
        order = order_by or [Order(field=OrderField.STARTED_AT, direction=OrderDirection.DESC)]
        page = select(s).where(*where).order_by(*_order_by(s, order)).limit(first + 1)
        if after is not None:
            started, id_ = after.split(" ")
            page = page.where(tuple_(s.started_at, s.id) < tuple_(datetime.fromisoformat(started), UUID(id_)))
        rows = [row for (row,) in await database.all(page)]
        total = None
        if filter is not None:
            total = (await database.all(select(func.count()).select_from(s).where(*where)))[0][0]
        last = rows[:first][-1] if rows else None
        cursor = f"{last.started_at.isoformat()} {last.id}" if last else None
        return Connection(
            nodes=rows[:first],
            total_count=total,
            page_info=PageInfo(has_next_page=len(rows) > first, end_cursor=cursor),
        )

    @strawberry.field
    async def memories(self, info: Info[Any, None], first: int = 50) -> Connection[Memory]:
        """List memories, the latest first."""
        m = models.Memory
        statement = (
            select(m).where(m.project_id == PROJECT).order_by(m.created_at.desc(), m.id.desc()).limit(first)
        )
        return Connection(nodes=[row for (row,) in await loaders_of(info).database.all(statement)])


def _order_by(model: Any, order: list[Order]) -> list[Any]:
    def in_direction(column: Any, direction: OrderDirection) -> Any:
        return column.desc() if direction is OrderDirection.DESC else column

    keys = [in_direction(getattr(model, item.field.value), item.direction) for item in order]
    return [*keys, in_direction(model.id, order[-1].direction)]


@strawberry.type
class Mutation:
    """The mutations."""

    @strawberry.mutation
    async def append_messages(
        self, info: Info[Any, None], session_id: strawberry.ID, messages: list[AppendMessageInput]
    ) -> list[Message]:
        """Append messages; the lock of the session makes numbers and counts right."""
        s = models.Session
        database = loaders_of(info).database
        statement = (
            update_rows(s)
            .where(s.project_id == PROJECT, s.id == session_id)
            .values(
                message_count=s.message_count + len(messages),
                last_sequence=s.last_sequence + len(messages),
                interaction_count=s.interaction_count
                + sum(message.role is MessageRole.USER for message in messages),
                last_activity_at=func.greatest(s.last_activity_at, func.clock_timestamp()),
                updated_at=func.clock_timestamp(),
            )
            .returning(s)
        )
        [(session,)] = await database.all(statement)
        rows = [
            models.Message(
                project_id=PROJECT,
                session_id=session.id,
                sequence=sequence,
                role=message.role.value,
                content=message.content,
                metadata_=message.metadata,
                user_id=session.user_id if message.role is MessageRole.USER else None,
                agent_id=session.agent_id if message.role is MessageRole.ASSISTANT else None,
            )
            for sequence, message in enumerate(messages, session.last_sequence - len(messages) + 1)
        ]
        await database.insert(rows)
        await database.commit()
        written: list[Message] = _row(rows)
        return written
