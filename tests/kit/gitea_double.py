"""A Gitea or Forgejo as far as its runners see it: Connect over JSON, strict about order, fields and promises.

    with GiteaDouble() as forge:
        task = forge.push(WORKFLOW, secrets={"FOO": "bar"})
        ...
        forge.finished(task)
        forge.check()

What it knows: the six calls, FetchSingleTask and UpdateJobSummary, summaries as Gitea takes them, and the artifact
service of a job. DIALECT is how it says errors: "gitea" (500, the true code in the text) or "forgejo" (true codes).
Faults: double.py's, and the switches of GiteaDouble's constructor and attributes.

Source of every rule: Gitea's and Forgejo's routers/api/actions/runner, and act_runner's promises (protocol page of
this project, sections 2, 4 and 8)."""

import base64
import dataclasses
import datetime
import json
import random
import re
import secrets as entropy
import time
import uuid

from double import Answer, Double, GUID, TIME, is_a, parse, secrets_in
from storage import ARTIFACTS, Storage

RPC = "/api/actions/runner.v1.RunnerService/"
PING = "/api/actions/ping.v1.PingService/Ping"
SUMMARY = re.compile(r"/api/actions_pipeline/_apis/pipelines/workflows/(\d+)/jobs/(\d+)/steps/(\d+)/summary")
STATUS = {"canceled": 499, "unknown": 500, "invalid_argument": 400, "deadline_exceeded": 504, "not_found": 404,
          "already_exists": 409, "permission_denied": 403, "resource_exhausted": 429, "failed_precondition": 400,
          "aborted": 409, "unimplemented": 501, "internal": 500, "unavailable": 503, "unauthenticated": 401}
RESULTS = ("RESULT_SUCCESS", "RESULT_FAILURE", "RESULT_CANCELLED", "RESULT_SKIPPED")
SHA = "0123456789abcdef0123456789abcdef01234567"
REQUEST_BYTES, ROW_BYTES, ROWS, KEY_BYTES, VALUE_BYTES = 512 << 10, 65536, 500, 255, 1 << 20

FIELDS = {
    "Ping": {"data": "text"},
    "Register": {"name": "filled", "token": "filled", "version": "filled", "labels": "texts", "ephemeral": "truth",
                 "capabilities": "texts"},
    "Declare": {"version": "filled", "labels": "texts", "capabilities": "texts"},
    "FetchTask": {"tasksVersion": "whole", "taskCapacity": "whole"},
    "FetchSingleTask": {"tasksVersion": "whole", "handle": "text"},
    "UpdateTask": {"state": "object", "outputs": "map"},
    "UpdateLog": {"taskId": "whole", "index": "whole", "rows": "list", "noMore": "truth"},
    "UpdateJobSummary": {"taskId": "whole", "summary": "text"},
}
NEEDED = {"Ping": (), "Register": ("name", "token", "labels"), "Declare": ("version", "labels"), "FetchTask": (),
          "FetchSingleTask": (), "UpdateTask": ("state",), "UpdateLog": ("taskId",), "UpdateJobSummary": ("taskId",)}
STATE = {"id": "whole", "result": RESULTS, "startedAt": "time", "stoppedAt": "time", "steps": "list"}
STEP = {"id": "whole", "result": RESULTS, "startedAt": "time", "stoppedAt": "time", "logIndex": "whole", "logLength": "whole"}


def count_steps(workflow):
    """The steps of a one-job workflow as text; 0 where that cannot be told."""
    found = re.search(r"^ +steps:[ \t]*\n(?:[ \t]*\n)*( *)- ", workflow, re.M)
    if not found:
        return 0
    depth, count = len(found.group(1)), 0
    for line in workflow[found.start(1):].splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() and (indent < depth or (indent == depth and not line[depth:].startswith("- "))):
            break
        count += line.startswith(" " * depth + "- ")
    return count


def instant(text):
    """Nanoseconds of an RFC 3339 time, near enough to compare two."""
    whole, _, rest = text.partition(".")
    digits = re.match(r"\d*", rest).group()
    zone = re.search(r"(Z|[+-]\d\d:\d\d)$", text).group().replace("Z", "+00:00")
    seconds = datetime.datetime.fromisoformat(whole[:19] + zone).timestamp()
    return int(seconds) * 10**9 + int(digits.ljust(9, "0") or 0)


