"""A server in a process of its own, with two projects: one to attack, and one that must not be seen."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from agentdata.administration import acting_in
from agentdata.database import Database
from agentdata.database_url import parse
from agentdata.operations import api_keys
from models.enums import ApiKeyScope
from tests.api import make_api
from tests.engine.operations import Facts, computed_rows
from tests.fuzz.run import Target
from tests.test_cli import serving
from tests.world import populate, read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api

_CURSORS = "{ sessions(first: 20) { edges { cursor } } users(first: 5) { edges { cursor } } }"


@asynccontextmanager
async def prepared(urls: DatabaseUrls) -> AsyncIterator[Target]:
    """Fill two projects and serve them until the end of the block."""
    database = Database(urls.request)
    target = parse(urls.owner)
    owner = create_async_engine(target.url, connect_args=target.connect_args)
    try:
        ours, theirs = await make_api(database, owner), await make_api(database, owner)
        for api in (ours, theirs):
            await populate(api, owner)
        rows, foreign = await read(ours), await read(theirs)
        computed = await computed_rows(ours, rows)
        pages = await ours.ask(_CURSORS)
        secrets = [await _secret(urls, owner, api) for api in (ours, theirs)]
    finally:
        await database.close()
        await owner.dispose()
    others = (str(theirs.project_id), *(id_ for of_type in foreign.values() for id_ in of_type))
    facts = Facts(rows, str(ours.project_id), others, computed)
    cursors = tuple(edge["cursor"] for page in pages.values() for edge in page["edges"])
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AGENTDATA_")
        } | {
            "AGENTDATA_DATA_DIR": folder,
            "AGENTDATA_PORT": "0",
            "AGENTDATA_LOG_LEVEL": "error",
            "AGENTDATA_MIGRATION_DATABASE_URL": urls.owner,
            "DATABASE_URL": urls.request,
        }
        with serving(environment) as server:
            address = urlsplit(server.url)
            assert address.hostname
            assert address.port
            yield Target(address.hostname, address.port, facts, secrets[0], cursors, secrets[1])
            assert server.process.poll() is None, "the server ended by itself"
            server.process.terminate()
            await asyncio.to_thread(server.process.wait)


async def _secret(urls: DatabaseUrls, owner: AsyncEngine, api: Api) -> str:
    """Create a key with all scopes."""
    async with owner.connect() as connection:
        named = text("SELECT slug FROM projects WHERE id = :id")
        slug = (await connection.execute(named, {"id": api.project_id})).scalar_one()
    async with acting_in(urls.owner, slug) as write:
        _, secret = await api_keys.create(write, "Fuzz", ApiKeyScope)
    return secret
