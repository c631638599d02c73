"""Checking that all servers answer alike, and measuring them in turns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks import dataset, shapes
from benchmarks.load import Client, Sample, request, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contenders.run import Running
    from benchmarks.dataset import Size
    from benchmarks.shapes import Shape, Write

COLD_DOCUMENTS = 20
WARM_UP_S = 0.5
"""Seconds of the same load before it is measured: what compiles or caches has begun to by then."""


async def read_request(server: Running, shape: Shape, size: Size) -> bytes:
    """Give the request of a shape; that of a second page needs an answer of the first."""
    variables = shape.variables(size)
    if not shape.has_second_page:
        return request(server.path(shape.name), _body(server, shape, variables))
    first = await _ask(server, request(server.path(shape.name), _body(server, shape, variables)))
    after = first["sessions"]["pageInfo"]["endCursor"]
    return request(server.path(shape.name), _body(server, shape, variables | {"after": after}))


async def check(servers: list[Running], shape: Shape, size: Size) -> None:
    """Ask all servers the same, and stop where two answers differ in their data."""
    answers = {}
    for server in servers:
        data = await _ask(server, await read_request(server, shape, size))
        answers[server.contender.name] = shapes.normal(data)
    (name, expected), *others = answers.items()
    for other, answer in others:
        if answer != expected:
            raise SystemExit(
                f"{shape.name}: {other} answers otherwise than {name}: {_difference(expected, answer)}"
            )


async def measure_read(
    servers: list[Running], shape: Shape, size: Size, clients: int, seconds: float, rounds: int
) -> dict[str, Sample]:
    """Measure a shape on all servers, in turns."""
    requests = {server.contender.name: await read_request(server, shape, size) for server in servers}

    def maker(server: Running) -> Callable[[int], Callable[[], bytes]]:
        sent = requests[server.contender.name]
        return lambda _client: lambda: sent

    return await _in_turns(servers, maker, clients, seconds, rounds)


async def measure_write(
    servers: list[Running], write: Write, size: Size, clients: int, seconds: float, rounds: int
) -> dict[str, Sample]:
    """Measure a write on all servers, in turns; every client writes to a session of its own."""
    places = iter(range(100_000, 10**9))

    def maker(server: Running) -> Callable[[int], Callable[[], bytes]]:
        def following(client: int) -> Callable[[], bytes]:
            session = dataset.session_id(size, client)
            return lambda: _write_request(server, write, session, next(places))

        return following

    written = {}
    for server in servers:
        sent = _write_request(server, write, dataset.session_id(size, 0), next(places))
        written[server.contender.name] = shapes.written(await _ask(server, sent))
    (name, expected), *others = written.items()
    for other, answer in others:
        if answer != expected:
            raise SystemExit(f"{write.name}: {other} writes otherwise than {name}")
    return await _in_turns(servers, maker, clients, seconds, rounds)


async def measure_cold(server: Running, shape: Shape, size: Size) -> float:
    """Give the median of the first requests of documents that the server has not seen, in milliseconds."""
    client = await Client.connect(server.port)
    times = []
    for number in range(COLD_DOCUMENTS):
        body = _body(server, shape, shape.variables(size))
        name = shape.name.capitalize()
        body["query"] = body["query"].replace(f"query {name}", f"query {name}{number}x{time.time_ns()}", 1)
        sent = request(server.path(shape.name), body)
        begun = time.perf_counter()
        await client.read(sent)
        times.append(time.perf_counter() - begun)
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


async def _ask(server: Running, sent: bytes) -> Any:
    client = await Client.connect(server.port)
    try:
        return await client.read(sent)
    except SystemExit as error:
        raise SystemExit(f"{server.contender.name}: {error}") from None
    finally:
        client.close()


def _body(server: Running, shape: Shape, variables: dict[str, Any]) -> dict[str, Any]:
    if server.contender.schema == "postgraphile":
        document = shape.postgraphile
        project = {"project": str(dataset.PROJECT)} if "$project" in document else {}
        return {"query": document, "variables": variables | project}
    return {"query": shape.document, "variables": variables}


def _write_request(server: Running, write: Write, session: str, place: int) -> bytes:
    if server.contender.schema == "postgraphile":
        variables = write.postgraphile_variables(session, place)
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
    return f"{path} is {str(one)[:200]} there and {str(other)[:200]} here"
