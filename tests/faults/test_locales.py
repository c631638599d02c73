"""On a database of an ordinary locale indexes serve all filters and orders, and texts sort by code point."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import String
from sqlalchemy.ext.asyncio import create_async_engine

from agentdata import migrations, provision
from agentdata.database import Database
from agentdata.database_url import parse
from agentdata.database_urls import DatabaseUrls
from agentdata.embedded.server import SETTINGS
from schema.inputs.filters import StringFilter
from tests import factories
from tests.api import make_api
from tests.databases import reachable_folder, run
from tests.faults.clusters import cluster
from tests.models import many_rows
from tests.models.test_indexes import (
    class_of,
    indexes,
    places,
    test_an_index_serves_every_order_and_filter,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.clusters import Cluster

pytestmark = pytest.mark.slow

__all__ = ["indexes", "test_an_index_serves_every_order_and_filter"]

NAMES = ["ab", "B", "a b", "Ä", "Z", "a-c", "é", "a", "A", "ä", "10", "9", "z", "😀", "\uff21"]
"""Names whose order depends on the locale."""


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """Provide a server of the locale en_US, or of C.UTF-8 where the machine cannot make that locale.

    PostgreSQL asks the C library to compare texts in either.
    """
    program, settings = shutil.which("localedef"), {name: SETTINGS[name] for name in PLANNING}
    with reachable_folder() as folder, pytest.MonkeyPatch.context() as patch:
        locale = "C.UTF-8"
        if program:
            path = folder / "en_US.UTF-8"
            made = subprocess.run([program, "-i", "en_US", "-f", "UTF-8", path], check=False)  # noqa: S603 found above
            if made.returncode == 0:
                patch.setenv("LOCPATH", str(folder))
                locale = path.name
        with cluster(settings, options=[f"--locale={locale}", "--locale-provider=libc"]) as server:
            yield server


PLANNING = ("seq_page_cost", "random_page_cost", "jit")


def urls(server: Cluster, name: str) -> DatabaseUrls:
    """Return the URLs of a new database with tables; its owner may set the LEAKPROOF marks."""
    run(server.url("postgres"), f"CREATE DATABASE {name}")
    url = server.url("postgres", name)
    asyncio.run(provision.ensure_role(url))
    asyncio.run(migrations.upgrade(url))
    return DatabaseUrls(url, url)


@pytest.fixture(scope="module")
def filled_urls(server: Cluster) -> DatabaseUrls:
    """Provide a database with many rows."""
    made = urls(server, "filled")
    run(made.owner, *many_rows.statements())
    return made


@pytest.fixture(scope="module")
def empty_urls(server: Cluster) -> DatabaseUrls:
    """Provide a database with tables."""
    return urls(server, "empty")


PAGE = """query($direction: OrderDirection!, $after: String, $before: String, $first: Int, $last: Int) {
  users(
    orderBy: {field: NAME, direction: $direction}, after: $after, before: $before, first: $first, last: $last
  ) { nodes { name } pageInfo { endCursor startCursor hasNextPage hasPreviousPage } }
}"""


async def test_pages_sort_names_by_code_point(empty_urls: DatabaseUrls) -> None:
    target = parse(empty_urls.owner)
    owner, database = create_async_engine(target.url), Database(empty_urls.request)
    try:
        api = await make_api(database, owner)
        for name in NAMES:
            await factories.user(api, name=name, email=f"{ord(name[0])}{len(name)}É{name[-1]}@example.org")
        for direction, expected in (("ASC", sorted(NAMES)), ("DESC", sorted(NAMES, reverse=True))):
            found: list[str] = []
            after, more = None, True
            while more:
                page = (await api.ask(PAGE, direction=direction, after=after, first=2))["users"]
                found += [node["name"] for node in page["nodes"]]
                after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
            assert found == expected
            back = (await api.ask(PAGE, direction=direction, before=after, last=20))["users"]["nodes"]
            assert [node["name"] for node in back] == expected[:-1]
        for prefix in ("a", "A", "Ä", "a-"):
            found = await api.ask(
                "query($it: String!) { users(filter: {name: {startsWith: $it}}) { nodes { name } } }",
                it=prefix,
            )
            names = {node["name"] for node in found["users"]["nodes"]}  # type: ignore[call-overload]  # an object
            assert names == {name for name in NAMES if name.startswith(prefix)}
        # Addresses are found in any case, beyond ASCII too.
        user = await api.ask('{ user(email: "651éA@EXAMPLE.org") { name } }')
        assert user == {"user": {"name": "A"}}
    finally:
        await database.close()
        await owner.dispose()


def test_every_short_text_with_a_filter_or_order_compares_code_points() -> None:
    checked = set()
    for place in places():
        model = getattr(place.declared, "model", None)
        filter_ = place.arguments.get("filter")
        if model is None or filter_ is None:
            continue
        for field in filter_.__strawberry_definition__.fields:
            if class_of(field.type) is StringFilter:
                type_ = model.__mapper__.columns[field.python_name].type
                # A text without a length has no index on its value.
                if isinstance(type_, String) and type_.length:
                    assert type_.collation == "C", (model, field.python_name)
                    checked.add((model, field.python_name))
    assert len(checked) > 30
