"""An index serves every order and every filter of the GraphQL schema.

Each page of the schema is requested in each order, in both directions, from the start and from a cursor in
the middle, and with each operator of each field of its filter, including relations, for its rows and for its
total; each statistic with one operator of each field. Pages under parents are bounded by the children of the
parents, so one operator of each field is enough, and the start of each order. The statements are those of the
server. They run as requests do, under row-level security, and PostgreSQL explains what they really did: how
many rows of each table they touched, including rows that they discarded.

A statement passes if it touched at most a tenth of the project's rows of a table, plus three times the rows
that it returned. So it may walk an index in the order of a page until the page is full, discarding a few
rows. A scan of the whole project for a rare value fails, whether by an index on the project alone or
sequentially. The requested values are rare and the ranges short, so only an index on the column itself can
pass.

Not tested: totals under a condition that most rows meet, which count most rows (``COMMON``); filters on small
tables, unless they scan other projects' rows (``SMALL``); and ``isEmpty``, for which PostgreSQL keeps no
statistics. Columns in ``WALKED`` and ``WITHIN`` have no index, for the reason given there; remove one from
the list when it gets an index. Combined conditions, and data of another shape, may lead PostgreSQL to other
plans.
"""

from __future__ import annotations

import asyncio
import re
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import pytest
from graphql import GraphQLObjectType
from sqlalchemy import ClauseElement, Executable, func, select, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.ext.compiler import compiles
from strawberry.types.base import get_object_definition
from strawberry.types.lazy_type import LazyType

import models
from agentdata import migrations, provision
from agentdata.database import Database
from agentdata.database_url import parse
from agentdata.engine.fields import Ordering, ToMany
from agentdata.engine.plans.run import NOBODY
from agentdata.engine.sql.batches import Batch
from agentdata.engine.sql.cursors import Signer
from agentdata.engine.sql.links import KEYS
from agentdata.engine.sql.pages import Page, PageRequest
from agentdata.engine.sql.tenancy import TENANT, owned
from agentdata.engine.strawberry_access import DECLARED
from agentdata.naming import camel
from agentdata.operations import session_events
from models.base import INDEXED_FUNCTIONS
from schema.inputs.filters import BooleanFilter, JSONFilter, ListFilter
from tests import factories
from tests.api import make_api
from tests.contract import TYPES
from tests.databases import run
from tests.models import many_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import ReadSession
    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api
    from tests.databases import Server

ROWS = {table: counts[0] for table, counts in many_rows.ROWS.items()}
PROJECT_ID = many_rows.PROJECTS[0]

SMALL = {
    "api_keys",
    "teams",
    "team_members",
    "agents",
    "agent_versions",
    "knowledge_bases",
    "agent_knowledge_bases",
    "knowledge_versions",
    "queues",
    "schedules",
}
"""Tables that people fill by hand: filters may scan the project's rows, but not those of other projects."""

COMMON = {"ne", "not_in", "is_null", "none"}
"""Operators that most rows meet; the first page is found soon in any order."""

_LONG = "it may be longer than what an index can hold"
_MANY = "many rows have each value, and an index would cost every append"
_EACH_WRITE = "an index would cost every write; give a range of createdAt, too"
_OF_ACCESSES = (
    "kind",
    "fields",
    "operation_name",
    "object_ids",
    "api_key_id",
    "user_id",
    "address",
    "request_id",
)
WALKED = {
    ("sessions", "title"): _LONG,
    ("sessions", "depth"): _MANY,
    ("messages", "sequence"): _MANY,
    ("messages", "role"): _MANY,
    ("messages", "token_count"): _MANY,
    ("session_events", "sequence"): _MANY,
    ("module_states", "version"): _MANY,
    ("knowledge_chunks", "position"): _MANY,
    ("knowledge_chunks", "embeddings"): "most chunks have a vector of the model that is asked for",
    **{("access_records", name): _EACH_WRITE for name in _OF_ACCESSES},
}
"""Columns whose filters scan all rows of the project, or of a parent if there is one."""

