"""Random sequences of merges, corrections and reversals, each record compared with what it was: the test of the service with as many."""

import os
import re
import subprocess
import sys

from service import say

TEST = "merge::sequences::after_any_merges_and_corrections_every_record_comes_back_as_it_was"
AT_ONCE = 4


def merges(sequences):
    """How many sequences there were, and how many records were otherwise after one."""
    runs, began = [], 1
    command = ["cargo", "test", "--locked", "--quiet", "--test", "api", TEST, "--", "--exact", "--nocapture"]
    subprocess.run(command[:-3] + ["--no-run"], check=True, stdout=sys.stderr)
    for n in range(AT_ONCE):
        share = sequences * (n + 1) // AT_ONCE - sequences * n // AT_ONCE
        environment = os.environ | {"MERGE_SEQUENCES": str(share), "MERGE_SEED": str(began)}
        runs.append(subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        began += share
    done = wrong = 0
    for run in runs:
        told, _ = run.communicate()
        done += len(re.findall(r"sequence with MERGE_SEED=", told))
        if run.returncode:
            wrong += 1
            say(told[-3000:])
    return {"merge_sequences": done, "merge_wrong": wrong}
