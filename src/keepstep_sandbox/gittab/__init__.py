"""GitTab: the tracker that ships with Keepstep, as an emulator. It speaks a true subset of GitLab's REST v4.

What is here answers as GitLab does, so that GitLab's own client libraries work; what is not here answers 404.
GitTab's own, and clearly not GitLab's: the webhook for a deleted issue (`object_attributes.action: "delete"`), which
has to be seeded on; and the pages, which act as the visitor without a login.
"""

from starlette.routing import Route

from keepstep_sandbox.app import Sandbox, SandboxApp, SandboxConfig, build_app
from keepstep_sandbox.gittab.api import build_api
from keepstep_sandbox.gittab.api.endpoint import PREFIX
from keepstep_sandbox.gittab.emulator import GitTab, with_gitlab_limit
from keepstep_sandbox.gittab.pages import page_routes

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


def create_app(config: SandboxConfig) -> SandboxApp:
    """The ASGI app; `.state.sandbox` is its Sandbox, `.state.sandbox.emulator` its GitTab."""
    sandbox = Sandbox(with_gitlab_limit(config))
    gittab = GitTab(sandbox)
    sandbox.adopt(gittab)
    api = Route(f"{PREFIX}/{{rest:path}}", build_api(gittab).answer, methods=_METHODS)
    routes = [api, *page_routes(gittab)]
    return build_app(sandbox, routes, api_prefix=f"{PREFIX}/")
