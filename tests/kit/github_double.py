"""GitHub's Actions service as far as its runners see it: one server that plays all its parts, strict about each.

    with GitHubDouble("V") as hub:
        job = hub.push({"steps": [{"run": "echo hello"}]}, secrets={"WORD": "swordfish"})
        ... register --url hub.url + "/acme/widgets" --token REG1, listen ...
        hub.finished(job)
        hub.check()

PROFILE: "L" is the older way (tenant API, pool queue, timeline), "V" the newer one behind the older registration
(broker, run service, results), "A" the newer one throughout (runner-admin registration, PS256). Which client may call
what, in which order and with which members, is the protocol page of this project, chapters 1 to 9; this holds
every call against it. github_job.py makes the messages, github_report.py takes reports in."""

import base64
import dataclasses
import io
import json
import re
import secrets as entropy
import tarfile
import time
import urllib.parse
import uuid

import keys
from double import Answer, Double, GUID, parse
from github_job import Job, SHA
from github_report import RECEIVER, RECEIVES, Reports
from storage import ARTIFACTS, CACHES, Storage

REGISTRATION, REMOVAL, PAT = "REG1", "REM1", "PAT1"
ID = r"([0-9a-f-]{36})"
ENTITY = r"(?:repos/[^/]+/[^/]+|orgs/[^/]+|enterprises/[^/]+)"
POOLS = r"/tenant/_apis/distributedtask/pools"
PLAN = rf"/tenant/{ID[1:-1]}/_apis/distributedtask/hubs/[^/]+/plans/{ID[1:-1]}"
NOBODY, PERSON, TENANT, RUNNER, JOB = "nobody", "person", "tenant", "runner", "job"

# name, method, path, whose token, api-version on the tenant (None: another service)
ROUTES = [(name, method, re.compile(path), whose, version) for name, method, path, whose, version in [
    ("meta", "GET", r"/api/v3/meta", NOBODY, None),
    ("some-token", "POST", rf"/api/v3/({ENTITY})/actions/runners/(registration|remove)-token", PERSON, None),
    ("tenant", "POST", r"/api/v3/actions/runner-registration", PERSON, None),
    ("groups", "GET", rf"/api/v3/{ENTITY}/actions/runner-groups", PERSON, None),
    ("find-runner", "GET", rf"/api/v3/{ENTITY}/actions/runners", PERSON, None),
    ("register", "POST", r"/api/v3/actions/runners/register", PERSON, None),
    ("delete-runner", "DELETE", rf"/api/v3/{ENTITY}/actions/runners/(\d+)", PERSON, None),
    ("connection", "GET", r"/tenant/_apis/connectionData", None, None),
    ("pools", "GET", POOLS, TENANT, "5.1-preview.1"),
    ("find-agent", "GET", rf"{POOLS}/0/agents", TENANT, "6.0-preview.2"),
    ("add-agent", "POST", rf"{POOLS}/1/agents", TENANT, "6.0-preview.2"),
    ("replace-agent", "PUT", rf"{POOLS}/1/agents/(\d+)", TENANT, "6.0-preview.2"),
    ("delete-agent", "DELETE", rf"{POOLS}/0/agents/(\d+)", TENANT, "6.0-preview.2"),
    ("session", "POST", rf"{POOLS}/1/sessions", RUNNER, "5.1-preview.1"),
    ("end-session", "DELETE", rf"{POOLS}/1/sessions/{ID}", RUNNER, "5.1-preview.1"),
    ("poll", "GET", rf"{POOLS}/1/messages", RUNNER, "6.0-preview.1"),
    ("delete-message", "DELETE", rf"{POOLS}/1/messages/(-?\d+)", RUNNER, "5.1-preview.1"),
    ("lock", "PATCH", rf"{POOLS}/1/jobrequests/(\d+)", RUNNER, "5.1-preview.1"),
    ("update-state", "PUT", rf"{POOLS}/1/agents/(\d+)/updates", RUNNER, "5.1-preview.1"),
    ("config", "POST", r"/tenant/_apis/distributedtask/agents/(\d+)/runnerconfigrefresh/(runner|credentials)", RUNNER, "6.0-preview.1"),
    ("runner-message", "GET", rf"/tenant/_apis/distributedtask/runnermessages/{ID}", RUNNER, "6.0-preview.1"),
    ("records", "PATCH", rf"{PLAN}/timelines/{ID}/records", JOB, "5.1-preview.1"),
    ("feed", "POST", rf"{PLAN}/timelines/{ID[1:-1]}/records/{ID}/feed", JOB, "5.1-preview.1"),
    ("attachment", "PUT", rf"{PLAN}/timelines/{ID[1:-1]}/records/{ID}/attachments/([^/]+)/([^/]+)", JOB, "5.1-preview.1"),
    ("new-log", "POST", rf"{PLAN}/logs", JOB, "5.1-preview.1"),
    ("log", "POST", rf"{PLAN}/logs/(\d+)", JOB, "5.1-preview.1"),
    ("event", "POST", rf"{PLAN}/events", JOB, "2.0-preview.1"),
    ("downloads", "POST", rf"{PLAN}/actiondownloadinfo", JOB, "6.0-preview.1"),
    ("token", "POST", r"/(?:oauth|newer)/token", NOBODY, None),
    ("session", "POST", r"/broker/session", RUNNER, None),
    ("end-session", "DELETE", r"/broker/session", RUNNER, None),
    ("poll", "GET", r"/broker/message", RUNNER, None),
    ("acknowledge", "POST", r"/broker/acknowledge", RUNNER, None),
    ("acquire", "POST", r"/run/116/acquirejob", RUNNER, None),
    ("renew", "POST", r"/run/116/renewjob", JOB, None),
    ("complete", "POST", r"/run/116/completejob", JOB, None),
    ("steps", "POST", r"/results/twirp/github.actions.results.api.v1.WorkflowStepUpdateService/WorkflowStepsUpdate", JOB, None),
    ("receiver", "POST", rf"/results/{re.escape(RECEIVER)}(\w+)", JOB, None),
    ("stored", "POST", rf"/(?:{re.escape(ARTIFACTS)}|{re.escape(CACHES)})(\w+)", JOB, None),
    ("socket", "GET", r"/results/_ws/ingest\.sock", JOB, None),
    ("resolve", "POST", rf"/actions/build/{ID}/jobs/{ID}/runnerresolve/actions", JOB, None),
    ("id-token", "GET", r"/id-token", JOB, None),
    ("archive", "GET", r"/codeload/([^/]+/[^/]+)/tar\.gz/([^/]+)", None, None),
    ("blob", None, r"/blob/[^/]+", NOBODY, None),
]]

