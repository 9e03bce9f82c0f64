"""ostler/ssh-deploy on a real sshd, and on a real engine with compose: what goes live, what comes back, what is kept."""

import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

import engine
from case import case
from cases.container.registry import PASSWORD, USER, free_port, push, registry
from engine import BUSYBOX
from world import check

SSH = {"quick": False, "needs": ("ssh",), "limit": 120}
DOCKER = {"quick": False, "needs": ("docker", "ssh"), "limit": 180}
# Debian 12 has version 1 of compose; tests/run.sh fetches a version 2.
COMPOSE_2 = pathlib.Path(__file__).resolve().parents[4] / "build/tools/compose/docker-compose"


class Server:
    """A real sshd, on a port of its own. Of root's it has ordinary accounts, who may use the engine; an ordinary user's
    serves that user."""

    def __init__(self, accounts=1):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="ostssh."))
        self.place.chmod(0o755)
        self.port, self.accounts = free_port(), []
        for name in ("host", "id", "other"):
            subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", self.place / name], check=True)
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(exist_ok=True)
            for n in range(accounts):
                self._account(f"ost{os.getpid()}{'abc'[n]}")
        else:
            home = self.place / "home"
            home.mkdir()
            self.accounts.append((pwd.getpwuid(os.geteuid()).pw_name, home))
        self.start("host")

    def _account(self, name):
        socket = os.environ.get("DOCKER_HOST", "").removeprefix("unix://")
        group = ["-G", str(os.stat(socket).st_gid)] if socket else []
        subprocess.run(["useradd", "-m", "-d", self.place / name, "-p", "*", "-s", "/bin/sh", *group, name], check=True)
        self.accounts.append((name, self.place / name))

    def start(self, key):
        """With that host key. Everything is logged: the log is what proves that nothing was sent."""
        docker = os.environ.get("DOCKER_HOST")
        config = self.place / "config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.place}/{key}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.place}/id.pub\nStrictModes no\nPasswordAuthentication no\nLogLevel DEBUG1\n"
            f"MaxSessions 50\n" + (f"SetEnv DOCKER_HOST={docker}\n" if docker else ""))
        self.log = self.place / f"log.{key}"
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", config, "-E", self.log])
        deadline = time.monotonic() + 30
        while not self.log.exists() or "Server listening" not in self.log.read_text():
            check(time.monotonic() < deadline and self.process.poll() is None, "sshd does not come up")
            time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.stop()
        for name, _ in self.accounts:
            if os.geteuid() == 0:
                subprocess.run(["pkill", "-KILL", "-u", name], check=False)
                subprocess.run(["userdel", "-f", name], check=False, capture_output=True)
        shutil.rmtree(self.place, ignore_errors=True)

    @property
    def folder(self):
        return self.accounts[0][1] / "app"

    def with_compose_2(self, program):
        """As a plugin of the accounts' docker."""
        for _, home in self.accounts:
            folder = home / ".docker/cli-plugins"
            folder.mkdir(parents=True)
            shutil.copy(program, folder)
            (home / ".docker").chmod(0o755)

    def run(self, script):
        """As the first account, to see what is there."""
        who = ["setpriv", f"--reuid={self.accounts[0][0]}", "--clear-groups"] if os.geteuid() == 0 else []
        return subprocess.run([*who, "sh", "-ec", script], cwd=self.folder.parent, check=True, capture_output=True,
                              text=True).stdout

    def state(self):
        lines = (self.folder / ".ostler/state").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def known(self, key="host"):
        return f"[127.0.0.1]:{self.port} " + " ".join((self.place / f"{key}.pub").read_text().split()[:2])

    def pin(self, key="host"):
        return subprocess.run(["ssh-keygen", "-lf", self.place / f"{key}.pub"], check=True, capture_output=True,
                              text=True).stdout.split()[1]

    def inputs(self, **more):
        hosts = "\n".join(f"{name}@127.0.0.1:{self.port}" for name, _ in self.accounts)
        given = {"host": hosts, "key": "${{ secrets.KEY }}", "known_hosts": self.known(), "folder": str(self.folder), **more}
        if len(self.accounts) > 1:
            given["folder"] = "app"
        return given


