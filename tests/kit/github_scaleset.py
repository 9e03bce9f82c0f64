"""GitHub's service of runner scale sets, on top of its double for runners: how jobs reach a set, and how its listener gets runners.

    with ScaleSetDouble() as hub:
        job = hub.push({"steps": [{"run": "echo hello"}]})
        ... listen --scale-set widgets --url hub.repository --pat PAT1 ...
        hub.finished(job)

What may be asked is what the public client asks (actions/scaleset client.go, session_client.go): with its words, in its
order. A job becomes available, is acquired, assigned, started by a runner, completed; each is told in the set's next
message, and with each message come the figures. A message that is not deleted comes again."""

import base64
import dataclasses
import json
import re
import secrets as entropy
import subprocess
import time
import uuid

import keys
from double import Answer
from github_double import ENTITY, ID, PAT, REGISTRATION, GitHubDouble

VERSION = "6.0-preview"
SETS = "/tenant/_apis/runtime/runnerscalesets"
AGENTS = "/tenant/_apis/distributedtask/pools/0/agents"
NOBODY = "00000000-0000-0000-0000-000000000000"
GROUPS = {"default": 1, "big": 7}

# name, method, path; whose token: the admin connection's, the message queue's, a person's
ROUTES = [(f"scale-{name}", method, re.compile(path), whose) for name, method, path, whose in [
    ("app", "POST", r"/api/v3/app/installations/(\d+)/access_tokens", "person"),
    ("registration", "POST", rf"/api/v3/{ENTITY}/actions/runners/registration-token", "person"),
    ("group", "GET", r"/tenant/_apis/runtime/runnergroups/", "admin"),
    ("find", "GET", SETS, "admin"),
    ("make", "POST", SETS, "admin"),
    ("change", "PATCH", rf"{SETS}/(\d+)", "admin"),
    ("open", "POST", rf"{SETS}/(\d+)/sessions", "admin"),
    ("refresh", "PATCH", rf"{SETS}/(\d+)/sessions/{ID}", "admin"),
    ("close", "DELETE", rf"{SETS}/(\d+)/sessions/{ID}", "admin"),
    ("acquire", "POST", rf"{SETS}/(\d+)/acquirejobs", "queue"),
    ("jit", "POST", rf"{SETS}/(\d+)/generatejitconfig", "admin"),
    ("look", "GET", AGENTS, "admin"),
    ("remove", "DELETE", rf"{AGENTS}/(\d+)", "admin"),
    ("message", "GET", r"/queue/(\d+)", "queue"),
    ("delete", "DELETE", r"/queue/(\d+)/(\d+)", "queue"),
]]

SET = {"name": "filled", "runnerGroupId": "whole", "labels": "list", "RunnerSetting": "object"}


@dataclasses.dataclass
class Session:
    id: str
    owner: str
    token: str
    polled: float
    newest: int = 0        # id of the last message it was given
    poll: object = None


@dataclasses.dataclass
class ScaleSet:
    id: int
    name: str
    group: int
    labels: list
    session: Session = None
    events: list = dataclasses.field(default_factory=list)    # job messages that are in no message yet
    messages: list = dataclasses.field(default_factory=list)  # [id, body, figures] that were not deleted
    told: int = 0                                             # the id of the newest message
    agents: list = dataclasses.field(default_factory=list)    # all that were ever made
    capacities: list = dataclasses.field(default_factory=list)
    polls: list = dataclasses.field(default_factory=list)


def rsa_key():
    """A key as .credentials_rsaparams has it, and its PEM."""
    pem = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True).stdout
    text = subprocess.run(["openssl", "rsa", "-text", "-noout"], input=pem, capture_output=True, check=True).stdout.decode()

    def part(name, size):
        found = re.search(rf"^{name}:\s*\n((?:\s+[0-9a-f:]+\n)+)", text, re.M)
        return base64.b64encode(int(re.sub(r"[\s:]", "", found.group(1)), 16).to_bytes(size, "big")).decode()
    return {"d": part("privateExponent", 256), "dp": part("exponent1", 128), "dq": part("exponent2", 128), "exponent": "AQAB",
            "inverseQ": part("coefficient", 128), "modulus": part("modulus", 256), "p": part("prime1", 128), "q": part("prime2", 128)}, pem


