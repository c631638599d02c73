"""The migrations create exactly the tables of the models, and remove them."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from agentdata import migrations, provision
from agentdata.database_urls import DatabaseUrls
from models.base import REQUEST_ROLE, Base
from tests.databases import Server, run

TABLES = (
    "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)


@pytest.fixture
def urls(database_server: Server) -> Iterator[DatabaseUrls]:
    with database_server.fresh_database() as urls:
        asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
        yield urls


def test_upgrading_creates_the_tables_of_the_models(urls: DatabaseUrls) -> None:
    asyncio.run(migrations.upgrade(urls.owner))
    assert run(urls.owner, TABLES) == [sorted([*Base.metadata.tables, "alembic_version"])]
    asyncio.run(migrations.check(urls.owner))


def test_downgrading_removes_everything_and_upgrading_restores_it(urls: DatabaseUrls) -> None:
    everything = (
        "SELECT array_agg(what ORDER BY what) FROM ("
        " SELECT proname::text AS what FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace"
        " UNION ALL SELECT cfgname FROM pg_ts_config WHERE cfgnamespace = 'public'::regnamespace"
        " UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace) AS all_of_it"
    )
    asyncio.run(migrations.upgrade(urls.owner))
    [made] = run(urls.owner, everything)
    asyncio.run(migrations.downgrade(urls.owner, "base"))
    assert asyncio.run(migrations.current(urls.owner)) is None
    assert run(urls.owner, TABLES) == [["alembic_version"]]
    [left] = run(urls.owner, everything)
    assert {name for name in left if "alembic_version" not in name} == set()
    asyncio.run(migrations.upgrade(urls.owner))
    assert run(urls.owner, everything) == [made]


def test_functions_can_be_restored_from_a_dump(urls: DatabaseUrls) -> None:
    # pg_dump and pg_restore use an empty search path.
    no_path = "SET search_path = ''"
    definitions = (
        "SELECT array_agg(pg_get_functiondef(oid) ORDER BY oid) FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace"
    )
    asyncio.run(migrations.upgrade(urls.owner))
    [_, functions] = run(urls.owner, no_path, definitions)
    assert len(functions) > 1
    assert run(urls.owner, no_path, *functions, definitions)[-1] == functions


def test_there_is_one_newest_revision(urls: DatabaseUrls) -> None:
    assert asyncio.run(migrations.current(urls.owner)) is None
    asyncio.run(migrations.upgrade(urls.owner))
    assert asyncio.run(migrations.current(urls.owner)) == migrations.head() is not None


def test_concurrent_migrations_do_not_collide(urls: DatabaseUrls) -> None:
    async def upgrade_often() -> None:
        await asyncio.gather(*(migrations.upgrade(urls.owner) for _ in range(5)))

    asyncio.run(upgrade_often())
    assert asyncio.run(migrations.current(urls.owner)) == migrations.head()


def test_every_table_with_a_project_has_a_policy(database_urls: DatabaseUrls) -> None:
    unprotected = (
        "SELECT array_agg(relname::text) FROM pg_class AS c WHERE relkind IN ('r', 'p')"
        " AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'"
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
