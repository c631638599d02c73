"""Plans answer as the reference way does: both run the same operations, which hypothesis generates.

`make test` runs a fast profile. `HYPOTHESIS_PROFILE=thorough pytest tests/engine/test_plans.py -k answers`
runs thousands of new queries each time, and `-k writes` thousands of mutations; `PLAN_EXAMPLES` sets the
number, and `--hypothesis-seed=N` repeats a run.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from agentdata.answers import may_exceed
from agentdata.context import Context
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.reference.loading import load_row
from agentdata.engine.reporting import field_errors, request_errors
from agentdata.engine.requests.documents import InvalidRequestError
from agentdata.engine.requests.executor import Executor
from agentdata.engine.requests.limits import Limits
from agentdata.engine.sql.links import Link
from agentdata.operations import memories
from models import Base, Project
from models.enums import ApiKeyScope, MessageRole
from resolvers.words import MAX_RANKED
from schema.root import schema
from tests import factories
from tests.api import make_api, traffic
from tests.engine.mutations import CREATED_ID, PROJECT, TAG, mutations
from tests.engine.operations import (
    LISTS,
    MARK,
    TIME_DEPENDENT,
    CursorsOf,
    Facts,
    Operation,
    computed_rows,
    operations,
)
from tests.engine.twins import UUIDS, Snapshot, Twin, snapshot, stored, twins
from tests.factories import said
from tests.world import populate, read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from graphql import GraphQLError
    from graphql.execution.values import VariableValues
    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import Database
    from agentdata.engine.plans.plan import MutationPlan, QueryPlan
    from agentdata.principal import Principal
    from tests.api import Api
    from tests.world import Rows

LIMITS = Limits(*[10**9] * len(fields(Limits)))

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def examples(few: int) -> settings:
    """Return the settings of hypothesis: a few examples, the same each time, or thousands of new ones."""
    return settings(
        max_examples=int(os.environ.get("PLAN_EXAMPLES", "5000")) if THOROUGH else few,
        derandomize=not THOROUGH,
        database=None,
        deadline=None,
        suppress_health_check=[*HealthCheck],
        print_blob=THOROUGH,
    )


_MUTATION_CODES = {"BAD_USER_INPUT", "CONFLICT", "FORBIDDEN", "LIMIT_EXCEEDED", "NOT_FOUND"}
"""The codes of the errors that a mutation may end in."""


class WatchedContext(Context):
    """A context that records whether a plan answered its operation, and the statements of the plan."""

    planned = False

    def __init__(self, database: Database, principal: Principal) -> None:
        super().__init__(database, principal)
        self.statements: list[str] = []
        """The statements of plans."""
        self.received = 0
        """About how many bytes they returned."""

    async def fetch(self, statement: str, arguments: Sequence[Any]) -> list[Any]:
        """Run a plan's statement, and remember it."""
        self.statements.append(statement)
        rows = await super().fetch(statement, arguments)
        self.received += sum(len(str(value).encode()) for row in rows for value in row)
        return rows


@dataclass(frozen=True)
class WatchedPlan:
    """A plan that records in the context of an operation that it has answered it."""

    plan: QueryPlan | MutationPlan

    @property
    def outline(self) -> Callable[[], list[dict[str, Any]]]:
        """The function that describes the plan."""
        return self.plan.outline

    async def answer(
        self, context: WatchedContext, variables: VariableValues
    ) -> tuple[Any, list[GraphQLError]]:
        """Answer as the plan does."""
        answered = await self.plan.answer(context, variables)
        context.planned = True
        return answered


class WatchingCompiler(Compiler):
    """Compiles plans that are watched."""

    def compile(self, *given: Any) -> Any:
        """Compile an operation."""
        return WatchedPlan(super().compile(*given))


REFERENCE, PLANNED = Executor(schema, LIMITS), Executor(schema, LIMITS, WatchingCompiler(schema))


@dataclass(frozen=True)
class ObservedAnswer:
    """An answer as a client receives it, and how the executor found it."""

    data: Any
    errors: list[dict[str, Any]]
    ran: bool
    """Whether the operation ran, instead of being refused with its variables."""
    planned: bool
    statements: list[str]
    bounded: bool
    """Whether its data is as small as the price of the operation promises."""

    @property
    def canonical(self) -> str:
        """The whole answer, with errors and keys sorted."""
        errors = sorted(json.dumps(error, sort_keys=True) for error in self.errors)
        return json.dumps([self.data, errors], sort_keys=True)


