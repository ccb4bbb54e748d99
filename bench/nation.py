"""Whether one small machine carries the nation: looks among twelve million children, beside what the same statements could at most;
kills of the service, of PostgreSQL and of both under writes; a network that fails in ten ways; a primary that is lost; an instance that
is told to stop; five times as many who ask as can be served; eight thousand slow clients.
`--only sizes,overload,slow,kills,faults,cancelled,failover,leaving` does some. The largest index is made after the smaller ones were
measured and is itself measured last: a disk that has just taken fifty gigabytes is slow for a while, and what is measured is looking, not
that."""

import contextlib
import json
import os
import sys
import time

from nation_cluster import Cluster, failover, leaving
from nation_faults import cancelled, faults
from nation_kills import kills
from nation_site import Site, room_for
from nation_size import overload, size
from nation_slow import slow
from service import say

PROGRAMS = sys.argv[1]
PARTS = ["overload", "slow", "kills", "faults", "cancelled", "failover", "leaving", "sizes"]


def number(name, otherwise):
    return int(os.environ.get("BENCH_" + name, otherwise))


SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "100000,1000000,12000000").split(",")]
SECONDS, ROUNDS = number("SECONDS", 8), number("ROUNDS", 3)
KILLS, WRITES, CANCELLED = number("KILLS", 200), number("WRITES", 100_000), number("CANCELLED", 10_000)
SLOW = number("SLOW", 1_000)
SMALL = number("SMALL", 50_000)


def main():
    only = sys.argv[sys.argv.index("--only") + 1].split(",") if "--only" in sys.argv else PARTS
    told, took = {}, {}

    def part(name, do):
        if name in only:
            say(f"{name}:")
            began = time.monotonic()
            figures = do()
            took[name] = round(time.monotonic() - began)
            say(f"  {figures} in {took[name]} s")
            told.update(figures)

    *smaller, largest = sorted(SIZES)
    growth = []

    def grown(site):
        growth.append(size(site, SECONDS, ROUNDS))
        return growth[-1] | {"growth": {str(one["children"]): one for one in growth}}

    if "sizes" in only:
        room_for(largest)
        for children in smaller:
            with Site(PROGRAMS, children) as site:
                grown(site)
        with Site(PROGRAMS, largest) as site:
            others(only, part)
            part("sizes", lambda: grown(site))
        table(growth)
    else:
        others(only, part)
    told["seconds_of_parts"] = took
    for name, figure in told.items():
        if name != "growth":
            shown = figure if not isinstance(figure, dict) else ", ".join(f"{k} {v}" for k, v in figure.items())
            print(f"{name.replace('_', ' '):<32}{shown!s:>24}")
    print(json.dumps(told))


def others(only, part):
    """Everything but the sizes, with few children."""
    if set(only) & {"overload", "slow", "kills", "faults", "cancelled"}:
        with Site(PROGRAMS, SMALL) as site:
            part("overload", lambda: overload(site, SECONDS))
            part("slow", lambda: slow(site, SLOW))
            site.written_by_one()
            part("kills", lambda: kills(site, KILLS, WRITES))
            part("faults", lambda: faults(site))
            part("cancelled", lambda: cancelled(site, CANCELLED))
    if set(only) & {"failover", "leaving"}:
        with Cluster(PROGRAMS, 5_000) as cluster:
            part("failover", lambda: failover(cluster))
            part("leaving", lambda: leaving(cluster))


def table(growth):
    """What each size was found to cost, for people."""
    names = list(growth[0])
    print("".join(f"{name.replace('_', ' '):>22}" for name in names))
    for row in growth:
        print("".join(f"{row[name]:>22,}" for name in names))


main()
