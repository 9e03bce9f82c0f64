"""What a worker does with jobs as GitHub's service gives them out: a job is handed to it as the listener would, and the
services that it asks are played here."""

import base64
import http.server
import io
import json
import subprocess
import tarfile
import textwrap
import threading

from case import case
from world import Finished, check

SHA = "0123456789abcdef0123456789abcdef01234567"
OUTER = """
    name: Outer
    runs:
      using: composite
      steps:
        - {shell: bash, run: 'echo "outer of $GITHUB_ACTION_PATH" | sed s,/.*work/,,'}
        - uses: acme/inner/deep@v2
    """
INNER = """
    name: Inner
    runs: {using: composite, steps: [{shell: bash, run: echo inner}]}
    """


class Service:
    """Launch and codeload in one. FAILURES are statuses that come first; REFUSED: all that launch says."""

    def __init__(self, failures=(), refused=None):
        self.asked, self.archives, self.failures, self.refused = [], [], list(failures), refused
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def reply(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.asked.append((self.path, self.headers["Authorization"], body))
                if service.failures:
                    self.reply(service.failures.pop(0), b"{}")
                elif service.refused:
                    self.reply(422, json.dumps({"errors": {"x": {"message": service.refused}}}).encode())
                else:
                    self.reply(200, json.dumps({"actions": {
                        f"{a['action']}@{a['version']}": service.info(a["action"]) for a in body["actions"]}}).encode())

            def do_GET(self):
                service.archives.append((self.path, self.headers["Authorization"]))
                self.reply(200, service.archive(self.path))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def info(self, name):
        info = {"name": name, "resolved_name": name, "resolved_sha": SHA, "tar_url": f"{self.url}/tar/{name}?key=hidden"}
        if name == "acme/outer":
            info["authentication"] = {"token": "ghs_of_the_answer"}
        else:
            info["package_details"] = {"version": "2.0.1", "manifest_digest": "sha256:77"}
        return info

    @staticmethod
    def archive(path):
        files = {"action.yml": OUTER} if "outer" in path else {"deep/action.yml": INNER}
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            for name, text in files.items():
                data = textwrap.dedent(text).encode()
                entry = tarfile.TarInfo("top-0123456/" + name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        return out.getvalue()


def events_of(raw):
    """The worker's own stream: an event a line, the text of a log event behind it."""
    events, at = [], 0
    while at < len(raw):
        end = raw.index(b"\n", at)
        event = json.loads(raw[at:end])
        at = end + 1
        if event["event"] == "log":
            event["text"] = raw[at:at + event["size"]].decode()
            at += event["size"]
        events.append(event)
    return events


def work(w, *steps, env=None, **members):
    """Lets a worker do a job of STEPS with these MEMBERS."""
    job = {"id": "build", "key": "r/1", "name": "build (1)", "file": "ci.yml", "dir": str(w.root / "job"),
           "work_root": "app/app", "cancel_timeout_ms": 5000, "store": str(w.root / "store"),
           "store_source": "https://github.com", "secrets": [["github_token", "ghs_own_token"]],
           "contexts": {"github": {"repository": "acme/app"}},
           "steps": [{"id": f"s{i}", "record": f"record-{i}", "if": "success()", **s} for i, s in enumerate(steps)],
           **members}
    w.write("job.json", json.dumps(job), below=w.root)
    script = 'exec "$0" worker 3<"$1" 4>&1 1>&2 5</dev/null'
    done = subprocess.run(["bash", "-c", script, w.ostler, str(w.root / "job.json")], cwd=w.repo, timeout=60,
                          env={**w.env, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return Finished(["ostler", "worker"], done.returncode, done.stdout, done.stderr, 0,
                    events_of(done.stdout)).exits(0)


def resolving(service, **more):
    return {"resolver": "launch", "resolver_url": f"{service.url}/resolve",
            "runtime": [["ACTIONS_RUNTIME_TOKEN", "JOB1"]], **more}


def basic(token):
    return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()


@case()
def actions_are_what_the_service_says(w):
    s = Service()
    r = work(w, {"uses": "acme/outer@v1"},
             {"run": "echo ghs_of_the_answer; echo " + basic("ghs_of_the_answer")[6:]},
             **resolving(s, resolver_pins=["acme/outer@v1 pin"]))
    r.equal("result", r.of("job.finished")[0]["result"], "success")
    r.says("Using locked action versions from the workflow's lockfile", "Getting action download info",
           f"Download action repository 'acme/outer@v1' (SHA:{SHA})",
           "##[group]Download immutable action package 'acme/inner@v2'", "Version: 2.0.1", "Digest: sha256:77",
           f"Source commit SHA: {SHA}", step="Set up job")
    r.says("outer of _actions/acme/outer/v1", "inner", step="Run acme/outer@v1")
    check("ghs_of_the_answer" not in r.out and basic("ghs_of_the_answer")[6:] not in r.out, r)
    asked = [(path, who, body["actions"], body.get("actions_dependencies")) for path, who, body in s.asked]
    r.equal("requests", asked, [
        ("/resolve", "Bearer JOB1", [{"action": "acme/outer", "version": "v1", "path": ""}], ["acme/outer@v1 pin"]),
        ("/resolve", "Bearer JOB1", [{"action": "acme/inner", "version": "v2", "path": "deep"}], ["acme/outer@v1 pin"])])
    r.equal("archives", s.archives, [("/tar/acme/outer?key=hidden", basic("ghs_of_the_answer")),
                                     ("/tar/acme/inner?key=hidden", basic("ghs_own_token"))])

    r = work(w, {"uses": "acme/outer@v1"}, **resolving(s))
    r.says("inner", step="Run acme/outer@v1")
    r.equal("requests and archives", (len(s.asked), len(s.archives)), (4, 2))  # what is here is not fetched again

    r = work(w, {"uses": "acme/outer@v1"}, **resolving(s), store_source=f"file://{w.root}/none")
    r.equal("result", r.of("job.finished")[0]["result"], "failure")
    r.equal("requests", len(s.asked), 4)  # a source of one's own comes first

    for name in ("v1", SHA):  # what was fetched for others: offline nobody says who may have it
        r = work(w, {"uses": f"acme/outer@{name}"}, **resolving(s), offline=True)
        r.equal("result", r.of("job.finished")[0]["result"], "failure")
        check("is not in the action store" in r.of("annotation", level="error")[0]["message"], r)
    r.equal("requests", len(s.asked), 4)


@case(who="user")
def what_the_service_refuses_fails_the_job_in_its_words(w):
    s = Service(refused="Unable to resolve action `acme/outer@v9`, unable to find version `v9`")
    r = work(w, {"uses": "acme/outer@v9"}, **resolving(s))
    r.equal("result", r.of("job.finished")[0]["result"], "failure")
    r.equal("errors", [e["message"] for e in r.of("annotation", level="error")], [s.refused])
    r.equal("requests", len(s.asked), 1)

    s = Service(failures=[500, 404])
    r = work(w, {"uses": "acme/outer@v1"}, env={"_GITHUB_ACTION_DOWNLOAD_NO_BACKOFF": "1"}, **resolving(s))
    r.equal("result", r.of("job.finished")[0]["result"], "success")
    r.says("Failed to resolve action download info. Error: the server answered 500", "Retrying in ", step="Set up job")

    s = Service(failures=[503, 503, 503])
    r = work(w, {"uses": "acme/outer@v1"}, env={"_GITHUB_ACTION_DOWNLOAD_NO_BACKOFF": "1"}, **resolving(s))
    r.equal("errors", [e["message"] for e in r.of("annotation", level="error")],
            ["Failed to resolve action download info: HTTP 503"])
    r.equal("requests", len(s.asked), 3)


@case(who="user")
def expressions_hide_what_they_match_wherever_text_leaves(w):
    r = work(w,
             {"run": "echo one tok_abc1 two; echo '::warning title=tok_abc2::see tok_abc3'; "
                     "echo '# tok_abc4' >> $GITHUB_STEP_SUMMARY; "
                     "echo kept=plain >> $GITHUB_OUTPUT; echo lost=tok_abc5 >> $GITHUB_OUTPUT; "
                     "printf 'x%.0s' {1..70000}; echo ' tok_abc6 end'; echo as it is: hide-me"},
             {"run": "exit 0", "name": "called tok_abc7"},
             mask_patterns=[["mask 0", "\\btok_\\w+"], ["mask 1", "(["]], masks=[["a", "hide-me"]],
             outputs={"type": 2, "map": [{"Key": k, "Value": {"type": 3, "expr": f"steps.s0.outputs.{k}"}}
                                         for k in ("kept", "lost")]},
             environment_url={"type": 3, "expr": "format('https://{0}.test', steps.s0.outputs.kept)"},
             runner_name="box-1", runner_group="Default", permissions="Contents: read\nMetadata: read",
             variables=[["ACTIONS_STEP_DEBUG", "true"], ["system.runnerEnvironment", "self-hosted"]])
    check("tok_abc" not in r.out, r)
    check("hide-me" not in r.out, r)
    done = r.of("job.finished")[0]
    r.equal("result", (done["result"], done["outputs"], done["environment_url"]),
            ("success", {"kept": "plain"}, "https://plain.test"))
    r.says("one *** two", "xxx *** end", "as it is: ***")
    r.says("Skip output 'lost' since it may contain secret.", step="Complete job")
    r.equal("annotation", [(e["title"], e["message"]) for e in r.of("annotation", title="***")], [("***", "see ***")])
    r.equal("summary", [e["markdown"] for e in r.of("summary")], ["# ***\n"])
    r.step("called ***")
    r.says("Runner name: 'box-1'\nRunner group name: 'Default'\nMachine name: '",
           "##[group]GITHUB_TOKEN Permissions\nContents: read\nMetadata: read\n##[endgroup]",
           "##[debug]mask 1 of the server's is left out: ", step="Set up job")
    r.equal("records", [e.get("record") for e in r.of("step.started")], [None, "record-0", "record-1", None])
