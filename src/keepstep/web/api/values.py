"""From what a caller sent to what the use cases take: credentials, a tracker's own settings, the policy.

Every refusal names the field of the request by its whole path, `tracker.token` for example.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from keepstep.app import discover
from keepstep.app.context import Context
from keepstep.app.discover import BoardAccess, TrackerAccess
from keepstep.domain.errors import InvalidInputError, KeepstepError
from keepstep.domain.policy import StatusMap
from keepstep.ports.errors import AuthLostError, NotThereError, RejectedError
from keepstep.ports.tracker import FieldKind, SettingField
from keepstep.web.api.models_integrations import BoardBody, TrackerBody
from keepstep.web.api.models_system import BoardCheck, TrackerCheck

Stored = Mapping[str, str | tuple[str, ...]]
Given = Mapping[str, str | list[str]]


@contextlib.contextmanager
def naming(part: str = "") -> Iterator[None]:
    """What the caller's own credential or address causes is the caller's to mend: 422 with the field's path."""
    prefix = f"{part}." if part else ""
    try:
        yield
    except NotThereError as error:
        raise InvalidInputError(f"{prefix}base_url", sentence(error)) from error
    except (InvalidInputError, AuthLostError, RejectedError) as error:
        raise InvalidInputError(f"{prefix}{discover.field_of(error)}", sentence(error)) from error


def sentence(error: KeepstepError) -> str:
    return str(error) or (type(error).__doc__ or "").split("\n")[0]


def board_access(body: BoardCheck | BoardBody) -> BoardAccess:
    """Raises InvalidInputError (token)."""
    return BoardAccess(body.base_url, discover.cleaned_token(body.token.get_secret_value()))


def tracker_access(ctx: Context, body: TrackerCheck | TrackerBody) -> TrackerAccess:
    """Raises InvalidInputError (kind, token, settings.<name>)."""
    manifest = ctx.outside.manifest(body.kind)
    token = discover.cleaned_token(body.token.get_secret_value())
    settings = checked_values((*manifest.account, *manifest.settings), body.settings, {}, "settings")
    return TrackerAccess(body.kind, body.base_url or manifest.default_base_url, token, settings)


def stored(given: Given) -> Stored:
    """As it is kept: several values as a tuple."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def refuse_missing(field: str, missing: Sequence[str]) -> None:
    if missing:
        raise InvalidInputError(field, "This token lacks rights: " + "; ".join(missing))


def checked_values(fields: Sequence[SettingField], given: Given, before: Stored, at: str) -> Stored:
    """All values of the manifest's fields: given, else as before, else the default. Raises InvalidInputError."""
    known = {each.name for each in fields}
    for name in given:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise InvalidInputError(at, f"This tracker has no field {name[:100]!r} here; it has: {listed}.")
    return {
        each.name: _checked(each, given[each.name], f"{at}.{each.name}")
        if each.name in given
        else _kept(each, before, f"{at}.{each.name}")
        for each in fields
    }


def _kept(field: SettingField, before: Stored, at: str) -> str | tuple[str, ...]:
    value = before.get(field.name, field.default) or (() if field.kind is FieldKind.LABELS else "")
    if field.required and not value:
        raise InvalidInputError(at, "This is needed.")
    return value


def _checked(field: SettingField, value: str | list[str], at: str) -> str | tuple[str, ...]:
    if field.required and not value:
        raise InvalidInputError(at, "This is needed.")
    if field.kind is FieldKind.LABELS:
        if isinstance(value, str):
            raise InvalidInputError(at, "A list of labels is expected.")
        return tuple(dict.fromkeys(each for each in value if each))
    if not isinstance(value, str):
        raise InvalidInputError(at, "One text is expected.")
    if field.kind is FieldKind.CHOICE and value and field.choices and value not in dict(field.choices):
        listed = ", ".join(name for name, _ in field.choices)
        raise InvalidInputError(at, f"One of these is expected: {listed}.")
    return value


def check_map(
    chosen: StatusMap,
    features: Sequence[str],
    tickets: Sequence[str],
    at: str = "policy.status_map",
) -> None:
    """Every id exists on its side. Raises InvalidInputError."""
    ours, theirs = set(features), set(tickets)
    for name, pairs, sources, targets in (
        ("to_ticket", chosen.to_ticket, ours, theirs),
        ("to_feature", chosen.to_feature, theirs, ours),
    ):
        side, other = ("feature", "ticket") if name == "to_ticket" else ("ticket", "feature")
        for source, target in pairs.items():
            if source not in sources:
                raise InvalidInputError(
                    f"{at}.{name}", f"There is no {side} status with the id {source[:100]!r}."
                )
            if target not in targets:
                raise InvalidInputError(
                    f"{at}.{name}", f"There is no {other} status with the id {target[:100]!r}."
                )
