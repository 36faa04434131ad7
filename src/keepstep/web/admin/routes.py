"""Every page's routes, in the order in which addresses are matched."""

from collections.abc import Sequence

from fastapi import APIRouter

from keepstep.web.admin import (
    attention,
    bulk,
    checking,
    connect,
    connect_mapping,
    guard,
    home,
    integration,
    integration_actions,
    link,
    login,
    people,
    rules,
    settings,
    settings_mapping,
    signed,
    system,
    webhook,
)


def routers() -> Sequence[APIRouter]:
    return tuple(
        each.router
        for each in (
            login,
            home,
            integration,
            integration_actions,
            bulk,
            guard,
            rules,
            settings,
            settings_mapping,
            webhook,
            link,
            signed,
            attention,
            system,
            people,
            connect,
            connect_mapping,
            checking,
        )
    )
