"""`ostler listen` as an operator meets it: what it takes, what it refuses, how it ends, what it costs."""

import pathlib
import re
import signal

from case import case
from gitea_double import GiteaDouble
from listening import Listener, as_yaml, echo, gitea_registration
from world import check

LONG = {"runs-on": "ubuntu-latest", "steps": [{"run": "echo begun; exec sleep 60"}]}


def push(double, said, **more):
    return double.push(as_yaml(said), steps=len(said["steps"]), **more)


def listen(w, *args, env=None):
    return w.start(*args, command="listen", json_out=False, env=env).finish(30)


@case()
def what_cannot_be_served_is_said_with_the_cure(w):
    w.write("broken/.runner", "{}", mode=0o600, below=w.root)
    w.write("wide/.runner", '{"uuid": "u", "address": "http://127.0.0.1:1"}', mode=0o666, below=w.root)
    w.write("bad.yml", "listen: {slots: many}\n", below=w.root)
    rows = (
        ((), "no registration.*ostler register"),
        ((w.root / "nowhere",), "nowhere"),
        ((w.root / "broken",), "register this machine anew"),
        ((w.root / "wide",), "wide/.runner"),
        (("--slots", "0"), "--slots"),
        (("--log", "xml"), "'text' or 'json'"),
        (("--config", w.root / "bad.yml"), r"bad.yml:1:\d+: --slots"),
        (("--min-free", "lots"), "--min-free"),
    )
    for args, wanted in rows:
        done = listen(w, *args).exits(1)
        check(re.search(wanted, done.err), f"{args}: {done}")
        w.sane(done)


@case()
def two_listeners_never_have_one_registration(w):
    with GiteaDouble() as double:
        home = gitea_registration(w, double)
        first = Listener(w)
        double.wait(lambda: double.of("FetchTask"))
        done = listen(w, home, "--work", w.root / "work").exits(5)
        check(str(first.process.pid) in done.err, f"who has it is not said: {done}")
        first.drain()
        declared = len(double.of("Declare"))
        second = Listener(w)
        double.wait(lambda: len(double.of("Declare")) > declared)
        second.drain()
        double.check()


@case()
def the_second_signal_ends_what_runs(w):
    """The first lets a job come to its end; then it fails, as on a machine that is shut down, and its server knows."""
    with GiteaDouble() as double:
        gitea_registration(w, double)
        task, waiting = push(double, LONG), push(double, echo("never"))
        listener = Listener(w, slots=1)
        double.wait(lambda: "begun" in task.lines)
        listener.running.send(signal.SIGTERM)
        listener.running.wait_for("they come to their end")
        listener.running.send(signal.SIGHUP)
        listener.running.wait_for("SIGHUP changes nothing")
        check(listener.workers() and not task.final, "the first signal ended the job")
        listener.drain()
        double.check()
        check(task.result == "RESULT_FAILURE", f"{task.result}\n{task.log()}")
        check(waiting.runner is None, "a job was taken on the way out")


@case()
def once_is_one_job(w):
    with GiteaDouble() as double:
        gitea_registration(w, double)
        tasks = [push(double, echo("one")), push(double, echo("two"))]
        Listener(w, "--once").ended()
        double.check()
        check([t.result for t in tasks] == ["RESULT_SUCCESS", None], f"{[t.result for t in tasks]}")


@case()
def no_job_is_taken_without_room_for_it(w):
    with GiteaDouble() as double:
        gitea_registration(w, double)
        push(double, echo())
        listener = Listener(w, "--min-free", "900000G")
        double.wait(lambda: double.of("Declare"))
        done = listener.drain()
        check(not double.of("FetchTask"), f"it asked for jobs: {double.names()}")
        check(done.err.count("--min-free") == 1, f"said not once: {done}")


@case()
def an_idle_listener_is_small(w):
    """Its own memory, where it was built as it ships."""
    with GiteaDouble() as double:
        gitea_registration(w, double)
        listener = Listener(w)
        double.wait(lambda: len(double.of("FetchTask")) > 1)
        maps = pathlib.Path(f"/proc/{listener.process.pid}/smaps_rollup").read_text()
        private = sum(int(n) for n in re.findall(r"^Private_Dirty: +(\d+) kB", maps, re.M))
        sanitized = "asan" in pathlib.Path(f"/proc/{listener.process.pid}/maps").read_text()
        listener.drain()
        check(sanitized or private < 4096, f"{private} KiB are its own")
