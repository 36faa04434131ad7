"""Productboard's calls to us: clicks and notifications. Who calls is proven before, by `Authorization`.

A notification names neither actor nor time nor values, and has no id of its own: it is a hint to read again. Its
addresses (`links.target`, `feature.links.self`) are v1's even in v2's files and are never followed.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keepstep.adapters.productboard.wire import wire_from_cell
from keepstep.domain.column import Cell
from keepstep.domain.ids import FeatureId
from keepstep.ports.errors import UnreadableError
from keepstep.ports.productboard import ColumnClick, FeatureNotice

_ID = r"^[A-Za-z0-9_-]{1,100}$"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_LONGEST_WORD = 200
_Model = TypeVar("_Model", bound=BaseModel)


class _Incoming(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Page(_Incoming):
    html: str | None = None


class _Clicked(_Incoming):
    id: str = Field(pattern=_ID)
    links: _Page | None = None


class _Person(_Incoming):
    name: str | None = None
    email: str | None = None


class _Click(_Incoming):
    integration: str = Field(alias="integrationId", pattern=_ID)
    trigger: str = Field(min_length=1, max_length=_LONGEST_WORD)
    feature: _Clicked
    """Named so for any entity: the type is told by reading it."""
    user: _Person | None = Field(default=None, alias="triggeredByUser")


class _Target(_Incoming):
    target: str | None = None


class _Notification(_Incoming):
    event: str = Field(alias="eventType", min_length=1, max_length=_LONGEST_WORD)
    id: str | None = Field(default=None, pattern=_ID)
    links: _Target | None = None


class ProductboardWire:
    def read_click(self, body: bytes) -> ColumnClick:
        click = _read(_Click, _data(body), "a click on the column")
        user = click.user or _Person()
        return ColumnClick(
            trigger=click.trigger,
            column=click.integration,
            feature=FeatureId(click.feature.id),
            feature_url=(click.feature.links.html if click.feature.links else None) or "",
            actor=user.name or user.email or "",
        )

    def read_notification(self, body: bytes) -> Sequence[FeatureNotice]:
        """One, as documented, or a list, as a client has guarded against."""
        data = _data(body)
        found = data if isinstance(data, list) else [data]
        return [_notice(_read(_Notification, each, "a notification")) for each in found]

    def write_answer(self, cell: Cell) -> dict[str, object]:
        return wire_from_cell(cell)


def _notice(notification: _Notification) -> FeatureNotice:
    """Events of other things (notes, releases, ...) concern no feature.

    `feature` covered subfeatures in v1 and likely does in v2; `subfeature` does not exist, but would be welcome.
    """
    kind, _, what = notification.event.partition(".")
    if kind not in ("feature", "subfeature"):
        return FeatureNotice(notification.event, None, deleted=False)
    feature = notification.id or _last_id(notification.links)
    return FeatureNotice(
        notification.event,
        FeatureId(feature) if feature else None,
        deleted=what == "deleted" and bool(feature),
    )


def _last_id(links: _Target | None) -> str | None:
    found = _UUID.findall((links.target if links else None) or "")
    return found[-1] if found else None


def _data(body: bytes) -> Any:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("The body is not JSON.") from error
    if not isinstance(content, dict) or "data" not in content:
        raise UnreadableError('The body has to be {"data": ...}.')
    return content["data"]


def _read(model: type[_Model], data: Any, what: str) -> _Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(["data", *(str(part) for part in first["loc"])])
        raise UnreadableError(f"This is not {what}: {place}: {first['msg']}.") from error
