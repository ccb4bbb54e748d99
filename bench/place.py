"""Two instances of the service on the database of a demo, the people and systems of it, and requests of several threads."""

import http.client
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

from service import Demo, one_time_code, stop

ISSUER = "http://contactpoint.bench"
RATE = 200


networks = itertools.count(random.randrange(1 << 20))


def address():
    """An address of another network at each call."""
    n = next(networks)
    return "%d.%d.%d.7" % (20 + n // 65536 % 100, n // 256 % 256, n % 256)


class Answer:
    def __init__(self, status, headers, body, began, ended):
        self.status, self.headers, self.body, self.began, self.ended = status, headers, body, began, ended

    def json(self):
        return json.loads(self.body) if self.body else {}


class Line:
    """One connection, made anew whenever the other side has closed it. Status 0 is a request that had no answer."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method, path, token=None, body=None, form=None, **more):
        headers = {"Access-Reason": "direct-service", "X-Forwarded-For": more.pop("origin", None) or address()}
        if token:
            headers["Authorization"] = "Bearer " + token
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        else:
            data = None if body is None else json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        for attempt in (1, 2):
            began = time.monotonic()
            try:
                self.connection.request(method, path, data, headers)
                answer = self.connection.getresponse()
                body = answer.read()
                return Answer(answer.status, answer.headers, body, began, time.monotonic())
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # An idle connection may be closed in the moment in which it is used; a client asks again.
                self.connection.close()
            except (OSError, http.client.HTTPException):
                self.connection.close()
                break
        return Answer(0, {}, b"", began, time.monotonic())


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Instance:
    """`contactpoint serve` on the demo's database, with its keys, behind a proxy that it trusts."""

    def __init__(self, programs, folder, name, database="contactpoint", url=None):
        self.port, self.metrics_port = free_port(), free_port()
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("DATABASE_URL", "CONTACTPOINT_"))}
        environment |= {
            "DATABASE_URL": url or f"postgres:///{database}?host={folder}/postgres&user=contactpoint_app",
            "CONTACTPOINT_KEYS": folder + "/keys", "CONTACTPOINT_ISSUER": ISSUER,
            "CONTACTPOINT_LISTEN": f"127.0.0.1:{self.port}", "CONTACTPOINT_TRUSTED_PROXIES": "127.0.0.1",
            "CONTACTPOINT_METRICS_LISTEN": f"127.0.0.1:{self.metrics_port}",
            "CONTACTPOINT_ISSUERS": folder + "/issuers.json", "CONTACTPOINT_LOOPBACK_ISSUERS": "true",
        }
        self.log = open(f"{folder}/{name}.log", "w")
        self.process = subprocess.Popen([programs + "/contactpoint", "serve"], stdout=self.log, stderr=self.log, env=environment)
        began = time.monotonic()
        while time.monotonic() - began < 30:
            if self.process.poll() is not None:
                sys.exit(f"an instance did not start:\n{open(self.log.name).read()}")
            if Line(self.port).ask("GET", "/health/ready").status == 200:
                self.ready_after = time.monotonic() - began
                return
            time.sleep(0.02)
        sys.exit("an instance was not ready in 30 seconds")

    def line(self):
        return Line(self.port)

    def said(self):
        """Everything that it has logged so far, and its metrics."""
        with open(self.log.name) as log:
            return log.read() + Line(self.metrics_port).ask("GET", "/metrics").body.decode()


