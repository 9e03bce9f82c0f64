"""Every fault at every call of `ostler register`, `ostler unregister` and of a listener with a just-in-time configuration.

What must hold: a fault that passes is got over; else there is one message, and the server and this machine have either both
a registration or neither: none is left behind half."""

import base64
import json
import shutil

import faults
from case import case
from faults import diagonal, table
from gitea_double import GiteaDouble
from github_double import GitHubDouble
from listening import echo
from world import check

HASTY = {"OSTLER_TEST_MINUTE_MS": "250", "_GITHUB_ACTION_DOWNLOAD_NO_BACKOFF": "1"}

# The calls of registering, by the double's profile: V goes to the tenant, A to the REST interface, L proves its key besides.
REGISTER = {"V": ("tenant", "connection", "pools", "find-agent", "add-agent"), "L": ("tenant", "add-agent", "token"),
            "A": ("tenant", "groups", "find-runner", "register")}
UNREGISTER = {"V": ("tenant", "connection", "find-agent", "delete-agent"), "A": ("delete-runner",)}
JIT = ("token", "session", "poll", "acknowledge", "acquire", "renew", "complete", "end-session")

# What is tried again by itself; the rest is told, and whoever typed the command types it again.
PASSES = {"5xx", "429", "hang", "reset", "late", "trickle", "cut", "lost"}


def strike(double, row):
    kind, more = faults.KINDS[row.kind]
    return double.fault(row.call, kind, **more)


def told(done, row):
    errors = [line for line in done.err.splitlines() if line.startswith("ostler")]
    check(1 <= len(errors) <= 2 and all(len(line) < 300 for line in errors), f"{row}: that is no message\n{done}")


def registered(w, double, row, *more):
    folder = w.root / "r"
    done = w.ostler_call("register", "--unattended", "--dir", folder, "--name", "n", *more, env=HASTY, limit=60)
    there = len(double.runners) if isinstance(double, GiteaDouble) else len(double.agents)
    here = (folder / ".runner").exists()
    check(done.code in (0, 1, 4) and here == (done.code == 0), f"{row}: {here}\n{done}")
    return done, here, there


def register_rows(w, rows):
    for profile, row in rows:
        with GitHubDouble(profile, results=profile != "L") as hub:
            fault = strike(hub, row)
            done, here, there = registered(w, hub, row, "--url", hub.repository, "--type", "github", "--token", "REG1")
            check(fault.struck == 1, f"{profile}, {row}: it never struck\n{hub.transcript()}")
            check(there == here, f"{profile}, {row}: {there} on the server, {here} here\n{done}\n{hub.transcript()}")
            check(here or row.kind not in PASSES, f"{profile}, {row}: it was not tried again\n{done}\n{hub.transcript()}")
            if not here:
                told(done, row)
            check("same name" not in done.err, f"{profile}, {row}: it stumbles over itself\n{done}")
            hub.check()
        shutil.rmtree(w.root / "r", ignore_errors=True)


def gitea_rows(w, rows):
    for row in rows:
        with GiteaDouble() as tea:
            fault = strike(tea, row)
            done, here, there = registered(w, tea, row, "--url", tea.url, "--type", "gitea", "--token", "REG", "--labels", "x:host")
            check(fault.struck == 1, f"{row}: it never struck")
            if not here:
                told(done, row)
            # Nobody but its pages can be rid of a runner: where one may be left, that is said.
            check(here or not there or "remove the runner 'n' there" in done.err, f"{row}: {there} are left in silence\n{done}")
            check(here or row.call != "Declare", f"{row}: a runner that was made is thrown away\n{done}")
        shutil.rmtree(w.root / "r", ignore_errors=True)


def unregister_rows(w, rows):
    for profile, row in rows:
        with GitHubDouble(profile) as hub:
            done, here, _ = registered(w, hub, row, "--url", hub.repository, "--type", "github", "--token", "REG1")
            check(here, str(done))
            fault = strike(hub, row)
            done = w.ostler_call("unregister", "--dir", w.root / "r", "--token", "REM1", env=HASTY, limit=60)
            check(fault.struck == 1, f"{profile}, {row}: it never struck")
            here = (w.root / "r/.runner").exists()
            check(done.code in (0, 1) and here == (done.code == 1), f"{profile}, {row}: {here}\n{done}")
            check(here or not hub.agents, f"{profile}, {row}: removed here, and not there\n{done}")
            check(not here or row.kind not in PASSES, f"{profile}, {row}: it was not tried again\n{done}\n{hub.transcript()}")
            if here:  # once more, without a fault
                told(done, row)
                w.ostler_call("unregister", "--dir", w.root / "r", "--token", "REM1", env=HASTY).exits(0)
            check(not hub.agents, f"{profile}, {row}: {hub.agents}")
        shutil.rmtree(w.root / "r", ignore_errors=True)


def jit_rows(w, rows):
    for row in rows:
        with GitHubDouble("V", hold=2.0, session_life=1.0) as hub:
            hub.failing = True
            done, here, _ = registered(w, hub, row, "--url", hub.repository, "--type", "github", "--token", "REG1", "--ephemeral")
            check(here, str(done))
            files = {p.name: base64.b64encode(p.read_bytes()).decode() for p in (w.root / "r").iterdir() if p.is_file()}
            shutil.rmtree(w.root / "r")
            fault, job = strike(hub, row), hub.push(echo("once"))
            running = w.start(command="listen", json_out=False, env={**HASTY, "ACTIONS_RUNNER_INPUT_JITCONFIG": base64.b64encode(json.dumps(files).encode()).decode()})
            try:
                if row.call == "acquire" and row.kind in ("lost", "cut", "garbage"):  # it has it, and was not told: the server waits in vain
                    hub.wait(lambda: fault.struck and len(hub.of("acquire")) > 1, 20)
                    hub.lapse(job)
                    running.send(15)
                    running.finish(30)
                else:
                    hub.finished(job, 30)
                    done = running.finish(30).exits(0)
                    check(job.conclusion == "succeeded" and job.log(job.step_id(0)).splitlines().count("once") == 1, f"{row}: {job.conclusion}\n{done}")
            finally:
                running.kill()
            check(fault.struck == 1, f"{row}: it never struck\n{hub.transcript()}")


GITHUB = [(profile, row) for profile, calls in REGISTER.items() for row in table(calls)]
GITEA = table(("Ping", "Register", "Declare"))
REMOVAL = [(profile, row) for profile, calls in UNREGISTER.items() for row in table(calls)]
START = [row for row in table(JIT) if row.kind != "expired"]


@case(who="user")
def a_fault_while_registering_leaves_nothing_half(w):
    register_rows(w, diagonal(GITHUB, 11))
    gitea_rows(w, diagonal(GITEA, 7))
    unregister_rows(w, diagonal(REMOVAL, 13))


@case(who="user", limit=600, thorough=True)
def any_fault_while_registering_leaves_nothing_half(w):
    register_rows(w, GITHUB)
    gitea_rows(w, GITEA)
    unregister_rows(w, REMOVAL)


@case(limit=600, thorough=True)
def any_fault_at_any_call_of_a_just_in_time_runner_leaves_its_job_as_it_was(w):
    jit_rows(w, START)
