"""Count the errors of sessions and the usefulness of memories where they are written, not where they are read.

Revision: 0029, after 0028

The tables of sessions and memories are rewritten, while nothing else reads or writes them: this takes less time
than an update of all their rows, each of which has an entry in thirty indexes.
"""
import sqlalchemy as sa
from alembic import op
revision = '0029'
down_revision = '0028'
branch_labels = None
depends_on = None

RANKED = ['status', 'message_count', 'interaction_count', 'prompt_tokens', 'completion_tokens', 'cost_usd']
COUNTED = ['status', 'is_active', *RANKED[1:], 'error_count', 'quality_score', 'user_satisfaction']
USEFULNESS = (
    "CASE WHEN rated_count = 0 THEN NULL"
    " WHEN usefulness_total / round(rated_count::numeric, 30) < 2.5e-324 THEN 0.0::float8"
    " ELSE (usefulness_total / round(rated_count::numeric, 30))::float8 END"
)
COUNTS = {
    "errors_of(uuid, uuid) RETURNS bigint": """
        (SELECT count(*) FROM tool_calls WHERE project_id = $1 AND session_id = $2 AND error IS NOT NULL)
        + (SELECT count(*) FROM session_events WHERE project_id = $1 AND session_id = $2 AND event_type = 'error')""",
    "ratings_of(uuid, uuid) RETURNS bigint": """
        (SELECT count(usefulness) FROM memory_accesses WHERE project_id = $1 AND memory_id = $2)""",
    "usefulness_of(uuid, uuid) RETURNS numeric": """
        (SELECT coalesce(sum(numeric_in(float8out(usefulness), 0, -1)), 0)
        FROM memory_accesses WHERE project_id = $1 AND memory_id = $2)""",
}
# What statistics and rankings read instead of the table.
COVERING = {'started_at': COUNTED, 'user_id': [*RANKED, 'error_count', 'last_activity_at'], 'agent_id': [*RANKED, 'error_count', 'last_activity_at']}
COVERING_BEFORE = {'started_at': None, 'user_id': [*RANKED, 'last_activity_at'], 'agent_id': [*RANKED, 'last_activity_at']}


# All at once: statements that read several of these tables would otherwise wait for one and hold another. They are
# also those of the next two revisions, which run in the same transaction.
LOCK = "LOCK TABLE sessions, messages, tool_calls, memories, memory_accesses, knowledge_chunks IN ACCESS EXCLUSIVE MODE"


def upgrade() -> None:
    op.execute(LOCK)
    for signature, value in COUNTS.items():
        op.execute(f"CREATE FUNCTION pg_temp.{signature} LANGUAGE sql STABLE RETURN {value}")
    op.execute("ALTER TABLE sessions ADD error_count integer NOT NULL DEFAULT 0")
    # A change of type rewrites the table once, and builds its indexes anew.
    op.execute("ALTER TABLE sessions ALTER error_count TYPE integer USING pg_temp.errors_of(project_id, id)")
    op.create_check_constraint(op.f('sessions_error_count_check'), 'sessions', 'error_count >= 0')
    cover(COVERING)
    op.create_index(op.f('sessions_project_id_error_count_id_idx'), 'sessions', ['project_id', 'error_count', 'id'])
    op.execute("ALTER TABLE memories ADD rated_count integer NOT NULL DEFAULT 0, ADD usefulness_total numeric NOT NULL DEFAULT 0")
    op.execute(
        "ALTER TABLE memories ALTER rated_count TYPE integer USING pg_temp.ratings_of(project_id, id),"
        " ALTER usefulness_total TYPE numeric USING pg_temp.usefulness_of(project_id, id),"
        f" ADD usefulness float8 GENERATED ALWAYS AS ({USEFULNESS}) STORED"
    )
    op.create_check_constraint(op.f('memories_rated_count_check'), 'memories', 'rated_count >= 0')
    op.create_index(op.f('memories_project_id_rated_count_id_idx'), 'memories', ['project_id', 'rated_count', 'id'])
    op.create_index('memories_usefulness_idx', 'memories', ['project_id', sa.literal_column('usefulness NULLS FIRST'), 'id'])
    for signature in COUNTS:
        op.execute(f"DROP FUNCTION pg_temp.{signature.partition(' RETURNS')[0]}")


def downgrade() -> None:
    op.drop_index('memories_usefulness_idx', table_name='memories')
    op.drop_index(op.f('memories_project_id_rated_count_id_idx'), table_name='memories')
    for column in ('usefulness', 'usefulness_total', 'rated_count'):
        op.drop_column('memories', column)
    op.drop_index(op.f('sessions_project_id_error_count_id_idx'), table_name='sessions')
    cover(COVERING_BEFORE)
    op.drop_column('sessions', 'error_count')


def cover(columns: dict[str, list[str] | None]) -> None:
    for column, beside in columns.items():
        keys = [column, 'id'] if column == 'started_at' else [column, 'started_at', 'id']
        name = op.f(f"sessions_project_id_{'_'.join(keys)}_idx")
        op.drop_index(name, table_name='sessions')
        op.create_index(name, 'sessions', ['project_id', *keys], postgresql_include=beside)