# resource, GUID, template below the tenant, version it has
RESOURCES = [
    ("pools", "a8c47e17-4d56-4a56-92bb-de7ea7dc65be", "pools/{poolId}", 1), ("agents", "e298ef32-5878-4cab-993c-043836571f42", "pools/{poolId}/{resource}/{agentId}", 2),
    ("sessions", "134e239e-2df3-4794-a6f6-24f1f19ec8dc", "pools/{poolId}/{resource}/{sessionId}", 1),
    ("messages", "c3a054f6-7a8a-49c0-944e-3a8e5d7adfd7", "pools/{poolId}/{resource}/{messageId}", 1),
    ("updates", "8cc1b02b-ae49-4516-b5ad-4f9b29967c30", "pools/{poolId}/agents/{agentId}/{resource}", 1),
    ("jobrequests", "fc825784-c92a-4299-9221-998a02d1b54f", "pools/{poolId}/{resource}/{requestId}", 1),
    ("runnerconfigrefresh", "13b5d709-74aa-470b-a8e9-bf9f3ded3f18", "agents/{agentId}/{resource}/{configType}", 1),
    ("runnermessages", "25adab70-1379-4186-be8e-b643061ebe3a", "{resource}/{messageId}", 1)]
HUB = "{scopeIdentifier}/_apis/{area}/hubs/{hubName}/plans/{planId}/"
HUB_RESOURCES = [
    ("timelines", "83597576-cc2c-453c-bea6-2882ae6a1653", "{resource}/{timelineId}"),
    ("records", "8893bc5b-35b2-4be7-83cb-99e683551db4", "timelines/{timelineId}/{resource}/{recordId}"),
    ("feed", "858983e4-19bd-4c5e-864c-507b59b58b12", "timelines/{timelineId}/records/{recordId}/{resource}"),
    ("attachments", "7898f959-9cdf-4096-b29e-7f293031629e", "timelines/{timelineId}/records/{recordId}/{resource}/{type}/{name}"),
    ("logs", "46f5667d-263a-4684-91b1-dff7fdcf64e2", "{resource}/{logId}"), ("events", "557624af-b29e-4c20-8ab0-0399d2204f3f", "{resource}"),
    ("actiondownloadinfo", "27d7f831-88c1-4719-8ca1-6a061dad90eb", "{resource}")]

LABEL = {"id": "whole", "name": "filled", "type": ("system", "user")}
AGENT = {"id": "whole", "name": "filled", "version": "filled", "osDescription": "?text", "ephemeral": "truth", "disableUpdate": "truth",
         "maxParallelism": "whole", "status": "any", "provisioningState": "?text", "createdOn": "?text", "labels": "list", "authorization": "object",
         "enabled": "truth"}
ADMIN = {"url": "filled", "group_id": "whole", "name": "filled", "version": "filled", "updates_disabled": "truth", "ephemeral": "truth",
         "labels": "list", "public_key": "filled", "runner_id": "whole", "replace": "truth"}
SESSION = {"sessionId": "guid", "ownerName": "filled", "agent": "object", "useFipsEncryption": "truth", "encryptionKey": "any"}
SESSION_AGENT = {"id": "whole", "name": "filled", "version": "filled", "osDescription": "?text", "ephemeral": "any", "status": "any",
                 "provisioningState": "any"}


@dataclasses.dataclass
class Agent:
    id: int
    name: str
    labels: list
    ephemeral: bool
    algorithm: str
    key: object
    client: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    session: object = None
    jobs: list = dataclasses.field(default_factory=list)
    queue: list = dataclasses.field(default_factory=list)
    polls: list = dataclasses.field(default_factory=list)  # when
    seen: set = dataclasses.field(default_factory=set)     # jti of assertions
    revoked: bool = False
    interrupted: int = 0      # how often its polls had to come back

    def active(self):
        return [job for job in self.jobs if job.known and not job.over]


@dataclasses.dataclass
class Session:
    id: str
    broker: bool
    key: bytes = None
    polled: float = 0.0
    poll: object = None       # the Call that waits now
    given: list = dataclasses.field(default_factory=list)  # ids of messages


@dataclasses.dataclass
class Message:
    id: int
    type: str
    body: str
    job: object = None
    given: bool = False       # and read, as far as a server can tell
    at: float = 0.0           # when
    gone: bool = False        # deleted, acknowledged or acquired
    stale: bool = False       # given with every poll, whatever the runner does


