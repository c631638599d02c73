"""Reports exceptions: to clients what they may know, and to the log what clients may not."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from asyncpg import InterfaceError, InternalClientError
from graphql import GraphQLError
from sqlalchemy import exc
from strawberry.exceptions import StrawberryInputCoercionError
from uuid_utils import uuid7

from agentdata.errors import (
    AgentDataError,
    BadUserInputError,
    LimitExceededError,
    OverloadedError,
    TimedOutError,
)
from agentdata.sight.counts import COUNTS
from agentdata.sight.failures import describe, drop_tracebacks, place, trace
from agentdata.vectors import NoVectorsError

if TYPE_CHECKING:
    from collections.abc import Iterable

_log = logging.getLogger(__name__)

_MAX_MESSAGE = 1_000
"""Longer messages are cut: they repeat the client's text."""

_STATEMENT_STOPPED = "57014"
_NO_TYPE = "42704"
_VECTOR_TYPE = re.compile(r'type "(vector|halfvec)" does not exist')
_TOO_COMPLEX = "54"
"""SQLSTATEs of statements beyond PostgreSQL's limits, such as its stack depth, begin so."""
_NO_ROOM = ("08", "53", "57P", "55P03", "40001", "40P01")
"""SQLSTATEs, or their beginnings, of errors that may pass: connections, resources, shutdown, locks."""


def request_errors(errors: Iterable[GraphQLError]) -> list[dict[str, Any]]:
    """Return the errors of a request that was not executed, as the response has them."""
    return [_entry(error, _request_fault(error)) for error in errors]


def field_errors(errors: Iterable[GraphQLError]) -> list[dict[str, Any]]:
    """Return the errors of the fields of an executed operation, as the response has them."""
    return [_entry(error, _field_fault(error)) for error in errors]


def exception_entry(error: BaseException) -> dict[str, Any]:
    """Return the error of an exception that belongs to no place in a document."""
    entry = _entry(GraphQLError(""), _fault(error))
    drop_tracebacks(error)
    return entry


def client_error(error: BaseException | None) -> AgentDataError | None:
    """Return what a client may know of an exception, or None if it is a fault of the server."""
    if isinstance(error, AgentDataError):
        return error
    state = _sqlstate(error)
    if state == _NO_TYPE and _VECTOR_TYPE.search(str(error)):
        return NoVectorsError()
    if state == _STATEMENT_STOPPED:
        return TimedOutError("the database took too long for this; ask for less at once, or filter more")
    if state.startswith(_TOO_COMPLEX):
        return LimitExceededError("the operation is too complex for the database; ask for less at once")
    if state.startswith(_NO_ROOM) or _lost(error):
        return OverloadedError(
            "the database was lost or has no room for this now; try again shortly, a write with its"
            " idempotencyKey, because it may have been done"
        )
    return None


def _sqlstate(error: BaseException | None) -> str:
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return str(getattr(cause, "sqlstate", None) or "")


def _lost(error: BaseException | None) -> bool:
    """Return whether a connection could not be opened, or was lost."""
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    # asyncpg raises the operating system's error if it cannot connect, and one class for a closed connection
    # and for the wrong use of one.
    closed = isinstance(error, InterfaceError | exc.InterfaceError) and "closed" in str(error)
    # The server said goodbye between a message and its answer: the driver is out of step.
    cause = error.orig.__cause__ if isinstance(error, exc.DBAPIError) and error.orig else error
    closed = closed or isinstance(cause, InternalClientError)
    return closed or isinstance(error, exc.TimeoutError | OSError)


def _request_fault(error: GraphQLError) -> tuple[str, dict[str, Any]]:
    cause = _root(error)
    if isinstance(cause, AgentDataError):
        # A scalar's parser raised it; graphql-core's text says for which variable or argument.
        where, found, _ = error.message.partition("Expected value of type")
        return (where if found else "") + cause.message, cause.extensions
    return _without_exception_text(error.message), {"code": BadUserInputError.code}


def _field_fault(error: GraphQLError) -> tuple[str, dict[str, Any]]:
    cause = error.original_error
    # Errors of graphql-core and Strawberry about wrong arguments know their place in the document. An error
    # about a result that its type cannot hold does not, and is a fault of ours.
    if cause is None or isinstance(cause, StrawberryInputCoercionError):
        return _without_exception_text(error.message), {"code": BadUserInputError.code}
    if isinstance(cause, GraphQLError) and cause.nodes:
        return _request_fault(cause)
    return _fault(cause)


def _fault(error: BaseException) -> tuple[str, dict[str, Any]]:
    known = client_error(error)
    if known is not None:
        if known is not error:
            kind = (known.code, type(error))
            _log.warning("%s: %s", known.code, describe(error), extra={"kind": kind})
        return known.message, known.extensions
    id_ = str(uuid7())
    _log.error(
        "internal error %s: %s at %s", id_, describe(error), place(error), extra={"details": trace(error)}
    )
    return "internal error", {"code": "INTERNAL", "id": id_}


def _root(error: BaseException) -> BaseException:
    """Return the exception that an error began with."""
    while True:
        cause = (error.original_error if isinstance(error, GraphQLError) else None) or error.__cause__
        if cause is None or isinstance(error, AgentDataError):
            return error
        error = cause


def _without_exception_text(message: str) -> str:
    """Remove an exception's text and Python's word for null from a text of graphql-core, which holds both."""
    message = re.sub(r"not to be None\.$", "not to be null.", message)
    return re.sub(r", but encountered error '.*'; found: ", ", found: ", message, flags=re.DOTALL)


def _entry(error: GraphQLError, fault: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    message, extensions = fault
    if len(message) > _MAX_MESSAGE:
        message = message[: _MAX_MESSAGE - 1] + "…"
    COUNTS.error(extensions["code"])
    entry: dict[str, Any] = {"message": message}
    if error.locations:
        entry["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        entry["path"] = error.path
    entry["extensions"] = extensions
    drop_tracebacks(error)
    return entry
