"""The mapping as it stands: what goes where under which rule, and which status stands for which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from keepstep.app.overview import view_integration
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import IntegrationId, StatusId
from keepstep.domain.integration import Integration
from keepstep.domain.policy import FieldPolicy
from keepstep.web.admin.layout import render
from keepstep.web.admin.names import StatusDirectory, StatusNames
from keepstep.web.admin.session import PersonDep
from keepstep.web.deps import ContextDep

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Translation:
    """One status and what it becomes on the other side; "" where nothing is chosen."""

    source: str
    target: str


@router.get("/integrations/{integration_id}/rules")
async def rules(request: Request, ctx: ContextDep, integration_id: str, _person: PersonDep) -> Response:
    view = await view_integration(ctx, IntegrationId(integration_id))
    integration = view.row.integration
    names = await StatusDirectory.of(request).all_names(ctx, integration)
    return render(
        request,
        "integration/rules.html",
        view=view,
        section="mapping",
        fields=_fields(integration),
        to_ticket=_translations(names, Side.FEATURE, integration.policy.status_map.to_ticket),
        to_feature=_translations(names, Side.TICKET, integration.policy.status_map.to_feature),
        complete=all(names.known.get(side) for side in Side),
        place="integrations",
    )


def _fields(integration: Integration) -> Sequence[tuple[Field, FieldPolicy]]:
    return [(each, integration.policy.of(each)) for each in Field]


def _translations(
    names: StatusNames, source: Side, chosen: Mapping[StatusId, StatusId]
) -> Sequence[Translation]:
    """Every status of that side in its own order; then those that are mapped but no longer there."""
    there = names.known.get(source, {})
    known = [*there, *(each for each in chosen if each not in there)]
    found = [(each, chosen.get(StatusId(each))) for each in known]
    return [
        Translation(names.of(source, each), names.of(source.other, target) if target else "")
        for each, target in found
    ]
