"""Fields of knowledge bases that are read from their versions and syncs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, Select, cast, func, literal_column, select, true
from sqlalchemy.orm import aliased

from agentdata.engine.sql.links import keys_table
from agentdata.engine.sql.tenancy import owned
from models import KnowledgeDocument, KnowledgeSync, KnowledgeVersion
from models.enums import KnowledgeSyncStatus


def document_counts() -> Select[Any]:
    """Sum the documents of each knowledge base over the counts of its versions."""
    return _sums(KnowledgeVersion.document_count)


def chunk_counts() -> Select[Any]:
    """Sum the chunks of each knowledge base over the counts of its versions."""
    return _sums(KnowledgeVersion.chunk_count)


def access_counts() -> Select[Any]:
    """Sum the recorded accesses to the documents of each knowledge base."""
    keys = keys_table()
    total = select(func.coalesce(func.sum(KnowledgeDocument.access_count), 0)).where(
        owned(KnowledgeDocument),
        KnowledgeDocument.knowledge_base_id == keys.c.key,
        # The index leads past the documents that nobody uses.
        KnowledgeDocument.access_count > literal_column("0"),
    )
    return select(keys.c.key, cast(total.scalar_subquery(), BigInteger).label("value"))


def last_accessed_at() -> Select[Any]:
    """Select when an access to a document of each knowledge base was last recorded."""
    keys = keys_table()
    latest = (
        select(KnowledgeDocument.last_accessed_at)
        .where(owned(KnowledgeDocument), KnowledgeDocument.knowledge_base_id == keys.c.key)
        # As in the index.
        .order_by(KnowledgeDocument.last_accessed_at.desc().nulls_last())
        .limit(1)
    )
    return select(keys.c.key, latest.scalar_subquery().label("value"))


def last_syncs() -> Select[Any]:
    """Select the sync of each knowledge base that started last."""
    keys = keys_table()
    last = (
        select(KnowledgeSync)
        .where(owned(KnowledgeSync), KnowledgeSync.knowledge_base_id == keys.c.key)
        .order_by(KnowledgeSync.started_at.desc(), KnowledgeSync.id.desc())
        .limit(1)
        .lateral()
    )
    return select(keys.c.key, aliased(KnowledgeSync, last)).select_from(keys.join(last, true()))


def last_commit_shas() -> Select[Any]:
    """Select the commit of the latest sync of each knowledge base that succeeded."""
    return _latest_success(KnowledgeSync.commit_sha)


def last_synced_at() -> Select[Any]:
    """Select the end of the latest sync of each knowledge base that succeeded."""
    return _latest_success(KnowledgeSync.finished_at)


def _sums(column: Any) -> Select[Any]:
    keys = keys_table()
    total = select(func.coalesce(func.sum(column), 0)).where(
        owned(KnowledgeVersion), KnowledgeVersion.knowledge_base_id == keys.c.key
    )
    return select(keys.c.key, cast(total.scalar_subquery(), Integer).label("value"))


def _latest_success(column: Any) -> Select[Any]:
    keys = keys_table()
    latest = (
        select(column)
        .where(
            owned(KnowledgeSync),
            KnowledgeSync.knowledge_base_id == keys.c.key,
            # As in the condition of the index, which a parameter would not match.
            KnowledgeSync.status == literal_column(f"'{KnowledgeSyncStatus.SUCCEEDED}'"),
        )
        .order_by(KnowledgeSync.finished_at.desc(), KnowledgeSync.id.desc())
        .limit(1)
    )
    return select(keys.c.key, latest.scalar_subquery().label("value"))