def _with_floats(value: Any) -> Any:
    """Return JSON with floats in lists of numbers: a plan leaves out `.0` in vectors, as PostgreSQL does."""
    if isinstance(value, dict):
        return {key: _with_floats(each) for key, each in value.items()}
    if isinstance(value, list):
        numbers = bool(value) and {int, float}.issuperset(map(type, value))
        return [float(each) if numbers else _with_floats(each) for each in value]
    return value


async def observe(api: Api, executor: Executor, document: str, variables: dict[str, Any]) -> ObservedAnswer:
    """Run an operation and return its answer as it goes over the wire."""
    context = WatchedContext(api.database, api.principal)
    ran = bounded = True
    try:
        operation = executor.operation(document, None)
        result = await executor.execute(operation, variables, context)
        if context.planned and context.price is not None:
            received = context.received + len(document) + len(json.dumps(variables))
            size = len(orjson.dumps(result.data, option=orjson.OPT_UTC_Z))
            bounded = may_exceed(context.price, received, size - 1)
        content = {"data": result.data, "errors": field_errors(result.errors or [])}
    except InvalidRequestError as error:
        ran, content = False, {"data": None, "errors": request_errors(error.errors)}
    finally:
        await context.close()
    answer = _with_floats(orjson.loads(orjson.dumps(content, option=orjson.OPT_UTC_Z)))
    return ObservedAnswer(
        _without_times(answer["data"]), answer["errors"], ran, context.planned, context.statements, bounded
    )


def _without_times(value: Any) -> Any:
    """Return an answer with the values that depend on the current time replaced by their types."""
    if isinstance(value, dict):
        return {
            key: type(each).__name__ if key.startswith(TIME_DEPENDENT) else _without_times(each)
            for key, each in value.items()
        }
    return [_without_times(each) for each in value] if isinstance(value, list) else value


class QueriedProject:
    """A project that queries run on, and the cursors of its lists."""

    def __init__(
        self,
        api: Api,
        rows: dict[str, Rows],
        foreign: tuple[str, ...],
        computed: dict[str, list[dict[str, Any]]],
    ) -> None:
        self.api = api
        self.facts = Facts(rows, str(api.project_id), foreign, computed)
        self.foreign = frozenset(foreign)
        self._cursors: dict[CursorsOf, list[str]] = {}

    async def cursors(self, of: CursorsOf) -> list[str]:
        """Return the cursors of a list in this order."""
        if of not in self._cursors:
            name, field = LISTS[of.node]
            order = [{"field": key, "direction": direction} for key, direction in of.order]
            page = f"{name}(first: 40, orderBy: $by) {{ edges {{ cursor }} }}"
            data = await self.api.ask(f"query ($by: {field.args['orderBy'].type}) {{ {page} }}", by=order)
            self._cursors[of] = [edge["cursor"] for edge in data[name]["edges"]]
        return self._cursors[of]

    async def fill_in(self, operation: Operation, text: str) -> str:
        """Replace marks by cursors."""
        for index, number in set(MARK.findall(text)):
            cursors = await self.cursors(operation.cursors[int(index)])
            text = text.replace(f"@cursor {index} {number}@", cursors[int(number) % len(cursors)])
        return text


@pytest.fixture(scope="module")
async def project(
    database: Database, owner: AsyncEngine, world: Api, rows: dict[str, Rows]
) -> QueriedProject:
    """Provide the world, beside a similar project that it must not see."""
    other = await make_api(database, owner)
    await populate(other, owner)
    theirs = await read(other)
    foreign = [id_ for of_type in theirs.values() for id_ in of_type]
    return QueriedProject(world, rows, (str(other.project_id), *foreign), await computed_rows(world, rows))


@pytest.fixture(scope="module")
async def visible(project: QueriedProject) -> tuple[UUID, frozenset[str]]:
    """Provide the user with the most sessions, and the ids of all rows that this user may see."""
    users = Counter(row["user"] and row["user"]["id"] for row in project.facts.rows["Session"].values())
    del users[None]
    user_id = UUID(users.most_common(1)[0][0])
    ids = set()
    for table in Base.metadata.tables.values():
        if "id" in table.columns:
            statement = str(select(table.c.id))
            found = await project.api.database.statement(
                project.api.project_id, statement, [], user_id=user_id
            )
            ids |= {str(row["id"]) for row in found}
    return user_id, frozenset(ids)


