"""Generates valid mutations over the whole contract: the fields, their inputs, and the selections.

The types come from the contract; the name of an id says which type it refers to. Most values can be stored;
others are at their bounds, beyond them, or refer to rows that do not exist.
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
from tests.engine.operations import UNKNOWN, VARIANTS, Facts, Operation, QueryMaker, randoms
from tests.world import DOCUMENTS, TAGS

if TYPE_CHECKING:
    from graphql import GraphQLField

MUTATION = cast("GraphQLObjectType", TYPES["Mutation"])

PROJECT = "@project@"
"""A placeholder for the id of the project that the mutation runs on."""

TAG = "here-is-there"
"""A placeholder, within texts, for the tag of the project that the mutation runs on."""

CREATED_ID = re.compile(r"@made (\d+) or (.*?)@")
"""A placeholder for an id that an earlier operation created, with the id to use if none did."""

OPEN = ("ACTIVE", "PAUSED")
"""The statuses of sessions that have not ended."""


_FEW = 6
"""Inputs with at most this many fields get most of them."""


@st.composite
def mutations(draw: st.DrawFn, facts: Facts) -> Operation:
    """Generate a mutation that uses these facts."""
    return MutationMaker(draw(randoms()), facts).operation()


@dataclass
class MutationMaker(QueryMaker):
    """Generates one mutation."""

    root: ClassVar[GraphQLObjectType] = MUTATION
    openings: ClassVar[tuple[str, ...]] = ("mutation ", "mutation Made ")

    focus: dict[str, list[str]] = field(default_factory=dict)
    """The few rows, by type, that most ids of the operation refer to."""
    called: list[str] = field(default_factory=list)
    """The `callId`s chosen so far."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """The root fields and arguments chosen so far."""
    may_be_unlikely: bool = False
    """Whether the current field may get values that cannot be stored."""
    density: int = 50
    """The percentage of optional values that are given."""

    def first_field(self) -> str:
        """Choose a root field, sometimes one that was chosen before."""
        before = [name for name, _ in self.asked]
        return self.random.choice(before) if before and self.chance(25) else super().first_field()

    def arguments(self, type_: Any, name: str, declared: GraphQLField) -> str:
        """Generate the arguments of a field."""
        if type_ is not MUTATION:
            return super().arguments(type_, name, declared)
        before = [said for of, said in self.asked if of == name]
        if before and self.chance(40):
            return self.random.choice(before)
        self.may_be_unlikely = self.chance(20)
        self.density = self.random.choice([10, 30, 60, 90])
        given = {
            key: self.values_of(argument.type, key, noun_of(name, declared))
            for key, argument in declared.args.items()
            if isinstance(argument.type, GraphQLNonNull) or key == "input" or self.chance(40)
        }
        if "lease" in given:
            given["lease"] = [self.lease_of(*pair) for pair in zip(given["id"], given["lease"], strict=True)]
        said = self.written(declared, given)
        self.asked.append((name, said))
        return said

    def values_of(self, type_: Any, name: str, noun: str) -> list[Any]:
        """Return a value of an argument for each variant; often all are equal."""
        if self.chance(40):
            return [self.value(type_, name, noun)] * VARIANTS
        return [self.value(type_, name, noun) for _ in range(VARIANTS)]

    def value(self, type_: Any, name: str, noun: str) -> Any:
        """Generate a value for a field of an input of a noun."""
        if isinstance(type_, GraphQLNonNull):
            return self.present(type_.of_type, name, noun)
        null = self.chance(2) or (self.is_unlikely() and self.chance(50))
        return None if null else self.present(type_, name, noun)

    def present(self, type_: Any, name: str, noun: str) -> Any:
        """Generate a value that is not null."""
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
        likely, unlikely = _INTS.get(name) or _VALUES[type_.name]
        return self.random.choice(unlikely if self.is_unlikely() else likely)

    def json(self, type_: Any, described: str) -> Any:
        """Generate JSON of the kind that the description asks for."""
        likely, unlikely = _VALUES["JSON"]
        if self.is_unlikely():
            return self.random.choice(unlikely if isinstance(type_, GraphQLNonNull) else [*unlikely, None])
        kinds = [kind for word, kind in (("object", dict), ("array", list)) if f"JSON {word}" in described]
        return self.random.choice([each for each in likely if not kinds or isinstance(each, kinds[0])])

    def is_unlikely(self) -> bool:
        """Return whether the next value should be an unlikely one."""
        return self.may_be_unlikely and self.chance(25)

    def length(self) -> int:
        """Choose the length of a list."""
        return self.random.choice([0, 30, 101]) if self.is_unlikely() else self.random.choice([1, 1, 2, 3, 5])

    def input(self, type_: GraphQLInputObjectType, noun: str) -> dict[str, Any]:
        """Generate an input object of a noun."""
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
        if "lease" in given:
            given["lease"] = self.lease_of(given["id"], given["lease"])
        return given if self.is_unlikely() else _without_contradictions(given)

    def reference(self, noun: str) -> str:
        """Choose an id, most often of a row that can be referred to."""
        if noun not in self.focus:
            known = [*self.facts.rows[noun]] if noun in self.facts.rows else [PROJECT]
            self.focus[noun] = self.random.sample(known, min(3, len(known)))
        if self.is_unlikely():
            foreign = self.random.choice(self.facts.foreign)
            others = self.random.choice([*self.facts.rows.values()])
            return self.random.choice([foreign, UNKNOWN, PROJECT, *[*others][:3], "no id", "", "\0"])
        id_ = self.random.choice(self.focus[noun])
        if self.chance(10):
            return f"@made {self.random.randrange(10)} or {id_}@"
        return id_.upper() if self.chance(5) else id_

    def lease_of(self, job: str, other: str) -> str:
        """Choose a lease for a job, most often the one that it has."""
        lease = self.facts.rows["Job"].get(job, {}).get("lease")
        return lease if lease and self.chance(80) else other

    def text(self, name: str, noun: str) -> str:
        """Generate a text."""
        if self.is_unlikely():
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
        """Return the `callId`s of the tool calls in the sessions in focus."""
        calls = self.facts.rows["ToolCall"].values()
        about = self.focus.get("Session", [])
        return [each["callId"] for each in calls if each["callId"] and each["session"]["id"] in about]

    def known(self, name: str, noun: str) -> list[str]:
        """Return the texts that rows of a type have in a field."""
        if noun not in self.facts.rows or name not in row_types()[noun].fields:
            return []
        values = self.values(noun, name)
        texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
        return sorted({text for text in texts if isinstance(text, str)})


def noun_of(name: str, declared: GraphQLField) -> str:
    """Return the type that a mutation writes: its result type, or else the type in its name."""
    of = get_named_type(declared.type)
    if of.name in row_types():
        return str(of.name)
    return max((each for each in row_types() if each in name), key=len)


def target_of(noun: str, name: str) -> str | None:
    """Return the type that a field of an input refers to by its name, if any.

    `ownerId` of an agent refers to the type of its field `owner`, `toolCalls` of a message to the type of its
    field `toolCalls`, and `createdByUserId` to User.
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


