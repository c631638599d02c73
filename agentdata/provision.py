"""Creates the role that requests run as, on any PostgreSQL, and checks that row-level security binds it.

Requests always switch to that role, so the user of DATABASE_URL can own the tables and still serve requests
under row-level security.
"""

from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from agentdata.connection import DENIED, transaction
from agentdata.database_url import parse
from agentdata.setup_error import SetupError
from models.base import REQUEST_ROLE

OLDEST_SERVER = 16

# Another process may create the role at the same time, for another database of the server.
_MADE_MEANWHILE = {"42710", "23505"}  # duplicate_object, unique_violation


async def ensure_role(url: str, *, request_url: str | None = None) -> None:
    """Create the request role if it is missing, and allow the users of both URLs to switch to it.

    If there is anything to do, the connecting user must be a superuser or have CREATEROLE. Otherwise this
    raises SetupError with the SQL that a superuser has to run.
    """
    async with transaction(url) as connection:
        await _check_server(connection)
        if not await _scalar(connection, "SELECT count(*) FROM pg_roles WHERE rolname = :role"):
            await _run(connection, f"CREATE ROLE {REQUEST_ROLE} NOLOGIN")
        user: str = await _scalar(connection, "SELECT current_user")
        for member in dict.fromkeys((user, parse(request_url or url).url.username or user)):
            if not await _scalar(connection, "SELECT count(*) FROM pg_roles WHERE rolname = :it", it=member):
                raise SetupError(
                    f"the database has no user {member}, whom DATABASE_URL names: create it first"
                )
            may_set = "SELECT pg_has_role(CAST(:member AS name), CAST(:role AS name), 'SET')"
            if not await _scalar(connection, may_set, member=member):
                grant = f"GRANT {REQUEST_ROLE} TO {_quoted(member)} WITH INHERIT FALSE, SET TRUE"
                await _run(connection, grant)
        await _open_schema(connection, user)


async def _open_schema(connection: AsyncConnection, user: str) -> None:
    """Ensure that the user can create tables in the schema, and that the request role can use the schema."""
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
    if not await _scalar(connection, privilege, who=REQUEST_ROLE, schema=schema, what="USAGE"):
        await _run(connection, f"GRANT USAGE ON SCHEMA {_quoted(schema)} TO {REQUEST_ROLE}")


async def check(url: str) -> None:
    """Check that requests over this URL can run as the request role, and that row-level security binds it.

    Raises SetupError.
    """
    async with transaction(url) as connection:
        await _check_server(connection)
        role = (
            await connection.execute(
                text(
                    "SELECT rolsuper, rolbypassrls, pg_has_role(current_user, oid, 'SET') AS usable,"
                    " current_user, (SELECT min(relname) FROM pg_class WHERE relowner = r.oid) AS owned"
                    " FROM pg_roles AS r WHERE rolname = :role"
                ),
                {"role": REQUEST_ROLE},
            )
        ).one_or_none()
    if role is None:
        raise SetupError(f"the database has no role {REQUEST_ROLE}: run `agentdata db init`")
    if role.rolsuper or role.rolbypassrls:
        raise SetupError(
            f"the role {REQUEST_ROLE} sees the rows of all projects: "
            f"run ALTER ROLE {REQUEST_ROLE} NOSUPERUSER NOBYPASSRLS as a superuser"
        )
    if role.owned:
        raise SetupError(
            f"the role {REQUEST_ROLE} owns {role.owned}, and row-level security does not bind owners: "
            f"run REASSIGN OWNED BY {REQUEST_ROLE} TO another role"
        )
    if not role.usable:
        raise SetupError(
            f"the user {role.current_user} may not become {REQUEST_ROLE}: run `agentdata db init`"
        )


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
