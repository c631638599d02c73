"""Events, usage records and sandboxes of sessions.

Revision: 0003, after 0002
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"
# What is recorded once never changes.
PRIVILEGES = {
    "session_events": "SELECT, INSERT, DELETE",
    "usage_records": "SELECT, INSERT, DELETE",
    "sandboxes": "SELECT, INSERT, UPDATE, DELETE",
}


def upgrade() -> None:
    op.add_column('sessions', sa.Column('last_event_sequence', sa.Integer(), server_default='0', nullable=False))
    op.create_table('session_events',
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('event_type', sa.String(length=255), nullable=False),
    sa.Column('event_data', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('timestamp', sa.DateTime(timezone=True), nullable=False),
    sa.Column('duration_ms', sa.Float(), nullable=True),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('duration_ms >= 0', name=op.f('session_events_duration_ms_check')),
    sa.CheckConstraint('sequence >= 1', name=op.f('session_events_sequence_check')),
    sa.ForeignKeyConstraint(['project_id', 'session_id'], ['sessions.project_id', 'sessions.id'], name=op.f('session_events_session_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('session_events_pkey')),
    sa.UniqueConstraint('project_id', 'session_id', 'sequence', name=op.f('session_events_project_id_session_id_sequence_key'))
    )
    op.create_index('session_events_duration_ms_idx', 'session_events', ['project_id', sa.literal_column('duration_ms NULLS FIRST'), 'id'])
    op.create_index('session_events_event_data_idx', 'session_events', ['event_data'], postgresql_using='gin')
    op.create_index(op.f('session_events_project_id_event_type_timestamp_id_idx'), 'session_events', ['project_id', 'event_type', 'timestamp', 'id'])
    op.create_index(op.f('session_events_project_id_session_id_timestamp_id_idx'), 'session_events', ['project_id', 'session_id', 'timestamp', 'id'])
    op.create_index(op.f('session_events_project_id_timestamp_id_idx'), 'session_events', ['project_id', 'timestamp', 'id'])
    op.create_table('usage_records',
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=True),
    sa.Column('run_id', sa.String(length=255), nullable=True),
    sa.Column('model', sa.String(length=255), nullable=False),
    sa.Column('prompt_tokens', sa.Integer(), server_default='0', nullable=False),
    sa.Column('completion_tokens', sa.Integer(), server_default='0', nullable=False),
    sa.Column('cached_tokens', sa.Integer(), nullable=True),
    sa.Column('cost_usd', sa.Numeric(precision=18, scale=9, asdecimal=False), nullable=True),
    sa.Column('timestamp', sa.DateTime(timezone=True), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('cached_tokens >= 0', name=op.f('usage_records_cached_tokens_check')),
    sa.CheckConstraint('completion_tokens >= 0', name=op.f('usage_records_completion_tokens_check')),
    sa.CheckConstraint('cost_usd BETWEEN 0 AND 999999999', name=op.f('usage_records_cost_usd_check')),
    sa.CheckConstraint('prompt_tokens >= 0', name=op.f('usage_records_prompt_tokens_check')),
    sa.ForeignKeyConstraint(['project_id', 'agent_id'], ['agents.project_id', 'agents.id'], name=op.f('usage_records_agent_id_fkey'), ondelete='SET NULL (agent_id)'),
    sa.ForeignKeyConstraint(['project_id', 'session_id'], ['sessions.project_id', 'sessions.id'], name=op.f('usage_records_session_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('usage_records_pkey'))
    )
    op.create_index('usage_records_cost_usd_idx', 'usage_records', ['project_id', sa.literal_column('cost_usd NULLS FIRST'), 'id'])
    op.create_index(op.f('usage_records_project_id_agent_id_timestamp_id_idx'), 'usage_records', ['project_id', 'agent_id', 'timestamp', 'id'], postgresql_where=sa.text('agent_id IS NOT NULL'))
    op.create_index(op.f('usage_records_project_id_model_timestamp_id_idx'), 'usage_records', ['project_id', 'model', 'timestamp', 'id'])
    op.create_index(op.f('usage_records_project_id_run_id_idx'), 'usage_records', ['project_id', 'run_id'], postgresql_where=sa.text('run_id IS NOT NULL'))
    op.create_index(op.f('usage_records_project_id_session_id_timestamp_id_idx'), 'usage_records', ['project_id', 'session_id', 'timestamp', 'id'])
    op.create_index(op.f('usage_records_project_id_timestamp_id_idx'), 'usage_records', ['project_id', 'timestamp', 'id'])
    op.create_table('sandboxes',
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('kind', sa.String(length=255), nullable=True),
    sa.Column('external_server_id', sa.String(length=255), nullable=True),
    sa.Column('status', sa.String(length=16), server_default='STOPPED', nullable=False),
    sa.Column('selection', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("status IN ('STOPPED', 'STARTING', 'RUNNING', 'STOPPING', 'ERROR')", name=op.f('sandboxes_status_check')),
    sa.ForeignKeyConstraint(['project_id', 'session_id'], ['sessions.project_id', 'sessions.id'], name=op.f('sandboxes_session_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'user_id'], ['users.project_id', 'users.id'], name=op.f('sandboxes_user_id_fkey'), ondelete='SET NULL (user_id)'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('sandboxes_pkey')),
    sa.UniqueConstraint('project_id', 'session_id', name=op.f('sandboxes_project_id_session_id_key'))
    )
    op.create_index(op.f('sandboxes_project_id_created_at_id_idx'), 'sandboxes', ['project_id', 'created_at', 'id'])
    op.create_index(op.f('sandboxes_project_id_external_server_id_idx'), 'sandboxes', ['project_id', 'external_server_id'], postgresql_where=sa.text('external_server_id IS NOT NULL'))
    op.create_index(op.f('sandboxes_project_id_kind_idx'), 'sandboxes', ['project_id', 'kind'], postgresql_where=sa.text('kind IS NOT NULL'))
    op.create_index(op.f('sandboxes_project_id_status_created_at_id_idx'), 'sandboxes', ['project_id', 'status', 'created_at', 'id'])
    op.create_index(op.f('sandboxes_project_id_updated_at_id_idx'), 'sandboxes', ['project_id', 'updated_at', 'id'])
    op.create_index(op.f('sandboxes_project_id_user_id_created_at_id_idx'), 'sandboxes', ['project_id', 'user_id', 'created_at', 'id'], postgresql_where=sa.text('user_id IS NOT NULL'))
    op.create_index('sandboxes_selection_idx', 'sandboxes', ['selection'], postgresql_using='gin')
    for table, privileges in PRIVILEGES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY project ON {table} TO {ROLE} USING (project_id = {PROJECT})")
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")


def downgrade() -> None:
    for table in reversed(PRIVILEGES):
        op.drop_table(table)
    op.drop_column('sessions', 'last_event_sequence')
