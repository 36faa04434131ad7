"""What a failed run leaves behind: a cause and a cure on the Link, a time to try again, or an end.

Nobody waits behind somebody else's backoff: the job ends, the rows stay, and the sweep wakes the Link when it is due.
"""

import contextlib
from dataclasses import replace
from datetime import datetime, timedelta

from keepstep.app.cells import look_at_cell_later, quiet_at, show_cell
from keepstep.app.context import Context
from keepstep.app.work import Work
from keepstep.domain.errors import MissingError, StaleRevisionError
from keepstep.domain.events import Act, Entry
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.domain.integration import Integration, IntegrationState, PauseCause
from keepstep.domain.link import LIMITS, Link, LinkState, Trouble
from keepstep.ports.errors import (
    AuthLostError,
    NotThereError,
    OutsideError,
    RateLimitedError,
    RejectedError,
    StaleError,
    UnexpectedReplyError,
)
from keepstep.ports.storage import UnitOfWork

_CURE_RETRY = "It is tried again by itself; you can also try again now."
_CURE_HELD = "It goes on by itself then; nothing is lost."
_CURE_PERSON = "Mend the cause, then choose Try again."


async def bear(work: Work, error: OutsideError) -> None:
    """Commit what the failure means for the Link; the rows stay unhandled unless the Link's push ended."""
    if work.link.state is LinkState.SET_ASIDE and not isinstance(error, AuthLostError):
        await _show_later(work, error)
        return
    match error:
        case AuthLostError():
            await _credential_lost(work, error)
        case RateLimitedError():
            await _hold_back(work, error)
        case RejectedError() if work.link.state is LinkState.PUSHING:
            await give_up_push(work, "rejected", str(error), _CURE_PERSON)
        case StaleError():
            await _try_later(work, error, timedelta(seconds=1), attempts=work.link.attempts + 1)
        case UnexpectedReplyError():
            await _fail(work, error, weight=3)
        case _:
            await _fail(work, error, weight=1)


async def _hold_back(work: Work, error: RateLimitedError) -> None:
    """An account takes no more calls: no fault of this Link, so it uses up none of its attempts and tells no journal.

    What arrives meanwhile finds its time to try again, and makes no call before.
    """
    if _is_push_over(work):
        await give_up_push(work, "gave up", str(error), _CURE_PERSON)
        return
    code = next((code for code in LIMITS.values() if code == f"{error.side} limit"), "waiting")
    work.change(
        retry_at=_in_time(work, error.retry_after), trouble=Trouble(code, str(error), work.now, _CURE_HELD)
    )
    await work.save()


async def _fail(work: Work, error: OutsideError, *, weight: int) -> None:
    """A Link that is being unlinked is never set aside: it would come back to life. It is tried for ever."""
    rules, attempts = work.ctx.rules, work.link.attempts + weight
    if _is_push_over(work):
        await give_up_push(work, "gave up", str(error), _CURE_PERSON)
        return
    if attempts >= rules.attempts and work.link.state not in (LinkState.PUSHING, LinkState.UNLINKING):
        await _set_aside(work, error)
        return
    await _try_later(work, error, backoff(work.ctx, attempts), attempts=attempts)


def _push_ends_at(link: Link, ctx: Context) -> datetime:
    return (link.pushed_at or link.created_at) + ctx.rules.push_limit


def _is_push_over(work: Work) -> bool:
    return work.link.state is LinkState.PUSHING and work.now >= _push_ends_at(work.link, work.ctx)


def _in_time(work: Work, wait: timedelta) -> datetime:
    """When to try again; a push not after its end, so that it can be given up then."""
    if work.link.state is not LinkState.PUSHING:
        return work.now + wait
    end = max(_push_ends_at(work.link, work.ctx), work.now + timedelta(milliseconds=200))
    return min(work.now + wait, end)


def backoff(ctx: Context, attempts: int) -> timedelta:
    """Doubling from the first retry to the longest."""
    doublings: int = min(30, max(0, attempts - 1))
    return min(ctx.rules.first_retry * (1 << doublings), ctx.rules.longest_retry)


async def _try_later(work: Work, error: OutsideError, wait: timedelta, *, attempts: int) -> None:
    trouble = Trouble("waiting", str(error), work.now, _CURE_RETRY)
    work.change(attempts=attempts, retry_at=_in_time(work, wait), trouble=trouble)
    work.tell(Act.FAILED, str(error))
    async with work.ctx.storage.begin() as uow:
        work.link = await uow.links.save(work.link)
        await uow.journal.add(*work.journal)
        await uow.commit()


async def _show_later(work: Work, error: OutsideError) -> None:
    """A Link set aside has its cause already; only its cell could not be put, and no sweep looks for such a Link."""
    attempts = work.link.attempts + 1
    wait = error.retry_after if isinstance(error, RateLimitedError) else backoff(work.ctx, attempts)
    work.change(attempts=attempts, cell=None)
    async with work.ctx.storage.begin() as uow:
        await work.finish_in(uow)
        if attempts < work.ctx.rules.attempts and not isinstance(error, NotThereError):
            await look_at_cell_later(uow, work.link, work.now + wait)
        await uow.commit()
    work.settle_rows()


