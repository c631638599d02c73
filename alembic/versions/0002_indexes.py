"""Indexes for every order and filter of the contract, and lighter ones on messages.

Revision: 0002, after 0001
"""
import sqlalchemy as sa
from alembic import op
revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

# What row-level security keeps from indexes unless a superuser vouches for it. It stays when this is taken
# back: it is said of the database, and may have been said before.
TRUSTED = (
    "arraycontains(anyarray, anyarray)",
    "arrayoverlap(anyarray, anyarray)",
    "jsonb_contains(jsonb, jsonb)",
    "jsonb_exists(jsonb, text)",
    "lower(text)",
    "numeric_eq(numeric, numeric)",
    "numeric_gt(numeric, numeric)",
    "numeric_ge(numeric, numeric)",
    "numeric_lt(numeric, numeric)",
    "numeric_le(numeric, numeric)",
)
TRUST = f"""
DO $$ BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        {" ".join(f"ALTER FUNCTION pg_catalog.{function} LEAKPROOF;" for function in TRUSTED)}
    END IF;
END $$
"""
JSON = (('users', 'user_data'), ('sessions', 'metadata'), ('sessions', 'state'), ('messages', 'metadata'))
SPEAKERS = ('user_id', 'agent_id')


def upgrade() -> None:
    op.execute(TRUST)
    for table, column in JSON:
        op.drop_index(f'{table}_{column}_idx', table_name=table)
        op.create_index(f'{table}_{column}_idx', table, [column], postgresql_using='gin')
    for column in SPEAKERS:
        op.drop_index(op.f(f'messages_project_id_{column}_created_at_id_idx'), table_name='messages')
        op.create_index(op.f(f'messages_project_id_{column}_created_at_id_idx'), 'messages', ['project_id', column, 'created_at', 'id'], postgresql_where=sa.text(f'{column} IS NOT NULL'))
    op.create_index(op.f('agent_versions_project_id_updated_at_id_idx'), 'agent_versions', ['project_id', 'updated_at', 'id'])
    op.create_index(op.f('agent_versions_project_id_version_number_id_idx'), 'agent_versions', ['project_id', 'version_number', 'id'])
    op.drop_index(op.f('agents_project_id_success_rate_id_idx'), table_name='agents')
    op.create_index('agents_success_rate_idx', 'agents', ['project_id', sa.literal_column('success_rate NULLS FIRST'), 'id'])
    op.create_index('messages_feedback_idx', 'messages', ['project_id', 'created_at', 'id'], postgresql_where=sa.text('feedback IS NOT NULL'))
    op.create_index('messages_flagged_idx', 'messages', ['project_id', 'created_at', 'id'], postgresql_where=sa.text('flagged'))
    op.create_index(op.f('messages_project_id_latency_ms_idx'), 'messages', ['project_id', 'latency_ms'], postgresql_where=sa.text('latency_ms IS NOT NULL'))
    op.create_index(op.f('messages_project_id_media_type_idx'), 'messages', ['project_id', 'media_type'], postgresql_where=sa.text('media_type IS NOT NULL'))
    op.create_index(op.f('messages_project_id_model_idx'), 'messages', ['project_id', 'model'], postgresql_where=sa.text('model IS NOT NULL'))
    op.create_index(op.f('messages_project_id_redacted_at_idx'), 'messages', ['project_id', 'redacted_at'], postgresql_where=sa.text('redacted_at IS NOT NULL'))
    op.create_index(op.f('messages_project_id_updated_at_idx'), 'messages', ['project_id', 'updated_at'])
    op.drop_index(op.f('sessions_project_id_agent_id_agent_version_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_ended_at_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_quality_score_id_idx'), table_name='sessions')
    op.create_index('sessions_context_idx', 'sessions', ['context'], postgresql_using='gin')
    op.create_index('sessions_cost_usd_idx', 'sessions', ['project_id', sa.literal_column('cost_usd NULLS FIRST'), 'id'])
    op.create_index('sessions_ended_at_idx', 'sessions', ['project_id', sa.literal_column('ended_at NULLS FIRST'), 'id'])
    op.create_index(op.f('sessions_project_id_agent_version_id_started_at_id_idx'), 'sessions', ['project_id', 'agent_version_id', 'started_at', 'id'])
    op.create_index(op.f('sessions_project_id_completion_tokens_id_idx'), 'sessions', ['project_id', 'completion_tokens', 'id'])
    op.create_index(op.f('sessions_project_id_interaction_count_id_idx'), 'sessions', ['project_id', 'interaction_count', 'id'])
    op.create_index(op.f('sessions_project_id_is_active_idx'), 'sessions', ['project_id', 'is_active'])
    op.create_index(op.f('sessions_project_id_platform_idx'), 'sessions', ['project_id', 'platform'])
    op.create_index(op.f('sessions_project_id_prompt_tokens_id_idx'), 'sessions', ['project_id', 'prompt_tokens', 'id'])
    op.create_index(op.f('sessions_project_id_provider_idx'), 'sessions', ['project_id', 'provider'])
    op.create_index(op.f('sessions_project_id_source_idx'), 'sessions', ['project_id', 'source'])
    op.create_index('sessions_quality_score_idx', 'sessions', ['project_id', sa.literal_column('quality_score NULLS FIRST'), 'id'])
    op.create_index('sessions_user_satisfaction_idx', 'sessions', ['project_id', sa.literal_column('user_satisfaction NULLS FIRST'), 'id'])
    op.drop_index(op.f('tool_calls_project_id_duration_ms_id_idx'), table_name='tool_calls')
    op.drop_index(op.f('tool_calls_project_id_name_status_created_at_id_idx'), table_name='tool_calls')
    op.create_index('tool_calls_duration_ms_idx', 'tool_calls', ['project_id', sa.literal_column('duration_ms NULLS FIRST'), 'id'])
    op.create_index('tool_calls_error_idx', 'tool_calls', ['project_id', 'session_id'], postgresql_where=sa.text('error IS NOT NULL'))
    op.create_index(op.f('tool_calls_project_id_call_id_idx'), 'tool_calls', ['project_id', 'call_id'], postgresql_where=sa.text('call_id IS NOT NULL'))
    op.create_index(op.f('tool_calls_project_id_name_id_idx'), 'tool_calls', ['project_id', 'name', 'id'])
    op.create_index(op.f('tool_calls_project_id_started_at_idx'), 'tool_calls', ['project_id', 'started_at'], postgresql_where=sa.text('started_at IS NOT NULL'))
    op.create_index(op.f('tool_calls_project_id_updated_at_idx'), 'tool_calls', ['project_id', 'updated_at'])
    op.create_index('tool_calls_status_idx', 'tool_calls', ['project_id', 'status', 'created_at', 'id'], postgresql_where=sa.text("status <> 'SUCCEEDED'"))
    op.drop_index(op.f('users_project_id_email_id_idx'), table_name='users')
    op.drop_index(op.f('users_project_id_name_id_idx'), table_name='users')
    op.create_index('users_email_idx', 'users', ['project_id', sa.literal_column('email NULLS FIRST'), 'id'])
    op.create_index('users_name_idx', 'users', ['project_id', sa.literal_column('name NULLS FIRST'), 'id'])


