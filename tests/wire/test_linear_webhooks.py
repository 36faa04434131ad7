"""Deliveries of Linear through our door, made after the vendor's schema: proof first, then what they say."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from keepstep.adapters.trackers.linear import LINEAR
from keepstep.adapters.trackers.linear.webhooks import IGNORED_TYPES, LinearWire
from keepstep.ports.errors import NotGenuineError, UnreadableError

RECORDED = Path(__file__).parents[2] / ".." / "shared" / "webhook-examples" / "linear"
SECRET = "integration-secret"
NOW = 1_795_510_000.0
ISSUE = "0d9c6f0e-7a1b-4c55-9d57-1f2e3a4b5c6d"
WIRE = LinearWire(lambda: NOW)

EXPECTED = {
    "issue.create.json": (False, "Ann Example"),
    "issue.remove.json": (True, "Ann Example"),
    "issue.update.by-own-app.json": (False, "pb-sync"),
    "issue.update.moved-team.json": (False, "Ann Example"),
    "issue.update.state.json": (False, "Ann Example"),
    "issue.update.title-description.json": (False, "Ann Example"),
    "issue.update.trashed.json": (True, "Ann Example"),
}


def signed(body, secret=SECRET):
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"Linear-Signature": digest, "Linear-Delivery": "d-1", "Linear-Event": "Issue"}


def read(body, headers=None, *, wire=WIRE, secret=SECRET, hook_signed=True):
    return wire.read_notification(
        signed(body) if headers is None else headers, body, secret, signed=hook_signed
    )


def event(sent=NOW * 1000, **more):
    content = {"type": "Issue", "action": "update", "data": {"id": ISSUE}, "webhookTimestamp": sent, **more}
    return json.dumps({name: value for name, value in content.items() if value is not None}).encode()


@pytest.mark.skipif(not RECORDED.exists(), reason="the payloads are not beside the project")
def test_every_payload_at_hand_is_read():
    files = sorted(RECORDED.glob("*.json"))
    assert {each.name for each in files} == set(EXPECTED)
    for file in files:
        (notice,) = read(file.read_bytes())
        assert (notice.deleted, notice.actor) == EXPECTED[file.name], file.name
        assert (notice.ticket, notice.delivery_id) == (ISSUE, "d-1")


def test_the_way_out_of_the_trash_is_a_change():
    assert read(event(data={"id": ISSUE, "trashed": None}))[0].deleted is False


@pytest.mark.parametrize("kind", sorted(IGNORED_TYPES))
def test_what_our_webhook_does_not_ask_for_is_passed_over_with_a_reason(kind):
    assert read(event(type=kind)) == ()
    assert IGNORED_TYPES[kind]


def test_a_delivery_without_an_id_or_an_actor_is_read_too():
    headers = signed(event())
    del headers["Linear-Delivery"]
    notice = read(event(), headers)[0]
    assert (notice.delivery_id, notice.actor) == (None, "")


def test_names_of_headers_are_taken_in_any_case():
    headers = {name.upper(): value for name, value in signed(event()).items()}
    assert read(event(), headers)[0].delivery_id == "d-1"


@pytest.mark.parametrize("hook_signed", [True, False])
@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "wrong",
        "ünïcode",
        signed(event(), "another")["Linear-Signature"],
        signed(b"x")["Linear-Signature"],
    ],
)
def test_a_wrong_or_missing_signature_is_not_genuine(signature, hook_signed):
    headers = {} if signature is None else {"Linear-Signature": signature}
    with pytest.raises(NotGenuineError):
        read(event(), headers, hook_signed=hook_signed)


def test_the_signature_is_over_the_raw_bytes():
    body = event().replace(b": ", b" :  ")
    assert read(body)[0].ticket == ISSUE
    with pytest.raises(NotGenuineError):
        read(body, signed(event()))


@pytest.mark.parametrize("seconds", [-59, 0, 59])
def test_a_delivery_of_this_minute_is_taken(seconds):
    assert read(event(sent=(NOW + seconds) * 1000))


@pytest.mark.parametrize(
    "sent",
    [None, "soon", True, [], (NOW - 61) * 1000, (NOW + 61) * 1000, NOW, 0, float("nan"), float("inf")],
)
def test_one_of_another_time_or_of_none_is_not_genuine(sent):
    with pytest.raises(NotGenuineError, match=r"webhookTimestamp|minute"):
        read(event(sent=sent))


def test_by_the_real_clock_these_payloads_are_old():
    with pytest.raises(NotGenuineError):
        read(event(sent=1_700_000_000_000), wire=LINEAR.wire)


def test_proof_comes_before_reading():
    with pytest.raises(NotGenuineError):
        read(b"not json", {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        event(type="Comet"),
        event(type=None),
        event(type=["Issue"]),
        event(data=None),
        event(data={"id": 7}),
        event(data={"title": "no id"}),
        event(action=None),
    ],
)
def test_what_cannot_be_read_says_so(body):
    with pytest.raises(UnreadableError):
        read(body)
