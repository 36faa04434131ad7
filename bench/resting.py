"""What the service takes when nothing happens: memory and processor."""

import asyncio

from bench.figures import Figure, amount
from bench.processes import cpu_seconds, weigh
from bench.stage import Stage

_MEMORY_AIM = 160.0


async def memory(stage: Stage, when: str, *, judged: bool) -> Figure:
    """PSS of the service and of the database's processes. The emulators share Python's pages with the service."""
    own, database = weigh(stage.service.own), weigh(stage.service.database.processes())
    note = f"service {own.pss:.0f} (RSS {own.rss:.0f}), database {database.pss:.0f}"
    most = _MEMORY_AIM if judged else None
    return amount(f"memory {when}, PSS", [own.pss + database.pss], "MB", most=most, digits=0, note=note)


async def processor(stage: Stage, seconds: float) -> Figure:
    await stage.quiet()
    database = stage.service.database.processes()
    before = cpu_seconds(stage.service.own), cpu_seconds(database)
    await asyncio.sleep(seconds)
    own = (cpu_seconds(stage.service.own) - before[0]) / seconds * 100
    server = (cpu_seconds(database) - before[1]) / seconds * 100
    note = f"service {own:.1f}, database {server:.1f}, over {seconds:.0f} s"
    return amount("idle, share of one core", [own + server], "%", note=note)