def _without_contradictions(given: dict[str, Any]) -> dict[str, Any]:
    """Leave out values that contradict others: a message with tool calls cannot answer one."""
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
    "slug": [TAG, TAG, f"{TAG}-again", "No Slug"],
    "idempotencyKey": ["a key", "another key"],
    "externalIds": [f"docs/{number}.md" for number in range(20)],
    "moduleId": ["cart", "plan", "50% off"],
    "annotationType": ["correction", "enhancement", "verification", "remark"],
    "embeddingModel": ["small", "large"],
    "queue": ["mail", "sync", "50% off", "new"],
    "cron": ["0 0 1 1 *", "30 3 1 1 *", "every day"],
    "timeZone": ["UTC", "Asia/Kolkata", "Mars"],
}
"""Texts that need a certain form; few, so that they repeat."""

_INTS: dict[str, tuple[list[Any], list[Any]]] = {
    "leaseMs": ([1_000_000, 3_000_000], [999]),
    "limit": ([1, 2, 100], [0]),
    "backoffMs": ([600_000], [-1]),
    "maxAttempts": ([1, 2, 3], [0, 1_001]),
    "dimensions": ([2, 3], [0, 4_001]),
}
"""Whole numbers that have bounds of their own, and that let no state change while a test runs."""

_VALUES: dict[str, tuple[list[Any], list[Any]]] = {
    "Boolean": ([True, False], [True]),
    "Int": ([1, 2, 100, 2**31 - 1], [0, -1, -(2**31)]),
    "BigInt": ([0, 1, 2**33], [-1, 2**63 - 1, -(2**63)]),
    "Float": ([0, 0.5, 1, 0.1], [-0.1, -0.0, 1.5, 100, 101, 999_999_999, 1e9, 1e300]),
    "Vector": ([[1, 0.5, 0], [0.5, 1], "AACAPwAAAAAAAIA/"], [[1], [1, 2, 3, 4]]),
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
"""For each scalar, values that can be stored, and others of which some cannot."""