async def give_up_push(work: Work, code: str, message: str, cure: str = "") -> None:
    """The push ends with its reason in the cell. The Link stays, so that a later push finds a ticket in doubt."""
    work.change(
        state=LinkState.SET_ASIDE,
        trouble=Trouble(code, message, work.now, cure),
        retry_at=None,
        attempts=0,
        cell=None,
    )
    work.tell(Act.SET_ASIDE, message)
    await finish_and_show(work)


async def _set_aside(work: Work, error: OutsideError) -> None:
    """The rows are kept: *try again* goes on with them."""
    message = f"Tried {work.ctx.rules.attempts} times. Last: {error}"
    work.change(state=LinkState.SET_ASIDE, trouble=Trouble("set aside", message, work.now, _CURE_PERSON))
    work.change(retry_at=None, attempts=0, cell=None)
    work.tell(Act.SET_ASIDE, message)
    async with work.ctx.storage.begin() as uow:
        work.link = await uow.links.save(work.link)
        await uow.journal.add(*work.journal)
        await look_at_cell_later(uow, work.link, work.now)
        await uow.commit()


async def finish_and_show(work: Work) -> None:
    """Commit the outcome; the cell follows by a timer as soon as no click's answer can overwrite it."""
    async with work.ctx.storage.begin() as uow:
        await work.finish_in(uow)
        quiet = await quiet_at(work.ctx, uow, work.link.id)
        await look_at_cell_later(uow, work.link, quiet or work.now)
        await uow.commit()
    work.settle_rows()


async def _credential_lost(work: Work, error: AuthLostError) -> None:
    """Pause the Integration and ask a person; the Link waits, with its rows. A spinning cell is told the cause."""
    # A Link being unlinked may have no row left that somebody finds when the pause is over.
    again = work.now if work.link.state is LinkState.UNLINKING else None
    trouble = Trouble("auth", str(error), work.now, "Paste a new token.")
    if work.link.state is LinkState.SET_ASIDE and work.link.trouble is not None:
        trouble = work.link.trouble
    work.change(trouble=trouble, cell=None, retry_at=again)
    work.tell(Act.FAILED, str(error))
    async with work.ctx.storage.begin() as uow:
        work.link = await uow.links.save(work.link)
        await uow.journal.add(*work.journal)
        await pause_for_credential(work.ctx, uow, work.integration.id, error)
        quiet = await quiet_at(work.ctx, uow, work.link.id)
        await uow.commit()
    if work.link.ticket is not None or error.side == "board":
        return
    if quiet is not None:
        await work.ctx.clock.sleep(min(1.0, max(0.0, (quiet - work.now).total_seconds())))
    with contextlib.suppress(OutsideError):
        await work.fence()
        await show_cell(work.ctx, work.integration, work.link)


async def pause_for_credential(
    ctx: Context, uow: UnitOfWork, integration_id: IntegrationId, error: AuthLostError
) -> None:
    """In the caller's transaction. An integration that is not active stays as it is."""
    integration = await uow.integrations.find(integration_id)
    if integration is None or integration.state is not IntegrationState.ACTIVE:
        return
    field = f"{error.side} token" if error.side else ""
    await pause_in(ctx, uow, integration, PauseCause(str(error), ctx.clock.now(), field=field))


async def pause_in(
    ctx: Context, uow: UnitOfWork, integration: Integration, cause: PauseCause, actor: str = ""
) -> None:
    await uow.integrations.save(integration.paused(cause))
    await uow.journal.add(
        Entry(ctx.clock.now(), Act.PAUSED, integration.id, reason=cause.message, actor=actor)
    )


async def crashed(ctx: Context, link_id: LinkId, reference: str) -> None:
    """A defect of ours ended the job: the Link keeps its rows and is tried again, then set aside."""
    for _ in range(5):
        try:
            async with ctx.storage.begin() as uow:
                await uow.links.save(_crashed_once(ctx, await uow.links.get(link_id), reference))
                await uow.commit()
                return
        except StaleRevisionError:
            continue
        except MissingError:
            return


def _crashed_once(ctx: Context, link: Link, reference: str) -> Link:
    now: datetime = ctx.clock.now()
    message = f"Keepstep met an error of its own (reference {reference} in the log)."
    attempts = link.attempts + 3
    if attempts >= ctx.rules.attempts:
        trouble = Trouble("defect", message, now, "Please report it; then choose Try again.")
        return replace(link, state=_resting(link), trouble=trouble, attempts=0, retry_at=None)
    trouble = Trouble("defect", message, now, _CURE_RETRY)
    return replace(link, trouble=trouble, attempts=attempts, retry_at=now + backoff(ctx, attempts))


def _resting(link: Link) -> LinkState:
    return link.state if link.state is LinkState.UNLINKING else LinkState.SET_ASIDE
