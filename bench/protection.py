"""What must not be seen, and what must end. Random sequences of changes on shielded children, at two instances, while others
look: no answer, header, log line or metric tells them anything hidden. What clever questions tell. What a superuser reads in
a dump. The dated cases of retention, and its task killed and run again."""

import base64
import json
import os
import random
import re
import sys
import threading
import time
from datetime import date, timedelta

import ended
from hidden import CANARY, SEALED, Child, Hidden, carer, contact, new_child, nhs_number, place_now, postcode, random_id, random_number
from inference import Inference, timings
from place import Place, auc, each
from service import say

PROGRAMS = sys.argv[1]
CHILDREN = int(os.environ.get("BENCH_CHILDREN", "500"))
SEQUENCES = int(os.environ.get("BENCH_SEQUENCES", "10000"))
PAIRS = int(os.environ.get("BENCH_PAIRS", "1000"))
KILLS = int(os.environ.get("BENCH_KILLS", "20"))
TODAY = date.today()


class Changes:
    """What may happen to a shielded child. Each change is tried; what the rules refuse, they refuse."""

    def __init__(self, hidden):
        self.hidden, self.done, self.guard = hidden, {}, threading.Lock()
        self.all = [self.amend, self.rename, self.add_carer, self.change_carer, self.end_carer, self.begin, self.confirm, self.end,
                    self.flag, self.clear, self.double, self.judge_double, self.transfer, self.die, self.ask_again, self.review,
                    self.sensitive, self.broker]

    def sequence(self, line, child):
        for change in random.choices(self.all, k=random.randint(1, 4)):
            answer = change(line, child)
            if answer is None:
                continue
            with self.guard:
                of_kind = self.done.setdefault(change.__name__, [0, 0])
                of_kind[answer.status < 300] += 1
            if answer.status >= 500 or answer.status == 0:
                sys.exit(f"{change.__name__} failed: {answer.status} {answer.body.decode()}")
            yield answer

    def ask(self, line, name, method, path, body=None, tag=None):
        more = {"If_Match": tag} if tag else {}
        return self.hidden.ask(line, name, method, path, body, **more)

    def tagged(self, line, name, method, path, body):
        """A change of what stands at a path, with its present version."""
        there = self.ask(line, name, "GET", path)
        return self.ask(line, name, method, path, body, there.headers["ETag"]) if there.status == 200 else there

    def steward(self, child):
        return "qz.steward" if child.authority == "998" else "qz.other.steward"

    def approver(self, child):
        return "qz.approver" if child.authority == "998" else "qz.other.approver"

    def amend(self, line, child):
        return self.tagged(line, self.steward(child), "PATCH", f"/v1/children/{child.number}", {"whereabouts": place_now()})

    def rename(self, line, child):
        current = {"kind": "current", "given": child.given, "family": child.family}
        known_as = {"kind": "knownAs", "given": [random.choice(["Sammy", "Samantha", "Sami"])], "family": child.family}
        return self.tagged(line, self.steward(child), "PATCH", f"/v1/children/{child.number}", {"names": [current, known_as]})

    def carers(self, line, child):
        answer = self.ask(line, self.steward(child), "GET", f"/v1/children/{child.number}/carers")
        return answer.json().get("items", []) if answer.status == 200 else []

    def add_carer(self, line, child):
        if len(self.carers(line, child)) < 3:
            return self.ask(line, self.steward(child), "POST", f"/v1/children/{child.number}/carers", carer())

    def change_carer(self, line, child):
        for held in self.carers(line, child)[:1]:
            change = {"phones": carer()["phones"], "address": place_now()["address"]}
            path = f"/v1/children/{child.number}/carers/{held['id']}"
            return self.ask(line, self.steward(child), "PATCH", path, change, f'"{held["version"]}"')

    def end_carer(self, line, child):
        for held in self.carers(line, child)[2:]:
            path = f"/v1/children/{child.number}/carers/{held['id']}"
            return self.ask(line, self.steward(child), "DELETE", path, tag=f'"{held["version"]}"')

    def begin(self, line, child):
        service = random.choice(["schoolNursing", "earlyHelp", "youthService", "familySupport"])
        body = {"serviceType": service, "contact": contact(), "startedOn": str(TODAY - timedelta(days=random.randint(1, 90)))}
        answer = self.ask(line, "qz.teacher", "POST", f"/v1/children/{child.number}/involvements", body)
        if answer.status == 201:
            child.involvements.append(answer.json()["id"])
        return answer

    def involvement(self, child):
        return f"/v1/involvements/{random.choice(child.involvements)}"

    def confirm(self, line, child):
        return self.tagged(line, "qz.teacher", "PATCH", self.involvement(child), {"confirmedOn": str(TODAY), "contact": contact()})

    def end(self, line, child):
        if len(child.involvements) > 1:
            path = f"/v1/involvements/{child.involvements.pop()}"
            return self.tagged(line, "qz.teacher", "PATCH", path, {"endedOn": str(TODAY)})

    def flag(self, line, child):
        path, flag = self.involvement(child), random.choice(["takingAction", "informationToShare", "leadProfessional"])
        there = self.ask(line, "qz.teacher", "GET", path)
        if there.status == 200:
            return self.ask(line, "qz.teacher", "PUT", f"{path}/flags/{flag}", {}, there.headers["ETag"])

    def clear(self, line, child):
        path = self.involvement(child)
        there = self.ask(line, "qz.teacher", "GET", path)
        if there.status == 200:
            return self.ask(line, "qz.teacher", "DELETE", f"{path}/flags/takingAction", tag=there.headers["ETag"])

    def double(self, line, child):
        """The same child added again by somebody who does not see that the shield is there."""
        if len(child.doubles) < 2:
            body = new_child("998", child.family, child.given, child.born) | {"distinctFrom": [child.number, *child.doubles]}
            answer = self.ask(line, "teacher", "POST", "/v1/children", body)
            if answer.status == 201:
                child.doubles.append(answer.json()["indexNumber"])
            return answer

    def judge_double(self, line, child):
        for number in child.doubles[:1]:
            shield = self.ask(line, "qz.approver", "GET", f"/v1/children/{number}/shield")
            for request in shield.json().get("requests", []) if shield.status == 200 else []:
                if request["status"] == "inForce" and request["ground"] == "resemblance":
                    child.doubles.remove(number)
                    child.same.append(number)
                    path = f"/v1/shield-requests/{request['id']}/decision"
                    return self.ask(line, "qz.approver", "PUT", path, {"decision": "samePerson"}, f'"{request["version"]}"')

    def transfer(self, line, child):
        to = "999" if child.authority == "998" else "998"
        offered = self.ask(line, self.steward(child), "POST", f"/v1/children/{child.number}/transfers", {"to": to})
        if offered.status != 201:
            return offered
        told = offered.json()
        receiver = "qz.other.steward" if to == "999" else "qz.steward"
        body = random.choice([{"answer": "accepted"}, {"answer": "declined", "ground": "livesElsewhere"}])
        answer = self.ask(line, receiver, "PUT", f"/v1/transfers/{told['id']}/answer", body, offered.headers["ETag"])
        if answer.status == 200 and body["answer"] == "accepted":
            child.authority = to
        elif answer.status == 200:
            path = f"/v1/transfers/{told['id']}/withdrawal"
            self.ask(line, self.steward(child), "PUT", path, {}, answer.headers["ETag"])
        return answer

    def die(self, line, child):
        """Archived, since the death was over a year ago and the night has passed; and back, since it was recorded in error."""
        path, steward = f"/v1/children/{child.number}", self.steward(child)
        there = self.ask(line, steward, "GET", path)
        if there.status != 200:
            return there
        died = {"diedOn": str(TODAY - timedelta(days=500))}
        answer = self.ask(line, steward, "PUT", path + "/death", died, there.headers["ETag"])
        if answer.status == 200:
            self.hidden.place.psql(f"update child set archives_on = current_date where index_number = '{child.number}'")
            self.hidden.watch.look(line, child)
            return self.ask(line, steward, "POST", "/v1/archive/restorations", {"indexNumber": child.number, "death": {}})
        return answer

    def ask_again(self, line, child):
        body = {"ground": random.choice(["forcedMarriage", "courtOrder"]), "emergency": random.random() < 0.5}
        return self.ask(line, "teacher", "POST", f"/v1/children/{child.number}/shield-requests", body)

    def review(self, line, child):
        path = f"/v1/shield-requests/{child.request}"
        there = self.ask(line, self.approver(child), "GET", path)
        if there.status == 200:
            kind, body = ("decision", {"decision": "approved"}) if there.json().get("confirmBy") else ("review", {"reviewOn": str(TODAY + timedelta(days=100))})
            return self.ask(line, self.approver(child), "PUT", f"{path}/{kind}", body, there.headers["ETag"])

    def sensitive(self, line, child):
        if child.consent:
            path, child.consent = f"/v1/consents/{child.consent}/withdrawal", None
            return self.ask(line, "qz.nurse", "PUT", path, {}, '"1"')
        body = {"serviceType": "sexualHealth", "contact": contact("s"), "startedOn": str(TODAY - timedelta(days=10)),
                "consent": {"givenBy": "child", "capacityBasis": "gillickCompetent", "givenOn": str(TODAY - timedelta(days=10))}}
        answer = self.ask(line, "qz.nurse", "POST", f"/v1/children/{child.number}/involvements", body)
        if answer.status == 201:
            child.consent, child.sensitive = answer.json()["consent"]["id"], answer.json()["id"]
        return answer

    def broker(self, line, child):
        body = {"contact": {"team": "Bench Team", "officeHours": "01632 960007"}}
        return self.ask(line, "doctor", "POST", f"/v1/children/{child.number}/contact-requests", body)


