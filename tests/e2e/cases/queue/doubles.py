"""The doubles of services themselves: what is right passes without a complaint, and each thing that is wrong is seen.

A double that accepts anything would let every other case pass. So each of these plays a client: once as the protocol
wants it, then once for each row of a table with one thing wrong."""

import base64
import copy
import http.client
import json
import pathlib
import re
import subprocess
import time
import urllib.parse
import uuid

from case import case
from gitea_double import GiteaDouble
from github_double import GitHubDouble
from world import check

WORKFLOW = """\
name: ci
on: [push]
jobs:
  build:
    name: build (1)
    runs-on: ubuntu-latest
    steps:
      - id: a
        run: echo "v=1" >> "$GITHUB_OUTPUT"
      - run: echo done
    strategy:
      matrix:
        n:
          - 1
    outputs:
      v: ${{ steps.a.outputs.v }}
"""


def ask(double, method, path, body=None, headers=None, limit=10):
    """(status, body) of one request; None when the line was cut."""
    line = http.client.HTTPConnection("127.0.0.1", double.port, timeout=limit)
    try:
        line.request(method, path, body=body, headers=headers or {})
        answer = line.getresponse()
        return answer.status, answer.read()
    except (http.client.HTTPException, OSError):
        return None
    finally:
        line.close()


def wanted(double, complaint, what):
    """DOUBLE complains of COMPLAINT, or of nothing when that is None."""
    try:
        double.check()
        found = "nothing"
    except AssertionError as error:
        found = str(error)
    if complaint is None:
        check(found == "nothing", f"{what}: {found}")
    else:
        check(complaint in found, f"{what}: wanted a complaint of {complaint!r}, got {found}")


# ---- Gitea ----

RPC = "/api/actions/runner.v1.RunnerService/"
HEADERS = {"Content-Type": "application/json", "Connect-Protocol-Version": "1", "User-Agent": "ostler/1"}
NAME = {"name": "ostler-1", "token": "REG", "version": "ostler/1.0", "labels": ["ubuntu-latest"], "capabilities": ["cancelling"]}


class Gitea:
    """A client that does what it is told."""

    def __init__(self, double):
        self.double, self.headers = double, dict(HEADERS)

    def call(self, name, body, headers=None, method="POST"):
        sent = {**self.headers, **(headers or {})}
        text = body if isinstance(body, (str, bytes)) else json.dumps(body)
        path = "/api/actions/ping.v1.PingService/Ping" if name == "Ping" else RPC + name
        got = ask(self.double, method, path, text, {k: v for k, v in sent.items() if v is not None})
        return got and json.loads(got[1] or b"null") if got and got[0] == 200 else None

    def fetch(self, version="0", key=None):
        return self.call("FetchTask", {"tasksVersion": version}, {"x-runner-request-key": key or str(uuid.uuid4())})

    def register(self):
        runner = self.call("Register", NAME)["runner"]
        self.headers |= {"x-runner-uuid": runner["uuid"], "x-runner-token": runner["token"]}

    def declare(self):
        return self.call("Declare", {"version": "ostler/1.0", "labels": ["ubuntu-latest"], "capabilities": ["cancelling"]})


def at(second):
    return f"2026-08-01T10:00:{second:04.1f}Z".replace(":0.", ":00.")


def row(second, text):
    return {"time": at(second), "content": text}


def telling(number):
    """What a good client says of a task, call by call."""
    first = {"id": "0", "result": "RESULT_SUCCESS", "startedAt": at(1), "stoppedAt": at(1.2), "logIndex": "1", "logLength": "1"}
    second = {"id": "1", "startedAt": at(1.3), "logIndex": "2"}
    closed = {**second, "result": "RESULT_SUCCESS", "stoppedAt": at(2), "logLength": "1"}
    return [
        ["UpdateTask", {"state": {"id": number, "startedAt": at(0), "steps": [{"id": "0"}, {"id": "1"}]}}],
        ["UpdateLog", {"taskId": number, "index": "0", "rows": [row(0.1, "ostler-1 has the task")]}],
        ["UpdateTask", {"state": {"id": number, "steps": [first, second]}, "outputs": {"v": "1"}}],
        ["UpdateLog", {"taskId": number, "index": "1", "noMore": True,
                       "rows": [row(1.1, "echo v"), row(1.5, "done"), row(2, "Job succeeded")]}],
        ["UpdateTask", {"state": {"id": number, "result": "RESULT_SUCCESS", "stoppedAt": at(2), "steps": [first, closed]}}],
    ]


def tell(client, calls):
    for name, body, *headers in calls:
        client.call(name, body, *headers)


def set_in(*path):
    """A twist: the member at PATH of the calls becomes the last argument; None takes it out."""
    *names, last, value = path

    def twist(calls):
        here = calls
        for name in names:
            here = here[name]
        if value is None:
            del here[last]
        else:
            here[last] = value
        return calls
    return twist


def again(index):
    return lambda calls: calls[:index + 1] + [copy.deepcopy(calls[index])] + calls[index + 1:]


def without(index):
    return lambda calls: calls[:index] + calls[index + 1:]


def swapped(one, other):
    def twist(calls):
        calls[one], calls[other] = calls[other], calls[one]
        return calls
    return twist


