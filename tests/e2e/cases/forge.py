"""With a real Gitea, which only tests/run.sh --thorough builds."""

import http.client
import json
import re
import time
import uuid

from case import case
from forge import Forge
from gitea_double import GiteaDouble
from listening import Listener
from world import check

THOROUGH = {"quick": False, "limit": 300, "thorough": True, "who": "root"}
RPC = "/api/actions/runner.v1.RunnerService/"
WORKFLOW = """\
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        n: [1]
    outputs:
      v: ${{ steps.a.outputs.v }}
    steps:
      - id: a
        run: echo "v=1" >> "$GITHUB_OUTPUT"
      - run: echo done
"""
WORDS_DIFFER = ("no JSON",)


class Client:
    """Sends what it is told and writes down what comes, with names in place of what differs from run to run."""

    def __init__(self, port):
        self.port, self.headers, self.answers = port, {}, []

    def call(self, name, body, **headers):
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"Content-Type": "application/json", "Connect-Protocol-Version": "1", "User-Agent": "ostler/1", **self.headers,
                **{key.replace("_", "-"): value for key, value in headers.items()}}
        line.request("POST", RPC + name, body if isinstance(body, str) else json.dumps(body), sent)
        answer = line.getresponse()
        status, data = answer.status, answer.read().decode()
        line.close()
        return status, json.loads(data) if data[:1] == "{" else data

    def note(self, what, status, got):
        text = json.dumps(got, sort_keys=True)
        text = re.sub(r'"uuid": "[^"]+"', '"uuid": "U"', text)
        self.answers.append((what, status, re.sub(r'"token": "[0-9a-f]{40}"', '"token": "T"', text)))

    def ask(self, what, name, body, **headers):
        status, got = self.call(name, body, **headers)
        self.note(what, status, got)
        return got

    def fetch(self, version):
        return self.call("FetchTask", {"tasksVersion": version}, x_runner_request_key=str(uuid.uuid4()))[1]


def conversation(client, token):
    """All that can be asked of a server: what it says to what is right, and to what is wrong."""
    name = {"name": "ostler-1", "token": token, "version": "ostler/1.0", "labels": ["ubuntu-latest"]}
    client.ask("another token", "Register", {**name, "token": "nonsense"})
    runner = client.ask("registered", "Register", name)["runner"]
    client.ask("nobody", "Declare", {"version": "ostler/1.0", "labels": ["ubuntu-latest"]})
    client.headers = {"x-runner-uuid": runner["uuid"], "x-runner-token": runner["token"]}
    client.ask("declared", "Declare", {"version": "ostler/1.0", "labels": ["ubuntu-latest"]})
    client.ask("another runner's token", "FetchTask", {"tasksVersion": "0"}, x_runner_token="0" * 40)
    end = time.monotonic() + 30
    while "task" not in (got := client.fetch("0")):
        check(time.monotonic() < end, "no task came")
        time.sleep(0.2)
    task = got["task"]
    # The context of another Gitea may have more; what the double has, the real one has.
    client.note("members of a task", 200, sorted(set(task) & {"id", "workflowPayload", "context", "secrets", "vars"}))
    client.note("its secrets", 200, sorted(task["secrets"]))
    client.context = {key: type(value).__name__ for key, value in task["context"].items()}
    number = task["id"]
    client.note("nothing more", 200, sorted(client.fetch("0")))

    def steps(*states):
        return [{"id": str(i), **state} for i, state in enumerate(states)]

    def row(text):
        return {"time": "2026-08-01T10:00:00.1Z", "content": text}

    def log(what, index, rows, **more):
        client.ask(what, "UpdateLog", {"taskId": number, "index": str(index), "rows": [row(r) for r in rows], **more})

    def state(what, state, **more):
        client.ask(what, "UpdateTask", {"state": {"id": number, **state}, **more})

    begun, done = {"startedAt": "2026-08-01T10:00:01Z"}, {"startedAt": "2026-08-01T10:00:01Z", "stoppedAt": "2026-08-01T10:00:02Z",
                                                          "result": "RESULT_SUCCESS"}
    state("a heartbeat", {"startedAt": "2026-08-01T10:00:00Z", "steps": steps({}, {})})
    log("the first rows", 0, ["one", "two"])
    log("the same again", 0, ["one", "two"])
    log("one that is there, and one more", 1, ["two", "three"])
    log("beyond what is there", 7, ["seven"])
    log("no rows", 0, [])
    log("the end, and no rows", 3, [], noMore=True)
    state("a step runs", {"steps": steps({**begun, "logIndex": "1"}, {})})
    state("it is done", {"steps": steps({**done, "logIndex": "1", "logLength": "1"}, {})}, outputs={"v": "1", "w": ""})
    state("an output is another", {"steps": steps({**done, "logIndex": "1", "logLength": "1"}, {})}, outputs={"v": "2"})
    client.ask("a task that is none", "UpdateLog", {"taskId": "77777", "index": "0", "rows": [row("x")]})
    client.ask("no JSON", "UpdateLog", "{")
    client.ask("no such call", "UpdateNothing", {})
    log("the end", 3, ["four"], noMore=True)
    log("the end again", 3, ["four"], noMore=True)
    log("a row after the end", 4, ["five"])
    final = {"stoppedAt": "2026-08-01T10:00:03Z", "result": "RESULT_SUCCESS",
             "steps": steps({**done, "logIndex": "1", "logLength": "1"}, {**done, "logIndex": "2", "logLength": "1"})}
    state("the result", final)
    state("the result again", final)
    state("another result", {**final, "result": "RESULT_FAILURE"})


