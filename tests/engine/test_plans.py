"""Plans answer as the plain way does, whatever is asked: both run the same operations, made up by hypothesis.

`make test` runs a fast profile. `HYPOTHESIS_PROFILE=thorough pytest tests/engine/test_plans.py -k answers`
runs thousands of queries, other ones each time, and `-k writes` of mutations; `PLAN_EXAMPLES` says how many,
and `--hypothesis-seed=N` makes up the same ones again.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from agentdata.context import Context
from agentdata.engine.plans.compiler import Compiler
from agentdata.engine.reference.loading import load_row
from agentdata.engine.reporting import field_errors, request_errors
from agentdata.engine.requests.documents import InvalidRequestError
from agentdata.engine.requests.executor import Executor
from agentdata.engine.requests.limits import Limits
from agentdata.engine.sql.links import Link
from agentdata.operations import memories
from models import Project
from models.enums import ApiKeyScope, MessageRole
from resolvers.search import MAX_RANKED
from schema.root import schema
from tests import factories
from tests.api import make_api, traffic
from tests.contract import TYPES, selection
from tests.engine.mutations import HERE, MADE, PROJECT, mutations
from tests.engine.operations import LISTED, MARK, MOVING, CursorsOf, Facts, Operation, operations
from tests.engine.twins import UUIDS, Known, Twin, known, stored, twins
from tests.factories import said
from tests.world import populate, read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from graphql import GraphQLError, GraphQLObjectType
    from graphql.execution.values import VariableValues
    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.context import Principal
    from agentdata.database import Database
    from agentdata.engine.plans.plan import MutationPlan, QueryPlan
    from tests.api import Api
    from tests.world import Rows

LIMITS = Limits(10**6, tokens=10**5, depth=100, root_fields=100, aliases=10**4, rows=10**9)

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def examples(few: int) -> settings:
    """Give how many operations are made up: a few, the same ones each time, or thousands, always others."""
    return settings(
        max_examples=int(os.environ.get("PLAN_EXAMPLES", "5000")) if THOROUGH else few,
        derandomize=not THOROUGH,
        database=None,
        deadline=None,
        suppress_health_check=[*HealthCheck],
        print_blob=THOROUGH,
    )


_EXPECTED = {"BAD_USER_INPUT", "CONFLICT", "FORBIDDEN", "LIMIT_EXCEEDED", "NOT_FOUND"}
"""What may be told of a mutation."""


class Watched(Context):
    """A context that knows whether its operation ran as a plan, and what the plan read."""

    planned = False

    def __init__(self, database: Database, principal: Principal) -> None:
        super().__init__(database, principal)
        self.statements: list[str] = []
        """The statements that plans ran."""
        fetch = self.fetch

        async def watched(statement: str, arguments: Sequence[Any]) -> list[Any]:
            self.statements.append(statement)
            return await fetch(statement, arguments)

        self.fetch = watched


@dataclass(frozen=True)
class WatchedPlan:
    """A plan that tells the context of an operation when it has answered it."""

    plan: QueryPlan | MutationPlan

    async def answer(self, context: Watched, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Answer as the plan does."""
        answered = await self.plan.answer(context, variables)
        context.planned = True
        return answered


class Watching(Compiler):
    """Makes plans that are watched."""

    def compile(self, *given: Any) -> Any:
        """Compile an operation."""
        return WatchedPlan(super().compile(*given))


PLAIN, PLANNED = Executor(schema, LIMITS), Executor(schema, LIMITS, Watching(schema))


@dataclass(frozen=True)
class Told:
    """What a client receives, as JSON in an order of ours, and how it was found."""

    data: Any
    errors: list[dict[str, Any]]
    ran: bool
    """Whether the operation ran, and was not refused with its variables."""
    planned: bool
    statements: list[str]

    @property
    def canonical(self) -> str:
        """All of the answer, with lists of errors and keys in one order."""
        errors = sorted(json.dumps(error, sort_keys=True) for error in self.errors)
        return json.dumps([self.data, errors], sort_keys=True)


