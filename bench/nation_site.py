"""A site of one's own: a PostgreSQL that may be killed, fictitious children by the million in it, instances of the service."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from hidden import Crew
from place import Instance, Place
from service import say, stop

# Nobody who is measured is kept from looking.
PLENTY = ("update budget set searches_an_hour = 1000000, searches_a_day = 1000000, misses_in_a_row = 1000000, "
          "children_a_day = 1000000, matches_a_day = 1000000")
# One authority answers for all children, so that its steward may write of each.
ONE_AUTHORITY = ("alter table child disable trigger user; update child set responsible_authority_id = "
                 "(select organisation_id from organisation where authority_code = '201'); alter table child enable trigger user")
# Who looks and who writes: user name, role, organisation.
PEOPLE = [("doctor", "practitioner", "ods:YG00000"), ("steward", "steward", "authority:201"),
          ("account.administrator", "accountAdministrator", "authority:201")]


def memory():
    """The memory of this machine in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def room_for(children):
    """Ends where the disk would be full before so many children are made: at once, and not after an hour."""
    # Rows and indexes, what one index is sorted in, and the log of what is written.
    needed = (children * 5_000 + 2**33 * min(1, children / 1_000_000)) / 2**30
    free = shutil.disk_usage(tempfile.gettempdir()).free / 2**30
    if free < needed:
        sys.exit(f"{children:,} children take {needed:.0f} GiB of disk in {tempfile.gettempdir()}, of which {free:.0f} are free.")


class Server:
    """PostgreSQL as an operator would run it on this machine: durable, a quarter of the memory for its buffers."""

    def __init__(self, folder):
        self.folder, self.data = folder, folder + "/data"
        # PostgreSQL does not run as root.
        self.user = None if os.geteuid() else next(
            name for name in ("postgres", "nobody") if name in {one.pw_name for one in pwd.getpwall()})
        os.makedirs(folder)
        if self.user:
            shutil.chown(folder, self.user)
        self.run("initdb", "-D", self.data, "-U", "contactpoint", "-A", "trust", "-E", "UTF8", "--locale=C", "--data-checksums")
        settings = {
            "listen_addresses": "''", "unix_socket_directories": f"'{folder}'", "shared_buffers": f"'{memory() // 4}MB'",
            "effective_cache_size": f"'{memory() // 2}MB'", "max_wal_size": "'8GB'", "min_wal_size": "'2GB'",
            "checkpoint_timeout": "'15min'", "log_min_error_statement": "panic", "max_connections": "100",
        }
        with open(self.data + "/postgresql.conf", "a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        self.start()

    def run(self, program, *words):
        subprocess.run([shutil.which(program), *words], user=self.user, cwd="/", check=True, stdout=subprocess.DEVNULL)

    def start(self):
        log = open(self.folder + "/log", "a")
        self.process = subprocess.Popen([shutil.which("postgres"), "-D", self.data], user=self.user, cwd="/", stdout=log, stderr=log)
        for _ in range(600):
            if subprocess.run(["pg_isready", "-q", "-h", self.folder]).returncode == 0:
                return
            if self.process.poll() is not None:
                sys.exit("PostgreSQL did not start: " + open(self.folder + "/log").read()[-2000:])
            time.sleep(0.05)
        sys.exit("PostgreSQL did not start in 30 seconds")

    def kill(self):
        """As a machine that loses its power, but for what the kernel holds."""
        self.process.kill()
        self.process.wait()
        while left := self.processes():
            for process in left:
                with contextlib.suppress(OSError):
                    os.kill(int(process), signal.SIGKILL)

    def processes(self):
        return [process for process in os.listdir("/proc") if process.isdigit() and self.has(process)]

    def has(self, process):
        with contextlib.suppress(OSError):
            return os.readlink(f"/proc/{process}/cwd") == self.data
        return False

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


class Site(Place):
    """So many children; the instances are started by whoever measures."""

    def __init__(self, programs, children):
        self.programs, self.children, self.stepped, self.instances, self.accounts = programs, children, {}, [], {}
        self.crew = Crew(self)

    def __enter__(self):
        room_for(self.children)
        self.folder = tempfile.mkdtemp(prefix="contactpoint-bench-")
        os.chmod(self.folder, 0o711)
        try:
            self.server = Server(self.folder + "/postgres")
            self.psql("create database contactpoint", "postgres")
            self.keys("generate")
            with open(self.folder + "/issuers.json", "w") as file:
                json.dump([], file)
            self.owner("migrate")
            began = time.monotonic()
            say(f"  {self.children:,} children are made")
            self.owner("generate", "--children", str(self.children))
            self.made_in = time.monotonic() - began
            self.psql(PLENTY)
            self.psql("checkpoint")
            for who in PEOPLE:
                self.person(*who)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for instance in self.instances:
            instance.process.kill()
        if hasattr(self, "server"):
            self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def owner(self, *words):
        """A command of the program as the role that owns the tables."""
        environment = dict(os.environ, CONTACTPOINT_KEYS=self.folder + "/keys",
                           DATABASE_URL=f"postgres:///contactpoint?host={self.folder}/postgres&user=contactpoint")
        done = subprocess.run([self.programs + "/contactpoint", *words], env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{words[0]} failed: {done.stderr[-2000:]}")
        say("  " + done.stderr.strip().splitlines()[-1])

    @contextlib.contextmanager
    def serving(self, count=2, url=None):
        """So many instances."""
        self.instances = [Instance(self.programs, self.folder, f"instance-{n}", url=url) for n in range(count)]
        self.a, self.b = self.instances[0], self.instances[-1]
        self.crew.held = {}
        try:
            yield self
        finally:
            for instance in self.instances:
                if instance.process.poll() is None:
                    stop(instance.process)
            self.instances = []

    def pin(self, cores):
        """Keeps the instances and PostgreSQL on these cores."""
        for process in [str(instance.process.pid) for instance in self.instances] + self.server.processes():
            with contextlib.suppress(OSError):
                for thread in os.listdir(f"/proc/{process}/task"):
                    os.sched_setaffinity(int(thread), cores)

    def counted(self):
        """Waits until an instance has counted the names, as it does by and by where there are more."""
        began = time.monotonic()
        while float(self.psql("select coalesce(max(children), 0) from match_frequencies")) < self.children * 0.95:
            time.sleep(0.5)
        return time.monotonic() - began

    def written_by_one(self):
        self.psql(ONE_AUTHORITY)

    def numbers(self, most=10_000):
        """Index numbers of children, of whom each is as likely."""
        share = min(100, 100 * most * 2 / self.children)
        found = self.psql(f"select index_number from child tablesample system ({share}) where status = 'active' limit {most}")
        return found.split()
