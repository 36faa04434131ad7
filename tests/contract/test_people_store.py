"""What every implementation of ports.people promises, in memory and on PostgreSQL."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from keepstep.adapters.memory.people import MemoryPeople
from keepstep.adapters.postgres.people import PostgresPeople
from keepstep.domain.errors import MissingError
from keepstep.ports.people import ApiToken, ApiTokenId, NameTakenError, Person, PersonId, Session

pytest_plugins = ["storages"]

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(params=["memory", "postgres"])
def store(request):
    if request.param == "memory":
        return MemoryPeople()
    return PostgresPeople(request.getfixturevalue("postgres_pool"))


def person(name=None):
    return Person(PersonId(str(uuid.uuid4())), name or f"name-{uuid.uuid4()}", NOW)


def session(of, digest=None):
    return Session(digest or uuid.uuid4().bytes, of, "csrf", NOW, NOW + timedelta(days=7), NOW)


def token(of, made=NOW):
    return ApiToken(ApiTokenId(str(uuid.uuid4())), of, "ci", "abcd", made)


async def added(store, name=None):
    made = person(name)
    await store.persons.add(made, "hash")
    return made


async def test_a_person_is_found_by_name_with_the_hash(store):
    ada = await added(store)

    assert await store.persons.find_login(ada.name) == (ada, "hash")
    assert await store.persons.get(ada.id) == ada
    await store.persons.set_password(ada.id, "other")
    assert await store.persons.find_login(ada.name) == (ada, "other")
    assert await store.persons.find_login("nobody") is None
    names = [each.name for each in await store.persons.list_all()]
    assert ada.name in names
    assert names == sorted(names)


async def test_a_name_is_taken_once_also_by_two_at_once(store):
    name = f"twin-{uuid.uuid4()}"
    results = await asyncio.gather(*(added(store, name) for _ in range(2)), return_exceptions=True)

    assert {type(each) for each in results} == {Person, NameTakenError}


@pytest.mark.parametrize("missing", ["0f7c9f97-daa9-4f81-b570-5b75f19a5e91", "not an id"])
async def test_what_is_not_there_is_missing(store, missing):
    await added(store)
    for call in (
        store.persons.get(missing),
        store.persons.set_password(missing, "x"),
        store.persons.disable(missing),
        store.persons.enable(missing),
        store.tokens.revoke(missing, NOW),
    ):
        with pytest.raises(MissingError):
            await call
    assert await store.sessions.find(b"never") is None
    assert await store.tokens.find(b"never") is None


async def test_the_last_person_is_never_disabled_also_not_by_two_at_once(store):
    for each in await store.persons.list_all():
        await store.persons.enable(each.id)
    await added(store)
    everybody = [each.id for each in await store.persons.list_all()]
    await added(store)
    last_two = everybody[-1], (await store.persons.list_all())[-1].id
    for each in await store.persons.list_all():
        if each.id not in last_two:
            assert await store.persons.disable(each.id)
    done = await asyncio.gather(*(store.persons.disable(each) for each in set(last_two)))

    assert sum(not each.disabled for each in await store.persons.list_all()) == 1
    assert done.count(False) == 1
    for each in await store.persons.list_all():
        await store.persons.enable(each.id)
        assert not (await store.persons.get(each.id)).disabled


async def test_sessions_end_one_by_one_and_all_but_one(store):
    ada, bob = await added(store), await added(store)
    mine, other, his = session(ada), session(ada), session(bob)
    for each in (mine, other, his):
        await store.sessions.add(each)
    await store.sessions.touch(mine.digest, NOW + timedelta(hours=1))

    assert await store.sessions.find(mine.digest) == replace(mine, last_seen_at=NOW + timedelta(hours=1))
    await store.sessions.end_all(ada.id, but=mine.digest)
    assert await store.sessions.find(other.digest) is None
    assert await store.sessions.find(mine.digest)
    await store.sessions.end_all(ada.id)
    assert await store.sessions.find(mine.digest) is None
    assert await store.sessions.find(his.digest) == his
    await store.sessions.end(his.digest)
    await store.sessions.end(his.digest)
    assert await store.sessions.find(his.digest) is None


async def test_a_session_shows_its_person_as_they_are_now(store):
    ada = await added(store)
    await added(store)
    await store.sessions.add(opened := session(ada))
    await store.persons.disable(ada.id)

    assert (await store.sessions.find(opened.digest)).person.disabled


async def test_old_and_idle_sessions_are_pruned(store):
    ada = await added(store)
    fresh = replace(session(ada), last_seen_at=NOW)
    idle = replace(session(ada), last_seen_at=NOW - timedelta(hours=13))
    over = replace(session(ada), expires_at=NOW - timedelta(minutes=1))
    for each in (fresh, idle, over):
        await store.sessions.add(each)
    await store.sessions.prune(NOW, timedelta(hours=12))

    found = [await store.sessions.find(each.digest) for each in (fresh, idle, over)]
    assert found == [fresh, None, None]


async def test_tokens_are_listed_newest_first_until_revoked(store):
    ada = await added(store)
    old, new = token(ada, NOW - timedelta(days=1)), token(ada)
    for each in (old, new):
        await store.tokens.add(each, each.id.encode())
    await store.tokens.touch(new.id, NOW)

    assert await store.tokens.find(new.id.encode()) == replace(new, last_used_at=NOW)
    mine = [each.id for each in await store.tokens.list_all() if each.person.id == ada.id]
    assert mine == [new.id, old.id]
    revoked = await store.tokens.revoke(old.id, NOW)
    again = await store.tokens.revoke(old.id, NOW + timedelta(days=1))
    assert revoked.revoked_at == again.revoked_at == NOW
    assert (await store.tokens.find(old.id.encode())).revoked_at == NOW
    assert [each.id for each in await store.tokens.list_all() if each.person.id == ada.id] == [new.id]


async def test_attempts_are_admitted_up_to_the_limit_within_the_window(store):
    key, window = f"name:{uuid.uuid4()}", timedelta(minutes=15)
    for minute in range(3):
        assert await store.attempts.admit(key, NOW + timedelta(minutes=minute), 3, window) is None

    until = await store.attempts.admit(key, NOW + timedelta(minutes=3), 3, window)
    assert until == NOW + window
    assert await store.attempts.admit(key, until, 3, window) is None
    assert await store.attempts.admit(key, until, 3, window) == NOW + timedelta(minutes=1) + window
    await store.attempts.clear(key)
    assert await store.attempts.admit(key, until, 3, window) is None
    await store.attempts.prune(until + timedelta(hours=1))
    for _ in range(3):
        assert await store.attempts.admit(key, until, 3, window) is None


async def test_attempts_at_once_are_counted_one_by_one(store):
    key = f"name:{uuid.uuid4()}"
    tried = await asyncio.gather(*(store.attempts.admit(key, NOW, 4, timedelta(hours=1)) for _ in range(10)))

    assert tried.count(None) == 4


async def test_a_draft_is_kept_per_person_and_taken_once(store):
    ada, bob = await added(store), await added(store)
    draft = {"board_url": "https://a", "ok": True, "labels": ["ä", "b"], "map": {"x": "y"}}
    await store.drafts.save(ada.id, draft)
    await store.drafts.save(ada.id, draft | {"ok": False})

    assert await store.drafts.load(ada.id) == draft | {"ok": False}
    assert await store.drafts.load(bob.id) is None
    taken = await asyncio.gather(*(store.drafts.forget(ada.id) for _ in range(2)))
    assert sorted(taken) == [False, True]
    assert await store.drafts.load(ada.id) is None
