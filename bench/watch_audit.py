"""How hard the audit is to change unseen, and what that costs: the parts of `bench/run watch` about the log itself."""

import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time

from place import Instance
from service import Demo, one_time_code, say, stop

CHILDREN = int(os.environ.get("BENCH_CHILDREN", "5000"))
EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "8"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
RATE = 600
LOOK = "select e.*, row_number() over (order by tx, event_id) as k from audit_event e where operation = 'open_child'"


def of(k, change):
    return f"update audit_event set {change} where event_id = (select event_id from look where k = {k})"


def again(k, otherwise):
    return (f"create temporary table copy as select e.* from audit_event e join look using (event_id) where k = {k}; "
            f"update copy set {otherwise}; insert into audit_event select * from copy")


# Of thirty looks that are under roots, and a few after them that are not: `last` is the number of the last.
TAMPERS = {
    "a changed outcome": of(3, "outcome = 'refused'"),
    "a changed caller": of(3, "account_id = gen_random_uuid()"),
    "a child taken out": of(3, "children = '{}'"),
    "changed details": "update audit_event set hidden = set_byte(hidden, 20, 255 - get_byte(hidden, 20)) where event_id = "
                       "(select event_id from audit_event where hidden is not null order by tx limit 1)",
    "a changed time": of(3, "at = at - interval '1 second'"),
    "another month": of(3, "at = at + interval '1 month'"),
    "a deleted event": "delete from audit_event where event_id = (select event_id from look where k = 3)",
    "a deleted event under no root": "delete from audit_event where event_id = (select event_id from look order by k desc limit 1 offset 1)",
    "a changed event under no root": of("(select max(k) from look)", "role = 'steward'"),
    "a forged event in a sealed range": again(3, "event_id = gen_random_uuid(), serial = 999999"),
    "a forged event under no root": again("(select max(k) from look)", "event_id = gen_random_uuid(), serial = 99999, tx = pg_current_xact_id()"),
    "a forged event of a low transaction": again(3, "event_id = gen_random_uuid(), tx = '3'"),
    "an event twice": again(3, "event_id = event_id"),
    "two events that changed places": "update audit_event e set tx = o.tx from look l, look o where l.event_id = e.event_id "
                                      "and (l.k, o.k) in ((3, 20), (20, 3))",
    "another leaf and content": of(3, "role = 'steward', leaf = sha256('forged')"),
    "swapped roots": "update audit_seal s set root = o.root from audit_seal o where (s.n, o.n) in ((1, 2), (2, 1))",
    "a deleted root": "delete from audit_seal where n = 2",
    "a root by another key": "update audit_seal set kid = 'another' where n = 2",
    "roots begun anew": "delete from audit_seal",
    "a truncated tail": "delete from audit_event where tx::text::bigint >= (select tx_from from audit_seal order by n desc limit 1); "
                        "delete from audit_seal where n = (select max(n) from audit_seal)",
}
# Beside the witness alone: nothing is written afterwards.
ROLLED_BACK = ("delete from audit_event where tx::text::bigint >= (select tx_to from audit_seal where n = 2); "
               "delete from audit_seal where n > 2")


class Site:
    """A demo, whose database is copied, and what is asked of the copies."""

    def __init__(self, programs):
        self.programs, self.demo = programs, Demo(programs, CHILDREN)

    def __enter__(self):
        self.demo.__enter__()
        self.folder, self.public = self.demo.folder, self.demo.folder + "/public-keys.json"
        with open(self.folder + "/issuers.json", "w") as file:
            file.write("[]")
        with open(self.public, "w") as file:
            file.write(self.contactpoint("keys", "show-audit").stdout)
        return self

    def __exit__(self, *_):
        self.demo.__exit__()

    def psql(self, sql, database="contactpoint"):
        command = ["psql", "-h", self.folder + "/postgres", "-U", "contactpoint", "-XAtq", "-v", "ON_ERROR_STOP=1", database, "-c", sql]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    def contactpoint(self, *words, database="contactpoint"):
        environment = dict(os.environ, CONTACTPOINT_KEYS=self.folder + "/keys",
                           DATABASE_URL=f"postgres:///{database}?host={self.folder}/postgres&user=contactpoint_app")
        return subprocess.run([self.programs + "/contactpoint", *words], capture_output=True, text=True, env=environment)

    def copy(self, name):
        """The demo's database, in one of its own."""
        self.psql(f"create database {name}")
        dump = f"pg_dump -h {self.folder}/postgres -U contactpoint contactpoint | psql -h {self.folder}/postgres -U contactpoint -Xq {name}"
        subprocess.run(["sh", "-c", dump], check=True, stdout=subprocess.DEVNULL)

    def numbers(self):
        return self.psql("select index_number from child where status = 'active' order by 1 limit 1000")

    def witness(self, name):
        return f"{self.folder}/{name}.witness"

    def serve(self, database, name):
        return Witnessed(self.programs, self.folder, name, database, self.witness(database))

    def sign_in(self, line, name):
        """An access token of an instance, whose tokens are not those of the demo; a one-time code is used once."""
        time.sleep(30.5 - time.time() % 30)
        account = next(a for a in self.demo.told["accounts"] if a["userName"] == name)
        body = {"userName": name, "password": account["password"], "pin": account["pin"], "oneTimeCode": one_time_code(account["otpauth"], time.time())}
        answer = line.ask("POST", "/v1/sessions", body=body)
        if answer.status != 200:
            sys.exit(f"{name} could not sign in: {answer.status} {answer.body.decode()}")
        return answer.json()["accessToken"]

    def verified(self, database):
        told = self.contactpoint("audit", "check", "--public-keys", self.public, "--witness", self.witness(database), database=database)
        return told.returncode, told.stdout + told.stderr