# If a field fails, graphql-core drops coroutines of siblings that it has not started.
_DROPS_COROUTINES = pytest.mark.filterwarnings(
    "ignore:coroutine .* was never awaited:RuntimeWarning",
    "ignore:Exception ignored in. <coroutine object:pytest.PytestUnraisableExceptionWarning",
)


@_DROPS_COROUTINES
@examples(150)
@given(data=st.data())
async def test_a_plan_answers_as_the_reference_way_does(project: QueriedProject, data: st.DataObject) -> None:
    operation = data.draw(operations(project.facts))
    scopes = data.draw(st.sampled_from([[ApiKeyScope.ADMIN], [ApiKeyScope.ADMIN], [ApiKeyScope.READ]]))
    api = project.api.with_scopes(*scopes)
    document = await project.fill_in(operation, operation.document)
    assume(_both_can_read(document))
    for variant in operation.variants:
        variables = json.loads(await project.fill_in(operation, json.dumps(variant)))
        reference = await observe(api, REFERENCE, document, variables)
        planned = await observe(api, PLANNED, document, variables)
        assert planned.canonical == reference.canonical, (document, variables)
        assert planned.bounded, (document, variables)
        assert not project.foreign & set(UUIDS.findall(json.dumps(reference.data)))
        codes = {error["extensions"]["code"] for error in reference.errors}
        assert "INTERNAL" not in codes
        assert operation.may_be_invalid or codes <= {"NOT_FOUND", "FORBIDDEN"}, (
            reference.errors,
            document,
            variables,
        )
        assert planned.planned is planned.ran, (document, variables)
        event("may be invalid" if operation.may_be_invalid else "valid")


@_DROPS_COROUTINES
@examples(60)
@given(data=st.data())
async def test_both_ways_show_an_end_user_their_own_rows_alone(
    project: QueriedProject, visible: tuple[UUID, frozenset[str]], data: st.DataObject
) -> None:
    user_id, ids = visible
    operation = data.draw(operations(project.facts))
    api = project.api.as_user(user_id)
    document = await project.fill_in(operation, operation.document)
    assume(_both_can_read(document))
    hidden = {id_ for of_type in project.facts.rows.values() for id_ in of_type} - ids
    for variant in operation.variants:
        variables = json.loads(await project.fill_in(operation, json.dumps(variant)))
        reference = await observe(api, REFERENCE, document, variables)
        planned = await observe(api, PLANNED, document, variables)
        assert planned.canonical == reference.canonical, (document, variables)
        seen = set(UUIDS.findall(json.dumps(reference.data)))
        assert not (hidden | project.foreign) & seen, (document, variables)
        codes = {error["extensions"]["code"] for error in reference.errors}
        assert "INTERNAL" not in codes, (document, variables)
        event("sees a row" if ids & seen else "sees no row")


class CopiedProject:
    """A project whose copies mutations run on, and the data that the mutations refer to."""

    def __init__(self, project: QueriedProject, before: Snapshot, owner: AsyncEngine) -> None:
        self.facts = replace(project.facts, project_id=PROJECT)
        self.foreign = project.foreign
        self.owner = owner
        self._project = project
        self._before = before

    def twins(self) -> AbstractAsyncContextManager[tuple[Twin, Twin]]:
        """Copy the project twice."""
        return twins(self.owner, self._project.api, self._before)


@pytest.fixture(scope="module")
async def copied(project: QueriedProject, owner: AsyncEngine) -> CopiedProject:
    """Provide the project as it is before any mutation."""
    return CopiedProject(project, await snapshot(owner, project.api), owner)


@_DROPS_COROUTINES
@examples(60)
@given(data=st.data())
async def test_a_plan_writes_as_the_reference_way_does(copied: CopiedProject, data: st.DataObject) -> None:
    operation = data.draw(mutations(copied.facts))
    scopes = data.draw(st.sampled_from([*[[ApiKeyScope.ADMIN]] * 6, [ApiKeyScope.WRITE], [ApiKeyScope.READ]]))
    async with copied.twins() as (one, other):
        ways = [
            (REFERENCE, TwinProject(one, copied.facts, scopes)),
            (PLANNED, TwinProject(other, copied.facts, scopes)),
        ]
        for variant in operation.variants:
            [(reference, reference_text), (planned, planned_text)] = [
                await twin.observe(executor, operation, variant) for executor, twin in ways
            ]
            assert planned_text == reference_text, (operation.document, variant)
            codes = {error["extensions"]["code"] for error in reference.errors}
            assert codes <= _MUTATION_CODES, (reference.errors, operation.document, variant)
            assert not copied.foreign & set(UUIDS.findall(json.dumps(reference.data)))
            assert planned.planned is planned.ran, (operation.document, variant)
            event("may be invalid" if operation.may_be_invalid else "valid")
            event("wrote" if any((reference.data or {}).values()) else "wrote nothing")
        left, right = [twin.canonical(await stored(copied.owner, twin.api)) for twin in (one, other)]
        assert right == left, operation


