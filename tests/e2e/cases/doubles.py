"""The doubles of services themselves: what is right passes without a complaint, and each thing that is wrong is seen.

A double that accepts anything would let every other case pass. So each of these plays a client: once as the protocol
wants it, then once for each row of a table with one thing wrong."""

import copy
import http.client
import json
import uuid

from case import case
from gitea_double import GiteaDouble
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
    ("a busy loop", lambda c: [c.declare(), *[c.fetch("0") for _ in range(25)]]),
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
