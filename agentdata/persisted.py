"""Documents that requests name instead of sending them: trusted ones of the operator, and those of clients.

Trusted documents come from a manifest (`agentdata/trusted.py`). The others are stored when a client first
sends one with its hash, as Apollo's automatic persisted queries do. They are in the memory of one process: a
server of several processes asks for a document once in each.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from http import HTTPStatus
from sys import getsizeof
from typing import TYPE_CHECKING

from agentdata.engine.requests.documents import invalid
from agentdata.errors import (
    BadUserInputError,
    PersistedQueryNotFoundError,
    PersistedQueryNotSupportedError,
    UntrustedDocumentError,
)
from agentdata.protocol import PERSISTED_QUERY, SHA256, RefusalError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from agentdata.engine.requests.documents import Operation
    from agentdata.engine.requests.executor import Executor
    from agentdata.protocol import DocumentName, GraphQLRequest

_STORED_BYTES = 32 * 1024 * 1024
"""How much memory the documents of clients may take in one process, in bytes."""

_ENTRY_BYTES = 400
"""The bytes that a stored document takes besides its text, for its identifier and its entry."""


class Store:
    """The documents of each project by their identifiers, within a bound for all of them together.

    A full store drops a document of the project whose documents take most: the one that was not used for the
    longest time. So a project that floods the store loses its own documents, and nobody else's.
    """

    def __init__(self, max_bytes: int = _STORED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._documents: dict[UUID, OrderedDict[str, str]] = {}
        self._bytes: dict[UUID, int] = {}
        self._total = 0

    def get(self, project_id: UUID, id_: str) -> str | None:
        """Return a document of a project, or None if it has none by this identifier."""
        own = self._documents.get(project_id)
        text = own.get(id_) if own else None
        if own and text is not None:
            own.move_to_end(id_)
        return text

    def put(self, project_id: UUID, id_: str, text: str) -> None:
        """Store a document of a project, and drop others while the store is too full."""
        own = self._documents.setdefault(project_id, OrderedDict())
        if id_ in own:
            own.move_to_end(id_)
            return
        own[id_] = text
        self._add(project_id, getsizeof(text) + _ENTRY_BYTES)
        while self._total > self._max_bytes:
            largest = max(self._bytes, key=self._bytes.__getitem__)
            _, dropped = self._documents[largest].popitem(last=False)
            self._add(largest, -getsizeof(dropped) - _ENTRY_BYTES)
            if not self._documents[largest]:
                del self._documents[largest], self._bytes[largest]

    def _add(self, project_id: UUID, bytes_: int) -> None:
        self._bytes[project_id] = self._bytes.get(project_id, 0) + bytes_
        self._total += bytes_


class PersistedDocuments:
    """Finds the operation of a request: in the document that it sends, or in the one that it names."""

    def __init__(
        self,
        executor: Executor,
        *,
        automatic: bool = True,
        trusted: Mapping[str, str] | None = None,
        only_trusted: bool = False,
    ) -> None:
        self._executor = executor
        self._store = Store() if automatic and not only_trusted else None
        self._trusted = trusted or {}
        self._allowed = frozenset(self._trusted.values()) if only_trusted else None

    async def operation(self, request: GraphQLRequest, project_id: UUID) -> Operation:
        """Return the operation of a request; store its document if its hash comes with it.

        Raises:
            InvalidRequestError: The document is not valid, not known, or not allowed.
            RefusalError: A document named as Apollo's clients do is not known.
            OverloadedError: Too many new documents wait.

        """
        query, named = request.query, request.document
        if not query and named is not None:
            query = self._find(named, project_id)
        elif self._allowed is not None and query not in self._allowed:
            raise invalid(
                UntrustedDocumentError(
                    "this server only runs its trusted documents, and `query` is none of them;"
                    " have the operator add it to their manifest",
                    field="query",
                )
            )
        operation = await self._executor.read(query, request.operation_name)
        if named is not None and request.query and self._store is not None:
            # Only a document that has passed the validation, and so the limits, is hashed and stored.
            self._keep(self._store, named, query, project_id)
        return operation

    def _find(self, named: DocumentName, project_id: UUID) -> str:
        text = self._trusted.get(named.id)
        if text is None and self._store is not None:
            text = self._store.get(project_id, named.id)
        if text is not None:
            return text
        if self._allowed is not None:
            raise invalid(
                UntrustedDocumentError(
                    f"this server only runs its trusted documents, and `{named.field}` names none of them;"
                    " have the operator add it to their manifest",
                    field=named.field,
                )
            )
        unknown = PersistedQueryNotSupportedError if self._store is None else PersistedQueryNotFoundError
        if named.field == PERSISTED_QUERY:
            # Apollo's clients look for this message and code, and then send the query itself. Some of them
            # only read answers with the status 200, as Apollo Server sends.
            raise RefusalError(HTTPStatus.OK, unknown(unknown.apollo_message))
        problem = f"the server has no document with the identifier in `{named.field}`; send `query`"
        raise invalid(unknown(problem, field=named.field))

    def _keep(self, store: Store, named: DocumentName, query: str, project_id: UUID) -> None:
        if self._trusted.get(named.id) == query:
            return
        if named.id != SHA256 + sha256(query.encode()).hexdigest():
            raise invalid(
                BadUserInputError(
                    f"`{named.field}` is not the SHA-256 of `query` in lowercase hexadecimal digits;"
                    " correct it, or leave it out",
                    field=named.field,
                )
            )
        store.put(project_id, named.id, query)
