"""The validation of documents: GraphQL's rules, Strawberry's, and two of this server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLError,
    KnownDirectivesRule,
    ValidationRule,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from agentdata.errors import AgentDataError, BadUserInputError, ForbiddenError

if TYPE_CHECKING:
    from graphql import DirectiveNode, DocumentNode, FieldNode, GraphQLSchema

_INTROSPECTION = {"__schema", "__type"}
_INCREMENTAL = {"defer", "stream"}
_MOST_ERRORS = 20
"""How many errors of one document are reported: to find and to word each may take milliseconds."""


@dataclass(frozen=True)
class Visibility:
    """How much of the schema a client may learn from the server."""

    introspection: bool = True
    """Whether documents may select `__schema` and `__type`; `__typename` tells nothing new."""
    suggestions: bool = True
    """Whether errors suggest names that the client may have meant."""

    @property
    def hide_suggestions(self) -> bool:
        """Whether errors hold no suggestions; they would tell the names that introspection must not."""
        return not (self.introspection and self.suggestions)


FULLY_VISIBLE = Visibility()


class _KnownDirectives(KnownDirectivesRule):
    """Says of `@defer` and `@stream` why the schema does not have them."""

    def enter_directive(self, node: DirectiveNode, *args: Any) -> None:
        if node.name.value in _INCREMENTAL:
            problem = (
                f"@{node.name.value} is not supported: an answer comes as a whole, from one snapshot;"
                " leave it out, or send the slow part as a request of its own"
            )
            self.report_error(_error(BadUserInputError(problem, field="query"), node))
        else:
            super().enter_directive(node, *args)


class _NoIntrospection(ValidationRule):
    """Refuses documents that ask for the schema."""

    def enter_field(self, node: FieldNode, *_args: Any) -> None:
        if node.name.value in _INTROSPECTION:
            problem = f"introspection is switched off on this server; leave out `{node.name.value}`"
            self.report_error(_error(ForbiddenError(problem, field="query"), node))


def _error(error: AgentDataError, node: DirectiveNode | FieldNode) -> GraphQLError:
    return GraphQLError(error.message, node, original_error=error)


_RULES = (
    *(_KnownDirectives if rule is KnownDirectivesRule else rule for rule in specified_rules),
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)


def validate_document(
    schema: GraphQLSchema, document: DocumentNode, visibility: Visibility
) -> list[GraphQLError]:
    """Return what is wrong with a document; nothing if it is valid."""
    rules = _RULES if visibility.introspection else (_NoIntrospection, *_RULES)
    return validate(
        schema, document, rules, max_errors=_MOST_ERRORS, hide_suggestions=visibility.hide_suggestions
    )
