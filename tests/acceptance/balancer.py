"""What stands before several web processes: takes a connection to whichever of them takes it, in turn."""

import contextlib
import itertools
import selectors
import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence

_CHUNK = 65_536
_RETRY_SECONDS = 10.0


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    behind: Sequence[int]
    turn: Iterator[int]


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        backend = self._connected()
        if backend is None:
            return
        with backend, contextlib.suppress(OSError), selectors.DefaultSelector() as watched:
            watched.register(self.request, selectors.EVENT_READ, backend)
            watched.register(backend, selectors.EVENT_READ, self.request)
            while True:
                for key, _ in watched.select():
                    part = key.fileobj.recv(_CHUNK)  # type: ignore[union-attr]
                    if not part:
                        return
                    key.data.sendall(part)

    def _connected(self) -> socket.socket | None:
        for _ in self.server.behind:
            port = self.server.behind[next(self.server.turn)]
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection(("127.0.0.1", port), timeout=_RETRY_SECONDS)
        return None


@contextlib.contextmanager
def balanced(port: int, behind: Sequence[int]) -> Iterator[None]:
    """Listens on the port while the block runs."""
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.behind, server.turn = behind, itertools.cycle(range(len(behind)))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
