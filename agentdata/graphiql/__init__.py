"""GraphiQL, the page for exploring the API: the bundle built by graphiql/. It loads from no other host."""

import asyncio
from http import HTTPStatus
from importlib.resources import files
from os import PathLike, stat_result
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from agentdata.compression import Coding, coding_for

_FOLDER = Path(str(files(__name__)))
_INDEX = (_FOLDER / "index.html").read_text(encoding="utf-8")

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "worker-src": "'self'",
    # Monaco, the editor, positions its lines with style attributes and puts its theme into style elements; it
    # can mark neither with a nonce. Styles still cannot reach other hosts: the lines below restrict them.
    "style-src": "'self' 'unsafe-inline'",
    "connect-src": "'self'",
    "img-src": "'self' data:",  # Monaco's style sheet has a few icons as data: URLs
    "font-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}

_HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in _POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # The page names the assets of its own version, so browsers must check each time that it is current.
    "Cache-Control": "no-cache",
    # The same URL answers GraphQL requests.
    "Vary": "Accept",
}


def page(request: Request) -> Response:  # noqa: ARG001 - a Starlette endpoint takes the request
    """Return the GraphiQL page, which needs no key: it asks for one and sends it with each operation.

    The page must be served at a path without a trailing slash (`/graphql`). It sends operations to that path
    and loads `assets` from a path beside it.
    """
    return HTMLResponse(_INDEX, headers=_HEADERS)


_COMPRESSIBLE = {".css", ".js", ".svg", ".ttf", ".txt"}


class Assets(StaticFiles):
    """Files that never change, because each name includes a hash of the content.

    Each is compressed once, as small as it reasonably can be, when it is first asked for.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._compressed: dict[tuple[str, str], bytes] = {}
        self._turn = asyncio.Lock()

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file at a path, compressed if the client accepts it."""
        response = await super().get_response(path, scope)
        coding = coding_for(Headers(scope=scope).get("accept-encoding", ""))
        if not isinstance(response, FileResponse) or Path(response.path).suffix not in _COMPRESSIBLE:
            return response
        if coding is None or response.status_code != HTTPStatus.OK:
            return response
        body = await self._compress(Path(response.path), coding)
        kept = ("Cache-Control", "Content-Type", "Vary", "X-Content-Type-Options")
        headers = {name: response.headers[name] for name in kept}
        return Response(body, headers={**headers, "Content-Encoding": coding.name})

    async def _compress(self, path: Path, coding: Coding) -> bytes:
        key = str(path), coding.name
        if key not in self._compressed:
            async with self._turn:
                if key not in self._compressed:
                    self._compressed[key] = await asyncio.to_thread(lambda: coding.small(path.read_bytes()))
        return self._compressed[key]

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return a file that browsers keep for ever."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Vary"] = "Accept-Encoding"
        return response


assets = Mount("/graphiql", app=Assets(directory=_FOLDER / "assets"), name="graphiql")
"""The files that the page loads; they need no key either."""
