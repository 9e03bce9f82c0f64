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


def register(w, forge, name, token, *args, labels="ubuntu-latest:host"):
    (w.root / "registrations").mkdir(mode=0o700, exist_ok=True)
    w.ostler_call("register", "--url", forge.url, "--token", token, "--name", name, "--labels", labels,
                  "--dir", w.root / "registrations" / name, "--unattended", *args).exits(0)


def one_job(script):
    return {".gitea/workflows/ci.yml": f"on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n      - run: {json.dumps(script)}\n"}


def until(what, wanted, limit=30):
    end = time.monotonic() + limit
    while (got := what()) != wanted:
        check(time.monotonic() < end, f"it is {got}, wanted {wanted}")
        time.sleep(0.2)


@case(**THOROUGH)
def a_push_becomes_a_green_check_on_a_real_gitea(w):
    with Forge(w) as forge:
        repository = forge.repository("demo", {"WORD": "swordfish-1234"}, {"REGION": "eu"})
        register(w, forge, "ostler-1", forge.registration())
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


@case(**THOROUGH)
def runners_of_every_scope_run_the_jobs_of_theirs(w):
    """An organisation's, a repository's, and one of the whole instance; what they are called by changes with a declaration."""
    with Forge(w) as forge:
        places = {"org": forge.repository("one", organisation=forge.organisation("acme")), "repo": forge.repository("two")}
        other = forge.repository("three")
        register(w, forge, "org", forge.registration(organisation="acme"))
        register(w, forge, "repo", forge.registration(places["repo"]))
        listener = Listener(w)
        commits = {name: forge.push(place, one_job("echo here")) for name, place in places.items()}
        waits = forge.push(other, one_job("echo here"))
        for name, place in places.items():
            state, checks = forge.status(place, commits[name])
            check(state == "success", f"{name}: {checks}")
            check(forge.jobs(place)[0]["runner_name"] == name, f"{forge.jobs(place)}")
        check(forge.jobs(other)[0]["status"] in ("queued", "waiting"), f"{forge.jobs(other)}")
        listener.drain()
        register(w, forge, "all", forge.registration())
        listener = Listener(w)
        check(forge.status(other, waits)[0] == "success" and forge.jobs(other)[0]["runner_name"] == "all", f"{forge.jobs(other)}")
        listener.drain()
        kept = w.root / "registrations" / "all" / ".runner"
        kept.write_text(json.dumps({**json.loads(kept.read_text()), "labels": ["ubuntu-latest:host", "gpu:host"]}))
        listener = Listener(w)
        until(lambda: sorted(forge.runners()["all"]), ["gpu", "ubuntu-latest"])
        for name in ("all", "org", "repo"):
            forge.remove_runner(name)
        done = listener.ended(code=1)
        check(done.err.count("does not know the runner") == 3, str(done))


