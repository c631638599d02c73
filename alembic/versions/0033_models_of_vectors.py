"""The indexes by which searches find the models and sizes of the vectors of a project's memories and messages.

Revision: 0033, after 0032
"""
from alembic import op
revision = '0033'
down_revision = '0032'
branch_labels = None
depends_on = None

TABLES = ('memory_embeddings', 'message_embeddings')


def upgrade() -> None:
    for table in TABLES:
        op.create_index(f'{table}_model_idx', table, ['project_id', 'model', 'dimensions'])


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(f'{table}_model_idx', table)
