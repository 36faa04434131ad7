"""GitHub's own example deliveries through our door: proof first, then what they say."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from keepstep.adapters.trackers.github import GITHUB
from keepstep.adapters.trackers.github.webhooks import IGNORED_EVENTS
from keepstep.ports.errors import NotGenuineError, UnreadableError

RECORDED = Path(__file__).parents[2] / ".." / "shared" / "webhook-examples" / "github"
SECRET = "integration-secret"
ISSUE = "444500041"
EXPECTED = {
    "issues.assigned.json": ISSUE,
    "issues.closed.derived.json": ISSUE,
    "issues.deleted.json": ISSUE,
    "issues.edited.json": ISSUE,
    "issues.edited.title-and-body.derived.json": ISSUE,
    "issues.labeled.json": ISSUE,
    "issues.opened.after-transfer.json": ISSUE,
    "issues.opened.json": ISSUE,
    "issues.reopened.json": ISSUE,
    "issues.transferred.json": "512748900",
    "issues.unlabeled.json": ISSUE,
    "issue_comment.created.json": None,
    "issue_comment.deleted.json": None,
    "issue_comment.edited.json": None,
    "label.edited.json": None,
    "ping.json": None,
    "repository.renamed.json": None,
    "repository.transferred.json": None,
}


def headers_of(body, event="issues", secret=SECRET, **more):
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "d-1",
        "X-Hub-Signature-256": f"sha256={digest}",
        **more,
    }


def read(body, headers=None, **more):
    given = headers_of(body, **more) if headers is None else headers
    return GITHUB.wire.read_notification(given, body, SECRET, signed=True)


def event(**more):
    return json.dumps({"action": "edited", "issue": {"id": 84}, "sender": {"login": "ada"}, **more}).encode()


@pytest.mark.skipif(not RECORDED.exists(), reason="the example payloads are not beside the project")
def test_every_example_is_read_or_listed_as_ignored():
    files = sorted(RECORDED.glob("*.json"))
    assert {each.name for each in files} == set(EXPECTED)
    for file in files:
        name = file.name.partition(".")[0]
        notices = read(file.read_bytes(), event=name)
        expected = EXPECTED[file.name]
        assert [each.ticket for each in notices] == ([expected] if expected else []), file.name
        assert bool(notices) != (name in IGNORED_EVENTS)
        assert all(each.actor and each.delivery_id == "d-1" for each in notices)
        assert [each.deleted for each in notices if each.deleted] == (
            [True] if "deleted" in file.name and notices else []
        )


def test_a_delivery_without_id_or_sender_is_read():
    headers = headers_of(event(sender=None))
    del headers["X-GitHub-Delivery"]
    (notice,) = read(event(sender=None), headers)
    assert (notice.ticket, notice.delivery_id, notice.actor, notice.deleted) == ("84", None, "", False)


def test_the_signature_is_over_the_raw_bytes():
    body = event().replace(b": ", b" :  ")
    assert read(body)[0].ticket == "84"
    with pytest.raises(NotGenuineError):
        read(event(), headers_of(body))


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=" + "0" * 64, "sha1=abc", "ünïcode", None])
def test_without_a_valid_signature_nothing_is_genuine(signature):
    headers = headers_of(event())
    if signature is None:
        del headers["X-Hub-Signature-256"]
    else:
        headers["X-Hub-Signature-256"] = signature
    with pytest.raises(NotGenuineError):
        read(event(), headers)


def test_the_old_signature_alone_is_not_enough():
    digest = hmac.new(SECRET.encode(), event(), hashlib.sha1).hexdigest()
    with pytest.raises(NotGenuineError):
        read(event(), {"X-GitHub-Event": "issues", "X-Hub-Signature": f"sha1={digest}"})


def test_another_secret_is_not_genuine_and_proof_comes_before_reading():
    with pytest.raises(NotGenuineError):
        read(event(), headers_of(event(), secret="another"))
    with pytest.raises(NotGenuineError):
        read(b"not json", {"X-GitHub-Event": "comet"})


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"", "issues"),
        (b"not json", "issues"),
        (b"[]", "issues"),
        (b"{}", "issues"),
        (b"\xff\xfe\x00", "issues"),
        (b"[" * 100_000, "issues"),
        (event(issue={"id": "x"}), "issues"),
        (event(issue={"number": 1}), "issues"),
        (event(action=None), "issues"),
        (event(), "comet"),
        (event(), ""),
    ],
)
def test_what_cannot_be_read_says_so(body, name):
    with pytest.raises(UnreadableError):
        read(body, event=name)


def test_a_form_is_told_what_to_change():
    with pytest.raises(UnreadableError, match="application/json"):
        read(b"payload=%7B%7D", event="ping")
