"""`python -m keepstep_sandbox productboard|gittab`: one emulator as a process of its own."""

import argparse
import asyncio
import contextlib
import importlib
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from keepstep_sandbox.app import SandboxApp, SandboxConfig


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="keepstep_sandbox", description="Emulators to try Keepstep without accounts."
    )
    parser.add_argument("emulator", choices=("productboard", "gittab"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, which is printed")
    parser.add_argument("--public-base", help="own address in links (default: http://HOST:PORT)")
    parser.add_argument("--state", type=Path, help="file that keeps the state over a restart")
    parser.add_argument(
        "--insecure-callbacks", action="store_true", help="accept http and private callback hosts"
    )
    parser.add_argument("--time-scale", type=float, default=1.0, help="factor for the waits between retries")
    parser.add_argument("--callback-limit", type=float, default=5.0, help="seconds a callback may take")
    parser.add_argument("--seed", choices=("demo", "empty"), default="demo")
    return parser.parse_args(arguments)


class _Server(uvicorn.Server):
    """Stops at the first signal without raising it again, so that a stop by the demo is exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def main(arguments: list[str] | None = None) -> int:
    """Runs one emulator until SIGTERM or SIGINT."""
    chosen = _parsed(arguments)
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; without, each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((chosen.host, chosen.port))
    except OSError as taken:
        sys.stderr.write(
            f"{chosen.emulator}: cannot listen on {chosen.host}:{chosen.port}: {taken.strerror}\n"
        )
        return 1
    base = chosen.public_base or f"http://{chosen.host}:{listener.getsockname()[1]}"
    config = SandboxConfig(
        state_file=chosen.state,
        public_base=base.rstrip("/"),
        allow_insecure_callbacks=chosen.insecure_callbacks,
        time_scale=chosen.time_scale,
        callback_limit_s=chosen.callback_limit,
        seed=chosen.seed,
    )
    app: SandboxApp = importlib.import_module(f"keepstep_sandbox.{chosen.emulator}").create_app(config)
    options = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=3
    )
    sys.stdout.write(f"{chosen.emulator} emulator on {base}\n")
    sys.stdout.flush()
    asyncio.run(_Server(options).serve(sockets=[listener]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
