"""An emulator of Productboard: API v2, callbacks, and pages on which a person can click, edit and watch."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from keepstep_sandbox.app import Sandbox, SandboxApp, SandboxConfig, build_app
from keepstep_sandbox.productboard.board import board_routes
from keepstep_sandbox.productboard.configuration_api import configuration_routes
from keepstep_sandbox.productboard.emulator import ProductboardEmulator
from keepstep_sandbox.productboard.entities_api import EntitiesApi
from keepstep_sandbox.productboard.gate import Gate, route_not_found
from keepstep_sandbox.productboard.integrations_api import integration_routes
from keepstep_sandbox.productboard.members_api import member_routes
from keepstep_sandbox.productboard.webhooks_api import webhook_routes

__all__ = ["create_app"]
_ANY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE"]


async def _gone(_request: Request) -> Response:
    """v1, whose addresses still stand in webhooks and clicks, was switched off on 2026-07-08."""
    return Response(status_code=410)


def create_app(config: SandboxConfig) -> SandboxApp:
    """The emulator as an ASGI app; `app.state.sandbox` holds its journal, faults, deliveries and state."""
    sandbox = Sandbox(config)
    emulator = ProductboardEmulator(sandbox)
    sandbox.adopt(emulator)
    gate = Gate(sandbox, lambda: emulator.account, emulator.budgets)
    routes = [
        *emulator.control_routes(),
        *integration_routes(gate),
        *webhook_routes(gate),
        *configuration_routes(gate),
        *EntitiesApi(emulator.notices).routes(gate),
        *member_routes(gate),
        *board_routes(emulator),
        Route("/v2/{rest:path}", route_not_found, methods=_ANY_METHOD),
        *(
            Route(f"/{kind}/{{rest:path}}", _gone)
            for kind in ("features", "components", "products", "hierarchy-entities")
        ),
    ]
    return build_app(sandbox, routes, api_prefix="/v2")
