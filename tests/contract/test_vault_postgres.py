"""The vault's keys: what is at rest, rotation, and what does not open."""

import asyncio
import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from keepstep.adapters.vault.keys import (
    KEY_FILE,
    Keys,
    keys_from_setting,
    load_or_make_key_file,
    new_key_line,
)
from keepstep.adapters.vault.postgres import PostgresVault
from keepstep.domain.errors import InvalidInputError
from keepstep.ports.vault import VaultError

pytest_plugins = ["storages"]

Pool = AsyncConnectionPool[AsyncConnection[Any]]
_SECRET = "glpat-0123456789-wxyz"


def _line(name: str, byte: int) -> str:
    return f"{name}:{base64.b64encode(bytes([byte]) * 32).decode()}"


_OLD, _NEW = _line("old", 1), _line("new", 2)


def _keys(*lines: str) -> Keys:
    return keys_from_setting(",".join(lines))


async def _rows(pool: Pool) -> list[dict[str, Any]]:
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT ref, key_id, wrapped_key, sealed FROM secrets ORDER BY ref")
        return [
            dict(zip(("ref", "key_id", "wrapped", "sealed"), row, strict=True))
            for row in await cursor.fetchall()
        ]


async def test_the_database_holds_no_secret_and_no_key(postgres_pool: Pool):
    keys = _keys(_OLD)
    await PostgresVault(postgres_pool, keys).put(_SECRET)
    async with postgres_pool.connection() as connection:
        row = await (await connection.execute("SELECT secrets::text FROM secrets")).fetchone()
    assert row is not None
    for secret in (_SECRET.encode(), keys.by_id["old"]):
        assert secret.decode() not in row[0]
        assert secret.hex() not in row[0]


async def test_a_sealed_secret_opens_in_its_own_row_only(postgres_pool: Pool):
    vault = PostgresVault(postgres_pool, _keys(_OLD))
    mine, theirs = await vault.put(_SECRET), await vault.put("another one")
    async with postgres_pool.connection() as connection:
        await connection.execute(
            "UPDATE secrets SET sealed = o.sealed, wrapped_key = o.wrapped_key FROM secrets o "
            "WHERE o.ref = %s AND secrets.ref = %s",
            (mine, theirs),
        )
    with pytest.raises(VaultError):
        await vault.open(theirs)
    assert await vault.open(mine) == _SECRET


async def test_rotation_wraps_all_with_the_first_key_and_seals_nothing_anew(postgres_pool: Pool):
    old = PostgresVault(postgres_pool, _keys(_OLD))
    refs = [await old.put(f"secret number {number}") for number in range(5)]
    before = await _rows(postgres_pool)
    both = PostgresVault(postgres_pool, _keys(_NEW, _OLD))
    assert await both.open(refs[0]) == "secret number 0"
    assert await both.rotate() == 5
    assert await both.rotate() == 0
    after = await _rows(postgres_pool)
    assert {row["key_id"] for row in after} == {"new"}
    assert [row["sealed"] for row in after] == [row["sealed"] for row in before]
    new = PostgresVault(postgres_pool, _keys(_NEW))
    assert [await new.open(ref) for ref in refs] == [f"secret number {number}" for number in range(5)]
    with pytest.raises(VaultError, match="key new"):
        await old.open(refs[0])


async def test_rotation_does_not_undo_what_is_written_meanwhile(postgres_pool: Pool, monkeypatch):
    monkeypatch.setattr("keepstep.adapters.vault.postgres._BATCH", 3)
    old = PostgresVault(postgres_pool, _keys(_OLD))
    both = PostgresVault(postgres_pool, _keys(_NEW, _OLD))
    refs = [await old.put(f"secret number {number}") for number in range(20)]

    async def replace_all() -> None:
        for ref in reversed(refs):
            await both.replace(ref, f"replaced {ref}")

    await asyncio.gather(both.rotate(), both.rotate(), replace_all())
    assert [await both.open(ref) for ref in refs] == [f"replaced {ref}" for ref in refs]
    assert {row["key_id"] for row in await _rows(postgres_pool)} == {"new"}


async def test_another_key_under_the_same_id_does_not_open(postgres_pool: Pool):
    ref = await PostgresVault(postgres_pool, _keys(_OLD)).put(_SECRET)
    with pytest.raises(VaultError):
        await PostgresVault(postgres_pool, _keys(_line("old", 9))).open(ref)


def test_the_first_key_seals_and_both_alphabets_are_read():
    key = bytes([251, 239]) * 16
    standard, urlsafe = base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode().rstrip("=")
    assert standard.rstrip("=") != urlsafe
    keys = keys_from_setting(f" b:{urlsafe} , a:{standard}")
    assert keys.first == "b"
    assert keys.by_id == {"a": key, "b": key}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "justakeywithoutid",
        f"{_OLD},",
        f"{_OLD},{_OLD}",
        "a:not base64!",
        "a:c2hvcnQgc2VjcmV0",
        f"bad id:{base64.b64encode(bytes(32)).decode()}",
    ],
)
def test_a_wrong_setting_is_named_and_not_repeated(text: str):
    with pytest.raises(InvalidInputError) as failed:
        keys_from_setting(text)
    message = str(failed.value)
    assert message.startswith("KEEPSTEP_SECRET_KEYS: ")
    assert "\n" not in message
    secret_parts = [part.partition(":")[2] or part for part in text.split(",") if part]
    assert not any(part in message for part in secret_parts)


def test_keys_are_not_in_their_repr():
    keys = _keys(_OLD)
    assert repr(keys.by_id["old"]) not in repr(keys)
    assert "old" in repr(keys)


def test_a_key_file_is_made_once_for_its_owner_only(tmp_path: Path):
    folder = tmp_path / "data"
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(load_or_make_key_file, [folder] * 4))
    assert all(keys == made[0] for keys in made)
    assert load_or_make_key_file(folder) == made[0]
    path = folder / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys_from_setting(path.read_text()) == made[0]
    assert [each.name for each in folder.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int):
    load_or_make_key_file(tmp_path)
    (tmp_path / KEY_FILE).chmod(mode)
    with pytest.raises(InvalidInputError, match="chmod 600"):
        load_or_make_key_file(tmp_path)


def test_a_damaged_key_file_is_named_and_not_replaced(tmp_path: Path):
    path = tmp_path / KEY_FILE
    path.write_text("ÿ damaged")
    path.chmod(0o600)
    with pytest.raises(InvalidInputError) as failed:
        load_or_make_key_file(tmp_path)
    assert str(path) in str(failed.value)
    assert path.read_text() == "ÿ damaged"


def test_new_keys_differ():
    assert new_key_line() != new_key_line()
