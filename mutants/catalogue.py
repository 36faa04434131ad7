"""Every deliberate bug by name, with one sentence about it."""

from collections.abc import Callable
from dataclasses import dataclass

from mutants import bugs_of_jobs, bugs_of_merging, bugs_of_pushing, bugs_of_writing


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    sentence: str
    put_in: Callable[[], None]


def _named(bug: Callable[[], None]) -> Mutant:
    name = bug.__name__.replace("_", "-")
    return Mutant(name, (bug.__doc__ or "").strip(), bug)


MUTANTS = {
    mutant.name: mutant
    for module in (bugs_of_merging, bugs_of_writing, bugs_of_pushing, bugs_of_jobs)
    for mutant in map(_named, module.BUGS)
}
