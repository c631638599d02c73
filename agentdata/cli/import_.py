"""`agentdata import`: imports conversations of other systems."""

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentdata.cli.database import database, resumable
from agentdata.cli.printing import counted, printable
from agentdata.cli.project import ProjectOption, project_of
from agentdata.cli.settings import load_settings
from agentdata.setup_error import SetupError

if TYPE_CHECKING:
    from agentdata.database_urls import DatabaseUrls
    from agentdata.importers.conversation import Options
    from agentdata.importers.writing import Report

app = typer.Typer(help="Import conversations from files.", no_args_is_help=True)

_STATEMENT_TIMEOUT_MS = 600_000
_SHOWN_WARNINGS = 50
_INTERRUPTED = 128 + signal.SIGINT


@app.callback()
def _group() -> None:
    """Make `chat` a subcommand: typer would drop the name of the only command."""


@app.command()
def chat(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSON or JSONL files.")],
    *,
    agent: Annotated[
        str | None,
        typer.Option(
            help="Name of the agent of all sessions; by default the record's agent, else the file's name."
        ),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag for all sessions; may be repeated.")] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=KEY",
            help="Read a field from this key, such as user=info.customer; may be repeated.",
        ),
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Import conversations in the chat-completions message format.

    A conversation that is already stored is skipped, so running an interrupted import again completes it. The
    command fails if a record could not be imported.
    """
    from agentdata.importers.conversation import read_options
    from agentdata.importers.writing import Report
    from models.enums import ApiKeyScope

    options = read_options(agent, tag or [], map_ or [])
    for file in files:
        try:
            file.open("rb").close()
        except OSError as error:
            raise SetupError(f"cannot read {file}: {error.strerror}") from None
    settings = load_settings()
    report, began = Report(), time.monotonic()
    with database(settings) as urls:
        try:
            place = asyncio.run(project_of(settings, urls.owner, project, ApiKeyScope.WRITE))
            asyncio.run(_import(urls, place, files, options, report))
        except KeyboardInterrupt:
            _summarize(report, time.monotonic() - began)
            print(
                "agentdata: interrupted; run the same command again to import the rest",
                file=sys.stderr,
            )
            sys.exit(_INTERRUPTED)
    _summarize(report, time.monotonic() - began)
    sys.exit(1 if report.bad else 0)


async def _import(
    urls: "DatabaseUrls", project: str, files: list[Path], options: "Options", report: "Report"
) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from agentdata.administration import acting_in, analyze
    from agentdata.database import Database
    from agentdata.importers.chat import Import

    async with acting_in(urls.owner, project) as write:
        project_id = write.project_id
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)

    def warn(place: str, warning: str) -> None:
        if report.warnings <= _SHOWN_WARNINGS:
            console.print(printable(f"warning: {place}: {warning}"))

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    pool = Database(urls.request, pool_size=1, statement_timeout_ms=_STATEMENT_TIMEOUT_MS)
    importing = Import(
        pool,
        project_id,
        options,
        report,
        warn,
        lambda place, why: console.print(printable(f"bad: {place}: {why}")),
    )
    try:
        with bar, resumable("import"):
            for path in files:
                with bar.open(path, "rb", description=path.name) as file:
                    await importing.file(file, str(path))
    finally:
        await pool.close()
    if report.sessions:
        await analyze(urls.owner)


def _summarize(report: "Report", seconds: float) -> None:
    r = report
    print(
        f"Read      {counted(r.read, 'conversation')} in {seconds:.1f} s\n"
        f"Written   {counted(r.sessions, 'session')}, {counted(r.messages, 'message')},"
        f" {counted(r.tool_calls, 'tool call')} ({r.answered:,} answered),"
        f" {counted(r.agents, 'agent')}, {counted(r.users, 'user')}\n"
        f"Skipped   {counted(r.skipped, 'conversation')} that were already stored\n"
        f"Bad       {counted(r.bad, 'record')} that could not be imported"
        + (
            f"\nWarnings  {r.warnings:,}"
            + (f", of which the first {_SHOWN_WARNINGS} were printed" if r.warnings > _SHOWN_WARNINGS else "")
            if r.warnings
            else ""
        )
    )
