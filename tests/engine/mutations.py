"""Makes up valid mutations over the whole contract: what is written, to what, and what is asked of it then.

The contract says which values there are; their names say what they refer to. Most values could be written;
others are at their bounds, beyond them, or of something that is not there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)
from hypothesis import strategies as st

from tests.contract import TYPES, is_connection, node_of, row_types
from tests.engine.operations import UNKNOWN, VARIANTS, Facts, Maker, Operation, randoms
from tests.world import DOCUMENTS, TAGS

if TYPE_CHECKING:
    from graphql import GraphQLField

MUTATION = cast("GraphQLObjectType", TYPES["Mutation"])

PROJECT = "@project@"
"""Stands for the id of the project that is written to."""

HERE = "here-is-there"
"""Stands, in texts, for what tells the project that is written to from all others."""

MADE = re.compile(r"@made (\d+) or (.*?)@")
"""Stands for an id that was made for an earlier question, or for another where none was made."""

OPEN = ("ACTIVE", "PAUSED")
"""With these statuses nothing has an end."""


_FEW = 6
"""So few fields of an input are hardly ever all left out."""


@st.composite
def mutations(draw: st.DrawFn, facts: Facts) -> Operation:
    """Make up a mutation over these facts."""
    return Writer(draw(randoms()), facts).operation()


@dataclass
class Writer(Maker):
    """Makes up one mutation."""

    root: ClassVar[GraphQLObjectType] = MUTATION
    openings: ClassVar[tuple[str, ...]] = ("mutation ", "mutation Made ")

    focus: dict[str, list[str]] = field(default_factory=dict)
    """The few rows that most of an operation is about."""
    called: list[str] = field(default_factory=list)
    """The ids of tool calls so far."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Fields and their arguments so far."""
    wild: bool = False
    """Whether some of the values of the field at hand are none that can be written."""
    density: int = 50
    """How many in a hundred of the values that may be left out are given."""

    def begun(self) -> str:
        """Choose a field, at times one that was chosen before."""
        before = [name for name, _ in self.asked]
        return self.random.choice(before) if before and self.chance(25) else super().begun()

    def arguments(self, type_: Any, name: str, declared: GraphQLField) -> str:
        """Make up the arguments of a field."""
        if type_ is not MUTATION:
            return super().arguments(type_, name, declared)
        before = [said for of, said in self.asked if of == name]
        if before and self.chance(40):
            return self.random.choice(before)
        self.wild = self.chance(20)
        self.density = self.random.choice([10, 30, 60, 90])
        given = {
            key: self.values_of(argument.type, key, noun_of(name, declared))
            for key, argument in declared.args.items()
            if isinstance(argument.type, GraphQLNonNull) or key == "input" or self.chance(40)
        }
        said = self.written(declared, given)
        self.asked.append((name, said))
        return said

    def values_of(self, type_: Any, name: str, noun: str) -> list[Any]:
        """Give the values of an argument; often it is the same again."""
        if self.chance(40):
            return [self.value(type_, name, noun)] * VARIANTS
        return [self.value(type_, name, noun) for _ in range(VARIANTS)]

    def value(self, type_: Any, name: str, noun: str) -> Any:
        """Make up a value for a field of an input about a noun."""
        if isinstance(type_, GraphQLNonNull):
            return self.present(type_.of_type, name, noun)
        null = self.chance(2) or (self.goes_wild() and self.chance(50))
        return None if null else self.present(type_, name, noun)

    def present(self, type_: Any, name: str, noun: str) -> Any:
        """Make up a value that is not null."""
        if isinstance(type_, GraphQLList):
            return [self.value(type_.of_type, name, noun) for _ in range(self.length())]
        if isinstance(type_, GraphQLInputObjectType):
            return self.input(type_, target_of(noun, name) or noun)
        if isinstance(type_, GraphQLEnumType):
            return self.random.choice([*type_.values])
        if type_.name == "ID":
            return self.reference(target_of(noun, name) or noun)
        if type_.name == "String":
            return self.text(name, noun)
        likely, unlikely = _VALUES[type_.name]
        return self.random.choice(unlikely if self.goes_wild() else likely)

    def json(self, type_: Any, described: str) -> Any:
        """Make up JSON of the kind that the contract says."""
        likely, unlikely = _VALUES["JSON"]
        if self.goes_wild():
            return self.random.choice(unlikely if isinstance(type_, GraphQLNonNull) else [*unlikely, None])
        kinds = [kind for word, kind in (("object", dict), ("array", list)) if f"JSON {word}" in described]
        return self.random.choice([each for each in likely if not kinds or isinstance(each, kinds[0])])

    def goes_wild(self) -> bool:
        """Tell whether this value is to be one that is hardly ever sent."""
        return self.wild and self.chance(25)

    def length(self) -> int:
        """Give how long a list is."""
        return self.random.choice([0, 30, 101]) if self.goes_wild() else self.random.choice([1, 1, 2, 3, 5])

    def input(self, type_: GraphQLInputObjectType, noun: str) -> dict[str, Any]:
        """Make up an input object about a noun."""
        density = self.density if len(type_.fields) > _FEW else 60
        given = {
            name: self.json(each.type, each.description or "")
            if get_named_type(each.type).name == "JSON"
            else self.value(each.type, name, noun)
            for name, each in type_.fields.items()
            if isinstance(each.type, GraphQLNonNull) or self.chance(density)
        }
        versions = self.facts.rows["AgentVersion"]
        version = versions.get(given.get("agentVersionId") or given.get("versionId") or "")
        if version and self.chance(80):
            given["agentId"] = version["agent"]["id"]
        return given if self.goes_wild() else _fitting(given)

    def reference(self, noun: str) -> str:
        """Give an id: most often of a row that can be referred to."""
        if noun not in self.focus:
            known = [*self.facts.rows[noun]] if noun in self.facts.rows else [PROJECT]
            self.focus[noun] = self.random.sample(known, min(3, len(known)))
        if self.goes_wild():
            foreign = self.random.choice(self.facts.foreign)
            others = self.random.choice([*self.facts.rows.values()])
            return self.random.choice([foreign, UNKNOWN, PROJECT, *[*others][:3], "no id", "", "\0"])
        id_ = self.random.choice(self.focus[noun])
        if self.chance(10):
            return f"@made {self.random.randrange(10)} or {id_}@"
        return id_.upper() if self.chance(5) else id_

    def text(self, name: str, noun: str) -> str:
        """Make up a text."""
        if self.goes_wild():
            long = self.random.choice([64, 65, 255, 256, 320, 321, 1_000, 1_001, 2_048, 2_049])
            return self.random.choice(["", " ", "\0", "x" * long, "☃" * long])
        if name in _TEXTS:
            return self.random.choice(_TEXTS[name])
        if name == "toolCallId":
            return self.random.choice([*self.called, *self.calls()] or ["no call"])
        if name == "callId":
            self.called.append(self.random.choice(["call 1", "call 2", *self.calls()]))
            return self.called[-1]
        known = self.known(name, noun)
        if known and self.chance(15):
            return self.random.choice(known)
        return self.random.choice([f"made {self.number()}", f"mäde {self.number()}", '{"a": [1]}', *TAGS])

    def calls(self) -> list[str]:
        """Give the ids that models gave to the calls of the sessions in focus."""
        calls = self.facts.rows["ToolCall"].values()
        about = self.focus.get("Session", [])
        return [each["callId"] for each in calls if each["callId"] and each["session"]["id"] in about]

    def known(self, name: str, noun: str) -> list[str]:
        """Give the texts that rows have in a field."""
        if noun not in self.facts.rows or name not in row_types()[noun].fields:
            return []
        values = self.values(noun, name)
        texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
        return sorted({text for text in texts if isinstance(text, str)})


