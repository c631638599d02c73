"""Write operations of documents of knowledge bases, which create the versions that they belong to."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from uuid_utils.compat import uuid7

from agentdata.checks import check, check_count, check_text
from agentdata.errors import BadUserInputError, ConflictError, not_found
from agentdata.operations import deletion, knowledge_bases
from agentdata.operations.unit_of_work import columns_of, json_columns, row_factory, rows_as_json
from models import KnowledgeBase, KnowledgeDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from agentdata.operations.unit_of_work import UnitOfWork

MAX_DOCUMENTS = 1_000
"""How many documents one write may put, and how many external ids or accesses it may name."""

DEFAULT_VERSION = "default"
"""The version of documents that name none."""

_ATTEMPTS = 5
_DELETED_TOGETHER = 500
"""How many documents one transaction deletes."""

_FIND_VERSIONS = """
SELECT own.id, own.knowledge_base_id, own.version FROM knowledge_versions AS own
JOIN unnest($2::uuid[], $3::text[]) AS given (base, version)
  ON own.knowledge_base_id = given.base AND own.version = given.version
WHERE own.project_id = $1 ORDER BY own.id FOR KEY SHARE OF own"""

_ADD_VERSIONS = """
INSERT INTO knowledge_versions (project_id, id, knowledge_base_id, version)
SELECT $1, given.* FROM unnest($2::uuid[], $3::uuid[], $4::text[]) AS given (id, base, version)
ORDER BY base, version ON CONFLICT DO NOTHING"""

_FIND = """
SELECT own.id, own.version_id, own.external_id FROM knowledge_documents AS own
JOIN unnest($2::uuid[], $3::text[], $4::text[]) AS given (base, version, external_id)
  ON own.knowledge_base_id = given.base AND own.version = given.version
  AND own.external_id = given.external_id
WHERE own.project_id = $1 ORDER BY own.id FOR NO KEY UPDATE OF own"""

_FIND_BY_EXTERNAL_ID = """
SELECT id FROM knowledge_documents
WHERE project_id = $1 AND knowledge_base_id = $2 AND external_id = ANY($3::text[])
  AND ($4::text IS NULL OR version = $4) ORDER BY id"""

_HOLD = """
SELECT id, version_id, chunk_count FROM knowledge_documents
WHERE project_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE"""

_DELETE = "DELETE FROM knowledge_documents WHERE project_id = $1 AND id = ANY($2::uuid[])"

_COLUMNS = columns_of(KnowledgeDocument)

_ACCESS = f"""
WITH held AS MATERIALIZED (
  SELECT id FROM knowledge_documents WHERE project_id = $1 AND id = ANY($2::uuid[])
  ORDER BY id FOR NO KEY UPDATE
)
UPDATE knowledge_documents AS own
SET access_count = access_count + times, last_accessed_at = clock_timestamp()
FROM held JOIN unnest($2::uuid[], $3::int[]) AS given (id, times) ON given.id = held.id
WHERE own.project_id = $1 AND own.id = held.id
RETURNING {", ".join(f"own.{name}" for name in _COLUMNS.split(", "))}"""  # noqa: S608  # columns of the model
"""Locks documents in the order of their keys, so that two writers cannot deadlock."""


class _Put(NamedTuple):
    """A document to put."""

    place: int
    """Its position in the client's list."""
    values: dict[str, Any]

    @property
    def version(self) -> tuple[UUID, str]:
        """The base and the name of its version."""
        return self.values["knowledge_base_id"], self.values["version"]

    @property
    def key(self) -> tuple[UUID, str | None]:
        """The keys by which it is found: its version and external id."""
        return self.values["version_id"], self.values.get("external_id")


async def put(write: UnitOfWork, values: dict[str, Any]) -> KnowledgeDocument:
    """Add a document, or update the one with its external id in the same version of the base."""
    [document] = await _put(write, [values], "")
    return document


async def put_all(write: UnitOfWork, documents: list[dict[str, Any]]) -> list[KnowledgeDocument]:
    """Add or update documents, of one or several bases, in few statements."""
    check_count("documents", documents, MAX_DOCUMENTS)
    return await _put(write, documents, "documents.{}.")


async def update(write: UnitOfWork, id_: UUID, values: dict[str, Any]) -> KnowledgeDocument:
    """Update a document."""
    check(KnowledgeDocument, values)
    return await write.update(await write.get(KnowledgeDocument, id_, lock=True), values)


async def delete(write: UnitOfWork, id_: UUID) -> list[UUID]:
    """Delete a document with its chunks.

    Raises:
        NotFoundError: There is no such document.

    """
    await deletion.clear(write, KnowledgeDocument, [id_])
    if not await _delete(write, [id_]):
        raise not_found(KnowledgeDocument, id_, "id")
    return [id_]


