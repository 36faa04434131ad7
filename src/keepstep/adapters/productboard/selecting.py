"""Features by what people select them by: status, tag, place, owner, words of the title.

The search narrows by status and parent, which all reports agree on. Everything is then looked at once more here: a
filter by name was seen to be ignored, and one by tag is described for fields of one's own only.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from keepstep.adapters.http import Call
from keepstep.adapters.productboard.client import BoardClient
from keepstep.adapters.productboard.wire import EntityWire, StatusOptionWire, parent_of
from keepstep.domain.bulk import FeatureSelection
from keepstep.domain.feature import PUSHABLE_TYPES
from keepstep.ports.errors import RejectedError
from keepstep.ports.productboard import Place

FIELDS = ("name", "description", "status", "archived")
_PLACES = ("product", "component")
_PARENTS = 100
"""How many parents a search may name is unknown; as many as a page holds."""
_HIDDEN = "[redacted]"
"""What an e-mail address reads without the right to see it."""


def search(thing: str, criteria: Mapping[str, object], fields: Sequence[str] = FIELDS) -> Call:
    """The explicit list of fields makes absence unambiguous."""
    body = {"data": {"filter": criteria, "return": {"fields": list(fields)}}}
    return Call("POST", "/entities/search", thing, body=body, right="entities:read", reads=True)


async def list_tags(client: BoardClient) -> Sequence[str]:
    params = tuple(("assignedEntityType[]", each) for each in sorted(PUSHABLE_TYPES))
    call = Call("GET", "/entities/fields/tags/values", "the tags", params, right="entities:read")
    options = [
        reply.parse(StatusOptionWire, each).status().name
        async for reply, page in client.pages(call)
        for each in page
    ]
    return sorted(set(options), key=str.casefold)


async def list_places(client: BoardClient) -> Sequence[Place]:
    """Products and components, by name."""
    found = []
    for kind in _PLACES:
        call = Call("GET", "/entities", f"the {kind}s", (("type[]", kind),), right="entities:read")
        async for reply, page in client.pages(call):
            entities = [reply.parse(EntityWire, each) for each in page]
            found += [Place(each.id, each.fields.name, kind, parent_of(each)) for each in entities]
    return sorted(found, key=lambda place: place.name.casefold())


async def iter_selected(client: BoardClient, selection: FeatureSelection) -> AsyncIterator[EntityWire]:
    """One type a search, as elsewhere. Each entity comes once, whatever the pages repeat."""
    seen: set[str] = set()
    places = await _with_places_below(client, selection.place) if selection.place else [""]
    async for entity in _iter_fitting(client, "feature", places, selection):
        if entity.id not in seen:
            seen.add(entity.id)
            yield entity
    if not selection.subfeatures:
        return
    async for entity in _iter_fitting(
        client, "subfeature", await _features_in(client, selection, places), selection
    ):
        if entity.id not in seen:
            seen.add(entity.id)
            yield entity


async def _features_in(
    client: BoardClient, selection: FeatureSelection, places: Sequence[str]
) -> Sequence[str]:
    """A subfeature's place is its feature's, whatever else that feature is."""
    if not selection.place:
        return [""]
    return [each.id async for each in _iter_in(client, "feature", places, {}, FIELDS[:1])]


async def _iter_fitting(
    client: BoardClient, kind: str, parents: Sequence[str], selection: FeatureSelection
) -> AsyncIterator[EntityWire]:
    wanted: dict[str, object] = {"archived": False}
    if selection.statuses:
        wanted["status"] = [{"id": each} for each in selection.statuses]
    fields = (*FIELDS, *(("tags",) if selection.tags else ()), *(("owner",) if selection.owner else ()))
    async for entity in _iter_in(client, kind, parents, wanted, fields):
        if _fits(entity, selection):
            yield entity


async def _iter_in(
    client: BoardClient,
    kind: str,
    parents: Sequence[str],
    wanted: Mapping[str, object],
    fields: Sequence[str],
) -> AsyncIterator[EntityWire]:
    """`parents` may be [""]: anywhere."""
    for some in _chunks(parents):
        criteria: dict[str, object] = {"type": [kind]}
        if wanted:
            criteria["fields"] = dict(wanted)
        if some != [""]:
            criteria["relationships"] = {"parent": [{"id": each} for each in some]}
        async for reply, page in client.pages(search(f"the selected {kind}s", criteria, fields)):
            for each in page:
                yield reply.parse(EntityWire, each)


def _chunks(parents: Sequence[str]) -> Iterator[list[str]]:
    return (list(parents[at : at + _PARENTS]) for at in range(0, len(parents), _PARENTS))


async def _with_places_below(client: BoardClient, place: str) -> Sequence[str]:
    places, wanted = await list_places(client), [place]
    for parent in wanted:
        wanted += [each.id for each in places if each.parent == parent and each.id not in wanted]
    return wanted


def _fits(entity: EntityWire, selection: FeatureSelection) -> bool:
    fields = entity.fields
    if selection.owner and fields.owner is not None and fields.owner.email == _HIDDEN:
        raise RejectedError(
            "The Productboard token may not read the members' e-mail addresses: select without an owner.",
            field="owner",
        )
    return (
        not fields.archived
        and selection.text.casefold() in fields.name.casefold()
        and (not selection.statuses or (fields.status is not None and fields.status.id in selection.statuses))
        and (not selection.tags or any(tag.name in selection.tags for tag in fields.tags or ()))
        and (
            not selection.owner
            or (
                fields.owner is not None
                and fields.owner.email.casefold() == selection.owner.strip().casefold()
            )
        )
    )
