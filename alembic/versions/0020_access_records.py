"""Access records, and scopes that write one kind of object.

Revision: 0020, after 0019
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"
BEFORE = ("READ", "WRITE", "ADMIN")
SCOPES = (
    *BEFORE, "USERS_WRITE", "TEAMS_WRITE", "AGENTS_WRITE", "SESSIONS_WRITE", "MESSAGES_WRITE", "EVENTS_WRITE",
    "USAGE_WRITE", "SANDBOXES_WRITE", "STATES_WRITE", "METRICS_WRITE", "MEMORIES_WRITE",
)


def upgrade() -> None:
    # Without foreign keys: each write would lock the row of its project, and a record outlives what it names.
    op.create_table('access_records',
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('fields', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('operation_name', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('document_hash', sa.String(length=64), nullable=True),
    sa.Column('object_ids', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('object_count', sa.Integer(), nullable=False),
    sa.Column('api_key_id', sa.Uuid(), nullable=True),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('subject', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('address', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('request_id', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("kind IN ('READ', 'WRITE')", name=op.f('access_records_kind_check')),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('access_records_pkey'))
    )
    op.create_index(op.f('access_records_project_id_created_at_id_idx'), 'access_records', ['project_id', 'created_at', 'id'])
    op.execute("ALTER TABLE access_records ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY project ON access_records TO {ROLE} USING (project_id = {PROJECT})")
    # Requests neither change nor delete what was recorded.
    op.execute(f"GRANT SELECT, INSERT ON access_records TO {ROLE}")
    allow(SCOPES)


def downgrade() -> None:
    # A scope that the version before does not know becomes the nearest one that gives no more.
    known = ", ".join(f"'{scope}'" for scope in BEFORE)
    op.execute(
        "UPDATE api_keys SET scopes = CASE WHEN scopes && ARRAY['READ', 'WRITE', 'ADMIN']"
        f" THEN ARRAY(SELECT scope FROM unnest(scopes) AS scope WHERE scope IN ({known})) ELSE ARRAY['READ'] END"
        f" WHERE NOT scopes <@ ARRAY[{known}]"
    )
    allow(BEFORE)
    op.drop_table('access_records')


def allow(scopes: tuple[str, ...]) -> None:
    op.drop_constraint(op.f('api_keys_scopes_check'), 'api_keys')
    listed = ",".join(f"'{scope}'" for scope in scopes)
    op.create_check_constraint(
        op.f('api_keys_scopes_check'), 'api_keys', f"scopes <@ ARRAY[{listed}] AND cardinality(scopes) > 0"
    )
