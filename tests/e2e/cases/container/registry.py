"""Images that have to be fetched: a registry that wants a password, and what is done when an image is here already."""

import contextlib
import crypt
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request

import engine
from case import case
from cases.container.containers import box, nothing_left
from engine import BUSYBOX, GLIBC
from world import check

DOCKER = {"quick": False, "needs": ("docker",), "limit": 120}
USER, PASSWORD = "ci", "s3cret-of-the-registry"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@contextlib.contextmanager
def registry(w):
    """"127.0.0.1:PORT", which knows USER; engines take it without TLS, as it is on the loopback."""
    place, port = w.root / "registry", free_port()
    config = {"version": 0.1, "log": {"level": "error"}, "storage": {"filesystem": {"rootdirectory": str(place / "data")}},
              "http": {"addr": f"127.0.0.1:{port}", "secret": "x"},
              "auth": {"htpasswd": {"realm": "test", "path": str(place / "users")}}}
    w.write("users", f"{USER}:{crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))}\n", below=place)
    path = w.write("config.yml", json.dumps(config), below=place)
    process = subprocess.Popen(["docker-registry", "serve", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/")
            except urllib.error.HTTPError:
                break  # it asks for a password: it is there
            except OSError:
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def run(w, *words, code):
    """w.run() would find the registry running."""
    return w.start(*words).finish(60).exits(code)


def push(w, name, *changes):
    """An image NAME, in the registry alone."""
    docker = ("docker", "--config", str(w.root / "docker"))
    for words, text in ((("build", "-q", "-t", name, "-"), "\n".join((f"FROM {GLIBC}", *changes))),
                        (("login", "-u", USER, "--password-stdin", name.partition("/")[0]), PASSWORD)):
        subprocess.run([*docker, *words], input=text.encode(), capture_output=True, check=True)
    engine.demand(*docker, "push", name)
    engine.demand("docker", "rmi", name)


@case(**DOCKER)
def images_are_pulled_with_the_workflow_s_credentials(w):
    """The password is in no log, no argument and no configuration that stays."""
    with registry(w) as place:
        image = f"{place}/team/app:1"
        push(w, image, "ENV VERSION=one")
        try:
            job = box(image, f"  credentials: {{username: {USER}, password: '${{{{ secrets.P }}}}'}}\n")
            flow = w.steps("- {name: look, run: 'echo version $VERSION'}", job)
            r = run(w, flow, "--secret", f"P={PASSWORD}", code=0)
            r.says("login -u ci --password-stdin " + place, "Login Succeeded", f"pull {image}", step="Initialize containers")
            r.says("version one", step="look")
            check(PASSWORD not in r.out + r.err, f"the password is in the open\n{r}")
            nothing_left(r)
            engine.demand("docker", "rmi", image)
            r = run(w, flow, "--secret", "P=wrong", code=1)
            r.says("docker login: ", "Unauthorized", step="Initialize containers").never_says("trying again", step="Initialize containers")
            r = run(w, w.steps("- run: echo no", box(image), name="other.yml"), code=1)  # the first login was not kept
            r.never_says("is on this machine already", step="Initialize containers")
        finally:
            engine.run("docker", "rmi", image)


@case(**DOCKER)
def an_image_that_is_here_is_pulled_again_only_when_asked(w):
    with registry(w) as place:
        image = f"{place}/team/app:2"
        job = box(image, f"  credentials: {{username: {USER}, password: '${{{{ secrets.P }}}}'}}\n")
        flow = w.steps("- {name: look, run: 'echo version $VERSION'}", job)
        options = ("--secret", f"P={PASSWORD}")
        push(w, image, "ENV VERSION=one")
        try:
            run(w, flow, *options, code=0).says("version one", step="look")
            engine.demand("docker", "tag", image, "ostler-test/kept:1")
            push(w, image, "ENV VERSION=two")
            engine.demand("docker", "tag", "ostler-test/kept:1", image)
            run(w, flow, *options, code=0).says("version one", step="look").says("is on this machine already")
            run(w, flow, *options, "--pull", code=0).says("version two", step="look")
            r = run(w, w.steps(f"- {{name: other, uses: 'docker://{BUSYBOX}', with: {{args: echo no}}}}", name="other.yml"), "--pull", code=1)
            check("docker pull " in r.out, f"it was not pulled\n{r}")
        finally:
            engine.run("docker", "rmi", image, "ostler-test/kept:1")
    run(w, flow, "--pull", "--offline", code=2).shows("--offline")
