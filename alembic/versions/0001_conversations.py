"""Projects, keys, users, teams, agents, sessions, messages and tool calls; requests see one project.

Revision: 0001, after 
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
PRIVILEGES = {
    "projects": "SELECT, UPDATE",
    "api_keys": "SELECT, INSERT, UPDATE",
    "users": "SELECT, INSERT, UPDATE, DELETE",
    "teams": "SELECT, INSERT, UPDATE, DELETE",
    "team_members": "SELECT, INSERT, DELETE",
    "agents": "SELECT, INSERT, UPDATE, DELETE",
    "agent_versions": "SELECT, INSERT, UPDATE, DELETE",
    "sessions": "SELECT, INSERT, UPDATE, DELETE",
    "messages": "SELECT, INSERT, UPDATE, DELETE",
    "tool_calls": "SELECT, INSERT, UPDATE, DELETE",
    "idempotency_keys": "SELECT, INSERT, UPDATE",
}
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"

# A request shows its key before its project is known, so this looks over all projects, as their owner. What it
# tells of a key can be learned by no one who does not have it.
AUTHENTICATE = """
CREATE FUNCTION authenticate_api_key(given bytea)
RETURNS TABLE (project_id uuid, id uuid, scopes text[], expires_at timestamptz, revoked_at timestamptz)
LANGUAGE sql SECURITY DEFINER AS $$
    UPDATE api_keys SET last_used_at = now()
    WHERE secret_hash = given AND api_keys.revoked_at IS NULL AND (api_keys.expires_at IS NULL OR api_keys.expires_at > now())
        AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute');
    SELECT k.project_id, k.id, k.scopes, k.expires_at, k.revoked_at FROM api_keys AS k WHERE secret_hash = given;
