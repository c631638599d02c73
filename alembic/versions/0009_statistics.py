"""An index of the events that are errors, which statistics count.

Revision: 0009, after 0008
"""
import sqlalchemy as sa
from alembic import op
revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('session_events_error_idx', 'session_events', ['project_id', 'session_id'], unique=False, postgresql_where=sa.text("event_type = 'error'"))


def downgrade() -> None:
    op.drop_index('session_events_error_idx', table_name='session_events', postgresql_where=sa.text("event_type = 'error'"))
