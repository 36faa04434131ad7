"""What every storage promises of the inbox, clicks, timers and marks."""

import asyncio
from dataclasses import replace

import pytest

from keepstep.adapters.memory.storage import MemoryStorage
from keepstep.domain.errors import MissingError
from keepstep.domain.events import Click, Notice, NoticeKind, Source, Timer, TimerKind
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.domain.integration import IntegrationState
from keepstep.domain.link import LinkState
from keepstep.ports.storage import Storage

from storage_cases import NOW, at, integration, link, notice

pytest_plugins = ["storages"]

_HOME = integration("one").id
_GONE = LinkId("f" * 32)


@pytest.fixture
async def filled(storage: Storage) -> Storage:
    async with storage.begin() as uow:
        for name, state in (("one", IntegrationState.ACTIVE), ("paused", IntegrationState.PAUSED)):
            await uow.integrations.add(integration(name, state))
        for each in (link(1), link(2), link(3, LinkState.SET_ASIDE), link(4, of="paused")):
            await uow.links.add_or_find(each)
        await uow.commit()
    return storage


async def _add(storage: Storage, *notices: Notice) -> list[bool]:
    async with storage.begin() as uow:
        stored = [await uow.inbox.add(each) for each in notices]
        await uow.commit()
    return stored


async def _unhandled(storage: Storage, wanted: LinkId) -> list[Notice]:
    async with storage.begin() as uow:
        return list(await uow.inbox.unhandled(wanted))


async def test_a_notice_comes_back_whole(filled: Storage):
    one = notice(
        link(1).id,
        kind=NoticeKind.DECIDE,
        source=Source.PERSON,
        delivery_id="d",
        actor="Ada\x00",
        detail={"field": "title", "value": "x\x00y", "actor": "not the actor"},
    )
    await _add(filled, one, notice(link(1).id, 1, side=None, subject=""))
    first, second = await _unhandled(filled, link(1).id)
    assert first.id > 0
    assert replace(first, id=0) == one
    assert (second.side, second.subject, second.delivery_id, second.detail) == (None, "", None, {})


async def test_a_delivery_is_stored_once_per_integration_and_side(filled: Storage):
    one = notice(link(1).id, delivery_id="d")
    assert await _add(filled, one, one, replace(one, side=Side.FEATURE)) == [True, False, True]
    assert await _add(filled, one, replace(one, side=None), replace(one, side=None)) == [False, True, False]
    assert await _add(filled, replace(one, integration_id=IntegrationId("ipaused"))) == [True]
    assert len(await _unhandled(filled, link(1).id)) == 4


async def test_a_handled_delivery_is_still_known(filled: Storage):
    one = notice(link(1).id, delivery_id="d")
    await _add(filled, one)
    async with filled.begin() as uow:
        await uow.inbox.mark_handled([row.id for row in await uow.inbox.unhandled(link(1).id)], NOW)
        await uow.commit()
    assert await _add(filled, one) == [False]


async def test_of_one_delivery_that_comes_twice_at_once_one_is_stored(filled: Storage):
    one = notice(link(1).id, delivery_id="d")
    results = await asyncio.gather(*(_add(filled, one) for _ in range(4)))
    assert sorted(results) == [[False], [False], [False], [True]]


async def test_two_equal_notices_without_a_delivery_id_are_both_kept(filled: Storage):
    one = notice(link(1).id)
    assert await _add(filled, one, one) == [True, True]
    assert len(await _unhandled(filled, link(1).id)) == 2


async def test_unhandled_rows_come_oldest_first_and_only_the_named_ones_get_handled(filled: Storage):
    await _add(filled, notice(link(1).id, 5), notice(link(1).id, 1), notice(link(2).id), notice(None))
    rows = await _unhandled(filled, link(1).id)
    assert [row.received_at for row in rows] == [at(1), at(5)]
    async with filled.begin() as uow:
        assert await uow.inbox.waiting(_HOME) == 3
        await uow.inbox.mark_handled([rows[0].id], NOW)
        await uow.inbox.mark_handled([], NOW)
        await uow.commit()
    assert await _unhandled(filled, link(1).id) == [rows[1]]
    async with filled.begin() as uow:
        assert await uow.inbox.waiting(_HOME) == 2


async def test_links_that_have_been_told_of_a_side_are_known_until_it_is_handled(filled: Storage):
    one, two, three = (link(number).id for number in (1, 2, 3))
    await _add(
        filled,
        notice(one),
        notice(one, 1),
        notice(two, side=Side.FEATURE),
        notice(two, kind=NoticeKind.LOOK_AGAIN),
        notice(three, kind=NoticeKind.DELETED),
        notice(None),
    )
    async with filled.begin() as uow:
        assert set(await uow.inbox.with_news([one, two, three, _GONE], Side.TICKET)) == {one, three}
        assert set(await uow.inbox.with_news([one, two], Side.FEATURE)) == {two}
        assert set(await uow.inbox.with_news([], Side.TICKET)) == set()
        await uow.inbox.mark_handled([row.id for row in await uow.inbox.unhandled(one)], NOW)
        assert set(await uow.inbox.with_news([one, three], Side.TICKET)) == {three}


