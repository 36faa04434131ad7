"""Shapes that the whole API shares: pages of a list, errors, times; and how bodies are read.

The models of the API are its promise to scripts, so they stand apart from the domain: a field renamed inside must not
be renamed outside. Bodies refuse names they do not know, because a mistyped one would otherwise be ignored in silence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

Item = TypeVar("Item")

Utc = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""ISO 8601 with Z, whatever time zone the database answers in."""

Line = Annotated[str, StringConstraints(max_length=500), AfterValidator(lambda text: " ".join(text.split()))]
Token = Annotated[SecretStr, Field(max_length=4000)]
"""Taken, sealed, and never part of an answer, an error or a repr."""

Values = dict[
    Annotated[str, StringConstraints(max_length=100)], Line | Annotated[list[Line], Field(max_length=50)]
]
"""Values of a tracker's own settings: text, or a list for those of the kind *labels*."""


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Page(Answer, Generic[Item]):
    """A part of a list."""

    items: Sequence[Item]
    total: int = Field(
        description="All that match, not only those in `items`; of a search, 10,001 stands for more."
    )
    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class Paging:
    offset: int
    limit: int


async def _paging(
    offset: Annotated[int, Query(ge=0, le=10_000_000, description="How many to pass over.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 50,
) -> Paging:
    return Paging(offset, limit)


PagingDep = Annotated[Paging, Depends(_paging)]


class ErrorBody(Answer):
    code: str = Field(description="For programs; does not change.", examples=["invalid_input"])
    message: str = Field(description="For people: what happened, why, and what to do.")
    what: str = ""
    why: str = ""
    do: str = Field("", description="What helps.")
    field: str = Field(
        "", description="Which field of the request has to be changed.", examples=["board.token"]
    )
    reference: str = Field("", description="Stands in the log beside the details.")


class ErrorAnswer(Answer):
    """Every answer that is not a success."""

    error: ErrorBody


def _errors(*statuses: tuple[int, str]) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorAnswer, "description": text} for status, text in statuses}


ALWAYS: Mapping[int | str, dict[str, Any]] = _errors(
    (400, "The body is not JSON."),
    (401, "No valid token: send `Authorization: Bearer ks_...`."),
    (422, "Something in the request cannot be used; `field` names it."),
    (500, "A fault of Keepstep; `reference` leads to the details in its log."),
)
MISSING = _errors((404, "There is no such thing (any more)."))
MOVES = MISSING | _errors((409, "Not possible in the state it is in, or somebody was faster."))
OUTSIDE = _errors(
    (502, "Productboard or the tracker refuses the stored token, or gave an answer that makes no sense."),
    (503, "Productboard or the tracker does not answer, or asks for patience; see `Retry-After`."),
)
