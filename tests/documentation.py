"""The examples of the documentation: read from its pages, run in order, compared with what the pages show.

A ```graphql block is sent as it stands, with the ```json variables block behind it, if there is one. The
```json block that follows is the answer. A shell block with `curl` and an answer behind it is sent too, with
the Authorization that it gives, if any. Each page has a project of its own, which begins empty, or with the
demo data for those of `ON_DEMO_DATA`.

Ids and cursors differ from run to run: those of the page stand for those of the run wherever they come again.
Times stand for any time, unless a request of the page gave them. Locations of errors may be left out.

`python -m tests.documentation` runs all pages, or those that it is given, and writes the true answers and
tables into them where they are missing or wrong.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
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
from tests import databases
from tests.serving import Key, make_key, serving
from tests.tables import with_tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from agentdata.database_urls import DatabaseUrls

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

ON_DEMO_DATA = {ROOT / "README.md"}
"""Pages whose examples are asked of the data of `agentdata demo`."""

OF_THE_PROJECT = "Bearer $(cat .agentdata/api-key)"
"""The header with the first API key of the project, as a shell would make it."""

_FENCE = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECRET = re.compile(r"ad_[A-Za-z0-9]{8}(_[A-Za-z0-9]{43})?")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{24,}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_WIDTH = 100


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: what it is, its text, and where in the page the text stands."""

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


def blocks(page: str) -> list[Block]:
    """Give the fenced blocks of a page."""
    return [Block(m["kind"], m["text"], m.start("text"), m.end("text")) for m in _FENCE.finditer(page)]


def examples(page: str) -> list[Example]:
    """Give the requests of a page with their answers; raises ValueError where one has none."""
    found: list[Example] = []
    rest = blocks(page)
    while rest:
        block = rest.pop(0)
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
    """One page's run: what was sent, and which id or cursor of the page stands for which of the run."""

    stands_for: dict[str, str] = field(default_factory=dict)
    requests: str = ""

    def sent(self, example: Example) -> tuple[dict[str, Any], str | None]:
        """Give the request and the authorization of an example with the ids, cursors and keys of the run."""
        authorization = example.authorization and self._in_run(example.authorization)
        request = json.dumps(example.request)
        self.requests += request
        return dict(json.loads(self._in_run(request))), authorization

    def shown(self, answer: Any) -> str:
        """Give an answer as the page shows it, with the page's ids and cursors."""
        text = _pretty(_without_locations(answer))
        for there, here in self.stands_for.items():
            text = text.replace(here, there)
        return text + "\n"

    def same(self, shown: Any, answer: Any) -> bool:
        """Tell whether an answer is what the page shows; learns the ids and cursors that are new."""
        match shown, answer:
            case dict(), dict():
                given = answer if "locations" in shown else _without_location(answer)
                return shown.keys() == given.keys() and all(
                    self.same(value, given[key]) for key, value in shown.items()
                )
            case list(), list():
                return len(shown) == len(answer) and all(map(self.same, shown, answer))
            case str(), str():
                return self._same_text(shown, answer)
            case _:
                return type(shown) is type(answer) and bool(shown == answer)

    def _same_text(self, shown: str, answer: str) -> bool:
        if shown == answer:
            return True
        if _TIME.fullmatch(shown) and _TIME.fullmatch(answer):
            return shown not in self.requests
        if any(kind.fullmatch(shown) and kind.fullmatch(answer) for kind in (_ID, _SECRET, _CURSOR)):
            return self.stands_for.setdefault(shown, answer) == answer
        return self._in_run(shown) == answer

    def _in_run(self, text: str) -> str:
        for there, here in self.stands_for.items():
            text = text.replace(there, here)
        return text


def _without_location(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != "locations"}


def _without_locations(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_locations(item) for key, item in _without_location(value).items()}
    return [_without_locations(item) for item in value] if isinstance(value, list) else value


def _pretty(value: Any, indent: str = "", before: int = 0) -> str:
    """Write JSON with each object or list on one line where it fits."""
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
        """Fill the project with what a page's examples are asked of, where that is not what they write."""
        if path in ON_DEMO_DATA:
            async with acting_in(self.urls.owner, self.key.slug) as write:
                assert await load(write)

    async def send(self, request: dict[str, Any], authorization: str | None) -> Any:
        """Send a request as an example has it and give what comes back."""
        headers = {"Accept": "application/json"}
        if authorization is not None:
            own = f"Bearer {self.key.secret}"
            headers["Authorization"] = own if authorization == OF_THE_PROJECT else authorization
        return (await self.client.post("/graphql", json=request, headers=headers)).json()


async def corrected(page: str, project: Project) -> str:
    """Run the examples of a page, and give the page with the true answers where it shows others."""
    run, changes = Run(), []
    for example in examples(page):
        answer = await project.send(*run.sent(example))
        shown = json.loads(example.answer.text) if example.answer.text.strip() else None
        if not run.same(shown, answer):
            changes.append((example.answer, run.shown(answer)))
    for block, text in reversed(changes):
        page = page[: block.start] + text + page[block.end :]
    return with_tables(page)


@asynccontextmanager
async def serving_pages(urls: DatabaseUrls) -> AsyncIterator[Callable[[], Awaitable[Project]]]:
    """Serve the API on a database; gives what makes a new project."""
    async with (
        serving(create_app(Settings(), urls.request)) as (host, port),
        AsyncClient(base_url=f"http://{host}:{port}") as client,
    ):

        async def new_project() -> Project:
            return Project(client, await make_key(urls), urls)

        yield new_project


async def _write(urls: DatabaseUrls, paths: list[Path]) -> None:
    await provision.ensure_role(urls.owner, request_url=urls.request)
    await migrations.upgrade(urls.owner)
    async with serving_pages(urls) as new_project:
        for path in paths:
            project = await new_project()
            await project.prepare(path)
            path.write_text(await corrected(path.read_text(), project))


if __name__ == "__main__":
    with databases.server() as server, server.fresh_database() as urls:
        asyncio.run(_write(urls, [Path(name).resolve() for name in sys.argv[1:]] or PAGES))
