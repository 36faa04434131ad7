"""Names for status ids. The journal and the base hold ids, since names change; people read names.

Most names are known from the Links themselves, without a call. What they do not tell is asked live, under a short
limit and at most every few minutes: a page is never slow, or broken, because an upstream is.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fastapi import Request

from keepstep.app.context import Context
from keepstep.app.opening import open_board, open_tracker
from keepstep.domain.errors import KeepstepError
from keepstep.domain.events import Entry
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration
from keepstep.domain.link import Link
from keepstep.ports.vault import VaultError

_LIMIT_SECONDS = 1.5
_KEPT_FOR = timedelta(minutes=5)
_MOST_INTEGRATIONS = 200


@dataclass(frozen=True, slots=True)
class StatusNames:
    """Of one integration, by side."""

    known: Mapping[Side, Mapping[str, str]] = field(default_factory=dict)

    def of(self, side: Side | None, status: str | None) -> str:
        """An unknown one is shown by its id: better an odd word than none."""
        if not status:
            return "none"
        if side is None:
            return next((names[status] for names in self.known.values() if status in names), status)
        return self.known.get(side, {}).get(status, status)

    def knows(self, side: Side | None, status: str | None) -> bool:
        return not status or any(
            status in names for each, names in self.known.items() if side in (each, None)
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    at: datetime
    names: Mapping[Side, Mapping[str, str]]


class StatusDirectory:
    """Remembers what was asked live; one per application."""

    @classmethod
    def of(cls, request: Request) -> "StatusDirectory":
        found = getattr(request.app.state, "status_names", None)
        if found is None:
            found = request.app.state.status_names = cls()
        assert isinstance(found, cls)  # noqa: S101 - nobody else sets it
        return found

    def __init__(self) -> None:
        self._asked: dict[IntegrationId, _Asked] = {}

    async def names(
        self, ctx: Context, integration: Integration, links: Iterable[Link], entries: Iterable[Entry] = ()
    ) -> StatusNames:
        """Asks the outside only when an id of these Links or entries is not known yet."""
        links = list(links)
        told = StatusNames(_told_by(links))
        wanted = [(each.side, value) for each in entries for value in (each.before, each.after)
                  if each.field is Field.STATUS] + list(_ids_of(links))  # fmt: skip
        if all(told.knows(side, status) for side, status in wanted):
            return told
        return StatusNames(_joined(told.known, await self._live(ctx, integration)))

    async def all_names(self, ctx: Context, integration: Integration) -> StatusNames:
        """Every status of both sides, as far as they answer."""
        return StatusNames(await self._live(ctx, integration))

    async def _live(self, ctx: Context, integration: Integration) -> Mapping[Side, Mapping[str, str]]:
        now, asked = ctx.clock.now(), self._asked.get(integration.id)
        if asked is None or now - asked.at > _KEPT_FOR:
            feature, ticket = await asyncio.gather(
                _feature_names(ctx, integration), _ticket_names(ctx, integration)
            )
            if len(self._asked) >= _MOST_INTEGRATIONS:
                self._asked.clear()
            asked = self._asked[integration.id] = _Asked(now, {Side.FEATURE: feature, Side.TICKET: ticket})
        return asked.names


async def _feature_names(ctx: Context, integration: Integration) -> Mapping[str, str]:
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            board = await open_board(ctx, integration)
            return {each.id: each.name for each in await board.workspace.list_statuses()}
    except (KeepstepError, VaultError, TimeoutError):
        return {}


async def _ticket_names(ctx: Context, integration: Integration) -> Mapping[str, str]:
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            tracker = await open_tracker(ctx, integration)
            found = await tracker.account.list_statuses(integration.project.id)
            return {each.id: each.name for each in found}
    except (KeepstepError, VaultError, TimeoutError):
        return {}


def _told_by(links: Iterable[Link]) -> Mapping[Side, Mapping[str, str]]:
    feature: dict[str, str] = {}
    ticket: dict[str, str] = {}
    for link in links:
        if link.ticket_status is not None:
            ticket[link.ticket_status.id] = link.ticket_status.name
        shown = link.base.feature.status if link.base else None
        if shown and link.feature_status:
            feature[shown] = link.feature_status
    return {Side.FEATURE: feature, Side.TICKET: ticket}


def _ids_of(links: Iterable[Link]) -> Iterable[tuple[Side | None, str]]:
    for link in links:
        if link.base is not None:
            yield Side.FEATURE, link.base.feature.status or ""
            yield Side.TICKET, link.base.ticket.status or ""


def _joined(
    told: Mapping[Side, Mapping[str, str]], live: Mapping[Side, Mapping[str, str]]
) -> Mapping[Side, Mapping[str, str]]:
    """A live name is newer than one that a Link remembers."""
    return {side: {**told.get(side, {}), **live.get(side, {})} for side in Side}