async def delete_all(
    write: UnitOfWork, knowledge_base_id: UUID, external_ids: list[str], version: str | None = None
) -> list[UUID]:
    """Delete the documents of a base with these external ids, in one version or in all, with their chunks.

    External ids that no document has are ignored. If there are many documents, all but the last of them are
    deleted in transactions of their own.
    """
    check_count("externalIds", external_ids, MAX_DOCUMENTS)
    for text in external_ids:
        check_text("externalIds", text)
    if version is not None:
        check_text("version", version)

    async def find(part: UnitOfWork) -> list[UUID]:
        await part.get(KnowledgeBase, knowledge_base_id, field="knowledgeBaseId")
        found = await part.fetch(
            _FIND_BY_EXTERNAL_ID, part.project_id, knowledge_base_id, external_ids, version
        )
        return [record["id"] for record in found]

    async def delete_part(part: UnitOfWork, ids: Sequence[UUID]) -> list[UUID]:
        deleted = await _delete(part, ids)
        await write.record(deleted, by=part)
        return deleted

    ids = await write.run_separately(find)
    deleted: list[UUID] = []
    for start in range(0, len(ids), _DELETED_TOGETHER):
        batch = ids[start : start + _DELETED_TOGETHER]
        await deletion.clear(write, KnowledgeDocument, batch)
        if start + _DELETED_TOGETHER < len(ids):
            deleted += await write.run_separately(partial(delete_part, ids=batch))
        else:
            deleted += await _delete(write, batch)
    return deleted


async def record_accesses(write: UnitOfWork, document_ids: list[UUID]) -> list[KnowledgeDocument]:
    """Count an access to each document, or several if its id is given several times.

    Raises:
        NotFoundError: A document is not in this project. Nothing is counted.

    """
    check_count("documentIds", document_ids, MAX_DOCUMENTS)
    times = Counter(document_ids)
    records = await write.fetch(_ACCESS, write.project_id, [*times], [*times.values()])
    rows = {row.id: row for row in map(row_factory(KnowledgeDocument), records)}
    for id_ in times:
        if id_ not in rows:
            raise not_found(KnowledgeDocument, id_, "documentIds")
    return [rows[id_] for id_ in times]


async def _put(write: UnitOfWork, documents: list[dict[str, Any]], path: str) -> list[KnowledgeDocument]:
    """Put documents; ``path``, formatted with an index, is the client's path to each of them."""
    puts = [_Put(place, _normalize(values, path.format(place))) for place, values in enumerate(documents)]
    _refuse_repeated(puts, path)
    bases: dict[UUID, str] = {}
    for each in puts:
        bases.setdefault(each.values["knowledge_base_id"], f"{path.format(each.place)}knowledgeBaseId")
    await write.get_all(KnowledgeBase, sorted(bases), field=bases, keep=True)
    versions = await _versions(write, {each.version for each in puts})
    waiting = [_Put(each.place, each.values | {"version_id": versions[each.version]}) for each in puts]
    stored: dict[int, KnowledgeDocument] = {}
    added: Counter[UUID] = Counter()
    for _ in range(_ATTEMPTS):
        known = await _find(write, waiting)
        stored |= await _update(write, [(known[each.key], each) for each in waiting if each.key in known])
        inserted = await _insert(write, [each for each in waiting if each.key not in known])
        added.update(document.version_id for document in inserted.values())
        stored |= inserted
        # Another write has added the same document meanwhile, which the next attempt finds.
        waiting = [each for each in waiting if each.place not in stored]
        if not waiting:
            break
    else:
        raise ConflictError(
            "other writes add and delete the same document at the same time; try again",
            field=f"{path.format(waiting[0].place)}externalId",
        )
    await knowledge_bases.count(write, {id_: (number, 0) for id_, number in added.items()})
    return [stored[each.place] for each in puts]


def _normalize(values: dict[str, Any], path: str) -> dict[str, Any]:
    """Check a document's values, and return them with the default version."""
    check(KnowledgeDocument, values, path)
    return {"version": DEFAULT_VERSION} | values


def _refuse_repeated(puts: list[_Put], path: str) -> None:
    """Refuse two documents of one write that are the same, of which either could be meant to come last."""
    places: dict[Any, int] = {}
    for each in puts:
        if (external_id := each.values.get("external_id")) is None:
            continue
        first = places.setdefault((*each.version, external_id), each.place)
        if first != each.place:
            field = f"{path.format(each.place)}externalId"
            raise BadUserInputError(f"{field} repeats {path.format(first)}externalId", field=field)


