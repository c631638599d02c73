"""Makes hostile requests: operations, documents, bodies and bytes that were changed at random."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from tests.engine.mutations import MutationMaker
from tests.engine.operations import QueryMaker

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.engine.operations import Facts

TOKENS = re.compile(r'"(?:[^"\\\n]|\\.)*"|\.\.\.|[A-Za-z_]\w*|-?\d+(?:\.\d+)?|[^\s\w]')

_MARK = re.compile(r"@cursor \d+ \d+@")

_STRANGE_TOKENS = (
    "{", "}", "(", ")", "[", "]", ":", "!", "$", "@", "...", "|", "&", "=", ",", '"', '"""', "#", "\\",
    "\0", "\ufeff", "\u2028", "null", "true", "on", "fragment", "query", "mutation", "subscription",
    "__typename", "__schema", "__type", "first", "-1", "0", "1e400", "99999999999999999999", "1.0", '""',
    '"\\u0000"', '"\\uD800"', "$x", "@include(if: true)", "@skip(if: $x)", "@defer", "@stream", "node",
    "project",
)  # fmt: skip

_STRANGE_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 10**400, 0.5, 1e308, 5e-324, "", "\0", "\ud800",
    "a" * 5_000, "%s%n%x", "'; DROP TABLE sessions; --", "../../etc/passwd", "\u202e\u200d", "٣", "NaN",
    "Infinity", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-14:00", "2026-13-45",
    "00000000-0000-0000-0000-000000000000", [], {}, [[]], [None], {"": ""}, {"eq": None}, {"in": []},
    {"or": [{}]}, {"not": {"not": {"not": {}}}}, ["a"] * 2_000,
)  # fmt: skip

_HEADERS = (
    b"Accept: */*;q=nan", b"Accept: a/b;q=1e999,\x80", b"Content-Type: application/json; charset=utf-16",
    b"Content-Length: -1", b"Content-Length: 99999999999999999999", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity, chunked", b"Expect: 100-continue", b"Upgrade: websocket",
    b"Connection: close", b"Content-Encoding: gzip", b"Authorization: Basic YTpi", b"Authorization: Bearer",
    b"Authorization: Bearer \xff", b"X-Forwarded-For: ' OR 1=1", b"traceparent: 00-zz-zz-zz",
    b"x-request-id: \x01\x02", b"Origin: null", b": no name", b"no colon", b"Cookie: " + b"a" * 3_000,
    b"Host: \xe2\x80\xae",
)  # fmt: skip


class HostileRequest(NamedTuple):
    """The bytes of a request, and the kind of change that made it."""

    kind: str
    content: bytes