class Watch:
    """What others may ask about a shielded child, and whether an answer tells them anything."""

    OBSERVERS = ["teacher", "doctor", "social.worker", "police.officer", "steward", "shield.approver", "account.administrator",
                 "operator", "archive.reviewer", "auditor", "subject"]
    OWN = ["qz.steward", "qz.other.steward"]

    def __init__(self, hidden):
        self.hidden, self.checked, self.leaks, self.guard = hidden, 0, 0, threading.Lock()
        # Whoever acts for the organisations of the canaries knows its name; others must not learn that it works with the child.
        self.ids = re.compile("|".join(["Qzo", hidden.school, hidden.clinic, *hidden.authorities.values()]))

    def look(self, line, child):
        number, search = child.number, "/v1/children/search"
        questions = [
            ("GET", f"/v1/children/{number}", None), ("GET", f"/v1/children/{number}/carers", None),
            ("GET", f"/v1/children/{number}/involvements", None), ("GET", f"/v1/children/{number}/flags", None),
            ("GET", f"/v1/children/{number}/history", None), ("GET", f"/v1/children/{number}/shield", None),
            ("GET", f"/v1/children/{number}/consents", None), ("POST", search, child.search()),
            ("POST", search, {"indexNumber": number}), ("GET", f"/v1/involvements/{random.choice(child.involvements)}", None),
            ("GET", f"/v1/involvements/{child.sensitive}", None), ("GET", f"/v1/shield-requests/{child.request}", None),
            ("GET", "/v1/shield-requests", None), ("GET", "/v1/contact-requests", None), ("GET", "/v1/transfers", None),
            ("GET", "/v1/notices", None), ("GET", "/v1/retention/forecast", None),
            ("POST", "/v1/archive/search", child.search()), ("POST", "/v1/archive/openings", {"indexNumber": number}),
            *(("GET", f"/v1/children/{double}{rest}", None) for double in child.doubles + child.same for rest in ("", "/carers")),
        ]
        method, path, body = random.choice(questions)
        own = random.random() < 0.1
        name = random.choice(self.OWN if own else self.OBSERVERS)
        self.check(name, f"{method} {path}", self.hidden.ask(line, name, method, path, body), own)

    def check(self, name, what, answer, own=False):
        """Nobody is told a canary; nor, but those who work there, which organisations are behind."""
        told = answer.body.decode() + str(sorted(answer.headers.items()))
        leak = CANARY.search(told) or (None if own else self.ids.search(told))
        with self.guard:
            self.checked += 1
            if leak:
                self.leaks += 1
                if self.leaks <= 10:
                    say(f"  LEAK to {name} by {what}: {answer.status} …{told[max(0, leak.start() - 60):leak.end() + 40]}…")


