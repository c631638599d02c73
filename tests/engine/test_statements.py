"""The parts of plans: one statement of several reads, the objects made from its records, and the caches."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, Interval, Numeric, Text, Uuid, bindparam, select
from sqlalchemy.dialects.postgresql import JSONB

from agentdata.context import Context
from agentdata.database import Database
from agentdata.engine.lru import WeightedLRU
from agentdata.engine.plans.projection import Projection
from agentdata.engine.plans.run import Run, UnplannedError
from agentdata.engine.plans.statements import (
    KEY,
    Read,
    ReadForm,
    ReadKeys,
    ReadSet,
    RequestKeys,
    SqlCache,
    wire_format,
)
from agentdata.engine.sql.links import Link
from models import Message, Session, User
from tests import factories
from tests.api import Api

if TYPE_CHECKING:
    from collections.abc import Sequence

ID = "01900000-0000-7000-8000-000000000000"
TYPES: dict[str, Any] = {
    "id": Uuid(),
    "name": Text(),
    "tags": ARRAY(Text),
    "data": JSONB(),
    "cost": Numeric(),
    "at": DateTime(timezone=True),
}


class Doubled:
    """A step with values for some keys only."""

    inline = None

    def __init__(self, *, complete: bool = False) -> None:
        self.complete = complete

    def values(self, _run: Run) -> dict[Any, Any]:
        """Return each key twice."""
        return {"a": "aa", "b": "bb", "id": "idid"}


def unread(at: dict[str, int]) -> Read:
    """Return a read whose records are made by hand."""
    return Read("nothing", lambda *_: select(User.id), TYPES, None, at=at)


def no_run() -> Run:
    """Return a run in which nothing is read."""
    return Run(None, {})  # type: ignore[arg-type]  # nothing is read


@pytest.mark.parametrize(
    ("name", "sent_as", "expected"),
    [
        ("id", ID, ID),
        ("name", "a", "a"),
        ("tags", ["a"], ["a"]),
        ("data", '{"a": [1.50, null]}', {"a": [1.5, None]}),
        ("data", "null", None),
        ("cost", 0.1, 0.1),
        ("at", "2026-01-31 23:59:59", "2026-01-31T23:59:59Z"),
        ("at", "0001-01-31 23:59:59.5", "0001-01-31T23:59:59.500000Z"),
        ("at", "9999-01-31 23:59:59.123456", "9999-01-31T23:59:59.123456Z"),
        *[(name, None, None) for name in TYPES],
    ],
)
def test_values_are_converted_by_the_type_of_their_column(name: str, sent_as: Any, expected: Any) -> None:
    rows = Projection(TYPES, unread({name: 1}))
    rows.column("value", name)
    [made] = rows.objects(no_run(), [("parent", sent_as)])
    assert orjson.loads(orjson.dumps(made)) == {"value": expected}


def test_a_projection_builds_objects_from_constants_columns_and_steps() -> None:
    rows = Projection(TYPES, unread({"name": 1, "id": 2}))
    rows.constant("__typename", "It's")
    rows.column("'quoted\"key", "name")
    rows.column("again", "name")
    rows.step("step", (Doubled(), "name"))
    rows.step("either", (Doubled(), "id"), (Doubled(), "name"))
    records = [
        ("parent", "a", None),
        ("parent", None, None),
        ("parent", "unknown", None),
        ("parent", "b", "id"),
    ]
    made = rows.objects(no_run(), records)
    assert [list(each.values()) for each in made] == [
        ["It's", "a", "a", "aa", "aa"],
        ["It's", None, None, None, None],
        ["It's", "unknown", "unknown", None, None],
        ["It's", "b", "b", "bb", "idid"],
    ]


def test_a_projection_builds_objects_from_the_rows_of_a_write() -> None:
    rows = Projection(TYPES)
    rows.column("id", "id")
    rows.column("data", "data")
    rows.step("step", (Doubled(), "name"))
    given = SimpleNamespace(id=UUID(ID), data={"a": 1}, name="a")
    assert rows.objects(no_run(), [given]) == [{"id": ID, "data": {"a": 1}, "step": "aa"}]


def users_and_sessions(cache: SqlCache) -> tuple[ReadSet, Projection]:
    """Return the reads of users by name and of their sessions, and the projection of the users."""
    reads = ReadSet(cache)
    users = reads.add(
        Read(
            "users",
            lambda _, names: Link(User, remote="name").rows(names),
            {"id": Uuid(), "user_data": JSONB()},
            RequestKeys(lambda run: run.bindings[0], many=True),
            key_type=Text(),
        )
    )
    rows = Projection(users.types, users)
    rows.column("data", "user_data")
    sessions = reads.add(
        Read(
            "sessions",
            lambda shape, names: Link(Session, remote="user_id").rows(names).limit(shape),
            {"message_count": BigInteger()},
            [ReadKeys(users, "id")],
        )
    )
    users.need("id")
    of_session = Projection(sessions.types, sessions)
    of_session.column("count", "message_count")

    class Sessions:
        complete = False
        inline = None

        def values(self, run: Run) -> dict[Any, Any]:
            records = run.records[sessions.position]
            objects = of_session.objects(run, records)
            return {r[sessions.at[KEY]]: o for r, o in zip(records, objects, strict=True)}

    rows.step("session", (Sessions(), "id"))
    reads.lay_out()
    return reads, rows


async def test_several_reads_run_as_one_statement_and_keys_stay_in_the_database(api: Api) -> None:
    ann = await factories.user(api, name="Ann", user_data={"a": 1})
    await factories.user(api, name="Bob")
    await factories.session(api, user_id=ann.id)
    reads, rows = users_and_sessions(SqlCache())
    asked = []

    async def fetch(text: str, arguments: Sequence[Any]) -> list[Any]:
        asked.append((text, arguments))
        return await api.database.statement(api.project_id, text, arguments)

    context = Context(api.database, api.principal)
    context.fetch = fetch  # type: ignore[method-assign, assignment]  # watched
    run = Run(context, {0: ["Ann", "Bob", "Nobody"]})
    statement, parameters = reads.prepare(run)
    reads.distribute(run, await run.context.fetch(statement.text, parameters))
    made = rows.objects(run, run.records[reads.reads[0].position])
    answer = sorted(orjson.loads(orjson.dumps(made)), key=str)
    assert answer == [{"data": {"a": 1}, "session": {"count": 0}}, {"data": {}, "session": None}]
    [(text, arguments)] = asked
    assert "Ann" not in text
    assert set(map(str, arguments)) == {str(api.project_id), "['Ann', 'Bob', 'Nobody']"}


def test_page_sizes_give_new_statements_without_compiling_again() -> None:
    compiled = []

    def build(_shape: Any, names: list[str]) -> Any:
        compiled.append(names)
        return select(User.id, *[getattr(User, name) for name in names]).limit(
            bindparam("limit", type_=Integer)
        )

    reads = ReadSet(SqlCache())
    read = reads.add(Read("page", build, {"name": Text()}, None))
    read.need("name")
    reads.lay_out()
    statements = [reads.statement([ReadForm(limit=limit)]) for limit in (3, 4, 3)]
    assert statements[0] is statements[2]
    assert "LIMIT 3" in statements[0].text
    assert "LIMIT 4" in statements[1].text
    assert len(compiled) == 1


def test_extra_columns_do_not_move_the_selected_ones() -> None:
    reads, _ = users_and_sessions(SqlCache())
    before = [{**read.at} for read in reads.reads]
    statement = reads.statement([ReadForm(extra=("id",)), ReadForm(1)])
    assert [read.at for read in reads.reads] == before
    assert statement.columns[1] == before[1]


def test_a_column_type_without_a_wire_format_cannot_be_planned() -> None:
    with pytest.raises(UnplannedError):
        wire_format(Interval())


def test_the_lru_cache_stays_within_its_weight_and_evicts_the_least_recently_used() -> None:
    kept: WeightedLRU[str] = WeightedLRU(100)
    for number in range(12):
        kept.put(number, str(number), 10)
        kept.get(2)
    assert [number for number in range(12) if kept.get(number)] == [2, *range(3, 12)]
    kept.put("heavy", "heavy", 11)
    assert kept.get("heavy") is None


def test_the_sql_cache_bounds_the_forms_of_one_read_set() -> None:
    cache = SqlCache(characters=50_000)
    reads, _ = users_and_sessions(cache)
    forms = range(1, 1_000)
    lengths = {form: len(reads.statement([ReadForm(), ReadForm(form)]).text) for form in forms}
    kept = [form for form in forms if cache.statements.get((reads, (None, None, ()), (form, None, ())))]
    assert kept == [*forms][-len(kept) :]
    assert 40_000 < 2 * sum(lengths[form] for form in kept) <= 50_000


def test_every_column_of_a_message_has_a_wire_format() -> None:
    for column in Message.__mapper__.columns:
        assert wire_format(column.type)


SESSIONS = (
    "query ($filter: SessionFilter) { sessions(first: 5, filter: $filter) { totalCount nodes { id } } }"
)
STATISTICS = "query ($filter: SessionFilter) { project { statistics(sessions: $filter) { sessionCount } } }"
PLANS = "SELECT generic_plans FROM pg_prepared_statements WHERE strpos(statement, $1) > 0"
"""Of each statement with a text, how many of its executions in the session had a plan for any values."""


@pytest.mark.parametrize(
    ("document", "filter_", "generic"),
    [
        (SESSIONS, {"costUsd": {"gt": 1}}, 0),
        (SESSIONS, {"agentId": {"eq": ID}, "title": {"eq": "any"}}, 0),
        (SESSIONS, {"not": {"agentId": {"eq": ID}}}, 0),
        (SESSIONS, {"agent": {"name": {"eq": "any"}}}, 0),
        (SESSIONS, {"agentId": {"eq": ID}}, 3),
        (SESSIONS, {"id": {"in": [ID]}}, 3),
        (SESSIONS, None, 3),
        (STATISTICS, {"costUsd": {"gt": 1}}, 0),
        (STATISTICS, None, 3),
    ],
)
async def test_filters_are_planned_by_their_values(
    api: Api, database_url: str, document: str, filter_: dict[str, Any] | None, generic: int
) -> None:
    database = Database(database_url, pool_size=1)
    try:
        for _ in range(8):
            await Api(database, api.principal).ask(document, filter=filter_)
        connection = await database.pool.take(api.project_id)
        plans = await connection.driver.fetch(PLANS, "FROM sessions")
        database.pool.give_back(connection)
    finally:
        await database.close()
    assert [record["generic_plans"] for record in plans] == [generic]