GITEA_TWISTS = {
    None: lambda calls: calls,
    "unknown field 'shoe'": set_in(1, 1, "shoe", 1),
    "unknown field 'task_id'": lambda c: [c[0], ["UpdateLog", {"task_id": "99", **c[1][1]}], *c[2:]],
    "field 'result' is": set_in(4, 1, "state", "result", "RESULT_SUCESS"),
    "field 'noMore' is": set_in(3, 1, "noMore", "yes"),
    "field 'time' is missing": set_in(1, 1, "rows", 0, "time", None),
    "field 'time' is": set_in(1, 1, "rows", 0, "time", "2026-08-01 10:00:00"),
    "field 'state' is missing": set_in(0, 1, "state", None),
    "a final result without stoppedAt": set_in(4, 1, "state", "stoppedAt", None),
    "a final result before the log's end": swapped(3, 4),
    "after its final result was answered": again(4),
    "after the client knew that the log is closed": again(3),
    "its log was never ended": lambda c: [*c[:3], ["UpdateLog", {**c[3][1], "noMore": False}], c[4]],
    "and so it does not end the log": lambda c: [*c[:3], ["UpdateLog", {**c[3][1], "noMore": False}],
                                                 ["UpdateLog", {**c[3][1], "index": "4", "rows": []}], c[4]],
    "the rows known to be stored are 1": set_in(3, 1, "index", "2"),
    "index 0, the rows known to be stored are 1": set_in(3, 1, "index", "0"),
    "rows that are stored already were others": lambda c: [
        *c[:3], ["UpdateLog", {**c[3][1], "index": "0", "rows": [row(0, "another"), *c[3][1]["rows"]]}], c[4]],
    "more than a line": set_in(1, 1, "rows", 0, "content", "a\nb"),
    "it holds secrets": set_in(1, 1, "rows", 0, "content", "the word is swordfish"),
    "65537 bytes": set_in(1, 1, "rows", 0, "content", "x" * 65537),
    "1 steps, the job has 2": set_in(0, 1, "state", "steps", 1, None),
    "its id is 7": set_in(0, 1, "state", "steps", 1, "id", "7"),
    "it waits and has a log": set_in(0, 1, "state", "steps", 1, "logIndex", "4"),
    "its log begins at 3, the one before ends at 2": set_in(4, 1, "state", "steps", 1, "logIndex", "3"),
    "its log began at 2, now at 3": set_in(4, 1, "state", "steps", 1, "logIndex", "3"),
    "its log ends at 9": set_in(4, 1, "state", "steps", 1, "logLength", "7"),
    "a result without stoppedAt": set_in(4, 1, "state", "steps", 1, "stoppedAt", None),
    "it stopped before it started": set_in(4, 1, "state", "steps", 1, "stoppedAt", at(0)),
    "and step 1 has none": set_in(4, 1, "state", "steps", 1, "result", None),
    "its startedAt was": set_in(4, 1, "state", "steps", 0, "startedAt", at(0.5)),
    "output 'v' comes with the final result": lambda c: set_in(4, 1, "outputs", {"v": "1"})(set_in(2, 1, "outputs", None)(c)),
    "output 'v' is another one now": set_in(4, 1, "outputs", {"v": "2"}),
    "output 'v' is confirmed already": set_in(4, 1, "outputs", {"v": "1"}),
    "is too large": set_in(2, 1, "outputs", "long", "x" * ((1 << 20) + 1)),
    "no final result came": without(4),
    "it was RESULT_FAILURE, now it is RESULT_SUCCESS": lambda c: [
        *c[:4], ["UpdateTask", set_in("state", "result", "RESULT_FAILURE")(copy.deepcopy(c[4][1]))], c[4]],
    "Content-Type is": lambda c: [[*c[0], {"Content-Type": "application/json;charset=latin1"}], *c],
    "there is no x-runner-token": lambda c: [[*c[0], {"x-runner-token": None}], *c],
    "Connect-Protocol-Version is": lambda c: [[*c[0], {"Connect-Protocol-Version": None}], *c],
    "a member is there twice": lambda c: [["UpdateTask", '{"state": {"id": "99", "id": "99"}}'], *c],
    "wanted an object": lambda c: [["UpdateTask", "[]"], *c],
    "no such call": lambda c: [["GetTask", {}], *c],
    "there is no task 7": lambda c: [["UpdateLog", {**c[1][1], "taskId": "7"}], *c],
}


@case()
def the_gitea_double_sees_each_thing_that_is_wrong(w):
    for dialect in ("gitea", "forgejo"):
        for complaint, twist in GITEA_TWISTS.items() if dialect == "gitea" else [(None, GITEA_TWISTS[None])]:
            with GiteaDouble(dialect) as double:
                task, client = double.push(WORKFLOW, secrets={"WORD": "swordfish"}), Gitea(double)
                check(task.count == 2, f"it counts {task.count} steps")
                check(client.call("Ping", {"data": "x"}) == {"data": "Hello, x!"}, "Ping")
                client.register()
                client.declare()
                got = client.fetch()
                check(got["task"]["id"] == "99" and got["tasksVersion"] == "2", f"it hands out {got}")
                tell(client, twist(json.loads(json.dumps(telling("99")))))
                wanted(double, complaint, f"{dialect}, {complaint}")
                if complaint is None:
                    check(task.lines == ["ostler-1 has the task", "echo v", "done", "Job succeeded"], str(task.lines))
                    check(task.log(0) == "echo v" and task.log(1) == "done", "logs of steps")
                    check(task.outputs == {"v": "1"} and task.result == "RESULT_SUCCESS", str(task))


