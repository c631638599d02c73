"""Contents are read in a process of their own, which no file can hold up or fill."""

from __future__ import annotations

import asyncio
import time

import psutil
import pytest

from agentdata.knowledge import parsing
from agentdata.knowledge.parsing import Parser
from agentdata.knowledge.reading import UnreadableError, read
from agentdata.knowledge.splitting import Splitting, chunks
from tests.worker.waiting import until


async def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parsing, "SECONDS", 3.0)
    async with Parser() as parser:
        # Python's parser of HTML takes the square of the length for this, here hours.
        with pytest.raises(UnreadableError, match="takes longer than 3 s to read; split it"):
            await parser.parse("a.html", b"<a " * 500_000, Splitting())
        found = await parser.parse("b.html", b"<title>B</title><body><p>Hello", Splitting())
    assert found is not None
    assert (found.title, found.type) == ("B", "text/html")
    assert [chunk["content"] for chunk in found.chunks] == ["B\n\nHello"]


@pytest.mark.slow
async def test_a_file_that_takes_too_much_memory_is_given_up_and_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parsing, "MEMORY_BYTES", 800 << 20)
    async with Parser() as parser:
        with pytest.raises(UnreadableError, match="takes too much memory to read; split it"):
            await parser.parse("a.md", b"- a\n" * 4_000_000, Splitting())
        found = await parser.parse("b.md", b"Hello", Splitting())
    assert found is not None
    assert [chunk["content"] for chunk in found.chunks] == ["b\n\nHello"]


async def test_what_cannot_be_read_is_told_and_what_is_binary_is_none() -> None:
    async with Parser() as parser:
        assert await parser.parse("a.bin", b"\0", Splitting()) is None
        with pytest.raises(UnreadableError, match="cannot be read as a PDF"):
            await parser.parse("a.pdf", b"broken", Splitting())


async def test_the_process_ends_with_its_parser() -> None:
    before = set(psutil.Process().children())

    async def look() -> set[psutil.Process]:
        return set(psutil.Process().children()) - before

    parser = Parser()
    async with parser:
        reading = asyncio.ensure_future(parser.parse("a.html", b"<a " * 500_000, Splitting()))
        started = await until(look)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    gone, alive = await asyncio.to_thread(psutil.wait_procs, started, 10)
    assert gone
    assert not alive


@pytest.mark.parametrize(("name", "part"), [("a.txt", "word "), ("a.md", "a"), ("a.py", "x = 1\n")])
def test_the_time_of_splitting_grows_with_the_length(name: str, part: str) -> None:
    def seconds(length: int) -> float:
        document = read(name, (part * (length // len(part))).encode())
        assert document is not None
        began = time.process_time()
        assert sum(len(chunk["content"]) for chunk in chunks(document, Splitting(1_600, 0))) >= length * 0.99
        return time.process_time() - began

    few, many = min(seconds(200_000) for _ in range(3)), seconds(1_600_000)
    assert many < 20 * few


def test_long_sections_are_cut_between_paragraphs_and_lose_nothing() -> None:
    text = "\n\n".join(f"Paragraph {number} " + "word " * 100 for number in range(1_000))
    document = read("a.txt", text.encode())
    assert document is not None
    found = [chunk["content"].split("\n\n", 1)[1] for chunk in chunks(document, Splitting(4_000, 0))]
    assert " ".join(" ".join(found).split()) == " ".join(text.split())
    assert all(each.startswith("Paragraph ") for each in found)
    lines = text.count("\n") + 1
    last = [*chunks(document, Splitting(4_000, 0))][-1]["metadata_"]
    assert last["lastLine"] == lines
