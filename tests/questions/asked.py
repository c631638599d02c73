"""Asking a question, by a query and by SQL."""

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


class Asked(NamedTuple):
    """A project that questions are asked of, by a query and by SQL."""

    api: Api
    owner: AsyncEngine

    async def query(self, document: str, **variables: Any) -> Any:
        """Ask by one query."""
        return await in_one_statement(self.api, document, **variables)

    async def sql(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """Ask by SQL, with the project as `:project`; give rows as JSON has them, numbers nearly equal."""
        async with self.owner.connect() as connection:
            found = await connection.execute(text(statement), {"project": self.api.project_id, **values})
            rows = [dict(row) for row in found.mappings()]
        return nearly(orjson.loads(orjson.dumps(rows, default=_plain, option=orjson.OPT_UTC_Z)))  # type: ignore[no-any-return]  # a list stays one

    async def value(self, statement: str, **values: Any) -> Any:
        """Ask by SQL for one value."""
        [row] = await self.sql(statement, **values)
        [value] = row.values()
        return value


async def in_one_statement(api: Api, document: str, **variables: Any) -> Any:
    """Give the data of a query, which is held to being one statement."""
    with traffic(api.database) as seen:
        data = await api.ask(document, **variables)
    assert len(seen.statements) == 1
    return data


def _plain(value: object) -> object:
    """Give a number for one of the database's, and a text for its kind of UUID."""
    return float(value) if isinstance(value, Decimal) else str(value)


def nearly(value: Any) -> Any:
    """Give JSON that is equal to what differs from it by the order of additions only."""
    match value:
        case dict():
            return {key: nearly(each) for key, each in value.items()}
        case list():
            return [nearly(each) for each in value]
        case float():
            return pytest.approx(value)
        case _:
            return value