async def _versions(write: UnitOfWork, wanted: set[tuple[UUID, str]]) -> dict[tuple[UUID, str], UUID]:
    """Return the ids of versions, which are locked against deletion; add those that do not exist."""
    for _ in range(_ATTEMPTS):
        bases, names = zip(*sorted(wanted), strict=True)
        found = {
            (record["knowledge_base_id"], record["version"]): record["id"]
            for record in await write.fetch(_FIND_VERSIONS, write.project_id, [*bases], [*names])
        }
        if not (missing := sorted(wanted - found.keys())):
            return found
        bases, names = zip(*missing, strict=True)
        ids = [uuid7() for _ in missing]
        await write.fetch(_ADD_VERSIONS, write.project_id, ids, [*bases], [*names])
    raise ConflictError("other writes add and delete the same version at the same time; try again")


async def _find(write: UnitOfWork, puts: Iterable[_Put]) -> dict[tuple[UUID, str | None], UUID]:
    """Return the ids of the documents that exist already, which are locked, by their keys."""
    keyed = [(*each.version, each.values["external_id"]) for each in puts if each.values.get("external_id")]
    if not keyed:
        return {}
    columns = [list(column) for column in zip(*keyed, strict=True)]
    found = await write.fetch(_FIND, write.project_id, *columns)
    return {(record["version_id"], record["external_id"]): record["id"] for record in found}


async def _insert(write: UnitOfWork, puts: Sequence[_Put]) -> dict[int, KnowledgeDocument]:
    """Add documents; leave out those that another write has added. Return the rows by their places."""
    if not puts:
        return {}
    rows = {uuid7(): each for each in puts}
    text = _insert_statement(frozenset().union(*(each.values for each in puts)))
    given = rows_as_json([{"id": id_, **each.values} for id_, each in rows.items()])
    records = await write.fetch(text, write.project_id, given)
    return {rows[row.id].place: row for row in map(row_factory(KnowledgeDocument), records)}


async def _update(write: UnitOfWork, puts: Sequence[tuple[UUID, _Put]]) -> dict[int, KnowledgeDocument]:
    """Update documents that are locked, those with values for the same columns together."""
    alike: defaultdict[frozenset[str], dict[UUID, _Put]] = defaultdict(dict)
    for id_, each in puts:
        alike[frozenset(each.values)][id_] = each
    stored: dict[int, KnowledgeDocument] = {}
    for names, rows in alike.items():
        given = rows_as_json([{"id": id_, **each.values} for id_, each in rows.items()])
        records = await write.fetch(_update_statement(names), write.project_id, given)
        stored |= {rows[row.id].place: row for row in map(row_factory(KnowledgeDocument), records)}
    return stored


async def _delete(write: UnitOfWork, ids: Sequence[UUID]) -> list[UUID]:
    """Delete documents with their chunks, keep counts right, and return the ids of those found."""
    held = await write.fetch(_HOLD, write.project_id, [*ids])
    if not held:
        return []
    found = [record["id"] for record in held]
    await write.fetch(_DELETE, write.project_id, found)
    less: defaultdict[UUID, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for record in held:
        documents, chunks = less[record["version_id"]]
        less[record["version_id"]] = (documents - 1, chunks - record["chunk_count"])
    await knowledge_bases.count(write, less)
    return found


@lru_cache(maxsize=256)
def _insert_statement(given: frozenset[str]) -> str:
    """Return the statement that adds documents with values for these columns, in the order of their keys."""
    names, values, types = json_columns(KnowledgeDocument, sorted(given | {"id"}))
    order = "given.version_id, given.external_id" if "external_id" in given else "given.version_id"
    return (
        f"INSERT INTO knowledge_documents (project_id, {names}) SELECT $1, {values}"  # noqa: S608 - names of the model
        f" FROM json_to_recordset($2::json) AS given ({types}) ORDER BY {order}"
        f" ON CONFLICT (project_id, knowledge_base_id, version, external_id) DO NOTHING RETURNING {_COLUMNS}"
    )


@lru_cache(maxsize=256)
def _update_statement(given: frozenset[str]) -> str:
    """Return the statement that updates documents with values for these columns."""
    _, _, types = json_columns(KnowledgeDocument, sorted(given | {"id"}))
    columns = KnowledgeDocument.__mapper__.columns
    changes = ", ".join(f"{columns[name].name} = given.{name}" for name in sorted(given))
    returned = ", ".join(f"own.{name}" for name in _COLUMNS.split(", "))
    return (
        f"UPDATE knowledge_documents AS own SET {changes}, updated_at = clock_timestamp()"  # noqa: S608 - as above
        f" FROM json_to_recordset($2::json) AS given ({types})"
        f" WHERE own.project_id = $1 AND own.id = given.id RETURNING {returned}"
    )
