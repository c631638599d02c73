"""The shapes that are measured: each as a document of this contract, and of PostGraphile's schema if it can.

Plain Strawberry has the same contract, and the hand-written handlers take the same variables. Aliases and the
few rules of `normalize` give PostGraphile's answers the same form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer
from uuid_utils import uuid7

from benchmarks import dataset
from benchmarks.dashboards import DASHBOARD
from benchmarks.shape import Shape

if TYPE_CHECKING:
    from benchmarks.dataset import Size


@dataclass(frozen=True)
class Write:
    """A write that appends messages; each client writes to a session of its own."""

    name: str
    about: str
    document: str
    postgraphile: str
    messages: int

    def variables(self, session: str) -> dict[str, Any]:
        """Return the variables of the next request."""
        return {"session": session, "messages": [_message(place) for place in range(self.messages)]}

    def postgraphile_variables(self, session: str, place: int) -> dict[str, Any]:
        """Return PostGraphile's variables: the client makes the ids, and createMessage needs a sequence."""
        if self.messages > 1:
            given = [{"id": str(uuid7()), **_message(place)} for place in range(self.messages)]
            return {"project": str(dataset.PROJECT), "session": session, "messages": given}
        own = {
            "projectId": str(dataset.PROJECT),
            "rowId": str(uuid7()),
            "sessionId": session,
            "sequence": place,
        }
        return {"message": own | _message(0)}


def _message(place: int) -> dict[str, Any]:
    role = ("USER", "ASSISTANT")[place % 2]
    content = (
        "The order left the warehouse this morning and will arrive within two working days. Please check"
        " whether the invoice of last month was paid."
    )
    return {"role": role, "content": content, "metadata": {"channel": "web", "turn": place}}


def _nothing(_size: Size) -> dict[str, Any]:
    return {}


def _long(size: Size) -> dict[str, Any]:
    return {"id": dataset.session_id(size, size.long)}


def _tree(size: Size) -> dict[str, Any]:
    return {"id": dataset.session_id(size, size.tree)}


def _range(size: Size) -> dict[str, Any]:
    last = size.sessions - 1_000
    return {
        "from": size.started_at(last - dataset.PAGE_RANGE).isoformat(),
        "to": size.started_at(last).isoformat(),
        "tags": ["topic-3"],
        "metadata": {"region": "eu"},
    }


def _year(size: Size) -> dict[str, Any]:
    return {
        "id": dataset.agent_id(size, 0),
        "type": dataset.METRIC_TYPE,
        "from": dataset.BEGIN.isoformat(),
        "to": (dataset.BEGIN + dataset.SPAN).isoformat(),
    }


_MESSAGE = (
    "sequence role content model tokenCount promptTokens completionTokens latencyMs flagged createdAt"
    " metadata"
)
_WIDE = "sequence role content tokenCount createdAt metadata"
_MEMORY = (
    "name content data memoryType importance confidence verificationStatus topics accessCount lastAccessedAt"
    " createdAt"
)
_ACCESS = "accessType accessedBy accessorType context usefulness createdAt"
_ANNOTATION = "annotationType content isApplied appliedAt createdAt"
_RELATED = "name content memoryType importance createdAt"
_SESSION = "title status tags startedAt endedAt messageCount metadata"
_WRITTEN = "sequence role content createdAt"
_BUCKET = "start count sum mean min max p50 p95 p99"
_TOTALS = "sessionCount maxDepth messageCount promptTokens completionTokens costUsd errorCount durationMs"

