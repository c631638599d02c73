"""`agentdata schema`: prints the contract."""

import typer

app = typer.Typer(help="Print the contract.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Make `print` a subcommand: typer would drop the name of the only command."""


@app.command("print")
def print_() -> None:
    """Print the GraphQL schema as SDL, as it is committed in schema.graphql."""
    from schema.root import schema

    print(schema.as_str())
