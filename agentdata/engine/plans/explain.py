"""Explains a plan: its reads as a tree, with the SQL, the rows and the time of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentdata.engine.plans.run import Run
    from agentdata.engine.plans.statements import ReadSet

    Node = Mapping[str, Any]


_OUTLINED = 50
_LONGEST_PATH = 200
"""So many reads, each with so many characters of its place, are part of an outline."""


@dataclass(frozen=True)
class ReadExplained:
    """A read of a plan, explained."""

    path: str
    """Where in the document it is selected, with commas between places that are read together."""
    keys: str | None
    """The name of the read that its keys come from; of the last one if they come from several."""
    name: str
    """Its name in the statement."""
    sql: str
    rows: int | None = None
    milliseconds: float | None = None
    """How long PostgreSQL took for it alone, without the reads below it; None if it did not run."""


@dataclass(frozen=True)
class Explained:
    """A statement, explained: everything that an operation reads."""

    reads: list[ReadExplained]
    sql: str
    parameters: list[str]
    planning_milliseconds: float | None = None
    milliseconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return all of it under the names that a response has."""
        content = asdict(self)
        content["planningMilliseconds"] = content.pop("planning_milliseconds")
        return content


def outline(read_set: ReadSet | None) -> list[dict[str, Any]]:
    """Return the reads of a plan as a tree: the place of each in the document, and the reads below it.

    It has no SQL and no arguments. A read whose keys come from several others stands below the last of them.
    """
    tree: list[dict[str, Any]] = []
    below: dict[int, list[dict[str, Any]]] = {}
    for read in (read_set.reads if read_set else [])[:_OUTLINED]:
        entry: dict[str, Any] = {"path": read.path[:_LONGEST_PATH]}
        siblings = below.get(read.above[-1].position, tree) if read.above else tree
        siblings.append(entry)
        below[read.position] = entry["reads"] = []
    return tree


async def explain(read_set: ReadSet, run: Run, *, analyze: bool) -> Explained:
    """Describe what a plan reads and how; ``analyze`` runs the plan and adds what each read took."""
    statement, arguments = read_set.prepare(run)
    reads = [
        ReadExplained(
            read.path,
            f"r{read.above[-1].position}" if read.above else None,
            f"r{read.position}",
            sql,
        )
        for read, sql in zip(read_set.reads, statement.reads, strict=True)
    ]
    explained = Explained(reads, statement.text, [str(argument) for argument in arguments])
    if not analyze or not reads:
        return explained
    [record] = await run.context.fetch(f"EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) {statement.text}", arguments)
    # The driver parses the column, because its type is JSON.
    [analyzed] = record[0]
    return _with_times(explained, analyzed)


def _with_times(explained: Explained, analyzed: Node) -> Explained:
    """Add the rows and times that PostgreSQL measured."""
    took = dict(_reads(analyzed["Plan"], tagged=len(explained.reads) > 1))
    reads = []
    for position, read in enumerate(explained.reads):
        # PostgreSQL leaves out what it can prove to be empty.
        node = took.get(position, {"Actual Rows": 0, "Actual Loops": 1, "Actual Total Time": 0})
        loops = node["Actual Loops"]
        rows, milliseconds = round(node["Actual Rows"] * loops), node["Actual Total Time"] * loops
        reads.append(replace(read, rows=rows, milliseconds=round(milliseconds, 3)))
    return replace(
        explained,
        reads=reads,
        planning_milliseconds=analyzed["Planning Time"],
        milliseconds=analyzed["Execution Time"],
    )


def _reads(top: Node, *, tagged: bool) -> Iterator[tuple[int, Node]]:
    """Yield the node of a query plan that produces each read, by the read's position."""
    if not tagged:
        yield 0, top
        return
    nodes = [*_nodes(top)]
    append = next((node for node in nodes if node["Node Type"] == "Append"), {"Plans": [top]})
    for node in append["Plans"]:
        # The first output column is the position of the read.
        if node.get("Parent Relationship") != "InitPlan" and node["Output"][0].isdecimal():
            yield int(node["Output"][0]), node
    for node in nodes:
        # A read that others take their keys from is computed here; the append node only scans it again.
        name = node.get("Subplan Name", "")
        if name.startswith("CTE r"):
            yield int(name.removeprefix("CTE r")), node


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)
