"""Which features a person means: names become ids, and what nobody has is told with what there is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from keepstep.app.context import Context
from keepstep.app.opening import open_board
from keepstep.domain.bulk import FeatureSelection
from keepstep.domain.errors import InvalidInputError
from keepstep.domain.ids import IntegrationId
from keepstep.ports.productboard import Place, SelectionChoices

_SHOWN = 20
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Asked:
    """As entered: statuses and place by name or id, tags by name."""

    text: str = ""
    statuses: Sequence[str] = ()
    tags: Sequence[str] = ()
    place: str = ""
    owner: str = ""
    subfeatures: bool = False


async def choices(ctx: Context, integration_id: IntegrationId) -> SelectionChoices:
    """Raises the errors of the outside."""
    async with ctx.storage.begin() as uow:
        integration = await uow.integrations.get(integration_id)
    return await (await open_board(ctx, integration)).workspace.list_choices()


async def select(ctx: Context, integration_id: IntegrationId, asked: Asked) -> tuple[FeatureSelection, str]:
    """The selection, and its words for people. Raises InvalidInputError, which names the field."""
    known = SelectionChoices()
    if asked.statuses or asked.tags or asked.place:
        known = await choices(ctx, integration_id)
    statuses = [
        _one("status", each, known.statuses, lambda one: (one.id, one.name)) for each in asked.statuses
    ]
    tags = [_one("tag", each, known.tags, lambda one: ("", one)) for each in asked.tags]
    place = _one("place", asked.place, known.places, _names_of_place) if asked.place else None
    selection = FeatureSelection(
        text=asked.text.strip(),
        statuses=tuple(each.id for each in statuses),
        tags=tuple(tags),
        place=place.id if place else "",
        owner=asked.owner.strip(),
        subfeatures=asked.subfeatures,
    )
    words = [
        _any("status", (each.name for each in statuses)),
        _any("tag", tags),
        f"in {place.name}" if place else "",
        f"owner {selection.owner}" if selection.owner else "",
        f"title with “{selection.text}”" if selection.text else "",
    ]
    kinds = "Features and subfeatures" if selection.subfeatures else "Features"
    return selection, f"{kinds}: {', '.join(filter(None, words)) or 'all'}"


def _names_of_place(place: Place) -> tuple[str, str]:
    return place.id, place.name


def _any(what: str, names: Iterable[str]) -> str:
    joined = " or ".join(names)
    return f"{what} {joined}" if joined else ""


def _one(field: str, wanted: str, known: Sequence[_T], names: Callable[[_T], tuple[str, str]]) -> _T:
    """By id or name, case aside."""
    asked = wanted.strip().casefold()
    found = [each for each in known if asked in (name.casefold() for name in names(each))]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInputError(field, f"Several are called “{wanted}”: name the {field} by its id.")
    there = ", ".join(names(each)[1] for each in known[:_SHOWN]) or "none"
    more = " and more" if len(known) > _SHOWN else ""
    raise InvalidInputError(
        field, f"There is no {field} “{wanted}” in Productboard. There are: {there}{more}."
    )