@case(**THOROUGH)
def the_gitea_double_answers_as_the_real_one(w):
    with Forge(w) as forge:
        repository = forge.repository("demo", {"FOO": "barbarbar"}, {"V1": "x"})
        forge.push(repository, {".gitea/workflows/ci.yml": WORKFLOW})
        real = Client(forge.port)
        conversation(real, forge.registration())
    with GiteaDouble() as double:
        double.push(WORKFLOW.replace("  n: [1]", "  n:\n          - 1"), secrets={"FOO": "barbarbar"}, variables={"V1": "x"})
        ours = Client(double.port)
        conversation(ours, double.registration)
    number = re.compile(r'"(99|1)"')  # of the task
    differ = [f"{one}\n  the double: {other}" for one, other in zip(real.answers, ours.answers, strict=True)
              if one[:2] != other[:2] or (number.sub("N", one[2]) != number.sub("N", other[2]) and one[0] not in WORDS_DIFFER)]
    check(not differ, "the real one answers otherwise:\n" + "\n".join(differ))
    for key, kind in ours.context.items():
        check(real.context.get(key) == kind, f"context.{key}: the real one has {real.context.get(key)}, the double {kind}")


TREE = {".gitea/workflows/ci.yml": """\
    on: push
    jobs:
      lint:
        runs-on: ubuntu-latest
        outputs: {ok: "${{ steps.l.outputs.ok }}"}
        steps:
          - {id: l, run: 'echo "ok=yes" >> "$GITHUB_OUTPUT"'}
      build:
        needs: lint
        runs-on: ubuntu-latest
        strategy: {matrix: {n: [1, 2]}}
        steps:
          - uses: actions/checkout@v4
          - name: values
            env: {WORD: "${{ secrets.WORD }}"}
            run: |
              echo "n=${{ matrix.n }} region=${{ vars.REGION }} lint=${{ needs.lint.outputs.ok }} on ${{ github.event_name }}"
              echo "the word is $WORD"
              test "$(cat hello)" = "hello from the tree"
          - uses: actions/upload-artifact@v4
            with: {name: "tree-${{ matrix.n }}", path: hello}
      take:
        needs: build
        runs-on: ubuntu-latest
        steps:
          - uses: actions/download-artifact@v4
            with: {path: got}
          - run: test "$(cat got/tree-1/hello got/tree-2/hello | sort -u)" = "hello from the tree"
      never:
        needs: build
        if: failure()
        runs-on: ubuntu-latest
        steps: [{run: exit 1}]
    """, "hello": "hello from the tree\n"}


@case(**THOROUGH)
def a_push_becomes_a_green_check_on_a_real_gitea(w):
    with Forge(w) as forge:
        repository = forge.repository("demo", {"WORD": "swordfish-1234"}, {"REGION": "eu"})
        (w.root / "registrations").mkdir(mode=0o700)
        w.ostler_call("register", "--url", forge.url, "--token", forge.registration(), "--name", "ostler-1", "--labels", "ubuntu-latest:host",
                      "--dir", w.root / "registrations" / "home", "--unattended").exits(0)
        listener = Listener(w)
        commit = forge.push(repository, TREE)
        state, checks = forge.status(repository, commit)
        jobs = {job["name"]: job for job in forge.jobs(repository)}
        logs = {name: forge.job_log(repository, job) for name, job in jobs.items() if job.get("conclusion") in ("success", "failure")}
        done = listener.drain()
    check(state == "success", f"{state}: {checks}\n{logs}\n{done}")
    check({name: job.get("conclusion") for name, job in jobs.items()} ==
          {"lint": "success", "build (1)": "success", "build (2)": "success", "take": "success", "never": "skipped"}, f"{jobs}\n{done}")
    for n in (1, 2):
        log = logs[f"build ({n})"]
        for text in (f"n={n} region=eu lint=yes on push", "the word is ***", "Job succeeded"):
            check(text in log, f"the log of build ({n}) lacks {text!r}:\n{log}")
        check("swordfish" not in log, log)
        steps = [step["conclusion"] for step in jobs[f"build ({n})"]["steps"]]
        check(steps and set(steps) == {"success"}, f"{jobs}")
