"""Folds the measures of sessions into the totals of their projects, so that sums need not read every row.

``resolvers.measures`` tells what is folded, and how it is read. A task of the server folds sessions in the
order of their last updates, once they rest. Writers do nothing for it but what they do anyway: whoever
changes what a session contains updates the session, too.

``folded_until`` follows. It may pass a time only after each transaction that began before has ended, because
such a transaction may still show a session with an earlier update.
"""

from __future__ import annotations

import asyncio
import logging
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    NullPool,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from agentdata.connection import CONNECT_TIMEOUT_S
from agentdata.database_url import UNPREPARED, parse
from agentdata.engine.sql.tenancy import TENANT, owned
from agentdata.sight.failures import describe
from models import Session, SessionShare, SessionTotal
from models.enums import Grain
from models.total import BY_GRAIN
from resolvers import measures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncConnection

_log = logging.getLogger(__name__)

INTERVAL_S = 10.0
"""How often the task looks for sessions to fold, in seconds."""

REST_S = 60.0
"""How long nothing has updated a session before it is folded, in seconds."""

BATCH_SIZE = 500
"""How many sessions one transaction folds; their writers wait for it."""

_MAX_MESSAGES = 20_000
"""How many messages the sessions of a batch have at most, unless one session has more."""

LOCK = 0x666F6C64
"""The advisory lock of a transaction that folds. Any number, but the same in every version."""

_MAX_MARKS = 60
"""How many times the task remembers while a transaction from before the first of them goes on."""

# The URL may be that of requests, or name a standby.
_MAY_FOLD = """
SELECT NOT pg_is_in_recovery()
  AND coalesce(has_table_privilege(to_regclass('folded_until'), 'UPDATE'), false)"""

_LOOK = """
SELECT now, now - make_interval(secs => :rest) AS rest, now - make_interval(secs => :margin) AS time,
  pg_snapshot_xmin(seen)::text::bigint AS oldest, pg_snapshot_xmax(seen)::text::bigint AS next, ARRAY(
    SELECT virtualxid FROM pg_locks
    WHERE locktype = 'virtualxid' AND virtualxid IS NOT NULL AND pid <> pg_backend_pid() AND pid NOT IN (
      SELECT pid FROM pg_stat_activity
      WHERE datname <> current_database() OR backend_type = 'autovacuum worker'
    )
    UNION ALL SELECT gid FROM pg_prepared_xacts WHERE database = current_database()
  ) AS running
FROM pg_current_snapshot() AS seen, clock_timestamp() AS now"""

# A clock that was set back, or that of another server, may already have dated updates before ``until``. All
# sessions are looked at again; the shares that count them as they are stay.
_SET_BACK = """
UPDATE folded_until SET until = 'epoch'
WHERE until > clock_timestamp() - make_interval(secs => :rest)"""

_PROJECTS = """
SELECT project.id FROM projects AS project
LEFT JOIN folded_until AS folded ON folded.project_id = project.id
WHERE EXISTS (
  SELECT FROM sessions WHERE project_id = project.id AND updated_at < :before
  AND updated_at >= coalesce(folded.until, 'epoch')
) ORDER BY project.id"""

_UNTIL = """
SELECT coalesce(
  (SELECT until FROM folded_until WHERE project_id = :tenant), timestamptz 'epoch'
)"""

_NEXT = f"""
SELECT id, updated_at, before = 0 OR before + message_count <= {_MAX_MESSAGES} AS fits FROM (
  SELECT id, updated_at, message_count,
    sum(message_count) OVER (ORDER BY updated_at, id) - message_count AS before
  FROM (
    SELECT id, updated_at, message_count FROM sessions
    WHERE project_id = :tenant AND updated_at >= :since AND (updated_at, id) > (:since, :after)
      AND updated_at < :before
    ORDER BY updated_at, id LIMIT {BATCH_SIZE}
  ) AS next
) AS next ORDER BY updated_at, id"""  # noqa: S608 - a constant

