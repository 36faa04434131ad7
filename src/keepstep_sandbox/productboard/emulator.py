"""The Productboard emulator as the sandbox knows it, and its own control routes: clicks and node contents."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keepstep_sandbox.app import Sandbox
from keepstep_sandbox.control import json_object, refusing
from keepstep_sandbox.productboard.callbacks import TRIGGERS, ClickOutcome, Clicks
from keepstep_sandbox.productboard.demo import demo_account, empty_account
from keepstep_sandbox.productboard.errors import ApiError
from keepstep_sandbox.productboard.gate import Budgets
from keepstep_sandbox.productboard.notices import Notices
from keepstep_sandbox.productboard.seeding import seed
from keepstep_sandbox.productboard.state import Account, Member, Workspace


class ProductboardEmulator:
    """State, clicks and notices of one emulator."""

    name = "productboard"

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.account = Account()
        self.budgets = Budgets()
        self.clicks = Clicks(sandbox)
        self.notices = Notices(sandbox)

    def snapshot(self) -> dict[str, Any]:
        return self.account.snapshot()

    def restore(self, saved: dict[str, Any]) -> None:
        self.account = Account.restored(saved)

    def reset(self, seed: str) -> None:
        if seed not in ("demo", "empty"):
            raise ValueError(f"There is no seed '{seed}', only 'demo' and 'empty'.")
        self.account = demo_account() if seed == "demo" else empty_account()
        self.budgets.clear()

    def seed(self, additions: dict[str, Any]) -> dict[str, Any]:
        try:
            return seed(self.account, additions)
        except ApiError as refused:
            raise ValueError(f"{refused.code}: {refused.detail}") from refused

    async def click(
        self, integration_id: str, entity_id: str, trigger: str, user: str | None = ""
    ) -> ClickOutcome:
        """A person's click. `user` is a member's id or e-mail; empty: the first admin; None: unnamed.

        Raises:
            ApiError: integration or entity are not there.
            ValueError: the trigger or the person is unknown.
        """
        if trigger not in TRIGGERS:
            raise ValueError(f"The trigger must be one of {', '.join(TRIGGERS)}.")
        workspace = self.workspace_of(integration_id)
        integration, entity = workspace.integration(integration_id), workspace.entity(entity_id)
        return await self.clicks.click(workspace, integration, entity, trigger, _person(workspace, user))

    def workspace_of(self, integration_id: str) -> Workspace:
        """The workspace that holds a plugin integration, else the first."""
        for workspace in self.account.workspaces.values():
            if integration_id in workspace.integrations:
                return workspace
        return next(iter(self.account.workspaces.values()))

    def control_routes(self) -> list[Route]:
        return [
            Route("/_sandbox/click", refusing(self._click), methods=["POST"]),
            Route("/_sandbox/nodes", self._nodes, methods=["GET"]),
        ]

    async def _click(self, request: Request) -> Response:
        asked = await json_object(request)
        try:
            outcome = await self.click(
                asked["integrationId"], asked["entityId"], asked["trigger"], asked.get("user", "")
            )
        except ApiError as refused:
            return refused.response()
        return JSONResponse(
            {"connection": outcome.connection, "answer_ms": outcome.answer_ms, "status": outcome.status}
        )

    async def _nodes(self, _request: Request) -> Response:
        workspaces = self.account.workspaces.values()
        nodes = [
            {"entityId": entity.id, "urn": urn, "content": content}
            for workspace in workspaces
            for entity in workspace.entities.values()
            for urn, content in entity.nodes.items()
        ]
        lost = [loss for workspace in workspaces for loss in workspace.lost_nodes]
        return JSONResponse({"nodes": nodes, "lost_nodes": lost})


def _person(workspace: Workspace, user: str | None) -> Member | None:
    if user is None:
        return None
    for member in workspace.members.values():
        if user in ("", member.id, member.email) and (user or member.role == "admin"):
            return member
    raise ValueError(f"Nobody in this workspace is '{user}'.")
