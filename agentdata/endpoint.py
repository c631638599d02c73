"""The GraphQL endpoint: authenticates a request, runs its operation, and sends the answer."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import orjson
from graphql import OperationType
from starlette.requests import Request

from agentdata import compression
from agentdata.access import origin, root_fields, text_of
from agentdata.context import Context
from agentdata.engine.reporting import exception_entry, field_errors, request_errors
from agentdata.engine.requests.documents import InvalidRequestError
from agentdata.errors import (
    AgentDataError,
    BadUserInputError,
    ForbiddenError,
    LimitExceededError,
    OverloadedError,
    RateLimitedError,
    UnauthenticatedError,
)
from agentdata.middleware import SECURITY_HEADERS, SecurityHeaders
from agentdata.operations.access_records import Origin
from agentdata.protocol import (
    MediaType,
    RefusalError,
    is_json,
    negotiate,
    read_body_aside,
    read_query_string,
    status_of,
)
from agentdata.sight.failures import describe, drop_tracebacks
from agentdata.sight.request import current
from models.enums import ApiKeyScope

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from graphql import ExecutionResult
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from agentdata.allowance import Allowance
    from agentdata.auth import Authenticator
    from agentdata.database import Database
    from agentdata.deadlines import Deadlines
    from agentdata.embeddings import SearchVectors
    from agentdata.engine.requests.documents import Operation
    from agentdata.engine.requests.executor import Executor
    from agentdata.fairness import Fairness
    from agentdata.persisted import PersistedDocuments
    from agentdata.principal import Principal
    from agentdata.protocol import GraphQLRequest, Headers

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

_WATCH_DELAY_S = 0.01
"""How long an operation runs, in seconds, before we watch whether its client disconnects."""

_HEADERS = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
    }
)

_CHALLENGE = ((b"www-authenticate", b'Bearer realm="agentdata"'),)


class _Answer(NamedTuple):
    status: HTTPStatus
    content: dict[str, Any]
    headers: Headers = ()


class _ClientGoneError(Exception):
    """The client disconnected before its request was answered."""


class GraphQLEndpoint:
    """Answers GraphQL requests as the GraphQL-over-HTTP specification says, and browsers with a page.

    It is an ASGI application of its own because it must notice a client that disconnects during an operation.
    """

    def __init__(
        self,
        executor: Executor,
        database: Database,
        authenticator: Authenticator,
        documents: PersistedDocuments,
        fairness: Fairness,
        *,
        page: Callable[[Request], Response] | None,
        get: bool = True,
        max_body_bytes: int,
        records_reads: bool = False,
        vectors: SearchVectors | None = None,
    ) -> None:
        self._executor = executor
        self._database = database
        self._authenticator = authenticator
        self._documents = documents
        self._fairness = fairness
        self._page = page
        self._methods = ("GET", "POST") if get else ("POST",)
        self._max_body_bytes = max_body_bytes
        self._records_reads = records_reads
        self._vectors = vectors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers = _headers(scope)
        page = self._page is not None and scope["method"] == "GET"
        media = negotiate(headers.get(b"accept", ""), page=page)
        if media is MediaType.HTML and self._page is not None:
            await SecurityHeaders(self._page(Request(scope)))(scope, receive, send)
            return
        try:
            answer = await self._answer(scope, receive, headers, media)
        except _ClientGoneError:
            return
        except InvalidRequestError as error:
            answer = _Answer(_status_of_refusal(media), {"errors": request_errors(error.errors)})
            drop_tracebacks(error)
        except RefusalError as refusal:
            answer = _Answer(refusal.status, {"errors": [exception_entry(refusal.error)]}, refusal.headers)
        except UnauthenticatedError as error:
            answer = _Answer(HTTPStatus.UNAUTHORIZED, {"errors": [exception_entry(error)]}, _CHALLENGE)
        except RateLimitedError as error:
            headers_ = ((b"retry-after", str(error.retry_after_s).encode()),)
            answer = _Answer(HTTPStatus.TOO_MANY_REQUESTS, {"errors": [exception_entry(error)]}, headers_)
        except Exception as error:  # noqa: BLE001 - the log has the details, the client only an id
            answer = _internal_error(error)
        await _send(send, answer, media or MediaType.JSON, headers.get(b"accept-encoding", ""))

    async def _answer(
        self, scope: Scope, receive: Receive, headers: dict[bytes, str], media: MediaType | None
    ) -> _Answer:
        get = scope["method"] == "GET"
        if scope["method"] not in self._methods:
            queries = ", or queries by GET" if "GET" in self._methods else ""
            raise _not_allowed(f"send GraphQL requests by POST{queries}", ", ".join(self._methods).encode())
        if media is None:
            raise RefusalError(
                HTTPStatus.NOT_ACCEPTABLE,
                BadUserInputError(f"Accept must allow {MediaType.GRAPHQL.value} or {MediaType.JSON.value}"),
            )
        principal = await self._authenticator.authenticate(headers.get(b"authorization"), _host(scope))
        # A refused request has its key, too; and threads share their time among projects.
        record = current.get()
        record.key, record.project = principal.holder_id, principal.project_id
        request, size = await self._read(scope, receive, headers)
        if self._fairness.rates is not None and not self._executor.knows(request.query):
            self._fairness.charge_reading(principal, request.query)
        operation = await self._documents.operation(request, principal.project_id)
        record.operation = operation.label
        _check_operation(operation, request, principal, get=get)
        allowance = self._fairness.allowance(principal)
        context = self._context(operation, principal, allowance, scope)
        run = self._run(operation, request, context, allowance)
        if operation.node.operation is OperationType.MUTATION:
            # A mutation runs to its end, even if the client disconnects.
            result = await run
        else:
            result = await _while_connected(run, receive, self._fairness.deadlines)
        received = allowance.received + size
        if self._fairness.may_exceed(context.price, received):
            result = await self._fairness.bounded(result, operation)
        if context.way == "reference":
            record.reference_runs = self._executor.reference_runs
        if self._records_reads and (withheld := await self._record(operation, context)) is not None:
            # A status that clients take as a reason to send the writes again would do them twice.
            errors = [*field_errors(result.errors or ()), exception_entry(withheld)]
            return _Answer(HTTPStatus.OK, {"data": None, "errors": errors})
        if request.cost and context.price is not None:
            result.extensions = {**(result.extensions or {}), "cost": self._fairness.cost(context)}
        return _answer_of(result)

    def _context(
        self, operation: Operation, principal: Principal, allowance: Allowance, scope: Scope
    ) -> Context:
        """Return the context of a new operation, with its origin if that is recorded."""
        is_recorded = self._records_reads or operation.node.operation is OperationType.MUTATION
        from_ = origin(scope, operation.name) if is_recorded else Origin()
        database = self._database.within(allowance)
        return Context(database, principal, from_, self._fairness.rates, self._vectors)

    async def _read(
        self, scope: Scope, receive: Receive, headers: dict[bytes, str]
    ) -> tuple[GraphQLRequest, int]:
        """Return the GraphQL request in the URL or in the body, and how many bytes it has."""
        if scope["method"] == "GET":
            sent = scope["query_string"]
            return read_query_string(sent), len(sent)
        _check_content(headers)
        body = await self._body(receive, headers.get(b"content-length"))
        current.get().bytes_in = len(body)
        return await read_body_aside(body), len(body)

    async def _record(self, operation: Operation, context: Context) -> AgentDataError | None:
        """Record what an operation read; return the error of a mutation whose writes have no such record."""
        try:
            await context.record_read(root_fields(operation), text_of(operation))
        except Exception as error:
            if operation.node.operation is not OperationType.MUTATION:
                raise
            _log.warning("the answer of a mutation was not recorded: %s", describe(error))
            return OverloadedError(
                "the writes without an error of their own were done, but the answer is withheld, because it"
                " could not be recorded; read what they gave, and do not send them again"
            )
        return None

    async def _run(
        self, operation: Operation, request: GraphQLRequest, context: Context, allowance: Allowance
    ) -> ExecutionResult:
        allowance.start()
        try:
            return await self._execute(operation, request, context)
        finally:
            allowance.close()

    async def _execute(
        self, operation: Operation, request: GraphQLRequest, context: Context
    ) -> ExecutionResult:
        try:
            result = await self._executor.execute(operation, request.variables, context, large=request.large)
            if request.explain and result.data is not None:
                result.extensions = {"explain": await self._explanation(operation, request, context)}
        except BaseException:
            # A stopped statement loses its connection, so closing may fail too; the first error matters.
            with suppress(Exception):
                await context.close()
            raise
        await context.close()
        return result

    async def _explanation(
        self, operation: Operation, request: GraphQLRequest, context: Context
    ) -> dict[str, Any] | None:
        try:
            explained = await self._executor.explain(
                operation, request.variables, context, analyze=True, large=request.large
            )
        except Exception as error:  # noqa: BLE001 - the data is complete; only its explanation failed
            return {"errors": [exception_entry(error)]}
        return explained.as_json() if explained else None

    async def _body(self, receive: Receive, length: str | None) -> bytes | bytearray:
        """Read the body and count its bytes; a Content-Length may be wrong, so it can only refuse a body."""
        if length is not None and length.isdecimal() and int(length) > self._max_body_bytes:
            raise self._too_large()
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            body: bytes | bytearray = message.get("body", b"")
            if len(body) > self._max_body_bytes:
                raise self._too_large()
            return body
        body = bytearray()
        while True:
            if message["type"] == "http.disconnect":
                raise _ClientGoneError
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                raise self._too_large()
            if not message.get("more_body"):
                return body
            message = await receive()

    def _too_large(self) -> RefusalError:
        return RefusalError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            LimitExceededError(
                f"the body is larger than the limit of {self._max_body_bytes} bytes;"
                " send it in several requests"
            ),
        )


class _Watch:
    """Cancels the current task, which works for a client, if the client disconnects."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task: asyncio.Task[Any] | None = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self._client_gone = False

    def begin(self) -> None:
        """Watch the client, in a task of its own, unless the work is done."""
        if self._task is None:
            return
        self._watcher = asyncio.create_task(_disconnected(self._receive))
        self._watcher.add_done_callback(self._cancel)

    def _cancel(self, watcher: asyncio.Task[None]) -> None:
        if self._task is not None and not watcher.cancelled():
            self._client_gone = True
            self._task.cancel()

    def end(self) -> None:
        """Stop watching."""
        self._task = None
        if self._watcher is not None:
            self._watcher.cancel()

    def caused_cancellation(self) -> bool:
        """Return whether the task was cancelled only because the client disconnected."""
        # A shutdown of the server cancels too; only our own cancellation may be handled.
        return self._client_gone and self._task is not None and self._task.uncancel() == 0