def sequences(place, hidden, children):
    """Random sequences of changes, each followed and accompanied by looks of others."""
    changes, watch, over, began = Changes(hidden), Watch(hidden), threading.Event(), time.monotonic()
    hidden.watch = watch

    def poll():
        line = place.b.line()
        while not over.is_set():
            watch.look(line, random.choice(children))

    pollers = [threading.Thread(target=poll, daemon=True) for _ in range(3)]
    for poller in pollers:
        poller.start()
    count = [0]

    def one(line, _):
        child = random.choice(children)
        with child.guard:
            for answer in changes.sequence(line, child):
                watch.look(line, child)
        with watch.guard:
            count[0] += 1
            if count[0] % 1000 == 0:
                say(f"  {count[0]:,} sequences, {watch.checked:,} answers checked, {time.monotonic() - began:.0f} s")

    each(place.a, 6, range(SEQUENCES), one)
    over.set()
    for poller in pollers:
        poller.join()
    for name, (refused, done) in sorted(changes.done.items()):
        say(f"  {name:<16}{done:>8,} done {refused:>8,} refused")
        if not done:
            sys.exit(f"{name} was never done, so it proves nothing")
    return watch


def in_the_dump(place, hidden):
    """How many sealed values a superuser reads in a dump, in whatever way they might be written there."""
    dump = place.dump()
    found = SEALED.findall(dump)
    encoded = [text.encode() for text in ("Qzstown", "KW99 ", "0191 498", hidden.clinic)]
    forms = [form for text in encoded for form in (text.hex(), *(in_base64(text, n) for n in range(3)))]
    found += [form for form in forms if len(form) >= 8 and form in dump]
    about = "select attrelid::regclass from pg_attribute join pg_class c on c.oid = attrelid where attname = 'child_id' and relkind = 'r'"
    for table in place.psql(about).split():
        beside = f"select count(*) from {table} t where child_id is not null and t::text like '%{hidden.clinic}%'"
        found += [f"the clinic beside a child in {table}"] * int(place.psql(beside))
    looked = f"select operation from audit_event where organisation_id = '{hidden.clinic}' and children <> '{{}}'"
    found += [f"the clinic beside a child: {operation}" for operation in place.psql(looked).split()]
    for told in found[:10]:
        say(f"  IN THE DUMP: {told}")
    return len(found)


