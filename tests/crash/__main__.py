"""`python -m crash [--renew] [--sample N] [--twice N] [--seed S] [--only TEXT]`, with `tests` on the path."""

import argparse
import sys
import time

from crash.runs import (
    RENEW,
    chosen,
    ended_twice,
    listed,
    open_crash_site,
    record,
    say,
    survive_all,
    write_list,
)


def main():
    parser = argparse.ArgumentParser(prog="python -m crash", description="End the service at every point.")
    parser.add_argument(
        "--renew", action="store_true", help="write the list of points anew, and do nothing else"
    )
    parser.add_argument("--sample", type=int, default=0, help="so many points; default: all")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--twice", type=int, default=60, help="so many more, ended in their recovery as well")
    parser.add_argument("--only", default="", help="points with this text in them")
    parser.add_argument("--seconds", type=float, default=0, help="begin no further point after so long")
    asked = parser.parse_args()
    with open_crash_site() as site:
        recorded = record(site)
        if asked.renew:
            write_list(recorded)
            say(f"crash points: {len(recorded)} written to the list")
            return 0
        if recorded != listed():
            say(f"The list of crash points is old: run `{RENEW}` and look at what changed.")
            return 1
        wanted = [each for each in recorded if asked.only in str(each)]
        points = chosen(wanted, asked.sample, asked.seed)
        if asked.twice:
            points = points + ended_twice(wanted, asked.twice, asked.seed)
        broken = survive_all(site, _in_time(points, asked.seconds), say)
        tried = _in_time.tried or len(points)
    say(f"crash points: {max(0, tried - len(broken))} of {tried} survived")
    return 1 if broken else 0


def _in_time(points, seconds):
    _in_time.tried = 0
    began = time.monotonic()
    for each in points:
        if seconds and time.monotonic() - began > seconds:
            return
        _in_time.tried += 1
        yield each


if __name__ == "__main__":
    sys.exit(main())
