"""`ostler listen` in the hands of who operates it for months: it is told to begin anew, to hurry, and to get on without a part."""

import collections
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import threading
import time

import faults
from case import case
from gitea_double import GiteaDouble
from github_double import GitHubDouble
from listening import SLOW, Listener, as_yaml, echo, gitea_registration, github_registration
from world import check

GATED = "echo begun; while [ ! -e {} ]; do sleep 0.05; done; echo ended"


def push(double, said):
    return double.push(as_yaml(said), steps=len(said["steps"]))


def run(*scripts):
    return {"runs-on": "ubuntu-latest", "steps": [{"run": script} for script in scripts]}


class Manager:
    """The socket of a service manager; everything that it was told."""

    def __init__(self, w):
        self.path, self.said = w.root / "m", ""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)

    def heard(self):
        try:
            while True:
                self.said += self.socket.recv(4096).decode()
        except BlockingIOError:
            return self.said


@case()
def a_hangup_begins_anew_when_the_jobs_have_ended(w):
    """With what is then configured and registered, as the same process, which the service manager never sees going."""
    manager, gate, config = Manager(w), w.root / "gate", w.root / "config.yml"
    config.write_text("listen: {drain-time: 1s}\n")
    with GiteaDouble(capacity=2) as forge:
        gitea_registration(w, forge, name="one", key="one")
        (w.root / "state/ostler").mkdir(parents=True)
        (w.root / "registrations").rename(w.root / "state/ostler/registrations")
        task = push(forge, run(GATED.format(gate)))
        listener = Listener(w, "--isolation", "host", "--config", config, named=False, env={"NOTIFY_SOCKET": str(manager.path)})
        forge.wait(lambda: "begun" in task.lines)

        config.write_text("listen: {allow: acme}\n")
        listener.running.send(signal.SIGHUP)
        listener.running.wait_for(f"SIGHUP changes nothing: {config}:1:")
        config.write_text("listen: {allow: [nobody/nothing]}\n")
        listener.running.send(signal.SIGHUP)
        listener.running.wait_for("until the listener has begun anew")
        gitea_registration(w, forge, name="two", key="two")
        (w.root / "registrations/two").rename(w.root / "state/ostler/registrations/two")
        refused = push(forge, echo("not any more"))
        check(listener.workers() and refused.runner is None, "it did not wait for its job")
        gate.touch()
        forge.finished(task)
        forge.wait(lambda: refused.final)
        check((task.result, refused.result) == ("RESULT_SUCCESS", "RESULT_FAILURE"), f"{task.result}, {refused.result}")
        check("config.yml:1: no rule of 'allow' names it" in refused.log(), refused.log())
        forge.wait(lambda: manager.heard().count("READY=1") == 2)
        check(len({call.headers.get("x-runner-uuid") for call in forge.of("Declare")}) == 2, "the new registration is not served")
        check("STOPPING=1" not in manager.said, manager.said)
        listener.running.send(signal.SIGHUP)
        forge.wait(lambda: manager.heard().count("READY=1") == 3)
        listener.drain()
        check("STOPPING=1" in manager.heard(), manager.said)
        forge.check()


@case()
def a_job_has_the_time_of_a_drain_and_no_more(w):
    with GiteaDouble() as forge:
        gitea_registration(w, forge)
        task = push(forge, run(SLOW))
        listener = Listener(w, "--drain-time", "1s", "--once")
        forge.wait(lambda: "begun" in task.lines)
        listener.running.send(signal.SIGTERM)
        done = listener.ended()
        check(done.err.index("they come to their end") < done.err.index("jobs are told to end"), str(done))
        check(task.result == "RESULT_FAILURE", f"{task.result}\n{task.log()}")
        forge.check()
    w.start("--drain-time", "soon", command="listen", json_out=False).finish().complains(r"--drain-time: 'soon' is no time: 90s", code=1)


