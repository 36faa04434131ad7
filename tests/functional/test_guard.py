"""No mass damage: what looks like many deletions stops, is shown, and waits for a person."""

from dataclasses import replace

import pytest

from keepstep.app import guarding, manage
from keepstep.domain.errors import ForbiddenMoveError
from keepstep.domain.guard import Guard
from keepstep.domain.integration import IntegrationState
from keepstep.domain.link import LinkState
from keepstep.ports.storage import LinkQuery

FEW = Guard(links=2, percent=0)


@pytest.fixture
async def pushed(world):
    """Five Links, of which two may go within an hour."""
    world.ctx = replace(world.ctx, rules=replace(world.ctx.rules, guard=FEW))
    integration = await world.connect()
    features = (await world.features())[:5]
    for each in features:
        await world.click(integration, each["id"])
    await world.until(lambda: _linked(world, integration, 5))
    return integration, features


async def _links(world, integration):
    async with world.ctx.storage.begin() as uow:
        return (await uow.links.page(LinkQuery(integration.id)))[0]


async def _linked(world, integration, number):
    found = await _links(world, integration)
    return len([each for each in found if each.state is LinkState.LINKED]) == number


async def _integration(world, integration):
    async with world.ctx.storage.begin() as uow:
        return await uow.integrations.get(integration.id)


async def _paused(world, integration):
    found = await _integration(world, integration)
    return found if found.state is IntegrationState.PAUSED else None


async def _delete_all(world, integration, features):
    for each in features:
        await world.board("DELETE", f"/v2/entities/{each['id']}")
    return await world.until(lambda: _paused(world, integration))


async def test_the_third_of_two_stops_everything_and_keeps_it(world, pushed):
    integration, features = pushed
    found = await _delete_all(world, integration, features)
    await world.quiet(0.3)
    assert found.pause.guard
    assert "2 Links were detached" in found.pause.message
    assert len(await _links(world, integration)) == 3
    held = await guarding.view_held_back(world.ctx, integration.id)
    assert {each.feature_id for each in held.links} <= {each["id"] for each in features}
    assert len(held.links) == 3


async def test_a_person_lets_it_go_on(world, pushed):
    integration, features = pushed
    await _delete_all(world, integration, features)
    await guarding.allow(world.ctx, integration.id, "tester")
    await world.until(lambda: _nothing_left(world, integration))
    assert (await _integration(world, integration)).state is IntegrationState.ACTIVE


async def _nothing_left(world, integration):
    return not await _links(world, integration)


async def test_resuming_looks_again_and_stops_again_while_it_is_still_so(world, pushed):
    integration, features = pushed
    await _delete_all(world, integration, features)
    await manage.resume(world.ctx, integration.id, "tester")
    found = await world.until(lambda: _paused(world, integration))
    assert found.pause.guard
    await world.quiet(0.2)
    assert len(await _links(world, integration)) == 3


async def test_what_a_person_unlinks_is_not_counted(world, pushed):
    integration, features = pushed
    for each in features:
        await world.click(integration, each["id"], "button.unlink")
    await world.until(lambda: _nothing_left(world, integration))
    assert (await _integration(world, integration)).state is IntegrationState.ACTIVE


async def test_only_a_stop_can_be_allowed(world, pushed):
    integration, _ = pushed
    with pytest.raises(ForbiddenMoveError, match="does not wait"):
        await guarding.allow(world.ctx, integration.id, "tester")
