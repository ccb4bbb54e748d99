"""Writes through kills of the service, of PostgreSQL and of both at once: none that was acknowledged is lost, doubled or unaudited."""

import random
import threading
import time
import uuid

from place import Instance, Line
from service import say

WRITERS = 16
# A child has so many carers at most, whoever adds them.
EACH = 8


class Writers:
    """Adds carers until it is left. Whoever gets no answer asks again with the same key, until it is there; `line` says where."""

    def __init__(self, site, numbers, line, threads=WRITERS):
        self.site, self.line, self.over, self.guard = site, line, threading.Event(), threading.Lock()
        self.left = [number for number in numbers for _ in range(EACH)]
        random.shuffle(self.left)
        self.acknowledged, self.at, self.retried, self.refused = {}, [], 0, []
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(threads)]

    def run(self, n):
        while not self.over.is_set():
            with self.guard:
                number = self.left.pop()
            key, attempts = str(uuid.uuid4()), 0
            body = {"name": {"given": ["Test"], "family": "Wr" + "".join(chr(97 + int(c, 16)) for c in key.replace("-", ""))},
                    "relationship": "other", "parentalResponsibility": False}
            while True:
                try:
                    token = self.site.crew.token("steward")
                except SystemExit:
                    time.sleep(0.2)
                    continue
                answer = self.line(n, attempts).ask("POST", f"/v1/children/{number}/carers", token, body, Idempotency_Key=key, X_Request_Id=key)
                attempts += 1
                if answer.status == 201:
                    with self.guard:
                        self.acknowledged[key] = answer.json()["id"], body["name"]["family"]
                        self.at.append(answer.ended)
                        self.retried += attempts > 1
                    break
                if answer.status not in (0, 401, 409, 503):
                    with self.guard:
                        self.refused.append((answer.status, answer.body[:300]))
                    break
                time.sleep(0.05)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def kills(site, count, wanted):
    """So many kills in turns, spread over as many writes as are wanted at least."""
    numbers = site.numbers(-(-(wanted + wanted // 2) // EACH))
    done, lines = {"service": 0, "postgres": 0, "both": 0}, {}

    def line(n, attempts):
        port = site.instances[(n + attempts) % len(site.instances)].port
        return lines.setdefault((n, port), Line(port))

    with site.serving():
        with Writers(site, numbers, line) as writers:
            for n in range(count):
                while len(writers.acknowledged) < wanted * n // count:
                    time.sleep(0.01)
                time.sleep(random.uniform(0, 0.3))
                what = ("service", "postgres", "both")[n % 3]
                kill(site, what)
                done[what] += 1
                if n % 20 == 19:
                    say(f"  {n + 1} kills, {len(writers.acknowledged):,} writes acknowledged, {writers.retried:,} after asking again")
            while len(writers.acknowledged) < wanted:
                time.sleep(0.05)
    return {"kills": sum(done.values()), "kills_of": done, "acknowledged": len(writers.acknowledged), "asked_again": writers.retried,
            "refused": len(writers.refused)} | judged(site, writers)


def kill(site, what):
    killed = [random.randrange(len(site.instances))] if what != "postgres" else []
    for n in killed:
        site.instances[n].process.kill()
    if what != "service":
        site.server.kill()
        site.server.start()
    for n in killed:
        site.instances[n].process.wait()
        site.instances[n] = Instance(site.programs, site.folder, f"instance-{n}-{uuid.uuid4()}")
    site.a, site.b = site.instances[0], site.instances[-1]


def judged(site, writers):
    """What the database holds of what was acknowledged."""
    for refused in writers.refused[:5]:
        say(f"  refused: {refused}")
    held = dict(row.split("|") for row in site.psql(
        "select carer_id, family from carer where family like 'Wr%' and given = '{Test}'").splitlines())
    families = {}
    for family in held.values():
        families[family] = families.get(family, 0) + 1
    events = set(site.psql("select distinct request_id from audit_event where operation = 'add_carer' and status = 201").split())
    acknowledged = writers.acknowledged
    return {"lost": sum(held.get(carer) != family for carer, family in acknowledged.values()),
            "doubled": sum(n - 1 for n in families.values()),
            "unaudited": sum(key not in events for key in acknowledged)}
