"""What both clocks promise, and how tests turn the fake one."""

import asyncio
import re
from datetime import timedelta

import pytest

from keepstep.adapters.clock import SystemClock
from keepstep.adapters.memory.clock import FakeClock


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock(), FakeClock(random_ids=True)])
def test_ids_are_of_their_form_and_differ(clock: SystemClock | FakeClock):
    assert clock.now().utcoffset() == timedelta(0)
    links = {clock.new_link_id() for _ in range(50)}
    integrations = {clock.new_integration_id() for _ in range(50)}
    secrets = {clock.new_secret() for _ in range(50)}
    assert len(links) == len(integrations) == len(secrets) == 50
    assert all(re.fullmatch(r"[0-9a-f]{32}", link) for link in links)
    assert all(re.fullmatch(r"[a-z0-9]{26,}", integration) for integration in integrations)
    assert all(re.fullmatch(r"[!-~]{43,}", secret) for secret in secrets)


async def test_a_fake_clock_moves_when_it_is_told_to_or_by_sleeping():
    clock = FakeClock()
    start = clock.now()
    assert clock.now() == start
    clock.advance(5)
    clock.advance(timedelta(minutes=1))
    await clock.sleep(10)
    assert clock.now() == start + timedelta(seconds=75)


async def test_sleepers_of_a_stopped_clock_wait_for_their_time():
    clock = FakeClock(sleeps_advance=False)
    early, late = (asyncio.create_task(clock.sleep(seconds)) for seconds in (5, 20))
    await asyncio.sleep(0)
    clock.advance(10)
    await early
    assert not late.done()
    clock.advance(10)
    await late


async def test_waits_are_measured_past_a_jump_of_the_calendar():
    clock = FakeClock(sleeps_advance=False)
    start, begun = clock.now(), clock.elapsed()
    sleeper = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0)
    clock.jump(timedelta(hours=-1))
    clock.advance(4)
    assert (clock.now() - start, clock.elapsed() - begun) == (timedelta(hours=-1, seconds=4), 4)
    assert not sleeper.done()
    clock.advance(6)
    await sleeper


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()])
async def test_elapsed_time_goes_on_with_a_sleep(clock: SystemClock | FakeClock):
    begun = clock.elapsed()
    await clock.sleep(0.01)
    assert clock.elapsed() > begun


def test_ids_of_fake_clocks_are_the_same_in_every_run():
    assert [FakeClock().new_link_id() for _ in range(2)] == [f"{1:032x}"] * 2
