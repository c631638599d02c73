"""Behind a real nginx with TLS and HTTP/2, clients are answered, and limited by their own address."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest

from agentdata.operations import api_keys
from tests.nginx import CURL, needs_nginx, nginx
from tests.test_cli import started
from tests.test_door import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["started"]

pytestmark = [needs_nginx, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(started: Path) -> Iterator[Served]:
    """Provide a server that trusts the proxy."""
    with served(
        started, AGENTDATA_TRUSTED_PROXIES="127.0.0.1, ::1", AGENTDATA_MAX_BODY_BYTES="2000000"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def url(server: Served) -> Iterator[str]:
    """Provide the URL of nginx in front of it."""
    with nginx(server.address[1]) as url:
        yield url


def curl(
    url: str, *arguments: str, body: bytes = b'{"query": "{ project { slug } }"}'
) -> tuple[str, int, bytes]:
    """Send a request by HTTP/2, and return the version of HTTP, the status and the body of the answer."""
    assert CURL
    options = [
        "--insecure",
        "--silent",
        "--http2",
        "--data-binary",
        "@-",
        "-H",
        "Content-Type: application/json",
    ]
    done = subprocess.run(  # noqa: S603 found in the PATH
        [CURL, *options, "-w", "\n%{http_version} %{http_code}", *arguments, f"{url}/graphql"],
        input=body,
        capture_output=True,
        check=True,
    )
    answer, _, end = done.stdout.rpartition(b"\n")
    version, status = end.decode().split()
    return version, int(status), answer


def code_of(answer: bytes) -> str:
    """Return the code of the only error."""
    [error] = orjson.loads(answer)["errors"]
    return str(error["extensions"]["code"])


def test_a_request_by_http_2_and_tls_is_answered(server: Served, url: str) -> None:
    version, status, answer = curl(url, "-H", f"Authorization: Bearer {server.key}")
    assert (version, status) == ("2", 200)
    assert orjson.loads(answer) == {"data": {"project": {"slug": "default"}}}


def test_a_body_that_is_too_large_is_refused_by_the_api(server: Served, url: str) -> None:
    key = f"Authorization: Bearer {server.key}"
    version, status, answer = curl(url, "-H", key, body=b" " * 3_000_000)
    assert (version, status, code_of(answer)) == ("2", 413, "LIMIT_EXCEEDED")


def test_headers_that_are_too_large_are_refused_by_the_api(url: str) -> None:
    lines = [part for number in range(3) for part in ("-H", f"X-{number}: {'a' * 7000}")]
    version, status, answer = curl(url, *lines)
    assert (version, status, code_of(answer)) == ("2", 431, "LIMIT_EXCEEDED")


def test_made_up_keys_are_throttled_by_the_address_that_nginx_saw(server: Served, url: str) -> None:
    transport = httpx.HTTPTransport(local_address="127.0.0.3", verify=False)
    with httpx.Client(transport=transport, base_url=url) as client:
        statuses: list[int] = []
        while 429 not in statuses:
            assert len(statuses) < 1000
            headers = {"Authorization": f"Bearer {api_keys.new_secret()}", "X-Forwarded-For": "10.0.0.1"}
            statuses.append(client.post("/graphql", json={"query": "{ a }"}, headers=headers).status_code)
    assert server.logged("refused: unknown_keys, from 127.0.0.3") == 1
    made_up = f"Authorization: Bearer {api_keys.new_secret()}"
    forged = ("-H", "X-Forwarded-For: 127.0.0.3")
    assert curl(url, "--interface", "127.0.0.4", "-H", made_up, *forged)[1] == 401
