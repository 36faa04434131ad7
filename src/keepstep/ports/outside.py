"""Opening workspaces and trackers with a credential; which trackers this build knows."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from keepstep.domain.calls import CallClass
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

    def calling(self, call_class: CallClass, patience: float = 1.0) -> AbstractContextManager[None]:
        """Calls inside the block are made for this class; the innermost block counts, also in tasks begun inside it.

        A use case says so once, where its work begins. Where nothing was said a person waits. A call waits up to
        `patience` seconds for its turn, then raises RateLimitedError; whoever holds a worker's slot keeps to a second.
        """

    def board_wire(self) -> BoardWire: ...

    def board_text(self) -> TextFormat: ...

    def tracker_wire(self, kind: str) -> TrackerWire: ...

    def hook_steps(self, kind: str, url: str, secret: str) -> Sequence[HookStep]:
        """How a person makes the webhook, with our address and secret in place; () where nobody can."""

    def manifests(self) -> Sequence[TrackerManifest]: ...

    def manifest(self, kind: str) -> TrackerManifest:
        """Raises InvalidInputError for an unknown kind."""
