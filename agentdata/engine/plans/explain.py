"""What a plan is and what it costs: its reads as a tree, with the SQL, the rows and the time of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentdata.engine.plans.run import Run
    from agentdata.engine.plans.statements import Query

    Node = Mapping[str, Any]


@dataclass(frozen=True)
class ReadExplained:
    """A read of a plan."""

    path: str
    """Where in the document it is asked for, with commas between places that are read together."""
    keys: str | None
    """The name of the read that its keys come from; where they come from several, of the last."""
    name: str
    """What it is called in the statement."""
    sql: str
    rows: int | None = None
    milliseconds: float | None = None
    """How long PostgreSQL took for it alone, without the reads below it; None where it was not run."""


@dataclass(frozen=True)
class Explained:
    """A statement, which is all that an operation reads, or all that it reads after one of its writes."""

    reads: list[ReadExplained]
    sql: str
    parameters: list[str]
    planning_milliseconds: float | None = None
    milliseconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Give all of it under the names that a response has."""
        content = asdict(self)
        content["planningMilliseconds"] = content.pop("planning_milliseconds")
        return content


async def explain(query: Query, run: Run, *, analyze: bool) -> Explained:
    """Tell what a query reads and how; with ``analyze`` it is run, and told what each read took."""
    statement, arguments = query.prepare(run)
    reads = [
        ReadExplained(
            read.path,
            f"r{read.above[-1].place}" if read.above else None,
            f"r{read.place}",
            sql,
        )
        for read, sql in zip(query.reads, statement.reads, strict=True)
    ]
    explained = Explained(reads, statement.text, [str(argument) for argument in arguments])
    if not analyze or not reads:
        return explained
    [record] = await run.fetch(f"EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) {statement.text}", arguments)
    # The connection reads JSON where it is not sent as text.
    [told] = record[0]
    return _analyzed(explained, told)


def _analyzed(explained: Explained, told: Node) -> Explained:
    """Add what PostgreSQL told of a run."""
    took = dict(_reads(told["Plan"], tagged=len(explained.reads) > 1))
    reads = []
    for place, read in enumerate(explained.reads):
        # PostgreSQL leaves out what it can prove to be empty.
        node = took.get(place, {"Actual Rows": 0, "Actual Loops": 1, "Actual Total Time": 0})
        loops = node["Actual Loops"]
        rows, milliseconds = round(node["Actual Rows"] * loops), node["Actual Total Time"] * loops
        reads.append(replace(read, rows=rows, milliseconds=round(milliseconds, 3)))
    return replace(
        explained,
        reads=reads,
        planning_milliseconds=told["Planning Time"],
        milliseconds=told["Execution Time"],
    )


def _reads(top: Node, *, tagged: bool) -> Iterator[tuple[int, Node]]:
    """Give the part of a query plan that makes each read."""
    if not tagged:
        yield 0, top
        return
    nodes = [*_nodes(top)]
    append = next((node for node in nodes if node["Node Type"] == "Append"), {"Plans": [top]})
    for node in append["Plans"]:
        # What is sent first says which read it is.
        if node.get("Parent Relationship") != "InitPlan" and node["Output"][0].isdecimal():
            yield int(node["Output"][0]), node
    for node in nodes:
        # A read that others take their keys from is made here; above it is only looked at again.
        name = node.get("Subplan Name", "")
        if name.startswith("CTE r"):
            yield int(name.removeprefix("CTE r")), node


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)
