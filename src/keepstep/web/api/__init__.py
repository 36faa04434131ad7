"""The JSON API under /api/v1: the same use cases as the pages, for scripts.

`router` is one of the doors of `create_app`; `describe` gives the OpenAPI document its words.
"""

from fastapi import APIRouter, FastAPI

from keepstep.web.api import bulk, checks, integrations, journal, links, overview, trackers
from keepstep.web.api.access import GUARDS
from keepstep.web.api.models import ALWAYS

_DESCRIPTION = """\
Everything the pages can do, for scripts. Send a token as `Authorization: Bearer ks_...`; one is made on the page
*People and tokens*, or by `keepstep admin token`.

- Lists answer `{"items": [...], "total": n, "offset": n, "limit": n}`.
- Times are ISO 8601 in UTC.
- What goes wrong answers `{"error": {"code", "message", ...}}`; `field` names what has to be changed in the request.
- 202 means that the work goes on by itself; ask again to see how far it is.
- Productboard's and the tracker's tokens can be sent, never read: at most their last four characters are shown.
"""

_TAGS = [
    {
        "name": "integrations",
        "description": "One integration is one column: a workspace, a tracker's project, rules.",
    },
    {"name": "links", "description": "One feature and one ticket that are kept in step."},
    {"name": "bulk", "description": "Many features pushed, or linked with tickets that exist, as one run."},
    {"name": "journal", "description": "What Keepstep did and why; values can be put back."},
    {"name": "overview", "description": "What needs a person, and how the installation is."},
    {"name": "trackers", "description": "The kinds of trackers that this build knows."},
    {"name": "checks", "description": "Trying credentials and looking around before an integration is made."},
]

router = APIRouter(prefix="/api/v1", dependencies=GUARDS, responses=dict(ALWAYS))
for _part in (integrations, links, bulk, journal, overview, trackers, checks):
    router.include_router(_part.router)


def describe(app: FastAPI) -> None:
    app.title = "Keepstep API"
    app.description = _DESCRIPTION
    app.openapi_tags = _TAGS