WITHIN = {
    ("knowledge_chunks", "position"),
    ("memory_revisions", "sequence"),
    ("messages", "sequence"),
    ("module_states", "version"),
    ("session_events", "sequence"),
    ("tool_calls", "position"),
}
"""Positions in a session, message or history; they have no meaning as an order of all rows of a project."""


class explain(Executable, ClauseElement):  # noqa: N801  # reads as SQL
    """Runs a statement and returns its plan with actual row counts."""

    inherit_cache = False

    def __init__(self, statement: Any) -> None:
        self.statement = statement


@compiles(explain)
def _explain(element: explain, compiler: Any, **options: Any) -> str:
    statement: str = compiler.process(element.statement, **options)
    return f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, FORMAT JSON) {statement}"


class Place(NamedTuple):
    """A field of the schema that is a page, or statistics of sessions."""

    parent: str
    name: str
    declared: Page | Batch
    arguments: dict[str, Any]
    """The classes of the field's inputs."""

    def __str__(self) -> str:
        return f"{self.parent}.{self.name}"


def places() -> Iterator[Place]:
    """Yield all pages, and all other fields with a filter."""
    for type_ in TYPES.values():
        definition: Any = getattr(type_, "extensions", {}).get("strawberry-definition")
        for field in definition.fields if isinstance(type_, GraphQLObjectType) and definition else ():
            declared = field.metadata.get(DECLARED)
            if (isinstance(declared, Page) and declared.computation is None) or (
                # A series reads everything measured in its time range, whatever its filter is.
                isinstance(declared, Batch)
                and declared.computation.filters
                and declared.computation.binder is None
            ):
                arguments = {each.python_name: class_of(each.type) for each in field.arguments}
                yield Place(definition.name, field.python_name, declared, arguments)


def class_of(type_: Any) -> Any:
    """Return the class of an input type, which may be optional, a list, or a lazy reference."""
    while hasattr(type_, "of_type"):
        type_ = type_.of_type
    return type_.resolve_type() if isinstance(type_, LazyType) else type_


class Values(NamedTuple):
    """Operands for a column: a rare value, and low and high values that few rows are beyond."""

    rare: Any
    low: Any = None
    high: Any = None


