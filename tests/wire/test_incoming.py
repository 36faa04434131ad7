"""What every door holds a sender to, whoever it is."""

import json

import pytest

from fuzz import seeds
from keepstep.adapters.incoming import delivery_id
from keepstep.adapters.productboard.webhooks import ProductboardWire
from keepstep.adapters.registry import known_trackers
from keepstep.ports.errors import UnreadableError

KINDS = ("github", "gitlab", "jira", "linear", "redmine")
PLACES = {
    "github": ("issue", "id"),
    "gitlab": ("object_attributes", "id"),
    "jira": ("issue", "id"),
    "linear": ("data", "id"),
    "redmine": ("data", "issue", "id"),
}
NAMES = {
    "github": ("sender", "login"),
    "gitlab": ("user", "name"),
    "jira": ("user", "displayName"),
    "linear": ("actor", "name"),
    "redmine": ("data", "journal", "user", "name"),
}


def read(kind, place, value):
    content = json.loads(json.dumps(seeds.with_time(kind, seeds.OWN[kind])))
    holder = content
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    body = json.dumps(content).encode()
    wire = known_trackers()[kind].wire
    return wire.read_notification(seeds.headers_for(kind, body, "d-1"), body, seeds.HOOK_SECRET, signed=True)[
        0
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrong", ["", "a\0b", "x" * 101, "../1", "\ud800", 10**400, -1, True, 1.5, None, [], {}]
)
def test_an_id_that_no_tracker_has_is_not_readable(kind, wrong):
    with pytest.raises(UnreadableError, match="id"):
        read(kind, PLACES[kind], wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_without_end_is_cut(kind):
    assert read(kind, NAMES[kind], "n" * 100_000).actor == "n" * 200


def test_a_delivery_id_without_end_is_not_readable():
    assert delivery_id({"webhook-id": "x" * 200}, "webhook-id") == "x" * 200
    assert delivery_id({"webhook-id": ""}, "webhook-id") is None
    with pytest.raises(UnreadableError, match="webhook-id has 201 characters; at most 200"):
        delivery_id({"webhook-id": "x" * 201}, "webhook-id")


def test_a_click_keeps_no_address_and_no_name_without_end():
    data = seeds.CLICK["data"] | {
        "feature": {"id": "f-1", "links": {"html": "https://acme.example/" + "x" * 2000}},
        "triggeredByUser": {"name": "n" * 1000},
    }
    click = ProductboardWire().read_click(json.dumps({"data": data}).encode())
    assert click.feature_url == ""
    assert click.actor == "n" * 200
