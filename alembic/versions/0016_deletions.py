"""Grant the rights to clear references, and add a function that deletes states of modules in parts.

Revision: 0016, after 0015

Requests may delete a session with all of its states, but no states of a session that stays: they are history.
The function lets a deletion of a session do so in parts. It sees the project that row-level security shows.
"""
from alembic import op
revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"
# Columns of rows that never change otherwise: they are cleared where what they refer to goes.
CLEARED = {"usage_records": "agent_id", "agent_metrics": "version_id", "memory_revisions": "annotation_id"}
SIGNATURE = "delete_module_states(project uuid, sessions uuid[], at_most integer)"
# The newest of a module go first, because each state refers to the one before it.
DELETE_STATES = f"""
CREATE FUNCTION {SIGNATURE} RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
    WITH chosen AS MATERIALIZED (
        SELECT own.id FROM unnest(sessions) AS gone (id), LATERAL (
            SELECT s.id FROM module_states AS s WHERE s.project_id = project AND s.session_id = gone.id
            ORDER BY s.module_id DESC, s.version DESC LIMIT at_most
        ) AS own LIMIT at_most
    ), cleared AS (
        DELETE FROM module_states AS s USING chosen
        WHERE s.project_id = project AND project = {PROJECT} AND s.id = chosen.id RETURNING s.id
    )
    SELECT count(*) FROM cleared
$$
"""
# Nothing that a caller could create stands before the tables.
PIN_SEARCH_PATH = f"""
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION {SIGNATURE} SET search_path = %I, pg_temp', current_schema());
END $$
"""


def upgrade() -> None:
    for table, column in CLEARED.items():
        op.execute(f"GRANT UPDATE ({column}) ON {table} TO {ROLE}")
    op.execute(DELETE_STATES)
    op.execute(PIN_SEARCH_PATH)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {ROLE}")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    for table, column in CLEARED.items():
        op.execute(f"REVOKE UPDATE ({column}) ON {table} FROM {ROLE}")
