"""The sample backend for real: PostgreSQL and Redis as services, pip, Django's tests, three linters."""

import json
import os
import re
import shutil
import signal
import time

import engine
from case import case
from world import check

NEEDS = {"quick": False, "needs": ("docker", "network", "services"), "limit": 400}
FROM_OUTSIDE = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL")


def sample(w):
    """A copy of the sample in a repository of its own."""
    shutil.copytree(w.project / "pipelines" / "horoscopus", w.repo, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("node_modules", "dist", "__pycache__"))
    w.git("remote", "set-url", "origin", "https://github.com/acme/horoscopus.git")
    w.commit("the sample")
    w.env |= {name: os.environ[name] for name in FROM_OUTSIDE if name in os.environ}
    return "backend.yml"


def sick(w):
    """The same, and a health check of PostgreSQL that cannot succeed."""
    flow = sample(w)
    text = (w.repo / flow).read_text()
    check("--host 127.0.0.1 --username" in text, f"the health check is another one:\n{text}")
    text = text.replace("--host 127.0.0.1", "--host 127.0.0.1 --port 1").replace(
        "--health-interval 2s", "--health-interval 1s")
    (w.repo / flow).write_text(text)
    w.commit("sick")
    return flow


def unused_volumes():
    return set(engine.demand("docker", "volume", "ls", "--quiet", "--filter", "dangling=true").split())


def nothing_left(done, volumes):
    """Containers and networks carry the worker's label; volumes came with the images, and carry none."""
    labels = set(re.findall(r"--label (ostler=[0-9a-f-]+)", done.out))
    check(labels, f"there is no label in the log\n{done}")
    deadline = time.monotonic() + 30  # another case may be between making its volume and using it
    while left := ([line for label in labels for line in engine.labelled(label)] + sorted(unused_volumes() - volumes)):
        check(time.monotonic() < deadline, f"left in the engine: {left}\n{done}")
        time.sleep(0.2)


@case(**NEEDS)
def the_backend_pipeline_runs_for_real(w):
    """Issue 4, done when 1: green against a real PostgreSQL and Redis."""
    flow, volumes = sample(w), unused_volumes()
    r = w.run(flow, "--event", "push", code=0, limit=300)
    r.concluded(Install_dependencies="success", Lint="success", Migrations="success", Test="success")
    r.says("postgres service is healthy.", "redis service is healthy.", step="Initialize containers")
    r.says("No changes detected", step="Migrations")
    ran = re.search(r"Ran (\d+) tests", r.log("Test"))
    check(ran and int(ran.group(1)) >= 15, f"too few tests\n{r}")
    r.says("database system is ready to accept connections", "Ready to accept connections", step="Stop containers")
    r.equal("errors", r.of("annotation", level="error"), [])
    nothing_left(r, volumes)


@case(who="root", **NEEDS)
def what_the_three_linters_find_is_told_at_its_line(w):
    flow, volumes = sample(w), unused_volumes()
    views = w.repo / "backend" / "forecasts" / "views.py"
    text = views.read_text()
    views.write_text(text.replace("from datetime import date\n", "")
                     .replace("from . import popular\n", "from . import popular\nfrom datetime import date\nimport sys\n")
                     .replace("SHOWN_AT_MOST = 50", "SHOWN_AT_MOST   = 50"))
    lines = views.read_text().splitlines()
    unsorted, unused, spaced = (1 + next(n for n, line in enumerate(lines) if line.startswith(start))
                                for start in ("from datetime", "import sys", "SHOWN_AT_MOST"))
    w.commit("careless")
    r = w.run(flow, code=1, limit=300).concluded(Lint="failure", Test="skipped")
    found = {(a["title"].split(":")[0], a["line"]) for a in r.of("annotation") if a.get("file") == "backend/forecasts/views.py"}
    check({("flake8", unused), ("black", spaced)} <= found, f"annotations: {found}\n{r}")
    check(any(name == "isort" and line <= unsorted for name, line in found), f"annotations: {found}\n{r}")
    nothing_left(r, volumes)


@case(**NEEDS)
def a_postgres_that_is_never_healthy_fails_the_job_with_its_log(w):
    """Issue 4, done when 1, the other half."""
    flow, volumes = sick(w), unused_volumes()
    r = w.run(flow, code=1, limit=120)
    r.says("##[group]Service container postgres failed.", "database system is ready to accept connections",
           "Failed to initialize container postgres:15", "One or more containers failed to start.",
           step="Initialize containers")
    r.concluded(Initialize_containers="failure", Install_dependencies="skipped", Test="skipped")
    nothing_left(r, volumes)


@case(**NEEDS)
def a_cancel_while_postgres_is_waited_for_leaves_nothing(w):
    flow, volumes = sick(w), unused_volumes()
    r = w.start(flow).wait_for("postgres service is starting", 60).send(signal.SIGINT).finish(40)
    w.after(r, None)
    r.equal("jobs", r.jobs(), {"backend": "cancelled"})
    r.concluded(Initialize_containers="cancelled", Test="skipped", Stop_containers="success")
    nothing_left(r, volumes)


@case()
def the_backend_s_workflow_is_checked_and_planned_without_a_word(w):
    flow = sample(w)
    r = w.ostler_call("check", "--strict", flow).exits(0)
    r.equal("what check says", r.out, "1 file checked: nothing found\n")
    plan = json.loads(w.ostler_call("plan", "--json", flow).exits(0).out)
    text = json.dumps(plan)
    for name in ("Lint and test", "Install dependencies", "Lint", "Migrations", "Test"):
        check(f'"{name}"' in text, f"'{name}' is not planned\n{text}")
    check('"error":' not in text, f"something is wrong with the plan\n{text}")
