"""What every storage promises of lists: pages of Links and of the journal, searched, sorted and counted."""

from datetime import timedelta

import pytest

from keepstep.domain.errors import InvalidInputError, MissingError
from keepstep.domain.events import Act, Entry
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import LinkId
from keepstep.domain.link import LinkState
from keepstep.ports.storage import JournalQuery, LinkQuery, Storage

from storage_cases import NOW, at, integration, link, ticket

pytest_plugins = ["storages"]

_ONE, _TWO = integration("one"), integration("two")
_LINKS = [
    link(1, feature_title="beta ÄRGER", ticket=ticket(10), synced_at=at(100)),
    link(2, LinkState.PUSHING, feature_title="Alpha 100%"),
    link(3, LinkState.SET_ASIDE, feature_title="alpha_2", ticket=ticket(9), synced_at=at(300)),
    link(4, of="two", feature_title="Gamma", ticket_title="Schließen\\", ticket=ticket(2), synced_at=at(200)),
    link(5, LinkState.PUSHING, feature_title="zeta\x00end"),
]


@pytest.fixture
async def filled(storage: Storage) -> Storage:
    async with storage.begin() as uow:
        await uow.integrations.add(_ONE)
        await uow.integrations.add(_TWO)
        for each in _LINKS:
            await uow.links.add_or_find(each)
        await uow.commit()
    return storage


async def _numbers(storage: Storage, query: LinkQuery) -> list[int]:
    async with storage.begin() as uow:
        links, total = await uow.links.page(query)
    assert total == len(links)
    assert all(found == _LINKS[int(found.id, 16) - 1] for found in links)
    return [int(found.id, 16) for found in links]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("synced", [3, 4, 1, 5, 2]),
        ("title", [2, 3, 1, 4, 5]),
        ("ticket", [4, 3, 1, 2, 5]),
        ("state", [4, 1, 5, 2, 3]),
        ("created", [5, 4, 3, 2, 1]),
    ],
)
async def test_links_are_sorted(filled: Storage, sort: str, order: list[int]):
    assert await _numbers(filled, LinkQuery(sort=sort)) == order


async def test_an_unknown_order_is_refused(filled: Storage):
    async with filled.begin() as uow:
        with pytest.raises(InvalidInputError):
            await uow.links.page(LinkQuery(sort="id; DROP TABLE links"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ALPHA", [2, 3]),
        ("ärger", [1]),
        ("SCHLIESSEN", [4]),
        ("100%", [2]),
        ("%", [2]),
        ("alpha_", [3]),
        ("\\", [4]),
        ("#9", [3]),
        ("issues/10", [1]),
        ("tracker.test", [1, 3, 4]),
        ("a\x00e", [5]),
        ("nowhere", []),
    ],
)
async def test_links_are_found_by_a_part_of_their_words(filled: Storage, text: str, found: list[int]):
    assert sorted(await _numbers(filled, LinkQuery(text=text))) == found


async def test_links_are_filtered_by_integration_and_states(filled: Storage):
    assert sorted(await _numbers(filled, LinkQuery(_ONE.id))) == [1, 2, 3, 5]
    wanted = {LinkState.LINKED, LinkState.SET_ASIDE}
    assert sorted(await _numbers(filled, LinkQuery(states=wanted))) == [1, 3, 4]
    assert sorted(await _numbers(filled, LinkQuery(_ONE.id, states=wanted, text="alpha"))) == [3]


async def test_a_page_is_a_part_and_the_number_is_of_all(filled: Storage):
    async with filled.begin() as uow:
        seen = []
        for offset in (0, 2, 4):
            links, total = await uow.links.page(LinkQuery(sort="created", offset=offset, limit=2))
            assert total == 5
            seen += [int(found.id, 16) for found in links]
        assert seen == [5, 4, 3, 2, 1]
        assert await uow.links.page(LinkQuery(offset=5)) == ([], 5)


@pytest.mark.parametrize("sort", ["synced", "title", "ticket", "state", "created"])
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_from_either_end_make_up_the_whole_list(filled: Storage, sort: str, limit: int):
    whole = await _numbers(filled, LinkQuery(sort=sort))
    async with filled.begin() as uow:
        pages = [
            (await uow.links.page(LinkQuery(sort=sort, offset=offset, limit=limit)))[0]
            for offset in range(0, 5, limit)
        ]
    assert [int(each.id, 16) for page in pages for each in page] == whole


async def test_a_walk_meets_every_link_of_an_integration_once(filled: Storage):
    async with filled.begin() as uow:
        walk, last = [], None
        while found := await uow.links.list_after(_ONE.id, last, 2):
            walk += [int(each.id, 16) for each in found]
            last = found[-1]
        assert sorted(walk) == [1, 2, 3, 5]
        assert await uow.links.list_after(_TWO.id, None, 9) == [_LINKS[3]]


def _entry(hours: float, act: Act = Act.WROTE, *, of: str = "one", **more) -> Entry:
    return Entry(NOW + timedelta(hours=hours), act, integration(of).id, **more)