async def told(api: Api, executor: Executor, document: str, variables: dict[str, Any]) -> Told:
    """Ask, and give the answer as it goes over the wire."""
    context = Watched(api.database, api.principal)
    ran = True
    try:
        operation = executor.operation(document, None)
        result = await executor.execute(operation, variables, context)
        content = {"data": result.data, "errors": field_errors(result.errors or [])}
    except InvalidRequestError as error:
        ran, content = False, {"data": None, "errors": request_errors(error.errors)}
    finally:
        await context.close()
    answer = orjson.loads(orjson.dumps(content, option=orjson.OPT_UTC_Z))
    return Told(_still(answer["data"]), answer["errors"], ran, context.planned, context.statements)


def _still(value: Any) -> Any:
    """Give an answer without what moves with the time."""
    if isinstance(value, dict):
        return {
            key: type(each).__name__ if key.startswith(MOVING) else _still(each)
            for key, each in value.items()
        }
    return [_still(each) for each in value] if isinstance(value, list) else value


class Asked:
    """A project that operations ask, and the cursors of its lists as answers have them."""

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
        """Give the cursors of a list in an order."""
        if of not in self._cursors:
            name, field = LISTED[of.node]
            order = [{"field": key, "direction": direction} for key, direction in of.order]
            page = f"{name}(first: 40, orderBy: $by) {{ edges {{ cursor }} }}"
            data = await self.api.ask(f"query ($by: {field.args['orderBy'].type}) {{ {page} }}", by=order)
            self._cursors[of] = [edge["cursor"] for edge in data[name]["edges"]]
        return self._cursors[of]

    async def filled(self, operation: Operation, text: str) -> str:
        """Put cursors where their marks are."""
        for index, number in set(MARK.findall(text)):
            known = await self.cursors(operation.cursors[int(index)])
            text = text.replace(f"@cursor {index} {number}@", known[int(number) % len(known)])
        return text


@pytest.fixture(scope="module")
async def project(database: Database, owner: AsyncEngine, world: Api, rows: dict[str, Rows]) -> Asked:
    """Provide the world beside another project like it, of which it must see nothing."""
    other = await make_api(database, owner)
    await populate(other, owner)
    theirs = await read(other)
    foreign = [id_ for of_type in theirs.values() for id_ in of_type]
    return Asked(world, rows, (str(other.project_id), *foreign), await _computed(world, rows))


async def _computed(api: Api, rows: dict[str, Rows]) -> dict[str, list[dict[str, Any]]]:
    """Give the rows of the lists that are computed, by their types."""
    lists = {node: name for node, (name, _) in LISTED.items() if node not in rows}
    asked = [
        f"{name}(first: 500) {{ nodes {{ {selection(cast('GraphQLObjectType', TYPES[node]))} }} }}"
        for node, name in lists.items()
    ]
    data = await api.ask(f"{{ {' '.join(asked)} }}")
    return {node: data[name]["nodes"] for node, name in lists.items()}


# If a field fails, graphql-core drops coroutines of siblings that it has not started.
_DROPS_COROUTINES = pytest.mark.filterwarnings(
    "ignore:coroutine .* was never awaited:RuntimeWarning",
    "ignore:Exception ignored in. <coroutine object:pytest.PytestUnraisableExceptionWarning",
)


@_DROPS_COROUTINES
@examples(150)
@given(data=st.data())
async def test_a_plan_answers_as_the_plain_way_does(project: Asked, data: st.DataObject) -> None:
    operation = data.draw(operations(project.facts))
    scopes = data.draw(st.sampled_from([[ApiKeyScope.ADMIN], [ApiKeyScope.ADMIN], [ApiKeyScope.READ]]))
    api = project.api.with_scopes(*scopes)
    document = await project.filled(operation, operation.document)
    assume(_both_can_read(document))
    for variant in operation.variants:
        variables = json.loads(await project.filled(operation, json.dumps(variant)))
        plain = await told(api, PLAIN, document, variables)
        planned = await told(api, PLANNED, document, variables)
        assert planned.canonical == plain.canonical, (document, variables)
        assert not project.foreign & set(UUIDS.findall(json.dumps(plain.data)))
        codes = {error["extensions"]["code"] for error in plain.errors}
        assert "INTERNAL" not in codes
        assert operation.wrong or codes <= {"NOT_FOUND", "FORBIDDEN"}, (plain.errors, document, variables)
        assert planned.planned is planned.ran, (document, variables)
        event("wrong arguments" if operation.wrong else "right arguments")


