"""Alerts: once, again only with news and after an hour, and one word when it is over."""

from datetime import UTC, datetime, timedelta

from keepstep.domain.alerts import AlertKind, Condition, Word, word

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _wrong(newest=NOW):
    return Condition(AlertKind.SET_ASIDE, newest, "Two Links are set aside.", "Try again.")


def test_what_is_wrong_is_told_once():
    assert word(_wrong(), None, None, NOW, HOUR) is Word.ALERT
    assert word(_wrong(), NOW, None, NOW + 5 * HOUR, HOUR) is Word.NOTHING


def test_news_is_told_after_an_hour_only():
    later = NOW + timedelta(minutes=30)
    assert word(_wrong(later), NOW, None, later, HOUR) is Word.NOTHING
    assert word(_wrong(later), NOW, None, NOW + HOUR, HOUR) is Word.ALERT


def test_its_end_is_told_once():
    assert word(None, NOW, None, NOW + timedelta(seconds=1), HOUR) is Word.RECOVERED
    assert word(None, NOW, NOW + timedelta(seconds=1), NOW + HOUR, HOUR) is Word.NOTHING
    assert word(None, None, None, NOW, HOUR) is Word.NOTHING


def test_a_second_time_within_the_hour_waits():
    ended = NOW + timedelta(minutes=5)
    assert word(_wrong(ended), NOW, ended, NOW + timedelta(minutes=10), HOUR) is Word.NOTHING
    assert word(_wrong(ended), NOW, ended, NOW + HOUR, HOUR) is Word.ALERT
