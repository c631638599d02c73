"""The migrations create exactly the tables of the models, and remove them."""

import asyncio
import re
from collections.abc import Iterator

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import func, select

from agentdata import migrations, provision, revisions
from agentdata.database_urls import DatabaseUrls
from agentdata.setup_error import SetupError
from models.base import REQUEST_ROLE, Base
from models.server_secret import SERVER
from tests.databases import Server, run

TABLES = (
    "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)

_OURS = "oid NOT IN (SELECT objid FROM pg_depend WHERE deptype IN ('e', 'i') AND refclassid <> 1259)"
"""A condition that leaves out what belongs to an extension; the types of tables stay."""


@pytest.fixture
def urls(database_server: Server) -> Iterator[DatabaseUrls]:
    with database_server.fresh_database() as urls:
        asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
        yield urls


def test_upgrading_creates_the_tables_of_the_models(urls: DatabaseUrls) -> None:
    asyncio.run(migrations.upgrade(urls.owner))
    assert run(urls.owner, TABLES) == [sorted([*Base.metadata.tables, *SERVER.tables, "alembic_version"])]
    asyncio.run(migrations.check(urls.owner))


def test_downgrading_removes_everything_and_upgrading_restores_it(urls: DatabaseUrls) -> None:
    everything = (
        "SELECT array_agg(what ORDER BY what) FROM ("  # noqa: S608  # of this file
        " SELECT proname::text AS what FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        f" AND {_OURS}"
        f" UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND {_OURS}"
        " UNION ALL SELECT cfgname FROM pg_ts_config WHERE cfgnamespace = 'public'::regnamespace"
        " UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace) AS all_of_it"
    )
    asyncio.run(migrations.upgrade(urls.owner))
    [made] = run(urls.owner, everything)
    asyncio.run(migrations.downgrade(urls.owner, "base"))
    assert asyncio.run(revisions.current(urls.owner)) is None
    assert run(urls.owner, TABLES) == [["alembic_version"]]
    [left] = run(urls.owner, everything)
    assert {name for name in left if "alembic_version" not in name} == set()
    asyncio.run(migrations.upgrade(urls.owner))
    assert run(urls.owner, everything) == [made]


def test_functions_can_be_restored_without_a_search_path(urls: DatabaseUrls) -> None:
    # pg_dump and pg_restore use an empty search path.
    no_path = "SET search_path = ''"
    definitions = (
        "SELECT array_agg(pg_get_functiondef(oid) ORDER BY oid) FROM pg_proc"  # noqa: S608  # as above
        f" WHERE pronamespace = 'public'::regnamespace AND {_OURS}"  # as above
    )
    asyncio.run(migrations.upgrade(urls.owner))
    [_, functions] = run(urls.owner, no_path, definitions)
    assert len(functions) > 1
    assert run(urls.owner, no_path, *functions, definitions)[-1] == functions


def test_upgrading_reaches_the_newest_revision(urls: DatabaseUrls) -> None:
    assert asyncio.run(revisions.current(urls.owner)) is None
    asyncio.run(migrations.upgrade(urls.owner))
    assert asyncio.run(revisions.current(urls.owner)) == revisions.head()


def test_the_newest_revision_is_that_of_alembic() -> None:
    config = Config()
    config.set_main_option("script_location", str(revisions.SCRIPTS))
    assert ScriptDirectory.from_config(config).get_current_head() == revisions.head()


def test_relative_and_named_revisions_lead_to_the_right_revision(urls: DatabaseUrls) -> None:
    async def at() -> str | None:
        return await revisions.current(urls.owner)

    async def walk() -> None:
        await migrations.upgrade(urls.owner, "+2")
        assert await at() == "0002"
        await migrations.downgrade(urls.owner, "-1")
        assert await at() == "0001"
        await migrations.upgrade(urls.owner, "0002+1")
        assert await at() == "0003"
        # A revision that is already reached changes nothing.
        await migrations.upgrade(urls.owner, "0001")
        await migrations.downgrade(urls.owner, "0003")
        assert await at() == "0003"
        await migrations.downgrade(urls.owner, "0003-2")
        assert await at() == "0001"
        await migrations.downgrade(urls.owner, "-1")
        assert await at() is None
        await migrations.upgrade(urls.owner, "head")
        assert await at() == revisions.head()

    asyncio.run(walk())


WRONG = {
    "nope": "there is no revision 'nope': the first is 0001",
    "000": "there is no revision '000'",
    "": "there is no revision ''",
    "+0": "there is no revision '+0'",
    "%": "there is no revision '%'",
    "0001:0003": "there is no revision '0001:0003'",
    "nope-1": "there is no revision 'nope-1'",
    "-99": "-99 goes too far: from 0002 there are 2 steps back to `base`",
    "+99": "+99 goes too far: from 0002 there are",
    "0001-9": "0001-9 goes too far: from 0001 there are 1 steps back",
    "head+1": "head+1 goes too far",
    "-" + "9" * 5_000: "there is no revision '-9999",
}


def test_an_unknown_revision_is_named(urls: DatabaseUrls) -> None:
    async def wrong() -> None:
        await migrations.upgrade(urls.owner, "0002")
        for revision, reason in WRONG.items():
            for command in (migrations.upgrade, migrations.downgrade):
                with pytest.raises(SetupError, match=re.escape(reason)):
                    await command(urls.owner, revision)
        assert await revisions.current(urls.owner) == "0002"

    asyncio.run(wrong())


def test_the_wrong_direction_is_refused(urls: DatabaseUrls) -> None:
    async def wrong() -> None:
        await migrations.upgrade(urls.owner, "0002")
        for revision in ("0003", "head", "+1"):
            with pytest.raises(
                SetupError, match=f"is newer than 0002, .*: use `agentdata db upgrade {re.escape(revision)}`"
            ):
                await migrations.downgrade(urls.owner, revision)
        with pytest.raises(SetupError, match="use `agentdata db downgrade -1`"):
            await migrations.upgrade(urls.owner, "-1")
        assert await revisions.current(urls.owner) == "0002"

    asyncio.run(wrong())


def test_tables_of_a_newer_version_are_not_changed(urls: DatabaseUrls) -> None:
    asyncio.run(migrations.upgrade(urls.owner))
    run(urls.owner, "UPDATE alembic_version SET version_num = '9999'")
    for work in (migrations.upgrade(urls.owner), migrations.downgrade(urls.owner, "-1")):
        with pytest.raises(SetupError, match=r"are at the revision 9999, .*: run a newer version"):
            asyncio.run(work)
    assert run(urls.owner, "SELECT version_num FROM alembic_version") == ["9999"]


def test_concurrent_migrations_do_not_collide(urls: DatabaseUrls) -> None:
    async def upgrade_often() -> None:
        await asyncio.gather(*(migrations.upgrade(urls.owner) for _ in range(5)))

    asyncio.run(upgrade_often())
    assert asyncio.run(revisions.current(urls.owner)) == revisions.head()


def test_every_table_with_a_project_has_a_policy(database_urls: DatabaseUrls) -> None:
    unprotected = (
        "SELECT array_agg(relname::text) FROM pg_class AS c WHERE relkind IN ('r', 'p')"
        " AND relnamespace = 'public'::regnamespace AND relname NOT IN ('alembic_version', 'server_secrets')"
        " AND NOT (relrowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid))"
    )
    assert run(database_urls.owner, unprotected) == [None]


def test_the_request_role_is_safe_and_can_read_every_table(database_urls: DatabaseUrls) -> None:
    asyncio.run(provision.check(database_urls.request))
    for table in Base.metadata.tables.values():
        # Without a project the policies hide all rows, without an error.
        count = str(select(func.count()).select_from(table))
        assert run(database_urls.request, f"SET ROLE {REQUEST_ROLE}", count) == [None, 0]


OLD_TEXTS = (
    "INSERT INTO projects (id, name, slug) VALUES (md5('one')::uuid, 'Test', 'test')",
    (
        "INSERT INTO sessions (project_id, id, root_id, started_at, last_activity_at)"
        " SELECT id, id, id, now(), now() FROM projects"
    ),
    (
        "INSERT INTO messages (project_id, id, session_id, sequence, role, content)"
        " SELECT id, id, id, 1, 'USER', 'family\u200d\U0001f469' FROM projects"
    ),
    "INSERT INTO memories (project_id, id, content) SELECT id, id, '\u200dfamily' FROM projects",
)
FAMILIES = (
    "SET enable_seqscan = off",
    (
        "SELECT count(*) FROM messages WHERE search_document(content) @@ search_query('family')"
        " AND ARRAY[project_id] @> ARRAY[md5('one')::uuid]"
    ),
    (
        "SELECT count(*) FROM memories WHERE search_document(name, description, content)"
        " @@ search_query('family') AND ARRAY[project_id] @> ARRAY[md5('one')::uuid]"
    ),
)


def test_old_texts_are_found_by_new_word_rules_after_an_upgrade(urls: DatabaseUrls) -> None:
    asyncio.run(migrations.upgrade(urls.owner, "0014"))
    run(urls.owner, *OLD_TEXTS)
    assert run(urls.owner, *FAMILIES) == [None, 0, 0]
    asyncio.run(migrations.upgrade(urls.owner))
    assert run(urls.owner, *FAMILIES) == [None, 1, 1]
    asyncio.run(migrations.downgrade(urls.owner, "0014"))
    assert run(urls.owner, *FAMILIES) == [None, 0, 0]


OLD_ROWS = """
    WITH project AS (
      INSERT INTO projects (id, name, slug) VALUES (gen_random_uuid(), 'old', 'old') RETURNING id
    ),
    session AS (
      INSERT INTO sessions (project_id, id, root_id, started_at, last_activity_at, cost_usd)
      SELECT id, id, id, now(), now(), 10000000.3 FROM project RETURNING project_id
    ),
    message AS (
      INSERT INTO messages (project_id, id, session_id, sequence, role)
      SELECT project_id, project_id, project_id, 1, 'ASSISTANT' FROM session RETURNING project_id
    ),
    duration AS (SELECT * FROM unnest(ARRAY[NULL, 0, 12.5, 1e12, 1e308, 'Infinity', 'NaN']::float[])
      WITH ORDINALITY AS each (ms, place)),
    event AS (
      INSERT INTO session_events (project_id, id, session_id, sequence, event_type, timestamp, duration_ms)
      SELECT project_id, gen_random_uuid(), project_id, place, 'x', now(), ms FROM message, duration
    )
    INSERT INTO tool_calls (project_id, id, message_id, session_id, position, name, arguments, duration_ms)
    SELECT project_id, gen_random_uuid(), project_id, project_id, place, 'x', '{}', ms FROM message, duration
    RETURNING id
"""
"""Rows as earlier versions may have written them."""


def test_durations_above_the_limit_become_the_longest_duration(urls: DatabaseUrls) -> None:
    asyncio.run(migrations.upgrade(urls.owner, "0013"))
    run(urls.owner, OLD_ROWS)
    asyncio.run(migrations.upgrade(urls.owner))
    for table in ("tool_calls", "session_events"):
        durations = f"SELECT array_agg(duration_ms ORDER BY duration_ms) FROM {table}"  # noqa: S608  # see above
        # Updating all rows must violate no constraint.
        [_, found] = run(urls.owner, f"UPDATE {table} SET created_at = now() RETURNING 1", durations)  # noqa: S608
        assert found == [0, 12.5, 1e12, 1e12, 1e12, 1e12, None]
    asyncio.run(migrations.downgrade(urls.owner, "0013"))
    asyncio.run(migrations.upgrade(urls.owner))
