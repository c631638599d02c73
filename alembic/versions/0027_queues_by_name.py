"""The index by which a worker finds the queues of its kinds of work in all projects.

Revision: 0027, after 0026
"""
from alembic import op
revision = '0027'
down_revision = '0026'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('queues_name_idx', 'queues', ['name', 'project_id'])


def downgrade() -> None:
    op.drop_index('queues_name_idx', 'queues')
