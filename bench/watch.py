"""Whether the watchers can be relied on: `bench/run watch [--only PART,…]`. The last line is one JSON object of figures."""

import json
import sys

import watch_audit
import watch_clock
import watch_year

# Every module has its PARTS by name, and runs those that are asked for.
MODULES = [watch_audit, watch_year, watch_clock]


def main():
    programs, words = sys.argv[1], sys.argv[2:]
    only = set(words[1].split(",")) if words[:1] == ["--only"] else set()
    figures = {}
    for module in MODULES:
        figures |= module.run(programs, only)
    print(json.dumps(figures))


main()
