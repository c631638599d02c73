"""Inputs of documents of knowledge bases."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from agentdata.engine.fields import ToMany, filter_on
from models import KnowledgeBase, KnowledgeChunk
from schema.declarations import enum_type, enum_value, input_type, optional, required
from schema.enums import KnowledgeDocumentStatus, OrderDirection
from schema.inputs.filters import (
    BigIntFilter,
    DateTimeFilter,
    IDFilter,
    IntFilter,
    JSONFilter,
    KnowledgeDocumentStatusFilter,
    StringFilter,
)
from schema.scalars import JSON, BigInt

if TYPE_CHECKING:
    from schema.inputs.knowledge_base import KnowledgeBaseFilter
    from schema.inputs.knowledge_chunk import KnowledgeChunksFilter


@input_type
class KnowledgeDocumentFilter:
    """Selects documents of knowledge bases. All given conditions must hold."""

    id: IDFilter | None = optional("The id of the document.")
    knowledge_base_id: IDFilter | None = optional("The id of the knowledge base of the document.")
    version: StringFilter | None = optional("The version of the knowledge base that the document belongs to.")
    external_id: StringFilter | None = optional("The id of the document in another system.")
    name: StringFilter | None = optional("The name of the document.")
    type: StringFilter | None = optional("The kind of document.")
    size: BigIntFilter | None = optional("The size of the document, in bytes.")
    hash: StringFilter | None = optional("A hash of the contents.")
    status: KnowledgeDocumentStatusFilter | None = optional("Whether the document is complete.")
    access_count: IntFilter | None = optional("The number of recorded accesses to the document.")
    last_accessed_at: DateTimeFilter | None = optional("When an access to the document was last recorded.")
    created_at: DateTimeFilter | None = optional("When the document was recorded.")
    updated_at: DateTimeFilter | None = optional("When the document or its chunks last changed.")
    metadata_: JSONFilter | None = optional("Any other data.", name="metadata")
    knowledge_base: (
        Annotated["KnowledgeBaseFilter", strawberry.lazy("schema.inputs.knowledge_base")] | None
    ) = filter_on(
        KnowledgeBase, "Conditions on the knowledge base of the document.", local="knowledge_base_id"
    )
    chunks: Annotated["KnowledgeChunksFilter", strawberry.lazy("schema.inputs.knowledge_chunk")] | None = (
        filter_on(KnowledgeChunk, "Conditions on the chunks of the document.", remote="document_id")
    )
    and_: list[KnowledgeDocumentFilter] | None = optional("All of these filters must hold.", name="and")
    or_: list[KnowledgeDocumentFilter] | None = optional(
        "At least one of these filters must hold.", name="or"
    )
    not_: KnowledgeDocumentFilter | None = optional("This filter must not hold.", name="not")


@input_type
class KnowledgeDocumentsFilter(ToMany):
    """Conditions on related documents of knowledge bases."""

    some: KnowledgeDocumentFilter | None = optional("At least one related object meets this filter.")
    none: KnowledgeDocumentFilter | None = optional("No related object meets this filter.")


@enum_type
class KnowledgeDocumentOrderField(Enum):
    """The fields that documents of knowledge bases can be ordered by."""

    CREATED_AT = enum_value("created_at", "When the document was recorded.")
    UPDATED_AT = enum_value("updated_at", "When the document or its chunks last changed.")
    NAME = enum_value("name", "The name of the document, by code point.")
    SIZE = enum_value("size", "The size of the document, in bytes.")
    ACCESS_COUNT = enum_value("access_count", "The number of recorded accesses to the document.")
    LAST_ACCESSED_AT = enum_value("last_accessed_at", "When an access to the document was last recorded.")


@input_type
class KnowledgeDocumentOrder:
    """A field to order documents of knowledge bases by, and the direction."""

    field: KnowledgeDocumentOrderField = required("The field to order by.")
    direction: OrderDirection = required("The direction of the order.")


@input_type
class KnowledgeDocumentValues:
    """The values of a document of a knowledge base."""

    external_id: str | None = optional(
        "The id of the document in another system, such as the path of a file, unique in its version of the"
        " knowledge base; at most 255 characters."
    )
    type: str | None = optional("The kind of document, such as `text/markdown`; at most 255 characters.")
    size: BigInt | None = optional("The size of the document, in bytes.")
    hash: str | None = optional(
        "A hash of the contents, by which a sync finds out whether they have changed; at most 255 characters."
    )
    status: KnowledgeDocumentStatus | None = optional(
        "Whether the document is complete; PENDING by default on creation. `putKnowledgeChunks` sets it, too."
    )
    status_message: str | None = optional("Why the document has its status, such as the reason of a failure.")
    metadata_: JSON | None = optional(
        "Any other data: a JSON object; `{}` by default on creation.", name="metadata"
    )


@input_type
class PutKnowledgeDocumentInput(KnowledgeDocumentValues):
    """A document to add, or to change if its version of the knowledge base has one with its `externalId`.

    On a change, fields that are left out stay as they are; null clears a field that may be null.
    """

    knowledge_base_id: strawberry.ID = required("The id of the knowledge base.")
    version: str | None = optional(
        "The version of the knowledge base that the document belongs to; `default` by default, at most 255"
        " characters. A version that does not exist yet is created."
    )
    name: str = required("The name of the document, such as its title or file name; at most 255 characters.")


@input_type
class UpdateKnowledgeDocumentInput(KnowledgeDocumentValues):
    """The changes to a document of a knowledge base.

    Fields that are left out stay as they are; null clears a field that may be null.
    """

    name: str | None = optional(
        "The name of the document, such as its title or file name; at most 255 characters."
    )
