"""Reading what was entered in the forms that the wizard and the settings share: tracker fields, map, field policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.datastructures import FormData

from keepstep.domain.errors import InvalidInputError, KeepstepError
from keepstep.domain.feature import FeatureStatus
from keepstep.domain.fields import Field
from keepstep.domain.ids import StatusId
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy, StatusMap, SyncPolicy
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.tracker import FieldKind, SettingField

Values = Mapping[str, str | tuple[str, ...]]

_LONGEST = 500
_MOST_LABELS = 50

DIRECTION_LABELS = {
    Direction.BOTH: "Both ways",
    Direction.TO_TICKET: "To the ticket only",
    Direction.TO_FEATURE: "To the feature only",
    Direction.ONCE: "Once, when the ticket is made",
    Direction.OFF: "Off",
}
RULE_LABELS = {
    ConflictRule.NEWEST: "The newest wins",
    ConflictRule.PRODUCTBOARD: "Productboard wins",
    ConflictRule.TRACKER: "The tracker wins",
    ConflictRule.ASK: "Ask a person",
}


@dataclass(frozen=True, slots=True)
class Entered:
    """What a form held, and what is wrong with it: the field's name and a sentence each."""

    values: Values
    errors: Mapping[str, str] = field(default_factory=dict)


def text(form: FormData, name: str, limit: int = _LONGEST) -> str:
    """One line, as entered: trimmed, cut, without line ends."""
    value = form.get(name, "")
    return " ".join(value.split())[:limit] if isinstance(value, str) else ""


def raw(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def several(form: FormData, name: str) -> tuple[str, ...]:
    """In the order of the form; blanks and repetitions left out."""
    found = (" ".join(value.split()) for value in form.getlist(name) if isinstance(value, str))
    return tuple(dict.fromkeys(value[:_LONGEST] for value in found if value))[:_MOST_LABELS]


def read_values(form: FormData, fields: Sequence[SettingField], prefix: str) -> Entered:
    """The values of the manifest's own fields; inputs are called `<prefix>.<name>`."""
    values: dict[str, str | tuple[str, ...]] = {}
    errors: dict[str, str] = {}
    for each in fields:
        name = f"{prefix}.{each.name}"
        value = several(form, name) if each.kind is FieldKind.LABELS else text(form, name)
        values[each.name] = value
        if each.required and not value:
            errors[name] = "This is needed."
        elif each.kind is FieldKind.CHOICE and value and value not in dict(each.choices):
            errors[name] = "Choose one of the list."
    return Entered(values, errors)


def account_prefix(kind: str) -> str:
    """Several kinds stand in one form, and may ask for fields of one name."""
    return f"account.{kind}"


def initial_values(fields: Sequence[SettingField], stored: Values) -> Values:
    return {each.name: stored.get(each.name, each.default) for each in fields}


def read_policy(
    form: FormData,
    features: Sequence[FeatureStatus],
    tickets: Sequence[TicketStatus],
    before: SyncPolicy,
) -> SyncPolicy:
    """What the form does not speak of stays as before. Raises InvalidInputError."""
    ours, theirs = {each.id for each in features}, {each.id for each in tickets}
    status_map = StatusMap(
        _read_map(form, "to_ticket", ours, theirs), _read_map(form, "to_feature", theirs, ours)
    )
    fields = {each: _read_field(form, each, before.of(each)) for each in Field}
    return SyncPolicy(fields, status_map, before.deletion)


def _read_map(
    form: FormData, name: str, sources: set[StatusId], targets: set[StatusId]
) -> dict[StatusId, StatusId]:
    chosen = {source: StatusId(raw(form, f"{name}.{source}")) for source in sources}
    return {source: target for source, target in chosen.items() if target in targets}


def _read_field(form: FormData, name: Field, before: FieldPolicy) -> FieldPolicy:
    direction, rule = raw(form, f"direction.{name}"), raw(form, f"rule.{name}")
    try:
        return FieldPolicy(
            Direction(direction) if direction else before.direction,
            ConflictRule(rule) if rule else before.rule,
        )
    except ValueError as error:
        raise InvalidInputError(f"direction.{name}", "Choose one of the list.") from error


def completed(chosen: StatusMap, proposal: StatusMap) -> StatusMap:
    """The proposal, where nothing was chosen."""
    return StatusMap({**proposal.to_ticket, **chosen.to_ticket}, {**proposal.to_feature, **chosen.to_feature})


def sentence(error: KeepstepError) -> str:
    """For somebody who waits at a form: nothing is tried again by itself there."""
    text = (
        str(error).replace(" Keepstep tries again by itself.", "").replace(" If it goes on, check", " Check")
    )
    return text or (type(error).__doc__ or "").split("\n")[0]
