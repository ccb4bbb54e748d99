"""A demo of its own in a folder of its own, and what a caller needs of it."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid


def say(text):
    print(text, file=sys.stderr, flush=True)


def one_time_code(otpauth, at):
    secret = urllib.parse.parse_qs(urllib.parse.urlparse(otpauth).query)["secret"][0]
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return "%06d" % ((struct.unpack(">I", digest[offset:offset + 4])[0] & 0x7FFFFFFF) % 1_000_000)


def stop(process):
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)


class Demo:
    """`contactpoint demo` on a free port, with what it printed; stopped and forgotten at the end."""

    def __init__(self, programs, children):
        self.programs, self.children = programs, children

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="contactpoint-bench-")
        os.chmod(self.folder, 0o711)
        self.start()
        return self

    def start(self):
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        command = [self.programs + "/contactpoint", "demo", "--json", "--folder", self.folder,
                   "--children", str(self.children), "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the demo did not start")
        self.told = json.loads(line)
        self.url = self.told["url"]

    def __exit__(self, *_):
        stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, path, token=None, body=None, **headers):
        """The status, the headers and the JSON of an answer."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers |= {"Access-Reason": "direct-service", "Content-Type": "application/json"}
        if token:
            headers["Authorization"] = "Bearer " + token
        if method == "POST":
            headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.headers, json.load(refusal)

    def sign_in(self, user_name):
        """An access token of one of the demo's accounts."""
        account = next(a for a in self.told["accounts"] if a["userName"] == user_name)
        body = {"userName": user_name, "password": account["password"], "pin": account["pin"],
                "oneTimeCode": one_time_code(account["otpauth"], time.time())}
        status, _, told = self.call("POST", "/v1/sessions", body=body)
        if status != 200:
            sys.exit(f"{user_name} could not sign in: {status} {told}")
        return told["accessToken"]
