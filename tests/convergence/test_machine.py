"""The machine over the twins, and a shorter run of the same machine over both emulators.

The same examples in every run of the tests; as many new ones as `KEEPSTEP_PROVE` says in `make prove`.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

from convergence.emulator_world import EmulatorWorld
from convergence.machine import Convergence

_PROVE = int(os.environ.get("KEEPSTEP_PROVE", "0"))

pytestmark = pytest.mark.timeout(3600 if _PROVE else 300)
"""Half a minute on a quiet machine; a busy one shall not fail it."""


class OverEmulators(Convergence):
    World = EmulatorWorld


def _profile(examples, steps):
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=not _PROVE,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )


TestConvergence = Convergence.TestCase
TestConvergence.settings = _profile(_PROVE or 200, 30)
TestOverEmulators = OverEmulators.TestCase
TestOverEmulators.settings = _profile(_PROVE // 20 or 10, 12)