_HOLD = """
SELECT id FROM sessions
WHERE project_id = :tenant AND id = ANY(:ids) AND updated_at < :before AND NOT EXISTS (
  SELECT FROM session_shares AS kept WHERE kept.project_id = :tenant AND kept.session_id = sessions.id
  AND kept.updated_at = sessions.updated_at
) ORDER BY id FOR NO KEY UPDATE"""

# Another server may have set it meanwhile, in which case this one begins anew.
_ADVANCE = f"""
INSERT INTO folded_until (project_id, until, has_many)
SELECT CAST(:tenant AS uuid), CAST(:until AS timestamptz), count(*) > {measures.FEW}
FROM (SELECT FROM session_shares WHERE project_id = :tenant LIMIT {measures.FEW} + 1) AS kept
ON CONFLICT (project_id) DO UPDATE SET until = excluded.until, has_many = excluded.has_many
WHERE folded_until.until = :since
RETURNING until"""  # noqa: S608 - a constant

_REBUILD = f"""
WITH gone AS (
  DELETE FROM session_totals WHERE project_id = :tenant
  RETURNING grain, measure, started_at, name, bucket, value
), before AS (
  SELECT grain, measure, started_at, name, bucket, sum(value) AS value FROM gone GROUP BY 1, 2, 3, 4, 5
  HAVING sum(value) <> 0
), shares AS (
  SELECT started_at, share FROM session_shares WHERE project_id = :tenant
), counted AS ({BY_GRAIN} HAVING sum(v) <> 0
), made AS (
  INSERT INTO session_totals (project_id, id, grain, measure, started_at, name, bucket, value)
  SELECT :tenant, gen_random_uuid(), grain, measure, started_at, name, bucket, value FROM counted
)
SELECT (SELECT count(*) FROM counted) AS rows,
  (SELECT count(*) FROM (TABLE counted EXCEPT TABLE before) AS missing) + (
    SELECT count(*) FROM (
      SELECT grain, measure, started_at, name, bucket FROM before
      EXCEPT SELECT grain, measure, started_at, name, bucket FROM counted
    ) AS needless
  ) AS wrong"""  # noqa: S608 - a constant


class _Mark(NamedTuple):
    """A time, and the transactions that were running then."""

    time: datetime
    running: frozenset[str]
    next: int


class Folder:
    """Folds the sessions of all projects of one database; it remembers which transactions it waits for."""

    def __init__(self, url: str, *, rest_s: float = REST_S, pauses: bool = True) -> None:
        self._url = url
        self._rest_s = rest_s
        self._pauses = pauses
        self._marks: list[_Mark] = []
        self._ended: datetime | None = None

    async def maintain(self) -> None:
        """Fold sessions until the task is cancelled."""
        while True:
            try:
                await self.fold()
            except Exception as error:  # noqa: BLE001 - the task tries again, whatever it was
                _log.warning("sessions could not be folded: %s", describe(error))
            await asyncio.sleep(INTERVAL_S)

    async def fold(self) -> int:
        """Fold the sessions that rest, and return how many were folded."""
        target = parse(self._url)
        engine = create_async_engine(
            target.url,
            connect_args={"timeout": CONNECT_TIMEOUT_S} | target.connect_args | UNPREPARED,
            poolclass=NullPool,
            hide_parameters=True,
        )
        folded = 0
        async with engine.connect() as connection:
            before = await self._look(connection)
            if before is None:
                return 0
            async with connection.begin():
                found = await connection.execute(text(_PROJECTS), {"before": before})
                projects = [row.id for row in found]
            for project in projects:
                try:
                    folded += await fold_project(connection, project, before, pauses=self._pauses)
                except DBAPIError as error:
                    if connection.invalidated:
                        raise
                    # The sessions of other projects do not wait for these.
                    _log.warning("sessions of project %s could not be folded: %s", project, describe(error))
        return folded

    async def _look(self, connection: AsyncConnection) -> datetime | None:
        """Return the time before which sessions rest and all transactions have ended, or None if unknown."""
        async with connection.begin():
            if not await connection.scalar(text(_MAY_FOLD)):
                return None
        async with connection.begin():
            # A transaction is seen to run a moment after the time of its start.
            margins = {"rest": self._rest_s, "margin": min(1.0, self._rest_s)}
            seen = (await connection.execute(text(_LOOK), margins)).one()
            await connection.execute(text(_SET_BACK), {"rest": self._rest_s})
        running = frozenset(seen.running)
        # A clock that was set back says nothing of the transactions that ran before.
        self._marks = [mark for mark in self._marks if mark.time <= seen.now]
        if self._ended is not None and self._ended > seen.now:
            self._ended = None
        if len(self._marks) >= _MAX_MARKS:
            del self._marks[1::2]
        self._marks.append(_Mark(seen.time, running, seen.next))
        while self._marks and not self._marks[0].running & running and self._marks[0].next <= seen.oldest:
            self._ended = self._marks.pop(0).time
        if self._ended is None:
            return None
        rest: datetime = seen.rest
        return min(self._ended, rest)


