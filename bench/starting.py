"""From the start of the process to the first 200 of /readyz, without emulators; and what the idle process weighs.

The parts are read off from outside: the birth of the database's process, the moment it wrote that it is ready, and the
service's own log line after its schema and connections stand.
"""

import asyncio
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.figures import Figure, amount
from bench.processes import free_ports, weigh
from bench.service import Service

_READY_AIM = 3.0
_MEMORY_AIM = 160.0
_SETTLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Start:
    """Seconds."""

    whole: float
    program: float
    database: float
    schema: float
    web: float


async def measure(repeats: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="keepstep-bench-") as name:
        service = Service(Path(name), free_ports(1)[0])
        try:
            first = await _start(service)
            await service.stop()
            later: list[_Start] = []
            for _ in range(repeats):
                later.append(await _start(service))
                if len(later) == repeats:
                    await asyncio.sleep(_SETTLE_SECONDS)
                    own, database = weigh(service.own), weigh(service.database.processes())
                await service.stop()
        finally:
            await service.stop()
            service.database.remove()
    whole = own + database
    note = f"service {own.pss:.0f}, database {database.pss:.0f}; nothing connected"
    return [
        amount(
            "start to ready, first time",
            [first.whole],
            "s",
            digits=2,
            note=_parts([first], "program and initdb"),
        ),
        amount(
            "start to ready, second time",
            [each.whole for each in later],
            "s",
            most=_READY_AIM,
            digits=2,
        ),
        Figure("  its parts", _parts(later)),
        amount("memory idle after a start, PSS", [whole.pss], "MB", most=_MEMORY_AIM, digits=0, note=note),
    ]


async def _start(service: Service) -> _Start:
    ready = await service.start()
    started = service.child.started_at
    # Both births are counted in ticks since the machine started, so their difference is good to 10 ms.
    born = service.child.watched.create_time()
    program = service.database.processes()[0].create_time() - born
    database = service.database.pid_file.stat().st_mtime - started
    told = str(service.logged("serve.started")[-1]["timestamp"])
    open_at = datetime.fromisoformat(told).timestamp() - started
    return _Start(ready - started, program, database - program, open_at - database, ready - started - open_at)


def _parts(starts: list[_Start], before: str = "program") -> str:
    middle = sorted(starts, key=lambda each: each.whole)[len(starts) // 2]
    return (
        f"{before} {middle.program:.2f}, database {middle.database:.2f}, "
        f"schema {middle.schema:.2f}, web {middle.web:.2f}"
    )
