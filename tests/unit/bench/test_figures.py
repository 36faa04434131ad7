"""Quantiles are measured values, and an aim is held against what it names."""

import pytest
from bench.figures import amount, quantile, spread, times


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 2.0), (0.51, 3.0), (0.95, 4.0), (0.99, 4.0), (0.25, 1.0), (0.01, 1.0)]
)
def test_a_quantile_is_one_of_the_values(share, expected):
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == expected


def test_a_range_is_shown_where_there_are_several():
    assert spread([2.04]) == "2.0"
    assert spread([3.0, 1.0, 2.0]) == "2.0 [1.0-3.0]"


@pytest.mark.parametrize(("most", "met"), [(2.0, True), (1.9, False)])
def test_times_are_held_against_the_median_of_the_runs(most, met):
    figure = times("x", [[1.0], [2.0], [90.0]], (0.5,), {0.5: most})
    assert figure.met is met
    assert figure.numbers["p50"] == [1.0, 2.0, 90.0]


def test_calls_are_held_against_the_worst_round():
    assert amount("x", [5, 5, 6], "calls", most=5, judged=max).met is False
    assert amount("x", [5, 5, 6], "calls", most=5).met is True
    assert amount("x", [5], "calls").met is None
