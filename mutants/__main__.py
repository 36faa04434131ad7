"""`python -m mutants [NAME ...] [--seeds 3] [--first-seed 1] [--examples 1500] [--workers 2] [--list]`."""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutants.catalogue import MUTANTS, Mutant

_ROOT = Path(__file__).parents[1]
_LONGEST_SECONDS = 900


def main() -> int:
    args = _arguments()
    if args.list:
        for mutant in MUTANTS.values():
            _say(f"{mutant.name:36} {mutant.sentence}")
        return 0
    chosen = [MUTANTS[name] for name in args.names] or list(MUTANTS.values())
    began = time.monotonic()
    with ThreadPoolExecutor(args.workers) as pool:
        found = sum(pool.map(lambda mutant: _try(mutant, args), chosen))
    _say(f"{time.monotonic() - began:.0f} s, {args.seeds} seeds each")
    _say(f"mutants: {found} of {len(chosen)} found")
    return 0 if found == len(chosen) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mutants", description="Can the machine fail?")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; default: all")
    parser.add_argument("--seeds", type=int, default=3, help="each must find it")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=1500, help="at most, for each seed")
    parser.add_argument("--steps", type=int, default=30, help="at most, in each example")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--list", action="store_true", help="name them all and do nothing")
    args = parser.parse_args()
    for name in args.names:
        if name not in MUTANTS:
            parser.error(f"there is no mutant {name!r}; --list names them all")
    return args


def _try(mutant: Mutant, args: argparse.Namespace) -> bool:
    numbers = (args.first_seed, args.seeds, args.examples, args.steps)
    command = [sys.executable, "-m", "mutants.attack", mutant.name, *map(str, numbers)]
    done = subprocess.run(  # noqa: S603 - our own module, with names from our own list
        command, cwd=_ROOT, capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False
    )
    if done.returncode:
        _say(f"BROKEN    {mutant.name}: {done.stderr.strip().splitlines()[-1]}")
        return False
    attacks = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = len(attacks) == args.seeds and all(each["found"] for each in attacks)
    examples = ", ".join(str(each["examples"]) for each in attacks)
    word = "found" if found else "NOT FOUND"
    _say(f"{word:9} {mutant.name:36} after {examples} examples: {attacks[-1]['sentence']}")
    return found


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