FETCHES = [  # what a client fetches with, and what is wrong with that
    (None, lambda c: [c.declare(), c.fetch("0"), c.fetch("1")]),
    ("FetchTask before Declare", lambda c: [c.fetch("0")]),
    ("tasksVersion is 7, the newest is 1", lambda c: [c.declare(), c.fetch("0"), c.fetch("7")]),
    ("tasksVersion is 1, wanted 0", lambda c: [c.declare(), c.fetch("0"), c.declare(), c.fetch("1")]),
    ("x-runner-request-key is 'x'", lambda c: [c.declare(), c.fetch("0", "x")]),
    ("the request key of a call that was answered",
     lambda c: [c.declare(), *[c.fetch("0", "11111111-1111-4111-8111-111111111111") for _ in "ab"]]),
    ("a new request key, although", lambda c: [c.declare(), c.double.fault("FetchTask", "lost"), c.fetch("0"), c.fetch("0")]),
    ("told that it is not registered", lambda c: [
        c.declare(), c.double.refused.update(FetchTask=("unauthenticated", "unregistered runner")), c.fetch("0"), c.fetch("0")]),
    ("a busy loop", lambda c: [setattr(c.double, "busy_seconds", 60), c.declare(), *[c.fetch("0") for _ in range(25)]]),
    ("is no name of a label", lambda c: [c.call("Declare", {"version": "ostler", "labels": ["a:host"]})]),
    ("is no capability", lambda c: [c.call("Declare", {"version": "ostler", "labels": [], "capabilities": ["flying"]})]),
]


@case()
def the_gitea_double_sees_what_is_wrong_with_fetching(w):
    for complaint, play in FETCHES:
        with GiteaDouble() as double:
            client = Gitea(double)
            client.register()
            play(client)
            wanted(double, complaint, str(complaint))


@case()
def the_faults_of_a_double_strike(w):
    with GiteaDouble(dialect="gitea") as double:
        client = Gitea(double)
        client.register()
        client.declare()
        task, key = double.push(WORKFLOW), str(uuid.uuid4())
        for kind, more in (("status", {"status": 503}), ("reset", {}), ("lost", {}), ("cut", {}), ("hang", {"seconds": 0.1})):
            fault = double.fault("FetchTask", kind, **more)
            got = client.fetch("0", key)
            check(got is None and fault.struck == 1, f"{kind}: {got}, it struck {fault.struck} times")
        first = task.message["context"]["token"]
        double.fault("FetchTask", "trickle", seconds=0.2)
        got = client.fetch("0", key)  # with the same key: the same task, and new tokens
        check(got["task"]["id"] == "99" and "tasksVersion" not in got, f"{got}")
        check(got["task"]["secrets"]["GITEA_TOKEN"] == task.message["context"]["token"] != first, "the tokens are the old ones")
        double.cancel(task)
        double.noise = double.squeezed = True
        status, body = ask(double, "POST", RPC + "UpdateTask", json.dumps(telling("99")[0][1]),
                           {**client.headers, "Accept-Encoding": "gzip"})
        check(status == 200 and body[:2] == b"\x1f\x8b", f"not squeezed: {body}")
        double.squeezed = False
        check(client.call(*telling("99")[0])["state"] == {"id": "99", "result": "RESULT_CANCELLED"}, "it is not told to cancel")
        double.leave()
        check(ask(double, "POST", RPC + "FetchTask", "{}", client.headers) is None, "somebody is there")
        double.leave(False)
        double.body_limit = 100
        got = ask(double, "POST", RPC + "UpdateLog", json.dumps(telling("99")[1][1]), client.headers)
        check(got and got[0] == 413, f"{got}")
        double.pausing = True
        double.check()


# ---- GitHub ----

AGENT = {"User-Agent": "GitHubActionsRunner-linux-x64/2.336.0 Ostler/1.0"}
POOL, ZERO = "/tenant/_apis/distributedtask/pools", "00000000-0000-0000-0000-000000000000"
SAID = {"steps": [{"run": "echo one", "id": "a"}, {"run": "echo two", "if": "always()"}], "outputs": {"v": "${{ steps.a.outputs.v }}"}}
POLL = "status={}&runnerVersion=2.336.0&os=Linux&architecture=X64&disableUpdate=true"