class Indexes:
    """Runs statements, and collects those that touched too many rows."""

    def __init__(self, session: ReadSession) -> None:
        self.session = session
        self.failures: list[str] = []
        self.walked: set[tuple[str, str]] = set()
        self._values: dict[Any, Values] = {}

    async def ask(
        self, what: str, statement: Any, values: dict[str, Any], *, by_hand: bool, known: Any = None
    ) -> None:
        """Run a statement; ``by_hand`` allows scans of small tables, and ``known`` allows a missing index."""
        [[[explained]]] = await self.session.execute(explain(statement), {TENANT: PROJECT_ID, **values})
        plan = explained["Plan"]
        for table, count in _touched(plan).items():
            part = 1 if by_hand and table in SMALL else 10
            if count > ROWS.get(table, 1) / part + 3 * plan["Actual Rows"]:
                if known is not None:
                    self.walked.add(known)
                    return
                shown = "\n".join(_lines(plan))
                self.failures.append(f"{what}\n  touched {count:.0f} of the {ROWS[table]} {table}:\n{shown}")

    async def values(self, model: Any, name: str) -> Values:
        """Return the operands for a column, looked up once."""
        if (model, name) not in self._values:
            self._values[model, name] = await self._look(model, getattr(model, name))
        return self._values[model, name]

    async def _look(self, model: Any, column: Any) -> Values:
        table = model.__tablename__
        rare = many_rows.row_id(table, ROWS[table] // 2000 * 1000 + many_rows.RARE)
        first = select(column).where(owned(model), column.is_not(None)).limit(1)
        if hasattr(model, "id"):
            first = first.order_by(model.id != rare)
        ends = select(
            func.percentile_disc(0.001).within_group(column), func.percentile_disc(0.999).within_group(column)
        ).where(owned(model))
        value = await self.session.scalar(first, {TENANT: PROJECT_ID})
        if isinstance(value, bool | dict | list):
            return Values(value)
        if isinstance(value, UUID):
            return Values(str(value))
        [(low, high)] = (await self.session.execute(ends, {TENANT: PROJECT_ID})).all()
        return Values(value, low, high)

    async def filters(self, model: Any, filter_: Any, *, one_each: bool) -> list[tuple[str, str, Any]]:
        """Return a filter for each operator, or for one operator of each field: (field, operator, filter)."""
        given: list[tuple[str, str, Any]] = []
        for field in get_object_definition(filter_, strict=True).fields:
            name, type_, link = field.python_name, class_of(field.type), field.metadata.get("link")
            if name in {"and_", "or_", "not_"}:
                continue
            if link is None:
                operands = await self._operands(model, name, type_)
                given += [
                    (name, operator, {camel(name): {camel(operator): value}})
                    for operator, value in operands[: 1 if one_each else None]
                ]
            else:
                many = issubclass(type_, ToMany)
                # Vectors have no ids, and are selected by their model.
                key = "id" if hasattr(link.model, "id") else "model"
                some = {key: {"eq": (await self.values(link.model, key)).rare}}
                if many:
                    given.append((name, "some", {camel(name): {"some": some}}))
                    given.append((name, "none", {camel(name): {"none": some}}))
                else:
                    given.append((name, "eq", {camel(name): some}))
        return given

    async def _operands(self, model: Any, name: str, type_: Any) -> list[tuple[str, Any]]:
        if type_ is JSONFilter:
            return [("contains", {"rare": True}), ("has_key", "rare")]
        found = await self.values(model, name)
        if type_ is BooleanFilter:
            return [("eq", True), ("eq", False)]
        if type_ is ListFilter:
            return [("contains_all", found.rare), ("contains_any", found.rare)]
        operands = {
            "eq": found.rare,
            "ne": found.rare,
            "in_": [found.rare],
            "not_in": [found.rare],
            "starts_with": found.rare,
            "gt": found.high,
            "gte": found.high,
            "lt": found.low,
            "lte": found.low,
        }
        given = [field.python_name for field in get_object_definition(type_, strict=True).fields]
        return [(each, operands[each]) for each in given if each != "is_null"] + [
            ("is_null", value) for value in (True, False) if "is_null" in given
        ]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all nodes of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def _touched(plan: dict[str, Any]) -> dict[str, float]:
    """Return how many rows of each table a plan touched, including discarded rows."""
    touched: dict[str, float] = {}
    for node in nodes(plan):
        if table := node.get("Relation Name"):
            each = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            each += node.get("Rows Removed by Index Recheck", 0)
            touched[table] = touched.get(table, 0) + each * node["Actual Loops"]
    return touched


def _lines(plan: dict[str, Any], indent: int = 2) -> Iterator[str]:
    said = ("Relation Name", "Index Name", "Index Cond", "Filter", "Rows Removed by Filter", "Actual Rows")
    yield " " * indent + ", ".join(
        [plan["Node Type"], *(f"{key} {plan[key]}" for key in said if key in plan)]
    )
    for below in plan.get("Plans", ()):
        yield from _lines(below, indent + 2)


SIGNER = Signer(b"secret", PROJECT_ID)


def _parents(place: Place) -> list[Any]:
    """Return the keys of some parents."""
    if place.parent == "Project":
        return [PROJECT_ID]
    # Fields of a tree use the key of its session.
    table = getattr(models, place.parent.removesuffix("Tree")).__tablename__
    return [many_rows.row_id(table, number) for number in (1, ROWS[table] // 2, ROWS[table] - 1)]


def _slice(page: Page, **given: Any) -> PageRequest:
    size = "last" if given.get("before") else "first"
    none = {"filter_": None, "order": (), "first": None, "after": None, "last": None, "before": None}
    return PageRequest(page, SIGNER, **{**none, size: 50, **given})


@pytest.fixture(scope="module")
def filled_urls(database_server: Server) -> Iterator[DatabaseUrls]:
    with database_server.fresh_database() as urls:
        asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
        asyncio.run(migrations.upgrade(urls.owner))
        run(urls.owner, *many_rows.statements())
        yield urls


@pytest.fixture
async def indexes(filled_urls: DatabaseUrls) -> AsyncIterator[Indexes]:
    database = Database(filled_urls.request, statement_timeout_ms=60_000)
    async with database.read(PROJECT_ID) as session:
        yield Indexes(session)
    await database.close()


async def _ask_orders(indexes: Indexes, place: Place, page: Page, keys: dict[str, Any]) -> None:
    order = get_object_definition(place.arguments["order_by"], strict=True)
    [enum] = [class_of(each.type) for each in order.fields if each.python_name == "field"]
    for name in [value.value for value in enum.wrapped_cls]:
        for descending in (False, True):
            order_by = [Ordering(name, descending)]
            cursors: list[dict[str, Any]] = [{}]
            for middle in await _middles(indexes, page.model, name) if page.link is None else ():
                cursor = _slice(page, order=order_by).cursor_of(middle, SIGNER)
                cursors += [{"after": cursor}, {"before": cursor}]
            for cursor_ in cursors:
                asked = _slice(page, order=order_by, **cursor_)
                await indexes.ask(
                    f"{place}(orderBy: {name} {'DESC' if descending else 'ASC'} {' '.join(cursor_)})",
                    page.rows(asked.shape, ["id"]),
                    {**keys, **asked.parameters},
                    by_hand=False,
                    known=_known(WITHIN, page.model, name) if page.link is None else None,
                )


async def _middles(indexes: Indexes, model: Any, name: str) -> list[list[Any]]:
    """Return cursor values in the middle of the rows with a value, and of the rows without one."""
    column = getattr(model, name)
    middles = []
    for missing in (False, True):
        these = (owned(model), column.is_(None) if missing else column.is_not(None))
        half = select(func.count() / 2).select_from(model).where(*these).scalar_subquery()
        rows = select(column, model.id).where(*these).order_by(column, model.id).offset(half).limit(1)
        middles += [list(row) for row in await indexes.session.execute(rows, {TENANT: PROJECT_ID})]
    return middles


async def _ask_filters(indexes: Indexes, place: Place, page: Page, keys: dict[str, Any]) -> None:
    whole = page.link is None
    filters = await indexes.filters(page.model, place.arguments["filter"], one_each=not whole)
    for name, operator, filter_ in filters:
        asked = _slice(page, filter_=filter_)
        what = f"{place}(filter: {name} {operator})"
        values = {**keys, **asked.parameters}
        known = _known(WALKED, page.model, name) if whole else None
        await indexes.ask(what, page.rows(asked.shape, ["id"]), values, by_hand=True, known=known)
        if whole and _is_rare(name, operator, filter_):
            totals = page.totals(asked.shape)
            await indexes.ask(f"{what}.totalCount", totals, values, by_hand=True, known=known)


async def _ask_statistics(indexes: Indexes, place: Place, batch: Batch) -> None:
    whole = place.parent == "Project"
    for argument, read in batch.computation.filters.items():
        model = read.model
        filters = await indexes.filters(model, place.arguments[argument], one_each=True)
        for name, operator, filter_ in filters:
            if _is_rare(name, operator, filter_):
                given = batch.bind({argument: filter_}, NOBODY)
                await indexes.ask(
                    f"{place}({argument}: {name} {operator})",
                    batch.computation.statement(given.shape),
                    {KEYS: _parents(place), **given.values},
                    by_hand=True,
                    known=_known(WALKED, model, name) if whole else None,
                )


def _is_rare(name: str, operator: str, filter_: Any) -> bool:
    """Return whether few rows meet a filter."""
    return operator not in COMMON and filter_[camel(name)].get("eq") is not False


def _known(exceptions: Collection[tuple[str, str]], model: Any, name: str) -> tuple[str, str] | None:
    known = (model.__tablename__, name)
    return known if known in exceptions else None


@pytest.mark.slow
async def test_an_index_serves_every_order_and_filter(indexes: Indexes) -> None:
    for place in places():
        if isinstance(place.declared, Page):
            keys = {} if place.declared.link is None else {KEYS: _parents(place)}
            await _ask_orders(indexes, place, place.declared, keys)
            await _ask_filters(indexes, place, place.declared, keys)
        else:
            await _ask_statistics(indexes, place, place.declared)
    assert not indexes.failures, "\n\n".join(indexes.failures)
    # The exceptions must really scan the project; otherwise the checks above prove nothing.
    assert indexes.walked == {*WALKED, *WITHIN}


@pytest.mark.slow
@pytest.mark.parametrize("field", ["search_messages", "search_memories", "search_knowledge"])
async def test_an_index_serves_searches(indexes: Indexes, field: str) -> None:
    definition = TYPES["Query"].extensions["strawberry-definition"]
    [page] = [each.metadata[DECLARED] for each in definition.fields if each.python_name == field]
    # Rare words, words that are common in other projects, and words that no row has together.
    for query in ("7777", '"number 7777"', "nosuchword", "number nosuchword"):
        asked = _slice(page, computed=page.computation.bind({"query": query}, NOBODY))
        rows = page.rows(asked.shape, ["id", "rank", "excerpt"])
        for statement in (rows, page.totals(asked.shape), page.is_complete(asked.shape)):
            await indexes.ask(f"{field}({query})", statement, asked.parameters, by_hand=False)
    assert not indexes.failures, "\n\n".join(indexes.failures)


@pytest.fixture
def empty_urls(database_server: Server) -> Iterator[DatabaseUrls]:
    """Provide a database whose statistics no other test changes."""
    with database_server.fresh_database() as urls:
        asyncio.run(provision.ensure_role(urls.owner, request_url=urls.request))
        asyncio.run(migrations.upgrade(urls.owner))
        yield urls


async def test_an_index_serves_positions_within_a_session(empty_urls: DatabaseUrls) -> None:
    target = parse(empty_urls.owner)
    database = Database(empty_urls.request)
    owner = create_async_engine(target.url, connect_args=target.connect_args)
    try:
        await _find_places(await make_api(database, owner), owner)
    finally:
        await database.close()
        await owner.dispose()


async def _find_places(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    await factories.say(api, session.id, *[factories.said()] * 1_000)
    events = [{"event_type": "step"}] * 1_000
    await api.run(session_events.record, session_id=session.id, events=events)
    async with owner.begin() as connection:
        await connection.execute(text("ANALYZE messages, session_events"))
    definition = TYPES["Session"].extensions["strawberry-definition"]
    pages = {each.python_name: each.metadata.get(DECLARED) for each in definition.fields}
    async with api.database.read(api.project_id) as reads:
        for name, filter_ in product(("messages", "events"), ({"eq": 700}, {"in": [3, 700]}, {"gt": 998})):
            asked = _slice(pages[name], filter_={"sequence": filter_})
            for statement in (pages[name].rows(asked.shape, ["id"]), pages[name].totals(asked.shape)):
                values = {TENANT: api.project_id, KEYS: [session.id], **asked.parameters}
                [[[explained]]] = await reads.execute(explain(statement), values)
                assert sum(_touched(explained["Plan"]).values()) <= 2, (name, filter_)


def test_the_documentation_lists_every_leakproof_function() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    marked = re.findall(r"^ALTER FUNCTION (.*) LEAKPROOF;$", page, re.MULTILINE)
    assert marked == list(INDEXED_FUNCTIONS)