def in_base64(text, n):
    """What base64 makes of a text that begins at the nth byte of three, without the characters that its neighbours share."""
    return base64.b64encode(b" " * n + text).decode()[4 if n else 0:len(text) // 3 * 4]


def main():
    with Place(PROGRAMS, 3000) as place:
        say(f"{CHILDREN} children, shielded each by an emergency and by two people")
        hidden = Hidden(place)
        children = []

        def born(line, _):
            children.append(hidden.shield(line, hidden.add(line)))

        each(place.a, 6, range(CHILDREN), born)
        say(f"{SEQUENCES:,} random sequences of changes, and others who look meanwhile")
        watch = sequences(place, hidden, children)
        say("What a superuser reads")
        sealed = in_the_dump(place, hidden)
        say("Clever questions")
        told = learn(place, hidden, children)
        said = sum(len(CANARY.findall(instance.said())) for instance in place.instances)
        say("Retention")
        table = ended.cases(PROGRAMS)
        kills, alike = ended.copies(place, KILLS)
        told = {"sequences": SEQUENCES, "children": CHILDREN, "answers_checked": watch.checked, "leaks": watch.leaks,
                "in_logs_and_metrics": said, "sealed_in_dump": sealed, **told,
                "retention_cases": table["cases"], "retention_days": table["days"], "retention_wrong": table["wrong"],
                "kills": kills, "state_after_kills_as_undisturbed": alike}
        for name, figure in told.items():
            print(f"{name.replace('_', ' '):<44}{figure if not isinstance(figure, dict) else ' '.join(f'{k} {v}' for k, v in figure.items()):>28}")
        print(json.dumps(told))


def learn(place, hidden, children):
    line = place.a.line()
    body = new_child("998")
    record = hidden.done(hidden.ask(line, "qz.steward", "POST", "/v1/children", body), 201)
    child = hidden.shield(line, Child(record["indexNumber"], record["names"][0], record["dateOfBirth"], [random_id()]))
    inference = Inference(hidden, child, body["whereabouts"]["address"], body["identifiers"][0]["value"])
    for ask in (inference.criteria, inference.bisection, inference.thresholds, inference.order):
        ask()
    times = timings(hidden, PAIRS, hidden_and_absent(place, hidden, inference, children))
    by = {what: round(auc(took[True], took[False]), 3) for what, (took, _) in times.items()}
    worst = max(by.values(), key=lambda of: abs(of - 0.5))
    return {"inference_asked": inference.asked, "inference_learnt": inference.learnt, "auc": worst, "auc_by": by,
            "pairs": PAIRS, "hidden_answers": max(answers for _, answers in times.values())}


def hidden_and_absent(place, hidden, inference, children):
    """Requests that reach what is hidden, and the same that reach nothing: who asks, how, both paths and bodies."""
    line, child, right = place.a.line(), inference.child, inference.address["postcode"]
    place.psql("update child set archives_on = current_date where index_number in (select index_number from child where not shielded limit 200)")
    archived = place.psql("select index_number from child where archives_on = current_date").split()
    nurse = {"serviceType": "sexualHealth", "contact": contact("s"), "startedOn": str(TODAY), "basis": "significantHarm"}
    sensitive = [hidden.done(hidden.ask(line, "qz.nurse", "POST", f"/v1/children/{of.number}/involvements", nurse), 201)["id"]
                 for of in children[:40]]
    asked = {"contact": {"team": "Bench Team", "officeHours": "01632 960007"}}
    contacts = [hidden.done(hidden.ask(line, "doctor", "POST", f"/v1/children/{of.number}/contact-requests", asked), 201)["id"]
                for of in children[:40]]
    under = [of.involvements[0] for of in children]
    requests = [of.request for of in children]

    held = set(place.psql("select value from child_identifier where kind = 'nhsNumber'").split())

    def absent():
        return next(number for number in iter(nhs_number, None) if number not in held)

    def by_id(path, ids, body=None):
        return lambda: (path + random.choice(ids), body), lambda: (path + random_id(), body)

    def search(name, known, unknown):
        return lambda: ("/v1/children/search", known()), lambda: ("/v1/children/search", unknown())

    postcodes = search("teacher", lambda: child.search(postcode=right), lambda: child.search(postcode=postcode()))
    numbers = search("doctor", lambda: {"identifier": {"kind": "nhsNumber", "value": inference.identifier}},
                     lambda: {"identifier": {"kind": "nhsNumber", "value": absent()}})
    record = lambda: (f"/v1/children/{random.choice(archived)}", None), lambda: (f"/v1/children/{random_number()}", None)
    opening = (lambda: ("/v1/archive/openings", {"indexNumber": random.choice(archived), "ground": "practiceReview"}),
               lambda: ("/v1/archive/openings", {"indexNumber": random_number(), "ground": "practiceReview"}))
    return {
        "an archived record": ("teacher", "GET", *record, None),
        "a record in its first year of archive": ("archive.reviewer", "POST", *opening, None),
        "an involvement under a shield": ("teacher", "GET", *by_id("/v1/involvements/", under), None),
        "to change it": ("teacher", "PATCH", *by_id("/v1/involvements/", under, {"confirmedOn": str(TODAY)}), None),
        "a sensitive involvement": ("teacher", "GET", *by_id("/v1/involvements/", sensitive), None),
        "to change that": ("teacher", "PATCH", *by_id("/v1/involvements/", sensitive, {"confirmedOn": str(TODAY)}), None),
        "a postcode under a shield": ("teacher", "POST", *postcodes, None),
        "an identifier under a shield": ("doctor", "POST", *numbers, None),
        "a contact request of others": ("teacher", "GET", *by_id("/v1/contact-requests/", contacts), None),
        "a shield request of others": ("teacher", "GET", *by_id("/v1/shield-requests/", requests), None),
    }


main()
