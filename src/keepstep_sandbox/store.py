"""An emulator's state as one JSON file: a second start goes on where the first ended.

Guarantee: a change is on disk within 100 ms, and at once when the emulator stops. The file is replaced as a
whole, so a crash leaves the old state or the new one. It holds callback secrets and is readable by its owner only.
"""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

_DEBOUNCE_SECONDS = 0.08


class StateFile:
    """Writes what `snapshot` returns, soon after `changed`."""

    def __init__(self, path: Path | None, snapshot: Callable[[], dict[str, Any]]) -> None:
        self._path = path
        self._snapshot = snapshot
        self._due: asyncio.TimerHandle | None = None

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None where there is none.

        Raises:
            ValueError: the file is not a JSON object; nothing is overwritten.
        """
        if self._path is None or not self._path.exists():
            return None
        saved = json.loads(self._path.read_text("utf-8"))
        if not isinstance(saved, dict):
            raise ValueError(f"{self._path} does not hold an emulator's state")  # noqa: TRY004 - the file, not an argument
        return saved

    def changed(self) -> None:
        """Promises that the present state reaches the disk."""
        if self._path is None or self._due is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            self._due = loop.call_later(_DEBOUNCE_SECONDS, self.flush)

    def flush(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(self._path.suffix + ".part")
        with os.fdopen(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(self._snapshot(), file, separators=(",", ":"))
        part.replace(self._path)
