"""`agentdata schema`: the contract."""

import typer

app = typer.Typer(help="Print the contract.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `print` a command by name, although it is the only one."""


@app.command("print")
def print_() -> None:
    """Print the GraphQL schema as SDL, as it is committed in schema.graphql."""
    from schema.root import schema

    print(schema.as_str())
