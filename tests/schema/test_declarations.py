"""The decorators that declare types record names, descriptions and models."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
import strawberry
from strawberry import UNSET
from strawberry.types.base import get_object_definition

from agentdata.engine.fields import ComputedRow
from agentdata.engine.strawberry_access import model_of
from resolvers.nodes import NODES
from schema.declarations import (
    enum_type,
    enum_value,
    input_type,
    interface_type,
    object_type,
    optional,
    required,
)
from schema.inputs.agent import AgentFilter
from schema.inputs.session import SessionFilter
from tests.contract import TYPES, row_types


@object_type
class Described:
    """A summary.

    More of it,
    over two lines.
    """

    name: str = strawberry.field(description="A name.")


@interface_type
class Shared:
    """An interface."""

    name: str = strawberry.field(description="A name.")


@input_type
class Sent:
    """An input."""

    asked: str = required("Must be given.")
    other: str | None = optional("May be left out.")
    not_: bool | None = optional("Has another name.", name="not")


@enum_type
class Chosen(Enum):
    """An enum."""

    FIRST = enum_value("first", "The first one.")


@pytest.mark.parametrize(
    ("type_", "description"),
    [(Described, "A summary. More of it, over two lines."), (Shared, "An interface."), (Sent, "An input.")],
)
def test_the_docstring_of_a_class_is_the_description_of_its_type(type_: Any, description: str) -> None:
    assert get_object_definition(type_, strict=True).description == description


def test_an_enum_has_the_descriptions_of_its_docstring_and_values() -> None:
    definition: Any = Chosen.__strawberry_definition__  # type: ignore[attr-defined]  # Strawberry sets it
    assert definition.description == "An enum."
    assert [(each.name, each.value, each.description) for each in definition.values] == [
        ("FIRST", "first", "The first one.")
    ]


def test_optional_fields_default_to_unset_and_required_ones_must_be_given() -> None:
    sent = Sent(asked="yes")
    assert (sent.asked, sent.other, sent.not_) == ("yes", UNSET, UNSET)
    assert get_object_definition(Sent, strict=True).get_field("not_").graphql_name == "not"  # type: ignore[union-attr]  # it is there
    with pytest.raises(TypeError, match="asked"):
        Sent()  # type: ignore[call-arg]  # the error that is tested


def _model_of(name: str) -> Any:
    return model_of(TYPES[name])


def test_every_type_of_nodes_names_the_model_of_its_rows() -> None:
    assert {_model_of(name) for name in row_types()} == set(NODES.models)
    assert [name for name in row_types() if _model_of(name).__name__ != name] == []


COMPUTED_ROWS = [each for each in ComputedRow.__subclasses__() if not each.__module__.startswith("tests.")]


@pytest.mark.parametrize("model", COMPUTED_ROWS, ids=lambda model: model.__name__)
def test_every_computed_row_has_a_type_that_names_it(model: Any) -> None:
    models = [model] if "__table__" in vars(model) else model.__subclasses__()
    assert [_model_of(each.__name__) for each in models] == models


def test_equal_annotations_of_several_types_are_evaluated_once() -> None:
    title = get_object_definition(SessionFilter, strict=True).get_field("title")
    name = get_object_definition(AgentFilter, strict=True).get_field("name")
    assert title is not None
    assert name is not None
    assert title.type is name.type
