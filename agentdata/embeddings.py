"""Vectors of texts, made by an endpoint that speaks OpenAI's `/v1/embeddings`, such as Ollama or vLLM.

The endpoint sees texts, and its errors may quote them. So neither a text nor the address nor the key is part
of any error or line of the log: these name the status, and the code of the error if it looks like one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import re
import ssl
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import perf_counter, time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import orjson

from agentdata import __version__
from agentdata.engine.lru import WeightedLRU
from agentdata.errors import BadUserInputError, EmbeddingsUnavailableError, OverloadedError
from agentdata.setup_error import SetupError
from agentdata.sight.counts import COUNTS
from agentdata.turns import Turns
from agentdata.vectors import read_vector
from models.embedding import MAX_DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence

    from agentdata.settings import Settings
    from agentdata.vectors import Vector

_log = logging.getLogger(__name__)

_SHORTEST = 500
"""A refused text is sent again, half as long each time, unless it would have fewer characters than this."""

_WORD = "word"
"""A text that any endpoint takes: if it is refused, the request is at fault and not its texts."""

_LONGEST_ASKED_S = 60.0
"""An endpoint that asks for a longer pause is given up: whoever waits for it takes the place of others."""

_LEAST_S = 0.25
"""How much time a retry has at least: with less, its timeout would hide why the request before it failed."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
"""The pause before a second attempt, which doubles with each further one, and its upper bound, in seconds."""

_ROUNDS = 3
"""By default all attempts together may take as long as this many requests."""

_FAULTS = 3
"""So many answers with the status 500 to the same texts are a refusal: some endpoints answer long ones so."""

_NUMBER_BYTES = 32
_FRAME_BYTES = 64 * 1024
"""The most bytes of one number of an answer, and of all the rest of it."""

_REST_S = 5.0
"""How long searches leave an endpoint alone that did not answer, in seconds."""

_ALL = object()
"""Stands for all projects."""

_SEARCH_ATTEMPTS = 2

_REMEMBERED_BYTES = 16 * 1024 * 1024
"""How many bytes the remembered vectors of searches may have together, in one process."""

_USED_S, _UNUSED_S, _MOST_REMEMBERED = 60.0, 5.0, 10_000
"""For how many seconds it is remembered that there are vectors to compare, or none, and for how many keys."""

_BUSY = frozenset({408, 425, 429, 502, 503, 504, 529})
"""The statuses of an endpoint that may take the same request later."""

