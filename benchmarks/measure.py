"""Checks that all servers give the same answers, and measurements of the servers in turns."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from benchmarks import dataset, shapes
from benchmarks.load import Client, Sample, request, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contenders.run import Running
    from benchmarks.dataset import Size
    from benchmarks.shape import Shape
    from benchmarks.shapes import Write

COLD_DOCUMENTS = 20
WARM_UP_S = 0.5
"""The seconds of the same load before the measurement, so that code is compiled and caches are filled."""


async def read_request(server: Running, shape: Shape, size: Size) -> bytes:
    """Return the request of a shape; a request of a second page needs the cursor of the first page."""
    variables = shape.variables(size)
    if not shape.has_second_page:
        return request(server.path(shape.name), _body(server, shape, variables))
    first = await _send(server, request(server.path(shape.name), _body(server, shape, variables)))
    after = first["sessions"]["pageInfo"]["endCursor"]
    return request(server.path(shape.name), _body(server, shape, variables | {"after": after}))


def answering(servers: list[Running], shape: Shape) -> list[Running]:
    """Return the servers whose schema has the fields of a shape."""
    return [server for server in servers if shape.document_for(server.contender.schema) is not None]


async def check(servers: list[Running], shape: Shape, size: Size) -> None:
    """Send the same request to all servers, and stop if the data of two answers differs."""
    answers = {}
    for server in servers:
        data = await _send(server, await read_request(server, shape, size))
        answers[server.contender.name] = shapes.normalize(data)
    (name, expected), *others = answers.items()
    for other, answer in others:
        if answer != expected:
            raise SystemExit(
                f"{shape.name}: {other} and {name} give different answers: {_difference(expected, answer)}"
            )


async def measure_read(
    servers: list[Running], shape: Shape, size: Size, clients: int, seconds: float, rounds: int
) -> dict[str, Sample]:
    """Measure a shape on all servers, in turns."""
    requests = {server.contender.name: await read_request(server, shape, size) for server in servers}

    def maker(server: Running) -> Callable[[int], Callable[[], bytes]]:
        payload = requests[server.contender.name]
        return lambda _client: lambda: payload

    return await _in_turns(servers, maker, clients, seconds, rounds)


async def measure_write(
    servers: list[Running], write: Write, size: Size, clients: int, seconds: float, rounds: int
) -> dict[str, Sample]:
    """Measure a write on all servers, in turns; every client writes to a session of its own."""
    sequences = iter(range(100_000, 10**9))

    def maker(server: Running) -> Callable[[int], Callable[[], bytes]]:
        def requests_of(client: int) -> Callable[[], bytes]:
            session = dataset.session_id(size, client)
            return lambda: write_request(server, write, session, next(sequences))

        return requests_of

    written_by = {}
    for server in servers:
        payload = write_request(server, write, dataset.session_id(size, 0), next(sequences))
        written_by[server.contender.name] = shapes.written_messages(await _send(server, payload))
    (name, expected), *others = written_by.items()
    for other, answer in others:
        if answer != expected:
            raise SystemExit(f"{write.name}: {other} and {name} write different messages")
    return await _in_turns(servers, maker, clients, seconds, rounds)


async def measure_cold(server: Running, shape: Shape, size: Size) -> float:
    """Return the median time of first requests of new documents, in milliseconds."""
    client = await Client.connect(server.port)
    times = []
    for number in range(COLD_DOCUMENTS):
        body = _body(server, shape, shape.variables(size))
        body["query"] = re.sub(r"^query \w+", rf"\g<0>{number}x{time.time_ns()}", body["query"])
        payload = request(server.path(shape.name), body)
        started = time.perf_counter()
        await client.read(payload)
        times.append(time.perf_counter() - started)
    client.close()
    return sorted(times)[COLD_DOCUMENTS // 2] * 1000


async def _in_turns(
    servers: list[Running],
    maker: Callable[[Running], Callable[[int], Callable[[], bytes]]],
    clients: int,
    seconds: float,
    rounds: int,
) -> dict[str, Sample]:
    for server in servers:
        await run(server.port, clients, WARM_UP_S, maker(server), Sample())
    samples = {server.contender.name: Sample() for server in servers}
    for _ in range(rounds):
        for server in servers:
            sample = samples[server.contender.name]
            server.forget_peak()
            before = server.cpu_s()
            await run(server.port, clients, seconds / rounds, maker(server), sample)
            sample.cpu_s += server.cpu_s() - before
            sample.peak_mb = max(sample.peak_mb, server.peak_mb())
    return samples


async def _send(server: Running, payload: bytes) -> Any:
    client = await Client.connect(server.port)
    try:
        return await client.read(payload)
    except SystemExit as error:
        raise SystemExit(f"{server.contender.name}: {error}") from None
    finally:
        client.close()


def _body(server: Running, shape: Shape, variables: dict[str, Any]) -> dict[str, Any]:
    document = shape.document_for(server.contender.schema)
    if document is None:
        raise LookupError(f"the schema of {server.contender.name} has no fields for {shape.name}")
    project = {"project": str(dataset.PROJECT)} if "$project" in document else {}
    return {"query": document, "variables": variables | project}


def write_request(server: Running, write: Write, session: str, sequence: int) -> bytes:
    """Return the request of a write to a session; ``sequence`` is for servers that do not number."""
    if server.contender.schema == "postgraphile":
        variables = write.postgraphile_variables(session, sequence)
        return request("/graphql", {"query": write.postgraphile, "variables": variables})
    body = {"query": write.document, "variables": write.variables(session)}
    return request(server.path(write.name), body)


def _difference(one: Any, other: Any, path: str = "data") -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            if one.get(key, ...) != other.get(key, ...):
                return _difference(one.get(key, "nothing"), other.get(key, "nothing"), f"{path}.{key}")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            if a != b:
                return _difference(a, b, f"{path}.{index}")
    return f"{path} is {str(other)[:200]} and {str(one)[:200]}"
