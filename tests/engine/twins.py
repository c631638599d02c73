"""Two copies of one project: what is done to both in two ways can be compared, down to the last row.

The copies have the ids of what they were copied from, since a key leads with the project. What the server
makes up (ids, times, secrets, cursors) differs, and is put into words that do not.
"""

from __future__ import annotations

import base64
import json
import re
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
from sqlalchemy import text
from uuid_utils.compat import uuid7

from agentdata.context import Principal
from models import Base
from models.enums import ApiKeyScope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_SECRETS = re.compile(r"ad_[A-Za-z0-9]{8}(?:_[A-Za-z0-9]{43})?|\\\\x[0-9a-f]{64}")
_CURSORS = re.compile(r"[A-Za-z0-9_-]{12,}")
_DIGEST_BYTES = 6
"""A cursor begins with so many bytes that depend on the project."""

_LATELY = timedelta(hours=1)
"""The server's clock may be another one."""


@dataclass(frozen=True)
class Known:
    """What is in a project before anything is done to it."""

    project_id: UUID
    words: frozenset[str]
    """Its ids and the secrets of its keys."""
    times: frozenset[datetime]


@dataclass(frozen=True)
class Twin:
    """A copy of a project."""

    api: Api
    known: Known
    tag: str
    """A text of this copy alone; its slug."""
    words: dict[str, str] = field(default_factory=dict)
    """What the server made up since, in words."""

    @property
    def made(self) -> list[str]:
        """The ids that the server made up and told, in the order in which they were first told."""
        return [each for each in self.words if UUIDS.fullmatch(each)]

    def canonical(self, value: Any) -> str:
        """Give JSON as text that is the same for both twins if nothing but what is made up differs."""
        told = json.dumps(_readable(value), sort_keys=True, ensure_ascii=False)
        told = told.replace(str(self.api.project_id), "the project").replace(self.tag, "the tag")
        told = UUIDS.sub(lambda match: self._word("id", match[0]), told)
        told = _SECRETS.sub(lambda match: self._word("secret", match[0]), told)
        return _TIMES.sub(lambda match: self._time(match[0]), told)

    def _word(self, kind: str, made_up: str) -> str:
        if made_up in self.known.words:
            return made_up
        return self.words.setdefault(made_up, f"{kind} {len(self.words)}")

    def _time(self, told: str) -> str:
        time = datetime.fromisoformat(told)
        if time in self.known.times or abs(time - datetime.now(UTC)) > _LATELY:
            return time.isoformat()
        return "now"


def _readable(value: Any) -> Any:
    """Put into the place of each cursor what it says."""
    if isinstance(value, dict):
        return {name: _readable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_readable(each) for each in value]
    return _without_cursor(value) if isinstance(value, str) else value


@lru_cache(50_000)  # most texts of a project are those of its twin, and of the twins that come after
def _without_cursor(value: str) -> Any:
    if _CURSORS.fullmatch(value):
        with suppress(ValueError):  # it only looks like one
            said = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))[_DIGEST_BYTES:]
            return ["cursor", orjson.loads(said)]
    return value


@asynccontextmanager
async def twins(owner: AsyncEngine, api: Api, known: Known) -> AsyncIterator[tuple[Twin, Twin]]:
    """Copy a project twice, for the time of the block."""
    made = [
        Twin(
            replace(api, principal=Principal(uuid7(), uuid7(), frozenset(ApiKeyScope))),
            known,
            f"twin-{uuid4().hex}",
        )
        for _ in range(2)
    ]
    ids = ", ".join(f"'{each.api.project_id}'" for each in made)
    try:
        await _run(owner, *[_copied(table, api.project_id, each) for each in made for table in _tables()])
        yield made[0], made[1]
    finally:
        await _run(owner, f"DELETE FROM projects WHERE id IN ({ids})")  # noqa: S608  # ids are UUIDs


async def stored(owner: AsyncEngine, api: Api) -> dict[str, list[Any]]:
    """Give all rows of a project by their tables, those that came first before others."""
    selects = " UNION ALL ".join(
        f"SELECT '{table.name}', (to_jsonb(t) - 'project_id')::text FROM {table.name} t"  # noqa: S608  # our tables
        f" WHERE {_key(table)} = :project_id"
        for table in _tables()
    )
    async with owner.connect() as connection:
        found = await connection.execute(text(selects), {"project_id": api.project_id})
        rows: dict[str, list[Any]] = {}
        for table, row in found:
            rows.setdefault(table, []).append(json.loads(row))
    return {table: sorted(rows[table], key=lambda row: json.dumps(_first(row))) for table in sorted(rows)}


async def known(owner: AsyncEngine, api: Api) -> Known:
    """Give what is in a project."""
    told = json.dumps(await stored(owner, api))
    times = frozenset(datetime.fromisoformat(each) for each in _TIMES.findall(told))
    return Known(api.project_id, frozenset([*UUIDS.findall(told), *_SECRETS.findall(told)]), times)


def _first(row: dict[str, Any]) -> Any:
    """Give what rows are told apart by; ids are in the order in which they were made."""
    return row.get("id") or row.get("key") or list(row.values())


def _tables() -> list[Table]:
    return Base.metadata.sorted_tables


def _key(table: Table) -> str:
    return "id" if table.name == "projects" else "project_id"


def _copied(table: Table, project_id: UUID, twin: Twin) -> str:
    columns = [column.name for column in table.columns if column.computed is None]
    own = {_key(table): f"'{twin.api.project_id}'"} | (
        {"slug": f"'{twin.tag}'"} if table.name == "projects" else {}
    )
    values = ", ".join(own.get(name, name) for name in columns)
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)})"  # noqa: S608  # our tables and columns
        f" SELECT {values} FROM {table.name} WHERE {_key(table)} = '{project_id}'"
    )


async def _run(owner: AsyncEngine, *statements: str) -> None:
    """Run statements in one round trip and one transaction."""
    async with owner.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.execute("; ".join(statements))
