"""What every implementation of ports.vault promises, in memory and on PostgreSQL."""

import pytest

from keepstep.adapters.memory.vault import MemoryVault
from keepstep.adapters.vault.keys import keys_from_setting, new_key_line
from keepstep.adapters.vault.postgres import PostgresVault
from keepstep.domain.errors import MissingError
from keepstep.domain.ids import SecretRef
from keepstep.ports.vault import Vault, VaultError

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