def _both_can_read(document: str) -> bool:
    """Return whether a valid document is within the limits, and check that both executors agree."""
    reference, planned = [_can_be_read(executor, document) for executor in (REFERENCE, PLANNED)]
    assert planned == reference
    return reference


def _can_be_read(executor: Executor, document: str) -> bool:
    """Return whether a valid document is within the limits, one of which is graphql-core's own."""
    try:
        executor.operation(document, None)
    except InvalidRequestError as error:
        if any(each["extensions"]["code"] != "LIMIT_EXCEEDED" for each in request_errors(error.errors)):
            raise
        return False
    return True


class TwinProject(QueriedProject):
    """A twin that operations write to; it replaces their placeholders by values of its own."""

    def __init__(self, twin: Twin, facts: Facts, scopes: list[ApiKeyScope]) -> None:
        super().__init__(twin.api, facts.rows, facts.foreign, facts.computed)
        self._twin = twin
        self._key = twin.api.with_scopes(*scopes)

    async def observe(
        self, executor: Executor, operation: Operation, variant: dict[str, Any]
    ) -> tuple[ObservedAnswer, str]:
        """Run an operation; return its answer, and a text of it that is equal for the other twin."""
        document = await self.fill_in(operation, operation.document)
        variables = json.loads(await self.fill_in(operation, json.dumps(variant)))
        assume(_can_be_read(executor, document))
        answer = await observe(self._key, executor, document, variables)
        errors = sorted(answer.errors, key=lambda error: json.dumps(error.get("path")))
        return answer, self._twin.canonical([answer.data, errors])

    async def fill_in(self, operation: Operation, text: str) -> str:
        """Replace the placeholders by ids and texts of the twin, and marks by cursors."""
        text = text.replace(PROJECT, str(self.api.project_id)).replace(TAG, self._twin.tag)
        created = self._twin.created_ids
        text = CREATED_ID.sub(
            lambda match: created[int(match[1]) % len(created)] if created else match[2], text
        )
        return await super().fill_in(operation, text)


async def ask_both_ways(api: Api, document: str, **variables: Any) -> Any:
    """Run an operation both ways, check that a plan and the reference way agree, and return the data."""
    reference = await observe(api, REFERENCE, document, variables)
    planned = await observe(api, PLANNED, document, variables)
    assert planned.canonical == reference.canonical
    assert planned.planned
    return planned.data


async def test_a_message_search_reports_whether_it_ranked_every_match(api: Api) -> None:
    session = await factories.session(api)
    await factories.say(api, session.id, *[said("some tea")] * (MAX_RANKED - 1), said("any tea"))
    document = """query ($query: String!, $filter: MessageFilter, $first: Int) {
        searchMessages(query: $query, filter: $filter, first: $first) { isComplete totalCount nodes { rank } }
    }"""

    async def complete(query: str, first: int = 0, **filter_: Any) -> tuple[bool, int]:
        answer = await ask_both_ways(api, document, query=query, first=first, filter=filter_)
        return answer["searchMessages"]["isComplete"], answer["searchMessages"]["totalCount"]

    assert await complete("tea") == (True, MAX_RANKED)
    assert await complete("no such words") == (True, 0)
    await factories.say(api, session.id, said("tea tea", role=MessageRole.TOOL))
    assert await complete("tea") == (False, MAX_RANKED)
    assert await complete("tea", first=5) == (False, MAX_RANKED)
    # Only the newest messages are searched for the phrase, so an older one may be missed.
    assert await complete('"tea tea"') == (False, 1)
    assert await complete("tea any") == (True, 1)
    assert await complete("tea", role={"eq": "TOOL"}) == (True, 1)
    # With aliases, and without other fields.
    alone = 'query { found: searchMessages(query: "tea") { all: isComplete again: isComplete } }'
    assert await ask_both_ways(api, alone) == {"found": {"all": False, "again": False}}


