"""Jobs of a Gitea and a Forgejo: what comes in, what the server gets to know, and what may go wrong between."""

import http.client
import json
import re
import signal
import threading
import time
import urllib.parse

import githttp
import watch
from case import case
from double import Answer
from gitea_double import GiteaDouble
from listening import FULL, MATRIX, SECRETS, SLOW, VARS, Listener, as_yaml, echo, gitea_registration, local_logs, without_server
from world import check


# What a server has for jobs: artifacts; caches are no business of Gitea's.
JOB = {**FULL, "steps": [{**step, "with": {"do": "upload|numbers|out|out|6\nlist"}} if step["name"] == "plugin" else step
                         for step in FULL["steps"]]}


def push(double, said, matrix=None, **more):
    return double.push(as_yaml(said, matrix), steps=len(said["steps"]), **more)


@case(limit=120)
def a_job_of_a_gitea_is_reported_as_it_ran(w):
    w.plugin("blobs")
    logs = local_logs(w, JOB, MATRIX)
    for dialect in ("gitea", "forgejo"):
        with GiteaDouble(dialect) as double:
            gitea_registration(w, double, key=dialect)
            task = push(double, JOB, MATRIX, secrets=SECRETS, variables=VARS, needs={"lint": {"result": "RESULT_SUCCESS", "outputs": {"ok": "1"}}})
            listener = Listener(w)
            double.finished(task)
            done = listener.drain()
            double.check()
            check(task.result == "RESULT_SUCCESS", f"{task.result}\n{task.log()}\n{done}")
            check(task.outputs == {"v": "3"}, f"{task.outputs}")
            check("# it went well" in "".join(task.summaries.values()), f"{dialect}: {task.summaries}\n{done}")
            check([name for _, name in double.artifacts] == ["numbers"], f"{double.artifacts}\n{task.log()}")
            for index, step in enumerate(JOB["steps"]):
                wanted = logs.get(step["name"], "").rstrip("\n")
                got = without_server(task.log(index))
                check(got == wanted, f"{dialect}: the log of '{step['name']}' is\n{got}\n--- wanted\n{wanted}")
            check(task.steps[3]["result"] == "RESULT_SKIPPED", str(task.steps))


@case(limit=90)
def what_a_server_says_to_a_task_is_done(w):
    """Cancelled in both ways, given up by the server, closed log, large rows, outputs that are confirmed late."""
    slow = {"runs-on": "ubuntu-latest", "steps": [
        {"run": SLOW}, {"if": "always()", "run": "echo cleaned up"}]}
    with GiteaDouble(capacity=8) as double:
        gitea_registration(w, double, capacity=8)
        gentle, given_up = push(double, slow), push(double, slow)
        listener = Listener(w, slots=8)
        for task in (gentle, given_up):
            double.wait(lambda t=task: "begun" in t.lines)
        double.cancel(gentle)
        double.fail(given_up)
        late = push(double, {**echo("late"), "outputs": {"a": "1", "b": "2"}})
        double.withheld = 4
        closed = push(double, echo("closed"))
        double.wait(lambda: closed.runner)
        double.archive(closed)
        double.finished(gentle), double.finished(late), double.finished(closed)
        double.wait(lambda: not listener.workers())
        double.pausing = True
        listener.drain()
        double.check()
        check(gentle.result == gentle.reported == "RESULT_CANCELLED" and "cleaned up" in gentle.lines, f"{gentle.reported}\n{gentle.log()}")
        check(late.outputs == {"a": "1", "b": "2"} and late.result == "RESULT_SUCCESS", f"{late}")
        check(closed.result == "RESULT_SUCCESS", f"{closed}")


@case()
def a_task_that_cannot_be_read_fails_with_a_reason(w):
    odd = {"bad base64": {"payload": "%%%"}, "no YAML": {"payload": "e3s="}, "no job": {"payload": "am9iczoge30="}, "nothing": {"payload": ""}}
    with GiteaDouble(capacity=9) as double:
        gitea_registration(w, double, capacity=9)
        tasks = {what: double.push("", steps=0, **more) for what, more in odd.items()}
        # What no JSON writer would write: numbers too large, a NUL, deep nesting.
        def raw(task):
            text = json.dumps(task.message)
            return text.replace('"event": {', '"event": {"huge": 10000000000000000000, "huger": 1e21, "nul": "a\\u0000b", "deep": '
                                + "[" * 60 + "]" * 60 + ", ")
        fine = push(double, {**echo("fine"), "if": "always()"}, raw=raw, needs={"x": {"result": 7}, "y": {}})
        listener = Listener(w)
        double.finished(fine)
        for what, task in tasks.items():
            double.finished(task)
            check(task.result == "RESULT_FAILURE" and len(task.lines) >= 1, f"{what}: {task.result} {task.lines}")
        listener.drain()
        double.check()
        check(fine.result == "RESULT_SUCCESS" and "fine" in fine.lines, f"{fine.result}\n{fine.log()}")


