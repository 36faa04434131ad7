"""A real server against those who send too much, too slowly, or without an end; it has to stay small."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

MEGABYTE = 1024 * 1024
SMALL = 64 * MEGABYTE
"""How much the process may grow; an honest body of 8 MB, twice in memory, is a part of it."""

PATHS = (
    "/hooks/tracker/nobody",
    "/hooks/productboard/nobody/action",
    "/hooks/productboard/nobody/events",
    "/login",
)


@dataclass(frozen=True)
class Server:
    port: int
    process: psutil.Process

    @contextlib.contextmanager
    def connected(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            yield connection

    def is_well(self) -> bool:
        return httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=20).status_code == 200


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """`short_server.py`: the application as `serve` runs it, with times of two seconds."""
    folder = tmp_path_factory.mktemp("server")
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("short_server.py"))],
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        try:
            port = json.loads(started.stdout.readline() or b"0")
            assert port, (folder / "log").read_text()
            yield Server(port, psutil.Process(started.pid))
        finally:
            started.terminate()
            started.wait(20)
            started.stdout.close()


def head(path: str, *more: str) -> bytes:
    kind = "application/x-www-form-urlencoded" if path == "/login" else "application/json"
    lines = (f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {kind}", *more, "", "")
    return "\r\n".join(lines).encode()


def answer_of(connection: socket.socket) -> tuple[int, bytes]:
    """The status and everything until the server closes the connection, which it has to do."""
    said = b""
    while part := connection.recv(65536):
        said += part
    return int(said.split(b" ", 2)[1]), said


@pytest.mark.parametrize("path", PATHS)
def test_a_body_announced_as_too_large_is_refused_unread(server, path):
    with server.connected() as connection:
        connection.sendall(head(path, f"Content-Length: {100 * MEGABYTE}"))
        assert answer_of(connection)[0] == 413


@pytest.mark.parametrize("path", PATHS)
def test_a_body_without_a_length_is_taken_to_the_limit_and_no_further(server, path):
    before, chunk = server.process.memory_info().rss, b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with server.connected() as connection:
        connection.sendall(head(path, "Transfer-Encoding: chunked"))
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 100 * MEGABYTE:
                connection.sendall(chunk)
                sent += len(chunk)
        assert sent < 20 * MEGABYTE
    assert server.process.memory_info().rss - before < SMALL
    assert server.is_well()


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_never_ends_is_given_up(server, path):
    with server.connected() as connection:
        connection.sendall(head(path, "Content-Length: 1000"))
        with contextlib.suppress(ConnectionError):
            for _ in range(20):
                connection.sendall(b"x")
                time.sleep(0.3)
        status, said = answer_of(connection)
        assert status == 408
        assert b"not here within 2 s" in said


def test_a_request_that_never_begins_is_given_up(server):
    with server.connected() as silent, server.connected() as trickling:
        trickling.sendall(b"POST /hooks/tracker/nobody HTTP/1.1\r\nX-A: ")
        closed = False
        for _ in range(30):
            try:
                trickling.sendall(b"x")
            except ConnectionError:
                closed = True
                break
            time.sleep(0.3)
        assert closed
        assert silent.recv(100) == b""


def test_the_next_request_of_a_connection_has_to_begin_as_well(server):
    with server.connected() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b" 200 " in connection.recv(65536)
        with contextlib.suppress(ConnectionError):
            for _ in range(30):
                connection.sendall(b"G")
                time.sleep(0.3)
            assert connection.recv(100) == b""


def test_headers_without_end_are_refused(server):
    with server.connected() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head("/login", "X-A: " + "x" * MEGABYTE))
        with contextlib.suppress(ConnectionError):
            assert answer_of(connection)[0] in (400, 431)
    assert server.is_well()


def test_many_deep_bodies_leave_it_small_and_well(server):
    before = server.process.memory_info().rss
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
        for body in (b"[" * 100_000, b'{"a":' * 100_000, b"[" * 4_000_000, b"9" * 1_000_000):
            for path in PATHS[:3]:
                assert (
                    client.post(path, content=body, headers={"Content-Type": "application/json"}).status_code
                    < 500
                )
    assert server.process.memory_info().rss - before < SMALL
    assert server.is_well()