class GitHubDouble(Reports, Storage, Double):
    def __init__(self, profile="V", results=True, hold=20.0, session_life=60.0, encryption="sha1", lock_seconds=600.0):
        self.profile, self.legacy, self.results = profile, profile == "L", results
        self.hold = hold                  # seconds that a poll without message takes
        self.session_life = session_life  # seconds without a poll, after which another may have the session
        self.encryption = encryption      # of session keys: "sha1", "sha256" (and said to be sha1), "plain", None
        self.lock_seconds = lock_seconds
        self.acknowledging = True
        self.broker = None                # where the older queue sends its clients on to
        self.elsewhere = None             # where the tenant sends on what comes with a job's token
        self.token_life = 2999            # seconds
        self.miskeys = 0                  # messages to come that are encrypted for another session
        self.no_ephemeral = False         # a service that does not know it
        self.agents, self.jobs, self.archives = [], [], {}
        self.registered = 0               # the number of the newest agent
        self.tenant_tokens, self.runner_tokens = {}, {}
        self.newer_tokens = set()         # those of runner_tokens that the second authority gave
        self.refreshed = {}               # "runner" or "credentials": what the service makes of the file, from the present one
        self.failing = False              # a case's faults let reports get lost: what they leave out is not complained of
        self.live = True                  # a job of which nobody could look on is complained of
        self.renew_gap = 75.0
        self.message_ids = 0
        self.prepare_storage()
        super().__init__()

    # -- what a case says --

    @property
    def repository(self):
        """What to register with."""
        return f"{self.url}/acme/widgets"

    def push(self, said, agent=None, **more):
        """A job is ready, for AGENT (the newest by default, as soon as there is one). SAID: as its YAML would be."""
        with self.turn:
            legacy = self.legacy and not self.broker
            job = Job(self, said, legacy=legacy, results=self.results or not legacy, number=len(self.jobs) + 1, **more)
            self.jobs.append(job)
            job.wanted = agent
            self.turn.notify_all()
            return job

    def tell(self, kind, body, agent=None, stale=False, message_id=0):
        """A message to AGENT (the newest by default)."""
        with self.turn:
            self.message_ids += 1
            number = message_id if message_id != 0 else self.message_ids
            (agent or self.agents[-1]).queue.append(Message(number, kind, body if isinstance(body, str) else json.dumps(body), stale=stale))
            self.turn.notify_all()

    def migrate(self):
        """The older queue sends its clients on to a broker, which is on another host."""
        with self.turn:
            self.broker = f"http://localhost:{self.open().server_port}/broker/"
            self._hang_up(None)

    def send_on(self):
        """The tenant answers what comes with a job's token with a redirect to another host, over plain HTTP."""
        with self.turn:
            self.elsewhere = f"http://localhost:{self.open().server_port}"

    def repeat(self, job):
        """The message of JOB comes once more, as another one."""
        with self.turn:
            first = next(m for m in job.agent.queue if m.job is job)
            self.message_ids += 1
            job.agent.queue.append(Message(first.id + 1000 + self.message_ids, first.type, first.body, job))
            self.turn.notify_all()

    def revoke(self, agent):
        """AGENT is let in no more, whatever token it gets."""
        with self.turn:
            agent.revoked = True
            self.expire_tokens(agent)

    def cancel(self, job, timeout="00:05:00", stale=False):
        with self.turn:
            job.cancelled = True
            if job.agent:
                self.tell("JobCancellation", {"jobId": job.id, "timeout": timeout}, job.agent, stale)

    def expire_tokens(self, agent=None):
        """Every runner token given out (to AGENT) is none any more: whoever has one is told at its next call."""
        with self.turn:
            self.runner_tokens = {token: whose for token, whose in self.runner_tokens.items() if agent and whose is not agent}
            self._hang_up(agent)

    def tell_lost(self, agent):
        """The session of AGENT has ended here."""
        with self.turn:
            agent.session = None
            self._hang_up(agent)

    def _hang_up(self, agent):
        for one in self.agents:
            if agent in (None, one):
                one.interrupted += 1  # a poll that waits comes back
        self.turn.notify_all()

    def lapse(self, job):
        """Nobody renewed the lock of JOB: the server takes it for lost."""
        with self.turn:
            job.over, job.over_at, job.conclusion = True, time.monotonic(), "abandoned"
            self.turn.notify_all()

    def remove(self, agent=None):
        """Somebody deletes the registration."""
        with self.turn:
            agent = agent or self.agents[-1]
            self.agents.remove(agent)
            self.runner_tokens = {t: a for t, a in self.runner_tokens.items() if a is not agent}
            self.turn.notify_all()

    def archive(self, name, files, sha=SHA, top=None):
        """The repository NAME has FILES (path -> text) at every ref."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as tar:
            for path, text in files.items():
                entry = tarfile.TarInfo(f"{top or name.rpartition('/')[2] + '-' + sha}/{path}")
                content = text.encode() if isinstance(text, str) else text
                entry.size, entry.mode = len(content), 0o755
                tar.addfile(entry, io.BytesIO(content))
        self.archives[name.lower()] = (sha, data.getvalue())

    def finished(self, job, limit=60.0):
        """Until JOB is completed and the client knows."""
        self.wait(lambda: job.over, limit)
        return job

    def refuse(self, call, kind, times=1, **more):
        """The next calls of that name get the service's error KIND, in the words of whoever is asked."""
        number = {"RunnerNotFound": 404, "AcknowledgeJobNotFound": 404, "RunnerSessionInvalid": 400, "RunnerVersionTooOld": 400,
                  "AccessDeniedException": 403, "TaskAgentSessionConflictException": 409}.get(kind, 404)
        status = more.pop("status", number)
        body = self.trouble(kind, status, more.pop("code", 0)) if kind.endswith("Exception") else self.broker_trouble(kind, status)
        return self.fault(call, "status", times=times, status=status, body=body, type="application/json", **more)

    @staticmethod
    def trouble(kind, status, code=0, text=None):
        del status
        return {"$id": "1", "innerException": None, "message": text or f"the double says {kind}", "errorCode": code, "eventId": 3000,
                "typeName": f"GitHub.DistributedTask.WebApi.{kind}, GitHub.DistributedTask.WebApi", "typeKey": kind}

    @staticmethod
    def broker_trouble(kind, status):
        return {"source": "actions-broker-listener", "errorKind": kind, "statusCode": status, "errorMessage": f"the double says {kind}"}

    def side(self, call):
        """(agent, job) that CALL is of, as far as its token or address says; None for either: nobody's."""
        scheme, _, value = call.headers.get("Authorization", "").partition(" ")
        if call.name == "token":
            form = urllib.parse.parse_qs(call.raw.decode(errors="replace"))
            claims = parse(keys.unpadded(form["client_assertion"][0].split(".")[1]))
            return next((a for a in self.agents if a.client == claims["iss"]), None), None
        if call.name == "archive":
            value = base64.b64decode(value).decode().removeprefix("x-access-token:code-")
            job = next((job for job in self.jobs if job.id == value), None)
        elif call.name == "blob":
            blob = call.path.rpartition("/")[2]
            job = next((job for job in self.jobs if blob in (job.job_log, *job.step_logs.values(), *job.summaries.values())), None)
        else:
            job = next((job for job in self.jobs if job.token == value), None)
        return (job.agent if job else self.runner_tokens.get(value)), job

    # -- the wire --

    def name(self, call):
        call.whose = call.version = call.job = call.agent = None
        for name, method, path, whose, version in ROUTES:
            found = path.fullmatch(call.path)
            if found and method in (call.method, None):
                call.match, call.whose, call.version = found, whose, version
                if name == "receiver":
                    return RECEIVES[found[1]][0] if found[1] in RECEIVES else "unknown"
                return f"stored/{found[1]}" if name == "stored" else name
        return "unknown"

    def act(self, call):
        if call.name == "unknown":
            self.complain(f"no such call: {call.method} {call.path}")
            return Answer(404, {"message": "Not Found"})
        if self.is_sent_on(call):
            return Answer(303, headers={"Location": self.elsewhere + call.request.path})
        refusal = self.allowed(call)
        if refusal:
            return refusal
        if call.name.startswith("stored/"):
            return self.stored(call, call.match[1], call.job.plan, "acme/widgets", call.job.id)
        if call.match.re.pattern.startswith("/results/" + re.escape(RECEIVER)):
            return self.receiver(call)
        return getattr(self, {"archive": "send_archive", "tenant": "find_tenant"}.get(call.name, call.name.replace("-", "_")))(call)

    def is_sent_on(self, call):
        token = call.headers.get("Authorization", "").removeprefix("Bearer ")
        return (self.elsewhere and call.path.startswith("/tenant/") and not self.elsewhere.endswith(f"//{call.headers['Host']}")
                and any(job.token == token for job in self.jobs))

    def allowed(self, call):
        """The headers of every call, and whose token it has."""
        here, headers, steps = call.name, call.headers, call.name.startswith("stored/")
        accept, agent = headers.get("Accept", ""), headers.get("User-Agent", "")
        own = not steps and here not in ("blob", "archive", "id-token")  # the runner's own calls; others are of actions, too
        if own and "ostler" not in agent.lower():
            self.complain(f"{here}: User-Agent is {agent!r}")
        if headers.get("Expect"):
            self.complain(f"{here}: Expect: {headers['Expect']}")
        if call.version and accept != f"application/json; api-version={call.version}":
            self.complain(f"{here}: Accept is {accept!r}, wanted api-version={call.version}")
        if not call.version and own and ("api-version" in accept or (here not in ("socket",) and "json" not in accept)):
            self.complain(f"{here}: Accept is {accept!r}")
        if own and call.raw and here not in ("token", "log", "attachment") and not headers.get("Content-Type", "").startswith("application/json"):
            self.complain(f"{here}: Content-Type is {headers.get('Content-Type')!r}")
        scheme, _, value = headers.get("Authorization", "").partition(" ")
        if call.whose == NOBODY and here == "token" and value:
            self.complain(f"{here}: an Authorization where the assertion is all")
        if call.whose == TENANT:
            return None if scheme == "Bearer" and (value in self.tenant_tokens or value in self.runner_tokens) else self.unauthorized(call)
        if call.whose == RUNNER:
            call.agent = self.runner_tokens.get(value) if scheme == "Bearer" else None
            if any(job.token == value for job in self.jobs):
                self.complain(f"{here}: a job's token where the runner's belongs")
            if value in self.newer_tokens and call.path.startswith("/tenant/"):
                self.complain(f"{here}: the newer authority's token, on the tenant")
            return None if call.agent and not call.agent.revoked else self.unauthorized(call)
        if call.whose == JOB:
            call.job = next((job for job in self.jobs if scheme == "Bearer" and job.token == value), None)
            if value in self.runner_tokens:
                self.complain(f"{here}: the runner's token where the job's belongs")
            if call.job and self.legacy and call.match.re.pattern.startswith(PLAN) and (
                    f"/{call.job.scope}/" not in call.path or f"/plans/{call.job.plan}" not in call.path):
                self.complain(f"{here}: the scope or plan in {call.path} is not the job's")
            if call.job and not self.legacy and call.path.startswith("/tenant/"):
                self.complain(f"{here}: on the tenant, for a job of the run service")
                return Answer(404)
            return None if call.job else self.unauthorized(call)
        return None

    def unauthorized(self, call):
        del call
        return Answer(401, headers={"WWW-Authenticate": "Bearer"})

    # -- registration --

    def meta(self, call):
        if call.headers.get("Authorization"):
            self.complain("meta: an Authorization before it is known who answers")
        return Answer(body={"verifiable_password_authentication": True, "installed_version": "3.19.0"},
                      headers={"X-GitHub-Enterprise-Version": "3.19.0", "X-GitHub-Request-Id": "0:1:2:3:4"})

    def person(self, call, *tokens):
        """Whether somebody may: RemoteAuth with one of TOKENS; runner-admin clients also with the tenant's token."""
        scheme, _, value = call.headers.get("Authorization", "").partition(" ")
        if scheme == "RemoteAuth" and value in tokens:
            return None
        if scheme not in ("RemoteAuth", "Bearer"):
            self.complain(f"{call.name}: Authorization: {scheme}")
        return Answer(401 if value else 404, {"message": "Bad credentials"})

    def some_token(self, call):
        wanted = base64.b64encode(f"github:{PAT}".encode()).decode()
        scheme, _, value = call.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic" or value != wanted:
            return Answer(401, {"message": "Bad credentials"})
        if call.headers.get("Accept") != "application/vnd.github.v3+json" or call.raw:
            self.complain(f"{call.name}: Accept is {call.headers.get('Accept')!r}, {len(call.raw)} bytes of body")
        return Answer(201, {"token": REGISTRATION if call.match[2] == "registration" else REMOVAL, "expires_at": "2036-08-20T10:00:00Z"})

    def find_tenant(self, call):
        if refusal := self.body_of(call, {"url": "filled", "runner_event": ("register", "remove")}, ("url", "runner_event")):
            return refusal
        if refusal := self.person(call, REGISTRATION if call.data["runner_event"] == "register" else REMOVAL):
            return refusal
        if not call.data["url"].startswith(self.url + "/"):
            self.complain(f"tenant: url is {call.data['url']!r}")
        token = f"TENANT-{entropy.token_hex(8)}"
        self.tenant_tokens[token] = call.data["runner_event"]
        return Answer(body={"url": f"{self.url}/tenant/", "token_schema": "OAuthAccessToken", "token": token,
                            **({"use_v2_flow": True} if self.profile == "A" else {})})

    def connection(self, call):
        if call.headers.get("Accept") != "application/json":
            self.complain(f"connection: Accept is {call.headers.get('Accept')!r}")
        if call.query.get("lastChangeId") != ["-1"] or "connectOptions" not in call.query:
            self.complain(f"connection: its query is {call.query}")
        common = {"serviceType": "distributedtask", "minVersion": "1.0", "maxVersion": "6.0", "releasedVersion": "0.0", "relativeToSetting": 0,
                  "locationMappings": [], "toolId": "Framework"}
        definitions = [{**common, "identifier": guid, "displayName": name, "relativePath": f"_apis/{{area}}/{path}", "resourceVersion": version}
                       for name, guid, path, version in RESOURCES]
        definitions += [{**common, "identifier": guid, "displayName": name, "relativePath": HUB + path, "resourceVersion": 1}
                        for name, guid, path in HUB_RESOURCES]
        return Answer(body={"instanceId": str(uuid.uuid4()), "deploymentId": str(uuid.uuid4()), "deploymentType": "hosted",
                            "locationServiceData": {"serviceOwner": str(uuid.uuid4()), "defaultAccessMappingMoniker": "ScaleUnitMapping",
                                                    "clientCacheFresh": False, "lastChangeId": 1, "lastChangeId64": 1,
                                                    "serviceDefinitions": definitions}})

    def pools(self, call):
        if call.query.get("poolType") != ["Automation"]:
            self.complain(f"pools: its query is {call.query}")
        rows = [{"id": 1, "name": "Default", "isHosted": False, "isInternal": True, "size": 0, "scope": str(uuid.uuid4())},
                {"id": 2, "name": "GitHub Actions", "isHosted": True, "isInternal": False}]
        return Answer(body={"count": 2, "value": rows})

    def named(self, name):
        return [agent for agent in self.agents if agent.name.lower() == name.lower()]

    def find_agent(self, call):
        rows = [{"id": a.id, "name": a.name, "version": "2.336.0", "labels": a.labels} for a in self.named(call.query.get("agentName", [""])[0])]
        return Answer(body={"count": len(rows), "value": rows})

    def labels_of(self, call, labels):
        for label in labels:
            self.fields(f"{call.name}: label", label, LABEL, ("name", "type"))
        kinds = [label.get("type") for label in labels if isinstance(label, dict)]
        if kinds != sorted(kinds):  # "system" before "user"
            self.complain(f"{call.name}: the labels of the system come first")
        return [label.get("name") for label in labels]

    def add_agent(self, call, replaced=None):
        if refusal := self.body_of(call, AGENT, ("name", "version", "ephemeral", "disableUpdate", "labels", "authorization", "maxParallelism")):
            return refusal
        data = call.data
        key = data["authorization"].get("publicKey", {})
        try:
            modulus, exponent = base64.b64decode(key["modulus"], validate=True), keys.number(key["exponent"])
        except (KeyError, ValueError) as error:
            self.complain(f"{call.name}: its key: {error!r}")
            return Answer(400, {"message": "no key"})
        if len(modulus) != 256 or exponent != 65537:
            self.complain(f"{call.name}: a modulus of {len(modulus)} bytes, exponent {exponent}")
        if not replaced and self.named(data["name"]):
            return Answer(409, self.trouble("TaskAgentExistsException", 409))
        agent = self.new_agent(data["name"], self.labels_of(call, data["labels"]), data["ephemeral"], "RS256",
                               keys.PublicKey(int.from_bytes(modulus, "big"), exponent), replaced)
        properties = {"RequireFipsCryptography": {"$type": "System.Boolean", "$value": False},
                      "ServerUrl": {"$type": "System.String", "$value": f"{self.url}/tenant/"}}
        if self.profile == "V":
            properties |= {"ServerUrlV2": {"$type": "System.String", "$value": f"{self.url}/broker/"},
                           "UseV2Flow": {"$type": "System.Boolean", "$value": True}}
        return Answer(body={**data, "id": agent.id, "status": "offline", "enabled": True, "currentParallelism": 0, "queueName": f"taskagent-{agent.id}",
                            "ephemeral": None if self.no_ephemeral else data["ephemeral"],
                            "authorization": {"clientId": agent.client, "authorizationUrl": f"{self.url}/oauth/token",
                                              "publicKey": key}, "properties": properties})

    def new_agent(self, name, labels, ephemeral, algorithm, key, replaced=None):
        if replaced:
            self.agents.remove(replaced)
            self.runner_tokens = {t: a for t, a in self.runner_tokens.items() if a is not replaced}
        else:
            self.registered += 1
        agent = Agent(replaced.id if replaced else 6 + self.registered, name, labels, ephemeral, algorithm, key)
        self.agents.append(agent)
        return agent

    def replace_agent(self, call):
        found = [agent for agent in self.agents if agent.id == int(call.match[1])]
        return self.add_agent(call, found[0]) if found else Answer(404, self.trouble("TaskAgentNotFoundException", 404))

    def delete_agent(self, call):
        found = [agent for agent in self.agents if agent.id == int(call.match[1])]
        if not found:
            return Answer(404, self.trouble("TaskAgentNotFoundException", 404))
        self.remove(found[0])
        return Answer(204)

    def groups(self, call):
        return self.person(call, REGISTRATION) or Answer(body={"total_count": 1, "runner_groups": [{"id": 1, "name": "Default", "default": True, "is_hosted": False}]})

    def find_runner(self, call):
        rows = [{"id": agent.id, "name": agent.name} for agent in self.named(call.query.get("name", [""])[0])]
        return self.person(call, REGISTRATION) or Answer(body={"total_count": len(rows), "runners": rows})

    def register(self, call):
        if refusal := self.person(call, REGISTRATION) or self.body_of(call, ADMIN, ("url", "group_id", "name", "version", "updates_disabled", "ephemeral", "labels", "public_key")):
            return refusal
        data = call.data
        found = re.fullmatch(r"<RSAKeyValue><Modulus>([^<]+)</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>", data["public_key"])
        if not found:
            self.complain(f"register: public_key is {data['public_key'][:80]!r}")
            return Answer(422, {"message": "no key"})
        old = next((agent for agent in self.agents if agent.id == data.get("runner_id")), None) if data.get("replace") else None
        if not old and self.named(data["name"]):
            return Answer(409, {"message": f"A runner exists with the same name {data['name']}."})
        agent = self.new_agent(data["name"], self.labels_of(call, data["labels"]), data["ephemeral"], "PS256", keys.PublicKey(keys.number(found[1]), 65537), old)
        return Answer(201, {"id": agent.id, "name": agent.name, "authorization": {
            "authorization_url": f"{self.url}/oauth/token", "server_url": f"{self.url}/broker/", "client_id": agent.client}})

    def delete_runner(self, call):
        if refusal := self.person(call, REMOVAL):
            return refusal
        found = [agent for agent in self.agents if agent.id == int(call.match[1])]
        if found:
            self.remove(found[0])
        return Answer(204 if found else 404)

    # -- tokens --

    def token(self, call):
        if call.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            self.complain(f"token: Content-Type is {call.headers.get('Content-Type')!r}")
        form = urllib.parse.parse_qs(call.raw.decode(errors="replace"))
        if sorted(form) != ["client_assertion", "client_assertion_type", "grant_type"] or form["grant_type"] != ["client_credentials"] or \
                form["client_assertion_type"] != ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]:
            self.complain(f"token: its form is {sorted(form)}")
            return self.oauth("invalid_request", "the form is another")
        try:
            head, claims, sign = (keys.unpadded(part) for part in form["client_assertion"][0].split("."))
            head, claims = parse(head), parse(claims)
        except ValueError as error:
            self.complain(f"token: its assertion: {error}")
            return self.oauth("invalid_client", "this is no JWT")
        agent = next((a for a in self.agents if a.client == claims.get("iss")), None)
        if not agent:
            return self.oauth("invalid_client", "the registration was deleted")
        self.fields("token: header", head, {"typ": ("JWT",), "alg": (agent.algorithm,)}, ("typ", "alg"))
        self.fields("token: claims", claims, {"sub": (agent.client,), "iss": (agent.client,), "aud": (f"{self.url}{call.path}",), "jti": "guid",
                                              "nbf": "whole", "exp": "whole"}, ("sub", "iss", "aud", "jti", "nbf", "exp"))
        if not agent.key.verify(head.get("alg"), form["client_assertion"][0].rpartition(".")[0].encode(), sign):
            self.complain(f"token: the signature is not that of the key, {head.get('alg')}")
            return self.oauth("invalid_client", "the signature is wrong")
        if claims.get("jti") in agent.seen:
            self.complain("token: an assertion for the second time")
        agent.seen.add(claims.get("jti"))
        if claims.get("exp", 0) - claims.get("nbf", 0) > 300:
            self.complain(f"token: an assertion for {claims['exp'] - claims['nbf']} s")
            return self.oauth("invalid_client", "the maximum lifetime is 300 seconds")
        now = time.time() + self.skew
        if not claims["nbf"] - 60 <= now <= claims["exp"] + 60:
            return self.oauth("invalid_client", f"the assertion is not valid. Current server time is {time.strftime('%m/%d/%Y %H:%M:%S', time.gmtime(now))}.")
        value = f"RUNNER-{entropy.token_hex(12)}"
        self.runner_tokens[value] = agent
        if call.path == "/newer/token":
            self.newer_tokens.add(value)
        return Answer(body={"access_token": value, "expires_in": self.token_life, "token_type": "JWT"})

    @staticmethod
    def oauth(error, text):
        return Answer(400, {"error": error, "error_description": text})

    # -- sessions and messages --

    def broker_error(self, call, kind, status):
        return Answer(status, self.broker_trouble(kind, status))

    def session(self, call):
        agent, broker = call.agent, call.path.startswith("/broker/")
        if refusal := self.body_of(call, SESSION, ("sessionId", "ownerName", "agent")):
            return refusal
        self.fields("session: agent", call.data["agent"], SESSION_AGENT, ("id", "name", "version"))
        if call.data["agent"].get("id") != agent.id:
            self.complain(f"session: for the agent {call.data['agent'].get('id')}, the token is {agent.id}'s")
        if not re.fullmatch(r"\d+\.\d+\.\d+", str(call.data["agent"].get("version"))):
            self.complain(f"session: the version is {call.data['agent'].get('version')!r}")
        now = time.monotonic()
        if agent.session and now - agent.session.polled < self.session_life:
            text = f"another session of {agent.name} is alive"
            return Answer(409, self.trouble("TaskAgentSessionConflictException", 409, text=text)) if not broker else \
                Answer(409, {"source": "actions-broker-listener", "errorKind": "RunnerSessionConflict", "statusCode": 409, "errorMessage": text})
        agent.session = Session(str(uuid.uuid4()), broker, polled=now)
        for message in agent.queue:
            message.given = False
        body = {"sessionId": agent.session.id, "ownerName": call.data["ownerName"]}
        if broker:
            return Answer(201, {**body, "assignmentQueued": False, "orchestrationId": ""})
        body |= {"useFipsEncryption": False, "agent": {"id": agent.id, "name": agent.name}}
        if self.encryption:
            agent.session.key = entropy.token_bytes(32)
            plain = self.encryption == "plain"
            value = agent.session.key if plain else agent.key.encrypt(agent.session.key, self.encryption)
            body["encryptionKey"] = {"encrypted": not plain, "value": base64.b64encode(value).decode()}
        return Answer(body=body)

    def end_session(self, call):
        agent = call.agent
        if call.raw or (agent.session and not agent.session.broker and call.match[1] != agent.session.id):
            self.complain(f"end-session: {call.path}, {len(call.raw)} bytes")
        agent.session = None
        return Answer(204)

    def poll_query(self, call, here="poll"):
        known = {"sessionId": GUID.pattern, "lastMessageId": r"-?\d+", "status": "Online|Busy", "runnerVersion": r"\d+\.\d+\.\d+",
                 "os": "Linux|macOS|Windows", "architecture": "X64|ARM64|ARM|X86", "disableUpdate": "true|false"}
        for name, values in call.query.items():
            if name not in known or len(values) != 1 or not re.fullmatch(known[name], values[0]):
                self.complain(f"{here}: {name}={values} in the query")
        for name in known:
            if name not in call.query and name != "lastMessageId" and not (here == "acknowledge" and name == "disableUpdate"):
                self.complain(f"{here}: there is no {name} in the query")

    def poll(self, call):
        agent, broker = call.agent, call.path.startswith("/broker/")
        self.poll_query(call)
        session, now = agent.session, time.monotonic()
        if not session or call.query.get("sessionId", [""])[0] != session.id:
            return self.broker_error(call, "RunnerSessionInvalid", 400) if broker else \
                Answer(403, self.trouble("TaskAgentSessionExpiredException", 403))
        before, session.poll, session.polled = session.poll, call, now
        while before and before.ended is None and not before.request.gone():  # its end may still be on its way
            if time.monotonic() - now > 0.5:
                self.complain("poll: another one is under way")
                break
            self.turn.wait(0.02)
        agent.polls.append(now)
        if self.broker and not broker:
            call.sent_on = True
            return Answer(body={"messageType": "BrokerMigration", "body": json.dumps({"brokerBaseUrl": self.broker})})
        if len(agent.polls) > 20 and now - agent.polls[-20] < self.busy_seconds:
            self.complain("poll: a busy loop: 20 in less than a second")
        self.look_at_status(call, agent, now)
        last = None if broker else int(call.query.get("lastMessageId", [-1])[0])
        if not broker and "lastMessageId" in call.query and last not in session.given:
            self.complain(f"poll: lastMessageId is {last}, it was given {session.given}")
        end, interrupted = now + self.hold, agent.interrupted
        while time.monotonic() < end and agent.interrupted == interrupted and not self.closing.is_set() and not call.request.gone() and not self.away:
            if agent not in self.agents:
                return self.broker_error(call, "RunnerNotFound", 404) if broker else \
                    Answer(404, self.trouble("TaskAgentNotFoundException", 404))
            self.hand_jobs(agent)
            message = self.next_message(agent, last)
            if message:
                call.message = message
                session.polled = time.monotonic()
                return Answer(body=self.written(message, session, broker))
            self.turn.wait(0.05)
            session.polled = time.monotonic() if agent.session is session else session.polled
        return Answer(202 if broker else 204)

    def look_at_status(self, call, agent, now):
        busy = call.query.get("status") == ["Busy"]
        if busy and not agent.jobs:
            self.complain("poll: Busy, without any job")
        if not busy and not self.failing and any(now - job.known_at > 3 for job in agent.active()):
            self.complain("poll: Online, and a job is under way")
        if busy and agent.jobs and not agent.active() and now - max(job.over_at for job in agent.jobs) > 3:
            self.complain("poll: Busy, and the job has been over for a while")

    def hand_jobs(self, agent):
        """A job that waits becomes AGENT's, if that is free."""
        if agent.active() or any(m.job and not m.gone and not m.job.over for m in agent.queue) or (agent.ephemeral and agent.jobs):
            return
        for job in self.jobs:
            if job.agent is None and not job.cancelled and job.wanted in (None, agent):
                job.agent, job.known_at, job.over_at = agent, 0.0, 0.0
                self.message_ids += 1
                if job.legacy:
                    kind, body = "PipelineAgentJobRequest", job.message
                else:
                    kind = "RunnerJobRequest"
                    body = {"runner_request_id": job.id, "run_service_url": f"{self.url}/run/116/", "billing_owner_id": "O_1",
                            "should_acknowledge": self.acknowledging}
                number = self.message_ids + (0 if self.legacy else 8123456789012345000)
                agent.queue.append(Message(number, kind, json.dumps(body), job))
                return

    def next_message(self, agent, last):
        """LAST: the newest that a client of the older queue has had; None: of the broker's."""
        now = time.monotonic()
        for message in agent.queue:
            # A job that nobody acknowledged or acquired went to a poll that its client had just given up.
            lost = message.type == "RunnerJobRequest" and not message.job.acknowledged and now - message.at > 1
            lost = lost or (last is not None and message.id is not None and message.id > last)
            if not message.gone and (not message.given or lost):
                return message
        return next((m for m in agent.queue if m.stale), None)

    def written(self, message, session, broker):
        body = {"messageId": message.id, "messageType": message.type, "body": message.body}
        if message.id is None:
            del body["messageId"]
        if not broker and session.key:
            iv = entropy.token_bytes(16)
            key = session.key
            if self.miskeys > 0:
                self.miskeys, key = self.miskeys - 1, entropy.token_bytes(32)
            secret = keys.aes_cbc(key, iv, b"\xef\xbb\xbf" + message.body.encode())
            body |= {"iv": base64.b64encode(iv).decode(), "body": base64.b64encode(secret).decode()}
        return body

    def outcome(self, call):
        message = getattr(call, "message", None)
        if call.name == "poll" and message and call.told:
            message.given, message.at, session = True, time.monotonic(), call.agent.session
            if session:
                session.given.append(message.id)
            at_broker = call.path.startswith("/broker/")
            if session and at_broker and (message.type != "RunnerJobRequest" or message.job.acquired):
                message.gone = not message.stale
            if message.job and message.type == "PipelineAgentJobRequest":
                self.known(message.job, call.agent)
        elif call.name in ("complete", "event") and call.told and call.answer.status < 300 and call.job:
            call.job.over, call.job.over_at = True, time.monotonic()
            if call.job.agent and call.job.agent.ephemeral and call.job.agent in self.agents:
                self.remove(call.job.agent)

    def known(self, job, agent):
        if not job.known:
            job.known, job.known_at = True, time.monotonic()
            agent.jobs.append(job)

    def delete_message(self, call):
        self.fields("delete-message: query", {k: v[0] for k, v in call.query.items()}, {"sessionId": "guid"}, ("sessionId",))
        found = [m for m in call.agent.queue if m.id == int(call.match[1])]
        if not found:
            self.complain(f"delete-message: there is no message {call.match[1]}")
        for message in found:
            if not message.given:
                self.complain(f"delete-message: {message.id} was never given")
            message.gone, message.stale = True, False
        return Answer(200)

    def acknowledge(self, call):
        self.poll_query(call, "acknowledge")
        if refusal := self.body_of(call, {"runnerRequestId": "guid"}, ("runnerRequestId",)):
            return refusal
        job = next((job for job in self.jobs if job.id == call.data["runnerRequestId"] and job.agent is call.agent), None)
        if not job or job.acquired:
            self.complain("acknowledge: of no job, or of one that is acquired already")
            return self.broker_error(call, "AcknowledgeJobNotFound", 404)
        job.acknowledged = True
        return Answer(200)

    def update_state(self, call):
        if set(call.query) - {"currentState", "updateTrace"} or int(call.match[1]) != call.agent.id:
            self.complain(f"update-state: {call.path} {call.query}")
        return Answer(body={"id": call.agent.id, "name": call.agent.name})

    def config(self, call):
        try:
            now = json.loads(base64.b64decode(json.loads(call.raw), validate=True))
        except ValueError as error:
            self.complain(f"config: its body is no file in base64: {error!r}")
            return Answer(400)
        if call.match[2] == "runner" and now.get("agentId") != call.agent.id:
            self.complain(f"config: of the agent {now.get('agentId')}")
        change = self.refreshed.pop(call.match[2], None)
        made = base64.b64encode(json.dumps(change(now)).encode()).decode() if change else ""
        return Answer(body=json.dumps(made))

    def refresh(self, kind, change):
        """The service replaces the runner's file KIND by what CHANGE makes of it."""
        with self.turn:
            self.refreshed[kind] = change
            self.tell("RunnerRefreshConfig", {"runnerQualifiedId": f"o/r/p/{self.agents[-1].id}", "configType": kind, "serviceType": "pipelines",
                                              "configRefreshURL": f"{self.url}/"})

    # -- the run service and the older lock --

    def run_error(self, status, text):
        return Answer(status, {"source": "actions-run-service", "statusCode": status, "errorMessage": text})

    def acquire(self, call):
        if refusal := self.body_of(call, {"jobMessageId": "guid", "runnerOS": ("Linux",), "billingOwnerId": "text"}, ("jobMessageId", "runnerOS")):
            return refusal
        job = next((job for job in self.jobs if job.id == call.data["jobMessageId"]), None)
        if not job or job.cancelled and not job.known:
            return self.run_error(404, "job not found")
        call.job = job
        if call.data.get("billingOwnerId") != "O_1":
            self.complain(f"acquire: billingOwnerId is {call.data.get('billingOwnerId')!r}")
        if job.agent is not call.agent or (job.known and job.acquired):
            if job.agent is call.agent and any(c.told and c.job is job for c in self.of("acquire")):
                self.complain("acquire: the job is this runner's already")
            return self.run_error(409, "already acquired by another runner")
        if self.acknowledging and not job.acknowledged and not any(c.name == "acknowledge" for c in self.calls):
            self.complain("acquire: before the message was acknowledged")
        job.acquired = True
        self.known(job, call.agent)
        for message in call.agent.queue:
            message.gone = message.gone or message.job is job
        return Answer(body=job.message, headers={"x-plan-id": job.plan})

    def runner_message(self, call):
        job = next((job for job in self.jobs if job.id == call.match[1]), None)
        return Answer(body=job.message) if job else Answer(404, self.trouble("TaskAgentJobNotFoundException", 404))

    def renewed(self, call, job):
        now = time.monotonic()
        if job.renewals and now - job.renewals[-1] > self.renew_gap and not self.failing:
            self.complain(f"{call.name}: {now - job.renewals[-1]:.0f} s after the one before")
        if job.over and now - job.over_at > 1:  # one may be under way while the job is completed
            self.complain(f"{call.name}: the job is over")
        job.renewals.append(now)
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + self.skew + self.lock_seconds))

    def renew(self, call):
        if refusal := self.body_of(call, {"planId": "guid", "jobId": "guid"}, ("planId", "jobId")):
            return refusal
        if call.data["planId"] != call.job.plan or call.data["jobId"] != call.job.id:
            self.complain("renew: another job than the token's")
        return Answer(body={"lockedUntil": self.renewed(call, call.job) + ".123456789Z"})

    def lock(self, call):
        if refusal := self.body_of(call, {"requestId": "whole"}, ("requestId",)):
            return refusal
        if call.query != {"lockToken": ["00000000-0000-0000-0000-000000000000"]}:
            self.complain(f"lock: its query is {call.query}")
        job = next((job for job in self.jobs if job.request_id == int(call.match[1]) and job.agent is call.agent), None)
        if not job or int(call.data["requestId"]) != job.request_id:
            return Answer(404, self.trouble("TaskAgentJobNotFoundException", 404))
        return Answer(body={"requestId": job.request_id, "lockedUntil": self.renewed(call, job) + "Z",
                            "reservedAgent": {"id": call.agent.id, "name": call.agent.name}})

    # -- actions --

    def resolve(self, call):
        known = {"actions": "list", "actions_dependencies": "list"}
        if refusal := self.body_of(call, known, ("actions",)):
            return refusal
        if (call.match[1], call.match[2]) != (call.job.plan, call.job.id):
            self.complain("resolve: the plan or job is not the token's")
        found, errors = {}, {}
        for one in call.data["actions"]:
            if not self.fields("resolve", one, {"action": "filled", "version": "filled", "path": "?text"}, ("action", "version")):
                continue
            name, key = one["action"], f"{one['action']}@{one['version']}"
            if name.lower() not in self.archives:
                errors[key] = {"message": f"Unable to resolve action `{key}`, repository not found"}
                continue
            sha = self.archives[name.lower()][0]
            found[key] = {"name": name, "resolved_name": name, "resolved_sha": sha, "version": one["version"],
                          "tar_url": f"{self.url}/codeload/{name}/tar.gz/{sha}", "zip_url": f"{self.url}/codeload/{name}/zip/{sha}",
                          "authentication": {"token": f"code-{call.job.id}", "expires_at": "2036-08-20T11:00:00Z"}}
        return Answer(422, {"errors": errors}) if errors else Answer(body={"actions": found})

    def downloads(self, call):
        if refusal := self.body_of(call, {"actions": "list"}, ("actions",)):
            return refusal
        if call.query != {"jobId": [call.job.id]}:
            self.complain(f"downloads: its query is {call.query}")
        found = {}
        for one in call.data["actions"]:
            if not self.fields("downloads", one, {"nameWithOwner": "filled", "ref": "filled", "path": "?text"}, ("nameWithOwner", "ref")):
                continue
            name, key = one["nameWithOwner"], f"{one['nameWithOwner']}@{one['ref']}"
            if name.lower() not in self.archives:
                return Answer(404, self.trouble("UnresolvableActionDownloadInfoException", 404, text=f"Unable to resolve action `{key}`"))
            sha = self.archives[name.lower()][0]
            found[key] = {"nameWithOwner": name, "resolvedNameWithOwner": name, "resolvedSha": sha, "ref": one["ref"],
                          "tarballUrl": f"{self.url}/codeload/{name}/tar.gz/{sha}", "zipballUrl": "",
                          "authentication": {"token": f"code-{call.job.id}", "expiresAt": "2036-08-20T11:00:00Z"}}
        return Answer(body={"actions": found})

    def send_archive(self, call):
        given = {base64.b64encode(f"x-access-token:code-{job.id}".encode()).decode() for job in self.jobs}
        scheme, _, value = call.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic" or value not in given:
            self.complain(f"archive: without the token that came with its address ({scheme})")
            return Answer(404)
        sha, data = self.archives.get(call.match[1].lower(), (None, b""))
        return Answer(body=data, type="application/x-gzip") if sha == call.match[2] else Answer(404)

    # -- the end --

    def final(self):
        for agent in self.agents:
            for message in agent.queue:
                if message.given and not message.gone and not message.stale and not self.failing:
                    self.complain(f"message {message.id} ({message.type}) was given and never deleted, acknowledged or acquired")
        for job in self.jobs:
            if job.known and not job.over and not self.failing and job.agent in self.agents:
                self.complain(f"the job {job.id} was never completed")
            said = job.job_logged or job.logs
            if job.over and said and self.live and not self.failing and not self.turn.wait_for(lambda j=job: j.feed, 2):
                self.complain(f"the job {job.id} had no live lines")


__all__ = ["GitHubDouble", "Agent", "Session", "Message"]