@case(limit=90)
def whoever_is_killed_the_server_has_a_result(w):
    """The listener, the worker, both; then a listener that finds what was left."""
    work = {"runs-on": "ubuntu-latest", "steps": [{"run": "echo begun; for i in $(seq 40); do echo $i; sleep 0.1; done"}]}
    for victims in ("worker", "listener", "both"):
        with GiteaDouble() as double:
            gitea_registration(w, double, key=victims)
            task = push(double, work)
            listener = Listener(w)
            double.wait(lambda: "begun" in task.lines)
            workers = listener.workers()
            check(workers, "there is no worker")
            if victims != "worker":
                listener.process.send_signal(signal.SIGKILL)
            if victims != "listener":
                for pid in workers:
                    watch.kill(pid)
            if victims != "worker":
                listener.running.finish(20)
                listener = Listener(w)
            double.finished(task, 60)
            listener.drain()
            double.check()
            check(task.result in ("RESULT_FAILURE", "RESULT_CANCELLED"), f"{victims}: {task.result}\n{task.log()}")
        for path in (w.root / "registrations" / victims).iterdir():
            path.unlink()
        (w.root / "registrations" / victims).rmdir()


@case()
def a_runner_that_is_not_known_any_more_says_so_and_ends(w):
    for dialect in ("gitea", "forgejo"):
        with GiteaDouble(dialect) as double:
            gitea_registration(w, double, key=dialect)
            listener = Listener(w)
            double.wait(lambda: double.of("FetchTask"))
            double.remove()
            done = listener.ended(code=1)
            check("register" in done.err + done.out, str(done))
            double.check()
            for path in (w.root / "registrations" / dialect).iterdir():
                path.unlink()
            (w.root / "registrations" / dialect).rmdir()


@case()
def a_listener_without_jobs_sleeps(w):
    with GiteaDouble() as double:
        gitea_registration(w, double)
        listener = Listener(w)
        double.wait(lambda: len(double.of("FetchTask")) > 1)
        before, calls = listener.cpu_ticks(), len(double.calls)
        threading.Event().wait(3)
        spent, asked = listener.cpu_ticks() - before, len(double.calls) - calls
        check(spent <= 6 and asked <= 4, f"in 3 s it took {spent} ticks and called {asked} times")
        start = time.monotonic()
        listener.drain()
        check(time.monotonic() - start < 5, "an idle listener takes long to end")
        double.check()


@case()
def actions_may_be_of_another_server_which_gets_no_token(w):
    here, there = githttp.Server(w), githttp.Server(w, "there")
    greet = 'runs:\n  using: composite\n  steps:\n    - {run: "echo %s for ${{ gitea.repository }}", shell: bash}\n'
    here.repo("acme/greet", {"action.yml": greet % "here" + f"    - uses: {there.url}/acme/greet@v1\n"}, "v1")
    there.repo("acme/greet", {"action.yml": greet % "there", "sub/action.yml": greet % "below"}, "v1")
    with GiteaDouble() as double:
        gitea_registration(w, double)
        task = push(double, {"runs-on": "ubuntu-latest", "steps": [
            {"uses": "acme/greet@v1"}, {"uses": f"{there.url}/acme/greet/sub@v1"}]}, context={"gitea_default_actions_url": here.url})
        lost = push(double, {"runs-on": "ubuntu-latest", "steps": [{"uses": f"{there.url.replace('//', '//al:pw@')}/acme/greet@v1"}]})
        listener = Listener(w)
        double.finished(task), double.finished(lost)
        listener.drain()
        double.check()
        check(task.result == "RESULT_SUCCESS" and "here for root1/demo" in task.log(0) and "there for root1/demo" in task.log(0), task.log())
        check("below for root1/demo" in task.log(1), task.log())
        check(lost.result == "RESULT_FAILURE" and "begins with no server's address" in lost.log(), lost.log())
        check(here.logins == there.logins == {None}, f"{here.logins} {there.logins}")


class WithGit(GiteaDouble):
    """A double that has its repositories, too; GO_ON: they are handed out once it is set."""
    git = go_on = None

    def name(self, call):
        return "git" if call.path.endswith(("/info/refs", "/git-upload-pack")) else super().name(call)

    def act(self, call):
        if call.name != "git":
            return super().act(call)
        if self.go_on:
            self.stalled.set(), self.go_on.wait(60)
        line = http.client.HTTPConnection("127.0.0.1", self.git.port, timeout=20)
        query = "?" + urllib.parse.urlencode(call.query, doseq=True) if call.query else ""
        sent = {name: call.headers[name] for name in ("Content-Type", "Git-Protocol", "Authorization") if call.headers[name]}
        line.request(call.method, call.path + query, call.raw, sent)
        answer = line.getresponse()
        body = answer.read()
        line.close()
        return Answer(answer.status, body, answer.headers["Content-Type"] or "text/plain", {
            name: answer.headers[name] for name in ("WWW-Authenticate", "Cache-Control") if answer.headers[name]})


