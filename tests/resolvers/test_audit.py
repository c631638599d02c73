"""An audit trail lists everything that happened in a session, in order, as plain SQL does."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sqlalchemy import text

from agentdata.context import Context
from agentdata.engine.sql.links import KEYS
from agentdata.engine.sql.tenancy import TENANT
from agentdata.engine.strawberry_access import declaration
from models.enums import AuditKind, MessageRole
from tests import factories
from tests.api import Api, traffic
from tests.contract import TYPES as CONTRACT
from tests.engine.test_plans import ask_both_ways
from tests.models.test_indexes import explain, nodes

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.engine.sql.pages import Page

ALL_ENTRIES = """
    SELECT * FROM (
        SELECT project_id, session_id, id, created_at AS at, 'MESSAGE' AS kind FROM messages
        UNION ALL SELECT project_id, session_id, id, timestamp, 'EVENT' FROM session_events
        UNION ALL SELECT project_id, session_id, id, created_at, 'STATE_TRANSITION' FROM state_transitions
        UNION ALL SELECT project_id, session_id, id, created_at, 'TOOL_CALL' FROM tool_calls
        UNION ALL SELECT project_id, session_id, id, timestamp, 'USAGE' FROM usage_records
    ) AS happened WHERE project_id = :project ORDER BY at, id