CORE = [
    Shape(
        "point",
        "one session by id",
        f"query Point($id: ID!) {{ session(id: $id) {{ id {_SESSION} }} }}",
        "query Point($id: UUID!, $project: UUID!) {"
        " session: sessionByProjectIdAndRowId(projectId: $project, rowId: $id)"
        f" {{ id: rowId {_SESSION} }} }}",
        _long,
    ),
    Shape(
        "inbox",
        "the 50 latest sessions with user, agent, last message and counts",
        """query Inbox {
  sessions(first: 50, orderBy: [{field: LAST_ACTIVITY_AT, direction: DESC}]) { nodes {
    id title status tags lastActivityAt messageCount interactionCount
    user { id name email } agent { id name model } lastMessage { id sequence role content createdAt }
  } }
}""",
        """query Inbox($project: UUID!) {
  sessions: allSessions(first: 50, orderBy: LAST_ACTIVITY_AT_DESC, condition: {projectId: $project}) { nodes {
    id: rowId title status tags lastActivityAt messageCount interactionCount
    user: userByProjectIdAndUserId { id: rowId name email }
    agent: agentByProjectIdAndAgentId { id: rowId name model }
    lastMessage: messagesByProjectIdAndSessionId(first: 1, orderBy: SEQUENCE_DESC) {
      nodes { id: rowId sequence role content createdAt }
    }
  } }
}""",
        _nothing,
    ),
    Shape(
        "transcript",
        "a session with 200 messages and their tool calls",
        f"""query Transcript($id: ID!) {{
  session(id: $id) {{
    id {_SESSION} user {{ id name }} agent {{ id name }}
    messages(first: 200) {{ nodes {{
      id {_MESSAGE}
      toolCalls {{ nodes {{ id callId name arguments result error status durationMs }} }}
    }} }}
  }}
}}""",
        f"""query Transcript($id: UUID!, $project: UUID!) {{
  session: sessionByProjectIdAndRowId(projectId: $project, rowId: $id) {{
    id: rowId {_SESSION}
    user: userByProjectIdAndUserId {{ id: rowId name }} agent: agentByProjectIdAndAgentId {{ id: rowId name }}
    messages: messagesByProjectIdAndSessionId(first: 200, orderBy: SEQUENCE_ASC) {{ nodes {{
      id: rowId {_MESSAGE}
      toolCalls: toolCallsByProjectIdAndMessageId(first: 50, orderBy: POSITION_ASC) {{
        nodes {{ id: rowId callId name arguments result error status durationMs }}
      }}
    }} }}
  }}
}}""",
        _long,
    ),
    Shape(
        "tree",
        "a session tree of 200 nodes with the totals of each",
        f"""query Tree($id: ID!) {{
  session(id: $id) {{
    id title status depth startedAt messageCount tree {{ {_TOTALS} }}
    descendants(first: 199) {{
      nodes {{ id title status depth parent {{ id }} startedAt messageCount tree {{ {_TOTALS} }} }}
    }}
  }}
}}""",
        """query Tree($id: UUID!, $project: UUID!) {
  nodes: postgraphileSessionTreeNodes(project: $project, root: $id) { nodes {
    id title status depth parentId startedAt messageCount treeSessionCount treeMaxDepth treeMessageCount
    treePromptTokens treeCompletionTokens treeCostUsd treeErrorCount treeDurationMs
  } }
}""",
        _tree,
    ),
    Shape(
        "overview",
        "20 agents, the active version, 10 sessions and 5 messages of each",
        """query Overview {
  agents(first: 20, orderBy: [{field: NAME, direction: ASC}]) { nodes {
    id name model totalSessions successRate
    activeVersion { id versionNumber systemPrompt config activatedAt }
    sessions(first: 10) { nodes {
      id title status startedAt messageCount qualityScore
      messages(first: 5) { nodes { id sequence role content createdAt } }
    } }
  } }
}""",
        """query Overview($project: UUID!) {
  agents: allAgents(first: 20, orderBy: NAME_ASC, condition: {projectId: $project}) { nodes {
    id: rowId name model totalSessions successRate
    activeVersion: agentVersionsByProjectIdAndAgentId(first: 1, condition: {isActive: true}) {
      nodes { id: rowId versionNumber systemPrompt config activatedAt }
    }
    sessions: sessionsByProjectIdAndAgentId(first: 10, orderBy: [STARTED_AT_DESC, ROW_ID_DESC]) { nodes {
      id: rowId title status startedAt messageCount qualityScore
      messages: messagesByProjectIdAndSessionId(first: 5, orderBy: SEQUENCE_ASC) {
        nodes { id: rowId sequence role content createdAt }
      }
    } }
  } }
}""",
        _nothing,
    ),
    Shape(
        "wide",
        "10 agents, 10 sessions of each, 20 messages of each",
        f"""query Wide {{
  agents(first: 10, orderBy: [{{field: NAME, direction: ASC}}]) {{ nodes {{
    id name
    sessions(first: 10) {{ nodes {{ id title startedAt messages(first: 20) {{ nodes {{ id {_WIDE} }} }} }} }}
  }} }}
}}""",
        f"""query Wide($project: UUID!) {{
  agents: allAgents(first: 10, orderBy: NAME_ASC, condition: {{projectId: $project}}) {{ nodes {{
    id: rowId name
    sessions: sessionsByProjectIdAndAgentId(first: 10, orderBy: [STARTED_AT_DESC, ROW_ID_DESC]) {{ nodes {{
      id: rowId title startedAt
      messages: messagesByProjectIdAndSessionId(first: 20, orderBy: SEQUENCE_ASC) {{
        nodes {{ id: rowId {_WIDE} }}
      }}
    }} }}
  }} }}
}}""",
        _nothing,
    ),
    Shape(
        "page",
        "the second page of sessions by status, tag, date range and metadata, with the total",
        """query Page($from: DateTime!, $to: DateTime!, $tags: [String!]!, $metadata: JSON!, $after: String) {
  sessions(first: 25, after: $after, filter: {
    status: {eq: COMPLETED}, tags: {containsAll: $tags}, startedAt: {gte: $from, lt: $to}
    metadata: {contains: $metadata}
  }) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { id title status tags startedAt qualityScore metadata }
  }
}""",
        """query Page(
  $project: UUID!, $from: Datetime!, $to: Datetime!, $tags: [String]!, $metadata: JSON!, $after: Cursor
) {
  sessions: allSessions(
    first: 25, after: $after, orderBy: [STARTED_AT_DESC, ROW_ID_DESC]
    condition: {projectId: $project, metadataContains: $metadata}
    filter: {
      status: {equalTo: "COMPLETED"}, tags: {contains: $tags}
      startedAt: {greaterThanOrEqualTo: $from, lessThan: $to}
    }
  ) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { id: rowId title status tags startedAt qualityScore metadata }
  }
}""",
        _range,
        has_second_page=True,
    ),
    Shape(
        "audit",
        "the first 100 things of five kinds that happened in a session, in order",
        """query Audit($id: ID!) {
  session(id: $id) {
    id
    auditTrail(first: 100) { nodes { id at kind subject {
      ... on Message { sequence role content }
      ... on SessionEvent { eventType eventData }
      ... on StateTransition { triggerType previousValues newValues }
      ... on ToolCall { name arguments status }
      ... on UsageRecord { model promptTokens costUsd }
    } } }
  }
}""",
        """query Audit($id: UUID!, $project: UUID!) {
  session: sessionByProjectIdAndRowId(projectId: $project, rowId: $id) {
    id: rowId
    MESSAGE: messagesByProjectIdAndSessionId(first: 100, orderBy: [CREATED_AT_ASC, ROW_ID_ASC]) {
      nodes { id: rowId at: createdAt sequence role content }
    }
    EVENT: sessionEventsByProjectIdAndSessionId(first: 100, orderBy: [TIMESTAMP_ASC, ROW_ID_ASC]) {
      nodes { id: rowId at: timestamp eventType eventData }
    }
    STATE_TRANSITION: stateTransitionsByProjectIdAndSessionId(
      first: 100, orderBy: [CREATED_AT_ASC, ROW_ID_ASC]
    ) { nodes { id: rowId at: createdAt triggerType previousValues newValues } }
    TOOL_CALL: toolCallsByProjectIdAndSessionId(first: 100, orderBy: [CREATED_AT_ASC, ROW_ID_ASC]) {
      nodes { id: rowId at: createdAt name arguments status }
    }
    USAGE: usageRecordsByProjectIdAndSessionId(first: 100, orderBy: [TIMESTAMP_ASC, ROW_ID_ASC]) {
      nodes { id: rowId at: timestamp model promptTokens costUsd }
    }
  }
}""",
        _long,
    ),
    Shape(
        "memories",
        "the 100 latest memories with their last 5 accesses, annotations and related memories",
        f"""query Memories {{
  memories(first: 100) {{ nodes {{
    id {_MEMORY}
    accesses(first: 5) {{ nodes {{ id {_ACCESS} }} }}
    annotations(first: 10) {{ nodes {{ id {_ANNOTATION} }} }}
    relatedMemories(first: 10) {{ nodes {{ id {_RELATED} }} }}
  }} }}
}}""",
        # The ids of memories sort by time, so the order of the links' ids is the order of the memories.
        f"""query Memories($project: UUID!) {{
  memories: allMemories(
    first: 100, orderBy: [CREATED_AT_DESC, ROW_ID_DESC], condition: {{projectId: $project}}
  ) {{ nodes {{
    id: rowId {_MEMORY}
    accesses: memoryAccessesByProjectIdAndMemoryId(first: 5, orderBy: [CREATED_AT_DESC, ROW_ID_DESC]) {{
      nodes {{ id: rowId {_ACCESS} }}
    }}
    annotations: memoryAnnotationsByProjectIdAndMemoryId(
      first: 10, orderBy: [CREATED_AT_DESC, ROW_ID_DESC]
    ) {{ nodes {{ id: rowId {_ANNOTATION} }} }}
    relatedMemories: memoryLinksByProjectIdAndMemoryId(first: 10, orderBy: RELATED_ID_DESC) {{
      nodes {{ linked: memoryByProjectIdAndRelatedId {{ id: rowId {_RELATED} }} }}
    }}
  }} }}
}}""",
        _nothing,
    ),
    Shape(
        "series",
        "the 8,760 hours of a year of a million metrics of an agent, with all percentiles",
        f"""query Series($id: ID!, $type: String!, $from: DateTime!, $to: DateTime!) {{
  agent(id: $id) {{
    id name
    series(metric: AGENT_METRIC, metricType: $type, from: $from, to: $to, interval: HOUR) {{ {_BUCKET} }}
  }}
}}""",
        f"""query Series($project: UUID!, $id: UUID!, $type: String!, $from: Datetime!, $to: Datetime!) {{
  agent: agentByProjectIdAndRowId(projectId: $project, rowId: $id) {{ id: rowId name }}
  series: postgraphileAgentSeries(project: $project, agent: $id, type: $type, since: $from, until: $to) {{
    nodes {{ {_BUCKET} }}
  }}
}}""",
        _year,
    ),
]