_LINK = LinkId("1" * 32)
_ENTRIES = [
    _entry(
        0,
        side=Side.TICKET,
        field=Field.TITLE,
        before="a\x00",
        after="",
        reason="why",
        actor="Ada",
        answer="200",
    ),
    _entry(0.5, Act.OVERRULED, side=Side.FEATURE, field=Field.STATUS, before=None, after="x", link_id=_LINK),
    _entry(1.99, side=Side.TICKET, link_id=_LINK),
    _entry(-3, Act.PAUSED),
    _entry(1, Act.CREATED, of="two", side=Side.TICKET),
    _entry(1, Act.COLUMN, of="two", side=Side.FEATURE),
]


@pytest.fixture
async def journalled(filled: Storage) -> Storage:
    async with filled.begin() as uow:
        await uow.journal.add(*_ENTRIES)
        await uow.journal.add()
        await uow.commit()
    return filled


async def _acts(storage: Storage, query: JournalQuery) -> list[Act]:
    async with storage.begin() as uow:
        entries, total = await uow.journal.page(query)
    assert total == len(entries)
    return [entry.act for entry in entries]


async def test_the_journal_is_read_newest_first(journalled: Storage):
    newest_first = [Act.WROTE, Act.COLUMN, Act.CREATED, Act.OVERRULED, Act.WROTE, Act.PAUSED]
    assert await _acts(journalled, JournalQuery()) == newest_first
    async with journalled.begin() as uow:
        pages = [await uow.journal.page(JournalQuery(offset=offset, limit=4)) for offset in (0, 4, 8)]
    assert [total for _, total in pages] == [6, 6, 6]
    assert [entry.act for entries, _ in pages for entry in entries] == newest_first


async def test_the_journal_is_filtered(journalled: Storage):
    assert len(await _acts(journalled, JournalQuery(_ONE.id))) == 4
    assert await _acts(journalled, JournalQuery(link=_LINK)) == [Act.WROTE, Act.OVERRULED]
    assert await _acts(journalled, JournalQuery(side=Side.FEATURE)) == [Act.COLUMN, Act.OVERRULED]
    assert await _acts(journalled, JournalQuery(field=Field.TITLE)) == [Act.WROTE]
    assert await _acts(journalled, JournalQuery(_TWO.id, acts={Act.CREATED, Act.PAUSED})) == [Act.CREATED]


async def test_an_entry_comes_back_whole(journalled: Storage):
    async with journalled.begin() as uow:
        entries, _ = await uow.journal.page(JournalQuery(field=Field.TITLE))
        (entry,) = entries
        assert await uow.journal.get(entry.id) == entry
        with pytest.raises(MissingError):
            await uow.journal.get(entry.id + 1000)
    whole = {name: getattr(entry, name) for name in Entry.__slots__ if name != "id"}
    assert entry.id > 0
    assert whole == {name: getattr(_ENTRIES[0], name) for name in whole}


async def test_activity_counts_entries_by_the_hour(journalled: Storage):
    async with journalled.begin() as uow:
        assert await uow.journal.activity(NOW, 3) == {_ONE.id: [1, 1, 1], _TWO.id: [0, 2, 0]}
        assert await uow.journal.activity(NOW, 3, _TWO.id) == {_TWO.id: [0, 2, 0]}
        assert await uow.journal.activity(NOW - timedelta(hours=3), 3) == {_ONE.id: [1, 0, 0]}
        assert await uow.journal.activity(NOW + timedelta(hours=2), 24) == {_ONE.id: [1, *[0] * 23]}
        assert await uow.journal.activity(NOW + timedelta(hours=3), 24) == {}


async def test_counts_stay_true_when_they_are_folded_and_entries_go(journalled: Storage):
    async with journalled.begin() as uow:
        await uow.journal.fold_counts()
        await uow.journal.add(_entry(0.1))
        await uow.journal.prune(NOW)
        assert (await uow.journal.page(JournalQuery(limit=1)))[1] == 6
        await uow.journal.fold_counts()
        assert (await uow.journal.page(JournalQuery(limit=1)))[1] == 6
        assert (await uow.journal.page(JournalQuery(_ONE.id, limit=1)))[1] == 4
        assert await uow.journal.activity(NOW - timedelta(hours=6), 9, _ONE.id) == {
            _ONE.id: [*[0] * 6, 2, 1, 1]
        }


async def test_the_last_change_of_a_side_is_our_last_write_to_it(journalled: Storage):
    async with journalled.begin() as uow:
        assert await uow.journal.last_change() == {
            _ONE.id: {Side.TICKET: NOW + timedelta(hours=1.99)},
            _TWO.id: {Side.TICKET: NOW + timedelta(hours=1)},
        }


async def test_old_entries_are_pruned(journalled: Storage):
    async with journalled.begin() as uow:
        assert await uow.journal.prune(NOW) == 1
        assert await uow.journal.prune(NOW) == 0
        assert (await uow.journal.page(JournalQuery()))[1] == 5


async def test_an_entry_of_an_integration_that_is_gone_is_refused(filled: Storage):
    async with filled.begin() as uow:
        with pytest.raises(MissingError):
            await uow.journal.add(_entry(0, of="nowhere"))
