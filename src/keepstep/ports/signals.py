"""Telling the process that answers a click, wherever it runs, that its Link has come to an outcome.

A signal may be lost; whoever waits reads the Link again when its time is over.
"""

from typing import Protocol

from keepstep.domain.ids import LinkId


class Signals(Protocol):
    async def tell(self, link: LinkId) -> None:
        """Wake everyone who waits for this Link. Called after the commit that others should see."""

    async def wait(self, link: LinkId, seconds: float) -> bool:
        """True when told within that time. One connection per process serves all who wait."""
