"""What every storage promises of integrations, Links and transactions, in memory and on PostgreSQL."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from keepstep.domain.column import Cell, CellState
from keepstep.domain.errors import ForbiddenMoveError, MissingError, StaleRevisionError
from keepstep.domain.events import Act, Click, Entry, Timer, TimerKind
from keepstep.domain.fields import Field, Side, Snapshot
from keepstep.domain.ids import FeatureId, IntegrationId, LinkId, StatusId
from keepstep.domain.integration import IntegrationState, PauseCause, Registrations, Step, StepName, StepState
from keepstep.domain.link import (
    LIMITS,
    Base,
    Conflict,
    Ending,
    IntendedWrite,
    Intent,
    LinkState,
    LostSight,
    Refusal,
    Trouble,
)
from keepstep.domain.policy import ConflictRule, DeletionRules, Direction, FieldPolicy, StatusMap, SyncPolicy
from keepstep.ports.storage import HeldBack, JournalQuery, LinkQuery, Storage, TicketTakenError

from storage_cases import ACCOUNT, NOW, OPENED, at, integration, link, notice, ticket

pytest_plugins = ["storages"]

_POLICY = SyncPolicy(
    fields={Field.TITLE: FieldPolicy(Direction.ONCE, ConflictRule.ASK), Field.STATUS: FieldPolicy()},
    status_map=StatusMap({StatusId("a"): StatusId("closed")}, {StatusId("closed"): StatusId("b")}),
    deletion=DeletionRules(comment_when_unlinked=True),
)
_FULL_INTEGRATION = integration(
    policy=_POLICY,
    tracker_settings={"status_labels": ("doing", "review"), "note": "x"},
    defaults={"labels": ()},
    registrations=Registrations(column="c", hook="7", public_url="https://k.test", hook_signed=True),
    pause=PauseCause("The token has expired.", NOW, by_person=True, field="board token"),
    steps=(Step(StepName.BOARD, StepState.DONE, "ok"), Step(StepName.HOOK)),
    failure="no", attempts=3, retry_at=NOW.astimezone(timezone(timedelta(hours=5, minutes=30))), forget=True,
)  # fmt: skip
_ODD = "a\x00b \U0001f469\u200d\U0001f680 'quoted' %s {x} \\u0000"
_FULL_LINK = link(
    1,
    feature_title=_ODD,
    feature_url="http://f.test",
    ticket=ticket(1),
    ticket_title=_ODD,
    ticket_status=OPENED,
    base=Base(Snapshot(_ODD, "<p>x</p>", None), Snapshot("t", "", StatusId("opened"))),
    intent=Intent(None, (IntendedWrite(Field.TITLE, Side.TICKET, value=_ODD, before="", source="s"),)),
    refusals={Field.STATUS: Refusal(Side.TICKET, "v", "refused", NOW)},
    conflicts={Field.TITLE: Conflict("a", "b", "c", "d", NOW)},
    warnings={Field.DESCRIPTION: "lossy"},
    lost=LostSight(Side.TICKET, NOW),
    ending=Ending.FEATURE_DELETED,
    trouble=Trouble("code", "message", NOW, "cure"),
    attempts=4,
    retry_at=NOW,
    pushed_at=NOW,
    synced_at=NOW,
    started_at=NOW,
    cell=Cell(CellState.CONNECTED, label="Open", colour="purple"),
)


async def _fill(storage: Storage, *links, integrations=()):
    async with storage.begin() as uow:
        for each in integrations or (integration(),):
            await uow.integrations.add(each)
        for each in links:
            assert await uow.links.add_or_find(each) == (each, True)
        await uow.commit()


async def test_an_integration_comes_back_whole(storage: Storage):
    async with storage.begin() as uow:
        await uow.integrations.add(_FULL_INTEGRATION)
        await uow.commit()
    async with storage.begin() as uow:
        found = await uow.integrations.get(_FULL_INTEGRATION.id)
    assert found == _FULL_INTEGRATION
    assert found.policy.fields[Field.TITLE] == FieldPolicy(Direction.ONCE, ConflictRule.ASK)
    assert isinstance(next(iter(found.policy.fields)), Field)
    assert isinstance(found.tracker_settings["status_labels"], tuple)


async def test_a_link_comes_back_whole(storage: Storage):
    await _fill(storage, _FULL_LINK)
    async with storage.begin() as uow:
        found = await uow.links.get(_FULL_LINK.id)
        assert found == _FULL_LINK
        assert await uow.links.find_open(_FULL_LINK.integration_id, _FULL_LINK.feature_id) == _FULL_LINK
    assert isinstance(next(iter(found.refusals)), Field)
    assert found.retry_at is not None
    assert found.retry_at.utcoffset() == timedelta(0)


async def test_what_is_missing_is_said_to_be_missing(storage: Storage):
    await _fill(storage)
    gone, nowhere = LinkId("f" * 32), IntegrationId("nowhere")
    async with storage.begin() as uow:
        assert await uow.integrations.find(nowhere) is None
        assert await uow.links.find(gone) is None
        with pytest.raises(MissingError):
            await uow.integrations.get(nowhere)
        with pytest.raises(MissingError):
            await uow.links.get(gone)
        with pytest.raises(MissingError):
            await uow.links.save(link(9))
        with pytest.raises(MissingError):
            await uow.integrations.save(integration("nowhere"))
        with pytest.raises(MissingError):
            await uow.links.add_or_find(link(9, of="nowhere"))


async def test_integrations_are_listed_by_name(storage: Storage):
    await _fill(storage, integrations=[integration(name) for name in ("beta", "Alpha", "éclair", "Gamma")])
    async with storage.begin() as uow:
        assert [each.name for each in await uow.integrations.list_all()] == [
            "Alpha",
            "beta",
            "Gamma",
            "éclair",
        ]


async def test_saving_raises_the_revision_and_refuses_what_was_read_before(storage: Storage):
    await _fill(storage, link(1))
    async with storage.begin() as uow:
        saved = await uow.links.save(replace(link(1), attempts=1))
        saved = await uow.links.save(replace(saved, attempts=2))
        kept = await uow.integrations.save(replace(integration(), button="Go"))
        await uow.commit()
    assert (saved.revision, saved.attempts) == (2, 2)
    assert (kept.revision, kept.button) == (1, "Go")
    async with storage.begin() as uow:
        assert await uow.links.get(saved.id) == saved
        assert await uow.integrations.get(kept.id) == kept
        with pytest.raises(StaleRevisionError):
            await uow.links.save(link(1))
        with pytest.raises(StaleRevisionError):
            await uow.links.save(replace(link(1), ticket=ticket(1)))
        with pytest.raises(StaleRevisionError):
            await uow.integrations.save(integration())
        assert await uow.links.get(saved.id) == saved


async def test_of_two_savers_at_once_one_is_refused(storage: Storage):
    await _fill(storage, link(1))

    both_have_read = asyncio.Barrier(2)

    async def save(title: str):
        async with storage.begin() as uow:
            found = await uow.links.get(link(1).id)
            await both_have_read.wait()
            saved = await uow.links.save(replace(found, feature_title=title))
            await uow.commit()
            return saved

    results = await asyncio.gather(save("ours"), save("theirs"), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Link", "StaleRevisionError"]


async def test_two_callers_at_once_get_one_link(storage: Storage):
    await _fill(storage)

    async def push(number: int):
        async with storage.begin() as uow:
            result = await uow.links.add_or_find(replace(link(number), feature_id=FeatureId("f")))
            await asyncio.sleep(0.02)
            await uow.commit()
            return result

    results = await asyncio.gather(*(push(number) for number in range(1, 5)))
    assert [is_new for _, is_new in results].count(True) == 1
    assert len({found.id for found, _ in results}) == 1


async def test_a_link_that_is_unlinking_makes_room_for_a_new_one(storage: Storage):
    old = link(1, LinkState.UNLINKING, ticket=ticket(1))
    new = replace(link(2), feature_id=old.feature_id)
    await _fill(storage, old, new)
    async with storage.begin() as uow:
        assert await uow.links.find_open(old.integration_id, old.feature_id) == new
        both = await uow.links.of_features(old.integration_id, [old.feature_id, FeatureId("other")])
        assert {each.id for each in both} == {old.id, new.id}
        linked = await uow.links.save(replace(new, ticket=ticket(1)))
        assert await uow.links.of_tickets(ACCOUNT.key, [ticket(1).id, ticket(2).id]) == [linked]
        assert await uow.links.of_tickets("gitlab:elsewhere", [ticket(1).id]) == []
        with pytest.raises(ForbiddenMoveError):
            await uow.links.save(replace(old, state=LinkState.LINKED, ticket=None))
        await uow.links.save(replace(old, ticket=None))
        await uow.commit()


@pytest.mark.parametrize("state", [LinkState.LINKED, LinkState.SET_ASIDE])
async def test_a_ticket_belongs_to_one_link_and_its_owner_is_named(storage: Storage, state: LinkState):
    owner = link(1, state, ticket=ticket(1))
    await _fill(storage, owner, link(2), link(3, ticket=ticket(3)))
    async with storage.begin() as uow:
        for thief in (link(2), link(3)):
            with pytest.raises(TicketTakenError) as taken:
                await uow.links.save(replace(thief, ticket=ticket(1)))
            assert taken.value.owner == owner
        with pytest.raises(TicketTakenError) as taken:
            await uow.links.add_or_find(link(4, ticket=ticket(1)))
        assert taken.value.owner == owner
        moved = await uow.links.save(replace(link(2), ticket=ticket(2)))
        elsewhere = await uow.links.save(replace(moved, account="gitlab:elsewhere", ticket=ticket(1)))
        await uow.commit()
    async with storage.begin() as uow:
        assert await uow.links.find(link(4).id) is None
        assert await uow.links.get(link(2).id) == elsewhere
        assert await uow.links.get(link(3).id) == link(3, ticket=ticket(3))


async def test_of_two_links_that_take_one_ticket_at_once_one_is_refused(storage: Storage):
    await _fill(storage, link(1), link(2))

    async def take(number: int):
        async with storage.begin() as uow:
            found = await uow.links.get(link(number).id)
            await asyncio.sleep(0.02)
            try:
                await uow.links.save(replace(found, ticket=ticket(7)))
            except TicketTakenError as taken:
                await uow.journal.add(Entry(NOW, Act.FAILED, found.integration_id, found.id))
                await uow.commit()
                return taken.owner.id
            await asyncio.sleep(0.05)
            await uow.commit()
            return None

    results = await asyncio.gather(take(1), take(2))
    assert results.count(None) == 1
    (owner,) = set(results) - {None}
    async with storage.begin() as uow:
        assert [each.id for each in await uow.links.of_tickets(ACCOUNT.key, [ticket(7).id])] == [owner]
        assert (await uow.journal.page(JournalQuery()))[1] == 1


async def test_without_commit_nothing_stays(storage: Storage):
    await _fill(storage, link(1))
    async with storage.begin() as uow:
        await uow.links.add_or_find(link(2))
        await uow.links.save(replace(link(1), attempts=9))
        await uow.inbox.add(notice(link(1).id))
        assert (await uow.links.get(link(1).id)).attempts == 9
    with contextlib.suppress(ZeroDivisionError):
        async with storage.begin() as uow:
            await uow.links.delete(link(1).id)
            raise ZeroDivisionError
    async with storage.begin() as uow:
        await uow.timers.set(Timer(TimerKind.CELL, link(1).integration_id, NOW, link(1).id))
        await uow.commit()
        await uow.links.delete(link(1).id)
    async with storage.begin() as uow:
        assert await uow.links.find(link(2).id) is None
        assert await uow.links.get(link(1).id) == link(1)
        assert await uow.inbox.unhandled(link(1).id) == []
        assert len(await uow.timers.take_due(NOW, 10)) == 1


async def test_others_see_a_change_only_after_its_commit(storage: Storage):
    await _fill(storage, link(1))
    async with storage.begin() as ours, storage.begin() as theirs:
        saved = await ours.links.save(replace(link(1), attempts=1))
        assert await theirs.links.get(saved.id) == link(1)
        await ours.commit()
        assert await theirs.links.get(saved.id) == saved


async def test_deleting_a_link_takes_what_waits_for_it_and_leaves_its_journal(storage: Storage):
    await _fill(storage, link(1), link(2))
    home = integration().id
    async with storage.begin() as uow:
        for each in (link(1), link(2)):
            await uow.inbox.add(notice(each.id))
            await uow.clicks.add(Click(each.id, NOW))
            await uow.timers.set(Timer(TimerKind.CELL, home, NOW, each.id))
            await uow.journal.add(Entry(NOW, Act.LINKED, home, each.id))
        await uow.links.delete(link(1).id)
        await uow.links.delete(link(1).id)
        await uow.commit()
    async with storage.begin() as uow:
        assert await uow.links.find(link(1).id) is None
        assert await uow.inbox.unhandled(link(1).id) == []
        assert await uow.inbox.waiting(home) == 1
        assert await uow.clicks.recent(link(1).id, NOW) == []
        assert [timer.link_id for timer in await uow.timers.take_due(NOW, 9)] == [link(2).id]
        assert (await uow.journal.page(JournalQuery(link=link(1).id)))[1] == 1


async def test_deleting_an_integration_takes_everything_of_it_and_nothing_else(storage: Storage):
    one, two = integration("one"), integration("two")
    await _fill(storage, link(1, of="one"), link(2, of="two"), integrations=[one, two])
    async with storage.begin() as uow:
        for home, each in ((one.id, link(1)), (two.id, link(2))):
            await uow.inbox.add(notice(each.id, of=home[1:]))
            await uow.inbox.add(notice(None, of=home[1:]))
            await uow.inbox.count_unlinked(home, Side.FEATURE, NOW)
            await uow.clicks.add(Click(each.id, NOW))
            await uow.timers.set(Timer(TimerKind.POLL_FEATURES, home, NOW))
            await uow.journal.add(Entry(NOW, Act.WROTE, home, each.id, Side.TICKET))
            await uow.marks.set(home, "features", NOW)
        await uow.integrations.delete(one.id)
        await uow.integrations.delete(one.id)
        await uow.commit()
    async with storage.begin() as uow:
        assert await uow.integrations.list_all() == [two]
        assert await uow.links.find(link(1).id) is None
        assert await uow.links.counts() == {two.id: {LinkState.LINKED: 1}}
        assert (await uow.inbox.waiting(one.id), await uow.inbox.waiting(two.id)) == (0, 1)
        assert list(await uow.inbox.last_received()) == [two.id]
        assert list(await uow.journal.last_change()) == [two.id]
        assert (await uow.journal.page(JournalQuery()))[1] == 1
        assert await uow.marks.get(one.id, "features") is None
        assert await uow.marks.get(two.id, "features") == NOW
        assert [timer.integration_id for timer in await uow.timers.take_due(NOW, 9)] == [two.id]


async def test_links_are_counted_by_integration_and_state(storage: Storage):
    links = [link(1), link(2), link(3, LinkState.SET_ASIDE), link(4, of="two")]
    await _fill(storage, *links, integrations=[integration("one"), integration("two")])
    async with storage.begin() as uow:
        assert await uow.links.counts() == {
            "ione": {LinkState.LINKED: 2, LinkState.SET_ASIDE: 1},
            "itwo": {LinkState.LINKED: 1},
        }
        assert await uow.links.counts(integration("two").id) == {"itwo": {LinkState.LINKED: 1}}


async def test_counts_follow_every_change_folded_or_not(storage: Storage):
    await _fill(
        storage, link(1), link(2), link(3, of="two"), integrations=[integration("one"), integration("two")]
    )
    async with storage.begin() as uow:
        await uow.links.save(replace(await uow.links.get(link(1).id), state=LinkState.REFUSED))
        await uow.links.save(replace(await uow.links.get(link(2).id), feature_title="other"))
        await uow.links.delete(link(3).id)
        await uow.commit()
    expected = {"ione": {LinkState.LINKED: 1, LinkState.REFUSED: 1}}
    for _ in range(2):
        async with storage.begin() as uow:
            assert await uow.links.counts() == expected
            assert (await uow.links.page(LinkQuery(limit=1)))[1] == 2
            assert (await uow.links.page(LinkQuery(states={LinkState.REFUSED}, limit=1)))[1] == 1
            await uow.links.fold_counts()
            await uow.commit()
    async with storage.begin() as uow:
        await uow.links.save(replace(await uow.links.get(link(1).id), state=LinkState.LINKED))
        assert await uow.links.counts() == {"ione": {LinkState.LINKED: 2}}
    async with storage.begin() as uow:
        assert await uow.links.counts() == expected, "what was rolled back is not counted"


async def test_due_links_leave_out_who_may_not_run(storage: Storage):
    states = {
        "one": IntegrationState.ACTIVE,
        "paused": IntegrationState.PAUSED,
        "gone": IntegrationState.REMOVING,
    }
    links = [
        link(1, retry_at=at(-5)),
        link(2, retry_at=at(-9)),
        link(3, LinkState.UNLINKING, retry_at=at(-7)),
        link(4, retry_at=at(1)),
        link(5),
        link(6, LinkState.SET_ASIDE, retry_at=at(-8)),
        link(7, of="paused", retry_at=at(-8)),
        link(8, of="gone", retry_at=at(-8)),
        link(9, retry_at=NOW),
    ]
    await _fill(storage, *links, integrations=[integration(name, state) for name, state in states.items()])
    async with storage.begin() as uow:
        assert await uow.links.due(NOW, 10) == [link(number).id for number in (2, 3, 1, 9)]
        assert await uow.links.due(NOW, 2) == [link(2).id, link(3).id]


async def test_links_that_wait_for_their_next_try_are_counted(storage: Storage):
    links = [
        link(1, retry_at=at(-5)),
        link(2, LinkState.PUSHING, retry_at=at(60)),
        link(3),
        link(4, LinkState.SET_ASIDE, retry_at=at(-8)),
        link(5, of="two", retry_at=at(1)),
    ]
    await _fill(storage, *links, integrations=[integration(name) for name in ("one", "two", "three")])
    async with storage.begin() as uow:
        assert await uow.links.retrying() == {"ione": 2, "itwo": 1}


async def test_links_held_back_by_a_limit_are_counted_by_side(storage: Storage):
    """Only while they wait for it: what is set aside, or tried again at once, is not held."""
    board, tracker = (Trouble(LIMITS[side], "Enough for now.", NOW) for side in (Side.FEATURE, Side.TICKET))
    links = [
        link(1, retry_at=at(60), trouble=board),
        link(2, LinkState.PUSHING, retry_at=at(30), trouble=board),
        link(3, retry_at=at(5), trouble=tracker),
        link(4, retry_at=at(5), trouble=Trouble("waiting", "No answer.", NOW)),
        link(5, LinkState.SET_ASIDE, retry_at=at(5), trouble=board),
        link(6, trouble=board),
        link(7, of="two", retry_at=at(7), trouble=tracker),
    ]
    await _fill(storage, *links, integrations=[integration(name) for name in ("one", "two")])
    async with storage.begin() as uow:
        assert await uow.links.held_back() == {
            "ione": {Side.FEATURE: HeldBack(2, at(30)), Side.TICKET: HeldBack(1, at(5))},
            "itwo": {Side.TICKET: HeldBack(1, at(7))},
        }
        await uow.links.save((await uow.links.get(link(7).id)).calm())
        await uow.commit()
    async with storage.begin() as uow:
        assert list(await uow.links.held_back()) == ["ione"]
