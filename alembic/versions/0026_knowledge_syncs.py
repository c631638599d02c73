"""The job of a sync, and indexes for the use of a knowledge base's documents.

Revision: 0026, after 0025

Writers of `knowledge_documents` wait while the two indexes are built.
"""
import sqlalchemy as sa
from alembic import op
revision = '0026'
down_revision = '0025'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('knowledge_syncs', sa.Column('job_id', sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f('knowledge_syncs_job_id_fkey'), 'knowledge_syncs', 'jobs', ['project_id', 'job_id'], ['project_id', 'id'])
    op.create_index(op.f('knowledge_syncs_project_id_job_id_idx'), 'knowledge_syncs', ['project_id', 'job_id'], postgresql_where=sa.text('job_id IS NOT NULL'))
    op.create_index('knowledge_documents_base_access_count_idx', 'knowledge_documents', ['project_id', 'knowledge_base_id', 'access_count', 'id'])
    op.create_index('knowledge_documents_base_last_accessed_at_idx', 'knowledge_documents', ['project_id', 'knowledge_base_id', sa.literal_column('last_accessed_at NULLS FIRST'), 'id'])


def downgrade() -> None:
    op.drop_index('knowledge_documents_base_last_accessed_at_idx', 'knowledge_documents')
    op.drop_index('knowledge_documents_base_access_count_idx', 'knowledge_documents')
    op.drop_index(op.f('knowledge_syncs_project_id_job_id_idx'), 'knowledge_syncs')
    op.drop_column('knowledge_syncs', 'job_id')
