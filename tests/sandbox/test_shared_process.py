"""An emulator as a process of its own: start, address, dropped connections, stop, and going on after a restart."""

import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

HEADERS = {"Authorization": "Bearer demo-productboard-token"}


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    command = [sys.executable, "-m", "keepstep_sandbox", "productboard", "--insecure-callbacks", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            base = re.search(r"http://\S+", process.stdout.readline())[0]
            with httpx.Client(base_url=base, headers=HEADERS) as client:
                _wait_until_ready(client)
                yield process, client
        finally:
            process.kill()


def _wait_until_ready(client: httpx.Client) -> None:
    for _ in range(200):
        try:
            client.get("/_sandbox/health")
        except httpx.ConnectError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("the emulator did not get ready")


def test_process_serves_drops_stops_and_goes_on(tmp_path):
    state = ("--state", str(tmp_path / "state.json"))
    with running(*state) as (process, client):
        for when in ("before", "after"):
            client.post("/_sandbox/faults", json={"match": "GET /v2/members", "drop": True, "when": when})
            with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
                client.get("/v2/members")
        feature = client.get("/v2/entities?type[]=feature").json()["data"][0]
        assert feature["links"]["self"].startswith(str(client.base_url).rstrip("/"))
        client.patch(f"/v2/entities/{feature['id']}", json={"data": {"fields": {"name": "Kept"}}})
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - started < 3
        assert process.stderr.read() == ""
    with running(*state) as (process, client):
        entity = client.get(f"/v2/entities/{feature['id']}").json()["data"]
        assert entity["fields"]["name"] == "Kept"
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0


def test_answers_do_not_wait_for_nagle():
    with running() as (_process, client):
        client.get("/v2/webhooks")
        taken = []
        for _ in range(30):
            started = time.monotonic()
            assert client.get("/v2/webhooks").status_code == 200
            taken.append(time.monotonic() - started)
        # With the delay nearly all of them take more than 0.04 s; a busy machine slows some down.
        assert statistics.quantiles(taken, n=4)[0] < 0.035


def test_taken_port_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "keepstep_sandbox", "productboard", "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_state_file_of_something_else_is_not_overwritten(tmp_path):
    path = tmp_path / "state.json"
    path.write_text("[1]")
    command = [sys.executable, "-m", "keepstep_sandbox", "productboard", "--state", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode != 0
    assert path.read_text() == "[1]"
