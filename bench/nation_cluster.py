"""Two instances behind a proxy on PostgreSQL with a synchronous standby: the primary is lost, an instance is told to stop."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from hidden import Crew
from nation_kills import Writers
from nation_site import ONE_AUTHORITY, PEOPLE, PLENTY
from place import Line, Load, Place, free_port
from service import say

CLUSTER = os.path.abspath("deploy/one-machine/cluster")


class Cluster(Place):
    """What deploy/one-machine/cluster sets up, with children in it."""

    def __init__(self, programs, children):
        self.programs, self.children, self.stepped, self.accounts = programs, children, {}, {}
        self.crew, self.folder = Crew(self), None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="contactpoint-bench-")
        os.chmod(self.folder, 0o711)
        # Seven ports in a row that nobody has.
        self.port = next(port for port in (free_port() for _ in range(100)) if free_row(port))
        self.environment = dict(os.environ, CLUSTER_PORT=str(self.port), CONTACTPOINT=self.programs + "/contactpoint")
        self.environment.pop("DATABASE_URL", None)
        try:
            self.cluster("up")
            self.owner("generate", "--children", str(self.children))
            self.psql(PLENTY)
            self.psql(ONE_AUTHORITY)
            for who in PEOPLE:
                self.person(*who)
            self.instances = [self]
            self.a = self
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.cluster("stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def cluster(self, command):
        done = subprocess.run([CLUSTER, command, self.folder], env=self.environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"cluster {command}: {done.stderr[-2000:]}")
        say("  " + " ".join((done.stderr.strip().splitlines() or [""])[-1:]))
        return done.stdout

    def line(self):
        return Line(self.port)

    def owner(self, *words):
        return self.command("contactpoint", *words)

    def command(self, role, *words):
        environment = dict(self.environment, CONTACTPOINT_KEYS=self.folder + "/keys",
                           DATABASE_URL=f"postgres://{role}@127.0.0.1:{self.port + 3}/contactpoint")
        done = subprocess.run([self.programs + "/contactpoint", *words], env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{words[0]} failed: {done.stderr[-2000:]}")
        return done.stdout

    def contactpoint(self, *arguments, **more):
        environment = dict(self.environment, CONTACTPOINT_KEYS=self.folder + "/keys",
                           DATABASE_URL=f"postgres://contactpoint_app@127.0.0.1:{self.port + 3}/contactpoint")
        return subprocess.Popen([self.programs + "/contactpoint", *arguments], env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def psql(self, statement):
        command = ["psql", "-qXAt", "-h", "127.0.0.1", "-p", str(self.port + 3), "-U", "contactpoint", "-d", "contactpoint", "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def process(self, instance):
        with open(f"{self.folder}/{instance}.pid") as file:
            return int(file.read())


def free_row(port):
    import socket
    for one in range(port, port + 7):
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", one))
            except OSError:
                return False
    return True


def failover(site):
    """The primary is lost under writes, and its standby promoted at once; then the old one is taken back, and it goes the other way."""
    numbers = site.psql("select index_number from child where status = 'active' limit 4000").split()
    pauses, lost, acknowledged = [], 0, 0
    for turn in (1, 2):
        site.crew.held = {}
        lines = [site.line() for _ in range(8)]
        with Writers(site, numbers, lambda n, _: lines[n], len(lines)) as writing:
            time.sleep(4)
            began = time.monotonic()
            site.cluster("kill")
            site.cluster("promote")
            time.sleep(20)
        before = [at for at in writing.at if at <= began]
        after = [at for at in writing.at if at > began + 0.5]
        pauses.append(min(after, default=began + 99) - max(before, default=began))
        held = dict(row.split("|") for row in site.psql("select carer_id, family from carer where family like 'Wr%'").splitlines())
        lost += sum(held.get(carer) != family for carer, family in writing.acknowledged.values())
        acknowledged += len(writing.acknowledged)
        say(f"  {len(writing.acknowledged):,} writes acknowledged, writing again after {pauses[-1]:.1f} s, {lost} lost")
        site.cluster("rejoin")
        time.sleep(3)
    return {"failover_s": round(max(pauses), 2), "failover_acknowledged": acknowledged, "failover_lost": lost}


def leaving(site, rate=200):
    """One of two instances is told to stop at so many requests a second, and comes back: how many requests fail."""
    numbers = site.psql("select index_number from child where status = 'active' limit 4000").split()
    site.crew.held = {}
    token, lines = site.crew.token("doctor"), [site.line() for _ in range(16)]
    ask = lambda n: lines[n].ask("GET", "/v1/children/" + numbers[int(time.monotonic() * 1e6) % len(numbers)], token)
    with Load(rate, ask, 16) as load:
        for name in ("one", "two"):
            time.sleep(4)
            os.kill(site.process(name), signal.SIGTERM)
            time.sleep(10)
            site.cluster("serve")
        time.sleep(4)
    failed = [(status, took) for _, status, took in load.asked if status != 200]
    for one in failed[:5]:
        say(f"    {one}")
    span = max(began for began, _, _ in load.asked) - min(began for began, _, _ in load.asked)
    return {"leaving_requests": len(load.asked), "leaving_per_s": round(len(load.asked) / span), "leaving_failed": len(failed)}