@case()
def a_registration_that_is_broken_keeps_no_other_from_being_served(w):
    """All are served that were not named; what is wrong with the rest is said, each line as JSON."""
    below = w.root / "state/ostler/registrations"
    with GiteaDouble() as forge:
        below.mkdir(parents=True)
        for key in ("b-good", "c-wide", "d-taken"):
            shutil.move(gitea_registration(w, forge, name=key, key=key), below / key)
        w.write("a-broken/.runner", "{", mode=0o600, below=below)
        w.write("c-wide/.env", "A=b\n", mode=0o666, below=below)
        below.chmod(0o700)
        other = w.start(below / "d-taken", "--work", w.root, "--min-free", 0, "--isolation", "host", command="listen", json_out=False)
        forge.wait(lambda: len(forge.of("FetchTask")))
        task = push(forge, echo())
        listener = Listener(w, "--log", "json", "--isolation", "host", named=False)
        forge.wait(lambda: len(forge.of("Declare")) == 2)
        other.send(signal.SIGTERM)
        other.finish().exits(0)
        forge.finished(task)
        done = listener.drain()
        said = [json.loads(line) for line in done.err.splitlines()]
        left_out = [line["message"] for line in said if line["level"] == "error"]
        for key, why in (("a-broken", "a-broken"), ("c-wide", r"\.env"), ("d-taken", str(other.process.pid))):
            check(any(re.search(f"is left out: .*{why}", text) for text in left_out), f"{key}: {left_out}")
        check(len(left_out) == 3, f"{left_out}")
        forge.check()
    shutil.rmtree(below / "b-good")
    shutil.rmtree(below / "d-taken")
    for args in (("--log", "json"), ("--log", "json", below / "a-broken"), ("--log", "json", "--slots", "0")):
        done = w.start(*args, command="listen", json_out=False).finish().exits(1)
        check([json.loads(line)["level"] for line in done.err.splitlines()][-1:] == ["error"], str(done))


@case()
def a_runner_that_is_too_old_says_so_by_its_exit_code_where_that_is_asked_for(w):
    """As actions-runner-controller asks for it, and GitHub's own scripts."""
    for wanted, code in (("1", 7), ("TRUE", 7), ("0", 1)):
        with GitHubDouble("V") as hub:
            github_registration(w, hub, key=f"hub-{wanted}")
            hub.refuse("poll", "RunnerVersionTooOld")
            Listener(w, env={"ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE": wanted}).ended(code)
            hub.check()
        shutil.rmtree(w.root / "registrations")


# ---- chaos ----

JOBS, CHAOS_LIMIT = 200, 240  # seconds
AT_GITHUB = {"V": ("poll", "renew", "steps", "step-log-url", "blob", "step-log", "job-log-url", "job-log", "complete", "token", "session"),
             "L": ("poll", "delete-message", "lock", "records", "new-log", "log", "event", "token", "session")}
AT_GITEA = ("FetchTask", "UpdateLog", "UpdateTask")
STRIKES = ("5xx", "429", "html", "hang", "reset", "cut", "garbage", "lost", "late", "trickle")


