"""Row-level security separates projects: the request role can access one project, or none."""

# ruff: noqa: S608 - the names of tables are our own
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from asyncpg.exceptions import ForeignKeyViolationError, InsufficientPrivilegeError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from agentdata.operations import embeddings, memories
from agentdata.vectors import read_vector
from models import Base
from models.base import PROJECT_SETTING, REQUEST_ROLE
from models.enums import MessageRole
from models.server_secret import SERVER
from tests import factories
from tests.world import fold

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from tests.api import Api

TABLES = sorted(Base.metadata.tables)
NO_ONES = ["alembic_version", *SERVER.tables]
"""The tables without a project: the current revision, and those of the server."""


async def enter_project(connection: AsyncConnection, project: Api | None) -> None:
    """Switch to the request role, in a project or in none."""
    await connection.execute(text(f"SET LOCAL ROLE {REQUEST_ROLE}"))
    if project is not None:
        await connection.execute(text(f"SET LOCAL {PROJECT_SETTING} = '{project.project_id}'"))


def key_of(table: str) -> str:
    """Return the name of the column with a row's project."""
    return "id" if table == "projects" else "project_id"


@pytest.fixture
async def theirs(other: Api, owner: AsyncEngine) -> Api:
    """Provide another project, with a row in every table."""
    user = await factories.user(other)
    agent = await factories.agent(other)
    await factories.team(other, member_ids=[agent.id])
    await factories.agent_version(other, agent.id)
    session = await factories.session(other, agent_id=agent.id, user_id=user.id)
    await factories.say(
        other,
        session.id,
        factories.said(),
        factories.said(role=MessageRole.ASSISTANT, tool_calls=[factories.called()]),
    )
    await factories.events(other, session.id, factories.happened())
    await factories.usage(other, factories.used(session.id))
    await factories.sandbox(other, session.id)
    for _ in range(2):
        await factories.module_state(other, session_id=session.id)
    await factories.measure_agents(other, factories.measured(agent_id=agent.id))
    await factories.measure_sessions(other, factories.measured(session_id=session.id))
    [message] = await factories.say(other, session.id, factories.said())
    memory = await factories.memory(other, source_message_ids=[message.id])
    related = await factories.memory(other)
    await other.run(memories.link, memory_id=memory.id, related_memory_ids=[related.id])
    await other.run(memories.update, id_=memory.id, values={"content": "Another fact"})
    await factories.memory_access(other, memory.id)
    await factories.memory_annotation(other, memory.id)
    await factories.schedule(other)
    await factories.enqueued(other, {})
    base = await factories.knowledge_base(other, agent_ids=[agent.id], embedding_model="small")
    document = await factories.knowledge_document(other, base.id)
    vector = read_vector([1, 0.5, 0])
    await factories.knowledge_chunks_of(other, document.id, {"content": "A chunk", "embedding": vector})
    of_memory, of_message = (
        {f"{kind}_id": id_, "embedding": vector}
        for kind, id_ in (("memory", memory.id), ("message", message.id))
    )
    await other.run(embeddings.put_for_memories, model="small", embeddings=[of_memory])
    await other.run(embeddings.put_for_messages, model="small", embeddings=[of_message])
    await factories.knowledge_sync(other, base.id)
    await other.ask('mutation { createApiKey(input: {name: "Key", scopes: [READ]}) { secret } }')
    await other.ask('mutation { createUser(input: {}, idempotencyKey: "once") { id } }')
    await fold(other, owner)
    return other


async def test_every_table_has_a_policy_on_its_project(owner: AsyncEngine) -> None:
    async with owner.connect() as connection:
        rows = await connection.execute(
            text("""
                SELECT relname, relrowsecurity, ARRAY(
                    SELECT concat(polcmd, ' ', pg_get_expr(polqual, polrelid))
                    FROM pg_policy
                    WHERE polrelid = pg_class.oid AND polroles = ARRAY[CAST(:role AS regrole)::oid]
                )
                FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname = 'public'
                AND relname <> ALL (:no_ones)
            """),
            {"no_ones": NO_ONES, "role": REQUEST_ROLE},
        )
        guarded = {name: (on, policies) for name, on, policies in rows}
    assert sorted(guarded) == TABLES
    for name, (on, policies) in guarded.items():
        assert on, f"{name} has no row-level security"
        [policy] = policies
        assert policy.startswith(f"* ({key_of(name)} = "), f"{name} has a policy of another kind: {policy}"
        assert "current_setting('app.project_id'" in policy


async def test_the_request_role_owns_nothing_and_has_no_privileged_attributes(owner: AsyncEngine) -> None:
    async with owner.connect() as connection:
        role = (
            await connection.execute(
                text(
                    "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication"
                    " FROM pg_roles WHERE rolname = :role"
                ),
                {"role": REQUEST_ROLE},
            )
        ).one()
        owned = await connection.execute(
            text("SELECT relname FROM pg_class WHERE relowner = CAST(:role AS regrole)"),
            {"role": REQUEST_ROLE},
        )
        schemas = await connection.scalar(
            text("SELECT has_schema_privilege(:role, 'public', 'CREATE')"), {"role": REQUEST_ROLE}
        )
        assert (tuple(role), owned.all(), schemas) == ((False,) * 5, [], False)


