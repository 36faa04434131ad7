"""Column, subscription and webhook are looked after: what is gone, switched off or points elsewhere is put right."""

import pytest

from keepstep.app.looking_after import look_after
from keepstep.domain.events import Act, TimerKind
from keepstep.domain.integration import Part
from keepstep.ports.storage import JournalQuery

from world import BOARD_TOKEN, SERVICE


async def _repairs(world, integration):
    async with world.ctx.storage.begin() as uow:
        entries, _ = await uow.journal.page(JournalQuery(integration=integration.id, acts=(Act.REPAIRED,)))
    return [each.reason for each in entries]


async def _looked(world, integration):
    await look_after(world.ctx, integration.id)
    return await world.integration(integration)


async def test_what_is_in_place_is_left_alone(world):
    integration = await world.connect()
    found = await _looked(world, integration)
    assert {each.part: each.fine for each in found.parts} == dict.fromkeys(Part, True)
    assert found.registrations == integration.registrations
    calls = [each for each in world.calls() if not each.startswith("GET")]
    await _looked(world, integration)
    assert [each for each in world.calls() if not each.startswith("GET")] == calls
    assert await _repairs(world, integration) == []


async def test_a_webhook_that_somebody_deleted_is_made_again_and_works(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    await world.tracker("DELETE", f"/projects/1/hooks/{integration.registrations.hook}")
    found = await _looked(world, integration)
    assert found.registrations.hook != integration.registrations.hook
    assert "tracker webhook: It was gone." in (await _repairs(world, integration))[0]
    await world.edit_issue(issue["iid"], title="Told by the new one")

    async def told():
        return (await world.feature(feature["id"]))["fields"]["name"] == "Told by the new one"

    await world.until(told)


async def test_a_webhook_that_was_switched_off_or_points_elsewhere_is_put_right(world):
    integration = await world.connect()
    hook = next(iter(world.gittab.state.sandbox.emulator.state.hooks.values()))
    hook.url = "https://elsewhere.example/hook"
    found = await _looked(world, integration)
    assert found.part(Part.HOOK).repaired_at is not None
    assert "pointed to another address" in (await _repairs(world, integration))[0]
    urls = [each["url"] for each in await world.tracker("GET", "/projects/1/hooks")]
    assert f"{SERVICE}/hooks/tracker/{integration.id}" in urls


async def test_a_subscription_that_is_gone_is_made_again(world):
    integration = await world.connect()
    path = f"/v2/webhooks/{integration.registrations.subscription}"
    await world.board("DELETE", path, token=BOARD_TOKEN)
    found = await _looked(world, integration)
    assert found.registrations.subscription != integration.registrations.subscription
    feature, issue, _ = await world.pushed(found)
    await world.edit_feature(feature["id"], name="Told again")

    async def told():
        return (await world.issue(issue["iid"]))["title"] == "Told again"

    await world.until(told)


async def test_a_column_that_is_gone_comes_back_with_its_cells(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    path = f"/v2/plugin-integrations/{integration.registrations.column}"
    await world.board("DELETE", path, token=BOARD_TOKEN)
    found = await _looked(world, integration)
    assert found.registrations.column != integration.registrations.column

    async def shown():
        return (await world.cell(found, feature["id"])).get("targetUrl") == issue["web_url"]

    await world.until(shown)


@pytest.mark.parametrize("status", [403, 422])
async def test_what_cannot_be_put_right_is_said_with_the_cause(world, status):
    integration = await world.connect()
    await world.tracker("DELETE", f"/projects/1/hooks/{integration.registrations.hook}")
    world.fault("gittab", match="POST /api/v4/projects/1/hooks", status=status, times=None)
    found = await _looked(world, integration)
    if status == 403:
        assert found.registrations.hook is None
        return
    report = found.part(Part.HOOK)
    assert not report.fine
    assert "could not be put right" in report.detail
    assert "422" in report.detail
    world.clear_faults()
    assert (await _looked(world, found)).part(Part.HOOK).fine


async def test_a_token_that_is_lost_pauses(world):
    integration = await world.connect()
    world.fault("gittab", match="GET /api/v4/projects/1/hooks/*", status=401)
    found = await _looked(world, integration)
    assert found.state == "paused"


async def test_it_is_looked_at_by_a_timer_of_its_own(world):
    integration = await world.connect()
    async with world.ctx.storage.begin() as uow:
        later = world.ctx.clock.now() + world.ctx.rules.look_after_every
        due = await uow.timers.take_due(later, 100)
    assert TimerKind.LOOK_AFTER in {each.kind for each in due if each.integration_id == integration.id}
