"""States of modules, and the transitions between them; requests add to them and change nothing.

Revision: 0006, after 0003
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0006'
down_revision = '0003'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
TABLES = ("module_states", "state_transitions")
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"


def upgrade() -> None:
    op.create_table('module_states',
    sa.Column('module_id', sa.String(length=255), nullable=False),
    sa.Column('session_id', sa.Uuid(), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('state_type', sa.String(length=255), nullable=True),
    sa.Column('state', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('state_hash', sa.String(length=64), nullable=False),
    sa.Column('previous_state_id', sa.Uuid(), nullable=True),
    sa.Column('is_snapshot', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('snapshot_reason', sa.Text(), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("jsonb_typeof(state) = 'object'", name=op.f('module_states_state_check')),
    sa.CheckConstraint('(version = 1) = (previous_state_id IS NULL)', name=op.f('module_states_previous_state_id_check')),
    sa.CheckConstraint('is_snapshot OR snapshot_reason IS NULL', name=op.f('module_states_snapshot_reason_check')),
    sa.CheckConstraint('version >= 1', name=op.f('module_states_version_check')),
    sa.ForeignKeyConstraint(['project_id', 'previous_state_id'], ['module_states.project_id', 'module_states.id'], name=op.f('module_states_previous_state_id_fkey')),
    sa.ForeignKeyConstraint(['project_id', 'session_id'], ['sessions.project_id', 'sessions.id'], name=op.f('module_states_session_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('module_states_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('module_states_pkey')),
    sa.UniqueConstraint('project_id', 'previous_state_id', name=op.f('module_states_project_id_previous_state_id_key')),
    sa.UniqueConstraint('project_id', 'session_id', 'module_id', 'version', name=op.f('module_states_project_id_session_id_module_id_version_key'), postgresql_nulls_not_distinct=True)
    )
    op.create_index('module_states_is_snapshot_idx', 'module_states', ['project_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('is_snapshot'))
    op.create_index(op.f('module_states_project_id_created_at_id_idx'), 'module_states', ['project_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('module_states_project_id_expires_at_idx'), 'module_states', ['project_id', 'expires_at'], unique=False, postgresql_where=sa.text('expires_at IS NOT NULL'))
    op.create_index(op.f('module_states_project_id_module_id_created_at_id_idx'), 'module_states', ['project_id', 'module_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('module_states_project_id_session_id_created_at_id_idx'), 'module_states', ['project_id', 'session_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('module_states_project_id_state_hash_idx'), 'module_states', ['project_id', 'state_hash'], unique=False)
    op.create_index(op.f('module_states_project_id_state_type_created_at_id_idx'), 'module_states', ['project_id', 'state_type', 'created_at', 'id'], unique=False, postgresql_where=sa.text('state_type IS NOT NULL'))
    op.create_index('module_states_state_idx', 'module_states', ['state'], unique=False, postgresql_using='gin')
    op.create_table('state_transitions',
    sa.Column('state_id', sa.Uuid(), nullable=False),
    sa.Column('next_state_id', sa.Uuid(), nullable=False),
    sa.Column('session_id', sa.Uuid(), nullable=True),
    sa.Column('trigger_type', sa.String(length=255), nullable=False),
    sa.Column('trigger_id', sa.String(length=255), nullable=True),
    sa.Column('transition_data', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('previous_values', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('new_values', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['project_id', 'next_state_id'], ['module_states.project_id', 'module_states.id'], name=op.f('state_transitions_next_state_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'session_id'], ['sessions.project_id', 'sessions.id'], name=op.f('state_transitions_session_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'state_id'], ['module_states.project_id', 'module_states.id'], name=op.f('state_transitions_state_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('state_transitions_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('state_transitions_pkey')),
    sa.UniqueConstraint('project_id', 'next_state_id', name=op.f('state_transitions_project_id_next_state_id_key')),
    sa.UniqueConstraint('project_id', 'state_id', name=op.f('state_transitions_project_id_state_id_key'))
    )
    op.create_index('state_transitions_new_values_idx', 'state_transitions', ['new_values'], unique=False, postgresql_using='gin')
    op.create_index(op.f('state_transitions_project_id_created_at_id_idx'), 'state_transitions', ['project_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('state_transitions_project_id_session_id_created_at_id_idx'), 'state_transitions', ['project_id', 'session_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('state_transitions_project_id_trigger_id_idx'), 'state_transitions', ['project_id', 'trigger_id'], unique=False, postgresql_where=sa.text('trigger_id IS NOT NULL'))
    op.create_index(op.f('state_transitions_project_id_trigger_type_created_at_id_idx'), 'state_transitions', ['project_id', 'trigger_type', 'created_at', 'id'], unique=False)
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY project ON {table} TO {ROLE} USING (project_id = {PROJECT})")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {ROLE}")


def downgrade() -> None:
    op.drop_index(op.f('state_transitions_project_id_trigger_type_created_at_id_idx'), table_name='state_transitions')
    op.drop_index(op.f('state_transitions_project_id_trigger_id_idx'), table_name='state_transitions', postgresql_where=sa.text('trigger_id IS NOT NULL'))
    op.drop_index(op.f('state_transitions_project_id_session_id_created_at_id_idx'), table_name='state_transitions')
    op.drop_index(op.f('state_transitions_project_id_created_at_id_idx'), table_name='state_transitions')
    op.drop_index('state_transitions_new_values_idx', table_name='state_transitions', postgresql_using='gin')
    op.drop_table('state_transitions')
    op.drop_index('module_states_state_idx', table_name='module_states', postgresql_using='gin')
    op.drop_index(op.f('module_states_project_id_state_type_created_at_id_idx'), table_name='module_states', postgresql_where=sa.text('state_type IS NOT NULL'))
    op.drop_index(op.f('module_states_project_id_state_hash_idx'), table_name='module_states')
    op.drop_index(op.f('module_states_project_id_session_id_created_at_id_idx'), table_name='module_states')
    op.drop_index(op.f('module_states_project_id_module_id_created_at_id_idx'), table_name='module_states')
    op.drop_index(op.f('module_states_project_id_expires_at_idx'), table_name='module_states', postgresql_where=sa.text('expires_at IS NOT NULL'))
    op.drop_index(op.f('module_states_project_id_created_at_id_idx'), table_name='module_states')
    op.drop_index('module_states_is_snapshot_idx', table_name='module_states', postgresql_where=sa.text('is_snapshot'))
    op.drop_table('module_states')
