"""A request's parameters as Grape sees them: query, JSON or form in one bag, coerced on asking, unknown ones ignored.

A parameter can be missing, null or a value, and for an update these three differ: `has` tells.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from starlette.requests import Request

from keepstep_sandbox.gittab.errors import bad_parameter
from keepstep_sandbox.gittab.moments import stamp

_TRUE = frozenset({"true", "t", "1", "on", "yes"})
_FALSE = frozenset({"false", "f", "0", "off", "no"})
_NUMBER = re.compile(r"-?\d{1,18}")


def whole(value: Any, name: str) -> int:
    """Raises Grape's refusal for anything but a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return int(value)
    raise bad_parameter(f"{name} is invalid")


class Params:
    """Typed views of the bag; each raises Grape's refusal for a value that does not fit."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def has(self, name: str) -> bool:
        return name in self._values

    def has_any(self, names: Iterable[str]) -> bool:
        return any(name in self._values for name in names)

    def raw(self, name: str) -> Any:
        return self._values.get(name)

    def require(self, *names: str) -> None:
        missing = [f"{name} is missing" for name in names if name not in self._values]
        if missing:
            raise bad_parameter(", ".join(missing))

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise bad_parameter(f"{name} is invalid")

    def number(self, name: str, default: int | None = None) -> int | None:
        value = self._values.get(name)
        return default if value in (None, "") else whole(value, name)

    def flag(self, name: str) -> bool | None:
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        if word == "":
            return None
        raise bad_parameter(f"{name} is invalid")

    def choice(self, name: str, allowed: Iterable[str], default: str) -> str:
        value = self._values.get(name)
        if value is None:
            return default
        if value not in tuple(allowed):
            raise bad_parameter(f"{name} does not have a valid value")
        return str(value)

    def words(self, name: str) -> list[str]:
        """A comma-separated list or an array, blanks cut off, empty ones dropped."""
        value = self._values.get(name)
        if value is None:
            return []
        if isinstance(value, str):
            value = value.split(",")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise bad_parameter(f"{name} is invalid")
        return [word for item in value if (word := item.strip())]

    def numbers(self, name: str) -> list[int]:
        value = self._values.get(name)
        if value in (None, ""):
            return []
        if isinstance(value, str):
            value = value.split(",")
        if not isinstance(value, list):
            value = [value]
        return [whole(item, name) for item in value if item != ""]

    def day(self, name: str) -> str | None:
        value = self.text(name)
        if not value:
            return None
        try:
            return date.fromisoformat(value[:10]).isoformat()
        except ValueError:
            raise bad_parameter(f"{name} is invalid") from None

    def moment(self, name: str) -> str | None:
        """A time as the state keeps it; one without a zone counts as UTC."""
        value = self.text(name)
        if not value:
            return None
        try:
            # A plus sign in a query that nobody encoded arrives as a blank.
            at = datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", value))
        except ValueError:
            raise bad_parameter(f"{name} is invalid") from None
        return stamp(at if at.tzinfo else at.replace(tzinfo=UTC))


def _gathered(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """`a[]=1&a[]=2` becomes a list under `a`; of other repeated names the last counts."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name.endswith("[]"):
            values.setdefault(name[:-2], []).append(value)
        else:
            values[name] = value
    return values


async def read_params(request: Request) -> Params:
    """Raises Grape's refusal for a body that is not what its type says."""
    values = _gathered(request.query_params.multi_items())
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        async with request.form() as form:
            values |= _gathered(form.multi_items())
        return Params(values)
    raw = await request.body()
    if not raw:
        return Params(values)
    if kind not in ("application/json", ""):
        raise bad_parameter("The provided content-type is not supported.")
    try:
        body = json.loads(raw)
    except ValueError:
        raise bad_parameter("message body does not match declared format") from None
    if isinstance(body, dict):
        values |= body
    return Params(values)
