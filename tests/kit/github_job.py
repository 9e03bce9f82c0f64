"""Job messages of GitHub's service, made of what a workflow says.

The service sends no YAML: everything that may hold an expression is a tree of tokens, contexts have an encoding of their
own, and `${{ }}` in the middle of a text has become a call of format(). Here a job is the dictionary that its YAML
would be, so that a case can run the very same one locally."""

import base64
import json
import re
import secrets as entropy
import uuid

STATUS_FUNCTION = re.compile(r"\b(always|failure|cancelled|success)\s*\(")
SHA = "0123456789abcdef0123456789abcdef01234567"


def token(value):
    """VALUE as a tree of template tokens."""
    if isinstance(value, dict):
        return {"type": 2, "map": [{"Key": token(k), "Value": token(v)} for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"type": 1, "seq": [token(v) for v in value]}
    if not isinstance(value, str) or "${{" not in value:
        return value
    parts = re.split(r"\$\{\{(.*?)\}\}", value, flags=re.S)
    if len(parts) == 3 and not parts[0].strip() and not parts[2].strip():
        return {"type": 3, "expr": parts[1].strip()}
    text = "".join(part.replace("{", "{{").replace("}", "}}").replace("'", "''") if i % 2 == 0 else f"{{{i // 2}}}"
                   for i, part in enumerate(parts))
    return {"type": 3, "expr": ", ".join([f"format('{text}'", *(p.strip() for p in parts[1::2])]) + ")"}


def context(value):
    """VALUE as context data."""
    if isinstance(value, dict):
        return {"t": 2, "d": [{"k": k, "v": context(v)} for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"t": 1, "a": [context(v) for v in value]}
    return value


def condition(text):
    if text in (None, ""):
        return "success()"
    text = str(text).strip()
    text = text[3:-2].strip() if text.startswith("${{") and text.endswith("}}") else text
    return text if STATUS_FUNCTION.search(text) else f"success() && ({text})"


def step(number, said):
    """A step of a workflow as the service sends it."""
    unknown = set(said) - {"id", "name", "run", "uses", "with", "shell", "working-directory", "if", "env",
                           "continue-on-error", "timeout-minutes"}
    assert not unknown, unknown
    name = said.get("id") or f"__{'run' if 'run' in said else 'uses'}_{number}"
    made = {"type": "action", "id": f"57e9{number:04x}-0000-4000-8000-{uuid.uuid4().hex[:12]}", "name": name, "contextName": name,
            "condition": condition(said.get("if")), "continueOnError": token(said.get("continue-on-error")),
            "timeoutInMinutes": token(said.get("timeout-minutes")), "environment": token(said.get("env"))}
    if "name" in said:
        made["displayNameToken"] = token(said["name"])
    if "run" in said:
        inputs = {"script": said["run"]}
        inputs |= {to: said[of] for of, to in (("shell", "shell"), ("working-directory", "workingDirectory")) if of in said}
        made |= {"reference": {"type": "script"}, "inputs": token(inputs)}
        return made
    uses = said["uses"]
    if uses.startswith("docker://"):
        reference = {"type": "containerRegistry", "image": uses[9:]}
    elif uses.startswith("./"):
        reference = {"type": "repository", "repositoryType": "self", "path": uses}
    else:
        place, _, ref = uses.partition("@")
        owner, repo, *path = place.split("/")
        reference = {"type": "repository", "name": f"{owner}/{repo}", "ref": ref, "repositoryType": "GitHub", "path": "/".join(path)}
    return made | {"reference": reference, "inputs": token(said.get("with"))}


def job_token(plan, job):
    claims = {"orch_id": f"{plan}.build.__default", "scp": f"Actions.Results:{plan}:{job}"}
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"h.{middle}.{entropy.token_hex(16)}"


class Job:
    """One job: what is sent, and what came back. SAID: the job as its YAML has it."""

    def __init__(self, double, said, *, name="build", workflow=None, secrets=None, variables=None, matrix=None, needs=None,
                 inputs=None, event=None, github=None, job=None, legacy=False, results=True, flags=None, mask=(), id_tokens=False, number=1):
        self.double, self.legacy, self.results = double, legacy, results or not legacy
        self.id, self.plan, self.timeline = (str(uuid.uuid4()) for _ in range(3))
        self.scope = str(uuid.uuid4())
        self.request_id = 4710 + number
        self.token, self.github_token = job_token(self.plan, self.id), f"ghs_{entropy.token_hex(18)}"
        self.secrets = dict(secrets or {})
        self.hidden = [*self.secrets.values(), self.token, self.github_token]
        self.steps = [step(i + 1, one) for i, one in enumerate(said["steps"])]
        self.agent = self.display = None
        self.acknowledged = self.acquired = self.known = False  # KNOWN: the client was told the job
        self.renewals, self.conclusion, self.completed, self.over = [], None, None, False
        self.cancelled = False
        self.order = 0             # of the steps updates
        self.shown = {}            # external_id -> newest state in the steps updates
        self.records, self.issues = {}, []
        self.step_logs, self.logged, self.job_log, self.job_logged = {}, {}, None, None
        self.summaries, self.summarised = {}, {}
        self.feed, self.logs, self.attachments = {}, {}, {}
        self.outputs, self.environment = {}, None
        self.lines_told = 0
        self.message = self._message(said, name, workflow, variables, matrix, needs, inputs, event, github, job, flags, mask, number)
        if id_tokens:
            self.message["resources"]["endpoints"][0]["data"]["GenerateIdTokenUrl"] = f"{double.url}/id-token"

    def _message(self, said, name, workflow, variables, matrix, needs, inputs, event, github, job, flags, mask, number):
        workflow = workflow or {}
        url = self.double.url
        display = said.get("name", name) if "${{" not in str(said.get("name", "")) else name
        self.display = display if matrix is None else f"{display} ({', '.join(str(v) for v in matrix.values())})"
        values = {"system.github.token": (self.github_token, True), "github_token": (self.github_token, True),
                  "system.github.token.permissions": ('{"Contents":"read","Metadata":"read"}', False),
                  "system.github.job": (name, False), "system.orchestrationId": (f"{self.plan}.{name}.__default", False),
                  "system.runnerGroupName": ("Default", False), "system.runnerEnvironment": ("self-hosted", False),
                  "system.phaseDisplayName": (self.display, False), "actions_uses_cache_service_v2": ("true", False)}
        if self.results:
            values["system.github.results_endpoint"] = (f"{url}/results/", False)
        if not self.legacy:
            values |= {"system.github.launch_endpoint": (f"{url}/launch", False), "system.from_run_service": ("true", False)}
        values |= {key: (value, True) for key, value in self.secrets.items()}
        values |= {key: (value, False) for key, value in (flags or {}).items()}
        owner = "acme"
        about = {"ref": "refs/heads/main", "ref_name": "main", "ref_type": "branch", "ref_protected": False, "sha": SHA,
                 "repository": "acme/widgets", "repository_id": "1280000000", "repository_owner": owner,
                 "repositoryUrl": "git://github.com/acme/widgets.git", "run_id": str(9000000000 + number), "run_number": str(number),
                 "run_attempt": "1", "retention_days": "90", "actor": "octo", "actor_id": "1", "triggering_actor": "octo",
                 "workflow": "ci", "workflow_ref": "acme/widgets/.github/workflows/ci.yml@refs/heads/main",
                 "event_name": "push", "head_ref": "", "base_ref": "", "secret_source": "Actions", "server_url": url, "api_url": f"{url}/api/v3",
                 "graphql_url": f"{url}/api/graphql", "event": event or {"ref": "refs/heads/main", "forced": False}, **(github or {})}
        contexts = {"github": about, "inputs": inputs or {}, "matrix": matrix, "vars": variables or {},
                    "strategy": {"fail-fast": True, "job-index": 0, "job-total": 1, "max-parallel": 1}, "needs": needs or {},
                    "job": {"check_run_id": 80000000000 + number, "workflow_repository": "acme/widgets", **(job or {})}, "runner": None}
        tenant = f"{url}/tenant/"
        return {
            "messageType": "PipelineAgentJobRequest" if self.legacy else "RunnerJobRequest",
            "plan": {"planId": self.plan, "planType": "Actions" if self.legacy else "actions", "version": 12 if self.legacy else 0,
                     "artifactUri": "", **({"scopeIdentifier": self.scope} if self.legacy else {})},
            "timeline": {"id": self.timeline if self.legacy else self.plan, "changeId": 0, "location": None},
            "jobId": self.id, "jobDisplayName": self.display, "jobName": "__default",
            "requestId": self.request_id if self.legacy else 0, "lockedUntil": "0001-01-01T00:00:00", "billingOwnerId": "O_1",
            "resources": {"endpoints": [{
                "name": "SystemVssConnection", "url": tenant if self.legacy else f"{url}/run/116/",
                "authorization": {"scheme": "OAuth", "parameters": {"AccessToken": self.token}},
                "data": {"CacheServerUrl": f"{url}/cache/", "PipelinesServiceUrl": tenant, "ResultsServiceUrl": f"{url}/results/",
                         "FeedStreamUrl": f"{url.replace('http', 'ws', 1)}/results/_ws/ingest.sock", "GenerateIdTokenUrl": "",
                         "ServerId": "", "ServerName": ""},
                "isShared": False, "isReady": True}]},
            "contextData": {key: context(value) for key, value in contexts.items()},
            "variables": {key: {"value": value, **({"isSecret": True} if hidden else {})} for key, (value, hidden) in values.items()},
            "mask": [{"type": "regex", "value": r"\bgh[pousr]{1}_[A-Za-z0-9]{36}\b"}, *mask],
            "fileTable": [".github/workflows/ci.yml"],
            "environmentVariables": [token(env) for env in (workflow.get("env"), said.get("env")) if env],
            "defaults": [token(d) for d in (workflow.get("defaults"), said.get("defaults")) if d],
            "jobContainer": token(said.get("container")), "jobServiceContainers": token(said.get("services")),
            "jobOutputs": token(said.get("outputs")), "actionsEnvironment": None, "snapshot": None, "workspace": {},
            "steps": self.steps}

    def step_id(self, index):
        return self.steps[index]["id"]

    def begun(self, index):
        """Whether the service knows that a step runs, or ran."""
        record = self.step_id(index)
        return self.shown.get(record, {}).get("status") in (3, 6) or self.records.get(record, {}).get("state") in ("inProgress", "completed")

    def log(self, record=None, stamps=False):
        """A step's log (by its record's id; None: the job's) as it was uploaded, without times unless STAMPS."""
        if self.legacy and not self.results:
            raw = b"".join(bytes(self.logs[n]) for n in self.record_logs(record or self.id))
        else:
            name = self.step_logs.get(record) if record else self.job_log
            raw = self.double.blobs[name].data if name else b""
        text = raw.decode("utf-8").replace("\ufeff", "")
        return text if stamps else re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z ?", "", text, flags=re.M)

    def record_logs(self, record):
        return [n for n, log in self.logs.items() if log.record == record]

    def states(self):
        """{name of a step: its conclusion} as completejob or the timeline tell."""
        if self.legacy:
            return {r["name"]: r.get("result") for r in self.records.values() if r.get("type") == "Task"}
        return {s["name"]: s.get("conclusion") for s in (self.completed or {}).get("stepResults", [])}
