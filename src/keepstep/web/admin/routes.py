"""Every page's routes, in the order in which addresses are matched."""

from collections.abc import Sequence

from fastapi import APIRouter

from keepstep.web.admin import (
    attention,
    home,
    integration,
    integration_actions,
    link,
    login,
    signed,
    system,
)


def routers() -> Sequence[APIRouter]:
    return tuple(
        each.router
        for each in (login, home, integration, integration_actions, link, signed, attention, system)
    )
