"""A network between service and database that fails in ten ways: what callers are told meanwhile, and how soon all is well again.
Requests that are given up by their callers leave nothing half done."""

import random
import select
import socket
import struct
import threading
import time
import uuid

from place import Line, Load, address
from service import say

FAULT_SECONDS = 12
RATE = 40
# At most so long may an answer take while the network fails.
SLOWEST = 6.0


class Network:
    """Passes connections on to a socket of PostgreSQL, or does to them what `fault` says."""

    def __init__(self, path):
        self.path, self.fault, self.pairs, self.guard = path, None, [], threading.Lock()
        self.listen()

    def listen(self, port=0):
        self.door = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.door,), daemon=True).start()

    def accept(self, door):
        while True:
            try:
                client, _ = door.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self.path)
        except OSError:
            reset(client)
            return
        pair = Pair(self, client, server)
        with self.guard:
            self.pairs.append(pair)
        pair.run()
        with self.guard:
            self.pairs.remove(pair)

    def begin(self, fault):
        self.fault = fault
        if fault == "refused":
            # Closing alone leaves a thread in accept: shut first.
            self.door.shutdown(socket.SHUT_RDWR)
            self.door.close()
        if fault in ("refused", "reset", "forgotten", "cut"):
            for pair in list(self.pairs):
                pair.mark(fault)

    def end(self):
        was, self.fault = self.fault, None
        if was == "refused":
            self.listen(self.port)


