"""A stopping process answers what is still on its way to it, and says that the connection ends."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import uvicorn

from functional.web_world import World
from keepstep.web.patience import PatientProtocol

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Lingering(PatientProtocol):
    """Long enough for a busy machine; nothing waits for its end but the connection that is silent."""

    linger_seconds = 3.0


@dataclass
class Served:
    server: uvicorn.Server
    port: int
    running: asyncio.Task[None]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        before = len(self.server.server_state.connections)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        async with asyncio.timeout(5):
            while len(self.server.server_state.connections) == before:
                await asyncio.sleep(0)
        return reader, writer

    async def begin_to_stop(self) -> None:
        """Until it takes no connection any more."""
        self.server.should_exit = True
        async with asyncio.timeout(5):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except ConnectionRefusedError:
                    return
                writer.close()
                await asyncio.sleep(0.01)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(World().app(), http=Lingering, ws="none", log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    with contextlib.ExitStack() as signals:
        server.capture_signals = lambda: signals  # type: ignore[method-assign] # the test's own signals stay
        running = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(5):
            while not server.started:
                await asyncio.sleep(0.01)
        yield Served(server, port, running)
        server.should_exit = True
        async with asyncio.timeout(10):
            await running


async def test_a_request_that_arrives_while_it_stops_is_answered(served: Served):
    reader, writer = await served.connect()
    await served.begin_to_stop()
    writer.write(REQUEST)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    writer.close()


async def test_the_next_request_of_a_kept_connection_is_its_last(served: Served):
    reader, writer = await served.connect()
    writer.write(REQUEST)
    first = await reader.readuntil(b"\r\n\r\n")
    assert b"\r\nconnection: close\r\n" not in first.lower()
    await served.begin_to_stop()
    writer.write(REQUEST)
    rest = await reader.read()
    assert b"HTTP/1.1 200 " in rest
    assert b"\r\nconnection: close\r\n" in rest.lower()
    writer.close()


async def test_a_silent_connection_does_not_hold_it(served: Served):
    reader, writer = await served.connect()
    await served.begin_to_stop()
    async with asyncio.timeout(10):
        await served.running
    assert await reader.read() == b""
    writer.close()
