"""Opening workspaces and trackers with a credential; which trackers this build knows."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from keepstep.ports.productboard import BoardWire, FeatureBoard
from keepstep.ports.text import TextFormat
from keepstep.ports.tracker import HookStep, Tracker, TrackerManifest, TrackerWire


class Outside(Protocol):
    def open_board(self, base_url: str, token: str) -> FeatureBoard:
        """Raises InvalidInputError for an address we must not call, or a token that is not one line of text."""

    def open_tracker(
        self, kind: str, base_url: str, token: str, settings: Mapping[str, str | tuple[str, ...]]
    ) -> Tracker:
        """Raises InvalidInputError as `open_board` does, and for an unknown kind."""

    def board_wire(self) -> BoardWire: ...

    def board_text(self) -> TextFormat: ...

    def tracker_wire(self, kind: str) -> TrackerWire: ...

    def hook_steps(self, kind: str, url: str, secret: str) -> Sequence[HookStep]:
        """How a person makes the webhook, with our address and secret in place; () where nobody can."""

    def manifests(self) -> Sequence[TrackerManifest]: ...

    def manifest(self, kind: str) -> TrackerManifest:
        """Raises InvalidInputError for an unknown kind."""
