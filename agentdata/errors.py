"""The errors that a client can act on. Everything else is INTERNAL and says nothing of what is inside."""

from __future__ import annotations

from typing import Any, ClassVar

from agentdata.naming import noun


class AgentDataError(Exception):
    """An error whose message is meant for the client.

    ``field`` names the input at fault by its GraphQL name, as a path such as ``messages.3.content``.
    """

    code: ClassVar[str]

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    @property
    def extensions(self) -> dict[str, Any]:
        """What stands under ``extensions`` of the GraphQL error."""
        return {"code": self.code} | ({"field": self.field} if self.field else {})


class BadUserInputError(AgentDataError):
    """The input is wrong in itself; sending it again cannot help."""

    code = "BAD_USER_INPUT"


class UnauthenticatedError(AgentDataError):
    """No valid API key came with the request."""

    code = "UNAUTHENTICATED"


class ForbiddenError(AgentDataError):
    """The API key lacks the scope for this."""

    code = "FORBIDDEN"


class NotFoundError(AgentDataError):
    """There is no such thing in this project."""

    code = "NOT_FOUND"


class ConflictError(AgentDataError):
    """The input is right, but not in the present state of the data."""

    code = "CONFLICT"


class LimitExceededError(AgentDataError):
    """The request asks for more than the server gives at once."""

    code = "LIMIT_EXCEEDED"


class TimedOutError(AgentDataError):
    """The request took longer than it may."""

    code = "TIMEOUT"


class OverloadedError(AgentDataError):
    """The server has no room for the request now; the same request may go through later."""

    code = "OVERLOADED"


class PersistedQueryNotSupportedError(AgentDataError):
    """The request names a persisted query by its hash; queries are not stored here."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"


def not_found(model: Any, id_: object, field: str) -> NotFoundError:
    """Return the error for a row that does not exist, or belongs to another project: both read the same."""
    return NotFoundError(f"there is no {noun(model.__tablename__)} {id_}", field=field)
