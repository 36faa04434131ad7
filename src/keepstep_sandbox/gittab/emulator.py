"""GitTab as the shared sandbox sees it: one object with the state and everything that acts on it."""

from dataclasses import replace
from typing import Any

from keepstep_sandbox.app import Sandbox, SandboxConfig
from keepstep_sandbox.gittab.access import Access
from keepstep_sandbox.gittab.payloads import Payloads
from keepstep_sandbox.gittab.seeding import Seeder
from keepstep_sandbox.gittab.state import State
from keepstep_sandbox.gittab.webhooks import Webhooks
from keepstep_sandbox.gittab.wire import Wire
from keepstep_sandbox.gittab.writing import Writing

_CALLBACK_LIMIT_SECONDS = 10.0  # GitLab's; what is configured otherwise wins


class GitTab:
    """The emulator's state and its collaborators."""

    name = "gittab"

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.state = State()
        self.wire = Wire(self.state, sandbox.config.public_base)
        self.payloads = Payloads(self.state, self.wire)
        self.webhooks = Webhooks(self.state, self.wire, sandbox)
        self.writing = Writing(self.state, self.payloads, self.webhooks)
        self.access = Access(self.state)
        self._seeder = Seeder(self.state)

    @property
    def config(self) -> SandboxConfig:
        return self.sandbox.config

    def snapshot(self) -> dict[str, Any]:
        return self.state.snapshot()

    def restore(self, saved: dict[str, Any]) -> None:
        self.state.restore(saved)

    def reset(self, seed: str) -> None:
        self.state.clear()
        self.access.clear()
        self._seeder.start(seed)

    def seed(self, additions: dict[str, Any]) -> dict[str, Any]:
        return self._seeder.add(additions)


def with_gitlab_limit(config: SandboxConfig) -> SandboxConfig:
    """The shared limit is Productboard's; unless another one was asked for, callbacks may take GitLab's 10 s."""
    if config.callback_limit_s != SandboxConfig().callback_limit_s:
        return config
    return replace(config, callback_limit_s=_CALLBACK_LIMIT_SECONDS)
