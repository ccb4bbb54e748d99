"""The task of retention, killed while it works and run again: it must end where an undisturbed run ends."""

import json
import random
import signal
import subprocess
import sys
import time

from service import say

# Everything that the task may change, in an order that does not depend on when it ran.
STATE = """
select md5(string_agg(line, e'\\n' order by line)) from (
    select concat_ws('|', 'child', index_number, status, archives_on, archived_on) as line from child
    union all
    select concat_ws('|', 'flag', flag_id, cleared_at is not null) from flag
    union all
    select concat_ws('|', 'identifier', identifier_id, held) from child_identifier
    union all
    select concat_ws('|', 'notice', kind, about, role, due_on) from notice
) as state
"""


# Lets the time of every record be over in one of the last 30 nights, and every flag end or be about to.
DUE = """
update child set archives_on = current_date - ('x' || left(md5(index_number), 2))::bit(8)::int % 30 where status = 'active';
update flag set expires_on = greatest(set_on + 1, current_date - 10 + ('x' || left(md5(flag_id::text), 2))::bit(8)::int % 24)
    where cleared_at is null;
"""


def copies(place, kills):
    """A run on a copy of the database that nobody disturbs, and one that is killed so many times: whether both end alike."""
    whole = place.dump()
    for name in ("undisturbed", "killed"):
        restore(place, name, whole)
    began = time.monotonic()
    run(place, "undisturbed")
    took, done = time.monotonic() - began, 0
    while done < kills:
        process = start(place, "killed")
        try:
            process.wait(timeout=random.uniform(0.02, took))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            done += 1
            continue
        if "Another run" in process.stderr.read():
            # The database has not noticed yet that the one before is gone.
            time.sleep(0.1)
            continue
        # It was done before it could be killed: begin again from the start.
        say(f"  {done} kills so far; the task had ended, so it begins anew")
        if state(place, "killed") != state(place, "undisturbed"):
            return done, False
        restore(place, "killed", whole)
    run(place, "killed")
    run(place, "killed")
    return done, state(place, "killed") == state(place, "undisturbed")


def restore(place, database, dump):
    """The database anew, as it was dumped."""
    place.psql(f"drop database if exists {database} with (force)", "postgres")
    place.psql(f"create database {database}", "postgres")
    command = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", place.folder + "/postgres", "-U", "contactpoint", "-d", database]
    subprocess.run(command, input=dump, check=True, text=True, stdout=subprocess.DEVNULL)
    place.psql(DUE, database)


def state(place, database):
    return place.psql(STATE, database)


def start(place, database):
    return place.contactpoint("retention", "run", database=database)


def run(place, database):
    """Runs the task to its end, once the database has noticed that one that was killed is gone."""
    faults = "Another run"
    while "Another run" in faults:
        process = start(place, database)
        _, faults = process.communicate()
        if process.returncode:
            sys.exit(f"the task failed: {faults}")


def cases(programs):
    """The table of dated cases through the rules themselves: how many, and how many days have another state than expected."""
    told = subprocess.run([programs + "/examples/retention", "tests/data/retention-cases.json"], check=True, capture_output=True, text=True)
    return json.loads(told.stdout)
