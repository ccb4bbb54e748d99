"""A site for feeds: the database of a demo whose own service is gone, so that all that works on feeds are two instances that may
be killed, on any copy of that database; live feeds of the demo's authority, and what sends to them."""

import contextlib
import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid

from hidden import Crew
from place import Answer, Instance, Place, address
from service import say, stop

NDJSON = "application/x-ndjson"


class Site(Place):
    """The database `contactpoint`, of which others are copied. `a` and `b` are the instances, where they run."""

    def __init__(self, programs, children):
        super().__init__(programs, children)
        self.crew, self.tokens, self.guard = Crew(self), {}, threading.Lock()
        self.logs = itertools.count(1)

    def __enter__(self):
        self.demo.__enter__()
        try:
            # Only the service of the demo goes; its PostgreSQL stays until the end.
            self.demo.process.kill()
            self.demo.process.wait()
            self.folder = self.demo.folder
            self.accounts = {account["userName"]: account for account in self.demo.told["accounts"]}
            with open(self.folder + "/issuers.json", "w") as file:
                json.dump([], file)
            self.psql("alter system set max_wal_size = '4GB'")
            # As a database that has been running: its log goes into files that are there already.
            self.psql("alter system set min_wal_size = '2GB'")
            self.psql("select pg_reload_conf()")
            name = self.accounts["account.administrator"]["organisation"]
            self.authority = self.psql(f"select authority_code from organisation where name = '{name}' and authority_code is not null")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for instance in self.instances:
            instance.process.kill()
        with contextlib.suppress(OSError, ValueError):
            with open(self.demo.folder + "/postgres/data/postmaster.pid") as note:
                server = int(note.readline())
            os.kill(server, signal.SIGINT)
            while os.path.exists(f"/proc/{server}"):
                time.sleep(0.1)
        self.demo.__exit__()

    @contextlib.contextmanager
    def on(self, database):
        """Both instances on a database."""
        self.instances = [self.instance(database) for _ in "ab"]
        self.a, self.b = self.instances
        # Who signed in on another copy has not on this one.
        self.crew.held, self.tokens = {}, {}
        try:
            yield
        finally:
            for instance in self.instances:
                stop(instance.process)
            self.instances = []

    def instance(self, database):
        return Instance(self.programs, self.folder, f"log-{next(self.logs)}", database)

    def killed(self, n, database):
        """Kills an instance, and starts another in its place."""
        self.instances[n].process.kill()
        self.instances[n].process.wait()
        self.instances[n] = self.instance(database)
        self.a, self.b = self.instances

    def copy(self, database, of="contactpoint"):
        """A database anew, as another is."""
        self.psql(f"drop database if exists {database} with (force)", "postgres")
        for _ in range(100):
            with contextlib.suppress(OSError):
                self.psql(f"create database {database} template {of}", "postgres")
                return
            time.sleep(0.1)
        sys.exit(f"{of} could not be copied")

    def forget(self, database):
        self.psql(f"drop database {database} with (force)", "postgres")

    def rows(self, *words):
        """What the generator writes of rows, as a process."""
        return subprocess.Popen([self.programs + "/rows", *map(str, words)], stdout=subprocess.PIPE)

    def load(self, children, held, database):
        """Loads the children whom the index holds already: how many a second."""
        began = time.monotonic()
        made = self.rows("load", children, held, self.authority)
        loading = self.contactpoint("load", "-", database=database, stdin=made.stdout)
        made.stdout.close()
        _, told = loading.communicate()
        if "Loaded" not in told:
            sys.exit(f"the children could not be loaded: {told[-2000:]}")
        # As autovacuum does: tables that hold nothing yet are not looked at, and are not taken to stay empty.
        filled = "child, child_name, child_identifier, whereabouts, carer, involvement, match_entry, organisation"
        self.psql("vacuum analyze " + filled, database)
        self.psql("checkpoint", database)
        say("  " + told.strip().splitlines()[-1 if loading.returncode == 0 else -2])
        return held / (time.monotonic() - began)

    def counted(self, database):
        """Has the names of an index counted, as instances do by and by."""
        with self.on(database):
            wanted = int(self.psql("select count(*) from child", database)) * 0.95
            while float(self.psql("select coalesce(max(children), 0) from match_frequencies", database)) < wanted:
                time.sleep(0.5)

    def file(self, name, *words):
        """A file of what the generator writes."""
        path = f"{self.folder}/{name}"
        with open(path, "wb") as file:
            subprocess.run([self.programs + "/rows", *map(str, words)], stdout=file, check=True)
        return path

    def lines(self, *words):
        """The same as lines in memory."""
        return subprocess.run([self.programs + "/rows", *map(str, words)], check=True, capture_output=True).stdout.splitlines(True)

    def done(self, answer, *wanted):
        if answer.status not in (wanted or (200,)):
            sys.exit(f"what is needed could not be done: {answer.status} {answer.body.decode()}")
        return answer

    def client(self):
        """A client of the authority that may send to its feeds."""
        self.sender = self.system("feed")

    def feed_token(self):
        with self.guard:
            token, since = self.tokens.get(self.sender, (None, 0))
            if time.monotonic() - since > 300:
                token = self.token(self.sender)
                self.tokens[self.sender] = token, time.monotonic()
            return token

    def feed(self, name, trial):
        """A feed that is live, since its batch on trial went well."""
        body = {"name": name, "serviceType": "educationWelfare"}
        line, administrator = self.a.line(), self.crew.token("account.administrator")
        feed = self.done(line.ask("POST", "/v1/feeds", administrator, body), 201).json()["id"]
        batch = self.done(self.send(self.a, feed, trial), 202).json()["id"]
        told = self.ended(feed, batch)
        answer = line.ask("PUT", f"/v1/feeds/{feed}/stage", administrator, {"stage": "live"}, If_Match='"1"')
        if answer.status != 200:
            sys.exit(f"a feed is not ready to go live: {told}")
        return feed

    def send(self, instance, feed, body, key=None, query="", pace=None):
        """Sends a batch: bytes, or the path of a file. Status 0 is one that had no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=900, blocksize=1 << 17)
        headers = {"Authorization": "Bearer " + self.feed_token(), "Access-Reason": "direct-service", "Content-Type": NDJSON,
                   "X-Forwarded-For": address(), "Idempotency-Key": key or str(uuid.uuid4())}
        with contextlib.ExitStack() as opened:
            if isinstance(body, str):
                headers["Content-Length"] = str(os.path.getsize(body))
                body = opened.enter_context(open(body, "rb"))
            elif pace:
                headers["Content-Length"], body = str(len(body)), slowly(body, pace)
            return asked(connection, f"/v1/feeds/{feed}/batches{query}", body, headers)

    def batch(self, feed, batch):
        """How far a batch is, from whichever instance answers."""
        for instance in self.instances * 30:
            with contextlib.suppress(SystemExit):
                answer = instance.line().ask("GET", f"/v1/feeds/{feed}/batches/{batch}", self.feed_token())
                if answer.status == 200:
                    return answer.json()
            time.sleep(0.2)
        sys.exit(f"the batch {batch} cannot be seen: {answer.status} {answer.body.decode()}")

    def ended(self, feed, batch, pause=0.2, most=7200):
        """The batch once it is done."""
        began = time.monotonic()
        while time.monotonic() - began < most:
            told = self.batch(feed, batch)
            if told["status"] in ("done", "failed"):
                return told
            time.sleep(pause)
        sys.exit(f"a batch is not done: {told}")

    def outcomes(self, feed, batch):
        """What became of each row."""
        token = self.feed_token()
        answer = self.a.line().ask("GET", f"/v1/feeds/{feed}/batches/{batch}/rows", token, Accept=NDJSON)
        return [json.loads(line) for line in self.done(answer).body.splitlines()]


def slowly(body, seconds, pieces=40):
    """The body in so many pieces, over so many seconds."""
    size = -(-len(body) // pieces)
    for n in range(0, len(body), size):
        yield body[n:n + size]
        time.sleep(seconds / pieces)


def asked(connection, path, body, headers):
    """The answer to a long request."""
    began = time.monotonic()
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read(), began, time.monotonic())
    except (OSError, http.client.HTTPException):
        return Answer(0, {}, b"", began, time.monotonic())
    finally:
        connection.close()
