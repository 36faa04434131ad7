"""Opening by address and token: what is refused, what is shared, what is closed, and which trackers there are."""

import asyncio
from dataclasses import replace
from importlib.metadata import EntryPoint

import httpx
import pytest

from keepstep.adapters import outside as outside_module
from keepstep.adapters import registry
from keepstep.adapters.outside import OutsideWorld
from keepstep.adapters.trackers import chosen
from keepstep.adapters.trackers.gitlab import GITLAB
from keepstep.domain.errors import InvalidInputError

BOARD = "https://api.productboard.com/v2"
TOKEN = "token-number-1"


def _answer(_request):
    return httpx.Response(200, json={"data": []})


@pytest.fixture
async def outside():
    made = OutsideWorld(allow_private=False, transport=httpx.MockTransport(_answer))
    yield made
    await made.aclose()


def test_all_kinds_are_known_and_declare_themselves(outside):
    kinds = {each.kind for each in outside.manifests()}
    assert kinds >= {"github", "gitlab", "gittab", "jira", "linear", "redmine"}
    for each in outside.manifests():
        assert outside.manifest(each.kind) is each
        assert outside.tracker_wire(each.kind)
    for each in (outside.manifest("gitlab"), outside.manifest("gittab")):
        assert [field.name for field in each.settings] == ["status_labels"]
        assert [field.name for field in each.defaults] == ["labels"]
    assert outside.manifest("gittab").capabilities.delete_events
    assert not outside.manifest("gitlab").capabilities.delete_events


@pytest.mark.parametrize("ask", ["manifest", "tracker_wire"])
def test_an_unknown_kind_is_refused_with_those_that_are_known(outside, ask):
    with pytest.raises(InvalidInputError, match="gitlab, gittab") as caught:
        getattr(outside, ask)("clipboard")
    assert caught.value.field == "kind"
    with pytest.raises(InvalidInputError):
        outside.open_tracker("clipboard", "https://x.example", TOKEN, {})


@pytest.mark.parametrize(
    ("url", "token", "field"),
    [
        ("http://169.254.169.254", TOKEN, "base_url"),
        ("http://127.0.0.1:8081", TOKEN, "base_url"),
        ("nonsense", TOKEN, "base_url"),
        (BOARD, "", "token"),
        (BOARD, "two words", "token"),
    ],
)
def test_what_must_not_be_used_is_refused_on_both_sides(outside, url, token, field):
    for opening in (
        lambda: outside.open_board(url, token),
        lambda: outside.open_tracker("gitlab", url, token, {}),
    ):
        with pytest.raises(InvalidInputError) as caught:
            opening()
        assert caught.value.field == field


async def test_one_token_has_one_client_however_often_it_is_opened(outside):
    for _ in range(3):
        await outside.open_board(BOARD, TOKEN).workspace.verify()
        outside.open_board(f"{BOARD}/", f" {TOKEN} ")
    assert len(outside._clients) == 1
    outside.open_board(BOARD, "token-number-2")
    outside.open_tracker("gitlab", "https://gitlab.com", TOKEN, {"status_labels": ("a",)})
    outside.open_tracker("gitlab", "https://gitlab.com/api/v4/", TOKEN, {})
    assert len(outside._clients) == 3
    assert TOKEN not in repr(vars(outside))


async def test_the_one_used_longest_ago_is_closed_beyond_the_bound(outside, monkeypatch):
    monkeypatch.setattr(outside_module, "_KEPT", 2)
    first = outside.open_board(BOARD, "token-number-1")
    await first.workspace.verify()
    old = next(iter(outside._clients.values()))
    outside.open_board(BOARD, "token-number-2")
    outside.open_board(BOARD, "token-number-1")
    outside.open_board(BOARD, "token-number-3")
    assert old.is_open, "it was used again"
    outside.open_board(BOARD, "token-number-4")
    await asyncio.gather(*outside._closing)
    assert not old.is_open
    assert len(outside._clients) == 2
    # Whoever still holds it goes on.
    assert (await first.workspace.verify()).missing == ()
    await old.aclose()


class _Point:
    def __init__(self, name, value):
        self.name, self.value = name, value

    def load(self):
        return self.value


def test_a_package_may_bring_a_tracker_of_its_own(monkeypatch):
    def found(group):
        assert group == "keepstep.trackers"
        return [_Point("x", replace(GITLAB, manifest=replace(GITLAB.manifest, kind="trackly")))]

    monkeypatch.setattr(registry, "entry_points", found)
    assert list(registry.known_trackers()) == [each.manifest.kind for each in registry._BUILT_IN] + [
        "trackly"
    ]


@pytest.mark.parametrize(("brought", "error"), [(GITLAB, ValueError), ("no adapter", TypeError)])
def test_a_package_that_does_not_fit_is_named(monkeypatch, brought, error):
    monkeypatch.setattr(registry, "entry_points", lambda group: [_Point("odd-one", brought)])
    with pytest.raises(error, match=r"odd-one|gitlab"):
        registry.known_trackers()


def test_the_group_is_one_that_packages_can_name():
    assert EntryPoint("x", "keepstep.adapters.trackers.gitlab:GITLAB", registry.ENTRY_POINTS).load() is GITLAB


def test_chosen_values_are_split_trimmed_and_unique():
    assert chosen({"labels": " a, b ,,a"}, "labels") == ("a", "b")
    assert chosen({"labels": ("x", " y ", "x", "")}, "labels") == ("x", "y")
    assert chosen({}, "labels") == ()