"""
TYPES = {
    "MESSAGE": "Message",
    "EVENT": "SessionEvent",
    "STATE_TRANSITION": "StateTransition",
    "TOOL_CALL": "ToolCall",
    "USAGE": "UsageRecord",
}
PAGE = """{
    totalCount nodes { id at kind } edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
}"""


REFERENCE_SIZE = 3


class Entry(NamedTuple):
    """An entry of an audit trail."""

    id: str
    at: datetime
    kind: str


Trails = dict[str, list[Entry]]
"""The entries of each session, in order."""


@pytest.fixture(scope="module")
async def trails(world: Api, owner: AsyncEngine) -> Trails:
    """Provide the trails of the sessions of the world that have one, the longest first."""
    found: Trails = {}
    async with owner.connect() as connection:
        for row in await connection.execute(text(ALL_ENTRIES), {"project": world.project_id}):
            if row.session_id is not None:
                found.setdefault(str(row.session_id), []).append(Entry(str(row.id), row.at, row.kind))
    longest = dict(sorted(found.items(), key=lambda item: -len(item[1])))
    assert {entry.kind for entry in next(iter(longest.values()))} == {*AuditKind}
    return longest


def subject_of(entry: str) -> str:
    """Return the id of the subject of an entry, which differs in its UUID version: 7 instead of 8."""
    assert entry[14] == "8"
    return f"{entry[:14]}7{entry[15:]}"


def entries(nodes: list[dict[str, Any]]) -> list[Entry]:
    """Return the entries of nodes."""
    return [Entry(subject_of(node["id"]), datetime.fromisoformat(node["at"]), node["kind"]) for node in nodes]


async def test_one_statement_reads_complete_trails(world: Api, trails: Trails) -> None:
    document = """{ sessions(first: 100) { totalCount nodes { id auditTrail(first: 100) { totalCount nodes {
        id at kind subject {
            __typename ... on Node { id } ... on Message { createdAt } ... on SessionEvent { timestamp }
            ... on StateTransition { createdAt } ... on ToolCall { createdAt }
            ... on UsageRecord { timestamp }
        }
    } } } } }"""
    with traffic(world.database) as seen:
        data = await world.ask(document)
    assert len(seen.statements) == 1
    assert await ask_both_ways(world, document) == data
    sessions = data["sessions"]["nodes"]
    assert len(sessions) == data["sessions"]["totalCount"]
    for session in sessions:
        expected, trail = trails.get(session["id"], []), session["auditTrail"]
        assert entries(trail["nodes"]) == expected
        assert trail["totalCount"] == len(expected)
        for node in trail["nodes"]:
            time = "timestamp" if node["kind"] in {"EVENT", "USAGE"} else "createdAt"
            assert node["subject"] == {
                "__typename": TYPES[node["kind"]],
                "id": subject_of(node["id"]),
                time: node["at"],
            }


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("backward", [False, True])
async def test_pages_of_any_size_return_every_entry_once(
    world: Api,
    trails: Trails,
    direction: str,
    backward: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    session, trail = next(iter(trails.items()))
    assert len({entry.at for entry in trail}) < len(trail) - 3, "some entries have the same time"
    expected = trail if direction == "ASC" else trail[::-1]
    size_, cursor_ = ("last", "before") if backward else ("first", "after")
    arguments = f"{size_}: $size, {cursor_}: $cursor, orderBy: [{{field: AT, direction: {direction}}}]"
    document = f"""query ($id: ID!, $size: Int, $cursor: String) {{
        session(id: $id) {{ auditTrail({arguments}) {PAGE} }}
    }}"""
    for size in range(1, len(trail) + 2):
        paged: list[Entry] = []
        cursor = None
        while True:
            # The reference way is slow, so it runs for one page size.
            ask = ask_both_ways if size == REFERENCE_SIZE else Api.ask
            data = await ask(world, document, id=session, size=size, cursor=cursor)
            page = data["session"]["auditTrail"]
            found, info = entries(page["nodes"]), page["pageInfo"]
            assert [subject_of(edge["node"]["id"]) for edge in page["edges"]] == [e.id for e in found]
            assert page["totalCount"] == len(trail)
            paged = found + paged if backward else paged + found
            if not info["hasPreviousPage" if backward else "hasNextPage"]:
                break
            assert len(found) == size
            cursor = info["startCursor" if backward else "endCursor"]
        assert paged == expected


async def test_a_cursor_of_one_trail_marks_the_same_time_in_all_trails(world: Api, trails: Trails) -> None:
    session, trail = next(iter(trails.items()))
    document = "query ($id: ID!) { session(id: $id) { auditTrail { edges { cursor } } } }"
    edges = (await world.ask(document, id=session))["session"]["auditTrail"]["edges"]
    at = len(trail) // 2
    data = await ask_both_ways(
        world,
        "query ($after: String) { sessions(first: 100) { nodes { id auditTrail(first: 3, after: $after) {"
        " nodes { id at kind } } } } }",
        after=edges[at]["cursor"],
    )
    moment = (trail[at].at, trail[at].id)
    for node in data["sessions"]["nodes"]:
        later = [entry for entry in trails.get(node["id"], []) if (entry.at, entry.id) > moment]
        assert entries(node["auditTrail"]["nodes"]) == later[:3]


FILTERS: list[tuple[str, Callable[[Entry, list[Entry]], bool]]] = [
    *[(f"kind: {{eq: {kind}}}", lambda entry, _, kind=kind: entry.kind == kind) for kind in AuditKind],
    (
        "kind: {in: [EVENT, STATE_TRANSITION]}",
        lambda entry, _: entry.kind in {"EVENT", "STATE_TRANSITION"},
    ),
    ("kind: {notIn: [MESSAGE]}", lambda entry, _: entry.kind != "MESSAGE"),
    ("at: {gte: $from, lt: $to}", lambda entry, trail: trail[3].at <= entry.at < trail[-3].at),
    ("at: {gt: $from}, kind: {eq: USAGE}", lambda e, trail: trail[3].at < e.at and e.kind == "USAGE"),
    ("not: {at: {eq: $from}}", lambda entry, trail: entry.at != trail[3].at),
    ("id: {in: $ids}", lambda entry, trail: entry in (trail[0], trail[-1])),
    (
        "or: [{id: {in: $ids}}, {kind: {eq: TOOL_CALL}, at: {lt: $to}}]",
        lambda e, trail: e in (trail[0], trail[-1]) or (e.kind == "TOOL_CALL" and e.at < trail[-3].at),
    ),
    ("kind: {eq: EVENT}, and: [{kind: {eq: USAGE}}]", lambda *_: False),
]


@pytest.mark.parametrize(("filter_", "holds"), FILTERS, ids=[each for each, _ in FILTERS])
async def test_filters_apply_to_nodes_and_counts(
    world: Api, trails: Trails, filter_: str, holds: Callable[[Entry, list[Entry]], bool]
) -> None:
    session, trail = next(iter(trails.items()))
    expected = [entry for entry in trail if holds(entry, trail)]
    declared: dict[str, tuple[str, Any]] = {
        "from": ("DateTime!", trail[3].at),
        "to": ("DateTime!", trail[-3].at),
        "ids": ("[ID!]!", [trail[0].id, trail[-1].id]),
    }
    used = {name: each for name, each in declared.items() if f"${name}" in filter_}
    said = "".join(f", ${name}: {type_}" for name, (type_, _) in used.items())
    document = f"""query ($id: ID!{said}) {{ session(id: $id) {{
        auditTrail(filter: {{{filter_}}}, first: 100) {{ totalCount nodes {{ id at kind }} }}
        two: auditTrail(filter: {{{filter_}}}, last: 2) {{ nodes {{ id at kind }} }}
    }} }}"""
    values = {name: value.isoformat() if name != "ids" else value for name, (_, value) in used.items()}
    data = await ask_both_ways(world, document, id=session, **values)
    assert entries(data["session"]["auditTrail"]["nodes"]) == expected
    assert data["session"]["auditTrail"]["totalCount"] == len(expected)
    assert entries(data["session"]["two"]["nodes"]) == expected[-2:]


async def test_an_entry_and_its_subject_have_different_ids(world: Api, trails: Trails) -> None:
    session = next(iter(trails))
    document = """query ($id: ID!) { session(id: $id) { auditTrail(first: 100) {
        nodes { id subject { ... on Node { id } } }
    } } }"""
    data = await ask_both_ways(world, document, id=session)
    nodes = data["session"]["auditTrail"]["nodes"]
    assert len({id_ for node in nodes for id_ in (node["id"], node["subject"]["id"])}) == 2 * len(nodes)
    error = await world.error("query ($id: ID!) { node(id: $id) { id } }", id=nodes[0]["id"])
    assert error["extensions"]["code"] == "NOT_FOUND"


async def test_subjects_are_read_only_if_more_than_their_id_is_selected(world: Api) -> None:
    subject = "subject { __typename ... on Node { id } %s }"
    document = f"{{ sessions {{ nodes {{ auditTrail {{ nodes {{ {subject} }} }} }} }} }}"
    times_read = []
    for more in ("", "... on UsageRecord { model }"):
        with traffic(world.database) as seen:
            await world.ask(document % more)
        [statement] = seen.statements
        times_read.append([statement.count(f"FROM {table} ") for table in (*TABLES, "usage_records")])
    assert times_read == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 2]]


TABLES = ("messages", "session_events", "state_transitions", "tool_calls")


async def test_messages_appended_together_keep_their_order_in_the_trail(api: Api) -> None:
    session = await factories.session(api)
    messages = await factories.say(
        api,
        session.id,
        factories.said("Where is it?"),
        factories.said(
            role=MessageRole.ASSISTANT,
            tool_calls=[factories.called("find", call_id="1"), factories.called("ask", call_id="2")],
        ),
        factories.said("found", role=MessageRole.TOOL, tool_call_id="1"),
        factories.said("no answer", role=MessageRole.TOOL, tool_call_id="2"),
        factories.said("Here.", role=MessageRole.ASSISTANT),
    )
    data = await ask_both_ways(api, SUBJECTS, id=str(session.id))
    subjects = [node["subject"] for node in data["session"]["auditTrail"]["nodes"]]
    assert len({message.created_at for message in messages}) == 1
    named = [{"name": "find"}, {"name": "ask"}]
    assert subjects == [{"sequence": 1}, {"sequence": 2}, *named, *[{"sequence": n} for n in (3, 4, 5)]]


SUBJECTS = """query ($id: ID!) { session(id: $id) {
    auditTrail { nodes { subject { ... on Message { sequence } ... on ToolCall { name } } } }
} }"""


async def test_states_without_a_session_are_in_no_trail(api: Api) -> None:
    session = await factories.session(api)
    ids: list[UUID] = []
    for session_id in (None, session.id):
        for step in range(2):
            state = await factories.module_state(api, session_id=session_id, state={"step": step})
            ids.append(state.id)
    data = await ask_both_ways(
        api,
        "{ sessions { nodes { auditTrail { totalCount nodes { subject { ... on StateTransition {"
        " nextState { id } } } } } } } }",
    )
    [node] = data["sessions"]["nodes"]
    assert node["auditTrail"] == {
        "totalCount": 1,
        "nodes": [{"subject": {"nextState": {"id": str(ids[-1])}}}],
    }


async def test_cursors_of_other_lists_and_orders_are_refused(world: Api, trails: Trails) -> None:
    session = next(iter(trails))
    document = """query ($id: ID!) { session(id: $id) {
        messages(first: 1) { pageInfo { endCursor } }
        auditTrail(first: 1, orderBy: [{field: AT, direction: DESC}]) { pageInfo { endCursor } }
    } }"""
    found = (await world.ask(document, id=session))["session"]
    for list_ in ("messages", "auditTrail"):
        error = await world.error(
            "query ($id: ID!, $after: String) {"
            " session(id: $id) { auditTrail(after: $after) { totalCount } } }",
            id=session,
            after=found[list_]["pageInfo"]["endCursor"],
        )
        assert (error["extensions"]["code"], error["extensions"]["field"]) == ("BAD_USER_INPUT", "after")


async def test_the_trail_of_another_projects_session_is_not_found(other: Api, trails: Trails) -> None:
    answer = await other.answer(
        "query ($id: ID!) { session(id: $id) { auditTrail { totalCount } } }", id=next(iter(trails))
    )
    assert answer.codes == ["NOT_FOUND"]


LONG = """
    INSERT INTO messages (project_id, id, session_id, sequence, role, created_at)
        SELECT {project}, {this}, {session}, i, 'USER', {at} FROM {steps};
    INSERT INTO tool_calls (project_id, id, message_id, session_id, position, name, arguments, created_at)
        SELECT {project}, gen_random_uuid(), {this}, {session}, 0, 'search', '{{}}', {at} FROM {steps};
    INSERT INTO session_events (project_id, id, session_id, sequence, event_type, timestamp)
        SELECT {project}, gen_random_uuid(), {session}, i, 'checkpoint', {at} FROM {steps};
    INSERT INTO usage_records (project_id, id, session_id, model, timestamp)
        SELECT {project}, gen_random_uuid(), {session}, 'small', {at} FROM {steps};
    INSERT INTO module_states
        (project_id, id, module_id, session_id, version, state, state_hash, previous_state_id, created_at)
        SELECT {project}, {this}, 'module', {session}, i, '{{}}', '', CASE WHEN i > 1 THEN {before} END, {at}
        FROM {steps};
    INSERT INTO state_transitions
        (project_id, id, session_id, state_id, next_state_id, trigger_type, created_at)
        SELECT {project}, gen_random_uuid(), {session}, {before}, {this}, 'scheduled', {at}
        FROM {steps} WHERE i > 1;
    ANALYZE
