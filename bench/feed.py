"""What feeds must show. A large batch at two instances on the database of a demo with children loaded besides: how fast it goes, as
a share of the same rows by COPY into a table like that of the rows with the same look-ups of the matcher in pure SQL, on as many
connections as the instances work with; what memory it takes; how looks go meanwhile. Batches through kills, sent twice, with bad
rows; merges taken back; a reader of changes beside eight writers. `--only rows,kills,twice,bad,merge,changes` does some of it."""

import json
import os
import sys
import time

import feed_changes
import feed_kills
import feed_merge
import feed_rows
from feed_site import Site
from service import say

PROGRAMS = sys.argv[1]
PARTS = ["kills", "twice", "bad", "changes", "merge", "rows"]


def number(name, otherwise):
    return int(os.environ.get("BENCH_" + name, otherwise))


ROWS = number("ROWS", 1_000_000)
CHILDREN = number("CHILDREN", 100_000)
KILLS = number("KILLS", 50)
KILL_ROWS = number("KILL_ROWS", 5_000)
SMALL = number("SMALL", 5_000)
SEQUENCES = number("SEQUENCES", 1_000)
WRITES = number("WRITES", 4_000)
SETTLE = number("SETTLE", 120)
LOOK_UPS = number("LOOK_UPS", 200_000)
# The small parts know this many children, of whom the index holds the first: so many that what a batch adds has no name counted anew,
# by which the same row might be judged otherwise.
KNOWN, HELD = 400_000, 120_000


def main():
    only = sys.argv[sys.argv.index("--only") + 1].split(",") if "--only" in sys.argv else PARTS
    told, took = {}, {}
    with Site(PROGRAMS, 1_000) as site:
        began = time.monotonic()
        feeds = -(-KILLS // 10)
        with site.on("contactpoint"):
            site.client()
            # Of those whom nobody holds, so that none is doubted.
            trial = b"".join(site.lines("feed", 1_000, 0, 0, 100))
            large = site.feed("Large", trial)
            small = [site.feed(f"Small {n + 1}", trial) for n in range(feeds + 2)] if set(only) - {"rows"} else []
        took["begin"] = time.monotonic() - began
        parts = {
            "twice": lambda: feed_rows.twice(site, "twice", small[0], site.lines("feed", KNOWN, HELD, 0, SMALL)),
            "bad": lambda: feed_rows.bad(site, "bad", small[1], site.lines("feed", KNOWN, HELD, 0, SMALL)),
            "kills": lambda: feed_kills.kills(
                site, "small", small[2:], lambda n: site.lines("feed", KNOWN, HELD, n * KILL_ROWS, KILL_ROWS), KILLS),
            "changes": lambda: feed_changes.changes(site, "changes", WRITES),
            "merge": lambda: feed_merge.merges(SEQUENCES),
            "rows": lambda: rows(site, large),
        }
        if small:
            site.copy("small")
            site.load(KNOWN, HELD, "small")
            site.counted("small")
        for part in PARTS:
            if part in only:
                say(f"{part}:")
                began = time.monotonic()
                on_a_copy = part in ("twice", "bad", "changes")
                if on_a_copy:
                    site.copy(part, "small")
                figures = parts[part]()
                if on_a_copy:
                    site.forget(part)
                told |= figures
                took[part] = time.monotonic() - began
                say(f"  {figures} in {took[part]:.0f} s")
    told["seconds_of_parts"] = {part: round(seconds) for part, seconds in took.items()}
    for name, figure in told.items():
        shown = figure if not isinstance(figure, dict) else ", ".join(f"{k} {v}" for k, v in figure.items())
        print(f"{name.replace('_', ' '):<36}{shown!s:>24}")
    print(json.dumps(told))


def rows(site, feed):
    rate = site.load(CHILDREN + ROWS, CHILDREN, "contactpoint")
    path = site.file("rows.ndjson", "feed", CHILDREN + ROWS, CHILDREN, 0, ROWS)
    keys = site.file("rows.keys", "keys", CHILDREN + ROWS, CHILDREN, 0, ROWS)
    say(f"  {os.path.getsize(path) / 2**20:,.0f} MiB of rows")
    beside = feed_rows.copied(site, "contactpoint", ROWS, path, keys, LOOK_UPS)
    say(f"  {beside}")
    with site.on("contactpoint"):
        through = feed_rows.batch(site, feed, ROWS, path, SETTLE)
    vs_copy = round(through["rows_per_s"] / beside["copy_rows_per_s"], 4)
    return {"children_before": CHILDREN, "loaded_per_s": round(rate)} | through | beside | {"vs_copy": vs_copy}


main()
