"""The GraphQL-over-HTTP specification: reading requests and choosing the media type of the answer."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from agentdata.engine.aside import Aside
from agentdata.errors import (
    AgentDataError,
    BadUserInputError,
    LimitExceededError,
    OverloadedError,
    TimedOutError,
)
from agentdata.exact_json import TooManyValuesError, has_many_values, read_json

_SMALL_BYTES = 4_000
"""A body up to this size is read, and its variables are checked, without a thread."""

_MEDIUM_BYTES = 256_000
"""A body up to this size is read without a thread: it takes up to 5 ms."""

READING = Aside("reading", 100)
"""Reads large bodies."""

Headers = tuple[tuple[bytes, bytes], ...]

PERSISTED_QUERY = "extensions.persistedQuery.sha256Hash"
"""Where Apollo's clients name a document."""

SHA256 = "sha256:"
"""The prefix of a document's identifier that is the SHA-256 of its text in UTF-8."""

MAX_REMEMBERED = 256
"""The longest header, in characters, whose meaning is remembered; no client's content type is longer."""

_MAX_RANGES = 100
_MAX_PARAMETERS = 10
"""The number of media ranges, and of the parameters of each, that are read in an Accept header."""

_EXAMPLE = '{"query": "{ … }", "variables": {}}'


_MAX_ID = 200
"""The most characters that the identifier of a document has."""

_SHA256_HEX = re.compile("[0-9a-f]{64}")


class MediaType(Enum):
    """The media types of responses, in order of preference."""

    GRAPHQL = "application/graphql-response+json"
    JSON = "application/json"
    HTML = "text/html"


class RefusalError(Exception):
    """A request that is refused with an HTTP status, without being executed."""

    def __init__(self, status: HTTPStatus, error: AgentDataError, headers: Headers = ()) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = headers


class DocumentName(NamedTuple):
    """A request's name for a document."""

    id: str
    """The identifier, in the form of ``document_id``."""
    field: str
    """Where the request has it: `documentId` or ``PERSISTED_QUERY``."""


class GraphQLRequest(NamedTuple):
    """A GraphQL request of a client. It sends a document, names one, or does both."""

    query: str
    """The document; empty if the request only names one."""
    operation_name: str | None
    variables: dict[str, Any]
    explain: bool = False
    """Whether the answer includes an explanation of how it was read."""
    document: DocumentName | None = None
    cost: bool = False
    """Whether the answer says what it cost."""
    large: bool = False
    """Whether the variables are many values, which take long to check."""


def negotiate(accept: str, *, page: bool = False) -> MediaType | None:
    """Return the media type that an Accept header prefers, or None if it accepts none of ours.

    Of types with the same weight the first is chosen, but `application/graphql-response+json` only if the
    header names it: an empty header and `*/*` choose `application/json`, which old clients expect. HTML is
    only chosen if the header names it. Of a long header only the first ranges are read.
    """
    if len(accept) <= MAX_REMEMBERED:
        return _negotiate_remembered(accept, page=page)
    return _negotiate(accept, page=page)


def _negotiate(accept: str, *, page: bool) -> MediaType | None:
    offers = [offer for offer in MediaType if page or offer is not MediaType.HTML]
    accepted = weights(accept or "*/*")
    qualities = {offer: _quality(accepted, offer) for offer in offers}
    best = max(offers, key=qualities.__getitem__)
    if MediaType.GRAPHQL.value not in accept.lower() and qualities[best] == qualities[MediaType.JSON]:
        best = MediaType.JSON
    return best if qualities[best] > 0 else None


_negotiate_remembered = lru_cache(maxsize=256)(_negotiate)


def _quality(accepted: dict[str, float], offer: MediaType) -> float:
    """Return the weight of the most specific range that includes a media type."""
    if offer is MediaType.HTML:
        return accepted.get(offer.value, 0.0)
    ranges = (offer.value, offer.value.partition("/")[0] + "/*", "*/*")
    return next((accepted[name] for name in ranges if name in accepted), 0.0)


