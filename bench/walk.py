"""Walks the main job over HTTP: sign in, search, open, set a flag, see it as another practitioner; and checks that the audit
holds exactly these events."""

import json
import sys

from service import Demo

PROGRAMS = sys.argv[1]


def expect(what, got, wanted):
    print(f"{what:<58}{'as it should be' if got == wanted else 'WRONG'}")
    if got != wanted:
        sys.exit(f"{what}: expected {wanted!r}, got {got!r}")


def walk(demo):
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

    auditor = demo.sign_in("national.auditor")
    _, _, audit = demo.call("GET", "/v1/audit/events?limit=100", auditor)
    made = [(e["operation"], e["status"], e["children"]) for e in reversed(audit["items"]) if e["role"]]
    expect("the audit holds exactly these events", made, [
        ("create_session", 200, []), ("search_children", 200, [child]), ("open_child", 200, [child]), ("set_flag", 200, [child]),
        ("create_session", 200, []), ("open_child", 200, [child]), ("create_session", 200, []),
    ])
    return len(made)


with Demo(PROGRAMS, 500) as demo:
    print(json.dumps({"events": walk(demo), "wrong": 0}))
