"""What bulk runs ask of every storage."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keepstep.domain.bulk import (
    BulkItem,
    BulkKind,
    BulkOutcome,
    BulkRun,
    BulkState,
    CsvPair,
    FeatureSelection,
    FirstSync,
    Way,
)
from keepstep.domain.errors import MissingError, StaleRevisionError
from keepstep.domain.ids import BulkId, FeatureId, StatusId
from keepstep.ports.bulk import BulkItemQuery
from keepstep.ports.storage import Storage

from storage_cases import NOW, at, integration, link, ticket

pytest_plugins = ["storages"]

_RUN = BulkRun(
    id=BulkId("a" * 32), integration_id=integration().id, kind=BulkKind.LINK, state=BulkState.PROPOSED,
    created_at=NOW, actor="ada", title="All of it", selection=FeatureSelection("x", (StatusId("s"),), ("t",), "p"),
    ways=(Way.MARKER, Way.TITLE), csv=(CsvPair(2, FeatureId("f"), "#7"),), first=FirstSync.ASK, message="m",
    held=True, notes=("Two are alike.",), started_at=NOW, resumed_at=NOW, finished_before=3, attempts=1, retry_at=NOW,
)  # fmt: skip


def item(number: int, **more) -> BulkItem:
    made = BulkItem(_RUN.id, FeatureId(f"feature-{number}"), f"Feature {number}", "http://f.test", "Planned")
    return replace(made, **more)


@pytest.fixture
async def filled(storage: Storage) -> Storage:
    async with storage.begin() as uow:
        await uow.integrations.add(integration())
        await uow.bulk_runs.add(_RUN)
        await uow.commit()
    return storage


async def _page(storage, *outcomes, **more):
    async with storage.begin() as uow:
        return await uow.bulk_items.page(BulkItemQuery(_RUN.id, outcomes, **more))


async def _add(storage, *items):
    async with storage.begin() as uow:
        added = await uow.bulk_items.add(items)
        await uow.commit()
    return added


async def test_a_run_comes_back_whole_and_saving_is_fenced_by_its_revision(filled: Storage):
    async with filled.begin() as uow:
        assert await uow.bulk_runs.get(_RUN.id) == _RUN
        saved = await uow.bulk_runs.save(replace(_RUN, state=BulkState.RUNNING))
        await uow.commit()
    async with filled.begin() as uow:
        assert await uow.bulk_runs.get(_RUN.id) == saved == replace(_RUN, state=BulkState.RUNNING, revision=1)
        with pytest.raises(StaleRevisionError):
            await uow.bulk_runs.save(_RUN)


async def test_a_run_that_is_not_there_is_missed(filled: Storage):
    async with filled.begin() as uow:
        nobody = replace(_RUN, id=BulkId("b" * 32))
        for ask in (uow.bulk_runs.get(nobody.id), uow.bulk_runs.save(nobody), uow.bulk_items.get(_RUN.id, 1)):
            with pytest.raises(MissingError):
                await ask
    async with filled.begin() as uow:
        with pytest.raises(MissingError):
            await uow.bulk_items.add([item(1, run_id=nobody.id)])
    async with filled.begin() as uow:
        with pytest.raises(MissingError):
            await uow.bulk_runs.add(replace(nobody, integration_id=integration("gone").id))


async def test_items_keep_their_order_and_a_feature_is_in_a_run_once(filled: Storage):
    whole = item(
        2, ticket=ticket(7), ticket_title="T", ticket_status="Open", way=Way.MARKER, chosen=False,
        outcome=BulkOutcome.FAILED, reason="No.", link_id=link(1).id, line=3,
    )  # fmt: skip
    assert await _add(filled, item(3), whole, item(1)) == 3
    assert await _add(filled, item(1, feature_title="again"), item(4)) == 1
    found, total = await _page(filled)
    assert [each.feature_id for each in found] == [f"feature-{number}" for number in (3, 2, 1, 4)]
    assert total == 4
    assert found[1] == replace(whole, id=found[1].id)
    assert found[2].feature_title == "Feature 1"
    async with filled.begin() as uow:
        assert await uow.bulk_items.get(_RUN.id, found[1].id) == found[1]


async def test_items_are_found_by_outcome_choice_and_words(filled: Storage):
    linked = item(2, ticket=ticket(7), ticket_title="Zürich", outcome=BulkOutcome.LINKED)
    await _add(filled, item(1), linked, item(3, chosen=False), item(4, feature_title="100 %"))
    assert [each.feature_id for each in (await _page(filled, BulkOutcome.LINKED))[0]] == ["feature-2"]
    for text, number in (("ZÜRICH", "2"), ("#7", "2"), ("feature 3", "3"), ("%", "4")):
        assert [each.feature_id for each in (await _page(filled, text=text))[0]] == [f"feature-{number}"]
    assert (await _page(filled, chosen=False))[1] == 1
    found, total = await _page(filled, offset=1, limit=2)
    assert ([each.feature_id for each in found], total) == (["feature-2", "feature-3"], 4)


async def test_items_are_saved_counted_chosen_and_skipped(filled: Storage):
    await _add(filled, *(item(number) for number in range(5)))
    found, _ = await _page(filled)
    async with filled.begin() as uow:
        await uow.bulk_items.save([found[0].became(BulkOutcome.PUSHED, "well")])
        await uow.bulk_items.choose(_RUN.id, [found[0].id, found[1].id], chosen=False)
        await uow.commit()
    async with filled.begin() as uow:
        counts = await uow.bulk_items.counts(_RUN.id)
        assert (counts.total, counts.finished, counts.chosen) == (5, 1, 3)
        assert (await uow.bulk_items.get(_RUN.id, found[0].id)).chosen, "what does not wait is not chosen"
        assert await uow.bulk_items.skip_waiting(_RUN.id, "Left out.", unchosen_only=True) == 1
        assert await uow.bulk_items.skip_waiting(_RUN.id, "Cancelled.") == 3
        await uow.commit()
    after, _ = await _page(filled)
    assert [each.reason for each in after] == ["well", "Left out.", "Cancelled.", "Cancelled.", "Cancelled."]
    assert [each.outcome for each in after] == [BulkOutcome.PUSHED] + [BulkOutcome.SKIPPED] * 4


async def test_runs_are_listed_newest_first_and_those_at_work_oldest_first(filled: Storage):
    states = (BulkState.RUNNING, BulkState.DONE, BulkState.PREPARING)
    runs = [
        replace(_RUN, id=BulkId(str(at_second) * 32), created_at=at(at_second), state=state)
        for at_second, state in enumerate(states, start=1)
    ]
    async with filled.begin() as uow:
        await uow.integrations.add(integration("two"))
        for each in runs:
            await uow.bulk_runs.add(each)
        await uow.bulk_runs.add(
            replace(_RUN, id=BulkId("9" * 32), integration_id=integration("two").id, created_at=at(9))
        )
        await uow.commit()
    async with filled.begin() as uow:
        found, total = await uow.bulk_runs.page(integration().id, 0, 3)
        assert ([each.id[0] for each in found], total) == (["3", "2", "1"], 4)
        found, total = await uow.bulk_runs.page(None, 0, 1)
        assert ([each.id[0] for each in found], total) == (["9"], 5)
        assert [each.id[0] for each in await uow.bulk_runs.at_work()] == ["1", "3"]


async def test_old_runs_go_with_their_items_unless_they_are_at_work(filled: Storage):
    await _add(filled, item(1))
    working = replace(_RUN, id=BulkId("1" * 32), state=BulkState.RUNNING)
    async with filled.begin() as uow:
        await uow.bulk_runs.add(working)
        assert await uow.bulk_runs.prune(NOW) == 0
        assert await uow.bulk_runs.prune(NOW + timedelta(seconds=1)) == 1
        await uow.commit()
    async with filled.begin() as uow:
        assert [each.id for each in (await uow.bulk_runs.page(None, 0, 9))[0]] == [working.id]
    assert await _page(filled) == ([], 0)


async def test_runs_go_with_their_integration(filled: Storage):
    await _add(filled, item(1))
    async with filled.begin() as uow:
        await uow.integrations.delete(integration().id)
        await uow.commit()
    async with filled.begin() as uow:
        assert await uow.bulk_runs.page(None, 0, 9) == ([], 0)
    assert await _page(filled) == ([], 0)
