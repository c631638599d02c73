"""Generates valid operations over the whole contract, with variables, fragments and directives.

Types and fields come from the contract, so that new ones are tested without a change here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
    is_leaf_type,
    is_required_argument,
)
from hypothesis import strategies as st

from agentdata.engine.strawberry_access import declaration
from tests.contract import QUERY, TYPES, is_connection, listed, node_of, row_types, selection, value_of
from tests.resolvers.reference import random_filter

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import GraphQLArgument, GraphQLField

    from tests.api import Api
    from tests.world import Rows

    Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType

VARIANTS = 3
"""The number of sets of variables that an operation runs with, so that its plan is reused."""

TIME_DEPENDENT = "moving"
"""The beginning of the response keys whose values depend on the current time."""

_TIME_DEPENDENT_FIELD = ("SessionTree", "durationMs")
_SAME_EVERYWHERE = ("id", "createdAt", "updatedAt", "__typename")
"""Fields that every type of rows has, with the same type: GraphQL can merge them across types."""

_PAGE_ARGUMENTS = ("orderBy", "first", "after", "last", "before")

_KEYS = ["a", "b", "nested", "tags", "0", "-1", "no such key", "'", ""]

_ARGUMENT_VALUES: dict[str, list[Any]] = {
    "String": [
        "",
        "a",
        "the",
        "order",
        "be or tea",
        "cups -likes",
        "no such text",
        "'\"\\ & | ! ( ) : * <",
        "a\0",
    ],
    # The vectors of the world have three numbers.
    "Vector": [[1, 0.5, 0], [-1, 0, 2], "AACAPwAAAAAAAIA/"],
    "Float": [0, 0.5, -1],
    "DateTime": [
        "2020-01-01T00:00:00Z",
        # Many rows of the world have this time.
        "2026-02-01T01:00:00Z",
        "2026-06-01T12:00:00+02:00",
        "2031-01-01T00:00:00-11:00",
    ],
}
"""Values of arguments that are not filters, by type."""

_WITHOUT_AGENT_METRICS = {"User", "Team", "Session"}
_METRICS_WITH_TYPE = {"AGENT_METRIC", "SESSION_METRIC"}
_SESSION_DIMENSIONS = "AGENT AGENT_VERSION USER"
_DIMENSIONS = {
    "AGENT_METRIC": "AGENT AGENT_VERSION METRIC_TYPE",
    "SESSION_METRIC": f"{_SESSION_DIMENSIONS} METRIC_TYPE",
    "MESSAGE_LATENCY": f"{_SESSION_DIMENSIONS} MODEL",
    "PROMPT_TOKENS": f"{_SESSION_DIMENSIONS} MODEL",
    "COMPLETION_TOKENS": f"{_SESSION_DIMENSIONS} MODEL",
    "TOKENS": f"{_SESSION_DIMENSIONS} MODEL",
    "COST": f"{_SESSION_DIMENSIONS} MODEL",
    "SESSIONS_STARTED": _SESSION_DIMENSIONS,
    "ERRORS": f"{_SESSION_DIMENSIONS} TOOL",
}
"""The dimensions that each metric of a series can be grouped by."""

UNKNOWN = "01900000-0000-7000-8000-000000000000"
"""An id that no row has."""

MISSING = object()
_WRONG: tuple[Any, ...] = (
    MISSING,
    None,
    "NO_SUCH_VALUE",
    -1,
    0.5,
    2**31,
    True,
    [],
    ["a"] * 1_001,
    {},
    {"noSuchField": 1},
    {"id": {"in": [UNKNOWN] * 1_001}},
    [{"field": "NO_SUCH_FIELD", "direction": "ASC"}],
    [{"field": "CREATED_AT", "direction": "SIDEWAYS"}],
)
"""Values that most types of variables refuse."""


@dataclass(frozen=True)
class Facts:
    """The data that operations refer to: all rows of a project by type, and ids of another project."""

    rows: dict[str, Rows]
    project_id: str
    foreign: tuple[str, ...]
    computed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """The rows of computed lists, by type."""


class CursorsOf(NamedTuple):
    """A list and an order from which a cursor is taken."""

    node: str
    order: tuple[tuple[str, str], ...]


@dataclass(repr=False)
class Operation:
    """A document with several sets of variables; marks stand for cursors until the cursors are known."""

    document: str
    variants: list[dict[str, Any]]
    cursors: list[CursorsOf]
    may_be_invalid: bool
    """Whether some argument may be invalid."""
    reads: set[str]
    """The response keys of the root fields."""
    introspects: bool
    """Whether it selects introspection fields, which plans need not support."""
    needs_admin: bool

    def __repr__(self) -> str:
        """Show the document and variables, to be run by hand."""
        shown = "\n".join(json.dumps(variant) for variant in self.variants)
        return f"\n{self.document}\n{shown}\n{self.cursors}"


def mark(index: int, number: int) -> str:
    """Return the mark of a cursor: the index of its list, and its number in that list."""
    return f"@cursor {index} {number}@"


MARK = re.compile(r"@cursor (\d+) (\d+)@")


@st.composite
def operations(draw: st.DrawFn, facts: Facts) -> Operation:
    """Generate an operation that uses these facts."""
    return QueryMaker(draw(randoms()), facts).operation()


@st.composite
def randoms(draw: st.DrawFn) -> Random:
    """Return the source of random choices."""
    # The choices of hypothesis make small operations that it can shrink; a seed makes rich ones.
    seeded = draw(st.integers(0, 3)) > 0
    return Random(draw(st.integers(0, 2**64))) if seeded else draw(st.randoms(use_true_random=False))  # noqa: S311  # made-up operations


@dataclass
class _Fragment:
    name: str
    on: Any
    strict: bool
    body: str


@dataclass
class QueryMaker:
    """Generates one query."""

    root: ClassVar[GraphQLObjectType] = QUERY
    openings: ClassVar[tuple[str, ...]] = ("query ", "query Made ", "")
    """The ways to begin an operation; the first one is used if the chosen one cannot declare variables."""

    random: Random
    facts: Facts
    may_be_invalid: bool = False
    budget: int = 60
    numbers: int = 0
    taken: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    fragments: list[_Fragment] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)
    variants: list[dict[str, Any]] = field(default_factory=lambda: [{} for _ in range(VARIANTS)])
    cursors: list[CursorsOf] = field(default_factory=list)
    needs_admin: bool = False
    introspects: bool = False

    def operation(self) -> Operation:
        """Generate the operation."""
        self.may_be_invalid = self.chance(10)
        self.budget = self.random.choice([10, 30, 60])
        parts, reads = [], set()
        for _ in range(self.random.randrange(1, 4)):
            key, part = self.field(self.root, self.first_field(), self.random.randrange(1, 4), strict=False)
            reads.add(key)
            if self.chance(10):
                part = f"... on {self.root}{self.directives()} {{ {part} __typename }}"
                self.introspects = self.introspects or self.root is not QUERY
            elif self.chance(10):
                part = f"...{self.fragment(self.root, f'{{ {part} }}', strict=False).name}{self.directives()}"
            parts.append(part)
        if self.chance(10):
            parts.append("__typename")
            self.introspects = self.introspects or self.root is not QUERY
        if self.root is QUERY and self.chance(2):
            parts.append('__type(name: "User") { name }')
            self.introspects = True
        self.random.shuffle(parts)
        opening = self.random.choice(self.openings)
        if self.declared:
            opening = f"{opening or self.openings[0]}({', '.join(self.declared)}) "
        bodies = [f"fragment {each.name} on {each.on} {each.body}" for each in self.fragments]
        if self.may_be_invalid and self.chance(30):
            self.invalidate_variables()
        return Operation(
            "\n".join([f"{opening}{{ {' '.join(parts)} }}", *bodies]),
            self.variants,
            self.cursors,
            self.may_be_invalid,
            reads,
            self.introspects,
            self.needs_admin,
        )

    def first_field(self) -> str:
        """Choose a root field."""
        return str(self.random.choice([*self.root.fields]))

    def invalidate_variables(self) -> None:
        """Give variables values that their types, or the fields that take them, refuse."""
        for variant in self.variants:
            if variant and self.chance(70):
                name = self.random.choice([*variant])
                wrong = self.random.choice(_WRONG)
                if wrong is MISSING:
                    del variant[name]
                else:
                    variant[name] = wrong

    def chance(self, percent: int) -> bool:
        """Return true with this probability, in percent."""
        return self.random.randrange(100) >= 100 - percent

    def number(self) -> int:
        """Return the next unused number."""
        self.numbers += 1
        return self.numbers

    # Selections

    def selection(self, type_: Composite, depth: int, *, strict: bool = False) -> str:
        """Generate a selection of a type.

        In a strict selection objects may have several types, whose fields must not share response keys.
        """
        parts: list[str] = []
        for _ in range(self.random.randrange(1, 6)):
            self.budget -= 1
            parts.append(self.part(type_, depth, strict))
            if self.chance(5):
                parts.append(self.random.choice(parts))
        return f"{{ {' '.join(parts)} }}"

    def part(self, type_: Composite, depth: int, strict: bool) -> str:  # noqa: FBT001  # passed on as it came
        """Generate one part of a selection."""
        kind = self.random.randrange(100)
        if kind < 70 and not isinstance(type_, GraphQLUnionType):
            return self.field(type_, self.field_name(type_, depth), depth, strict=strict)[1]
        if kind < 80:
            return self.random.choice(["__typename", f"t{self.number()}: __typename"])
        if kind < 90 or self.budget < 0:
            on = self.condition(type_)
            strict = strict or isinstance(on, GraphQLInterfaceType | GraphQLUnionType)
            said = f" on {on}" if on is not type_ or self.chance(50) else ""
            directives = self.directives()
            return f"...{said}{directives} {self.selection(on, depth, strict=strict)}"
        known = [
            each
            for each in self.fragments
            if each.on is not self.root and self.overlap(type_, each.on) and (each.strict or not strict)
        ]
        if known and self.chance(50):
            return f"...{self.random.choice(known).name}{self.directives()}"
        on = self.condition(type_)
        strict = strict or isinstance(on, GraphQLInterfaceType | GraphQLUnionType)
        fragment = self.fragment(on, self.selection(on, depth, strict=strict), strict=strict)
        return f"...{fragment.name}{self.directives()}"

    def fragment(self, on: Composite, body: str, *, strict: bool) -> _Fragment:
        """Add a fragment with a new name."""
        fragment = _Fragment(f"F{self.number()}", on, strict, body)
        self.fragments.append(fragment)
        return fragment

    def condition(self, type_: Composite) -> Composite:
        """Choose a type condition for a fragment within a selection of a type."""
        others = [TYPES["Node"], TYPES["Actor"], *row_types().values()]
        fitting = [each for each in others if self.overlap(type_, each)]
        return cast("Composite", self.random.choice([type_, *fitting]))

    def overlap(self, one: Any, other: Any) -> bool:
        """Return whether an object can have both types."""
        return bool(_possible(one) & _possible(other))

    def field_name(self, type_: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str:
        """Choose a field of a type; one that leads to further rows only if depth and budget allow it."""
        plain: list[str] = [
            name for name, each in type_.fields.items() if is_leaf_type(get_named_type(each.type))
        ]
        objects: list[str] = [name for name in type_.fields if name not in plain]
        if depth <= 0 or self.budget <= 0:
            objects = [name for name in objects if not self.leads_to_rows(type_, name)]
        if objects and (not plain or self.chance(50)):
            return self.random.choice(objects)
        return self.random.choice(plain)

    def leads_to_rows(self, type_: Any, name: str) -> bool:
        """Return whether a field leads to further rows."""
        return (
            type_.name != "PageInfo"
            and name != "pageInfo"
            and not is_leaf_type(get_named_type(type_.fields[name].type))
        )

    def field(self, type_: Any, name: str, depth: int, *, strict: bool) -> tuple[str, str]:
        """Select a field, and return its response key and its text."""
        declared: GraphQLField = type_.fields[name]
        arguments = self.arguments(type_, name, declared)
        key = self.key(type_, name, arguments, strict=strict)
        self.needs_admin = self.needs_admin or (type_ is QUERY and name == "apiKeys")
        said = name if key == name else f"{key}: {name}"
        of = get_named_type(declared.type)
        below = ""
        if is_composite_type(of):
            inside = type_.name.endswith(("Connection", "Edge")) or is_connection(declared)
            abstract = isinstance(of, GraphQLInterfaceType | GraphQLUnionType)
            below = " " + self.selection(
                of, depth - (0 if inside and not _is_node(of) else 1), strict=abstract
            )
        return key, f"{said}{arguments}{self.directives()}{below}"

    def key(self, type_: Any, name: str, arguments: str, *, strict: bool) -> str:
        """Choose a response key that does not conflict with another field."""
        if (type_.name, name) == _TIME_DEPENDENT_FIELD:
            return f"{TIME_DEPENDENT}{self.number()}"
        asked = (name, arguments)
        known = [key for (of, key), each in self.taken.items() if of == type_.name and each == asked]
        fresh = f"x{self.number()}"
        free = [name] if self.taken.get((type_.name, name), asked) == asked else []
        if strict:
            candidates = [name] if name in _SAME_EVERYWHERE else [fresh]
        else:
            other = self.random.choice([*type_.fields])
            swapped = self.taken.get((type_.name, other), asked) == asked and other not in _SAME_EVERYWHERE
            candidates = [*free * 6, *known, fresh, *([other] if swapped else [])]
        key = self.random.choice(candidates)
        self.taken[type_.name, key] = asked
        return key

    def directives(self) -> str:
        """Write a directive or two, sometimes."""
        if not self.chance(8):
            return ""
        said = []
        for name in self.random.choice([["skip"], ["include"], ["include", "skip"]]):
            condition: Any = self.variable("Boolean!", [self.chance(50) for _ in range(VARIANTS)])
            if self.chance(30):
                condition = json.dumps((name == "include") is not self.chance(20))
                self.drop_variable()
            said.append(f" @{name}(if: {condition})")
        return "".join(said)

    # Arguments

    def arguments(self, type_: Any, name: str, declared: GraphQLField) -> str:
        """Generate the arguments of a field."""
        if is_connection(declared):
            return self.page(type_, name, declared)
        given: dict[str, list[Any]] = {}
        for argument in declared.args:
            if argument == "ids":
                most = 0 if self.may_be_invalid and self.chance(10) else 1
                given[argument] = [
                    [self.id() for _ in range(self.random.randrange(most, 6))] for _ in range(VARIANTS)
                ]
                if self.may_be_invalid and self.chance(10):
                    given[argument] = [[UNKNOWN] * 501] * VARIANTS
            elif argument in {"sessions", "filter"} and self.chance(50):
                given[argument] = self.filters(get_named_type(declared.args[argument].type).name)
            elif argument == "path":
                given[argument] = self.alternatives(
                    lambda: self.random.sample(_KEYS, self.random.randrange(4))
                )
        if "interval" in declared.args:
            given = self.series(type_, declared)
        if type_ is QUERY and "ids" not in declared.args and declared.args:
            key = self.random.choice([*declared.args])
            noun = get_named_type(declared.type).name
            given[key] = self.alternatives(lambda: self.natural_key(noun, key))
            if self.may_be_invalid and self.chance(10):
                given = dict.fromkeys(declared.args, given[key])
        return self.written(declared, given)

    def series(self, type_: Any, declared: GraphQLField) -> dict[str, list[Any]]:
        """Generate the arguments of a series; they fit together unless the operation may be invalid."""
        metrics, intervals = (
            [*cast("GraphQLEnumType", get_named_type(declared.args[name].type)).values]
            for name in ("metric", "interval")
        )
        if type_.name in _WITHOUT_AGENT_METRICS and not self.may_be_invalid:
            metrics.remove("AGENT_METRIC")
        chosen = self.alternatives(lambda: self.random.choice(metrics))
        if self.chance(50):
            chosen = [chosen[0]] * VARIANTS
        given: dict[str, list[Any]] = {
            "metric": chosen,
            "interval": self.alternatives(lambda: self.random.choice(intervals)),
            "from": self.alternatives(
                lambda: self.random.choice(["2026-01-01T23:00:00Z", "2026-01-02T00:00:01Z"])
            ),
            "to": self.alternatives(
                lambda: self.random.choice(
                    ["2026-01-02T00:10:00Z", "2026-01-02T06:00:00+05:30", "2026-01-03T01:00:00Z"]
                )
            ),
        }
        astray = self.may_be_invalid and self.chance(10)
        if astray or ({*chosen} <= _METRICS_WITH_TYPE and self.chance(50)):
            types = [None, "response_time", "accuracy", ""]
            given["metricType"] = self.alternatives(lambda: self.random.choice(types))
        if "sessions" in declared.args and (astray or "AGENT_METRIC" not in chosen) and self.chance(30):
            given["sessions"] = self.filters(get_named_type(declared.args["sessions"].type).name)
        if self.chance(50):
            shared = set.intersection(*({*_DIMENSIONS[metric].split()} for metric in chosen))
            dimensions = ["USER", "TOOL", "MODEL"] if astray else sorted(shared)
            given["groupBy"] = self.alternatives(
                lambda: self.random.sample(dimensions, self.random.randrange(3))
            )
            if self.chance(50):
                given["groups"] = self.alternatives(lambda: self.random.choice([None, 1, 2, 3]))
        if self.chance(60):
            zones = [None, "UTC", "America/New_York", "Asia/Kolkata"]
            given["timeZone"] = self.alternatives(lambda: self.random.choice(zones))
        if self.may_be_invalid and self.chance(20):
            wrong = {
                "timeZone": "Mars",
                "to": "2025-01-01T00:00:00Z",
                "from": "1970-01-01T00:00:00Z",
                "groups": 101,
            }
            name = self.random.choice([*wrong])
            given[name] = [wrong[name]] * VARIANTS
        return given

    def page(self, type_: Any, name: str, declared: GraphQLField) -> str:
        """Generate the arguments of a connection."""
        given = {
            argument: self.argument_values(argument, each)
            for argument, each in declared.args.items()
            if argument not in _PAGE_ARGUMENTS and (is_required_argument(each) or self.chance(40))
        }
        if "embedding" in declared.args:
            self.complete_search(declared, given)
        order: list[dict[str, str]] = []
        if self.chance(40):
            order = self.order(declared.args["orderBy"])
            given["orderBy"] = [order] * VARIANTS
        forward = self.chance(60)
        size, cursor = ("first", "after") if forward else ("last", "before")
        if self.chance(80):
            given[size] = self.alternatives(self.size)
        if self.chance(30) and node_of(declared) in LISTS:
            of = CursorsOf(node_of(declared), _order(type_, name, order))
            self.cursors.append(of)
            at = len(self.cursors) - 1
            given[cursor] = self.alternatives(lambda: self.cursor(at))
        elif "orderBy" in given:
            given["orderBy"] = self.alternatives(lambda: self.order(declared.args["orderBy"]))
        if self.may_be_invalid and self.chance(10):
            given[self.random.choice(["first", "last"])] = [2] * VARIANTS
        return self.written(declared, given)

    def complete_search(self, declared: GraphQLField, given: dict[str, list[Any]]) -> None:
        """Add the arguments that the mode of a search needs, or wrong values."""
        needed = ("query",) if self.chance(30) else ("query", "embedding")
        if self.may_be_invalid and self.chance(20):
            given["embedding"] = self.alternatives(lambda: self.random.choice([[1], [0.5, 1], None]))
            given["minScore"] = self.alternatives(lambda: self.random.choice([0.5, 2]))
            return
        for name in needed:
            given[name] = self.argument_values(name, declared.args[name])
        if "embedding" not in needed:
            for name in ("embedding", "mode", "minScore", "embeddingModel"):
                given.pop(name, None)

    def argument_values(self, name: str, argument: GraphQLArgument) -> list[Any]:
        """Generate the values of an argument from its type, and ids from its name."""
        type_ = get_named_type(argument.type)
        if type_.name.endswith("Filter"):
            return self.filters(type_.name)
        if isinstance(type_, GraphQLEnumType):
            return self.alternatives(lambda: self.random.choice([*type_.values]))
        if type_.name == "ID":
            noun = name[0].upper() + name.removesuffix("Ids")[1:]
            few = range(self.random.randrange(1, 4))
            return self.alternatives(lambda: [self.natural_key(noun, "id") for _ in few])
        known = [
            value for value in _ARGUMENT_VALUES[type_.name] if self.may_be_invalid or "\0" not in str(value)
        ]
        return self.alternatives(lambda: self.random.choice(known))

    def alternatives(self, make: Callable[[], Any]) -> list[Any]:
        """Generate a value for each set of variables."""
        return [make() for _ in range(VARIANTS)]

    def filters(self, name: str) -> list[Any]:
        """Generate the filters of one argument."""
        if not self.chance(20):
            return self.alternatives(lambda: self.filter(name))
        # The same conditions combined differently give other statements with the same parameters.
        both = [self.filter(name) or {}, self.filter(name) or {}]
        forms: list[Any] = [
            {"and": [{"and": both}]},
            {"or": both},
            {"not": {"and": both}},
            {"not": {"or": both}},
        ]
        return self.random.sample(forms, VARIANTS)

    def filter(self, name: str) -> dict[str, Any] | None:
        """Generate a filter."""
        type_ = cast("GraphQLInputObjectType", TYPES[name])
        if self.may_be_invalid and self.chance(20):
            wrong: list[dict[str, Any]] = [
                {"and": []},
                {"id": {"eq": "no id"}},
                {"id": {"in": []}},
                {"id": {"in": [UNKNOWN] * 1_001}},
                {"not": None},
                {"createdAt": None},
            ]
            # Some filters of computed lists lack these fields.
            return self.random.choice([None, *[each for each in wrong if each.keys() <= type_.fields.keys()]])
        return random_filter(self.random, type_, self.values, self.random.randrange(3))

    def values(self, noun: str, name: str) -> list[Any]:
        """Return the values of a field of rows, or possible values if the rows are computed."""
        if noun in self.facts.rows:
            return [value_of(row, name) for row in self.facts.rows[noun].values()]
        if noun in self.facts.computed:
            return [value_of(row, name) for row in self.facts.computed[noun]]
        of = TYPES[noun].fields[name].type  # type: ignore[attr-defined]  # a filter is named after the type of its rows
        match get_named_type(of):
            case GraphQLEnumType(values=values):
                known = [*values]
            case each if each.name == "ID":
                known = [row for rows in self.facts.rows.values() for row in rows]
            case each:
                known = _ARGUMENT_VALUES.get(each.name, [])
        return self.random.sample(known, min(len(known), 5))

    def order(self, argument: GraphQLArgument) -> list[dict[str, str]]:
        """Generate an order."""
        type_ = cast("GraphQLInputObjectType", get_named_type(argument.type))
        enums = {
            key: cast("GraphQLEnumType", get_named_type(each.type)) for key, each in type_.fields.items()
        }
        return [
            {key: self.random.choice([*enum.values]) for key, enum in enums.items()}
            for _ in range(self.random.randrange(4))
        ]

    def size(self) -> int:
        """Choose the size of a page."""
        if self.may_be_invalid and self.chance(10):
            return self.random.choice([-1, 501])
        return self.random.choice([0, 1, 2, 3, 4, 7])

    def cursor(self, at: int) -> str:
        """Return the mark of a cursor of a list."""
        if self.may_be_invalid and self.chance(20):
            return self.random.choice(["", "no cursor", "AAAA", "\0", "é"])
        return mark(at, self.random.randrange(40))

    def id(self) -> str:
        """Choose an id to look up."""
        if self.may_be_invalid and self.chance(10):
            return self.random.choice(["", "no id", "\0", UNKNOWN + "0"])
        rows = self.facts.rows
        own = self.random.choice([*rows[self.random.choice([*rows])]])
        foreign = self.random.choice(self.facts.foreign)
        return self.random.choice(
            [own, own, own, own.upper(), own.replace("-", ""), self.facts.project_id, foreign, UNKNOWN]
        )

    def natural_key(self, noun: str, key: str) -> str:
        """Choose a natural key to look up a row by."""
        if key == "id":
            known = [*self.facts.rows[noun]] if noun in self.facts.rows else []
            return self.random.choice([*known[:20], self.id()])
        if self.may_be_invalid and self.chance(20):
            return "a\0"
        known = [value for value in self.values(noun, key) if value is not None]
        found = self.random.choice([*known, "unknown"])
        return self.random.choice([found, found, found, found.upper(), ""])

    # Values, as literals or variables

    def written(self, declared: GraphQLField, given: dict[str, list[Any]]) -> str:
        """Write arguments as literals or variables."""
        if not given:
            return ""
        said = []
        for name, values in given.items():
            type_ = declared.args[name].type
            if values[0] is None or self.chance(50):
                # A lookup needs a key, and a search what it is to find.
                omits = not isinstance(type_, GraphQLNonNull) and name not in {
                    "id",
                    "name",
                    "email",
                    "externalId",
                    "query",
                    "embedding",
                }
                # A cursor belongs to its order.
                omits = omits and not (name == "orderBy" and given.keys() & {"after", "before"})
                said.append(f"{name}: {self.variable(str(type_), values, omits=omits, type_=type_)}")
            else:
                said.append(f"{name}: {self.literal(values[0], type_)}")
        self.random.shuffle(said)
        return f"({', '.join(said)})"

    def variable(self, said: str, values: list[Any], *, omits: bool = False, type_: Any = None) -> str:
        """Declare a variable with a value in each set, or only in some sets if it may be omitted."""
        name = f"v{self.number()}"
        default = ""
        may_omit = omits
        literal = type_ is not None and not (get_named_type(type_).name == "JSON" and _awkward(values[0]))
        if literal and values[0] is not None and self.chance(15):
            default = f" = {self.literal(values[0], type_, variables=False)}"
            may_omit = True
            known = all(value is not None for value in values)
            if "@cursor" not in default and known and self.chance(30) and not said.endswith("!"):
                said += "!"
        elif (
            values[0] is not None
            and not omits
            and not said.endswith("!")
            and all(v is not None for v in values)
        ):
            said += self.random.choice(["", "!"])
        self.declared.append(f"${name}: {said}{default}")
        for variant, value in zip(self.variants, values, strict=True):
            if not (may_omit and self.chance(20)):
                variant[name] = value
        return f"${name}"

    def drop_variable(self) -> None:
        """Remove the last variable."""
        name = self.declared.pop()[1:].partition(":")[0]
        for variant in self.variants:
            variant.pop(name, None)

    def literal(self, value: Any, type_: Any, *, variables: bool = True) -> str:
        """Write a value as a GraphQL literal."""
        inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if value is None:
            return "null"
        if isinstance(inner, GraphQLList):
            if len(value) == 1 and self.chance(20):  # GraphQL allows a list of one without brackets
                return self.literal(value[0], inner.of_type, variables=False)
            return f"[{', '.join(self.nested(each, inner.of_type, variables=variables) for each in value)}]"
        if isinstance(inner, GraphQLInputObjectType):
            fields = [
                f"{name}: {self.nested(each, inner.fields[name].type, variables=variables)}"
                for name, each in value.items()
            ]
            return f"{{{', '.join(fields)}}}"
        if isinstance(inner, GraphQLEnumType):
            return str(value)
        return self.document(value) if variables and inner.name == "JSON" else _json(value)

    def document(self, value: Any) -> str:
        """Write JSON as a literal; variables stand for some of its parts."""
        if isinstance(value, dict):
            return f"{{{', '.join(f'{key}: {self.part_of_document(each)}' for key, each in value.items())}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(self.part_of_document, value))}]"
        return _json(value)

    def part_of_document(self, value: Any) -> str:
        """Write a part of JSON as a literal or a variable."""
        if not self.chance(15):
            return self.document(value)
        if self.chance(30):
            times = self.alternatives(lambda: self.random.choice(_ARGUMENT_VALUES["DateTime"]))
            return self.variable("DateTime", times, omits=True, type_=TYPES["DateTime"])
        return self.variable("JSON", [value] * VARIANTS, omits=True, type_=TYPES["JSON"])

    def nested(self, value: Any, type_: Any, *, variables: bool) -> str:
        """Write a nested value as a literal or a variable."""
        awkward = get_named_type(type_).name == "JSON" and _awkward(value)
        if awkward and not variables:
            value = {}
        elif awkward or (variables and self.chance(15)):
            # A non-null field must be given; the condition of a filter may be omitted.
            omits = not isinstance(type_, GraphQLNonNull)
            return self.variable(str(type_), [value] * VARIANTS, omits=omits, type_=type_)
        return self.literal(value, type_, variables=variables)


def _possible(type_: Any) -> set[str]:
    if isinstance(type_, GraphQLUnionType):
        return {each.name for each in type_.types}
    if isinstance(type_, GraphQLInterfaceType):
        return set(row_types())
    return {type_.name}


def _is_node(type_: Any) -> bool:
    return type_.name in row_types() or isinstance(type_, GraphQLInterfaceType | GraphQLUnionType)


def _order(type_: Any, name: str, order: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the order of a list: the requested one, or the default."""
    if order:
        return tuple((each["field"], each["direction"]) for each in order)
    page = declaration(type_.fields[name])
    return tuple((each.name.upper(), "DESC" if each.descending else "ASC") for each in page.default_order)


def _awkward(value: Any) -> bool:
    """Return whether JSON has no GraphQL literal, because of the names of its keys."""
    if isinstance(value, dict):
        return any(not re.fullmatch(r"[A-Za-z_]\w*", key) or _awkward(each) for key, each in value.items())
    return isinstance(value, list) and any(map(_awkward, value))


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_json(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    return json.dumps(value, ensure_ascii=False)


LISTS = listed()


async def computed_rows(api: Api, rows: dict[str, Rows]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of computed lists, by type."""
    lists = {node: name for node, (name, _) in LISTS.items() if node not in rows}
    asked = [
        f"{name}(first: 500) {{ nodes {{ {selection(cast('GraphQLObjectType', TYPES[node]))} }} }}"
        for node, name in lists.items()
    ]
    data = await api.ask(f"{{ {' '.join(asked)} }}")
    return {node: data[name]["nodes"] for node, name in lists.items()}