@dataclasses.dataclass
class Runner:
    id: int
    uuid: str
    token: str
    name: str
    labels: list
    ephemeral: bool
    capabilities: list
    epoch: int = 0            # how often it was declared
    heard: int = 0            # the newest version it was told
    fresh: bool = True        # its next fetch must force a look-up
    fresh_at: float = -9.0    # since then: a fetch may have been on its way
    key: str = None           # of its last fetch, and whether the answer to that was heard
    answered: bool = True
    fetching: int = 0
    removed: bool = False     # it was told so
    fetched: list = dataclasses.field(default_factory=list)  # when it asked


@dataclasses.dataclass
class Task:
    id: int
    count: int                # of its steps
    message: dict
    labels: set
    secrets: dict
    hidden: list              # what no row may hold
    raw: str = None           # the task as JSON text, when a case wants it odd
    runner: Runner = None
    epoch: int = 0
    claimed_with: str = None  # request key
    rows: list = dataclasses.field(default_factory=list)
    told: int = 0             # rows the client knows to be stored
    archived: bool = False
    closed: bool = False      # the client knows that no row is taken any more
    endings: int = 0          # noMore with a new row
    result: str = None
    reported: str = None      # what the client said; the server may have decided before
    final: bool = False       # the client's result was stored and it knows
    stopped_at: str = None
    steps: list = dataclasses.field(default_factory=list)
    outputs: dict = dataclasses.field(default_factory=dict)
    confirmed: set = dataclasses.field(default_factory=set)
    cancelling: bool = False
    summaries: dict = dataclasses.field(default_factory=dict)
    beat: float = None        # when UpdateTask was last called
    beats: list = dataclasses.field(default_factory=list)

    @property
    def lines(self):
        return [row.get("content", "") for row in self.rows]

    def log(self, step=None):
        """The text of all rows, or of one step's."""
        if step is None:
            return "\n".join(self.lines)
        at = int(self.steps[step].get("logIndex", 0))
        return "\n".join(self.lines[at:at + int(self.steps[step].get("logLength", 0))])


