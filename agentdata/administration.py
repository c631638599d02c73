"""Manages projects and keys for the commands, as the owner of the tables and not as the request role."""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from agentdata import provision, revisions, search_letters
from agentdata.auth import RECORD_USE, valid_key
from agentdata.connection import transaction
from agentdata.database import WriteSession
from agentdata.database_urls import DatabaseUrls
from agentdata.errors import ConflictError
from agentdata.operations import api_keys
from agentdata.operations import projects as projects_
from agentdata.operations.projects import check_project, is_id
from agentdata.operations.unit_of_work import UnitOfWork, constraint_error
from agentdata.settings import Settings
from agentdata.setup_error import SetupError
from models import Base, Project
from models.base import PROJECT_SETTING
from models.enums import FULL_ACCESS, ApiKeyScope
from models.server_secret import server_secrets

DEFAULT_PROJECT = "default"
_NOT_MIGRATED = {"42P01", "42704", "42883"}  # undefined_table, undefined_object, undefined_function

_SEARCH = "agentdata_search"
"""The name of the text search configuration, and the prefix of its dictionaries."""


async def prepare(settings: Settings, urls: DatabaseUrls) -> bool:
    """Prepare the database to serve requests, and return True if this was the first time.

    The first time creates a project and an API key to it, and writes the secret of the key to `key_file`.
    """
    if settings.database_url:
        await provision.ensure_role(urls.owner, request_url=urls.request)
        await provision.check(urls.request)
        await provision.ensure_vectors(urls.owner)
    if await revisions.current(urls.owner) != revisions.head():
        from agentdata import migrations  # noqa: PLC0415 only with tables that are not at the newest revision

        await migrations.upgrade(urls.owner)
    async with _session(urls.owner) as session:
        # If several servers start at the same time, only one creates the project.
        await session.execute(text("LOCK TABLE projects IN SHARE ROW EXCLUSIVE MODE"))
        # As a text: a start has no other use for the ORM, which takes long to make ready.
        if await session.scalar(text("SELECT true FROM projects LIMIT 1")):
            return False
        project = await _insert(session, "Default", DEFAULT_PROJECT)
        write = await _acting_in(session, project)
        _, secret = await api_keys.create(write, "First key", FULL_ACCESS)
        # Before the commit: if that fails, the next start replaces the file; a secret that is not in the file
        # would be lost.
        keep_key(settings, secret)
    return True


def key_file(settings: Settings) -> Path:
    """Return the path of the file with the secret of the first API key."""
    return settings.data_dir / "api-key"


def keep_key(settings: Settings, secret: str) -> None:
    """Write the secret of a key to `key_file` atomically; only this user can read the file."""
    path = key_file(settings)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only its user can read a temporary file.
        descriptor, unfinished = tempfile.mkstemp(prefix="api-key.", dir=path.parent)
        with os.fdopen(descriptor, "w") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(path)
    except OSError as error:
        raise SetupError(f"cannot write the API key to {path}: {error.strerror}") from None


async def projects(url: str) -> list[Project]:
    """Return all projects, the oldest first."""
    async with _session(url) as session:
        return list(await session.scalars(select(Project).order_by(Project.created_at, Project.id)))


async def create_project(url: str, name: str, slug: str) -> Project:
    """Create a project; raises SetupError or AgentDataError if its name or slug is refused."""
    try:
        async with _session(url) as session:
            return await _insert(session, name, slug)
    except ConflictError:
        raise SetupError(f"there is a project {slug!r} already") from None


async def rename_project(url: str, name: str, slug: str) -> Project:
    """Change the slug of a project, which its id or slug names; raises as ``create_project`` does."""
    try:
        async with acting_in(url, name) as write:
            return await projects_.update(write, {"slug": slug})
    except ConflictError:
        raise SetupError(f"there is a project {slug!r} already") from None


@asynccontextmanager
async def acting_in(url: str, name: str) -> AsyncIterator[UnitOfWork]:
    """Provide a write in the project with this id or slug to the operations.

    Raises SetupError if there is no such project.
    """
    async with _session(url) as session:
        named = Project.id == UUID(name) if is_id(name) else Project.slug == name
        project = await session.scalar(select(Project).where(named))
        if project is None:
            raise SetupError(f"there is no project {name!r}; `agentdata projects list` lists the projects")
        yield await _acting_in(session, project)


async def project_of_key(url: str, secret: str, scope: ApiKeyScope) -> str:
    """Return the id of the project that a key belongs to; its slug could move before a command uses it.

    Raises UnauthenticatedError if the key is not valid, and ForbiddenError if it lacks the scope.
    """
    async with _session(url) as session:
        key = await valid_key(session, api_keys.hash_secret(secret))
        if (use := key.use_arguments()) is not None:
            await UnitOfWork.within(session, key.principal.project_id).fetch(RECORD_USE, *use)
        key.principal.require(scope)
        return str(key.principal.project_id)


