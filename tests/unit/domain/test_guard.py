"""The guard's count: the larger of a number and a share, stopped before the next one."""

import pytest

from keepstep.domain.guard import Guard


@pytest.mark.parametrize(
    ("total", "allowed"), [(0, 5), (12, 5), (50, 5), (59, 5), (60, 6), (199, 19), (1_000_000, 100_000)]
)
def test_the_larger_of_five_links_and_a_tenth_may_go(total, allowed):
    assert Guard().allowed(total) == allowed
    assert not Guard().stops(total=total, detached=allowed - 1)
    assert Guard().stops(total=total, detached=allowed)


def test_a_guard_of_nothing_asks_before_the_first():
    assert Guard(links=0, percent=0).stops(total=100, detached=0)


def test_a_share_of_all_never_stops():
    assert not Guard(links=0, percent=100).stops(total=40, detached=39)