"""
STEPS = {
    "steps": "generate_series(1, 2000) AS i",
    "at": "timestamptz '2026-01-01Z' + i * interval '1 second'",
    "this": "md5({project}::text || i)::uuid",
    "before": "md5({project}::text || (i - 1))::uuid",
}
TRAIL: Page = declaration(CONTRACT["Session"].fields["auditTrail"])  # type: ignore[attr-defined]  # a type with fields


async def test_a_page_of_a_long_trail_reads_only_the_rows_that_it_shows(api: Api, owner: AsyncEngine) -> None:
    session = await factories.session(api)
    ids = {"project": f"uuid '{api.project_id}'", "session": f"uuid '{session.id}'"}
    steps = {name: said.format(**ids) for name, said in STEPS.items()}
    async with owner.begin() as connection:
        for statement in LONG.format(**ids, **steps).split(";"):
            await connection.execute(text(statement))
    document = "query ($id: ID!) { session(id: $id) { auditTrail(last: 500) { edges { cursor } } } }"
    edges = (await api.ask(document, id=str(session.id)))["session"]["auditTrail"]["edges"]
    for more in ({}, {"after": edges[0]["cursor"]}, {"before": edges[0]["cursor"]}):
        request = TRAIL.request(
            {"last" if "before" in more else "first": 50, **more}, Context(api.database, api.principal)
        )
        parameters = {TENANT: api.project_id, KEYS: [session.id], **request.parameters}
        async with api.database.read(api.project_id) as reads:
            [[[explained]]] = await reads.execute(explain(TRAIL.rows(request.shape, ["id"])), parameters)
        read = {
            node["Relation Name"]: node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            for node in nodes(explained["Plan"])
            if "Relation Name" in node
        }
        assert len(read) == len(AuditKind)
        assert max(read.values()) <= 51, explained  # the page, and one row to know whether more follow
