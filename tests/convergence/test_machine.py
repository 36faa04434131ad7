"""The machine over the twins.

The same 200 examples in every run of the tests; as many new ones as `KEEPSTEP_PROVE` says in `make prove`.
"""

import os

from hypothesis import HealthCheck, settings

from convergence.machine import Convergence

_EXAMPLES = int(os.environ.get("KEEPSTEP_PROVE", "200"))

TestConvergence = Convergence.TestCase
TestConvergence.settings = settings(
    max_examples=_EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    database=None,
    derandomize="KEEPSTEP_PROVE" not in os.environ,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)
