"""Recorded deliveries of GitLab through our door: proof first, then what they say."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from keepstep.adapters.trackers.gitlab import GITLAB, GITTAB
from keepstep.adapters.trackers.gitlab.secrets import hook_token, signing_token
from keepstep.adapters.trackers.gitlab.webhooks import IGNORED_KINDS
from keepstep.ports.errors import NotGenuineError, UnreadableError

RECORDED = Path(__file__).parents[2] / ".." / "shared" / "webhook-examples" / "gitlab"
SECRET = "integration-secret"
PROOF = {"X-Gitlab-Token": hook_token(SECRET), "Idempotency-Key": "d-1"}

EXPECTED = {
    "issue_closed.json": "8131350",
    "issue_create.json": "8131350",
    "issue_docs_full.json": "301",
    "issue_edited.json": "8131350",
    "issue_labeled.json": "8131350",
    "issue_reopen.json": "8131350",
    "issue_comment_create.json": None,
    "note_issue_docs_full.json": None,
}


def read(body, headers=PROOF, *, signed=False, adapter=GITLAB, secret=SECRET):
    return adapter.wire.read_notification(headers, body, secret, signed=signed)


def event(**attributes):
    attributes = {"id": 84, "action": "update", **attributes}
    return json.dumps(
        {"object_kind": "issue", "user": {"name": "Ada"}, "object_attributes": attributes}
    ).encode()


def signed_headers(body, *, key=SECRET, at=None, **more):
    moment = at or datetime.now(UTC)
    return {
        "X-Gitlab-Token": hook_token(SECRET),
        "webhook-id": "w-1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(signing_token(key)).sign("w-1", moment, body.decode()),
        **more,
    }


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded payloads are not beside the project")
def test_every_recorded_payload_is_read_or_listed_as_ignored():
    files = sorted(RECORDED.glob("*.json"))
    assert {each.name for each in files} == set(EXPECTED)
    for file in files:
        notices = read(file.read_bytes())
        assert [each.ticket for each in notices] == ([EXPECTED[file.name]] if EXPECTED[file.name] else []), (
            file.name
        )
        if not notices:
            assert IGNORED_KINDS[json.loads(file.read_bytes())["object_kind"]]
        assert not any(each.deleted for each in notices)
        assert all(each.actor and each.delivery_id == "d-1" for each in notices)


def test_other_work_items_are_tickets_too():
    body = event().replace(b'"issue"', b'"work_item"')
    assert read(body)[0].ticket == "84"


@pytest.mark.parametrize(("adapter", "deleted"), [(GITLAB, False), (GITTAB, True)])
def test_only_gittab_tells_of_deletions(adapter, deleted):
    assert read(event(action="delete"), adapter=adapter)[0].deleted is deleted


def test_a_move_counts_as_a_change():
    notice = read(event(action="close", moved_to_id=99))[0]
    assert (notice.ticket, notice.deleted) == ("84", False)


def test_the_id_of_the_delivery_is_equal_for_both_names_and_absent_where_none_came():
    assert read(event())[0].delivery_id == "d-1"
    assert read(event(), {"X-Gitlab-Token": hook_token(SECRET), "Webhook-Id": "w-9"})[0].delivery_id == "w-9"
    assert read(event(), {"X-Gitlab-Token": hook_token(SECRET)})[0].delivery_id is None


@pytest.mark.parametrize("token", ["", "wrong", SECRET, hook_token("another"), "ünïcode"])
@pytest.mark.parametrize("signed", [True, False])
def test_a_wrong_token_is_not_genuine_even_when_signed(token, signed):
    headers = signed_headers(event()) | {"X-Gitlab-Token": token}
    with pytest.raises(NotGenuineError):
        read(event(), headers, signed=signed)


def test_a_missing_token_is_not_genuine():
    with pytest.raises(NotGenuineError):
        read(event(), {})


def test_a_valid_signature_is_accepted_over_the_raw_bytes():
    body = event().replace(b": ", b" :  ")
    assert read(body, signed_headers(body), signed=True)[0].ticket == "84"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda headers: headers.pop("webhook-signature"),
        lambda headers: headers.pop("webhook-id"),
        lambda headers: headers.pop("webhook-timestamp"),
        lambda headers: headers.update({"webhook-signature": "v1,AAAA"}),
        lambda headers: headers.update({"webhook-signature": "nonsense"}),
        lambda headers: headers.update({"webhook-signature": "v1,!"}),
        lambda headers: headers.update({"webhook-signature": "v2," + headers["webhook-signature"][3:]}),
        lambda headers: headers.update({"webhook-id": "w-2"}),
        lambda headers: headers.update({"webhook-timestamp": "soon"}),
        lambda headers: headers.update({"webhook-timestamp": "inf"}),
    ],
)
def test_once_signed_nothing_less_is_genuine(spoil):
    headers = signed_headers(event())
    spoil(headers)
    with pytest.raises(NotGenuineError):
        read(event(), headers, signed=True)


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_a_signature_from_another_time_is_not_genuine(age):
    with pytest.raises(NotGenuineError):
        read(event(), signed_headers(event(), at=datetime.now(UTC) - age), signed=True)


def test_another_body_or_key_is_not_genuine():
    with pytest.raises(NotGenuineError):
        read(event(id=85), signed_headers(event()), signed=True)
    with pytest.raises(NotGenuineError):
        read(event(), signed_headers(event(), key="another"), signed=True)
    with pytest.raises(NotGenuineError):
        read(b"\xff\xfe", signed_headers(b"x"), signed=True)


def test_proof_comes_before_reading():
    with pytest.raises(NotGenuineError):
        read(b"not json", {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"object_kind": "comet"}',
        b'{"object_kind": ["issue"]}',
        b'{"object_kind": "issue"}',
        b'{"object_kind": "issue", "object_attributes": {"iid": 1}}',
        b'{"object_kind": "issue", "object_attributes": {"id": "x"}}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_says_so(body):
    with pytest.raises(UnreadableError):
        read(body)


def test_the_two_secrets_are_derived_apart_and_stay_the_same():
    assert hook_token(SECRET) == hook_token(SECRET)
    assert len({hook_token(SECRET), signing_token(SECRET), hook_token("b"), signing_token("b")}) == 4
    assert SECRET not in hook_token(SECRET)
