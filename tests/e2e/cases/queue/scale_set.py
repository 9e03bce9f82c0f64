"""`ostler listen --scale-set`: one process that is the listener of a runner scale set of GitHub's, and its runners."""

import json
import re
import signal
import subprocess

import watch
from case import case
from github_double import PAT, REGISTRATION
from github_scaleset import ScaleSetDouble
from listening import SLOW, Listener, echo
from world import check

QUICK = {"OSTLER_TEST_MINUTE_MS": "1000"}  # the service's clocks, sixty times as fast
GATED = "echo begun; while [ ! -e {} ]; do sleep 0.05; done"


class ScaleListener(Listener):
    def __init__(self, w, double, *args, most=3, least=0, credential=("--pat", PAT), name="widgets", url=None):
        self.w, self.work = w, w.root / "work"
        self.work.mkdir(exist_ok=True, mode=0o700)
        self.others = set(watch.descendants())
        self.running = w.start("--scale-set", name, "--url", url or double.repository, "--min", least, "--max", most, *credential,
                               "--work", self.work, "--min-free", 0, "--isolation", "host", *args, command="listen", json_out=False, env=QUICK)
        self.process = self.running.process

    def ask(self, path):
        """What the endpoint says."""
        return subprocess.run(["curl", "-sS", "--unix-socket", self.w.root / "s", f"http://localhost{path}"],
                              capture_output=True, text=True, check=True, timeout=20).stdout

    def names(self):
        """The runners that are written down."""
        return [path.name for path in (self.w.state / "scale-sets").glob("*/runners/*")]


def gated(gate):
    return {"runs-on": "widgets", "steps": [{"run": GATED.format(gate)}]}


@case()
def a_scale_set_grows_with_its_jobs_and_shrinks_again(w):
    with ScaleSetDouble(most=3, hold=5.0) as hub:
        listener = ScaleListener(w, hub, least=1, most=3)
        hub.wait(lambda: len(hub.runners()) == 1)
        gate = w.root / "gate"
        jobs = [hub.push(gated(gate)) for _ in range(5)]
        hub.wait(lambda: len(hub.of_stage("started")) == 3)
        check(len(hub.runners()) == 3, f"{len(hub.runners())} runners for five jobs, three at most")
        gate.touch()
        for job in jobs:
            hub.finished(job)
        hub.wait(lambda: len(hub.runners()) == 1 and len(hub.of_stage("completed")) == 5)
        check(all(job.conclusion == "succeeded" for job in jobs), f"{[job.conclusion for job in jobs]}")
        hub.wait(lambda: len(listener.names()) == 1)
        listener.drain()
        check(not listener.names(), f"written down still: {listener.names()}")
        hub.check()
        check(set(hub.sets[0].capacities) <= {1, 2, 3}, f"{hub.sets[0].capacities}")


@case(who="user")
def what_a_killed_listener_left_the_next_one_puts_right(w):
    """Its session is closed, its runners are removed, the job that ran is told to be lost; then it goes on."""
    with ScaleSetDouble(most=2, hold=5.0) as hub:  # who keeps a session for a minute
        hub.failing = True
        first = ScaleListener(w, hub, least=1, most=2)
        lost = hub.push({"steps": [{"run": SLOW}]})
        hub.wait(lambda: lost.begun(0) and len(hub.runners()) == 2)
        old = {agent.name for agent in hub.runners()}
        check(set(first.names()) == old, f"{first.names()} are written down, {old} are there")
        first.kill()
        second = ScaleListener(w, hub, least=1, most=2)
        hub.finished(lost)
        hub.wait(lambda: hub.runners() and not old & {agent.name for agent in hub.runners()})
        check(lost.conclusion == "failed", f"{lost.conclusion}")
        hub.wait(lambda: len(hub.of("scale-open")) == 2)
        check(len(hub.of("scale-close")) == 1 and len(hub.of("scale-open")) == 2, f"the old session was not closed\n{hub.transcript(500)}")
        job = hub.push(echo("after that"))
        hub.finished(job)
        check(job.conclusion == "succeeded", f"{job.conclusion}")
        done = second.drain()
        check("that ran this job was killed" in done.err, done.err)
        hub.check()
        check(not second.names() and not hub.runners(), f"{second.names()}, {hub.runners()}")


