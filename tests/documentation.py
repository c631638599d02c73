"""The examples of the documentation: parsed from its pages, run in order, and compared with the pages.

A ```graphql block is a request, with the ```json variables block behind it, if there is one. The ```json
block that follows is the answer. A shell block with `curl` and an answer behind it is a request too, with the
Authorization header of the command, if any. A ```markdown block with a path behind its kind is a file, and
`agentdata knowledge sync` in a shell block reads those above it. Each page has its own project, which begins
empty, or with the demo data for the pages of `ON_DEMO_DATA`.

Ids and cursors differ from run to run: those of a page are mapped to those of the run wherever they repeat.
Any time matches any other, unless a request of the page contains it. Locations of errors may be omitted.

`python -m tests.documentation` runs all pages, or the pages named as arguments, and corrects the answers and
tables that are missing or wrong.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from httpx import AsyncClient

from agentdata import migrations, provision
from agentdata.administration import acting_in
from agentdata.app import create_app
from agentdata.demo import load
from agentdata.settings import Settings
from tests import commands, databases
from tests.serving import Key, make_key, serving
from tests.tables import with_tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from agentdata.database_urls import DatabaseUrls

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

ON_DEMO_DATA = {ROOT / "README.md", ROOT / "docs" / "questions.md"}
"""Pages whose examples run on the data of `agentdata demo`."""

OF_THE_PROJECT = "Bearer $(cat .agentdata/api-key)"
"""The header with the first API key of the project, as a shell command writes it."""

_FENCE = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECRET = re.compile(r"ad_[A-Za-z0-9]{8}(_[A-Za-z0-9]{43})?")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{24,}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_WIDTH = 100


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its kind, its text, and the position of the text in the page."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Example:
    """A request of a page and the answer that the page shows."""

    request: dict[str, Any]
    answer: Block
    authorization: str | None = OF_THE_PROJECT


@dataclass(frozen=True)
class Sync:
    """A command `agentdata knowledge sync` of a page, with the files that stand above it by their paths."""

    words: list[str]
    files: dict[str, str]


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    return [Block(m["kind"], m["text"], m.start("text"), m.end("text")) for m in _FENCE.finditer(page)]


def examples(page: str) -> list[Example]:
    """Return the requests of a page with their answers; raise ValueError if a request has no answer."""
    return [step for step in steps(page) if isinstance(step, Example)]


def steps(page: str) -> list[Example | Sync]:
    """Return the requests and syncs of a page in order; raise ValueError if a request has no answer."""
    found: list[Example | Sync] = []
    files: dict[str, str] = {}
    rest = blocks(page)
    while rest:
        block = rest.pop(0)
        if block.kind.startswith("markdown "):
            files[block.kind.removeprefix("markdown ")] = block.text
        if block.kind == "sh" and files and block.text.startswith("agentdata knowledge sync "):
            found.append(Sync(shlex.split(block.text)[1:], dict(files)))
        request = _request(block)
        if request is None:
            continue
        if rest and rest[0].kind == "json variables":
            request["variables"] = json.loads(rest.pop(0).text)
        if not rest or rest[0].kind != "json":
            raise ValueError(f"no answer stands behind this example:\n{block.text}")
        authorization = _authorization(block.text) if block.kind == "sh" else OF_THE_PROJECT
        found.append(Example(request, rest.pop(0), authorization))
    return found


def _authorization(command: str) -> str | None:
    headers = [word.partition(": ") for word in shlex.split(command, comments=True)]
    return next((value for name, _, value in headers if name == "Authorization"), None)


def _request(block: Block) -> dict[str, Any] | None:
    if block.kind == "graphql":
        return {"query": block.text}
    words = shlex.split(block.text, comments=True) if block.kind == "sh" else []
    if "curl" in words and "-d" in words:
        return dict(json.loads(words[words.index("-d") + 1]))
    return None


@dataclass
class Run:
    """The run of a page: the requests so far, and the values of the run by those of the page."""

    mapped: dict[str, str] = field(default_factory=dict)
    requests: str = ""

    def request_of(self, example: Example) -> tuple[dict[str, Any], str | None]:
        """Return the request and authorization of an example, with the ids, cursors and keys of the run."""
        authorization = example.authorization and self._map(example.authorization)
        request = json.dumps(example.request)
        self.requests += request
        return dict(json.loads(self._map(request))), authorization

    def shown(self, answer: Any) -> str:
        """Return an answer as the text of the page, with the ids and cursors of the page."""
        text = _pretty(_without_locations(answer))
        for there, here in self.mapped.items():
            text = text.replace(here, there)
        return text + "\n"

    def matches(self, shown: Any, answer: Any) -> bool:
        """Return whether an answer matches that of the page; map the ids and cursors that are new."""
        match shown, answer:
            case dict(), dict():
                given = answer if "locations" in shown else _without_location(answer)
                return shown.keys() == given.keys() and all(
                    self.matches(value, given[key]) for key, value in shown.items()
                )
            case list(), list():
                return len(shown) == len(answer) and all(map(self.matches, shown, answer))
            case str(), str():
                return self._matches_text(shown, answer)
            case _:
                return type(shown) is type(answer) and bool(shown == answer)

    def _matches_text(self, shown: str, answer: str) -> bool:
        if shown == answer:
            return True
        if _TIME.fullmatch(shown) and _TIME.fullmatch(answer):
            return shown not in self.requests
        if any(kind.fullmatch(shown) and kind.fullmatch(answer) for kind in (_ID, _SECRET, _CURSOR)):
            return self.mapped.setdefault(shown, answer) == answer
        return self._map(shown) == answer

    def _map(self, text: str) -> str:
        for there, here in self.mapped.items():
            text = text.replace(there, here)
        return text


def _without_location(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != "locations"}


def _without_locations(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_locations(item) for key, item in _without_location(value).items()}
    return [_without_locations(item) for item in value] if isinstance(value, list) else value


def _pretty(value: Any, indent: str = "", before: int = 0) -> str:
    """Return JSON as text, with each object or list on one line if it fits."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + before + len(line) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    deeper = indent + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_pretty(item, deeper, len(key) + 4)}" for key, item in value.items()]
        return "{\n" + ",\n".join(deeper + item for item in items) + f"\n{indent}}}"
    return "[\n" + ",\n".join(deeper + _pretty(item, deeper) for item in value) + f"\n{indent}]"


