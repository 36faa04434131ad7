"""How long a connection may take to say what it wants.

uvicorn limits the pause between two requests, not the time that one request's first lines take: who sends a byte now
and then would hold a connection for ever. Bodies have their own limit (`guards.BodyLimit`).
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

REQUEST_SECONDS = 20.0


class PatientProtocol(H11Protocol):
    """Closes a connection whose next request has not begun in time: its line and headers, all of them."""

    request_seconds = REQUEST_SECONDS
    _closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._closing is not None:
            self._closing.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_request()

    def _expect_request(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
        self._closing = self.loop.call_later(self.request_seconds, self._close_if_silent, self.cycle)

    def _close_if_silent(self, last: RequestResponseCycle | None) -> None:
        if self.cycle is last and not self.transport.is_closing():
            self.transport.close()
