"""Temporary databases for tests, on an embedded server or on the server of DATABASE_URL."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

from agentdata.database_url import parse
from agentdata.database_urls import DatabaseUrls
from agentdata.embedded import EmbeddedServer, running


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """Create a folder that any user can enter: if root runs the tests, PostgreSQL runs as another user."""
    with tempfile.TemporaryDirectory(prefix="agentdata-test-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


def copy(data_dir: Path, to: Path) -> None:
    """Copy the data folder of a stopped server, and keep the owners of its files."""
    subprocess.run(["/bin/cp", "-pPR", data_dir, to], check=True)  # noqa: S603 our own folders


@dataclass(frozen=True)
class Server:
    """A server, with the URLs of the user who creates databases, of their owner, and of requests."""

    admin: str
    owner: str
    request: str

    @contextmanager
    def fresh_database(self) -> Iterator[DatabaseUrls]:
        """Create an empty database, and drop it after the block."""
        name = f"agentdata_test_{uuid4().hex}"
        user = parse(self.owner).url.username
        run(self.admin, f"CREATE DATABASE {name}" + (f' OWNER "{user}"' if user else ""))
        try:
            yield DatabaseUrls(_on(self.owner, name), _on(self.request, name))
        finally:
            run(self.admin, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def server() -> Iterator[Server]:
    """Provide the server of DATABASE_URL, or start an embedded one that is not durable."""
    if url := os.environ.get("DATABASE_URL"):
        yield Server(url, url, url)
        return
    with reachable_folder() as folder, running(folder / "data", durable=False) as server:
        if os.geteuid() == 0:
            _admit_server_user(server)
        yield Server(server.url("postgres"), server.owner_url, server.request_url)


def _admit_server_user(server: EmbeddedServer) -> None:
    """Let programs of the server's own user connect, as PgBouncer, which does not run as root, has to."""
    superuser = server.url("postgres", "postgres")
    [identities] = run(superuser, "SHOW ident_file")
    with Path(identities).open("a") as file:
        file.write(f'agentdata "{Path(identities).owner()}" all\n')
    run(superuser, "SELECT pg_reload_conf()")


def run(url: str, *statements: str) -> list[Any]:
    """Run statements on a new connection, each in its own transaction; return the first value of each."""

    async def execute() -> list[Any]:
        target = parse(url)
        engine = create_async_engine(
            target.url, connect_args=target.connect_args, poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        async with engine.connect() as connection:
            results = [await connection.execute(text(statement)) for statement in statements]
            return [result.scalar() if result.returns_rows else None for result in results]

    return asyncio.run(execute())


def _on(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def as_user(url: str, user: str, password: str) -> str:
    """Return the URL of the same database for another user."""
    return f"{url}{'&' if '?' in url else '?'}user={user}&password={password}"
