"""Creates the roles that requests run as, on any PostgreSQL, and checks that row-level security binds them.

Requests always switch to one of them, so the user of DATABASE_URL can own the tables and still serve requests
under row-level security.
"""

import logging
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from agentdata.connection import DENIED, transaction
from agentdata.database_url import parse
from agentdata.setup_error import SetupError
from agentdata.sight.failures import describe
from models.base import END_USER_ROLE, REQUEST_ROLE

_log = logging.getLogger(__name__)

ROLES = (REQUEST_ROLE, END_USER_ROLE)
"""The roles of requests: with a key, and for an end user."""

OLDEST_SERVER = 16

# Another process may create the role at the same time, for another database of the server.
_MADE_MEANWHILE = {"42710", "23505"}  # duplicate_object, unique_violation


async def ensure_role(url: str, *, request_url: str | None = None) -> None:
    """Create the roles of requests if they are missing, and allow the users of both URLs to switch to them.

    If there is anything to do, the connecting user must be a superuser or have CREATEROLE. Otherwise this
    raises SetupError with the SQL that a superuser has to run.
    """
    async with transaction(url) as connection:
        await _check_server(connection)
        for role in ROLES:
            if not await _scalar(
                connection, "SELECT count(*) FROM pg_roles WHERE rolname = :role", role=role
            ):
                await _run(connection, f"CREATE ROLE {role} NOLOGIN")
        user: str = await _scalar(connection, "SELECT current_user")
        for member in dict.fromkeys((user, parse(request_url or url).url.username or user)):
            if not await _scalar(connection, "SELECT count(*) FROM pg_roles WHERE rolname = :it", it=member):
                raise SetupError(
                    f"the database has no user {member}, whom DATABASE_URL names: create it first"
                )
            may_set = "SELECT pg_has_role(CAST(:member AS name), CAST(:role AS name), 'SET')"
            for role in ROLES:
                if not await _scalar(connection, may_set, member=member, role=role):
                    grant = f"GRANT {role} TO {_quoted(member)} WITH INHERIT FALSE, SET TRUE"
                    await _run(connection, grant)
        await _open_schema(connection, user)


async def ensure_vectors(url: str) -> bool:
    """Create the extension pgvector, if it is missing and can be created, and return whether it exists.

    Only searches by meaning need it, so nothing fails without it. Creating it takes a superuser, or a server
    that trusts the extension to owners of databases.
    """
    async with transaction(url) as connection:
        try:
            async with connection.begin_nested():
                await connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
        except DBAPIError as error:
            _log.debug("pgvector could not be created: %s", describe(error))
        return bool(await _scalar(connection, "SELECT to_regtype('halfvec') IS NOT NULL"))


async def _open_schema(connection: AsyncConnection, user: str) -> None:
    """Ensure that the user can create tables in the schema, and that the roles of requests can use it."""
    schema = await _scalar(connection, "SELECT current_schema()")
    if schema is None:
        wanted = await _scalar(connection, "SELECT current_setting('search_path')")
        raise SetupError(f"the database has no schema {wanted}: run CREATE SCHEMA {wanted}")
    privilege = "SELECT has_schema_privilege(CAST(:who AS name), CAST(:schema AS text), :what)"
    if not await _scalar(connection, privilege, who=user, schema=schema, what="CREATE"):
        raise SetupError(
            f"the user {user} may not create tables in the schema {schema}: the database's owner must run "
            f"GRANT CREATE ON SCHEMA {_quoted(schema)} TO {_quoted(user)}"
        )
    for role in ROLES:
        if not await _scalar(connection, privilege, who=role, schema=schema, what="USAGE"):
            await _run(connection, f"GRANT USAGE ON SCHEMA {_quoted(schema)} TO {role}")


async def check(url: str) -> None:
    """Check that requests over this URL can run as their roles, and that row-level security binds these.

    Raises SetupError.
    """
    async with transaction(url) as connection:
        await _check_server(connection)
        for role in ROLES:
            await _check_role(connection, role)


async def _check_role(connection: AsyncConnection, name: str) -> None:
    role = (
        await connection.execute(
            text(
                "SELECT rolsuper, rolbypassrls, pg_has_role(current_user, oid, 'SET') AS usable,"
                " pg_has_role(oid, CAST(:request_role AS name), 'USAGE') AS inherits,"
                " current_user, (SELECT min(relname) FROM pg_class WHERE relowner = r.oid) AS owned"
                " FROM pg_roles AS r WHERE rolname = :role"
            ),
            {"role": name, "request_role": REQUEST_ROLE},
        )
    ).one_or_none()
    if role is None:
        raise SetupError(f"the database has no role {name}: run `agentdata db init`")
    if role.rolsuper or role.rolbypassrls:
        raise SetupError(
            f"the role {name} sees the rows of all projects: "
            f"run ALTER ROLE {name} NOSUPERUSER NOBYPASSRLS as a superuser"
        )
    if role.owned:
        raise SetupError(
            f"the role {name} owns {role.owned}, and row-level security does not bind owners: "
            f"run REASSIGN OWNED BY {name} TO another role"
        )
    if name == END_USER_ROLE and role.inherits:
        raise SetupError(
            f"the role {name} has the rights of {REQUEST_ROLE}, so end users would see a whole project: "
            f"run REVOKE {REQUEST_ROLE} FROM {name}"
        )
    if not role.usable:
        raise SetupError(f"the user {role.current_user} may not become {name}: run `agentdata db init`")


async def _check_server(connection: AsyncConnection) -> None:
    version = await _scalar(connection, "SELECT current_setting('server_version_num')::int / 10000")
    if version < OLDEST_SERVER:
        raise SetupError(f"the server is PostgreSQL {version}; agentdata needs {OLDEST_SERVER} or newer")


async def _scalar(connection: AsyncConnection, statement: str, **values: object) -> Any:
    return await connection.scalar(text(statement), {"role": REQUEST_ROLE} | values)


async def _run(connection: AsyncConnection, statement: str) -> None:
    try:
        async with connection.begin_nested():
            await connection.execute(text(statement))
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state == DENIED:
            raise SetupError(
                f"the user of the database URL lacks a privilege; a superuser must run {statement}"
            ) from None
        if state not in _MADE_MEANWHILE:
            raise


def _quoted(name: object) -> str:
    return '"' + str(name).replace('"', '""') + '"'
