"""Conversations in the chat-completions format become sessions, messages and tool calls."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import pytest
from sqlalchemy import text

from agentdata.administration import acting_in, create_project
from agentdata.importers.chat import Import
from agentdata.importers.conversation import FIELDS, MESSAGE_KEYS, Options, read_options
from agentdata.importers.writing import Report
from agentdata.operations import api_keys, sessions, users
from tests import commands
from tests.api import traffic

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls
    from tests.api import Api

TAU_BENCH = Path(__file__).parents[3] / "shared/data/tau-bench/gpt-4o-airline.json"

SESSIONS = """
{
  sessions(first: 200, orderBy: [{field: STARTED_AT, direction: ASC}]) {
    nodes {
      externalId title status tags qualityScore metadata startedAt endedAt lastActivityAt messageCount
      agent { name } user { externalId email name } platform
      messages(first: 100) { nodes {
        sequence role content parts model promptTokens completionTokens latencyMs createdAt externalId
        metadata
        toolCalls(first: 10) { nodes { callId name arguments result error status } }
        toolCall { callId name }
      } }
    }
  }
}
"""


class Done(NamedTuple):
    """The report of an import, its warnings and its failures."""

    report: Report
    warnings: list[tuple[str, str]]
    bad: list[tuple[str, str]]


async def imported(
    api: Api, content: object, options: Options | None = None, name: str = "chats.json"
) -> Done:
    """Import the content of a file."""
    done = Done(Report(), [], [])
    importing = Import(
        api.database,
        api.project_id,
        options or Options(),
        done.report,
        lambda *what: done.warnings.append(what),
        lambda *what: done.bad.append(what),
    )
    data = content if isinstance(content, str) else json.dumps(content)
    await importing.file(io.BytesIO(data.encode()), name)
    return done


async def all_sessions(api: Api) -> list[dict[str, Any]]:
    return (await api.ask(SESSIONS))["sessions"]["nodes"]  # type: ignore[no-any-return]  # JSON


async def session(api: Api, record: object, **options: Any) -> dict[str, Any]:
    """Import one conversation without warnings, and return its session."""
    done = await imported(api, [record], Options(**options))
    assert (done.warnings, done.bad) == ([], [])
    [found] = await all_sessions(api)
    found["messages"] = found["messages"]["nodes"]
    for message in found["messages"]:
        message["toolCalls"] = message["toolCalls"]["nodes"]
    return found


def said(*messages: object) -> dict[str, Any]:
    return {"messages": list(messages)}


PARTS = [{"type": "text", "text": "What is"}, {"type": "image_url"}, {"type": "text", "text": "this?"}]
HELLO = {"role": "user", "content": "Hello"}


async def test_messages(api: Api) -> None:
    found = await session(
        api,
        said(
            {"role": "system", "content": "Be kind."},
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": PARTS},
            {
                "role": "assistant", "content": "A cat.", "model": "m-1", "id": "msg_1",
                "created": 1767225600,
                "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}, "latency_ms": 20,
                "refusal": None, "metadata": {"seed": 7},
            },
            {"role": "user", "content": None, "name": "ann"},
        ),
    )  # fmt: skip
    system, developer, user, assistant, last = found["messages"]
    assert [message["role"] for message in found["messages"]] == [
        "SYSTEM",
        "DEVELOPER",
        "USER",
        "ASSISTANT",
        "USER",
    ]
    assert [message["sequence"] for message in found["messages"]] == [1, 2, 3, 4, 5]
    assert (system["content"], developer["content"]) == ("Be kind.", "Be brief.")
    assert (user["content"], user["parts"]) == ("What is\nthis?", PARTS)
    assert (assistant["model"], assistant["externalId"], assistant["latencyMs"]) == ("m-1", "msg_1", 20)
    assert (assistant["promptTokens"], assistant["completionTokens"]) == (10, 3)
    assert assistant["createdAt"] == "2026-01-01T00:00:00Z"
    assert assistant["metadata"] == {"usage": {"total_tokens": 13}, "refusal": None, "seed": 7}
    assert (last["content"], last["metadata"]) == (None, {"name": "ann"})
    assert found["status"] == "COMPLETED"


async def test_answers_are_linked_to_earlier_calls(api: Api) -> None:
    def asks(*calls: tuple[str, str]) -> dict[str, Any]:
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": id_, "type": "function", "function": {"name": name, "arguments": '{"n": 1}'}}
                for id_, name in calls
            ],
        }

    def answers(id_: str, content: str) -> dict[str, Any]:
        return {"role": "tool", "tool_call_id": id_, "name": "f", "content": content}

    found = await session(
        api,
        said(
            asks(("a", "f"), ("b", "f")), answers("b", "second"), answers("a", '{"first": true}\n'),
            asks(("a", "f")), answers("a", "again"), asks(("c", "f")),
        ),
    )  # fmt: skip
    calls = [
        (c["callId"], c["result"], c["status"], c["arguments"])
        for message in found["messages"]
        for c in message["toolCalls"]
    ]
    assert calls == [
        ("a", {"first": True}, "SUCCEEDED", {"n": 1}),
        ("b", "second", "SUCCEEDED", {"n": 1}),
        ("a", "again", "SUCCEEDED", {"n": 1}),
        ("c", None, "PENDING", {"n": 1}),
    ]
    assert [m["toolCall"] and m["toolCall"]["callId"] for m in found["messages"]] == [
        None,
        "b",
        "a",
        None,
        "a",
        None,
    ]
    assert found["messages"][1]["metadata"] == {}


async def test_function_call_answers_are_linked_by_name(api: Api) -> None:
    found = await session(
        api,
        said(
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "assistant", "function_call": {"name": "g", "arguments": "x = 1"}},
            {"role": "function", "name": "f", "content": "from f"},
            {"role": "function", "name": "g", "content": "from g"},
        ),
    )
    calls = [call for message in found["messages"] for call in message["toolCalls"]]
    assert [(c["name"], c["arguments"], c["result"]) for c in calls] == [
        ("f", {}, "from f"),
        ("g", "x = 1", "from g"),
    ]
    assert [m["toolCall"] and m["toolCall"]["name"] for m in found["messages"]] == [None, None, "f", "g"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('{"a": 1}', {"a": 1}),
        ("[1]", [1]),
        ('\n{"a": 1}\r\n', {"a": 1}),
        ('{"a": ', '{"a": '),
        ("", ""),
        ("null", {}),
        ('{"a": "\\u0000"}', '{"a": "\\u0000"}'),
        ('{"a": 123456789012345678901234567890}', '{"a": 123456789012345678901234567890}'),
        ("NaN", "NaN"),
        ({"a": 1}, {"a": 1}),
        (None, {}),
    ],
)
async def test_arguments_are_stored_as_json_if_they_are_json(api: Api, given: object, kept: object) -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": given}}
    found = await session(api, said({"role": "assistant", "tool_calls": [call]}))
    assert found["messages"][0]["toolCalls"][0]["arguments"] == kept


@pytest.mark.parametrize("written", [True, False])
async def test_arguments_and_parts_keep_the_order_of_their_keys(api: Api, written: bool) -> None:  # noqa: FBT001  # of a parameter
    came = {"type": "text", "b": {"z": 1.0, "aa": [{"y": 1, "x": 2}]}, "a": None}
    arguments = json.dumps(came) if written else came
    call = {"id": "1", "function": {"name": "f", "arguments": arguments}}
    found = await session(
        api,
        said(
            {"role": "user", "content": [came]},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": json.dumps(came)},
        ),
    )
    [told] = found["messages"][1]["toolCalls"]
    kept = [found["messages"][0]["parts"], told["arguments"], told["result"]]
    assert json.dumps(kept) == json.dumps([[came], came, came])


async def test_unknown_keys_of_a_call_are_kept_in_the_metadata(api: Api) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}, "score": 3}
    found = await session(api, said({"role": "assistant", "tool_calls": [call]}))
    assert found["messages"][0]["metadata"] == {"tool_calls": [call]}


async def test_an_answer_without_a_call_is_imported_with_a_warning(api: Api) -> None:
    done = await imported(api, [said(HELLO, {"role": "tool", "tool_call_id": "x", "content": "42"})])
    [(place, warning)] = done.warnings
    assert (place, done.report.messages, done.bad) == ("chats.json[0]", 2, [])
    assert "messages.1 answers the call 'x', but no earlier message has such a call" in warning
    [found] = await all_sessions(api)
    orphan = found["messages"]["nodes"][1]
    assert (orphan["role"], orphan["metadata"], orphan["toolCall"]) == ("TOOL", {"tool_call_id": "x"}, None)


async def test_sharegpt_messages_are_read(api: Api) -> None:
    found = await session(
        api,
        {"id": "s1", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
    )
    assert [(m["role"], m["content"]) for m in found["messages"]] == [("USER", "Hi"), ("ASSISTANT", "Hello")]


@pytest.mark.parametrize(
    "key",
    ["messages", "traj", "trajectory", "history", "conversation", "conversations", "chat", "turns", "dialog"],
)
async def test_messages_are_found_under_common_keys(api: Api, key: str) -> None:
    found = await session(api, {key: [HELLO], "seed": 1, "note": None})
    assert (found["messageCount"], found["metadata"]) == (1, {"seed": 1, "note": None})


@pytest.mark.parametrize(
    "content",
    [
        [HELLO, HELLO],
        [[HELLO], [HELLO]],
        {"conversations": [{"messages": [HELLO]}, [HELLO]]},
        {"data": [{"turns": [HELLO]}]},
        f"{json.dumps([HELLO])}\n{json.dumps(said(HELLO))}\n",
    ],
)
async def test_conversations_are_found_in_files_of_different_shapes(api: Api, content: object) -> None:
    done = await imported(api, content)
    assert done.bad == []
    assert {s["messages"]["nodes"][0]["content"] for s in await all_sessions(api)} == {"Hello"}


async def test_fields_are_found_under_common_keys(api: Api) -> None:
    found = await session(
        api,
        said(HELLO, {"role": "assistant", "content": "Hi"})
        | {
            "session_id": 17, "Title": "Greeting", "agent_name": "greeter", "model": "m-2", "user_id": "u-1",
            "email": "Ann@example.com", "labels": ["a", "b", "a"], "reward": 1,
            "createdAt": "2026-01-01T10:00:00+02:00",
            "ended_at": 1767258000000, "metadata": {"seed": 1}, "extra": [1],
        },
    )  # fmt: skip
    assert (found["externalId"], found["title"], found["agent"]) == ("17", "Greeting", {"name": "greeter"})
    assert found["user"] == {"externalId": "u-1", "email": "Ann@example.com", "name": None}
    assert (found["tags"], found["qualityScore"], found["status"]) == (["a", "b"], 1.0, "COMPLETED")
    assert (found["startedAt"], found["endedAt"]) == ("2026-01-01T08:00:00Z", "2026-01-01T09:00:00Z")
    assert found["metadata"] == {"seed": 1, "extra": [1]}
    assert [m["model"] for m in found["messages"]] == [None, "m-2"]
    # Without times of their own, messages are as old as their session.
    assert {m["createdAt"] for m in found["messages"]} == {"2026-01-01T08:00:00Z"}
    assert found["lastActivityAt"] == "2026-01-01T09:00:00Z"


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ({"reward": 7}, "reward is not a number from 0 to 1"),
        ({"score": -0.1}, "score is not a number from 0 to 1"),
        ({"tags": {"a": 1}}, "tags is not a list of texts"),
        ({"title": ["x"]}, "title is not a text"),
        ({"created_at": "yesterday"}, "created_at is not a time"),
        ({"timestamp": 12.5}, "timestamp is not a time"),
        ({"id": "x" * 256}, "id has 256 characters"),
        ({"user": {"plan": "pro"}}, "user has neither an id nor an email"),
    ],
)
async def test_unusable_values_are_kept_in_the_metadata_with_a_warning(
    api: Api, keys: dict[str, Any], warned: str
) -> None:
    done = await imported(api, [said(HELLO) | keys])
    [(_, warning)] = done.warnings
    assert warned in warning
    [found] = await all_sessions(api)
    assert (found["metadata"], found["qualityScore"]) == (keys, None)


@pytest.mark.parametrize("cost", [1e-12, 0.1, 33.333333333333336, 999_999_999])
async def test_a_cost_is_imported_as_it_is(api: Api, cost: float) -> None:
    done = await imported(api, [said(HELLO) | {"cost": cost}], Options(keys={"costUsd": "cost"}))
    data = await api.ask("{ sessions { nodes { costUsd } } }")
    assert (done.warnings, data) == ([], {"sessions": {"nodes": [{"costUsd": cost}]}})


@pytest.mark.parametrize("cost", [-1e-9, 999_999_999.1, 1e308, 2**63 - 1, "1", True])
async def test_a_wrong_cost_is_kept_in_the_metadata(api: Api, cost: object) -> None:
    done = await imported(api, [said(HELLO) | {"cost": cost}], Options(keys={"costUsd": "cost"}))
    [(_, warning)] = done.warnings
    assert "cost is not a number from 0 to 999999999" in warning
    data = await api.ask("{ sessions { nodes { costUsd metadata } } }")
    assert data == {"sessions": {"nodes": [{"costUsd": None, "metadata": {"cost": cost}}]}}


async def test_an_end_before_the_start_is_kept_in_the_metadata(api: Api) -> None:
    done = await imported(api, [said(HELLO) | {"started_at": "2026-01-02", "ended_at": "2026-01-01"}])
    assert "before it began" in done.warnings[0][1]
    [found] = await all_sessions(api)
    assert (found["endedAt"], found["metadata"]) == (
        "2026-01-02T00:00:00Z",
        {"ended_at": "2026-01-01T00:00:00+00:00"},
    )


async def test_map_and_options_override_the_usual_keys(api: Api) -> None:
    options = read_options(
        "chosen", ["red", "blue"],
        ["user=info.customer.mail", "id=run.key", "messages=log.entries", "quality_score=", "platform=app"],
    )  # fmt: skip
    record = {
        "log": {"entries": [HELLO], "level": 1},
        "run": {"key": "r-1"},
        "info": {"customer": {"mail": "bo@example.com", "vip": True}},
        "user": "somebody",
        "agent": "theirs",
        "score": 0.5,
        "app": "ios",
        "tags": "green, red",
    }
    await imported(api, [record], options)
    [found] = await all_sessions(api)
    assert (found["externalId"], found["user"]["email"], found["platform"]) == (
        "r-1",
        "bo@example.com",
        "ios",
    )
    assert (found["agent"], found["tags"]) == ({"name": "chosen"}, ["green", "red", "blue"])
    assert found["metadata"] == {
        "log": {"level": 1}, "info": {"customer": {"vip": True}}, "user": "somebody",
        "agent": "theirs", "score": 0.5,
    }  # fmt: skip


async def test_existing_users_and_agents_are_reused(api: Api) -> None:
    await api.run(users.create, values={"external_id": "u-1", "email": "Ann@example.com", "name": "Ann"})
    records = [
        said(HELLO) | {"user_id": "u-1", "n": 1},
        said(HELLO) | {"email": "ann@EXAMPLE.com", "n": 2},
        said(HELLO) | {"user": {"id": "u-2", "email": "bo@example.com", "name": "Bo"}, "n": 3},
        said(HELLO) | {"user": "bo@example.com", "n": 4},
        said(HELLO) | {"n": 5},
    ]
    done = await imported(api, records, name="folder/helpers.v2.jsonl.json")
    assert (done.report.users, done.report.agents) == (1, 1)
    found = {s["metadata"]["n"]: s for s in await all_sessions(api)}
    assert {s["agent"]["name"] for s in found.values()} == {"helpers.v2.jsonl"}
    assert [found[n]["user"] and found[n]["user"]["name"] for n in (1, 2, 3, 4, 5)] == [
        "Ann",
        "Ann",
        "Bo",
        "Bo",
        None,
    ]
    again = await imported(api, [said(HELLO) | {"n": 6, "user": "u-2"}], name="helpers.v2.jsonl.json")
    assert (again.report.users, again.report.agents) == (0, 0)


async def test_importing_again_changes_nothing(api: Api) -> None:
    records = [said(HELLO) | {"id": "own"}, [HELLO], said({"role": "user", "content": "Other", "id": "m"})]
    first = await imported(api, records)
    before = await all_sessions(api)
    again = await imported(api, records)
    assert (first.report.sessions, again.report.sessions, again.report.skipped) == (3, 0, 3)
    assert (again.report.messages, again.warnings) == (0, [])
    assert await all_sessions(api) == before


async def test_a_conversation_whose_id_is_taken_is_skipped_with_a_warning(api: Api) -> None:
    done = await imported(api, [said(HELLO) | {"id": 1}, said(HELLO, HELLO) | {"id": 1}])
    assert (done.report.sessions, done.report.skipped) == (1, 1)
    [(place, warning)] = done.warnings
    assert place == "chats.json[1]"
    assert "'1' is already stored with 1 messages instead of 2" in warning
    assert "--map externalId=KEY" in warning


async def test_message_ids_that_are_taken_are_kept_in_the_metadata(api: Api) -> None:
    records = [said({"role": "user", "content": str(n), "id": "same"}) for n in range(3)]
    done = await imported(api, records[:2])
    done_later = await imported(api, records[2:], name="later.json")
    assert [place for place, _ in done.warnings + done_later.warnings] == ["chats.json[1]", "later.json[0]"]
    found = [s["messages"]["nodes"][0] for s in await all_sessions(api)]
    assert sorted((m["content"], m["externalId"], m["metadata"].get("id")) for m in found) == [
        ("0", "same", None),
        ("1", None, "same"),
        ("2", None, "same"),
    ]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (said("Hello"), "holds no messages"),
        ({"text": "Hello"}, "holds no messages"),
        (7, "holds no messages"),
        (None, "holds no messages"),
        ([], "holds no messages"),
        (said(HELLO, "Hello"), "messages.1 is not an object"),
        (said(HELLO, {"role": "critic"}), "messages.1 has an unknown role: 'critic'"),
        (said(HELLO, {"role": 5}), "messages.1 has an unknown role: '5'"),
        (
            said({"role": "assistant", "tool_calls": [{"id": "1"}]}),
            "messages.0 has a call without a function name in tool_calls.0",
        ),
        (said({"role": "assistant", "tool_calls": "f()"}), "messages.0 has tool_calls that are not a list"),
        (said({"role": "user", "content": "a\0b"}), "messages.0.content contains a NUL character"),
        (said(HELLO) | {"note": "\0"}, "metadata contains a NUL character"),
        (said(HELLO) | {"note": "\ud800"}, "not UTF-8"),
        (said(HELLO) | {"note": 2**70}, "cannot be stored: Integer exceeds 64-bit range"),
        (said(HELLO) | {"note": float("nan")}, "not finite"),
        (
            said({"role": "assistant", "tool_calls": [{"function": {"name": "x" * 256}}]}),
            "name has 256 characters",
        ),
    ],
)
async def test_a_bad_record_is_reported_and_the_others_are_imported(
    api: Api, record: object, reason: str
) -> None:
    done = await imported(api, [said(HELLO) | {"n": 1}, record, said(HELLO) | {"n": 2}])
    [(place, why)] = done.bad
    assert place == "chats.json[1]"
    assert reason in why
    assert (done.report.read, done.report.sessions, done.report.bad) == (3, 2, 1)
    assert len(await all_sessions(api)) == 2


async def test_a_conversation_without_messages_is_imported(api: Api) -> None:
    assert (await session(api, {"id": "empty", "messages": []}))["messageCount"] == 0


async def test_concurrent_imports_write_each_conversation_once(api: Api) -> None:
    records = [
        said(HELLO, {"role": "user", "content": str(n)}) | {"n": n, "user": f"u{n % 50}"}
        for n in range(1_200)
    ]
    one, two = await asyncio.gather(imported(api, records), imported(api, records))
    assert one.report.sessions + two.report.sessions == 1_200
    assert one.report.skipped + two.report.skipped == 1_200
    assert one.bad + two.bad == []
    counted = await api.ask(
        "{ sessions { totalCount } messages { totalCount } users { totalCount } agents { totalCount } }"
    )
    assert {noun: page["totalCount"] for noun, page in counted.items()} == {
        "sessions": 1_200, "messages": 2_400, "users": 50, "agents": 1,
    }  # fmt: skip


async def test_a_session_that_a_client_created_is_not_changed(api: Api) -> None:
    await api.run(sessions.create, values={"external_id": "own", "title": "Mine"})
    done = await imported(api, [{"id": "own", "messages": [], "title": "Theirs"}])
    assert (done.report.skipped, [s["title"] for s in await all_sessions(api)]) == (1, ["Mine"])


async def test_the_number_of_statements_does_not_depend_on_the_number_of_conversations(api: Api) -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": "{}"}}
    answer = {"role": "tool", "tool_call_id": "1", "content": "done"}
    counts = []
    for size in (10, 100):
        records = [
            said(HELLO, {"role": "assistant", "tool_calls": [call]}, answer)
            | {"n": n, "size": size, "user": f"{size}-{n}"}
            for n in range(size)
        ]
        with traffic(api.database) as seen:
            await imported(api, records, Options(agent=str(size)))
        # A new connection also reads the types that it meets from the catalog.
        counts.append(sum("pg_catalog" not in statement for statement in seen.statements))
    assert counts[0] == counts[1] < 20


@pytest.mark.skipif(not TAU_BENCH.exists(), reason="the tau-bench trajectories are not beside this checkout")
async def test_tau_bench_trajectories_are_imported(api: Api) -> None:
    done = await imported(api, TAU_BENCH.read_text(), name=str(TAU_BENCH))
    assert (done.warnings, done.bad) == ([], [])
    report = done.report
    assert (report.sessions, report.messages, report.tool_calls, report.answered) == (
        200,
        5_308,
        1_164,
        1_164,
    )
    counted = await api.ask(
        """{
          agents { nodes { name totalSessions successRate } }
          done: sessions(filter: {qualityScore: {eq: 1}}) { totalCount }
          failed: sessions(filter: {qualityScore: {eq: 0}}) { totalCount }
          completed: sessions(filter: {status: {in: [COMPLETED]}}) { totalCount }
          messages { totalCount }
          calls: toolCalls { totalCount }
          settled: toolCalls(filter: {status: {in: [SUCCEEDED]}}) { totalCount }
          users { totalCount }
        }"""
    )
    assert counted.pop("agents")["nodes"] == [
        {"name": "gpt-4o-airline", "totalSessions": 200, "successRate": 1}
    ]
    assert {name: page["totalCount"] for name, page in counted.items()} == {
        "done": 84, "failed": 116, "completed": 200, "messages": 5_308, "calls": 1_164, "settled": 1_164,
        "users": 34,
    }  # fmt: skip
    for found in await all_sessions(api):
        assert found["user"]["externalId"]
        assert found["metadata"].keys() == {"task_id", "trial", "info"}
        assert "user_id" not in found["metadata"]["info"]["task"]
        assert len(found["messages"]["nodes"]) == found["messageCount"]
        for message in found["messages"]["nodes"]:
            assert (message["toolCall"] is not None) == (message["role"] == "TOOL")
    again = await imported(api, TAU_BENCH.read_text(), name=str(TAU_BENCH))
    assert (again.report.sessions, again.report.skipped, again.warnings) == (0, 200, [])


class Project(NamedTuple):
    """A project and the environment of commands; without a slug, commands use the project of their key."""

    slug: str
    environment: dict[str, str]

    def words(self, *arguments: object) -> list[str]:
        """Return the arguments of an import into the project."""
        return ["import", "chat", *(["--project", self.slug] if self.slug else []), *map(str, arguments)]

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run an import into the project."""
        return commands.run(self.environment, self.words(*arguments), timeout=120)