class Witnessed(Instance):
    """An instance that tells a witness."""

    def __init__(self, programs, folder, name, database, witness):
        wrapper = f"{folder}/with-{name}"
        os.makedirs(wrapper, exist_ok=True)
        with open(wrapper + "/contactpoint", "w") as script:
            script.write(f'#!/bin/sh\nexport CONTACTPOINT_AUDIT_WITNESS="{witness}"\nexec "{programs}/contactpoint" "$@"\n')
        os.chmod(wrapper + "/contactpoint", 0o755)
        super().__init__(wrapper, folder, name, database)


def tampers(site):
    """Every tamper in a copy of its own, in which the service goes on before it is verified."""
    site.copy("log")
    numbers, instance = site.numbers(), site.serve("log", "log")
    line = instance.line()
    token = site.sign_in(line, "doctor")

    def look(many):
        for number in numbers[:many]:
            seen(line.ask("GET", f"/v1/children/{number}", token))

    look(15), time.sleep(3), look(15), time.sleep(3), look(5)
    instance.process.kill()
    instance.process.wait()
    site.psql("create view look as " + LOOK, "log")
    found = {}
    for n, (name, statement) in enumerate(TAMPERS.items()):
        say(f"Tamper {n + 1} of {len(TAMPERS) + 1}: {name}")
        found[name] = tampered(site, f"log_{n}", statement, token, numbers)
    site.psql("create database log_back template log")
    site.psql(ROLLED_BACK, "log_back")
    copied(site, "log_back")
    found["a database that was rolled back"] = site.verified("log_back")[0] == 1
    clean = site.verified("log")
    missed = [name for name, seen in found.items() if not seen]
    print(f"{len(found)} tampers by a superuser, {len(missed)} missed" + "".join("; missed: " + name for name in missed))
    return {"tampers": len(found), "missed_tampers": len(missed), "clean_is_clean": clean[0] == 0}


def seen(answer):
    if answer.status != 200:
        sys.exit(f"a look was refused: {answer.status} {answer.body.decode()}")


def copied(site, database):
    subprocess.run(["cp", site.witness("log"), site.witness(database)], check=True)


def tampered(site, database, statement, token, numbers):
    site.psql(f"create database {database} template log")
    copied(site, database)
    site.psql("alter table audit_event drop constraint audit_event_is_evident; " + statement, database)
    try:
        instance = site.serve(database, database)
    except SystemExit:
        return "witness" in open(f"{site.folder}/{database}.log").read()
    instance.line().ask("GET", f"/v1/children/{numbers[0]}", token)
    time.sleep(2.5)
    stop(instance.process)
    code, told = site.verified(database)
    return code == 1 and "tampered with" in told


