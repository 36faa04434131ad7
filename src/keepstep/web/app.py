"""The web application: routes, error answers and guards put together. Built by bootstrap, tested over ASGI."""

from collections.abc import Iterable

from fastapi import APIRouter, FastAPI
from fastapi.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from keepstep.web import errors, health
from keepstep.web.admin.layout import PUBLIC_STATIC, STATIC
from keepstep.web.admin.routes import routers
from keepstep.web.deps import Services
from keepstep.web.guards import BodyLimit, SecurityHeaders

_BODY_LIMIT = 1024 * 1024
_HOOK_LIMIT = 8 * 1024 * 1024
"""A tracker's notification may carry a description of 1 MiB several times over: now, before, and escaped."""

_BODY_SECONDS = 30.0


class _Static(StaticFiles):
    """Kept for a year when asked for by fingerprint, else checked by ETag each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        lasting = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response


def create_app(
    services: Services, doors: Iterable[APIRouter] = (), *, body_seconds: float = _BODY_SECONDS
) -> FastAPI:
    """`doors` are the routes of Productboard's column, the webhooks and the JSON API.

    `body_seconds`: by then the whole of a body has to be here.
    """
    app = FastAPI(
        title="Keepstep",
        version=services.version,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.services = services
    errors.install(app)
    app.add_middleware(BodyLimit, limit=_BODY_LIMIT, seconds=body_seconds, larger={"/hooks/": _HOOK_LIMIT})
    app.add_middleware(SecurityHeaders, https=services.secure_cookies)
    for path in ("/static", PUBLIC_STATIC):
        app.mount(path, _Static(directory=STATIC), name=path)
    app.include_router(health.router)
    for router in (*doors, *routers()):
        app.include_router(router)
    return app
