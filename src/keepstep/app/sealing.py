"""Which keys seal the stored secrets, and sealing all of them with the first one, so that older keys can go."""

from collections.abc import Sequence

from keepstep.app.context import Context
from keepstep.app.doctor import Finding, Mark
from keepstep.ports.vault import KeyUse

_ABOUT = "sealed secrets"


async def reseal(ctx: Context) -> tuple[int, Sequence[KeyUse]]:
    """How many secrets were sealed with the first key now, and the keys as they are used afterwards.

    Every process must have the first key by then. Raises VaultError when a secret's key is missing; all others are
    done then.
    """
    changed = await ctx.vault.rotate()
    return changed, await ctx.vault.list_keys()


async def examine_keys(ctx: Context) -> Sequence[Finding]:
    """For the doctor: what is missing, what can go, and what `reseal` would change."""
    return [_finding(each) for each in await ctx.vault.list_keys()]


def _finding(key: KeyUse) -> Finding:
    sealed = f"{key.secrets} sealed with the key {key.key_id}"
    if not key.given:
        cure = "Put that key back into KEEPSTEP_SECRET_KEYS, or paste the tokens anew."
        return Finding(_ABOUT, Mark.FAILURE, f"{sealed}, which is not among ours.", cure)
    if key.first:
        return Finding(_ABOUT, Mark.OK, f"{sealed}, which seals what is stored from now on.")
    if key.secrets:
        cure = "Once every process has the first key: keepstep reseal."
        return Finding(_ABOUT, Mark.WARNING, f"{sealed}, an older one.", cure)
    return Finding(_ABOUT, Mark.OK, f"{sealed}, an older one: it can be dropped.")
