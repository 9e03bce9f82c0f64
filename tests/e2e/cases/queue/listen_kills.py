"""A listener, its worker or both, killed at moments by chance: the server has a result, or the lease runs out as it should;
the next listener finds nothing that still runs, is mounted or locked, and takes the next job (DESIGN.md 7.4).

LISTEN_KILLS_SEED=N brings the moments of a run back, as far as a machine can."""

import collections
import os
import pathlib
import random
import shutil
import signal
import time

import watch
from case import case
from gitea_double import GiteaDouble
from github_double import GitHubDouble
from listening import Listener, as_yaml, echo, gitea_registration, github_registration
from world import check

VICTIMS = ("listener", "worker", "both")
QUICK = {"OSTLER_TEST_MINUTE_MS": "1000"}  # the service's clocks, sixty times as fast
# Something of each kind that could be left: a file, a mount, a process that wants to stay.
WORK = {"runs-on": "ubuntu-latest", "outputs": {"a": "${{ steps.one.outputs.a }}"}, "steps": [
    {"id": "one", "run": "echo begun; mktemp; echo a=1 >> $GITHUB_OUTPUT; (trap '' TERM INT HUP; exec setsid sleep 4321.5) >/dev/null 2>&1 &"},
    {"run": "for i in $(seq 30); do echo $i; sleep 0.01; done; seq 2000 > big"}]}
LASTS = 1.0  # seconds, from the listener's start to the job's result, and a little more


class On:
    """What a double says of a job, in words that fit each."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.double.close()


class OnGitHub(On):

    def __init__(self, w, profile):
        self.double = GitHubDouble(profile, results=profile != "L", hold=2.0, session_life=0.0)
        self.double.failing = True
        self.env = QUICK
        github_registration(w, self.double)

    def push(self, said):
        return self.double.push(said)

    def is_over(self, job):
        return job.over

    def result(self, job):
        return job.conclusion

    def was_taken(self, job):
        return job.known

    def expire(self, job):
        """Nobody renews its lease: the service ends it."""
        with self.double.turn:
            job.conclusion, job.over, job.over_at = "abandoned", True, time.monotonic()
            for message in job.agent.queue:
                message.gone = message.gone or message.job is job


class OnGitea(On):
    def __init__(self, w):
        self.double, self.env = GiteaDouble(capacity=2), {}
        self.double.pausing = True
        gitea_registration(w, self.double)

    def push(self, said):
        return self.double.push(as_yaml(said), steps=len(said["steps"]))

    def is_over(self, task):
        return task.final

    def result(self, task):
        return task.result

    def was_taken(self, task):
        return task.runner is not None

    def expire(self, task):
        self.double.fail(task)


def groups(pids):
    """Control groups that were made for one of PIDS, which are workers."""
    return [str(p) for p in pathlib.Path("/sys/fs/cgroup").glob("**/ostler/job-*") if p.is_dir() and p.name.split("-")[1] in pids]


def leases(w):
    """Jobs that are written down: whose worker may have begun."""
    return [p.name for p in (w.root / "registrations").glob("*/leases/*") if not p.name.startswith(".")]


def strike(listener, victim):
    """Kills; returns the workers that there were."""
    workers = listener.workers()
    if victim != "worker":
        listener.process.send_signal(signal.SIGKILL)
    if victim != "listener":
        for pid in workers:
            watch.kill(pid)
    return workers


def one_moment(w, on, victim, delay):
    """A job is ready; DELAY seconds into the listener's life, or its worker's, somebody dies. Returns how the job ended."""
    others = set(watch.descendants())
    job, listener = on.push(WORK), Listener(w, env=on.env)
    if victim == "worker":
        on.double.wait(listener.workers)
    time.sleep(delay)  # by chance: that is what this is about
    workers, lost = strike(listener, victim), False
    if victim != "worker":
        listener.running.finish(20)
        lost = not leases(w) and on.was_taken(job) and not on.is_over(job)
        listener = Listener(w, env=on.env)
        listener.others = others
    if lost:
        on.expire(job)  # it was ours, and nothing had begun: no next listener can know of it, so its lease runs out
    else:
        on.double.wait(lambda: on.is_over(job), 60)
    after = on.push(echo("after"))
    on.double.wait(lambda: on.is_over(after), 60)
    listener.drain()
    check(on.result(after) in ("succeeded", "RESULT_SUCCESS"), f"the next job: {on.result(after)}")
    left = leases(w) + groups({str(pid) for pid in workers})
    check(not left, f"left: {left}")
    return "its lease ran out" if lost else on.result(job)


def moments(w, on, count):
    """COUNT moments for each victim."""
    seed = int(os.environ.get("LISTEN_KILLS_SEED") or random.randrange(10**6))
    chance, ends = random.Random(seed), collections.Counter()
    for number in range(count):
        for victim in VICTIMS:
            delay = chance.uniform(0, LASTS)
            try:
                ends[victim, one_moment(w, on, victim, delay)] += 1
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, moment {number}, {victim} after {delay:.3f} s: {error}") from error
    on.double.check()
    print(f"seed {seed}: " + ", ".join(f"{victim} killed, {end}: {n}" for (victim, end), n in sorted(ends.items(), key=str)))


@case(limit=90)
def whoever_is_killed_at_whatever_moment_nothing_is_lost_or_left(w):
    for make in (lambda: OnGitHub(w, random.choice("VL")), lambda: OnGitea(w)):
        with make() as on:
            moments(w, on, 1)
        shutil.rmtree(w.root / "registrations")


@case(limit=1200, thorough=True)
def fifty_moments_of_the_newer_way(w):
    with OnGitHub(w, "V") as on:
        moments(w, on, 50)


@case(limit=1200, thorough=True)
def fifty_moments_of_the_older_way(w):
    with OnGitHub(w, "L") as on:
        moments(w, on, 50)


@case(limit=1200, thorough=True)
def fifty_moments_on_gitea(w):
    with OnGitea(w) as on:
        moments(w, on, 50)
