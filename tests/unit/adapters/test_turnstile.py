"""Slots and turns of one process: the less urgent leave room, and nobody waits longer than he said."""

import asyncio
from collections import Counter

import httpx
import pytest

from keepstep.adapters.http import Call, HttpClient, Problem, Service, calling
from keepstep.adapters.memory.budget import MemoryBudget
from keepstep.domain.calls import CallClass, Limit
from keepstep.ports.budget import AccountKey
from keepstep.ports.errors import RateLimitedError

READ = Call("GET", "/things/1", "the thing 1")
WRITE = Call("PUT", "/things/1", "the thing 1", body={})
HOUR = Limit("hour", calls=44, seconds=3600, burst=8)


class Upstream:
    """Answers when it is let, and counts."""

    def __init__(self, *, status=200, headers=None) -> None:
        self.status, self.headers = status, headers or {}
        self.calls: Counter[str] = Counter()
        self.running = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, request):
        self.calls[request.method] += 1
        self.running += 1
        await self.open.wait()
        self.running -= 1
        return httpx.Response(self.status, content=b"{}", headers=self.headers)


def client(upstream, limits, budget=None, account="account"):
    return HttpClient(
        Service("Trackly", "tracker", limits, lambda _status, _body: Problem()),
        "https://trackly.example",
        {},
        secret="a-secret-token",
        allow_private=False,
        account=AccountKey(account),
        budget=budget or MemoryBudget(),
        transport=httpx.MockTransport(upstream),
    )


async def _flood(paced, call_class, number, call=READ):
    with calling(call_class):
        return [asyncio.create_task(paced.send(call)) for _ in range(number)]


async def _settled(upstream):
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("call_class", "most"),
    [(CallClass.CLICK, 8), (CallClass.NOTIFICATION, 6), (CallClass.SWEEP, 4), (CallClass.BULK, 2)],
)
async def test_each_class_has_so_many_calls_under_way(call_class, most):
    upstream = Upstream()
    upstream.open.clear()
    paced = client(upstream, ())
    tasks = await _flood(paced, call_class, 20)
    await _settled(upstream)
    assert upstream.running == most
    upstream.open.set()
    await asyncio.gather(*tasks)
    assert upstream.calls["GET"] == 20


async def test_a_click_finds_a_slot_in_any_flood():
    upstream = Upstream()
    upstream.open.clear()
    paced = client(upstream, ())
    flood = [
        task
        for each in (CallClass.BULK, CallClass.SWEEP, CallClass.NOTIFICATION)
        for task in await _flood(paced, each, 20)
    ]
    await _settled(upstream)
    click = await _flood(paced, CallClass.CLICK, 1, WRITE)
    await _settled(upstream)
    assert upstream.calls["PUT"] == 1
    upstream.open.set()
    await asyncio.gather(*flood, *click)


async def test_a_turn_too_far_away_is_no_call_and_says_when():
    upstream = Upstream()
    paced = client(upstream, (HOUR,))
    for _ in range(8):
        await paced.send(READ)
    with pytest.raises(
        RateLimitedError, match=r"takes no more calls of this token for now; .* at \d\d:\d\d UTC"
    ) as e:
        await paced.send(WRITE)
    assert upstream.calls == {"GET": 8}
    assert 60 < e.value.retry_after.total_seconds() <= HOUR.interval
    assert (e.value.side, e.value.status, e.value.doubt) == ("tracker", None, False)


async def test_a_short_wait_is_waited_for_in_order():
    upstream = Upstream()
    order = []
    quick = Limit("quick", calls=42, seconds=1, burst=2)
    paced = client(upstream, (quick,))

    async def numbered(number):
        await paced.send(READ)
        order.append(number)

    await asyncio.gather(*(numbered(number) for number in range(8)))
    assert order == list(range(8))


async def test_an_answer_that_tells_to_wait_closes_the_account_for_every_client_of_it():
    """Two clients of one budget stand for two processes."""
    budget = MemoryBudget()
    limited, other = Upstream(status=429, headers={"retry-after": "120"}), Upstream()
    ours, theirs = client(limited, (), budget), client(other, (), budget)
    with pytest.raises(RateLimitedError):
        await ours.send(READ)
    for call_class in CallClass:
        with calling(call_class), pytest.raises(RateLimitedError, match="has had enough requests") as caught:
            await theirs.send(READ)
        assert 115 < caught.value.retry_after.total_seconds() < 130
    assert not other.calls
    elsewhere = client(other, (), budget, account="another token")
    await elsewhere.send(READ)
    assert other.calls["GET"] == 1


async def test_work_that_has_begun_goes_before_new_work():
    upstream = Upstream()
    paced = client(upstream, (HOUR,))
    with calling(CallClass.NOTIFICATION):
        await paced.send(READ)
        others = await _flood(paced, CallClass.NOTIFICATION, 5)
        await asyncio.gather(*others)
        await paced.send(WRITE)  # the seventh of eight; new work stops at the sixth
    assert upstream.calls["PUT"] == 1
    (late,) = await _flood(paced, CallClass.NOTIFICATION, 1)
    with pytest.raises(RateLimitedError):
        await late


async def test_the_innermost_class_counts():
    upstream = Upstream()
    paced = client(upstream, (HOUR,))
    with calling(CallClass.CLICK):
        with calling(CallClass.BULK):
            for _ in range(2):
                await paced.send(READ)
        with calling(CallClass.BULK), pytest.raises(RateLimitedError):
            await paced.send(READ)
        for _ in range(6):
            await paced.send(READ)
    assert upstream.calls["GET"] == 8


async def test_a_call_cut_off_while_it_waits_leaves_its_place():
    upstream = Upstream()
    paced = client(upstream, (Limit("slow", calls=4, seconds=2, burst=2),))
    for _ in range(2):
        await paced.send(READ)
    waiting = asyncio.create_task(paced.send(READ))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    with calling(CallClass.CLICK, patience=3):
        await paced.send(READ)
    assert upstream.calls["GET"] == 3
