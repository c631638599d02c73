"""Looking an API key up writes nothing, so that it can be done where nothing may be written.

Revision: 0019, after 0018
"""
from alembic import op
revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"

# A request shows its key before its project is known, so this looks over all projects, as their owner. What it
# tells of a key can be learned by no one who does not have it.
LOOK_UP = """
CREATE FUNCTION authenticate_api_key(given bytea)
RETURNS TABLE (project_id uuid, id uuid, scopes text[], expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT k.project_id, k.id, k.scopes, k.expires_at, k.revoked_at, k.last_used_at FROM api_keys AS k WHERE secret_hash = given;
$$
"""
# As in 0001.
AUTHENTICATE = """
CREATE FUNCTION authenticate_api_key(given bytea)
RETURNS TABLE (project_id uuid, id uuid, scopes text[], expires_at timestamptz, revoked_at timestamptz)
LANGUAGE sql SECURITY DEFINER AS $$
    UPDATE api_keys SET last_used_at = now()
    WHERE secret_hash = given AND api_keys.revoked_at IS NULL AND (api_keys.expires_at IS NULL OR api_keys.expires_at > now())
        AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute');
    SELECT k.project_id, k.id, k.scopes, k.expires_at, k.revoked_at FROM api_keys AS k WHERE secret_hash = given;
$$
"""
# Nothing that a caller could create stands before the tables.
PIN_SEARCH_PATH = """
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION authenticate_api_key(bytea) SET search_path = %I, pg_temp', current_schema());
END $$
"""


def upgrade() -> None:
    _replace(LOOK_UP)


def downgrade() -> None:
    _replace(AUTHENTICATE)


def _replace(function: str) -> None:
    # What a function returns cannot be changed.
    op.execute("DROP FUNCTION authenticate_api_key(bytea)")
    op.execute(function)
    op.execute(PIN_SEARCH_PATH)
    op.execute("REVOKE ALL ON FUNCTION authenticate_api_key(bytea) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION authenticate_api_key(bytea) TO {ROLE}")
