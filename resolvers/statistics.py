"""What sessions add up to: of a project, or of each of many users, teams, agents or sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Float, cast, func, null, select, true
from sqlalchemy.orm import aliased

from agentdata.execution.links import keys_of
from agentdata.execution.reader import Reader
from models import Agent, Project, Session, Team, ToolCall, User
from models.enums import SessionStatus, ToolCallStatus
from resolvers.fields import argument
from resolvers.filtering import conditions
from schema.inputs.session import SessionFilter

MAX_TOOLS = 500
"""How many tools statistics name."""

ARGUMENTS = (argument("sessions", SessionFilter, "Which of the sessions to count; all by default."),)


@dataclass(frozen=True, eq=False)
class Scope:
    """Which sessions count: those whose ``column`` is a parent's id, or all, as far as a filter lets them.

    Each is itself only: statistics are keys of further reads, and a filter input has no hash.
    """

    column: str | None
    sessions: SessionFilter | None

    def holds(self, target: Any, keys: Any, project_id: UUID) -> list[Any]:
        """Give what a session must meet to count for a key."""
        held = [target.project_id == project_id]
        if self.column is not None:
            held.append(getattr(target, self.column) == keys.c.key)
        if self.sessions is not None:
            held += conditions(target, self.sessions, project_id, "sessions")
        return held


@dataclass(frozen=True)
class Totals:
    """What the sessions of one parent add up to."""

    scope: Scope
    key: UUID | None
    session_count: int
    active_count: int
    completed_count: int
    failed_count: int
    cancelled_count: int
    message_count: int
    interaction_count: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    mean_quality_score: float | None
    mean_user_satisfaction: float | None

    @property
    def success_rate(self) -> float | None:
        """Which share of the sessions that reached an end of their own was completed."""
        ended = self.completed_count + self.failed_count
        return self.completed_count / ended if ended else None


@dataclass(frozen=True)
class Tool:
    """How often one tool was called, and with what success."""

    name: str
    call_count: int
    pending_count: int
    succeeded_count: int
    failed_count: int
    mean_duration_ms: float | None

    @property
    def success_rate(self) -> float | None:
        """Which share of the settled calls gave a result."""
        settled = self.succeeded_count + self.failed_count
        return self.succeeded_count / settled if settled else None


async def of_project(
    reader: Reader, projects: list[Project], sessions: SessionFilter | None = None
) -> Sequence[Totals]:
    """Add up all sessions of the project."""
    [totals] = await _totals(reader, Scope(None, sessions), [None])
    return [totals for _ in projects]


async def of_users(
    reader: Reader, users: list[User], sessions: SessionFilter | None = None
) -> Sequence[Totals]:
    """Add up the sessions with each user."""
    return await _totals(reader, Scope("user_id", sessions), [user.id for user in users])


async def of_teams(
    reader: Reader, teams: list[Team], sessions: SessionFilter | None = None
) -> Sequence[Totals]:
    """Add up the sessions held by each team."""
    return await _totals(reader, Scope("team_id", sessions), [team.id for team in teams])


async def of_agents(
    reader: Reader, agents: list[Agent], sessions: SessionFilter | None = None
) -> Sequence[Totals]:
    """Add up the sessions of each agent."""
    return await _totals(reader, Scope("agent_id", sessions), [agent.id for agent in agents])


async def of_sessions(reader: Reader, sessions: list[Session]) -> Sequence[Totals]:
    """Add up each session by itself."""
    return await _totals(reader, Scope("id", None), [session.id for session in sessions])


async def tools(reader: Reader, parents: list[Totals]) -> Sequence[list[Tool]]:
    """Tell how tools were called in the sessions that each of the statistics is of."""
    found: dict[tuple[int, Any], list[Tool]] = {}
    # One place in a document has one scope; a fragment that stands in several places has a few.
    scopes = {id(totals.scope): totals.scope for totals in parents}
    for scope in scopes.values():
        keys = [totals.key for totals in parents if totals.scope is scope]
        for row in await reader.execute(_tools(scope, keys, reader.project_id)):
            found.setdefault((id(scope), row[0]), []).append(Tool(*row[1:]))
    return [found.get((id(totals.scope), totals.key), []) for totals in parents]


async def _totals(reader: Reader, scope: Scope, ids: list[Any]) -> Sequence[Totals]:
    keys = _keys(scope, ids)
    session = aliased(Session)

    def counted(status: SessionStatus) -> Any:
        return func.count().filter(session.status == status)

    totals = select(
        func.count().label("session_count"),
        func.count().filter(session.is_active).label("active_count"),
        counted(SessionStatus.COMPLETED).label("completed_count"),
        counted(SessionStatus.FAILED).label("failed_count"),
        counted(SessionStatus.CANCELLED).label("cancelled_count"),
        cast(func.coalesce(func.sum(session.message_count), 0), BigInteger).label("message_count"),
        cast(func.coalesce(func.sum(session.interaction_count), 0), BigInteger).label("interaction_count"),
        cast(func.coalesce(func.sum(session.prompt_tokens), 0), BigInteger).label("prompt_tokens"),
        cast(func.coalesce(func.sum(session.completion_tokens), 0), BigInteger).label("completion_tokens"),
        cast(func.coalesce(func.sum(session.cost_usd), 0), Float).label("cost_usd"),
        func.avg(session.quality_score).label("mean_quality_score"),
        func.avg(session.user_satisfaction).label("mean_user_satisfaction"),
    ).where(*scope.holds(session, keys, reader.project_id))
    if keys is None:
        statement = totals.with_only_columns(null(), *totals.selected_columns)
    else:
        each = totals.lateral()
        statement = select(keys.c.key, *each.c).select_from(keys.join(each, true()))
    found = {row[0]: Totals(scope, *row) for row in await reader.execute(statement)}
    return [found[id_] for id_ in ids]


def _tools(scope: Scope, ids: list[Any], project_id: UUID) -> Any:
    keys = _keys(scope, ids)
    session = aliased(Session)
    # Two levels down, SQLAlchemy would list the keys anew, and each parent would get the tools of all.
    counting = select(session.id).where(*scope.holds(session, keys, project_id)).correlate(keys)

    def counted(status: ToolCallStatus) -> Any:
        return func.count().filter(ToolCall.status == status)

    called = (
        select(
            ToolCall.name,
            func.count().label("call_count"),
            counted(ToolCallStatus.PENDING).label("pending_count"),
            counted(ToolCallStatus.SUCCEEDED).label("succeeded_count"),
            counted(ToolCallStatus.FAILED).label("failed_count"),
            func.avg(ToolCall.duration_ms).label("mean_duration_ms"),
        )
        .where(ToolCall.project_id == project_id, ToolCall.session_id.in_(counting))
        .group_by(ToolCall.name)
        .order_by(func.count().desc(), ToolCall.name)
        .limit(MAX_TOOLS)
    )
    if keys is None:
        return called.with_only_columns(null(), *called.selected_columns)
    each = called.lateral()
    return select(keys.c.key, *each.c).select_from(keys.join(each, true()))


def _keys(scope: Scope, ids: list[Any]) -> Any:
    return None if scope.column is None else keys_of(ids)
