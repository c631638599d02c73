"""Vectors are made of texts by the endpoint of the operator, whatever that answers."""

from __future__ import annotations

import asyncio
import logging
import math
import struct
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from agentdata.embeddings import Embedder, SearchVectors, embedder_of
from agentdata.errors import BadUserInputError, EmbeddingsUnavailableError
from agentdata.settings import Settings
from agentdata.setup_error import SetupError
from agentdata.sight.counts import COUNTS
from tests.embedding import DIMENSIONS, MODEL, Answer, Endpoint, endpoint, packed, vector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from agentdata.vectors import Vector

SECRET = "the text that nobody may see"


@pytest.fixture
def served() -> Iterator[Endpoint]:
    """Serve an endpoint."""
    with endpoint() as served:
        yield served


@asynccontextmanager
async def embedding(url: str, **options: Any) -> AsyncIterator[Embedder]:
    embedder = Embedder(url, MODEL, **options)
    try:
        yield embedder
    finally:
        await embedder.close()


def numbers(made: Vector) -> list[float]:
    """Return the numbers of a vector."""
    return [*struct.unpack(f">{made.dimensions}f", made.sent[4:])]


async def vectors(url: str, texts: list[str], **options: Any) -> list[list[float] | None]:
    within_s = options.pop("within_s", None)
    async with embedding(url, **options) as embedder:
        return [
            None if each is None else numbers(each) for each in await embedder.embed(texts, within_s=within_s)
        ]


async def refusal(caplog: pytest.LogCaptureFixture, url: str, **options: Any) -> tuple[str, str]:
    """Return the message of an error and the line of the log, neither of which quotes a text or the key."""
    caplog.clear()
    with caplog.at_level(logging.WARNING), pytest.raises(EmbeddingsUnavailableError) as caught:
        await vectors(url, [SECRET], api_key="the-key", **options)
    assert caught.value.extensions == {"code": "EMBEDDINGS_UNAVAILABLE"}
    message, [line] = caught.value.message, [record.getMessage() for record in caplog.records]
    for text in (message, line):
        assert SECRET not in text
        assert "the-key" not in text
        assert url not in text
    return message, line


async def test_texts_are_sent_in_batches_and_vectors_come_in_their_order(served: Endpoint) -> None:
    texts = [f"the number {number}" for number in range(70)]
    assert await vectors(served.url, texts, batch=32) == [vector(text) for text in texts]
    assert sorted(len(request["input"]) for request in served.requests) == [6, 32, 32]
    assert {request["model"] for request in served.requests} == {MODEL}
    assert served.requests[0].keys() == {"model", "input"}
    assert set(served.paths) == {"/v1/embeddings"}
    assert "Authorization" not in served.headers[0]


async def test_the_key_and_the_dimensions_are_sent_if_they_are_set(served: Endpoint) -> None:
    [made] = await vectors(served.url, ["a word"], api_key="sk-123", dimensions=8)
    assert made == vector("a word", 8)
    assert served.headers[0]["Authorization"] == "Bearer sk-123"
    assert served.requests[0]["dimensions"] == 8


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("", "/v1/embeddings"),
        ("/", "/v1/embeddings"),
        ("/v1", "/v1/embeddings"),
        ("/openai/v1/", "/openai/v1/embeddings"),
        ("/v1/embeddings", "/v1/embeddings"),
        ("/deployments/one/embeddings?api-version=2024", "/deployments/one/embeddings?api-version=2024"),
    ],
)
async def test_the_address_is_a_base_or_the_whole(served: Endpoint, given: str, path: str) -> None:
    await vectors(served.url + given, ["a word"])
    assert served.paths == [path]


async def test_vectors_may_come_as_base64_and_in_any_order_of_indexes(served: Endpoint) -> None:
    def answer(request: dict[str, Any]) -> Answer:
        data = [
            {"index": index, "embedding": packed(vector(text))} for index, text in enumerate(request["input"])
        ]
        return Answer(200, {"data": data[::-1]})

    served.next.append(answer)
    texts = ["one", "two", "three"]
    assert await vectors(served.url, texts) == [vector(text) for text in texts]