def wrk(url, script, seconds):
    told = subprocess.run(["wrk", "-t1", "-c32", f"-d{seconds}s", "-s", script, url], check=True, capture_output=True, text=True).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    if errors:
        sys.exit(f"{errors.group(1)} requests failed at {url}:\n{told}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told).group(1))


def script(site, name, path, token=None):
    headers = '{["Access-Reason"]="direct-service"' + (f', ["Authorization"]="Bearer {token}"' if token else "") + "}"
    items = ",".join(f'"{number}"' for number in site.numbers())
    file = f"{site.folder}/{name}.lua"
    with open(file, "w") as lua:
        lua.write(f'local items = {{{items}}}\nlocal n = 0\nfunction request() n = n % #items + 1; '
                  f'return wrk.format("GET", "{path}" .. items[n], {headers}) end\n')
    return file


def million(site):
    """As many events as are asked for, through the service, exported and verified."""
    while (held := int(site.psql("select count(*) from audit_event")[0])) < EVENTS:
        say(f"{held:,} events of {EVENTS:,}")
        wrk(site.demo.url, script(site, "fill", "/v1/children/", site.demo.sign_in("doctor")), 30)
    time.sleep(3)
    file = site.folder + "/audit.ndjson"
    began = time.monotonic()
    exported = site.contactpoint("audit", "export", file)
    written = time.monotonic()
    verified = subprocess.run([site.programs + "/contactpoint", "audit", "verify", file, "--public-keys", site.public],
                              capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    ended = time.monotonic()
    if exported.returncode or verified.returncode:
        sys.exit(f"the log is not clean: {exported.stderr} {verified.stdout} {verified.stderr}")
    size = os.path.getsize(file)
    os.remove(file)
    print(f"{held:,} events: exported in {written - began:.1f} s ({size / 1e9:.2f} GB), verified in {ended - written:.1f} s")
    return {"verify_million_s": round((ended - written) * 1e6 / held, 1), "export_million_s": round((written - began) * 1e6 / held, 1),
            "events": held}


def lag(site):
    """How long an event waits for a root, at so many looks a second."""
    numbers, seconds, threads = site.numbers(), 30, 6
    instance = site.serve("contactpoint", "lag")
    token = site.sign_in(instance.line(), "doctor")
    since, begin, asked = site.psql("select now()")[0], time.monotonic() + 1, [0] * threads

    def ask(own):
        line, n = instance.line(), 0
        while True:
            at = begin + n * threads / RATE + own / RATE
            if at > begin + seconds:
                return
            time.sleep(max(0, at - time.monotonic()))
            asked[own] += line.ask("GET", f"/v1/children/{numbers[(n * threads + own) % len(numbers)]}", token).status == 200
            n += 1

    running = [threading.Thread(target=ask, args=(own,)) for own in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    took = time.monotonic() - begin
    if sum(asked) < 0.99 * RATE * seconds:
        sys.exit(f"of {RATE * seconds} looks {sum(asked)} were answered")
    time.sleep(3)
    p99, most = site.psql(
        f"select percentile_cont(0.99) within group (order by lag), max(lag) from (select extract(epoch from s.at - e.at) as lag "
        f"from audit_event e join audit_seal s on s.epoch = e.epoch and e.tx::text::bigint >= s.tx_from and e.tx::text::bigint < s.tx_to "
        f"where e.at > '{since}' and e.operation = 'open_child') waited")[0].split("|")
    stop(instance.process)
    print(f"{sum(asked) / took:.0f} looks a second: 99 of 100 events are under a root within {float(p99):.2f} s, all within {float(most):.2f} s")
    return {"seal_lag_p99_s": round(float(p99), 2), "seal_lag_max_s": round(float(most), 2), "looks_per_s": round(sum(asked) / took)}


def cost(site):
    """Opening a record, fully audited, beside the same read with one plain insert of the same columns, in turns."""
    site.psql("drop table if exists plain_event; create table plain_event (like audit_event); grant insert on plain_event to contactpoint_app")
    port = "127.0.0.1:%d" % (20000 + os.getpid() % 20000)
    ceiling = subprocess.Popen([site.programs + "/examples/ceiling", site.folder + "/postgres", "contactpoint", port])
    time.sleep(1)
    site.psql("vacuum analyze")
    ratios, rates = [], []
    try:
        for n in range(ROUNDS + 1):
            audited = wrk(site.demo.url, script(site, "audited", "/v1/children/", site.demo.sign_in("doctor")), SECONDS)
            plain = wrk("http://" + port, script(site, "plain", "/plain/"), SECONDS)
            say(f"Round {n} of {ROUNDS}: {audited:.0f} and {plain:.0f} a second")
            if n:
                ratios.append(audited / plain)
                rates.append((audited, plain))
            time.sleep(25)
    finally:
        stop(ceiling)
    audited, plain = (statistics.median(rate[n] for rate in rates) for n in (0, 1))
    print(f"opening a record: {audited:,.0f} a second with the full audit, {plain:,.0f} with one plain insert")
    return {"audited_vs_plain": round(statistics.median(ratios), 2), "audited_per_s": round(audited), "plain_per_s": round(plain)}


PARTS = {"cost": cost, "lag": lag, "million": million, "tampers": tampers}


def run(programs, only):
    figures = {}
    parts = [name for name in PARTS if not only or name in only]
    if parts:
        with Site(programs) as site:
            for name in parts:
                say(f"Measuring: {name}")
                figures |= PARTS[name](site)
    return figures