@pytest.mark.parametrize("table", TABLES)
async def test_rows_of_another_project_can_be_neither_read_nor_changed(
    owner: AsyncEngine, api: Api, theirs: Api, table: str
) -> None:
    key = key_of(table)
    async with owner.connect() as connection:
        whole = f"FROM {table} WHERE {key} = '{theirs.project_id}'"
        assert await connection.scalar(text(f"SELECT count(*) {whole}")), f"no row to guard in {table}"
        await enter_project(connection, api)
        assert await connection.scalar(text(f"SELECT count(*) {whole}")) == 0
        mine = await connection.scalar(
            text(f"SELECT count(*) FROM {table} WHERE {key} <> '{api.project_id}'")
        )
        assert mine == 0
        for write in (
            f"UPDATE {table} SET {key_of(table)} = NULL WHERE {key} = '{theirs.project_id}'",
            f"DELETE {whole}",
        ):
            try:
                async with connection.begin_nested():
                    assert (await connection.execute(text(write))).rowcount == 0
            except DBAPIError as error:
                assert _cause(error) is InsufficientPrivilegeError  # noqa: PT017  # the error is allowed, not required
        await connection.rollback()


@pytest.mark.parametrize("table", TABLES)
async def test_no_row_can_be_inserted_into_another_project(
    owner: AsyncEngine, api: Api, theirs: Api, table: str
) -> None:
    key = key_of(table)
    async with owner.connect() as connection:
        columns = [column.name for column in Base.metadata.tables[table].columns if column.computed is None]
        row = (
            await connection.execute(
                text(f"SELECT {', '.join(columns)} FROM {table} WHERE {key} = '{theirs.project_id}' LIMIT 1")
            )
        ).one()
        await enter_project(connection, api)
        copied = ", ".join(columns)
        with pytest.raises(DBAPIError) as refused:
            await connection.execute(
                Base.metadata.tables[table].insert().values(dict(zip(columns, row, strict=True)))
            )
        assert _cause(refused.value) is InsufficientPrivilegeError, copied
        await connection.rollback()


@pytest.mark.parametrize("table", TABLES)
async def test_no_rows_are_visible_without_a_project(owner: AsyncEngine, theirs: Api, table: str) -> None:
    assert theirs.project_id
    async with owner.connect() as connection:
        await enter_project(connection, None)
        assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0
        # On a connection that was used before, the setting is an empty text.
        await connection.execute(text(f"SET LOCAL {PROJECT_SETTING} = ''"))
        assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0


async def test_a_connection_has_no_project_after_a_transaction(api: Api) -> None:
    await api.ask("{ agents { totalCount } }")
    async with api.database.connection() as connection:
        await connection.execute(text(f"SET ROLE {REQUEST_ROLE}"))
        try:
            for table in TABLES:
                assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0
        finally:
            await connection.execute(text("RESET ROLE"))


def _cause(error: DBAPIError) -> Any:
    return type(error.orig.__cause__) if error.orig else None


async def test_rows_of_two_projects_cannot_be_linked(owner: AsyncEngine, api: Api, theirs: Api) -> None:
    """Foreign keys hold even for the owner, to whom row-level security does not apply."""
    session = await factories.session(api)
    their_agent = await factories.agent(theirs)
    async with owner.connect() as connection:
        with pytest.raises(DBAPIError) as refused:
            await connection.execute(
                text("UPDATE sessions SET agent_id = :agent WHERE id = :id"),
                {"agent": their_agent.id, "id": session.id},
            )
        assert _cause(refused.value) is ForeignKeyViolationError


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ("mutation ($id: ID!) { createSession(input: {agentId: $id}) { id } }", "agentId"),
        ("mutation ($id: ID!) { updateAgent(id: $id, input: {type: null}) { id } }", "id"),
        ("mutation ($id: ID!) { deleteAgent(id: $id) { ids } }", "id"),
        ('mutation ($id: ID!) { createTeam(input: {name: "a", memberIds: [$id]}) { id } }', "memberIds"),
        (
            """mutation ($id: ID!) {
                createAgentVersion(input: {agentId: $id, versionNumber: "1", changes: {}}) { id }
            }""",
            "agentId",
        ),
    ],
)
async def test_objects_of_another_project_can_be_neither_changed_nor_referenced(
    api: Api, theirs: Api, document: str, field: str
) -> None:
    agent = await factories.agent(theirs)
    error = await api.error(document, id=str(agent.id))
    assert error["extensions"]["code"] == "NOT_FOUND"
    assert field in error["extensions"]["field"]
    unknown = await api.error(document, id="01900000-0000-7000-8000-000000000000")
    assert error["message"] == unknown["message"].replace(
        "01900000-0000-7000-8000-000000000000", str(agent.id)
    )
