"""All commands, as a table of contents."""

from typing import Annotated

import typer

from agentdata import __version__
from agentdata.cli import (
    db,
    demo,
    explain,
    import_,
    keys,
    knowledge,
    projects,
    schema,
    search_language,
    serve,
    worker,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 typer calls it so
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """One GraphQL API over everything AI agents are, do, say and remember."""


app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("explain")(explain.explain)
app.command("worker")(worker.worker)
app.command("search-language")(search_language.search_language)
app.add_typer(db.app, name="db")
app.add_typer(import_.app, name="import")
app.add_typer(keys.app, name="keys")
app.add_typer(knowledge.app, name="knowledge")
app.add_typer(projects.app, name="projects")
app.add_typer(schema.app, name="schema")
