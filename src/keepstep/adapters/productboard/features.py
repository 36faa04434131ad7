"""Workspace and features: looking around, reading, writing, and what has changed since."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from keepstep.adapters.http import Call, segment
from keepstep.adapters.productboard.client import BoardClient
from keepstep.adapters.productboard.selecting import FIELDS, iter_selected, list_places, list_tags, search
from keepstep.adapters.productboard.wire import (
    ConfigurationWire,
    EntityWire,
    StatusOptionWire,
    feature_from_wire,
    wire_from_changes,
)
from keepstep.domain.bulk import FeatureSelection
from keepstep.domain.feature import PUSHABLE_TYPES, Feature, FeatureStatus
from keepstep.domain.ids import FeatureId
from keepstep.ports.errors import RejectedError
from keepstep.ports.productboard import FeatureChanges, SelectionChoices, WorkspaceFacts

_ASKED_FIELDS = tuple(("fields[]", each) for each in FIELDS)
_IDS = 100
"""How many ids a search may name is unknown; a page holds as many."""
_PUBLIC_DOMAIN = ".productboard.com"

_FEATURES = Call(
    "GET", "/entities", "the features", (("type[]", "feature"), *_ASKED_FIELDS), right="entities:read"
)
_RIGHTS = (
    _FEATURES,
    Call("GET", "/plugin-integrations", "the columns", right="plugin-integrations:read"),
    Call("GET", "/webhooks", "the webhooks", right="webhooks:read"),
)


class ProductboardWorkspace:
    def __init__(self, client: BoardClient) -> None:
        self._client = client

    async def verify(self) -> WorkspaceFacts:
        """Reads one page of everything we need to read; the rights to write cannot be asked for."""
        missing = []
        name = self._client.host
        for call in _RIGHTS:
            try:
                reply, data = await self._client.fetch(call)
            except RejectedError as error:
                if error.status != 403:
                    raise
                missing.append(str(error))
                continue
            if call is _FEATURES:
                found = [feature_from_wire(reply.parse(EntityWire, each)) for each in reply.items(data)]
                name = _workspace_name(found) or name
        return WorkspaceFacts(name, tuple(missing))

    async def list_statuses(self) -> Sequence[FeatureStatus]:
        params = tuple(("type[]", each) for each in sorted(PUSHABLE_TYPES))
        call = Call("GET", "/entities/configurations", "the statuses", params, right="entities:read")
        options: dict[str, StatusOptionWire] = {}
        more = False
        async for reply, page in self._client.pages(call):
            for each in page:
                field = reply.parse(ConfigurationWire, each).fields.status
                if field and field.values:
                    options |= {option.id: option for option in field.values.data if option.id not in options}
                    more = more or bool(field.values.links and field.values.links.next)
        if more:
            options |= {each.id: each for each in await self._all_status_values() if each.id not in options}
        return [each.status() for each in options.values() if each.fits(PUSHABLE_TYPES)]

    async def _all_status_values(self) -> Sequence[StatusOptionWire]:
        """A configuration holds up to a thousand values; more are behind this list."""
        params = tuple(("assignedEntityType[]", each) for each in sorted(PUSHABLE_TYPES))
        call = Call("GET", "/entities/fields/status/values", "the statuses", params, right="entities:read")
        return [
            reply.parse(StatusOptionWire, each)
            async for reply, page in self._client.pages(call)
            for each in page
        ]

    async def sample_features(self, limit: int = 20) -> Sequence[Feature]:
        sample: list[Feature] = []
        async for reply, page in self._client.pages(_FEATURES):
            sample += [feature_from_wire(reply.parse(EntityWire, each)) for each in page]
            if len(sample) >= limit:
                break
        return sample[:limit]

    async def list_choices(self) -> SelectionChoices:
        tags, places = await list_tags(self._client), await list_places(self._client)
        return SelectionChoices(await self.list_statuses(), tags, places)


def _workspace_name(features: Sequence[Feature]) -> str:
    """The API has no name for it, but the pages' addresses begin with one: https://acme.productboard.com/..."""
    for each in features:
        host = urlsplit(each.url).netloc
        if host:
            return host.removesuffix(_PUBLIC_DOMAIN)
    return ""


class ProductboardFeatures:
    def __init__(self, client: BoardClient) -> None:
        self._client = client

    async def fetch_feature(self, feature: FeatureId) -> Feature:
        path = f"/entities/{segment(feature)}"
        call = Call("GET", path, f"the feature {feature}", _ASKED_FIELDS, right="entities:read")
        try:
            reply, data = await self._client.fetch(call)
        except RejectedError as error:
            if error.status not in (400, 422):
                raise
            # A field that is configured is not always selectable on every type of entity (seen by others on the live
            # service). The default answer has the non-empty fields, which is as good.
            reply, data = await self._client.fetch(replace(call, params=()))
        return feature_from_wire(reply.parse(EntityWire, data))

    async def list_features(self, features: Sequence[FeatureId]) -> Sequence[Feature]:
        """A search by ids, of any type: what a feature was turned into is still there."""
        found: dict[FeatureId, Feature] = {}
        for some in (features[at : at + _IDS] for at in range(0, len(features), _IDS)):
            call = search("the linked features", {"id": list(some)})
            async for reply, page in self._client.pages(call):
                entities = [feature_from_wire(reply.parse(EntityWire, each)) for each in page]
                found |= {each.id: each for each in entities}
        return list(found.values())

    async def write_feature(self, feature: FeatureId, changes: FeatureChanges) -> None:
        if changes == FeatureChanges():
            return
        path = f"/entities/{segment(feature)}"
        body = wire_from_changes(changes)
        await self._client.send(
            Call("PATCH", path, f"the feature {feature}", body=body, right="entities:write", answers=False)
        )

    async def iter_changed(self, kind: str, since: datetime) -> AsyncIterator[Feature]:
        """One type a search: one paragraph of the vendor's file forbids several, one example shows them."""
        moment = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        call = search(f"changed {kind}s", {"type": [kind], "updatedAt": {"from": moment}})
        seen: set[tuple[str, datetime]] = set()
        async for reply, page in self._client.pages(call):
            for each in page:
                feature = feature_from_wire(reply.parse(EntityWire, each))
                # Whether pages may repeat an item while others are being changed is unknown.
                if (feature.id, feature.updated_at) not in seen:
                    seen.add((feature.id, feature.updated_at))
                    yield feature

    async def iter_selected(self, selection: FeatureSelection) -> AsyncIterator[Feature]:
        async for entity in iter_selected(self._client, selection):
            yield feature_from_wire(entity)
