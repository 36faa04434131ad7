"""Productboard's calls to us, as its files describe them (nobody has published a recorded one)."""

import json

import pytest
from jsonschema import Draft202012Validator

from keepstep.adapters.productboard import ProductboardWire
from keepstep.domain.column import INITIAL, PROGRESS, Cell, CellState, error_cell
from keepstep.ports.errors import UnreadableError
from wire.openapi import Spec, spec_files

WIRE = ProductboardWire()
COLUMN = "7a0b0000-0000-4000-8000-000000000001"
FEATURE = "c2d40000-0000-4000-8000-000000000002"
CLICK = {
    "integrationId": COLUMN,
    "trigger": "button.push",
    "feature": {
        "id": FEATURE,
        "links": {
            "self": f"https://api.productboard.com/features/{FEATURE}",
            "html": "https://acme.productboard.com/x",
        },
    },
    "triggeredByUser": {"name": "Ada Vance", "email": "ada@acme.example"},
    "links": {"connection": "https://api.productboard.com/v2/plugin-integrations/x/connections/y"},
}


def click(**changes):
    return json.dumps({"data": {**CLICK, **changes}}).encode()


def notification(data):
    return WIRE.read_notification(json.dumps({"data": data}).encode())


def described(name, schema):
    spec = Spec(json.loads(spec_files(f"productboard/{name}.json")[0].read_text()))
    return Draft202012Validator({"$ref": f"urn:spec#/components/schemas/{schema}"}, registry=spec.registry)


def test_a_click_is_read_as_described():
    described("plugin-integrations", "ActionPayload").validate(CLICK)
    read = WIRE.read_click(click())
    assert (read.trigger, read.column, read.feature) == ("button.push", COLUMN, FEATURE)
    assert (read.feature_url, read.actor) == ("https://acme.productboard.com/x", "Ada Vance")


def test_what_is_optional_may_be_missing_or_null():
    for user in (None, {}, {"name": None, "email": None}):
        assert not WIRE.read_click(click(triggeredByUser=user)).actor
    assert WIRE.read_click(click(triggeredByUser={"email": "ada@acme.example"})).actor == "ada@acme.example"
    assert not WIRE.read_click(click(feature={"id": FEATURE})).feature_url
    assert not WIRE.read_click(click(feature={"id": FEATURE, "links": {"html": None}})).feature_url


def test_an_unknown_trigger_is_read_for_the_caller_to_refuse():
    assert WIRE.read_click(click(trigger="button.dance")).trigger == "button.dance"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"[]", "JSON object"),
        (b"{}", "data"),
        (b'{"data": null}', "click"),
        (click(integrationId=None), r"data\.integrationId"),
        (click(integrationId="../x"), r"data\.integrationId"),
        (click(trigger=""), r"data\.trigger"),
        (click(trigger="x" * 1000), r"data\.trigger"),
        (click(feature={}), r"data\.feature\.id"),
        (click(feature={"id": ".."}), r"data\.feature\.id"),
        (click(feature={"id": "a/b"}), r"data\.feature\.id"),
    ],
)
def test_a_click_that_cannot_be_read_says_what_is_missing(body, word):
    with pytest.raises(UnreadableError, match=word):
        WIRE.read_click(body)


@pytest.mark.parametrize(
    ("event", "deleted"), [("feature.created", False), ("feature.updated", False), ("feature.deleted", True)]
)
def test_feature_events_name_their_feature(event, deleted):
    data = {
        "id": FEATURE,
        "eventType": event,
        "links": {"target": f"https://api.productboard.com/features/{FEATURE}"},
    }
    described("webhooks", "WebhookNotificationPayloadV1").validate(data)
    (notice,) = notification(data)
    assert (notice.event, notice.feature, notice.deleted) == (event, FEATURE, deleted)


def test_every_event_that_is_described_is_read():
    document = json.loads(spec_files("productboard/webhooks.json")[0].read_text())
    events = document["components"]["schemas"]["WebhookEventType"]["enum"]
    assert len(events) == 26
    for event in events:
        (notice,) = notification(
            {"id": FEATURE, "eventType": event, "links": {"target": "https://x.example"}}
        )
        assert (notice.feature is not None) == event.startswith("feature.")


def test_an_id_that_is_missing_is_taken_from_the_address_which_is_not_called():
    (notice,) = notification(
        {"eventType": "feature.updated", "links": {"target": f"https://x/features/{FEATURE}"}}
    )
    assert notice.feature == FEATURE
    (notice,) = notification({"eventType": "feature.deleted", "links": {"target": "https://x/features/"}})
    assert (notice.feature, notice.deleted) == (None, False)


def test_a_list_of_notifications_is_read_too():
    one = {"id": FEATURE, "eventType": "feature.updated", "links": {"target": "https://x"}}
    assert len(notification([one, one])) == 2
    assert len(notification([])) == 0


@pytest.mark.parametrize(
    "data", [None, "x", {}, {"eventType": ""}, {"eventType": "feature.updated", "id": "../x"}]
)
def test_a_notification_that_cannot_be_read_says_so(data):
    with pytest.raises(UnreadableError, match="notification"):
        notification(data)


@pytest.mark.parametrize(
    "cell",
    [
        INITIAL,
        PROGRESS,
        error_cell("It did not work.", "https://keepstep.example/l/abc"),
        Cell(CellState.CONNECTED, "Open", "#7", "#7 Faster export", "purple", "https://tracker.example/7"),
    ],
)
def test_our_answer_is_a_connection_as_described(cell):
    answer = WIRE.write_answer(cell)
    described("plugin-integrations", "ConnectionState").validate(answer["data"]["fields"]["connection"])
