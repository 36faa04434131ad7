"""The points are all listed, and the service survives its end at each: here at some of them, in `make crash` at all."""

import dataclasses

import psycopg
import pytest

from acceptance.processes import temporary_folder
from crash.runs import RENEW, chosen, ended_twice, listed, record, survive, survive_all
from crash.scenarios import SCENARIOS
from crash.seams import Points, inside, watched_for_strays
from crash.site import CrashSite
from keepstep.app.context import Context

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(280)]

_SAMPLE, _SEED = 14, 20


@pytest.fixture(scope="module")
def site(postgres_dsn):
    with temporary_folder() as folder:
        site = CrashSite(postgres_dsn, folder)
        try:
            yield site
        finally:
            site.close()


def test_the_list_of_points_is_what_the_service_does(site):
    """A seam that is new, or one that is gone, is a change of the list."""
    assert record(site) == listed(), (
        f"The list of crash points is old: run `{RENEW}` and look at what changed."
    )


def test_the_service_survives_its_end_at_a_sample_of_the_points(site):
    points = chosen(listed(), _SAMPLE, _SEED)
    broken = survive_all(site, points, print)
    print(f"crash points: {len(points) - len(broken)} of {len(points)} survived")
    assert not broken


def test_the_service_survives_an_end_in_the_recovery_as_well(site):
    assert not survive_all(site, ended_twice(listed(), len(SCENARIOS), _SEED), print)


def test_a_point_that_is_never_reached_is_told(site):
    last = [each for each in listed() if each.scenario == "unlink"][-1]
    with pytest.raises(AssertionError, match="did not end at point"):
        survive(site, dataclasses.replace(last, number=last.number + 1))


def test_every_port_of_the_use_cases_has_points():
    """No others but those without an await, the clock's waits, and the outside, whose points are in its transport.

    And but the alerts, which no story sends: they are marked as told behind the sending, so a death between the two
    tells people twice.
    """
    wrapped = {"storage", "jobs", "locks", "signals", "vault"}
    assert {each.name for each in dataclasses.fields(Context)} == wrapped | {
        "alerts",
        "clock",
        "outside",
        "pages",
        "rules",
    }


def test_a_sample_has_every_scenario_and_is_the_same_for_one_seed():
    some = chosen(listed(), 10, 3)
    assert len(some) == 10
    assert {each.scenario for each in some} == set(SCENARIOS)
    assert some == chosen(listed(), 10, 3) != chosen(listed(), 10, 4)


async def test_a_query_past_the_points_is_a_stray(postgres_dsn):
    points = Points()
    points.start(0)
    with watched_for_strays(points):
        async with await psycopg.AsyncConnection.connect(postgres_dsn) as connection:
            with inside():
                await connection.execute("SELECT 1")
                await connection.commit()
            assert not points.strays
            await connection.execute("SELECT 2")
    assert points.strays[0].startswith("query SELECT 2")
