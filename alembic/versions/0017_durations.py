"""Durations have an upper bound.

Revision: 0017, after 0016

A duration beyond it becomes the longest that is allowed: such a row could not be changed any more, neither
redacted nor answered, if it stayed beyond its constraint.
"""
from alembic import op
revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None

TABLES = ("session_events", "tool_calls")
LONGEST = 10**12


def upgrade() -> None:
    for table in TABLES:
        op.drop_constraint(op.f(f"{table}_duration_ms_check"), table)
        # First for rows that are still to come, which the version before may be writing.
        op.create_check_constraint(
            op.f(f"{table}_duration_ms_check"), table, f"duration_ms BETWEEN 0 AND {LONGEST}", postgresql_not_valid=True
        )
        op.execute(f"UPDATE {table} SET duration_ms = {LONGEST} WHERE duration_ms > {LONGEST}")
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {table}_duration_ms_check")


def downgrade() -> None:
    for table in TABLES:
        op.drop_constraint(op.f(f"{table}_duration_ms_check"), table)
        op.create_check_constraint(op.f(f"{table}_duration_ms_check"), table, "duration_ms >= 0")