class Key:
    """An RSA key of this case, openssl's."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder, "key.pem")
        self.openssl("genrsa", "-out", str(self.path), "2048")
        modulus = self.openssl("rsa", "-in", str(self.path), "-noout", "-modulus").decode().strip().partition("=")[2]
        self.modulus = base64.b64encode(bytes.fromhex(modulus)).decode()

    def openssl(self, *args, text=b""):
        return subprocess.run(["openssl", *args], input=text, capture_output=True, check=True).stdout

    def sign(self, algorithm, text):
        more = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if algorithm == "PS256" else []
        return self.openssl("dgst", "-sha256", *more, "-sign", str(self.path), text=text)

    def open(self, secret, digest):
        more = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{digest}", "-pkeyopt", f"rsa_mgf1_md:{digest}"]
        return self.openssl("pkeyutl", "-decrypt", "-inkey", str(self.path), *more, text=secret)


class Hub:
    """A client that does what it is told."""

    def __init__(self, double, key, name="t1"):
        self.double, self.key, self.name, self.broker = double, key, name, double.profile != "L"
        self.runner = self.session = self.aes = None
        self.algorithm = "PS256" if double.profile == "A" else "RS256"

    def call(self, method, path, body=None, token=None, version=None, **headers):
        """(status, JSON) of a call; BODY may be bytes."""
        sent = {**AGENT, "Accept": "application/json" + (f"; api-version={version}" if version else "")}
        if token:
            sent["Authorization"] = token if " " in token else f"Bearer {token}"
        if isinstance(body, (dict, list)):
            body, sent["Content-Type"] = json.dumps(body), "application/json; charset=utf-8"
        got = ask(self.double, method, path, body, {**sent, **{k.replace("_", "-"): v for k, v in headers.items()}})
        check(got, f"{method} {path}: the line was cut")
        return got[0], json.loads(got[1]) if got[1][:1] in (b"{", b"[") else got[1]

    def register(self):
        status, got = self.call("POST", "/api/v3/actions/runner-registration", {"url": self.double.repository, "runner_event": "register"},
                                "RemoteAuth REG1")
        check(status == 200, f"{status} {got}")
        tenant, labels = got["token"], [{"id": 0, "name": "self-hosted", "type": "system"}, {"id": 0, "name": "gpu", "type": "user"}]
        if self.double.profile == "A":
            xml = f"<RSAKeyValue><Modulus>{self.key.modulus}</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>"
            status, got = self.call("POST", "/api/v3/actions/runners/register", {
                "url": self.double.repository, "group_id": 1, "name": self.name, "version": "2.336.0", "updates_disabled": True,
                "ephemeral": False, "labels": labels, "public_key": xml}, "RemoteAuth REG1")
            self.id, self.client = got["id"], got["authorization"]["client_id"]
            return
        self.call("GET", "/tenant/_apis/connectionData?connectOptions=1&lastChangeId=-1&lastChangeId64=-1", token=tenant)
        self.call("GET", f"{POOL}?poolType=Automation", token=tenant, version="5.1-preview.1")
        status, got = self.call("POST", f"{POOL}/1/agents", {
            "id": 0, "name": self.name, "version": "2.336.0", "osDescription": "Linux", "ephemeral": False, "disableUpdate": True,
            "maxParallelism": 1, "status": 0, "labels": labels,
            "authorization": {"publicKey": {"exponent": "AQAB", "modulus": self.key.modulus}}}, tenant, "6.0-preview.2")
        check(status == 200, f"{status} {got}")
        self.id, self.client = got["id"], got["authorization"]["clientId"]

    def authorize(self, algorithm=None, signed=None, **claims):
        def part(data):
            return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).decode().rstrip("=")
        now = int(time.time())
        said = {"sub": self.client, "iss": self.client, "aud": f"{self.double.url}/oauth/token", "jti": str(uuid.uuid4()), "nbf": now,
                "exp": now + 300, **claims}
        text = f"{part({'typ': 'JWT', 'alg': algorithm or self.algorithm})}.{part(said)}"
        sign = part(self.key.sign(signed or algorithm or self.algorithm, text.encode()))
        form = {"grant_type": "client_credentials", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": f"{text}.{sign}"}
        status, got = self.call("POST", "/oauth/token", urllib.parse.urlencode(form).encode(),
                                Content_Type="application/x-www-form-urlencoded")
        self.runner = got.get("access_token")
        return status, got

    def begin(self):
        body = {"sessionId": ZERO, "ownerName": "t1 (PID: 1)", "agent": {"id": self.id, "name": self.name, "version": "2.336.0", "osDescription": "Linux",
                "ephemeral": None, "status": 0, "provisioningState": None}, "useFipsEncryption": False}
        status, got = self.call("POST", "/broker/session" if self.broker else f"{POOL}/1/sessions", body, self.runner,
                                None if self.broker else "5.1-preview.1")
        if status not in (200, 201):
            return status
        self.session = got["sessionId"]
        if not self.broker and "encryptionKey" in got:
            value = base64.b64decode(got["encryptionKey"]["value"])
            self.aes = self.key.open(value, self.double.encryption) if got["encryptionKey"]["encrypted"] else value
        return status

    def poll(self, status="Online", **more):
        path = "/broker/message" if self.broker else f"{POOL}/1/messages"
        query = urllib.parse.urlencode({"sessionId": self.session, **more}) + "&" + POLL.format(status)
        code, got = self.call("GET", f"{path}?{query}", token=self.runner, version=None if self.broker else "6.0-preview.1")
        if code == 200 and "iv" in got:
            text = subprocess.run(["openssl", "enc", "-d", "-aes-256-cbc", "-K", self.aes.hex(), "-iv", base64.b64decode(got["iv"]).hex()],
                                  input=base64.b64decode(got["body"]), capture_output=True, check=True).stdout
            got["body"] = text.decode("utf-8-sig")
        return code, got

    def take(self):
        """The job: polled for, acknowledged, acquired or deleted, its lock renewed."""
        status, got = self.poll()
        check(status == 200, f"{status} {got}")
        body = json.loads(got["body"])
        if self.broker:
            query = f"sessionId={self.session}&{POLL.format('Online')}"
            self.call("POST", f"/broker/acknowledge?{query}", {"runnerRequestId": body["runner_request_id"]}, self.runner)
            status, job = self.call("POST", "/run/116/acquirejob", {"jobMessageId": body["runner_request_id"], "runnerOS": "Linux",
                                                                    "billingOwnerId": body["billing_owner_id"]}, self.runner)
            check(status == 200, f"{status} {job}")
            return job
        self.call("DELETE", f"{POOL}/1/messages/{got['messageId']}?sessionId={self.session}", token=self.runner, version="5.1-preview.1")
        return body

    def renew(self, job):
        if self.broker:
            self.call("POST", "/run/116/renewjob", {"planId": job["plan"]["planId"], "jobId": job["jobId"]}, token_of(job))
        else:
            self.call("PATCH", f"{POOL}/1/jobrequests/{job['requestId']}?lockToken={ZERO}", {"requestId": job["requestId"]}, self.runner, "5.1-preview.1")

    def end(self):
        path = "/broker/session" if self.broker else f"{POOL}/1/sessions/{self.session}"
        return self.call("DELETE", path, token=self.runner, version=None if self.broker else "5.1-preview.1")


def token_of(job):
    return job["resources"]["endpoints"][0]["authorization"]["parameters"]["AccessToken"]


def log_line(second, text):
    return f"2026-08-01T10:00:{second:02d}.0000000Z {text}\n"


def results_of(job):
    """What a good client reports of a V2 job: [name, method, path, body, headers]."""
    run = {"workflow_run_backend_id": job["plan"]["planId"], "workflow_job_run_backend_id": job["jobId"]}
    ids = [ZERO[:-1] + "1", *[step["id"] for step in job["steps"]], ZERO[:-1] + "2"]
    names = ["Set up job", "Run echo one", "Run echo two", "Complete job"]
    logs = ["", log_line(2, "one"), log_line(4, "two"), ""]

    def update(order, states):
        steps = [{"external_id": i, "number": n + 1, "name": names[n], "status": s, "conclusion": 2 if s == 6 else 0,
                  "started_at": None if s == 5 else f"2026-08-01T10:00:0{n}.000Z",
                  "completed_at": f"2026-08-01T10:00:0{n + 1}.000Z" if s == 6 else None}
                 for n, (i, s) in enumerate(zip(ids, states)) if s]
        return ["steps", {"change_order": order, **run, "steps": steps}]

    def upload(index):
        if index is None:
            return [["GetJobLogsSignedBlobURL", dict(run)], ["blob", "".join(logs)],
                    ["CreateJobLogsMetadata", {**run, "uploaded_at": "2026-08-01T10:00:05.000Z", "line_count": 2}]]
        step = {**run, "step_backend_id": ids[index]}
        return [["GetStepLogsSignedBlobURL", dict(step)], ["blob", logs[index]],
                ["CreateStepLogsMetadata", {**step, "uploaded_at": "2026-08-01T10:00:05.000Z", "line_count": 1}]]

    results = [{"external_id": i, "number": n + 1, "name": names[n], "type": "run", "action_name": "bash", "status": "completed",
                "conclusion": "succeeded", "started_at": f"2026-08-01T10:00:0{n}.000Z", "completed_at": f"2026-08-01T10:00:0{n + 1}.000Z",
                "annotations": []} for n, i in enumerate(ids)]
    return [update(1, [3, 5, 5, 0]), update(2, [6, 3, 5, 0]), *upload(1), update(3, [6, 6, 3, 0]), *upload(2), update(4, [6, 6, 6, 6]), *upload(None),
            ["complete", {"planId": job["plan"]["planId"], "jobId": job["jobId"], "conclusion": "succeeded", "outputs": {"v": {"value": "1"}},
                          "stepResults": results, "annotations": [], "telemetry": [], "billingOwnerId": "O_1"}]]


def play_results(hub, job, calls):
    where = None
    for name, body, *headers in calls:
        more = headers[0] if headers else {}
        if name == "blob" and where:
            hub.call("PUT", urllib.parse.urlsplit(where).path + "?" + urllib.parse.urlsplit(where).query, ("\ufeff" + body).encode(),
                     x_ms_blob_type=more.pop("x_ms_blob_type", "BlockBlob"), Content_Type="text/plain", **more)
        if name == "blob":
            continue
        path = {"steps": "/results/twirp/github.actions.results.api.v1.WorkflowStepUpdateService/WorkflowStepsUpdate",
                "complete": "/run/116/completejob"}.get(name, f"/results/twirp/results.services.receiver.Receiver/{name}")
        _, got = hub.call("POST", path, body, more.pop("token", token_of(job)), **more)
        where = got.get("logs_url", where) if isinstance(got, dict) else where


def where_is(calls, name, nth=0):
    return [i for i, call in enumerate(calls) if call[0] == name][nth]


def in_call(name, nth, *path):
    """A twist of the NTH call of that NAME."""
    return lambda calls: set_in(where_is(calls, name, nth), 1, *path)(calls)


def moved(name, nth, to):
    """A twist: that call comes at the place TO."""
    def twist(calls):
        calls.insert(to, calls.pop(where_is(calls, name, nth)))
        return calls
    return twist


RESULTS_TWISTS = {
    None: lambda c: c,
    "steps: unknown field 'shoe'": in_call("steps", 0, "shoe", 1),
    "steps: field 'status' is": in_call("steps", 0, "steps", 0, "status", "in_progress"),
    "change_order is 7, wanted 2": in_call("steps", 1, "change_order", 7),
    "change_order is 1, it was 1 before": in_call("steps", 1, "change_order", 1),
    "its status goes back": lambda c: in_call("steps", 2, "steps", 1, "status", 5)(in_call("steps", 1, "steps", 1, "status", 6)(c)),
    "completed, without conclusion": in_call("steps", 3, "steps", 1, "conclusion", 0),
    "in progress since no time": in_call("steps", 1, "steps", 1, "started_at", None),
    "has the number of": in_call("steps", 1, "steps", 1, "number", 1),
    "the run and job are others": in_call("GetStepLogsSignedBlobURL", 0, "workflow_run_backend_id", ZERO),
    "uploaded_at is": in_call("CreateStepLogsMetadata", 0, "uploaded_at", "2026-08-01T10:00:05Z"),
    "line_count is 7, there are 1": in_call("CreateStepLogsMetadata", 0, "line_count", 7),
    "nothing was uploaded before it": lambda c: [call for i, call in enumerate(c) if i != where_is(c, "blob")],
    "a line without its time": lambda c: set_in(where_is(c, "blob"), 1, "one\n")(c),
    "step-log: it holds secrets": lambda c: set_in(where_is(c, "blob"), 1, log_line(1, "swordfish"))(c),
    "its last line has no end": lambda c: set_in(where_is(c, "blob"), 1, log_line(1, "one").strip())(c),
    "x-ms-blob-type is": lambda c: [[*call, {"x_ms_blob_type": "Page"}] if call[0] == "blob" else call for call in c],
    "a token where the address is enough": lambda c: [[*call, {"Authorization": "Bearer x"}] if call[0] == "blob" else call for call in c],
    "has no metadata": lambda c: without(where_is(c, "CreateStepLogsMetadata"))(c),
    "before the job's log": lambda c: without(where_is(c, "CreateJobLogsMetadata"))(c),
    "the job's log is not the lines": lambda c: set_in(where_is(c, "blob", 2), 1, log_line(2, "one") + log_line(4, "three"))(c),
    "complete: for the second time": lambda c: [*c, c[-1]],
    "after the job was completed": lambda c: [*c, in_call("steps", 0, "change_order", 5)(copy.deepcopy(c))[0]],
    "complete: field 'conclusion' is": in_call("complete", 0, "conclusion", "success"),
    "complete: unknown field 'result'": in_call("complete", 0, "result", "succeeded"),
    "complete: field 'outputs' is missing": in_call("complete", 0, "outputs", None),
    "complete: output 'v': it holds secrets": in_call("complete", 0, "outputs", "v", "value", "swordfish"),
    "is missing": in_call("complete", 0, "stepResults", 1, None),
    "field 'started_at' is": in_call("complete", 0, "stepResults", 1, "started_at", ""),
    "it was completed before it started": in_call("complete", 0, "stepResults", 1, "completed_at", "2026-08-01T09:00:00.000Z"),
    "in another order": lambda c: set_in(len(c) - 1, 1, "stepResults", [c[-1][1]["stepResults"][i] for i in (0, 2, 1, 3)])(c),
    "failed; the updates have 6, 2": in_call("complete", 0, "stepResults", 1, "conclusion", "failed"),
    "is not completed in the steps updates": lambda c: [call for i, call in enumerate(c) if i != where_is(c, "steps", 3)],
    "it is in no steps update": lambda c: in_call("steps", 3, "steps", 3, None)(c),
    "was never completed": lambda c: c[:-1],
    "had no live lines": lambda c: c,
    "no such call": lambda c: [["GetEverything", {}], *c],
    "the runner's token where the job's belongs": lambda c: [*c[:-1], [*c[-1], {"token": "RUNNER"}], c[-1]],
}


def with_job(double, key, **more):
    job, hub = double.push(SAID, secrets={"WORD": "swordfish"}, **more), Hub(double, key)
    hub.register()
    status, got = hub.authorize()
    check(status == 200, f"{status} {got}")
    hub.begin()
    return job, hub, hub.take()


@case()
def the_github_double_sees_each_thing_that_is_wrong_in_results(w):
    key = Key(w.root)
    for complaint, twist in RESULTS_TWISTS.items():
        with GitHubDouble("V", hold=0.1) as double:
            job, hub, message = with_job(double, key)
            hub.renew(message)
            double.live = complaint == "had no live lines"  # for these a websocket would be needed
            calls = twist(json.loads(json.dumps(results_of(message))))
            for call in calls:
                if len(call) > 2 and call[2].get("token") == "RUNNER":
                    call[2]["token"] = hub.runner
            play_results(hub, message, calls)
            hub.end()
            wanted(double, complaint, str(complaint))
            if complaint is None:
                check(job.log(message["steps"][0]["id"]) == "one\n" and job.log() == "one\ntwo\n", repr(job.log()))
                check(job.conclusion == "succeeded" and job.outputs == {"v": "1"}, str(job.completed))
                check(job.states()["Complete job"] == "succeeded", str(job.states()))


def timeline_of(job):
    """What a good client reports of a job of the older kind."""
    tasks = [{"id": step["id"], "parentId": job["jobId"], "type": "Task", "name": f"Run {i}", "order": i + 1, "state": "pending"}
             for i, step in enumerate(job["steps"])]
    first = {"id": job["jobId"], "type": "Job", "name": job["jobDisplayName"], "state": "inProgress", "startTime": "2026-08-01T10:00:00Z"}
    done = [{"id": row["id"], "state": "completed", "result": "succeeded", "finishTime": "2026-08-01T10:00:05Z"} for row in [first, *tasks]]
    one = job["steps"][0]["id"]
    return [["records", {"count": 3, "value": [first, *tasks]}],
            ["feed", {"count": 1, "value": ["one"], "stepId": one, "startLine": 1}],
            ["new-log", {"path": f"logs\\{one}"}], ["log", log_line(1, "one"), 1],
            ["records", {"count": 1, "value": [{"id": one, "log": {"id": 1}}]}],
            ["records", {"count": 3, "value": done}],
            ["new-log", {"path": f"logs\\{job['jobId']}"}], ["log", log_line(1, "one"), 2],
            ["records", {"count": 1, "value": [{"id": job["jobId"], "log": {"id": 2}}]}],
            ["event", {"name": "JobCompleted", "jobId": job["jobId"], "requestId": job["requestId"], "result": "succeeded",
                       "outputs": {"v": {"value": "1"}}, "jobTelemetry": []}]]


def play_timeline(hub, job, calls):
    plan = f"/tenant/{job['plan']['scopeIdentifier']}/_apis/distributedtask/hubs/Actions/plans/{job['plan']['planId']}"
    line = f"{plan}/timelines/{job['timeline']['id']}/records"
    for name, body, *number in calls:
        method, path, version = {"records": ("PATCH", line, "5.1-preview.1"), "feed": ("POST", f"{line}/{job['jobId']}/feed", "5.1-preview.1"),
                                 "new-log": ("POST", f"{plan}/logs", "5.1-preview.1"), "log": ("POST", f"{plan}/logs/{(number or [1])[0]}", "5.1-preview.1"),
                                 "event": ("POST", f"{plan}/events", "2.0-preview.1")}[name]
        raw = {"Content_Type": "application/octet-stream"} if name == "log" else {}
        hub.call(method, path, body.encode() if name == "log" else body, token_of(job), version, **raw)


TIMELINE_TWISTS = {
    None: lambda c: c,
    "records: unknown field 'shoe'": in_call("records", 0, "shoe", 1),
    "unknown field 'colour'": in_call("records", 0, "value", 1, "colour", "red"),
    "count is 7, there are 3": in_call("records", 0, "count", 7),
    "its parent is not the job": in_call("records", 0, "value", 1, "parentId", ZERO),
    "has the order of": in_call("records", 0, "value", 1, "order", 2),
    "completed, without result": in_call("records", 2, "value", 1, "result", None),
    "its state goes back": lambda c: [*c[:6], ["records", {"count": 1, "value": [{"id": c[0][1]["value"][1]["id"], "state": "pending"}]}], *c[6:]],
    "there is no log": in_call("records", 1, "value", 0, "log", "id", 9),
    "its path is": in_call("new-log", 0, "path", "logs/x"),
    "a line without its time": lambda c: set_in(3, 1, "one\n")(c),
    "this is no live line": in_call("feed", 0, "value", 0, log_line(1, "one").strip()),
    "feed: it holds secrets": in_call("feed", 0, "value", 0, "swordfish"),
    "event: the record": lambda c: without(5)(c),
    "event: before the job's log": lambda c: [*c[:6], *c[9:]],
    "no record has the log 1": lambda c: without(4)(c),
    "event: field 'result' is": in_call("event", 0, "result", "success"),
    "event: for the second time": lambda c: [*c, c[-1]],
    "after the job was completed": lambda c: [*c, c[1]],
    "has no record": lambda c: set_in(0, 1, {"count": 2, "value": c[0][1]["value"][:2]})(set_in(5, 1, {"count": 2, "value": c[5][1]["value"][:2]})(c)),
    "was never completed": lambda c: c[:-1],
}


@case()
def the_github_double_sees_each_thing_that_is_wrong_in_a_timeline(w):
    key = Key(w.root)
    for complaint, twist in TIMELINE_TWISTS.items():
        with GitHubDouble("L", results=False, hold=0.1, encryption="sha256" if complaint else "sha1") as double:
            job, hub, message = with_job(double, key)
            hub.renew(message)
            play_timeline(hub, message, twist(json.loads(json.dumps(timeline_of(message)))))
            hub.end()
            wanted(double, complaint, str(complaint))
            if complaint is None:
                check(job.log(message["steps"][0]["id"]) == "one\n" and job.outputs == {"v": "1"}, repr(job.log()))


LISTENING = [  # what a client does at the queue, and what is wrong with that
    ("V", None, lambda h: [h.poll(), h.poll()]),
    ("V", "poll: ostler=['1'] in the query", lambda h: h.poll(ostler=1)),
    ("V", "Busy, without any job", lambda h: h.poll("Busy")),
    ("V", "a busy loop", lambda h: [setattr(h.double, "hold", 0), setattr(h.double, "busy_seconds", 60), *[h.poll() for _ in range(25)]]),
    ("V", "acknowledge: of no job", lambda h: h.call("POST", f"/broker/acknowledge?sessionId={h.session}&{POLL.format('Online')}",
                                                     {"runnerRequestId": ZERO}, h.runner)),
    ("V", "Accept is 'application/json; api-version=1'", lambda h: h.call("DELETE", "/broker/session", token=h.runner, version="1")),
    ("V", "User-Agent is", lambda h: h.call("DELETE", "/broker/session", token=h.runner, User_Agent="curl")),
    ("V", "the signature is not that of the key", lambda h: h.authorize(signed="PS256")),
    ("V", "field 'alg' is 'PS256'", lambda h: h.authorize("PS256")),
    ("A", None, lambda h: h.authorize()),
    ("A", "field 'alg' is 'RS256'", lambda h: h.authorize("RS256")),
    ("V", "an assertion for 301 s", lambda h: h.authorize(exp=int(time.time()) + 301, nbf=int(time.time()))),
    ("V", "field 'aud' is", lambda h: h.authorize(aud="http://elsewhere/")),
    ("V", "an assertion for the second time", lambda h: [h.authorize(jti=ZERO), h.authorize(jti=ZERO)]),
    ("V", "unknown field 'kid'", lambda h: h.authorize(kid="x")),
    ("L", None, lambda h: [h.double.tell("AgentRefresh", {"agentId": 7}), h.poll(),
                           h.call("DELETE", f"{POOL}/1/messages/1?sessionId={h.session}", token=h.runner, version="5.1-preview.1"), h.poll(lastMessageId=1)]),
    ("L", "was given and never deleted", lambda h: [h.double.tell("AgentRefresh", {"agentId": 7}), h.poll()]),
    ("L", "there is no message 9", lambda h: h.call("DELETE", f"{POOL}/1/messages/9?sessionId={h.session}", token=h.runner, version="5.1-preview.1")),
    ("L", "lastMessageId is 5", lambda h: h.poll(lastMessageId=5)),
    ("L", "wanted api-version=5.1-preview.1", lambda h: h.call("DELETE", f"{POOL}/1/sessions/{h.session}", token=h.runner)),
]


@case()
def the_github_double_sees_what_is_wrong_at_its_queue(w):
    key = Key(w.root)
    for profile, complaint, play in LISTENING:
        with GitHubDouble(profile, hold=0.05) as double:
            hub = Hub(double, key)
            hub.register()
            check(hub.authorize()[0] == 200, f"no token\n{double.transcript()}")
            check(hub.begin() in (200, 201), f"no session\n{double.transcript()}")
            play(hub)
            wanted(double, complaint, f"{profile}, {complaint}")


@case()
def a_job_of_the_github_double_is_what_its_workflow_says(w):
    key = Key(w.root)
    with GitHubDouble("V", hold=0.1) as double:
        double.archive("acme/hello", {"action.yml": "name: x\n"})
        said = {"name": "hi", "env": {"A": "x ${{ vars.B }} 'y' {z}"}, "services": {"db": {"image": "pg", "ports": ["1:2"]}},
                "steps": [{"uses": "acme/hello/sub@v1", "with": {"deep": "${{ matrix.n }}"}, "if": "matrix.n == 1"}]}
        _, hub, got = (double.push(said, matrix={"n": 1}), *with_job(double, key)[1:])
        check(got["jobDisplayName"] == "hi (1)", got["jobDisplayName"])
        check(got["environmentVariables"][0]["map"][0]["Value"] == {"type": 3, "expr": "format('x {0} ''y'' {{z}}', vars.B)"}, str(got["environmentVariables"]))
        step = got["steps"][0]
        check(step["reference"] == {"type": "repository", "name": "acme/hello", "ref": "v1", "repositoryType": "GitHub", "path": "sub"}, str(step))
        check(step["condition"] == "success() && (matrix.n == 1)" and step["inputs"]["map"][0]["Value"] == {"type": 3, "expr": "matrix.n"}, str(step))
        check(got["contextData"]["matrix"] == {"t": 2, "d": [{"k": "n", "v": 1}]}, str(got["contextData"]["matrix"]))
        path = f"/actions/build/{got['plan']['planId']}/jobs/{got['jobId']}/runnerresolve/actions"
        status, found = hub.call("POST", path, {"actions": [{"action": "acme/hello", "version": "v1", "path": "sub"}]}, token_of(got))
        place = re.sub("^http://[^/]+", "", found["actions"]["acme/hello@v1"]["tar_url"])
        given = base64.b64encode(f"x-access-token:{found['actions']['acme/hello@v1']['authentication']['token']}".encode()).decode()
        status, data = hub.call("GET", place, token=f"Basic {given}")
        check(status == 200 and data[:2] == b"\x1f\x8b", f"{status}")
        status, found = hub.call("POST", path, {"actions": [{"action": "acme/none", "version": "v1", "path": ""}]}, token_of(got))
        check(status == 422 and "acme/none@v1" in found["errors"], f"{status} {found}")
