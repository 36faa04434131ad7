"""Linking a feature and a ticket that both exist: one pair, whoever asked for it."""

from dataclasses import replace

from keepstep.app.context import Context
from keepstep.app.opening import description_rule
from keepstep.domain.bulk import FirstSync
from keepstep.domain.events import Act, Entry, Notice, NoticeKind, Source
from keepstep.domain.feature import Feature
from keepstep.domain.fields import Side
from keepstep.domain.first_sync import first_differences
from keepstep.domain.ids import LinkId
from keepstep.domain.integration import Integration
from keepstep.domain.link import Base, Link, LinkState, Seen
from keepstep.domain.rules import field_rules
from keepstep.domain.ticket import Ticket
from keepstep.ports.storage import UnitOfWork
from keepstep.ports.tracker import Tracker

_TOLD = {
    FirstSync.KEEP: "Both keep what they have.",
    FirstSync.FEATURE: "Where they differ, the feature's value stays.",
    FirstSync.TICKET: "Where they differ, the ticket's value stays.",
    FirstSync.ASK: "Where they differ, a person decides.",
}


def new_pair(
    ctx: Context,
    integration: Integration,
    tracker: Tracker,
    feature: Feature,
    ticket: Ticket,
    first: FirstSync,
    link_id: LinkId | None = None,
) -> Link:
    """Of what both show now. `link_id`: the Link whose marker the ticket carries already."""
    now, policy = ctx.clock.now(), integration.policy
    link = Link(
        id=link_id or ctx.clock.new_link_id(),
        integration_id=integration.id,
        feature_id=feature.id,
        state=LinkState.LINKED,
        created_at=now,
        account=integration.tracker.key,
        feature_title=feature.title,
        feature_url=feature.url,
        feature_type=feature.type,
        feature_status=feature.status.name if feature.status else "",
        ticket=ticket.ref,
        ticket_title=ticket.title,
        ticket_status=ticket.status,
        seen={
            Side.FEATURE: Seen(feature.snapshot.digest, feature.updated_at),
            Side.TICKET: Seen(ticket.snapshot.digest, ticket.updated_at),
        },
    )
    rules = field_rules(policy.status_map, description_rule(ctx, link, tracker), tracker.manifest.title_limit)
    shown = Base(feature.snapshot, ticket.snapshot)
    base, held = first_differences(rules, policy, shown, first, now)
    link = replace(link, base=base, conflicts=held)
    return replace(link, state=link.settled_state)


async def pair_in(
    uow: UnitOfWork, link: Link, first: FirstSync, actor: str, source: Source
) -> tuple[Link, bool]:
    """The Link (or the open one that its feature has, and False), with the rows that its job begins with.

    The caller commits and wakes. Raises TicketTakenError, which names the Link that owns the ticket.
    """
    stored, is_new = await uow.links.add_or_find(link)
    if not is_new:
        return stored, False
    rows = [(NoticeKind.SYNC, dict[str, str]())]
    if first in (FirstSync.FEATURE, FirstSync.TICKET):
        rows += [
            (NoticeKind.DECIDE, {"field": name.value, "side": Side(first).value}) for name in link.conflicts
        ]
    for kind, detail in rows:
        await uow.inbox.add(
            Notice(
                link.integration_id,
                kind,
                source,
                link.created_at,
                link_id=link.id,
                actor=actor,
                detail=detail,
            )
        )
    label = link.ticket.label if link.ticket else ""
    reason = f"Paired with {label}. {_TOLD[first]}"
    await uow.journal.add(
        Entry(link.created_at, Act.LINKED, link.integration_id, link.id, reason=reason, actor=actor)
    )
    return stored, True
