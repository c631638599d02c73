"""Metrics of agents and of sessions.

Revision: 0008, after 0007
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"
TABLES = ("agent_metrics", "session_metrics")


def upgrade() -> None:
    op.create_table('agent_metrics',
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('version_id', sa.Uuid(), nullable=True),
    sa.Column('timeframe', sa.String(length=255), nullable=True),
    sa.Column('metric_type', sa.String(length=255), nullable=False),
    sa.Column('metric_value', sa.Float(), nullable=False),
    sa.Column('timestamp', sa.DateTime(timezone=True), nullable=False),
    sa.Column('metadata', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('metric_value BETWEEN -1e+100 AND 1e+100', name=op.f('agent_metrics_metric_value_check')),
    sa.ForeignKeyConstraint(['project_id', 'agent_id', 'version_id'], ['agent_versions.project_id', 'agent_versions.agent_id', 'agent_versions.id'], name='agent_metrics_version_id_fkey', ondelete='SET NULL (version_id)'),
    sa.ForeignKeyConstraint(['project_id', 'agent_id'], ['agents.project_id', 'agents.id'], name=op.f('agent_metrics_agent_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('agent_metrics_pkey'))
    )
    op.create_index(op.f('agent_metrics_project_id_agent_id_metric_type_timestamp_idx'), 'agent_metrics', ['project_id', 'agent_id', 'metric_type', 'timestamp'], postgresql_include=['metric_value'])
    op.create_index(op.f('agent_metrics_project_id_agent_id_timestamp_id_idx'), 'agent_metrics', ['project_id', 'agent_id', 'timestamp', 'id'])
    op.create_index(op.f('agent_metrics_project_id_metric_type_timestamp_id_idx'), 'agent_metrics', ['project_id', 'metric_type', 'timestamp', 'id'])
    op.create_index(op.f('agent_metrics_project_id_metric_value_id_idx'), 'agent_metrics', ['project_id', 'metric_value', 'id'])
    op.create_index(op.f('agent_metrics_project_id_timeframe_timestamp_id_idx'), 'agent_metrics', ['project_id', 'timeframe', 'timestamp', 'id'], postgresql_where=sa.text('timeframe IS NOT NULL'))
    op.create_index(op.f('agent_metrics_project_id_timestamp_id_idx'), 'agent_metrics', ['project_id', 'timestamp', 'id'])
    op.create_index(op.f('agent_metrics_project_id_version_id_timestamp_id_idx'), 'agent_metrics', ['project_id', 'version_id', 'timestamp', 'id'], postgresql_where=sa.text('version_id IS NOT NULL'))
    op.create_table('session_metrics',
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('metric_type', sa.String(length=255), nullable=False),
    sa.Column('metric_value', sa.Float(), nullable=False),
    sa.Column('timestamp', sa.DateTime(timezone=True), nullable=False),
    sa.Column('metadata', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('metric_value BETWEEN -1e+100 AND 1e+100', name=op.f('session_metrics_metric_value_check')),
    sa.ForeignKeyConstraint(['project_id', 'session_id'], ['sessions.project_id', 'sessions.id'], name=op.f('session_metrics_session_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('session_metrics_pkey'))
    )
    op.create_index(op.f('session_metrics_project_id_metric_type_timestamp_id_idx'), 'session_metrics', ['project_id', 'metric_type', 'timestamp', 'id'])
    op.create_index(op.f('session_metrics_project_id_metric_value_id_idx'), 'session_metrics', ['project_id', 'metric_value', 'id'])
    op.create_index(op.f('session_metrics_project_id_session_id_metric_type_timestamp_idx'), 'session_metrics', ['project_id', 'session_id', 'metric_type', 'timestamp'], postgresql_include=['metric_value'])
    op.create_index(op.f('session_metrics_project_id_session_id_timestamp_id_idx'), 'session_metrics', ['project_id', 'session_id', 'timestamp', 'id'])
    op.create_index(op.f('session_metrics_project_id_timestamp_id_idx'), 'session_metrics', ['project_id', 'timestamp', 'id'])
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY project ON {table} TO {ROLE} USING (project_id = {PROJECT})")
        op.execute(f"GRANT SELECT, INSERT, DELETE ON {table} TO {ROLE}")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
