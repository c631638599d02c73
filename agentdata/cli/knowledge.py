"""`agentdata knowledge`: brings knowledge bases up to date with files."""

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
    from uuid import UUID

    from agentdata.database import Database
    from agentdata.knowledge.sync import Options, Result, Step

app = typer.Typer(help="Bring knowledge bases up to date with files.", no_args_is_help=True)

_STATEMENT_TIMEOUT_MS = 600_000
_INTERRUPTED = 128 + signal.SIGINT
_MANY_CHUNKS = 1_000
"""After how many chunks of one sync the statistics that PostgreSQL plans by are updated."""


@app.callback()
def _group() -> None:
    """Make `sync` a subcommand: typer would drop the name of the only command."""


@app.command()
def sync(
    path: Annotated[Path, typer.Argument(help="A folder, a git checkout, a part of one, or a file.")],
    *,
    base: Annotated[
        str,
        typer.Option(help="The name or external id of the knowledge base; it is created if there is none."),
    ],
    version: Annotated[
        str, typer.Option(help="The version of the knowledge base; it begins with its first document.")
    ] = "default",
    chunk_size: Annotated[
        int | None,
        typer.Option(
            help="How many characters a chunk has at most, without its headings; 1,600 at first.",
            show_default=False,
        ),
    ] = None,
    chunk_overlap: Annotated[
        int | None,
        typer.Option(
            help="How many characters a chunk repeats of the one before it at most; an eighth of the size at"
            " first.",
            show_default=False,
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN", help="Read only files like this, such as `*.md`; may be repeated, '' ends it."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Leave out files like this, such as `tests/`; may be repeated, '' ends it.",
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Let PATH take the place of the path that the version was synced from before."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would change, and write nothing.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and sync again whenever a file changes.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Read files, split them into chunks, and write what has changed since the last sync.

    Documents of files that are gone are removed, if a sync made them. The knowledge base keeps the sizes and
    patterns, which the next sync uses again; if they change, all files are split again. An interrupted sync
    leaves each document as it was or complete, and the next one goes on.

    The exit status is 1 if a file could not be read or the sync failed, and 130 if it was interrupted.
    """
    from agentdata.knowledge.sync import Options
    from models.enums import ApiKeyScope

    if watch and dry_run:
        raise SetupError("--watch and --dry-run do not go together")
    if watch and not path.exists():
        raise SetupError(f"cannot watch {path}: there is no such file or folder")
    options = Options(
        chunk_size=chunk_size,
        chunk_overlap=chunk_overlap,
        include=_patterns(include),
        exclude=_patterns(exclude),
        replace=replace,
        dry_run=dry_run,
    )
    settings = load_settings()
    with database(settings) as urls:
        try:
            place = asyncio.run(project_of(settings, urls.owner, project, ApiKeyScope.KNOWLEDGE_WRITE))
            syncing = _run(urls.owner, urls.request, place, path, base, version, options, watch=watch)
            failed = asyncio.run(syncing)
        except KeyboardInterrupt:
            if watch:
                sys.exit(0)
            print(
                "agentdata: interrupted; run the same command again to sync the rest",
                file=sys.stderr,
            )
            sys.exit(_INTERRUPTED)
    sys.exit(1 if failed else 0)


def _patterns(given: list[str] | None) -> tuple[str, ...] | None:
    """Return the patterns of an option; an empty one takes back those that the base has kept."""
    return None if given is None else tuple(pattern for pattern in given if pattern)


async def _run(
    owner: str,
    url: str,
    project: str,
    path: Path,
    base: str,
    version: str,
    options: "Options",
    *,
    watch: bool,
) -> bool:
    """Sync once, or until the process is interrupted; return whether a file could not be read."""
    from agentdata.administration import acting_in, analyze
    from agentdata.database import Database
    from agentdata.errors import AgentDataError

    async with acting_in(owner, project) as write:
        project_id = write.project_id
    pool = Database(url, pool_size=2, statement_timeout_ms=_STATEMENT_TIMEOUT_MS)
    try:
        if not watch:
            result = await _once(pool, project_id, path, base, version, options)
            if result.sync_id is not None and result.chunks > _MANY_CHUNKS:
                await analyze(owner)
            return result.failed > 0
        from watchfiles import awatch

        # The watch begins before the first sync, so that it misses no change.
        changes = awatch(path)
        changed = asyncio.ensure_future(anext(changes))
        while True:
            try:
                await _once(pool, project_id, path, base, version, options)
            except AgentDataError as error:
                # The next change may mend it.
                print(f"agentdata: {printable(error.message)}", file=sys.stderr)
            print("Waiting for changes; Ctrl-C ends", flush=True)
            await changed
            changed = asyncio.ensure_future(anext(changes))
    finally:
        await pool.close()


async def _once(
    pool: "Database", project_id: "UUID", path: Path, base: str, version: str, options: "Options"
) -> "Result":
    """Run one sync, show how far it is, and print its summary."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from agentdata.knowledge.sync import sync as run

    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    shown = bar.add_task("files", total=None)

    def show(step: "Step") -> None:
        bar.update(shown, completed=step.done, total=step.total)
        if (line := _line(step, everything=options.dry_run or bar.disable)) is not None:
            console.print(line)

    began = time.monotonic()
    with bar, resumable("sync"):
        result = await run(pool, project_id, path, base, version=version, options=options, on_step=show)
    _summarize(result, time.monotonic() - began, dry_run=options.dry_run)
    return result


def _line(step: "Step", *, everything: bool) -> str | None:
    """Return the line to print for a file; None if it has none."""
    from agentdata.knowledge.sync import Change

    name = printable(step.name)
    if step.has_failed:
        return f"failed    {name}: {printable(step.reason or '')}"
    if not everything or step.change in (Change.UNCHANGED, Change.SKIPPED):
        return None
    chunks = "" if step.change is Change.REMOVED else f"  {counted(step.chunks, 'chunk')}"
    return f"{step.change.value:<10}{name}{chunks}"


def _summarize(result: "Result", seconds: float, *, dry_run: bool) -> None:
    r = result
    read = r.added + r.modified + r.unchanged
    skipped = ", ".join(f"{number:,} {reason}" for reason, number in sorted(r.skipped.items()) if number)
    print(
        f"Read      {counted(read, 'file')} in {seconds:.1f} s"
        + (f" at commit {r.commit[:12]}" if r.commit else "")
        + f"\n{'Would be' if dry_run else 'Written':<8}  {r.added:,} added, {r.modified:,} modified,"
        f" {r.removed:,} removed, {r.unchanged:,} unchanged; {counted(r.chunks, 'chunk')}"
        + (f"\nSkipped   {skipped}" if skipped else "")
        + (f"\nFailed    {counted(r.failed, 'file')} that could not be read" if r.failed else ""),
        flush=True,
    )