def noun_of(name: str, declared: GraphQLField) -> str:
    """Give the type that a mutation writes: that of its result, or else that in its name."""
    of = get_named_type(declared.type)
    if of.name in row_types():
        return str(of.name)
    return max((each for each in row_types() if each in name), key=len)


def target_of(noun: str, name: str) -> str | None:
    """Give the type that a value of an input refers to by its name, if it does.

    `ownerId` of an agent is what its `owner` is, `toolCalls` of a message what its field of that name has,
    and `createdByUserId` is a user.
    """
    stem = name.removesuffix("Ids").removesuffix("Id")
    fields = row_types()[noun].fields
    for each in (stem, f"{stem}s"):
        if each in fields:
            found = (
                node_of(fields[each])
                if is_connection(fields[each])
                else get_named_type(fields[each].type).name
            )
            if found in row_types():
                return str(found)
    named = [each for each in row_types() if stem.lower().endswith(each.lower())]
    return max(named, key=len, default=None)


def _fitting(given: dict[str, Any]) -> dict[str, Any]:
    """Leave out what does not go with the rest: a message that calls does not answer."""
    if given.get("toolCalls"):
        left_out = {"toolCallId", "toolError"}
        given = given | {"role": "ASSISTANT"}
    elif given.get("toolCallId"):
        left_out = {"toolCalls"}
        given = given | {"role": "TOOL"}
    else:
        left_out = {"toolError"} if "role" in given else set()
    if "result" in given:
        left_out.add("error")
    if given.get("status", "ACTIVE") in OPEN:
        left_out.add("endedAt")
    if given.get("createdByUserId"):
        left_out.add("createdByAgentId")
    if given.get("annotationType", "verification") != "verification":
        left_out.add("verificationStatus")
    return {name: value for name, value in given.items() if name not in left_out}


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


_TEXTS = {
    "slug": [HERE, HERE, f"{HERE}-again", "No Slug"],
    "idempotencyKey": ["a key", "another key"],
    "moduleId": ["cart", "plan", "50% off"],
    "annotationType": ["correction", "enhancement", "verification", "remark"],
}
"""Texts of a form of their own, and few of them, so that they come again."""

_VALUES: dict[str, tuple[list[Any], list[Any]]] = {
    "Boolean": ([True, False], [True]),
    "Int": ([1, 2, 100, 2**31 - 1], [0, -1, -(2**31)]),
    "Float": ([0, 0.5, 1, 0.1], [-0.1, -0.0, 1.5, 100, 101, 999_999_999, 1e9, 1e300]),
    "DateTime": (
        ["2026-01-03T00:00:00Z", "2025-06-01T12:00:00.123456+02:00", "2090-01-01T00:00:00Z"],
        ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"],
    ),
    "JSON": (
        [*DOCUMENTS, {"a": 2**53 + 1, "b": 1.5}, [], ["search", {"name": "book"}], "text", 1, True],
        [
            _deep(100),
            _deep(101),
            {"deep": _deep(99)},
            {"a": "\0"},
            {"a": 2**64},
            2**64 - 1,
            1e20,
            1e300,
        ],
    ),
}
"""For each scalar, values that can be written, and others of which some cannot."""
