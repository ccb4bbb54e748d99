"""A simulated year through the rules by which the service watches: who of those who misuse the index is found, who else is flagged, and
by which detector. `bench/run watch_year` alone; `bench/run watch` has its figures too."""

import json
import subprocess
import sys

from service import say


def table(told):
    """The confusion table, for people to read."""
    detectors = sorted({detector for row in told["table"].values() for detector in row})
    say(f"{'who':<22}{'of them':>8}{'found':>7}  " + "  ".join(detectors))
    for kind, row in told["kinds"].items():
        cells = "  ".join(f"{told['table'].get(kind, {}).get(detector, 0):>{len(detector)}}" for detector in detectors)
        say(f"{kind:<22}{row['seeded']:>8}{row['found']:>7}  {cells}")
    for work, row in told["table"].items():
        if work not in told["kinds"]:
            cells = "  ".join(f"{row.get(detector, 0):>{len(detector)}}" for detector in detectors)
            say(f"{work + ' (no misuse)':<37}  {cells}")


def year(programs, *seed):
    """The figures of the year."""
    run = subprocess.run([programs + "/examples/watch_year", *seed], stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(run.stdout)
    say(f"{told['people']} people of {told['organisations']} organisations, {told['children']} children, {told['days']} days: "
        f"{told['events']} searches and openings, {told['alerts']} alerts; seed {told['seed']}")
    table(told)
    for detector, rule in told["rules"].items():
        say(f"  {detector:<18} at least {rule['least']}, limit {rule['limit']}, within {rule['minutes']} minutes")
    return {
        "abusers": told["abusers"],
        "abusers_found": told["abusersFound"] / told["abusers"],
        "others": told["others"],
        "false_flags": told["othersFlagged"] / told["others"],
        "organisations_flagged_falsely": told["organisationsFlaggedFalsely"],
        "watched_events": told["events"],
        "alerts": told["alerts"],
    }


PARTS = {"year": year}


def run(programs, only):
    return year(programs) if not only or "year" in only else {}


if __name__ == "__main__":
    print(json.dumps(year(*sys.argv[1:])))
