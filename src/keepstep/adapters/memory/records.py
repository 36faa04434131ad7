"""Integrations and Links in memory."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from keepstep.adapters.memory.state import State, Transaction
from keepstep.domain.errors import ForbiddenMoveError, InvalidInputError, MissingError, StaleRevisionError
from keepstep.domain.fields import Side
from keepstep.domain.ids import FeatureId, IntegrationId, LinkId, TicketId
from keepstep.domain.integration import Integration, IntegrationState
from keepstep.domain.link import Link, LinkState
from keepstep.ports.storage import HeldBack, LinkQuery, TicketTakenError


class MemoryIntegrations:
    """Implements keepstep.ports.storage.Integrations."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, integration: Integration) -> None:
        state = await self._transaction.write()
        if integration.id in state.integrations:
            raise ValueError(f"There is an integration {integration.id} already.")
        state.integrations[integration.id] = integration

    async def get(self, integration: IntegrationId) -> Integration:
        found = await self.find(integration)
        if found is None:
            raise MissingError("There is no such integration (any more).")
        return found

    async def find(self, integration: IntegrationId) -> Integration | None:
        return self._transaction.state.integrations.get(integration)

    async def list_all(self) -> Sequence[Integration]:
        return sorted(self._transaction.state.integrations.values(), key=lambda i: (i.name.casefold(), i.id))

    async def save(self, integration: Integration) -> Integration:
        state = await self._transaction.write()
        stored = state.integrations.get(integration.id)
        if stored is None:
            raise MissingError("There is no such integration (any more).")
        if stored.revision != integration.revision:
            raise StaleRevisionError(f"{integration.name} was changed by somebody else in the meantime.")
        saved = replace(integration, revision=integration.revision + 1)
        state.integrations[integration.id] = saved
        return saved

    async def delete(self, integration: IntegrationId) -> None:
        state = await self._transaction.write()
        for link in [link.id for link in state.links.values() if link.integration_id == integration]:
            _drop_link(state, link)
        for rows in (state.notices, state.journal):
            for row in [row for row, value in rows.items() if value.integration_id == integration]:
                del rows[row]
        state.handled = {row: at for row, at in state.handled.items() if row in state.notices}
        state.timers = {key: timer for key, timer in state.timers.items() if key[1] != integration}
        state.marks = {key: at for key, at in state.marks.items() if key[0] != integration}
        state.received = {key: at for key, at in state.received.items() if key[0] != integration}
        state.unlinked = {key: number for key, number in state.unlinked.items() if key[0] != integration}
        kept = {key: run for key, run in state.bulk_runs.items() if run.integration_id != integration}
        state.bulk_items = {key: item for key, item in state.bulk_items.items() if item.run_id in kept}
        state.bulk_runs = kept
        state.integrations.pop(integration, None)


