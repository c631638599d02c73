"""The benchmark's documents fit the contract, and each dashboard has its floor; `make bench` runs them."""

from __future__ import annotations

import pytest
from graphql import parse, validate

from agentdata.engine.strawberry_access import core_schema
from benchmarks import shapes
from benchmarks.contenders.floor_dashboards import HANDLERS
from benchmarks.contenders.strawberry_server import make_schema
from benchmarks.dashboards import DASHBOARD
from schema import root

DOCUMENTS = {each.name: each.document for each in shapes.READS} | {
    each.name: each.document for each in shapes.WRITES
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_of_a_shape_fits_the_contract_and_the_schema_of_plain_strawberry(name: str) -> None:
    for schema in (root.schema, make_schema()):
        assert not validate(core_schema(schema), parse(DOCUMENTS[name]))


def test_each_shape_of_dashboards_has_a_floor() -> None:
    assert HANDLERS.keys() == {shape.name for shape in DASHBOARD}


def test_a_selection_of_shapes_names_shapes_and_groups() -> None:
    assert shapes.select("point,writes") == ["point", "append1", "append100"]