async def fold_project(
    connection: AsyncConnection, project: UUID, before: datetime, *, pauses: bool = False
) -> int:
    """Fold the sessions of a project that were last updated before a time; return how many.

    All transactions that began before that time must have ended. With ``pauses``, at least half of the time
    is left to requests.
    """
    async with connection.begin():
        until = await connection.scalar(text(_UNTIL), {"tenant": project})
    folded, since, after = 0, until, UUID(int=0)
    while True:
        started = monotonic()
        async with connection.begin():
            if not await connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}):
                return folded
            found = await connection.execute(
                text(_NEXT), {"tenant": project, "since": since, "after": after, "before": before}
            )
            next_ = found.all()
            rows = [row for row in next_ if row.fits]
            held = await connection.execute(
                text(_HOLD), {"tenant": project, "ids": [row.id for row in rows], "before": before}
            )
            ids = [row.id for row in held]
            if ids:
                await fold_all(connection, project, ids)
            last = rows[-1] if len(rows) < len(next_) or len(rows) == BATCH_SIZE else None
            advanced = await connection.scalar(
                text(_ADVANCE),
                {"tenant": project, "since": until, "until": before if last is None else last.updated_at},
            )
        folded += len(ids)
        if last is None or advanced is None:
            return folded
        until, since, after = advanced, last.updated_at, last.id
        if pauses:
            await asyncio.sleep(monotonic() - started)


async def fold_all(connection: AsyncConnection, project: UUID, ids: Sequence[UUID]) -> None:
    """Compute the shares of sessions that the transaction has locked, and add what is new to the totals."""
    # All rows are found by indexes, however many PostgreSQL expects.
    await connection.execute(text("SET LOCAL enable_seqscan = off"))
    await connection.execute(text("SET LOCAL statement_timeout = 0"))
    await connection.execute(_fold(), {TENANT: project, "ids": [*ids]})


