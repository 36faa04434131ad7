"""A field that goes to and fro is left alone and shown; the others go on, and a person ends it."""

from dataclasses import replace

from keepstep.app import links
from keepstep.app.overview import link_health
from keepstep.domain.fields import Field, Side
from keepstep.domain.fight import Fight
from keepstep.domain.link import ConflictCause, LinkState


async def _title(world, issue):
    return (await world.issue(issue["iid"]))["title"]


async def _carried(world, issue, title):
    return await _title(world, issue) == title


async def _fought_over(world):
    """A Link whose title another program has just moved to and fro four times."""
    world.ctx = replace(world.ctx, rules=replace(world.ctx.rules, fight=Fight()))
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    for title in ("One", "Two", "One", "Two"):
        await world.edit_feature(feature["id"], name=title)
        await world.until(lambda title=title: _carried(world, issue, title))
        await world.quiet(0.1)
    return integration, feature, issue


async def test_the_fourth_flip_freezes_the_field_alone(world):
    integration, feature, issue = await _fought_over(world)
    link = await world.link_of(integration, feature["id"])
    assert link.state is LinkState.IN_CONFLICT
    assert link.conflicts[Field.TITLE].cause is ConflictCause.FIGHT
    assert "another program" in link_health(link).sentence
    await world.edit_feature(feature["id"], name="One", status={"name": "Released"})
    await world.until(lambda: _is_closed(world, issue))
    await world.quiet()
    assert await _title(world, issue) == "Two"
    after = await world.link_of(integration, feature["id"])
    assert (after.conflicts[Field.TITLE].feature, after.conflicts[Field.TITLE].ticket) == ("One", "Two")


async def _is_closed(world, issue):
    return (await world.issue(issue["iid"]))["state"] == "closed"


async def test_a_person_decides_and_the_field_goes_on(world):
    integration, feature, issue = await _fought_over(world)
    await world.edit_feature(feature["id"], name="One")
    await world.quiet()
    link = await world.link_of(integration, feature["id"])
    await links.decide(world.ctx, link.id, Field.TITLE, Side.FEATURE, "tester")
    await world.until(lambda: _carried(world, issue, "One"))
    await world.quiet()
    link = await world.link_of(integration, feature["id"])
    assert link.state is LinkState.LINKED
    await world.edit_feature(feature["id"], name="Three")
    await world.until(lambda: _carried(world, issue, "Three"))
