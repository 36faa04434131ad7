"""What stands around an emulator's state: its settings, journal, faults, deliveries and state file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from keepstep_sandbox.delivery import Delivery
from keepstep_sandbox.faults import Faults
from keepstep_sandbox.journal import Journal
from keepstep_sandbox.store import StateFile


@dataclass(frozen=True)
class SandboxConfig:
    """How an emulator is started."""

    state_file: Path | None = None  # None: nothing is kept
    public_base: str = "http://127.0.0.1"  # its own address, without a slash at the end, for links
    allow_insecure_callbacks: bool = False  # accept http and private hosts as callback addresses
    time_scale: float = 1.0  # the waits between retries are multiplied by it
    callback_limit_s: float = 5.0  # how long a callback may take
    seed: str = "demo"  # or "empty"
    client: httpx.AsyncClient | None = None  # for callbacks; in-process tests route it to an ASGI app


class Emulator(Protocol):
    """The state of one emulator."""

    name: str

    def snapshot(self) -> dict[str, Any]:
        """All state as JSON."""
        ...

    def restore(self, saved: dict[str, Any]) -> None:
        """Takes over what `snapshot` gave."""
        ...

    def reset(self, seed: str) -> None:
        """Forgets everything and seeds anew."""
        ...

    def seed(self, additions: dict[str, Any]) -> dict[str, Any]:
        """Adds what the control API was given and answers what came of it. Raises ValueError for nonsense."""
        ...


class Sandbox:
    """Everything around an emulator's state; tests reach it as `app.state.sandbox`."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.journal = Journal()
        self.faults = Faults()
        self.delivery = Delivery(
            self.journal,
            self.faults,
            client=config.client,
            time_scale=config.time_scale,
            limit_s=config.callback_limit_s,
            on_change=self.changed,
        )
        self._emulator: Emulator | None = None
        self._file = StateFile(config.state_file, self._snapshot)
        self._to_resume: list[dict[str, Any]] = []

    @property
    def emulator(self) -> Emulator:
        if self._emulator is None:
            raise RuntimeError("the sandbox has no emulator yet")
        return self._emulator

    def adopt(self, emulator: Emulator) -> None:
        """Takes the emulator and gives it the saved state, or a fresh seed."""
        self._emulator = emulator
        saved = self._file.load()
        if saved is None:
            emulator.reset(self.config.seed)
            self.changed()
        else:
            emulator.restore(saved["state"])
            self._to_resume = saved.get("deliveries", [])

    def _snapshot(self) -> dict[str, Any]:
        waiting = self.delivery.waiting() + self._to_resume
        return {"emulator": self.emulator.name, "state": self.emulator.snapshot(), "deliveries": waiting}

    def changed(self) -> None:
        """Call after each change of state; the file follows within 100 ms."""
        if self._emulator is not None:
            self._file.changed()

    def reset(self, seed: str | None = None) -> None:
        """As freshly started: state, journal, faults and deliveries."""
        self._to_resume = []
        self.delivery.cancel()
        self.journal.clear()
        self.faults.clear()
        self.emulator.reset(seed or self.config.seed)
        self.changed()

    def start(self) -> None:
        """Takes up the deliveries that waited when the emulator was stopped."""
        resumed, self._to_resume = self._to_resume, []
        self.delivery.resume(resumed)

    async def aclose(self) -> None:
        """Stops the deliveries and writes the state."""
        self._to_resume = await self.delivery.aclose()
        self._file.flush()
