"""Logging in, staying in, and being kept out."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from keepstep.adapters.memory.people import MemoryPeople
from keepstep.adapters.passwords import Argon2Passwords
from keepstep.app import people as rules
from keepstep.app.people import LoginRefusedError, People, TooManyAttemptsError
from keepstep.domain.errors import ForbiddenMoveError, InvalidInputError, MissingError
from keepstep.ports.people import ApiTokenId

PASSWORD = "correct horse battery"


class Clock:
    def __init__(self):
        self.at = datetime(2026, 3, 4, 12, tzinfo=UTC)
        self.secrets = 0

    def now(self):
        return self.at

    def new_secret(self):
        self.secrets += 1
        return f"secret-number-{self.secrets:032}"

    def pass_time(self, **parts):
        self.at += timedelta(**parts)


class CountingPasswords(Argon2Passwords):
    """Real argon2id with the least parameters it allows, so that tests are quick; counts its work."""

    def __init__(self):
        super().__init__(memory_kib=8, passes=1)
        self.verified = []

    async def verify(self, password, password_hash):
        self.verified.append(password_hash)
        return await super().verify(password, password_hash)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def passwords():
    return CountingPasswords()


@pytest.fixture
def store():
    return MemoryPeople()


@pytest.fixture
def people(store, passwords, clock):
    return People(store, passwords, clock)


async def make_ada(people):
    return (await people.create_admin("Ada", PASSWORD)).person


async def test_a_generated_password_works_and_differs_each_time(people):
    first = await people.create_admin("ada")
    second = await people.create_admin("bob")

    assert first.password != second.password
    opened = await people.log_in("ada", first.password, "10.0.0.1")
    assert opened.session.person == first.person


async def test_names_are_the_same_in_any_case_and_taken_only_once(people):
    await make_ada(people)

    assert (await people.log_in("  ADA ", PASSWORD, "10.0.0.1")).session.person.name == "ada"
    with pytest.raises(InvalidInputError, match="called ada already") as refused:
        await people.create_admin("aDa", PASSWORD)
    assert refused.value.field == "name"


@pytest.mark.parametrize("name", ["", "a b", "-ada", "a" * 65, "ada\n", "<ada>"])
async def test_a_name_that_cannot_be_one_is_refused(people, name):
    if name.strip() != name:
        assert (await people.create_admin(name, PASSWORD)).person.name == name.strip()
        return
    with pytest.raises(InvalidInputError) as refused:
        await people.create_admin(name, PASSWORD)
    assert refused.value.field == "name"


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaa", "x" * 501, "adalovelace"])
async def test_a_weak_password_is_refused(people, password):
    with pytest.raises(InvalidInputError) as refused:
        await people.create_admin("adalovelace", password)
    assert refused.value.field == "password"


async def test_only_hashes_are_stored(people, store):
    ada = await make_ada(people)
    opened = await people.log_in("ada", PASSWORD, "10.0.0.1")
    token = await people.create_token(ada, "ci")

    kept = repr([vars(each) for each in vars(store).values()])
    assert "argon2id" in kept
    for secret in (PASSWORD, opened.secret, token.secret):
        assert secret not in kept


async def test_wrong_password_and_unknown_name_look_and_cost_the_same(people, passwords):
    await make_ada(people)
    with pytest.raises(LoginRefusedError) as wrong:
        await people.log_in("ada", "not her password", "10.0.0.1")
    with pytest.raises(LoginRefusedError) as unknown:
        await people.log_in("eve", "not her password", "10.0.0.1")

    assert str(wrong.value) == str(unknown.value)
    assert len(passwords.verified) == 2
    parameters = [each.split("$")[1:4] for each in passwords.verified]
    assert parameters[0] == parameters[1]


async def test_a_name_is_locked_for_a_while_even_for_the_right_password(people, clock):
    await make_ada(people)
    for number in range(rules.ATTEMPTS_PER_NAME):
        with pytest.raises(LoginRefusedError):
            await people.log_in("ada", "guess", f"10.0.0.{number}")
        clock.pass_time(seconds=10)

    with pytest.raises(TooManyAttemptsError) as refused:
        await people.log_in("ada", PASSWORD, "10.0.9.9")
    minutes = int(re.search(r"in (\d+) minutes", str(refused.value)).group(1))
    assert refused.value.until - clock.now() <= timedelta(minutes=minutes) <= timedelta(minutes=15)

    clock.at = refused.value.until
    assert (await people.log_in("ada", PASSWORD, "10.0.9.9")).session.person.name == "ada"


async def test_an_address_is_locked_whatever_names_it_tries(people):
    await make_ada(people)
    for number in range(rules.ATTEMPTS_PER_ADDRESS):
        with pytest.raises(LoginRefusedError):
            await people.log_in(f"name{number}", "guess", "2001:db8::1")

    with pytest.raises(TooManyAttemptsError):
        await people.log_in("ada", PASSWORD, "2001:db8::ffff:2")
    assert await people.log_in("ada", PASSWORD, "2001:db8:0:1::1")


async def test_success_forgets_the_failures_before_it(people):
    await make_ada(people)
    for _ in range(3):
        for _ in range(rules.ATTEMPTS_PER_NAME - 1):
            with pytest.raises(LoginRefusedError):
                await people.log_in("ada", "guess", "10.0.0.1")
        await people.log_in("ada", PASSWORD, "10.0.0.1")


async def test_a_session_ends_when_idle(people, clock):
    await make_ada(people)
    opened = await people.log_in("ada", PASSWORD, "10.0.0.1")

    clock.pass_time(hours=11)
    assert await people.find_session(opened.secret)
    clock.pass_time(hours=11)
    assert await people.find_session(opened.secret)
    clock.pass_time(hours=12)
    assert await people.find_session(opened.secret) is None


async def test_a_busy_session_ends_after_a_week(people, clock):
    await make_ada(people)
    opened = await people.log_in("ada", PASSWORD, "10.0.0.1")
    for _ in range(16):
        clock.pass_time(hours=10)
        assert await people.find_session(opened.secret)
    clock.pass_time(hours=10)

    assert await people.find_session(opened.secret) is None


async def test_logging_out_ends_the_session(people):
    await make_ada(people)
    opened = await people.log_in("ada", PASSWORD, "10.0.0.1")
    await people.log_out(opened.session)

    assert await people.find_session(opened.secret) is None
    assert await people.find_session("") is None


async def test_a_new_password_ends_the_other_sessions_only(people):
    await make_ada(people)
    here = await people.log_in("ada", PASSWORD, "10.0.0.1")
    there = await people.log_in("ada", PASSWORD, "10.0.0.2")

    with pytest.raises(InvalidInputError) as refused:
        await people.change_password(here.session, "wrong", "another long one")
    assert refused.value.field == "old"
    with pytest.raises(InvalidInputError) as refused:
        await people.change_password(here.session, PASSWORD, "short")
    assert refused.value.field == "new"
    await people.change_password(here.session, PASSWORD, "another long one")

    assert await people.find_session(here.secret)
    assert await people.find_session(there.secret) is None
    with pytest.raises(LoginRefusedError):
        await people.log_in("ada", PASSWORD, "10.0.0.1")
    assert await people.log_in("ada", "another long one", "10.0.0.1")


async def test_a_password_reset_lets_a_disabled_person_in_again(people):
    ada = await make_ada(people)
    await people.create_admin("bob", PASSWORD)
    await people.disable(ada.id)
    fresh = await people.reset_password("Ada")

    assert await people.log_in("ada", fresh.password, "10.0.0.1")
    with pytest.raises(InvalidInputError, match="Nobody"):
        await people.reset_password("eve")


async def test_a_disabled_person_is_out_at_once_and_with_every_token(people):
    ada = await make_ada(people)
    bob = (await people.create_admin("bob", PASSWORD)).person
    opened = await people.log_in("bob", PASSWORD, "10.0.0.1")
    token = await people.create_token(bob, "ci")
    await people.disable(bob.id)

    assert await people.find_session(opened.secret) is None
    assert await people.find_token(token.secret) is None
    with pytest.raises(LoginRefusedError):
        await people.log_in("bob", PASSWORD, "10.0.0.1")
    with pytest.raises(ForbiddenMoveError, match="Nobody could log in"):
        await people.disable(ada.id)
    await people.enable(bob.id)
    assert await people.find_token(token.secret)


async def test_a_token_works_until_revoked_and_shows_only_its_end(people, clock):
    ada = await make_ada(people)
    made = await people.create_token(ada, "  build   server ")

    assert made.secret.startswith("ks_")
    assert made.token.name == "build server"
    assert made.secret.endswith(made.token.last_four)
    assert (await people.list_tokens())[0].last_used_at is None
    clock.pass_time(hours=1)
    assert (await people.find_token(made.secret)).person.name == "ada"
    assert (await people.list_tokens())[0].last_used_at == clock.now()

    await people.revoke_token(made.token.id)
    assert await people.find_token(made.secret) is None
    assert await people.list_tokens() == []
    for wrong in ("", "ks_", made.secret[3:], made.secret + "x"):
        assert await people.find_token(wrong) is None


async def test_a_token_needs_a_name_and_an_unknown_one_cannot_be_revoked(people):
    ada = await make_ada(people)
    for name in ("  ", "x" * 61):
        with pytest.raises(InvalidInputError) as refused:
            await people.create_token(ada, name)
        assert refused.value.field == "name"
    with pytest.raises(MissingError):
        await people.revoke_token(ApiTokenId("nothing"))


async def test_a_weak_hash_is_renewed_at_login(store, clock):
    await make_ada(People(store, Argon2Passwords(memory_kib=8, passes=1), clock))
    _, before = await store.persons.find_login("ada")
    stronger = People(store, Argon2Passwords(memory_kib=16, passes=1), clock)
    await stronger.log_in("ada", PASSWORD, "10.0.0.1")
    _, after = await store.persons.find_login("ada")

    assert "m=8," in before
    assert "m=16," in after
    assert await stronger.log_in("ada", PASSWORD, "10.0.0.1")


async def test_pruning_forgets_what_is_over_and_nothing_else(people, clock):
    await people.create_admin("ada", PASSWORD)
    old = await people.log_in("ada", PASSWORD, "10.0.0.1")
    clock.pass_time(hours=11)
    fresh = await people.log_in("ada", PASSWORD, "10.0.0.1")
    clock.pass_time(hours=2)
    await people.prune()

    assert await people._store.sessions.find(old.session.digest) is None
    assert await people.find_session(fresh.secret)
