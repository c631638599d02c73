"""The dashboards of plain Strawberry: resolvers with statements of SQLAlchemy, and DataLoaders for rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import strawberry
from sqlalchemy import Float, Integer, Numeric, cast, func, literal, null, or_, select, text, union_all
from strawberry.types import Info

import models
from benchmarks.contenders import strawberry_orm as orm
from benchmarks.contenders.strawberry_orm import (
    ERRORS,
    Agent,
    BigInt,
    DateTimeFilter,
    Memory,
    Message,
    OrderDirection,
    SessionFilter,
    Statistics,
    User,
    loaders_of,
    sessions_where,
    statistics,
    success_rate,
    times_within,
)
from benchmarks.dataset import PROJECT
from schema.enums import Interval, SeriesDimension, SeriesMetric

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_RANKED = 2_000
"""How many of the newest texts with the words are ranked."""


@strawberry.type
class Ranking(Generic[T]):
    """The first entries of a ranking, and the number of all."""

    total_count: int
    nodes: list[T]


@strawberry.type
class _SessionTotals:
    """The totals of the sessions of a user or an agent."""

    id: strawberry.Private[Any]
    session_count: BigInt = BigInt(0)
    message_count: BigInt = BigInt(0)
    total_tokens: BigInt = BigInt(0)
    cost_usd: float = 0.0
    last_activity_at: datetime | None = None


@strawberry.type
class UserRank(_SessionTotals):
    """A user with the totals of their sessions."""

    error_count: BigInt = BigInt(0)

    @strawberry.field
    async def user(self, info: Info[Any, None]) -> User:
        """Load the user."""
        user: User = await loaders_of(info).users.load(self.id)
        return user


@strawberry.type
class AgentRank(_SessionTotals):
    """An agent with the totals of its sessions."""

    success_rate: float | None = None

    @strawberry.field
    async def agent(self, info: Info[Any, None]) -> Agent:
        """Load the agent."""
        agent: Agent = await loaders_of(info).agents.load(self.id)
        return agent


@strawberry.type
class ToolRank:
    """A tool with the totals of its calls."""

    name: str
    call_count: BigInt
    failed_count: BigInt
    success_rate: float | None
    p50_duration_ms: float | None
    p95_duration_ms: float | None


@strawberry.type
class ModelRank:
    """A model with the totals of its use."""

    name: str | None
    message_count: BigInt
    usage_count: BigInt
    total_tokens: BigInt
    cost_usd: float


@strawberry.type
class MemoryRank:
    """A memory with the totals of its accesses."""

    memory: Memory
    usefulness: float | None
    rated_count: BigInt
    access_count: BigInt
    last_accessed_at: datetime | None


@strawberry.type
class MessageMatch:
    """A message that a search found."""

    message: Message
    score: float
    excerpt: str


@strawberry.enum
class UserRankOrderField(Enum):
    """The fields that a ranking of users can be ordered by."""

    MESSAGE_COUNT = "message_count"
    ERROR_COUNT = "error_count"


@strawberry.input
class UserRankOrder:
    """An order of a ranking of users."""

    field: UserRankOrderField
    direction: OrderDirection


@strawberry.input
class MessageFilter:
    """A filter of messages."""

    session: SessionFilter | None = None
    created_at: DateTimeFilter | None = None


@strawberry.type
class GroupBucket:
    """The measurements of a group in a period."""

    start: datetime
    sum: float
    key: strawberry.Private[Any]

    @strawberry.field
    async def agent(self, info: Info[Any, None]) -> Agent | None:
        """Load the agent of the group."""
        agent: Agent | None = await loaders_of(info).agents.load(self.key)
        return agent

    @strawberry.field
    def model(self) -> str | None:
        """Return the model of the group."""
        model: str | None = self.key
        return model


def _tokens() -> Any:
    """Select the tokens of messages and usage records with their agents and times."""
    s, m, u = models.Session, models.Message, models.UsageRecord
    tokens = func.coalesce(m.prompt_tokens, 0) + func.coalesce(m.completion_tokens, 0)
    return union_all(
        select(s.agent_id.label("key"), m.created_at.label("at"), tokens.label("value"))
        .join(m, m.session_id == s.id)
        .where(s.project_id == PROJECT, m.project_id == PROJECT)
        .where(or_(m.prompt_tokens.is_not(None), m.completion_tokens.is_not(None))),
        select(s.agent_id, u.timestamp, u.prompt_tokens + u.completion_tokens)
        .join(u, u.session_id == s.id)
        .where(s.project_id == PROJECT, u.project_id == PROJECT),
    ).subquery()


def _costs() -> Any:
    """Select the costs of usage records with their models and times."""
    u = models.UsageRecord
    return (
        select(u.model.label("key"), u.timestamp.label("at"), u.cost_usd.label("value"))
        .where(u.project_id == PROJECT, u.cost_usd.is_not(None))
        .subquery()
    )


_SERIES = {
    (SeriesMetric.TOKENS, SeriesDimension.AGENT): _tokens,
    (SeriesMetric.COST, SeriesDimension.MODEL): _costs,
}
"""The measurements of the metrics and dimensions that the benchmark uses."""


def _starts(since: datetime, until: datetime, interval: Interval) -> Iterator[datetime]:
    """Yield the starts of the weeks or months of a time range."""
    start = since.replace(hour=0, minute=0, second=0, microsecond=0)
    weekly = interval is Interval.WEEK
    start = start - timedelta(days=start.weekday()) if weekly else start.replace(day=1)
    while start < until:
        yield start
        start = start + timedelta(weeks=1) if weekly else (start + timedelta(days=31)).replace(day=1)


@strawberry.type
class Project:
    """The project."""

    @strawberry.field
    async def statistics(self, info: Info[Any, None], sessions: SessionFilter | None = None) -> Statistics:
        """Add up the sessions."""
        database, project = loaders_of(info).database, models.Session.project_id
        [found] = await statistics(database, sessions_where(sessions), project, [PROJECT])
        return found

    @strawberry.field
    async def series(
        self,
        info: Info[Any, None],
        metric: SeriesMetric,
        since: Annotated[datetime, strawberry.argument(name="from")],
        until: Annotated[datetime, strawberry.argument(name="to")],
        interval: Interval,
        group_by: list[SeriesDimension],
        groups: int = 10,
    ) -> list[GroupBucket]:
        """Group measurements by period and by one dimension, and add the periods without measurements."""
        [dimension] = group_by
        rows = _SERIES[metric, dimension]()
        statement = (
            select(
                rows.c.key,
                func.date_trunc(interval.value, rows.c.at, "UTC").label("start"),
                func.sum(rows.c.value).label("sum"),
                func.count().label("count"),
            )
            .where(rows.c.at >= since, rows.c.at < until)
            .group_by(text("1, 2"))
        )
        sums: dict[Any, dict[datetime, float]] = {}
        counts: dict[Any, int] = {}
        for key, start, total, count in await loaders_of(info).database.all(statement):
            sums.setdefault(key, {})[start.astimezone(UTC)] = float(total)
            counts[key] = counts.get(key, 0) + count
        first = sorted(counts, key=lambda key: (-counts[key], key))[:groups]
        starts = list(_starts(since, until, interval))
        return [
            GroupBucket(start=start, sum=sums[key].get(start, 0.0), key=key)
            for key in first
            for start in starts
        ]


@strawberry.type
class Query(orm.Query):
    """The queries of dashboards beside the others."""

    @strawberry.field
    def project(self) -> Project:
        """Return the project."""
        return Project()

    @strawberry.field
    async def top_users(
        self, info: Info[Any, None], first: int = 50, order_by: list[UserRankOrder] | None = None
    ) -> Ranking[UserRank]:
        """Rank the users."""
        s = models.Session
        columns, order = _session_totals(), "message_count"
        if order_by is not None and order_by[0].field is UserRankOrderField.ERROR_COUNT:
            errors = [
                select(func.count()).where(of.project_id == PROJECT, of.session_id == s.id, is_error)
                for of, is_error in ERRORS
            ]
            columns.append(func.sum(sum(each.scalar_subquery() for each in errors)).label("error_count"))
            order = "error_count"
        return await _ranked(info, UserRank, s.user_id, columns, order, first)

    @strawberry.field
    async def top_agents(self, info: Info[Any, None], first: int = 50) -> Ranking[AgentRank]:
        """Rank the agents."""
        columns = [*_session_totals(), success_rate().label("success_rate")]
        return await _ranked(info, AgentRank, models.Session.agent_id, columns, "success_rate", first)

    @strawberry.field
    async def top_tools(self, info: Info[Any, None], first: int = 50) -> Ranking[ToolRank]:
        """Rank the tools."""
        c = models.ToolCall

        def count(*statuses: str) -> Any:
            return func.count().filter(c.status.in_(statuses))

        statement = (
            select(
                c.name,
                func.count().label("call_count"),
                count("FAILED").label("failed_count"),
                (cast(count("SUCCEEDED"), Float) / func.nullif(count("SUCCEEDED", "FAILED"), 0)).label(
                    "success_rate"
                ),
                func.percentile_cont(0.5).within_group(c.duration_ms).label("p50_duration_ms"),
                func.percentile_cont(0.95).within_group(c.duration_ms).label("p95_duration_ms"),
            )
            .where(c.project_id == PROJECT)
            .group_by(c.name)
            .order_by(text("failed_count DESC"), c.name.desc())
        )
        rows = await loaders_of(info).database.all(statement)
        return Ranking(total_count=len(rows), nodes=[ToolRank(**_mapping(row)) for row in rows[:first]])

    @strawberry.field
    async def top_models(self, info: Info[Any, None], first: int = 50) -> Ranking[ModelRank]:
        """Rank the models."""
        m, u = models.Message, models.UsageRecord
        tokens = [
            func.coalesce(func.sum(of.prompt_tokens), 0) + func.coalesce(func.sum(of.completion_tokens), 0)
            for of in (m, u)
        ]
        use = union_all(
            select(
                m.model.label("name"),
                func.count().label("messages"),
                cast(literal(0), Integer).label("usage"),
                tokens[0].label("tokens"),
                cast(null(), Numeric).label("cost"),
            )
            .where(m.project_id == PROJECT)
            .where(or_(m.model.is_not(None), m.prompt_tokens.is_not(None), m.completion_tokens.is_not(None)))
            .group_by(m.model),
            select(u.model, cast(literal(0), Integer), func.count(), tokens[1], func.sum(u.cost_usd))
            .where(u.project_id == PROJECT)
            .group_by(u.model),
        ).subquery()
        statement = (
            select(
                use.c.name,
                func.sum(use.c.messages).label("message_count"),
                func.sum(use.c.usage).label("usage_count"),
                func.sum(use.c.tokens).label("total_tokens"),
                func.coalesce(func.sum(use.c.cost), 0).label("cost_usd"),
            )
            .group_by(use.c.name)
            .order_by(text("total_tokens DESC"), use.c.name.desc())
        )
        rows = await loaders_of(info).database.all(statement)
        return Ranking(total_count=len(rows), nodes=[ModelRank(**_mapping(row)) for row in rows[:first]])

    @strawberry.field
    async def top_memories(self, info: Info[Any, None], first: int = 50) -> Ranking[MemoryRank]:
        """Rank the memories."""
        m, a = models.Memory, models.MemoryAccess
        statement = (
            select(
                a.memory_id,
                func.avg(cast(a.usefulness, Numeric)).label("usefulness"),
                func.count(a.usefulness).label("rated_count"),
            )
            .where(a.project_id == PROJECT)
            .group_by(a.memory_id)
            .order_by(text("usefulness DESC NULLS LAST"), a.memory_id.desc())
            .limit(first)
        )
        database = loaders_of(info).database
        rows = await database.all(statement)
        [[total]] = await database.all(select(func.count()).select_from(m).where(m.project_id == PROJECT))
        memories = await loaders_of(info).memory_rows.load_many([row[0] for row in rows])
        nodes = [
            MemoryRank(
                memory=memory,
                usefulness=row.usefulness,
                rated_count=row.rated_count,
                access_count=memory.access_count,
                last_accessed_at=memory.last_accessed_at,
            )
            for row, memory in zip(rows, memories, strict=True)
        ]
        return Ranking(total_count=total, nodes=nodes)

    @strawberry.field
    async def search_messages(
        self,
        info: Info[Any, None],
        query: str,
        first: int = 50,
        filter: MessageFilter | None = None,  # noqa: A002 - the name in the contract
    ) -> Ranking[MessageMatch]:
        """Find the newest messages with the words, and rank them."""
        m = models.Message
        words, wanted = func.search_query(query), filter or MessageFilter()
        where = [m.project_id == PROJECT, func.search_document(m.content).op("@@")(words)]
        if wanted.created_at is not None:
            where += times_within(m.created_at, wanted.created_at)
        if wanted.session is not None:
            where.append(m.session_id.in_(select(models.Session.id).where(*sessions_where(wanted.session))))
        newest = (
            select(m.id, m.content)
            .where(*where)
            .order_by(m.created_at.desc(), m.id.desc())
            .limit(_RANKED)
            .subquery()
        )
        score = cast(func.ts_rank_cd(func.search_document(newest.c.content), words, 1 | 32), Float)
        best = (
            select(newest, score.label("score"), func.count().over().label("total"))
            .order_by(score.desc(), newest.c.id.desc())
            .limit(first)
            .subquery()
        )
        marks = select(func.tsvector_to_array(func.search_document(query))).scalar_subquery()
        statement = select(
            best.c.id,
            best.c.score,
            best.c.total,
            func.search_excerpt(best.c.content, words, marks).label("excerpt"),
        ).order_by(best.c.score.desc(), best.c.id.desc())
        rows = await loaders_of(info).database.all(statement)
        messages = await loaders_of(info).message_rows.load_many([row.id for row in rows])
        nodes = [
            MessageMatch(message=message, score=row.score, excerpt=row.excerpt)
            for row, message in zip(rows, messages, strict=True)
        ]
        return Ranking(total_count=rows[0].total if rows else 0, nodes=nodes)


def _session_totals() -> list[Any]:
    s = models.Session
    return [
        func.count().label("session_count"),
        func.sum(s.message_count).label("message_count"),
        func.sum(s.prompt_tokens + s.completion_tokens).label("total_tokens"),
        func.coalesce(func.sum(s.cost_usd), 0).label("cost_usd"),
        func.max(s.last_activity_at).label("last_activity_at"),
    ]


async def _ranked(
    info: Info[Any, None], entry: Any, key: Any, columns: list[Any], order: str, first: int
) -> Ranking[Any]:
    """Rank the totals of the sessions under each key; a window counts all of them."""
    statement = (
        select(key.label("id"), func.count().over().label("total"), *columns)
        .where(models.Session.project_id == PROJECT, key.is_not(None))
        .group_by(key)
        .order_by(text(f"{order} DESC NULLS LAST"), key.desc())
        .limit(first)
    )
    rows = [_mapping(row) for row in await loaders_of(info).database.all(statement)]
    total = rows[0]["total"] if rows else 0
    nodes = [entry(**{name: value for name, value in row.items() if name != "total"}) for row in rows]
    return Ranking(total_count=total, nodes=nodes)


def _mapping(row: Any) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - public in SQLAlchemy
