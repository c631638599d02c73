"""Texts that clients filter or sort by compare code points, whatever the locale of the database.

Revision: 0022, after 0021

Only then do indexes serve `startsWith`, and only then is the order of a page the same on every database. No
table is rewritten, but the indexes of these columns are built anew, and nothing reads or writes a table
meanwhile. Half a million short messages took 2.6 s on two busy cores.
"""
import sqlalchemy as sa
from alembic import op
revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None

COLUMNS = {
    'api_keys': {'name': 255, 'prefix': 16},
    'teams': {'name': 255, 'external_id': 255},
    'users': {'external_id': 255, 'email': 320, 'name': 255},
    'agents': {'name': 255, 'external_id': 255, 'type': 255, 'provider': 255, 'model': 255, 'learning_mode': 255, 'training_status': 255},
    'agent_versions': {'version_number': 64},
    'agent_metrics': {'timeframe': 255, 'metric_type': 255},
    'sessions': {'external_id': 255, 'title': 1000, 'platform': 255, 'provider': 255, 'source': 255},
    'memories': {'external_id': 255, 'name': 255, 'memory_type': 255, 'source_type': 255, 'read_mode': 255},
    'messages': {'external_id': 255, 'media_type': 255, 'model': 255},
    'module_states': {'module_id': 255, 'state_type': 255, 'state_hash': 64},
    'sandboxes': {'kind': 255, 'external_server_id': 255},
    'session_events': {'event_type': 255},
    'session_metrics': {'metric_type': 255},
    'usage_records': {'run_id': 255, 'model': 255},
    'memory_accesses': {'access_type': 255, 'accessed_by': 255},
    'memory_annotations': {'annotation_type': 255},
    'state_transitions': {'trigger_type': 255, 'trigger_id': 255},
    'tool_calls': {'call_id': 255, 'name': 255},
}


def upgrade() -> None:
    # The collation C folds the case of ASCII alone.
    collate('C', 'lower(email COLLATE "default")')


def downgrade() -> None:
    collate('default', 'lower(email)')


def collate(collation: str, email: str) -> None:
    op.drop_index('users_project_id_email_key', table_name='users')
    for table, columns in COLUMNS.items():
        changes = ", ".join(
            f'ALTER COLUMN {column} TYPE varchar({length}) COLLATE "{collation}"' for column, length in columns.items()
        )
        op.execute(f"ALTER TABLE {table} {changes}")
    op.create_index('users_project_id_email_key', 'users', ['project_id', sa.literal_column(email)], unique=True)
    # A column of another type has no statistics, and PostgreSQL would plan by guesses until it collects them.
    op.execute(f"ANALYZE {', '.join(COLUMNS)}")
