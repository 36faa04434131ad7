"""What the doctor says of sealing keys, and what sealing anew changes."""

import pytest

from keepstep.app.doctor import Mark
from keepstep.app.sealing import examine_keys, reseal
from keepstep.ports.vault import VaultError


async def _told(world):
    return [(each.mark, each.message) for each in await examine_keys(world.ctx)]


async def test_the_doctor_says_which_key_can_go_only_once_nothing_is_sealed_with_it(world):
    vault = world.ctx.vault
    vault.use_keys("old")
    await world.connect()
    [(mark, message)] = await _told(world)
    assert mark is Mark.OK
    number = int(message.split()[0])
    assert number >= 4
    vault.use_keys("new", "old")
    marks = [mark for mark, _ in await _told(world)]
    assert marks == [Mark.OK, Mark.WARNING]
    changed, keys = await reseal(world.ctx)
    assert (changed, keys[0].secrets) == (number, number)
    assert [mark for mark, _ in await _told(world)] == [Mark.OK, Mark.OK]
    assert "can be dropped" in (await _told(world))[1][1]


async def test_a_key_that_is_missing_is_a_failure_with_its_name(world):
    world.ctx.vault.use_keys("old")
    await world.connect()
    world.ctx.vault.use_keys("new")
    found = await examine_keys(world.ctx)
    assert [each.mark for each in found] == [Mark.OK, Mark.FAILURE]
    assert "the key old" in found[1].message
    assert "KEEPSTEP_SECRET_KEYS" in found[1].cure
    with pytest.raises(VaultError, match="the key old"):
        await reseal(world.ctx)
