"""Children whose every hidden value is a canary, the organisations that work with them, and who must not learn any of it."""

import itertools
import random
import re
import string
import sys
import threading
import time
import uuid
from datetime import date, timedelta

# What is sealed says `Qzs`, what is hidden otherwise `Qzh`, who is behind it `Qzo`: no other value of the demo does.
CANARY = re.compile(r"qz[sh][a-z]{6} (way|team)|qzstown|qzs[a-z]{6}@|KW99 \d|0191 498", re.IGNORECASE)
SEALED = re.compile(r"qzs[a-z]{6} (?:way|team)|qzstown|qzs[a-z]{6}@|KW99 \d|0191 498", re.IGNORECASE)
FRESH = 200

serial = itertools.count(1)


def letters(n=6):
    return "".join(random.choices(string.ascii_lowercase, k=n))


def postcode():
    return f"KW99 {random.randint(1, 9)}{''.join(random.choices('ABDEFGHJLNPQRSTUWXYZ', k=2))}"


def place_now():
    """A current address that nobody must learn of."""
    address = {"lines": [f"{random.randint(1, 99)} Qzs{letters()} Way"], "town": "Qzstown", "postcode": postcode()}
    return {"kind": "current", "address": address}


def phone():
    return f"0191 498 0{random.randint(0, 999):03}"


def carer():
    return {"name": {"given": ["Ann"], "family": "Shownley"}, "relationship": "mother", "parentalResponsibility": True,
            "phones": [phone()], "emails": [f"qzs{letters()}@example.org"], "address": place_now()["address"]}


def contact(kind="h"):
    return {"team": f"Qz{kind}{letters()} Team", "officeHours": phone() if kind == "s" else "01632 960003"}


def nhs_number():
    """A number of the range for tests (999), with its check digit."""
    while True:
        nine = "999" + "".join(random.choices(string.digits, k=6))
        check = 11 - sum(int(digit) * (10 - n) for n, digit in enumerate(nine)) % 11
        if check != 10:
            return nine + str(check % 11)


def new_child(authority, family=None, given=None, born=None):
    n = next(serial)
    family = family or "Shown" + "".join(chr(ord("a") + int(digit)) for digit in f"{n:05}")
    return {"names": [{"kind": "current", "given": given or ["Sam"], "family": family}],
            "dateOfBirth": born or str(date.today() - timedelta(days=3000 + n)), "gender": "female",
            "whereabouts": place_now(), "carers": [carer()], "responsibleAuthority": authority,
            "identifiers": [{"kind": "nhsNumber", "value": nhs_number()}]}


def random_id():
    return str(uuid.uuid4())


def random_number():
    """An index number that is nobody's: ten digits, and the check digit of ISO 7064 MOD 11,10."""
    ten, check = "9" + "".join(random.choices(string.digits, k=9)), 10
    for digit in ten:
        check = (check + int(digit)) % 10 or 10
        check = check * 2 % 11
    return ten + str((11 - check) % 10)


class Crew:
    """People and systems with tokens that are fresh enough, whoever asks."""

    def __init__(self, place):
        self.place, self.held, self.guard = place, {}, threading.Lock()

    def token(self, name):
        with self.guard:
            token, since = self.held.get(name, (None, 0))
            if time.monotonic() - since > FRESH:
                token = self.place.sign_in(name)["accessToken"]
                self.held[name] = token, time.monotonic()
            return token


class Hidden:
    """Two authorities, a school, a surgery and a clinic, all of them canaries, and those who work there."""

    def __init__(self, place):
        self.place, self.crew, self.line = place, Crew(place), place.a.line()
        self.authorities = {code: self.organisation("localAuthority", {"authority": code}) for code in ("998", "999")}
        self.school = self.organisation("school", {"urn": "999901"}, "998")
        self.clinic = self.organisation("healthTrust", {"ods": "QZ901"}, "998")
        for name, role, code in [
            ("qz.steward", "steward", "authority:998"), ("qz.approver", "shieldApprover", "authority:998"),
            ("qz.second", "shieldApprover", "authority:998"), ("qz.other.steward", "steward", "authority:999"),
            ("qz.other.approver", "shieldApprover", "authority:999"),
            ("qz.teacher", "practitioner", "urn:999901"), ("qz.nurse", "practitioner", "ods:QZ901"),
        ]:
            place.person(name, role, code)

    def organisation(self, kind, codes, authority=None):
        body = {"kind": kind, "name": f"Qzo {kind} {''.join(codes.values())}", "codes": codes,
                "officeHours": "01632 960001", "duty": "01632 960002"}
        if authority:
            body["authority"] = authority
        answer = self.line.ask("POST", "/v1/organisations", self.crew.token("operator"), body)
        return self.done(answer, 201)["id"]

    def done(self, answer, *wanted):
        if answer.status not in (wanted or (200,)):
            sys.exit(f"what is needed could not be done: {answer.status} {answer.body.decode()}")
        return answer.json()

    def ask(self, line, name, method, path, body=None, **more):
        return line.ask(method, path, self.crew.token(name), body, **more)

    def add(self, line, **of):
        """A child for whom the first canary authority answers, with its school."""
        record = self.done(self.ask(line, "qz.steward", "POST", "/v1/children", new_child("998", **of)), 201)
        number = record["indexNumber"]
        begun = {"serviceType": "school", "contact": contact(), "startedOn": str(date.today() - timedelta(days=100))}
        school = self.done(self.ask(line, "qz.teacher", "POST", f"/v1/children/{number}/involvements", begun), 201)
        return Child(number, record["names"][0], record["dateOfBirth"], [school["id"]])

    def shield(self, line, child):
        body = {"ground": "domesticAbuse", "emergency": True}
        asked = self.ask(line, "qz.steward", "POST", f"/v1/children/{child.number}/shield-requests", body)
        child.request = self.done(asked, 201)["id"]
        return child


class Child:
    """A child, and what has become of her: what works with her, who asked for the shield, whose she is taken for."""

    def __init__(self, number, name, born, involvements):
        self.number, self.born, self.involvements = number, born, involvements
        self.given, self.family, self.authority = name["given"], name["family"], "998"
        self.guard, self.request, self.doubles, self.same = threading.Lock(), None, [], []
        self.consent, self.sensitive = None, random_id()

    def search(self, **more):
        return {"name": {"given": self.given, "family": self.family}, "dateOfBirth": self.born} | more


