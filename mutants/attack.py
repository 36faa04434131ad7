"""One mutant against the machine, in a process of its own: the seeds one after the other, the first failure ends each.

Writes one line of JSON for each seed: whether it was found, after how many examples, and by which sentence. The story
that found it goes to standard error.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import HypothesisException
from hypothesis.stateful import run_state_machine_as_test

_TESTS = Path(__file__).parents[1] / "tests"
_SENTENCE = 160


@dataclass(frozen=True, slots=True)
class Attack:
    seed: int
    found: bool
    examples: int
    seconds: float
    sentence: str = ""


def attack(seed: int, examples: int, steps: int) -> Attack:
    """With the bug already put in, or without one, to see how long the machine stays silent."""
    from convergence.machine import Convergence  # noqa: PLC0415 - after the tests' folder is on the path

    count = 0

    class Counted(Convergence):
        def __init__(self) -> None:
            nonlocal count
            count += 1
            super().__init__()

    Counted._hypothesis_internal_use_seed = seed  # noqa: SLF001 - what `hypothesis.seed` sets on a function
    began = time.monotonic()
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(Counted, settings=profile)
    except HypothesisException:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the machine stumbles over is a find
        sentence = str(error).split("\n")[0][:_SENTENCE]
        sys.stderr.write("\n".join([*getattr(error, "__notes__", []), ""]))
        return Attack(seed, found=True, examples=count, seconds=time.monotonic() - began, sentence=sentence)
    return Attack(seed, found=False, examples=count, seconds=time.monotonic() - began)


def main() -> None:
    """`python -m mutants.attack NAME FIRST_SEED SEEDS EXAMPLES STEPS`; the name "none" puts no bug in."""
    name, first, seeds, examples, steps = sys.argv[1], *map(int, sys.argv[2:])
    sys.path.insert(0, str(_TESTS))
    if name != "none":
        from mutants.catalogue import MUTANTS  # noqa: PLC0415

        MUTANTS[name].put_in()
    for seed in range(first, first + seeds):
        found = attack(seed, examples, steps)
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
        sys.stdout.flush()
        if not found.found:
            return


if __name__ == "__main__":
    main()