async def test_a_memory_search_reports_whether_it_ranked_every_match(api: Api) -> None:
    document = 'query { searchMemories(query: "tea") { isComplete totalCount } }'
    for count, complete in ((MAX_RANKED, True), (1, False)):
        for _ in range(0, count, 500):
            await api.run(memories.create_all, memories=[{"content": "tea"}] * min(count, 500))
        assert await ask_both_ways(api, document) == {
            "searchMemories": {"isComplete": complete, "totalCount": MAX_RANKED}
        }


async def test_filters_that_combine_the_same_conditions_differently_do_not_share_a_statement(
    api: Api,
) -> None:
    for title, platform in (("a", "web"), ("a", "slack"), ("b", "web")):
        await factories.session(api, title=title, platform=platform)
    document = "query ($filter: SessionFilter) { sessions(filter: $filter) { totalCount nodes { id } } }"
    both = [{"title": {"eq": "a"}}, {"platform": {"eq": "web"}}]
    counts = [
        (await ask_both_ways(api, document, filter=filter_))["sessions"]["totalCount"]
        for filter_ in (
            {"and": [{"and": both}]},
            {"or": both},
            {"not": {"or": both}},
            {"and": [{"or": both}]},
        )
    ]
    assert counts == [1, 3, 0, 3]


async def test_an_actor_is_an_empty_object_if_no_fragment_matches_its_type(api: Api) -> None:
    user = await factories.user(api)
    agent = await factories.agent(api)
    await factories.agent_version(api, agent.id, created_by_user_id=user.id)
    data = await ask_both_ways(api, "{ agentVersions { nodes { createdBy { ... on Agent { name } } } } }")
    assert data == {"agentVersions": {"nodes": [{"createdBy": {}}]}}


async def test_projects_and_keys_share_a_plan_without_sharing_data(
    project: QueriedProject, other: Api
) -> None:
    """Two projects and two keys of different scopes use one plan in turn."""
    await factories.session(other, title="theirs")
    document = """query ($id: ID!, $first: Int) {
        project { id } sessions(first: $first) { totalCount nodes { id } } node(id: $id) { __typename }
    }"""
    [key, *_] = project.facts.rows["ApiKey"]
    reader = project.api.with_scopes(ApiKeyScope.READ)
    for _ in range(2):
        ours = await ask_both_ways(project.api, document, id=key, first=3)
        assert ours["node"] == {"__typename": "ApiKey"}
        assert (await ask_both_ways(reader, document, id=key, first=3)) == {**ours, "node": None}
        theirs = await ask_both_ways(other, document, id=key, first=2)
        assert theirs["project"] == {"id": str(other.project_id)}
        assert theirs["sessions"]["totalCount"] == 1
        assert theirs["node"] is None
    assert len(PLANNED.operation(document, None)._plans) == 1  # noqa: SLF001  # counts the kept plans


async def test_an_operation_keeps_a_bounded_number_of_plans(project: QueriedProject) -> None:
    names = [f"v{index}" for index in range(7)]
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: id @include(if: ${name})" for name in names)
    document = f"query ({declared}) {{ project {{ __typename {fields} }} }}"
    for case in range(2 ** len(names)):
        chosen = {name: bool(case >> index & 1) for index, name in enumerate(names)}
        answer = await observe(project.api, PLANNED, document, chosen)
        assert set(answer.data["project"]) == {"__typename", *[name for name in names if chosen[name]]}
        assert answer.planned
    assert len(PLANNED.operation(document, None)._plans) <= 16  # noqa: SLF001  # counts the kept plans


async def test_a_plan_reuses_one_statement_for_all_values_of_its_arguments(project: QueriedProject) -> None:
    document = """query ($filter: SessionFilter, $after: String) {
        users(first: 3) { nodes { sessions(filter: $filter, first: 4, after: $after) {
            totalCount pageInfo { endCursor } nodes { title messages(first: 2) { nodes { content } } }
        } } }
    }"""
    after = await project.cursors(CursorsOf("Session", (("STARTED_AT", "DESC"),)))
    statements = []
    for number in range(20):
        variables = {
            "filter": {"title": {"notIn": [str(number)] * (number + 1)}, "messageCount": {"gte": -number}},
            "after": after[number],
        }
        answer = await observe(project.api, PLANNED, document, variables)
        assert answer.planned
        statements += answer.statements
    assert len(statements) == 20
    assert len(set(statements)) == 1


