"""Bugs in reading, in writing, and in what is believed afterwards."""
# ruff: noqa: SLF001 - to replace what is private is the point

from dataclasses import replace
from typing import Any

from keepstep.app import acting, reading, sync
from keepstep.app.acting import Verdict
from keepstep.app.work import Work
from keepstep.domain.fields import Side


def base_from_what_we_meant() -> None:
    """The base becomes what we wrote, not what the side then showed."""
    real = acting._advance
    acting._advance = lambda work, write, shown: real(work, write, write.value)  # noqa: ARG005


def base_from_any_second_read() -> None:
    """Whatever stands there after our write was ours."""
    _judging(Verdict.OVERTAKEN, Verdict.CONFIRMED)


def ignored_write_is_an_edit() -> None:
    """A write that was accepted and not carried out looks as if a person had changed the value back."""
    _judging(Verdict.REFUSED, Verdict.OVERTAKEN)


def _judging(verdict: Verdict, instead: Verdict) -> None:
    real = acting.judge

    def judged(*args: Any) -> Verdict:
        found = real(*args)
        return instead if found is verdict else found

    acting.judge = judged


def half_a_merge_counts() -> None:
    """Of a merge that writes both sides, one written side moves the base of both."""
    real = acting._advance
    acting._advance = lambda work, write, shown: real(work, replace(write, paired=False), shown)


def losers_are_not_journalled() -> None:
    """A value that loses is overwritten and nowhere kept."""

    async def told(uow: Any, work: Work, write: Any) -> bool:
        del uow, work, write
        return True

    acting._is_told = told


def believe_stale_reads() -> None:
    """A read that is older than what we have seen is believed at once."""
    reading._looks_stale = lambda work, side, snapshot, updated_at: False  # noqa: ARG005


def no_second_read_before_a_write() -> None:
    """Write over what was read long ago."""

    async def as_read(work: Work, reading: Any, side: Side) -> bool:
        del work, reading, side
        return True

    sync._still_as_read = as_read


def read_only_what_was_found_again() -> None:
    """When one side comes into sight again, the other one is not looked at."""
    real = sync._sides_to_read

    def alone(work: Work) -> frozenset[Side]:
        return real(work) if work.link.lost is None else frozenset({work.link.lost.side})

    sync._sides_to_read = alone


BUGS = (
    base_from_what_we_meant,
    base_from_any_second_read,
    ignored_write_is_an_edit,
    half_a_merge_counts,
    losers_are_not_journalled,
    believe_stale_reads,
    no_second_read_before_a_write,
    read_only_what_was_found_again,
)
