"""The class of a read shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.dataset import Size

    Variables = Callable[[Size], dict[str, Any]]


@dataclass(frozen=True)
class Shape:
    """A read: a description, a document for each schema, and its variables."""

    name: str
    about: str
    document: str
    postgraphile: str | None
    """None if the schema of PostGraphile has no fields for it, so that no single request can answer it."""
    variables: Variables
    has_second_page: bool = False
    """Whether it reads the second page, with the cursor of the first one in the variable `after`."""
    grows: bool = False
    """Whether it reads more data in a larger size."""

    def document_for(self, schema: str) -> str | None:
        """Return the document for a schema of contenders; None if it has no fields for this shape."""
        return self.postgraphile if schema == "postgraphile" else self.document
