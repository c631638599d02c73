"""Serves an application as `agentdata serve` does: one process, uvloop and httptools, no access log."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def serve(app: ASGIApp) -> None:
    """Listen on a free port, print it, and serve until the process is terminated."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        # Clients that connect before the application has started wait for it.
        listener.listen(2048)
        config = uvicorn.Config(
            app, loop="uvloop", http="httptools", log_level="warning", access_log=False, server_header=False
        )
        print(listener.getsockname()[1], flush=True)  # noqa: T201 - how the benchmark learns the port
        uvicorn.Server(config).run(sockets=[listener])