$$
"""
# Nothing that a caller could create stands before the tables.
PIN_SEARCH_PATH = """
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION authenticate_api_key(bytea) SET search_path = %I, pg_temp', current_schema());
END $$
"""


def upgrade() -> None:
    op.create_table('projects',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('slug', sa.String(length=63), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name=op.f('projects_slug_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('projects_pkey')),
    sa.UniqueConstraint('slug', name=op.f('projects_slug_key'))
    )
    op.create_table('api_keys',
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('prefix', sa.String(length=16), nullable=False),
    sa.Column('secret_hash', sa.LargeBinary(), nullable=False),
    sa.Column('scopes', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("scopes <@ ARRAY['READ','WRITE','ADMIN'] AND cardinality(scopes) > 0", name=op.f('api_keys_scopes_check')),
    sa.CheckConstraint('octet_length(secret_hash) = 32', name=op.f('api_keys_secret_hash_check')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('api_keys_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('api_keys_pkey')),
    sa.UniqueConstraint('project_id', 'secret_hash', name=op.f('api_keys_project_id_secret_hash_key'))
    )
    op.create_index(op.f('api_keys_project_id_created_at_id_idx'), 'api_keys', ['project_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('api_keys_secret_hash_idx'), 'api_keys', ['secret_hash'], unique=False)
    op.create_table('idempotency_keys',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('input_hash', sa.LargeBinary(), nullable=False),
    sa.Column('result_table', sa.String(length=63), nullable=False),
    sa.Column('result_ids', postgresql.ARRAY(sa.Uuid()), nullable=False),
    sa.Column('result_is_list', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('idempotency_keys_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'key', name=op.f('idempotency_keys_pkey'))
    )
    op.create_table('teams',
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('external_id', sa.String(length=255), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('teams_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('teams_pkey')),
    sa.UniqueConstraint('project_id', 'external_id', name=op.f('teams_project_id_external_id_key')),
    sa.UniqueConstraint('project_id', 'name', name=op.f('teams_project_id_name_key'))
    )
    op.create_index(op.f('teams_project_id_created_at_id_idx'), 'teams', ['project_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('teams_project_id_updated_at_id_idx'), 'teams', ['project_id', 'updated_at', 'id'], unique=False)
    op.create_table('users',
    sa.Column('external_id', sa.String(length=255), nullable=True),
    sa.Column('email', sa.String(length=320), nullable=True),
    sa.Column('phone_number', sa.String(length=64), nullable=True),
    sa.Column('name', sa.String(length=255), nullable=True),
    sa.Column('user_data', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('users_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('users_pkey')),
    sa.UniqueConstraint('project_id', 'external_id', name=op.f('users_project_id_external_id_key'))
    )
    op.create_index(op.f('users_project_id_created_at_id_idx'), 'users', ['project_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('users_project_id_email_id_idx'), 'users', ['project_id', 'email', 'id'], unique=False)
    op.create_index('users_project_id_email_key', 'users', ['project_id', sa.literal_column('lower(email)')], unique=True)
    op.create_index(op.f('users_project_id_name_id_idx'), 'users', ['project_id', 'name', 'id'], unique=False)
    op.create_index(op.f('users_project_id_updated_at_id_idx'), 'users', ['project_id', 'updated_at', 'id'], unique=False)
    op.create_index('users_user_data_idx', 'users', ['user_data'], unique=False, postgresql_using='gin', postgresql_ops={'user_data': 'jsonb_path_ops'})
    op.create_table('agents',
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('external_id', sa.String(length=255), nullable=True),
    sa.Column('type', sa.String(length=255), nullable=True),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('provider', sa.String(length=255), nullable=True),
    sa.Column('model', sa.String(length=255), nullable=True),
    sa.Column('temperature', sa.Double(), nullable=True),
    sa.Column('max_tokens', sa.Integer(), nullable=True),
    sa.Column('system_prompt', sa.Text(), nullable=True),
    sa.Column('config', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('tools', postgresql.JSONB(astext_type=sa.Text()), server_default='[]', nullable=False),
    sa.Column('active', sa.Boolean(), server_default='true', nullable=False),
    sa.Column('run_id', sa.Integer(), nullable=True),
    sa.Column('owner_id', sa.Uuid(), nullable=True),
    sa.Column('specializations', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('learning_mode', sa.String(length=255), nullable=True),
    sa.Column('training_status', sa.String(length=255), nullable=True),
    sa.Column('total_sessions', sa.Integer(), server_default='0', nullable=False),
    sa.Column('completed_sessions', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failed_sessions', sa.Integer(), server_default='0', nullable=False),
    sa.Column('success_rate', sa.Double(), sa.Computed('completed_sessions::double precision / nullif(completed_sessions + failed_sessions, 0)', persisted=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('completed_sessions >= 0', name=op.f('agents_completed_sessions_check')),
    sa.CheckConstraint('failed_sessions >= 0', name=op.f('agents_failed_sessions_check')),
    sa.CheckConstraint('max_tokens >= 1', name=op.f('agents_max_tokens_check')),
    sa.CheckConstraint('temperature BETWEEN 0 AND 100', name=op.f('agents_temperature_check')),
    sa.CheckConstraint('total_sessions >= 0', name=op.f('agents_total_sessions_check')),
    sa.ForeignKeyConstraint(['project_id', 'owner_id'], ['users.project_id', 'users.id'], name=op.f('agents_owner_id_fkey'), ondelete='SET NULL (owner_id)'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('agents_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('agents_pkey')),
    sa.UniqueConstraint('project_id', 'external_id', name=op.f('agents_project_id_external_id_key')),
    sa.UniqueConstraint('project_id', 'name', name=op.f('agents_project_id_name_key'))
    )
    op.create_index(op.f('agents_project_id_created_at_id_idx'), 'agents', ['project_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('agents_project_id_owner_id_created_at_id_idx'), 'agents', ['project_id', 'owner_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('agents_project_id_success_rate_id_idx'), 'agents', ['project_id', 'success_rate', 'id'], unique=False)
    op.create_index(op.f('agents_project_id_total_sessions_id_idx'), 'agents', ['project_id', 'total_sessions', 'id'], unique=False)
    op.create_index(op.f('agents_project_id_updated_at_id_idx'), 'agents', ['project_id', 'updated_at', 'id'], unique=False)
    op.create_table('agent_versions',
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('version_number', sa.String(length=64), nullable=False),
    sa.Column('changes', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('system_prompt', sa.Text(), nullable=True),
    sa.Column('config', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('created_by_user_id', sa.Uuid(), nullable=True),
    sa.Column('created_by_agent_id', sa.Uuid(), nullable=True),
    sa.Column('is_active', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('activated_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deactivated_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('performance', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('num_nonnulls(created_by_user_id, created_by_agent_id) <= 1', name=op.f('agent_versions_created_by_check')),
    sa.ForeignKeyConstraint(['project_id', 'agent_id'], ['agents.project_id', 'agents.id'], name=op.f('agent_versions_agent_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'created_by_agent_id'], ['agents.project_id', 'agents.id'], name=op.f('agent_versions_created_by_agent_id_fkey'), ondelete='SET NULL (created_by_agent_id)'),
    sa.ForeignKeyConstraint(['project_id', 'created_by_user_id'], ['users.project_id', 'users.id'], name=op.f('agent_versions_created_by_user_id_fkey'), ondelete='SET NULL (created_by_user_id)'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('agent_versions_pkey')),
    sa.UniqueConstraint('project_id', 'agent_id', 'id', name=op.f('agent_versions_project_id_agent_id_id_key')),
    sa.UniqueConstraint('project_id', 'agent_id', 'version_number', name=op.f('agent_versions_project_id_agent_id_version_number_key'))
    )
    op.create_index('agent_versions_one_active_key', 'agent_versions', ['project_id', 'agent_id'], unique=True, postgresql_where=sa.text('is_active'))
    op.create_index(op.f('agent_versions_project_id_agent_id_created_at_id_idx'), 'agent_versions', ['project_id', 'agent_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('agent_versions_project_id_created_at_id_idx'), 'agent_versions', ['project_id', 'created_at', 'id'], unique=False)
    op.create_table('team_members',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('team_id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['project_id', 'agent_id'], ['agents.project_id', 'agents.id'], name=op.f('team_members_agent_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'team_id'], ['teams.project_id', 'teams.id'], name=op.f('team_members_team_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'team_id', 'agent_id', name=op.f('team_members_pkey'))
    )
    op.create_index(op.f('team_members_project_id_agent_id_idx'), 'team_members', ['project_id', 'agent_id'], unique=False)
    op.create_table('sessions',
    sa.Column('external_id', sa.String(length=255), nullable=True),
    sa.Column('title', sa.String(length=1000), nullable=True),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('agent_id', sa.Uuid(), nullable=True),
    sa.Column('agent_version_id', sa.Uuid(), nullable=True),
    sa.Column('team_id', sa.Uuid(), nullable=True),
    sa.Column('status', sa.String(length=16), server_default='ACTIVE', nullable=False),
    sa.Column('platform', sa.String(length=255), nullable=True),
    sa.Column('provider', sa.String(length=255), nullable=True),
    sa.Column('purpose', sa.Text(), nullable=True),
    sa.Column('business_context', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('tags', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('quality_score', sa.Double(), nullable=True),
    sa.Column('user_satisfaction', sa.Double(), nullable=True),
    sa.Column('learning_outcomes', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('source', sa.String(length=255), nullable=True),
    sa.Column('context', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('state', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('metadata', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('last_activity_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('is_active', sa.Boolean(), sa.Computed("status IN ('ACTIVE', 'PAUSED')", persisted=True), nullable=False),
    sa.Column('interaction_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('message_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('last_sequence', sa.Integer(), server_default='0', nullable=False),
    sa.Column('prompt_tokens', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('completion_tokens', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('cost_usd', sa.Numeric(precision=18, scale=9, asdecimal=False), nullable=True),
    sa.Column('parent_id', sa.Uuid(), nullable=True),
    sa.Column('root_id', sa.Uuid(), nullable=False),
    sa.Column('depth', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('ancestor_ids', postgresql.ARRAY(sa.Uuid()), server_default='{}', nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("(ended_at IS NULL) = (status IN ('ACTIVE', 'PAUSED'))", name=op.f('sessions_status_ended_at_check')),
    sa.CheckConstraint("status IN ('ACTIVE', 'PAUSED', 'COMPLETED', 'FAILED', 'CANCELLED')", name=op.f('sessions_status_check')),
    sa.CheckConstraint('CASE WHEN parent_id IS NULL THEN depth = 0 AND root_id = id ELSE parent_id = ancestor_ids[depth] AND root_id = ancestor_ids[1] AND parent_id <> id END', name=op.f('sessions_parent_check')),
    sa.CheckConstraint('agent_version_id IS NULL OR agent_id IS NOT NULL', name=op.f('sessions_agent_version_check')),
    sa.CheckConstraint('completion_tokens >= 0', name=op.f('sessions_completion_tokens_check')),
    sa.CheckConstraint('cost_usd BETWEEN 0 AND 999999999', name=op.f('sessions_cost_usd_check')),
    sa.CheckConstraint('depth BETWEEN 0 AND 100 AND depth = cardinality(ancestor_ids)', name=op.f('sessions_depth_check')),
    sa.CheckConstraint('ended_at >= started_at', name=op.f('sessions_ended_at_check')),
    sa.CheckConstraint('interaction_count >= 0', name=op.f('sessions_interaction_count_check')),
    sa.CheckConstraint('message_count >= 0', name=op.f('sessions_message_count_check')),
    sa.CheckConstraint('prompt_tokens >= 0', name=op.f('sessions_prompt_tokens_check')),
    sa.CheckConstraint('quality_score BETWEEN 0 AND 1', name=op.f('sessions_quality_score_check')),
    sa.CheckConstraint('user_satisfaction BETWEEN 0 AND 1', name=op.f('sessions_user_satisfaction_check')),
    sa.ForeignKeyConstraint(['project_id', 'agent_id', 'agent_version_id'], ['agent_versions.project_id', 'agent_versions.agent_id', 'agent_versions.id'], name='sessions_agent_version_id_fkey', ondelete='SET NULL (agent_version_id)'),
    sa.ForeignKeyConstraint(['project_id', 'agent_id'], ['agents.project_id', 'agents.id'], name=op.f('sessions_agent_id_fkey'), ondelete='SET NULL (agent_id)'),
    sa.ForeignKeyConstraint(['project_id', 'parent_id'], ['sessions.project_id', 'sessions.id'], name=op.f('sessions_parent_id_fkey')),
    sa.ForeignKeyConstraint(['project_id', 'root_id'], ['sessions.project_id', 'sessions.id'], name=op.f('sessions_root_id_fkey')),
    sa.ForeignKeyConstraint(['project_id', 'team_id'], ['teams.project_id', 'teams.id'], name=op.f('sessions_team_id_fkey'), ondelete='SET NULL (team_id)'),
    sa.ForeignKeyConstraint(['project_id', 'user_id'], ['users.project_id', 'users.id'], name=op.f('sessions_user_id_fkey'), ondelete='SET NULL (user_id)'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('sessions_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('sessions_pkey')),
    sa.UniqueConstraint('project_id', 'external_id', name=op.f('sessions_project_id_external_id_key'))
    )
    op.create_index('sessions_ancestor_ids_idx', 'sessions', ['ancestor_ids'], unique=False, postgresql_using='gin')
    op.create_index('sessions_metadata_idx', 'sessions', ['metadata'], unique=False, postgresql_using='gin', postgresql_ops={'metadata': 'jsonb_path_ops'})
    op.create_index(op.f('sessions_project_id_agent_id_agent_version_id_idx'), 'sessions', ['project_id', 'agent_id', 'agent_version_id'], unique=False)
    op.create_index(op.f('sessions_project_id_agent_id_last_activity_at_id_idx'), 'sessions', ['project_id', 'agent_id', 'last_activity_at', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_agent_id_started_at_id_idx'), 'sessions', ['project_id', 'agent_id', 'started_at', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_created_at_id_idx'), 'sessions', ['project_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_ended_at_id_idx'), 'sessions', ['project_id', 'ended_at', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_last_activity_at_id_idx'), 'sessions', ['project_id', 'last_activity_at', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_message_count_id_idx'), 'sessions', ['project_id', 'message_count', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_parent_id_started_at_id_idx'), 'sessions', ['project_id', 'parent_id', 'started_at', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_quality_score_id_idx'), 'sessions', ['project_id', 'quality_score', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_root_id_idx'), 'sessions', ['project_id', 'root_id'], unique=False)
    op.create_index(op.f('sessions_project_id_started_at_id_idx'), 'sessions', ['project_id', 'started_at', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_status_started_at_id_idx'), 'sessions', ['project_id', 'status', 'started_at', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_team_id_started_at_id_idx'), 'sessions', ['project_id', 'team_id', 'started_at', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_updated_at_id_idx'), 'sessions', ['project_id', 'updated_at', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_user_id_last_activity_at_id_idx'), 'sessions', ['project_id', 'user_id', 'last_activity_at', 'id'], unique=False)
    op.create_index(op.f('sessions_project_id_user_id_started_at_id_idx'), 'sessions', ['project_id', 'user_id', 'started_at', 'id'], unique=False)
    op.create_index('sessions_state_idx', 'sessions', ['state'], unique=False, postgresql_using='gin', postgresql_ops={'state': 'jsonb_path_ops'})
    op.create_index('sessions_tags_idx', 'sessions', ['tags'], unique=False, postgresql_using='gin')
    op.create_table('messages',
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('external_id', sa.String(length=255), nullable=True),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('content', sa.Text(), nullable=True),
    sa.Column('parts', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('media_url', sa.String(length=2048), nullable=True),
    sa.Column('media_type', sa.String(length=255), nullable=True),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('agent_id', sa.Uuid(), nullable=True),
    sa.Column('model', sa.String(length=255), nullable=True),
    sa.Column('token_count', sa.Integer(), nullable=True),
    sa.Column('prompt_tokens', sa.Integer(), nullable=True),
    sa.Column('completion_tokens', sa.Integer(), nullable=True),
    sa.Column('latency_ms', sa.Integer(), nullable=True),
    sa.Column('feedback', sa.Text(), nullable=True),
    sa.Column('flagged', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('raw_payload', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('metadata', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('redacted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("role IN ('SYSTEM', 'DEVELOPER', 'USER', 'ASSISTANT', 'TOOL')", name=op.f('messages_role_check')),
    sa.CheckConstraint('completion_tokens >= 0', name=op.f('messages_completion_tokens_check')),
    sa.CheckConstraint('latency_ms >= 0', name=op.f('messages_latency_ms_check')),
    sa.CheckConstraint('prompt_tokens >= 0', name=op.f('messages_prompt_tokens_check')),
    sa.CheckConstraint('sequence >= 1', name=op.f('messages_sequence_check')),
    sa.CheckConstraint('token_count >= 0', name=op.f('messages_token_count_check')),
    sa.ForeignKeyConstraint(['project_id', 'agent_id'], ['agents.project_id', 'agents.id'], name=op.f('messages_agent_id_fkey'), ondelete='SET NULL (agent_id)'),
    sa.ForeignKeyConstraint(['project_id', 'session_id'], ['sessions.project_id', 'sessions.id'], name=op.f('messages_session_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'user_id'], ['users.project_id', 'users.id'], name=op.f('messages_user_id_fkey'), ondelete='SET NULL (user_id)'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('messages_pkey')),
    sa.UniqueConstraint('project_id', 'external_id', name=op.f('messages_project_id_external_id_key')),
    sa.UniqueConstraint('project_id', 'session_id', 'sequence', name=op.f('messages_project_id_session_id_sequence_key'))
    )
    op.create_index('messages_metadata_idx', 'messages', ['metadata'], unique=False, postgresql_using='gin', postgresql_ops={'metadata': 'jsonb_path_ops'})
    op.create_index(op.f('messages_project_id_agent_id_created_at_id_idx'), 'messages', ['project_id', 'agent_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('messages_project_id_created_at_id_idx'), 'messages', ['project_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('messages_project_id_session_id_created_at_id_idx'), 'messages', ['project_id', 'session_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('messages_project_id_user_id_created_at_id_idx'), 'messages', ['project_id', 'user_id', 'created_at', 'id'], unique=False)
    op.create_table('tool_calls',
    sa.Column('message_id', sa.Uuid(), nullable=False),
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.SmallInteger(), nullable=False),
    sa.Column('call_id', sa.String(length=255), nullable=True),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('arguments', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('result', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('status', sa.String(length=16), server_default='PENDING', nullable=False),
    sa.Column('answer_id', sa.Uuid(), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('duration_ms', sa.Float(), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("CASE status WHEN 'PENDING' THEN error IS NULL AND result IS NULL AND answer_id IS NULL WHEN 'FAILED' THEN error IS NOT NULL ELSE error IS NULL END", name=op.f('tool_calls_settled_check')),
    sa.CheckConstraint("status IN ('PENDING', 'SUCCEEDED', 'FAILED')", name=op.f('tool_calls_status_check')),
    sa.CheckConstraint('duration_ms >= 0', name=op.f('tool_calls_duration_ms_check')),
    sa.CheckConstraint('position >= 0', name=op.f('tool_calls_position_check')),
    sa.ForeignKeyConstraint(['project_id', 'answer_id'], ['messages.project_id', 'messages.id'], name=op.f('tool_calls_answer_id_fkey'), ondelete='SET NULL (answer_id)'),
    sa.ForeignKeyConstraint(['project_id', 'message_id'], ['messages.project_id', 'messages.id'], name=op.f('tool_calls_message_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'session_id'], ['sessions.project_id', 'sessions.id'], name=op.f('tool_calls_session_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('tool_calls_pkey')),
    sa.UniqueConstraint('project_id', 'answer_id', name=op.f('tool_calls_project_id_answer_id_key')),
    sa.UniqueConstraint('project_id', 'message_id', 'position', name=op.f('tool_calls_project_id_message_id_position_key'))
    )
    op.create_index(op.f('tool_calls_project_id_created_at_id_idx'), 'tool_calls', ['project_id', 'created_at', 'id'], unique=False)
    op.create_index(op.f('tool_calls_project_id_duration_ms_id_idx'), 'tool_calls', ['project_id', 'duration_ms', 'id'], unique=False)
    op.create_index(op.f('tool_calls_project_id_name_status_created_at_id_idx'), 'tool_calls', ['project_id', 'name', 'status', 'created_at', 'id'], unique=False)
    op.create_index(op.f('tool_calls_project_id_session_id_call_id_idx'), 'tool_calls', ['project_id', 'session_id', 'call_id'], unique=False)
    for table, privileges in PRIVILEGES.items():
        key = "id" if table == "projects" else "project_id"
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY project ON {table} TO {ROLE} USING ({key} = {PROJECT})")
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")
    op.execute(AUTHENTICATE)
    op.execute(PIN_SEARCH_PATH)
    op.execute("REVOKE ALL ON FUNCTION authenticate_api_key(bytea) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION authenticate_api_key(bytea) TO {ROLE}")


def downgrade() -> None:
    op.execute("DROP FUNCTION authenticate_api_key(bytea)")
    op.drop_index(op.f('tool_calls_project_id_session_id_call_id_idx'), table_name='tool_calls')
    op.drop_index(op.f('tool_calls_project_id_name_status_created_at_id_idx'), table_name='tool_calls')
    op.drop_index(op.f('tool_calls_project_id_duration_ms_id_idx'), table_name='tool_calls')
    op.drop_index(op.f('tool_calls_project_id_created_at_id_idx'), table_name='tool_calls')
    op.drop_table('tool_calls')
    op.drop_index(op.f('messages_project_id_user_id_created_at_id_idx'), table_name='messages')
    op.drop_index(op.f('messages_project_id_session_id_created_at_id_idx'), table_name='messages')
    op.drop_index(op.f('messages_project_id_created_at_id_idx'), table_name='messages')
    op.drop_index(op.f('messages_project_id_agent_id_created_at_id_idx'), table_name='messages')
    op.drop_index('messages_metadata_idx', table_name='messages', postgresql_using='gin', postgresql_ops={'metadata': 'jsonb_path_ops'})
    op.drop_table('messages')
    op.drop_index('sessions_tags_idx', table_name='sessions', postgresql_using='gin')
    op.drop_index('sessions_state_idx', table_name='sessions', postgresql_using='gin', postgresql_ops={'state': 'jsonb_path_ops'})
    op.drop_index(op.f('sessions_project_id_user_id_started_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_user_id_last_activity_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_updated_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_team_id_started_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_status_started_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_started_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_root_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_quality_score_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_parent_id_started_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_message_count_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_last_activity_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_ended_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_created_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_agent_id_started_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_agent_id_last_activity_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_agent_id_agent_version_id_idx'), table_name='sessions')
    op.drop_index('sessions_metadata_idx', table_name='sessions', postgresql_using='gin', postgresql_ops={'metadata': 'jsonb_path_ops'})
    op.drop_index('sessions_ancestor_ids_idx', table_name='sessions', postgresql_using='gin')
    op.drop_table('sessions')
    op.drop_index(op.f('team_members_project_id_agent_id_idx'), table_name='team_members')
    op.drop_table('team_members')
    op.drop_index(op.f('agent_versions_project_id_created_at_id_idx'), table_name='agent_versions')
    op.drop_index(op.f('agent_versions_project_id_agent_id_created_at_id_idx'), table_name='agent_versions')
    op.drop_index('agent_versions_one_active_key', table_name='agent_versions', postgresql_where=sa.text('is_active'))
    op.drop_table('agent_versions')
    op.drop_index(op.f('agents_project_id_updated_at_id_idx'), table_name='agents')
    op.drop_index(op.f('agents_project_id_total_sessions_id_idx'), table_name='agents')
    op.drop_index(op.f('agents_project_id_success_rate_id_idx'), table_name='agents')
    op.drop_index(op.f('agents_project_id_owner_id_created_at_id_idx'), table_name='agents')
    op.drop_index(op.f('agents_project_id_created_at_id_idx'), table_name='agents')
    op.drop_table('agents')
    op.drop_index('users_user_data_idx', table_name='users', postgresql_using='gin', postgresql_ops={'user_data': 'jsonb_path_ops'})
    op.drop_index(op.f('users_project_id_updated_at_id_idx'), table_name='users')
    op.drop_index(op.f('users_project_id_name_id_idx'), table_name='users')
    op.drop_index('users_project_id_email_key', table_name='users')
    op.drop_index(op.f('users_project_id_email_id_idx'), table_name='users')
    op.drop_index(op.f('users_project_id_created_at_id_idx'), table_name='users')
    op.drop_table('users')
    op.drop_index(op.f('teams_project_id_updated_at_id_idx'), table_name='teams')
    op.drop_index(op.f('teams_project_id_created_at_id_idx'), table_name='teams')
    op.drop_table('teams')
    op.drop_table('idempotency_keys')
    op.drop_index(op.f('api_keys_secret_hash_idx'), table_name='api_keys')
    op.drop_index(op.f('api_keys_project_id_created_at_id_idx'), table_name='api_keys')
    op.drop_table('api_keys')
    op.drop_table('projects')
