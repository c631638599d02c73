"""Search by time: the indexes of searches hold the periods that a text was written in, as well as its words.

Revision: 0028, after 0027

A search for a word that millions of texts have looks through them period by period, from the newest on, until
it has enough. The index finds the texts of a period at once, however many others have the word.
"""
from alembic import op
revision = '0028'
down_revision = '0027'
branch_labels = None
depends_on = None

# See 0002: what row-level security keeps from indexes unless a superuser vouches for it.
TRUST = """
DO $$ BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        ALTER FUNCTION pg_catalog.date_bin(interval, timestamptz, timestamptz) LEAKPROOF;
    END IF;
END $$
"""

# The beginnings of the periods that a time is in: of 4 minutes, 64, and so on up to 8 years. The periods of each
# length begin one microsecond later than the shorter ones, so that none begins when another does.
LENGTHS = [4 * 16**power for power in range(6)]
PERIODS = ", ".join(
    f"date_bin('{minutes} minutes', $1, '2000-01-01 00:00:00.00000{power}+00')" for power, minutes in enumerate(LENGTHS)
)
TIMES = f"search_times(timestamptz) RETURNS timestamptz[] LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN ARRAY[{PERIODS}]"
TABLES = {"messages": "content", "memories": "name, description, content", "knowledge_chunks": "content"}


def upgrade() -> None:
    op.execute(TRUST)
    op.execute(f"CREATE FUNCTION {TIMES}")
    rebuild(", search_times(created_at)")


def downgrade() -> None:
    rebuild("")
    op.execute("DROP FUNCTION search_times(timestamptz)")


def rebuild(times: str) -> None:
    for table, columns in TABLES.items():
        op.execute(f"DROP INDEX {table}_search_idx")
        op.execute(f"CREATE INDEX {table}_search_idx ON {table} USING gin (search_document({columns}), (ARRAY[project_id]){times})")
