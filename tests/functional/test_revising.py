"""What a person asks of an integration holds, although its job saves it at the same moment."""

from dataclasses import replace

import pytest

from keepstep.app import connect, manage, removing
from keepstep.app.revising import revise
from keepstep.domain.errors import ForbiddenMoveError, StaleRevisionError
from keepstep.domain.integration import IntegrationState


async def _stored(world, integration):
    async with world.ctx.storage.begin() as uow:
        return await uow.integrations.get(integration.id)


async def test_what_was_asked_is_done_on_what_the_job_has_saved(world):
    integration = await world.connect()
    seen = []

    async def rename(uow, now):
        seen.append(now.revision)
        await uow.integrations.save(replace(now, name=f"Try {len(seen)}"))
        if len(seen) < 3:
            raise StaleRevisionError("A job was faster.")

    await revise(world.ctx, integration.id, rename)
    assert len(seen) == 3
    assert (await _stored(world, integration)).name == "Try 3"


async def test_what_is_forbidden_stays_forbidden(world):
    integration = await world.connect()
    with pytest.raises(ForbiddenMoveError, match="not paused"):
        await manage.resume(world.ctx, integration.id, "ann")
    assert (await _stored(world, integration)).state is IntegrationState.ACTIVE


class _FasterJob:
    """Saves the integration right after the person's transaction has read it, once."""

    def __init__(self, storage, monkeypatch):
        self.happened = 0
        real = storage.begin

        def begin():
            return _Between(real(), self, real)

        monkeypatch.setattr(storage, "begin", begin)


class _Between:
    def __init__(self, inner, job, begin):
        self._inner, self._job, self._begin = inner, job, begin

    async def __aenter__(self):
        uow = await self._inner.__aenter__()
        if not self._job.happened:
            self._job.happened = 1
            real = uow.integrations.get

            async def get(integration_id):
                found = await real(integration_id)
                return replace(found, revision=found.revision - 1)  # as it was before the job saved it

            uow.integrations.get = get
        return uow

    async def __aexit__(self, *error):
        return await self._inner.__aexit__(*error)


@pytest.mark.parametrize("act", ["remove", "try again", "pause"])
async def test_a_job_that_was_faster_is_no_answer_to_a_person(world, monkeypatch, act):
    integration = await world.connect()
    job = _FasterJob(world.ctx.storage, monkeypatch)
    match act:
        case "remove":
            await removing.remove(world.ctx, integration.id, "ann", clean_tickets=False)
        case "try again":
            await connect.try_again(world.ctx, integration.id, "ann")
        case _:
            await manage.pause(world.ctx, integration.id, "ann")
    assert job.happened
