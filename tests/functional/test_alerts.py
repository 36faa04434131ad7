"""Somebody is told: once per kind and integration, in words with a cure, and again when it is over."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from keepstep.adapters.alerts import AlertAddressError, alerts_to
from keepstep.app import alerting, manage
from keepstep.app.looking_after import look_after
from keepstep.app.silence import silent_sides
from keepstep.domain.events import Source
from keepstep.domain.fields import Side
from keepstep.domain.integration import IntegrationState, Part, PartReport, PauseCause
from keepstep.domain.link import LinkState, Trouble

from world import BOARD_TOKEN


class Letterbox:
    addresses = 1

    def __init__(self):
        self.messages, self.is_open = [], True

    async def send(self, message):
        if self.is_open:
            self.messages.append(message)
        return int(self.is_open)


@pytest.fixture
async def box(world):
    box = Letterbox()
    world.ctx = replace(world.ctx, alerts=box)
    return box


async def _change(world, integration, **changes):
    async with world.ctx.storage.begin() as uow:
        found = await uow.integrations.get(integration.id)
        await uow.integrations.save(replace(found, **changes))
        await uow.commit()


async def test_a_pause_is_told_once_and_its_end_too(world, box):
    integration = await world.connect()
    assert await alerting.tell_people(world.ctx) == 0
    cause = PauseCause("The token is not accepted any more.", world.ctx.clock.now(), field="board token")
    await _change(world, integration, state=IntegrationState.PAUSED, pause=cause)
    assert await alerting.tell_people(world.ctx) == 1
    assert await alerting.tell_people(world.ctx) == 0
    assert "Roadmap is paused" in box.messages[0].title
    assert "not accepted any more" in box.messages[0].body
    assert f"/integrations/{integration.id}" in box.messages[0].body
    await manage.resume(world.ctx, integration.id, "tester")
    assert await alerting.tell_people(world.ctx) == 1
    assert box.messages[1].good
    assert len(box.messages) == 2


async def test_what_a_person_paused_is_no_alert(world, box):
    integration = await world.connect()
    await manage.pause(world.ctx, integration.id, "tester")
    await alerting.tell_people(world.ctx)
    assert box.messages == []


async def test_many_links_set_aside_are_one_message(world, box):
    integration = await world.connect()
    for each in (await world.features())[:3]:
        await world.click(integration, each["id"])
        link = await world.until(lambda each=each: world.link_of(integration, each["id"]))
        await world.quiet(0.2)
        link = await world.link_of(integration, each["id"])
        trouble = Trouble("set aside", "GitLab said no.", world.ctx.clock.now())
        async with world.ctx.storage.begin() as uow:
            await uow.links.save(replace(link, state=LinkState.SET_ASIDE, trouble=trouble))
            await uow.commit()
    await alerting.tell_people(world.ctx)
    (message,) = box.messages
    assert "3 Links are set aside" in message.body
    assert "GitLab said no." in message.body


async def test_an_undelivered_message_is_tried_again(world, box):
    integration = await world.connect()
    broken = PartReport(Part.HOOK, world.ctx.clock.now(), fine=False, detail="It was gone.")
    await _change(world, integration, parts=(broken,))
    box.is_open = False
    assert await alerting.tell_people(world.ctx) == 0
    box.is_open = True
    assert await alerting.tell_people(world.ctx) == 1


async def test_a_part_that_stays_broken_is_told_once_and_another_one_then(world, box):
    ctx = world.ctx = replace(world.ctx, rules=replace(world.ctx.rules, alert_every=timedelta()))
    integration = await world.connect()
    await world.tracker("DELETE", f"/projects/1/hooks/{integration.registrations.hook}")
    world.fault("gittab", match="POST /api/v4/projects/1/hooks", status=422, times=None)
    for _ in range(2):
        await look_after(ctx, integration.id)
        await alerting.tell_people(ctx)
    assert len(box.messages) == 1
    await world.board("DELETE", f"/v2/webhooks/{integration.registrations.subscription}", token=BOARD_TOKEN)
    world.fault("productboard", match="POST /v2/webhooks", status=422, times=None)
    for _ in range(2):
        await look_after(ctx, integration.id)
        await alerting.tell_people(ctx)
    assert len(box.messages) == 2
    assert "webhook: It was gone" in box.messages[1].body
    world.clear_faults()
    await look_after(ctx, integration.id)
    await alerting.tell_people(ctx)
    assert [each.good for each in box.messages] == [False, False, True]


async def test_of_two_processes_one_tells(world, box):
    integration = await world.connect()
    cause = PauseCause("The token is not accepted any more.", world.ctx.clock.now())
    await _change(world, integration, state=IntegrationState.PAUSED, pause=cause)
    await asyncio.gather(*(alerting.tell_people(world.ctx) for _ in range(3)))
    assert len(box.messages) == 1


async def test_changes_that_only_the_poll_finds_become_a_silence_until_a_webhook_comes(world, box):
    """The tracker's webhooks go nowhere, and nothing else fails."""
    ctx = world.ctx = replace(world.ctx, rules=replace(world.ctx.rules, silent_after=timedelta(seconds=1)))
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    await alerting.tell_people(ctx)
    assert box.messages == []
    world.fault("gittab", direction="out", lose=True, times=None)
    for title in ("Nobody told us", "Nor of this"):
        await world.edit_issue(issue["iid"], title=title)
        await world.poll(integration)
        await world.until(lambda title=title: _is_named(world, feature["id"], title))
        await alerting.tell_people(ctx)
        await asyncio.sleep(1.1)
    (message,) = box.messages
    assert "changes of the ticket (since" in message.body
    assert not message.good
    world.clear_faults()
    await world.edit_issue(issue["iid"], title="This came by webhook")
    await world.until(lambda: _is_named(world, feature["id"], "This came by webhook"))
    await alerting.tell_people(ctx)
    assert [each.good for each in box.messages] == [False, True]


