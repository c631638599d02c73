"""Memories, what was said of them before, accesses to them and annotations on them.

Revision: 0004, after 0006
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0004'
down_revision = '0006'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
PRIVILEGES = {
    "memories": "SELECT, INSERT, UPDATE, DELETE",
    "memory_accesses": "SELECT, INSERT, DELETE",
    "memory_annotations": "SELECT, INSERT, UPDATE, DELETE",
    # No row of it changes, but locking rows takes the right to change them.
    "memory_links": "SELECT, INSERT, UPDATE, DELETE",
    "memory_sources": "SELECT, INSERT, DELETE",
    "memory_revisions": "SELECT, INSERT, DELETE",
}
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"


def upgrade() -> None:
    op.create_table('memories',
    sa.Column('external_id', sa.String(length=255), nullable=True),
    sa.Column('name', sa.String(length=255), nullable=True),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('data', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('memory_type', sa.String(length=255), nullable=True),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('agent_id', sa.Uuid(), nullable=True),
    sa.Column('session_id', sa.Uuid(), nullable=True),
    sa.Column('importance', sa.Double(), server_default='1', nullable=False),
    sa.Column('confidence', sa.Double(), nullable=True),
    sa.Column('source_type', sa.String(length=255), nullable=True),
    sa.Column('verification_status', sa.String(length=16), server_default='UNVERIFIED', nullable=False),
    sa.Column('topics', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('read_mode', sa.String(length=255), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_accessed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('access_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('metadata', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("verification_status IN ('UNVERIFIED', 'VERIFIED', 'DISPUTED')", name=op.f('memories_verification_status_check')),
    sa.CheckConstraint('access_count >= 0', name=op.f('memories_access_count_check')),
    sa.CheckConstraint('confidence BETWEEN 0 AND 1', name=op.f('memories_confidence_check')),
    sa.CheckConstraint('importance >= 0', name=op.f('memories_importance_check')),
    sa.ForeignKeyConstraint(['project_id', 'agent_id'], ['agents.project_id', 'agents.id'], name=op.f('memories_agent_id_fkey'), ondelete='SET NULL (agent_id)'),
    sa.ForeignKeyConstraint(['project_id', 'session_id'], ['sessions.project_id', 'sessions.id'], name=op.f('memories_session_id_fkey'), ondelete='SET NULL (session_id)'),
    sa.ForeignKeyConstraint(['project_id', 'user_id'], ['users.project_id', 'users.id'], name=op.f('memories_user_id_fkey'), ondelete='SET NULL (user_id)'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('memories_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('memories_pkey')),
    sa.UniqueConstraint('project_id', 'external_id', name=op.f('memories_project_id_external_id_key'))
    )
    op.create_index('memories_confidence_idx', 'memories', ['project_id', sa.literal_column('confidence NULLS FIRST'), 'id'])
    op.create_index('memories_data_idx', 'memories', ['data'], postgresql_using='gin')
    op.create_index('memories_expires_at_idx', 'memories', ['project_id', sa.literal_column('expires_at NULLS FIRST'), 'id'])
    op.create_index('memories_last_accessed_at_idx', 'memories', ['project_id', sa.literal_column('last_accessed_at NULLS FIRST'), 'id'])
    op.create_index('memories_metadata_idx', 'memories', ['metadata'], postgresql_using='gin')
    op.create_index('memories_name_idx', 'memories', ['project_id', sa.literal_column('name NULLS FIRST'), 'id'])
    op.create_index(op.f('memories_project_id_access_count_id_idx'), 'memories', ['project_id', 'access_count', 'id'])
    op.create_index(op.f('memories_project_id_agent_id_created_at_id_idx'), 'memories', ['project_id', 'agent_id', 'created_at', 'id'])
    op.create_index(op.f('memories_project_id_agent_id_importance_id_idx'), 'memories', ['project_id', 'agent_id', 'importance', 'id'])
    op.create_index(op.f('memories_project_id_created_at_id_idx'), 'memories', ['project_id', 'created_at', 'id'])
    op.create_index(op.f('memories_project_id_importance_id_idx'), 'memories', ['project_id', 'importance', 'id'])
    op.create_index(op.f('memories_project_id_memory_type_idx'), 'memories', ['project_id', 'memory_type'])
    op.create_index(op.f('memories_project_id_read_mode_idx'), 'memories', ['project_id', 'read_mode'], postgresql_where=sa.text('read_mode IS NOT NULL'))
    op.create_index(op.f('memories_project_id_session_id_created_at_id_idx'), 'memories', ['project_id', 'session_id', 'created_at', 'id'])
    op.create_index(op.f('memories_project_id_source_type_idx'), 'memories', ['project_id', 'source_type'])
    op.create_index(op.f('memories_project_id_updated_at_id_idx'), 'memories', ['project_id', 'updated_at', 'id'])
    op.create_index(op.f('memories_project_id_user_id_created_at_id_idx'), 'memories', ['project_id', 'user_id', 'created_at', 'id'])
    op.create_index(op.f('memories_project_id_user_id_importance_id_idx'), 'memories', ['project_id', 'user_id', 'importance', 'id'])
    op.create_index(op.f('memories_project_id_verification_status_idx'), 'memories', ['project_id', 'verification_status'])
    op.create_index('memories_topics_idx', 'memories', ['topics'], postgresql_using='gin')
    op.create_table('memory_accesses',
    sa.Column('memory_id', sa.Uuid(), nullable=False),
    sa.Column('access_type', sa.String(length=255), nullable=False),
    sa.Column('accessed_by', sa.String(length=255), nullable=False),
    sa.Column('accessor_type', sa.String(length=16), nullable=False),
    sa.Column('context', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('usefulness', sa.Double(), nullable=True),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("accessor_type IN ('AGENT', 'USER', 'SYSTEM')", name=op.f('memory_accesses_accessor_type_check')),
    sa.CheckConstraint('usefulness BETWEEN 0 AND 1', name=op.f('memory_accesses_usefulness_check')),
    sa.ForeignKeyConstraint(['project_id', 'memory_id'], ['memories.project_id', 'memories.id'], name=op.f('memory_accesses_memory_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('memory_accesses_pkey'))
    )
    op.create_index(op.f('memory_accesses_project_id_access_type_idx'), 'memory_accesses', ['project_id', 'access_type'])
    op.create_index(op.f('memory_accesses_project_id_accessed_by_created_at_id_idx'), 'memory_accesses', ['project_id', 'accessed_by', 'created_at', 'id'])
    op.create_index(op.f('memory_accesses_project_id_accessor_type_idx'), 'memory_accesses', ['project_id', 'accessor_type'])
    op.create_index(op.f('memory_accesses_project_id_created_at_id_idx'), 'memory_accesses', ['project_id', 'created_at', 'id'])
    op.create_index(op.f('memory_accesses_project_id_memory_id_created_at_id_idx'), 'memory_accesses', ['project_id', 'memory_id', 'created_at', 'id'])
    op.create_index('memory_accesses_usefulness_idx', 'memory_accesses', ['project_id', sa.literal_column('usefulness NULLS FIRST'), 'id'])
    op.create_table('memory_annotations',
    sa.Column('memory_id', sa.Uuid(), nullable=False),
    sa.Column('annotation_type', sa.String(length=255), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('verification_status', sa.String(length=16), nullable=True),
    sa.Column('created_by_user_id', sa.Uuid(), nullable=True),
    sa.Column('created_by_agent_id', sa.Uuid(), nullable=True),
    sa.Column('is_applied', sa.Boolean(), sa.Computed('applied_at IS NOT NULL', persisted=True), nullable=False),
    sa.Column('applied_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("(annotation_type = 'verification') = (verification_status IS NOT NULL)", name=op.f('memory_annotations_verification_check')),
    sa.CheckConstraint("verification_status IN ('UNVERIFIED', 'VERIFIED', 'DISPUTED')", name=op.f('memory_annotations_verification_status_check')),
    sa.CheckConstraint('num_nonnulls(created_by_user_id, created_by_agent_id) <= 1', name=op.f('memory_annotations_created_by_check')),
    sa.ForeignKeyConstraint(['project_id', 'created_by_agent_id'], ['agents.project_id', 'agents.id'], name=op.f('memory_annotations_created_by_agent_id_fkey'), ondelete='SET NULL (created_by_agent_id)'),
    sa.ForeignKeyConstraint(['project_id', 'created_by_user_id'], ['users.project_id', 'users.id'], name=op.f('memory_annotations_created_by_user_id_fkey'), ondelete='SET NULL (created_by_user_id)'),
    sa.ForeignKeyConstraint(['project_id', 'memory_id'], ['memories.project_id', 'memories.id'], name=op.f('memory_annotations_memory_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('memory_annotations_pkey'))
    )
    op.create_index('memory_annotations_applied_at_idx', 'memory_annotations', ['project_id', sa.literal_column('applied_at NULLS FIRST'), 'id'])
    op.create_index(op.f('memory_annotations_project_id_annotation_type_idx'), 'memory_annotations', ['project_id', 'annotation_type'])
    op.create_index(op.f('memory_annotations_project_id_created_at_id_idx'), 'memory_annotations', ['project_id', 'created_at', 'id'])
    op.create_index(op.f('memory_annotations_project_id_created_by_agent_id_idx'), 'memory_annotations', ['project_id', 'created_by_agent_id'], postgresql_where=sa.text('created_by_agent_id IS NOT NULL'))
    op.create_index(op.f('memory_annotations_project_id_created_by_user_id_idx'), 'memory_annotations', ['project_id', 'created_by_user_id'], postgresql_where=sa.text('created_by_user_id IS NOT NULL'))
    op.create_index(op.f('memory_annotations_project_id_is_applied_idx'), 'memory_annotations', ['project_id', 'is_applied'])
    op.create_index(op.f('memory_annotations_project_id_memory_id_created_at_id_idx'), 'memory_annotations', ['project_id', 'memory_id', 'created_at', 'id'])
    op.create_index(op.f('memory_annotations_project_id_updated_at_id_idx'), 'memory_annotations', ['project_id', 'updated_at', 'id'])
    op.create_index(op.f('memory_annotations_project_id_verification_status_idx'), 'memory_annotations', ['project_id', 'verification_status'], postgresql_where=sa.text('verification_status IS NOT NULL'))
    op.create_table('memory_links',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('memory_id', sa.Uuid(), nullable=False),
    sa.Column('related_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('memory_id <> related_id', name=op.f('memory_links_related_id_check')),
    sa.ForeignKeyConstraint(['project_id', 'memory_id'], ['memories.project_id', 'memories.id'], name=op.f('memory_links_memory_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'related_id', 'memory_id'], ['memory_links.project_id', 'memory_links.memory_id', 'memory_links.related_id'], name='memory_links_both_ways_fkey', ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'related_id'], ['memories.project_id', 'memories.id'], name=op.f('memory_links_related_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'memory_id', 'related_id', name=op.f('memory_links_pkey'))
    )
    op.create_index(op.f('memory_links_project_id_related_id_memory_id_idx'), 'memory_links', ['project_id', 'related_id', 'memory_id'])
    op.create_table('memory_sources',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('memory_id', sa.Uuid(), nullable=False),
    sa.Column('message_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['project_id', 'memory_id'], ['memories.project_id', 'memories.id'], name=op.f('memory_sources_memory_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'message_id'], ['messages.project_id', 'messages.id'], name=op.f('memory_sources_message_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'memory_id', 'message_id', name=op.f('memory_sources_pkey'))
    )
    op.create_index(op.f('memory_sources_project_id_message_id_memory_id_idx'), 'memory_sources', ['project_id', 'message_id', 'memory_id'])
    op.create_table('memory_revisions',
    sa.Column('memory_id', sa.Uuid(), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('annotation_id', sa.Uuid(), nullable=True),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('sequence >= 1', name=op.f('memory_revisions_sequence_check')),
    sa.ForeignKeyConstraint(['project_id', 'annotation_id'], ['memory_annotations.project_id', 'memory_annotations.id'], name=op.f('memory_revisions_annotation_id_fkey'), ondelete='SET NULL (annotation_id)'),
    sa.ForeignKeyConstraint(['project_id', 'memory_id'], ['memories.project_id', 'memories.id'], name=op.f('memory_revisions_memory_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('memory_revisions_pkey')),
    sa.UniqueConstraint('project_id', 'annotation_id', name=op.f('memory_revisions_project_id_annotation_id_key')),
    sa.UniqueConstraint('project_id', 'memory_id', 'sequence', name=op.f('memory_revisions_project_id_memory_id_sequence_key'))
    )
    op.create_index(op.f('memory_revisions_project_id_created_at_id_idx'), 'memory_revisions', ['project_id', 'created_at', 'id'])
    op.create_index(op.f('memory_revisions_project_id_memory_id_created_at_id_idx'), 'memory_revisions', ['project_id', 'memory_id', 'created_at', 'id'])
    for table, privileges in PRIVILEGES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY project ON {table} TO {ROLE} USING (project_id = {PROJECT})")
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")


def downgrade() -> None:
    # Indexes and policies go with their tables.
    op.drop_table('memory_revisions')
    op.drop_table('memory_sources')
    op.drop_table('memory_links')
    op.drop_table('memory_annotations')
    op.drop_table('memory_accesses')
    op.drop_table('memories')