_APPEND = f"""mutation Append($session: ID!, $messages: [AppendMessageInput!]!) {{
  messages: appendMessages(sessionId: $session, messages: $messages) {{ id {_WRITTEN} }}
}}"""

WRITES = [
    Write(
        "append1",
        "one message appended",
        _APPEND,
        f"""mutation Append($message: MessageInput!) {{
  messages: createMessage(input: {{message: $message}}) {{ message {{ id: rowId {_WRITTEN} }} }}
}}""",
        1,
    ),
    Write(
        "append100",
        "100 messages appended at once",
        _APPEND,
        f"""mutation Append($project: UUID!, $session: UUID!, $messages: JSON!) {{
  messages: postgraphileAppendMessages(input: {{project: $project, session: $session, items: $messages}}) {{
    result {{ id: rowId {_WRITTEN} }}
  }}
}}""",
        100,
    ),
]

READS = [*CORE, *DASHBOARD]
NAMES = [*(shape.name for shape in READS), *(write.name for write in WRITES)]
GROUPS = {
    "core": [shape.name for shape in CORE],
    "dashboard": [shape.name for shape in DASHBOARD],
    "writes": [write.name for write in WRITES],
}
"""The names of the shapes of each group."""


def select(text: str) -> list[str]:
    """Return the names of the shapes in a list of shapes and groups, separated by commas.

    Raises:
        BadParameter: There is no such shape or group.

    """
    chosen = text.split(",")
    if unknown := [name for name in chosen if name not in NAMES and name not in GROUPS]:
        raise typer.BadParameter(
            f"there is no shape {', '.join(unknown)}; there are {', '.join(NAMES)}, and the groups"
            f" {', '.join(GROUPS)}"
        )
    return [name for each in chosen for name in GROUPS.get(each, [each])]


