"""Service containers, job containers and Docker actions on a real engine; afterwards nothing of them is left."""

import os
import re
import signal
import subprocess
import time

import engine
from case import case
from engine import BUSYBOX
from world import check

DOCKER = {"quick": False, "needs": ("docker",)}


def service(command, options="", more=""):
    """A job's `services:` with one, 'web', that runs COMMAND in a shell."""
    return (f"services:\n  web:\n    image: {BUSYBOX}\n    options: --entrypoint /bin/sh {options}\n"
            f"    command: -c \"{command}\"\n" + more)


def nothing_left(done):
    """Each worker labels what it makes; its log has the label."""
    labels = set(re.findall(r"--label (ostler=[0-9a-f-]+)", done.out))
    check(labels, f"there is no label in the log\n{done}")
    deadline = time.monotonic() + 5  # another case may be removing what a killed worker of this one left
    while left := [line for label in labels for line in engine.labelled(label)]:
        check(time.monotonic() < deadline, f"left in the engine: {left}\n{done}")
        time.sleep(0.1)


@case(**DOCKER)
def a_service_is_reached_by_its_port(w):
    """Ports, ids and the network are in the `job` context; secrets come to the container and never to a log."""
    job = service("mkdir /w; echo hello $NAME > /w/index.html; echo the secret is $TOKEN; exec httpd -f -p 80 -h /w",
                  more="    ports: [80]\n    env: {TOKEN: '${{ secrets.TOKEN }}', NAME: \"a\\nb\"}\n")
    for level in ("sandbox", "host"):
        r = w.run(w.steps("""
            - name: ask
              run: |
                echo "id=${{ job.services.web.id }} network=${{ job.services.web.network }}"
                python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:${{ job.services.web.ports['80'] }}').read())"
            """, job), "--isolation", level, "--secret", "TOKEN=geheim-42", code=0)
        r.says("hello a b", "id=", "network=github_network_", step="ask")
        r.says("##[group]Starting web service container", "is on this machine already", step="Initialize containers")
        r.says("the secret is ***", "Remove container network: github_network_", step="Stop containers")
        check("geheim-42" not in r.out + r.err, f"the secret is in the open\n{r}")
        nothing_left(r)


@case(**DOCKER)
def health_is_waited_for(w):
    r = w.run(w.steps("- {name: late, run: 'echo it is ready'}",
                      service("sleep 2; touch /ready; sleep 100",
                              '--health-cmd "test -e /ready" --health-interval 500ms')), code=0)
    r.says("web service is starting, waiting", "web service is healthy.", step="Initialize containers")
    r.concluded(late="success")
    nothing_left(r)


@case(**DOCKER)
def a_sick_service_fails_the_job_and_shows_its_log(w):
    r = w.run(w.steps("- {name: never, run: echo no}\n- {name: always, if: always(), run: echo yes}",
                      service("echo I cannot find my data; sleep 100",
                              "--health-cmd false --health-interval 200ms --health-retries 2")), code=1)
    r.says("##[group]Service container web failed.", "I cannot find my data",
           f"Failed to initialize container {BUSYBOX}", "One or more containers failed to start.",
           step="Initialize containers")
    r.concluded(Initialize_containers="failure", never="skipped", always="success", Stop_containers="success")
    nothing_left(r)


@case(**DOCKER)
def a_service_that_ends_at_once_is_told(w):
    r = w.run(w.steps("- run: 'true'", service("echo wrong password; exit 3")), code=0)
    r.says("wrong password", "has ended already", step="Initialize containers")


@case(**DOCKER)
def an_image_that_is_not_there_is_one_error(w):
    job = "services:\n  web:\n    image: 127.0.0.1:1/no/such:image\n"
    r = w.run(w.steps("- run: echo no", job), "--offline", code=1)
    r.says("the image '127.0.0.1:1/no/such:image' is not on this machine, and '--offline' forbids",
           step="Initialize containers")


@case(**DOCKER)
def an_empty_image_is_no_service(w):
    job = "services:\n  web:\n    image: ${{ github.event.nothing }}\n"
    r = w.run(w.steps("- run: echo yes", job), code=0)
    r.says("The service 'web' will not be started because the container definition has an empty image.",
           step="Initialize containers")


@case(**DOCKER)
def volumes_reach_the_job_s_work_folder(w):
    job = service("echo from the service > /data/file; sleep 100",
                  more="    volumes: ['${{ github.workspace }}:/data']\n")
    for level in ("sandbox", "host"):
        r = w.run(w.steps("- {name: look, run: 'sleep 0.5; cat file'}", job), "--isolation", level, code=0)
        r.says("from the service", step="look")
        nothing_left(r)


SICK = ("echo started; sleep 100", "--health-cmd false --health-interval 1s --health-retries 1000")


@case(**DOCKER)
def a_cancel_ends_the_wait_for_health(w):
    flow = w.steps("- {name: never, run: echo no}", service(*SICK))
    r = w.start(flow).wait_for("web service is starting").send(signal.SIGINT).finish(20)
    w.after(r, None)
    r.equal("jobs", r.jobs(), {"job": "cancelled"})
    r.concluded(Initialize_containers="cancelled", never="skipped", Stop_containers="success")
    check(r.seconds < 15, f"took {r.seconds:.1f} s")
    nothing_left(r)


@case(**DOCKER)
def the_job_s_time_limit_ends_the_wait_for_health(w):
    flow = w.steps("- {name: never, run: echo no}", "timeout-minutes: 1\n" + service(*SICK))
    r = w.run(flow, env={"OSTLER_TEST_MINUTE_MS": "2000"}, limit=30)
    r.equal("jobs", r.jobs(), {"job": "cancelled"})
    nothing_left(r)


def worker_of(running):
    found = subprocess.run(["pgrep", "--parent", str(running.process.pid)], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


@case(**DOCKER)
def a_killed_worker_leaves_no_container(w):
    running = w.start(w.steps("- run: sleep 100", service("sleep 100"))).wait_for("Run sleep 100")
    os.kill(worker_of(running), signal.SIGKILL)
    r = running.finish(30)
    r.equal("jobs", r.jobs(), {"job": "failure"})
    nothing_left(r)


@case(**DOCKER)
def a_killed_program_leaves_no_container(w):
    """Its worker notices, and cleans up before it ends."""
    running = w.start(w.steps("- run: sleep 100", service("sleep 100"))).wait_for("Run sleep 100")
    running.kill()
    nothing_left(running.finish(30))


@case(**DOCKER)
def after_both_were_killed_the_next_start_cleans_up(w):
    running = w.start(w.steps("- run: sleep 100", service("sleep 100"))).wait_for("Run sleep 100")
    worker = worker_of(running)
    for pid in (running.process.pid, worker):
        os.kill(pid, signal.SIGKILL)
    r = running.finish(30)
    w.run(w.steps("- run: 'true'", name="other.yml"), code=0)
    nothing_left(r)


@case(needs=("docker",))
def without_an_engine_the_cure_is_told(w):
    flow = w.steps("- run: echo no", service("sleep 100"))
    w.run(flow, env={"DOCKER_HOST": f"unix://{w.root}/nothing"}, code=1).says(
        "no container engine answers", "systemctl start docker", step="Initialize containers")
    tools = w.root / "tools"
    tools.mkdir()
    for name in ("git", "bash", "sh"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    w.run(flow, env={"PATH": str(tools)}, code=1).says(
        "there is neither 'docker' nor 'podman' on the PATH: install one of them", step="Initialize containers")