@dataclass
class HostileMaker:
    """Makes requests for the holder of a key."""

    random: Random
    facts: Facts
    secret: str
    cursors: tuple[str, ...]
    """Cursors of real lists."""

    def request(self) -> HostileRequest:
        """Make a request."""
        kinds: list[tuple[int, Callable[[], bytes]]] = [
            (30, self.valid),
            (25, self.changed_document),
            (20, self.changed_values),
            (10, self.changed_body),
            (5, self.by_get),
            (10, self.changed_bytes),
        ]
        [make] = self.random.choices([make for _, make in kinds], [weight for weight, _ in kinds])
        return HostileRequest(make.__name__, make())

    def valid(self) -> bytes:
        """Make an operation that is mostly valid."""
        return self.post(json.dumps(self.body()).encode())

    def changed_document(self) -> bytes:
        """Change tokens of a document."""
        body = self.body()
        tokens = TOKENS.findall(body["query"])
        for _ in range(self.random.randrange(1, 6)):
            at = self.random.randrange(len(tokens))
            other = self.random.choice([self.random.choice(tokens), self.random.choice(_STRANGE_TOKENS)])
            start, end = sorted(self.random.randrange(len(tokens) + 1) for _ in range(2))
            match self.random.randrange(5):
                case 0:
                    tokens[at] = other
                case 1:
                    tokens.insert(at, other)
                case 2 if len(tokens) > 1:
                    del tokens[at]
                case 3:
                    tokens[at:at] = tokens[start:end][:200]
                case _:
                    tokens[at : at + 1] = [tokens[at]] * self.random.choice([2, 50])
        return self.post(json.dumps(body | {"query": " ".join(tokens)}).encode())

    def changed_values(self) -> bytes:
        """Change values of the variables, at any depth."""
        body = self.body()
        variables = body["variables"]
        for name in variables:
            if self.random.randrange(2):
                variables[name] = self._changed(variables[name])
        return self.post(json.dumps(body).encode())

    def changed_body(self) -> bytes:
        """Change the body as JSON, or as text."""
        body = self.body()
        if self.random.randrange(2):
            name = self.random.choice(
                ["query", "variables", "operationName", "extensions", "id", "documentId"]
            )
            body[name] = self.random.choice(_STRANGE_VALUES)
            content = json.dumps(body).encode()
        else:
            content = self._torn(json.dumps([body, body] if self.random.randrange(5) == 0 else body).encode())
        return self.post(content)

    def by_get(self) -> bytes:
        """Send an operation in the URL."""
        body = self.body()
        query = "&".join(
            f"{name}={quote(value if isinstance(value, str) else json.dumps(value))}"
            for name, value in body.items()
        )
        path = f"/graphql?{query}".encode()
        if self.random.randrange(3) == 0:
            path = self._torn(path).replace(b"\r", b"").replace(b"\n", b"")
        return b"GET " + path + b" HTTP/1.1\r\n" + self._head() + b"\r\n"

    def changed_bytes(self) -> bytes:
        """Change the head of a request as bytes."""
        content = json.dumps(self.body()).encode()
        method = self.random.choice(
            [b"POST", b"PUT", b"HEAD", b"OPTIONS", b"post", b"PRI", b"\x16\x03\x01", b"TRACE"]
        )
        path = self.random.choice(
            [b"/graphql", b"/", b"/health", b"/graphql/", b"//graphql", b"/%00", b"/metrics", b"*"]
        )
        extra = self.random.sample(_HEADERS, self.random.randrange(4))
        head = (
            method
            + b" "
            + path
            + b" HTTP/1.1\r\n"
            + self._head()
            + b"".join(each + b"\r\n" for each in extra)
        )
        whole = head + b"Content-Length: %d\r\n\r\n" % len(content) + content
        return self._torn(whole) if self.random.randrange(3) == 0 else whole

    def body(self) -> dict[str, Any]:
        """Return the body of an operation, with cursors where it has marks."""
        maker = self.random.choice([QueryMaker, MutationMaker])
        operation = maker(self.random, self.facts).operation()
        return {
            "query": self._with_cursors(operation.document),
            "variables": json.loads(self._with_cursors(json.dumps(self.random.choice(operation.variants)))),
        }

    def post(self, content: bytes) -> bytes:
        """Return the bytes of a POST request."""
        head = b"POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\n" + self._head()
        return head + b"Content-Length: %d\r\n\r\n" % len(content) + content

    def _head(self) -> bytes:
        return f"Host: localhost\r\nAuthorization: Bearer {self.secret}\r\n".encode()

    def _with_cursors(self, text: str) -> str:
        return _MARK.sub(lambda _: self._cursor(), text)

    def _cursor(self) -> str:
        cursor = self.random.choice(self.cursors)
        if self.random.randrange(3):
            return cursor
        at = self.random.randrange(len(cursor))
        return cursor[:at] + self.random.choice("Aa0_-=+/") + cursor[at + self.random.randrange(2) :]

    def _changed(self, value: Any) -> Any:
        if isinstance(value, dict) and value and self.random.randrange(4):
            name = self.random.choice([*value])
            return value | {name: self._changed(value[name])}
        if isinstance(value, list) and value and self.random.randrange(4):
            at = self.random.randrange(len(value))
            return [*value[:at], self._changed(value[at]), *value[at + 1 :]]
        wrapped: list[Any] = [[value], {"a": value}, [value] * 1_500]
        return self.random.choice([*_STRANGE_VALUES, *wrapped])

    def _torn(self, content: bytes) -> bytes:
        changed = bytearray(content)
        for _ in range(self.random.randrange(1, 5)):
            at = self.random.randrange(len(changed))
            match self.random.randrange(3):
                case 0:
                    changed[at] = self.random.randrange(256)
                case 1:
                    del changed[at : at + self.random.randrange(1, 20)]
                case _:
                    changed[at:at] = self.random.randbytes(self.random.randrange(1, 20))
            if not changed:
                return b"\0"
        return bytes(changed)
