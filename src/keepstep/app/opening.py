"""Opening an Integration's two sides: secrets are taken out of the vault here and nowhere else."""

from dataclasses import dataclass

from keepstep.app.context import Context
from keepstep.domain.footer import footer_blocks
from keepstep.domain.ids import SecretRef, marker_of
from keepstep.domain.integration import Integration
from keepstep.domain.link import Link
from keepstep.domain.rules import DescriptionRule
from keepstep.ports.errors import AuthLostError
from keepstep.ports.productboard import Callback, FeatureBoard
from keepstep.ports.tracker import Tracker
from keepstep.ports.vault import VaultError


@dataclass(frozen=True, slots=True)
class Sides:
    board: FeatureBoard
    tracker: Tracker


async def open_sides(ctx: Context, integration: Integration) -> Sides:
    return Sides(await open_board(ctx, integration), await open_tracker(ctx, integration))


async def open_board(ctx: Context, integration: Integration) -> FeatureBoard:
    token = await _token(ctx, integration.board.token, "board")
    return ctx.outside.open_board(integration.board.base_url, token)


async def open_tracker(ctx: Context, integration: Integration) -> Tracker:
    account = integration.tracker
    token = await _token(ctx, account.token, "tracker")
    return ctx.outside.open_tracker(account.kind, account.base_url, token, integration.tracker_settings)


async def _token(ctx: Context, ref: SecretRef, side: str) -> str:
    """A key that is missing pauses the integration like a token that is refused; it is mended by a person."""
    try:
        return await ctx.vault.open(ref)
    except VaultError as error:
        raise AuthLostError(
            f"The stored {side} token cannot be opened: the key it was sealed with is not in KEEPSTEP_SECRET_KEYS. "
            "Put the key back, or paste the token again.",
            side=side,
        ) from error


def description_rule(ctx: Context, link: Link, tracker: Tracker) -> DescriptionRule:
    return DescriptionRule(
        feature_text=ctx.outside.board_text(),
        ticket_text=tracker.text,
        footer=footer_blocks(link.feature_url, ctx.pages.address(link.id), marker_of(link.id)),
        marker=marker_of(link.id),
    )


async def column_callback(ctx: Context, integration: Integration) -> Callback:
    return Callback(
        f"{_hooks(ctx)}/productboard/{integration.id}/action", await board_proof(ctx, integration)
    )


async def events_callback(ctx: Context, integration: Integration) -> Callback:
    return Callback(
        f"{_hooks(ctx)}/productboard/{integration.id}/events", await board_proof(ctx, integration)
    )


def tracker_hook_url(ctx: Context, integration: Integration) -> str:
    return f"{_hooks(ctx)}/tracker/{integration.id}"


async def board_proof(ctx: Context, integration: Integration) -> str:
    """What Productboard sends us in `Authorization`."""
    return f"Bearer {await ctx.vault.open(integration.board_secret)}"


def _hooks(ctx: Context) -> str:
    return f"{ctx.rules.public_url}/hooks"