async def _while_connected(
    work: Coroutine[Any, Any, Result], receive: Receive, deadlines: Deadlines
) -> Result:
    """Await work, and cancel it if the client disconnects first.

    Raises:
        _ClientGoneError: The client disconnected.

    """
    watch = _Watch(receive)
    # Most work finishes so soon that a task to watch the client would cost more than it saves.
    deadlines.add(watch, asyncio.get_running_loop().time() + _WATCH_DELAY_S, _Watch.begin)
    try:
        return await work
    except asyncio.CancelledError:
        if watch.caused_cancellation():
            raise _ClientGoneError from None
        raise
    finally:
        deadlines.remove(watch)
        watch.end()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _host(scope: Scope) -> str:
    """Return the address of the client, which is that of X-Forwarded-For behind a trusted proxy."""
    client = scope.get("client")
    return client[0] if client else ""


def _headers(scope: Scope) -> dict[bytes, str]:
    """Return the headers that are read here; lines of the same name are one list."""
    headers: dict[bytes, str] = {}
    repeated: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        if name in _HEADERS:
            text = value.decode("latin-1")
            if name in headers:
                repeated.setdefault(name, [headers[name]]).append(text)
            else:
                headers[name] = text
    for name, lines in repeated.items():
        headers[name] = ", ".join(lines)
    return headers


