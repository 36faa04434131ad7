"""Signals inside one process, for tests."""

import asyncio

from keepstep.domain.ids import LinkId


class MemorySignals:
    """Implements keepstep.ports.signals.Signals."""

    def __init__(self) -> None:
        self._waiting: dict[LinkId, set[asyncio.Event]] = {}

    async def tell(self, link: LinkId) -> None:
        for told in self._waiting.get(link, ()):
            told.set()

    async def wait(self, link: LinkId, seconds: float) -> bool:
        told = asyncio.Event()
        self._waiting.setdefault(link, set()).add(told)
        try:
            async with asyncio.timeout(seconds):
                await told.wait()
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiting[link].discard(told)
            if not self._waiting[link]:
                del self._waiting[link]
