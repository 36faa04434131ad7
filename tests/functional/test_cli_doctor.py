"""What the doctor finds out about an integration, asked of both emulators."""

from dataclasses import replace

import pytest

from keepstep.app import manage
from keepstep.app.doctor import Mark, examine, examine_all
from keepstep.domain.errors import MissingError
from keepstep.domain.ids import IntegrationId
from keepstep.domain.policy import StatusMap

from world import TRACKER_TOKEN


async def _examined(world, integration):
    """The findings by what they are about, the worst of each."""
    order = list(Mark)
    found = {}
    for each in await examine(world.ctx, integration.id):
        before = found.get(each.about)
        if before is None or order.index(each.mark) > order.index(before.mark):
            found[each.about] = each
    assert all(each.cure for each in found.values() if each.mark is not Mark.OK), found
    return found


async def test_a_connected_integration_is_well(world):
    integration = await world.connect()
    found = await _examined(world, integration)
    assert found.pop("status map").mark is Mark.WARNING
    assert {each.mark for each in found.values()} == {Mark.OK}, found
    assert {"state", "secrets", "Productboard token", "column", "GitTab token", "project"} <= found.keys()
    assert {"Productboard webhook", "GitTab webhook", "Links"} <= found.keys()


async def test_it_changes_nothing(world):
    integration = await world.connect()
    await world.pushed(integration)
    before = len(world.calls())
    await _examined(world, integration)
    assert {call.split()[0] for call in world.calls()[before:]} <= {"GET", "POST"}
    assert [call for call in world.calls()[before:] if call.startswith("POST") and "search" not in call] == []


@pytest.mark.parametrize(
    ("emulator", "match", "about", "side"),
    [
        ("gittab", "* /api/v4/*", "GitTab token", "tracker"),
        ("productboard", "* /v2/*", "Productboard token", "board"),
    ],
)
async def test_a_refused_token_is_named_with_the_command_that_replaces_it(
    world, emulator, match, about, side
):
    integration = await world.connect()
    world.fault(emulator, match=match, status=401, times=None)
    found = (await _examined(world, integration))[about]
    assert found.mark is Mark.FAILURE
    assert found.cure == f"keepstep integrations token {integration.id} {side}"
    assert TRACKER_TOKEN not in found.message


async def test_a_side_that_is_down_is_a_failure_and_the_other_is_still_asked(world):
    integration = await world.connect()
    world.fault("gittab", match="* /api/v4/*", status=503, times=None)
    found = await _examined(world, integration)
    assert found["GitTab token"].mark is Mark.FAILURE
    assert found["column"].mark is Mark.OK


async def test_a_column_that_somebody_deleted_is_found(world):
    integration = await world.connect()
    column = integration.registrations.column
    board = world.outside.open_board(
        integration.board.base_url, await world.ctx.vault.open(integration.board.token)
    )
    await board.columns.remove_column(column)
    found = await _examined(world, integration)
    assert found["column"].mark is Mark.FAILURE


async def test_a_map_that_speaks_of_what_is_gone_is_shown(world):
    integration = await world.connect()
    policy = replace(integration.policy, status_map=StatusMap({"no-such": "opened"}, {"opened": "none"}))
    await manage.change(world.ctx, integration.id, manage.Changes(policy=policy), "tester")
    findings = [each for each in await examine(world.ctx, integration.id) if each.about == "status map"]
    assert "no-such, none" in findings[0].message
    assert "Not mapped" in findings[1].message


async def test_a_pause_is_a_warning_with_its_cause(world):
    integration = await world.connect()
    await manage.pause(world.ctx, integration.id, "tester")
    found = await _examined(world, integration)
    assert found["state"].mark is Mark.WARNING
    assert "Paused by tester." in found["state"].message


async def test_a_public_address_that_changed_is_shown(world):
    integration = await world.connect()
    moved = replace(world.ctx, rules=replace(world.ctx.rules, public_url="http://elsewhere.test"))
    found = {each.about: each for each in await examine(moved, integration.id)}
    assert found["addresses"].mark is Mark.WARNING


async def test_a_lost_key_stops_the_asking(world):
    integration = await world.connect()
    before = len(world.calls())
    world.ctx.vault.lose_key()
    found = await _examined(world, integration)
    assert found["secrets"].mark is Mark.FAILURE
    assert "KEEPSTEP_SECRET_KEYS" in found["secrets"].cure
    assert len(world.calls()) == before


async def test_all_are_examined_and_what_vanishes_meanwhile_is_no_error(world):
    integration = await world.connect()
    gone = replace(integration, id=IntegrationId("gone"))
    first, second = await examine_all(world.ctx, [integration, gone])
    assert first[1]
    assert second == (gone, [])
    with pytest.raises(MissingError):
        await examine(world.ctx, gone.id)


async def test_a_failed_connect_says_so(world):
    world.fault("gittab", match="POST /api/v4/projects/*/hooks", status=422)
    integration = await world.connect()
    found = await _examined(world, integration)
    assert found["state"].mark is Mark.FAILURE
