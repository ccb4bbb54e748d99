"""Walks over HTTP what the demo prints: the main job (sign in, search, open, set a flag, see it as another practitioner), then what
is hidden and what has ended; and checks that the audit holds exactly these events."""

import json
import sys

from service import Demo

PROGRAMS = sys.argv[1]


def expect(what, got, wanted):
    print(f"{what:<58}{'as it should be' if got == wanted else 'WRONG'}")
    if got != wanted:
        sys.exit(f"{what}: expected {wanted!r}, got {got!r}")


def main_job(demo):
    teacher = demo.sign_in("teacher")
    status, _, found = demo.call("POST", "/v1/children/search", teacher, demo.told["examples"]["search"])
    expect("a search by name and birth finds one child", (status, len(found["results"])), (200, 1))
    child = found["results"][0]["indexNumber"]

    status, _, record = demo.call("GET", f"/v1/children/{child}", teacher)
    expect("the record opens", (status, record["indexNumber"]), (200, child))
    own = next(i for i in record["involvements"] if i["serviceType"] == "school" and "endedOn" not in i)
    expect("the school has set no flag that informs", [f for f in own["flags"] if f["flag"] == "informationToShare"], [])

    path = f"/v1/involvements/{own['id']}/flags/informationToShare"
    status, headers, flagged = demo.call("PUT", path, teacher, {}, If_Match=f'"{own["version"]}"')
    expect("the school sets the flag", (status, flagged["version"]), (200, own["version"] + 1))
    expect("and learns the new version", headers["ETag"], f'"{own["version"] + 1}"')

    doctor = demo.sign_in("doctor")
    status, _, record = demo.call("GET", f"/v1/children/{child}", doctor)
    seen = [(i["id"], f["flag"]) for i in record["involvements"] for f in i["flags"] if f["flag"] == "informationToShare"]
    expect("the doctor sees it", (status, (own["id"], "informationToShare") in seen), (200, True))
    return [
        ("create_session", 200, []), ("search_children", 200, [child]), ("open_child", 200, [child]), ("set_flag", 200, [child]),
        ("create_session", 200, []), ("open_child", 200, [child]),
    ]


def hidden(demo):
    shielded, sensitive, archived = (demo.told["examples"][kind] for kind in ("shielded", "sensitive", "archived"))
    rowan, robin, morgan = (known["indexNumber"] for known in (shielded, sensitive, archived))
    hides = ("whereabouts", "responsibleAuthority")

    police = demo.sign_in("police.officer")
    status, _, record = demo.call("GET", f"/v1/children/{rowan}", police)
    expect("a shielded child is told to be shielded", (status, record["shielded"]), (200, True))
    told = [name for name in hides if name in record]
    expect("and neither where it is nor by whom", (told, record["involvements"], record["identifiers"]), ([], [], []))
    expect("nor how its carers are reached", [c["phones"] for c in record["carers"]], [[]])

    status, _, listed = demo.call("GET", f"/v1/children/{robin}/involvements", police)
    clinic = sensitive["involvementId"]
    expect("a sensitive service is not there", (status, clinic in [i["id"] for i in listed["items"]]), (200, False))
    status, _, _ = demo.call("GET", f"/v1/involvements/{clinic}", police)
    expect("nor by its number", status, 404)
    contact = {"contact": {"practitioner": "Pat Demo", "officeHours": "01632 960002"}}
    status, _, asked = demo.call("POST", f"/v1/children/{robin}/contact-requests", police, contact)
    expect("contact can be asked for", (status, asked["status"]), (201, "open"))
    status, _, _ = demo.call("GET", f"/v1/children/{morgan}", police)
    expect("an archived record is not found", status, 404)
    status, _, found = demo.call("POST", "/v1/children/search", police, archived["search"])
    expect("nor by its name", (status, found["results"]), (200, []))

    status, _, own = demo.call("GET", f"/v1/involvements/{clinic}", demo.sign_in("nurse"))
    expect("the nurse sees the own service", (status, own["serviceType"]), (200, "sexualHealth"))

    worker = demo.sign_in("social.worker")
    warned = {"warningAcknowledged": True, "ground": "missingChild"}
    path = f"/v1/children/{rowan}/override-grants"
    status, _, _ = demo.call("POST", path, worker, warned)
    expect("nobody looks past a shield without a reference", status, 400)
    status, _, _ = demo.call("POST", path, worker, warned, Access_Reference="DEMO/1")
    expect("with one a social worker does", status, 201)
    status, _, record = demo.call("GET", f"/v1/children/{rowan}", worker)
    expect("and sees where the child is", (status, [name in record for name in hides]), (200, [True, True]))

    status, _, record = demo.call("POST", "/v1/archive/openings", demo.sign_in("steward"), {"indexNumber": morgan})
    expect("the steward opens the archived record", (status, record["phase"]), (200, "firstYear"))
    return [
        ("create_session", 200, []), ("open_child", 200, [rowan]), ("list_involvements", 200, [robin]),
        ("open_involvement", 404, []), ("ask_for_contact", 201, [robin]), ("open_child", 404, []), ("search_children", 200, []),
        # Which child it was, only an auditor of the nurse's organisation is told.
        ("create_session", 200, []), ("open_involvement", 200, []), ("create_session", 200, []),
        ("override_shield", 400, []), ("override_shield", 201, [rowan]), ("open_child", 200, [rowan]),
        ("create_session", 200, []), ("open_archived", 200, [morgan]),
    ]


def walk(demo):
    wanted = main_job(demo) + hidden(demo) + [("create_session", 200, [])]
    auditor = demo.sign_in("national.auditor")
    _, _, audit = demo.call("GET", "/v1/audit/events?limit=100", auditor)
    made = [(e["operation"], e["status"], e["children"]) for e in reversed(audit["items"]) if e.get("role")]
    expect("the audit holds exactly these events", made, wanted)
    return len(made)


with Demo(PROGRAMS, 500) as demo:
    print(json.dumps({"events": walk(demo), "wrong": 0}))