def weights(header: str) -> dict[str, float]:
    """Return the weight of each name in an Accept or Accept-Encoding header, from 0 to 1.

    Of a long header only the first names are read.
    """
    found = {}
    for part in header.split(",", _MAX_RANGES)[:_MAX_RANGES]:
        name, *parameters = (piece.strip().lower() for piece in part.split(";", _MAX_PARAMETERS))
        found[name] = next((_weight(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
    return found


def _weight(text: str) -> float:
    try:
        # In this order NaN is 0.
        return min(max(0.0, float(text)), 1.0)
    except ValueError:
        return 0.0


def is_json(content_type: str) -> bool:
    """Return whether a content type means JSON in UTF-8."""
    return len(content_type) <= MAX_REMEMBERED and _is_json(content_type)


@lru_cache(maxsize=256)
def _is_json(content_type: str) -> bool:
    name, *parameters = (piece.strip().lower() for piece in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    return name == MediaType.JSON.value and all(charset in {"utf-8", "utf8"} for charset in charsets)


def read_body(body: bytes | bytearray) -> GraphQLRequest:
    """Read a request from the JSON of a body.

    Raises:
        RefusalError: The body is not JSON in UTF-8, or a member has the wrong type.

    """
    try:
        value = read_json(body)
    except JSONDecodeError as error:
        raise _bad_request(
            f"the body is not valid JSON ({error.msg} at byte {error.pos}); send {_EXAMPLE}"
        ) from None
    except TooManyValuesError:
        raise RefusalError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            LimitExceededError("the body has more than 1,000,000 values; send it in several requests"),
        ) from None
    if isinstance(value, list):
        raise _bad_request("batches are not supported; send one request for each operation")
    if not isinstance(value, dict):
        raise _bad_request(f"the body is JSON, but not an object; send {_EXAMPLE}")
    return _request_from(value)


async def read_body_aside(body: bytes | bytearray) -> GraphQLRequest:
    """Read a request as ``read_body`` does, a large one in a thread.

    Raises:
        RefusalError: As ``read_body`` does.
        OverloadedError: Too many large bodies wait.

    """
    if len(body) <= _SMALL_BYTES:
        return read_body(body)
    many = has_many_values(body)
    if len(body) <= _MEDIUM_BYTES:
        request = read_body(body)
    else:
        request = await READING.run(read_body, body)
    return request._replace(large=many)


def read_query_string(query_string: bytes) -> GraphQLRequest:
    """Read a request from the query of a URL, whose `variables` and `extensions` are JSON.

    Raises:
        RefusalError: A parameter is missing, repeated, not UTF-8, or of the wrong type.

    """
    try:
        parameters = parse_qs(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
        )
    except ValueError:
        raise _bad_request(
            "the URL's query is not UTF-8 encoded as %XX, or has more than 50 parameters"
        ) from None
    value: dict[str, Any] = {}
    for name in ("query", "documentId", "operationName", "variables", "extensions"):
        texts = parameters.get(name, [])
        if len(texts) > 1:
            raise _bad_request(f"`{name}` appears {len(texts)} times in the URL; send it once", name)
        text = texts[0] if texts else ""
        if text and name in {"variables", "extensions"}:
            try:
                value[name] = read_json(text)
            except JSONDecodeError as error:
                raise _bad_request(f"`{name}` is not valid JSON ({error.msg})", name) from None
        elif text:
            value[name] = text
    return _request_from(value)


def _request_from(value: dict[str, Any]) -> GraphQLRequest:
    query = value.get("query")
    named = _document_name(value)
    if query is None and named is None:
        raise _bad_request(f"`query` is missing; send {_EXAMPLE}", "query")
    operation_name = value.get("operationName")
    variables = value.get("variables")
    for name, member, type_, description in (
        ("query", query, str, "a string"),
        ("operationName", operation_name, str, "a string"),
        ("variables", variables, dict, "an object"),
        ("extensions", value.get("extensions"), dict, "an object"),
    ):
        if member is not None and not isinstance(member, type_):
            raise _bad_request(f"`{name}` must be {description}", name)
    if named is None and not (query or "").strip():
        raise _bad_request(f"`query` is empty; send {_EXAMPLE}", "query")
    extensions = value.get("extensions") or {}
    explain, cost = extensions.get("explain", False), extensions.get("cost", False)
    for name, wanted in (("explain", explain), ("cost", cost)):
        if not isinstance(wanted, bool):
            raise _bad_request(f"`extensions.{name}` must be true or false", f"extensions.{name}")
    return GraphQLRequest(query or "", operation_name or None, variables or {}, explain, named, cost)


def document_id(text: str) -> str:
    """Return the identifier of a document in one form: Apollo's clients leave out the prefix of a SHA-256."""
    return SHA256 + text if _SHA256_HEX.fullmatch(text) else text


def _document_name(value: dict[str, Any]) -> DocumentName | None:
    """Return the name that a request has for a document, or None if it has none."""
    extensions, id_ = value.get("extensions"), value.get("documentId")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    if not isinstance(persisted, dict):
        persisted = None
    if id_ is None and persisted is None:
        return None
    if id_ is not None and persisted is not None:
        raise _bad_request("`documentId` and `extensions.persistedQuery` both name a document; send one")
    if persisted is not None and persisted.get("version", 1) != 1:
        raise _bad_request(
            "`extensions.persistedQuery.version` must be 1, the only version", "extensions.persistedQuery"
        )
    field = "documentId" if persisted is None else PERSISTED_QUERY
    named = id_ if persisted is None else persisted.get("sha256Hash")
    if not isinstance(named, str) or not 0 < len(named) <= _MAX_ID:
        raise _bad_request(f"`{field}` must be a string of 1 to {_MAX_ID} characters", field)
    return DocumentName(document_id(named), field)


def _bad_request(message: str, field: str | None = None) -> RefusalError:
    return RefusalError(HTTPStatus.BAD_REQUEST, BadUserInputError(message, field=field))


_UNAVAILABLE: dict[str, tuple[HTTPStatus, Headers]] = {
    OverloadedError.code: (HTTPStatus.SERVICE_UNAVAILABLE, ((b"retry-after", b"1"),)),
    TimedOutError.code: (HTTPStatus.GATEWAY_TIMEOUT, ()),
}
"""The status and headers of an answer without data, by the code of its errors."""


def status_of(content: dict[str, Any]) -> tuple[HTTPStatus, Headers]:
    """Return the status and headers of an answer with errors.

    It is 503 or 504 if the server answered nothing because it was overloaded or too slow, and 200 otherwise.
    `application/json` makes no difference: proxies, monitors and clients have to notice.
    """
    data, errors = content.get("data"), content["errors"]
    failed = {error["path"][0] for error in errors if error.get("path")}
    answered = data is not None and any(key not in failed or data[key] is not None for key in data)
    codes = {error["extensions"]["code"] for error in errors}
    if answered or not codes <= _UNAVAILABLE.keys():
        return HTTPStatus.OK, ()
    return _UNAVAILABLE[OverloadedError.code if OverloadedError.code in codes else TimedOutError.code]
