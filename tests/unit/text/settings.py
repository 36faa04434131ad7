"""How many examples the laws are tried on; `KEEPSTEP_TEXT_EXAMPLES` asks for more."""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("KEEPSTEP_TEXT_EXAMPLES", "60"))
some = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