async def test_a_notice_for_nothing_of_ours(filled: Storage):
    assert await _add(filled, notice(_GONE)) == [True]
    async with filled.begin() as uow:
        assert await uow.inbox.unhandled(_GONE) == []
        assert await uow.inbox.adopt(_HOME, "t1", link(1).id, at(-1)) == 1, "kept as one that matches no Link"
        with pytest.raises(MissingError):
            await uow.inbox.add(notice(None, of="nowhere"))


async def test_a_new_ticket_adopts_its_recent_unmatched_notices(filled: Storage):
    await _add(
        filled,
        notice(None, 0),
        notice(None, 10),
        notice(None, 20),
        notice(None, 20, subject="t2"),
        notice(None, 20, side=Side.FEATURE),
        notice(None, 20, of="paused"),
        notice(link(2).id, 20),
    )
    async with filled.begin() as uow:
        assert await uow.inbox.adopt(_HOME, "t1", link(1).id, at(10)) == 2
        assert await uow.inbox.adopt(_HOME, "t1", link(2).id, at(10)) == 0
        await uow.commit()
    assert [row.received_at for row in await _unhandled(filled, link(1).id)] == [at(10), at(20)]


async def test_links_wait_longest_first_unless_they_may_not_run(filled: Storage):
    async with filled.begin() as uow:
        await uow.links.add_or_find(link(5, retry_at=at(1)))
        await uow.links.add_or_find(link(6, LinkState.UNLINKING, retry_at=at(-60)))
        await uow.links.add_or_find(link(7))
        await uow.commit()
    await _add(filled, notice(link(1).id, -20), notice(link(1).id, -3), notice(link(2).id, -30))
    await _add(filled, *(notice(link(number).id, -40) for number in (3, 5, 6)), notice(None, -90))
    await _add(filled, notice(link(4).id, -40, of="paused"), notice(link(7).id, -10), notice(link(7).id, -9))
    async with filled.begin() as uow:
        assert await uow.inbox.links_waiting(NOW, at(-10), 9) == [link(number).id for number in (6, 2, 1)]
        assert await uow.inbox.links_waiting(NOW, at(-10), 1) == [link(6).id]
        rows = await uow.inbox.unhandled(link(2).id)
        await uow.inbox.mark_handled([row.id for row in rows], NOW)
        assert await uow.inbox.links_waiting(at(1), at(-10), 9) == [link(number).id for number in (5, 6, 1)]


async def test_the_last_notification_is_known_per_side_even_when_it_concerns_nothing(filled: Storage):
    await _add(
        filled,
        notice(link(1).id, 50, source=Source.POLL),
        notice(link(1).id, 40, source=Source.PERSON, side=None),
        notice(link(1).id, 10),
        notice(None, 20),
        notice(link(1).id, 15),
    )
    async with filled.begin() as uow:
        await uow.inbox.count_unlinked(_HOME, Side.FEATURE, at(7))
        await uow.inbox.count_unlinked(_HOME, Side.FEATURE, at(5))
        await uow.inbox.count_unlinked(IntegrationId("nowhere"), Side.FEATURE, at(5))
        await uow.commit()
    async with filled.begin() as uow:
        last = {_HOME: {Side.TICKET: at(20), Side.FEATURE: at(7)}}
        assert await uow.inbox.last_received() == last
        await uow.inbox.prune(at(1000))
        assert await uow.inbox.last_received() == last


async def test_pruning_drops_what_is_handled_or_matched_nothing(filled: Storage):
    await _add(filled, notice(link(1).id, 0), notice(None, 0), notice(None, 10), notice(link(2).id, 0))
    async with filled.begin() as uow:
        rows = await uow.inbox.unhandled(link(1).id)
        await uow.inbox.mark_handled([row.id for row in rows], at(5))
        assert await uow.inbox.prune(at(10)) == 2
        assert await uow.inbox.prune(at(10)) == 0
        assert await uow.inbox.waiting(_HOME) == 1
        assert len(await uow.inbox.unhandled(link(2).id)) == 1
        assert await uow.inbox.prune(at(11)) == 1, "the unmatched one that was young enough before"


async def test_pruning_takes_the_oldest_first_and_no_more_than_it_is_told(filled: Storage):
    await _add(filled, *[notice(None, seconds) for seconds in (3, 1, 2, 9)])
    async with filled.begin() as uow:
        for seconds in (5, 4, 9):
            await uow.clicks.add(Click(link(1).id, at(seconds)))
        assert [await uow.inbox.prune(at(9), limit=2) for _ in range(3)] == [2, 1, 0]
        assert [await uow.clicks.prune(at(9), limit=1) for _ in range(3)] == [1, 1, 0]
        assert [click.came_at for click in await uow.clicks.recent(link(1).id, at(0))] == [at(9)]


