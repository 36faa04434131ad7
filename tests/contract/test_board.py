"""What every FeatureBoard keeps; run on the emulator, every request held against the vendor's files."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from keepstep.adapters.outside import OutsideWorld
from keepstep.domain.bulk import FeatureSelection
from keepstep.domain.column import INITIAL, PROGRESS, Cell, CellState, error_cell
from keepstep.ports.errors import (
    AuthLostError,
    NotThereError,
    OutsideError,
    RateLimitedError,
    RejectedError,
    StaleError,
    TransientError,
    UnexpectedReplyError,
)
from keepstep.ports.productboard import Callback, FeatureChanges
from keepstep_sandbox.app import SandboxConfig
from keepstep_sandbox.productboard import create_app
from wire.openapi import Checked, spec_files

URL = "http://127.0.0.1:8081/v2"
TOKEN = "demo-productboard-token"
ACTION = Callback("https://keepstep.example/hooks/productboard/x/action", "Bearer our-secret")
EVENTS = Callback("https://keepstep.example/hooks/productboard/x/events", "Bearer our-secret")
CONNECTED = Cell(CellState.CONNECTED, "Open", "#7", "#7 Faster export", "blue", "https://tracker.example/7")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


async def selected(board, **conditions):
    return [each async for each in board.features.iter_selected(FeatureSelection(**conditions))]


class BoardContract:
    """A subclass gives the fixture `board`; with a token that may do everything and at least five features."""

    async def test_a_valid_token_is_told_nothing_is_missing(self, board):
        facts = await board.workspace.verify()
        assert facts.name
        assert facts.missing == ()

    async def test_statuses_have_ids_and_names(self, board):
        statuses = await board.workspace.list_statuses()
        assert len(statuses) >= 2
        assert len({each.id for each in statuses}) == len(statuses)
        assert all(each.name for each in statuses)

    async def test_a_sample_has_features_at_most_as_many_as_asked_for(self, board):
        sample = await board.workspace.sample_features(3)
        assert len(sample) == 3
        assert {each.type for each in sample} == {"feature"}

    async def test_what_is_written_is_read(self, board):
        feature = (await board.workspace.sample_features(1))[0]
        other = next(each for each in await board.workspace.list_statuses() if each != feature.status)
        changes = FeatureChanges(title="New name", description="<p>New <b>text</b></p>", status=other.id)
        await board.features.write_feature(feature.id, changes)
        after = await board.features.fetch_feature(feature.id)
        assert (after.title, after.description, after.status) == ("New name", "<p>New <b>text</b></p>", other)
        assert after.updated_at > feature.updated_at

    async def test_a_write_leaves_the_other_fields_alone(self, board):
        feature = (await board.workspace.sample_features(1))[0]
        await board.features.write_feature(feature.id, FeatureChanges(title="Only the name"))
        after = await board.features.fetch_feature(feature.id)
        assert (after.title, after.description, after.status) == (
            "Only the name",
            feature.description,
            feature.status,
        )

    async def test_a_description_can_be_emptied(self, board):
        feature = (await board.workspace.sample_features(1))[0]
        await board.features.write_feature(feature.id, FeatureChanges(title="Bare", description=""))
        after = await board.features.fetch_feature(feature.id)
        assert (after.title, after.description) == ("Bare", "")

    async def test_an_unknown_feature_is_not_there(self, board):
        with pytest.raises(NotThereError):
            await board.features.fetch_feature(str(uuid4()))

    async def test_an_unknown_status_is_rejected_by_its_field(self, board):
        feature = (await board.workspace.sample_features(1))[0]
        with pytest.raises(RejectedError) as caught:
            await board.features.write_feature(feature.id, FeatureChanges(status=str(uuid4())))
        assert caught.value.field == "status"

    async def test_several_features_are_read_by_their_ids_and_unknown_ones_left_out(self, board):
        sample = await board.workspace.sample_features(3)
        found = await board.features.list_features([*(each.id for each in sample), str(uuid4())])
        assert sorted(found, key=lambda each: each.id) == sorted(sample, key=lambda each: each.id)
        assert await board.features.list_features([]) == []

    async def test_what_changed_since_is_found_and_what_did_not_is_not(self, board):
        features = await board.workspace.sample_features(2)
        await board.features.write_feature(features[0].id, FeatureChanges(title="Changed now"))
        after = await board.features.fetch_feature(features[0].id)
        changed = [each async for each in board.features.iter_changed("feature", after.updated_at)]
        assert [each.title for each in changed] == ["Changed now"]
        everything = [each async for each in board.features.iter_changed("feature", LONG_AGO)]
        assert {each.id for each in features} <= {each.id for each in everything}

    async def test_features_are_selected_by_each_condition_and_by_all_of_them(self, board):
        everything = await selected(board)
        assert len({each.id for each in everything}) == len(everything) >= 5
        one = everything[0]
        by_status = await selected(board, statuses=(one.status.id,))
        assert by_status == [each for each in everything if each.status == one.status]
        assert await selected(board, text=one.title.upper()) == [one]
        assert await selected(board, text=one.title, statuses=(str(uuid4()),)) == []

    async def test_what_features_can_be_selected_by_is_listed_and_finds_some(self, board):
        choices = await board.workspace.list_choices()
        assert list(choices.statuses) == list(await board.workspace.list_statuses())
        product = next(each for each in choices.places if each.kind == "product")
        component = next(each for each in choices.places if each.parent == product.id)
        inside, below = await selected(board, place=component.id), await selected(board, place=product.id)
        assert 0 < len(inside) < len(below)
        assert all(each in below for each in inside)
        assert any([await selected(board, tags=(tag,)) for tag in choices.tags])

    async def test_subfeatures_are_selected_when_asked_for(self, board):
        product = next(
            each for each in (await board.workspace.list_choices()).places if each.kind == "product"
        )
        assert {each.type for each in await selected(board)} == {"feature"}
        both = await selected(board, subfeatures=True, place=product.id)
        assert {each.type for each in both} == {"feature", "subfeature"}

    async def test_a_column_is_made_once_and_found_again(self, board):
        first = await board.columns.ensure_column("dev.keepstep.i1", "Roadmap", "Push", ACTION)
        again = await board.columns.ensure_column("dev.keepstep.i1", "Roadmap", "Send", ACTION)
        other = await board.columns.ensure_column("dev.keepstep.i2", "Mobile", "Push", ACTION)
        assert first == again != other

    async def test_a_column_can_be_changed_and_removed_twice(self, board):
        column = await board.columns.ensure_column("dev.keepstep.i1", "Roadmap", "Push", ACTION)
        await board.columns.change_column(column, name="Plan")
        await board.columns.change_column(column, button="Go", action=ACTION)
        await board.columns.remove_column(column)
        await board.columns.remove_column(column)
        with pytest.raises(NotThereError):
            await board.columns.change_column(column, name="Late")

    async def test_every_state_of_a_cell_is_read_as_it_was_put(self, board):
        column = await board.columns.ensure_column("dev.keepstep.i1", "Roadmap", "Push", ACTION)
        feature = (await board.workspace.sample_features(1))[0].id
        assert await board.columns.fetch_cell(column, feature) == INITIAL
        for cell in (PROGRESS, CONNECTED, error_cell("No.", "https://keepstep.example/l/x"), INITIAL):
            await board.columns.put_cell(column, feature, cell)
            assert await board.columns.fetch_cell(column, feature) == cell

    async def test_a_cell_of_a_removed_column_is_not_there(self, board):
        column = await board.columns.ensure_column("dev.keepstep.i1", "Roadmap", "Push", ACTION)
        feature = (await board.workspace.sample_features(1))[0].id
        await board.columns.remove_column(column)
        with pytest.raises(NotThereError):
            await board.columns.fetch_cell(column, feature)

    async def test_a_subscription_is_made_once_found_again_and_removed_twice(self, board):
        first = await board.subscriptions.ensure_subscription("Keepstep", EVENTS)
        assert await board.subscriptions.ensure_subscription("Keepstep", EVENTS) == first
        await board.subscriptions.remove_subscription(first)
        await board.subscriptions.remove_subscription(first)
        assert await board.subscriptions.ensure_subscription("Keepstep", EVENTS) != first


class _World:
    def __init__(self, sandbox, outside, checked):
        self.sandbox, self.outside, self.checked = sandbox, outside, checked
        self.answers = 200

    def open(self, token=TOKEN):
        return self.outside.open_board(URL, token)

    def fail(self, **rule):
        self.sandbox.faults.add({"match": "* /v2/*", **rule})

    def calls(self):
        return [f"{each['method']} {each['path']}" for each in self.sandbox.journal.entries(direction="in")]


@asynccontextmanager
async def _world(**more):
    world = None

    def callback(request):
        if request.method == "GET":
            return httpx.Response(world.answers, text=request.url.params["validationToken"])
        return httpx.Response(204)

    async with httpx.AsyncClient(transport=httpx.MockTransport(callback)) as client:
        app = create_app(SandboxConfig(public_base="http://127.0.0.1:8081", client=client, time_scale=0.001))
        files = spec_files(
            *(f"productboard/{name}.json" for name in ("plugin-integrations", "webhooks", "entities"))
        )
        checked = Checked(httpx.ASGITransport(app), files, "/v2")
        outside = OutsideWorld(allow_private=True, transport=checked, **more)
        world = _World(app.state.sandbox, outside, checked)
        yield world
        await outside.aclose()
        await app.state.sandbox.aclose()


@pytest.fixture
async def world():
    async with _world() as made:
        yield made


class TestProductboard(BoardContract):
    @pytest.fixture
    def board(self, world):
        return world.open()


class TestProductboardInTrouble:
    @pytest.mark.parametrize(
        ("rule", "error", "doubt"),
        [
            ({"status": 401}, AuthLostError, False),
            ({"status": 403}, RejectedError, False),
            ({"status": 404}, NotThereError, False),
            ({"status": 409}, StaleError, False),
            ({"status": 412}, StaleError, False),
            ({"status": 422}, RejectedError, False),
            ({"status": 429, "headers": {"Retry-After": "7"}}, RateLimitedError, False),
            ({"status": 500}, TransientError, True),
            ({"status": 503, "body": "<html>Down</html>"}, TransientError, True),
            ({"drop": True, "when": "after"}, TransientError, True),
            ({"status": 200, "body": "<!doctype html><p>Log in", "headers": {"content-type": "text/html"}},
             UnexpectedReplyError, True),
            ({"status": 200, "body": '{"data": {"id": "x'}, UnexpectedReplyError, True),
        ],
    )  # fmt: skip
    async def test_each_kind_of_trouble_has_its_error_without_the_token(self, world, rule, error, doubt):
        board = world.open()
        feature = (await board.workspace.sample_features(1))[0]
        world.fail(**rule)
        with pytest.raises(error) as caught:
            await board.features.write_feature(feature.id, FeatureChanges(title="A"))
        assert type(caught.value) is error
        assert caught.value.doubt is doubt
        assert "Productboard" in str(caught.value)
        assert TOKEN not in f"{caught.value} {caught.value!r}"
        if error is RateLimitedError:
            assert caught.value.retry_after == timedelta(seconds=7)
        if error is AuthLostError:
            assert caught.value.side == "board"

    async def test_a_slow_answer_is_given_up_and_a_read_is_in_no_doubt(self):
        async with _world(total_seconds=0.2) as world:
            world.fail(delay_s=5)
            with pytest.raises(TransientError) as caught:
                await world.open().features.fetch_feature(str(uuid4()))
            assert not caught.value.doubt

    async def test_a_revoked_token_is_lost_on_its_side(self, world):
        world.sandbox.emulator.seed({"tokens": [{"token": TOKEN, "revoked": True}]})
        with pytest.raises(AuthLostError, match="paste a new one") as caught:
            await world.open().workspace.verify()
        assert caught.value.side == "board"

    async def test_a_token_without_a_right_is_told_which(self, world):
        world.sandbox.emulator.seed(
            {"tokens": [{"token": "reader-of-entities", "scopes": ["entities:read"]}]}
        )
        board = world.open("reader-of-entities")
        facts = await board.workspace.verify()
        assert [
            right for right in ("webhooks:read", "plugin-integrations:read") if right in str(facts.missing)
        ] == [
            "webhooks:read",
            "plugin-integrations:read",
        ]
        feature = (await board.workspace.sample_features(1))[0]
        with pytest.raises(RejectedError, match="entities:write") as caught:
            await board.features.write_feature(feature.id, FeatureChanges(title="A"))
        assert caught.value.status == 403

    async def test_a_probe_that_fails_says_what_has_to_be_reachable(self, world):
        world.answers = 500
        with pytest.raises(RejectedError, match="reachable from the internet") as caught:
            await world.open().columns.ensure_column("dev.keepstep.i1", "Roadmap", "Push", ACTION)
        assert caught.value.field == "public_url"

    async def test_markup_outside_the_subset_is_rejected_by_its_field(self, world):
        board = world.open()
        feature = (await board.workspace.sample_features(1))[0]
        with pytest.raises(RejectedError) as caught:
            await board.features.write_feature(feature.id, FeatureChanges(description="<script>x</script>"))
        assert caught.value.field == "description"

    async def test_a_create_whose_answer_was_lost_is_found_by_the_next_try(self, world):
        columns = world.open().columns
        world.sandbox.faults.add({"match": "POST /v2/plugin-integrations", "drop": True, "when": "after"})
        with pytest.raises(OutsideError) as caught:
            await columns.ensure_column("dev.keepstep.i1", "Roadmap", "Push", ACTION)
        assert caught.value.doubt
        await columns.ensure_column("dev.keepstep.i1", "Roadmap", "Push", ACTION)
        posts = [each for each in world.calls() if each == "POST /v2/plugin-integrations"]
        assert len(posts) == 1

    async def test_a_list_longer_than_two_pages_is_read_to_its_end(self, world):
        world.sandbox.emulator.seed({"features": 230})
        board = world.open()
        found = [each.id async for each in board.features.iter_changed("feature", LONG_AGO)]
        assert len(found) == len(set(found)) > 230
        assert len(await board.features.list_features(found[:100])) == 100

    async def test_subfeatures_and_components_are_read_with_their_type(self, world):
        board = world.open()
        found = [each async for each in board.features.iter_changed("subfeature", LONG_AGO)]
        assert {each.type for each in found} == {"subfeature"}
        component = await anext(aiter(board.features.iter_changed("component", LONG_AGO)))
        assert (await board.features.fetch_feature(component.id)).type == "component"

    async def test_forty_at_once_keep_the_pace_and_none_is_refused(self, world):
        """Forty at once is more than the share of a fifth of a second."""
        board = world.open()
        feature = (await board.workspace.sample_features(1))[0].id
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(board.features.fetch_feature(feature) for _ in range(40)))
        assert asyncio.get_running_loop().time() - started > 0.6
        assert "429" not in {str(each["status"]) for each in world.sandbox.journal.entries(direction="in")}

    async def test_every_kind_of_request_was_held_against_the_vendors_files(self, world):
        board = world.open()
        await board.workspace.verify()
        await board.workspace.list_statuses()
        column = await board.columns.ensure_column("dev.keepstep.i1", "R" * 300, "Push", ACTION)
        feature = (await board.workspace.sample_features(1))[0].id
        await board.columns.put_cell(column, feature, CONNECTED)
        await board.columns.fetch_cell(column, feature)
        await board.columns.change_column(column, button="Go")
        await board.columns.remove_column(column)
        subscription = await board.subscriptions.ensure_subscription("Keepstep", EVENTS)
        await board.subscriptions.remove_subscription(subscription)
        await board.features.write_feature(feature, FeatureChanges(title="A", description=""))
        assert len(world.checked.checked) >= 11, world.checked.checked
