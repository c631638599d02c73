"""`agentdata explain`: prints the plan of a query."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentdata.cli.database import database
from agentdata.cli.project import ProjectOption, project_of
from agentdata.cli.settings import load_settings
from agentdata.setup_error import SetupError

if TYPE_CHECKING:
    from agentdata.database_urls import DatabaseUrls
    from agentdata.engine.plans.explain import Explained, ReadExplained
    from agentdata.settings import Settings


def explain(
    query: Annotated[str, typer.Argument(help="The document, or `-` to read it from the standard input.")],
    *,
    variables: Annotated[str, typer.Option(metavar="JSON", help="The variables, an object.")] = "{}",
    operation: Annotated[str | None, typer.Option(help="Which operation of the document.")] = None,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Run it, and print the rows and milliseconds of each read.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Print the plan of a query as a tree of reads, each with its field and its SQL.

    All reads run together as one statement. A read is indented below the read that its keys come from.
    """
    settings = load_settings()
    text = sys.stdin.read() if query == "-" else query
    with database(settings) as urls:
        asked = _explained(settings, urls, project, text, operation, _object(variables), analyze=analyze)
        explained = asyncio.run(asked)
    if explained is None:
        raise SetupError(
            "this operation has no plan: it is a mutation, it queries the schema, or an argument is wrong;"
            " send it to the API to see which"
        )
    for line in lines(explained):
        print(line)


def _object(text: str) -> dict[str, Any]:
    from json import JSONDecodeError

    from agentdata.exact_json import read_json

    try:
        value = read_json(text)
    except JSONDecodeError as error:
        raise SetupError(f"--variables is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise SetupError('--variables must be an object, such as {"first": 10}')
    return value


async def _explained(
    settings: "Settings",
    urls: "DatabaseUrls",
    project: str | None,
    text: str,
    name: str | None,
    variables: dict[str, Any],
    *,
    analyze: bool,
) -> "Explained | None":
    from uuid import UUID

    from agentdata.administration import acting_in, server_secret
    from agentdata.context import Context
    from agentdata.database import Database
    from agentdata.engine.plans.compiler import Compiler
    from agentdata.engine.requests.documents import InvalidRequestError
    from agentdata.engine.requests.executor import Executor
    from agentdata.principal import Principal
    from models.enums import ApiKeyScope
    from schema.root import schema

    place = await project_of(settings, urls.owner, project, ApiKeyScope.ADMIN)
    async with acting_in(urls.owner, place) as write:
        principal = Principal(write.project_id, UUID(int=0), frozenset(ApiKeyScope))
    pool = Database(
        urls.request,
        pool_size=1,
        statement_timeout_ms=settings.statement_timeout_ms,
        secret=await server_secret(urls.owner),
    )
    executor = Executor(schema, compiler=Compiler(schema))
    try:
        operation = executor.operation(text, name)
        return await executor.explain(operation, variables, Context(pool, principal), analyze=analyze)
    except InvalidRequestError as refused:
        raise SetupError("; ".join(error.message for error in refused.errors)) from None
    finally:
        await pool.close()


def lines(explained: "Explained") -> list[str]:
    """Return the lines to print for a plan."""
    printed: list[str] = []

    def tree(above: str | None, depth: int) -> None:
        for read in explained.reads:
            if read.keys == above:
                indent = "    " * depth
                printed.append(f"{indent}{_title(read)}")
                printed.extend(f"{indent}  | {line.strip()}" for line in read.sql.strip().splitlines())
                tree(read.name, depth + 1)

    tree(None, 0)
    printed.append(f"1 statement, {len(explained.reads)} reads" + _took(explained))
    printed.extend(f"${place} = {value}" for place, value in enumerate(explained.parameters, 1))
    return printed


def _title(read: "ReadExplained") -> str:
    title = f"{read.path} ({read.name})"
    return title if read.rows is None else f"{title}: {read.rows:,} rows, {read.milliseconds:.3f} ms"


def _took(explained: "Explained") -> str:
    if explained.milliseconds is None:
        return ""
    return (
        f": {explained.milliseconds:.3f} ms, and {explained.planning_milliseconds:.3f} ms to plan it,"
        " which PostgreSQL does only for the first requests"
    )
