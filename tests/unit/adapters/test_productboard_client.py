"""Productboard's pages and errors over a scripted transport."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from keepstep.adapters.http import HttpClient
from keepstep.adapters.memory.budget import MemoryBudget
from keepstep.adapters.productboard import SERVICE, open_board
from keepstep.domain.column import Cell, CellState
from keepstep.ports.budget import AccountKey
from keepstep.ports.errors import AuthLostError, RejectedError, UnexpectedReplyError
from keepstep.ports.productboard import Callback, FeatureChanges

TOKEN = "pb-secret-token-123"
ID = "0b7e0000-0000-4000-8000-00000000000a"


class Script:
    """Answers by (method, path); keeps the requests."""

    def __init__(self, answers):
        self.answers = answers
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers(request) if callable(self.answers) else self.answers.pop(0)
        status, body = answer
        return httpx.Response(status, json=body) if body is not None else httpx.Response(status)


def board(answers):
    script = Script(answers)
    http = HttpClient(
        SERVICE,
        "https://api.productboard.com/v2",
        {"Authorization": f"Bearer {TOKEN}"},
        secret=TOKEN,
        allow_private=False,
        account=AccountKey("account"),
        budget=MemoryBudget(),
        transport=httpx.MockTransport(script),
    )
    return open_board(http), script


def entity(number, **fields):
    return {
        "id": f"id-{number}",
        "type": "feature",
        "fields": fields,
        "links": {"self": "x", "html": None},
        "updatedAt": "2026-11-02T09:00:00.123456Z",
    }


def error(code, *, pointer=None, detail="No."):
    source = {"source": {"pointer": pointer}} if pointer else {}
    return {"id": "req-7", "errors": [{"code": code, "title": "T", "detail": detail, **source}]}


async def test_pages_follow_the_cursor_alone_decoded_once_over_an_empty_page():
    pages = [
        # A scalar `type`, which the API refuses, and a cursor with a plus and an escaped slash.
        (
            200,
            {
                "data": [entity(1)],
                "links": {"next": "https://x/v2/entities/search?type=feature&pageCursor=a%2Fb+c%3D"},
            },
        ),
        (200, {"data": [], "links": {"next": "/v2/entities/search?pageCursor=second"}}),
        (200, {"data": [entity(1), entity(2)]}),
    ]
    found, script = board(pages)
    changed = [
        each async for each in found.features.iter_changed("feature", datetime(2026, 11, 1, tzinfo=UTC))
    ]
    assert [each.id for each in changed] == ["id-1", "id-2"]
    assert [request.url.query for request in script.requests] == [
        b"",
        b"pageCursor=a%2Fb%2Bc%3D",
        b"pageCursor=second",
    ]
    bodies = {request.content for request in script.requests}
    assert len(bodies) == 1
    assert json.loads(bodies.pop()) == {
        "data": {
            "filter": {"type": ["feature"], "updatedAt": {"from": "2026-11-01T00:00:00.000Z"}},
            "return": {"fields": ["name", "description", "status", "archived"]},
        }
    }


async def test_pages_that_go_round_in_a_circle_end():
    found, _ = board(lambda _request: (200, {"data": [], "links": {"next": "https://x?pageCursor=same"}}))
    with pytest.raises(UnexpectedReplyError, match="circle"):
        [each async for each in found.features.iter_changed("feature", datetime(2026, 11, 1, tzinfo=UTC))]


async def test_absent_fields_are_empty():
    found, script = board([(200, {"data": entity(1)})])
    feature = await found.features.fetch_feature("id-1")
    assert (feature.title, feature.description, feature.status, feature.archived) == ("", "", None, False)
    assert not feature.url
    assert feature.updated_at.utcoffset() == timedelta(0)
    assert script.requests[0].url.params.get_list("fields[]") == ["name", "description", "status", "archived"]


async def test_values_with_metadata_read_like_plain_ones():
    fields = {
        "name": {"value": "A"},
        "description": {"value": "<p>B</p>", "metadata": {}},
        "archived": {"value": True},
    }
    found, _ = board([(200, {"data": entity(1, **fields)})])
    feature = await found.features.fetch_feature("id-1")
    assert (feature.title, feature.description, feature.archived) == ("A", "<p>B</p>", True)


async def test_fields_that_a_type_does_not_know_are_not_insisted_on():
    component = {**entity(1, name="Exports"), "type": "component"}
    found, script = board([(400, error("request.invalid")), (200, {"data": component})])
    assert (await found.features.fetch_feature("id-1")).type == "component"
    assert script.requests[1].url.query == b""


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        (FeatureChanges(title="A"), {"fields": {"name": "A"}}),
        (
            FeatureChanges(status=ID, description="<p>x</p>"),
            {"fields": {"description": "<p>x</p>", "status": {"id": ID}}},
        ),
        (FeatureChanges(description=""), {"patch": [{"op": "clear", "path": "description"}]}),
        (
            FeatureChanges(title="A", description=""),
            {"patch": [{"op": "set", "path": "name", "value": "A"}, {"op": "clear", "path": "description"}]},
        ),
    ],
)
async def test_a_write_carries_only_what_changes(changes, body):
    found, script = board([(200, {"data": {"id": ID}})])
    await found.features.write_feature(ID, changes)
    assert json.loads(script.requests[0].content) == {"data": body}


async def test_a_write_of_nothing_makes_no_call():
    found, script = board([])
    await found.features.write_feature(ID, FeatureChanges())
    assert script.requests == []


@pytest.mark.parametrize(
    ("status", "body", "field", "words"),
    [
        (
            422,
            error("validation.failed", pointer="/data/fields/status", detail="Unknown value"),
            "status",
            "Unknown value",
        ),
        (400, error("request.invalid", pointer="/data/fields/description"), "description", "400"),
        (400, error("request.invalid", pointer="/data/fields/name"), "title", "400"),
        (422, error("callback.probeFailed"), "public_url", "reachable from the internet"),
        (400, error("request.invalid", pointer="/data/fields/initialState/label"), "button", "400"),
        (403, error("auth.accessDenied"), "", "entities:write"),
        (422, ["odd"], "", "422"),
        (400, {"errors": "odd"}, "", "400"),
    ],
)
async def test_a_refusal_names_field_reason_and_the_missing_right(status, body, field, words):
    found, _ = board([(status, body)])
    with pytest.raises(RejectedError, match=words) as caught:
        await found.features.write_feature(ID, FeatureChanges(title="A"))
    assert caught.value.field == field
    assert caught.value.status == status


async def test_the_gateways_own_refusal_of_a_token_is_understood():
    found, _ = board([(401, {"message": "Unauthorized"})])
    with pytest.raises(AuthLostError) as caught:
        await found.workspace.verify()
    assert caught.value.side == "board"


async def test_verify_says_which_rights_are_missing_and_finds_a_name():
    named = {**entity(1), "links": {"self": "x", "html": "https://acme.productboard.com/detail/UG1"}}

    def answer(request):
        if request.url.path == "/v2/entities":
            return 200, {"data": [entity(2), named], "links": {"next": None}}
        return (
            (403, error("auth.accessDenied"))
            if request.url.path.endswith("webhooks")
            else (200, {"data": []})
        )

    found, _ = board(answer)
    facts = await found.workspace.verify()
    assert facts.name == "acme"
    assert len(facts.missing) == 1
    assert "webhooks:read" in facts.missing[0]


def _configuration(values):
    return {
        "type": "feature",
        "fields": {"status": {"id": "status", "values": values}, "name": {"id": "name"}},
    }


async def test_statuses_are_those_of_features_and_subfeatures_in_order():
    both, only, other = (
        {"id": "1", "name": "New", "assignedEntityTypes": ["feature", "subfeature"]},
        {"id": "2", "name": "Done", "assignedEntityTypes": ["subfeature"]},
        {"id": "3", "name": "Won", "assignedEntityTypes": ["objective"]},
    )
    found, script = board(
        [(200, {"data": [_configuration({"data": [both, other, only, {"id": "4", "name": "Any"}]})]})]
    )
    assert [each.name for each in await found.workspace.list_statuses()] == ["New", "Done", "Any"]
    assert len(script.requests) == 1


async def test_a_long_list_of_statuses_is_read_to_its_end():
    link = {"next": "https://x/v2/entities/fields/uuid/values?assignedEntityType=feature&pageCursor=zzz"}
    more = [{"id": str(n), "fields": {"name": f"S{n}", "assignedEntityTypes": ["feature"]}} for n in range(4)]
    found, script = board(
        [
            (200, {"data": [_configuration({"data": [], "links": link})]}),
            (200, {"data": more[:2], "links": {"next": "https://x?pageCursor=p2"}}),
            (200, {"data": more[2:], "links": {"next": None}}),
        ]
    )
    assert [each.name for each in await found.workspace.list_statuses()] == ["S0", "S1", "S2", "S3"]
    assert script.requests[1].url.path == "/v2/entities/fields/status/values"


def _column(identity, kind):
    return {"id": identity, "type": "pluginIntegration", "fields": {"type": kind, "name": "x"}}


async def test_our_column_is_found_on_the_last_page_and_brought_up_to_date():
    found, script = board(
        [
            (200, {"data": [_column("a", "com.other")], "links": {"next": "https://x?pageCursor=2"}}),
            (200, {"data": [_column("b", "dev.keepstep.i1")], "links": {"next": None}}),
            (200, {"data": {"id": "b"}}),
        ]
    )
    callback = Callback("https://us.example/hooks", "Bearer s")
    assert await found.columns.ensure_column("dev.keepstep.i1", "Roadmap", "Push", callback) == "b"
    assert script.requests[-1].method == "PATCH"
    fields = json.loads(script.requests[-1].content)["data"]["fields"]
    assert fields["action"] == {"url": callback.url, "version": 1, "headers": {"authorization": "Bearer s"}}
    assert "type" not in fields


async def test_a_column_that_is_gone_counts_as_removed_but_cannot_be_changed():
    found, _ = board([(404, error("resource.notFound"))])
    await found.columns.remove_column("a")


async def test_a_subscription_that_lacks_an_event_is_replaced_the_new_one_first():
    old = {
        "id": "old",
        "fields": {
            "events": [{"eventType": "feature.updated"}],
            "notification": {"url": "https://us.example/e"},
        },
    }
    found, script = board([(200, {"data": [old]}), (201, {"data": {"id": "new"}}), (204, None)])
    assert await found.subscriptions.ensure_subscription("x", Callback("https://us.example/e", "s")) == "new"
    assert [request.method for request in script.requests] == ["GET", "POST", "DELETE"]


async def test_a_cell_is_put_and_read_in_full():
    cell = Cell(CellState.CONNECTED, "Open", "#1", "#1 Title", "blue", "https://t.example/1")
    wire = {
        "state": "connected",
        "label": "Open",
        "hoverLabel": "#1",
        "tooltip": "#1 Title",
        "color": "blue",
        "targetUrl": "https://t.example/1",
    }
    found, script = board([(200, {"data": {"id": "x"}}), (200, {"data": {"fields": {"connection": wire}}})])
    await found.columns.put_cell("col", ID, cell)
    assert json.loads(script.requests[0].content) == {"data": {"fields": {"connection": wire}}}
    assert await found.columns.fetch_cell("col", ID) == cell


async def test_a_state_that_nobody_knows_is_unexpected():
    found, _ = board([(200, {"data": {"fields": {"connection": {"state": "paused"}}}})])
    with pytest.raises(UnexpectedReplyError, match="connection"):
        await found.columns.fetch_cell("col", ID)
