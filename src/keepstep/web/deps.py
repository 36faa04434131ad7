"""What every route is given: the use cases' context, the people, and a few facts about this installation."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from keepstep.app.context import Context
from keepstep.app.people import People


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to hold before work can be done."""

    name: str
    ok: bool
    detail: str = ""
    """What was found, or what is wrong and what helps."""


@dataclass(frozen=True, slots=True)
class Readiness:
    checks: tuple[Check, ...]

    @property
    def ready(self) -> bool:
        return all(each.ok for each in self.checks)


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """One process that carries out syncs."""

    name: str
    started_at: datetime | None
    seen_at: datetime
    """Its last sign of life."""
    alive: bool
    running: int = 0


@dataclass(frozen=True, slots=True)
class SystemFacts:
    """What the System page and the metrics show. None stands for "could not be asked"."""

    database: str
    """Kind and version, for people: "PostgreSQL 18.1, embedded"."""
    database_size: int | None = None
    """Bytes."""
    queue_waiting: int = 0
    queue_running: int = 0
    oldest_waiting: float = 0.0
    """Seconds that the longest waiting job has been waiting."""
    workers: tuple[WorkerFacts, ...] = ()
    checks: tuple[Check, ...] = ()
    """Further findings, each with its cure where it is not fine."""
    settings: tuple[tuple[str, str], ...] = ()
    """Name and value of settings worth knowing; never a secret."""


@dataclass(frozen=True, slots=True)
class Services:
    """Built once by bootstrap; found by every route under `request.app.state.services`."""

    ctx: Context
    people: People
    ready: Callable[[], Awaitable[Readiness]]
    version: str
    secure_cookies: bool
    system: Callable[[], Awaitable[SystemFacts]]
    boards: tuple[tuple[str, str], ...] = field(default=())
    """In the demo: name and address of the emulators' pages, shown where nothing is connected yet."""


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


# Coroutines although they wait for nothing: FastAPI sends a plain function to a thread, at every request.
async def _services(request: Request) -> Services:
    return services(request)


async def _context(request: Request) -> Context:
    return services(request).ctx


ServicesDep = Annotated[Services, Depends(_services)]
ContextDep = Annotated[Context, Depends(_context)]
