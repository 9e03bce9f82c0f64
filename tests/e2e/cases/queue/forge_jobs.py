"""Whole jobs with a real Gitea, which only tests/run.sh --thorough builds: what they say, and what becomes of them."""

import json
import os
import re
import time

import engine
from case import case
from engine import BUSYBOX
from forge import Forge
from listening import SECRETS, VARS, Listener
from whole import RESULTS, WHOLE, local, same
from world import check

TAKE = {"needs": "build", "runs-on": "self-hosted", "steps": [
    {"uses": "actions/download-artifact@v4", "with": {"path": "got"}},
    {"run": "test \"$(cat got/numbers-3/tests.xml)\" = \"$(cat got/numbers-4/tests.xml)\" && echo \"v is ${{ needs.build.outputs.v }}\""}]}


def registered(w, forge):
    folder = w.root / "registrations" / "home"
    w.ostler_call("register", "--url", forge.url, "--token", forge.registration(), "--name", "ostler-1", "--labels", "self-hosted:host",
                  "--dir", folder, "--unattended").exits(0)
    return folder


def pushed(w, forge, repository, workflow):
    """Of workflows there is only this one now."""
    for path in (w.repo / ".gitea/workflows").glob("*"):
        path.unlink()
    return forge.push(repository, {".gitea/workflows/ci.yml": workflow if isinstance(workflow, str) else json.dumps(workflow)})


@case(quick=False, limit=300, thorough=True, who="root", needs=("docker",))
def a_whole_job_of_a_real_gitea_is_as_it_is_here(w):
    image = f"ostler-test/web:{os.getpid()}"  # a Gitea knows of no `command` of services
    program = json.dumps(["/bin/sh", "-c", WHOLE["services"]["web"]["command"].removeprefix("-c ").strip('"')])
    engine.demand("docker", "build", "-q", "-t", image, "-", stdin=None, input=f"FROM {BUSYBOX}\nENTRYPOINT {program}\n".encode())
    try:
        whole_on_a_real_gitea(w, image)
    finally:
        engine.run("docker", "rmi", image)


def whole_on_a_real_gitea(w, image):
    whole = {**WHOLE, "services": {"web": {"image": image, "ports": [80], "env": WHOLE["services"]["web"]["env"]}}}
    whole = json.loads(json.dumps(whole, sort_keys=True))  # as it sorts the members of its mappings
    _, wanted = local(w, whole, {"n": 3, "os": "linux"}, repository="root1/widgets")
    said = {name: log for name, _, log in wanted}
    with Forge(w) as forge:
        repository = forge.repository("widgets", SECRETS, VARS)
        registered(w, forge)
        listener = Listener(w, env={"XDG_CACHE_HOME": str(w.root / "cache-listener")})
        (w.repo / ".github/workflows/local.yml").unlink()
        commit = pushed(w, forge, repository, {"name": "ci", "on": "push", "jobs": {
            "build": {**whole, "strategy": {"matrix": {"n": [3, 4], "os": ["linux"]}}}, "take": TAKE}})
        state, checks = forge.status(repository, commit)
        jobs = {job["name"]: job for job in forge.jobs(repository)}
        logs = {name: forge.job_log(repository, job) for name, job in jobs.items() if job.get("conclusion") in ("success", "failure")}
        steps = forge.steps(repository, jobs["build (3, linux)"])
        done = listener.drain()
    check(state == "success" and set(checks.values()) == {"success"}, f"{state}: {checks}\n{logs}\n{done}")
    log = same(re.sub(r"(?m)^\S+Z ", "", logs["build (3, linux)"]))
    log = log.replace("Expected Digest: undefined", "Expected Digest: sha256:ID")  # it lists none
    for name, text in said.items():
        if name != "Set up job":
            check(same(text) in log, f"of '{name}' there is not\n{same(text)}\n--- in\n{log}")
    own = {step["name"] for step in WHOLE["steps"]}
    check({name: RESULTS[status] for name, status in steps.items() if name in own} ==
          {name: conclusion for name, conclusion, _ in wanted if name in own}, f"{steps}")
    check("v is 3" in logs["take"] or "v is 4" in logs["take"], logs["take"])
    check("swordfish" not in "".join(logs.values()), logs)


@case(quick=False, limit=300, thorough=True, who="root")
def a_real_gitea_fails_cancels_and_runs_again(w):
    with Forge(w) as forge:
        repository = forge.repository("demo")
        folder = registered(w, forge)
        listener = Listener(w)
        commit = pushed(w, forge, repository, """\
            on: push
            jobs:
              test:
                runs-on: self-hosted
                steps: [{run: 'echo attempt $GITHUB_RUN_ATTEMPT; test $GITHUB_RUN_ATTEMPT -gt 1'}, {run: echo never}]
            """)
        state, checks = forge.status(repository, commit)
        check(state == "failure", f"{state}: {checks}")
        job = forge.jobs(repository)[0]
        steps = forge.steps(repository, job)
        check(list(steps.values())[:3] == ["success", "failure", "skipped"], f"{steps}")  # its own last one is as the job
        check("Process completed with exit code 1." in forge.job_log(repository, job), forge.job_log(repository, job))
        forge.api("POST", f"/repos/{repository}/actions/runs/{forge.run(repository)['id']}/rerun")
        run = forge.done(repository, attempt=2)
        check(run["conclusion"] == "success" and forge.status(repository, commit)[0] == "success", f"{run}")

        commit = pushed(w, forge, repository, """\
            on: push
            jobs:
              slow:
                runs-on: self-hosted
                steps:
                  - run: "trap 'kill $!; exit 1' INT; sleep 60 & wait"
                  - {if: always(), run: echo cleaned up}
            """)
        end = time.monotonic() + 30
        while not (jobs := forge.jobs(repository)) or jobs[0]["status"] != "in_progress" or not listener.workers():
            check(time.monotonic() < end, f"it never runs: {jobs}\n{forge.told()}")
            time.sleep(0.1)
        forge.cancel(repository)
        run = forge.done(repository)
        check(run["conclusion"] == "cancelled", f"{run}")
        end = time.monotonic() + 30
        while listener.workers():
            check(time.monotonic() < end, "the cancelled job goes on")
            time.sleep(0.1)
        log = forge.job_log(repository, forge.jobs(repository)[0])
        check("cleaned up" in log, log)

        listener.drain()
        w.ostler_call("unregister", "--dir", folder, "--local").exits(0)
        check(list(forge.runners()) == ["ostler-1"], f"{forge.runners()}")  # nobody may remove it but on its page
        registered(w, forge)
        listener = Listener(w)
        commit = pushed(w, forge, repository, "on: push\njobs: {anew: {runs-on: self-hosted, steps: [{run: echo anew}]}}\n")
        state, checks = forge.status(repository, commit)
        check(state == "success", f"{state}: {checks}")
        listener.drain()