@case(who="user")
def a_scale_set_that_is_stopped_ends_its_jobs_and_removes_its_runners(w):
    with ScaleSetDouble(most=2, hold=5.0) as hub:
        gate = w.root / "gate"
        listener = ScaleListener(w, hub, least=1, most=2)
        job = hub.push(gated(gate))
        hub.wait(lambda: job.begun(0) and len(hub.runners()) == 2)
        listener.running.send(signal.SIGTERM)
        hub.wait(lambda: len(hub.runners()) == 1 and hub.of("scale-close"))
        check(not job.over, "the job was not let come to its end")
        gate.touch()
        hub.finished(job)
        listener.ended()
        check(job.conclusion == "succeeded", f"{job.conclusion}")
        hub.check()

        listener = ScaleListener(w, hub, least=0, most=2)
        job = hub.push({"steps": [{"run": SLOW}]})
        hub.wait(lambda: job.begun(0))
        listener.running.send(signal.SIGTERM)
        hub.wait(lambda: len(hub.of("scale-close")) == 2)
        listener.running.send(signal.SIGTERM)
        hub.finished(job)
        listener.ended()
        check(job.conclusion == "failed", f"{job.conclusion}")
        hub.check()


TROUBLES = [
    ("scale-registration", "status", {"status": 503}), ("tenant", "reset", {}), ("scale-find", "garbage", {}), ("scale-make", "status", {"status": 500}),
    ("scale-open", "status", {"status": 502}), ("scale-message", "reset", {}), ("scale-message", "garbage", {}), ("scale-message", "lost", {}),
    ("scale-delete", "lost", {}), ("scale-delete", "status", {"status": 500}), ("scale-acquire", "status", {"status": 503}),
    ("scale-jit", "lost", {}), ("scale-jit", "garbage", {}), ("scale-jit", "status", {"status": 429, "headers": {"Retry-After": "0"}}),
    ("scale-remove", "status", {"status": 500}),
]


@case(who="user")
def a_scale_set_gets_over_every_trouble_of_its_service(w):
    """Once each; tokens that expire; a set that is deleted; jobs that are assigned without an offer."""
    with ScaleSetDouble(most=2, hold=1.0) as hub:
        hub.failing = True
        faults = [hub.fault(call, kind, **more) for call, kind, more in TROUBLES]
        listener = ScaleListener(w, hub, most=2)
        for round in range(5):
            hub.offers = round != 1
            if round == 2:
                hub.expire_queue_tokens()
            elif round == 3:
                hub.expire_admin_tokens()
            elif round == 4:
                hub.forget_sets()
                hub.wait(lambda: hub.sets)
            jobs = [hub.push(echo(f"round {round}")) for _ in range(2)]
            for job in jobs:
                hub.finished(job, 40)
            check([job.conclusion for job in jobs] == ["succeeded"] * 2, f"{round}: {[job.conclusion for job in jobs]}")
        hub.wait(lambda: not hub.runners())
        listener.drain()
        hub.check()
        check(all(fault.struck for fault in faults), f"never struck: {[(f.call, f.kind) for f in faults if not f.struck]}")
        check(len(hub.of("scale-refresh")) >= 1, "no token of the queue was had anew")


