"""A reader that follows the changes while eight write: that every change is told once, and that who opens what was told of holds in
the end what the index holds."""

import json
import random
import threading
import time
from collections import Counter

from service import say

CHILDREN = 60
# As many write over HTTP; the others write in the database, with transactions that last, so that many end out of turn.
OVER_HTTP, IN_DATABASE = 6, 2
# What the index promises: a change is told within so many seconds, once those who write have written.
TOLD_WITHIN = 30

SLOW = """
do $$
declare
    n integer;
    whose text;
begin
    for n in 1..{writes} loop
        whose := ('{{{children}}}'::text[])[1 + floor(random() * {count})];
        perform from child where index_number = whose for no key update;
        update carer set phones = array['01632 960' || lpad((n % 1000)::text, 3, '0')], version = version + 1
        where carer_id = (select carer_id from carer join child using (child_id) where index_number = whose order by carer_id limit 1);
        perform pg_sleep(random() * 0.1);
        insert into bench_written values (whose, 'carers');
        commit;
    end loop;
end $$
"""


class Reader:
    """Follows the changes as a steward, and opens what is told of."""

    def __init__(self, site):
        self.site, self.line, self.told, self.mirror, self.over = site, site.b.line(), [], {}, threading.Event()
        self.after = self.begin = self.place(None)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def ask(self, path):
        answer = self.line.ask("GET", path, self.site.crew.token("steward"))
        if answer.status != 200:
            raise SystemExit(f"{path} was answered {answer.status} {answer.body.decode()}")
        return answer.json()

    def page(self, after, limit=1000):
        return self.ask(f"/v1/changes?limit={limit}" + (f"&after={after}" if after else ""))

    def place(self, after):
        more = True
        while more:
            page = self.page(after)
            after, more = page["next"], page["more"]
        return after

    def run(self):
        while True:
            ending = self.over.is_set()
            page = self.page(self.after, random.choice([1, 7, 100, 1000]))
            self.after = page["next"]
            self.told += page["items"]
            for number in {item["indexNumber"] for item in page["items"]}:
                self.mirror[number] = self.opened(number)
            if ending and not page["items"] and not page["more"]:
                return

    def opened(self, number):
        return [self.ask(f"/v1/children/{number}"), self.ask(f"/v1/children/{number}/carers")]

    def end(self, expected):
        """Waits until as much has been told as was written, or that is overdue."""
        until = time.monotonic() + TOLD_WITHIN
        while len(self.told) < expected and time.monotonic() < until:
            time.sleep(0.2)
        time.sleep(1)
        self.over.set()
        self.thread.join()

    def again(self):
        """All that was told, read once more."""
        items, after, more = [], self.begin, True
        while more:
            page = self.page(after, 137)
            items += page["items"]
            after, more = page["next"], page["more"]
        return items[:len(self.told)]


def changes(site, database, writes):
    """How many changes were lost, told twice or told otherwise when they were read once more; records that are not as they were told."""
    children = site.psql(f"""
        select c.index_number from child c join organisation o on o.organisation_id = c.responsible_authority_id
        where o.authority_code = '{site.authority}' and c.status = 'active' and not c.shielded
          and exists (select from carer r where r.child_id = c.child_id and r.superseded_at is null)
        order by md5(c.index_number) limit {CHILDREN}""", database).split()
    site.psql("create table bench_written (index_number text, kind text)", database)
    written, guard, each = Counter(), threading.Lock(), writes // (OVER_HTTP + IN_DATABASE)
    with site.on(database):
        reader, began = Reader(site), time.monotonic()

        def over_http(n):
            line = site.instances[n % 2].line()
            for _ in range(each):
                number = random.choice(children)
                kind = write(site, line, number)
                if kind:
                    with guard:
                        written[number, kind] += 1

        def in_database():
            slow = SLOW.format(writes=each, children=",".join(children), count=len(children))
            site.psql(slow, database)

        writers = [threading.Thread(target=over_http, args=(n,)) for n in range(OVER_HTTP)]
        writers += [threading.Thread(target=in_database) for _ in range(IN_DATABASE)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        for row in site.psql("select index_number, kind, count(*) from bench_written group by 1, 2", database).splitlines():
            number, kind, count = row.split("|")
            written[number, kind] += int(count)
        seconds = time.monotonic() - began
        reader.end(sum(written.values()))
        told = Counter((item["indexNumber"], item["kind"]) for item in reader.told)
        lost, twice = written - told, told - written
        for name, some in (("lost", lost), ("told too often", twice)):
            for at, count in list(some.items())[:5]:
                say(f"  {name}: {at} {count}")
        otherwise = sum(a != b for a, b in zip(reader.told, reader.again()))
        stale = sum(reader.mirror.get(number) != reader.opened(number) for number in {number for number, _ in written})
    return {"changes": sum(written.values()), "change_writers": OVER_HTTP + IN_DATABASE,
            "changes_written_per_s": round(sum(written.values()) / seconds), "lost_changes": sum(lost.values()),
            "changes_told_too_often": sum(twice.values()), "changes_told_otherwise_again": otherwise, "records_stale_after_replay": stale}


def write(site, line, number):
    """One change over HTTP: its kind, or nothing where another was in the way."""
    token = site.crew.token("steward")
    kind = random.choice(["whereabouts", "child", "carers"])
    if kind == "carers":
        items = line.ask("GET", f"/v1/children/{number}/carers", token).json().get("items", [])
        if not items:
            return None
        held = random.choice(items)
        body = {"phones": [f"01632 960{random.randint(0, 999):03}"]}
        if held["phones"] == body["phones"]:
            return None
        answer = line.ask("PATCH", f"/v1/children/{number}/carers/{held['id']}", token, body, If_Match=f'"{held["version"]}"')
    else:
        path = f"/v1/children/{number}"
        there = line.ask("GET", path, token)
        if there.status != 200:
            raise SystemExit(f"{path} was answered {there.status} {there.body.decode()}")
        record = there.json()
        if kind == "whereabouts":
            address = {"lines": [f"{random.randint(1, 10**6)} Bench Way"], "town": "Exampleton", "postcode": "PO1 3AX"}
            body = {"whereabouts": {"kind": "current", "address": address}}
        else:
            current = next(name for name in record["names"] if name["kind"] == "current")
            letters = "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=8))
            body = {"names": [{key: current[key] for key in ("kind", "given", "family")},
                              {"kind": "knownAs", "given": [letters.title()], "family": current["family"]}]}
        answer = line.ask("PATCH", path, token, body, If_Match=there.headers["ETag"])
    if answer.status == 200:
        return kind
    if answer.status not in (409, 412):
        say(f"  a write was answered {answer.status} {json.dumps(answer.json())[:200]}")
    return None
