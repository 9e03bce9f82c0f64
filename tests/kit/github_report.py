"""The side of GitHub's service that takes reports in: results, timeline, logs, live lines, completion. A mixin.

Each call is held against what the protocol page says of it in chapters 4 and 6: members, their order, their numbers."""

import base64
import hashlib
import json
import re
import struct
import urllib.parse

from double import Answer, is_a, parse, secrets_in

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z ")
BOM = b"\xef\xbb\xbf"
MILLIS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
CONCLUSIONS = ("succeeded", "succeededWithIssues", "failed", "canceled", "skipped", "abandoned")
STEP_NUMBERS = {"succeeded": 2, "succeededWithIssues": 2, "failed": 3, "canceled": 4, "skipped": 7}
RECEIVER = "twirp/results.services.receiver.Receiver/"
RUN = {"workflow_run_backend_id": "guid", "workflow_job_run_backend_id": "guid"}
STEP = {**RUN, "step_backend_id": "guid"}
RECEIVES = {  # what the receiver takes, and how this double calls it
    "GetStepLogsSignedBlobURL": ("step-log-url", STEP),
    "CreateStepLogsMetadata": ("step-log", {**STEP, "uploaded_at": "time", "line_count": "whole"}),
    "GetJobLogsSignedBlobURL": ("job-log-url", RUN),
    "CreateJobLogsMetadata": ("job-log", {**RUN, "uploaded_at": "time", "line_count": "whole"}),
    "GetStepSummarySignedBlobURL": ("summary-url", STEP),
    "CreateStepSummaryMetadata": ("summary", {**STEP, "uploaded_at": "time", "size": "whole"}),
    "GetJobDiagLogsSignedBlobURL": ("diagnostics-url", RUN),
    "CreateJobDiagLogsMetadata": ("diagnostics", {**RUN, "uploaded_at": "time"}),
}
UPDATE = {"external_id": "guid", "number": "whole", "name": "filled", "status": (3, 5, 6), "conclusion": (0, 2, 3, 4, 7),
          "started_at": "?time", "completed_at": "?time", "is_background": "truth", "background_control_type": "?text",
          "background_control_step_ids": "any", "parallel_group_id": "?text"}
COMPLETION = {"planId": "guid", "jobId": "guid", "conclusion": CONCLUSIONS, "outputs": "object", "stepResults": "list",
              "annotations": "list", "telemetry": "list", "environmentUrl": "?text", "billingOwnerId": "?text",
              "infrastructureFailureCategory": "?text"}
STEP_RESULT = {"external_id": "guid", "number": "whole", "name": "filled", "action_name": "?text", "type": "?text", "ref": "?text",
               "status": ("completed",), "conclusion": CONCLUSIONS, "started_at": "time", "completed_at": "time",
               "annotations": "list", "completed_log_url": "?text", "completed_log_lines": "?whole", "is_background": "truth"}
ANNOTATION = {"level": ("notice", "warning", "failure"), "message": "filled", "title": "?text", "rawDetails": "?text", "path": "?text",
              "isInfrastructureIssue": "truth", "startLine": "whole", "endLine": "whole", "startColumn": "whole", "endColumn": "whole",
              "stepNumber": "whole"}
OUTPUT = {"value": "text", "isSecret": "truth"}
RECORD = {"id": "guid", "parentId": "?guid", "type": ("Job", "Task"), "name": "filled", "refName": "?text", "order": "?whole",
          "startTime": "?time", "finishTime": "?time", "currentOperation": "?text", "percentComplete": "?whole",
          "state": ("pending", "inProgress", "completed", "delayed"), "result": (None, *CONCLUSIONS), "resultCode": "?text",
          "workerName": "?text", "log": "any", "errorCount": "whole", "warningCount": "whole", "noticeCount": "whole",
          "issues": "list", "variables": "object", "attempt": "whole", "identifier": "?text", "agentPlatform": "?text",
          "changeId": "whole", "lastModified": "?time", "location": "?text", "details": "any", "previousAttempts": "list"}
