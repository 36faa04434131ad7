"""What the pages, the API and the command line read: every view answers "is it working, and if not, what do I do?"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from keepstep.app.context import Context
from keepstep.domain.events import Act, Entry, Notice
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.domain.link import ATTENTION, Link, LinkState
from keepstep.ports.storage import HeldBack, JournalQuery, LinkQuery, UnitOfWork
from keepstep.ports.tracker import Channel, TrackerManifest

_DAY_HOURS = 24


class HealthWord(StrEnum):
    """The four meanings that colours and icons have on every page."""

    OK = "ok"
    WORKING = "working"
    ATTENTION = "attention"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Health:
    word: HealthWord
    sentence: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class LinkCounts:
    in_step: int = 0
    working: int = 0
    attention: int = 0
    retrying: int = 0
    """Of those above: how many failed last time and are tried again by themselves."""

    @property
    def total(self) -> int:
        return self.in_step + self.working + self.attention


@dataclass(frozen=True, slots=True)
class LimitReached:
    """One side takes no more calls of our token for now."""

    side: Side
    name: str
    """Productboard, or the tracker's kind."""
    waiting: int
    """Links that wait for it."""
    until: datetime | None
    """None: it is over, and those that waited are under way."""

    @property
    def sentence(self) -> str:
        links = _links(self.waiting, "waits", "wait")
        if self.until is None:
            return f"{links} for their turn: {self.name} allows only so many calls."
        return f"Paused until {self.until:%H:%M} UTC by {self.name}'s limit of calls, {links}."


@dataclass(frozen=True, slots=True)
class IntegrationRow:
    """One integration in a list."""

    integration: Integration
    tracker_name: str
    health: Health
    counts: LinkCounts
    by_state: Mapping[LinkState, int]
    last_notice: Mapping[Side, datetime]
    """When each side last told us something."""
    last_change: Mapping[Side, datetime]
    """When we last wrote to each side."""
    hook_by_hand: bool
    """A person makes the tracker's webhook."""
    activity: Sequence[int]
    """Journal entries per hour over the last 24 hours, oldest first."""
    limits: Sequence["LimitReached"] = ()


