"""Inputs of knowledge bases and their versions."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, Via, filter_on
from models import (
    Agent,
    AgentKnowledgeBase,
    KnowledgeBase,
    KnowledgeDocument,
    KnowledgeSync,
    KnowledgeVersion,
)
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import OrderDirection
from schema.inputs.filters import DateTimeFilter, IDFilter, IntFilter, JSONFilter, StringFilter
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.inputs.agent import AgentsFilter
    from schema.inputs.knowledge_document import KnowledgeDocumentsFilter
    from schema.inputs.knowledge_sync import KnowledgeSyncsFilter


@input_type
class KnowledgeBaseFilter:
    """Selects knowledge bases. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the knowledge base.")
    external_id: StringFilter | None = optional("The id of the knowledge base in another system.")
    name: StringFilter | None = optional("The name of the knowledge base.")
    refresh_schedule: StringFilter | None = optional(
        "When the knowledge base is to be synced, as a cron expression."
    )
    created_at: DateTimeFilter | None = optional("When the knowledge base was recorded.")
    updated_at: DateTimeFilter | None = optional("When the knowledge base itself last changed.")
    source: JSONFilter | None = optional("Where the documents come from.")
    metadata_: JSONFilter | None = optional("Any other data.", name="metadata")
    agents: Annotated["AgentsFilter", strawberry.lazy("schema.inputs.agent")] | None = filter_on(
        Agent,
        "Conditions on the agents that use the knowledge base.",
        via=Via(AgentKnowledgeBase, "knowledge_base_id", "agent_id"),
    )
    versions: KnowledgeVersionsFilter | None = filter_on(
        KnowledgeVersion, "Conditions on the versions of the knowledge base.", remote="knowledge_base_id"
    )
    documents: (
        Annotated["KnowledgeDocumentsFilter", strawberry.lazy("schema.inputs.knowledge_document")] | None
    ) = filter_on(
        KnowledgeDocument, "Conditions on the documents of the knowledge base.", remote="knowledge_base_id"
    )
    syncs: Annotated["KnowledgeSyncsFilter", strawberry.lazy("schema.inputs.knowledge_sync")] | None = (
        filter_on(KnowledgeSync, "Conditions on the syncs of the knowledge base.", remote="knowledge_base_id")
    )
    and_: list[KnowledgeBaseFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[KnowledgeBaseFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: KnowledgeBaseFilter | None = optional("This filter must not hold.", name="not")


@input_type
class KnowledgeBasesFilter(ToMany):
    """Conditions on related knowledge bases."""

    some: KnowledgeBaseFilter | None = optional("At least one related object meets this filter.")
    none: KnowledgeBaseFilter | None = optional("No related object meets this filter.")


@enum_type
class KnowledgeBaseOrderField(Enum):
    """The fields that knowledge bases can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the knowledge base was recorded.")
    UPDATED_AT = enum_value("updated_at", "When the knowledge base itself last changed.")
    NAME = enum_value("name", "The name of the knowledge base, by code point.")


@input_type
class KnowledgeBaseOrder:
    """A field to order knowledge bases by, and the direction."""

    field: KnowledgeBaseOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class KnowledgeBaseValues:
    """The values of a knowledge base."""

    external_id: str | None = optional(
        "The id of the knowledge base in another system, unique among the project's knowledge bases; at most"
        " 255 characters."
    )
    description: str | None = optional("What the knowledge base is about, in words.")
    source: JSON | None = optional(
        "Where the documents come from, such as an address, and how they are split: a JSON object; `{}` by"
        " default on creation."
    )
    refresh_schedule: str | None = optional(
        "When the knowledge base is to be synced, as a cron expression, such as `0 3 * * *`; at most 255"
        " characters. If the `source` has a `path`, a worker syncs the base with it at these times; else"
        " nobody does but you."
    )
    embedding_model: str | None = optional(
        "The name of the model that makes the vectors of the chunks; at most 255 characters. On creation, by"
        " default the model of the server's embeddings endpoint, if it has one. Once there are vectors,"
        " change it by `startKnowledgeReembedding`."
    )
    dimensions: int | None = optional(
        "How many numbers the vectors have, from 1 to 4,000; by default as many as the first vector."
    )
    metadata_: JSON | None = optional(
        "Any other data: a JSON object; `{}` by default on creation.", name="metadata"
    )


@input_type
class CreateKnowledgeBaseInput(KnowledgeBaseValues):
    """A knowledge base to add."""

    name: str = required(
        "The name of the knowledge base, unique among the project's knowledge bases; at most 255 characters."
    )
    agent_ids: list[strawberry.ID] | None = optional(
        "The ids of the agents that use the knowledge base; at most 1,000."
    )


@input_type
class UpdateKnowledgeBaseInput(KnowledgeBaseValues):
    """The changes to a knowledge base.

    Fields that are left out stay as they are; null clears a field that may be null.
    """

    name: str | None = optional(
        "The name of the knowledge base, unique among the project's knowledge bases; at most 255 characters."
    )


@input_type
class KnowledgeVersionFilter:
    """Selects versions of knowledge bases. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the version.")
    knowledge_base_id: IDFilter | None = optional("The id of the knowledge base of the version.")
    version: StringFilter | None = optional("The name of the version.")
    document_count: IntFilter | None = optional("The number of documents of the version.")
    chunk_count: IntFilter | None = optional("The number of chunks of the version.")
    created_at: DateTimeFilter | None = optional("When the version was recorded.")
    knowledge_base: KnowledgeBaseFilter | None = filter_on(
        KnowledgeBase, "Conditions on the knowledge base of the version.", local="knowledge_base_id"
    )
    documents: (
        Annotated["KnowledgeDocumentsFilter", strawberry.lazy("schema.inputs.knowledge_document")] | None
    ) = filter_on(KnowledgeDocument, "Conditions on the documents of the version.", remote="version_id")
    and_: list[KnowledgeVersionFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[KnowledgeVersionFilter] | None = optional("At least one of these filters must hold.", name="or")
    not_: KnowledgeVersionFilter | None = optional("This filter must not hold.", name="not")


@input_type
class KnowledgeVersionsFilter(ToMany):
    """Conditions on related versions of knowledge bases."""

    some: KnowledgeVersionFilter | None = optional("At least one related object meets this filter.")
    none: KnowledgeVersionFilter | None = optional("No related object meets this filter.")


@enum_type
class KnowledgeVersionOrderField(Enum):
    """The fields that versions of knowledge bases can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the version was recorded.")
    VERSION = enum_value("version", "The name of the version, by code point.")
    DOCUMENT_COUNT = enum_value("document_count", "The number of documents of the version.")
    CHUNK_COUNT = enum_value("chunk_count", "The number of chunks of the version.")


@input_type
class KnowledgeVersionOrder:
    """A field to order versions of knowledge bases by, and the direction."""

    field: KnowledgeVersionOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")
