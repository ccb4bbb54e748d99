"""What can be learnt of a shielded child by asking cleverly: by criteria on hidden fields, by thresholds, by order, by the
time that an answer takes."""

import json
import random
import string
import time

from hidden import CANARY, letters, new_child, nhs_number, place_now, postcode, random_id
from service import say


def told(answer):
    """An answer without what is another at every request."""
    body = answer.body.decode()
    for member in ("searchId",):
        if body.startswith("{") and member in (read := json.loads(body)):
            body = body.replace(read[member], "-")
    headers = sorted((name.lower(), value) for name, value in answer.headers.items()
                     if name.lower() not in ("date", "x-request-id", "connection"))
    return answer.status, body.replace(answer.headers.get("X-Request-Id", "-"), "-"), headers


class Inference:
    def __init__(self, hidden, child, address, identifier):
        self.hidden, self.child, self.address, self.identifier = hidden, child, address, identifier
        self.line, self.asked, self.learnt = hidden.place.a.line(), 0, 0

    def search(self, body, name="teacher"):
        self.asked += 1
        return self.hidden.ask(self.line, name, "POST", "/v1/children/search", body)

    def same(self, what, *answers):
        """Counts as learnt whatever tells these answers apart."""
        if len({str(told(answer)) for answer in answers}) > 1 or any(CANARY.search(str(told(answer)[1])) for answer in answers):
            say(f"  LEARNT by {what}: " + " | ".join(f"{told(answer)[:2]}" for answer in answers))
            self.learnt += 1

    def criteria(self):
        """Each criterion on a hidden field, right and wrong."""
        child, right, wrong = self.child, self.address["postcode"], postcode()
        self.same("an NHS number", *(self.search({"identifier": {"kind": "nhsNumber", "value": value}}, "doctor")
                                     for value in (self.identifier, nhs_number())))
        self.same("a postcode with name and birth", *(self.search(child.search(postcode=value)) for value in (right, wrong)))
        self.same("a postcode with family name and birth",
                  *(self.search(child.search(postcode=value, name={"family": child.family})) for value in (right, wrong)))
        self.same("a postcode with names and gender",
                  *(self.search({"name": {"given": child.given, "family": child.family}, "gender": "female", "postcode": value})
                    for value in (right, wrong)))

    def bisection(self):
        """26 letters for each place of the postcode: no answer differs from another."""
        right = self.address["postcode"]
        for at, sort in enumerate(right):
            if sort not in string.ascii_uppercase:
                continue
            tries = [right[:at] + letter + right[at + 1:] for letter in string.ascii_uppercase]
            answers = [self.search(self.child.search(postcode=value)) for value in tries]
            self.same(f"place {at + 1} of the postcode", *(answer for answer in answers if answer.status == 200))

    def thresholds(self):
        """Ten children are told and eleven are not, whether or not a shielded one lives there too."""
        family, where, line = "Shown" + letters(), place_now(), self.line

        def add(n, shielded=False):
            body = new_child("998", family=family, given=["Kim"], born=f"2016-0{1 + n // 20}-{1 + n % 20:02}")
            body["whereabouts"] = where if not shielded else where
            record = self.hidden.done(self.hidden.ask(line, "qz.steward", "POST", "/v1/children", body), 201)
            if shielded:
                asked = {"ground": "domesticAbuse", "emergency": True}
                path = f"/v1/children/{record['indexNumber']}/shield-requests"
                self.hidden.done(self.hidden.ask(line, "qz.steward", "POST", path, asked), 201)

        search = {"name": {"given": ["Kim"], "family": family}, "gender": "female", "postcode": where["address"]["postcode"]}
        add(30, shielded=True)
        for n in range(11):
            add(n)
            answer = self.search(search)
            # The shielded child would be the eleventh when the tenth has come.
            wanted = (200, n + 1) if n < 10 else (422, 0)
            got = answer.status, len(answer.json().get("results", []))
            if got != wanted:
                say(f"  LEARNT by a threshold: {got} where {wanted} was wanted")
                self.learnt += 1

    def order(self):
        """What a search by what is visible tells does not move when what is hidden does."""
        before = self.search(self.child.search())
        body = {"whereabouts": place_now()}
        self.amend(body)
        self.same("order, score or version", before, self.search(self.child.search()))
        opened = self.open()
        self.amend(body | {"whereabouts": place_now()})
        self.same("the version of the record", opened, self.open())

    def open(self):
        self.asked += 1
        return self.hidden.ask(self.line, "teacher", "GET", f"/v1/children/{self.child.number}")

    def amend(self, body):
        path = f"/v1/children/{self.child.number}"
        tag = self.hidden.ask(self.line, "qz.steward", "GET", path).headers["ETag"]
        self.hidden.done(self.hidden.ask(self.line, "qz.steward", "PATCH", path, body, If_Match=tag))


def timings(hidden, pairs, hidden_and_absent):
    """For each kind of request, the times of so many that reach what is hidden and of as many that reach nothing, in turn."""
    line, times = hidden.place.a.line(), {}
    for what, (name, method, one, other, body) in hidden_and_absent.items():
        token, took = hidden.crew.token(name), {True: [], False: []}
        tag = {"If_Match": '"1"'} if method in ("PATCH", "PUT", "DELETE") else {}
        answers = set()
        for n in range(pairs + 20):
            for there in random.sample([True, False], 2):
                path, said = (one if there else other)()
                answer = line.ask(method, path, token, said if said is not None else body, **tag)
                answers.add(str(told(answer)))
                if n >= 20:
                    took[there].append(answer.ended - answer.began)
        if len(answers) > 1:
            say(f"  DIFFERENT answers to {what}: {list(answers)[:2]}")
        times[what] = took, len(answers)
    return times
