"""Indexes that have all that series read.

Revision: 0013, after 0012
"""
import sqlalchemy as sa
from alembic import op
revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None

METRICS = ("agent_metrics", "session_metrics")


def upgrade() -> None:
    for table in METRICS:
        name = f"{table}_project_id_metric_type_timestamp_id_idx"
        op.drop_index(op.f(name), table_name=table)
        op.create_index(op.f(name), table, ['project_id', 'metric_type', 'timestamp', 'id'], postgresql_include=['metric_value'])
    op.create_index('messages_measured_idx', 'messages', ['project_id', 'created_at'], postgresql_include=['session_id', 'model', 'latency_ms', 'prompt_tokens', 'completion_tokens'], postgresql_where=sa.text('latency_ms IS NOT NULL OR prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL'))


def downgrade() -> None:
    op.drop_index('messages_measured_idx', table_name='messages')
    for table in METRICS:
        name = f"{table}_project_id_metric_type_timestamp_id_idx"
        op.drop_index(op.f(name), table_name=table)
        op.create_index(op.f(name), table, ['project_id', 'metric_type', 'timestamp', 'id'])
