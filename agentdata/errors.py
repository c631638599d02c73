"""The errors that a client can act on. All others are reported as INTERNAL, without details."""

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
        """The ``extensions`` of the GraphQL error."""
        return {"code": self.code} | ({"field": self.field} if self.field else {})


class BadUserInputError(AgentDataError):
    """The input is invalid; sending it again cannot help."""

    code = "BAD_USER_INPUT"


class UnauthenticatedError(AgentDataError):
    """The request has no valid API key."""

    code = "UNAUTHENTICATED"


class ForbiddenError(AgentDataError):
    """The API key lacks the scope for this."""

    code = "FORBIDDEN"


class NotFoundError(AgentDataError):
    """The project has no such object."""

    code = "NOT_FOUND"


class ConflictError(AgentDataError):
    """The input is valid, but conflicts with the current data."""

    code = "CONFLICT"


class LimitExceededError(AgentDataError):
    """The request exceeds a limit of the server."""

    code = "LIMIT_EXCEEDED"


class TimedOutError(AgentDataError):
    """The request took longer than is allowed."""

    code = "TIMEOUT"


class OverloadedError(AgentDataError):
    """The server has no capacity for the request now; the same request may succeed later."""

    code = "OVERLOADED"


class EmbeddingsUnavailableError(AgentDataError):
    """The endpoint that makes vectors of texts does not answer as it should; it may do so later."""

    code = "EMBEDDINGS_UNAVAILABLE"


class RateLimitedError(AgentDataError):
    """A key has spent its points, or an address has sent too many unknown keys; time mends both."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PersistedQueryNotFoundError(AgentDataError):
    """The request names a document that is not stored here; sending the document stores it."""

    code = "PERSISTED_QUERY_NOT_FOUND"
    apollo_message = "PersistedQueryNotFound"


class PersistedQueryNotSupportedError(AgentDataError):
    """The request names a document that is not stored here, where clients cannot store any."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"
    apollo_message = "PersistedQueryNotSupported"


class UntrustedDocumentError(AgentDataError):
    """The document is none of the trusted documents, and the server runs no others."""

    code = "UNTRUSTED_DOCUMENT"


def not_found(model: Any, id_: object, field: str) -> NotFoundError:
    """Return the error for a row that does not exist or, indistinguishably, belongs to another project."""
    return NotFoundError(f"there is no {noun(model.__tablename__)} {id_}", field=field)
