"""An index for the tool calls of a session in order.

Revision: 0010, after 0009
"""
from alembic import op
revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f('tool_calls_project_id_session_id_created_at_id_idx'), 'tool_calls', ['project_id', 'session_id', 'created_at', 'id'])


def downgrade() -> None:
    op.drop_index(op.f('tool_calls_project_id_session_id_created_at_id_idx'), table_name='tool_calls')
