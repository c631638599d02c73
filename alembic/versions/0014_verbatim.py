"""JSON that came from elsewhere is kept as its text; JSONB sorts its keys.

Revision: 0014, after 0013

PostgreSQL writes `messages` and `tool_calls` anew with all of their indexes. Nobody can read or write them
meanwhile, and as much free disk space is needed as they take. A million short messages took half a minute on two
cores, so ten million take five minutes, and more where contents are long. What was written before keeps the order that
JSONB gave it. A server of the version before goes on, except that `redactMessage` and answers to calls of
earlier writes are INTERNAL errors there until it is replaced.
"""
from alembic import op
revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

# All columns of a table in one statement, so that it is written once.
COLUMNS = {
    'messages': ('parts', 'raw_payload'),
    'tool_calls': ('arguments', 'result'),
}


def upgrade() -> None:
    change('json')


def downgrade() -> None:
    change('jsonb')


def change(type_: str) -> None:
    for table, columns in COLUMNS.items():
        changes = ", ".join(f"ALTER COLUMN {column} TYPE {type_} USING {column}::{type_}" for column in columns)
        op.execute(f"ALTER TABLE {table} {changes}")
