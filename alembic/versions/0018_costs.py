"""Costs keep all of their digits.

Revision: 0018, after 0017

NUMERIC without a scale holds whatever NUMERIC(18, 9) does, so PostgreSQL rewrites neither tables nor indexes;
it reads each table once, for the constraints.
"""
import sqlalchemy as sa
from alembic import op
revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None

TABLES = ("sessions", "usage_records")


def upgrade() -> None:
    for table in TABLES:
        op.alter_column(table, 'cost_usd', type_=sa.Numeric(), existing_type=sa.Numeric(18, 9))


def downgrade() -> None:
    for table in TABLES:
        op.alter_column(table, 'cost_usd', type_=sa.Numeric(18, 9), existing_type=sa.Numeric())