class MemoryLinks:
    """Implements keepstep.ports.storage.Links."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add_or_find(self, link: Link) -> tuple[Link, bool]:
        state = await self._transaction.write()
        if link.integration_id not in state.integrations:
            raise MissingError("There is no such integration (any more).")
        found = _open_link(state, link.integration_id, link.feature_id)
        if found is not None and link.is_open:
            return found, False
        if link.id in state.links:
            raise ValueError(f"There is a Link {link.id} already.")
        _refuse_taken_ticket(state, link)
        state.links[link.id] = link
        return link, True

    async def get(self, link: LinkId) -> Link:
        found = await self.find(link)
        if found is None:
            raise MissingError("There is no such Link (any more).")
        return found

    async def find(self, link: LinkId) -> Link | None:
        return self._transaction.state.links.get(link)

    async def find_open(self, integration: IntegrationId, feature: FeatureId) -> Link | None:
        return _open_link(self._transaction.state, integration, feature)

    async def of_features(
        self, integration: IntegrationId, features: Collection[FeatureId]
    ) -> Sequence[Link]:
        return [
            link
            for link in self._transaction.state.links.values()
            if link.integration_id == integration and link.feature_id in features
        ]

    async def of_tickets(self, account: str, tickets: Collection[TicketId]) -> Sequence[Link]:
        return [
            link
            for link in self._transaction.state.links.values()
            if link.is_open and link.account == account and link.ticket and link.ticket.id in tickets
        ]

    async def save(self, link: Link) -> Link:
        state = await self._transaction.write()
        stored = state.links.get(link.id)
        if stored is None:
            raise MissingError("There is no such Link (any more).")
        if stored.revision != link.revision:
            raise StaleRevisionError("This Link was changed by somebody else in the meantime.")
        _refuse_taken_ticket(state, link)
        rival = _open_link(state, link.integration_id, link.feature_id)
        if link.is_open and rival is not None and rival.id != link.id:
            raise ForbiddenMoveError("This feature was pushed again since: the newer Link stays.")
        saved = replace(link, revision=link.revision + 1)
        state.links[link.id] = saved
        return saved

    async def delete(self, link: LinkId) -> None:
        _drop_link(await self._transaction.write(), link)

    async def page(self, query: LinkQuery) -> tuple[Sequence[Link], int]:
        wanted = query.text.casefold()
        found = [
            link
            for link in self._transaction.state.links.values()
            if query.integration in (None, link.integration_id)
            and (not query.states or link.state in query.states)
            and wanted in _words(link)
        ]
        found.sort(key=lambda link: link.id)
        _sort(found, query.sort)
        offset = max(query.offset, 0)
        return found[offset : offset + max(query.limit, 0)], len(found)

    async def list_after(self, integration: IntegrationId, after: Link | None, limit: int) -> Sequence[Link]:
        last = (after.feature_id, after.id) if after else ("", "")
        found = [
            link
            for link in self._transaction.state.links.values()
            if link.integration_id == integration and (link.feature_id, link.id) > last
        ]
        return sorted(found, key=lambda link: (link.feature_id, link.id))[:limit]

    async def counts(
        self, integration: IntegrationId | None = None
    ) -> Mapping[IntegrationId, Mapping[LinkState, int]]:
        counts: dict[IntegrationId, Counter[LinkState]] = {}
        for link in self._transaction.state.links.values():
            if integration in (None, link.integration_id):
                counts.setdefault(link.integration_id, Counter())[link.state] += 1
        return {of: dict(by_state) for of, by_state in counts.items()}

    async def fold_counts(self) -> None:
        """Nothing is kept beside the Links."""

    async def retrying(self, integration: IntegrationId | None = None) -> Mapping[IntegrationId, int]:
        links = self._transaction.state.links.values()
        return Counter(
            link.integration_id
            for link in links
            if integration in (None, link.integration_id)
            and link.retry_at is not None
            and link.state is not LinkState.SET_ASIDE
        )

    async def held_back(self) -> Mapping[IntegrationId, Mapping[Side, HeldBack]]:
        times: dict[tuple[IntegrationId, Side], list[datetime]] = {}
        for link in self._transaction.state.links.values():
            if link.held_by and link.retry_at and link.state is not LinkState.SET_ASIDE:
                times.setdefault((link.integration_id, link.held_by), []).append(link.retry_at)
        held: dict[IntegrationId, dict[Side, HeldBack]] = {}
        for (integration, side), moments in times.items():
            held.setdefault(integration, {})[side] = HeldBack(len(moments), min(moments))
        return held

    async def due(self, now: datetime, limit: int) -> Sequence[LinkId]:
        state = self._transaction.state
        found = [
            (link.retry_at, link.id)
            for link in state.links.values()
            if link.retry_at is not None and may_run(state, link, now)
        ]
        return [link for _, link in sorted(found)[:limit]]


def may_run(state: State, link: Link, now: datetime) -> bool:
    """Its integration is active, and it is neither set aside nor waiting for its next attempt."""
    integration = state.integrations[link.integration_id]
    return (
        integration.state is IntegrationState.ACTIVE
        and link.state is not LinkState.SET_ASIDE
        and (link.retry_at is None or link.retry_at <= now)
    )


def _open_link(state: State, integration: IntegrationId, feature: FeatureId) -> Link | None:
    for link in state.links.values():
        if link.is_open and link.integration_id == integration and link.feature_id == feature:
            return link
    return None


def _refuse_taken_ticket(state: State, link: Link) -> None:
    if link.ticket is None or not link.is_open:
        return
    for other in state.links.values():
        same = other.account == link.account and other.ticket and other.ticket.id == link.ticket.id
        if same and other.is_open and other.id != link.id:
            raise TicketTakenError(other)


def _drop_link(state: State, link: LinkId) -> None:
    state.links.pop(link, None)
    state.notices = {row: notice for row, notice in state.notices.items() if notice.link_id != link}
    state.handled = {row: at for row, at in state.handled.items() if row in state.notices}
    state.clicks = {row: click for row, click in state.clicks.items() if click.link_id != link}
    state.timers = {key: timer for key, timer in state.timers.items() if key[2] != link}


def _words(link: Link) -> str:
    ticket = (link.ticket.label, link.ticket.url) if link.ticket else ()
    return "\n".join((link.feature_title, link.ticket_title, *ticket)).casefold()


def _sort(links: list[Link], order: str) -> None:
    """Sorting is stable: what is equal stays in the order of ids."""
    match order:
        case "synced":
            links.sort(key=_touched, reverse=True)
        case "title":
            links.sort(key=lambda link: link.feature_title.casefold())
        case "ticket":
            links.sort(
                key=lambda link: (link.ticket is None, _natural(link.ticket.label if link.ticket else ""))
            )
        case "state":
            links.sort(key=_touched, reverse=True)
            links.sort(key=lambda link: link.state.value)
        case "created":
            links.sort(key=lambda link: link.created_at, reverse=True)
        case _:
            raise InvalidInputError("sort", f"Links are not sorted by {order!r}.")


def _touched(link: Link) -> datetime:
    """A Link that never was in step yet stands where it was made."""
    return link.synced_at or link.created_at


def _natural(label: str) -> str:
    """#9 before #10."""
    return re.sub(r"[0-9]+", lambda digits: digits.group().zfill(12), label.casefold())