def flow(w, server, name="ci.yml", before="", **inputs):
    """A workflow that deploys; what the step says at last is in step 'told'."""
    given, lines = server.inputs(**inputs), []
    for key, value in given.items():
        known = key.startswith("proxy_") or key == "command_timeout"
        if value is not None:
            lines.append(f"    {key if known else key.replace('_', '-')}: {json.dumps(str(value))}")
    secrets = w.root / "secrets"
    secrets.write_text(f'KEY="{(server.place / "id").read_text()}"\nPASSWORD={PASSWORD}\n')
    secrets.chmod(0o600)
    steps = (before + "- name: deploy\n  id: d\n  uses: ostler/ssh-deploy@v1\n  with:\n" + "\n".join(lines) + "\n"
             "- name: told\n  if: always()\n  run: echo \"release=${{ steps.d.outputs.release }} previous=${{ steps.d.outputs.previous }} "
             "back=${{ steps.d.outputs.rolled-back }} url=${{ steps.d.outputs.url }}\"\n")
    return (w.steps(steps, name=name), "--secret-file", secrets)


def run(w, words, code):
    """w.run() would find sshd running."""
    r = w.start(*words).finish(120).exits(code)
    w.sane(r)
    w.nothing_left(r)
    check("PRIVATE KEY" not in r.out + r.err and PASSWORD not in r.out + r.err, f"a secret is in the open\n{r}")
    return r


def command(w, server, script, **more):
    return flow(w, server, strategy="command", script=script, **more)


# ---- compose ----

COMPOSE = """\
services:
  web:
    image: {image}:${{TAG}}
    stop_signal: SIGKILL
    environment: [TAG, WORD]
    ports: ["127.0.0.1:{port}:80"]
    volumes: ["data:/data"]
    command:
      - sh
      - -c
      - echo "$$TAG" >>/data/log; echo "started as $$TAG"; [ "$$TAG" != bad ] || exit 3; mkdir /w; echo "$$TAG of $$WORD" >/w/index.html; exec httpd -f -p 80 -h /w
volumes: {{data: {{}}}}
"""
CHECKOUT = "- uses: actions/checkout@v4\n"