@dataclass(frozen=True, slots=True)
class IntegrationView:
    """One integration's page."""

    row: IntegrationRow
    waiting: int
    """Notices that no sync has handled yet."""
    board_token_end: str
    """Last four characters of the tokens, "" when too short to show any."""
    tracker_token_end: str
    attention: Sequence[Link]
    unmapped: Sequence[str]
    """Warnings of Links, each sentence once: unmapped statuses, losses."""


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field of a Link: both values, the base where it differs, and why it is what it is."""

    field: Field
    feature: str
    ticket: str
    base_feature: str
    base_ticket: str
    why: str
    last: Entry | None = None
    refused: str = ""
    undecided: bool = False


@dataclass(frozen=True, slots=True)
class LinkView:
    link: Link
    integration: Integration
    tracker_name: str
    health: Health
    fields: Sequence[FieldView]
    journal: Sequence[Entry] = field(default_factory=tuple)
    page: str = ""
    """Its signed address."""
    notices: Sequence[Notice] = ()
    """What has come and its job has not dealt with yet, oldest first."""


def link_health(link: Link) -> Health:
    """One sentence on a Link, with its cure."""
    if link.trouble and link.state is LinkState.SET_ASIDE:
        return Health(HealthWord.BROKEN, link.trouble.message, link.trouble.cure)
    match link.state:
        case LinkState.PUSHING if link.trouble:
            return Health(
                HealthWord.WORKING, f"The ticket is not made yet: {link.trouble.message}", link.trouble.cure
            )
        case LinkState.PUSHING:
            return Health(HealthWord.WORKING, "The ticket is being made.")
        case LinkState.IN_CONFLICT:
            return _conflict_health(link)
        case LinkState.REFUSED:
            refusal = next(iter(link.refusals.values()), None)
            return Health(
                HealthWord.ATTENTION,
                refusal.message if refusal else "A write was refused.",
                "Change the value on either side, or the mapping; then it is tried again.",
            )
        case LinkState.LOST_SIGHT:
            side = link.lost.side if link.lost else Side.TICKET
            return Health(
                HealthWord.ATTENTION,
                f"The {side} does not answer any more. It may be deleted, or hidden from our token.",
                "We look again before anything is unlinked.",
            )
        case LinkState.UNLINKING:
            return Health(HealthWord.WORKING, "Being unlinked.")
        case LinkState.DISMISSED:
            return Health(HealthWord.OK, "The failed push was dismissed.", "Push again whenever you like.")
    if link.trouble:
        return Health(
            HealthWord.WORKING, link.trouble.message, link.trouble.cure or "It is tried again by itself."
        )
    return Health(HealthWord.OK, "In step.")


def _conflict_health(link: Link) -> Health:
    fought = [name for name, each in link.conflicts.items() if each.fight]
    if fought:
        sentence = (
            f"The {' and '.join(fought)} went to and fro again and again: another program works against us. "
            "Both sides are left as they are; the other fields go on."
        )
        cure = "Stop the other program, then choose below which value stays. The field goes on from there."
        return Health(HealthWord.ATTENTION, sentence, cure)
    names = " and ".join(link.conflicts)
    if all(each.first for each in link.conflicts.values()):
        return Health(
            HealthWord.ATTENTION,
            f"The two sides differed in {names} when they were linked.",
            "Choose below which one stays.",
        )
    return Health(HealthWord.ATTENTION, f"Both sides changed the {names}.", "Choose below which one stays.")


def integration_health(
    integration: Integration, counts: LinkCounts, limits: Sequence[LimitReached] = ()
) -> Health:
    match integration.state:
        case IntegrationState.PAUSED:
            cause = integration.pause
            return Health(
                HealthWord.ATTENTION if cause and cause.by_person else HealthWord.BROKEN,
                cause.message if cause else "Paused.",
                _pause_cure(integration),
            )
        case IntegrationState.CONNECTING if integration.failure:
            return Health(HealthWord.BROKEN, integration.failure, "Change what is wrong, or try again.")
        case IntegrationState.CONNECTING:
            return Health(HealthWord.WORKING, "Connecting.")
        case IntegrationState.REMOVING if integration.failure:
            return Health(
                HealthWord.BROKEN, integration.failure, "It is tried again by itself, or forget it anyway."
            )
        case IntegrationState.REMOVING:
            return Health(HealthWord.WORKING, "Being removed.")
    if integration.failure:
        return Health(HealthWord.BROKEN, integration.failure, "It is tried again by itself.")
    return _health_of_links(counts, limits)


def _health_of_links(counts: LinkCounts, limits: Sequence[LimitReached]) -> Health:
    if limits:
        needy = _links(counts.attention, "needs attention", "need attention")
        return Health(
            HealthWord.ATTENTION if counts.attention else HealthWord.WORKING,
            " ".join([*([f"{needy}."] if counts.attention else []), *(each.sentence for each in limits)]),
            "It goes on by itself, clicks first, and nothing is lost.",
        )
    waiting = _links(counts.retrying, "waits for its next try", "wait for their next try")
    if counts.attention:
        needy = _links(counts.attention, "needs attention", "need attention")
        rest = f"{waiting}." if counts.retrying else "The others are in step."
        return Health(HealthWord.ATTENTION, f"{needy}. {rest}")
    if counts.retrying:
        return Health(
            HealthWord.WORKING,
            f"{waiting}: a side did not answer as it should.",
            "It is tried again by itself, and nothing is lost. The Link's page names the cause.",
        )
    if counts.working:
        busy = _links(counts.working, "is being made or unlinked", "are being made or unlinked")
        return Health(HealthWord.WORKING, f"{busy}. The others are in step.")
    return Health(
        HealthWord.OK, "Everything is in step." if counts.total else "Connected. Nothing is pushed yet."
    )


def _links(number: int, one: str, many: str) -> str:
    return f"1 Link {one}" if number == 1 else f"{number} Links {many}"


def _pause_cure(integration: Integration) -> str:
    """What the cause says already (paste a new token) is not said again."""
    if integration.pause and integration.pause.field:
        return "It is replaced under Settings. Nothing is lost: what waits goes on then."
    return "Resume it when you like. Nothing is lost: what waits goes on then."


def count_links(by_state: Mapping[LinkState, int]) -> LinkCounts:
    attention = sum(by_state.get(state, 0) for state in ATTENTION)
    working = by_state.get(LinkState.PUSHING, 0) + by_state.get(LinkState.UNLINKING, 0)
    return LinkCounts(by_state.get(LinkState.LINKED, 0), working, attention)


async def list_integrations(ctx: Context) -> Sequence[IntegrationRow]:
    """Those that need attention first, then by name."""
    async with ctx.storage.begin() as uow:
        integrations = await uow.integrations.list_all()
        rows = await _rows(ctx, uow, integrations)
    return sorted(rows, key=lambda row: (_URGENCY[row.health.word], row.integration.name.lower()))


_URGENCY = {HealthWord.BROKEN: 0, HealthWord.ATTENTION: 1, HealthWord.WORKING: 2, HealthWord.OK: 3}


async def _rows(
    ctx: Context, uow: UnitOfWork, integrations: Sequence[Integration]
) -> Sequence[IntegrationRow]:
    only = integrations[0].id if len(integrations) == 1 else None
    counts, retrying = await uow.links.counts(only), await uow.links.retrying(only)
    notices, changes = await uow.inbox.last_received(), await uow.journal.last_change(only)
    now, held = ctx.clock.now(), await uow.links.held_back()
    activity = await uow.journal.activity(now - timedelta(hours=_DAY_HOURS - 1), _DAY_HOURS, only)
    rows = []
    for each in integrations:
        by_state = counts.get(each.id, {})
        totals = replace(count_links(by_state), retrying=retrying.get(each.id, 0))
        tracker_name = ctx.outside.manifest(each.tracker.kind).name
        limits = _limits(held.get(each.id, {}), tracker_name, now)
        rows.append(
            IntegrationRow(
                integration=each,
                tracker_name=tracker_name,
                health=integration_health(each, totals, limits),
                counts=totals,
                by_state=by_state,
                last_notice=notices.get(each.id, {}),
                last_change=changes.get(each.id, {}),
                hook_by_hand=_is_hook_by_hand(each, ctx.outside.manifest(each.tracker.kind)),
                activity=activity.get(each.id, (0,) * _DAY_HOURS),
                limits=limits,
            )
        )
    return rows


def _limits(held: Mapping[Side, HeldBack], tracker_name: str, now: datetime) -> Sequence[LimitReached]:
    return [
        LimitReached(
            side,
            "Productboard" if side is Side.FEATURE else tracker_name,
            each.links,
            each.until if each.until > now else None,
        )
        for side, each in sorted(held.items())
    ]


def _is_hook_by_hand(integration: Integration, manifest: TrackerManifest) -> bool:
    connected = integration.state in (IntegrationState.ACTIVE, IntegrationState.PAUSED)
    possible = manifest.channel is not Channel.POLLING and bool(manifest.hook_steps)
    return connected and possible and integration.registrations.hook is None


async def view_integration(ctx: Context, integration_id: IntegrationId) -> IntegrationView:
    """Raises MissingError."""
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.get(integration_id)
        (row,) = await _rows(ctx, uow, [integration])
        waiting = await uow.inbox.waiting(integration_id)
        attention, _ = await uow.links.page(LinkQuery(integration_id, states=ATTENTION, limit=20))
        linked, _ = await uow.links.page(LinkQuery(integration_id, limit=200))
    warnings = {text for link in linked for text in link.warnings.values()}
    return IntegrationView(
        row=row,
        waiting=waiting,
        board_token_end=await ctx.vault.last_four(integration.board.token),
        tracker_token_end=await ctx.vault.last_four(integration.tracker.token),
        attention=attention,
        unmapped=sorted(warnings),
    )


async def list_links(ctx: Context, query: LinkQuery) -> tuple[Sequence[Link], int]:
    async with ctx.storage.begin() as uow:
        return await uow.links.page(query)


async def list_journal(ctx: Context, query: JournalQuery) -> tuple[Sequence[Entry], int]:
    async with ctx.storage.begin() as uow:
        return await uow.journal.page(query)


async def list_attention(ctx: Context) -> Sequence[tuple[Integration, Sequence[Link]]]:
    """Across integrations: each with its Links that need a person, integrations in trouble first."""
    rows = await list_integrations(ctx)
    found: list[tuple[Integration, Sequence[Link]]] = []
    async with ctx.storage.begin() as uow:
        for row in rows:
            links: Sequence[Link] = ()
            if row.counts.attention:
                query = LinkQuery(row.integration.id, states=ATTENTION, limit=50)
                links, _ = await uow.links.page(query)
            if links or row.health.word is HealthWord.BROKEN:
                found.append((row.integration, links))
    return found


async def view_link(ctx: Context, link_id: LinkId) -> LinkView:
    """Both sides as last read, what the base is, and why each value is what it is. Raises MissingError."""
    async with ctx.storage.begin() as uow:
        link = await uow.links.get(link_id)
        integration = await uow.integrations.get(link.integration_id)
        journal, _ = await uow.journal.page(JournalQuery(link=link_id, limit=100))
        notices = await uow.inbox.unhandled(link_id)
    return LinkView(
        link=link,
        integration=integration,
        tracker_name=ctx.outside.manifest(integration.tracker.kind).name,
        health=link_health(link),
        fields=[_field_view(link, integration, name, journal) for name in Field],
        journal=journal,
        page=ctx.pages.address(link_id),
        notices=notices,
    )


_TELLING = frozenset(
    {
        Act.WROTE,
        Act.OVERRULED,
        Act.DECIDED,
        Act.REFUSED,
        Act.KEPT,
        Act.LOSS,
        Act.CREATED,
        Act.LINKED,
        Act.ASKED,
    }
)


def _field_view(link: Link, integration: Integration, name: Field, journal: Sequence[Entry]) -> FieldView:
    conflict, refusal = link.conflicts.get(name), link.refusals.get(name)
    base_feature = link.base.feature.value(name) if link.base else ""
    base_ticket = link.base.ticket.value(name) if link.base else ""
    last = next((e for e in journal if e.act in _TELLING and e.field in (name, None)), None)
    return FieldView(
        field=name,
        feature=conflict.feature if conflict else base_feature,
        ticket=conflict.ticket if conflict else base_ticket,
        base_feature=conflict.base_feature if conflict else base_feature,
        base_ticket=conflict.base_ticket if conflict else base_ticket,
        why=_why(integration, name, last),
        last=last,
        refused=refusal.message if refusal else "",
        undecided=conflict is not None,
    )


def _why(integration: Integration, name: Field, last: Entry | None) -> str:
    policy = integration.policy.of(name)
    rule = f"Direction: {policy.direction}. When both sides change it: {policy.rule}."
    return f"{last.reason or last.act} {rule}" if last else f"As it was when the two were linked. {rule}"