async def test_empty_texts_are_not_sent_and_have_no_vector(served: Endpoint) -> None:
    assert await vectors(served.url, ["", " \n", "a word"]) == [None, None, vector("a word")]
    assert served.texts == ["a word"]
    assert await vectors(served.url, []) == []


async def test_only_the_beginning_of_a_long_text_is_sent(served: Endpoint) -> None:
    [made] = await vectors(served.url, ["word " * 1_000], max_characters=100)
    assert made == vector("word " * 20)


async def test_a_busy_endpoint_is_asked_again_when_it_says(served: Endpoint) -> None:
    served.next += [
        Answer(429, {"error": {"message": SECRET}}, {"retry-after": "0.01"}),
        Answer(503, b"<html>", {"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}),
        Answer(500, {"error": "the model is being loaded"}),
    ]
    before = {**COUNTS.embedding_requests}
    assert await vectors(served.url, ["a word"]) == [vector("a word")]
    assert served.texts == ["a word"] * 4
    counted = {name: number - before.get(name, 0) for name, number in COUNTS.embedding_requests.items()}
    assert {name: number for name, number in counted.items() if number} == {"busy": 2, "fault": 1, "ok": 1}


async def test_an_endpoint_that_asks_for_no_pause_is_not_asked_without_end(served: Endpoint) -> None:
    served.refuses = lambda _: Answer(503, b"", {"retry-after": "0"})
    with pytest.raises(EmbeddingsUnavailableError, match="is busy"):
        await vectors(served.url, ["a word"], within_s=1.5)
    assert 2 <= len(served.requests) <= 6


@pytest.mark.parametrize("asked", ["100", "3600", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_an_endpoint_that_asks_for_too_long_a_pause_is_given_up_at_once(
    served: Endpoint, caplog: pytest.LogCaptureFixture, asked: str
) -> None:
    served.next.append(Answer(429, {"error": {"code": "insufficient_quota"}}, {"retry-after": asked}))
    message, line = await refusal(caplog, served.url)
    assert message == "the embeddings endpoint of this server is busy"
    assert line == "the embeddings endpoint failed: HTTP 429 insufficient_quota"
    assert len(served.requests) == 1


async def test_a_slow_endpoint_is_given_up(served: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    served.waits.clear()
    message, line = await refusal(caplog, served.url, within_s=0.2)
    assert message == "the embeddings endpoint of this server did not answer in time"
    assert line.startswith("the embeddings endpoint failed: no answer in 0.")


async def test_an_endpoint_that_does_not_exist_is_unreachable(caplog: pytest.LogCaptureFixture) -> None:
    with endpoint() as gone:
        url = gone.url
    message, line = await refusal(caplog, url, within_s=2)
    assert message == "the embeddings endpoint of this server cannot be reached"
    assert line == "the embeddings endpoint failed: cannot be reached (ConnectError)"


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            Answer(401, {"error": {"message": SECRET, "code": "invalid_api_key"}}),
            "HTTP 401 invalid_api_key: it refuses the key; set AGENTDATA_EMBEDDINGS_API_KEY to a valid one",
        ),
        (
            Answer(404, {"error": {"message": SECRET, "type": "not_found_error"}}),
            (
                "HTTP 404 not_found_error: it has no such path or model; correct AGENTDATA_EMBEDDINGS_URL or"
                " AGENTDATA_EMBEDDINGS_MODEL"
            ),
        ),
        (
            Answer(307, b"", {"location": "http://127.0.0.1:9/"}),
            "HTTP 307: it redirects to another address; set AGENTDATA_EMBEDDINGS_URL to that one",
        ),
        (
            Answer(402, {"object": "error", "type": f"x {SECRET}", "code": 402}),
            "HTTP 402: it asks to be paid; see to the account of the key",
        ),
    ],
)
async def test_a_refusal_names_its_status_and_what_to_do(
    served: Endpoint, caplog: pytest.LogCaptureFixture, answer: Answer, line: str
) -> None:
    served.next.append(answer)
    message, logged = await refusal(caplog, served.url)
    assert message == (
        "the embeddings endpoint of this server refuses the requests of this server, and its log says why"
    )
    assert logged == f"the embeddings endpoint failed: {line}"
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"<html>", "its answer is no JSON object with a list of embeddings"),
        ([], "its answer is no JSON object with a list of embeddings"),
        ({"data": [vector("x")]}, "its answer is no JSON object with a list of embeddings"),
        ({"data": [{"embedding": None}]}, "a vector is none: it is neither a list of numbers nor a text"),
        ({"data": [{"embedding": "AAA"}]}, "a vector is none: the text is not base64"),
        ({"data": [{"embedding": ["1"]}]}, "a vector is none: the list holds something that is not a number"),
        ({"data": [{"embedding": [1e300]}]}, "a vector is none: each number must be from -65504 to 65504"),
        (
            {"data": [{"embedding": packed([math.nan])}]},
            "a vector is none: each number must be from -65504 to 65504",
        ),
        (
            {"data": [{"embedding": [0, 0]}]},
            (
                "a vector is none: it is zero, and so has no direction to compare; a number must be at least"
                " 6e-8"
            ),
        ),
        (
            {"data": [{"embedding": [1.0] * 4_001}]},
            "a vector is none: it has 4001 numbers; it may have from 1 to 4,000",
        ),
        ({"data": []}, "it answers 0 vectors to 1 texts"),
        ({"data": [{"embedding": [1]}, {"embedding": [1]}]}, "it answers 2 vectors to 1 texts"),
        ({"data": [{"index": 1, "embedding": [1]}]}, "the indexes of its vectors are not those of the texts"),
        (
            {"data": [{"index": "0", "embedding": [1]}]},
            "the indexes of its vectors are not those of the texts",
        ),
        (b" " * 300_000, "its answer has more than 193,536 bytes"),
    ],
)
async def test_an_endpoint_that_answers_wrongly_is_given_up(
    served: Endpoint, caplog: pytest.LogCaptureFixture, content: Any, line: str
) -> None:
    served.refuses = lambda _: Answer(200, content)
    message, logged = await refusal(caplog, served.url)
    assert message == (
        "the embeddings endpoint of this server answers wrongly, and the log of this server says how"
    )
    assert logged == f"the embeddings endpoint failed: {line}"
    assert served.texts == [SECRET, "word"]


