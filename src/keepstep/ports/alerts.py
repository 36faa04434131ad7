"""Telling people outside these pages that something stands still."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    title: str
    body: str
    good: bool = False
    """Something works again."""


class AlertSender(Protocol):
    @property
    def addresses(self) -> int:
        """How many places it sends to; 0 when nobody asked for alerts."""

    async def send(self, message: Message) -> int:
        """Returns how many places took it. Never raises for one that did not."""


class _NoAlerts:
    addresses = 0

    async def send(self, message: Message) -> int:
        del message
        return 0


NO_ALERTS: AlertSender = _NoAlerts()
