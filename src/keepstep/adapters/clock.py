"""The real clock, and ids from the operating system's randomness."""

import asyncio
import secrets
import time
from datetime import UTC, datetime

from keepstep.domain.ids import BulkId, IntegrationId, LinkId


class SystemClock:
    """Implements keepstep.ports.clock.Clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def new_integration_id(self) -> IntegrationId:
        return IntegrationId(secrets.token_hex(16))

    def new_link_id(self) -> LinkId:
        return LinkId(secrets.token_hex(16))

    def new_bulk_id(self) -> BulkId:
        return BulkId(secrets.token_hex(16))

    def new_secret(self) -> str:
        return secrets.token_urlsafe(32)
