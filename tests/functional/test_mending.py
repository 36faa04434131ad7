"""Putting right what is safe, and nothing else."""

from dataclasses import replace

from keepstep.app import manage
from keepstep.app.doctor import Mark, examine
from keepstep.app.mending import mend
from keepstep.domain.integration import Part, PartReport

from world import TRACKER_TOKEN


async def _remove_hook(world):
    (hook,) = await _hooks(world)
    await world.client.delete(
        f"http://gittab.test/api/v4/projects/1/hooks/{hook['id']}", headers={"PRIVATE-TOKEN": TRACKER_TOKEN}
    )


async def _hooks(world):
    answer = await world.client.get(
        "http://gittab.test/api/v4/projects/1/hooks", headers={"PRIVATE-TOKEN": TRACKER_TOKEN}
    )
    return answer.json()


async def test_a_deleted_webhook_is_made_again_and_said(world):
    integration = await world.connect()
    await _remove_hook(world)
    done = await mend(world.ctx, [await world.integration(integration)])
    assert any("tracker webhook" in each for each in done)
    assert len(await _hooks(world)) == 1


async def test_what_is_well_is_left_alone(world):
    integration = await world.connect()
    assert list(await mend(world.ctx, [await world.integration(integration)])) == []


async def test_a_paused_integration_stays_as_it_is(world):
    integration = await world.connect()
    await _remove_hook(world)
    await manage.pause(world.ctx, integration.id, "tester")
    assert list(await mend(world.ctx, [await world.integration(integration)])) == []
    assert await _hooks(world) == []


async def test_the_doctor_names_a_part_that_could_not_be_put_right(world):
    integration = await world.connect()
    broken = PartReport(Part.HOOK, world.ctx.clock.now(), fine=False, detail="It was gone.")
    async with world.ctx.storage.begin() as uow:
        found = await uow.integrations.get(integration.id)
        await uow.integrations.save(replace(found, parts=(broken,)))
        await uow.commit()
    lines = [each for each in await examine(world.ctx, integration.id) if each.about == "tracker webhook"]
    assert [(each.mark, bool(each.cure)) for each in lines] == [(Mark.FAILURE, True)]
