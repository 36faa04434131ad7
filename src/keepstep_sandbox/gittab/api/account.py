"""Who the token is, what it may, and which server this is."""

from starlette.responses import JSONResponse, Response

from keepstep_sandbox.gittab.api.endpoint import READ, Call, Endpoint
from keepstep_sandbox.gittab.errors import not_found, unauthorized
from keepstep_sandbox.gittab.webhooks import INSTANCE_VERSION

_REVISION = "gittab"


def _me(call: Call) -> Response:
    return JSONResponse(call.gittab.wire.me(call.me))


def _token(call: Call) -> Response:
    if call.token is None:
        raise unauthorized()
    return JSONResponse(call.gittab.wire.token(call.token))


def _user(call: Call) -> Response:
    user = call.state.users.get(call.number("user_id"))
    if user is None:
        raise not_found("User")
    return JSONResponse(call.gittab.wire.user(user))


def _users(call: Call) -> Response:
    """Only by exact username; the list of everybody is an admin's."""
    user = call.state.user_named(call.params.text("username") or "")
    return JSONResponse([call.gittab.wire.user(user)] if user is not None else [])


def _version(_call: Call) -> Response:
    return JSONResponse({"version": INSTANCE_VERSION, "revision": _REVISION})


def _metadata(_call: Call) -> Response:
    return JSONResponse(
        {
            "version": INSTANCE_VERSION,
            "revision": _REVISION,
            "kas": {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None},
            "enterprise": False,
        }
    )


ACCOUNT = [
    Endpoint("GET", "/user", _me, (*READ, "read_user")),
    Endpoint("GET", "/users", _users, (*READ, "read_user")),
    Endpoint("GET", "/users/:user_id", _user, (*READ, "read_user")),
    Endpoint("GET", "/personal_access_tokens/self", _token, ()),
    Endpoint("GET", "/version", _version, (*READ, "read_user")),
    Endpoint("GET", "/metadata", _metadata, (*READ, "read_user")),
]
