"""The GraphiQL page: its headers, and the completeness of the committed bundle."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from graphql import build_schema, parse, validate
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from agentdata.graphiql import Assets, assets, page
from tests.test_compression import DECOMPRESS

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "graphiql"
BUILT = ROOT / "agentdata" / "graphiql"

HASHED_NAME = re.compile(r"[\w.-]+-[0-9A-Z]{8}\.(?:js|css|ttf|woff2|svg|txt)")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    routes = [Route("/graphql", page), assets]
    app = Starlette(routes=[*routes, Mount("/behind/a/prefix", routes=routes)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agentdata") as client:
        yield client


def links(html: str) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]*)"', html)


async def test_the_content_security_policy_allows_only_what_the_page_needs(client: httpx.AsyncClient) -> None:
    header = (await client.get("/graphql")).headers["content-security-policy"]
    policy = dict(directive.split(maxsplit=1) for directive in header.split("; "))

    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "worker-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


async def test_the_page_is_html_that_browsers_must_revalidate(client: httpx.AsyncClient) -> None:
    response = await client.get("/graphql")

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["vary"] == "Accept"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"


async def test_the_page_has_no_inline_script_and_no_absolute_url(client: httpx.AsyncClient) -> None:
    html = (await client.get("/graphql")).text

    assert not re.search(r"//|\w+:[^ ]*\.\w", html), "an absolute URL"
    assert re.findall(r"<script\b[^>]*>([^<]*)", html) == [""]
    assert not re.search(r"<style|\son\w+=|\sstyle=", html)


@pytest.mark.parametrize("path", ["/graphql", "/behind/a/prefix/graphql"])
async def test_every_linked_asset_is_served_and_cached_for_ever(client: httpx.AsyncClient, path: str) -> None:
    linked = links((await client.get(path)).text)
    types = {}
    for link in linked:
        response = await client.get(urljoin(path, link))
        assert response.status_code == 200, link
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["x-content-type-options"] == "nosniff"
        types[Path(link).suffix] = response.headers["content-type"].partition(";")[0]

    assert types == {
        ".svg": "image/svg+xml",
        ".txt": "text/plain",
        ".css": "text/css",
        ".js": "text/javascript",
    }


@pytest.mark.parametrize("coding", [*DECOMPRESS])
async def test_scripts_are_compressed(client: httpx.AsyncClient, coding: str) -> None:
    [script] = [link for link in links((await client.get("/graphql")).text) if link.endswith(".js")]
    plain = await client.get(script, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    async with client.stream("GET", script, headers={"accept-encoding": coding}) as response:
        body = b"".join([part async for part in response.aiter_raw()])
    assert response.headers["content-encoding"] == coding
    assert response.headers["content-type"] == plain.headers["content-type"]
    assert response.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert DECOMPRESS[coding](body) == plain.content


async def test_a_file_is_compressed_once(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("first")
    transport = httpx.ASGITransport(Assets(directory=tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://agentdata") as client:
        for coding, text in (("gzip", "first"), ("gzip", "first"), ("br", "second")):
            assert (await client.get("/a.js", headers={"accept-encoding": coding})).text == text
            (tmp_path / "a.js").write_text("second")


async def test_a_script_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient) -> None:
    [script] = [link for link in links((await client.get("/graphql")).text) if link.endswith(".js")]
    known = (await client.get(script, headers={"accept-encoding": "identity"})).headers["etag"]
    response = await client.get(script, headers={"accept-encoding": "identity", "if-none-match": known})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["vary"] == "Accept-Encoding"


async def test_fonts_that_are_compressed_already_stay_as_they_are(client: httpx.AsyncClient) -> None:
    [font] = (BUILT / "assets").glob("roboto-latin-400*.woff2")
    response = await client.get(f"/graphiql/{font.name}", headers={"accept-encoding": "gzip, br, zstd"})
    assert "content-encoding" not in response.headers
    assert response.content == font.read_bytes()


@pytest.mark.parametrize(
    "path", ["/graphiql/", "/graphiql/none.js", "/graphiql/../index.html", "/graphiql/%2e%2e/__init__.py"]
)
async def test_only_the_assets_are_served(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 404
    assert "cache-control" not in response.headers


def test_the_assets_are_exactly_the_referenced_files() -> None:
    present = {file.name for file in (BUILT / "assets").iterdir()}
    texts = [BUILT / "index.html", *(BUILT / "assets").glob("main-*")]
    named = {
        Path(name).name for file in texts for name in HASHED_NAME.findall(file.read_text(encoding="utf-8"))
    }

    assert named == present


def test_no_script_evaluates_text_as_code() -> None:
    for script in (BUILT / "assets").glob("*.js"):
        assert not re.search(r"\bnew Function\(|(?<![\w.$])eval\(", script.read_text(encoding="utf-8")), (
            script.name
        )


def test_the_bundle_has_the_versions_that_package_json_pins() -> None:
    pinned: dict[str, str] = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    [licences] = (BUILT / "assets").glob("licences-*.txt")
    bundled = dict(re.findall(r"^(\S+) (\S+) \(.+\)$", licences.read_text(encoding="utf-8"), re.MULTILINE))

    assert {name: bundled.get(name) for name in pinned} == pinned
    assert f'content="GraphiQL {pinned["graphiql"]}"' in (BUILT / "index.html").read_text(encoding="utf-8")


def test_the_lock_file_has_pinned_versions_and_hashes_but_no_urls() -> None:
    pinned = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))
    packages = json.loads((SOURCE / "package-lock.json").read_text(encoding="utf-8"))["packages"]

    for name, version in (pinned["dependencies"] | pinned["devDependencies"]).items():
        assert packages[f"node_modules/{name}"]["version"] == version
    assert all("resolved" not in entry for entry in packages.values())
    assert all("integrity" in entry for name, entry in packages.items() if name)


def test_the_bundle_contains_the_welcome_query_of_its_source() -> None:
    [script] = (BUILT / "assets").glob("main-*.js")

    assert (SOURCE / "src" / "welcome.graphql").read_text(encoding="utf-8") in script.read_text(
        encoding="utf-8"
    )


def test_the_welcome_query_is_valid_in_the_contract() -> None:
    contract = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))
    query = parse((SOURCE / "src" / "welcome.graphql").read_text(encoding="utf-8"))

    assert validate(contract, query) == []
