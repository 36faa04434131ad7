"""Sends requests at a fixed rate over kept connections, whether or not earlier ones are answered; run as a process.

Reads a `Job` as JSON from standard input and prints an `Outcome`. It speaks HTTP/1.1 by hand: a client library would
cost as much time as what is measured.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

_OPEN_AT_START = 8
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    host: str
    port: int
    rate: float
    """Requests a second."""
    requests: list[str]
    """Whole requests, head and body."""


@dataclass
class Outcome:
    milliseconds: list[float] = field(default_factory=list)
    """From the writing of the request to the end of its answer's head."""
    late_ms: list[float] = field(default_factory=list)
    """How much later than planned each was sent: the noise of this process."""
    statuses: dict[str, int] = field(default_factory=dict)


class _Lines:
    """Connections that nobody uses at the moment; a new one is opened where all are busy."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open(self) -> None:
        for _ in range(_OPEN_AT_START):
            self._idle.append(await asyncio.open_connection(self._job.host, self._job.port))

    async def ask(self, raw: bytes) -> int:
        line = (
            self._idle.pop() if self._idle else await asyncio.open_connection(self._job.host, self._job.port)
        )
        reader, writer = line
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(each[15:]) for each in head.lower().split(b"\r\n") if each.startswith(b"content-length:")), 0
        )
        if length:
            await reader.readexactly(length)
        self._idle.append(line)
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


async def run(job: Job) -> Outcome:
    lines, outcome, statuses = _Lines(job), Outcome(), Counter[str]()
    await lines.open()

    async def one(raw: bytes) -> None:
        sent = time.perf_counter()
        async with asyncio.timeout(_ANSWER_SECONDS):
            status = await lines.ask(raw)
        outcome.milliseconds.append((time.perf_counter() - sent) * 1000)
        statuses[str(status)] += 1

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(job.requests):
            due = started + number / job.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            outcome.late_ms.append((time.perf_counter() - due) * 1000)
            group.create_task(one(request.encode()))
    lines.close()
    outcome.statuses = dict(statuses)
    return outcome


def main() -> None:
    job = Job(**json.load(sys.stdin))
    json.dump(asdict(asyncio.run(run(job))), sys.stdout)


if __name__ == "__main__":
    main()