_SINGLE = {"lastMessage", "activeVersion"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_NUMBERS_AS_TEXT = {"promptTokens", "completionTokens", "costUsd", "messageCount", "errorCount", "count"}
_SERVER_SPECIFIC = {"endCursor"}


def normalize(data: dict[str, Any]) -> Any:
    """Return an answer in a form that can be compared: times as datetimes, numbers as numbers."""
    if isinstance(data.get("nodes"), dict):
        return _as_tree(normalize(data["nodes"])["nodes"])
    if "USAGE" in (data.get("session") or ()):
        return _as_trail(_normalize_value(data["session"], ""))
    if isinstance(data.get("series"), dict):
        return normalize({"agent": data["agent"] | {"series": data["series"]["nodes"]}})
    return _normalize_value(data, "")


def written_messages(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages that a write has returned, without the fields that differ between writes."""
    rows = data["messages"]
    if isinstance(rows, dict):
        rows = rows.get("result") or [rows["message"]]
    return [{"role": row["role"], "content": row["content"]} for row in rows]


def _normalize_value(value: Any, key: str) -> Any:
    match value:
        case dict():
            # PostGraphile shows the link table between two other tables.
            value = value.get("linked", value)
            if key in _SINGLE and "nodes" in value:
                [value] = value["nodes"]
            return {
                name: _normalize_value(inner, name)
                for name, inner in value.items()
                if name not in _SERVER_SPECIFIC
            }
        case list():
            return [_normalize_value(inner, key) for inner in value]
        case str() if _TIME.fullmatch(value):
            return datetime.fromisoformat(value).astimezone(UTC)
        case str() if key in _NUMBERS_AS_TEXT and _NUMBER.fullmatch(value):
            return round(float(value), 6)
        case float():
            return round(value, 6)
        case _:
            return value


def _as_tree(rows: list[dict[str, Any]]) -> dict[str, Any]:
    nodes = []
    for row in rows:
        tree = {name[4].lower() + name[5:]: value for name, value in row.items() if name.startswith("tree")}
        own = {
            name: value for name, value in row.items() if not name.startswith("tree") and name != "parentId"
        }
        nodes.append(own | {"tree": tree, "parent": {"id": row["parentId"]}})
    root = {name: value for name, value in nodes[0].items() if name != "parent"}
    return {"session": root | {"descendants": {"nodes": nodes[1:]}}}


def _as_trail(lists: dict[str, Any]) -> dict[str, Any]:
    """Merge the lists of each kind into one trail, which PostGraphile leaves to the client."""
    nodes = [
        {"id": row.pop("id"), "at": row.pop("at"), "kind": kind, "subject": row}
        for kind, page in lists.items()
        if kind != "id"
        for row in page["nodes"]
    ]
    nodes.sort(key=lambda node: (node["at"], node["id"]))
    return {"session": {"id": lists["id"], "auditTrail": {"nodes": nodes[:100]}}}
