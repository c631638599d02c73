"""Knowledge bases with versions, documents, chunks and syncs, and the scope that writes them.

Revision: 0024, after 0023
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
END_USER = "agentdata_end_user"
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"
PRIVILEGES = {
    "knowledge_bases": "SELECT, INSERT, UPDATE, DELETE",
    "agent_knowledge_bases": "SELECT, INSERT, DELETE",
    "knowledge_versions": "SELECT, INSERT, UPDATE, DELETE",
    "knowledge_documents": "SELECT, INSERT, UPDATE, DELETE",
    # No chunk changes: the chunks of a document are replaced.
    "knowledge_chunks": "SELECT, INSERT, DELETE",
    "knowledge_syncs": "SELECT, INSERT, UPDATE, DELETE",
}
SCOPE = "KNOWLEDGE_WRITE"
BEFORE = (
    "READ", "WRITE", "ADMIN", "USERS_WRITE", "TEAMS_WRITE", "AGENTS_WRITE", "SESSIONS_WRITE", "MESSAGES_WRITE",
    "EVENTS_WRITE", "USAGE_WRITE", "SANDBOXES_WRITE", "STATES_WRITE", "METRICS_WRITE", "MEMORIES_WRITE",
    "JOBS_WRITE",
)


def upgrade() -> None:
    op.create_table('knowledge_bases',
    sa.Column('name', sa.String(length=255, collation='C'), nullable=False),
    sa.Column('external_id', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('source', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('refresh_schedule', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('metadata', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('knowledge_bases_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('knowledge_bases_pkey')),
    sa.UniqueConstraint('project_id', 'external_id', name=op.f('knowledge_bases_project_id_external_id_key')),
    sa.UniqueConstraint('project_id', 'name', name=op.f('knowledge_bases_project_id_name_key'))
    )
    op.create_index('knowledge_bases_metadata_idx', 'knowledge_bases', ['metadata'], postgresql_using='gin')
    op.create_index(op.f('knowledge_bases_project_id_created_at_id_idx'), 'knowledge_bases', ['project_id', 'created_at', 'id'])
    op.create_index(op.f('knowledge_bases_project_id_refresh_schedule_idx'), 'knowledge_bases', ['project_id', 'refresh_schedule'], postgresql_where=sa.text('refresh_schedule IS NOT NULL'))
    op.create_index(op.f('knowledge_bases_project_id_updated_at_id_idx'), 'knowledge_bases', ['project_id', 'updated_at', 'id'])
    op.create_index('knowledge_bases_source_idx', 'knowledge_bases', ['source'], postgresql_using='gin')
    op.create_table('knowledge_syncs',
    sa.Column('knowledge_base_id', sa.Uuid(), nullable=False),
    sa.Column('status', sa.String(length=16), server_default='RUNNING', nullable=False),
    sa.Column('kind', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('commit_sha', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('added', sa.Integer(), server_default='0', nullable=False),
    sa.Column('modified', sa.Integer(), server_default='0', nullable=False),
    sa.Column('removed', sa.Integer(), server_default='0', nullable=False),
    sa.Column('chunks_written', sa.Integer(), server_default='0', nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("(finished_at IS NULL) = (status = 'RUNNING')", name=op.f('knowledge_syncs_status_finished_at_check')),
    sa.CheckConstraint("error IS NULL OR status = 'FAILED'", name=op.f('knowledge_syncs_error_check')),
    sa.CheckConstraint("status IN ('RUNNING', 'SUCCEEDED', 'FAILED', 'SKIPPED')", name=op.f('knowledge_syncs_status_check')),
    sa.CheckConstraint('added >= 0', name=op.f('knowledge_syncs_added_check')),
    sa.CheckConstraint('chunks_written >= 0', name=op.f('knowledge_syncs_chunks_written_check')),
    sa.CheckConstraint('finished_at >= started_at', name=op.f('knowledge_syncs_finished_at_check')),
    sa.CheckConstraint('modified >= 0', name=op.f('knowledge_syncs_modified_check')),
    sa.CheckConstraint('removed >= 0', name=op.f('knowledge_syncs_removed_check')),
    sa.ForeignKeyConstraint(['project_id', 'knowledge_base_id'], ['knowledge_bases.project_id', 'knowledge_bases.id'], name=op.f('knowledge_syncs_knowledge_base_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('knowledge_syncs_pkey'))
    )
    op.create_index('knowledge_syncs_finished_at_idx', 'knowledge_syncs', ['project_id', sa.literal_column('finished_at NULLS FIRST'), 'id'])
    op.create_index(op.f('knowledge_syncs_project_id_commit_sha_idx'), 'knowledge_syncs', ['project_id', 'commit_sha'], postgresql_where=sa.text('commit_sha IS NOT NULL'))
    op.create_index(op.f('knowledge_syncs_project_id_created_at_id_idx'), 'knowledge_syncs', ['project_id', 'created_at', 'id'])
    op.create_index(op.f('knowledge_syncs_project_id_kind_idx'), 'knowledge_syncs', ['project_id', 'kind'], postgresql_where=sa.text('kind IS NOT NULL'))
    op.create_index(op.f('knowledge_syncs_project_id_knowledge_base_id_started_at_id_idx'), 'knowledge_syncs', ['project_id', 'knowledge_base_id', 'started_at', 'id'])
    op.create_index(op.f('knowledge_syncs_project_id_started_at_id_idx'), 'knowledge_syncs', ['project_id', 'started_at', 'id'])
    op.create_index(op.f('knowledge_syncs_project_id_status_started_at_id_idx'), 'knowledge_syncs', ['project_id', 'status', 'started_at', 'id'])
    op.create_index(op.f('knowledge_syncs_project_id_updated_at_id_idx'), 'knowledge_syncs', ['project_id', 'updated_at', 'id'])
    op.create_index('knowledge_syncs_succeeded_idx', 'knowledge_syncs', ['project_id', 'knowledge_base_id', 'finished_at', 'id'], postgresql_where=sa.text("status = 'SUCCEEDED'"))
    op.create_table('knowledge_versions',
    sa.Column('knowledge_base_id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.String(length=255, collation='C'), nullable=False),
    sa.Column('document_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('chunk_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('chunk_count >= 0', name=op.f('knowledge_versions_chunk_count_check')),
    sa.CheckConstraint('document_count >= 0', name=op.f('knowledge_versions_document_count_check')),
    sa.ForeignKeyConstraint(['project_id', 'knowledge_base_id'], ['knowledge_bases.project_id', 'knowledge_bases.id'], name=op.f('knowledge_versions_knowledge_base_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('knowledge_versions_pkey')),
    sa.UniqueConstraint('project_id', 'knowledge_base_id', 'version', name=op.f('knowledge_versions_project_id_knowledge_base_id_version_key'))
    )
    op.create_index('knowledge_versions_base_created_at_idx', 'knowledge_versions', ['project_id', 'knowledge_base_id', 'created_at', 'id'])
    op.create_index(op.f('knowledge_versions_project_id_chunk_count_id_idx'), 'knowledge_versions', ['project_id', 'chunk_count', 'id'])
    op.create_index(op.f('knowledge_versions_project_id_created_at_id_idx'), 'knowledge_versions', ['project_id', 'created_at', 'id'])
    op.create_index(op.f('knowledge_versions_project_id_document_count_id_idx'), 'knowledge_versions', ['project_id', 'document_count', 'id'])
    op.create_index(op.f('knowledge_versions_project_id_version_id_idx'), 'knowledge_versions', ['project_id', 'version', 'id'])
    op.create_table('agent_knowledge_bases',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('knowledge_base_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['project_id', 'agent_id'], ['agents.project_id', 'agents.id'], name=op.f('agent_knowledge_bases_agent_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'knowledge_base_id'], ['knowledge_bases.project_id', 'knowledge_bases.id'], name=op.f('agent_knowledge_bases_knowledge_base_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'agent_id', 'knowledge_base_id', name=op.f('agent_knowledge_bases_pkey'))
    )
    op.create_index(op.f('agent_knowledge_bases_project_id_knowledge_base_id_idx'), 'agent_knowledge_bases', ['project_id', 'knowledge_base_id'])
    op.create_table('knowledge_documents',
    sa.Column('knowledge_base_id', sa.Uuid(), nullable=False),
    sa.Column('version_id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.String(length=255, collation='C'), nullable=False),
    sa.Column('external_id', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('name', sa.String(length=255, collation='C'), nullable=False),
    sa.Column('type', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('size', sa.BigInteger(), nullable=True),
    sa.Column('hash', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('status', sa.String(length=16), server_default='PENDING', nullable=False),
    sa.Column('status_message', sa.Text(), nullable=True),
    sa.Column('metadata', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('chunk_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('access_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('last_accessed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("status IN ('PENDING', 'PROCESSING', 'READY', 'FAILED')", name=op.f('knowledge_documents_status_check')),
    sa.CheckConstraint('access_count >= 0', name=op.f('knowledge_documents_access_count_check')),
    sa.CheckConstraint('chunk_count BETWEEN 0 AND 100000', name=op.f('knowledge_documents_chunk_count_check')),
    sa.CheckConstraint('size >= 0', name=op.f('knowledge_documents_size_check')),
    sa.ForeignKeyConstraint(['project_id', 'knowledge_base_id'], ['knowledge_bases.project_id', 'knowledge_bases.id'], name=op.f('knowledge_documents_knowledge_base_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'version_id'], ['knowledge_versions.project_id', 'knowledge_versions.id'], name=op.f('knowledge_documents_version_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('knowledge_documents_pkey')),
    sa.UniqueConstraint('project_id', 'knowledge_base_id', 'version', 'external_id', name='knowledge_documents_external_id_key')
    )
    op.create_index('knowledge_documents_base_created_at_idx', 'knowledge_documents', ['project_id', 'knowledge_base_id', 'created_at', 'id'])
    op.create_index('knowledge_documents_last_accessed_at_idx', 'knowledge_documents', ['project_id', sa.literal_column('last_accessed_at NULLS FIRST'), 'id'])
    op.create_index('knowledge_documents_metadata_idx', 'knowledge_documents', ['metadata'], postgresql_using='gin')
    op.create_index(op.f('knowledge_documents_project_id_access_count_id_idx'), 'knowledge_documents', ['project_id', 'access_count', 'id'])
    op.create_index(op.f('knowledge_documents_project_id_created_at_id_idx'), 'knowledge_documents', ['project_id', 'created_at', 'id'])
    op.create_index(op.f('knowledge_documents_project_id_external_id_idx'), 'knowledge_documents', ['project_id', 'external_id'], postgresql_where=sa.text('external_id IS NOT NULL'))
    op.create_index(op.f('knowledge_documents_project_id_hash_idx'), 'knowledge_documents', ['project_id', 'hash'], postgresql_where=sa.text('hash IS NOT NULL'))
    op.create_index(op.f('knowledge_documents_project_id_name_id_idx'), 'knowledge_documents', ['project_id', 'name', 'id'])
    op.create_index(op.f('knowledge_documents_project_id_status_created_at_id_idx'), 'knowledge_documents', ['project_id', 'status', 'created_at', 'id'])
    op.create_index(op.f('knowledge_documents_project_id_type_idx'), 'knowledge_documents', ['project_id', 'type'], postgresql_where=sa.text('type IS NOT NULL'))
    op.create_index(op.f('knowledge_documents_project_id_updated_at_id_idx'), 'knowledge_documents', ['project_id', 'updated_at', 'id'])
    op.create_index(op.f('knowledge_documents_project_id_version_id_created_at_id_idx'), 'knowledge_documents', ['project_id', 'version_id', 'created_at', 'id'])
    op.create_index(op.f('knowledge_documents_project_id_version_idx'), 'knowledge_documents', ['project_id', 'version'])
    op.create_index('knowledge_documents_size_idx', 'knowledge_documents', ['project_id', sa.literal_column('size NULLS FIRST'), 'id'])
    op.create_table('knowledge_chunks',
    sa.Column('knowledge_base_id', sa.Uuid(), nullable=False),
    sa.Column('version_id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.String(length=255, collation='C'), nullable=False),
    sa.Column('document_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('metadata', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('tags', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('position >= 1', name=op.f('knowledge_chunks_position_check')),
    sa.ForeignKeyConstraint(['project_id', 'document_id'], ['knowledge_documents.project_id', 'knowledge_documents.id'], name=op.f('knowledge_chunks_document_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'knowledge_base_id'], ['knowledge_bases.project_id', 'knowledge_bases.id'], name=op.f('knowledge_chunks_knowledge_base_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'version_id'], ['knowledge_versions.project_id', 'knowledge_versions.id'], name=op.f('knowledge_chunks_version_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('knowledge_chunks_pkey')),
    sa.UniqueConstraint('project_id', 'document_id', 'position', name=op.f('knowledge_chunks_project_id_document_id_position_key'))
    )
    op.create_index('knowledge_chunks_metadata_idx', 'knowledge_chunks', ['metadata'], postgresql_using='gin')
    op.create_index(op.f('knowledge_chunks_project_id_created_at_id_idx'), 'knowledge_chunks', ['project_id', 'created_at', 'id'])
    op.create_index(op.f('knowledge_chunks_project_id_knowledge_base_id_created_at_id_idx'), 'knowledge_chunks', ['project_id', 'knowledge_base_id', 'created_at', 'id'])
    op.create_index(op.f('knowledge_chunks_project_id_version_id_idx'), 'knowledge_chunks', ['project_id', 'version_id'])
    op.create_index(op.f('knowledge_chunks_project_id_version_idx'), 'knowledge_chunks', ['project_id', 'version'])
    op.create_index('knowledge_chunks_search_idx', 'knowledge_chunks', [sa.literal_column('search_document(content)'), sa.literal_column('(ARRAY[project_id])')], postgresql_using='gin')
    op.create_index('knowledge_chunks_tags_idx', 'knowledge_chunks', ['tags'], postgresql_using='gin')
    for table, privileges in PRIVILEGES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY project ON {table} TO {ROLE} USING (project_id = {PROJECT})")
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")
        # No policy shows end users a row, as none shows them agents, but their statements may name the tables.
        op.execute(f"GRANT SELECT ON {table} TO {END_USER}")
    allow((*BEFORE, SCOPE))


def downgrade() -> None:
    # A key with no scope but this one keeps the one that it includes.
    op.execute(
        f"UPDATE api_keys SET scopes = CASE WHEN scopes = ARRAY['{SCOPE}'] THEN ARRAY['READ']"
        f" ELSE array_remove(scopes, '{SCOPE}') END WHERE '{SCOPE}' = ANY (scopes)"
    )
    allow(BEFORE)
    # Indexes and policies go with their tables.
    for table in ("syncs", "chunks", "documents", "versions"):
        op.drop_table(f"knowledge_{table}")
    op.drop_table('agent_knowledge_bases')
    op.drop_table('knowledge_bases')


def allow(scopes: tuple[str, ...]) -> None:
    op.drop_constraint(op.f('api_keys_scopes_check'), 'api_keys')
    listed = ",".join(f"'{scope}'" for scope in scopes)
    op.create_check_constraint(
        op.f('api_keys_scopes_check'), 'api_keys', f"scopes <@ ARRAY[{listed}] AND cardinality(scopes) > 0"
    )