_ADVICE = {
    401: "it refuses the key; set AGENTDATA_EMBEDDINGS_API_KEY to a valid one",
    402: "it asks to be paid; see to the account of the key",
    403: "it refuses the key; set AGENTDATA_EMBEDDINGS_API_KEY to one that may use the model",
    404: "it has no such path or model; correct AGENTDATA_EMBEDDINGS_URL or AGENTDATA_EMBEDDINGS_MODEL",
    405: "it takes no texts there; correct AGENTDATA_EMBEDDINGS_URL",
}
"""What the operator may do about statuses that are about all requests. Any other 4xx may be about a text."""

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class _FailedError(Exception):
    """A request to the endpoint failed; the message is for the operator's log.

    ``outcome`` is the name under which the request is counted, and ``reason`` what clients are told.
    """

    outcome = "refused"
    reason = "refuses the requests of this server, and its log says why"
    may_be_of_the_text = False
    """Whether other texts may well be answered."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s


class _RefusedError(_FailedError):
    """The endpoint does not take these texts, or no request like this one."""


class _WrongAnswerError(_RefusedError):
    """The answer is not what the interface says; some endpoints answer single texts so."""

    outcome = "wrong"
    reason = "answers wrongly, and the log of this server says how"


class _BusyError(_FailedError):
    """The endpoint does not answer now, but may answer the same request later."""

    outcome = "busy"
    reason = "is busy"


class _FaultError(_BusyError):
    """The endpoint ran into an error of its own."""

    outcome = "fault"
    may_be_of_the_text = True
    reason = "has a fault"


class _UnreachableError(_BusyError):
    """The endpoint cannot be reached, or the connection broke."""

    outcome = "unreachable"
    reason = "cannot be reached"


class _TimedOutError(_BusyError):
    """The endpoint did not answer in time."""

    outcome = "timeout"
    may_be_of_the_text = True
    reason = "did not answer in time"


class _PerhapsOfTheTextError(EmbeddingsUnavailableError):
    """The endpoint does not answer as it should, maybe because of this text alone."""


OUTCOMES = (
    "ok",
    *[
        each.outcome
        for each in (
            _FailedError,
            _WrongAnswerError,
            _BusyError,
            _FaultError,
            _UnreachableError,
            _TimedOutError,
        )
    ],
)
"""The outcomes of requests, under which they are counted."""


class Embedder:
    """Makes vectors of texts by an endpoint: in batches, a few requests at a time, with retries.

    A process has one, and closes it at its end.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        dimensions: int | None = None,
        batch: int = 32,
        max_characters: int = 8_000,
        requests: int = 4,
        timeout_s: float = 60,
    ) -> None:
        """Take the address of the endpoint, its model, and the limits of requests.

        Raises:
            SetupError: The address or the key cannot be one.

        """
        self.model = model
        self.batch = batch
        """How many texts one request has at most."""
        self.requests = requests
        """How many requests run at a time."""
        self._url = _address(url)
        self._dimensions = dimensions
        self._max_characters = max_characters
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(requests)
        # An answer that is packed could unpack to any length.
        headers = {
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": f"agentdata/{__version__}",
        }
        if api_key is not None:
            if not (api_key.isascii() and api_key.isprintable()):
                raise SetupError("AGENTDATA_EMBEDDINGS_API_KEY has characters that a header cannot hold")
            headers["Authorization"] = f"Bearer {api_key}"
        self._client = httpx.AsyncClient(
            headers=headers,
            # The environment of this process may name proxies and keys that are meant for others.
            trust_env=False,
            verify=ssl.create_default_context(),
            # A redirect would send texts and the key to an address that nobody has chosen.
            follow_redirects=False,
            limits=httpx.Limits(max_connections=requests, max_keepalive_connections=requests),
            # `_exchange` bounds the time of a request as a whole.
            timeout=None,  # noqa: S113  # as above
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def embed(
        self, texts: Sequence[str], *, within_s: float | None = None, attempts: int | None = None
    ) -> list[Vector | None]:
        """Return the vector of each text, or None for one that the endpoint does not take by itself.

        Of a text that is longer than the setting allows, only the beginning counts; one that is too long for
        the model is cut until the endpoint takes it. ``within_s`` is the most time that all of it may take,
        and ``attempts`` how often a request is sent at most.

        Raises:
            EmbeddingsUnavailableError: The endpoint does not answer in time, or not as it should.

        """
        most_s = _ROUNDS * self._timeout_s if within_s is None else within_s
        deadline = asyncio.get_running_loop().time() + most_s
        sent = [text[: self._max_characters] for text in texts]
        # Endpoints refuse empty texts.
        places = [place for place, text in enumerate(sent) if text.strip()]
        batches = [places[start : start + self.batch] for start in range(0, len(places), self.batch)]
        try:
            made = await _all(
                self._vectors([sent[place] for place in batch], deadline, attempts) for batch in batches
            )
            found: list[Vector | None] = [None] * len(sent)
            for batch, vectors in zip(batches, made, strict=True):
                for place, vector in zip(batch, vectors, strict=True):
                    found[place] = vector
            _check_sizes(found)
        except _FailedError as failure:
            _log.warning(
                "the embeddings endpoint failed: %s",
                failure.message,
                extra={"kind": f"embeddings: {failure.outcome}"},
            )
            kind = _PerhapsOfTheTextError if failure.may_be_of_the_text else EmbeddingsUnavailableError
            raise kind(f"the embeddings endpoint of this server {failure.reason}") from None
        return found

    async def _vectors(
        self, texts: list[str], deadline: float, attempts: int | None, *, refusable: bool = False
    ) -> list[Vector | None]:
        """Return the vectors of a batch; one that is refused is divided, to find the texts at fault.

        So is one that is answered wrongly. ``refusable`` says that the endpoint takes other texts.
        """
        try:
            return [*await self._persistently(texts, deadline, attempts)]
        except _RefusedError:
            if not refusable:
                # If not even a word is answered as it should be, it is pointless to send each of the texts.
                await self._persistently([_WORD], deadline, attempts)
        if len(texts) > 1:
            half = len(texts) // 2
            parts = [texts[:half], texts[half:]]
        elif len(texts[0]) >= 2 * _SHORTEST:
            parts = [[texts[0][: len(texts[0]) // 2]]]
        else:
            return [None]
        found: list[Vector | None] = []
        for part in parts:
            found += await self._vectors(part, deadline, attempts, refusable=True)
        return found

    async def _persistently(self, texts: list[str], deadline: float, attempts: int | None) -> list[Vector]:
        """Send texts until the endpoint answers them, or as long as and as often as is allowed."""
        loop = asyncio.get_running_loop()
        pause_s, sent, faults = _FIRST_PAUSE_S, 0, 0
        while True:
            try:
                return await self._request(texts, deadline)
            except _BusyError as failure:
                sent += 1
                faults += isinstance(failure, _FaultError)
                if faults >= _FAULTS:
                    raise _RefusedError(failure.message) from None
                # Workers that failed together are not to come back together.
                wait_s = max(failure.retry_after_s or 0, pause_s * random.uniform(0.5, 1))  # noqa: S311  # no secret
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                is_late = loop.time() + wait_s + _LEAST_S >= deadline
                if sent == attempts or wait_s > _LONGEST_ASKED_S or is_late:
                    raise
            await asyncio.sleep(wait_s)

    async def _request(self, texts: list[str], deadline: float) -> list[Vector]:
        """Send texts once, and count the request by its outcome."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                await self._turns.acquire()
        except TimeoutError:
            raise _TimedOutError("the requests before it took all of the time") from None
        started, outcome = perf_counter(), "ok"
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + self._timeout_s)):
                return await self._exchange(texts)
        except _FailedError as failure:
            outcome = failure.outcome
            raise
        except TimeoutError:
            outcome = _TimedOutError.outcome
            raise _TimedOutError(f"no answer in {perf_counter() - started:.1f} s") from None
        except httpx.HTTPError as error:
            outcome = _UnreachableError.outcome
            raise _UnreachableError(f"cannot be reached ({type(error).__name__})") from None
        except BaseException:
            outcome = "cancelled"
            raise
        finally:
            self._turns.release()
            if outcome != "cancelled":
                COUNTS.embedded(outcome, len(texts), perf_counter() - started)

    async def _exchange(self, texts: list[str]) -> list[Vector]:
        """Send a request and read its answer."""
        content: dict[str, Any] = {"model": self.model, "input": texts}
        if self._dimensions is not None:
            content["dimensions"] = self._dimensions
        most = _FRAME_BYTES + len(texts) * MAX_DIMENSIONS * _NUMBER_BYTES
        # A lone surrogate, which cannot be stored either, has no form in UTF-8.
        async with self._client.stream("POST", self._url, content=orjson.dumps(content)) as response:
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > most:
                    raise _WrongAnswerError(f"its answer has more than {most:,} bytes")
            if response.status_code != HTTPStatus.OK:
                raise _failure(response, bytes(body))
            if response.headers.get("content-encoding", "identity") != "identity":
                raise _WrongAnswerError("its answer is compressed, though that was not asked for")
        return self._read(bytes(body), len(texts))

    def _read(self, body: bytes, count: int) -> list[Vector]:
        """Return the vectors of an answer in the order of the texts.

        Raises:
            _WrongAnswerError: The answer is no list of as many vectors, of the same size, of finite numbers.

        """
        try:
            data = orjson.loads(body)["data"]
            entries = [(entry.get("index"), entry["embedding"]) for entry in data]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise _WrongAnswerError("its answer is no JSON object with a list of embeddings") from None
        if len(entries) != count:
            raise _WrongAnswerError(f"it answers {len(entries)} vectors to {count} texts")
        if any(index is not None for index, _ in entries):
            by_index = dict(entries) if all(type(index) is int for index, _ in entries) else {}
            if by_index.keys() != set(range(count)):
                raise _WrongAnswerError("the indexes of its vectors are not those of the texts")
            entries = sorted(by_index.items())
        try:
            vectors = [read_vector(value) for _, value in entries]
        except ValueError as error:
            raise _WrongAnswerError(f"a vector is none: {error}") from None
        for vector in vectors:
            if self._dimensions not in {None, vector.dimensions}:
                raise _WrongAnswerError(
                    f"a vector has {vector.dimensions} numbers, not the {self._dimensions} of"
                    " AGENTDATA_EMBEDDINGS_DIMENSIONS"
                )
        _check_sizes(vectors)
        return vectors


class SearchVectors:
    """The vectors of texts that searches look for, each made once while it is remembered.

    Projects share nothing: how soon an answer comes is not to tell one project what another has looked for.
    """

    def __init__(self, embedder: Embedder, timeout_s: float) -> None:
        self.model = embedder.model
        self._embedder = embedder
        self._timeout_s = timeout_s
        self._known: WeightedLRU[Vector] = WeightedLRU(_REMEMBERED_BYTES)
        self._making: dict[Hashable, asyncio.Task[Vector]] = {}
        # No project takes all requests that the endpoint may have at a time.
        self._share = max(embedder.requests // 2, 1)
        self._turns = Turns(timeout_s, kind="embeddings")
        self._in_use: dict[Hashable, tuple[float, bool]] = {}
        self._rests: dict[Hashable, tuple[float, str]] = {}
        """Until when the endpoint is left alone by a project, or by all, and why."""

    async def of(self, project_id: Hashable, text: str, *, within_s: float) -> Vector:
        """Return the vector of a text, made within the time of the settings and ``within_s``.

        Raises:
            BadUserInputError: The endpoint does not take the text.
            EmbeddingsUnavailableError: The endpoint does not answer in time, or not as it should.

        """
        key = (project_id, text)
        vector = self._known.get(key)
        if vector is not None:
            return vector
        making = self._making.get(key)
        if making is None:
            self._check_rest(project_id)
            making = self._making[key] = asyncio.create_task(self._make(key, project_id, text))
            making.add_done_callback(lambda made: self._end(key, made))
        try:
            # Other searches may wait for the same vector.
            async with asyncio.timeout(within_s if math.isfinite(within_s) else None):
                return await asyncio.shield(making)
        except TimeoutError:
            raise _unavailable(_TimedOutError.reason) from None

    async def _make(self, key: Hashable, project_id: Hashable, text: str) -> Vector:
        try:
            async with self._turns.take([(project_id, self._share)]):
                [vector] = await self._embedder.embed(
                    [text], within_s=self._timeout_s, attempts=_SEARCH_ATTEMPTS
                )
        except OverloadedError:
            raise _unavailable("is busy with other searches of this project") from None
        except EmbeddingsUnavailableError as error:
            # A text that the endpoint fails on is not to keep it from other projects.
            who = project_id if isinstance(error, _PerhapsOfTheTextError) else _ALL
            if len(self._rests) >= _MOST_REMEMBERED:
                self._rests.clear()
            self._rests[who] = asyncio.get_running_loop().time() + _REST_S, error.message
            raise
        if vector is None:
            raise BadUserInputError(
                "the embeddings endpoint does not take this text; send its vector as `embedding`, or search"
                " with the mode WORDS",
                field="query",
            )
        self._known.put(key, vector, len(vector.sent) + len(text))
        return vector

    def _check_rest(self, project_id: Hashable) -> None:
        """Refuse at once if the endpoint has just failed.

        Raises:
            EmbeddingsUnavailableError: It has.

        """
        now = asyncio.get_running_loop().time()
        for who in (_ALL, project_id):
            until, why = self._rests.get(who, (0.0, ""))
            if now < until:
                raise EmbeddingsUnavailableError(why)
            self._rests.pop(who, None)

    async def in_use(self, key: Hashable, look: Callable[[], Awaitable[bool]]) -> bool:
        """Return whether there are vectors to compare with; what ``look`` finds is remembered for a while."""
        now = asyncio.get_running_loop().time()
        until, found = self._in_use.get(key, (0.0, False))
        if now >= until:
            found = await look()
            if len(self._in_use) >= _MOST_REMEMBERED:
                self._in_use.clear()
            self._in_use[key] = now + (_USED_S if found else _UNUSED_S), found
        return found

    def _end(self, key: Hashable, made: asyncio.Task[Vector]) -> None:
        del self._making[key]
        if not made.cancelled():
            # Everybody who waited for it may have left.
            made.exception()

    async def close(self) -> None:
        """Stop, and close the connections."""
        for making in [*self._making.values()]:
            making.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)
        await self._embedder.close()


def _unavailable(reason: str) -> EmbeddingsUnavailableError:
    return EmbeddingsUnavailableError(f"the embeddings endpoint of this server {reason}")


def embedder_of(settings: Settings) -> Embedder | None:
    """Return the embedder of the settings, or None if they name no endpoint.

    Raises:
        SetupError: The settings contradict each other, or the address or the key cannot be one.

    """
    url = settings.embeddings_url
    if url is None:
        for name in ("model", "api_key", "dimensions"):
            if getattr(settings, f"embeddings_{name}") is not None:
                raise SetupError(
                    f"AGENTDATA_EMBEDDINGS_{name.upper()} is set, but not AGENTDATA_EMBEDDINGS_URL: set the"
                    " address of the endpoint, or leave both out"
                )
        return None
    if settings.embeddings_model is None:
        raise SetupError(
            "AGENTDATA_EMBEDDINGS_URL is set, but not AGENTDATA_EMBEDDINGS_MODEL: name the model that is to"
            " make the vectors"
        )
    key = settings.embeddings_api_key
    return Embedder(
        url,
        settings.embeddings_model,
        api_key=None if key is None else key.get_secret_value(),
        dimensions=settings.embeddings_dimensions,
        batch=settings.embeddings_batch,
        max_characters=settings.embeddings_max_characters,
        requests=settings.embeddings_requests,
        timeout_s=settings.embeddings_timeout_s,
    )


def _address(url: str) -> str:
    """Return the address that texts are sent to: a base gets the path of the interface.

    Raises:
        SetupError: It is no address, or has a password in it.

    """
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise SetupError(
            "AGENTDATA_EMBEDDINGS_URL is no address: give one such as http://localhost:11434/v1, or"
            " https://api.openai.com/v1"
        )
    if parts.username is not None or parts.password is not None:
        raise SetupError(
            "AGENTDATA_EMBEDDINGS_URL has a user or a password in it: put the key into"
            " AGENTDATA_EMBEDDINGS_API_KEY"
        )
    path = parts.path.rstrip("/")
    if not path.endswith("/embeddings"):
        path = f"{path or '/v1'}/embeddings"
    return parts._replace(path=path, fragment="").geturl()


def _failure(response: httpx.Response, body: bytes) -> _FailedError:
    """Return the failure that an answer other than 200 stands for."""
    status = response.status_code
    code = _error_code(body)
    message = f"HTTP {status} {code}" if code not in {None, str(status)} else f"HTTP {status}"
    if status in _BUSY:
        return _BusyError(message, retry_after_s=_retry_after(response.headers.get("retry-after")))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _FaultError(message)
    if status in _ADVICE:
        return _FailedError(f"{message}: {_ADVICE[status]}")
    if status >= HTTPStatus.BAD_REQUEST:
        return _RefusedError(message)
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        return _FailedError(
            f"{message}: it redirects to another address; set AGENTDATA_EMBEDDINGS_URL to that one"
        )
    return _FailedError(message)


def _error_code(body: bytes) -> str | None:
    """Return the code or type of an error, in any of the forms that endpoints have; never its text."""
    with suppress(ValueError):
        content = orjson.loads(body)
        for error in (content.get("error"), content) if isinstance(content, dict) else ():
            for name in ("code", "type", "error_type"):
                value = error.get(name) if isinstance(error, dict) else None
                if isinstance(value, str) and _CODE.fullmatch(value):
                    return value
    return None


def _retry_after(value: str | None) -> float | None:
    """Return the seconds that an endpoint asks to wait, which it says in seconds or as a time."""
    if value is None:
        return None
    with suppress(ValueError):
        seconds = float(value)
        return max(seconds, 0) if math.isfinite(seconds) else None
    with suppress(ValueError, OverflowError):
        return max(parsedate_to_datetime(value).timestamp() - time(), 0)
    return None


def _check_sizes(vectors: Iterable[Vector | None]) -> None:
    """Check that all vectors have the same size.

    Raises:
        _WrongAnswerError: They have not.

    """
    if len({vector.dimensions for vector in vectors if vector is not None}) > 1:
        raise _WrongAnswerError("its vectors have different sizes")


async def _all(coroutines: Iterable[Any]) -> list[Any]:
    """Await coroutines together, and cancel the others if one fails."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