async def server_secret(url: str, *, new: bool = False) -> bytes:
    """Return the secret that all servers of a database share, and create it the first time.

    With ``new``, replace it: servers take the new one when they start.
    """
    made = insert(server_secrets).values(secret=secrets.token_bytes(32))
    if new:
        made = made.on_conflict_do_update(index_elements=["single"], set_={"secret": made.excluded.secret})
    else:
        # Of servers that start at the same time, one creates the secret.
        made = made.on_conflict_do_nothing()
    async with _session(url) as session:
        await session.execute(made)
        return bytes((await session.scalars(select(server_secrets.c.secret))).one())


async def analyze(url: str) -> None:
    """Update the statistics that PostgreSQL plans by, as after an import of many rows."""
    async with _session(url) as session:
        await session.execute(text(f"ANALYZE {', '.join(sorted(Base.metadata.tables))}"))


async def search_language(url: str) -> str:
    """Return the language whose word forms searches know; `simple` knows none."""
    async with _session(url) as session:
        found = await session.scalar(text(_DICTIONARY), {"configuration": _SEARCH, "kind": "word"})
        return str(found).removeprefix(f"{_SEARCH}_")


async def set_search_language(url: str, language: str) -> None:
    """Change the language of searches by text, and rebuild the search indexes, in one transaction.

    Frequent words of a language (stop words) are indexed like all others: a word that is frequent in one
    language may be rare in another, and a search should find it. Accents are folded as `search_letters` says.

    Raises SetupError if PostgreSQL does not know the language.
    """
    async with _session(url) as session:
        known = [
            *await session.scalars(
                text("SELECT cfgname::text FROM pg_ts_config WHERE cfgnamespace = 11 ORDER BY 1")
            )
        ]
        if language not in known:
            raise SetupError(f"PostgreSQL knows no language {language!r}; it knows {', '.join(known)}")
        # Words in ASCII may belong to another language: among Russian words they are English.
        for kind in ("asciiword", "word"):
            stemmer = str(await session.scalar(text(_DICTIONARY), {"configuration": language, "kind": kind}))
            name = f"{_SEARCH}_{stemmer.removesuffix('_stem')}"
            if stemmer == "simple":
                name = stemmer
            elif not await session.scalar(
                text("SELECT true FROM pg_ts_dict WHERE dictname = :name"), {"name": name}
            ):
                await session.execute(
                    text(
                        f"CREATE TEXT SEARCH DICTIONARY {name}"
                        f" (TEMPLATE = snowball, LANGUAGE = {stemmer.removesuffix('_stem')})"
                    )
                )
            await session.execute(
                text(f"ALTER TEXT SEARCH CONFIGURATION {_SEARCH} ALTER MAPPING FOR {kind} WITH {name}")
            )
        await session.execute(text(search_letters.definition(language)))
        for table in ("messages", "memories", "knowledge_chunks"):
            index = f"{table}_search_idx"
            definition = await session.scalar(text(f"SELECT pg_get_indexdef('{index}'::regclass)"))
            # REINDEX would keep the function of the letters as each connection has read it.
            await session.execute(text(f"DROP INDEX {index}"))
            await session.execute(text(str(definition)))


async def _insert(session: WriteSession, name: str, slug: str) -> Project:
    check_project({"name": name, "slug": slug})
    project = Project(name=name, slug=slug)
    session.add(project)
    await session.flush()
    return project


async def _acting_in(session: WriteSession, project: Project) -> UnitOfWork:
    await session.execute(text(f"SET LOCAL {PROJECT_SETTING} = '{project.id}'"))
    return UnitOfWork.within(session, project.id)


@asynccontextmanager
async def _session(url: str) -> AsyncIterator[WriteSession]:
    """Open a session in a transaction of the owner; constraint errors are raised as errors for users."""
    try:
        async with (
            transaction(url) as connection,
            AsyncSession(connection, expire_on_commit=False, autoflush=False) as session,
        ):
            yield WriteSession(session)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in _NOT_MIGRATED:
            raise SetupError("the database has no tables yet: run `agentdata db upgrade`") from None
        if (refusal := constraint_error(error)) is not None:
            raise refusal from None
        raise


_DICTIONARY = """
    SELECT dictname::text FROM pg_ts_config_map JOIN pg_ts_dict ON pg_ts_dict.oid = mapdict
    WHERE mapcfg = CAST(CAST(:configuration AS text) AS regconfig)
    AND maptokentype = (SELECT tokid FROM ts_token_type('default') WHERE alias = :kind)
"""
"""Selects the dictionary of a configuration for a kind of word."""
