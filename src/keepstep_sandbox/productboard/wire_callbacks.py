"""Bodies about what Productboard calls: plugin integrations, connections, webhooks."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from keepstep_sandbox.productboard.wire import Open, Text255, UriText, UuidText, uri_text

# Whether http is fine too is the emulator's setting, so the scheme is looked at in callbacks.py.
CallbackUrl = Annotated[str, Field(max_length=1024), AfterValidator(uri_text)]
StateName = Literal["connected", "error", "progress", "initial"]
EventType = Literal[
    "feature.created",
    "feature.updated",
    "feature.deleted",
    "component.created",
    "component.updated",
    "product.created",
    "product.updated",
    "release.created",
    "release.updated",
    "release.deleted",
    "feature-release-assignment.updated",
    "hierarchy-entity.custom-field-value.updated",
    "note.created",
    "note.updated",
    "note.deleted",
    "insight.created",
    "insight.deleted",
    "key-result.created",
    "key-result.updated",
    "key-result.deleted",
    "objective.created",
    "objective.updated",
    "objective.deleted",
    "initiative.created",
    "initiative.updated",
    "initiative.deleted",
]


# Plugin integrations


class InitialState(Open):
    label: str = Field(min_length=1, max_length=10)


class CallbackHeaders(Open):
    authorization: str = Field(default="", max_length=2048)


class CallbackTarget(Open):
    """An action or a notification: where to call, and with which Authorization."""

    url: CallbackUrl
    version: Literal[1]
    headers: CallbackHeaders = CallbackHeaders()

    @property
    def authorization(self) -> str | None:
        return self.headers.authorization or None


class IntegrationCreateFields(Open):
    type: Text255
    name: Text255
    integrationStatus: Literal["enabled", "disabled"] = "enabled"  # noqa: N815 - the vendor's spelling
    initialState: InitialState  # noqa: N815
    action: CallbackTarget


class _IntegrationCreateData(Open):
    fields: IntegrationCreateFields


class IntegrationCreate(Open):
    data: _IntegrationCreateData


class IntegrationPatchFields(Open):
    """All optional; what was given is in `model_fields_set`. The defaults are never used."""

    name: Text255 = "-"
    integrationStatus: Literal["enabled", "disabled"] = "enabled"  # noqa: N815
    initialState: InitialState = InitialState(label="-")  # noqa: N815
    action: CallbackTarget = CallbackTarget(url="https://-", version=1)


class _IntegrationPatchData(Open):
    fields: IntegrationPatchFields


class IntegrationPatch(Open):
    data: _IntegrationPatchData


# Connections


class ConnectedState(Open):
    state: Literal["connected"]
    label: str = Field(min_length=1, max_length=20)
    hoverLabel: str = Field(min_length=1, max_length=20)  # noqa: N815
    tooltip: str = Field(min_length=1, max_length=50)
    color: Literal["gray", "blue", "green", "yellow", "orange", "red", "purple"]
    targetUrl: Annotated[UriText, Field(min_length=1, max_length=1000)]  # noqa: N815


class ErrorState(Open):
    state: Literal["error"]
    message: Text255
    # Read-only at the vendor's: taken, checked, and dropped.
    debugDetail: str = Field(default="", max_length=8000, exclude=True)  # noqa: N815


class ProgressState(Open):
    state: Literal["progress"]


class InitialConnectionState(Open):
    state: Literal["initial"]


class _ConnectionFields(Open):
    connection: Annotated[
        ConnectedState | ErrorState | ProgressState | InitialConnectionState, Field(discriminator="state")
    ]


class _ConnectionData(Open):
    fields: _ConnectionFields


class ConnectionBody(Open):
    """A PUT of a connection, and the answer to a click: the same shape, the same rules."""

    data: _ConnectionData

    @property
    def state(self) -> dict[str, Any]:
        return self.data.fields.connection.model_dump()


class ConnectionFilter(Open):
    state: list[StateName] = Field(default_factory=list)
    entityId: list[UuidText] = Field(default_factory=list)  # noqa: N815


class _ConnectionSearchData(Open):
    filter: ConnectionFilter = ConnectionFilter()


class ConnectionSearch(Open):
    data: _ConnectionSearchData = _ConnectionSearchData()


# Webhooks


class WebhookEvent(Open):
    eventType: EventType  # noqa: N815


def _without_doubles(events: list[WebhookEvent]) -> list[WebhookEvent]:
    if len({event.eventType for event in events}) < len(events):
        raise ValueError("must not contain duplicates")
    return events


class WebhookFields(Open):
    name: Text255
    events: Annotated[list[WebhookEvent], Field(min_length=1), AfterValidator(_without_doubles)]
    notification: CallbackTarget


class _WebhookData(Open):
    fields: WebhookFields


class WebhookCreate(Open):
    data: _WebhookData
