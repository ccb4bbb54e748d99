"""Dated cases of requests for information, each with the day on which it is due: the test of the service tells how many there are and
how many are due on another day."""

import re
import subprocess
import sys

TEST = ["cargo", "test", "--locked", "--quiet", "--test", "api", "dated_case", "--", "--nocapture"]


def clock(_):
    told = subprocess.run(TEST, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    counted = re.search(r"clock cases (\d+) wrong (\d+)", told)
    if not counted:
        sys.exit(f"the cases were not counted:\n{told[-3000:]}")
    cases, wrong = map(int, counted.groups())
    print(f"{cases} dated requests, {wrong} of them due on another day")
    return {"clock_cases": cases, "clock_wrong": wrong}


PARTS = {"clock": clock}


def run(programs, only):
    return clock(programs) if not only or "clock" in only else {}
