"""GraphQL over HTTP as its specification has it: what a request says and how it wants to be answered."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from agentdata.errors import AgentDataError, BadUserInputError, PersistedQueryNotSupportedError
from agentdata.exact_json import read_json

_SHOWN = '{"query": "{ … }", "variables": {}}'


class MediaType(Enum):
    """What a response can be written as, the preferred one first."""

    GRAPHQL = "application/graphql-response+json"
    JSON = "application/json"
    HTML = "text/html"


class RefusalError(Exception):
    """A request that HTTP has a status for; it is not executed."""

    def __init__(
        self, status: HTTPStatus, error: AgentDataError, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = headers


class GraphQLRequest(NamedTuple):
    """What a client asks to be run."""

    query: str
    operation_name: str | None
    variables: dict[str, Any]
    explain: bool = False
    """Whether the answer tells how it was read, beside what was read."""


@lru_cache(maxsize=256)
def negotiate(accept: str, *, page: bool = False) -> MediaType | None:
    """Choose the media type that an Accept header likes best, or None where it allows none of ours.

    An empty header and `*/*` choose `application/graphql-response+json`, and the page only counts where it is
    named.
    """
    offers = [offer for offer in MediaType if page or offer is not MediaType.HTML]
    qualities = {offer: _quality(accept or "*/*", offer) for offer in offers}
    best = max(offers, key=qualities.__getitem__)
    return best if qualities[best] > 0 else None


def _quality(accept: str, offer: MediaType) -> float:
    """Give the weight of the most specific range that a media type falls in."""
    exact, group, everything = None, None, None
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((_weight(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        if name == offer.value:
            exact = weight
        elif name == offer.value.partition("/")[0] + "/*":
            group = weight
        elif name == "*/*":
            everything = weight
    if offer is MediaType.HTML:
        return exact or 0.0
    return next((weight for weight in (exact, group, everything) if weight is not None), 0.0)


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


@lru_cache(maxsize=256)
def is_json(content_type: str) -> bool:
    """Tell whether a body of a content type is JSON in UTF-8."""
    name, *parameters = (piece.strip().lower() for piece in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    return name == MediaType.JSON.value and all(charset in {"utf-8", "utf8"} for charset in charsets)


def read_body(body: bytes | bytearray) -> GraphQLRequest:
    """Read a request from the JSON of a body.

    Raises:
        RefusalError: The body is not JSON in UTF-8, or its members are not of the types they must have.

    """
    try:
        value = read_json(body)
    except JSONDecodeError as error:
        raise _bad(f"the body is not valid JSON ({error.msg} at byte {error.pos}); send {_SHOWN}") from None
    if isinstance(value, list):
        raise _bad("batches are not supported; send one request for each operation")
    if not isinstance(value, dict):
        raise _bad(f"the body is JSON, but not an object; send {_SHOWN}")
    return _read(value)


def read_query_string(query_string: bytes) -> GraphQLRequest:
    """Read a request from the query of a URL, whose `variables` and `extensions` are JSON.

    Raises:
        RefusalError: A parameter is missing, repeated, not UTF-8, or not of the type it must have.

    """
    try:
        given = parse_qs(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
        )
    except ValueError:
        raise _bad("the URL's query is not UTF-8 encoded as %XX, or has more than 50 parameters") from None
    value: dict[str, Any] = {}
    for name in ("query", "operationName", "variables", "extensions"):
        texts = given.get(name, [])
        if len(texts) > 1:
            raise _bad(f"`{name}` stands in the URL {len(texts)} times; give it once", name)
        text = texts[0] if texts else ""
        if text and name in {"variables", "extensions"}:
            try:
                value[name] = read_json(text)
            except JSONDecodeError as error:
                raise _bad(f"`{name}` is not valid JSON ({error.msg})", name) from None
        elif text:
            value[name] = text
    return _read(value)


def _read(value: dict[str, Any]) -> GraphQLRequest:
    query = value.get("query")
    if not query and _names_persisted_query(value.get("extensions")):
        # Apollo's clients look for this message and code, and then send the query itself. Some of them read
        # no answer of another status than 200, which is what Apollo Server answers with.
        raise RefusalError(HTTPStatus.OK, PersistedQueryNotSupportedError("PersistedQueryNotSupported"))
    if query is None:
        raise _bad(f"`query` is missing; send {_SHOWN}", "query")
    operation_name = value.get("operationName")
    variables = value.get("variables")
    for name, given, type_, said in (
        ("query", query, str, "a string"),
        ("operationName", operation_name, str, "a string"),
        ("variables", variables, dict, "an object"),
        ("extensions", value.get("extensions"), dict, "an object"),
    ):
        if given is not None and not isinstance(given, type_):
            raise _bad(f"`{name}` must be {said}", name)
    if not query.strip():
        raise _bad(f"`query` is empty; send {_SHOWN}", "query")
    explain = (value.get("extensions") or {}).get("explain", False)
    if not isinstance(explain, bool):
        raise _bad("`extensions.explain` must be true or false", "extensions.explain")
    return GraphQLRequest(query, operation_name or None, variables or {}, explain)


def _names_persisted_query(extensions: Any) -> bool:
    return isinstance(extensions, dict) and isinstance(extensions.get("persistedQuery"), dict)


def _bad(message: str, field: str | None = None) -> RefusalError:
    return RefusalError(HTTPStatus.BAD_REQUEST, BadUserInputError(message, field=field))
