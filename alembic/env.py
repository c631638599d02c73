"""Run the migrations, on the connection that is given or on the database of the settings."""
# ruff: noqa: INP001 a package of this name would hide the library

import asyncio
import warnings
from typing import TYPE_CHECKING

import models  # noqa: F401 declares the tables
from agentdata.connection import transaction
from agentdata.database_urls import database_urls
from agentdata.settings import load_settings
from alembic import context
from models.base import Base
from models.embedding import INDEX_SUFFIX
from models.server_secret import SERVER

if TYPE_CHECKING:
    from sqlalchemy import Connection

TABLES = [Base.metadata, SERVER]


def run(connection: "Connection") -> None:
    """Run the migrations in the connection's transaction."""
    context.configure(
        connection=connection,
        target_metadata=TABLES,
        compare_server_default=True,
        include_name=lambda name, kind, _parents: kind != "index" or not name.endswith(INDEX_SUFFIX),
    )
    with context.begin_transaction(), warnings.catch_warnings():
        # Alembic compares our text with what PostgreSQL made of it, which is never the same.
        warnings.filterwarnings("ignore", message="Computed default on .* cannot be modified")
        context.run_migrations()


async def run_on_database_of_settings() -> None:
    """Run the migrations where the settings say, as `alembic` on the command line does."""
    with database_urls(load_settings()) as urls:
        async with transaction(urls.owner) as connection:
            await connection.run_sync(run)


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=TABLES, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif given := context.config.attributes.get("connection"):
    run(given)
else:
    asyncio.run(run_on_database_of_settings())
