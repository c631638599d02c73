"""Tables of the documentation, generated from the contract, the settings, the commands and the metrics.

A comment before each table names its kind, such as `<!-- fields Session -->`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from graphql import build_schema
from typer.main import get_command

from agentdata.cli.app import app
from agentdata.database import Database
from agentdata.settings import Settings
from agentdata.sight.metrics import Metrics
from schema.root import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMA = build_schema(schema.as_str())


def with_tables(page: str) -> str:
    """Return a page with its tables generated anew."""
    return _GENERATED.sub(lambda m: f"{m['comment']}\n\n{TABLES[m['kind']](m['of'])}\n", page)


def _table(*rows: tuple[str, ...]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    head, *others = (f"| {' | '.join(row)} |\n" for row in escaped)
    return head + "|" + " --- |" * len(rows[0]) + "\n" + "".join(others)


def _fields(of: str) -> str:
    fields = SCHEMA.type_map[of].fields.items()  # type: ignore[attr-defined]  # pages name only types with fields
    rows = [(f"`{name}`", f"`{field.type}`", field.description) for name, field in fields]
    return _table(("Field", "Type", "Meaning"), *rows)


def _values(of: str) -> str:
    values = SCHEMA.type_map[of].values.items()  # type: ignore[attr-defined]  # pages name only enums
    return _table(("Value", "Meaning"), *[(f"`{name}`", value.description) for name, value in values])


def _settings(_: str) -> str:
    rows = []
    for name, setting in Settings.model_fields.items():
        variable = "DATABASE_URL" if name == "database_url" else f"AGENTDATA_{name.upper()}"
        default = "" if setting.default in {None, ""} else f"`{setting.default}`"
        if isinstance(setting.default, bool):
            default = "`on`" if setting.default else "`off`"
        rows.append((f"`{variable}`", default, setting.description or ""))
    return _table(("Variable", "Default", "Meaning"), *rows)


def _commands(_: str) -> str:
    rows = [
        (f"`{' '.join([name, *arguments])}`", _first_paragraph(command.help), "<br>".join(options))
        for name, command in commands()
        for arguments, options in [_parameters(command)]
    ]
    return _table(("Command", "Meaning", "Options"), *rows)


def _metrics(_: str) -> str:
    families = Metrics(Database("postgresql://localhost/none")).collect()
    rows = [
        (f"`{family.name}{'_total' * (family.type == 'counter')}`", family.type, family.documentation)
        for family in families
        if not family.name.startswith("process_")
    ]
    return _table(("Metric", "Type", "Meaning"), *rows)


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].split())


def commands() -> Iterator[tuple[str, Any]]:
    """Yield all commands with their names, such as `agentdata keys list`."""
    waiting: list[tuple[str, Any]] = [("agentdata", get_command(app))]
    while waiting:
        name, command = waiting.pop(0)
        inner = getattr(command, "commands", {})
        waiting[:0] = [(f"{name} {each}", inner[each]) for each in inner]
        if not inner:
            yield name, command


def _parameters(command: Any) -> tuple[list[str], list[str]]:
    arguments, options = [], []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            shown = (parameter.metavar or parameter.name.strip("_").upper()).rstrip(".")
            shown += "…" * (parameter.nargs == -1)
            arguments.append(shown if parameter.required else f"[{shown}]")
        else:
            options.append(f"`{'`, `'.join(parameter.opts)}`: {parameter.help}")
    return arguments, options


TABLES: dict[str, Callable[[str], str]] = {
    "fields": _fields,
    "values": _values,
    "settings": _settings,
    "commands": _commands,
    "metrics": _metrics,
}
"""The function that generates each kind of table, from the name behind the kind."""

_GENERATED = re.compile(
    rf"(?P<comment><!-- (?P<kind>{'|'.join(TABLES)}) ?(?P<of>\w*) -->)\n\n(?:(?:\|.*\n)+)?\n?", re.MULTILINE
)
