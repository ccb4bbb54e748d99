"""Batches at two instances that are killed at random moments, beside the same batches undisturbed on a copy of the same database."""

import json
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter

from service import say

# A batch is sent over so many seconds, so that many kills are while it comes in.
SENDING = 1.5
# Of the kills of each batch.
WHILE_SENDING, WHILE_WORKING = 4, 6


def kills(site, base, feeds, rows, count):
    """Batches of so many rows, on as many feeds, with so many kills in all: kills, lines of the end state that differ."""
    bodies = [b"".join(rows(n)) for n in range(len(feeds))]
    site.copy("undisturbed", base)
    began = time.monotonic()
    with site.on("undisturbed"):
        for feed, body in zip(feeds, bodies):
            batch = accepted(site.send(site.a, feed, body))
            site.ended(feed, batch, 0.05)
        took = (time.monotonic() - began) / len(feeds)
        counted = [check_counts(site, feed) for feed in feeds]
    say(f"  undisturbed: {took:.1f} s a batch")
    site.copy("killed", base)
    done = {"while sending": 0, "while working": 0}
    with site.on("killed"):
        for n, (feed, body) in enumerate(zip(feeds, bodies)):
            of_feed = count * (n + 1) // len(feeds) - count * n // len(feeds)
            disturbed(site, feed, body, of_feed, took, done)
            say(f"  {sum(done.values())} kills, {n + 1} batches")
        for n in (0, 1):
            site.killed(n, "killed")
        counted += [check_counts(site, feed) for feed in feeds]
    differing = compare(state(site, "undisturbed"), state(site, "killed"))
    wrong = sum(counted) + differing
    for database in ("undisturbed", "killed"):
        site.forget(database)
    return {"kills": sum(done.values()), "kills_while_sending": done["while sending"], "kills_while_working": done["while working"],
            "wrong_outcomes": wrong}


def accepted(answer):
    if answer.status != 202:
        sys.exit(f"a batch was not taken: {answer.status} {answer.body.decode()}")
    return json.loads(answer.body)["id"]


def disturbed(site, feed, body, count, took, done):
    """One batch, through so many kills: its client repeats it with the same key until it is taken."""
    key, answer, sending = str(uuid.uuid4()), None, count * WHILE_SENDING // (WHILE_SENDING + WHILE_WORKING)
    for _ in range(sending):
        which, told = random.randrange(2), []
        client = threading.Thread(target=lambda: told.append(site.send(site.instances[which], feed, body, key, pace=SENDING)))
        client.start()
        client.join(random.uniform(0.05, SENDING))
        site.killed(which, "killed")
        client.join()
        done["while sending"] += 1
        answer = told[0]
        if answer.status == 202:
            break
    for _ in range(20):
        if answer and answer.status == 202:
            break
        answer = site.send(random.choice(site.instances), feed, body, key)
        if answer.status in (0, 409, 503):
            time.sleep(1)
    batch, at_work = accepted(answer), 0
    while at_work < count - sending:
        if site.batch(feed, batch)["status"] == "done":
            say("  a batch was done before all of its kills")
            break
        those = random.choice([(0,), (1,), (0, 1)])[:count - sending - at_work]
        for which in those:
            site.instances[which].process.kill()
        for which in those:
            site.killed(which, "killed")
        at_work += len(those)
        done["while working"] += len(those)
        time.sleep(random.uniform(0, took / (count + 1)))
    site.ended(feed, batch, 0.05)


def check_counts(site, feed):
    """How many rows of a feed do not have one outcome each that its batch counts."""
    batches = site.a.line().ask("GET", f"/v1/feeds/{feed}/batches?limit=100", site.feed_token()).json()["items"]
    wrong = 0
    for batch in batches:
        if batch["status"] != "done" or batch["trial"]:
            continue
        told = site.outcomes(feed, batch["id"])
        counted = Counter(row.get("outcome") for row in told)
        lines = Counter(row["line"] for row in told)
        wrong += sum(n - 1 for n in lines.values()) + abs(len(told) - batch["rows"]) + counted[None]
        wrong += sum(abs(counted[name] - n) for name, n in batch["outcomes"].items())
    return wrong


def state(site, database):
    command = ["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-h", site.folder + "/postgres", "-U", "contactpoint", "-d", database,
               "-f", "bench/feed_state.sql"]
    return Counter(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())


def compare(undisturbed, killed):
    """How many lines are of one of them alone."""
    gone, new = undisturbed - killed, killed - undisturbed
    for name, lines in (("undisturbed only", gone), ("killed only", new)):
        for line in sorted(lines)[:10]:
            say(f"  {name}: {line[:300]}")
    return max(sum(gone.values()), sum(new.values()))
