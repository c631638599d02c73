"""Keep the totals of the hours and days in which sessions started, and what each session adds to them.

Revision: 0032, after 0031

The servers fold the sessions that there are into totals after their start; until then sums read all rows.
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0032'
down_revision = '0031'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
END_USER = "agentdata_end_user"
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"

# Requests subtract the shares of sessions that they delete.
PRIVILEGES = {
    'folded_until': 'SELECT',
    'session_shares': 'SELECT, DELETE',
    'session_totals': 'SELECT, INSERT',
}

# A request shows its key before its project is known, so this looks over all projects, as their owner. Whoever
# may call it learns no more than that a project has many sessions, and has to know its id.
HAS_TOTALS = """
CREATE FUNCTION has_totals(project uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT coalesce((SELECT f.has_many FROM folded_until AS f WHERE f.project_id = project), false)
$$
"""
# Nothing that a caller could create stands before the tables.
PIN_SEARCH_PATH = """
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION has_totals(uuid) SET search_path = %I, pg_temp', current_schema());
END $$
"""


def upgrade() -> None:
    op.create_table('folded_until',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('has_many', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('folded_until_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', name=op.f('folded_until_pkey'))
    )
    op.create_table('session_shares',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('share', postgresql.JSONB(), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('session_shares_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'session_id', name=op.f('session_shares_pkey'))
    )
    op.create_table('session_totals',
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('grain', sa.String(length=8, collation='C'), nullable=False),
    sa.Column('measure', sa.String(length=32, collation='C'), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(collation='C'), nullable=True),
    sa.Column('bucket', sa.Integer(), nullable=True),
    sa.Column('value', sa.Numeric(), nullable=False),
    sa.CheckConstraint("grain IN ('HOUR', 'DAY')", name=op.f('session_totals_grain_check')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('session_totals_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'grain', 'measure', 'started_at', 'id', name=op.f('session_totals_pkey'))
    )
    for table, privileges in PRIVILEGES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY project ON {table} TO {ROLE} USING (project_id = {PROJECT})")
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")
        # Without a policy an end user sees no rows, but statements may name the tables.
        op.execute(f"GRANT SELECT ON {table} TO {END_USER}")
    op.execute(HAS_TOTALS)
    op.execute(PIN_SEARCH_PATH)
    op.execute("REVOKE ALL ON FUNCTION has_totals(uuid) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION has_totals(uuid) TO {ROLE}")


def downgrade() -> None:
    op.execute("DROP FUNCTION has_totals(uuid)")
    for table in PRIVILEGES:
        op.drop_table(table)
