"""Queues, jobs and schedules, and the scope that writes them.

Revision: 0023, after 0022
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None

ROLE = "agentdata_app"
END_USER = "agentdata_end_user"
PROJECT = "nullif(current_setting('app.project_id', true), '')::uuid"
TABLES = ("queues", "schedules", "jobs")
BEFORE = (
    "READ", "WRITE", "ADMIN", "USERS_WRITE", "TEAMS_WRITE", "AGENTS_WRITE", "SESSIONS_WRITE", "MESSAGES_WRITE",
    "EVENTS_WRITE", "USAGE_WRITE", "SANDBOXES_WRITE", "STATES_WRITE", "METRICS_WRITE", "MEMORIES_WRITE",
)


def upgrade() -> None:
    op.create_table('queues',
    sa.Column('name', sa.String(length=255, collation='C'), nullable=False),
    sa.Column('is_paused', sa.Boolean(), sa.Computed('paused_at IS NOT NULL', persisted=True), nullable=False),
    sa.Column('paused_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('queues_project_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('queues_pkey')),
    sa.UniqueConstraint('project_id', 'name', name=op.f('queues_project_id_name_key'))
    )
    op.create_index(op.f('queues_project_id_created_at_id_idx'), 'queues', ['project_id', 'created_at', 'id'])
    op.create_table('schedules',
    sa.Column('queue_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255, collation='C'), nullable=False),
    sa.Column('cron', sa.String(length=255, collation='C'), nullable=False),
    sa.Column('time_zone', sa.String(length=255, collation='C'), server_default='UTC', nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default='true', nullable=False),
    sa.Column('job_name', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('data', postgresql.JSON(none_as_null=True, astext_type=sa.Text()), nullable=False),
    sa.Column('priority', sa.Integer(), server_default='0', nullable=False),
    sa.Column('max_attempts', sa.Integer(), server_default='5', nullable=False),
    sa.Column('backoff', sa.String(length=16), server_default='EXPONENTIAL', nullable=False),
    sa.Column('backoff_ms', sa.Integer(), server_default='1000', nullable=False),
    sa.Column('next_run_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_run_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("backoff IN ('FIXED', 'EXPONENTIAL')", name=op.f('schedules_backoff_check')),
    sa.CheckConstraint('backoff_ms BETWEEN 0 AND 86400000', name=op.f('schedules_backoff_ms_check')),
    sa.CheckConstraint('max_attempts BETWEEN 1 AND 1000', name=op.f('schedules_max_attempts_check')),
    sa.ForeignKeyConstraint(['project_id', 'queue_id'], ['queues.project_id', 'queues.id'], name=op.f('schedules_queue_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('schedules_pkey')),
    sa.UniqueConstraint('project_id', 'name', name=op.f('schedules_project_id_name_key'))
    )
    op.create_index('schedules_next_run_at_idx', 'schedules', ['project_id', sa.literal_column('next_run_at NULLS FIRST'), 'id'])
    op.create_index(op.f('schedules_project_id_created_at_id_idx'), 'schedules', ['project_id', 'created_at', 'id'])
    op.create_index(op.f('schedules_project_id_queue_id_next_run_at_idx'), 'schedules', ['project_id', 'queue_id', 'next_run_at'])
    op.create_table('jobs',
    sa.Column('queue_id', sa.Uuid(), nullable=False),
    sa.Column('schedule_id', sa.Uuid(), nullable=True),
    sa.Column('external_id', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('name', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('state', sa.String(length=16), server_default='WAITING', nullable=False),
    sa.Column('data', postgresql.JSON(none_as_null=True, astext_type=sa.Text()), nullable=False),
    sa.Column('result', postgresql.JSON(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('max_attempts', sa.Integer(), server_default='5', nullable=False),
    sa.Column('priority', sa.Integer(), server_default='0', nullable=False),
    sa.Column('run_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('backoff', sa.String(length=16), server_default='EXPONENTIAL', nullable=False),
    sa.Column('backoff_ms', sa.Integer(), server_default='1000', nullable=False),
    sa.Column('progress', sa.Double(), nullable=True),
    sa.Column('worker', sa.String(length=255, collation='C'), nullable=True),
    sa.Column('lease', sa.Uuid(), nullable=True),
    sa.Column('lease_expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('project_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("backoff IN ('FIXED', 'EXPONENTIAL')", name=op.f('jobs_backoff_check')),
    sa.CheckConstraint("state IN ('WAITING', 'DELAYED', 'ACTIVE', 'COMPLETED', 'FAILED', 'CANCELLED')", name=op.f('jobs_state_check')),
    sa.CheckConstraint('attempts >= 0', name=op.f('jobs_attempts_check')),
    sa.CheckConstraint('backoff_ms BETWEEN 0 AND 86400000', name=op.f('jobs_backoff_ms_check')),
    sa.CheckConstraint('max_attempts BETWEEN 1 AND 1000', name=op.f('jobs_max_attempts_check')),
    sa.CheckConstraint('progress BETWEEN 0 AND 1', name=op.f('jobs_progress_check')),
    sa.ForeignKeyConstraint(['project_id', 'queue_id'], ['queues.project_id', 'queues.id'], name=op.f('jobs_queue_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id', 'schedule_id'], ['schedules.project_id', 'schedules.id'], name=op.f('jobs_schedule_id_fkey'), ondelete='SET NULL (schedule_id)'),
    sa.PrimaryKeyConstraint('project_id', 'id', name=op.f('jobs_pkey'))
    )
    op.create_index('jobs_claim_idx', 'jobs', ['project_id', 'queue_id', sa.literal_column('priority DESC'), 'run_at', 'id'], postgresql_where=sa.text("state = 'WAITING'"))
    op.create_index('jobs_lease_idx', 'jobs', ['project_id', 'queue_id', 'lease_expires_at'], postgresql_where=sa.text("state = 'ACTIVE'"))
    op.create_index(op.f('jobs_project_id_created_at_id_idx'), 'jobs', ['project_id', 'created_at', 'id'])
    op.create_index('jobs_project_id_external_id_key', 'jobs', ['project_id', 'external_id'], unique=True, postgresql_where=sa.text('external_id IS NOT NULL'))
    op.create_index(op.f('jobs_project_id_name_created_at_id_idx'), 'jobs', ['project_id', 'name', 'created_at', 'id'])
    op.create_index(op.f('jobs_project_id_queue_id_state_run_at_idx'), 'jobs', ['project_id', 'queue_id', 'state', 'run_at'])
    op.create_index(op.f('jobs_project_id_run_at_id_idx'), 'jobs', ['project_id', 'run_at', 'id'])
    op.create_index(op.f('jobs_project_id_schedule_id_created_at_id_idx'), 'jobs', ['project_id', 'schedule_id', 'created_at', 'id'], postgresql_where=sa.text('schedule_id IS NOT NULL'))
    op.create_index(op.f('jobs_project_id_state_created_at_id_idx'), 'jobs', ['project_id', 'state', 'created_at', 'id'])
    op.create_index(op.f('jobs_project_id_updated_at_id_idx'), 'jobs', ['project_id', 'updated_at', 'id'])
    op.create_index(op.f('jobs_project_id_worker_created_at_id_idx'), 'jobs', ['project_id', 'worker', 'created_at', 'id'])
    # Jobs are dead soon after they were written. With the default of a fifth of the table, a queue that finishes
    # a million jobs would keep 200,000 dead rows before the next ones are cleared away.
    op.execute("ALTER TABLE jobs SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000)")
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY project ON {table} TO {ROLE} USING (project_id = {PROJECT})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {ROLE}")
        # Statements may name the tables; without a policy an end user sees no row of them.
        op.execute(f"GRANT SELECT ON {table} TO {END_USER}")
    allow((*BEFORE, "JOBS_WRITE"))


def downgrade() -> None:
    # A scope that the version before does not know becomes the one that gives no more.
    op.execute(
        "UPDATE api_keys SET scopes = CASE WHEN scopes = ARRAY['JOBS_WRITE'] THEN ARRAY['READ']"
        " ELSE array_remove(scopes, 'JOBS_WRITE') END WHERE 'JOBS_WRITE' = ANY (scopes)"
    )
    allow(BEFORE)
    for table in reversed(TABLES):
        op.drop_table(table)


def allow(scopes: tuple[str, ...]) -> None:
    op.drop_constraint(op.f('api_keys_scopes_check'), 'api_keys')
    listed = ",".join(f"'{scope}'" for scope in scopes)
    op.create_check_constraint(
        op.f('api_keys_scopes_check'), 'api_keys', f"scopes <@ ARRAY[{listed}] AND cardinality(scopes) > 0"
    )
