"""The machine's time is set forward or back while the service runs: nothing is lost, nothing stands still."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keepstep.adapters.clock import SystemClock
from keepstep.app.links import sync_now
from keepstep.domain.fields import Side
from keepstep.domain.link import LinkState

from world import QUICK, open_world

CREATE = "POST /api/v4/projects/1/issues"
LOST = {"match": "* *", "direction": "out", "lose": True, "times": None}
HOUR, BACK = timedelta(hours=1), timedelta(minutes=-10)
JUMPS = pytest.mark.parametrize("jump", [HOUR, BACK, timedelta(days=400)], ids=["hour", "back", "year"])


class SetClock(SystemClock):
    """The real one, off by what somebody has set it to."""

    def __init__(self):
        self.off = timedelta()

    def now(self):
        return super().now() + self.off

    def jump(self, by):
        self.off += by


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
async def world(clock):
    async with open_world(clock=clock) as opened:
        yield opened
        assert not opened.crashes


async def _in_step(world, feature, issue, title):
    async def both():
        return (
            (await world.feature(feature["id"]))["fields"]["name"]
            == title
            == (await world.issue(issue["iid"]))["title"]
        )

    await world.until(both)


@JUMPS
async def test_edits_on_both_sides_and_pushes_go_on_after_a_jump_and_after_it_is_put_right(
    world, clock, jump
):
    integration = await world.connect()
    feature, issue, link = await world.pushed(integration)
    another, third = [each for each in await world.features() if each["id"] != feature["id"]][:2]
    for number, by in enumerate((jump, -jump)):
        clock.jump(by)
        await world.edit_feature(feature["id"], name=f"There {number}")
        await _in_step(world, feature, issue, f"There {number}")
        await world.edit_issue(issue["iid"], title=f"And back {number}")
        await _in_step(world, feature, issue, f"And back {number}")
        await world.click(integration, (another, third)[number]["id"])
        made = (another, third)[number]["id"]

        async def connected(made=made):
            return (await world.cell(integration, made))["state"] == "connected"

        await world.until(connected)
    assert len(await world.issues()) == 3
    assert (await world.link_of(integration, feature["id"])).state is LinkState.LINKED
    assert link.id == (await world.link_of(integration, feature["id"])).id


async def test_a_click_is_answered_in_time_though_the_clock_is_set_back_while_it_waits(world, clock):
    integration = await world.connect()
    feature = (await world.features())[0]
    world.fault("gittab", match=CREATE, delay_s=5)
    jumped = []

    async def wait(link, seconds, wait=world.ctx.signals.wait):
        if not jumped:
            jumped.append(clock.jump(BACK))
        await wait(link, seconds)

    world.ctx.signals.wait = wait
    assert (await world.click(integration, feature["id"]))["state"] == "progress"
    assert jumped


@JUMPS
async def test_a_failing_create_is_still_one_ticket_when_the_clock_jumps_between_its_tries(
    world, clock, jump
):
    integration = await world.connect()
    feature = (await world.features())[0]
    world.fault("gittab", match=CREATE, drop=True, when="after")
    await world.click(integration, feature["id"])
    clock.jump(jump)

    async def shown():
        return (await world.cell(integration, feature["id"]))["state"]

    if jump < timedelta():  # a retry that was set before waits that much longer, unless a person asks
        await sync_now(world.ctx, (await world.link_of(integration, feature["id"])).id, "tester")
    else:  # a push that seems to be older than its limit ends with an error, and is pushed again

        async def settled():
            return await shown() in ("connected", "error")

        await world.until(settled)
        if await shown() == "error":
            await world.click(integration, feature["id"])

    async def connected():
        return await shown() == "connected"

    await world.until(connected)
    assert len(await world.issues()) == 1


@pytest.mark.parametrize("side", list(Side))
async def test_a_change_that_no_webhook_told_of_is_found_though_the_last_poll_was_ahead(clock, side):
    rules = replace(QUICK, look_up_every=timedelta(days=1), poll_every=timedelta(days=1))
    async with open_world(rules, clock=clock) as world:
        integration = await world.connect()
        feature, issue, _ = await world.pushed(integration)
        clock.jump(HOUR)
        await world.poll(integration)
        clock.jump(-HOUR)
        for emulator in ("productboard", "gittab"):
            world.fault(emulator, **LOST)
        if side is Side.FEATURE:
            await world.edit_feature(feature["id"], name="Unheard")
        else:
            await world.edit_issue(issue["iid"], title="Unheard")
        await world.quiet(0.3)
        await world.poll(integration)
        await _in_step(world, feature, issue, "Unheard")
        assert not world.crashes