class Copied:
    """A project whose copies mutations write to, and what they refer to."""

    def __init__(self, project: Asked, before: Known, owner: AsyncEngine) -> None:
        self.facts = replace(project.facts, project_id=PROJECT)
        self.foreign = project.foreign
        self.owner = owner
        self._project = project
        self._before = before

    def twins(self) -> AbstractAsyncContextManager[tuple[Twin, Twin]]:
        """Copy it twice."""
        return twins(self.owner, self._project.api, self._before)


@pytest.fixture(scope="module")
async def copied(project: Asked, owner: AsyncEngine) -> Copied:
    """Provide the project as it is before mutations come."""
    return Copied(project, await known(owner, project.api), owner)


@_DROPS_COROUTINES
@examples(60)
@given(data=st.data())
async def test_a_plan_writes_as_the_plain_way_does(copied: Copied, data: st.DataObject) -> None:
    operation = data.draw(mutations(copied.facts))
    scopes = data.draw(st.sampled_from([*[[ApiKeyScope.ADMIN]] * 6, [ApiKeyScope.WRITE], [ApiKeyScope.READ]]))
    async with copied.twins() as (one, other):
        ways = [(PLAIN, Writing(one, copied.facts, scopes)), (PLANNED, Writing(other, copied.facts, scopes))]
        for variant in operation.variants:
            [(plain, told_plainly), (planned, told_by_plan)] = [
                await writing.told(executor, operation, variant) for executor, writing in ways
            ]
            assert told_by_plan == told_plainly, (operation.document, variant)
            codes = {error["extensions"]["code"] for error in plain.errors}
            assert codes <= _EXPECTED, (plain.errors, operation.document, variant)
            assert not copied.foreign & set(UUIDS.findall(json.dumps(plain.data)))
            assert planned.planned is planned.ran, (operation.document, variant)
            event("wrong arguments" if operation.wrong else "right arguments")
            event("wrote" if any((plain.data or {}).values()) else "wrote nothing")
        left, right = [twin.canonical(await stored(copied.owner, twin.api)) for twin in (one, other)]
        assert right == left, operation


def _both_can_read(document: str) -> bool:
    """Tell whether a valid document is within the limits, which must be the same both ways."""
    plain, planned = [_can_be_read(executor, document) for executor in (PLAIN, PLANNED)]
    assert planned == plain
    return plain


def _can_be_read(executor: Executor, document: str) -> bool:
    """Tell whether a valid document is within the limits, of which one is no executor's own."""
    try:
        executor.operation(document, None)
    except InvalidRequestError as error:
        if any(each["extensions"]["code"] != "LIMIT_EXCEEDED" for each in request_errors(error.errors)):
            raise
        return False
    return True


class Writing(Asked):
    """A project that operations write to, with what stands in them for what is its own."""

    def __init__(self, twin: Twin, facts: Facts, scopes: list[ApiKeyScope]) -> None:
        super().__init__(twin.api, facts.rows, facts.foreign, facts.computed)
        self._twin = twin
        self._key = twin.api.with_scopes(*scopes)

    async def told(
        self, executor: Executor, operation: Operation, variant: dict[str, Any]
    ) -> tuple[Told, str]:
        """Ask, and give the answer as it is and in words that the twin would have too."""
        document = await self.filled(operation, operation.document)
        variables = json.loads(await self.filled(operation, json.dumps(variant)))
        assume(_can_be_read(executor, document))
        answer = await told(self._key, executor, document, variables)
        errors = sorted(answer.errors, key=lambda error: json.dumps(error.get("path")))
        return answer, self._twin.canonical([answer.data, errors])

    async def filled(self, operation: Operation, text: str) -> str:
        """Put ids and texts of the project in the place of what stands for them."""
        text = text.replace(PROJECT, str(self.api.project_id)).replace(HERE, self._twin.tag)
        made = self._twin.made
        text = MADE.sub(lambda match: made[int(match[1]) % len(made)] if made else match[2], text)
        return await super().filled(operation, text)