class Place:
    """The whole: `a` and `b` are the instances."""

    def __init__(self, programs, children):
        self.programs, self.demo, self.instances, self.stepped = programs, Demo(programs, children), [], {}

    def __enter__(self):
        self.demo.__enter__()
        try:
            self.folder, self.silent = self.demo.folder, socket.create_server(("127.0.0.1", 0))
            with open(self.folder + "/issuers.json", "w") as file:
                json.dump([self.directory()], file)
            self.instances = [Instance(self.programs, self.folder, name) for name in "ab"]
            self.a, self.b = self.instances
            self.accounts = {account["userName"]: account for account in self.demo.told["accounts"]}
            told = subprocess.run([self.programs + "/contactpoint", "openapi"], check=True, capture_output=True, text=True)
            self.document = json.loads(told.stdout)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for instance in self.instances:
            stop(instance.process)
        self.demo.__exit__()

    def directory(self):
        """A council's directory that takes connections and answers nothing."""
        issuer = "http://127.0.0.1:%d" % self.silent.getsockname()[1]
        return {"issuer": issuer, "audience": "contactpoint", "jwksUri": issuer + "/keys", "algorithms": ["EdDSA"],
                "roles": ["practitioner"], "organisation": "authority:887"}

    def factors(self, name):
        """Everything that an account signs in with, as soon as its next one-time code is there."""
        account = self.accounts[name]
        while int(time.time()) // 30 <= self.stepped.get(name, 0):
            time.sleep(0.2)
        now = time.time()
        self.stepped[name] = int(now) // 30
        return {"userName": name, "password": account["password"], "pin": account["pin"],
                "oneTimeCode": one_time_code(account["otpauth"], now)}

    def sign_in(self, name):
        answer = self.a.line().ask("POST", "/v1/sessions", body=self.factors(name))
        if answer.status != 200:
            sys.exit(f"{name} could not sign in: {answer.status} {answer.body.decode()}")
        return answer.json()

    def system(self, role):
        """A system of this role that may call as often as it likes: its id and secret."""
        told = self.registered({"role": role, "tokenEndpointAuthMethod": "client_secret"})
        return told["id"], told["clientSecret"]

    def registered(self, how):
        """A client that the account administrator registers now."""
        body = {"name": "A system of the measurement", "requestsPerSecond": 1000} | how
        answer = self.a.line().ask("POST", "/v1/clients", self.sign_in("account.administrator")["accessToken"], body)
        if answer.status != 201:
            sys.exit(f"no client was registered: {answer.status} {answer.body.decode()}")
        return answer.json()

    def token(self, system):
        """An access token of a system."""
        form = {"grant_type": "client_credentials", "client_id": system[0], "client_secret": system[1]}
        answer = self.a.line().ask("POST", "/oauth/token", form=form)
        if answer.status != 200:
            sys.exit(f"a system got no token: {answer.status} {answer.body.decode()}")
        return answer.json()["access_token"]

    def contactpoint(self, *arguments, database="contactpoint", **more):
        """A command of the program on a database and with the keys of this place."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("DATABASE_URL", "CONTACTPOINT_"))}
        environment |= {
            "DATABASE_URL": f"postgres:///{database}?host={self.folder}/postgres&user=contactpoint_app",
            "CONTACTPOINT_KEYS": self.folder + "/keys",
        }
        return subprocess.Popen([self.programs + "/contactpoint", *arguments], env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def person(self, user_name, role, organisation):
        """An account more: whoever acts as this role for the organisation of this code."""
        command = self.contactpoint("account", "add", "--user-name", user_name, "--name", "Bench Demo", "--role", role,
                                    "--organisation", organisation)
        told, faults = command.communicate()
        if command.returncode:
            sys.exit(f"{user_name} could not be added: {faults}")
        self.accounts[user_name] = json.loads(told)

    def psql(self, statement, database="contactpoint"):
        """What a superuser reads."""
        command = ["psql", "-qXAt", "-h", self.folder + "/postgres", "-U", "contactpoint", "-d", database, "-c", statement]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise OSError(f"{statement[:200]} … was refused: {done.stderr}")
        return done.stdout.strip()

    def dump(self):
        """The whole database, as a superuser reads it."""
        command = ["pg_dump", "-h", self.folder + "/postgres", "-U", "contactpoint", "contactpoint"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def keys(self, *arguments):
        """`contactpoint keys`."""
        command = [self.programs + "/contactpoint", "keys", *arguments, "--keys", self.folder + "/keys"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Load:
    """`rate` requests a second, until it is left; `asked` holds when each began, its status and how long it took."""

    def __init__(self, rate, ask, threads=8):
        self.asked, self.over, self.pause, self.ask = [], threading.Event(), threads / rate, ask
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(threads)]

    def run(self, n):
        at = time.monotonic() + self.pause * n / len(self.threads)
        while not self.over.wait(max(0, at - time.monotonic())):
            answer = self.ask(n)
            self.asked.append((answer.began, answer.status, answer.ended - answer.began))
            at = max(at + self.pause, time.monotonic() - 1)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def auc(some, others):
    """How surely a classifier could tell them apart by time: 0.5 is not at all."""
    both = sorted([(took, 1) for took in some] + [(took, 0) for took in others])
    ranks = sum(rank for rank, (_, first) in enumerate(both, 1) if first)
    return (ranks - len(some) * (len(some) + 1) / 2) / (len(some) * len(others))


def signer(programs):
    """A new key: its public half, and what signs claims by it."""
    process = subprocess.Popen([programs + "/examples/hostile", "client"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    keys = json.loads(process.stdout.readline())
    return keys, lambda claims: process.communicate(json.dumps(claims) + "\n", timeout=10)[0].strip()


def at_once(place, times, ask):
    """The answers to so many requests that begin at once, half of them at each instance."""
    lines, answers, gate = [], [], threading.Barrier(times)

    def one(n):
        line = place.instances[n % 2].line()
        line.connection.connect()
        gate.wait()
        answers.append(ask(line))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def each(place_instance, threads, items, do):
    """Does this for each of the items, with so many connections."""
    items, guard = iter(items), threading.Lock()

    def run():
        line = place_instance.line()
        while True:
            with guard:
                item = next(items, None)
            if item is None:
                return
            do(line, item)

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
