"""Who calls the API: the bearer token, and the name under which the journal keeps what it does."""

from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPBearer

from keepstep.ports.people import ApiToken
from keepstep.web.admin.session import require_token

_SCHEME = HTTPBearer(
    scheme_name="token",
    description="A token of this service, `ks_...`, made on the page *People and tokens* or by `keepstep admin token`.",
    auto_error=False,
)
"""For the description only: `require_token` decides."""


async def _actor(token: Annotated[ApiToken, Depends(require_token)]) -> str:
    return f"api:{token.name}"


ActorDep = Annotated[str, Depends(_actor)]
GUARDS = [Security(_SCHEME), Depends(require_token)]
