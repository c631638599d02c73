"""The shapes of dashboards: searches, rankings, statistics and series over a whole project.

PostGraphile has no fields for them: its core neither ranks texts nor aggregates rows.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from benchmarks import dataset
from benchmarks.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.dataset import Size
    from benchmarks.shape import Variables

COMMON_WORDS = "order warehouse"
"""Words of the first sentence of the data, which every fourth text or so has."""

RARE_WORD = str(dataset.LONG_MESSAGES - 2)
"""A number that only the last answer of a tool in the longest session has."""

LATEST_SESSIONS = 10_000
"""The number of sessions whose texts are searched for those of an agent, in every size."""

_END = dataset.BEGIN + dataset.SPAN


def _nothing(_size: Size) -> dict[str, Any]:
    return {}


def _words(query: str) -> Variables:
    return lambda _size: {"query": query}


def _words_of_agent(size: Size) -> dict[str, Any]:
    since = size.started_at(size.sessions - LATEST_SESSIONS)
    return {"query": COMMON_WORDS, "agent": dataset.agent_id(size, 3), "since": since.isoformat()}


def _since(days: int) -> Variables:
    return lambda _size: {"since": (_END - timedelta(days=days)).isoformat()}


def _range(days: int) -> Callable[[Size], dict[str, Any]]:
    return lambda _size: {"from": (_END - timedelta(days=days)).isoformat(), "to": _END.isoformat()}


_FOUND = (
    "{ totalCount nodes { score excerpt message { id sequence role createdAt"
    " session { id title agent { id name } user { id name } } } } }"
)
_SESSION_TOTALS = "sessionCount messageCount totalTokens costUsd lastActivityAt"
_STATISTICS = (
    "{ sessionCount openCount completedCount failedCount successRate messageCount promptTokens"
    " completionTokens costUsd errorCount }"
)


def _ranking(name: str, arguments: str, nodes: str) -> str:
    return f"query Ranking {{ {name}(first: 10{arguments}) {{ totalCount nodes {{ {nodes} }} }} }}"


def _dashboard(name: str, about: str, document: str, variables: Variables = _nothing) -> Shape:
    return Shape(name, about, document, None, variables, grows=True)


DASHBOARD = [
    _dashboard(
        "search-common",
        "the 10 best of the newest messages with two common words",
        f"query Search($query: String!) {{ searchMessages(query: $query, first: 10) {_FOUND} }}",
        _words(COMMON_WORDS),
    ),
    _dashboard(
        "search-rare",
        "the only message with a rare word",
        f"query Search($query: String!) {{ searchMessages(query: $query, first: 10) {_FOUND} }}",
        _words(RARE_WORD),
    ),
    _dashboard(
        "search-filter",
        "the 10 best messages with two common words in the latest sessions of an agent",
        f"""query Search($query: String!, $agent: ID!, $since: DateTime!) {{
  searchMessages(
    query: $query, first: 10, filter: {{session: {{agentId: {{eq: $agent}}}}, createdAt: {{gte: $since}}}}
  ) {_FOUND}
}}""",
        _words_of_agent,
    ),
    _dashboard(
        "top-memories",
        "the 10 most useful memories",
        _ranking(
            "topMemories",
            "",
            "usefulness ratedCount accessCount lastAccessedAt memory { id name content }",
        ),
    ),
    _dashboard(
        "top-users",
        "the 10 users with the most messages",
        _ranking("topUsers", "", f"user {{ id name email }} {_SESSION_TOTALS}"),
    ),
    _dashboard(
        "top-users-errors",
        "the 10 users with the most errors",
        _ranking(
            "topUsers",
            ", orderBy: [{field: ERROR_COUNT, direction: DESC}]",
            "user { id name email } sessionCount errorCount",
        ),
    ),
    _dashboard(
        "top-agents",
        "the 10 agents with the highest success rates",
        _ranking("topAgents", "", f"agent {{ id name }} successRate {_SESSION_TOTALS}"),
    ),
    _dashboard(
        "top-tools",
        "the 10 tools with the most failures",
        _ranking("topTools", "", "name callCount failedCount successRate p50DurationMs p95DurationMs"),
    ),
    _dashboard(
        "top-models",
        "the 10 models with the most tokens",
        _ranking("topModels", "", "name messageCount usageCount totalTokens costUsd"),
    ),
    _dashboard(
        "statistics",
        "the statistics of the whole project",
        f"query Statistics {{ project {{ statistics {_STATISTICS} }} }}",
    ),
    *(
        _dashboard(
            name,
            f"the statistics of the sessions that started in the last {about}",
            f"""query Statistics($since: DateTime!) {{
  project {{ statistics(sessions: {{startedAt: {{gte: $since}}}}) {_STATISTICS} }}
}}""",
            _since(days),
        )
        for name, about, days in (("statistics-month", "30 days", 30), ("statistics-day", "24 hours", 1))
    ),
    _dashboard(
        "tokens-by-week",
        "the tokens of the 10 busiest agents in each week of 90 days",
        """query Tokens($from: DateTime!, $to: DateTime!) {
  project {
    series(metric: TOKENS, from: $from, to: $to, interval: WEEK, groupBy: [AGENT], groups: 10) {
      start sum agent { id name }
    }
  }
}""",
        _range(90),
    ),
    _dashboard(
        "cost-by-month",
        "the costs of each model in each month of a year",
        """query Costs($from: DateTime!, $to: DateTime!) {
  project {
    series(metric: COST, from: $from, to: $to, interval: MONTH, groupBy: [MODEL], groups: 10) {
      start sum model
    }
  }
}""",
        _range(365),
    ),
    _dashboard(
        "agents-statistics",
        "50 agents with the statistics of each",
        f"""query Agents {{
  agents(first: 50, orderBy: [{{field: NAME, direction: ASC}}]) {{
    nodes {{ id name statistics {_STATISTICS} }}
  }}
}}""",
    ),
]
