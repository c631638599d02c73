"""A sync of a knowledge base with its source."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import column, relation
from models import Job as JobRow
from models import KnowledgeBase as KnowledgeBaseRow
from models import KnowledgeSync as KnowledgeSyncRow
from schema.declarations import object_type
from schema.enums import KnowledgeSyncStatus
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.job import Job
    from schema.types.knowledge_base import KnowledgeBase


@object_type(model=KnowledgeSyncRow)
class KnowledgeSync(Node):
    """One run that brings a knowledge base up to date with its source."""

    knowledge_base: Annotated["KnowledgeBase", strawberry.lazy("schema.types.knowledge_base")] = relation(
        KnowledgeBaseRow, "The knowledge base that is synced.", local="knowledge_base_id"
    )
    job: Annotated["Job", strawberry.lazy("schema.types.job")] | None = relation(
        JobRow,
        "The job whose worker runs the sync; null if there is none, or if it was deleted since.",
        local="job_id",
    )
    status: KnowledgeSyncStatus = column("Whether the sync is running, and how it finished if not.")
    kind: str | None = column("The kind of sync: `full`, `incremental` or another value.")
    commit_sha: str | None = column("The commit of the source that the sync read, if it is a repository.")
    added: int = column("The number of documents that the sync added.")
    modified: int = column("The number of documents that the sync changed.")
    removed: int = column("The number of documents that the sync deleted.")
    chunks_written: int = column("The number of chunks that the sync wrote.")
    started_at: datetime = column("When the sync started.")
    finished_at: datetime | None = column("When the sync finished; null while it is RUNNING.")
    error: str | None = column("Why the sync failed; null unless it is FAILED.")
    updated_at: datetime = column("When the sync last changed.")
