"""Members of the workspace, for assignees. Without `members:pii:read`, people are shown as `[redacted]`."""

from collections.abc import Iterable
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keepstep_sandbox.productboard.errors import invalid, not_found
from keepstep_sandbox.productboard.gate import Call, Gate
from keepstep_sandbox.productboard.state import Member
from keepstep_sandbox.productboard.wire_entities import MemberSearch

_ROLES = ("admin", "maker", "viewer", "contributor")
_REDACTED = "[redacted]"


def member_routes(gate: Gate) -> list[Route]:
    return [
        gate.route("GET", "/members", "members:read", _list),
        gate.route("POST", "/members/search", "members:read", _search),
        gate.route("GET", "/members/{id}", "members:read", _get),
    ]


def _shown(call: Call, member: Member) -> dict[str, Any]:
    visible = call.has_scope("members:pii:read")
    teams = [call.workspace.options["teams"][team_id] for team_id in member.teams]
    return {
        "id": member.id,
        "type": "member",
        "fields": {
            "name": member.name if visible else _REDACTED,
            "username": member.email.partition("@")[0] if visible else _REDACTED,
            "email": member.email if visible else _REDACTED,
            "role": member.role,
            "disabled": member.disabled,
            "invitationPending": member.invitation_pending,
            "teams": [
                {"id": team.id, "name": team.name, "links": {"self": f"{call.api}/teams/{team.id}"}}
                for team in teams
            ],
        },
        "links": {"self": f"{call.api}/members/{member.id}", "html": f"{call.base}/?member={member.id}"},
    }


def _present(members: Iterable[Member], *, disabled: bool, pending: bool) -> list[Member]:
    return [
        member
        for member in members
        if (disabled or not member.disabled) and (pending or not member.invitation_pending)
    ]


def _matches(member: Member, query: str | None) -> bool:
    return query is None or query.casefold() in f"{member.name} {member.email}".casefold()


async def _list(call: Call) -> Response:
    query = call.request.query_params.get("query")
    if query is not None and not 1 <= len(query) <= 255:
        raise invalid("'query' must have 1 to 255 characters.", parameter="query")
    roles = call.listed("roles", _ROLES)
    pending = call.flag("includeInvitationPending") or call.flag("includeInvited")
    present = _present(
        call.workspace.members.values(), disabled=bool(call.flag("includeDisabled")), pending=bool(pending)
    )
    found = [member for member in present if _matches(member, query) and (not roles or member.role in roles)]
    return call.page(found, lambda member: _shown(call, member))


async def _get(call: Call) -> Response:
    member = call.workspace.members.get(call.path_id("id", "member"))
    if member is None:
        raise not_found("member")
    return JSONResponse({"data": _shown(call, member)})


def _many(value: str | list[Any]) -> list[str]:
    return [value] if isinstance(value, str) else value


async def _search(call: Call) -> Response:
    data = call.body(MemberSearch).data
    wanted, fields, shown = data.filter, data.filter.fields, data.return_
    given = fields.model_fields_set
    # Asking for disabled or pending members by filter includes them.
    present = _present(
        call.workspace.members.values(),
        disabled=shown.includeDisabled or "disabled" in given,
        pending=shown.includeInvitationPending or "invitationPending" in given,
    )
    ids, roles = _many(wanted.id), _many(fields.role)
    emails = [email.lower() for email in _many(fields.email)]
    found = [
        member
        for member in present
        if (not ids or member.id in ids)
        and (not emails or member.email.lower() in emails)
        and (not roles or member.role in roles)
        and ("disabled" not in given or member.disabled == fields.disabled)
        and ("invitationPending" not in given or member.invitation_pending == fields.invitationPending)
        and _matches(member, data.search.query)
    ]
    return call.page(found, lambda member: _shown(call, member))
