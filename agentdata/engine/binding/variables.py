"""Coerces an operation's variables as graphql-core does, ten times faster.

The coercion of each type is made once. It handles only values that are clearly right; graphql-core decides
about all others, and says what is wrong with them.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLString,
    Undefined,
    get_named_type,
    is_required_input_field,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import (
    VariableValues,
    VariableValueSource,
    get_variable_values,
    input_is_nested_too_deeply,
)
from graphql.utilities.coerce_input_value import coerce_default_value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from graphql import GraphQLInputField, GraphQLInputType, GraphQLSchema, VariableDefinitionNode
    from graphql.execution.get_variable_signature import GraphQLVariableSignature

    Coerce = Callable[[Any], Any]


_MOST_ERRORS = 20
"""How many errors of variables are reported: to find and to word each may take milliseconds."""


class _UnusualError(Exception):
    """graphql-core has to decide about a value, or a type."""


class Variables:
    """The variables that an operation declares."""

    def __init__(
        self,
        schema: GraphQLSchema,
        definitions: Collection[VariableDefinitionNode],
        *,
        hide_suggestions: bool = False,
    ) -> None:
        self._schema = schema
        self._hide_suggestions = hide_suggestions
        self._definitions = definitions
        self._declared: list[tuple[GraphQLVariableSignature, Coerce, Any]] | None = None
        types = _TYPES.setdefault(schema, _Types())
        with suppress(_UnusualError):
            self._declared = [types.variable(schema, definition) for definition in definitions]

    def coerce(self, given: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        """Return the values of the variables, or the errors in them."""
        values = self.coerce_usual(given)
        if values is not None:
            return values
        return get_variable_values(
            self._schema, self._definitions, given, _MOST_ERRORS, self._hide_suggestions
        )

    def coerce_usual(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Return the values if they are clearly right, or None if graphql-core has to decide."""
        if self._declared is None:
            return None
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        try:
            for signature, coerce, default in self._declared:
                name = signature.name
                if name in given:
                    sources[name] = VariableValueSource(signature, given[name])
                    coerced[name] = coerce(given[name])
                else:
                    sources[name] = VariableValueSource(signature)
                    if default is not Undefined:
                        coerced[name] = default
                    elif isinstance(signature.type, GraphQLNonNull):
                        return None
        except Exception:  # noqa: BLE001  # whatever a scalar's parser raises
            return None
        return VariableValues(sources, coerced)


class _Types:
    """Makes the coercions of the types of a schema, each once: all operations share them.

    Those of input objects that may hold themselves refer to each other in cycles, so the coercions of one
    operation would be garbage that only a collection of everything frees.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._objects: dict[str, _Object] = {}
        self._unfinished: list[_Object] = []

    def variable(
        self, schema: GraphQLSchema, definition: VariableDefinitionNode
    ) -> tuple[GraphQLVariableSignature, Coerce, Any]:
        """Return a variable's signature, its coercion, and its default value."""
        signature = get_variable_signature(schema, definition)
        if isinstance(signature, GraphQLError):
            raise _UnusualError
        named = get_named_type(signature.type)
        with self._lock:
            coerce = self._of(signature.type)
            of_object = self._objects.get(named.name)
        if of_object is not None and of_object.is_recursive:
            coerce = partial(_not_too_deep, signature.type, coerce)
        return signature, coerce, _default(signature)

    def _of(self, type_: GraphQLInputType) -> Coerce:
        """Return the coercion of a type; it raises for values that are not clearly right."""
        if isinstance(type_, GraphQLNonNull):
            return self._present(type_.of_type)
        return partial(_nullable, self._present(type_))

    def _present(self, type_: Any) -> Coerce:
        """Return the coercion of a type's values other than null."""
        if isinstance(type_, GraphQLList):
            return partial(_list, self._of(type_.of_type))
        if isinstance(type_, GraphQLInputObjectType):
            return self._object(type_)
        if type_ in _EXACTLY:
            return partial(_exactly, _EXACTLY[type_])
        if isinstance(type_, GraphQLEnumType):
            members = {name: type_.coerce_input_value(name) for name in type_.values}
            # An unknown name raises.
            return members.__getitem__
        return partial(_leaf, type_.coerce_input_value)

    def _object(self, type_: GraphQLInputObjectType) -> _Object:
        if type_.is_one_of or type_.out_type is not GraphQLInputObjectType.out_type:
            raise _UnusualError
        made = self._objects.get(type_.name)
        if made is not None:
            if made.is_recursive or made in self._unfinished:
                for holder in self._unfinished:
                    holder.is_recursive = True
            return made
        before = len(self._objects)
        made = self._objects[type_.name] = _Object()
        self._unfinished.append(made)
        try:
            self._fill(made, type_)
        except _UnusualError:
            # What was made meanwhile may hold what is not complete.
            for name in [*self._objects][before:]:
                del self._objects[name]
            raise
        finally:
            self._unfinished.pop()
        return made

    def _fill(self, made: _Object, type_: GraphQLInputObjectType) -> None:
        for name, field in type_.fields.items():
            out_name = field.out_name or name
            made.fields[name] = (out_name, self._of(field.type))
            if is_required_input_field(field):
                made.required.add(name)
            elif (default := _default(field)) is not Undefined:
                made.defaults[name] = (out_name, default)


class _Object:
    """Coerces values of an input object type, which may hold itself."""

    def __init__(self) -> None:
        self.fields: dict[str, tuple[str, Coerce]] = {}
        self.required: set[str] = set()
        self.defaults: dict[str, tuple[str, Any]] = {}
        self.is_recursive = False
        """Whether it may hold itself, or an object that does."""

    def __call__(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict or not self.required <= value.keys():
            raise _UnusualError
        coerced = {}
        fields = self.fields
        for name, each in value.items():
            # An unknown name raises as well.
            out_name, coerce = fields[name]
            coerced[out_name] = coerce(each)
        for name, (out_name, default) in self.defaults.items():
            if name not in value:
                coerced[out_name] = default
        return coerced


_TYPES: WeakKeyDictionary[GraphQLSchema, _Types] = WeakKeyDictionary()

_EXACTLY: dict[Any, type] = {GraphQLString: str, GraphQLBoolean: bool}
"""Scalars whose values are taken as they are if they have this Python type."""


def _exactly(type_: type, value: Any) -> Any:
    if type(value) is not type_:
        raise _UnusualError
    return value


def _nullable(coerce: Coerce, value: Any) -> Any:
    return None if value is None else coerce(value)


def _list(item: Coerce, value: Any) -> list[Any]:
    if type(value) is not list:
        raise _UnusualError
    return [item(each) for each in value]


def _leaf(coerce: Coerce, value: Any) -> Any:
    coerced = None if value is None else coerce(value)
    if value is None or coerced is Undefined:
        raise _UnusualError
    return coerced


def _not_too_deep(type_: GraphQLInputType, coerce: Coerce, value: Any) -> Any:
    if input_is_nested_too_deeply(value, type_):
        raise _UnusualError
    return coerce(value)


def _default(declared: GraphQLVariableSignature | GraphQLInputField) -> Any:
    try:
        return coerce_default_value(declared)
    except TypeError:
        raise _UnusualError from None
