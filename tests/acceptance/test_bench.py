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


def test_the_quick_bench_measures_every_part_and_leaves_nothing(tmp_path):
    before = of_the_bench()
    told = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench", "--quick", "--json", str(told)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=470, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(told.read_text())
    assert found["failures"] == []
    assert found["parts"].keys() == PARTS
    assert all(found["parts"].values())
    calls = {each["name"]: each for each in found["parts"]["Calls until quiet"]}
    assert calls["feature to ticket, title: upstream calls"]["met"]
    assert calls["ticket to feature, status: upstream calls"]["met"]
    assert of_the_bench() <= before
