"""Alerts through Apprise, which knows e-mail, Slack and some hundred other services by their addresses.

The library is an extra: it is imported only where somebody asked for alerts.
"""

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any

import structlog

from keepstep.ports.alerts import NO_ALERTS, AlertSender, Message

_LOG = structlog.get_logger(__name__)
_SECONDS = 30.0


class AlertAddressError(Exception):
    """Says which address, by its place in the list: the address itself may contain a password."""


def alerts_to(addresses: Sequence[str]) -> AlertSender:
    """Raises AlertAddressError for an address that Apprise does not understand, or when it is not installed."""
    if not addresses:
        return NO_ALERTS
    try:
        apprise: Any = importlib.import_module("apprise")
    except ImportError:
        raise AlertAddressError("alerts need the package apprise: pip install apprise") from None
    places = []
    for number, address in enumerate(addresses, 1):
        place = apprise.Apprise()
        if not place.add(address):
            raise AlertAddressError(f"address {number} of {len(addresses)} is none that Apprise knows")
        places.append(place)
    return AppriseAlerts(places)


class AppriseAlerts:
    """Implements keepstep.ports.alerts.AlertSender. Each address by itself: one that fails holds no other back."""

    def __init__(self, places: Sequence[Any]) -> None:
        self._places = places

    @property
    def addresses(self) -> int:
        return len(self._places)

    async def send(self, message: Message) -> int:
        answers = await asyncio.gather(
            *(self._send(number, place, message) for number, place in enumerate(self._places, 1))
        )
        return sum(answers)

    async def _send(self, number: int, place: Any, message: Message) -> bool:
        kind = "success" if message.good else "warning"
        try:
            async with asyncio.timeout(_SECONDS):
                taken = await place.async_notify(title=message.title, body=message.body, notify_type=kind)
        except (OSError, TimeoutError, TypeError) as error:
            _LOG.warning("alert.undelivered", address=number, error=type(error).__name__)
            return False
        if not taken:
            _LOG.warning("alert.undelivered", address=number)
        return bool(taken)
