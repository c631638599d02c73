"""Access records: who read or wrote, when, by which fields, and from where. They never hold contents."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from models.enums import AccessKind

MAX_IDS = 100
"""How many ids of objects a record lists; it counts them all."""


class Origin(NamedTuple):
    """Where a request came from, as far as the server knows."""

    operation_name: str | None = None
    """The name that the client gave its operation."""
    address: str | None = None
    request_id: str | None = None


class Author(NamedTuple):
    """Who sent a request: what its access record says, and what its sender may pass on to another key."""

    scopes: frozenset[str]
    expires_at: datetime | None
    """When the key or token expires; None if never."""
    api_key_id: UUID | None
    user_id: UUID | None
    subject: str | None
    origin: Origin


_NAMES = (
    "project_id",
    "id",
    "kind",
    "fields",
    "operation_name",
    "document_hash",
    "object_ids",
    "object_count",
    "api_key_id",
    "user_id",
    "subject",
    "address",
    "request_id",
)
# The text of an array takes the driver less time than an array does.
_LIST = "text::text[]"
_TYPES = ("uuid", "uuid", "text", _LIST, "text", "text", _LIST, "int", "uuid", "uuid", *["text"] * 3)
_GIVEN = [f"${number}::{type_}" for number, type_ in enumerate(_TYPES, start=1)]
_INSERT = f"INSERT INTO access_records ({', '.join(_NAMES)})"

RECORD = f"{_INSERT} VALUES ({', '.join(_GIVEN)})"
"""Inserts a record. Its arguments are the project, and then ``values``."""

_MARK = re.compile(r"/\* record (\w+)( ids)? \*/")


def mark(source: str, *, ids: bool = False) -> str:
    """Return the comment by which a statement says where its record belongs: behind ``source``.

    ``source`` is a common table expression that has rows if the statement writes. With ``ids`` the record
    lists the ids of these rows, because the statement alone knows what it writes.
    """
    return f"/* record {source}{' ids' * ids} */"


@lru_cache(maxsize=256)
def recording(text: str, parameters: int) -> str | None:
    """Return a marked statement that also inserts a record; None if the statement is not marked.

    Its own ``parameters`` come first, and then ``values``. One statement is atomic, and one round trip.
    """
    if (found := _MARK.search(text)) is None:
        return None
    given = [f"${parameters + number}::{type_}" for number, type_ in enumerate(_TYPES[1:], start=1)]
    if found[2]:
        # The parameters for ids stay, empty, so that all statements take the same ones.
        ids, count = (_NAMES.index(name) - 1 for name in ("object_ids", "object_count"))
        listed = f"ARRAY(SELECT id::text FROM {found[1]} LIMIT {MAX_IDS})"  # noqa: S608 - as below
        given[ids] = f"array_cat({given[ids]}, {listed})"
        given[count] += f" + (SELECT count(*) FROM {found[1]})"  # noqa: S608 - as below
    record = (
        f", access_record AS ({_INSERT} SELECT $1, {', '.join(given)}"  # noqa: S608 - names in our own statements
        f" FROM (SELECT FROM {found[1]} LIMIT 1) AS written)"
    )
    return f"{text[: found.start()]}{record}{text[found.end() :]}"


def values(
    author: Author,
    kind: AccessKind,
    fields: Sequence[str],
    ids: Sequence[UUID] = (),
    *,
    document_hash: str | None = None,
) -> tuple[Any, ...]:
    """Return the values of a new record, as the statements take them."""
    origin = author.origin
    return (
        uuid7(),
        kind,
        f"{{{','.join(fields)}}}",
        origin.operation_name,
        document_hash,
        f"{{{','.join(map(str, ids[:MAX_IDS]))}}}",
        len(ids),
        author.api_key_id,
        author.user_id,
        author.subject,
        origin.address,
        origin.request_id,
    )


def ids_of(result: object) -> list[UUID]:
    """Return the ids of the objects that a write returns: of rows, or of rows that it deleted."""
    items = result if isinstance(result, list) else [result]
    ids = [item if isinstance(item, UUID) else getattr(item, "id", None) for item in items]
    return [id_ for id_ in ids if id_ is not None]
