"""The vectors of chunks, memories and messages, and the models that knowledge bases are embedded with.

Revision: 0025, after 0024

The tables need no extension. Where pgvector is installed, the server indexes them, a size at a time.
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0025'
down_revision = '0024'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
END_USER = "agentdata_end_user"
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"
USER = "nullif(current_setting('app.user_id', true), '')::uuid"

TABLES = ("knowledge_embeddings", "memory_embeddings", "message_embeddings")


def own(table: str) -> str:
    """As in the migration 0021: an array is computed once for a statement."""
    return f"ARRAY(SELECT own.id FROM {table} AS own WHERE own.project_id = {PROJECT} AND own.user_id = {USER})"


VISIBLE = {
    "memory_embeddings": f"memory_id = ANY ({own('memories')})",
    "message_embeddings": f"session_id = ANY ({own('sessions')})",
}


def upgrade() -> None:
    for name in ("embedding_model", "next_embedding_model"):
        op.add_column('knowledge_bases', sa.Column(name, sa.String(length=255, collation='C'), nullable=True))
    for name in ("dimensions", "next_dimensions"):
        op.add_column('knowledge_bases', sa.Column(name, sa.Integer(), nullable=True))
        op.create_check_constraint(op.f(f'knowledge_bases_{name}_check'), 'knowledge_bases', f'{name} BETWEEN 1 AND 4000')
    op.create_check_constraint(op.f('knowledge_bases_embedding_model_check'), 'knowledge_bases', 'dimensions IS NULL OR embedding_model IS NOT NULL')
    op.create_check_constraint(op.f('knowledge_bases_next_embedding_model_check'), 'knowledge_bases', '(next_embedding_model IS NULL) = (next_dimensions IS NULL) AND (next_embedding_model IS NULL OR next_embedding_model <> embedding_model)')
    op.create_table('knowledge_embeddings',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('chunk_id', sa.Uuid(), nullable=False),
    sa.Column('knowledge_base_id', sa.Uuid(), nullable=False),
    sa.Column('version_id', sa.Uuid(), nullable=False),
    *vector(),
    sa.CheckConstraint('cardinality(embedding) = dimensions', name=op.f('knowledge_embeddings_embedding_check')),
    sa.CheckConstraint('dimensions BETWEEN 1 AND 4000', name=op.f('knowledge_embeddings_dimensions_check')),
    sa.ForeignKeyConstraint(['project_id', 'chunk_id'], ['knowledge_chunks.project_id', 'knowledge_chunks.id'], name=op.f('knowledge_embeddings_chunk_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'chunk_id', 'model', name=op.f('knowledge_embeddings_pkey'))
    )
    op.create_index('knowledge_embeddings_base_idx', 'knowledge_embeddings', ['project_id', 'knowledge_base_id', 'version_id', 'model', 'dimensions'])
    op.create_table('memory_embeddings',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('memory_id', sa.Uuid(), nullable=False),
    *vector(),
    sa.CheckConstraint('cardinality(embedding) = dimensions', name=op.f('memory_embeddings_embedding_check')),
    sa.CheckConstraint('dimensions BETWEEN 1 AND 4000', name=op.f('memory_embeddings_dimensions_check')),
    sa.ForeignKeyConstraint(['project_id', 'memory_id'], ['memories.project_id', 'memories.id'], name=op.f('memory_embeddings_memory_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'memory_id', 'model', name=op.f('memory_embeddings_pkey'))
    )
    op.create_table('message_embeddings',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('message_id', sa.Uuid(), nullable=False),
    sa.Column('session_id', sa.Uuid(), nullable=False),
    *vector(),
    sa.CheckConstraint('cardinality(embedding) = dimensions', name=op.f('message_embeddings_embedding_check')),
    sa.CheckConstraint('dimensions BETWEEN 1 AND 4000', name=op.f('message_embeddings_dimensions_check')),
    sa.ForeignKeyConstraint(['project_id', 'message_id'], ['messages.project_id', 'messages.id'], name=op.f('message_embeddings_message_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'message_id', 'model', name=op.f('message_embeddings_pkey'))
    )
    for table in TABLES:
        op.create_index(op.f(f'{table}_dimensions_idx'), table, ['dimensions'])
        # Vectors do not compress, so do not try.
        op.execute(f"ALTER TABLE {table} ALTER COLUMN embedding SET STORAGE EXTERNAL")
        # Up to some 2,000 numbers stand in their row: a search reads them three times as fast.
        op.execute(f"ALTER TABLE {table} SET (toast_tuple_target = 8160)")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY project ON {table} TO {ROLE} USING (project_id = {PROJECT})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {ROLE}")
        # As with chunks, no policy shows end users the vectors of chunks, but their statements may name the table.
        op.execute(f"GRANT SELECT ON {table} TO {END_USER}")
    for table, condition in VISIBLE.items():
        op.execute(f"CREATE POLICY own ON {table} FOR SELECT TO {END_USER} USING (project_id = {PROJECT} AND {condition})")


def downgrade() -> None:
    # Indexes and policies go with their tables.
    for table in reversed(TABLES):
        op.drop_table(table)
    # The constraints go with their columns.
    for name in ("next_dimensions", "next_embedding_model", "dimensions", "embedding_model"):
        op.drop_column('knowledge_bases', name)


def vector() -> tuple[sa.Column, ...]:
    return (
        sa.Column('model', sa.String(length=255, collation='C'), nullable=False),
        sa.Column('dimensions', sa.Integer(), nullable=False),
        sa.Column('embedding', postgresql.ARRAY(sa.REAL()), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    )
