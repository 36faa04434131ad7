"""`python -m mutants [NAME ...] [--seeds 3] [--first-seed 1] [--examples 1000] [--workers 2] [--list]`."""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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
        tries = list(pool.map(lambda mutant: _try(mutant, args), chosen))
        seeds = range(args.first_seed, args.first_seed + args.seeds)
        silent = list(pool.map(lambda seed: _is_silent(seed, _most(tries, seed), args), seeds))
    found = sum(_is_found(attacks, args) for attacks in tries)
    _say(f"{time.monotonic() - began:.0f} s, {args.seeds} seeds each")
    _say(f"mutants: {found} of {len(chosen)} found")
    return 0 if found == len(chosen) and all(silent) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mutants", description="Can the machine fail?")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; default: all")
    parser.add_argument("--seeds", type=int, default=3, help="each must find it")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=1000, help="at most, for each seed")
    parser.add_argument("--steps", type=int, default=30, help="at most, in each example")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--list", action="store_true", help="name them all and do nothing")
    args = parser.parse_args()
    for name in args.names:
        if name not in MUTANTS:
            parser.error(f"there is no mutant {name!r}; --list names them all")
    return args


def _try(mutant: Mutant, args: argparse.Namespace) -> list[dict[str, Any]]:
    attacks = _attack(mutant.name, args.first_seed, args.seeds, args.examples, args.steps)
    examples = ", ".join(str(each["examples"]) for each in attacks)
    word = "found" if _is_found(attacks, args) else "NOT FOUND"
    sentence = attacks[-1]["sentence"] if attacks else "It broke at once."
    _say(f"{word:9} {mutant.name:36} after {examples} examples: {sentence}")
    return attacks


def _is_found(attacks: list[dict[str, Any]], args: argparse.Namespace) -> bool:
    return len(attacks) == args.seeds and all(each["found"] for each in attacks)


def _most(tries: list[list[dict[str, Any]]], seed: int) -> int:
    return max((each["examples"] for attacks in tries for each in attacks if each["seed"] == seed), default=1)


def _is_silent(seed: int, examples: int, args: argparse.Namespace) -> bool:
    """Without a bug nothing may be found by the same seed in as many examples: else the finds prove nothing."""
    (attack,) = _attack("none", seed, 1, examples, args.steps) or [{"found": True, "sentence": "It broke."}]
    if attack["found"]:
        _say(f"Without any bug, seed {seed} fails too: {attack['sentence']}")
    else:
        _say(f"silent    without a bug, seed {seed}, for {examples} examples")
    return not attack["found"]


def _attack(name: str, *numbers: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "mutants.attack", name, *map(str, numbers)]
    done = subprocess.run(  # noqa: S603 - our own module, with names from our own list
        command, cwd=_ROOT, capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False
    )
    if done.returncode:
        _say(f"BROKEN    {name}: {done.stderr.strip().splitlines()[-1]}")
        return []
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
