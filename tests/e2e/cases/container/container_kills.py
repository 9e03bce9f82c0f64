"""The moments of kills.py in which a container engine is at work: afterwards it has nothing of the run either."""

import contextlib
import socket
import threading
import time

import engine
from case import case
from cases.container.containers import box, nothing_left, service
from cases.job.kills import EVERYTHING, LAST, STUCK, strikes
from engine import BUSYBOX, GLIBC
from world import check

DOCKER = {"quick": False, "needs": ("docker",), "limit": 240}


def in_engine(w, start, word, ready=None, **more):
    """strikes(), when WORD is in the log; then nothing is left in the engine. It may take its time to remove a container."""
    done = []
    strikes(w, start, ready or (lambda running: running.wait_for(word)), EVERYTHING,
            more=lambda strike, r: done.append(r), within=25, **more)
    for r in done:
        nothing_left(r)


@case(**DOCKER)
def in_the_wait_for_health(w):
    flow = w.steps("- {name: never, run: echo no}" + LAST,
                   service("echo up; sleep 100", "--health-cmd false --health-interval 1s --health-retries 1000"))
    in_engine(w, lambda: w.start(flow), "web service is starting", step="Initialize containers")


@case(**DOCKER)
def in_a_step_of_a_container(w):
    flow = w.steps(f"- {{name: stuck, run: 'sleep 1000 & echo it is $((40+2)); sleep {STUCK}'}}" + LAST,
                   box() + service("sleep 100"))
    in_engine(w, lambda: w.start(flow), "it is 42")


@case(**DOCKER)
def in_a_docker_action(w):
    flow = w.steps(f"- {{name: stuck, uses: 'docker://{GLIBC}', with: {{args: sh -c \"echo it is st''uck; sleep {STUCK}\"}}}}" + LAST)
    in_engine(w, lambda: w.start(flow), "it is stuck")


BUILT = "4321.7"  # not that of the moments beside this one


def containers_with(word):
    rows = engine.demand("docker", "ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Command}}").splitlines()
    return [row for row in rows if word in row]


def eventually(condition, what):
    deadline = time.monotonic() + 30
    while found := condition():
        check(time.monotonic() < deadline, f"{what}: {found}")
        time.sleep(0.1)


@case(**DOCKER)
def in_a_build(w):
    """Its container has no label of ours, and ends because the engine hears that its client has gone."""
    w.write("act/Dockerfile", f"FROM {BUSYBOX}\nRUN sleep {BUILT}\n")
    w.write("act/action.yml", "name: act\ndescription: d\nruns: {using: docker, image: Dockerfile}\n")
    w.commit("an action")
    flow = w.steps("- uses: actions/checkout@v4\n- {name: stuck, uses: ./act}" + LAST)
    before = set(engine.demand("docker", "images", "--quiet", "ostler-action").split())

    def ready(running):
        running.wait_for("Running in ")
    strikes(w, lambda: w.start(flow), ready, EVERYTHING, within=25,
            more=lambda strike, r: eventually(lambda: containers_with(BUILT), f"a build goes on after {strike.__name__}"))
    check(set(engine.demand("docker", "images", "--quiet", "ostler-action").split()) == before, "an image is left")


class Silence:
    """A registry that takes connections and never answers."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.taken = []
        self.come = threading.Event()
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def _take(self):
        with contextlib.suppress(OSError):
            while True:
                self.taken.append(self.socket.accept())
                self.come.set()

    def __exit__(self, *_):
        self.socket.close()
        for one, _ in self.taken:
            one.close()


@case(**DOCKER)
def in_a_pull(w):
    with Silence() as registry:
        image = f"127.0.0.1:{registry.port}/silent:1"
        flow = w.steps("- {name: never, run: echo no}" + LAST, f"services:\n  web:\n    image: {image}\n")

        def ready(running):
            running.wait_for("docker pull ")
            registry.come.wait(10)
            registry.come.clear()
        in_engine(w, lambda: w.start(flow), None, ready, step="Initialize containers")
