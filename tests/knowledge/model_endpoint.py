"""A small model of word vectors as an embeddings endpoint, in a process and an environment of its own.

    python tests/knowledge/model_endpoint.py

It prints its port. The environment has the library `wordllama`, whose wheel brings a model of 256 dimensions.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import wordllama  # type: ignore[import-not-found]  # in that environment

model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


class Handler(BaseHTTPRequestHandler):
    """Answers as `/v1/embeddings` does."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Return the vectors of texts."""
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        vectors = model.embed(sent["input"], norm=True).tolist()
        data = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]
        body = json.dumps({"data": data, "model": sent["model"]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)  # noqa: T201  # the test reads it
server.serve_forever()
