"""What every implementation of ports.budget promises, in memory and on PostgreSQL.

Two processes take from one account. Times are long enough that a slow machine changes nothing, or are read from the
answers; nothing sleeps.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import NamedTuple

import psycopg
import pytest

from keepstep.adapters.memory.budget import MemoryBudget
from keepstep.adapters.postgres.budget import PostgresBudget, budget_pool
from keepstep.domain.calls import CREATES, WRITES, CallClass, CallKind, Limit
from keepstep.ports.budget import FURTHEST_SECONDS, AccountKey, Ask

pytest_plugins = ["storages"]

HOUR = Limit("hour", calls=110, seconds=3600, burst=10)
MINUTE = Limit("writes", calls=8, seconds=60, burst=4, costs=WRITES)
CREATIONS = Limit("creations", calls=5, seconds=3600, burst=2, costs=CREATES)
CLICK = Ask(CallClass.CLICK, CallKind.READ)
_numbers = itertools.count()


class Pair(NamedTuple):
    ours: MemoryBudget | PostgresBudget
    theirs: MemoryBudget | PostgresBudget


@pytest.fixture(params=["memory", "postgres"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    if request.param == "memory":
        budget = MemoryBudget()
        yield Pair(budget, budget)
        return
    dsn = request.getfixturevalue("migrated_dsn")
    async with budget_pool(dsn) as one, budget_pool(dsn) as other:
        yield Pair(PostgresBudget(one), PostgresBudget(other))


@pytest.fixture
def account() -> AccountKey:
    return AccountKey(f"account {next(_numbers)}")


async def _taken(pair: Pair, account: AccountKey, limits: list[Limit], ask: Ask, tries: int = 30) -> int:
    """How many are taken at once, asked for by the two in turn."""
    turns = [await pair[number % 2].take(account, limits, ask) for number in range(tries)]
    return sum(turn.taken for turn in turns)


async def test_two_processes_together_take_what_one_may(pair: Pair, account: AccountKey):
    assert await _taken(pair, account, [HOUR], CLICK) == 10


async def test_many_at_once_take_no_more(pair: Pair, account: AccountKey):
    turns = await asyncio.gather(*(budget.take(account, [HOUR], CLICK) for _ in range(40) for budget in pair))
    assert sum(turn.taken for turn in turns) == 10


async def test_another_account_has_a_budget_of_its_own(pair: Pair, account: AccountKey):
    assert await _taken(pair, account, [HOUR], CLICK) == 10
    assert await _taken(pair, AccountKey(f"{account}, another token"), [HOUR], CLICK) == 10


async def test_who_waits_is_told_how_long(pair: Pair, account: AccountKey):
    assert await _taken(pair, account, [HOUR], CLICK) == 10
    turn = await pair.ours.take(account, [HOUR], CLICK)
    assert not turn.closed
    assert HOUR.interval - 10 < turn.wait <= HOUR.interval


async def test_a_bucket_drains(pair: Pair, account: AccountKey):
    quick = Limit("quick", calls=12, seconds=1, burst=2)
    assert await _taken(pair, account, [quick], CLICK, 3) == 2
    turn = await pair.theirs.take(account, [quick], CLICK)
    await asyncio.sleep(turn.wait)
    assert (await pair.ours.take(account, [quick], CLICK)).taken


@pytest.mark.parametrize(
    ("call_class", "taken", "begun"),
    [
        (CallClass.CLICK, 10, 10),
        (CallClass.NOTIFICATION, 7, 8),
        (CallClass.SWEEP, 5, 6),
        (CallClass.BULK, 2, 3),
    ],
)
async def test_each_class_leaves_room_for_the_more_urgent(
    pair: Pair, account: AccountKey, call_class: CallClass, taken: int, begun: int
):
    """Whole calls of 10, 7.5, 5 and 2.5; and an eighth more for work that has begun."""
    assert await _taken(pair, account, [HOUR], Ask(call_class, CallKind.READ)) == taken
    more = await _taken(pair, account, [HOUR], Ask(call_class, CallKind.READ, begun=True))
    assert taken + more == begun
    assert await _taken(pair, account, [HOUR], CLICK) == 10 - begun


async def test_reads_are_not_counted_as_writes(pair: Pair, account: AccountKey):
    limits = [HOUR, MINUTE, CREATIONS]
    assert await _taken(pair, account, limits, Ask(CallClass.CLICK, CallKind.CREATE)) == 2
    assert await _taken(pair, account, limits, Ask(CallClass.CLICK, CallKind.WRITE)) == 2
    assert await _taken(pair, account, limits, CLICK) == 6


async def test_a_refusal_by_one_limit_counts_in_none(pair: Pair, account: AccountKey):
    write = Ask(CallClass.CLICK, CallKind.WRITE)
    assert await _taken(pair, account, [HOUR, MINUTE], write, 8) == 4
    assert await _taken(pair, account, [HOUR, MINUTE], CLICK) == 6


async def test_without_limits_nothing_is_waited_for(pair: Pair, account: AccountKey):
    assert await _taken(pair, account, [], CLICK) == 30


async def test_a_closed_account_is_closed_for_every_process_and_class(pair: Pair, account: AccountKey):
    await pair.ours.close(account, timedelta(seconds=300))
    for call_class in CallClass:
        turn = await pair.theirs.take(account, [HOUR], Ask(call_class, CallKind.READ))
        assert turn.closed
        assert 290 < turn.wait <= 300.01
    assert (await pair.theirs.take(AccountKey(f"{account}, other"), [HOUR], CLICK)).taken


async def test_the_later_of_two_closings_counts(pair: Pair, account: AccountKey):
    await pair.ours.close(account, timedelta(seconds=300))
    await pair.theirs.close(account, timedelta(seconds=5))
    assert (await pair.ours.take(account, [HOUR], CLICK)).wait > 290


async def test_a_closed_account_opens_by_itself(pair: Pair, account: AccountKey):
    await pair.ours.close(account, timedelta(seconds=0.2))
    turn = await pair.theirs.take(account, [HOUR], CLICK)
    await asyncio.sleep(turn.wait)
    assert (await pair.theirs.take(account, [HOUR], CLICK)).taken


async def test_who_is_sent_away_is_told_a_time_of_his_own(pair: Pair, account: AccountKey):
    """Else all of them would come back at once, and all but a few in vain."""
    await pair.ours.close(account, timedelta(seconds=300))
    asks = [Ask(CallClass.NOTIFICATION, CallKind.READ) for _ in range(4)]
    waits = [(await pair[number % 2].take(account, [HOUR], ask)).wait for number, ask in enumerate(asks)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(waits)]
    assert all(5 * HOUR.interval - 10 < gap <= 5 * HOUR.interval + 0.01 for gap in gaps)
    other = await pair.ours.take(account, [HOUR], Ask(CallClass.BULK, CallKind.READ))
    assert other.wait <= 300.01


async def test_the_limit_that_sends_away_decides_how_far_apart_they_come_back(
    pair: Pair, account: AccountKey
):
    """A job makes one new ticket, but several calls: a limit of creations alone spreads them by one each."""
    slow = Limit("creations", calls=46, seconds=3600, burst=10, costs=CREATES)
    create = Ask(CallClass.NOTIFICATION, CallKind.CREATE)
    assert await _taken(pair, account, [slow, HOUR], create, 7) == 7
    waits = [(await pair[number % 2].take(account, [slow, HOUR], create)).wait for number in range(3)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(waits)]
    assert all(slow.interval - 10 < gap <= slow.interval + 0.01 for gap in gaps)


async def test_no_click_stands_behind_another_one_sent_away(pair: Pair, account: AccountKey):
    await pair.ours.close(account, timedelta(seconds=300))
    for _ in range(3):
        assert (await pair.ours.take(account, [HOUR], CLICK)).wait <= 300.01


async def test_nobody_is_sent_away_for_ever(pair: Pair, account: AccountKey):
    await pair.ours.close(account, timedelta(seconds=300))
    ask = Ask(CallClass.BULK, CallKind.READ)
    waits = [(await pair.ours.take(account, [HOUR], ask)).wait for _ in range(20)]
    assert max(waits) <= 300 + FURTHEST_SECONDS + 0.01


async def test_a_short_wait_is_no_promise(pair: Pair, account: AccountKey):
    """Who waits on the spot asks again: each is told the same."""
    ask = Ask(CallClass.NOTIFICATION, CallKind.READ, patience=3600)
    assert await _taken(pair, account, [HOUR], ask) == 7
    waits = [(await pair.ours.take(account, [HOUR], ask)).wait for _ in range(4)]
    assert max(waits) <= HOUR.interval


async def test_accounts_that_nobody_uses_are_forgotten(migrated_dsn: str):
    async with budget_pool(migrated_dsn) as pool:
        budget = PostgresBudget(pool)
        for name in ("old", "young"):
            await budget.take(AccountKey(name), [HOUR], CLICK)
        with psycopg.connect(migrated_dsn, autocommit=True) as connection:
            connection.execute(
                "UPDATE call_budgets SET used_at = now() - interval '8 days' WHERE account = 'old'"
            )
            await budget.take(AccountKey("new"), [HOUR], CLICK)
            kept = {row[0] for row in connection.execute("SELECT account FROM call_budgets")}
    assert {"young", "new"} <= kept
    assert "old" not in kept
