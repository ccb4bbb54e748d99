"""Who gets in and who does not, at two instances of the service on one database: every operation as every role and with
hostile tokens; whoever is stopped at one while calling the other; what is good once, used 32 times at once; sign-ins with
names that exist and names that do not; a change of keys under load."""

import json
import os
import random
import subprocess
import sys
import time
import uuid

from place import ISSUER, RATE, Load, Place, address, at_once, auc, each, signer
from service import say
from undisturbed import dead_issuer, rotation

PROGRAMS = sys.argv[1]
SIGN_INS = int(os.environ.get("BENCH_SIGN_INS", "1000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "4"))


def operations(place):
    """The operations that need a token: name, method, path with values that exist nowhere, whether a body, their access."""
    values = {"{indexNumber}": "99999999999", "{flag}": "takingAction", "{problem}": "not-found"}
    for template, item in place.document["paths"].items():
        for method, operation in item.items():
            if "x-access" in operation:
                path = "/".join(values.get(part, str(uuid.uuid4()) if part.startswith("{") else part)
                                for part in template.split("/"))
                yield operation["operationId"], method.upper(), path, "requestBody" in operation, operation["x-access"]


def ask(line, operation, token):
    _, method, path, body, _ = operation
    more = {} if method in ("GET", "POST") else {"If_Match": '"1"'}
    return line.ask(method, path, token, {} if body else None, **more)


def cells(place, callers):
    """Every operation without a token, and as every role: how many, and how many answers contradict the document."""
    line, tried, wrong = place.b.line(), 0, []
    for operation in operations(place):
        name, access = operation[0], operation[4]
        for role, token in [(None, None), *callers.items()]:
            answer = ask(line, operation, token)
            refused = answer.status == 403 and "does not hold" in answer.json().get("detail", "")
            if role is None:
                right = answer.status == 401
            elif role in access["roles"]:
                right = 200 <= answer.status < 500 and answer.status not in (401, 429) and not refused
            else:
                right = answer.status == 403
            tried += 1
            if not right:
                wrong.append(f"{name} as {role or 'nobody'}: {answer.status}")
            if name == "stop_everything" and answer.status == 200:
                line.ask("DELETE", "/v1/stop", token)
    for told in wrong:
        say("  WRONG " + told)
    return tried, len(wrong)


def hostile(place, good, tokens=None):
    """Hostile tokens on every operation: how many were tried, and how many were not refused."""
    if tokens is None:
        made = subprocess.run([PROGRAMS + "/examples/hostile", "tokens", place.folder + "/keys"], input=good, check=True,
                              capture_output=True, text=True)
        tokens = [json.loads(line) for line in made.stdout.splitlines()]
    tried, accepted = [], []

    def one(line, item):
        token, operation = item
        answer = ask(line, operation, token["token"])
        tried.append(item)
        if answer.status != 401:
            accepted.append(f"{operation[0]}: {token['name']}: {answer.status}")

    each(place.b, 8, [(token, operation) for operation in operations(place) for token in tokens], one)
    for told in accepted:
        say("  ACCEPTED " + told)
    return len(tried), len(accepted)


def standing(place, path, token, status):
    """Gives an account or a client another status."""
    def change():
        line = place.a.line()
        return line.ask("PATCH", path, token, {"status": status}, If_Match=line.ask("GET", path, token).headers["ETag"])
    return change


def done_well(answer):
    if answer is not None and answer.status != 200:
        sys.exit(f"what was to be stopped or begun again was not: {answer.status} {answer.body.decode()}")


def stops(place, callers):
    """Each way to stop somebody: its name, who calls meanwhile, how it is done at the first instance, how it is undone."""
    operator, administrator = place.sign_in("operator")["accessToken"], place.sign_in("account.administrator")["accessToken"]
    system = place.system("feed")
    line = place.a.line()

    def revoke(token):
        return lambda: line.ask("POST", "/oauth/revoke", form={"token": token})

    steward = callers["steward"]
    accounts = line.ask("GET", "/v1/accounts", administrator).json()["items"]
    held = next(account for account in accounts if account["userName"] == "steward")
    account, organisation = f"/v1/accounts/{held['id']}", f"/v1/organisations/{held['organisationId']}"
    people = ["teacher", "doctor", "police.officer", "social.worker"]
    for n in range(ROUNDS):
        token = place.sign_in(people[n % len(people)])["accessToken"]
        yield "a session", token, revoke(token), lambda: None
        yield ("an account", steward, standing(place, account, administrator, "suspended"),
               standing(place, account, administrator, "active"))
        client = f"/v1/clients/{system[0]}"
        yield ("a client", place.token(system), standing(place, client, administrator, "suspended"),
               standing(place, client, administrator, "active"))
        yield ("an organisation", steward, lambda: line.ask("PUT", organisation + "/suspension", operator),
               lambda: line.ask("DELETE", organisation + "/suspension", operator))
        yield ("everything", steward, lambda: line.ask("PUT", "/v1/stop", operator),
               lambda: line.ask("DELETE", "/v1/stop", operator))


def late(place, callers):
    """Rounds of stopping: how many, and how many requests were answered well although they began after it was done."""
    rounds, failed = 0, 0
    for name, token, do, undo in stops(place, callers):
        lines = [place.b.line() for _ in range(8)]
        with Load(RATE, lambda n: lines[n].ask("GET", "/v1/policies", token)) as load:
            time.sleep(1)
            done_well(do())
            done = time.monotonic()
            time.sleep(1)
        before = sum(began < done and status == 200 for began, status, _ in load.asked)
        after = [status for began, status, _ in load.asked if began >= done]
        failed += sum(200 <= status < 300 for status in after)
        if not before or not after:
            sys.exit(f"stopping {name} was not tried under load: {before} before, {len(after)} after")
        say(f"  stopping {name}: {before} answered before, {len(after)} refused after")
        done_well(undo())
        rounds += 1
    return rounds, failed


def winners(place):
    """Of 32 uses at once, half at each instance, of a one-time code, of a client's assertion and of a refresh token: how many
    were let in."""
    def won(answers):
        say("  " + " ".join(str(answer.status) for answer in answers))
        return sum(answer.status == 200 for answer in answers)

    factors = place.factors("archive.reviewer")
    code = won(at_once(place, 32, lambda line: line.ask("POST", "/v1/sessions", body=factors, origin=address())))
    refresh = {"grant_type": "refresh_token", "refresh_token": place.sign_in("national.auditor")["refreshToken"]}
    renewed = won(at_once(place, 32, lambda line: line.ask("POST", "/oauth/token", form=refresh)))
    assertion = asserted(place)
    claimed = won(at_once(place, 32, lambda line: line.ask("POST", "/oauth/token", form=assertion)))
    return [code, claimed, renewed]


def asserted(place):
    """What a client with a key of its own asks for a token with."""
    keys, sign = signer(PROGRAMS)
    client = place.registered({"role": "feed", "tokenEndpointAuthMethod": "private_key_jwt", "jwks": keys})["id"]
    now = int(time.time())
    claims = {"iss": client, "sub": client, "aud": ISSUER, "iat": now, "exp": now + 120, "jti": str(uuid.uuid4())}
    return {"grant_type": "client_credentials", "client_assertion": sign(claims),
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}


def sign_ins(place):
    """Sign-ins in vain with names that exist and names that do not: the times of each, and how many answers there were."""
    known = [name for name in place.accounts if name != "archive.reviewer"]
    unknown = ["nobody." + name for name in known]
    names, line, times, told = known + unknown, place.b.line(), {True: [], False: []}, set()
    for n in range(SIGN_INS + 20):
        name = random.choice(names)
        account = place.accounts[name.removeprefix("nobody.")]
        body = {"userName": name, "password": account["password"], "pin": account["pin"], "oneTimeCode": "%06d" % random.randrange(1_000_000)}
        body |= random.choice([{"password": "wrong horse battery"}, {"pin": "000000"}, {}])
        answer = line.ask("POST", "/v1/sessions", body=body, origin=address())
        headers = sorted((key.lower(), value) for key, value in answer.headers.items() if key.lower() not in ("connection", "date", "x-request-id"))
        bytes_ = answer.body.replace(answer.headers.get("X-Request-Id", "").encode() or b"-", b"")
        told.add((answer.status, str(headers), bytes_))
        if n >= 20:
            times[name in known].append(answer.ended - answer.began)
    if len(told) > 1:
        say(f"  DIFFERENT answers: {told}")
    return times, len(told)


def main():
    with Place(PROGRAMS, 500) as place:
        say("Signing in as every role")
        callers = {account["role"]: place.sign_in(name)["accessToken"] for name, account in place.accounts.items()}
        callers |= {role: place.token(place.system(role)) for role in ("feed", "caseSystem")}
        say("Every operation as every role")
        tried, wrong = cells(place, callers)
        say("Hostile tokens")
        hostile_tried, hostile_accepted = hostile(place, callers["steward"])
        say("Sign-ins of names that exist and names that do not")
        times, answers = sign_ins(place)
        say("Whoever is stopped while calling")
        rounds, late_after = late(place, callers)
        say("32 at once")
        won = winners(place)
        say("A change of keys")
        asked, failed, kid, token = rotation(place, place.system("feed"))
        place.keys("revoke", kid)
        time.sleep(5)
        again = hostile(place, None, [{"name": "of a key that was revoked", "token": token}])
        hostile_tried, hostile_accepted = hostile_tried + again[0], hostile_accepted + again[1]
        say("An issuer that does not answer")
        dead, p99 = dead_issuer(place, place.system("feed"))
        told = {
            "operations": sum(1 for _ in operations(place)), "cells": tried, "wrong": wrong, "hostile_tried": hostile_tried,
            "hostile_accepted": hostile_accepted, "late_after_stop": late_after, "stop_rounds": rounds, "winners_of_32": won,
            "auc": round(auc(times[True], times[False]), 3), "sign_ins": len(times[True]) + len(times[False]),
            "sign_in_answers": answers, "rotation_asked": asked, "rotation_failed": failed, "dead_issuer_failed": dead,
            "p99_ms_before_beside_unknown_and_dead_issuer": p99,
        }
        median = lambda name: 1000 * sorted(times[name])[len(times[name]) // 2]
        for text, figure in [
            ("operations, as every role and as nobody", f"{told['operations']} x {len(callers) + 1}"),
            ("  answers that contradict the document", wrong),
            ("hostile tokens and operations tried", f"{hostile_tried:,}"), ("  accepted", hostile_accepted),
            (f"stops under {RATE} requests a second", rounds), ("  answered well although begun later", late_after),
            ("of 32 at once: code, assertion, refresh token", " ".join(map(str, won))),
            ("sign-ins in vain", f"{told['sign_ins']:,}"), ("  different answers", answers),
            ("  median of names that exist, and not", f"{median(True):.1f} ms, {median(False):.1f} ms"),
            ("  told apart by time (0.5: not at all)", f"{told['auc']:.3f}"),
            ("requests while keys changed", f"{asked:,}"), ("  failed", failed),
            ("requests that failed beside a dead issuer", dead),
            ("  99 of 100 within: alone, beside an unknown one, it", " ".join(f"{ms} ms" for ms in p99)),
        ]:
            print(f"{text:<50}{figure:>22}")
        print(json.dumps(told))


main()