async def test_a_second_side_that_falls_silent_is_named_too(world, box):
    integration = await world.connect()
    hooked = await world.integration(integration)
    now, hour = world.ctx.clock.now(), timedelta(hours=1)
    async with world.ctx.storage.begin() as uow:
        for side, since in ((Side.FEATURE, now - 5 * hour), (Side.TICKET, now - 2 * hour)):
            await uow.marks.set(integration.id, f"unannounced since:{side}", since)
            await uow.marks.set(integration.id, f"unannounced last:{side}", now)
        (silence,) = await alerting.conditions_of(world.ctx, uow, hooked, heard={})
    assert silence.newest == now - 2 * hour
    assert "of the feature (since" in silence.message
    assert "and the ticket (since" in silence.message


async def test_a_link_that_cannot_look_is_no_silence_and_gathers_no_rows(world, box):
    """Set aside, it has long been told by webhook what every look finds anew."""
    ctx = world.ctx = replace(world.ctx, rules=replace(world.ctx.rules, silent_after=timedelta()))
    integration = await world.connect()
    _, issue, link = await world.pushed(integration)
    async with ctx.storage.begin() as uow:
        link = await uow.links.save(replace(await uow.links.get(link.id), state=LinkState.SET_ASIDE))
        await uow.commit()
    await world.edit_issue(issue["iid"], title="Told by webhook")
    await world.until(lambda: _rows(world, link))
    for _ in range(2):
        await world.poll(integration)
    assert [each.source for each in await _rows(world, link)] == [Source.WEBHOOK]
    async with ctx.storage.begin() as uow:
        assert await silent_sides(ctx, uow, await world.integration(integration), heard={}) == []


async def _rows(world, link):
    async with world.ctx.storage.begin() as uow:
        return await uow.inbox.unhandled(link.id)


async def _is_named(world, feature, name):
    return (await world.feature(feature))["fields"]["name"] == name


_EXTRA = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")


@_EXTRA
def test_an_address_that_makes_no_sense_is_named_by_its_place():
    pytest.importorskip("apprise", reason="alerts are an extra: pip install apprise")
    with pytest.raises(AlertAddressError, match="address 2 of 2"):
        alerts_to(["json://127.0.0.1:9", "nonsense"])


@_EXTRA
async def test_a_message_goes_out_over_http():
    pytest.importorskip("apprise", reason="alerts are an extra: pip install apprise")
    got = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(
            next(line for line in head.lower().split(b"\r\n") if b"content-length" in line).split()[1]
        )
        got.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        sender = alerts_to([f"json://127.0.0.1:{port}"])
        assert await sender.send(alerting.Message("Roadmap is paused", "Paste a new token.")) == 1
    assert b"Paste a new token." in got[0]
