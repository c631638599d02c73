"""Inputs of syncs of knowledge bases."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import KnowledgeBase
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import KnowledgeSyncStatus, OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, KnowledgeSyncStatusFilter, StringFilter

if TYPE_CHECKING:
    from schema.inputs.knowledge_base import KnowledgeBaseFilter


@input_type
class KnowledgeSyncFilter:
    """Selects syncs of knowledge bases. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the sync.")
    knowledge_base_id: IDFilter | None = optional("The id of the knowledge base that is synced.")
    job_id: IDFilter | None = optional("The id of the job whose worker runs the sync.")
    status: KnowledgeSyncStatusFilter | None = optional(
        "Whether the sync is running, and how it finished if not."
    )
    kind: StringFilter | None = optional("The kind of sync.")
    commit_sha: StringFilter | None = optional("The commit of the source that the sync read.")
    started_at: DateTimeFilter | None = optional("When the sync started.")
    finished_at: DateTimeFilter | None = optional("When the sync finished.")
    created_at: DateTimeFilter | None = optional("When the sync was recorded.")
    updated_at: DateTimeFilter | None = optional("When the sync last changed.")
    knowledge_base: (
        Annotated["KnowledgeBaseFilter", strawberry.lazy("schema.inputs.knowledge_base")] | None
    ) = filter_on(
        KnowledgeBase, "Conditions on the knowledge base that is synced.", local="knowledge_base_id"
    )
    and_: list[KnowledgeSyncFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[KnowledgeSyncFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: KnowledgeSyncFilter | None = optional("This filter must not hold.", name="not")


@input_type
class KnowledgeSyncsFilter(ToMany):
    """Conditions on related syncs."""

    some: KnowledgeSyncFilter | None = optional("At least one related object meets this filter.")
    none: KnowledgeSyncFilter | None = optional("No related object meets this filter.")


@enum_type
class KnowledgeSyncOrderField(Enum):
    """The fields that syncs can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the sync was recorded.")
    UPDATED_AT = enum_value("updated_at", "When the sync last changed.")
    STARTED_AT = enum_value("started_at", "When the sync started.")
    FINISHED_AT = enum_value("finished_at", "When the sync finished.")


@input_type
class KnowledgeSyncOrder:
    """A field to order syncs by, and the direction."""

    field: KnowledgeSyncOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class KnowledgeSyncValues:
    """The values of a sync."""

    commit_sha: str | None = optional(
        "The commit of the source that the sync read, if it is a repository; at most 255 characters."
    )
    added: int | None = optional("The number of documents that the sync added; 0 by default on creation.")
    modified: int | None = optional(
        "The number of documents that the sync changed; 0 by default on creation."
    )
    removed: int | None = optional("The number of documents that the sync deleted; 0 by default on creation.")
    chunks_written: int | None = optional(
        "The number of chunks that the sync wrote; 0 by default on creation."
    )


@input_type
class RecordKnowledgeSyncInput(KnowledgeSyncValues):
    """A sync to record: one that starts now, or one that took place earlier."""

    knowledge_base_id: strawberry.ID = required("The id of the knowledge base that is synced.")
    job_id: strawberry.ID | None = optional("The id of the job whose worker runs the sync.")
    kind: str | None = optional(
        "The kind of sync: `full`, `incremental` or another value; at most 255 characters."
    )
    status: KnowledgeSyncStatus | None = optional(
        "Whether the sync is running, and how it finished if not; RUNNING by default."
    )
    started_at: datetime | None = optional("When the sync started; now by default.")
    finished_at: datetime | None = optional(
        "When the sync finished; now by default, unless the sync is RUNNING, when it is not allowed."
    )
    error: str | None = optional("Why the sync failed; only for a sync that is FAILED.")


@input_type
class UpdateKnowledgeSyncInput(KnowledgeSyncValues):
    """The changes to a sync, such as its progress. `finishKnowledgeSync` sets its status.

    Fields that are left out stay as they are; null clears a field that may be null.
    """

    kind: str | None = optional(
        "The kind of sync: `full`, `incremental` or another value; at most 255 characters."
    )


@input_type
class FinishKnowledgeSyncInput(KnowledgeSyncValues):
    """How a sync finished.

    Fields that are left out stay as they are; null clears a field that may be null.
    """

    status: KnowledgeSyncStatus = required("How the sync finished: SUCCEEDED, FAILED or SKIPPED.")
    finished_at: datetime | None = optional("When the sync finished; now by default.")
    error: str | None = optional("Why the sync failed; only for the status FAILED.")