class ScaleSetDouble(GitHubDouble):
    def __init__(self, profile="V", most=None, admin_life=3600, **more):
        self.sets, self.most, self.admin_life = [], most, admin_life  # MOST: runners there may be at once
        self.offers = True          # jobs have to be acquired; else they are assigned at once
        self.stages = {}            # id of a job -> "available", "assigned", "started", "completed"
        self.times = {}             # id of a job -> {when}
        self.key, self.key_pem = rsa_key()  # one for all runners: the client ids tell them apart
        self.app_key = None         # the PublicKey of an app; its number is 42, its installation 7
        self.app_tokens = set()
        self.most_seen = 0
        super().__init__(profile, **more)

    # -- what a case says --

    def push(self, said, **more):
        with self.turn:
            job = super().push(said, **more)
            self.stages[job.id], self.times[job.id] = "waiting", {"queueTime": self.now()}
            self.spread()
            return job

    def expire_queue_tokens(self):
        with self.turn:
            for one in self.sets:
                if one.session:
                    one.session.token = entropy.token_hex(8)

    def expire_admin_tokens(self):
        with self.turn:
            self.tenant_tokens.clear()

    def forget_sets(self):
        """Somebody deletes them."""
        with self.turn:
            self.sets.clear()
            self.turn.notify_all()

    def runners(self):
        with self.turn:
            return [agent for one in self.sets for agent in one.agents if agent in self.agents]

    def app(self):
        """The PEM of an app's key."""
        modulus = keys.number(self.key["modulus"])
        self.app_key = keys.PublicKey(modulus, 65537)
        return self.key_pem

    # -- jobs --

    @staticmethod
    def now():
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".1234567Z"

    def spread(self):
        """What waits becomes the first set's."""
        for job in self.jobs:
            if self.sets and self.stages.get(job.id) == "waiting" and not job.cancelled:
                if self.offers:
                    self.stage(job, "available", "JobAvailable", acquireJobUrl="https://example.invalid/")
                else:
                    self.assign(job)

    def assign(self, job):
        self.times[job.id]["scaleSetAssignTime"] = self.now()
        self.stage(job, "assigned", "JobAssigned")

    def stage(self, job, stage, kind, **more):
        self.stages[job.id] = stage
        times = {name: self.times[job.id].get(name, "0001-01-01T00:00:00Z")
                 for name in ("queueTime", "scaleSetAssignTime", "runnerAssignTime", "finishTime")}
        self.sets[0].events.append({
            "messageType": kind, "runnerRequestId": job.request_id, "repositoryName": "widgets", "ownerName": "acme", "jobId": job.id,
            "jobWorkflowRef": "acme/widgets/.github/workflows/ci.yml@refs/heads/main", "jobDisplayName": job.display,
            "workflowRunId": 9000000001, "eventName": "push", "requestLabels": self.sets[0].labels, **times, **more})
        self.turn.notify_all()

    def of_stage(self, *stages):
        return [job for job in self.jobs if self.stages.get(job.id) in stages]

    def figures(self, one):
        agents = [agent for agent in one.agents if agent in self.agents]
        busy = sum(1 for agent in agents if agent.active())
        return {"totalAvailableJobs": len(self.of_stage("available")), "totalAcquiredJobs": 0,
                "totalAssignedJobs": len(self.of_stage("assigned", "started")), "totalRunningJobs": len(self.of_stage("started")),
                "totalRegisteredRunners": len(agents), "totalBusyRunners": busy, "totalIdleRunners": len(agents) - busy}

    def hand_jobs(self, agent):
        """Only jobs that are the set's go to its runners, and one to each."""
        hidden = [job for job in self.jobs if self.stages.get(job.id) in ("waiting", "available")]
        before = [(job, job.cancelled) for job in hidden]
        for job in hidden:
            job.cancelled = True
        super().hand_jobs(agent)
        for job, was in before:
            job.cancelled = was

    def known(self, job, agent):
        fresh = not job.known
        super().known(job, agent)
        if fresh and self.sets and self.stages.get(job.id) == "assigned":
            self.times[job.id]["runnerAssignTime"] = self.now()
            self.stage(job, "started", "JobStarted", runnerId=agent.id, runnerName=agent.name)

    def outcome(self, call):
        before = {job.id for job in self.jobs if job.over}
        super().outcome(call)
        for job in self.jobs:
            if job.over and job.id not in before and self.stages.get(job.id) == "started" and self.sets:
                self.times[job.id]["finishTime"] = self.now()
                self.stage(job, "completed", "JobCompleted", runnerId=job.agent.id, runnerName=job.agent.name, result=job.conclusion or "failed")
        if call.name == "scale-message" and call.told and call.answer.status == 200:
            call.set.session.newest = max(call.set.session.newest, call.answer.body["messageId"])

    # -- the wire --

    def name(self, call):
        for name, method, path, whose in ROUTES:
            found = path.fullmatch(call.path)
            if not found or method != call.method or (path.pattern.startswith(AGENTS) and "api-version" not in call.query):
                continue
            call.match, call.whose, call.version, call.job, call.agent, call.set = found, whose, None, None, None, None
            return name
        return super().name(call)

    def allowed(self, call):
        if not call.name.startswith("scale-"):
            return super().allowed(call)
        headers, of_queue = call.headers, call.name in ("scale-message", "scale-delete")
        if "ostler" not in headers.get("User-Agent", "").lower():
            self.complain(f"{call.name}: User-Agent is {headers.get('User-Agent')!r}")
        wanted = f"application/json; api-version={VERSION}" if of_queue else "application/json"
        if headers.get("Accept") != wanted:
            self.complain(f"{call.name}: Accept is {headers.get('Accept')!r}")
        if call.raw and not headers.get("Content-Type", "").startswith("application/json"):
            self.complain(f"{call.name}: Content-Type is {headers.get('Content-Type')!r}")
        if call.path.startswith("/tenant/") and call.query.get("api-version") != [VERSION]:
            self.complain(f"{call.name}: its query is {call.query}")
        if (call.name == "scale-message") != ("X-ScaleSetMaxCapacity" in headers):
            self.complain(f"{call.name}: X-ScaleSetMaxCapacity is {headers.get('X-ScaleSetMaxCapacity')!r}")
        scheme, _, value = headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            self.complain(f"{call.name}: Authorization: {scheme}")
        if call.whose == "admin" and value not in self.tenant_tokens:
            return Answer(401, {"message": "the token is none"})
        if call.path.startswith((f"{SETS}/", "/queue/")):
            call.set = next((one for one in self.sets if one.id == int(call.match[1])), None)
            if not call.set:
                return self.no(404, "RunnerScaleSetNotFoundException")
        if call.whose == "queue" and (not call.set.session or value != call.set.session.token):
            return Answer(401, {"message": "the token has expired"})
        return None

    @staticmethod
    def no(status, kind, text=None):
        return Answer(status, {"typeName": f"GitHub.Actions.Runtime.WebApi.{kind}, GitHub.Actions.Runtime.WebApi",
                               "message": text or f"the double says {kind}"})

    # -- tokens --

    def scale_app(self, call):
        _, _, value = call.headers.get("Authorization", "").partition(" ")
        try:
            head, claims, sign = (keys.unpadded(part) for part in value.split("."))
            head, claims = json.loads(head), json.loads(claims)
        except ValueError as error:
            self.complain(f"{call.name}: its token: {error}")
            return Answer(401, {"message": "A JSON web token could not be decoded"})
        self.fields("scale-app: header", head, {"alg": ("RS256",), "typ": ("JWT",)}, ("alg",))
        self.fields("scale-app: claims", claims, {"iss": "filled", "iat": "whole", "exp": "whole"}, ("iss", "iat", "exp"))
        if claims["exp"] - time.time() > 600 or claims["iat"] > time.time():
            self.complain(f"scale-app: from {claims['iat']} to {claims['exp']}")
        if call.raw:
            self.complain("scale-app: with a body")
        if not self.app_key or claims["iss"] != "42" or not self.app_key.verify("RS256", value.rpartition(".")[0].encode(), sign):
            return Answer(401, {"message": "A JSON web token could not be decoded"})
        if call.match[1] != "7":
            return Answer(404, {"message": "Not Found"})
        token = f"ghs_{entropy.token_hex(8)}"
        self.app_tokens.add(token)
        return Answer(201, {"token": token, "expires_at": "2036-08-20T10:00:00Z"})

    def scale_registration(self, call):
        _, _, value = call.headers.get("Authorization", "").partition(" ")
        if value != PAT and value not in self.app_tokens:
            return Answer(401, {"message": "Bad credentials"})
        return Answer(201, {"token": REGISTRATION, "expires_at": "2036-08-20T10:00:00Z"})

    def find_tenant(self, call):
        answer = super().find_tenant(call)
        if answer.status == 200:
            now = int(time.time())
            claims = base64.urlsafe_b64encode(json.dumps({"nbf": now, "exp": now + self.admin_life}).encode()).decode().rstrip("=")
            token = f"h.{claims}.{entropy.token_hex(8)}"
            self.tenant_tokens[token] = "register"
            answer.body["token"] = token
        return answer

    # -- the set --

    def scale_group(self, call):
        name = call.query.get("groupName", [""])[0]
        rows = [{"id": number, "name": known, "size": 0, "isDefaultGroup": number == 1} for known, number in GROUPS.items() if known == name.lower()]
        return Answer(body={"count": len(rows), "value": rows})

    def shown(self, one):
        return {"id": one.id, "name": one.name, "runnerGroupId": one.group, "runnerGroupName": "x",
                "labels": [{"id": 1, "name": label, "type": "System"} for label in one.labels],
                "RunnerSetting": {"disableUpdate": True}, "createdOn": "2026-01-01T00:00:00Z", "statistics": self.figures(one)}

    def scale_find(self, call):
        group, name = call.query.get("runnerGroupId", ["?"])[0], call.query.get("name", ["?"])[0]
        rows = [self.shown(one) for one in self.sets if str(one.group) == group and one.name == name]
        return Answer(body={"count": len(rows), "value": rows})

    def set_of(self, call):
        if refusal := self.body_of(call, SET, ("name", "runnerGroupId", "labels", "RunnerSetting")):
            return refusal
        for label in call.data["labels"]:
            self.fields(f"{call.name}: label", label, {"name": "filled", "type": ("System",)}, ("name", "type"))
        return None

    def scale_make(self, call):
        if refusal := self.set_of(call):
            return refusal
        data = call.data
        if any(one.name == data["name"] and one.group == data["runnerGroupId"] for one in self.sets):
            return self.no(409, "RunnerScaleSetExistsException")
        self.sets.append(ScaleSet(31 + len(self.sets), data["name"], data["runnerGroupId"], [label["name"] for label in data["labels"]]))
        self.spread()
        return Answer(body=self.shown(self.sets[-1]))

    def scale_change(self, call):
        if refusal := self.set_of(call):
            return refusal
        call.set.labels = [label["name"] for label in call.data["labels"]]
        return Answer(body=self.shown(call.set))

    # -- its session --

    def session_body(self, one):
        session = one.session
        return Answer(body={"sessionId": session.id, "ownerName": session.owner, "runnerScaleSet": self.shown(one),
                            "messageQueueUrl": f"{self.url}/queue/{one.id}?sessionId={session.id}",
                            "messageQueueAccessToken": session.token, "statistics": self.figures(one)})

    def scale_open(self, call):
        if refusal := self.body_of(call, {"sessionId": (NOBODY,), "ownerName": "filled"}, ("ownerName",)):
            return refusal
        one, now = call.set, time.monotonic()
        if one.session and now - one.session.polled < self.session_life:
            return self.no(409, "RunnerScaleSetSessionConflictException", f"{one.session.owner} has an active session")
        one.session = Session(str(uuid.uuid4()), call.data["ownerName"], f"QUEUE-{entropy.token_hex(8)}", now)
        return self.session_body(one)

    def scale_refresh(self, call):
        session = call.set.session
        if not session or session.id != call.match[2] or call.raw:
            return self.no(404, "RunnerScaleSetSessionNotFoundException")
        session.token = f"QUEUE-{entropy.token_hex(8)}"
        return self.session_body(call.set)

    def scale_close(self, call):
        session = call.set.session
        if not session or session.id != call.match[2] or call.raw:
            return self.no(404, "RunnerScaleSetSessionNotFoundException")
        call.set.session = None
        self.turn.notify_all()
        return Answer(204)

    def scale_message(self, call):
        one, now = call.set, time.monotonic()
        session = one.session
        self.message_query(call, one)
        before, session.poll, session.polled = session.poll, call, now
        while before and before.ended is None and not before.request.gone():
            if time.monotonic() - now > 0.5:
                self.complain("scale-message: another one is under way")
                break
            self.turn.wait(0.02)
        one.polls.append(now)
        if len(one.polls) > 30 and now - one.polls[-30] < 1:
            self.complain("scale-message: a busy loop: 30 in less than a second")
        while time.monotonic() < now + self.hold and not self.closing.is_set() and not call.request.gone() and not self.away:
            if one not in self.sets or one.session is not session:
                return self.no(404, "RunnerScaleSetSessionNotFoundException")
            if one.events and not one.messages:
                one.told += 1
                one.messages.append((one.told, json.dumps(one.events)))
                one.events = []
            if one.messages:
                session.polled = time.monotonic()
                number, body = one.messages[0]
                return Answer(body={"messageId": number, "messageType": "RunnerScaleSetJobMessages", "body": body, "statistics": self.figures(one)})
            self.turn.wait(0.05)
            session.polled = time.monotonic()
        return Answer(202)

    def message_query(self, call, one):
        last, wanted = call.query.get("lastMessageId"), one.session.newest
        if call.query.get("sessionId") != [one.session.id] or set(call.query) - {"sessionId", "lastMessageId"}:
            self.complain(f"scale-message: its query is {call.query}")
        if last != ([str(wanted)] if wanted else None) and not self.failing:
            self.complain(f"scale-message: lastMessageId is {last}, the newest is {wanted}")
        capacity = call.headers["X-ScaleSetMaxCapacity"] or ""
        if not re.fullmatch(r"\d{1,9}", capacity) or (self.most is not None and int(capacity) > self.most):
            self.complain(f"scale-message: X-ScaleSetMaxCapacity is {capacity!r}")
        else:
            one.capacities.append(int(capacity))

    def scale_delete(self, call):
        found = [message for message in call.set.messages if message[0] == int(call.match[2])]
        if call.query.get("sessionId") != [call.set.session.id] or call.raw:
            self.complain(f"scale-delete: its query is {call.query}")
        if not found:
            if not self.failing:
                self.complain(f"scale-delete: there is no message {call.match[2]}")
            return self.no(404, "MessageNotFoundException")
        call.set.messages.remove(found[0])
        return Answer(204)

    def scale_acquire(self, call):
        ids = json.loads(call.raw)
        if not isinstance(ids, list) or not ids or not all(isinstance(one, int) for one in ids):
            self.complain(f"scale-acquire: its body is {call.raw[:80]!r}")
        if call.set.messages and not self.failing:
            self.complain("scale-acquire: before the message was deleted")
        had = [job for job in self.of_stage("available") if job.request_id in ids]
        for job in had:
            self.assign(job)
        return Answer(body={"count": len(had), "value": [job.request_id for job in had]})

    # -- its runners --

    def scale_jit(self, call):
        if refusal := self.body_of(call, {"name": "filled", "workFolder": "text"}, ("name",)):
            return refusal
        name, one = call.data["name"], call.set
        if self.named(name):
            return self.no(409, "AgentExistsException")
        agent = self.new_agent(name, one.labels, True, "RS256", keys.PublicKey(keys.number(self.key["modulus"]), 65537))
        one.agents.append(agent)
        self.most_seen = max(self.most_seen, len(self.runners()))
        if self.most is not None and len(self.runners()) > self.most and not self.failing:
            self.complain(f"scale-jit: {len(self.runners())} runners, there may be {self.most}")
        settings = {"AgentId": str(agent.id), "AgentName": name, "PoolId": "1", "PoolName": "Default", "DisableUpdate": "True",
                    "Ephemeral": "True", "ServerUrl": f"{self.url}/tenant/", "WorkFolder": call.data.get("workFolder") or "_work",
                    "GitHubUrl": self.repository}
        if self.profile != "L":
            settings |= {"UseV2Flow": "True", "ServerUrlV2": f"{self.url}/broker/"}
        credentials = {"Scheme": "OAuth", "Data": {"ClientId": agent.client, "AuthorizationUrl": f"{self.url}/oauth/token",
                                                   "requireFipsCryptography": "False"}}
        files = {".runner": settings, ".credentials": credentials, ".credentials_rsaparams": self.key}
        coded = {key: base64.b64encode(json.dumps(value).encode()).decode() for key, value in files.items()}
        return Answer(body={"runner": {"id": agent.id, "name": name, "runnerScaleSetId": one.id},
                            "encodedJITConfig": base64.b64encode(json.dumps(coded).encode()).decode()})

    def scale_look(self, call):
        rows = [{"id": a.id, "name": a.name, "runnerScaleSetId": 31} for a in self.named(call.query.get("agentName", [""])[0])]
        return Answer(body={"count": len(rows), "value": rows})

    def scale_remove(self, call):
        found = [agent for agent in self.agents if agent.id == int(call.match[1])]
        if not found:
            return self.no(404, "AgentNotFoundException")
        if found[0].active() or any(m.job and not m.gone and not m.job.over for m in found[0].queue):
            return self.no(400, "JobStillRunningException")
        self.remove(found[0])
        return Answer(204)

    def final(self):
        super().final()
        for one in self.sets:
            if one.session:
                self.complain(f"the session of {one.session.owner} was left open")
        if self.runners():
            self.complain(f"left registered: {[agent.name for agent in self.runners()]}")


__all__ = ["ScaleSetDouble"]