async def wait_for_others(connection: AsyncConnection) -> None:
    """Keep others from folding until the transaction ends: who folds replaces totals."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


async def rebuild(connection: AsyncConnection, project: UUID) -> tuple[int, int]:
    """Add up the shares of a project anew; return the number of its totals, and how many were wrong."""
    await wait_for_others(connection)
    rows, wrong = (await connection.execute(text(_REBUILD), {"tenant": project})).one()
    return rows, wrong


@cache
def _fold() -> Executable:
    """Return the statement that replaces the shares of the sessions ``ids``, and the totals that change."""
    tenant = bindparam(TENANT, type_=Uuid)
    ids = bindparam("ids", type_=ARRAY(Uuid))
    columns = [getattr(Session, name) for name in ("id", "updated_at", *measures.SESSION_COLUMNS)]
    session = select(*columns).where(owned(Session), Session.id == any_(ids)).cte("session")
    measured = union_all(*[rows for each in measures.ALL for rows in each.of(session)]).cte("measured")
    kept = (
        select(SessionShare.started_at, SessionShare.share)
        .where(owned(SessionShare), SessionShare.session_id == any_(ids))
        .cte("kept")
    )
    *_, measure, name, bucket, value = measured.c
    entry = func.jsonb_strip_nulls(func.jsonb_build_object("m", measure, "n", name, "b", bucket, "v", value))
    share = func.jsonb_agg(entry)
    shares = (
        select(tenant, session.c.id, session.c.started_at, session.c.updated_at, share)
        .join(measured, measured.c.session_id == session.c.id)
        .group_by(session.c.id, session.c.started_at, session.c.updated_at)
    )
    put = insert(SessionShare).from_select(
        ["project_id", "session_id", "started_at", "updated_at", "share"], shares
    )
    replaced = {each: put.excluded[each] for each in ("started_at", "updated_at", "share")}
    put = put.on_conflict_do_update(index_elements=["project_id", "session_id"], set_=replaced)

    before = measures.measures_in(kept.c.share)
    changes = union_all(
        select(session.c.started_at, measure, name, bucket, value).join(
            measured, measured.c.session_id == session.c.id
        ),
        select(kept.c.started_at, before.c.m, before.c.n, before.c.b, -before.c.v).join(
            before, literal_column("true")
        ),
    ).subquery()
    time, measure, name, bucket, value = changes.c
    key = [measure, measures.collated(name).label("name"), bucket]
    by_grain = union_all(
        *[
            select(
                measures.text_of(grain).label("grain"),
                measures.start_of(grain, time).label("start"),
                *key,
                value,
            )
            for grain in Grain
        ]
    ).subquery()
    *key, value = by_grain.c
    changed = (
        select(*key, func.sum(value).label("value"))
        .group_by(*key)
        .having(func.sum(value) != 0)
        .cte("changed")
    )
    row = SessionTotal
    group = select(changed.c.grain, changed.c.measure, changed.c.start).distinct().subquery()
    of_group = (
        select(row.id, row.name, row.bucket)
        .where(
            owned(row),
            row.grain == group.c.grain,
            row.measure == group.c.measure,
            row.started_at == group.c.start,
        )
        # Each group is read once, in an index: not once for each of its names and buckets.
        .offset(literal_column("0"))
        .lateral()
    )
    both = select(group, of_group).select_from(group.join(of_group, literal_column("true")))
    there = both.cte().prefix_with("MATERIALIZED")
    old = (
        select(there)
        .where(
            there.c.grain == changed.c.grain,
            there.c.measure == changed.c.measure,
            there.c.start == changed.c.start,
            # Null equals null here, and PostgreSQL can hash all of these.
            func.coalesce(there.c.name, "") == func.coalesce(changed.c.name, ""),
            there.c.name.is_(None) == changed.c.name.is_(None),
            func.coalesce(there.c.bucket, 0) == func.coalesce(changed.c.bucket, 0),
            there.c.bucket.is_(None) == changed.c.bucket.is_(None),
        )
        .subquery()
    )
    merged = (
        delete(row)
        .where(
            owned(row),
            row.grain == old.c.grain,
            row.measure == old.c.measure,
            row.started_at == old.c.start,
            row.id == old.c.id,
        )
        .returning(row.grain, row.started_at.label("start"), row.measure, row.name, row.bucket, row.value)
        .cte("merged")
    )
    together = union_all(select(changed), select(merged)).subquery()
    *key, value = together.c
    totals = (
        select(tenant, func.gen_random_uuid(), *key, func.sum(value))
        .group_by(*key)
        .having(func.sum(value) != 0)
    )
    return (
        insert(row)
        .from_select(
            ["project_id", "id", "grain", "started_at", "measure", "name", "bucket", "value"], totals
        )
        .add_cte(put.cte("put"))
    )
