"""Answers every request with as many bytes as its path says: what HTTP takes without anything behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn
from uuid_utils import uuid7

from agentdata.cli.serve import listen
from agentdata.door import Door, limits_of
from agentdata.http_protocol import http_protocol
from agentdata.middleware import SECURITY_HEADERS
from agentdata.settings import load_settings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Read a request, and answer with the headers of a GraphQL answer."""
    await receive()
    body = b" " * int(scope["path"][1:])
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *SECURITY_HEADERS,
        (b"x-request-id", str(uuid7()).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve with the HTTP protocol of `agentdata serve` until the process is terminated."""
    settings = load_settings()
    with listen("127.0.0.1", 0) as listener:
        listener.listen(2048)
        config = uvicorn.Config(
            answer,
            http=http_protocol(Door(limits_of(settings))),
            ws="none",
            timeout_keep_alive=settings.keep_alive_s,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        print(listener.getsockname()[1], flush=True)  # noqa: T201 - how the benchmark learns the port
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