def answer(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
        return page.read().decode().strip()


@contextlib.contextmanager
def application(w, server, image):
    """A compose file in the workspace, a .env on the server; and at the end nothing of it in the engine."""
    port = free_port()
    w.write("docker-compose.yml", COMPOSE.format(image=image, port=port))
    w.commit("compose")
    server.run("mkdir app; printf 'WORD=env\\n' >app/.env; chmod 600 app/.env")
    project = f"ost{port}"
    try:
        yield port, {"project": project, "health_interval": "200ms", "health_url": f"http://127.0.0.1:{port}/"}
    finally:
        ids = engine.demand("docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={project}").split()
        if ids:
            engine.run("docker", "rm", "-fv", *ids)
        engine.run("docker", "network", "rm", f"{project}_default")
        engine.run("docker", "volume", "rm", f"{project}_data")


@case(**DOCKER)
def a_good_release_goes_live_and_a_bad_one_comes_back(w):
    """With its data kept, the server's .env as it was, and the words of what failed in the log."""
    with Server() as server:
        good_and_bad(w, server)


@case(**DOCKER)
def and_so_it_is_with_compose_2(w):
    with Server() as server:
        server.with_compose_2(COMPOSE_2)
        good_and_bad(w, server)


def good_and_bad(w, server):
    image = f"ostler-test/deploy{os.getpid()}"
    with application(w, server, image) as (port, given):
        given["pull"] = "false"
        tags = [f"{image}:{tag}" for tag in ("one", "two", "bad")]
        try:
            for tag in tags:
                engine.demand("docker", "tag", BUSYBOX, tag)
            r = run(w, flow(w, server, before=CHECKOUT, env="TAG=one", **given), 0)
            r.says("release 1 is healthy", "release 1 is live", step="deploy")
            r.says(f"release=1 previous= back=false url=http://127.0.0.1:{port}/", step="told")
            check(answer(port) == "one of env", answer(port))
            run(w, flow(w, server, before=CHECKOUT, env="TAG=two", **given), 0)
            check(answer(port) == "two of env", answer(port))
            r = run(w, flow(w, server, before=CHECKOUT, env="TAG=bad", **given), 1)
            r.says("ended with exit code 3; release 2 is back and works", "started as bad", "release 2 is healthy", step="deploy")
            r.says("release=3 previous=2 back=true", step="told")
            check(answer(port) == "two of env", answer(port))
            data = engine.demand("docker", "run", "--rm", "-v", f"{given['project']}_data:/data", BUSYBOX, "cat", "/data/log")
            check(data.split() == ["one", "two", "bad", "two"], data)
            check(server.state() == {"current": "2", "previous": "1", "last": "3", "pending": "", "step": "", "by": ""}, server.state())
            run(w, flow(w, server, before=CHECKOUT, rollback="true", **given), 0).says("release=1", "back=true", step="told")
            check(answer(port) == "one of env", answer(port))
            check(server.run("cat app/.env; stat -c %a app/.env") == "WORD=env\n600\n", "the .env was touched")
        finally:
            engine.run("docker", "rmi", *tags)


@case(**DOCKER)
def images_are_pulled_with_a_login_that_does_not_stay(w):
    with Server() as server, registry(w) as place, application(w, server, f"{place}/team/app") as (port, given):
        push(w, f"{place}/team/app:one", "ENV PULLED=yes")
        try:
            login = {"registry": place, "registry_username": USER, "registry_password": "${{ secrets.PASSWORD }}"}
            r = run(w, flow(w, server, before=CHECKOUT, env="TAG=one", **given), 1)
            r.says("the images of release 1 could not be pulled; nothing that runs was touched", step="deploy")
            run(w, flow(w, server, before=CHECKOUT, env="TAG=one", **given, **{**login, "registry_password": "wrong"}), 1).says(
                "docker login on the server: ", step="deploy")
            run(w, flow(w, server, before=CHECKOUT, env="TAG=one", **given, **login), 0)
            check(answer(port) == "one of env", answer(port))
            check("docker" not in server.run("ls -A; ls -A app/.ostler; cat .docker/config.json 2>/dev/null || :"), "the login stayed")
        finally:
            engine.run("docker", "rmi", "-f", f"{place}/team/app:one")


# ---- the host's key ----

@case(**SSH)
def a_changed_host_key_stops_everything(w):
    """Before a byte is sent: sshd's own log has no word of anybody who wanted to log in."""
    with Server() as server:
        for pinned in ({"known_hosts": server.known()}, {"known_hosts": None, "fingerprint": server.pin()}):
            run(w, command(w, server, "echo here >here", **pinned), 0)
        check("Accepted publickey" in server.log.read_text(), "the log shows nothing")
        run(w, command(w, server, "true", known_hosts=None), 1).says(f"run 'ssh-keyscan -p {server.port} 127.0.0.1', compare", step="deploy")
        server.stop()
        server.start("other")
        for pinned in ({"known_hosts": server.known()}, {"known_hosts": None, "fingerprint": server.pin()}):
            r = run(w, command(w, server, "echo there >there", **pinned), 1)
            r.says("not the pinned one, so nothing was sent to it", step="deploy")
        r.says(server.pin("other"), step="deploy")
        log = server.log.read_text()
        check("[preauth]" in log and "userauth" not in log and "publickey" not in log, log)
        check(not (server.folder / "there").exists(), "it was deployed")


@case(**SSH)
def a_key_with_a_passphrase_and_a_jump_host(w):
    with Server() as server:
        subprocess.run(["ssh-keygen", "-qp", "-f", server.place / "id", "-P", "", "-N", "open sesame"], check=True)
        name, _ = server.accounts[0]
        more = {"passphrase": "open sesame", "proxy_host": f"{name}@127.0.0.1", "proxy_port": server.port}
        run(w, command(w, server, "echo \"$SSH_CONNECTION\" >here", **more), 0).never_says("sesame")
        check((server.folder / "here").read_text().startswith("127.0.0.1 "), "it was not deployed")
        run(w, command(w, server, "true", **{**more, "passphrase": "wrong"}), 1).says("does the passphrase fit the key?", step="deploy")


# ---- two at once, killed, cancelled ----

@case(**SSH)
def two_at_once_wait_or_refuse(w):
    with Server() as server:
        first = w.start(*command(w, server, "touch busy; until [ -e go ]; do sleep 0.05; done; echo first >>log", name="a.yml"))
        first.wait_for_file(server.folder / "busy")
        r = run_beside(w, command(w, server, "echo never >>log", name="b.yml", on_locked="refuse"), 1)
        r.says("another deploy is at work (acme/app, run ", step="deploy")
        second = w.start(*command(w, server, "echo second >>log", name="c.yml"))
        second.wait_for("waiting for another deploy: acme/app, run ")
        (server.folder / "go").touch()
        first.finish(60).exits(0)
        second.finish(60).exits(0)
        check((server.folder / "log").read_text() == "first\nsecond\n", (server.folder / "log").read_text())


def run_beside(w, words, code):
    """While another run is at work, so what is left is not looked at."""
    return w.start(*words).finish(60).exits(code)


@case(**SSH)
def killed_in_the_middle_the_next_one_knows(w):
    with Server() as server:
        run(w, command(w, server, "echo one >live"), 0)
        slow = w.start(*command(w, server, "echo half >live; touch busy; until [ -e go ]; do sleep 0.05; done"))
        slow.wait_for_file(server.folder / "busy")
        slow.send(signal.SIGKILL).finish(20)
        check(server.state()["current"] == "1" and server.state()["pending"] == "2", server.state())
        (server.folder / "go").touch()
        r = w.start(*command(w, server, "echo three >live")).finish(60).exits(0)
        r.says("found release 2 unfinished (switch", "begun by acme/app, run ", "the last good release is 1", step="deploy")
        r.says("release=3 previous=1", step="told")
        w.clean_after_run = False


@case(**SSH)
def a_cancel_in_the_middle_is_taken_back(w):
    with Server() as server:
        undo = {"rollback_commands": "echo \"back to $OSTLER_RELEASE\" >live"}
        run(w, command(w, server, "echo one >live", **undo), 0)
        slow = w.start(*command(w, server, "echo half >live; touch busy; sleep 2", **undo))
        slow.wait_for_file(server.folder / "busy")
        r = slow.send(signal.SIGINT).finish(60)
        r.says("the deploy of release 2 was cut off: release 1 is back and works")
        check((server.folder / "live").read_text() == "back to 1\n", (server.folder / "live").read_text())
        check(server.state()["current"] == "1" and not server.state()["pending"], server.state())
        w.nothing_left(r)


# ---- several servers ----

@case(who="root", **SSH)
def servers_are_changed_one_by_one_and_all_go_back(w):
    with Server(accounts=2) as server:
        for name in ("dist/page", "dist/same"):
            w.write(name, "one")
        w.commit("one")
        one, two = (home / "app" for _, home in server.accounts)
        more = {"before": CHECKOUT, "strategy": "release", "source": "dist", "shared": "media",
                "health_command": "! grep -q two page || case $PWD in *a/app/*) ;; *) exit 1 ;; esac", "health_retries": "0"}
        run(w, flow(w, server, **more), 0).says("is live on all servers", step="deploy")
        for folder in (one, two):
            check((folder / "current/page").read_text() == "one" and (folder / "current/media").is_dir(), "it is not live")
            (folder / "shared/media/photo").write_text("precious")
        w.write("dist/page", "two")
        w.commit("two")
        r = run(w, flow(w, server, **more), 1)
        a, b = (f"[{name}@127.0.0.1:{server.port}] release" for name, _ in server.accounts)
        r.says(f"{a} 2 is healthy", f"{b} 2 goes live", "release 1 is back and works", step="deploy")
        log = r.log("deploy")
        check(log.index(f"{a} 2 is healthy") < log.index(f"{b} 2 goes live"), "not one by one")
        for folder in (one, two):
            check((folder / "current/page").read_text() == "one" and os.readlink(folder / "current") == "releases/1", "it did not go back")
            check((folder / "releases/1/same").stat().st_ino == (folder / "releases/2/same").stat().st_ino, "it was copied once more")
            check((folder / "current/media/photo").read_text() == "precious", "the data is gone")
