"""Reading what a command is given: JSON from a file or standard input, tokens from files, `name=value` pairs."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import BaseModel, ValidationError

from keepstep.domain.errors import InvalidInputError
from keepstep.ports.tracker import FieldKind, SettingField

Model = TypeVar("Model", bound=BaseModel)
STDIN = "-"


def read_text(source: str) -> str:
    """Of a file, or of standard input for "-". Raises InvalidInputError."""
    try:
        return sys.stdin.read() if source == STDIN else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InvalidInputError("file", f"{source} cannot be read: {reason}.") from error


def read_model(model: type[Model], source: str) -> Model:
    """Raises InvalidInputError, which names the field."""
    return checked(lambda: model.model_validate_json(read_text(source)))


def model_of(model: type[Model], data: object) -> Model:
    """Raises InvalidInputError, which names the field."""
    return checked(lambda: model.model_validate(data))


def checked(read: Callable[[], Model]) -> Model:
    try:
        return read()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise InvalidInputError(name, f"{name}: {first['msg']}.") from None


def read_token(source: str | None, what: str) -> str:
    """From a file or standard input; asked for without echo when neither is given and a person sits there."""
    if source is not None:
        return read_text(source)
    if sys.stdin.isatty():
        asked: str = typer.prompt(what, hide_input=True)
        return asked
    return sys.stdin.read()


def pairs_of(given: list[str], option: str, fields: tuple[SettingField, ...]) -> dict[str, str | list[str]]:
    """`name=value`; given several times for a list. Raises typer.BadParameter."""
    lists = {each.name for each in fields if each.kind is FieldKind.LABELS}
    found: dict[str, str | list[str]] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign:
            raise typer.BadParameter(f"{each!r} is not of the form NAME=VALUE.", param_hint=option)
        if name in lists:
            before = found.get(name, [])
            found[name] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            found[name] = value
    return found
