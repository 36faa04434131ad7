"""Is the installation itself well: database, workers, queue, and when each side last gave a sign of life."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from keepstep.app.doctor import examine_all
from keepstep.app.overview import Health, HealthWord, list_integrations
from keepstep.web.admin.layout import render
from keepstep.web.admin.session import PersonDep
from keepstep.web.deps import ContextDep, Readiness, ServicesDep, SystemFacts

router = APIRouter(include_in_schema=False)

_LONG_WAIT_SECONDS = 120.0


@router.get("/system")
async def system(request: Request, ctx: ContextDep, services: ServicesDep, _person: PersonDep) -> Response:
    facts, readiness = await services.system(), await services.ready()
    return render(
        request,
        "system.html",
        facts=facts,
        readiness=readiness,
        health=_health(facts, readiness),
        alive=sum(each.alive for each in facts.workers),
        rows=await list_integrations(ctx),
        place="system",
    )


@router.get("/system/doctor")
async def doctor(request: Request, ctx: ContextDep, _person: PersonDep) -> Response:
    """Asks both sides of every integration, as the command does; changes nothing."""
    async with ctx.storage.begin() as uow:
        integrations = await uow.integrations.list_all()
    report = await examine_all(ctx, integrations)
    return render(request, "doctor.html", report=report, place="system")


def _health(facts: SystemFacts, readiness: Readiness) -> Health:
    failed = [each for each in readiness.checks if not each.ok]
    if failed:
        names = ", ".join(each.name for each in failed)
        return Health(HealthWord.BROKEN, f"Keepstep cannot work: {names}.", failed[0].detail)
    if not any(each.alive for each in facts.workers):
        return Health(
            HealthWord.BROKEN,
            "No worker is alive, so nothing is carried over.",
            "Start one: keepstep serve or keepstep worker. What came in meanwhile is kept and worked through then.",
        )
    if facts.oldest_waiting > _LONG_WAIT_SECONDS:
        return Health(
            HealthWord.ATTENTION,
            "Work is piling up.",
            "See below what the workers do. One more worker process helps if they are busy.",
        )
    wrong = sum(not each.ok for each in facts.checks)
    if wrong:
        text = "One check found something." if wrong == 1 else f"{wrong} checks found something."
        return Health(HealthWord.ATTENTION, text, "See below what it is and what helps.")
    return Health(HealthWord.OK, "Database, workers and queue are well.")
