"""What both emulators are made of: one ASGI app with a journal, faults, callbacks, a state file and control routes.

An emulator gives its routes and an `Emulator` (its state); `build_app` puts the rest around it. Order from the
outside in: journal, faults, routes. Journal and faults stand outside Starlette, because its error handler would
answer where a fault wants to close the connection without a word.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from keepstep_sandbox.control import control_routes
from keepstep_sandbox.middleware import ConnectionDropped, Faulting, Journalling
from keepstep_sandbox.sandbox import Emulator, Sandbox, SandboxConfig

__all__ = ["ConnectionDropped", "Emulator", "Sandbox", "SandboxApp", "SandboxConfig", "build_app"]


class SandboxApp:
    """The ASGI app; `state.sandbox` is its `Sandbox`."""

    def __init__(self, inner: Starlette, sandbox: Sandbox, api_prefix: str) -> None:
        inner.state.sandbox = sandbox
        self.state = inner.state
        self._inner = inner
        self._app = Journalling(Faulting(inner, sandbox.faults), sandbox.journal, api_prefix)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["sandbox.send"] = send
            await self._app(scope, receive, send)
        else:
            await self._inner(scope, receive, send)


def build_app(sandbox: Sandbox, routes: Sequence[BaseRoute], *, api_prefix: str) -> SandboxApp:
    """The app around `routes`; requests outside `api_prefix` are journalled as kind `page`."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sandbox.start()
        try:
            yield
        finally:
            await sandbox.aclose()

    inner = Starlette(routes=[*control_routes(sandbox), *routes], lifespan=lifespan)
    return SandboxApp(inner, sandbox, api_prefix)
