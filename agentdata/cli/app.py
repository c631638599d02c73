"""All commands, as a table of contents."""

import typer

from agentdata.cli import db, keys, projects, schema, serve

app = typer.Typer(
    help="One GraphQL API over everything AI agents are, do, say and remember.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.add_typer(db.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(projects.app, name="projects")
app.add_typer(schema.app, name="schema")
