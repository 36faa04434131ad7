"""How an issue gets from status to status: steps as they were seen, ways made of them, and their bounded memory.

Jira's API shows an ordinary user no workflow, only the steps open to one issue now. What is remembered is a hint
for the choice of a way; before each step the issue itself is asked.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keepstep.adapters.trackers.jira.wire import FieldWire, TransitionWire
from keepstep.ports.errors import RejectedError

_PROJECTS = 200
_SITUATIONS = 500
MOST_STEPS = 4

Situation = tuple[str, str]
"""Issue type and status."""


@dataclass(slots=True)
class Workflow:
    """What one account has seen of one project."""

    steps: OrderedDict[Situation, tuple[TransitionWire, ...]] = field(default_factory=OrderedDict)
    looked: set[str] = field(default_factory=set)
    """The issue types of which existing issues have been asked."""

    def learn(self, situation: Situation, steps: Sequence[TransitionWire]) -> None:
        self.steps[situation] = tuple(steps)
        self.steps.move_to_end(situation)
        while len(self.steps) > _SITUATIONS:
            self.steps.popitem(last=False)

    def way(self, issue_type: str, start: str, target: str, most: int) -> tuple[TransitionWire, ...] | None:
        """The shortest known way of at most so many steps."""
        waiting: deque[tuple[str, tuple[TransitionWire, ...]]] = deque([(start, ())])
        seen = {start}
        while waiting:
            at, taken = waiting.popleft()
            if at == target:
                return taken
            if len(taken) == most:
                continue
            for step in in_order(self.steps.get((issue_type, at), ())):
                if step.to.id not in seen:
                    seen.add(step.to.id)
                    waiting.append((step.to.id, (*taken, step)))
        return None

    def resolutions(self) -> Mapping[str, str]:
        """Id to name, of those that some step seen allows."""
        return {
            each.id: each.label
            for steps in self.steps.values()
            for step in steps
            if "resolution" in step.fields
            for each in step.fields["resolution"].allowed or ()
        }


class Workflows:
    """Of all accounts and projects; the one least in use is forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Workflow] = OrderedDict()

    def of(self, account: str, project: str) -> Workflow:
        found = self._known.setdefault((account, project), Workflow())
        self._known.move_to_end((account, project))
        while len(self._known) > _PROJECTS:
            self._known.popitem(last=False)
        return found

    def name_of(self, account: str, status: str) -> str:
        """The name of a status that some step seen leads to; "" where none does."""
        flows = (flow for (owner, _), flow in self._known.items() if owner == account)
        steps = (step for flow in flows for each in flow.steps.values() for step in each)
        return next((step.to.name for step in steps if step.to.id == status), "")


def in_order(steps: Sequence[TransitionWire]) -> list[TransitionWire]:
    """Those that stand in every status first, then as the workflow has them."""
    return sorted((each for each in steps if each.is_available), key=lambda each: not each.is_global)


def fields_for(step: TransitionWire, resolution: str) -> dict[str, Any]:
    """What the screen of this step demands. Raises RejectedError where that is not known."""
    filled: dict[str, Any] = {}
    for name, wanted in step.fields.items():
        if not wanted.required or wanted.has_default:
            continue
        value = _resolution(wanted, resolution) if name == "resolution" else None
        if value is None:
            cure = (
                "Choose a resolution in the settings of the integration."
                if name == "resolution"
                else "Make it optional in Jira, or map another status."
            )
            raise RejectedError(
                f"The step {step.name} to {step.to.name} asks for {wanted.name or name}. {cure}",
                field="status",
                status=None,
            )
        filled[name] = value
    return filled


def _resolution(field: FieldWire, wanted: str) -> Any:
    for each in field.allowed or ():
        if wanted and wanted in (each.id, each.name):
            return {"id": each.id}
    return None