@pytest.fixture
async def project(database_urls: DatabaseUrls) -> Project:
    """Create a project for the test."""
    slug = f"test-{uuid4().hex}"
    await create_project(database_urls.owner, "Test", slug)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTDATA_")}
    urls = {"DATABASE_URL": database_urls.request, "AGENTDATA_MIGRATION_DATABASE_URL": database_urls.owner}
    return Project(slug, kept | urls)


async def test_the_command_prints_a_summary_and_fails_if_a_record_is_bad(
    project: Project, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text(json.dumps(said(HELLO) | {"reward": 3}) + "\n")
    bad.write_text("{\n" + json.dumps(said(HELLO, HELLO)) + "\n")
    done = project.run(good, "--agent", "helper", "--tag", "new", "--map", "title=name")
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        f"warning: {good}:1: reward is not a number from 0 to 1, so it is not used as qualityScore;"
        " it is kept in the metadata\n"
    )
    assert "Read      1 conversation in " in done.stdout
    assert "Written   1 session, 1 message, 0 tool calls (0 answered), 1 agent, 0 users\n" in done.stdout
    both = project.run(good, bad)
    assert both.returncode == 1
    assert both.stderr.startswith(f"bad: {bad}:1: not JSON: ")
    assert "Skipped   1 conversation" in both.stdout
    assert "Bad       1 record" in both.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-file.json"], "cannot read no-such-file.json: No such file or directory"),
        (["/"], "cannot read /: Is a directory"),
        (
            [__file__, "--map", "colour=x"],
            "--map takes FIELD=KEY, not 'colour=x'; the fields are messages, externalId",
        ),
        ([__file__, "--tag", " "], "--tag is blank"),
        ([__file__, "--project", "none"], "there is no project 'none'"),
    ],
)
async def test_wrong_arguments_are_refused_in_one_line(
    project: Project, arguments: list[str], said: str
) -> None:
    done = project.run(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


async def test_without_a_project_the_command_uses_the_project_of_the_key(
    project: Project, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    file = tmp_path / "chats.jsonl"
    file.write_text(json.dumps(said(HELLO)) + "\n")
    async with acting_in(database_urls.owner, project.slug) as write:
        _, writer = await api_keys.create(write, "Writer", ["WRITE"])
        _, reader = await api_keys.create(write, "Reader", ["READ"])

    def run(secret: str) -> subprocess.CompletedProcess[str]:
        return project._replace(slug="", environment=project.environment | {"AGENTDATA_API_KEY": secret}).run(
            file
        )

    refused = run(reader)
    assert refused.returncode == 1
    assert "AGENTDATA_API_KEY: this needs an API key with the scope WRITE; " in refused.stderr
    done = run(writer)
    assert done.returncode == 0, done.stderr
    assert "Written   1 session" in done.stdout
    assert "Skipped   1 conversation" in project.run(file).stdout


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
async def test_an_interrupted_import_is_completed_by_running_it_again(
    project: Project, owner: AsyncEngine, tmp_path: Path, how: signal.Signals
) -> None:
    total = 3_000
    file = tmp_path / "many.jsonl"
    file.write_text("".join(json.dumps(said(HELLO, HELLO) | {"n": n}) + "\n" for n in range(total)))

    async def written() -> tuple[int, int, int]:
        counts = text(
            "SELECT count(*), coalesce(sum(message_count), 0),"
            " (SELECT count(*) FROM messages m WHERE m.project_id = p.id)"
            " FROM projects p JOIN sessions s ON s.project_id = p.id WHERE slug = :slug GROUP BY p.id"
        )
        async with owner.connect() as connection:
            row = (await connection.execute(counts, {"slug": project.slug})).first()
        return (row[0], row[1], row[2]) if row else (0, 0, 0)

    with subprocess.Popen(  # noqa: ASYNC220, S603 a command of ours, which the test waits for
        [sys.executable, "-m", "agentdata", *project.words(file)],
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while (await written())[0] == 0:
            assert process.poll() is None
            await asyncio.sleep(0.01)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "interrupted; run the same command again" in errors
    some, counted, there = await written()
    assert 0 < some < total
    assert counted == there == 2 * some
    done = project.run(file)
    assert f"Skipped   {some:,} conversations" in done.stdout
    assert await written() == (total, 2 * total, 2 * total)


def test_every_field_and_key_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/importing.md").read_text()
    named = {"messages", *MESSAGE_KEYS, *FIELDS, *(key for field in FIELDS.values() for key in field.keys)}
    assert [name for name in named if f"`{name}`" not in page] == []
