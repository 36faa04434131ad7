"""Where an adapter stands: its `quality.toml`, beside its code, says of each expectation done, todo, or why not."""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, TypeAdapter

from keepstep.adapters.trackers import TrackerAdapter


class State(StrEnum):
    DONE = "done"
    TODO = "todo"
    EXEMPT = "exempt"


class Mark(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    state: State
    comment: str = ""
    """Of an exempt one: the reason."""


class Quality(BaseModel):
    model_config = ConfigDict(frozen=True)

    ran_on: str
    """What this kind was tried on, in words; "" where nobody says."""
    rules: Mapping[str, Mark]

    def count(self, state: State) -> int:
        return sum(each.state is state for each in self.rules.values())


_RULES = TypeAdapter(dict[str, State | Mark])


def quality_of(adapter: TrackerAdapter) -> Quality:
    """Of an adapter that brings no file: nothing is known. Raises ValueError for a file that cannot be read."""
    kind = adapter.manifest.kind
    if not adapter.package or not (found := files(adapter.package) / "quality.toml").is_file():
        return Quality(ran_on="", rules={})
    data = tomllib.loads(found.read_text(encoding="utf-8"))
    rules = _RULES.validate_python(data.get("rules", {}))
    marks = {name: Mark(state=each) if isinstance(each, State) else each for name, each in rules.items()}
    return Quality(ran_on=str(data.get("kinds", {}).get(kind, "")), rules=marks)
