"""Productboard's shapes, and the way from and to ours. Unknown fields are ignored, absent ones are empty."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from keepstep.domain.column import Cell, CellState, Colour
from keepstep.domain.feature import Feature, FeatureStatus
from keepstep.domain.ids import FeatureId, StatusId
from keepstep.ports.productboard import FeatureChanges

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


def _bare(value: Any) -> Any:
    """A value with metadata comes as `{"value": ...}`, which the files allow for some fields."""
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _or_empty(value: Any) -> Any:
    bare = _bare(value)
    return "" if bare is None else bare


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Text = Annotated[str, BeforeValidator(_or_empty)]


class StatusWire(Wire):
    id: str
    name: str = ""


class TagWire(Wire):
    name: str = ""


class OwnerWire(Wire):
    email: Text = ""


class EntityFieldsWire(Wire):
    name: Text = ""
    description: Text = ""
    archived: Annotated[bool | None, BeforeValidator(_bare)] = None
    status: Annotated[StatusWire | None, BeforeValidator(_bare)] = None
    tags: Annotated[list[TagWire] | None, BeforeValidator(_bare)] = None
    owner: Annotated[OwnerWire | None, BeforeValidator(_bare)] = None


class LinksWire(Wire):
    html: str | None = None


def _listed(value: Any) -> Any:
    """The schema says `{"data": [...]}`, examples show the bare list."""
    return value.get("data", []) if isinstance(value, dict) else value


class TargetWire(Wire):
    id: str


class RelationshipWire(Wire):
    type: str
    target: TargetWire


class EntityWire(Wire):
    id: str
    type: str
    fields: EntityFieldsWire = EntityFieldsWire()
    links: LinksWire | None = None
    relationships: Annotated[list[RelationshipWire] | None, BeforeValidator(_listed)] = None
    created_at: datetime | None = Field(default=None, alias="createdAt")
    updated_at: datetime | None = Field(default=None, alias="updatedAt")


def parent_of(entity: EntityWire) -> str:
    return next((each.target.id for each in entity.relationships or () if each.type == "parent"), "")


def feature_from_wire(entity: EntityWire) -> Feature:
    """Entities without times are not documented, nor excluded: such a one counts as old."""
    status = entity.fields.status
    return Feature(
        id=FeatureId(entity.id),
        type=entity.type,
        title=entity.fields.name,
        description=entity.fields.description,
        status=FeatureStatus(StatusId(status.id), status.name) if status else None,
        archived=bool(entity.fields.archived),
        url=(entity.links.html if entity.links else None) or "",
        updated_at=_aware(entity.updated_at or entity.created_at or _LONG_AGO),
    )


def wire_from_changes(changes: FeatureChanges) -> dict[str, Any]:
    """The body of a PATCH: `fields`, or `patch` where something is emptied; both together are refused.

    Emptying goes by `clear`: whether the API takes "" or null for it is reported differently.
    """
    fields: dict[str, Any] = {}
    if changes.title is not None:
        fields["name"] = changes.title
    if changes.description is not None:
        fields["description"] = changes.description
    if changes.status is not None:
        fields["status"] = {"id": changes.status}
    if changes.description != "":
        return {"data": {"fields": fields}}
    operations = [
        {"op": "clear", "path": path} if value == "" else {"op": "set", "path": path, "value": value}
        for path, value in fields.items()
    ]
    return {"data": {"patch": operations}}


class StatusOptionFieldsWire(Wire):
    name: str = ""
    assigned: list[str] | None = Field(default=None, alias="assignedEntityTypes")


class StatusOptionWire(StatusOptionFieldsWire):
    """Flat in configurations, with `fields` in the list of values."""

    id: str
    fields: StatusOptionFieldsWire | None = None

    def fits(self, types: frozenset[str]) -> bool:
        assigned = (self.fields or self).assigned
        return assigned is None or not types.isdisjoint(assigned)

    def status(self) -> FeatureStatus:
        return FeatureStatus(StatusId(self.id), (self.fields or self).name)


class NextWire(Wire):
    next: str | None = None


class StatusValuesWire(Wire):
    data: list[StatusOptionWire] = []
    links: NextWire | None = None


class StatusFieldWire(Wire):
    values: StatusValuesWire | None = None


class ConfigurationFieldsWire(Wire):
    status: StatusFieldWire | None = None


class ConfigurationWire(Wire):
    type: str = ""
    fields: ConfigurationFieldsWire = ConfigurationFieldsWire()


class ActionWire(Wire):
    url: str = ""


class ColumnFieldsWire(Wire):
    type: str = ""
    action: ActionWire = ActionWire()
    status: str = Field(default="enabled", alias="integrationStatus")


class ColumnWire(Wire):
    id: str
    fields: ColumnFieldsWire = ColumnFieldsWire()


class NotificationWire(Wire):
    url: str = ""


class EventWire(Wire):
    event_type: str = Field(default="", alias="eventType")


class SubscriptionFieldsWire(Wire):
    events: list[EventWire] = []
    notification: NotificationWire = NotificationWire()


class SubscriptionWire(Wire):
    id: str
    fields: SubscriptionFieldsWire = SubscriptionFieldsWire()


class ReferenceWire(Wire):
    id: str


class ConnectionWire(Wire):
    state: Literal["initial", "progress", "connected", "error"]
    label: Text = ""
    hover_label: Text = Field(default="", alias="hoverLabel")
    tooltip: Text = ""
    color: Text = "gray"
    target_url: Text = Field(default="", alias="targetUrl")
    message: Text = ""


class ConnectionFieldsWire(Wire):
    connection: ConnectionWire


class CellWire(Wire):
    id: str = ""
    """The entity's id; in lists."""
    fields: ConnectionFieldsWire


_COLOURS: dict[str, Colour] = {each: each for each in get_args(Colour)}


def cell_from_wire(connection: ConnectionWire) -> Cell:
    match CellState(connection.state):
        case CellState.CONNECTED:
            return Cell(
                CellState.CONNECTED,
                label=connection.label,
                hover_label=connection.hover_label,
                tooltip=connection.tooltip,
                colour=_COLOURS.get(connection.color, "gray"),
                url=connection.target_url,
            )
        case CellState.ERROR:
            return Cell(CellState.ERROR, message=connection.message)
        case plain:
            return Cell(plain)


def wire_from_cell(cell: Cell) -> dict[str, Any]:
    """A click's answer and a PUT have the same body."""
    connection: dict[str, Any] = {"state": cell.state.value}
    if cell.state is CellState.CONNECTED:
        connection |= {
            "label": cell.label,
            "hoverLabel": cell.hover_label,
            "tooltip": cell.tooltip,
            "color": cell.colour,
            "targetUrl": cell.url,
        }
    elif cell.state is CellState.ERROR:
        connection["message"] = cell.message
    return {"data": {"fields": {"connection": connection}}}
