"""For those who watch: alive, able to work, and numbers in Prometheus' text format. Open, so without names or ids."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse

from keepstep.app.overview import IntegrationRow, list_integrations
from keepstep.domain.integration import IntegrationState
from keepstep.domain.link import LinkState
from keepstep.web.deps import ContextDep, ServicesDep, SystemFacts

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> PlainTextResponse:
    """The process answers; says nothing about what it depends on, so that nobody restarts it for a slow database."""
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


@router.get("/readyz")
async def readyz(services: ServicesDep) -> JSONResponse:
    """200 when migrated and able to work, else 503 with what is missing."""
    found = await services.ready()
    checks = [{"name": each.name, "ok": each.ok, "detail": each.detail} for each in found.checks]
    return JSONResponse(
        {"ready": found.ready, "checks": checks},
        status_code=200 if found.ready else 503,
        headers={"Cache-Control": "no-store"},
    )


@router.get("/metrics")
async def metrics(services: ServicesDep, ctx: ContextDep) -> PlainTextResponse:
    rows = await list_integrations(ctx)
    async with ctx.storage.begin() as uow:
        waiting = [await uow.inbox.waiting(row.integration.id) for row in rows]
    lines = [
        *_of_integrations(rows),
        *_of_each(rows, waiting, ctx.clock.now()),
        *_of_system(await services.system(), sum(waiting)),
    ]
    return PlainTextResponse(
        "\n".join(lines) + "\n",
        media_type="text/plain; version=0.0.4",
        headers={"Cache-Control": "no-store"},
    )


def _of_integrations(rows: Iterable[IntegrationRow]) -> Iterable[str]:
    integrations: Counter[IntegrationState] = Counter()
    links: Counter[LinkState] = Counter()
    for row in rows:
        integrations[row.integration.state] += 1
        links.update(row.by_state)
    yield from _family("integrations", "Integrations by state.")
    yield from (_sample("integrations", integrations[each], each.value) for each in IntegrationState)
    yield from _family("links", "Links by state.")
    yield from (_sample("links", links[each], each.value) for each in LinkState)


def _of_each(rows: Sequence[IntegrationRow], waiting: Sequence[int], now: datetime) -> Iterable[str]:
    """Each under a digest of its id: the id itself opens the webhooks' addresses."""
    names = [f'integration="{sha256(row.integration.id.encode()).hexdigest()[:8]}"' for row in rows]
    named = list(zip(names, rows, strict=True))
    yield from _family("integration_last_notification_age_seconds", "Since each side last told us something.")
    for name, row in named:
        for side, at in sorted(row.last_notice.items()):
            age = max(0.0, (now - at).total_seconds())
            yield _labelled("integration_last_notification_age_seconds", f'{name},side="{side}"', age)
    yield from _family("integration_part_fine", "1 where a column or webhook was in place at the last look.")
    for name, row in named:
        for part in row.integration.parts:
            labels = f'{name},part="{part.part.name.lower()}"'
            yield _labelled("integration_part_fine", labels, int(part.fine))
    for family, text, state in (
        ("integration_links_set_aside", "Links that wait for a person after failures.", LinkState.SET_ASIDE),
        ("integration_links_in_conflict", "Links with an open decision.", LinkState.IN_CONFLICT),
    ):
        yield from _family(family, text)
        yield from (_labelled(family, name, row.by_state.get(state, 0)) for name, row in named)
    yield from _of_limits(named, now)
    yield from _family("integration_notices_unhandled", "Stored notifications that no sync has handled yet.")
    for name, number in zip(names, waiting, strict=True):
        yield _labelled("integration_notices_unhandled", name, number)


def _of_limits(named: Sequence[tuple[str, IntegrationRow]], now: datetime) -> Iterable[str]:
    reached = [(f'{name},side="{each.side}"', each) for name, row in named for each in row.limits]
    yield from _family("integration_links_held_back", "Links that wait: a side takes no more calls for now.")
    for labels, each in reached:
        yield _labelled("integration_links_held_back", labels, each.waiting)
    yield from _family("integration_calls_paused_seconds", "Until that side is called again.")
    for labels, each in reached:
        left = (each.until - now).total_seconds() if each.until else 0.0
        yield _labelled("integration_calls_paused_seconds", labels, left)


def _of_system(facts: SystemFacts, waiting: int) -> Iterable[str]:
    alive = sum(each.alive for each in facts.workers)
    for name, text, value in (
        ("notices_unhandled", "Stored notifications that no sync has handled yet.", waiting),
        ("jobs_waiting", "Jobs that wait for a worker.", facts.queue_waiting),
        ("jobs_running", "Jobs under way.", facts.queue_running),
        (
            "oldest_waiting_seconds",
            "How long the longest waiting job has been waiting.",
            facts.oldest_waiting,
        ),
        ("workers", "Workers with a recent sign of life.", alive),
    ):
        yield from _family(name, text)
        yield _sample(name, value)


def _family(name: str, text: str) -> Iterable[str]:
    yield f"# HELP keepstep_{name} {text}"
    yield f"# TYPE keepstep_{name} gauge"


def _labelled(name: str, labels: str, value: float) -> str:
    return f"keepstep_{name}{{{labels}}} {value:g}"


def _sample(name: str, value: float, state: str = "") -> str:
    label = f'{{state="{state}"}}' if state else ""
    return f"keepstep_{name}{label} {value:g}"