class Chaos:
    """Three servers, JOBS jobs, and somebody who does whatever comes to his mind."""

    def __init__(self, w, chance):
        self.w, self.chance, self.did, self.cancelled = w, chance, collections.Counter(), set()
        self.hubs = [GitHubDouble(profile, results=profile != "L", hold=2.0, session_life=1.0) for profile in "VL"]
        self.forge = GiteaDouble(capacity=3)
        self.forge.pausing = True
        for hub in self.hubs:
            hub.failing = True
            github_registration(w, hub, key=f"hub-{hub.profile}")
        gitea_registration(w, self.forge, key="forge", capacity=3)
        self.jobs = []  # (its double, what the double has of it)
        for number in range(JOBS):
            work = run(f"echo word-{number}", f"sleep 0.{chance.randrange(4)}; exit {int(number % 7 == 0)}")
            where = number % 5
            self.jobs.append((self.hubs[where], self.hubs[where].push(work)) if where < 2 else (self.forge, push(self.forge, work)))

    def is_over(self, double, job):
        return job.final if double is self.forge else job.over

    def left(self):
        return [number for number, (double, job) in enumerate(self.jobs) if not self.is_over(double, job)]

    def strike(self):
        double = self.chance.choice([*self.hubs, self.forge])
        call = self.chance.choice(AT_GITEA if double is self.forge else AT_GITHUB[double.profile])
        kind, more = faults.KINDS[self.chance.choice(STRIKES)]
        double.fault(call, kind, **more)

    def cancel(self):
        number = self.chance.choice(self.left() or [0])
        double, job = self.jobs[number]
        if job.runner if double is self.forge else job.known:
            self.cancelled.add(number)
            double.cancel(job)

    def expire(self):
        self.chance.choice(self.hubs).expire_tokens()

    def forget_session(self):
        hub = self.chance.choice(self.hubs)
        hub.tell_lost(hub.agents[-1])

    def go_away(self):
        double = self.chance.choice([*self.hubs, self.forge])
        double.leave()
        time.sleep(self.chance.uniform(0.1, 1.5))
        double.leave(False)

    def hang_up(self):
        self.listener.running.send(signal.SIGHUP)

    def rage(self):
        deeds = {self.strike: 60, self.cancel: 12, self.expire: 6, self.forget_session: 6, self.go_away: 4, self.hang_up: 2}
        while self.left() and not self.done.wait(self.chance.uniform(0.02, 0.4)):
            deed = self.chance.choices([*deeds], [*deeds.values()])[0]
            self.did[deed.__name__] += 1
            deed()

    def figures(self):
        """(descriptors, KiB of its own) of the listener."""
        folder = pathlib.Path(f"/proc/{self.listener.process.pid}")
        private = sum(int(n) for n in re.findall(r"^Private_\w+: +(\d+) kB", (folder / "smaps_rollup").read_text(), re.M))
        return len(list((folder / "fd").iterdir())), private

    def run(self):
        self.listener, self.done = Listener(self.w, slots=4, env=faults.QUICK), threading.Event()
        self.hubs[0].wait(lambda: len(self.left()) < JOBS, 30)
        before, rage = self.figures(), threading.Thread(target=self.rage)
        rage.start()
        end = time.monotonic() + CHAOS_LIMIT
        while self.left() and time.monotonic() < end:
            self.listener.running._pump(0.05)
        self.done.set()
        rage.join()
        check(not self.left(), f"no result: {self.left()}\n{bytes(self.listener.running.err).decode()[-3000:]}\n"
                               + self.jobs[(self.left() or [0])[0]][0].transcript(40))
        for double in (*self.hubs, self.forge):
            for fault in double.faults:
                fault.lift()
        after = self.figures()
        self.listener.drain()
        print(f"{dict(self.did)}, descriptors {before[0]} and {after[0]}, private {before[1]} and {after[1]} KiB")

    def look(self, number):
        double, job = self.jobs[number]
        result = job.result.removeprefix("RESULT_").lower() if double is self.forge else job.conclusion
        wanted = {"failure", "failed"} if number % 7 == 0 else {"success", "succeeded"}
        if number in self.cancelled:
            wanted |= {"cancelled", "canceled"}
        check(result in wanted, f"job {number} has {result}, wanted {wanted}\n{job.log()}")
        said = [line for line in job.log().splitlines() if re.fullmatch(r"word-\d+", line)]
        check(set(said) <= {f"word-{number}"} and (said or number in self.cancelled), f"job {number} has the lines {said}")


@case(limit=CHAOS_LIMIT + 60, thorough=True)
def whatever_happens_each_job_has_its_result_and_nothing_is_left(w):
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(10**6))
    print("seed", seed)
    chaos = Chaos(w, random.Random(seed))
    try:
        chaos.run()
        for number in range(JOBS):
            chaos.look(number)
        for double in (*chaos.hubs, chaos.forge):
            double.check()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    finally:
        for double in (*chaos.hubs, chaos.forge):
            double.close()
