"""How busy the machine is with other things: a fixed loop, timed before and after.

The best time is the machine's own; how far the median lies above it is what others took away meanwhile.
"""

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

_TURNS = 15
_LOOP = 400_000


@dataclass(frozen=True, slots=True)
class Noise:
    best_ms: float
    median_ms: float
    load: float
    """Runnable processes, average of the last minute."""

    def line(self, when: str, best_ms: float) -> str:
        slower = self.median_ms / best_ms
        return f"{when}: a fixed loop takes {self.median_ms:.1f} ms, {slower:.2f} times its best; load {self.load:.1f}"


def listen_to_the_machine() -> Noise:
    taken = [_spin() for _ in range(_TURNS)]
    return Noise(min(taken), statistics.median(taken), os.getloadavg()[0])


def _spin() -> float:
    started, total = time.perf_counter(), 0
    for number in range(_LOOP):
        total += number & 7
    return (time.perf_counter() - started) * 1000 + total * 0


def machine() -> str:
    """Processors, their model, memory; as far as Linux tells."""
    model = _field("/proc/cpuinfo", "model name") or "unknown processor"
    memory = _field("/proc/meminfo", "MemTotal").removesuffix(" kB")
    gigabytes = f", {int(memory) / 1024**2:.0f} GB" if memory else ""
    return f"{len(os.sched_getaffinity(0))} x {model}{gigabytes}, load {os.getloadavg()[0]:.1f}"


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
