"""`keepstep reseal`: the last step but one of replacing a sealing key."""

import typer

from keepstep.app.sealing import reseal as seal_anew
from keepstep.cli.opening import run_with_context
from keepstep.cli.printing import note, say


def add_to(app: typer.Typer) -> None:
    app.command()(reseal)


def reseal() -> None:
    """Seal every stored token and secret with the first key of KEEPSTEP_SECRET_KEYS; the service may run meanwhile."""
    changed, keys = run_with_context(seal_anew)
    first, *older = keys
    say(f"{changed} sealed anew. All {first.secrets} are sealed with the key {first.key_id}.")
    for each in older:
        note(f"The key {each.key_id} seals nothing any more: take it out of KEEPSTEP_SECRET_KEYS.")