def _check_content(headers: dict[bytes, str]) -> None:
    content_type, encoding = headers.get(b"content-type", ""), headers.get(b"content-encoding", "identity")
    if not is_json(content_type):
        description = f"is {content_type[:100]!r}" if content_type else "is missing"
        problem = f"Content-Type {description}; send application/json in UTF-8"
    elif encoding.lower() != "identity":
        problem = "compressed bodies are not supported; send it without Content-Encoding"
    else:
        return
    raise RefusalError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, BadUserInputError(problem))


def _check_operation(
    operation: Operation, request: GraphQLRequest, principal: Principal, *, get: bool
) -> None:
    """Refuse an operation that HTTP does not allow, with the status for it."""
    if not principal.may(ApiKeyScope.READ):
        raise RefusalError(
            HTTPStatus.FORBIDDEN, ForbiddenError("this needs a key or token with the scope READ")
        )
    if request.explain and not principal.may(ApiKeyScope.ADMIN):
        raise RefusalError(
            HTTPStatus.FORBIDDEN,
            ForbiddenError("extensions.explain needs an API key with the scope ADMIN; leave it out"),
        )
    if operation.node.operation is OperationType.SUBSCRIPTION:
        raise RefusalError(
            HTTPStatus.BAD_REQUEST, BadUserInputError("subscriptions are not supported", field="query")
        )
    if get and operation.node.operation is OperationType.MUTATION:
        raise _not_allowed("a mutation cannot be sent by GET; send it by POST", b"POST")