@case(**THOROUGH)
def an_ephemeral_runner_takes_one_job_and_is_gone(w):
    with Forge(w) as forge:
        repository = forge.repository("demo")
        commits = [forge.push(repository, one_job(f"echo {n}"), f"{n}") for n in (1, 2)]
        for number, commit in enumerate(commits):
            register(w, forge, f"once-{number}", forge.registration(), "--ephemeral")
            Listener(w).ended(code=0, limit=60)
            check(forge.status(repository, commit)[0] == "success", f"{forge.jobs(repository)}")
            check(not forge.runners(), f"{forge.runners()}")
            for path in sorted((w.root / "registrations").rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()


# Lines as they come, as they must be shown, and how the server's own cut is told from ours.
ODD = """\
printf 'caf\\351 \\377\\376 bad\\n'
printf 'a\\000b nul\\n'
printf 'one\\rtwo cr\\r\\n'
printf '\\033[31mred\\033[0m esc\\n'
printf 'tab\\there \\\\ "quote" \\342\\234\\223 end\\n'
head -c 200000 /dev/zero | tr '\\0' x; echo
printf '::notice file=a.c,line=1::told\\n'
yes '0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 01234567890' | head -n 120000
echo all of it
"""


@case(**{**THOROUGH, "limit": 600})
def a_log_of_ten_megabytes_and_all_kinds_of_bytes_arrives(w):
    with Forge(w) as forge:
        repository = forge.repository("demo")
        register(w, forge, "ostler-1", forge.registration())
        listener = Listener(w)
        commit = forge.push(repository, one_job(ODD))
        state, checks = forge.status(repository, commit, 300)
        log = forge.job_log(repository, forge.jobs(repository)[0])
        done = listener.drain()
    lines = [line.partition(" ")[2] for line in log.split("\n")]
    check(state == "success", f"{checks}\n{log[-3000:]}\n{done}")
    check(sum(line.startswith("0123456789 ") for line in lines) == 120000, f"{len(lines)} lines\n{log[-2000:]}")
    check(sum(len(line) for line in lines if line.strip("x") == "") == 200000, "the long line is not whole")
    for text in ("caf\ufffd \ufffd\ufffd bad", "\x1b[31mred\x1b[0m esc", 'tab\there \\ "quote" \u2713 end', "all of it", "Job succeeded"):
        check(text in lines, f"{text!r} is not there:\n{[line for line in lines if not line.startswith('0123')][:60]}")
    check(any("b nul" in line for line in lines) and any("two cr" in line for line in lines), f"{lines[:60]}")


@case(**THOROUGH)
def a_server_that_is_started_anew_misses_nothing(w):
    with Forge(w) as forge:
        repository = forge.repository("demo")
        register(w, forge, "ostler-1", forge.registration())
        listener = Listener(w)
        commit = forge.push(repository, one_job("for i in $(seq 60); do echo line-$i; sleep 0.2; done"))
        until(lambda: [job["status"] for job in forge.jobs(repository)], ["in_progress"])
        time.sleep(2)  # a part of it is told
        forge.stop()
        time.sleep(4)
        forge.start()
        listener.others.add(forge.process.pid)
        state, checks = forge.status(repository, commit)
        log = forge.job_log(repository, forge.jobs(repository)[0])
        done = listener.drain()
    check(state == "success", f"{checks}\n{log}\n{done}")
    check(re.findall(r"^\S+ (line-\d+)$", log, re.M) == [f"line-{n}" for n in range(1, 61)], log)


@case(**THOROUGH)
def actions_of_private_repositories_are_had_by_who_may_read_them(w):
    """The job's own repository has one; that of somebody else is not shown to it, though the store has it."""
    with Forge(w) as forge:
        action = "runs:\n  using: composite\n  steps: [{run: 'echo a private one', shell: bash}]\n"
        mine, other = forge.repository("mine", private=True), forge.repository("other", organisation=forge.organisation("acme"))
        register(w, forge, "ostler-1", forge.registration())
        listener = Listener(w)
        flow = "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps: [{uses: %s@%s}]\n"
        commit = forge.push(mine, {"action.yml": action, ".gitea/workflows/ci.yml": flow % (mine, "main")})
        state, checks = forge.status(mine, commit)
        log = forge.job_log(mine, forge.jobs(mine)[0])
        check(state == "success" and "a private one" in log, f"{checks}\n{log}")
        stolen = forge.push(other, {".gitea/workflows/ci.yml": flow % (mine, commit)})
        state, checks = forge.status(other, stolen)
        log = forge.job_log(other, forge.jobs(other)[0])
        listener.drain()
        check(state == "failure" and "there is no" in log and "a private one" not in log, f"{checks}\n{log}")


@case(**THOROUGH)
def a_called_workflow_is_run_whoever_takes_it_apart(w):
    """Gitea 1.26 leaves it to the runner, 1.27 makes jobs of it; what depends on it hears of its outputs either way."""
    called = """\
        on:
          workflow_call:
            inputs: {word: {type: string, required: true}}
            secrets: {KEY: {required: true}}
            outputs: {sum: {value: "${{ jobs.two.outputs.sum }}"}}
        jobs:
          one: {runs-on: ubuntu-latest, steps: [{run: 'echo "one ${{ inputs.word }} ${{ secrets.KEY }}"'}]}
          two:
            needs: one
            runs-on: ubuntu-latest
            outputs: {sum: "${{ steps.s.outputs.sum }}"}
            steps: [{id: s, run: 'echo "sum=42" >> "$GITHUB_OUTPUT"'}]
        """
    caller = """\
        on: push
        jobs:
          before:
            runs-on: ubuntu-latest
            outputs: {ok: "${{ steps.b.outputs.ok }}"}
            steps: [{id: b, run: 'echo "ok=yes" >> "$GITHUB_OUTPUT"'}]
          call:
            needs: before
            uses: ./.gitea/workflows/called.yml
            with: {word: "${{ needs.before.outputs.ok }}"}
            secrets: {KEY: "${{ secrets.WORD }}"}
          after:
            needs: call
            runs-on: ubuntu-latest
            steps: [{run: 'test "${{ needs.call.outputs.sum }}" = 42'}]
        """
    with Forge(w) as forge:
        repository = forge.repository("demo", {"WORD": "swordfish-1234"}, private=True)
        register(w, forge, "ostler-1", forge.registration())
        listener = Listener(w)
        commit = forge.push(repository, {".gitea/workflows/called.yml": called, ".gitea/workflows/ci.yml": caller})
        until(lambda: {job["name"]: job.get("status") for job in forge.jobs(repository)}.get("after"), "completed", 90)
        state, checks = forge.status(repository, commit)
        logs = "".join(forge.job_log(repository, job) for job in forge.jobs(repository) if job.get("runner_name"))
        listener.drain()
    check(state == "success" and "one yes ***" in logs and "swordfish" not in logs, f"{checks}\n{logs}")
