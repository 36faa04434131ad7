"""For whom a Link's job makes its calls."""

from datetime import UTC, datetime

import pytest

from keepstep.app.work import call_class
from keepstep.domain.calls import CallClass
from keepstep.domain.events import Notice, NoticeKind, Source
from keepstep.domain.ids import IntegrationId

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _row(source):
    return Notice(IntegrationId("a"), NoticeKind.CHANGED, source, NOW)


@pytest.mark.parametrize("source", Source)
def test_every_source_has_its_class(source):
    assert call_class([_row(source)]) in CallClass


def test_the_most_urgent_row_counts():
    assert call_class([_row(Source.BULK), _row(Source.POLL)]) is CallClass.SWEEP
    assert call_class([_row(Source.BULK), _row(Source.CLICK)]) is CallClass.CLICK


def test_what_a_bulk_run_began_waits_behind_everything():
    assert call_class([_row(Source.BULK)]) is CallClass.BULK