async def test_vectors_of_another_size_than_was_asked_for_are_refused(
    served: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    served.refuses = lambda request: served.usual(request | {"dimensions": 9})
    _, line = await refusal(caplog, served.url, dimensions=8)
    assert line.endswith("a vector has 9 numbers, not the 8 of AGENTDATA_EMBEDDINGS_DIMENSIONS")


async def test_vectors_of_different_sizes_are_refused(served: Endpoint) -> None:
    served.next.append(lambda request: served.usual(request | {"dimensions": 9}))
    with pytest.raises(EmbeddingsUnavailableError):
        await vectors(served.url, ["one", "two"], batch=1, requests=1)


REFUSALS = [
    Answer(400, {"error": {"message": "no", "type": "BadRequestError", "code": 400}}),
    Answer(451, {}),
    Answer(200, {"data": [{"embedding": [0.0] * DIMENSIONS}]}),
    Answer(200, {"data": []}),
]
"""How endpoints answer single texts that they do not take."""


@pytest.mark.parametrize("answer", REFUSALS)
async def test_of_refused_batches_only_the_texts_at_fault_have_no_vector(
    served: Endpoint, answer: Answer
) -> None:
    served.refuses = lambda request: answer if any("bad" in text for text in request["input"]) else None
    texts = [f"text {number}{' bad' * (number in {3, 17})}" for number in range(20)]
    made = await vectors(served.url, texts)
    assert [place for place, each in enumerate(made) if each is None] == [3, 17]
    assert made[4] == vector("text 4")


async def test_texts_that_are_too_long_for_the_model_are_cut(served: Endpoint) -> None:
    served.refuses = lambda request: (
        Answer(400, {"error": "the input length exceeds the context length"})
        if any(len(text) > 1_500 for text in request["input"])
        else None
    )
    long = "a long text " * 400
    assert await vectors(served.url, [long, "short"]) == [vector(long[:1_200]), vector("short")]


async def test_endpoints_that_fail_on_long_texts_are_given_shorter_ones(served: Endpoint) -> None:
    served.refuses = lambda request: (
        Answer(500, {"error": "input is too large"})
        if any(len(each) > 900 for each in request["input"])
        else None
    )
    long = "a long text " * 100
    assert await vectors(served.url, [long]) == [vector(long[:600])]


async def test_batches_that_are_too_large_are_divided(served: Endpoint) -> None:
    served.refuses = lambda request: (
        Answer(422, {"error": "batch size 20 > maximum allowed batch size 8", "error_type": "Validation"})
        if len(request["input"]) > 8
        else None
    )
    texts = [f"text {number}" for number in range(20)]
    assert await vectors(served.url, texts) == [vector(text) for text in texts]


async def test_an_endpoint_that_refuses_any_request_is_not_sent_each_text(
    served: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    served.refuses = lambda _: Answer(400, {"error": {"message": "no", "code": "unknown_parameter"}})
    _, line = await refusal(caplog, served.url, dimensions=8)
    assert line == "the embeddings endpoint failed: HTTP 400 unknown_parameter"
    assert served.texts == [SECRET, "word"]


async def test_no_more_requests_run_at_a_time_than_the_setting_allows(served: Endpoint) -> None:
    await vectors(served.url, [f"text {number}" for number in range(40)], batch=1, requests=3)
    assert len(served.requests) == 40
    assert served.most_at_a_time <= 3


async def test_searches_remember_vectors_within_their_project(served: Endpoint) -> None:
    one, other = uuid4(), uuid4()
    searches = SearchVectors(Embedder(served.url, MODEL), 5)
    async with aclosing(_Closing(searches)):
        found = await asyncio.gather(*[searches.of(one, "a word", within_s=5) for _ in range(9)])
        assert {tuple(numbers(each)) for each in found} == {tuple(vector("a word"))}
        assert len(served.requests) == 1
        await searches.of(one, "a word", within_s=5)
        assert len(served.requests) == 1
        await searches.of(other, "a word", within_s=5)
        assert len(served.requests) == 2


async def test_one_project_does_not_take_all_requests_of_the_endpoint(served: Endpoint) -> None:
    one, other = uuid4(), uuid4()
    searches = SearchVectors(Embedder(served.url, MODEL, requests=2), 30)
    async with aclosing(_Closing(searches)):
        served.waits.clear()
        many = [asyncio.create_task(searches.of(one, f"text {place}", within_s=30)) for place in range(10)]
        single = asyncio.create_task(searches.of(other, "a word", within_s=30))
        async with asyncio.timeout(10):
            while len(served.texts) < 2:  # noqa: ASYNC110  # the endpoint is another thread
                await asyncio.sleep(0.01)
        assert "a word" in served.texts
        served.waits.set()
        await asyncio.gather(single, *many)


async def test_searches_leave_an_endpoint_alone_that_does_not_answer(served: Endpoint) -> None:
    searches = SearchVectors(Embedder(served.url, MODEL), 5)
    async with aclosing(_Closing(searches)):
        served.refuses = lambda _: Answer(503, b"")
        for text in ("one", "two", "three"):
            with pytest.raises(EmbeddingsUnavailableError, match="is busy"):
                await searches.of(None, text, within_s=5)
        assert served.texts == ["one", "one"]


async def test_a_text_that_the_endpoint_fails_on_keeps_it_from_no_other_project(served: Endpoint) -> None:
    searches = SearchVectors(Embedder(served.url, MODEL), 5)
    async with aclosing(_Closing(searches)):
        served.refuses = lambda request: Answer(500, b"") if request["input"] == ["poison"] else None
        for _ in range(2):
            with pytest.raises(EmbeddingsUnavailableError, match="has a fault"):
                await searches.of("one", "poison", within_s=5)
        assert served.texts == ["poison"] * 2
        assert numbers(await searches.of("two", "a word", within_s=5)) == vector("a word")


async def test_a_search_that_gives_up_leaves_the_vector_to_the_others(served: Endpoint) -> None:
    searches = SearchVectors(Embedder(served.url, MODEL), 30)
    async with aclosing(_Closing(searches)):
        served.waits.clear()
        patient = asyncio.create_task(searches.of(None, "a word", within_s=30))
        with pytest.raises(EmbeddingsUnavailableError, match="did not answer in time"):
            await searches.of(None, "a word", within_s=0.05)
        served.waits.set()
        assert numbers(await patient) == vector("a word")
        assert len(served.requests) == 1


@pytest.mark.parametrize("answer", REFUSALS)
async def test_a_text_that_the_endpoint_does_not_take_is_a_wrong_query_and_no_other_is(
    served: Endpoint, answer: Answer
) -> None:
    searches = SearchVectors(Embedder(served.url, MODEL), 5)
    async with aclosing(_Closing(searches)):
        served.refuses = lambda request: answer if request["input"] == ["strange"] else None
        with pytest.raises(BadUserInputError, match="does not take this text") as caught:
            await searches.of(None, "strange", within_s=5)
        assert caught.value.field == "query"
        assert numbers(await searches.of(None, "usual", within_s=5)) == vector("usual")


class _Closing:
    def __init__(self, searches: SearchVectors) -> None:
        self._searches = searches

    async def aclose(self) -> None:
        await self._searches.close()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"embeddings_model": "m"}, "AGENTDATA_EMBEDDINGS_MODEL is set, but not AGENTDATA_EMBEDDINGS_URL"),
        (
            {"embeddings_api_key": "k"},
            "AGENTDATA_EMBEDDINGS_API_KEY is set, but not AGENTDATA_EMBEDDINGS_URL",
        ),
        ({"embeddings_dimensions": 8}, "AGENTDATA_EMBEDDINGS_DIMENSIONS is set, but not"),
        (
            {"embeddings_url": "http://one"},
            "AGENTDATA_EMBEDDINGS_URL is set, but not AGENTDATA_EMBEDDINGS_MODEL",
        ),
        ({"embeddings_url": "localhost:11434", "embeddings_model": "m"}, "is no address"),
        ({"embeddings_url": "ftp://one", "embeddings_model": "m"}, "is no address"),
        ({"embeddings_url": "http://", "embeddings_model": "m"}, "is no address"),
        ({"embeddings_url": "http://one:99999", "embeddings_model": "m"}, "is no address"),
        ({"embeddings_url": "http://me:it@one", "embeddings_model": "m"}, "has a user or a password in it"),
        (
            {"embeddings_url": "http://one", "embeddings_model": "m", "embeddings_api_key": "a\nb"},
            "characters that a header cannot hold",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SetupError) as caught:
        embedder_of(Settings(**settings))
    assert problem in str(caught.value)
    assert "me:it" not in str(caught.value)


async def test_without_an_endpoint_there_is_no_embedder() -> None:
    assert embedder_of(Settings()) is None
    embedder = embedder_of(Settings(embeddings_url="http://one", embeddings_model="m"))
    assert embedder is not None
    await embedder.close()


def test_the_vectors_of_the_tests_tell_texts_apart() -> None:
    one, like, other = vector("the oven is hot"), vector("a hot oven"), vector("close the window")
    assert len(one) == DIMENSIONS
    assert sum(a * b for a, b in zip(one, like, strict=True)) > sum(
        a * b for a, b in zip(one, other, strict=True)
    )
