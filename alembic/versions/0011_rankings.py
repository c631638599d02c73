"""Indexes that rankings read instead of the tables.

Revision: 0011, after 0010
"""
import sqlalchemy as sa
from alembic import op
revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

OF_SESSIONS = [
    'status', 'message_count', 'interaction_count', 'prompt_tokens', 'completion_tokens', 'cost_usd', 'last_activity_at'
]
COVERING = (
    ('sessions', ['user_id', 'started_at', 'id'], OF_SESSIONS),
    ('sessions', ['agent_id', 'started_at', 'id'], OF_SESSIONS),
    ('tool_calls', ['name', 'id'], ['session_id', 'status', 'duration_ms']),
    ('usage_records', ['model', 'timestamp', 'id'], ['session_id', 'prompt_tokens', 'completion_tokens', 'cost_usd']),
    ('memory_accesses', ['memory_id', 'created_at', 'id'], ['usefulness']),
)
OF_MODELS = 'model IS NOT NULL OR prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL'


def upgrade() -> None:
    for table, columns, beside in COVERING:
        name = op.f(f"{table}_project_id_{'_'.join(columns)}_idx")
        op.drop_index(name, table_name=table)
        op.create_index(name, table, ['project_id', *columns], postgresql_include=beside)
    op.drop_index(op.f('messages_project_id_model_idx'), table_name='messages')
    op.create_index('messages_model_idx', 'messages', ['project_id', 'model'], postgresql_include=['session_id', 'prompt_tokens', 'completion_tokens'], postgresql_where=sa.text(OF_MODELS))


def downgrade() -> None:
    op.drop_index('messages_model_idx', table_name='messages')
    op.create_index(op.f('messages_project_id_model_idx'), 'messages', ['project_id', 'model'], postgresql_where=sa.text('model IS NOT NULL'))
    for table, columns, _ in COVERING:
        name = op.f(f"{table}_project_id_{'_'.join(columns)}_idx")
        op.drop_index(name, table_name=table)
        op.create_index(name, table, ['project_id', *columns])