@case(who="user")
def a_scale_set_is_seen_from_outside(w):
    """Of an app, in a group, with labels: that the set gets when it has others."""
    (w.root / "app.pem").touch(mode=0o600)
    with ScaleSetDouble(most=3, hold=5.0) as hub:
        (w.root / "app.pem").write_bytes(hub.app())
        app = ("--app-id", "42", "--app-installation", "7", "--app-key-file", w.root / "app.pem")
        job = None
        for labels in ("a", "one,two"):
            listener = ScaleListener(w, hub, "--runnergroup", "Big", "--labels", labels, "--socket", w.root / "s", least=1, most=3, credential=app)
            hub.wait(lambda: hub.sets and hub.sets[0].labels == labels.split(",") and hub.runners())
            if labels == "one,two":
                gate = w.root / "gate"
                job = hub.push(gated(gate))
                hub.wait(lambda: job.begun(0) and len(hub.runners()) == 2 and "gha_desired_runners{" in listener.ask("/metrics"))
                hub.wait(lambda: re.search(r"gha_running_jobs\{.*\} 1\n", listener.ask("/metrics")))
                text = listener.ask("/metrics")
                figures = dict(re.findall(r'^(gha_\w+)\{name="widgets",repository="widgets",organization="acme",enterprise="",namespace=""\} (\d+)$', text, re.M))
                said = {name: figures.pop(f"gha_{name}_runners") for name in ("registered", "idle")}  # as of the newest message
                check(int(said["registered"]) == int(said["idle"]) + 1, text)
                check(figures == {"gha_assigned_jobs": "1", "gha_running_jobs": "1", "gha_busy_runners": "1", "gha_min_runners": "1",
                                  "gha_max_runners": "3", "gha_desired_runners": "2"}, text)
                check(re.search(r'gha_job_startup_duration_seconds_count\{.*job_name="build".*\} 1\n', text), text)
                check(text.count("\ngha_started_jobs_total{") == 1 and re.search(r"gha_started_jobs_total\{.*\} 1\n", text), text)
                shown = json.loads(listener.ask("/status"))["registrations"][0]
                check(shown["kind"] == "scale-set" and shown["scale"]["desired"] == 2 and shown["connected"], f"{shown}")
                said = w.ostler_call("status", "--socket", w.root / "s")
                check("2 of 1 to 3 runners wanted" in said.out, f"{said}")
                gate.touch()
                hub.finished(job)
            listener.drain()
        hub.check()
        check(len(hub.of("scale-change")) == 1, "its labels were not changed")


BAD = [  # options, what the double is made to do, exit code, what is said
    (["--max", "1", "--min", "2"], None, 1, "--min 2 is more than --max 1"),
    (["--pat-file", "/nowhere"], None, 1, "/nowhere"),
    (["--url", "https://github.com"], None, 1, "is not what runners are registered with"),
    (["--min", "many"], None, 1, "--min is a number from 0 to 1000, not 'many'"),
    (["--token", "REG1"], None, 1, "one credential is enough"),
    (["--app-id", "42"], None, 1, "one credential is enough"),
    (["--jitconfig", "e30="], None, 1, "just-in-time configuration"),
    (["--runnergroup", "nobody's"], None, 1, "there is no runner group 'nobody's'"),
    (["--pat", "wrong"], None, 1, "GitHub refuses the personal access token"),
    ([], ("scale-find", 403), 1, "a personal access token needs the scope repo"),
    ([], ("scale-open", 409), 5, "another listener has the session of the scale set 'widgets'"),
    ([], ("scale-registration", 404), 1, "check the address"),
]


@case(who="user")
def what_is_wrong_with_a_scale_set_is_said_once_with_the_cure(w):
    with ScaleSetDouble(hold=1.0) as hub:
        for args, fault, code, wanted in BAD:
            struck = hub.fault(fault[0], "status", status=fault[1], times=10000, type="application/json", body={"message": "no"}) if fault else None
            done = ScaleListener(w, hub, *args).ended(code)
            check(done.err.count(wanted) == 1, f"{args}, {fault}: wanted {wanted!r}\n{done}")
            if struck:
                struck.lift()
        alone = w.start("--max", "3", "--work", w.root / "work", command="listen", json_out=False).finish(20).exits(1)
        check("is for a scale set: name it with --scale-set" in alone.err, f"{alone}")
        first = ScaleListener(w, hub, "--token", REGISTRATION, credential=())
        hub.wait(lambda: hub.of("scale-message"))
        again = w.start("--scale-set", "widgets", "--url", hub.repository, "--pat", PAT, "--isolation", "host", command="listen", json_out=False).finish(20).exits(5)
        check("another listener of this machine has the scale set 'widgets'" in again.err, f"{again}")
        first.drain()
        hub.check()
