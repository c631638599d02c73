"""How an exception is told to the client, and what the log has that the client has not."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from asyncpg import InterfaceError, InternalClientError
from graphql import GraphQLError
from sqlalchemy import exc
from strawberry.exceptions import StrawberryInputCoercionError
from uuid_utils import uuid7

from agentdata.errors import AgentDataError, BadUserInputError, OverloadedError, TimedOutError

if TYPE_CHECKING:
    from collections.abc import Iterable

_log = logging.getLogger(__name__)

_MAX_MESSAGE = 1_000
"""Longer messages are cut: they repeat what the client sent."""

_STATEMENT_STOPPED = "57014"
_NO_ROOM = ("08", "53", "57P", "55P03", "40001", "40P01")
"""SQLSTATEs, or their beginnings, of what may go well later: connections, resources, shutdown, locks."""


def refused(errors: Iterable[GraphQLError]) -> list[dict[str, Any]]:
    """Tell why a request was not executed."""
    return [_entry(error, _request_fault(error)) for error in errors]


def failed(errors: Iterable[GraphQLError]) -> list[dict[str, Any]]:
    """Tell what went wrong in fields of an operation that was executed."""
    return [_entry(error, _field_fault(error)) for error in errors]


def told(error: BaseException) -> dict[str, Any]:
    """Tell of an exception that belongs to no place in a document."""
    return _entry(GraphQLError("", original_error=None), _fault(error))


def client_error(error: BaseException | None) -> AgentDataError | None:
    """Give what a client may know of an exception, or None where it is a fault of the server."""
    if isinstance(error, AgentDataError):
        return error
    state = _sqlstate(error)
    if state == _STATEMENT_STOPPED:
        return TimedOutError("the database took too long for this; ask for less at once, or filter more")
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
    """Tell whether a connection could not be had, or was lost."""
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    # asyncpg raises what the operating system says where it cannot connect, and the same class for a closed
    # connection as for its wrong use.
    closed = isinstance(error, InterfaceError | exc.InterfaceError) and "closed" in str(error)
    # The server's last word stands between what is sent and its answer: the driver is out of step.
    cause = error.orig.__cause__ if isinstance(error, exc.DBAPIError) and error.orig else error
    closed = closed or isinstance(cause, InternalClientError)
    return closed or isinstance(error, exc.TimeoutError | OSError)


def _request_fault(error: GraphQLError) -> tuple[str, dict[str, Any]]:
    cause = _root(error)
    if isinstance(cause, AgentDataError):
        # A scalar's parser raised it: graphql-core says for which variable or argument.
        where, found, _ = error.message.partition("Expected value of type")
        return (where if found else "") + cause.message, cause.extensions
    return _without_exception_text(error.message), {"code": BadUserInputError.code}


def _field_fault(error: GraphQLError) -> tuple[str, dict[str, Any]]:
    cause = error.original_error
    # graphql-core and Strawberry tell of wrong arguments by errors that know their place in the document; a
    # result that its type cannot hold is told without one, and is ours to mend.
    if cause is None or isinstance(cause, StrawberryInputCoercionError):
        return _without_exception_text(error.message), {"code": BadUserInputError.code}
    if isinstance(cause, GraphQLError) and cause.nodes:
        return _request_fault(cause)
    return _fault(cause)


def _fault(error: BaseException) -> tuple[str, dict[str, Any]]:
    known = client_error(error)
    if known is not None:
        if known is not error:
            _log.warning("%s: %s", known.code, type(error).__name__, exc_info=error)
        return known.message, known.extensions
    id_ = str(uuid7())
    _log.error("internal error %s", id_, exc_info=error)
    return "internal error", {"code": "INTERNAL", "id": id_}


def _root(error: BaseException) -> BaseException:
    """Follow an error to the exception that it began with."""
    while True:
        cause = (error.original_error if isinstance(error, GraphQLError) else None) or error.__cause__
        if cause is None or isinstance(error, AgentDataError):
            return error
        error = cause


def _without_exception_text(message: str) -> str:
    """Cut the text of an exception that a scalar's parser raised, and Python's word for null.

    graphql-core works both into its own text.
    """
    message = re.sub(r"not to be None\.$", "not to be null.", message)
    return re.sub(r", but encountered error '.*'; found: ", ", found: ", message, flags=re.DOTALL)


def _entry(error: GraphQLError, fault: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    message, extensions = fault
    if len(message) > _MAX_MESSAGE:
        message = message[: _MAX_MESSAGE - 1] + "…"
    entry: dict[str, Any] = {"message": message}
    if error.locations:
        entry["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        entry["path"] = error.path
    entry["extensions"] = extensions
    return entry
