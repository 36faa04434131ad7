"""A fight is told from work: to and fro between two values, quickly."""

from datetime import UTC, datetime, timedelta

from keepstep.domain.fields import Side
from keepstep.domain.fight import Fight, Written

NOW = datetime(2026, 9, 1, tzinfo=UTC)


def _writes(values, *, apart=timedelta(minutes=1), target=Side.TICKET):
    return [Written(NOW - apart * (len(values) - 1 - n), target, value) for n, value in enumerate(values)]


def test_four_times_to_and_fro_is_a_fight():
    assert Fight().is_on(_writes("abab"), NOW)
    assert not Fight().is_on(_writes("aba"), NOW)


def test_older_work_before_it_does_not_hide_it():
    assert Fight().is_on(_writes("xyzabab"), NOW)


def test_going_through_many_values_is_work():
    assert not Fight().is_on(_writes("abcd"), NOW)
    assert not Fight().is_on(_writes("abca"), NOW)


def test_the_same_value_again_is_no_flip():
    assert not Fight().is_on(_writes("aaaa"), NOW)
    assert not Fight().is_on(_writes("abba"), NOW)


def test_slowly_is_not_a_fight():
    assert not Fight().is_on(_writes("abab", apart=timedelta(minutes=4)), NOW)


def test_one_write_to_each_side_in_turn_is_a_fight_too():
    sides = [Side.TICKET, Side.FEATURE] * 2
    writes = [Written(NOW, side, value) for side, value in zip(sides, "abab", strict=True)]
    assert Fight().is_on(writes, NOW)


def test_what_no_longer_counts_is_not_kept():
    kept = Fight().recent(_writes("abcdefg"), NOW)
    assert [each.digest for each in kept] == ["d", "e", "f", "g"]
    assert Fight().recent(_writes("ab", apart=timedelta(hours=1)), NOW + timedelta(minutes=10)) != ()
