"""The sender keeps its rate whatever the answers do, and counts every answer."""

import asyncio
import contextlib

from bench.load import Job, run


@contextlib.asynccontextmanager
async def serving(answer):
    """Yields the port; every connection is closed at the end."""

    async def one(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(await answer())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    await asyncio.sleep(0.05)
    server.close()
    await server.wait_closed()


async def test_requests_go_out_at_their_rate_although_answers_are_late():
    came = []

    async def answer():
        came.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.2)
        return b"HTTP/1.1 204 No Content\r\n\r\n"

    async with serving(answer) as port:
        outcome = await run(Job("127.0.0.1", port, 50.0, ["POST / HTTP/1.1\r\n\r\n"] * 20))
    assert outcome.statuses == {"204": 20}
    assert len(outcome.late_ms) == 20
    assert min(outcome.milliseconds) >= 195
    assert 19 / 50 - 0.05 <= came[-1] - came[0] < 20 * 0.2


async def test_bodies_of_answers_are_read_to_their_end():
    async def answer():
        return b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"

    async with serving(answer) as port:
        outcome = await run(Job("127.0.0.1", port, 5.0, ["POST / HTTP/1.1\r\n\r\n"] * 2))
    assert outcome.statuses == {"503": 2}
