"""Sessions: start, end, reopening, trees, tags, and constraints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from agentdata.operations import sessions
from models.enums import MessageRole
from models.session import MAX_DEPTH
from tests import factories
from tests.factories import called, said
from tests.writes import stored, untrue

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tests.api import Api

CREATE = (
    "mutation($input: CreateSessionInput!) { createSession(input: $input) { id status startedAt endedAt } }"
)
UPDATE = (
    "mutation($id: ID!, $input: UpdateSessionInput!) { updateSession(id: $id, input: $input) {"
    " status isActive startedAt endedAt agent { id } agentVersion { id } tags } }"
)
END = (
    "mutation($id: ID!, $input: EndSessionInput) {"
    " endSession(id: $id, input: $input) { status isActive endedAt } }"
)
DELETE = "mutation($id: ID!, $tree: Boolean! = false) { deleteSession(id: $id, tree: $tree) { ids } }"
ADD = (
    "mutation($ids: [ID!]!, $tags: [String!]!) { addSessionTags(sessionIds: $ids, tags: $tags) { id tags } }"
)
REMOVE = ADD.replace("addSessionTags", "removeSessionTags")
RENAME = (
    "mutation($from: String!, $to: String!) { renameSessionTag(from: $from, to: $to) { name sessionCount } }"
)


async def update(api: Api, id_: object, **values: Any) -> dict[str, Any]:
    """Update a session."""
    changed: dict[str, Any] = (await api.ask(UPDATE, id=str(id_), input=values))["updateSession"]
    return changed


async def test_a_session_starts_with_the_active_version_of_its_agent(api: Api) -> None:
    agent = await factories.agent(api)
    start = (
        "mutation($input: StartSessionInput!) { startSession(input: $input) {"
        " status isActive startedAt lastActivityAt endedAt agentVersion { id } agent { totalSessions } } }"
    )
    without = await api.ask(start, input={"agentId": str(agent.id)})
    assert without["startSession"]["agentVersion"] is None
    old = await factories.agent_version(api, agent.id, activate=True)
    active = await factories.agent_version(api, agent.id, activate=True)
    started = (await api.ask(start, input={"agentId": str(agent.id)}))["startSession"]
    assert started["agentVersion"] == {"id": str(active.id)}
    assert (started["status"], started["isActive"], started["endedAt"]) == ("ACTIVE", True, None)
    assert started["startedAt"] == started["lastActivityAt"]
    assert started["agent"]["totalSessions"] == 2
    named = await api.ask(start, input={"agentId": str(agent.id), "agentVersionId": str(old.id)})
    assert named["startSession"]["agentVersion"] == {"id": str(old.id)}
    none = await api.ask(start, input={"agentId": str(agent.id), "agentVersionId": None})
    assert none["startSession"]["agentVersion"] is None


async def test_a_version_of_another_agent_is_refused(api: Api) -> None:
    one, two = await factories.agent(api), await factories.agent(api)
    version = await factories.agent_version(api, two.id)
    values = {"agentId": str(one.id), "agentVersionId": str(version.id)}
    error = await api.error(CREATE, input=values)
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "agentVersionId"}
    session = await factories.session(api, agent_id=two.id, agent_version_id=version.id)
    error = await api.error(UPDATE, id=str(session.id), input=values)
    assert error["extensions"] == {"code": "NOT_FOUND", "field": "agentVersionId"}
    # Changing the agent clears the version.
    changed = await update(api, session.id, agentId=str(one.id))
    assert (changed["agent"]["id"], changed["agentVersion"]) == (str(one.id), None)
    assert (await update(api, session.id, agentId=None))["agent"] is None


@pytest.mark.parametrize("status", [None, "COMPLETED", "FAILED", "CANCELLED"])
async def test_a_session_can_be_ended_only_once(api: Api, owner: AsyncEngine, status: str | None) -> None:
    agent = await factories.agent(api)
    session = await factories.session(api, agent_id=agent.id)
    ended = (await api.ask(END, id=str(session.id), input={"status": status}))["endSession"]
    assert (ended["status"], ended["isActive"]) == (status or "COMPLETED", False)
    assert ended["endedAt"] is not None
    error = await api.error(END, id=str(session.id))
    assert error["extensions"]["code"] == "CONFLICT"
    assert await untrue(owner, api) == []


async def test_an_ended_session_can_be_reopened(api: Api, owner: AsyncEngine) -> None:
    agent = await factories.agent(api)
    session = await factories.session(api, agent_id=agent.id)
    await api.ask(END, id=str(session.id), input=None)
    opened = await update(api, session.id, status="PAUSED")
    assert (opened["isActive"], opened["endedAt"]) == (True, None)
    assert await untrue(owner, api) == []
    ended = await update(api, session.id, status="FAILED")
    assert ended["endedAt"] is not None
    assert await update(api, session.id, status="CANCELLED") == ended | {"status": "CANCELLED"}


@pytest.mark.parametrize(
    "values",
    [
        {"endedAt": "2024-12-31T23:59:59Z"},
        {"status": "FAILED", "endedAt": "2024-12-31T23:59:59Z"},
        {"endedAt": None},
        {"status": "ACTIVE", "endedAt": "2025-02-01T00:00:00Z"},
        {"startedAt": "2025-01-03T00:00:00Z"},
    ],
)
async def test_times_that_contradict_the_status_are_refused(api: Api, values: dict[str, Any]) -> None:
    past = {"status": "COMPLETED", "startedAt": "2025-01-01T00:00:00Z", "endedAt": "2025-01-02T00:00:00Z"}
    session = (await api.ask(CREATE, input=past))["createSession"]
    error = await api.error(UPDATE, id=session["id"], input=values)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "endedAt"}
    assert (await update(api, session["id"]))["endedAt"] == "2025-01-02T00:00:00Z"


async def test_a_session_can_be_created_that_ended_in_the_past(api: Api) -> None:
    made = await api.ask(CREATE, input={"status": "COMPLETED", "endedAt": "2020-01-01T00:00:00Z"})
    assert made["createSession"]["startedAt"] == made["createSession"]["endedAt"] == "2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00.000001Z", "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999998Z"]
)
async def test_extreme_times_are_stored_exactly(api: Api, time: str) -> None:
    values = {"status": "FAILED", "startedAt": time, "endedAt": time}
    made = (await api.ask(CREATE, input=values))["createSession"]
    assert (made["startedAt"], made["endedAt"]) == (time, time)


async def test_external_ids_are_unique_within_a_project(api: Api, other: Api) -> None:
    for project in (api, other):
        await project.ask(CREATE, input={"externalId": "1"})
    assert (await api.error(CREATE, input={"externalId": "1"}))["extensions"] == {
        "code": "CONFLICT",
        "field": "externalId",
    }


async def test_a_tree_deeper_than_the_limit_is_refused(api: Api) -> None:
    parent = await factories.session(api)
    for depth in range(1, MAX_DEPTH + 1):
        parent = await factories.session(api, parent_id=parent.id)
        assert parent.depth == depth
        assert len(parent.ancestor_ids) == depth
    error = await api.error(CREATE, input={"parentId": str(parent.id)})
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "parentId"}


async def test_a_tree_is_deleted_with_everything_it_owns(api: Api, owner: AsyncEngine) -> None:
    agent, user = await factories.agent(api), await factories.user(api)
    empty = await stored(owner, api)
    root = await factories.session(api, agent_id=agent.id, user_id=user.id)
    middle = await factories.session(api, parent_id=root.id, agent_id=agent.id, status="FAILED")
    leaf = await factories.session(api, parent_id=middle.id)
    for session in (root, middle, leaf):
        call = called(call_id="1")
        await factories.say(
            api,
            session.id,
            said(),
            said(role=MessageRole.ASSISTANT, tool_calls=[call]),
            said(role=MessageRole.TOOL, tool_call_id="1"),
        )
    before = await stored(owner, api)
    for session in (root, middle):
        error = await api.error(DELETE, id=str(session.id))
        assert error["extensions"] == {"code": "CONFLICT", "field": "tree"}
    assert await stored(owner, api) == before
    assert (await api.ask(DELETE, id=str(leaf.id)))["deleteSession"]["ids"] == [str(leaf.id)]
    gone = (await api.ask(DELETE, id=str(root.id), tree=True))["deleteSession"]["ids"]
    assert gone == [str(root.id), str(middle.id)]
    after = await stored(owner, api)
    # What was done stays recorded.
    assert after.pop("access_records") != empty.pop("access_records")
    assert after == empty
    assert await untrue(owner, api) == []


async def create_tagged(api: Api, *tags: str) -> str:
    """Create a session with tags and return its id."""
    return str((await factories.session(api, tags=list(tags))).id)


async def test_tags_are_added_and_removed_in_order(api: Api) -> None:
    one, two = await create_tagged(api, "a", "b"), await create_tagged(api)
    added = await api.ask(ADD, ids=[two, one, two], tags=["b", "c", "b"])
    assert added["addSessionTags"] == [{"id": two, "tags": ["b", "c"]}, {"id": one, "tags": ["a", "b", "c"]}]
    removed = await api.ask(REMOVE, ids=[one, two], tags=["b", "nowhere"])
    assert removed["removeSessionTags"] == [{"id": one, "tags": ["a", "c"]}, {"id": two, "tags": ["c"]}]
    removed = await api.ask(REMOVE, ids=[one, two], tags=["a", "c"])
    assert [session["tags"] for session in removed["removeSessionTags"]] == [[], []]


async def test_a_renamed_tag_keeps_its_position_and_is_not_duplicated(api: Api) -> None:
    kept, both, none = (
        await create_tagged(api, "x", "old", "y"),
        await create_tagged(api, "new", "old", "z"),
        await create_tagged(api, "q"),
    )
    renamed = await api.ask(RENAME, **{"from": "old", "to": "new"})
    assert renamed["renameSessionTag"] == {"name": "new", "sessionCount": 2}
    data = await api.ask(
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Session { tags } } }", ids=[kept, both, none]
    )
    assert [node["tags"] for node in data["nodes"]] == [["x", "new", "y"], ["new", "z"], ["q"]]
    renamed = await api.ask(RENAME, **{"from": "old", "to": "new"})
    assert renamed["renameSessionTag"]["sessionCount"] == 0


async def test_tags_of_another_project_do_not_change(api: Api, other: Api) -> None:
    theirs = await create_tagged(other, "old")
    await api.ask(RENAME, **{"from": "old", "to": "new"})
    assert (await api.error(ADD, ids=[theirs], tags=["a"]))["extensions"]["code"] == "NOT_FOUND"
    data = await other.ask("query($id: ID!) { session(id: $id) { tags } }", id=theirs)
    assert data["session"]["tags"] == ["old"]


async def test_too_many_tags_on_one_session_change_no_session(api: Api, owner: AsyncEngine) -> None:
    full, empty = await create_tagged(api, *map(str, range(100))), await create_tagged(api)
    before = await stored(owner, api)
    error = await api.error(ADD, ids=[empty, full], tags=["one more"])
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "tags"}
    assert await stored(owner, api) == before
    assert len((await api.ask(ADD, ids=[full], tags=["1"]))["addSessionTags"][0]["tags"]) == 100


async def test_a_thousand_sessions_can_be_tagged_in_one_write(api: Api) -> None:
    made = await api.run(sessions.create_all, sessions=[{} for _ in range(1_000)])
    ids = [str(session.id) for session in made]
    added = (await api.ask(ADD, ids=ids, tags=["all", "𝄞"]))["addSessionTags"]
    assert [session["id"] for session in added] == ids
    assert all(session["tags"] == ["all", "𝄞"] for session in added)


TEXTS = {
    "title": 1_000, "platform": 255, "provider": 255, "source": 255, "external_id": 255,
}  # fmt: skip


async def test_texts_of_maximum_length_fit_into_all_indexes(api: Api) -> None:
    def long(length: int) -> str:
        # Incompressible, with four bytes per character.
        return "".join(chr(0x10000 + (place * 7919) % 0x10000) for place in range(length))

    session = await factories.session(
        api,
        **{name: long(length) for name, length in TEXTS.items()},
        tags=[long(254) + str(n % 10) for n in range(10)],
    )
    await factories.user(
        api,
        external_id=long(255),
        email=long(320),
        name=long(255),
        phone_number=long(64),
        user_data={long(999): long(9999)},
    )
    agent = await factories.agent(
        api, name=long(255), external_id=long(255), type=long(255), specializations=[long(255)]
    )
    await factories.agent_version(api, agent.id, version_number=long(64))
    call = called(long(255), call_id=long(255))
    await factories.say(
        api,
        session.id,
        said(
            "x" * 3_000_000,
            role=MessageRole.ASSISTANT,
            external_id=long(255),
            media_url=long(2048),
            tool_calls=[call],
        ),
    )
    data = await api.ask("query($id: ID!) { session(id: $id) { title } }", id=str(session.id))
    assert data["session"]["title"] == long(1_000)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE sessions SET quality_score = 1.1", "sessions_quality_score_check"),
        ("UPDATE sessions SET quality_score = 'NaN'", "sessions_quality_score_check"),
        ("UPDATE sessions SET user_satisfaction = -0.1", "sessions_user_satisfaction_check"),
        ("UPDATE sessions SET cost_usd = -1", "sessions_cost_usd_check"),
        ("UPDATE sessions SET status = 'DONE'", "sessions_status_check"),
        ("UPDATE sessions SET status = 'COMPLETED'", "sessions_status_ended_at_check"),
        ("UPDATE sessions SET ended_at = started_at", "sessions_status_ended_at_check"),
        (
            "UPDATE sessions SET status = 'FAILED', ended_at = started_at - interval '1 second'",
            "sessions_ended_at_check",
        ),
        ("UPDATE sessions SET parent_id = id", "sessions_parent_check"),
        ("UPDATE sessions SET depth = 1", "sessions_depth_check"),
        ("UPDATE sessions SET message_count = -1", "sessions_message_count_check"),
        (
            "UPDATE sessions SET agent_id = NULL WHERE agent_version_id IS NOT NULL",
            "sessions_agent_version_check",
        ),
        ("UPDATE sessions SET user_id = id", "sessions_user_id_fkey"),
        ("DELETE FROM sessions WHERE id = root_id", "sessions_parent_id_fkey"),
        ("UPDATE messages SET sequence = 1", "messages_project_id_session_id_sequence_key"),
        ("UPDATE messages SET sequence = sequence - 1", "messages_sequence_check"),
        ("UPDATE messages SET role = 'user'", "messages_role_check"),
        ("UPDATE messages SET token_count = -1", "messages_token_count_check"),
        ("UPDATE messages SET external_id = 'same'", "messages_project_id_external_id_key"),
        ("UPDATE tool_calls SET status = 'DONE'", "tool_calls_status_check"),
        ("UPDATE tool_calls SET error = 'x'", "tool_calls_settled_check"),
        ("UPDATE tool_calls SET status = 'FAILED'", "tool_calls_settled_check"),
        ("UPDATE tool_calls SET duration_ms = -1", "tool_calls_duration_ms_check"),
        ("UPDATE agents SET temperature = 101", "agents_temperature_check"),
        ("UPDATE agents SET total_sessions = -1", "agents_total_sessions_check"),
        ("UPDATE agents SET name = 'same'", "agents_project_id_name_key"),
        ("UPDATE teams SET name = 'same'", "teams_project_id_name_key"),
        (
            "UPDATE users SET email = CASE WHEN name = 'A' THEN 'a@b' ELSE 'A@B' END",
            "users_project_id_email_key",
        ),
        ("UPDATE agent_versions SET is_active = true", "agent_versions_one_active_key"),
        (
            "UPDATE agent_versions SET version_number = '1'",
            "agent_versions_project_id_agent_id_version_number_key",
        ),
        ("UPDATE api_keys SET scopes = '{}'", "api_keys_scopes_check"),
        ("UPDATE api_keys SET scopes = '{ROOT}'", "api_keys_scopes_check"),
        ("UPDATE messages SET project_id = :other", "messages_session_id_fkey"),
        ("UPDATE sessions SET parent_id = :theirs WHERE parent_id IS NOT NULL", "sessions_parent_"),
    ],
)
async def test_constraints_refuse_inconsistent_rows(
    api: Api, other: Api, owner: AsyncEngine, statement: str, constraint: str
) -> None:
    for name in "AB":
        await factories.user(api, name=name)
        await factories.team(api)
    agent = await factories.agent(api)
    await factories.agent(api)
    await factories.agent_version(api, agent.id, activate=True)
    await factories.agent_version(api, agent.id)
    theirs = await factories.session(other)
    root = await factories.session(api, agent_id=agent.id)
    await factories.session(api, parent_id=root.id)
    await factories.say(api, root.id, said(), said(role=MessageRole.ASSISTANT, tool_calls=[called()]))
    await api.ask('mutation { createApiKey(input: {name: "K", scopes: [READ]}) { secret } }')
    where = "AND" if "WHERE" in statement else "WHERE"
    async with owner.connect() as connection:
        with pytest.raises(Exception, match=f'"{constraint}') as refused:
            await connection.execute(
                text(f"{statement} {where} project_id = :mine"),
                {"mine": api.project_id}
                | ({"other": other.project_id} if ":other" in statement else {})
                | ({"theirs": theirs.id} if ":theirs" in statement else {}),
            )
        await connection.rollback()
    assert "IntegrityError" in type(refused.value).__name__