def downgrade() -> None:
    op.drop_index('users_name_idx', table_name='users')
    op.drop_index('users_email_idx', table_name='users')
    op.create_index(op.f('users_project_id_name_id_idx'), 'users', ['project_id', 'name', 'id'])
    op.create_index(op.f('users_project_id_email_id_idx'), 'users', ['project_id', 'email', 'id'])
    op.drop_index('tool_calls_status_idx', table_name='tool_calls')
    op.drop_index(op.f('tool_calls_project_id_updated_at_idx'), table_name='tool_calls')
    op.drop_index(op.f('tool_calls_project_id_started_at_idx'), table_name='tool_calls')
    op.drop_index(op.f('tool_calls_project_id_name_id_idx'), table_name='tool_calls')
    op.drop_index(op.f('tool_calls_project_id_call_id_idx'), table_name='tool_calls')
    op.drop_index('tool_calls_error_idx', table_name='tool_calls')
    op.drop_index('tool_calls_duration_ms_idx', table_name='tool_calls')
    op.create_index(op.f('tool_calls_project_id_name_status_created_at_id_idx'), 'tool_calls', ['project_id', 'name', 'status', 'created_at', 'id'])
    op.create_index(op.f('tool_calls_project_id_duration_ms_id_idx'), 'tool_calls', ['project_id', 'duration_ms', 'id'])
    op.drop_index('sessions_user_satisfaction_idx', table_name='sessions')
    op.drop_index('sessions_quality_score_idx', table_name='sessions')
    op.drop_index(op.f('sessions_project_id_source_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_provider_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_prompt_tokens_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_platform_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_is_active_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_interaction_count_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_completion_tokens_id_idx'), table_name='sessions')
    op.drop_index(op.f('sessions_project_id_agent_version_id_started_at_id_idx'), table_name='sessions')
    op.drop_index('sessions_ended_at_idx', table_name='sessions')
    op.drop_index('sessions_cost_usd_idx', table_name='sessions')
    op.drop_index('sessions_context_idx', table_name='sessions')
    op.create_index(op.f('sessions_project_id_quality_score_id_idx'), 'sessions', ['project_id', 'quality_score', 'id'])
    op.create_index(op.f('sessions_project_id_ended_at_id_idx'), 'sessions', ['project_id', 'ended_at', 'id'])
    op.create_index(op.f('sessions_project_id_agent_id_agent_version_id_idx'), 'sessions', ['project_id', 'agent_id', 'agent_version_id'])
    op.drop_index(op.f('messages_project_id_updated_at_idx'), table_name='messages')
    op.drop_index(op.f('messages_project_id_redacted_at_idx'), table_name='messages')
    op.drop_index(op.f('messages_project_id_model_idx'), table_name='messages')
    op.drop_index(op.f('messages_project_id_media_type_idx'), table_name='messages')
    op.drop_index(op.f('messages_project_id_latency_ms_idx'), table_name='messages')
    op.drop_index('messages_flagged_idx', table_name='messages')
    op.drop_index('messages_feedback_idx', table_name='messages')
    op.drop_index('agents_success_rate_idx', table_name='agents')
    op.create_index(op.f('agents_project_id_success_rate_id_idx'), 'agents', ['project_id', 'success_rate', 'id'])
    op.drop_index(op.f('agent_versions_project_id_version_number_id_idx'), table_name='agent_versions')
    op.drop_index(op.f('agent_versions_project_id_updated_at_id_idx'), table_name='agent_versions')
    for column in SPEAKERS:
        op.drop_index(op.f(f'messages_project_id_{column}_created_at_id_idx'), table_name='messages')
        op.create_index(op.f(f'messages_project_id_{column}_created_at_id_idx'), 'messages', ['project_id', column, 'created_at', 'id'])
    for table, column in JSON:
        op.drop_index(f'{table}_{column}_idx', table_name=table)
        op.create_index(f'{table}_{column}_idx', table, [column], postgresql_using='gin', postgresql_ops={column: 'jsonb_path_ops'})
