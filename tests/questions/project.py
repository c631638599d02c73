"""A project that tests ask questions of, by a query and by SQL."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pytest
from sqlalchemy import text

from tests.api import traffic

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api


class Project(NamedTuple):
    """A project, with a key to the API and the connections of the owner of its tables."""

    api: Api
    owner: AsyncEngine

    async def query(self, document: str, **variables: Any) -> Any:
        """Run a query, check that it is one statement, and return its data."""
        return await in_one_statement(self.api, document, **variables)

    async def sql(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """Run SQL, with the project as `:project`, and return its rows as JSON, with approximate floats."""
        async with self.owner.connect() as connection:
            found = await connection.execute(text(statement), {"project": self.api.project_id, **values})
            rows = [dict(row) for row in found.mappings()]
        return approximate(orjson.loads(orjson.dumps(rows, default=_as_json, option=orjson.OPT_UTC_Z)))  # type: ignore[no-any-return]  # a list stays one

    async def value(self, statement: str, **values: Any) -> Any:
        """Run SQL that selects one value, and return it."""
        [row] = await self.sql(statement, **values)
        [value] = row.values()
        return value


async def in_one_statement(api: Api, document: str, **variables: Any) -> Any:
    """Run a query, check that it is one statement, and return its data."""
    with traffic(api.database) as seen:
        data = await api.ask(document, **variables)
    assert len(seen.statements) == 1
    return data


def _as_json(value: object) -> object:
    """Return a float for a Decimal, and a text for a UUID of the driver."""
    return float(value) if isinstance(value, Decimal) else str(value)


def approximate(value: Any) -> Any:
    """Return JSON that compares as equal despite rounding, which depends on the order of additions."""
    match value:
        case dict():
            return {key: approximate(each) for key, each in value.items()}
        case list():
            return [approximate(each) for each in value]
        case float():
            return pytest.approx(value)
        case _:
            return value
