"""Recorded deliveries of Jira through our door: proof first, then what they say."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from keepstep.adapters.trackers.jira import JIRA
from keepstep.ports.errors import NotGenuineError, UnreadableError

EXAMPLES = Path(__file__).parents[2] / ".." / "shared" / "webhook-examples"
SECRET = "integration-secret"
RECORDED = {
    "webhook-cloud-comment-created.json": None,
    "webhook-issue-created.json": ("10040", False),
    "webhook-issue-deleted.json": ("10303", True),
    "webhook-issue-updated-edited.json": ("10040", False),
    "webhook-issue-updated-labels.json": ("10040", False),
    "webhook-issue-updated-renamed.json": ("10040", False),
    "webhook-issue-updated-reopened.json": ("10040", False),
    "webhook-issue-updated-resolved.json": ("10040", False),
    "webhook-issue-updated-started-working.json": ("10040", False),
}
DATA_CENTER = {
    "webhook-issue-updated-assigned-on-server.json",
    "webhook-server-comment-created.json",
    "webhook-server-issue-updated-closed.json",
    "webhook-server-issue-updated-reopened.json",
    "webhook-server-issue-updated-resolved.json",
    "webhook-server-old-issue-updated-no-event-type-edited.json",
}
"""Not for this adapter: Jira Data Center writes wiki text through REST v2, and old servers sign nothing."""


def read(body, *, secret=SECRET, **more):
    proof = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature": f"sha256={proof}", "X-Atlassian-Webhook-Identifier": "d-1", **more}
    return JIRA.wire.read_notification(headers, body, SECRET, signed=True)


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the recorded payloads are not beside the project")
def test_every_recorded_payload_is_read():
    files = sorted((EXAMPLES / "jira-cloud").glob("*.json"))
    assert {each.name for each in files} == set(RECORDED)
    for file in files:
        notices = read(file.read_bytes())
        told = [(each.ticket, each.deleted) for each in notices]
        assert told == ([RECORDED[file.name]] if RECORDED[file.name] else []), file.name
        assert all(each.delivery_id == "d-1" and each.actor == "Test User" for each in notices)


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the recorded payloads are not beside the project")
def test_those_of_data_center_are_known_and_left_alone():
    assert {each.name for each in (EXAMPLES / "jira-data-center").glob("*.json")} == DATA_CENTER


def test_a_delivery_signed_with_another_secret_is_not_genuine():
    with pytest.raises(NotGenuineError):
        read(b'{"webhookEvent": "jira:issue_updated", "issue": {"id": "1"}}', secret="another")


@pytest.mark.parametrize(
    "content", [b"[]", b"{", b'{"webhookEvent": "x"}', b'{"webhookEvent": "jira:issue_updated", "issue": {}}']
)
def test_what_is_no_event_is_refused(content):
    with pytest.raises(UnreadableError):
        read(content)


def test_a_remote_link_of_ours_is_passed_over():
    assert read(json.dumps({"webhookEvent": "issuelink_created"}).encode()) == ()