def _not_allowed(message: str, allowed: bytes) -> RefusalError:
    return RefusalError(HTTPStatus.METHOD_NOT_ALLOWED, BadUserInputError(message), ((b"allow", allowed),))


def _status_of_refusal(media: MediaType | None) -> HTTPStatus:
    """Return the status for a well-formed request that was refused.

    Clients that accept plain JSON treat any status other than 200 as an intermediary's.
    """
    return HTTPStatus.OK if media is MediaType.JSON else HTTPStatus.BAD_REQUEST


def _answer_of(result: ExecutionResult) -> _Answer:
    content: dict[str, Any] = {"data": result.data}
    if result.errors:
        content["errors"] = field_errors(result.errors)
    if result.extensions:
        content["extensions"] = result.extensions
    status, more = status_of(content) if result.errors else (HTTPStatus.OK, ())
    return _Answer(status, content, more)


def _internal_error(error: Exception) -> _Answer:
    content = {"errors": [exception_entry(error)]}
    status, headers = status_of(content)
    return _Answer(HTTPStatus.INTERNAL_SERVER_ERROR if status is HTTPStatus.OK else status, content, headers)


async def _send(send: Send, answer: _Answer, media: MediaType, accept_encoding: str) -> None:
    status, content, headers = answer
    try:
        body = orjson.dumps(content, option=orjson.OPT_UTC_Z)
    except TypeError as error:  # such as a number of more than 64 bits in someone's JSON
        status, content, headers = _internal_error(error)
        body = orjson.dumps(content)
    if len(body) >= compression.MIN_BYTES and (coding := compression.coding_for(accept_encoding)) is not None:
        compressed = await compression.compressed(body, coding)
        if compressed is not None:
            body = compressed
            headers = ((b"content-encoding", coding.name.encode()), (b"vary", b"accept-encoding"), *headers)
    await send(
        {
            "type": "http.response.start",
            "status": int(status),
            "headers": [
                (b"content-type", media.value.encode() + b"; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                *SECURITY_HEADERS,
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
