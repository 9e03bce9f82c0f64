"""A real Gitea for the cases that need one: its web server with SQLite, in a folder of the case's own.

tests/fetch.sh builds it from its Go module into build/tools/gitea, with --thorough only: that takes minutes. Another release
may be tried by naming its folder in OSTLER_TEST_GITEA. What it needs besides is git. Nothing of it is on the network: its actions come from itself."""

import base64
import http.client
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import textwrap
import time
import urllib.parse
import urllib.request

from world import check

USER, PASSWORD = "root1", "Pw-12345678"
SETTINGS = """\
APP_NAME = ostler-test
RUN_MODE = prod
RUN_USER = {user}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = {work}
[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {static}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {work}/data/test.db
[repository]
ROOT = {work}/data/repos
DEFAULT_BRANCH = main
[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
INTERNAL_TOKEN = {internal}
[oauth2]
JWT_SECRET = {jwt}
[service]
DISABLE_REGISTRATION = true
[log]
MODE = console
LEVEL = Info
[actions]
ENABLED = true
DEFAULT_ACTIONS_URL = self
LOG_COMPRESSION = none
[indexer]
ISSUE_INDEXER_TYPE = db
[cron.update_checker]
ENABLED = false
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Forge:
    """`with Forge(world) as forge`: it runs, and USER may do everything."""

    def __init__(self, world):
        self.world, self.work = world, world.root / "forge"
        self.static = pathlib.Path(os.environ.get("OSTLER_TEST_GITEA") or pathlib.Path(world.project, "build", "tools", "gitea"))
        self.program = str(self.static / "gitea")
        check(os.access(self.program, os.X_OK), f"there is no {self.program}: tests/run.sh --thorough builds it")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = self.work / "app.ini"
        # Gitea sets what git is to do in the user's configuration, by renaming: as root it would rename over /dev/null.
        self.env = {**world.env, "HOME": str(self.work), "GITEA_WORK_DIR": str(self.work), "USER": self.who(),
                    "GIT_CONFIG_GLOBAL": str(self.work / "gitconfig"), "GIT_CONFIG_SYSTEM": str(self.work / "gitconfig.system")}
        self.work.mkdir()
        (self.work / "data").mkdir()
        words = {"internal": self._secret("INTERNAL_TOKEN"), "jwt": self._secret("JWT_SECRET"), "secret": secrets.token_hex(32)}
        self.settings.write_text(SETTINGS.format(user=self.who(), work=self.work, port=self.port, static=self.static, **words))
        self._run("migrate")
        self._run("admin", "user", "create", "--username", USER, "--password", PASSWORD, "--email", "r@example.invalid", "--admin",
                  "--must-change-password=false")
        said = self._run("admin", "user", "generate-access-token", "--username", USER, "--token-name", "t", "--scopes", "all", "--raw")
        # Its log goes there, too, and may come before the token or after it.
        self.token, = re.findall(r"^[0-9a-f]{40}$", said, re.M)
        self.process = self.log = None

    @staticmethod
    def who():
        return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()

    def _secret(self, name):
        return subprocess.run([self.program, "generate", "secret", name], env=self.env, cwd=self.work, capture_output=True, text=True,
                              check=True).stdout.strip()

    def _run(self, *args):
        done = subprocess.run([self.program, *args, "--config", str(self.settings)], env=self.env, cwd=self.work, capture_output=True, text=True)
        check(done.returncode == 0, f"gitea {args[0]}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def __enter__(self):
        self.start()
        return self

    def start(self):
        self.log = open(self.work / "log", "ab")
        self.process = subprocess.Popen([self.program, "web", "--config", str(self.settings)], env=self.env, cwd=self.work,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 60
        while not self._healthy():
            check(self.process.poll() is None and time.monotonic() < end, f"gitea does not start:\n{self.told()}")
            time.sleep(0.1)

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def told(self):
        return (self.work / "log").read_text(errors="replace")[-4000:]

    def _healthy(self):
        try:
            return self._ask("GET", "/api/healthz")[0] == 200
        except OSError:
            return False

    def _ask(self, method, path, body=None):
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        line.request(method, path, None if body is None else json.dumps(body), headers)
        answer = line.getresponse()
        data = answer.read()
        line.close()
        return answer.status, data

    def api(self, method, path, body=None):
        status, data = self._ask(method, f"/api/v1{path}", body)
        check(status < 300, f"{method} {path}: {status} {data[:500]}\n{self.told()}")
        return json.loads(data) if data else None

    # -- what cases do --

    def registration(self, repository=None, organisation=None):
        """A token to register a runner with."""
        place = f"/repos/{repository}" if repository else f"/orgs/{organisation}" if organisation else "/admin"
        return self.api("POST", f"{place}/actions/runners/registration-token")["token"]

    def runners(self):
        """{name: labels} of all that it knows."""
        return {one["name"]: [label["name"] for label in one["labels"]] for one in self.api("GET", "/admin/actions/runners")["runners"]}

    def remove_runner(self, name):
        number = next(one["id"] for one in self.api("GET", "/admin/actions/runners")["runners"] if one["name"] == name)
        self.api("DELETE", f"/admin/actions/runners/{number}")

    def organisation(self, name):
        self.api("POST", "/orgs", {"username": name})
        return name

    def repository(self, name, secrets=None, variables=None, organisation=None, private=False):
        """An empty one of USER's, or of an organisation, with what its workflows may know."""
        full = f"{organisation or USER}/{name}"
        self.api("POST", f"/orgs/{organisation}/repos" if organisation else "/user/repos",
                 {"name": name, "default_branch": "main", "private": private})
        self.api("PATCH", f"/repos/{full}", {"has_actions": True})
        for key, value in (secrets or {}).items():
            self.api("PUT", f"/repos/{full}/actions/secrets/{key}", {"data": value})
        for key, value in (variables or {}).items():
            self.api("POST", f"/repos/{full}/actions/variables/{key}", {"value": value})
        return full

    def push(self, repository, files, message="change"):
        """FILES (path -> text) as a commit of the case's repository, pushed; its hash."""
        world, given = self.world, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        for path, text in files.items():
            world.write(path, textwrap.dedent(text))
        commit = world.commit(message)
        world.git("-c", f"http.extraHeader=Authorization: Basic {given}", "push", "-q", f"{self.url}/{repository}.git", "HEAD:main")
        return commit

    def status(self, repository, commit, limit=90):
        """The combined state of COMMIT, once it is no longer pending; and its checks: {context: state}."""
        end = time.monotonic() + limit
        while True:
            got = self.api("GET", f"/repos/{repository}/commits/{commit}/status")
            if got["statuses"] and all(one["status"] != "pending" for one in got["statuses"]):
                return got["state"], {one["context"]: one["status"] for one in got["statuses"]}
            check(time.monotonic() < end, f"no result for {commit}: {got}\n{self.told()}")
            time.sleep(0.2)

    def jobs(self, repository):
        """The jobs of the newest run."""
        newest = self.run(repository)
        return self.api("GET", f"/repos/{repository}/actions/runs/{newest['id']}/jobs")["jobs"] if newest else []

    def run(self, repository):
        """The newest run; None: there is none."""
        runs = self.api("GET", f"/repos/{repository}/actions/runs")["workflow_runs"]
        return max(runs, key=lambda run: run["id"], default=None)

    def done(self, repository, attempt=1, limit=90):
        """The newest run, once it is over for the ATTEMPT-th time."""
        end = time.monotonic() + limit
        while (run := self.run(repository))["status"] != "completed" or self.jobs(repository)[0]["run_attempt"] < attempt:
            check(time.monotonic() < end, f"the run is not over: {run}\n{self.told()}")
            time.sleep(0.2)
        return run

    def page(self, repository, below, body=b""):
        """What somebody does on the page of the newest run, for which there is no call: its answer's JSON."""
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        login = urllib.parse.urlencode({"user_name": USER, "password": PASSWORD}).encode()
        browser.open(f"{self.url}/user/login", login, timeout=20).close()
        url = f"{self.url}/{repository}/actions/runs/{self.run(repository)['id']}{below}"
        with browser.open(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def cancel(self, repository):
        self.page(repository, "/cancel")

    def steps(self, repository, job):
        """{step's name: its status}; what the API says of steps is their job's status, all along."""
        shown = self.page(repository, f"/jobs/{job['id']}", b'{"logCursors": []}')
        return {step["summary"]: step["status"] for step in shown["state"]["currentJob"]["steps"]}

    def job_log(self, repository, job):
        status, data = self._ask("GET", f"/api/v1/repos/{repository}/actions/jobs/{job['id']}/logs")
        check(status == 200, f"the log of {job['name']}: {status} {data[:300]}")
        return data.decode()
