"""The laws of a budget: never more than the limit in any window, and always room for who is more urgent."""

import asyncio
from collections import deque
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepstep.adapters.memory.budget import MemoryBudget
from keepstep.adapters.productboard import SERVICE as PRODUCTBOARD
from keepstep.adapters.registry import known_trackers
from keepstep.domain.calls import ANY_CALL, CREATES, WRITES, CallClass, CallKind, Limit
from keepstep.ports.budget import AccountKey, Ask

ACCOUNT = AccountKey("account")
LIMITS = (
    Limit("second", calls=12, seconds=1, burst=4),
    Limit("minute", calls=90, seconds=60, burst=30),
    Limit("points", calls=120, seconds=60, burst=40, costs={**ANY_CALL, CallKind.CREATE: 5.0}),
    Limit("writes", calls=16, seconds=60, burst=8, costs=WRITES),
    Limit("creations", calls=6, seconds=600, burst=3, costs=CREATES),
)


@dataclass
class Made:
    at: float
    ask: Ask
    taken: bool


ASKS = st.builds(Ask, st.sampled_from(CallClass), st.sampled_from(CallKind), begun=st.booleans())
GAPS = st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 70))


def _play(steps: list[tuple[float, Ask]]) -> list[Made]:
    now = 0.0
    budget = MemoryBudget(lambda: now)
    made = []

    async def run():
        nonlocal now
        for gap, ask in steps:
            now += gap
            made.append(Made(now, ask, (await budget.take(ACCOUNT, LIMITS, ask)).taken))

    asyncio.run(run())
    return made


@given(st.lists(st.tuples(GAPS, ASKS), max_size=150))
def test_no_window_holds_more_than_its_limit(steps: list[tuple[float, Ask]]):
    made = [each for each in _play(steps) if each.taken]
    for limit in LIMITS:
        window: deque[Made] = deque()
        for each in made:
            window.append(each)
            while window[0].at < each.at - limit.seconds:
                window.popleft()
            assert sum(limit.cost(one.ask.kind) for one in window) <= limit.calls + 1e-6, limit.name


@given(
    st.lists(
        st.tuples(
            GAPS, st.builds(Ask, st.sampled_from([CallClass.SWEEP, CallClass.BULK]), st.just(CallKind.READ))
        ),
        min_size=30,
        max_size=100,
    )
)
def test_a_flood_of_the_less_urgent_leaves_room_for_clicks(steps: list[tuple[float, Ask]]):
    """However it comes: behind it a quarter of each bucket and more is there at once for clicks."""
    clicks = [(0.0, Ask(CallClass.CLICK, CallKind.READ))] * 2
    assert all(each.taken for each in _play([*steps, *clicks])[-2:])


@given(st.lists(st.tuples(GAPS, ASKS), max_size=60), ASKS)
def test_who_comes_back_at_the_time_told_is_let_through(steps: list[tuple[float, Ask]], last: Ask):
    """When nobody else came meanwhile."""
    now = 0.0
    budget = MemoryBudget(lambda: now)

    async def run():
        nonlocal now
        for gap, ask in steps:
            now += gap
            await budget.take(ACCOUNT, LIMITS, ask)
        turn = await budget.take(ACCOUNT, LIMITS, last)
        now += turn.wait
        return turn.taken or (await budget.take(ACCOUNT, LIMITS, last)).taken

    assert asyncio.run(run())


@pytest.mark.parametrize(("burst", "seconds"), [(0, 1), (5, 1), (6, 1), (2, 0)])
def test_a_limit_that_makes_no_sense_is_refused(burst: float, seconds: float):
    with pytest.raises(ValueError, match="expected 0 < burst < calls"):
        Limit("odd", calls=5, seconds=seconds, burst=burst)


def _most(limits: list[Limit], kinds: set[CallKind], seconds: float) -> float:
    """Calls of these kinds that the limits let through within that time."""
    return min(
        (each.burst + seconds / each.interval) / max(each.cost(kind) for kind in kinds)
        for each in limits
        if all(each.cost(kind) for kind in kinds)
    )


@pytest.mark.parametrize("adapter", known_trackers().values(), ids=lambda each: each.manifest.kind)
def test_what_we_allow_ourselves_is_within_what_the_vendor_allows(adapter):
    for told in adapter.manifest.limits:
        kinds = {CallKind.CREATE} if told.writes_only else {CallKind.READ}
        assert _most(adapter.service.limits, kinds, told.seconds) <= told.calls


def test_productboard_is_asked_less_than_50_times_a_second():
    assert _most(PRODUCTBOARD.limits, {CallKind.READ}, 1) < 50


def test_github_is_asked_for_less_than_900_points_a_minute():
    """A read is one point, a write five; at most 80 writes."""
    limits = known_trackers()["github"].service.limits
    assert _most(limits, {CallKind.READ}, 60) <= 900
    assert _most(limits, {CallKind.WRITE}, 60) <= 80


@pytest.mark.parametrize("adapter", known_trackers().values(), ids=lambda each: each.manifest.kind)
@given(share=st.floats(0.1, 1))
def test_a_share_of_a_limit_is_no_more_than_that(adapter, share: float):
    """But for a call or two, where the limit is so small that hardly one fits in."""
    for limit in adapter.service.limits:
        part = limit.part(share)
        assert part.calls <= max(limit.calls * share, 1.1 * max(limit.costs.values())) + 1e-9
        assert part.burst >= max(limit.costs.values())
        assert all(
            part.room(each, part.cost(kind), begun=True) <= part.burst
            for each in CallClass
            for kind in CallKind
        )