class GiteaDouble(Storage, Double):
    whole_blobs = False

    def __init__(self, dialect="gitea", registration="REG", cancelling=True, summaries=True, request_keys=True,
                 single=False, capacity=1, heartbeat=60.0):
        self.dialect, self.registration = dialect, registration
        self.cancelling, self.summaries, self.request_keys, self.single = cancelling, summaries, request_keys, single
        self.capacity = capacity        # more running tasks than that are a complaint
        self.heartbeat = heartbeat      # seconds between two UpdateTask of a task
        self.refused = {}               # call -> (code, text): answered so until it is taken out
        self.missing = set()            # calls that this server does not have
        self.versions = []              # what the next answers say as tasksVersion: numbers, or None for none
        self.again = []                 # tasks that are handed out although they run
        self.more = False               # hands out all there is, as additionalTasks, without 'task'
        self.body_limit = None          # bytes of an UpdateLog, above which it is refused
        self.body_refusal = "413"       # or "resource_exhausted"
        self.withheld = 0               # answers that do not confirm outputs
        self.noise = False              # unknown fields and odd white space in answers
        self.runners, self.tasks, self.queue, self.version = {}, {}, [], 1
        self.prepare_storage()
        self.random = random.Random(1)
        self.pausing = False            # a fault of a case's own: gaps in the heartbeat are none
        super().__init__()

    # -- what a case says --

    def push(self, workflow, *, secrets=None, variables=None, needs=None, context=None, event=None, steps=None,
             labels=("ubuntu-latest",), hidden=(), payload=None, raw=None):
        """A job is ready. WORKFLOW: text with exactly one job; PAYLOAD: the member as it is, in its place; RAW(task):
        the text of the whole task, for what no JSON writer would write."""
        with self.turn:
            number = 98 + len(self.tasks) + 1
            token = entropy.token_hex(20)
            task = Task(number, steps if steps is not None else count_steps(workflow), {}, set(labels),
                        dict(secrets or {}), [])
            run = str(number + 1000)
            task.message = {
                "id": str(number),
                "workflowPayload": payload if payload is not None else base64.b64encode(workflow.encode()).decode(),
                "context": {
                    "actor": "root1", "api_url": f"{self.url}/api/v1", "base_ref": "", "event_name": "push",
                    "event": event or {"ref": "refs/heads/main"}, "gitea_default_actions_url": self.url, "head_ref": "",
                    "job": "build", "ref": "refs/heads/main", "ref_name": "main", "ref_protected": False,
                    "ref_type": "branch", "repository": "root1/demo", "repository_owner": "root1", "run_attempt": "1",
                    "run_id": run, "run_number": "3", "server_url": f"{self.url}/", "sha": SHA, "workflow": "ci.yml",
                    "retention_days": "", "graphql_url": "", **(context or {})}}
            if needs:
                task.message["needs"] = needs
            if variables:
                task.message["vars"] = variables
            self._new_tokens(task, token)
            task.hidden = [*(secrets or {}).values(), *hidden]
            task.raw = raw
            self.tasks[number] = task
            self.queue.append(task)
            self.version += 1
            self.turn.notify_all()
            return task

    def _new_tokens(self, task, token):
        run, job = int(task.message["context"]["run_id"]), task.id + 5000
        claims = {"scp": f"Actions.Results:{run}:{job}", "TaskID": task.id, "RunID": run, "JobID": job}
        claims = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        task.message["context"] |= {"token": token, "gitea_runtime_token": f"h.{claims}.{token[:8]}"}
        automatic = ("GITHUB_TOKEN", "GITEA_TOKEN") + (("FORGEJO_TOKEN",) if self.dialect == "forgejo" else ())
        task.message["secrets"] = {**task.secrets, **{name: token for name in automatic}}

    def cancel(self, task):
        """Somebody pressed the button."""
        with self.turn:
            if task.result:
                return
            if self.cancelling and task.runner and "cancelling" in task.runner.capabilities:
                task.cancelling = True
            else:
                task.result = "RESULT_CANCELLED"
            self.queue = [other for other in self.queue if other is not task]

    def fail(self, task):
        """The server gives the task up: a zombie, as it thinks."""
        with self.turn:
            task.result, task.archived = "RESULT_FAILURE", True

    def archive(self, task):
        """The log is closed from outside."""
        with self.turn:
            task.archived = True

    def remove(self, runner=None):
        """Somebody deletes the runner."""
        with self.turn:
            for other in [runner] if runner else list(self.runners.values()):
                self.runners.pop(other.uuid, None)

    @property
    def runner(self):
        with self.turn:
            return list(self.runners.values())[-1]

    def finished(self, task, limit=60.0):
        """Until TASK's final result is there and the client knows."""
        self.wait(lambda: task.final, limit)
        return task

    def error(self, code, text):
        if self.dialect == "forgejo":
            return Answer(STATUS[code], {"code": code, "message": text})
        name = "".join(word.capitalize() for word in code.split("_"))
        return Answer(500, {"code": "unknown", "message": f"rpc error: code = {name} desc = {text}"})

    def plain(self, text):
        """How all that goes wrong with a registration is said."""
        return Answer(400, {"code": "invalid_argument", "message": text}) if self.dialect == "forgejo" else \
            Answer(500, {"code": "unknown", "message": text})

    # -- the wire --

    def name(self, call):
        if call.path == PING:
            return "Ping"
        if call.path.startswith(RPC) and call.path[len(RPC):] in FIELDS:
            return call.path[len(RPC):]
        if call.path.startswith(f"/{ARTIFACTS}"):
            return f"artifact/{call.path.rpartition('/')[2]}"
        if call.path.startswith("/blob/"):
            return "blob"
        return "summary" if SUMMARY.fullmatch(call.path) else "unknown"

    def act(self, call):
        if call.name == "unknown":
            self.complain(f"no such call: {call.method} {call.path}")
            return Answer(404, "404 page not found\n", "text/plain; charset=utf-8")
        if call.name == "summary":
            return self.summary(call)
        if call.name == "blob":
            return self.blob(call)
        if call.name.startswith("artifact/"):
            return self.artifact(call)
        if call.name in self.missing or (call.name == "FetchSingleTask" and not self.single) or (
                call.name == "UpdateJobSummary" and self.dialect != "forgejo"):
            return Answer(404, "404 page not found\n", "text/plain; charset=utf-8")
        refusal = self.well_formed(call)
        if refusal:
            return refusal
        known = self.runners.get(call.headers.get("x-runner-uuid"))
        if known and known.removed and call.name == "FetchTask":
            self.complain("FetchTask by a runner that was told that it is not registered")
        if call.name in self.refused:
            code, text = self.refused[call.name]
            return self.plain(text) if call.name == "Register" else self.error(code, text)
        runner = None
        if call.name not in ("Ping", "Register"):
            runner = self.runners.get(call.headers.get("x-runner-uuid"))
            if not runner or runner.token != call.headers.get("x-runner-token"):
                return self.error("unauthenticated", "unregistered runner")
        return self.dress(getattr(self, call.name.lower())(call, runner))

    def well_formed(self, call):
        """What holds for every call; an Answer where the server would say so, too."""
        here, headers = call.name, call.headers
        if call.method != "POST":
            self.complain(f"{here}: {call.method}, not POST")
            return Answer(405)
        if not re.fullmatch(r"application/json(; ?charset=utf-8)?", headers.get("Content-Type", "")):
            self.complain(f"{here}: Content-Type is {headers.get('Content-Type')!r}")
            return Answer(415, headers={"Accept-Post": "application/grpc, application/json, application/proto"})
        if headers.get("Connect-Protocol-Version") != "1":
            self.complain(f"{here}: Connect-Protocol-Version is {headers.get('Connect-Protocol-Version')!r}")
        if not headers.get("User-Agent", "").startswith("ostler/"):
            self.complain(f"{here}: User-Agent is {headers.get('User-Agent')!r}")
        if headers.get("Expect"):
            self.complain(f"{here}: Expect: {headers['Expect']}")
        if len(call.raw) > REQUEST_BYTES:
            self.complain(f"{here}: a request of {len(call.raw)} bytes")
        if call.query:
            self.complain(f"{here}: a query: {call.query}")
        if here not in ("Ping", "Register"):
            for name in ("x-runner-uuid", "x-runner-token"):
                if not headers.get(name):
                    self.complain(f"{here}: there is no {name}")
        try:
            call.data = parse(call.raw)
        except ValueError as error:
            self.complain(f"{here}: {error}: {call.raw[:120]!r}")
            return Answer(400, {"code": "invalid_argument", "message": f"unmarshal message: {error}"})
        if not self.fields(here, call.data, FIELDS[here], NEEDED[here]):
            return Answer(400, {"code": "invalid_argument", "message": "unmarshal message: what the double complains of"})
        return None

    def dress(self, answer):
        """Members nobody knows and white space, as a newer server might have them."""
        if not self.noise or not isinstance(answer.body, dict):
            return answer
        body = {**answer.body, "aNewMember": {"deep": [1, None, {"x": "y"}]}, "another": "?"}
        text = json.dumps(body, indent=self.random.choice((None, 1, 7)),
                          separators=self.random.choice(((",", ":"), (" ,  ", "  :\t"))))
        return dataclasses.replace(answer, body=" \n" + text + "\r\n ")

    # -- the calls --

    def ping(self, call, _runner):
        return Answer(body={"data": f"Hello, {call.data.get('data', '')}!"})

    def labels_of(self, call):
        for label in call.data["labels"]:
            if not label or ":" in label:
                self.complain(f"{call.name}: '{label}' is no name of a label")
        for word in call.data.get("capabilities", []):
            if word != "cancelling":
                self.complain(f"{call.name}: '{word}' is no capability")
        if not call.data.get("version", "ostler").startswith("ostler"):
            self.complain(f"{call.name}: the version is '{call.data['version']}'")
        return call.data["labels"]

    def register(self, call, _runner):
        labels = self.labels_of(call)
        if call.data["token"] != self.registration:
            return self.plain("runner registration token not found")
        number = len(self.runners) + 1
        runner = Runner(number, str(uuid.uuid4()), entropy.token_hex(20), call.data["name"], labels,
                        call.data.get("ephemeral", False), call.data.get("capabilities", []))
        self.runners[runner.uuid] = runner
        return Answer(body={"runner": {
            "id": str(number), "uuid": runner.uuid, "token": runner.token, "name": runner.name, "labels": labels,
            "version": call.data.get("version", ""), **({"ephemeral": True} if runner.ephemeral else {})}})

    def declare(self, call, runner):
        runner.labels, runner.capabilities = self.labels_of(call), call.data.get("capabilities", [])
        runner.epoch += 1
        runner.fresh, runner.key, runner.answered, runner.heard = True, None, True, 0
        return Answer(body={"runner": {"id": str(runner.id), "uuid": runner.uuid, "name": runner.name,
                                       "labels": runner.labels, "version": call.data["version"]}},
                      headers={"X-Gitea-Actions-Capabilities": "job-summary"} if self.summaries and self.dialect == "gitea" else {})

    def running(self, runner):
        return [task for task in self.tasks.values() if task.runner is runner and not task.final and not task.result]

    def fetchtask(self, call, runner):
        asked, key = int(call.data.get("tasksVersion", 0)), call.headers.get("x-runner-request-key")
        self.look_at_fetch(call, runner, asked, key)
        runner.fetching += 1
        version = self.versions.pop(0) if self.versions else self.version
        numbers = {"tasksVersion": str(version)} if version else {}
        if self.again:
            return Answer(body={"task": self.again.pop(0).message, **numbers})
        claimed = [task for task in self.tasks.values() if task.claimed_with == key and task.runner is runner]
        if key and self.request_keys and claimed:  # asked again with the same key: the same, with new tokens
            for task in claimed:
                self._new_tokens(task, entropy.token_hex(20))
            return self.hand_out(claimed, {})
        if asked == self.version:
            return Answer(body=numbers)
        ready = [task for task in self.queue if task.labels <= set(runner.labels)]
        if runner.ephemeral and any(task.runner is runner for task in self.tasks.values()):
            ready = []
        wanted = len(ready) if self.more else int(call.data.get("taskCapacity", 1)) if self.dialect == "forgejo" else 1
        ready = ready[:wanted]
        for task in ready:
            self.queue.remove(task)
            task.runner, task.claimed_with, task.beat = runner, key, call.at
        if not ready:
            return Answer(body=numbers)
        if len(self.running(runner)) > self.capacity and not self.more:
            self.complain(f"FetchTask: {len(self.running(runner))} tasks run, {self.capacity} may")
        return self.hand_out(ready, numbers)

    fetchsingletask = fetchtask

    def hand_out(self, tasks, numbers):
        body = dict(numbers)
        if not self.more:
            body["task"] = tasks[0].message
        if len(tasks) > 1 or self.more:
            body["additionalTasks"] = [task.message for task in (tasks if self.more else tasks[1:])]
        for task in tasks:
            task.epoch = task.runner.epoch
            task.hidden = [*task.hidden, task.message["context"]["token"], task.message["context"]["gitea_runtime_token"]]
        if tasks[0].raw:
            rest = "".join(f',"{name}":{json.dumps(value)}' for name, value in numbers.items())
            return Answer(body=f'{{"task":{tasks[0].raw(tasks[0])}{rest}}}')
        return Answer(body=body)

    def look_at_fetch(self, call, runner, asked, key):
        runner.fetched.append(call.at)
        if len(runner.fetched) > 20 and call.at - runner.fetched[-20] < self.busy_seconds:
            self.complain("FetchTask: a busy loop: 20 in less than a second")
        if runner.epoch == 0:
            self.complain("FetchTask before Declare")
        if not key or not GUID.fullmatch(key):
            self.complain(f"FetchTask: x-runner-request-key is {key!r}")
        elif runner.key and runner.answered and key == runner.key:
            self.complain("FetchTask: the request key of a call that was answered")
        elif runner.key and not runner.answered and key != runner.key:
            self.complain("FetchTask: a new request key, although the last call was not answered")
        if runner.fetching:
            self.complain("FetchTask: another one is under way")
        if asked and runner.fresh and call.at - runner.fresh_at > 0.5 and not call.request.gone():  # of one that was killed
            self.complain(f"FetchTask: tasksVersion is {asked}, wanted 0")
        elif asked and not runner.fresh and asked != runner.heard:
            self.complain(f"FetchTask: tasksVersion is {asked}, the newest is {runner.heard}")
        runner.key, runner.answered = key, False

    def outcome(self, call):
        runner = self.runners.get(call.headers.get("x-runner-uuid"))
        if call.name in ("FetchTask", "FetchSingleTask") and runner:
            runner.fetching = max(0, runner.fetching - 1)
            self.fetch_is_over(call, runner)
        elif call.name == "UpdateLog" and call.data:
            self.log_is_over(call)
        elif call.name == "UpdateTask" and call.data and call.told and call.answer.status == 200:
            task = self.tasks.get(int(call.data["state"].get("id", 0)))
            if task and task.reported and call.data["state"].get("result"):
                task.final = True
                if task.runner:
                    task.runner.fresh, task.runner.fresh_at = True, time.monotonic() - self.begun

    def fetch_is_over(self, call, runner):
        if not call.told or call.answer.status != 200:
            if call.told and "unregistered runner" in call.answer.content().decode():
                runner.removed = True
            return
        runner.answered = True
        body = call.answer.content().decode()
        got = '"task"' in body or '"additionalTasks"' in body
        found = re.search(r'"tasksVersion"\s*:\s*"(\d+)"', body)
        runner.heard = max(runner.heard, int(found.group(1)) if found else 0)
        runner.fresh = got

    # -- UpdateTask --

    def task_of(self, call, number, runner):
        task = self.tasks.get(int(number))
        if not task or task.runner is None:
            self.complain(f"{call.name}: there is no task {number}")
            return None, self.error("internal", f"get task: task with id {number}: resource does not exist")
        if task.runner is not runner:
            return None, self.error("internal", "invalid runner for task")
        return task, None

    def updatetask(self, call, runner):
        state = call.data["state"]
        if not self.fields("UpdateTask.state", state, STATE, ("id",)):
            return self.error("invalid_argument", "the double complains")
        task, refusal = self.task_of(call, state["id"], runner)
        if refusal:
            return refusal
        here = f"UpdateTask of {task.id}"
        if task.final:
            self.complain(f"{here}: after its final result was answered")
        if task.beat is not None and call.at - task.beat > self.heartbeat and not self.pausing:
            self.complain(f"{here}: {call.at - task.beat:.0f} s after the one before")
        task.beat = call.at
        task.beats.append(call.at)
        result = state.get("result")
        self.look_at_steps(here, task, state.get("steps", []), result)
        self.take_outputs(here, task, call.data.get("outputs", {}), result)
        if result:
            self.take_result(here, task, state, result)
        stored = task.result or ("RESULT_CANCELLED" if task.cancelling else None)
        body = {"state": {"id": str(task.id), **({"result": stored} if stored else {})}}
        if self.withheld > 0:
            self.withheld -= 1
        elif task.outputs:
            body["sentOutputs"] = sorted(task.outputs)
            task.confirmed |= set(task.outputs)
        return Answer(body=body)

    def take_result(self, here, task, state, result):
        if task.reported and task.reported != result:
            self.complain(f"{here}: it was {task.reported}, now it is {result}")
        if not state.get("stoppedAt"):
            self.complain(f"{here}: a final result without stoppedAt")
        if not task.archived and not task.closed and not task.reported:
            self.complain(f"{here}: a final result before the log's end")
        task.reported, task.stopped_at = result, state.get("stoppedAt")
        if not task.result:
            task.result = "RESULT_CANCELLED" if task.cancelling else result
        if task.runner.ephemeral:
            self.runners.pop(task.runner.uuid, None)

    def take_outputs(self, here, task, outputs, result):
        for name, value in outputs.items():
            if len(name.encode()) > KEY_BYTES or len(value.encode()) > VALUE_BYTES:
                self.complain(f"{here}: output '{name[:40]}' is too large, it is never confirmed")
                continue
            if task.outputs.get(name, value) != value:
                self.complain(f"{here}: output '{name}' is another one now")
            elif name in task.confirmed:
                self.complain(f"{here}: output '{name}' is confirmed already")
            elif result and name not in task.outputs and not task.reported:
                self.complain(f"{here}: output '{name}' comes with the final result, unconfirmed")
            task.outputs.setdefault(name, value)

    def look_at_steps(self, here, task, steps, result):
        if len(steps) != task.count:
            self.complain(f"{here}: {len(steps)} steps, the job has {task.count}")
            return
        place, open_at = None, None
        for index, step in enumerate(steps):
            where = f"{here}: step {index}"
            if not self.fields(where, step, STEP, ("id",)):
                return
            if int(step["id"]) != index:
                self.complain(f"{where}: its id is {step['id']}")
            before = task.steps[index] if len(task.steps) == len(steps) else {}
            for name in ("startedAt", "result", "stoppedAt"):
                if before.get(name) and before[name] != step.get(name):
                    self.complain(f"{where}: its {name} was {before[name]}, now it is {step.get(name)}")
            at, length = int(step.get("logIndex", 0)), int(step.get("logLength", 0))
            if int(before.get("logLength", 0)) > length:
                self.complain(f"{where}: its log shrinks from {before['logLength']} to {length}")
            if before.get("logIndex") and int(before["logIndex"]) != at:
                self.complain(f"{where}: its log began at {before['logIndex']}, now at {at}")
            done = step.get("result")
            if not step.get("startedAt") and not done and (at or length):
                self.complain(f"{where}: it waits and has a log")
            if done == "RESULT_SKIPPED" and length:
                self.complain(f"{where}: it was skipped and has a log")
            if done and not step.get("stoppedAt"):
                self.complain(f"{where}: a result without stoppedAt")
            if done in ("RESULT_SUCCESS", "RESULT_FAILURE") and not step.get("startedAt"):
                self.complain(f"{where}: {done} without startedAt")
            if step.get("startedAt") and step.get("stoppedAt") and instant(step["stoppedAt"]) < instant(step["startedAt"]):
                self.complain(f"{where}: it stopped before it started")
            if step.get("startedAt") and open_at is not None:
                self.complain(f"{where}: it started, and step {open_at} has no result yet")
            if not done and open_at is None:
                open_at = index
            if length:
                if place is not None and at != place:
                    self.complain(f"{where}: its log begins at {at}, the one before ends at {place}")
                place = at + length
            if done and result and task.endings and at + length > len(task.rows):
                self.complain(f"{where}: its log ends at {at + length}, there are {len(task.rows)} rows")
        if result and open_at is not None:
            self.complain(f"{here}: a final result, and step {open_at} has none")
        task.steps = steps

    # -- UpdateLog --

    def updatelog(self, call, runner):
        if self.body_limit and len(call.raw) > self.body_limit:
            if self.body_refusal == "413":
                return Answer(413, b"<html><head><title>413 Request Entity Too Large</title></head></html>", "text/html")
            return self.error("resource_exhausted", "message is too large")
        task, refusal = self.task_of(call, call.data["taskId"], runner)
        if refusal:
            return refusal
        here, index, rows = f"UpdateLog of {task.id}", int(call.data.get("index", 0)), call.data.get("rows", [])
        ended = call.data.get("noMore", False)
        for at, row in enumerate(rows):
            self.look_at_row(f"{here}: row {index + at}", row, task)
        if len(rows) > ROWS:
            self.complain(f"{here}: {len(rows)} rows at once")
        asking = not rows and not ended and runner.epoch != task.epoch  # a new process asks how far the old one came
        if asking:
            return Answer(body=self.acked(task))
        if task.final:
            self.complain(f"{here}: after the final result was answered")
        if task.closed:
            self.complain(f"{here}: after the client knew that the log is closed")
        if index != task.told and runner.epoch == task.epoch:
            self.complain(f"{here}: index {index}, the rows known to be stored are {task.told}")
        new = rows[len(task.rows) - index:] if index <= len(task.rows) else []
        if rows[:len(rows) - len(new)] != task.rows[index:index + len(rows) - len(new)] and index <= len(task.rows):
            self.complain(f"{here}: rows that are stored already were others")
        if not new:
            if task.told == len(task.rows) and not task.archived:
                self.complain(f"{here}: nothing new in it{', and so it does not end the log' if ended else ''}")
            return Answer(body=self.acked(task))
        if task.archived:
            return self.error("already_exists", "log file has been archived")
        task.rows += new
        if ended:
            task.archived = True
            task.endings += 1
        return Answer(body=self.acked(task))

    @staticmethod
    def acked(task):
        return {"ackIndex": str(len(task.rows))} if task.rows else {}

    def look_at_row(self, where, row, task):
        if not self.fields(where, row, {"time": "time", "content": "text"}, ("time",)):
            return
        content = row.get("content", "")
        if "\n" in content or "\r" in content[-1:]:
            self.complain(f"{where}: more than a line: {content[:80]!r}")
        if len(content.encode()) > ROW_BYTES:
            self.complain(f"{where}: {len(content.encode())} bytes")
        found = secrets_in(content, task.hidden)
        if found:
            self.complain(f"{where}: it holds secrets, {found}: {content[:200]!r}")

    def log_is_over(self, call):
        task = self.tasks.get(int(call.data.get("taskId", 0)))
        if not task or not call.told:
            return
        if call.answer.status != 200:
            if "log file has been archived" in call.answer.content().decode():
                task.closed = True
            return
        index, sent = int(call.data.get("index", 0)), len(call.data.get("rows", []))
        found = re.search(r'"ackIndex"\s*:\s*"(\d+)"', call.answer.content().decode())
        told = int(found.group(1)) if found else 0
        if told < task.told:
            task.closed = True  # rows were lost: no more are sent
        elif task.runner.epoch != task.epoch:
            task.told, task.epoch = told, task.runner.epoch
        else:
            task.told = min(told, index + sent)
        if call.data.get("noMore") and task.archived:
            task.closed = True

    # -- summaries --

    def updatejobsummary(self, call, runner):
        task, refusal = self.task_of(call, call.data["taskId"], runner)
        if refusal:
            return refusal
        self.look_at_summary(f"UpdateJobSummary of {task.id}", task, call.data.get("summary", "").encode())
        task.summaries = {None: call.data.get("summary", "")}
        return Answer(body={})

    def summary(self, call):
        run, job, step = SUMMARY.fullmatch(call.path).groups()
        task = next((t for t in self.tasks.values() if t.message["context"]["run_id"] == run), None)
        if not self.summaries or self.dialect != "gitea":
            self.complain("a summary, and the server did not say that it takes any")
            return Answer(404, "404 page not found\n", "text/plain; charset=utf-8")
        if not task or int(job) != task.id + 5000 or int(step) >= task.count or call.method != "PUT":
            self.complain(f"no such summary: {call.method} {call.path}")
            return Answer(400, {"message": "no such step"})
        if call.headers.get("Authorization") != f"Bearer {task.message['context']['gitea_runtime_token']}":
            self.complain("a summary without the job's runtime token")
            return Answer(401, {"message": "Unauthorized"})
        if call.headers.get("Content-Type") != "text/markdown; charset=utf-8":
            self.complain(f"a summary of the type {call.headers.get('Content-Type')!r}")
        self.look_at_summary(call.path, task, call.raw)
        task.summaries[int(step)] = call.raw.decode(errors="replace")
        return Answer(body={"message": "success", "sizeBytes": len(call.raw), "runAttempt": 1})

    def look_at_summary(self, where, task, raw):
        if len(raw) > VALUE_BYTES:
            self.complain(f"{where}: {len(raw)} bytes")
        if task.result:
            self.complain(f"{where}: the task is over, its tokens are dead")
        found = secrets_in(raw.decode(errors="replace"), task.hidden)
        if found:
            self.complain(f"{where}: it holds secrets, {found}")

    # -- artifacts --

    def artifact(self, call):
        token = call.headers.get("Authorization", "").partition("Bearer ")[2]
        task = next((t for t in self.tasks.values() if t.message["context"].get("gitea_runtime_token") == token), None)
        if not task or task.result:
            return Answer(401, {"code": "unauthenticated", "msg": "task is not running"})
        return self.stored(call, call.path.rpartition("/")[2], task.message["context"]["run_id"], "")

    # -- the end --

    def final(self):
        for task in self.tasks.values():
            if not task.runner:
                continue
            if task.endings > 1:
                self.complain(f"task {task.id}: its log ended {task.endings} times")
            if task.final and not task.archived and not task.closed:
                self.complain(f"task {task.id}: its log was never ended")
            if not task.final and not self.pausing and task.runner.uuid in self.runners:
                self.complain(f"task {task.id}: no final result came")


__all__ = ["GiteaDouble", "Task", "Runner", "count_steps", "instant", "is_a", "TIME"]
