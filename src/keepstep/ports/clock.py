"""Time and new ids, so that tests decide both."""

from datetime import datetime
from typing import Protocol

from keepstep.domain.ids import BulkId, IntegrationId, LinkId


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, in UTC."""

    def elapsed(self) -> float:
        """Seconds since some moment of this process. Measures waits: it never jumps when the calendar is set."""

    async def sleep(self, seconds: float) -> None: ...

    def new_integration_id(self) -> IntegrationId:
        """Unguessable (at least 128 bits), lower-case letters and digits."""

    def new_link_id(self) -> LinkId:
        """32 hexadecimal digits."""

    def new_bulk_id(self) -> BulkId:
        """32 hexadecimal digits."""

    def new_secret(self) -> str:
        """At least 256 bits, printable."""