async def same(api: Api, document: str, **variables: Any) -> Any:
    """Ask both ways what a plan can hold, and give the data."""
    plain = await told(api, PLAIN, document, variables)
    planned = await told(api, PLANNED, document, variables)
    assert planned.canonical == plain.canonical
    assert planned.planned
    return planned.data


async def test_a_search_says_whether_it_ranked_everything_that_has_the_words(api: Api) -> None:
    session = await factories.session(api)
    await factories.say(api, session.id, *[said("some tea")] * (MAX_RANKED - 1), said("any tea"))
    document = """query ($query: String!, $filter: MessageFilter, $first: Int) {
        searchMessages(query: $query, filter: $filter, first: $first) { isComplete totalCount nodes { rank } }
    }"""

    async def complete(query: str, first: int = 0, **filter_: Any) -> tuple[bool, int]:
        answer = await same(api, document, query=query, first=first, filter=filter_)
        return answer["searchMessages"]["isComplete"], answer["searchMessages"]["totalCount"]

    assert await complete("tea") == (True, MAX_RANKED)
    assert await complete("no such words") == (True, 0)
    await factories.say(api, session.id, said("tea tea", role=MessageRole.TOOL))
    assert await complete("tea") == (False, MAX_RANKED)
    assert await complete("tea", first=5) == (False, MAX_RANKED)
    # The phrase is looked for in the newest only, so it may be missing although few have it.
    assert await complete('"tea tea"') == (False, 1)
    assert await complete("tea any") == (True, 1)
    assert await complete("tea", role={"eq": "TOOL"}) == (True, 1)
    # Fields under another name, and alone.
    alone = 'query { found: searchMessages(query: "tea") { all: isComplete again: isComplete } }'
    assert await same(api, alone) == {"found": {"all": False, "again": False}}


async def test_a_search_of_memories_says_whether_it_ranked_everything(api: Api) -> None:
    document = 'query { searchMemories(query: "tea") { isComplete totalCount } }'
    for count, complete in ((MAX_RANKED, True), (1, False)):
        for _ in range(0, count, 500):
            await api.run(memories.create_all, memories=[{"content": "tea"}] * min(count, 500))
        assert await same(api, document) == {
            "searchMemories": {"isComplete": complete, "totalCount": MAX_RANKED}
        }


async def test_filters_of_the_same_conditions_put_together_otherwise_are_other_statements(api: Api) -> None:
    for title, platform in (("a", "web"), ("a", "slack"), ("b", "web")):
        await factories.session(api, title=title, platform=platform)
    document = "query ($filter: SessionFilter) { sessions(filter: $filter) { totalCount nodes { id } } }"
    both = [{"title": {"eq": "a"}}, {"platform": {"eq": "web"}}]
    counts = [
        (await same(api, document, filter=filter_))["sessions"]["totalCount"]
        for filter_ in (
            {"and": [{"and": both}]},
            {"or": both},
            {"not": {"or": both}},
            {"and": [{"or": both}]},
        )
    ]
    assert counts == [1, 3, 0, 3]


async def test_an_actor_of_whom_nothing_is_selected_is_not_null(api: Api) -> None:
    user = await factories.user(api)
    agent = await factories.agent(api)
    await factories.agent_version(api, agent.id, created_by_user_id=user.id)
    data = await same(api, "{ agentVersions { nodes { createdBy { ... on Agent { name } } } } }")
    assert data == {"agentVersions": {"nodes": [{"createdBy": {}}]}}


async def test_plans_hold_no_data_and_are_shared_by_projects_and_keys(project: Asked, other: Api) -> None:
    """Two projects and two scopes take turns with one plan."""
    await factories.session(other, title="theirs")
    document = """query ($id: ID!, $first: Int) {
        project { id } sessions(first: $first) { totalCount nodes { id } } node(id: $id) { __typename }
    }"""
    [key, *_] = project.facts.rows["ApiKey"]
    reader = project.api.with_scopes(ApiKeyScope.READ)
    for _ in range(2):
        ours = await same(project.api, document, id=key, first=3)
        assert ours["node"] == {"__typename": "ApiKey"}
        assert (await same(reader, document, id=key, first=3)) == {**ours, "node": None}
        theirs = await same(other, document, id=key, first=2)
        assert theirs["project"] == {"id": str(other.project_id)}
        assert theirs["sessions"]["totalCount"] == 1
        assert theirs["node"] is None
    assert len(PLANNED.operation(document, None)._plans) == 1  # noqa: SLF001  # what is kept is asked


