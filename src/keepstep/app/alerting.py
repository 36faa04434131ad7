"""Alerts from what stands in the database: a restart forgets none, and of a fleet only the holder of the lock sends.

One message for each kind and integration, and one when it is over. What nobody took is tried again at the next turn.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from keepstep.app.context import Context
from keepstep.app.silence import silent_sides
from keepstep.domain.alerts import AlertKind, Condition, Word, word
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.domain.link import Link, LinkState
from keepstep.ports.alerts import Message
from keepstep.ports.locks import BusyError, LockLostError
from keepstep.ports.storage import LinkQuery, UnitOfWork

_LOOKED_AT = 200
_STANDING = frozenset({IntegrationState.ACTIVE, IntegrationState.PAUSED})


async def tell_people(ctx: Context) -> int:
    """Returns how many messages were taken by somebody."""
    if not ctx.alerts.addresses:
        return 0
    sent = 0
    try:
        async with ctx.locks.hold("alerts") as held:
            async for integration, kind, condition in _conditions(ctx):
                held.check()
                sent += await _tell(ctx, integration, kind, condition)
    except (BusyError, LockLostError):
        pass  # another process tells
    return sent


async def _conditions(ctx: Context) -> AsyncIterator[tuple[Integration, AlertKind, Condition | None]]:
    async with ctx.storage.begin() as uow:
        integrations = await uow.integrations.list_all()
        heard = await uow.inbox.last_received()
    for each in integrations:
        if each.state not in _STANDING:
            continue
        async with ctx.storage.begin() as uow:
            found = {c.kind: c for c in await conditions_of(ctx, uow, each, heard.get(each.id, {}))}
        for kind in AlertKind:
            yield each, kind, found.get(kind)


async def conditions_of(
    ctx: Context, uow: UnitOfWork, integration: Integration, heard: Mapping[Side, datetime]
) -> Sequence[Condition]:
    """Everything that is wrong with it as a whole, at most one of each kind."""
    found = [*_pause(integration), *_parts(integration)]
    found += _set_aside(*await uow.links.page(_query(integration.id, LinkState.SET_ASIDE)))
    found += _fights((await uow.links.page(_query(integration.id, LinkState.IN_CONFLICT)))[0])
    found += _silence(await silent_sides(ctx, uow, integration, heard))
    return found


def _query(integration_id: IntegrationId, state: LinkState) -> LinkQuery:
    return LinkQuery(integration_id, states=(state,), limit=_LOOKED_AT)


def _pause(integration: Integration) -> Sequence[Condition]:
    cause = integration.pause
    if integration.state is not IntegrationState.PAUSED or cause is None or cause.by_person:
        return ()
    if cause.guard:
        cure = "Look at what would be detached, then go on or stay paused. Nothing is lost meanwhile."
        return (Condition(AlertKind.GUARD, cause.at, cause.message, cure),)
    cure = "Renew what has failed, or resume it. Nothing is lost meanwhile."
    return (Condition(AlertKind.PAUSED, cause.at, cause.message, cure),)


def _parts(integration: Integration) -> Sequence[Condition]:
    broken = [each for each in integration.parts if not each.fine]
    if not broken:
        return ()
    message = " ".join(f"The {each.part}: {each.detail}" for each in broken)
    newest = max(each.broken_at or each.at for each in broken)
    cure = "It is tried again by itself; until then changes are found by looking every few minutes."
    return (Condition(AlertKind.HOOK, newest, message, cure),)


def _silence(silent: Sequence[tuple[Side, datetime]]) -> Sequence[Condition]:
    if not silent:
        return ()
    sides = " and ".join(f"the {side} (since {since:%H:%M} UTC)" for side, since in silent)
    message = f"The looks keep finding changes of {sides} that no webhook told of."
    cure = (
        "Nothing is lost, but changes come late. Check that the public address is reachable, and run "
        "keepstep doctor."
    )
    return (Condition(AlertKind.SILENCE, max(since for _, since in silent), message, cure),)


def _set_aside(links: Sequence[Link], total: int) -> Sequence[Condition]:
    if not total:
        return ()
    newest = max((each.trouble for each in links if each.trouble), key=lambda each: each.at, default=None)
    noun = "Link is" if total == 1 else "Links are"
    message = f"{total} {noun} set aside."
    if newest is not None:
        message += f" The latest: {newest.message}"
    cure = "Mend the cause, then choose Try again on the page Attention; the others go on."
    at = newest.at if newest else max(each.created_at for each in links)
    return (Condition(AlertKind.SET_ASIDE, at, message, cure),)


def _fights(links: Sequence[Link]) -> Sequence[Condition]:
    fought = [each for link in links for each in link.conflicts.values() if each.fight]
    if not fought:
        return ()
    noun = "field is" if len(fought) == 1 else "fields are"
    message = f"{len(fought)} {noun} left alone: another program set them back again and again."
    cure = "Stop the other program, then choose on the page Attention which value stays."
    return (Condition(AlertKind.FIGHT, max(each.since for each in fought), message, cure),)


async def _tell(ctx: Context, integration: Integration, kind: AlertKind, condition: Condition | None) -> int:
    """The mark is set only when somebody took the message."""
    now = ctx.clock.now()
    async with ctx.storage.begin() as uow:
        told = await uow.marks.get(integration.id, f"told:{kind}")
        ended = await uow.marks.get(integration.id, f"ended:{kind}")
    next_word = word(condition, told, ended, now, ctx.rules.alert_every)
    if next_word is Word.NOTHING:
        return 0
    message = _message(ctx, integration, kind, condition)
    if not await ctx.alerts.send(message):
        return 0
    async with ctx.storage.begin() as uow:
        name = f"ended:{kind}" if next_word is Word.RECOVERED else f"told:{kind}"
        await uow.marks.set(integration.id, name, now)
        await uow.commit()
    return 1


_TITLES = {
    AlertKind.PAUSED: ("is paused", "goes on"),
    AlertKind.GUARD: ("asks before it detaches more", "goes on"),
    AlertKind.SET_ASIDE: ("has Links set aside", "has no Links set aside any more"),
    AlertKind.FIGHT: ("has a field that another program fights over", "has no fights any more"),
    AlertKind.HOOK: ("cannot put something outside right", "has everything outside in place again"),
    AlertKind.SILENCE: ("hears nothing from a webhook", "hears its webhooks again"),
}


def _message(ctx: Context, integration: Integration, kind: AlertKind, condition: Condition | None) -> Message:
    bad, good = _TITLES[kind]
    page = f"{ctx.rules.public_url}/integrations/{integration.id}"
    if condition is None:
        return Message(f"Keepstep: {integration.name} {good}", f"Nothing to do. {page}", good=True)
    body = f"{condition.message}\n\nWhat to do: {condition.cure}\n\n{page}"
    return Message(f"Keepstep: {integration.name} {bad}", body)