@pytest.mark.parametrize("begun", [True, False])
async def test_a_load_that_starts_after_its_operation_ended_takes_no_connection(
    api: Api, *, begun: bool
) -> None:
    context = Context(api.database, api.principal)
    if begun:
        assert context.reader
    with traffic(api.database) as seen:
        await context.close()
        asked = asyncio.ensure_future(load_row(context.reader, Link(Project), api.project_id))
        await asyncio.wait([asked])
    assert asked.exception() is not None
    assert not seen.connections


FOREIGN_JSON = {"type": "text", "id": 1.0, "a": {"zip": 1, "bb": [{"y": None, "x": 2e22}], "b": "\u00e9"}}
"""JSON with unsorted keys, as another program sent it."""

FOREIGN_JSON_LITERAL = '{type: "text", id: 1.0, a: {zip: 1, bb: [{y: null, x: 2e22}], b: "\u00e9"}}'

READ_FOREIGN_JSON = """{
  messages { nodes { parts rawPayload } }
  toolCalls(orderBy: [{field: CREATED_AT, direction: ASC}]) { nodes { arguments result } }
}"""


@pytest.mark.parametrize("executor", [REFERENCE, PLANNED], ids=["reference", "planned"])
@pytest.mark.parametrize("given", ["$json", FOREIGN_JSON_LITERAL], ids=["variable", "literal"])
async def test_json_that_other_programs_sent_keeps_the_order_of_its_keys(
    api: Api, executor: Executor, given: str
) -> None:
    session = await factories.session(api)
    declared = "$json: JSON!, " if given == "$json" else ""
    variables: dict[str, Any] = {"json": FOREIGN_JSON} if declared else {}

    async def ask(operation: str, **more: Any) -> Any:
        kinds = "".join(f"${name}: ID!, " for name in more)
        # An operation declares the variables that it uses.
        uses = declared if "$json" in operation else ""
        document = f"mutation ({uses}{kinds}) {{ {operation} }}" if kinds or uses else operation
        sent = (variables if uses else {}) | {name: str(value) for name, value in more.items()}
        answer = await observe(api, executor, document, sent)
        assert not answer.errors, answer.errors
        return answer.data

    call = f'{{name: "t", arguments: {given}, callId: '
    appended = await ask(
        f"""appendMessages(sessionId: $session, messages: [
          {{role: USER, parts: {given}, rawPayload: {given}}}
          {{role: ASSISTANT, toolCalls: [{call}"given", result: {given}}}, {call}"now"}}, {call}"later"}}]}}
          {{role: TOOL, toolCallId: "now", content: {json.dumps(json.dumps(FOREIGN_JSON) + chr(10))}}}
        ]) {{ id parts rawPayload toolCalls {{ nodes {{ arguments result }} }} }}""",
        session=session.id,
    )
    said, asking, _ = appended["appendMessages"]
    assert orjson.dumps([said["parts"], said["rawPayload"]]) == orjson.dumps([FOREIGN_JSON, FOREIGN_JSON])
    assert len(asking["toolCalls"]["nodes"]) == 3
    await ask(
        'appendMessages(sessionId: $session, messages: [{role: TOOL, toolCallId: "later", parts: '
        f"{given}}}]) {{ id }}",
        session=session.id,
    )
    made = await ask(
        f'createToolCall(messageId: $message, input: {{name: "t", arguments: {given}}}) {{ id }}',
        message=asking["id"],
    )
    recorded = await ask(
        f"recordToolResult(id: $call, input: {{result: {given}}}) {{ arguments result }}",
        call=made["createToolCall"]["id"],
    )
    assert orjson.dumps(recorded["recordToolResult"]) == orjson.dumps(
        {"arguments": FOREIGN_JSON, "result": FOREIGN_JSON}
    )
    await ask(
        f"updateMessage(id: $message, input: {{parts: {given}, rawPayload: {given}}}) {{ id }}",
        message=said["id"],
    )
    found = await ask(READ_FOREIGN_JSON)
    kept = [value for list_ in found.values() for row in list_["nodes"] for value in row.values() if value]
    assert [orjson.dumps(value) for value in kept] == [orjson.dumps(FOREIGN_JSON)] * len(kept)
    assert len(kept) == 11
