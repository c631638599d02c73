"""Questions about audit trails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.questions.project import Project


async def _trail(
    project: Project, session: str, filter_: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return a whole audit trail, read in pages of three."""
    entries: list[dict[str, Any]] = []
    after = None
    while True:
        data = await project.query(
            """query($id: ID!, $filter: AuditEntryFilter, $after: String) { session(id: $id) {
                auditTrail(first: 3, after: $after, filter: $filter) {
                    totalCount pageInfo { hasNextPage endCursor }
                    nodes { id at kind subject {
                        ... on Message { said: content }
                        ... on SessionEvent { event: eventType }
                        ... on StateTransition { triggerType previousValues newValues }
                        ... on ToolCall { tool: name status }
                        ... on UsageRecord { model promptTokens }
                    } }
                }
            } }""",
            id=session,
            filter=filter_,
            after=after,
        )
        trail = data["session"]["auditTrail"]
        entries += trail["nodes"]
        if not trail["pageInfo"]["hasNextPage"]:
            assert trail["totalCount"] == len(entries)
            return entries
        after = trail["pageInfo"]["endCursor"]


async def test_an_audit_trail_lists_every_state_change_and_event_in_order(project: Project) -> None:
    session = await project.value("""
        SELECT session_id FROM session_events WHERE project_id = :project
        GROUP BY session_id ORDER BY count(*) DESC LIMIT 1
    """)
    rows = await project.sql(
        """
        SELECT overlay(id::text PLACING '8' FROM 15 FOR 1) AS id, at, kind, subject FROM (
            SELECT id, created_at AS at, 'MESSAGE' AS kind, jsonb_build_object('said', content) AS subject
            FROM messages WHERE session_id::text = :id
            UNION ALL
            SELECT id, timestamp, 'EVENT', jsonb_build_object('event', event_type)
            FROM session_events WHERE session_id::text = :id
            UNION ALL
            SELECT id, created_at, 'STATE_TRANSITION', jsonb_build_object('triggerType', trigger_type,
                'previousValues', previous_values, 'newValues', new_values)
            FROM state_transitions WHERE session_id::text = :id
            UNION ALL
            SELECT id, created_at, 'TOOL_CALL', jsonb_build_object('tool', name, 'status', status)
            FROM tool_calls WHERE session_id::text = :id
            UNION ALL
            SELECT id, timestamp, 'USAGE', jsonb_build_object('model', model, 'promptTokens', prompt_tokens)
            FROM usage_records WHERE session_id::text = :id
        ) AS trail ORDER BY at, trail.id
        """,
        id=session,
    )
    assert {row["kind"] for row in rows} == {"MESSAGE", "EVENT", "STATE_TRANSITION", "TOOL_CALL", "USAGE"}
    assert len({row["at"] for row in rows}) < len(rows)
    assert await _trail(project, session) == rows
    changes = {"kind": {"in": ["EVENT", "STATE_TRANSITION"]}}
    assert await _trail(project, session, changes) == [
        row for row in rows if row["kind"] in {"EVENT", "STATE_TRANSITION"}
    ]
