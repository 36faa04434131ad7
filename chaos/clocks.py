"""Workers whose clock is wrong, by libfaketime: the service is not told, it reads the time as always.

Only the calendar is moved, never the monotonic clock, as when a person or a virtual machine sets it. PostgreSQL and the
emulators keep the true time.
"""

from collections.abc import Sequence
from pathlib import Path

_LIBRARIES = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)
_OFFSETS = (0, 90, -90, 0, -300, 60)
"""Seconds. Ahead by no more than the run's patience: a retry that such a worker has set is due that much later."""


def _library() -> Path | None:
    found = (path for pattern in _LIBRARIES for path in sorted(Path("/").glob(pattern.lstrip("/"))))
    return next(found, None)


def clock_offsets() -> Sequence[int]:
    """What to choose a started worker's clock from; true time only where there is no libfaketime."""
    return _OFFSETS if _library() else (0,)


def environment_of_clock(seconds_ahead: int) -> dict[str, str]:
    library = _library()
    if not seconds_ahead or library is None:
        return {}
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{seconds_ahead:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }
