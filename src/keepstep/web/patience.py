"""How long a connection may take to say what it wants, and how long a stopping process still listens to it.

uvicorn limits the pause between two requests, not the time that one request's first lines take: who sends a byte now
and then would hold a connection for ever. Bodies have their own limit (`guards.BodyLimit`).

When it stops, uvicorn closes at once every connection that has no request under way, also one whose request is just
arriving. Productboard does not repeat a click, so such a connection is heard a moment longer.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

REQUEST_SECONDS = 20.0
LINGER_SECONDS = 0.5
_CLOSE = (b"connection", b"close")


class PatientProtocol(H11Protocol):
    """Closes a connection whose next request has not begun in time: its line and headers, all of them.

    Of a stopping process, it answers the request that still comes, and says that it was the connection's last.
    """

    request_seconds = REQUEST_SECONDS
    linger_seconds = LINGER_SECONDS
    _closing: asyncio.TimerHandle | None = None
    _stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._closing is not None:
            self._closing.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self._stopping:
            self._make_last()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_request()

    def shutdown(self) -> None:
        self._stopping = True
        if _is_over(self.cycle):
            self._expect_request()
        else:
            self._make_last()

    def _make_last(self) -> None:
        """The request that is under way, if one is: its answer tells the client not to send another."""
        if _is_over(self.cycle):
            return
        self.cycle.keep_alive = False
        if not self.cycle.response_started and _CLOSE not in self.cycle.default_headers:
            self.cycle.default_headers = [*self.cycle.default_headers, _CLOSE]

    def _expect_request(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
        seconds = self.linger_seconds if self._stopping else self.request_seconds
        self._closing = self.loop.call_later(seconds, self._close_if_silent, self.cycle)

    def _close_if_silent(self, last: RequestResponseCycle | None) -> None:
        if self.cycle is last and not self.transport.is_closing():
            self.transport.close()


def _is_over(cycle: RequestResponseCycle | None) -> bool:
    """Answered; None: a connection's first has not begun."""
    return cycle is None or cycle.response_complete
