"""A large batch: how fast it goes, what memory it takes and how looks go meanwhile; beside the same rows by COPY, with the same
look-ups of the matcher in SQL. And small ones: sent again, and with bad rows."""

import json
import random
import re
import subprocess
import threading
import time
import uuid
from datetime import date, timedelta

from feed_kills import accepted
from place import Load
from service import say

LOOKS_A_SECOND = 20


class Memory:
    """The memory of both instances, five times a second, by what goes on."""

    def __init__(self, site):
        self.site, self.most, self.now, self.over = site, {}, "idle", threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over.wait(0.2):
            for n, instance in enumerate(self.site.instances):
                at = self.now, n
                self.most[at] = max(self.most.get(at, 0), resident(instance.process.pid))

    def end(self):
        self.over.set()
        self.thread.join()

    def over_idle(self, what):
        """By how many MiB the one that grew most has grown."""
        return max(round(self.most[what, n] - self.most["idle", n], 1) for n in (0, 1))


def resident(process):
    with open(f"/proc/{process}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


class Looks(Load):
    """Children opened by a doctor, at a steady pace, at both instances."""

    def __init__(self, site, numbers):
        lines = [site.instances[n % 2].line() for n in range(4)]
        doctor = lambda: site.crew.token("doctor")
        super().__init__(LOOKS_A_SECOND, lambda n: lines[n].ask("GET", "/v1/children/" + random.choice(numbers), doctor()), 4)

    def times(self):
        times = sorted(took * 1000 for _, status, took in self.asked if status == 200)
        return {"p50": round(times[len(times) // 2], 1), "p99": round(times[len(times) * 99 // 100], 1), "count": len(times),
                "failed": len(self.asked) - len(times)}


def batch(site, feed, rows, path, settle):
    """One batch of so many rows."""
    numbers = site.psql("select index_number from child where status = 'active' order by random() limit 5000").split()
    memory = Memory(site)
    with Looks(site, numbers) as warm:
        time.sleep(5)
    memory.most.clear()
    with Looks(site, numbers) as before:
        time.sleep(settle)
    began = time.monotonic()
    with Looks(site, numbers) as meanwhile:
        memory.now = "while it comes in"
        id = accepted(site.send(site.a, feed, path))
        came_in = time.monotonic() - began
        say(f"  {rows:,} rows came in in {came_in:.0f} s")
        memory.now = "while it is worked on"
        told = watched(site, feed, id)
        took = time.monotonic() - began
    memory.now = "after"
    time.sleep(2)
    memory.end()
    before, meanwhile = before.times(), meanwhile.times()
    return {"rows": told["rows"], "outcomes": told["outcomes"], "seconds": round(took, 1), "seconds_coming_in": round(came_in, 1),
            "rows_per_s": round(rows / took, 1), "rss_mb_idle": max(round(memory.most["idle", n], 1) for n in (0, 1)),
            "rss_mb_over_idle": max(memory.over_idle("while it comes in"), memory.over_idle("while it is worked on")),
            "rss_mb_over_idle_coming_in": memory.over_idle("while it comes in"),
            "worker_rss_mb_over_idle": memory.over_idle("while it is worked on"), "rss_mb_over_idle_after": memory.over_idle("after"),
            "look_p50_ms": [before["p50"], meanwhile["p50"]], "look_p99_ms": [before["p99"], meanwhile["p99"]],
            "look_p99_ratio": round(meanwhile["p99"] / before["p99"], 2), "looks": [before["count"], meanwhile["count"]],
            "looks_failed": before["failed"] + meanwhile["failed"]}


def watched(site, feed, id):
    told, said = site.batch(feed, id), time.monotonic()
    while told["status"] not in ("done", "failed"):
        time.sleep(0.5)
        told = site.batch(feed, id)
        if time.monotonic() - said > 30:
            said = time.monotonic()
            say(f"  {told['done']:,} of {told['rows']:,} rows, {told.get('rowsPerSecond', 0):,.0f} a second, {told['outcomes']}")
    return told


COPIED = """
create table bench_row (batch_id uuid not null, line bigint not null, reference text, hash bytea, sent bytea, outcome text,
    faults jsonb, child_id uuid, done_at timestamptz, primary key (batch_id, line));
create unique index on bench_row (batch_id, reference) where faults is null;
create index on bench_row (batch_id, line) where outcome is null;
create index on bench_row (child_id) where child_id is not null;
create unlogged table bench_keys (line bigint primary key, keys bigint[] not null);
"""

# The statement of src/matching/retrieve.rs, once for each row; what it finds is counted and goes nowhere.
LOOK_UP = """
do $$
declare
    asked bigint[];
    found bigint := 0;
begin
    for asked in select keys from bench_keys where line % {step} = 0 and line / {step} % 2 = {n} order by line loop
        select found + coalesce(cardinality(children), 0) into found
        from match_candidates(asked, (select max(scheme) from match_entry), current_date, true, 4000);
    end loop;
end $$
"""


def copied(site, database, rows, path, keys, look_ups):
    """Seconds for the same rows by COPY into a table with the indexes of feed_row, and for the same look-ups on as many connections
    as work on a batch: two. Of more rows than `look_ups` every nth is looked up, and the time is taken as many times. The rows
    are sealed already, and nothing is decided or written."""
    site.copy("copied", database)
    site.psql(COPIED, "copied")
    run(site, f"\\copy bench_keys from '{keys}'")
    site.psql("vacuum analyze bench_keys", "copied")
    sealed = path + ".copy"
    with open(path, "rb") as rows_in, open(sealed, "wb") as out:
        batch = str(uuid.uuid4())
        for n, row in enumerate(rows_in, 1):
            reference = re.search(rb'"reference":"([^"]+)"', row).group(1)
            out.write(b"%s\t%d\t%s\t\\\\x%s\t\\\\x%s\n" % (batch.encode(), n, reference, b"ab" * 32, row.rstrip().hex().encode()))
    began = time.monotonic()
    run(site, f"\\copy bench_row (batch_id, line, reference, hash, sent) from '{sealed}'")
    by_copy = time.monotonic() - began
    step, began = max(1, rows // look_ups), time.monotonic()
    looking = [threading.Thread(target=site.psql, args=(LOOK_UP.format(step=step, n=n), "copied")) for n in (0, 1)]
    for thread in looking:
        thread.start()
    for thread in looking:
        thread.join()
    by_look_ups = (time.monotonic() - began) * rows / (rows // step)
    site.forget("copied")
    return {"looked_up": rows // step, "copy_seconds": round(by_copy, 1), "look_up_seconds": round(by_look_ups, 1),
            "copy_rows_per_s": round(rows / (by_copy + by_look_ups), 1)}


def run(site, command):
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", site.folder + "/postgres", "-U", "contactpoint", "-d", "copied",
                    "-c", command], check=True)


# How many rows of every table that tells of a child were written since, and how many there are.
TABLES = """
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relkind = 'r' and a.attname = 'child_id' and c.relname not in ('feed_row', 'idempotency') order by 1
"""


def written(site, database, mark):
    """Rows written by transactions since this one, of all tables of children, and how many rows these tables hold."""
    tables = site.psql(TABLES, database).split()
    counts = [f"select '{table}', count(*), count(*) filter (where age(xmin) <= age('{mark}'::xid)) from {table}" for table in tables]
    told = [row.split("|") for row in site.psql(" union all ".join(counts), database).splitlines()]
    for table, _, new in told:
        if int(new):
            say(f"  {new} rows of {table} were written")
    return sum(int(held) for _, held, _ in told), sum(int(new) for _, _, new in told)


def twice(site, database, feed, rows):
    """The same rows again, in every way: how many of them are not the same batch or unchanged, and rows of children written."""
    body, key, wrong = b"".join(rows), str(uuid.uuid4()), 0
    with site.on(database):
        first = accepted(site.send(site.a, feed, body, key))
        done = site.ended(feed, first)
        if done["outcomes"]["linked"] + done["outcomes"]["created"] == 0:
            raise SystemExit(f"nothing was done, so that this shows nothing: {done}")
        mark = site.psql("select pg_current_xact_id()::xid", database)
        before = written(site, database, mark)[0]
        wrong += accepted(site.send(site.b, feed, body, key)) != first
        wrong += accepted(site.send(site.b, feed, body)) != first
        outcomes = []
        yesterday = date.today() - timedelta(days=1)
        for other, query in ((body + b"\n", ""), (body, f"?asAt={yesterday}"), (body, "?complete=true")):
            batch = accepted(site.send(site.b, feed, other, query=query))
            wrong += batch == first
            told = site.ended(feed, batch)
            outcomes.append(told["outcomes"])
            wrong += told["outcomes"]["linked"] + told["outcomes"]["created"] + told["unconfirmed"]
            wrong += told["outcomes"]["review"] != done["outcomes"]["review"]
        held, new = written(site, database, mark)
    for one in [done["outcomes"], *outcomes]:
        say(f"  {one}")
    return {"twice_rows": len(rows), "twice_changed": wrong + new + abs(held - before)}


def bad(site, database, feed, rows):
    """Every tenth row is wrong in one of these ways: how many rows are not told as they ought to be."""
    rows, expected = [json.loads(row) for row in rows], {}
    said = []
    for n, row in enumerate(rows, 1):
        if n % 10 == 7:
            name, spoil, pointer = WRONG[n // 10 % len(WRONG)]
            text = spoil(row)
            expected[n] = pointer
            said.append(text if isinstance(text, bytes) else json.dumps(row).encode())
        else:
            said.append(json.dumps(row).encode())
    with site.on(database):
        batch = accepted(site.send(site.a, feed, b"\n".join(said) + b"\n"))
        site.ended(feed, batch)
        told = {row["line"]: row for row in site.outcomes(feed, batch)}
    wrong = 0
    for n in range(1, len(rows) + 1):
        row = told.get(n, {})
        pointers = {fault["pointer"] for fault in row.get("errors", [])}
        rejected = row.get("outcome") == "rejected"
        if row.get("outcome") is None or rejected != (n in expected) or rejected and expected[n] not in pointers:
            wrong += 1
            if wrong <= 10:
                say(f"  line {n} ought to be {expected.get(n, 'taken')}: {row}")
    return {"bad_rows": len(expected), "bad_wrong": wrong}


def put(path, value):
    def spoil(row):
        *inner, last = path
        for step in inner:
            row = row[step]
        row[last] = value
    return spoil


def drop(name):
    return lambda row: row.pop(name) and None


TOMORROW = str(date.today() + timedelta(days=2))

# What is wrong, how a row comes by it, and where it is to be told.
WRONG = [
    ("no JSON", lambda row: b"Smith,Amy,2019-03-14", ""),
    ("another member", put(["ethnicity"], "A1"), "/ethnicity"),
    ("no reference", drop("reference"), "/reference"),
    ("a wrong reference", put(["reference"], "P 1"), "/reference"),
    ("a day that is none", put(["dateOfBirth"], "2019-02-30"), "/dateOfBirth"),
    ("a birth to come", put(["dateOfBirth"], TOMORROW), "/dateOfBirth"),
    ("a gender that is none", put(["gender"], "girl"), "/gender"),
    ("no names", put(["names"], []), "/names"),
    ("a name without family", put(["names", 0, "family"], " "), "/names/0/family"),
    ("a wrong postcode", put(["whereabouts", "address", "postcode"], "ME99"), "/whereabouts/address/postcode"),
    ("a wrong pupil number", put(["identifiers", 0, "value"], "A801000000001"), "/identifiers/0/value"),
    ("a wrong phone", put(["carers", 0, "phones"], ["x"]), "/carers/0/phones/0"),
    ("work that ends before it begins", put(["involvement", "endedOn"], "2020-01-01"), "/involvement/endedOn"),
    ("work to come", put(["involvement", "startedOn"], TOMORROW), "/involvement/startedOn"),
    ("a contact without a team", put(["involvement", "contact", "team"], ""), "/involvement/contact/team"),
]
