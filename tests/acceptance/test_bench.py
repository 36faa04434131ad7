"""`make bench` runs from start to end: every part says something, and nothing is left running."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(480)]
ROOT = Path(__file__).parents[2]
PARTS = {
    "Start",
    "Rest",
    "Clicks",
    "Calls until quiet",
    "Edit to change, feature to ticket",
    "Edit to change, ticket to feature",
    "Burst",
    "Webhooks",
    "Load",
    "Workers",
    "Sweep",
    "Growth",
    "Changes per second, one process",
    "After the load",
}


def of_the_bench():
    """Processes that stand in one of its temporary folders."""
    found = set()
    for each in psutil.process_iter():
        try:
            if "keepstep-bench-" in each.cwd():
                found.add(each.pid)
        except psutil.Error:
            continue
    return found


HALVES = (
    "start,rest,clicks,calls,edit,burst,webhooks,load,changes",
    "workers,sweep,growth",
)
"""Side by side: what is measured does not matter here."""


def test_the_quick_bench_measures_every_part_and_leaves_nothing(tmp_path):
    before = of_the_bench()
    told = [tmp_path / f"{number}.json" for number in range(len(HALVES))]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "bench", "--quick", "--only", words, "--json", str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for words, path in zip(HALVES, told, strict=True)
    ]
    try:
        for each in running:
            said, _ = each.communicate(timeout=470)
            assert each.returncode == 0, said
    finally:
        for each in running:
            each.terminate()
    found = [json.loads(path.read_text()) for path in told]
    assert [each["failures"] for each in found] == [[], []]
    parts = found[0]["parts"] | found[1]["parts"]
    assert parts.keys() == PARTS
    assert all(parts.values())
    calls = {each["name"]: each for each in parts["Calls until quiet"]}
    for name, most, writes in (
        ("feature to ticket, title", 5, ["PUT ticket", "PUT cell"]),
        ("ticket to feature, status", 6, ["PATCH feature", "PUT cell"]),
    ):
        made = calls[f"{name}: upstream calls"]["note"].split(", ")
        assert [each for each in made if not each.startswith("GET ")] == writes
        assert len(made) <= most + 1, "More than half a second between read and write costs a second read."
    assert of_the_bench() <= before
