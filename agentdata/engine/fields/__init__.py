"""Everything that types, inputs and root fields are declared with, in one import."""

from agentdata.engine.costs import Cost
from agentdata.engine.fields.declare import (
    argument,
    batch,
    column,
    computation,
    either,
    filter_on,
    page,
    relation,
)
from agentdata.engine.fields.mutations import ID, Deleted, input_, mutation, parameter
from agentdata.engine.fields.roots import node, nodes, one, tenant
from agentdata.engine.sql.batches import Gives
from agentdata.engine.sql.computations import Bindings, ComputedRow
from agentdata.engine.sql.filters import ToMany
from agentdata.engine.sql.links import Via
from agentdata.engine.sql.nodes import NodeTypes
from agentdata.engine.sql.pages import Ordering

__all__ = [
    "ID",
    "Bindings",
    "ComputedRow",
    "Cost",
    "Deleted",
    "Gives",
    "NodeTypes",
    "Ordering",
    "ToMany",
    "Via",
    "argument",
    "batch",
    "column",
    "computation",
    "either",
    "filter_on",
    "input_",
    "mutation",
    "node",
    "nodes",
    "one",
    "page",
    "parameter",
    "relation",
    "tenant",
]