@dataclass(frozen=True)
class Project:
    """A project and a key to it."""

    client: AsyncClient
    key: Key
    urls: DatabaseUrls

    async def prepare(self, path: Path) -> None:
        """Load the demo data if the examples of a page run on it."""
        if path in ON_DEMO_DATA:
            async with acting_in(self.urls.owner, self.key.slug) as write:
                assert await load(write)

    def sync(self, sync: Sync) -> None:
        """Run a sync in a folder with its files."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTDATA_")}
        own = {"DATABASE_URL": self.urls.request, "AGENTDATA_MIGRATION_DATABASE_URL": self.urls.owner}
        with tempfile.TemporaryDirectory() as folder:
            for name, text in sync.files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            knowledge, command, place, *options = sync.words
            words = [knowledge, command, str(Path(folder, place)), *options, "--project", self.key.slug]
            done = commands.run(kept | own, words)
        assert done.returncode == 0, done.stderr

    async def send(self, request: dict[str, Any], authorization: str | None) -> Any:
        """Send the request of an example and return the response."""
        headers = {"Accept": "application/json"}
        if authorization is not None:
            own = f"Bearer {self.key.secret}"
            headers["Authorization"] = own if authorization == OF_THE_PROJECT else authorization
        return (await self.client.post("/graphql", json=request, headers=headers)).json()


async def corrected(page: str, project: Project) -> str:
    """Run the examples of a page, and return the page with wrong answers and tables corrected."""
    run, changes = Run(), []
    for example in steps(page):
        if isinstance(example, Sync):
            await asyncio.to_thread(project.sync, example)
            continue
        answer = await project.send(*run.request_of(example))
        shown = json.loads(example.answer.text) if example.answer.text.strip() else None
        if not run.matches(shown, answer):
            changes.append((example.answer, run.shown(answer)))
    for block, text in reversed(changes):
        page = page[: block.start] + text + page[block.end :]
    return with_tables(page)


@asynccontextmanager
async def serving_pages(urls: DatabaseUrls) -> AsyncIterator[Callable[[], Awaitable[Project]]]:
    """Serve the API on a database, and yield a function that creates a project."""
    async with (
        serving(create_app(Settings(), urls.request)) as (host, port),
        AsyncClient(base_url=f"http://{host}:{port}") as client,
    ):

        async def new_project() -> Project:
            return Project(client, await make_key(urls), urls)

        yield new_project


async def _correct(urls: DatabaseUrls, paths: list[Path]) -> None:
    await provision.ensure_role(urls.owner, request_url=urls.request)
    await migrations.upgrade(urls.owner)
    async with serving_pages(urls) as new_project:
        for path in paths:
            project = await new_project()
            await project.prepare(path)
            path.write_text(await corrected(path.read_text(), project))


if __name__ == "__main__":
    with databases.server() as server, server.fresh_database() as urls:
        asyncio.run(_correct(urls, [Path(name).resolve() for name in sys.argv[1:]] or PAGES))
