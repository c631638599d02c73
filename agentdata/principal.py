"""Who sends a request: the holder of a key or a token."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from agentdata.errors import ForbiddenError
from agentdata.operations.access_records import Author, Origin
from models.enums import ApiKeyScope, included_scopes

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class Principal:
    """The holder of a valid API key or token: its project and its scopes there."""

    project_id: UUID
    api_key_id: UUID | None
    """The key; None for a token."""
    scopes: frozenset[str]
    user_id: UUID | None = None
    """The end user whose rows alone the holder sees; None sees the project."""
    expires_at: datetime | None = None
    """When the key or token expires: no key that it makes may outlive it."""
    subject: str | None = None
    """Whom a token says that it speaks for."""
    has_totals: bool = False
    """Whether sums over many sessions of the project can be read from totals."""

    @property
    def holder_id(self) -> UUID:
        """The key, else the end user of a token, else its project: whom limits and logs count as one."""
        return self.api_key_id or self.user_id or self.project_id

    def may(self, scope: str) -> bool:
        """Return whether the key includes a scope."""
        return scope in self._included

    @cached_property
    def _included(self) -> frozenset[str]:
        return included_scopes(self.scopes)

    def require(self, scope: ApiKeyScope) -> None:
        """Check that the key includes a scope.

        Raises:
            ForbiddenError: The key does not include the scope.

        """
        if not self.may(scope):
            raise ForbiddenError(f"this needs an API key with the scope {scope}")

    def author(self, origin: Origin) -> Author:
        """Return who sends a request from somewhere, for its access record."""
        return Author(
            self.scopes,
            self.expires_at,
            self.api_key_id,
            user_id=self.user_id,
            subject=self.subject,
            origin=origin,
        )
