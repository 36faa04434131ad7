"""Bugs in making tickets, in clicks, and in what the cells show."""
# ruff: noqa: SLF001 - to replace what is private is the point

from dataclasses import replace
from datetime import datetime
from typing import Any

from keepstep.app import cells, detach, failures, links, push, pushing, sync
from keepstep.app.work import Work
from keepstep.domain.column import INITIAL
from keepstep.domain.events import NoticeKind
from keepstep.domain.link import Intent, Link
from keepstep.ports.storage import UnitOfWork


def skip_the_intent() -> None:
    """Create again without looking for what an earlier try may have made."""

    async def unasked(_: Work) -> bool:
        return True

    pushing._made_nothing = unasked


def look_only_once() -> None:
    """Create again as soon as one search has not found the marker."""
    _with_create_intent(looks=1, look_after=None)


def clicks_shorten_the_wait() -> None:
    """Who clicks again need not wait until the tracker can have found the ticket."""
    _with_create_intent(look_after=None)


def _with_create_intent(**changes: Any) -> None:
    real = pushing._made_nothing

    async def look(work: Work) -> bool:
        if work.link.intent.create is not None:
            work.change(intent=Intent(create=replace(work.link.intent.create, **changes)))
        return await real(work)

    pushing._made_nothing = look


def dismiss_forgets_the_marker() -> None:
    """A dismissed push is forgotten, although its ticket may exist."""

    async def forget(uow: UnitOfWork, link: Link) -> None:
        await uow.links.delete(link.id)

    push._put_to_rest = forget


def put_before_the_answer() -> None:
    """Put the cell while a click's answer is still on its way, and do not look at it again."""

    async def now(*_: Any) -> datetime | None:
        return None

    cells.quiet_at = now
    detach.quiet_at = now
    failures.quiet_at = now
    sync.quiet_at = now

    async def never(*_: Any) -> None:
        return None

    push.look_at_cell_later = never


def unlinking_frees_any_cell() -> None:
    """The old Link's job brings the button back, although a newer Link owns the cell."""

    async def free(work: Work) -> bool:
        column = work.integration.registrations.column
        if column is not None:
            await work.sides.board.columns.put_cell(column, work.link.feature_id, INITIAL)
        return True

    detach._free_cell = free


def unlink_without_a_row() -> None:
    """Unlinking in Keepstep leaves nothing in the inbox, so that nobody finds it when its wake is lost."""
    real = links._add_person_row

    async def some(ctx: Any, uow: Any, link: Any, kind: NoticeKind, actor: Any, detail: Any) -> None:
        if kind is not NoticeKind.UNLINK:
            await real(ctx, uow, link, kind, actor, detail)

    links._add_person_row = some


BUGS = (
    skip_the_intent,
    look_only_once,
    clicks_shorten_the_wait,
    dismiss_forgets_the_marker,
    put_before_the_answer,
    unlinking_frees_any_cell,
    unlink_without_a_row,
)
