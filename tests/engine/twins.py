"""Two copies of one project, so that the same operations can run on both and every row be compared.

The rows of a copy keep the ids of the original, which every key allows because it begins with the project.
Values that the server generates (ids, times, secrets, cursors) differ between the copies; they are replaced
by placeholders that do not.
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

from agentdata.principal import Principal
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
_DIGEST_BYTES = 12
"""The number of bytes at the beginning of a cursor that depend on the project."""

_LATELY = timedelta(hours=1)
"""The tolerance for the server's clock, which may differ from this one."""


@dataclass(frozen=True)
class Snapshot:
    """The ids, secrets and times of a project before any operation runs on it."""

    project_id: UUID
    ids_and_secrets: frozenset[str]
    times: frozenset[datetime]


@dataclass(frozen=True)
class Twin:
    """One copy of a project."""

    api: Api
    before: Snapshot
    tag: str
    """A text that only this copy has, used as its slug."""
    placeholders: dict[str, str] = field(default_factory=dict)
    """The placeholders of the ids and secrets that the server has generated since."""

    @property
    def created_ids(self) -> list[str]:
        """The ids that the server has generated, in the order in which answers first had them."""
        return [each for each in self.placeholders if UUIDS.fullmatch(each)]

    def canonical(self, value: Any) -> str:
        """Return JSON as a text that is equal for both twins if only generated values differ."""
        json_text = json.dumps(_readable(value), sort_keys=True, ensure_ascii=False)
        json_text = json_text.replace(str(self.api.project_id), "the project").replace(self.tag, "the tag")
        json_text = UUIDS.sub(lambda match: self._placeholder("id", match[0]), json_text)
        json_text = _SECRETS.sub(lambda match: self._placeholder("secret", match[0]), json_text)
        return _TIMES.sub(lambda match: self._time(match[0]), json_text)

    def _placeholder(self, kind: str, generated: str) -> str:
        if generated in self.before.ids_and_secrets:
            return generated
        return self.placeholders.setdefault(generated, f"{kind} {len(self.placeholders)}")

    def _time(self, json_text: str) -> str:
        time = datetime.fromisoformat(json_text)
        if time in self.before.times or abs(time - datetime.now(UTC)) > _LATELY:
            return time.isoformat()
        return "now"


def _readable(value: Any) -> Any:
    """Replace each cursor by the values that it encodes."""
    if isinstance(value, dict):
        return {name: _readable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_readable(each) for each in value]
    return _without_cursor(value) if isinstance(value, str) else value


@lru_cache(50_000)  # twins share most texts, also with later twins
def _without_cursor(value: str) -> Any:
    if _CURSORS.fullmatch(value):
        with suppress(ValueError):  # not a cursor
            encoded = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))[_DIGEST_BYTES:]
            return ["cursor", orjson.loads(encoded)]
    return value


@asynccontextmanager
async def twins(owner: AsyncEngine, api: Api, before: Snapshot) -> AsyncIterator[tuple[Twin, Twin]]:
    """Copy a project twice, and delete the copies after the block."""
    copies = [
        Twin(
            replace(api, principal=Principal(uuid7(), uuid7(), frozenset(ApiKeyScope))),
            before,
            f"twin-{uuid4().hex}",
        )
        for _ in range(2)
    ]
    ids = ", ".join(f"'{each.api.project_id}'" for each in copies)
    try:
        await _run(
            owner, *[_copy_statement(table, api.project_id, each) for each in copies for table in _tables()]
        )
        yield copies[0], copies[1]
    finally:
        await _run(owner, f"DELETE FROM projects WHERE id IN ({ids})")  # noqa: S608  # ids are UUIDs


async def stored(owner: AsyncEngine, api: Api) -> dict[str, list[Any]]:
    """Return all rows of a project by table, in the order in which they were created."""
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
    return {table: sorted(rows[table], key=lambda row: json.dumps(_sort_key(row))) for table in sorted(rows)}


async def snapshot(owner: AsyncEngine, api: Api) -> Snapshot:
    """Return the ids, secrets and times of a project."""
    json_text = json.dumps(await stored(owner, api))
    times = frozenset(datetime.fromisoformat(each) for each in _TIMES.findall(json_text))
    return Snapshot(
        api.project_id, frozenset([*UUIDS.findall(json_text), *_SECRETS.findall(json_text)]), times
    )


def _sort_key(row: dict[str, Any]) -> Any:
    """Return the sort key of a row: its id if it has one, since ids grow with time."""
    return row.get("id") or row.get("key") or list(row.values())


def _tables() -> list[Table]:
    return Base.metadata.sorted_tables


def _key(table: Table) -> str:
    return "id" if table.name == "projects" else "project_id"


def _copy_statement(table: Table, project_id: UUID, twin: Twin) -> str:
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
