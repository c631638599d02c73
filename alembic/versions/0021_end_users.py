"""Show end users only their own rows, look up whom a token names, and keep a secret of the servers.

Revision: 0021, after 0020

Requests for an end user run as a role of their own, which can read and cannot write. A table that has no policy
for it shows it no rows, so a table that a later migration adds stays hidden until that migration decides.
Requests with a key keep their role, their policies and so their plans.
"""
import sqlalchemy as sa

from alembic import op
revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
END_USER = "agentdata_end_user"
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"
USER = "nullif(current_setting('app.user_id', true), '')::uuid"


# An array is computed once for a statement, and indexes find its elements. Conditions that look at another table
# for each row would read every row of the project.
def own(table):
    return f"ARRAY(SELECT own.id FROM {table} AS own WHERE own.project_id = {PROJECT} AND own.user_id = {USER})"


def of_session(column="session_id"):
    return f"{column} = ANY ({own('sessions')})"


def of_memory(column="memory_id"):
    return f"{column} = ANY ({own('memories')})"


VISIBLE = {
    "users": f"id = {USER}",
    "sessions": f"user_id = {USER}",
    "messages": of_session(),
    "tool_calls": of_session(),
    "session_events": of_session(),
    "module_states": of_session(),
    "state_transitions": of_session(),
    "sandboxes": of_session(),
    "usage_records": of_session(),
    "session_metrics": of_session(),
    "memories": f"user_id = {USER}",
    "memory_links": f"{of_memory()} AND {of_memory('related_id')}",
    # The policy of messages applies to the messages here.
    "memory_sources": f"{of_memory()} AND EXISTS (SELECT FROM messages AS source"
    f" WHERE source.project_id = {PROJECT} AND source.id = message_id)",
    "memory_revisions": of_memory(),
    "memory_accesses": of_memory(),
    "memory_annotations": of_memory(),
}
# Without a policy no row is visible, but statements may name the tables.
HIDDEN = ("agents", "agent_versions", "agent_metrics", "teams", "team_members", "api_keys", "access_records")

# A token is checked before its project is known, so this looks over all projects, as their owner. Only the
# server calls it, with the claims of a token whose signature it has verified.
# An external id may have the form of an id, so an id comes first.
SIGNATURE = "identify_token_holder(project uuid, project_slug text, holder uuid, holder_external_id text)"
IDENTIFY = f"""
CREATE FUNCTION {SIGNATURE} RETURNS TABLE (project_id uuid, user_id uuid) LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT p.id, coalesce(
        (SELECT u.id FROM users AS u WHERE u.project_id = p.id AND u.id = holder),
        (SELECT u.id FROM users AS u WHERE u.project_id = p.id AND u.external_id = holder_external_id)
    ) FROM projects AS p WHERE p.id = project OR p.slug = project_slug
$$
"""
# Nothing that a caller could create stands before the tables.
PIN_SEARCH_PATH = f"""
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION {SIGNATURE} SET search_path = %I, pg_temp', current_schema());
END $$
"""


def upgrade() -> None:
    op.create_table('server_secrets',
    sa.Column('single', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.CheckConstraint('single', name=op.f('server_secrets_single_check')),
    sa.CheckConstraint('octet_length(secret) = 32', name=op.f('server_secrets_secret_check')),
    sa.PrimaryKeyConstraint('single', name=op.f('server_secrets_pkey'))
    )
    # Nobody but the owner may read it, and no policy would show it to a role that may.
    op.execute("ALTER TABLE server_secrets ENABLE ROW LEVEL SECURITY")
    for table in ("projects", *VISIBLE, *HIDDEN):
        op.execute(f"GRANT SELECT ON {table} TO {END_USER}")
    # Without a user even the project is hidden: a forgotten setting shows nothing.
    op.execute(f"CREATE POLICY own ON projects FOR SELECT TO {END_USER} USING (id = {PROJECT} AND {USER} IS NOT NULL)")
    for table, condition in VISIBLE.items():
        op.execute(f"CREATE POLICY own ON {table} FOR SELECT TO {END_USER} USING (project_id = {PROJECT} AND {condition})")
    op.execute(IDENTIFY)
    op.execute(PIN_SEARCH_PATH)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {ROLE}")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    for table in ("projects", *VISIBLE):
        op.execute(f"DROP POLICY own ON {table}")
    for table in ("projects", *VISIBLE, *HIDDEN):
        op.execute(f"REVOKE SELECT ON {table} FROM {END_USER}")
    op.drop_table('server_secrets')