class Pair:
    """One connection and its counterpart."""

    def __init__(self, network, client, server):
        self.network, self.client, self.server, self.marked, self.passed = network, client, server, None, 0

    def mark(self, fault):
        self.marked = fault
        if fault in ("refused", "reset"):
            reset(self.client)

    def run(self):
        while True:
            try:
                readable, _, _ = select.select([self.client, self.server], [], [], 0.05)
            except (OSError, ValueError):
                break
            fault = self.marked or self.network.fault
            if fault == "cut" and self.marked is None:
                self.marked = "cut"
            # Nothing is read any more, and nobody hears that the other side is gone.
            if fault in ("silent", "forgotten"):
                if self.marked == "forgotten":
                    time.sleep(0.2)
                    continue
                time.sleep(0.05)
                continue
            try:
                if not all([self.passes(one, fault) for one in readable]):
                    break
            except OSError:
                break
        for one in (self.client, self.server):
            one.close()

    def passes(self, one, fault):
        to_client = one is self.server
        other = self.client if to_client else self.server
        if fault == "deaf" and not to_client or fault == "mute" and to_client:
            # In one direction all is lost.
            one.recv(65536)
            return True
        data = one.recv(65536)
        if not data:
            return False
        if fault == "slow":
            time.sleep(random.uniform(0.05, 0.4))
        if fault == "narrow":
            for at in range(0, len(data), 64):
                other.sendall(data[at:at + 64])
                time.sleep(0.02)
            return True
        if fault == "cut" and to_client:
            # In the midst of an answer.
            other.sendall(data[:len(data) // 2])
            reset(other)
            return False
        if fault == "flapping" and random.random() < 0.1:
            reset(self.client)
            return False
        other.sendall(data)
        return True


def reset(one):
    """Ends a connection as a machine does that knows nothing of it."""
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
    except OSError:
        pass


FAULTS = ("refused", "reset", "silent", "forgotten", "deaf", "mute", "slow", "narrow", "cut", "flapping")


class Asked(Load):
    """Looks and changes at a steady pace; each says what was wrong with its answer, if anything."""

    def __init__(self, site, numbers):
        self.site, self.numbers, self.wrong = site, numbers, []
        self.lines = [site.a.line() for _ in range(32)]
        # Before anything fails: who signs in is asked for by nobody here.
        self.tokens = {name: site.crew.token(name) for name in ("doctor", "steward")}
        super().__init__(RATE, self.one, 32)

    def one(self, n):
        number = random.choice(self.numbers)
        if n % 4 == 0:
            body = {"name": {"given": ["Test"], "family": "Faulty"}, "relationship": "other", "parentalResponsibility": False}
            answer = self.lines[n].ask("POST", f"/v1/children/{number}/carers", self.tokens["steward"], body)
        else:
            answer = self.lines[n].ask("GET", f"/v1/children/{number}", self.tokens["doctor"])
        fit = 200 <= answer.status < 300 or answer.status == 503 and answer.headers.get("Retry-After")
        if not fit:
            self.wrong.append((answer.status, answer.body[:200]))
        return answer


def faults(site):
    """Each fault for a while, under load."""
    network = Network(site.folder + "/postgres/.s.PGSQL.5432")
    url = f"postgres://contactpoint_app@127.0.0.1:{network.port}/contactpoint?sslmode=disable"
    numbers, wrong, slowest, healed, told = site.numbers(2000), 0, 0.0, 0.0, {}
    with site.serving(1, url):
        for fault in FAULTS:
            site.crew.held = {}
            with Asked(site, numbers) as asked:
                time.sleep(3)
                network.begin(fault)
                time.sleep(FAULT_SECONDS)
                network.end()
                ended = time.monotonic()
                time.sleep(12)
            answers = sorted(asked.asked)
            bad = [began for began, status, _ in answers if not 200 <= status < 300]
            heals = max([began - ended for began in bad if began > ended], default=0.0)
            slow = max(took for _, _, took in answers)
            refused = len(bad) / len(answers)
            say(f"  {fault:<10} {len(answers):>5} answers, {refused:>4.0%} told to come again, {len(asked.wrong)} wrong, "
                f"slowest {slow:.1f} s, well after {heals:.1f} s")
            for one in asked.wrong[:3]:
                say(f"    {one}")
            wrong, slowest, healed = wrong + len(asked.wrong), max(slowest, slow), max(healed, heals)
            told[fault] = {"answers": len(answers), "refused": round(refused, 3), "slowest_s": round(slow, 2), "healed_s": round(heals, 2)}
    return {"faults": len(FAULTS), "fault_wrong": wrong, "fault_slowest_s": round(slowest, 2), "fault_healed_s": round(healed, 2),
            "of_faults": told}


def cancelled(site, count):
    """Requests whose callers go away at any moment: each either is done whole, with its event, or leaves nothing."""
    numbers = site.numbers(2000)
    with site.serving(2):
        tokens = {name: site.crew.token(name) for name in ("doctor", "steward")}
        keys, guard = [], threading.Lock()

        def run(n):
            for _ in range(count // 16):
                key = str(uuid.uuid4())
                with guard:
                    keys.append(key)
                give_up(site.instances[n % 2].port, tokens["steward"], random.choice(numbers), key)

        threads = [threading.Thread(target=run, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(6)
        carers = site.psql("select family from carer where family like 'Ca%' and given = '{Gone}'").split()
        events = site.psql("select request_id from audit_event where operation = 'add_carer' and status = 201").split()
        answer = Line(site.a.port).ask("GET", f"/v1/children/{numbers[0]}", tokens["doctor"])
    done, audited = {family: carers.count(family) for family in set(carers)}, set(events)
    half = sum(n != 1 for n in done.values()) + sum((family(key) in done) != (key in audited) for key in keys)
    open_still = int(site.psql("select count(*) from pg_stat_activity where state like 'idle in transaction%'"))
    return {"cancelled": len(keys), "cancelled_done": len(done), "cancelled_half_done": half + open_still + (answer.status != 200)}


def family(key):
    return "Ca" + "".join(chr(97 + int(c, 16)) for c in key.replace("-", ""))


def give_up(port, token, number, key):
    """Asks, and goes away before the answer is there, mostly."""
    body = ('{"name": {"given": ["Gone"], "family": "%s"}, "relationship": "other", "parentalResponsibility": false}' % family(key)).encode()
    head = (f"POST /v1/children/{number}/carers HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f"Access-Reason: direct-service\r\nIdempotency-Key: {key}\r\nX-Request-Id: {key}\r\nX-Forwarded-For: {address()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    connection = socket.create_connection(("127.0.0.1", port))
    try:
        connection.sendall(head + body[:random.choice([len(body), len(body), len(body) // 2])])
        time.sleep(random.expovariate(1 / 0.004))
    except OSError:
        pass
    if random.random() < 0.5:
        reset(connection)
    else:
        connection.close()
