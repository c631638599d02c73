"""A recount of the counts and totals that rows keep of other rows, for those that are wrong.

They are wrong after servers of an older version have written, or another program than the server has.
Writers raise and lower these counts in the transaction of their write, while they hold the row that has them.
So a row that is locked here keeps its counts until the end of the transaction, and so do the rows it counts.
"""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from agentdata import folding
from agentdata.administration import acting_in
from agentdata.connection import transaction
from agentdata.operations.totals import ERROR_EVENT, as_decimal
from models import Session, SessionTotal

_TOTALS = str(SessionTotal.__tablename__)

_BATCH_SIZE = 500
"""How many rows are counted in one transaction, which writers of these rows wait for."""


class Recounted(NamedTuple):
    """How many rows of a table were counted, and how many of them had other counts before."""

    table: str
    rows: int
    corrected: int


def _count(table: str, key: str, condition: str = "true", value: str = "count(*)") -> str:
    """Return the SQL that counts the rows of a table that refer to the row ``own``."""
    return f"SELECT {value} FROM {table} WHERE project_id = :project AND {key} = own.id AND {condition}"  # noqa: S608 - names of this module


def _tokens(column: str) -> str:
    value = f"coalesce(sum({column}), 0)"
    return (
        f"({_count('messages', 'session_id', value=value)})"
        f" + ({_count('usage_records', 'session_id', value=value)})"
    )


_IS_ERROR = f"event_type = '{ERROR_EVENT}'"

_COUNTS: dict[str, dict[str, str]] = {
    "agents": {
        "total_sessions": _count("sessions", "agent_id"),
        "completed_sessions": _count("sessions", "agent_id", "status = 'COMPLETED'"),
        "failed_sessions": _count("sessions", "agent_id", "status = 'FAILED'"),
    },
    "sessions": {
        "message_count": _count("messages", "session_id"),
        "interaction_count": _count("messages", "session_id", "role = 'USER'"),
        "prompt_tokens": _tokens("prompt_tokens"),
        "completion_tokens": _tokens("completion_tokens"),
        "error_count": (
            f"({_count('tool_calls', 'session_id', 'error IS NOT NULL')})"
            f" + ({_count('session_events', 'session_id', _IS_ERROR)})"
        ),
    },
    "memories": {
        "access_count": _count("memory_accesses", "memory_id"),
        "rated_count": _count("memory_accesses", "memory_id", value="count(usefulness)"),
        "usefulness_total": _count(
            "memory_accesses", "memory_id", value=f"coalesce(sum({as_decimal('usefulness')}), 0)"
        ),
    },
    "knowledge_documents": {"chunk_count": _count("knowledge_chunks", "document_id")},
    "knowledge_versions": {
        "document_count": _count("knowledge_documents", "version_id"),
        "chunk_count": _count("knowledge_chunks", "version_id"),
    },
}
"""By table: the columns that are counted, and the SQL of each for the row ``own``.

The cost of a session is missing, because clients may set it.
"""


async def recount(url: str, project: str | None = None) -> list[Recounted]:
    """Count everything anew and correct what is wrong, in one project or all, while others read and write.

    Raises:
        SetupError: There is no such project; or the database cannot be reached, is read-only, or denies a
            privilege.

    """
    if project is None:
        async with transaction(url) as connection:
            found = await connection.execute(text("SELECT id FROM projects ORDER BY id"))
            projects = [row.id for row in found]
    else:
        async with acting_in(url, project) as write:
            projects = [write.project_id]
    done = []
    for table in _COUNTS:
        rows = corrected = 0
        for project_id in projects:
            last: UUID | None = UUID(int=0)
            while last is not None:
                counted, wrong, last = await _recount_batch(url, table, project_id, last)
                rows, corrected = rows + counted, corrected + wrong
        done.append(Recounted(table, rows, corrected))
    done.append(Recounted(_TOTALS, *await _recount_totals(url, projects)))
    return done


async def _recount_totals(url: str, projects: list[UUID]) -> tuple[int, int]:
    """Add up the shares of sessions anew; return how many totals there are, and how many were wrong."""
    rows = corrected = 0
    for project in projects:
        async with transaction(url) as connection:
            counted, wrong = await folding.rebuild(connection, project)
        rows, corrected = rows + counted, corrected + wrong
    return rows, corrected


async def _recount_batch(url: str, table: str, project: UUID, after: UUID) -> tuple[int, int, UUID | None]:
    """Count some rows anew; return how many, how many were wrong, and the last one if there may be more."""
    counts = _COUNTS[table]
    # Only names and statements of this module are interpolated.
    held = text(
        f"SELECT id FROM {table} WHERE project_id = :project AND id > :after ORDER BY id"  # noqa: S608 - see above
        f" LIMIT {_BATCH_SIZE} FOR NO KEY UPDATE"
    )
    values = ", ".join(f"({value}) AS {name}" for name, value in counts.items())

    def row(table: str) -> str:
        return f"({', '.join(f'{table}.{name}' for name in counts)})"

    correct = text(
        f"UPDATE {table} SET {', '.join(f'{name} = counted.{name}' for name in counts)}"  # noqa: S608 - see above
        f" FROM (SELECT own.id, {values} FROM {table} AS own"
        " WHERE project_id = :project AND own.id = ANY(:ids)) AS counted"
        f" WHERE {table}.project_id = :project AND {table}.id = counted.id"
        f" AND {row(table)} IS DISTINCT FROM {row('counted')}"
    )
    async with transaction(url) as connection:
        if table == Session.__tablename__:
            await folding.wait_for_others(connection)
        found = await connection.execute(held, {"project": project, "after": after})
        ids = [row.id for row in found]
        # A statement of its own, which sees the rows of writers that held the locks before.
        corrected = await connection.execute(correct, {"project": project, "ids": ids})
        if table == Session.__tablename__ and ids:
            await folding.fold_all(connection, project, ids)
    return len(ids), corrected.rowcount, ids[-1] if len(ids) == _BATCH_SIZE else None
