"""An embeddings endpoint of the tests' own: a real HTTP server whose vectors are hashed bags of words."""

from __future__ import annotations

import base64
import json
import math
import re
import threading
from array import array
from collections import deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIMENSIONS = 512
MODEL = "bags-of-words"


class Answer(NamedTuple):
    """An answer of the endpoint."""

    status: int
    content: Any
    headers: dict[str, str] = {}  # noqa: RUF012  # nobody changes it


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return the vector of a text: texts with common words have similar ones."""
    numbers = array("f", bytes(4 * dimensions))
    for word in re.findall(r"\w+", text.lower()) or [text]:
        numbers[crc32(word.encode()) % dimensions] += 1
    length = math.sqrt(sum(number * number for number in numbers))
    return array("f", [number / length for number in numbers]).tolist()


def packed(numbers: list[float]) -> str:
    """Return a vector as base64, as OpenAI has it."""
    return base64.b64encode(array("f", numbers).tobytes()).decode()


class Endpoint:
    """The endpoint: what it was sent, and what it answers.

    ``next`` are answers for the next requests, before the usual ones; ``refuses`` says for which requests it
    has a refusal.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.next: deque[Answer | Callable[[dict[str, Any]], Answer]] = deque()
        self.refuses: Callable[[dict[str, Any]], Answer | None] = lambda _: None
        self.base64 = False
        self.waits = threading.Event()
        """Requests wait until it is set."""
        self.waits.set()
        self.most_at_a_time = 0
        self._at_a_time = 0
        self._lock = threading.Lock()

    @property
    def texts(self) -> list[str]:
        """All texts that it was sent, in order."""
        return [text for request in self.requests for text in request["input"]]

    def answer(self, path: str, headers: dict[str, str], request: dict[str, Any]) -> Answer:
        """Answer a request."""
        with self._lock:
            self.paths.append(path)
            self.headers.append(headers)
            self.requests.append(request)
            self._at_a_time += 1
            self.most_at_a_time = max(self.most_at_a_time, self._at_a_time)
            chosen = self.next.popleft() if self.next else None
        self.waits.wait(30)
        with self._lock:
            self._at_a_time -= 1
        if chosen is not None:
            return chosen(request) if callable(chosen) else chosen
        return self.refuses(request) or self.usual(request)

    def usual(self, request: dict[str, Any]) -> Answer:
        """Return the right answer to a request."""
        vectors = [vector(text, request.get("dimensions", DIMENSIONS)) for text in request["input"]]
        data = [
            {"object": "embedding", "index": index, "embedding": packed(each) if self.base64 else each}
            for index, each in enumerate(vectors)
        ]
        return Answer(200, {"object": "list", "data": data, "model": request["model"]})


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """Serve an endpoint in a thread."""
    served = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["content-length"]))
            answer = served.answer(self.path, dict(self.headers), json.loads(sent))
            body = (
                answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
            )
            self.send_response(answer.status)
            for name, value in {"content-length": str(len(body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Write nothing."""

        def handle(self) -> None:
            # A client that gives up closes the connection.
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        served.waits.set()
        server.shutdown()
        thread.join()
        server.server_close()