async def test_two_who_prune_at_once_do_not_wait_for_each_other(filled: Storage):
    if isinstance(filled, MemoryStorage):
        pytest.skip("in memory there is one writer at a time")
    await _add(filled, *(notice(None, seconds) for seconds in range(4)))
    async with filled.begin() as one, filled.begin() as other:
        assert await one.inbox.prune(at(10), limit=3) == 3
        async with asyncio.timeout(10):
            assert await other.inbox.prune(at(10), limit=3) == 1
        await other.commit()
        await one.commit()


async def test_a_click_is_answered_once(filled: Storage):
    async with filled.begin() as uow:
        early, late = [await uow.clicks.add(Click(link(1).id, at(seconds))) for seconds in (0, 5)]
        await uow.clicks.add(Click(link(2).id, at(5)))
        assert await uow.clicks.answer(early.id, at(2), final=True)
        assert not await uow.clicks.answer(early.id, at(3), final=False)
        assert not await uow.clicks.answer(late.id + 1000, at(3), final=False)
        with pytest.raises(MissingError):
            await uow.clicks.add(Click(_GONE, NOW))
        await uow.commit()
    async with filled.begin() as uow:
        answered = replace(early, answered_at=at(2), final=True)
        assert await uow.clicks.recent(link(1).id, at(0)) == [answered, late]
        assert await uow.clicks.recent(link(1).id, at(1)) == [late]


async def test_of_two_who_answer_one_click_at_once_one_succeeds(filled: Storage):
    async with filled.begin() as uow:
        click = await uow.clicks.add(Click(link(1).id, NOW))
        await uow.commit()

    async def answer(*, final: bool) -> bool:
        async with filled.begin() as uow:
            answered = await uow.clicks.answer(click.id, at(1), final=final)
            await asyncio.sleep(0.02)
            await uow.commit()
            return answered

    assert sorted(await asyncio.gather(answer(final=True), answer(final=False))) == [False, True]


async def test_there_is_one_timer_for_each_thing_and_the_last_call_counts(filled: Storage):
    cell = Timer(TimerKind.CELL, _HOME, at(5), link(1).id)
    poll = Timer(TimerKind.POLL_FEATURES, _HOME, at(3), side=Side.FEATURE)
    async with filled.begin() as uow:
        for timer in (cell, replace(cell, due_at=at(1)), replace(cell, link_id=link(2).id), poll, poll):
            await uow.timers.set(timer)
        await uow.timers.set(replace(cell, link_id=_GONE))
        await uow.timers.set(replace(poll, integration_id=IntegrationId("nowhere")))
        await uow.commit()
    async with filled.begin() as uow:
        assert await uow.timers.take_due(at(0), 9) == []
        assert await uow.timers.take_due(at(9), 2) == [replace(cell, due_at=at(1)), poll]
        await uow.commit()
    async with filled.begin() as uow:
        await uow.timers.clear(link(2).id)
        assert await uow.timers.take_due(at(9), 9) == []


async def test_timers_are_taken_once(filled: Storage):
    async with filled.begin() as uow:
        for kind in TimerKind:
            for number in (1, 2, 3):
                await uow.timers.set(Timer(kind, _HOME, at(number), link(number).id))
        await uow.commit()

    async def take() -> list[Timer]:
        async with filled.begin() as uow:
            taken = list(await uow.timers.take_due(at(9), 6))
            await asyncio.sleep(0.02)
            await uow.commit()
            return taken

    first, second = await asyncio.gather(take(), take())
    assert len(first) == len(second) == 6
    assert len({*first, *second}) == 12


async def test_a_timer_that_was_taken_without_commit_is_still_due(filled: Storage):
    timer = Timer(TimerKind.LOOK_AGAIN, _HOME, NOW, link(1).id)
    async with filled.begin() as uow:
        await uow.timers.set(timer)
        await uow.commit()
    for _ in range(2):
        async with filled.begin() as uow:
            assert await uow.timers.take_due(NOW, 9) == [timer]


async def test_marks_are_kept_by_name(filled: Storage):
    async with filled.begin() as uow:
        assert await uow.marks.get(_HOME, "features") is None
        await uow.marks.set(_HOME, "features", at(1))
        await uow.marks.set(_HOME, "features", at(2))
        await uow.marks.set(_HOME, "tickets", at(3))
        await uow.marks.set(IntegrationId("nowhere"), "features", at(3))
        await uow.commit()
    async with filled.begin() as uow:
        assert await uow.marks.get(_HOME, "features") == at(2)
        assert await uow.marks.get(_HOME, "tickets") == at(3)
        assert await uow.marks.get(IntegrationId("nowhere"), "features") is None
        assert await uow.marks.names(_HOME, "f") == ["features"]
        assert await uow.marks.names(_HOME, "") == ["features", "tickets"]
