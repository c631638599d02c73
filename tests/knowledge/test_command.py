"""`agentdata knowledge sync` as users meet it: real processes, real files, real signals."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import pytest
from sqlalchemy import text

from agentdata.administration import create_project
from tests import commands
from tests.knowledge.checkouts import write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database_urls import DatabaseUrls


class Project(NamedTuple):
    """A project and the environment of commands."""

    slug: str
    environment: dict[str, str]

    def words(self, *arguments: object) -> list[str]:
        """Return the arguments of a sync into the base `handbook` of the project."""
        return [
            "knowledge", "sync", "--base", "handbook", "--project", self.slug, *map(str, arguments)
        ]  # fmt: skip

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a sync to its end."""
        return commands.run(self.environment, self.words(*arguments), timeout=120)

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        """Start a sync in a process of its own."""
        line = [sys.executable, "-m", "agentdata", *self.words(*arguments)]
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(line, env=self.environment, text=True, **given)  # noqa: S603 a command of ours


@pytest.fixture
async def project(database_urls: DatabaseUrls) -> Project:
    """Create a project for the test."""
    slug = f"test-{uuid4().hex}"
    await create_project(database_urls.owner, "Test", slug)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTDATA_")}
    urls = {"DATABASE_URL": database_urls.request, "AGENTDATA_MIGRATION_DATABASE_URL": database_urls.owner}
    return Project(slug, kept | urls)


async def rows(owner: AsyncEngine, project: Project, table: str, columns: str) -> list[tuple[Any, ...]]:
    statement = text(
        f"SELECT {columns} FROM {table} AS own JOIN projects ON projects.id = own.project_id"  # noqa: S608
        " WHERE projects.slug = :slug ORDER BY own.created_at, own.id"
    )
    async with owner.connect() as connection:
        return [tuple(row) for row in await connection.execute(statement, {"slug": project.slug})]


def test_the_command_prints_the_changes_and_a_summary(project: Project, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "# A\n\nFirst.\n\n# B\n\nSecond.", "b.txt": "B", ".hidden": "h"})
    done = project.run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "added     a.md  2 chunks\nadded     b.txt  1 chunk\n")
    first, *others = done.stdout.splitlines()
    assert first.startswith("Read      2 files in ")
    assert others == [
        "Written   2 added, 0 modified, 0 removed, 0 unchanged; 3 chunks",
        "Skipped   1 hidden",
    ]
    write(tmp_path, {"b.txt": "new"})
    (tmp_path / "a.md").unlink()
    dry = project.run(tmp_path, "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "modified  b.txt  1 chunk\nremoved   a.md\n")
    assert "Would be  0 added, 1 modified, 1 removed, 0 unchanged; 1 chunk\n" in dry.stdout
    again = project.run(tmp_path)
    assert "Written   0 added, 1 modified, 1 removed, 0 unchanged; 1 chunk\n" in again.stdout
    assert "Written   0 added, 0 modified, 0 removed, 1 unchanged; 0 chunks\n" in project.run(tmp_path).stdout


def test_a_file_that_cannot_be_read_is_named_and_the_command_fails(project: Project, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "A", "b\x1b[2J.pdf": "broken"})
    done = project.run(tmp_path)
    assert done.returncode == 1
    assert "failed    b\\x1b[2J.pdf: cannot be read as a PDF: " in done.stderr
    assert "Failed    1 file that could not be read\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "cannot read nowhere: No such file or directory"),
        ([".", "--watch", "--dry-run"], "--watch and --dry-run do not go together"),
        (["nowhere", "--watch"], "cannot watch nowhere: there is no such file or folder"),
        ([".", "--chunk-size", "7"], "chunkSize must be from 200 to 20,000 characters, not 7"),
        ([".", "--version", "v" * 256], "version has 256 characters; it may have at most 255"),
    ],
)
def test_a_wrong_argument_is_answered_with_a_sentence(
    project: Project, arguments: list[str], message: str
) -> None:
    done = project.run(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(f"agentdata: {message}")


def test_a_terminal_shows_a_bar_instead_of_lines(project: Project, tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "A", "b.md": "B"})
    ours, its = pty.openpty()
    with project.start(tmp_path, stderr=its) as process:
        os.close(its)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 10_000)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    assert process.returncode == 0
    assert b"2/2" in shown
    assert b"added" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_an_interrupted_sync_is_completed_by_running_it_again(
    project: Project, owner: AsyncEngine, tmp_path: Path, how: signal.Signals
) -> None:
    total = 1_000
    body = "\n\n".join(f"## Part {part}\n\nIts text." for part in range(5))
    write(tmp_path, {f"{number:04}.md": f"# {number}\n\n{body}" for number in range(total)})

    async def documents() -> list[tuple[Any, ...]]:
        chunks = "knowledge_chunks c WHERE c.document_id = own.id AND c.project_id = own.project_id"
        counted = f"(SELECT count(*) FROM {chunks})"  # noqa: S608 names of columns
        return await rows(owner, project, "knowledge_documents", f"status, chunk_count, {counted}")

    with project.start(tmp_path) as process:
        while not await documents():
            assert process.poll() is None
            await asyncio.sleep(0.01)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
    [(status,)] = await rows(owner, project, "knowledge_syncs", "status")
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "interrupted; run the same command again" in errors
        assert status == "FAILED"
    else:
        assert status == "RUNNING"
    some = await documents()
    assert 0 < len(some) < total
    assert set(some) == {("READY", 5, 5)}
    done = project.run(tmp_path)
    assert f"{total - len(some):,} added, 0 modified, 0 removed, {len(some):,} unchanged" in done.stdout
    assert set(await documents()) == {("READY", 5, 5)}
    assert await rows(owner, project, "knowledge_syncs", "status") == [("FAILED",), ("SUCCEEDED",)]


@asynccontextmanager
async def watching(project: Project, path: Path) -> AsyncIterator[subprocess.Popen[str]]:
    """Watch a path until the end of the block, which Ctrl-C ends."""
    with project.start(path, "--watch", stderr=subprocess.DEVNULL) as process:
        try:
            yield process
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()


async def test_a_watch_syncs_again_when_a_file_changes(
    project: Project, owner: AsyncEngine, tmp_path: Path
) -> None:
    write(tmp_path, {"a.md": "A"})

    async def summary(process: subprocess.Popen[str]) -> str:
        assert process.stdout
        lines = []
        while (
            line := await asyncio.to_thread(process.stdout.readline)
        ) != "Waiting for changes; Ctrl-C ends\n":
            assert line, "the command ended"
            lines.append(line)
        return "".join(lines)

    async with watching(project, tmp_path) as process:
        assert "1 added, 0 modified" in await summary(process)
        write(tmp_path, {"b.md": "B"})
        assert "1 added, 0 modified, 0 removed, 1 unchanged" in await summary(process)
        (tmp_path / "a.md").unlink()
        assert "0 added, 0 modified, 1 removed, 1 unchanged" in await summary(process)
    assert await rows(owner, project, "knowledge_documents", "external_id") == [("b.md",)]
