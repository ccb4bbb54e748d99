"""Tries the running service against its own description, as every kind of caller, and prints what came of it."""

import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from service import Demo, one_time_code, say  # noqa: E402

os.environ["RUST_LOG"] = "error"
CALLERS = ["nobody", "steward", "teacher", "operator", "account.administrator", "national.auditor", "feed"]
# An access token lasts 600 seconds; what takes longer would end unauthenticated and try nothing.
LONGEST = 540


def form(demo, **members):
    """The answer of the token endpoint."""
    data = urllib.parse.urlencode(members).encode()
    with urllib.request.urlopen(demo.url + "/oauth/token", data, timeout=30) as answer:
        return json.load(answer)


class Caller:
    """Somebody who signs in once, before failed sign-ins are tried, and goes on with that session."""

    def __init__(self, demo, name):
        self.demo, self.name, self.refresh = demo, name, None
        account = next((a for a in demo.told["accounts"] if a["userName"] == name), None)
        if account:
            code = one_time_code(account["otpauth"], time.time())
            body = {"userName": name, "password": account["password"], "pin": account["pin"], "oneTimeCode": code}
            status, _, told = demo.call("POST", "/v1/sessions", body=body)
            if status != 200:
                sys.exit(f"{name} could not sign in: {status} {told}")
            self.refresh = told["refreshToken"]

    def token(self):
        """A fresh access token, or none."""
        if self.refresh:
            told = form(self.demo, grant_type="refresh_token", refresh_token=self.refresh)
            self.refresh = told["refresh_token"]
            return told["access_token"]
        client = next((c for c in self.demo.told["clients"] if c["role"] == self.name), None)
        if client:
            told = form(self.demo, grant_type="client_credentials", client_id=client["clientId"],
                        client_secret=client["clientSecret"])
            return told["access_token"]
        return None


def tried(caller, schemathesis, reports, options):
    """Runs every check as this caller; the summary of the report, and the seconds it took."""
    report = reports / f"{caller.name}.json"
    report.unlink(missing_ok=True)
    command = [schemathesis, "--config-file", str(ROOT / "schemathesis.toml"), "run", caller.demo.url + "/openapi.json",
               "--report", "json", "--report-json-path", str(report), *options]
    token = caller.token()
    if token:
        command += ["--header", f"Authorization: Bearer {token}"]
    begun = time.time()
    with open(reports / f"{caller.name}.txt", "w") as out:
        try:
            code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, timeout=LONGEST).returncode
        except subprocess.TimeoutExpired:
            code = f"over {LONGEST} s"
    return code, time.time() - begun


def feed(demo, callers):
    """The number of a feed of the administrator's organisation, to which the caller `feed` sends from now on."""
    name = "account.administrator"
    # A one-time code is good once.
    token = (next((caller for caller in callers if caller.name == name), None) or Caller(demo, name)).token()
    asked = {"name": "Tried", "role": "feed", "tokenEndpointAuthMethod": "client_secret", "requestsPerSecond": 1000}
    made = []
    for path, body in ("/v1/clients", asked), ("/v1/feeds", {"name": f"Tried {time.time():.0f}", "serviceType": "socialCare"}):
        status, _, told = demo.call("POST", path, token, body=body)
        if status != 201:
            sys.exit(f"{path}: {status} {told}")
        made.append(told)
    client = {"role": "feed", "clientId": made[0]["id"], "clientSecret": made[0]["clientSecret"]}
    demo.told["clients"].insert(0, client)
    return made[1]["id"]


def words(demo, folder, callers):
    """Writes the numbers of what is there, for the addresses that are tried."""
    folder.mkdir(parents=True, exist_ok=True)
    token = Caller(demo, "doctor").token()
    child = demo.told["examples"]["indexNumber"]
    _, _, record = demo.call("GET", f"/v1/children/{child}", token)
    _, _, organisations = demo.call("GET", "/v1/organisations?limit=3", token)
    for name, values in {
        "indexNumber": [child],
        "involvementId": [involvement["id"] for involvement in record["involvements"]],
        "carerId": [carer["id"] for carer in record["carers"]],
        "organisationId": [organisation["id"] for organisation in organisations["items"]],
        "feedId": [feed(demo, callers)],
    }.items():
        (folder / name).write_text("".join(f'"{value}"\n' for value in values))


def main():
    schemathesis, programs, reports, *options = sys.argv[1:]
    reports = pathlib.Path(reports)
    reports.mkdir(parents=True, exist_ok=True)
    wanted = os.environ.get("CALLERS", "").split() or CALLERS
    failed = False
    with Demo(programs, 200) as demo:
        callers = [Caller(demo, name) for name in wanted]
        words(demo, ROOT / "target/contract/words", callers)
        for caller in callers:
            say(f"== {caller.name}")
            code, took = tried(caller, schemathesis, reports, options)
            failed = failed or code != 0
            print(f"{caller.name:<18} {'passed' if code == 0 else f'FAILED ({code})':<12} {took:4.0f} s", flush=True)
            if code != 0:
                print(f"  see {reports / caller.name}.txt", flush=True)
    sys.exit(1 if failed else 0)


main()
