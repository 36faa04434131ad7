"""Answer time against load: webhooks at rising rates until the answers no longer keep up."""

from collections.abc import Sequence

from bench.answers import board_webhooks
from bench.figures import Figure, quantile
from bench.stage import Column, Stage

RATES = (10, 25, 50, 75, 100, 150, 200, 300, 400)
_LIMIT_MS = 5000.0
"""Productboard gives up after this time."""
_FULL_MS = 1000.0
"""Beyond this a queue grows for as long as the load lasts; nothing is learnt from still more of it."""


async def measure(stage: Stage, column: Column, rates: Sequence[float], seconds: float) -> list[Figure]:
    figures = []
    for linked, name in ((True, "linked features"), (False, "other features")):
        found: dict[str, list[float]] = {"rate": [], "p50": [], "p99": []}
        for rate in rates:
            taken = await board_webhooks(stage, column, rate=rate, seconds=seconds, linked=linked)
            for key, value in (
                ("rate", rate),
                ("p50", quantile(taken, 0.5)),
                ("p99", quantile(taken, 0.99)),
            ):
                found[key].append(value)
            if found["p50"][-1] > _FULL_MS:
                break
        words = [
            f"{rate:.0f}/s {p50:.0f}/{p99:.0f}"
            for rate, p50, p99 in zip(found["rate"], found["p50"], found["p99"], strict=True)
        ]
        figures.append(
            Figure(
                f"webhooks of {name}, p50/p99",
                ", ".join(words) + " ms",
                f"<= {_LIMIT_MS / 1000:g} s",
                max(found["p99"]) <= _LIMIT_MS,
                {"unit": "ms", **found},
            )
        )
    return figures
