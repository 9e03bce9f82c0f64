"""`ostler listen` in the hands of who operates it for months: it is told to begin anew, to hurry, and to get on without a part."""

import json
import pathlib
import re
import shutil
import signal
import socket

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