async def test_an_operation_keeps_a_bounded_number_of_plans(project: Asked) -> None:
    names = [f"v{index}" for index in range(7)]
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: id @include(if: ${name})" for name in names)
    document = f"query ({declared}) {{ project {{ __typename {fields} }} }}"
    for case in range(2 ** len(names)):
        chosen = {name: bool(case >> index & 1) for index, name in enumerate(names)}
        answer = await told(project.api, PLANNED, document, chosen)
        assert set(answer.data["project"]) == {"__typename", *[name for name in names if chosen[name]]}
        assert answer.planned
    assert len(PLANNED.operation(document, None)._plans) <= 16  # noqa: SLF001  # what is kept is asked


async def test_a_plan_is_one_statement_of_what_is_asked_not_of_its_values(project: Asked) -> None:
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
        answer = await told(project.api, PLANNED, document, variables)
        assert answer.planned
        statements += answer.statements
    assert len(statements) == 20
    assert len(set(statements)) == 1


@pytest.mark.parametrize("begun", [True, False])
async def test_what_is_still_to_be_read_when_an_operation_ends_takes_no_connection(
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


CAME = {"type": "text", "id": 1.0, "a": {"zip": 1, "bb": [{"y": None, "x": 2e22}], "b": "\u00e9"}}
"""JSON whose keys are in no order, as it came from elsewhere."""

CAME_LITERALLY = '{type: "text", id: 1.0, a: {zip: 1, bb: [{y: null, x: 2e22}], b: "\u00e9"}}'

FROM_ELSEWHERE = """{
  messages { nodes { parts rawPayload } }
  toolCalls(orderBy: [{field: CREATED_AT, direction: ASC}]) { nodes { arguments result } }
}"""


@pytest.mark.parametrize("executor", [PLAIN, PLANNED], ids=["plain", "planned"])
@pytest.mark.parametrize("given", ["$json", CAME_LITERALLY], ids=["variable", "literal"])
async def test_json_from_elsewhere_keeps_the_order_of_its_keys(
    api: Api, executor: Executor, given: str
) -> None:
    session = await factories.session(api)
    declared = "$json: JSON!, " if given == "$json" else ""
    variables: dict[str, Any] = {"json": CAME} if declared else {}

    async def ask(operation: str, **more: Any) -> Any:
        kinds = "".join(f"${name}: ID!, " for name in more)
        # An operation declares the variables that it uses.
        uses = declared if "$json" in operation else ""
        document = f"mutation ({uses}{kinds}) {{ {operation} }}" if kinds or uses else operation
        sent = (variables if uses else {}) | {name: str(value) for name, value in more.items()}
        answer = await told(api, executor, document, sent)
        assert not answer.errors, answer.errors
        return answer.data

    call = f'{{name: "t", arguments: {given}, callId: '
    appended = await ask(
        f"""appendMessages(sessionId: $session, messages: [
          {{role: USER, parts: {given}, rawPayload: {given}}}
          {{role: ASSISTANT, toolCalls: [{call}"given", result: {given}}}, {call}"now"}}, {call}"later"}}]}}
          {{role: TOOL, toolCallId: "now", content: {json.dumps(json.dumps(CAME) + chr(10))}}}
        ]) {{ id parts rawPayload toolCalls {{ nodes {{ arguments result }} }} }}""",
        session=session.id,
    )
    said, asking, _ = appended["appendMessages"]
    assert orjson.dumps([said["parts"], said["rawPayload"]]) == orjson.dumps([CAME, CAME])
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
    assert orjson.dumps(recorded["recordToolResult"]) == orjson.dumps({"arguments": CAME, "result": CAME})
    await ask(
        f"updateMessage(id: $message, input: {{parts: {given}, rawPayload: {given}}}) {{ id }}",
        message=said["id"],
    )
    found = await ask(FROM_ELSEWHERE)
    kept = [value for list_ in found.values() for row in list_["nodes"] for value in row.values() if value]
    assert [orjson.dumps(value) for value in kept] == [orjson.dumps(CAME)] * len(kept)
    assert len(kept) == 11
