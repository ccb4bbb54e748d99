"""What must disturb nobody: a change of the key that signs, and an issuer that others sign in by and that does not answer."""

import os
import sys
import threading
import time
import uuid

from place import RATE, Load, address, signer
from service import say


def aged(place):
    """Sets the files of the signing keys back by a day."""
    folder = place.folder + "/keys/signing"
    for name in os.listdir(folder):
        held = os.stat(f"{folder}/{name}")
        os.utime(f"{folder}/{name}", (held.st_atime - 90_000, held.st_mtime - 90_000))


def asking(place, system):
    """Asks both instances with a token, and every eighth time with a new one from the other."""
    lines, other, token = [place.instances[n % 2].line() for n in range(8)], place.b.line(), place.token(system)
    form = {"grant_type": "client_credentials", "client_id": system[0], "client_secret": system[1]}

    def one(n):
        if n:
            return lines[n].ask("GET", "/v1/policies", token)
        answer = lines[0].ask("POST", "/oauth/token", form=form)
        return other.ask("GET", "/v1/policies", answer.json()["access_token"]) if answer.status == 200 else answer

    return token, one


def failed(load, when):
    """How many requests of the load failed."""
    statuses = [status for _, status, _ in load.asked if status != 200]
    if statuses:
        say(f"  FAILED {when}: {statuses}")
    return len(statuses)


def rotation(place, system):
    """A change of the key that signs, under load: how many requests there were, how many failed, the key that went, and a
    token of it."""
    active = place.folder + "/keys/signing/active"
    first, (token, one) = open(active).read().strip(), asking(place, system)
    with Load(RATE, one) as load:
        for _ in range(2):
            time.sleep(3)
            aged(place)
            place.keys("rotate")
        time.sleep(4)
    if open(active).read().strip() == first:
        sys.exit("the key that signs did not change")
    return len(load.asked), failed(load, "while keys changed"), first, token


def dead_issuer(place, system):
    """While many sign in by an issuer that hangs: how many requests failed that do not depend on it, and within what time 99 of
    100 of them were answered, before, beside as many whose issuer is unknown, and beside it."""
    directory, now, over = place.directory(), int(time.time()), threading.Event()
    claims = {"iss": directory["issuer"], "sub": "1", "aud": "contactpoint", "iat": now, "exp": now + 300, "auth_time": now,
              "nonce": str(uuid.uuid4()), "amr": ["mfa"]}
    unknown, hanging = (signer(place.programs)[1](claims | {"iss": iss}) for iss in ("https://nobody.example", claims["iss"]))
    sent = [unknown]

    def sign_in(n):
        line = place.instances[n % 2].line()
        while not over.wait(0.25):
            line.ask("POST", "/v1/sessions/external", body={"idToken": sent[0]}, origin=address())

    threads = [threading.Thread(target=sign_in, args=(n,), daemon=True) for n in range(16)]
    _, one = asking(place, system)
    with Load(RATE, one) as load:
        time.sleep(8)
        marks = [time.monotonic()]
        for thread in threads:
            thread.start()
        time.sleep(8)
        sent[0] = hanging
        marks.append(time.monotonic())
        place.sign_in("auditor")
        time.sleep(8)
    over.set()
    for thread in threads:
        thread.join()
    p99 = lambda times: round(1000 * sorted(times)[len(times) * 99 // 100], 1)
    edges = [0, *marks, float("inf")]
    phases = [[took for began, _, took in load.asked if start <= began < end] for start, end in zip(edges, edges[1:])]
    return failed(load, "beside a dead issuer"), [p99(times) for times in phases]
