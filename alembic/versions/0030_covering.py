"""Indexes of the messages and tool calls of a session that statistics and rankings read instead of the tables.

Revision: 0030, after 0029

The index of external ids of messages leaves out messages without one, which most are; so writes take no longer. The
index of accesses to a memory no longer covers rankings, which read the memory itself since 0029.
"""
import sqlalchemy as sa
from alembic import op
revision = '0030'
down_revision = '0029'
branch_labels = None
depends_on = None

SEQUENCE, EXTERNAL_ID = 'messages_project_id_session_id_sequence_key', 'messages_project_id_external_id_key'
ACCESSES = 'memory_accesses_project_id_memory_id_created_at_id_idx'
CALLS = 'tool_calls_project_id_session_id_call_id_idx'
OF_MESSAGES = ['model', 'prompt_tokens', 'completion_tokens', 'latency_ms']
OF_CALLS = ['name', 'status', 'duration_ms']


def upgrade() -> None:
    op.execute("LOCK TABLE messages, tool_calls, memory_accesses IN ACCESS EXCLUSIVE MODE")
    op.drop_constraint(EXTERNAL_ID, 'messages')
    op.create_index(EXTERNAL_ID, 'messages', ['project_id', 'external_id'], unique=True, postgresql_where=sa.text('external_id IS NOT NULL'))
    cover(f" INCLUDE ({', '.join(OF_MESSAGES)})", OF_CALLS, None)


def downgrade() -> None:
    cover("", None, ['usefulness'])
    op.drop_index(EXTERNAL_ID, table_name='messages')
    op.create_unique_constraint(EXTERNAL_ID, 'messages', ['project_id', 'external_id'])


def cover(of_messages: str, of_calls: list[str] | None, of_accesses: list[str] | None) -> None:
    op.drop_index(ACCESSES, table_name='memory_accesses')
    op.create_index(ACCESSES, 'memory_accesses', ['project_id', 'memory_id', 'created_at', 'id'], postgresql_include=of_accesses)
    op.drop_constraint(SEQUENCE, 'messages')
    op.execute(f"ALTER TABLE messages ADD CONSTRAINT {SEQUENCE} UNIQUE (project_id, session_id, sequence){of_messages}")
    op.drop_index(CALLS, table_name='tool_calls')
    op.create_index(CALLS, 'tool_calls', ['project_id', 'session_id', 'call_id'], postgresql_include=of_calls)