CALLED = """\
on:
  workflow_call:
    inputs: {word: {type: string, required: true}, count: {type: number, default: 2}}
    secrets: {KEY: {required: true}}
    outputs: {sum: {value: "${{ jobs.last.outputs.sum }}"}}
env: {TOP: called}
jobs:
  first:
    runs-on: ubuntu-latest
    strategy: {matrix: {n: [1, 2]}}
    steps:
      - {env: {KEY: "${{ secrets.KEY }}"}, run: 'echo "${{ inputs.word }}-${{ matrix.n }}-${{ gitea.repository }}-$TOP-$KEY"'}
  last:
    needs: first
    runs-on: ubuntu-latest
    outputs: {sum: "${{ steps.s.outputs.sum }}"}
    steps:
      - {id: s, run: 'echo "sum=$((40 + ${{ inputs.count }}))" >> "$GITHUB_OUTPUT"'}
  never:
    needs: last
    if: failure()
    runs-on: ubuntu-latest
    steps: [{run: echo never}]
  deeper: {needs: last, uses: ./.gitea/workflows/deeper.yml}
"""
STOPPED = f"""\
on: workflow_call
jobs:
  slow: {{runs-on: ubuntu-latest, steps: [{{run: {json.dumps(SLOW)}}}]}}
  tidy: {{needs: slow, if: always(), runs-on: ubuntu-latest, steps: [{{run: echo tidied up}}]}}
  more: {{needs: slow, runs-on: ubuntu-latest, steps: [{{run: echo more}}]}}
"""
DEEPER = "on: workflow_call\njobs: {deep: {runs-on: ubuntu-latest, steps: [{run: echo deep down}]}}\n"


@case()
def a_listener_killed_before_a_called_workflow_has_a_job_is_told_of(w):
    """No worker runs then, and no job is known: the task is owed all the same."""
    git = githttp.Server(w)
    commit = git.repo("root1/demo", {".gitea/workflows/called.yml": CALLED})
    with WithGit() as double:
        double.git, double.go_on, double.stalled = git, threading.Event(), threading.Event()
        gitea_registration(w, double)
        task = double.push(json.dumps({"on": "push", "jobs": {"build": {"runs-on": [], "uses": "./.gitea/workflows/called.yml"}}}), steps=0,
                           context={"sha": commit})
        listener = Listener(w)
        check(double.stalled.wait(20), "nothing was fetched")
        listener.kill()
        double.go_on.set()
        listener = Listener(w)
        double.finished(task)
        after = double.push(as_yaml(echo("goes on")), steps=1)
        double.finished(after)
        listener.drain()
        double.check()
    check(task.result == "RESULT_FAILURE" and "did not survive" in task.log(), f"{task.result}\n{task.log()}")
    left = list((w.root / "registrations").rglob("jobs/*")) + list((w.root / "work").rglob("jobs/*"))
    check(not left, f"left: {left}")


@case(limit=90)
def a_workflow_that_a_job_calls_is_run_where_the_server_leaves_it_to_us(w):
    git = githttp.Server(w)
    commit = git.repo("root1/demo", {".gitea/workflows/called.yml": CALLED, ".gitea/workflows/deeper.yml": DEEPER,
                                      ".gitea/workflows/stopped.yml": STOPPED})
    with WithGit() as double:
        double.git = git
        gitea_registration(w, double)

        def call(uses="./.gitea/workflows/called.yml", **more):
            return double.push(json.dumps({"on": "push", "env": {"TOP": "caller"}, "jobs": {"build": {"runs-on": [], "uses": uses, **more}}}), steps=0,
                               secrets=SECRETS, context={"sha": commit}, needs={"lint": {"result": "RESULT_SUCCESS", "outputs": {"ok": "yes"}}})
        fine = call(**{"with": {"word": "${{ needs.lint.outputs.ok }}"}, "secrets": {"KEY": "${{ secrets.WORD }}"}})
        wrong = call(secrets="inherit")
        nowhere = call("root1/none/.gitea/workflows/x.yml@v1")
        listener = Listener(w)
        for task in (fine, wrong, nowhere):
            double.finished(task)
        stopped = call("./.gitea/workflows/stopped.yml")
        double.wait(lambda: "begun" in stopped.lines)
        double.cancel(stopped)
        double.finished(stopped)
        git.tokens["root1/demo"] = "theirs"  # from now on nobody may read it
        denied = call()
        double.finished(denied)
        listener.drain()
        double.check()
    said = fine.lines
    for text in ("yes-1-root1/demo-called-***", "yes-2-root1/demo-called-***", "deep down", "Job succeeded"):
        check(text in said, f"{text!r} is not in\n{fine.log()}")
    check(fine.result == "RESULT_SUCCESS" and fine.outputs == {"sum": "42"} and "echo never" not in fine.log(), f"{fine.outputs}\n{fine.log()}")
    check(said.index("deep down") > said.index("yes-2-root1/demo-called-***") > said.index("yes-1-root1/demo-called-***"), fine.log())
    check(stopped.result == "RESULT_CANCELLED" and "tidied up" in stopped.lines and "more" not in stopped.lines, stopped.log())
    for task, why in ((wrong, "word"), (nowhere, "there is no repository"), (denied, "credentials|there is no")):
        check(task.result == "RESULT_FAILURE" and re.search(why, task.log()), f"{why}: {task.result}\n{task.log()}")