ISSUE = {"type": ("error", "warning", "notice"), "category": "?text", "message": "?text", "isInfrastructureIssue": "truth", "data": "map"}
EVENT = {"name": ("JobCompleted",), "jobId": "guid", "requestId": "whole", "result": CONCLUSIONS, "outputs": "object",
         "actionsEnvironment": "any", "actionsStepsTelemetry": "list", "jobTelemetry": "list"}
FEED = {"count": "whole", "value": "texts", "stepId": "?guid", "startLine": "?whole"}


class Log(bytearray):
    """A log of the timeline; RECORD: the id in its path."""

    def __init__(self, record):
        super().__init__()
        self.record = record


class Reports:
    """Mixin of the GitHub double: expects complain(), fields(), job_of_token(), blobs."""

    def clean(self, where, text, job):
        found = secrets_in(text, job.hidden)
        if found:
            self.complain(f"{where}: it holds secrets, {found}: {text[:200]!r}")

    def stamped(self, where, raw, job):
        """The lines of a log: all stamped, one mark of byte order at most, at the very beginning."""
        body = raw[3:] if raw.startswith(BOM) else raw
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            self.complain(f"{where}: {error}")
            return []
        lines = text.split("\n")
        if lines.pop() != "":
            self.complain(f"{where}: its last line has no end")
        for line in lines:
            if not STAMP.match(line):
                self.complain(f"{where}: a line without its time: {line[:120]!r}")
                break
        self.clean(where, text, job)
        return lines

    def body_of(self, call, known, needed):
        """The JSON body of CALL, or an Answer."""
        try:
            call.data = parse(call.raw)
        except ValueError as error:
            self.complain(f"{call.name}: {error}: {call.raw[:100]!r}")
            return Answer(400, {"message": str(error), "typeKey": "VssPropertyValidationException"})
        if not self.fields(call.name, call.data, known, needed):
            return Answer(400, {"message": "what the double complains of"})
        return None

    def reporting(self, call, job):
        """What holds for everything that a job reports: its lock was renewed, and it is not over."""
        if not job.renewals:
            self.complain(f"{call.name}: before the first renewal of the lock")
        if job.over:
            self.complain(f"{call.name}: after the job was completed")

    # -- results --

    def receiver(self, call):
        job = call.job
        if refusal := self.body_of(call, RECEIVES[call.match[1]][1], [m for m in RECEIVES[call.match[1]][1]]):
            return refusal
        self.reporting(call, job)
        data = call.data
        if data["workflow_run_backend_id"] != job.plan or data["workflow_job_run_backend_id"] != job.id:
            self.complain(f"{call.name}: the run and job are others than the token's")
            return Answer(404, {"code": "not_found", "msg": "workflow run not found"})
        if "uploaded_at" in data and not MILLIS.fullmatch(data["uploaded_at"]):
            self.complain(f"{call.name}: uploaded_at is {data['uploaded_at']!r}")
        return getattr(self, "do_" + call.name.replace("-", "_"))(data, job, call)

    def address(self, names, key, member, limit=None):
        if key not in names:
            names[key] = self.new_blob()
        body = {member: self.blob_url(names[key]), "blob_storage_type": "BLOB_STORAGE_TYPE_AZURE"}
        return Answer(body={**body, **({"soft_size_limit": limit} if limit else {})})

    def do_step_log_url(self, data, job, _call):
        return self.address(job.step_logs, data["step_backend_id"], "logs_url", "1048576")

    def do_job_log_url(self, _data, job, _call):
        names = {None: job.job_log} if job.job_log else {}
        answer = self.address(names, None, "logs_url")
        job.job_log = names[None]
        return answer

    def do_summary_url(self, data, job, _call):
        return self.address(job.summaries, data["step_backend_id"], "summary_url", 1048576)

    def do_diagnostics_url(self, _data, _job, _call):
        return self.address({}, None, "diag_logs_url")

    def do_diagnostics(self, _data, _job, _call):
        return Answer(body={"ok": True})

    def uploaded(self, call, name, count, job):
        blob = self.blobs.get(name)
        if blob is None or not blob.data:
            self.complain(f"{call.name}: nothing was uploaded before it")
            return None
        if blob.kind == "AppendBlob" and not blob.sealed:
            self.complain(f"{call.name}: its blob is not sealed")
        lines = self.stamped(call.name, blob.data, job)
        if int(count) != len(lines):
            self.complain(f"{call.name}: line_count is {count}, there are {len(lines)}")
        return lines

    def do_step_log(self, data, job, call):
        record = data["step_backend_id"]
        if record in job.logged and not self.failing:
            self.complain(f"{call.name}: the second one of {record}")
        job.logged[record] = self.uploaded(call, job.step_logs.get(record), data["line_count"], job) or []
        return Answer(body={"ok": True})

    def do_job_log(self, data, job, call):
        if job.job_logged is not None and not self.failing:
            self.complain(f"{call.name}: the second one")
        job.job_logged = self.uploaded(call, job.job_log, data["line_count"], job) or []
        return Answer(body={"ok": True})

    def do_summary(self, data, job, call):
        name = job.summaries.get(data["step_backend_id"])
        blob = self.blobs.get(name)
        if blob is None or len(blob.data) != int(data["size"]):
            self.complain(f"{call.name}: size is {data['size']}, there are {len(blob.data) if blob else 'no'} bytes")
        else:
            self.clean(call.name, blob.data.decode(errors="replace"), job)
            job.summarised[data["step_backend_id"]] = blob.data.decode(errors="replace")
        return Answer(body={"ok": True})

    def steps(self, call):
        job = call.job
        known = {"change_order": "whole", **RUN, "steps": "list"}
        if refusal := self.body_of(call, known, list(known)):
            return refusal
        self.reporting(call, job)
        data = call.data
        if data["workflow_run_backend_id"] != job.plan or data["workflow_job_run_backend_id"] != job.id:
            self.complain("steps: the run and job are others than the token's")
        last = [c for c in self.of("steps") if c.job is job and c is not call and c.data]
        if data["change_order"] <= job.order and not (last and not last[-1].told):
            self.complain(f"steps: change_order is {data['change_order']}, it was {job.order} before")
        if data["change_order"] > job.order + 1 and not any(not c.told for c in last) and not self.was_away:
            self.complain(f"steps: change_order is {data['change_order']}, wanted {job.order + 1}")
        job.order = max(job.order, data["change_order"])
        for one in data["steps"]:
            self.look_at_update(one, job)
        return Answer(body={})

    def look_at_update(self, one, job):
        if not self.fields("steps", one, UPDATE, ("external_id", "number", "name", "status", "conclusion")):
            return
        where, before = f"steps: '{one['name']}'", job.shown.get(one["external_id"], {})
        for other in job.shown.values():
            if other["number"] == one["number"] and other["external_id"] != one["external_id"]:
                self.complain(f"{where} has the number of '{other['name']}', {one['number']}")
        if before and before["number"] != one["number"]:
            self.complain(f"{where}: its number was {before['number']}, now it is {one['number']}")
        rank = {5: 0, 3: 1, 6: 2}
        if before and rank[one["status"]] < rank[before["status"]]:
            self.complain(f"{where}: its status goes back from {before['status']} to {one['status']}")
        if before and before["status"] == 6 and one["conclusion"] != before["conclusion"]:
            self.complain(f"{where}: its conclusion was {before['conclusion']}, now it is {one['conclusion']}")
        if one["status"] == 6 and (one["conclusion"] == 0 or not one.get("completed_at")):
            self.complain(f"{where}: completed, without conclusion or time")
        if one["status"] != 6 and (one["conclusion"] != 0 or one.get("completed_at")):
            self.complain(f"{where}: a conclusion or its time, and it is not completed")
        if one["status"] == 3 and not one.get("started_at"):
            self.complain(f"{where}: in progress since no time")
        self.clean(where, one["name"], job)
        job.shown[one["external_id"]] = one

    # -- the run service's end --

    def complete(self, call):
        job = call.job
        if refusal := self.body_of(call, COMPLETION, ("planId", "jobId", "conclusion", "outputs", "stepResults")):
            return refusal
        data = call.data
        if data["planId"] != job.plan or data["jobId"] != job.id:
            self.complain("complete: another job than the token's")
        if job.over and not data["stepResults"] and data["conclusion"] == "failed":  # as with event()
            return Answer(204)
        if job.over:
            self.complain("complete: for the second time")
        if job.completed and data != job.completed:
            self.complain("complete: repeated, and it says something else")
        crashed = not data["stepResults"]  # the parent reports a worker's death
        for one in data["stepResults"]:
            self.look_at_result(one, job)
        if not crashed:
            self.look_at_end(job, data)
        for name, output in data["outputs"].items():
            if self.fields(f"complete: output '{name}'", output, OUTPUT, ("value",)):
                self.clean(f"complete: output '{name}'", output["value"], job)
        for one in data.get("annotations", []):
            self.look_at_annotation("complete", one, job)
        if data.get("billingOwnerId", "O_1") != "O_1":
            self.complain(f"complete: billingOwnerId is {data['billingOwnerId']!r}")
        job.completed, job.conclusion = data, data["conclusion"]
        job.outputs = {name: output.get("value") for name, output in data["outputs"].items()}
        return Answer(204)

    def look_at_annotation(self, where, one, job):
        if self.fields(f"{where}: annotation", one, ANNOTATION, ("level", "message")):
            self.clean(f"{where}: annotation", json.dumps(one, ensure_ascii=False), job)

    def look_at_result(self, one, job):
        needed = ("external_id", "number", "name", "status", "conclusion", "started_at", "completed_at")
        if not self.fields("complete: stepResults", one, STEP_RESULT, needed):
            return
        where, shown = f"complete: step '{one['name']}'", job.shown.get(one["external_id"])
        self.clean(where, one["name"], job)
        if one["completed_at"] < one["started_at"]:
            self.complain(f"{where}: it was completed before it started")
        if self.was_away:  # what was told then is not known here
            pass
        elif not shown:
            self.complain(f"{where}: it is in no steps update")
        elif shown["status"] != 6 or shown["conclusion"] != STEP_NUMBERS.get(one["conclusion"]):
            self.complain(f"{where}: {one['conclusion']}; the updates have {shown['status']}, {shown['conclusion']}")
        elif shown["number"] != one["number"] or shown["name"] != one["name"]:
            self.complain(f"{where}: number {one['number']}; the updates have '{shown['name']}', {shown['number']}")
        for note in one.get("annotations", []):
            self.look_at_annotation(where, note, job)

    @staticmethod
    def never_began(steps):
        """Whether STEPS (results, or records of the timeline) are those of a job that failed while it was set up: the message's have none then."""
        return len(steps) == 1 and steps[0].get("name") == "Set up job" and steps[0].get("conclusion", steps[0].get("result")) != "succeeded"

    def look_at_end(self, job, data):
        ids = [one.get("external_id") for one in data["stepResults"]]
        if len(set(ids)) < len(ids):
            self.complain("complete: a step is there twice")
        wanted = [] if self.never_began(data["stepResults"]) else [one["id"] for one in job.steps if one.get("enabled", True)]
        for missing in [i for i in wanted if i not in ids]:
            self.complain(f"complete: the job's step {missing} is missing")
        if [i for i in ids if i in wanted] != [i for i in wanted if i in ids]:
            self.complain("complete: the steps are in another order than the job's")
        for record in [r for r in job.logged if r not in job.shown and not self.was_away]:
            self.complain(f"complete: {record} has a log, and is no step in the updates")
        for shown in job.shown.values():
            if shown["status"] != 6 and not self.was_away:
                self.complain(f"complete: '{shown['name']}' is not completed in the steps updates")
        if self.failing:
            return
        names = {one["external_id"]: one for one in data["stepResults"]}
        for record in job.step_logs:
            if record not in job.logged:
                self.complain(f"complete: the log of {names.get(record, {}).get('name', record)} has no metadata")
        if job.job_logged is None:
            self.complain("complete: before the job's log")
        elif sorted(job.job_logged) != sorted(line for lines in job.logged.values() for line in lines):
            self.complain("complete: the job's log is not the lines of its steps")

    def id_token(self, call):
        """For a step; of a job that the service does not know to run it does not answer for anybody."""
        if call.job.legacy and call.job.records.get(call.job.id, {}).get("state") != "inProgress":
            return Answer(400, {"message": "the job is not in progress"})
        return Answer(body={"count": 1, "value": "head.claims.signature"})

    # -- the timeline --

    def records(self, call):
        job = call.job
        if refusal := self.body_of(call, {"count": "whole", "value": "list"}, ("count", "value")):
            return refusal
        self.reporting(call, job)
        self.wrapped(call)
        for one in call.data["value"]:
            self.look_at_record(one, job)
            job.records.setdefault(one.get("id"), {}).update({k: v for k, v in one.items() if v is not None})
        return Answer(body={"count": len(job.records), "value": list(job.records.values())})

    def wrapped(self, call):
        if call.data["count"] != len(call.data["value"]):
            self.complain(f"{call.name}: count is {call.data['count']}, there are {len(call.data['value'])}")

    def look_at_record(self, one, job):
        if not self.fields("records", one, RECORD, ("id",)):
            return
        before = job.records.get(one["id"], {})
        where = f"records: '{one.get('name', before.get('name', one['id']))}'"
        if not before and not {"type", "name", "state"} <= one.keys():
            self.complain(f"{where}: a new one without type, name or state")
        if one.get("type") == "Job" and one["id"] != job.id:
            self.complain(f"{where}: the job's id is another")
        if one.get("type") == "Task" and one.get("parentId") != job.id:
            self.complain(f"{where}: its parent is not the job")
        rank = {None: -1, "pending": 0, "delayed": 0, "inProgress": 1, "completed": 2}
        if rank[one.get("state") or before.get("state")] < rank[before.get("state")]:
            self.complain(f"{where}: its state goes back from {before['state']} to {one['state']}")
        now = {**before, **{k: v for k, v in one.items() if v is not None}}
        if now.get("state") == "completed" and (not now.get("result") or not now.get("finishTime")):
            self.complain(f"{where}: completed, without result or finishTime")
        if now.get("state") == "inProgress" and not now.get("startTime"):
            self.complain(f"{where}: in progress since no time")
        for other in job.records.values():
            if other.get("order") and other["order"] == one.get("order") and other["id"] != one["id"]:
                self.complain(f"{where} has the order of '{other['name']}', {one['order']}")
        if one.get("log") is not None and (not isinstance(one["log"], dict) or one["log"].get("id") not in job.logs):
            self.complain(f"{where}: there is no log {one['log']}")
        issues = one.get("issues", [])
        for issue in issues:
            if self.fields(f"{where}: issue", issue, ISSUE, ("type",)):
                self.clean(f"{where}: issue", json.dumps(issue, ensure_ascii=False), job)
                if len(issue.get("message") or "") > 4096:
                    self.complain(f"{where}: an issue of {len(issue['message'])} characters")
        self.clean(where, str(one.get("name", "")), job)

    def new_log(self, call):
        job = call.job
        if refusal := self.body_of(call, {"path": "filled"}, ("path",)):
            return refusal
        self.reporting(call, job)
        start, _, record = call.data["path"].partition("\\")
        if start != "logs" or not is_a(record, "guid"):
            self.complain(f"new-log: its path is {call.data['path']!r}")
        job.logs[len(job.logs) + 1] = Log(record)
        return Answer(body={"id": len(job.logs), "path": call.data["path"], "location": None, "lineCount": 0})

    def log(self, call):
        job, number = call.job, int(call.match[1])
        self.reporting(call, job)
        if call.headers.get("Content-Type") != "application/octet-stream":
            self.complain(f"log: Content-Type is {call.headers.get('Content-Type')!r}")
        if number not in job.logs:
            self.complain(f"log: there is no log {number}")
            return Answer(404)
        self.stamped(f"log {number}", call.raw, job)
        job.logs[number] += call.raw
        return Answer(body={"id": number, "path": f"logs\\{job.logs[number].record}"})

    def feed(self, call):
        if refusal := self.body_of(call, FEED, ("count", "value", "stepId")):
            return refusal
        self.reporting(call, call.job)
        if call.match[1] != call.job.id:
            self.complain("feed: its record is not the job's")
        self.lines_told(call, call.job, call.data)
        return Answer(200)

    def lines_told(self, call, job, data):
        if data["count"] != len(data["value"]):
            self.complain(f"{call.name}: count is {data['count']}, there are {len(data['value'])}")
        for line in data["value"]:
            if STAMP.match(line) or "\n" in line or not line or len(line) > 1027:
                self.complain(f"{call.name}: this is no live line: {line[:80]!r}")
            self.clean(call.name, line, job)
        job.feed.setdefault(data.get("stepId"), []).extend(data["value"])

    def attachment(self, call):
        job, (record, kind, name) = call.job, map(urllib.parse.unquote, call.match.groups())
        self.reporting(call, job)
        if record != job.id:
            self.complain("attachment: its record is not the job's")
        if kind != "Checks.Step.Summary":
            self.complain(f"attachment: its type is {kind!r}")
        if call.headers.get("Content-Type") != "application/octet-stream":
            self.complain(f"attachment: Content-Type is {call.headers.get('Content-Type')!r}")
        self.clean("attachment", call.raw.decode(errors="replace"), job)
        job.attachments[kind, name] = job.summarised[name] = call.raw.decode(errors="replace")
        return Answer(body={"type": kind, "name": name})

    def event(self, call):
        job = call.job
        if refusal := self.body_of(call, EVENT, ("name", "jobId", "requestId", "result", "outputs")):
            return refusal
        data = call.data
        if data["jobId"] != job.id or int(data["requestId"]) != job.request_id:
            self.complain("event: another job than the token's")
        if job.over and "actionsStepsTelemetry" not in data and data["result"] == "failed":  # the next listener cannot know that the one before was heard
            return Answer(200)
        if job.over:
            self.complain("event: for the second time")
        tasks = [r for r in job.records.values() if r.get("type") == "Task"]
        crashed = not tasks
        for record in job.records.values():
            if record.get("state") != "completed" and not self.failing:
                self.complain(f"event: the record '{record.get('name')}' is not completed")
        if not crashed and not self.failing:
            if not any(log.record == job.id for log in job.logs.values()):
                self.complain("event: before the job's log")
            for wanted in [] if self.never_began(tasks) else job.steps:
                if wanted["id"] not in job.records:
                    self.complain(f"event: the job's step {wanted['id']} has no record")
            for number, log in job.logs.items():
                if log.record not in job.records or job.records[log.record].get("log") is None:
                    self.complain(f"event: no record has the log {number}")
        for name, output in data["outputs"].items():
            if self.fields(f"event: output '{name}'", output, OUTPUT, ("value",)):
                self.clean(f"event: output '{name}'", output["value"], job)
        job.completed, job.conclusion = data, data["result"]
        job.outputs = {name: output.get("value") for name, output in data["outputs"].items()}
        return Answer(200)

    # -- live lines --

    def socket(self, call):
        key = call.headers.get("Sec-WebSocket-Key", "")
        if call.headers.get("Upgrade", "").lower() != "websocket" or call.headers.get("Sec-WebSocket-Version") != "13":
            self.complain("socket: this is no request for one")
            return Answer(400)
        if not call.job.renewals:
            self.complain("socket: before the first renewal of the lock")
        proof = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        return Answer(101, headers={"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": proof},
                      then=self.listen_on_socket)

    def listen_on_socket(self, request, call):
        message = b""
        while not self.closing.is_set():
            head = request.rfile.read(2)
            if len(head) < 2:
                return
            final, code, size = head[0] & 0x80, head[0] & 0x0f, head[1] & 0x7f
            if size > 125:
                size = struct.unpack(">H" if size == 126 else ">Q", request.rfile.read(2 if size == 126 else 8))[0]
            if not head[1] & 0x80:
                self.complain("socket: a frame that is not masked")
                return
            mask = request.rfile.read(4)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(request.rfile.read(size)))
            if code == 8:
                request.connection.sendall(bytes([0x88, len(data)]) + data)
                return
            if code == 9:
                request.connection.sendall(bytes([0x8a, len(data)]) + data)
            if code in (0, 1):
                if size > 1024:
                    self.complain(f"socket: a fragment of {size} bytes")
                message += data
                if final:
                    self.hear(call, message)
                    message = b""

    def hear(self, call, message):
        with self.turn:
            try:
                data = parse(message)
            except ValueError as error:
                self.complain(f"socket: {error}: {message[:80]!r}")
                return
            if self.fields("socket", data, FEED, ("count", "value", "stepId", "startLine")):
                self.lines_told(call, call.job, data)
                self.turn.notify_all()
