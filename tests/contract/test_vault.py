"""What every implementation of ports.vault promises, in memory and on PostgreSQL."""

import pytest

from keepstep.adapters.memory.vault import MemoryVault
from keepstep.adapters.vault.keys import keys_from_setting, new_key_line
from keepstep.adapters.vault.postgres import PostgresVault
from keepstep.domain.errors import MissingError
from keepstep.domain.ids import SecretRef
from keepstep.ports.vault import KeyUse, Vault, VaultError

pytest_plugins = ["storages"]

_SECRET = "glpat-ÄÖÜ-0123456789-wxyz"


@pytest.fixture(params=["memory", "postgres"])
def vault(request: pytest.FixtureRequest) -> MemoryVault | PostgresVault:
    if request.param == "memory":
        return MemoryVault()
    return PostgresVault(request.getfixturevalue("postgres_pool"), keys_from_setting(new_key_line()))


async def test_a_secret_is_opened_as_it_was_put(vault: Vault):
    refs = [await vault.put(secret) for secret in (_SECRET, _SECRET, "", "a\x00b")]
    assert len(set(refs)) == 4
    assert [await vault.open(ref) for ref in refs] == [_SECRET, _SECRET, "", "a\x00b"]
    assert not any(_SECRET in ref for ref in refs)


async def test_a_replaced_secret_keeps_its_reference(vault: Vault):
    ref = await vault.put(_SECRET)
    await vault.replace(ref, "another secret 4321")
    assert (await vault.open(ref), await vault.last_four(ref)) == ("another secret 4321", "4321")


@pytest.mark.parametrize(
    ("secret", "shown"), [(_SECRET, "wxyz"), ("x" * 15, ""), ("", ""), ("y" * 16, "yyyy")]
)
async def test_four_characters_are_shown_of_secrets_that_are_long_enough(
    vault: Vault, secret: str, shown: str
):
    assert await vault.last_four(await vault.put(secret)) == shown


async def test_a_forgotten_secret_is_missing(vault: Vault):
    ref = await vault.put(_SECRET)
    await vault.forget(ref)
    await vault.forget(ref)
    for call in (
        vault.open(ref),
        vault.last_four(ref),
        vault.replace(ref, "x"),
        vault.open(SecretRef("never")),
    ):
        with pytest.raises(MissingError):
            await call


async def test_a_lost_key_is_said_and_the_secret_can_be_entered_anew(
    vault: Vault, request: pytest.FixtureRequest
):
    ref = await vault.put(_SECRET)
    if isinstance(vault, MemoryVault):
        vault.lose_key()
    else:
        vault = PostgresVault(request.getfixturevalue("postgres_pool"), keys_from_setting(new_key_line()))
    with pytest.raises(VaultError) as failed:
        await vault.open(ref)
    assert "KEEPSTEP_SECRET_KEYS" in str(failed.value)
    assert _SECRET not in str(failed.value)
    assert await vault.last_four(ref) == "wxyz"
    await vault.replace(ref, "entered once more")
    assert await vault.last_four(ref) == "more"


async def test_no_repr_shows_a_secret(vault: Vault):
    ref = await vault.put(_SECRET)
    assert _SECRET not in f"{vault!r} {ref!r}"


class Ring:
    """One vault's secrets, opened with the keys of one start after another."""

    def __init__(self, request: pytest.FixtureRequest, kind: str) -> None:
        self._pool = request.getfixturevalue("postgres_pool") if kind == "postgres" else None
        self._memory = MemoryVault()
        self._lines: dict[str, str] = {}

    def vault(self, *names: str) -> Vault:
        """As after a restart with these keys, the first of which seals."""
        if self._pool is None:
            self._memory.use_keys(*names)
            return self._memory
        lines = [self._lines.setdefault(name, f"{name}:{new_key_line().partition(':')[2]}") for name in names]
        return PostgresVault(self._pool, keys_from_setting(",".join(lines)))


@pytest.fixture(params=["memory", "postgres"])
def ring(request: pytest.FixtureRequest) -> Ring:
    return Ring(request, request.param)


async def test_it_tells_which_keys_seal_what(ring: Ring):
    await ring.vault("b").put(_SECRET)
    vault = ring.vault("c", "a")
    for _ in range(2):
        await vault.put(_SECRET)
    assert await vault.list_keys() == [
        KeyUse("c", 2, given=True, first=True),
        KeyUse("a", 0, given=True, first=False),
        KeyUse("b", 1, given=False, first=False),
    ]


async def test_after_a_rotation_the_old_key_can_go(ring: Ring):
    old = ring.vault("old")
    refs = [await old.put(f"{_SECRET} {number}") for number in range(3)]
    both = ring.vault("new", "old")
    refs.append(await both.put(f"{_SECRET} 3"))
    assert await both.rotate() == 3
    assert await both.rotate() == 0
    assert [each.secrets for each in await both.list_keys()] == [4, 0]
    new = ring.vault("new")
    assert [await new.open(ref) for ref in refs] == [f"{_SECRET} {number}" for number in range(4)]


async def test_a_rotation_without_one_of_the_keys_does_the_rest_and_says_so(ring: Ring):
    lost = await ring.vault("lost").put(_SECRET)
    ref = await ring.vault("old").put(_SECRET)
    both = ring.vault("new", "old")
    with pytest.raises(VaultError, match="the key lost"):
        await both.rotate()
    new = ring.vault("new")
    assert await new.open(ref) == _SECRET
    with pytest.raises(VaultError):
        await new.open(lost)
