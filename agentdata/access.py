"""The part of access records that requests tell: where they came from, and which fields they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphql import FieldNode, FragmentSpreadNode

from agentdata.operations.access_records import Origin
from agentdata.sight.request import current

if TYPE_CHECKING:
    from graphql import SelectionSetNode
    from starlette.types import Scope

    from agentdata.engine.requests.documents import Operation

_MAX_LENGTH = 255
"""How many characters of a name or address that the client made up are recorded."""

_MAX_FIELDS = 100
"""How many names of root fields are recorded."""


def origin(scope: Scope, operation_name: str | None) -> Origin:
    """Return where the current request came from: the other end of its connection, and the request's id."""
    client = scope.get("client")
    return Origin(
        None if operation_name is None else operation_name[:_MAX_LENGTH],
        # A proxy may pass on whatever its client calls an address; a write must not fail of it.
        client[0][:_MAX_LENGTH] if client and client[0].isprintable() else None,
        current.get().id or None,
    )


def text_of(operation: Operation) -> str:
    """Return the text of an operation's document, which a request may name instead of sending it."""
    return operation.document.loc.source.body if operation.document.loc else ""


def root_fields(operation: Operation) -> list[str]:
    """Return the names of the root fields in an operation, each once; @skip and @include do not matter."""
    names: dict[str, None] = {}
    seen: set[str] = set()

    def visit(selected: SelectionSetNode) -> None:
        for node in selected.selections:
            if isinstance(node, FieldNode):
                names[node.name.value] = None
            elif isinstance(node, FragmentSpreadNode):
                if node.name.value not in seen:
                    seen.add(node.name.value)
                    visit(operation.fragments[node.name.value].selection_set)
            else:
                visit(node.selection_set)  # type: ignore[attr-defined]  # an inline fragment, the only other

    visit(operation.node.selection_set)
    return [*names][:_MAX_FIELDS]
