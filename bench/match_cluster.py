"""A PostgreSQL of its own for millions of children, kept in a folder so that a later run need not load them again."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

SETTINGS = {
    "shared_buffers": "8GB", "maintenance_work_mem": "3GB", "effective_cache_size": "12GB", "max_wal_size": "20GB",
    "checkpoint_timeout": "1h", "wal_level": "minimal", "max_wal_senders": "0", "fsync": "off", "full_page_writes": "off",
    "synchronous_commit": "off", "autovacuum": "off", "random_page_cost": "1.1", "jit": "off", "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "", "max_parallel_maintenance_workers": "2",
}


class Cluster:
    """Serves one database on a free port of this machine."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.data = os.path.join(folder, "data")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        # PostgreSQL does not run as root.
        self.user = None if os.geteuid() else next(
            (name for name in ("postgres", "nobody") if name in {one.pw_name for one in pwd.getpwall()}), None)

    def run(self, program, *words):
        subprocess.run([os.path.join(self.programs, program), *words], user=self.user, cwd="/", check=True,
                       stdout=subprocess.DEVNULL)

    def __enter__(self):
        if not os.path.exists(os.path.join(self.data, "PG_VERSION")):
            shutil.rmtree(self.folder, ignore_errors=True)
            os.makedirs(self.folder)
            if self.user:
                shutil.chown(self.folder, self.user)
            self.run("initdb", "-D", self.data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")
        self.give_way()
        words = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        log = open(os.path.join(self.folder, "log"), "w")
        self.server = subprocess.Popen([os.path.join(self.programs, "postgres"), "-D", self.data, "-p", str(self.port), *words],
                                       user=self.user, cwd="/", stdout=log, stderr=log)
        self.url = f"postgres://bench@127.0.0.1:{self.port}/match_bench"
        return self

    def give_way(self):
        """A server that an earlier run left, because it was killed, ends first."""
        try:
            with open(os.path.join(self.data, "postmaster.pid")) as note:
                process = int(note.readline())
            with open(f"/proc/{process}/cmdline") as line:
                if self.data not in line.read():
                    return
        except (OSError, ValueError):
            return
        os.kill(process, signal.SIGINT)
        while os.path.exists(f"/proc/{process}"):
            time.sleep(0.2)

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()
