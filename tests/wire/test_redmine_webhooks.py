"""Redmine's webhooks (7.0) through the door of its adapter: what each means, and what is refused."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from keepstep.adapters.trackers.redmine import REDMINE
from keepstep.ports.errors import NotGenuineError, UnreadableError
from keepstep.ports.tracker import TicketNotice

EXAMPLES = Path(__file__).parents[2] / ".." / "shared" / "webhook-examples" / "redmine"
SECRET = "our-secret"
EXPECTED = {
    "issue.created.json": TicketNotice("42", None),
    "issue.updated.json": TicketNotice("42", None, actor="Sync Bot"),
    "issue.deleted.json": TicketNotice("42", None, deleted=True),
}


def signature(body, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def read(body, headers=None, *, signed=True):
    given = {"X-Redmine-Signature-256": signature(body)} if headers is None else headers
    return REDMINE.wire.read_notification(given, body, SECRET, signed=signed)


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_payloads_mean_what_they_say(name):
    path = EXAMPLES / name
    if not path.exists():
        pytest.skip("the recorded payloads are not beside the project")
    (notice,) = read(path.read_bytes())
    expected = EXPECTED[name]
    assert (notice.ticket, notice.deleted, notice.delivery_id) == (expected.ticket, expected.deleted, None)


def test_every_recorded_payload_is_expected():
    if not EXAMPLES.exists():
        pytest.skip("the recorded payloads are not beside the project")
    assert {path.name for path in EXAMPLES.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("given", [None, "", "sha256=00", "é"])
@pytest.mark.parametrize("signed", [True, False])
def test_without_the_right_signature_nothing_is_read(given, signed):
    headers = {} if given is None else {"X-Redmine-Signature-256": given}
    with pytest.raises(NotGenuineError):
        read(b'{"type":"issue.updated","data":{"issue":{"id":1}}}', headers, signed=signed)


def test_the_signature_is_over_the_raw_bytes():
    body = b'{"type": "issue.updated", "data": {"issue": {"id": 1}}}'
    with pytest.raises(NotGenuineError):
        read(body.replace(b" ", b""), {"X-Redmine-Signature-256": signature(body)})


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type":1}', b'{"type":"issue.updated"}', b"[" * 5000])
def test_what_cannot_be_read_is_refused(body):
    with pytest.raises(UnreadableError):
        read(body)


def test_what_concerns_no_ticket_is_no_news():
    body = json.dumps({"type": "wiki_page.updated", "data": {}}).encode()
    assert read(body) == [TicketNotice(None, None)]
