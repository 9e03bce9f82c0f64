"""What the containers of a server's jobs may have of this machine: nothing, unless whoever runs it says so."""

import os

import engine
from case import case
from engine import BUSYBOX
from gitea_double import GiteaDouble
from github_double import GitHubDouble
from listening import Listener, as_yaml, gitea_registration, github_registration
from world import check

REFUSED = {
    "option '--privileged' is not allowed here: the runner's configuration may, with 'listen: {containers: {options: [...]}}'":
        {"container": {"image": BUSYBOX, "options": "--init --privileged"}},
    "service 'db': volume '/etc' is not allowed here: the runner's configuration may, with 'listen: {containers: {volumes: [...]}}'":
        {"services": {"db": {"image": BUSYBOX, "volumes": ["/etc:/etc:ro"]}}},
    "volume '/' is not allowed here": {"container": {"image": BUSYBOX, "options": "-itv /:/host"}},
}


def job(**more):
    return {"runs-on": "ubuntu-latest", "steps": [{"run": "echo it ran"}], **more}


@case()
def a_containers_wishes_are_refused(w):
    """Of both kinds of servers, before the engine is asked for anything."""
    with GitHubDouble("V") as github, GiteaDouble(capacity=9) as gitea:
        github_registration(w, github)
        gitea_registration(w, gitea, capacity=9, key="gitea")
        listener = Listener(w, slots=4)
        wishes = list(REFUSED.items())
        tasks = [gitea.push(as_yaml(job(**wish)), steps=1) for _, wish in wishes]
        asked = [github.push(job(**wish)) for _, wish in wishes]
        for (why, _), task, one in zip(wishes, tasks, asked):
            gitea.finished(task), github.finished(one)
            check(task.result == "RESULT_FAILURE" and why in task.log() and "it ran" not in task.log(), f"{why}\n{task.log()}")
            check(one.conclusion == "failed" and why in one.log() and "it ran" not in one.log(), f"{why}\n{one.log()}")
        listener.drain()


@case(quick=False, needs=("docker",), limit=60)
def a_configuration_allows_them(w):
    """A volume, an option, a network and what all get; the engine's socket stays out of sight."""
    network = f"ostler-test-{os.getpid()}"
    shared = w.root / "shared"
    shared.mkdir()
    (shared / "note").write_text("from the machine\n")
    config = w.root / "listen.yml"
    config.write_text(f"""listen:
  containers:
    volumes: ["{shared}"]
    options: [--cap-add=NET_ADMIN]
    add: --env=GIVEN=yes
    network: {network}
""")
    look = ("cat /shared/note; echo given=$GIVEN; echo network=${{ job.container.network }}; "
            "test -e /var/run/docker.sock || echo no socket; echo host=[$DOCKER_HOST]")
    said = job(container={"image": BUSYBOX, "volumes": [f"{shared}/../shared:/shared"], "options": "--cap-add NET_ADMIN"},
               steps=[{"run": look, "shell": "sh"}])
    engine.demand("docker", "network", "create", network)
    try:
        with GiteaDouble() as double:
            gitea_registration(w, double)
            listener = Listener(w, "--config", config, slots=1)
            task = double.push(as_yaml(said), steps=1)
            double.finished(task)
            listener.drain()
        for wanted in ("from the machine", "given=yes", f"network={network}", "no socket", "host=[]", "--cap-add NET_ADMIN"):
            check(wanted in task.log(), f"'{wanted}' is not in\n{task.log()}")
        engine.demand("docker", "network", "inspect", network)  # it was not the job's to remove
    finally:
        engine.run("docker", "network", "rm", network)
