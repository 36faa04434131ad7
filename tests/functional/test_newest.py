"""Which side changed last, also where people edit faster than a sync reads."""

import asyncio

import pytest


@pytest.mark.parametrize("side", ["feature", "ticket"])
async def test_an_edit_that_comes_while_both_sides_are_read_is_the_newest(world, side):
    """The job took its rows before that edit; the value that it reads shows it all the same."""
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)

    async def edit(which, name):
        if which == "feature":
            await world.edit_feature(feature["id"], name=name)
        else:
            await world.edit_issue(issue["iid"], title=name)
        await asyncio.sleep(0.1)

    other = "ticket" if side == "feature" else "feature"
    world.worker_runs = False
    await edit(side, "First")
    await edit(other, "Second")
    emulator, match = {
        "feature": ("productboard", f"GET /v2/entities/{feature['id']}"),
        "ticket": ("gittab", f"GET /api/v4/projects/1/issues/{issue['iid']}"),
    }[side]
    world.fault(emulator, match=match, delay_s=0.5)
    world.worker_runs = True
    await asyncio.sleep(0.2)
    await edit(side, "Third")

    async def both_third():
        titles = (
            (await world.feature(feature["id"]))["fields"]["name"],
            (await world.issue(issue["iid"]))["title"],
        )
        return titles == ("Third", "Third")

    await world.until(both_third)
    await world.quiet(0.4)
    assert await both_third()
