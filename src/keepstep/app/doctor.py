"""Is an integration well, asked of both sides as they are now. Nothing is changed anywhere.

Every finding says what was found and, where it is not fine, what helps. What the outside cannot be asked without
changing it (whether a webhook still exists) is told by what came in through it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from keepstep.app.context import Context
from keepstep.app.opening import open_board, open_tracker
from keepstep.app.overview import HealthWord, IntegrationView, view_integration
from keepstep.domain.errors import InvalidInputError, KeepstepError, MissingError
from keepstep.domain.feature import FeatureStatus
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import FeatureId, IntegrationId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.domain.policy import Direction
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.errors import AuthLostError, NotThereError, OutsideError, RateLimitedError
from keepstep.ports.productboard import FeatureBoard
from keepstep.ports.storage import LinkQuery
from keepstep.ports.tracker import Channel, Tracker
from keepstep.ports.vault import VaultError

_ENDS_SOON = timedelta(days=14)
_SHOWN = 5


class Mark(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    about: str
    mark: Mark
    message: str
    cure: str = ""


@dataclass
class _Visit:
    """One integration being looked at, and what was found so far."""

    ctx: Context
    view: IntegrationView
    findings: list[Finding] = field(default_factory=list)
    features: Sequence[FeatureStatus] | None = None
    tickets: Sequence[TicketStatus] | None = None
    """Statuses as they are today; None where they could not be asked."""

    @property
    def integration(self) -> Integration:
        return self.view.row.integration

    def tell(self, about: str, mark: Mark, message: str, cure: str = "") -> None:
        self.findings.append(Finding(about, mark, message, cure))

    async def ask(self, about: str, cure: str, question: Callable[[], Awaitable[None]]) -> bool:
        """Whether the outside answered; if not, that is a finding."""
        try:
            await question()
        except RateLimitedError as error:
            self.tell(about, Mark.WARNING, str(error), "Try again in a moment.")
        except AuthLostError as error:
            self.tell(
                about,
                Mark.FAILURE,
                str(error),
                f"keepstep integrations token {self.integration.id} {error.side}",
            )
        except OutsideError as error:
            self.tell(about, Mark.FAILURE, str(error), cure)
        except InvalidInputError as error:
            self.tell(about, Mark.FAILURE, str(error), "Change it in the integration's settings.")
        else:
            return True
        return False


async def examine(ctx: Context, integration_id: IntegrationId) -> Sequence[Finding]:
    """Raises MissingError when there is no such integration."""
    visit = _Visit(ctx, await view_integration(ctx, integration_id))
    _look_at_state(visit)
    if visit.integration.state is IntegrationState.REMOVING or not await _secrets_open(visit):
        return visit.findings
    await _look_at_board(visit)
    await _look_at_tracker(visit)
    _look_at_registrations(visit)
    _look_at_map(visit)
    _look_at_links(visit)
    return visit.findings


def _look_at_state(visit: _Visit) -> None:
    integration, health = visit.integration, visit.view.row.health
    if integration.state is IntegrationState.ACTIVE and not integration.failure:
        visit.tell("state", Mark.OK, "Active.")
    else:
        mark = Mark.FAILURE if health.word is HealthWord.BROKEN else Mark.WARNING
        visit.tell("state", mark, health.sentence, health.cure)


async def _secrets_open(visit: _Visit) -> bool:
    integration = visit.integration
    refs = (
        integration.board.token,
        integration.tracker.token,
        integration.board_secret,
        integration.hook_secret,
    )
    try:
        for ref in refs:
            await visit.ctx.vault.open(ref)
    except (VaultError, MissingError):
        cure = "Put the key they were sealed with back into KEEPSTEP_SECRET_KEYS, or replace the tokens."
        visit.tell("secrets", Mark.FAILURE, "Stored tokens cannot be opened with today's keys.", cure)
        return False
    visit.tell("secrets", Mark.OK, "The key opens the stored tokens.")
    return True


async def _look_at_board(visit: _Visit) -> None:
    cure = "Check Productboard's address, and whether this machine reaches it."

    async def token() -> None:
        board = await open_board(visit.ctx, visit.integration)
        facts = await board.workspace.verify()
        visit.features = await board.workspace.list_statuses()
        if facts.missing:
            _lacks_rights(visit, "Productboard token", "board", facts.missing)
        else:
            visit.tell("Productboard token", Mark.OK, f"Accepted for {facts.name}.")

    async def column() -> None:
        await _find_column(visit, await open_board(visit.ctx, visit.integration))

    if await visit.ask("Productboard token", cure, token) and visit.integration.registrations.column:
        await visit.ask("column", cure, column)


async def _find_column(visit: _Visit, board: FeatureBoard) -> None:
    """A cell can be read of a column that exists, whatever it shows."""
    column, feature = visit.integration.registrations.column, await _any_feature(visit, board)
    if column is None or feature is None:
        visit.tell("column", Mark.WARNING, "There is no feature to look for the column with.")
        return
    try:
        await board.columns.fetch_cell(column, feature)
    except NotThereError:
        cure = "Somebody may have deleted it in Productboard. Delete this integration and make it anew."
        visit.tell("column", Mark.FAILURE, "Productboard does not know the column any more.", cure)
    else:
        visit.tell("column", Mark.OK, f"The column “{visit.integration.name}” exists.")


async def _any_feature(visit: _Visit, board: FeatureBoard) -> FeatureId | None:
    async with visit.ctx.storage.begin() as uow:
        links, _ = await uow.links.page(LinkQuery(visit.integration.id, limit=1))
    if links:
        return links[0].feature_id
    samples = await board.workspace.sample_features(1)
    return samples[0].id if samples else None


async def _look_at_tracker(visit: _Visit) -> None:
    name = visit.view.row.tracker_name
    cure = f"Check {name}'s address, and whether this machine reaches it."

    async def token() -> None:
        await _verify_tracker(visit, await open_tracker(visit.ctx, visit.integration))

    async def project() -> None:
        tracker = await open_tracker(visit.ctx, visit.integration)
        wanted = visit.integration.project
        try:
            found = await tracker.account.get_project(wanted.id)
        except NotThereError:
            helps = "Give the token's user access to it again, or replace the token."
            visit.tell("project", Mark.FAILURE, f"The token does not see {wanted.name} any more.", helps)
            return
        visit.tickets = await tracker.account.list_statuses(wanted.id)
        visit.tell("project", Mark.OK, f"{found.name} is there and takes tickets.")

    if await visit.ask(f"{name} token", cure, token):
        await visit.ask("project", cure, project)


async def _verify_tracker(visit: _Visit, tracker: Tracker) -> None:
    about = f"{tracker.manifest.name} token"
    facts = await tracker.account.verify()
    if facts.missing:
        _lacks_rights(visit, about, "tracker", facts.missing)
        return
    today = visit.ctx.clock.now().date()
    if facts.expires_on and date.fromisoformat(facts.expires_on) - today <= _ENDS_SOON:
        cure = f"Make a new one: keepstep integrations token {visit.integration.id} tracker"
        visit.tell(about, Mark.WARNING, f"It ends on {facts.expires_on}.", cure)
        return
    visit.tell(about, Mark.OK, f"Accepted for {facts.user}.")


def _lacks_rights(visit: _Visit, about: str, side: str, missing: Sequence[str]) -> None:
    cure = f"Make one with these rights: keepstep integrations token {visit.integration.id} {side}"
    visit.tell(about, Mark.FAILURE, "It lacks rights: " + "; ".join(missing), cure)


def _look_at_registrations(visit: _Visit) -> None:
    made, ctx = visit.integration.registrations, visit.ctx
    if visit.integration.state is IntegrationState.CONNECTING:
        return
    by_hook = ctx.outside.manifest(visit.integration.tracker.kind).channel is Channel.WEBHOOK
    wanted = [("column", made.column, None), ("Productboard webhook", made.subscription, Side.FEATURE)]
    if by_hook:
        wanted.append((f"{visit.view.row.tracker_name} webhook", made.hook, Side.TICKET))
    for about, found, side in wanted:
        if found is None:
            cure = "Delete this integration and make it anew; features and tickets stay."
            visit.tell(about, Mark.FAILURE, "It was never made, or is gone.", cure)
        elif side is not None:
            _proof_of_life(visit, about, side)
    for part in visit.integration.parts:
        if not part.fine:
            helps = "Give the token the right to change it, then run keepstep doctor --fix."
            visit.tell(str(part.part), Mark.FAILURE, part.detail, helps)
    if made.public_url != ctx.rules.public_url:
        cure = "It is changed by itself while `keepstep serve` runs; if it stays, see the integration's page."
        message = (
            f"The webhooks still point to {made.public_url or 'nowhere'}, not to {ctx.rules.public_url}."
        )
        visit.tell("addresses", Mark.WARNING, message, cure)


def _proof_of_life(visit: _Visit, about: str, side: Side) -> None:
    heard = visit.view.row.last_notice.get(side)
    if heard is None:
        message = "It was made, but nothing has come through it yet."
        cure = "Change something on that side and look again. If nothing comes, check the public address."
        visit.tell(about, Mark.WARNING if visit.view.row.counts.total else Mark.OK, message, cure)
    else:
        visit.tell(about, Mark.OK, f"Last heard at {heard:%Y-%m-%d %H:%M} UTC.")


def _look_at_map(visit: _Visit) -> None:
    if visit.features is None or visit.tickets is None:
        return
    direction = visit.integration.policy.of(Field.STATUS).direction
    if direction is Direction.OFF:
        visit.tell("status map", Mark.OK, "Not used: the status is not kept in step.")
        return
    chosen = visit.integration.policy.status_map
    ours = {str(each.id): each.name for each in visit.features}
    theirs = {str(each.id): each.name for each in visit.tickets}
    gone = _unknown({*chosen.to_ticket, *chosen.to_feature.values()}, ours)
    gone += _unknown({*chosen.to_feature, *chosen.to_ticket.values()}, theirs)
    free = [
        name for key, name in ours.items() if key not in chosen.to_ticket and direction.allows(Side.TICKET)
    ]
    free += [
        name
        for key, name in theirs.items()
        if key not in chosen.to_feature and direction.allows(Side.FEATURE)
    ]
    cure = "Complete the mapping on the integration's page."
    if gone:
        visit.tell(
            "status map", Mark.WARNING, f"It speaks of statuses that do not exist: {_listed(gone)}.", cure
        )
    if free:
        visit.tell("status map", Mark.WARNING, f"Not mapped, so not carried over: {_listed(free)}.", cure)
    if not gone and not free:
        visit.tell("status map", Mark.OK, "Every status of both sides is mapped.")


def _unknown(wanted: Collection[str], known: Collection[str]) -> list[str]:
    return sorted(each for each in wanted if each not in known)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _look_at_links(visit: _Visit) -> None:
    counts = visit.view.row.counts
    if counts.attention:
        noun = "Link needs" if counts.attention == 1 else "Links need"
        cure = f"keepstep links list --integration {visit.integration.id} --state attention"
        visit.tell("Links", Mark.WARNING, f"{counts.attention} {noun} a person.", cure)
    else:
        visit.tell("Links", Mark.OK, f"{counts.in_step} in step, {counts.working} being worked on.")


async def examine_all(
    ctx: Context, integrations: Sequence[Integration]
) -> Sequence[tuple[Integration, Sequence[Finding]]]:
    """Each with its findings, all asked at once; one that is removed meanwhile has none."""

    async def one(integration: Integration) -> Sequence[Finding]:
        try:
            return await examine(ctx, integration.id)
        except KeepstepError as error:
            return [] if isinstance(error, MissingError) else [Finding("state", Mark.FAILURE, str(error))]

    found = await asyncio.gather(*(one(each) for each in integrations))
    return list(zip(integrations, found, strict=True))
