"""What the wizard's draft forgets when an earlier answer changes, and what it keeps."""

import json
from dataclasses import asdict, replace

import pytest

from keepstep.adapters.memory.people import MemoryPeople
from keepstep.app.drafts import (
    ConnectDraft,
    WizardStep,
    load_draft,
    new_integration,
    proposed_button,
    save_draft,
)
from keepstep.domain.errors import InvalidInputError
from keepstep.domain.fields import Field
from keepstep.domain.integration import MAX_LABEL, ProjectRef
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy, StatusMap, SyncPolicy
from keepstep.ports.people import PersonId

ADA = PersonId("ada")
ROADMAP = ProjectRef("1", "demo/roadmap", "https://gitlab.example.com/demo/roadmap")
POLICY = SyncPolicy(
    {each: FieldPolicy(Direction.TO_TICKET, ConflictRule.ASK) for each in Field},
    StatusMap({"a": "opened"}, {"closed": "b"}),
)
FULL = replace(
    ConnectDraft(
        board_token="secret-1",
        board_ok=True,
        kind="gitlab",
        tracker_url="https://gitlab.example.com",
        tracker_token="secret-2",
        tracker_ok=True,
    )
    .with_project(ROADMAP, asks_more=True)
    .with_settings({"status_labels": ("doing",)})
    .with_policy(POLICY, {"labels": ("bug",), "milestone": ""}),
    mapping_ok=True,
    name="Roadmap",
    button="GitLab",
)


async def test_what_is_saved_comes_back_as_it_was():
    store = MemoryPeople()
    await save_draft(store.drafts, ADA, FULL)

    assert await load_draft(store.drafts, ADA) == FULL
    assert await load_draft(store.drafts, PersonId("bob")) == ConnectDraft()
    assert json.loads(json.dumps(asdict(FULL)))["defaults"]["labels"] == ["bug"]


@pytest.mark.parametrize(
    "damaged",
    [
        {"directions": {"title": "sideways"}},
        {"conflict_rules": {"title": "toss a coin"}},
        {"tracker_settings": None},
        {"to_ticket": 3},
    ],
)
async def test_what_cannot_be_read_begins_anew(damaged):
    store = MemoryPeople()
    await store.drafts.save(ADA, asdict(FULL) | damaged)

    assert await load_draft(store.drafts, ADA) == ConnectDraft()


async def test_what_an_older_version_did_not_know_gets_its_default():
    store = MemoryPeople()
    await store.drafts.save(ADA, {"board_url": "https://a", "of_a_newer_version": 1})

    assert await load_draft(store.drafts, ADA) == ConnectDraft(board_url="https://a")


def test_a_full_draft_is_the_integration():
    new = new_integration(FULL)

    assert (new.board_token, new.tracker_token, new.project) == ("secret-1", "secret-2", ROADMAP)
    assert new.policy == POLICY
    assert new.tracker_settings == {"status_labels": ("doing",)}
    assert new.defaults == {"labels": ("bug",), "milestone": ""}


@pytest.mark.parametrize(
    ("changed", "reached"),
    [
        (FULL, WizardStep.REVIEW),
        (ConnectDraft(), WizardStep.PRODUCTBOARD),
        (replace(FULL, mapping_ok=False), WizardStep.MAPPING),
        (replace(FULL, settings_ok=False), WizardStep.TRACKER),
        (replace(FULL, project_id=""), WizardStep.TRACKER),
        (FULL.with_board(FULL.board_url), WizardStep.PRODUCTBOARD),
        (FULL.with_tracker(FULL.kind, FULL.tracker_url), WizardStep.TRACKER),
        (FULL.with_project(ROADMAP, asks_more=True), WizardStep.REVIEW),
        (FULL.with_settings({"status_labels": ("doing",)}), WizardStep.REVIEW),
        (FULL.with_settings({"status_labels": ()}), WizardStep.MAPPING),
        (FULL.with_project(ProjectRef("2", "x"), asks_more=False), WizardStep.MAPPING),
        (FULL.with_project(ProjectRef("2", "x"), asks_more=True), WizardStep.TRACKER),
    ],
)
def test_the_first_unfinished_step_is_where_one_goes_on(changed, reached):
    assert changed.reached() is reached
    assert [step for step in WizardStep if changed.may_open(step)][-1] is reached
    if reached is not WizardStep.REVIEW:
        with pytest.raises(InvalidInputError) as refused:
            new_integration(changed)
        assert refused.value.field == reached


def test_another_workspace_makes_only_map_and_token_void():
    changed = FULL.with_board("https://api.eu.productboard.com/v2")

    assert (changed.to_ticket, changed.to_feature, changed.mapping_ok) == ({}, {}, False)
    assert (changed.board_token, changed.tracker_token) == ("", FULL.tracker_token)
    assert changed.project == ROADMAP
    assert changed.tracker_settings == FULL.tracker_settings
    assert changed.directions == FULL.directions


def test_another_kind_makes_token_project_settings_and_defaults_void():
    changed = FULL.with_tracker("slips", "https://slips.example.com")

    assert changed.project is None
    assert (changed.tracker_settings, changed.defaults, changed.to_ticket) == ({}, {}, {})
    assert (changed.button, changed.name) == ("", "Roadmap")
    assert (changed.board_token, changed.tracker_token) == (FULL.board_token, "")


def test_a_token_stays_where_its_address_differs_by_a_slash_only():
    changed = FULL.with_board(f"{FULL.board_url}/").with_tracker(FULL.kind, f"{FULL.tracker_url}/")

    assert (changed.board_token, changed.tracker_token) == (FULL.board_token, FULL.tracker_token)
    assert changed.project == ROADMAP


def test_the_proposed_button_fits():
    assert proposed_button("GitLab") == "GitLab"
    assert proposed_button("A tracker with a long name") == "Push"
    assert len(proposed_button("x" * MAX_LABEL)) == MAX_LABEL
