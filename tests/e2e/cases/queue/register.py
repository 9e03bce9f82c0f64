"""`ostler register` and `ostler unregister`: every way to become a runner and to stop being one, and what people get wrong."""

import base64
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import termios
import time

from case import case
from double import HTML
from gitea_double import GiteaDouble, Runner
from github_double import GitHubDouble
from world import check

FILES = (".credentials", ".credentials_rsaparams", ".runner")


def register(w, *args, code=0, env=None, command="register"):
    r = w.ostler_call(command, *args, env=env)
    check(r.code == code, f"exit code {r.code}, wanted {code}\n{r}")
    for secret in ("REG1", "PAT1", "REM1"):
        check(secret not in r.out + r.err, f"'{secret}' is in the output\n{r}")
    return r


def complains(w, *args, code=2, says=(), **more):
    r = register(w, *args, code=code, **more)
    check(len(r.err.splitlines()) == 1 and not r.out, f"that is not one message\n{r}")
    for text in says:
        check(re.search(text, r.err), f"'{text}' is not in the message\n{r}")
    return r


def document(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8-sig"))


@case()
def a_runner_of_github_comes_and_goes(w):
    folder = w.root / "runner"
    for profile in ("L", "V", "A"):
        with GitHubDouble(profile) as hub:
            r = register(w, "--url", hub.repository, "--token", "REG1", "--name", "box 1", "--labels", "gpu,big", "--ephemeral",
                         "--disableupdate", "--unattended", "--dir", folder)
            check(f"registered 'box 1' with {hub.repository}" in r.out and not r.err, str(r))
            check(sorted(p.name for p in folder.iterdir()) == sorted(FILES), f"{profile}: {list(folder.iterdir())}")
            check(stat.S_IMODE(folder.stat().st_mode) == 0o700, f"{profile}: the folder is open to others")
            for name in FILES:
                check(stat.S_IMODE((folder / name).stat().st_mode) == 0o600, f"{profile}: '{name}' is open to others")
                check((folder / name).read_bytes().startswith(b"\xef\xbb\xbf{"), f"{profile}: '{name}' has no byte order mark")
                check("REG1" not in (folder / name).read_text(), f"{profile}: the token is in '{name}'")
            runner, data = document(folder, ".runner"), document(folder, ".credentials")["data"]
            check(runner["agentId"] == hub.agents[0].id and runner["agentName"] == "box 1" and runner["ephemeral"] is True, f"{profile}: {runner}")
            check(runner["gitHubUrl"] == hub.repository and runner["isHostedServer"] is False, f"{profile}: {runner}")
            check(runner.get("useV2Flow", False) == (profile != "L") and runner.get("useRunnerAdminFlow", False) == (profile == "A"), str(runner))
            check(data["requireFipsCryptography"] == ("True" if profile == "A" else "False"), f"{profile}: {data}")
            check(hub.agents[0].labels[-2:] == ["gpu", "big"], f"{profile}: {hub.agents[0].labels}")

            complains(w, "--url", hub.repository, "--token", "REG1", "--dir", folder, says=["holds a registration already", "unregister"])
            other = w.root / "other"
            complains(w, "--url", hub.repository, "--token", "REG1", "--name", "box 1", "--dir", other, "--unattended",
                      says=["a runner exists with the same name 'box 1'", "--replace"])
            register(w, "--url", hub.repository, "--token", "REG1", "--name", "box 1", "--dir", other, "--unattended", "--replace")
            check(len(hub.agents) == 1, f"{profile}: there are two")
            register(w, "--local", "--dir", folder, command="unregister")
            check(not folder.exists(), f"{profile}: the registration is still there")

            complains(w, "--dir", other, "--unattended", command="unregister", says=["--token is missing", "--local"])
            complains(w, "--dir", other, "--token", "WRONG", command="unregister", code=1, says=["GitHub refuses the token"])
            check((other / ".runner").exists(), f"{profile}: removed though the server refused")
            register(w, "--dir", other, "--token", "REM1", command="unregister")
            check(not hub.agents and not other.exists(), f"{profile}: {hub.agents}")
            hub.check()


@case(who="user")
def tokens_come_in_every_way_and_are_seen_by_nobody(w):
    token = w.write("token", "REG1\n", below=w.root)
    pat = w.write("pat", "PAT1\n", below=w.root)
    with GitHubDouble("V") as hub:
        base = ["--url", hub.repository, "--unattended", "--dir"]
        register(w, *base, w.root / "1", "--name", "n1", "--token-file", token)
        register(w, *base, w.root / "2", "--name", "n2", "--pat-file", pat)
        register(w, *base, w.root / "3", "--name", "n3", env={"ACTIONS_RUNNER_INPUT_TOKEN": "REG1"})
        register(w, env={"ACTIONS_RUNNER_INPUT_URL": hub.repository, "ACTIONS_RUNNER_INPUT_PAT": "PAT1", "actions_runner_input_name": "n4",
                         "ACTIONS_RUNNER_INPUT_DIR": str(w.root / "4"),
                         "ACTIONS_RUNNER_INPUT_NO_DEFAULT_LABELS": "true", "ACTIONS_RUNNER_INPUT_LABELS": "only",
                         "ACTIONS_RUNNER_INPUT_EPHEMERAL": "false", "ACTIONS_RUNNER_INPUT_UNATTENDED": "1"})
        check(hub.agents[3].labels == ["only"] and not hub.agents[3].ephemeral, str(hub.agents[3]))
        register(w, "--dir", w.root / "4", "--pat", "PAT1", command="unregister")

        # While the server thinks, others may look at us.
        fault = hub.fault("tenant", "hang")
        process = subprocess.Popen([w.ostler, "register", *base, str(w.root / "5"), "--name", "n5", "--token", "REG1"],
                                   env={**w.env, "ACTIONS_RUNNER_INPUT_PAT": "PAT1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        hub.wait(lambda: fault.struck)
        seen = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes() + pathlib.Path(f"/proc/{process.pid}/environ").read_bytes()
        check(b"REG1" not in seen and b"PAT1" not in seen, f"a token can be seen: {seen}")
        check(b"n5" in seen, f"that is another process: {seen}")
        fault.lift()
        check(process.wait(60) == 0, "not registered after a cut line")
        hub.check()


@case(who="user")
def what_is_wrong_with_a_registration_has_its_message(w):
    with GitHubDouble("V") as hub:
        base = ["--unattended", "--dir", w.root / "r", "--url", hub.repository, "--name", "n"]
        complains(w, says=["--url is missing"])
        complains(w, *base, says=["--token is missing"])
        complains(w, *base, "--token", "REG1", "--pat", "PAT1", says=["--token and --pat"])
        complains(w, *base, "--token", "", says=["--token is missing"])
        complains(w, *base, "--tokn=REG1", says=["unknown option '--tokn'"])
        complains(w, *base, "REG1", says=["belongs to no option"])
        complains(w, *base, "--token-file", "/nonexistent", says=["/nonexistent", "No such file"])
        complains(w, *base, "--token", "REG1", "--no-default-labels", says=["--labels"])
        complains(w, *base, "--token", "REG1", "--labels", "a" * 300, says=["is no label"])
        complains(w, *base, "--token", "REG1", "--name", "x" * 65, says=["--name"])
        complains(w, *base, "--token", "REG1", "--capacity", "4", says=["one job at a time"])
        complains(w, *base, "--token", "REG1", "--type", "gitlab", says=["'github', 'gitea' or 'forgejo'"])
        complains(w, *base, "--token", "REG1", "--url", "github.com/acme", says=["https://github.com/OWNER/REPO"])
        complains(w, *base, "--token", "REG1", "--url", f"{hub.repository}.git", says=[r"leave out the '\.git'"])
        complains(w, *base, "--token", "REG1", "--runnergroup", "None", says=["no runner group 'None': there is 'Default'"])
        untold = ["--url", hub.repository, "--token", "REG1", "--name", "n", "--unattended", "--dir", w.root / "r"]
        hub.fault("meta", "status", status=404, body=HTML)
        complains(w, *untold, says=["neither GitHub nor Gitea", "--type github"])
        check(not hub.agents, f"registered all the same: {hub.agents}")
        hub.fault("meta", "status", status=401, body=json.dumps({"message": "Must authenticate"}), type="application/json")
        complains(w, *untold, says=["neither GitHub nor Gitea"])  # somebody, but who?
        complains(w, *base, "--token", "WRONG", code=1, says=["refuses the token", "older than an hour"])
        complains(w, *base, "--pat", "WRONG", code=1, says=["refuses the personal access token|finds no"])
        hub.fault("tenant", "status", status=404, body=json.dumps({"message": "Not Found"}), type="application/json")
        complains(w, *base, "--token", "REG1", code=1, says=["finds no", "check the address"])
        hub.fault("tenant", "status", status=200, body=HTML)
        complains(w, *base, "--token", "REG1", code=1, says=["a page for people"])
        hub.no_ephemeral = True
        complains(w, *base, "--token", "REG1", "--ephemeral", code=4, says=["knows no ephemeral runners"])
        check(not hub.agents, f"it was not taken back: {hub.agents}")
        hub.no_ephemeral = False
        port = hub.port
    complains(w, "--type", "github", "--unattended", "--dir", w.root / "r", "--name", "n", "--token", "REG1", "--url",
              f"http://127.0.0.1:{port}/acme/widgets", code=1, says=["127.0.0.1"])
    check(not list((w.root / "r").iterdir()), "something was left behind")
    complains(w, "--dir", w.root / "r", command="unregister", says=["there is no registration"])
    complains(w, command="unregister", says=["there is no registration", "--dir"])


@case()
def a_runner_of_gitea_is_known_by_its_server(w):
    with GiteaDouble() as gitea:
        r = register(w, "--url", gitea.url + "/", "--token", "REG", "--name", "box", "--labels", "metal:host,ubuntu-latest:docker://node:22",
                     "--capacity", "3", "--unattended")
        folder = w.state / "registrations/box"
        runner = json.loads((folder / ".runner").read_text())
        check(runner["address"] == gitea.url and runner["capacity"] == 3 and len(runner["token"]) == 40, f"{runner}\n{r}")
        check(stat.S_IMODE((folder / ".runner").stat().st_mode) == 0o600, "'.runner' is open to others")
        check(gitea.url in r.out, str(r))
        complains(w, "--url", gitea.url + "/acme/widgets", "--token", "REG", "--name", "x", says=["page of a Gitea", re.escape(gitea.url)])
        for option in (["--pat", "REG"], ["--replace", "--token", "REG"], ["--runnergroup", "x", "--token", "REG"]):
            complains(w, "--url", gitea.url, "--name", "x", *option, says=[f"{option[0]} is for GitHub alone"])
        complains(w, "--url", gitea.url, "--name", "x", "--token", "NONE", code=1, says=["token"])
        complains(w, "--url", gitea.url, "--name", "x", "--token", "REG", "--capacity", "0", says=["--capacity"])
        r = register(w, command="unregister")
        check("remove it there" in r.err and not folder.exists(), str(r))


@case()
def a_runner_that_forgejo_has_made_is_taken_as_it_is(w):
    uuid, token = "6b1e4f4e-0000-4000-8000-0000000000ab", "5" * 40
    secret = "0123456789abcdef0123456789abcdef01234567"
    with GiteaDouble("forgejo") as forgejo:
        known = {uuid: token, "30313233-3435-3637-3839-616263646566": secret}
        for name, (one, own) in enumerate(known.items()):
            forgejo.runners[one] = Runner(name, one, own, "made", [], False, [])
        base = ["--instance", forgejo.url, "--no-interactive", "--labels", "x:host"]
        register(w, *base, "--name", "a", "--uuid", uuid, "--token", token)
        register(w, *base, "--name", "b", "--shared-secret", "--token-file", w.write("secret", secret, below=w.root))
        for name, (one, own) in zip("ab", known.items()):
            runner = json.loads((w.state / f"registrations/{name}/.runner").read_text())
            check((runner["uuid"], runner["token"], runner["labels"]) == (one, own, ["x:host"]), f"{runner}")
            check(forgejo.runners[one].labels == ["x"], f"{forgejo.runners[one]}")
        check(not forgejo.of("Register"), "it was registered anew")
        complains(w, *base, "--name", "c", "--uuid", uuid, "--token", "6" * 40, code=1, says=[f"knows no runner '{uuid}'"])
        complains(w, *base, "--name", "c", "--uuid", "7", "--token", token, says=["is no uuid"])
        complains(w, *base, "--name", "c", "--shared-secret", "--token", "REG", says=["40 hexadecimal digits"])


@case()
def what_act_runner_has_is_taken_over(w):
    config = w.write("config.yaml", """
        log:
          level: info
        runner:
          file: theirs
          capacity: 2
          labels: ["ubuntu-latest:docker://node:22"]
          envs: {A: here}
          env_file: own.env
          shutdown_timeout: 5m
        container:
          privileged: true
          valid_volumes: [data, "/srv/*"]
          force_rebuild: true
        """, below=w.root / "act")
    w.write("own.env", "A=there\nB='x y'\n", below=w.root / "act")
    old = {"WARNING": "x", "id": 7, "uuid": "6b1e4f4e-0000-4000-8000-000000000001", "name": "old-box", "token": "t" * 40,
           "address": "https://gitea.example", "labels": ["gpu:host"], "ephemeral": False}
    (w.root / "act/theirs").write_text(json.dumps(old))
    r = register(w, "--import", config, "--dir", w.root / "mine")
    runner = json.loads((w.root / "mine/.runner").read_text())
    check({**old, "labels": ["ubuntu-latest:docker://node:22"], "capacity": 2, "env": {"A": "there", "B": "x y"}, "containers": {
        "options": ["--privileged"], "add": "--privileged", "volumes": ["data", "/srv/**"]}}.items() <= runner.items(), f"{runner}\n{r}")
    check(r.err.count("\n") == 1 and "runner.shutdown_timeout: not taken over: " in r.err and "drain-time" in r.err, str(r))
    check("old-box" in r.out and "t" * 40 not in r.out + r.err, str(r))
    (w.root / "act/theirs").write_text(json.dumps({**old, "labels": None}))
    bare = w.write("bare.yaml", "runner: {file: theirs}", below=w.root / "act")
    check("--labels" in register(w, "--import", bare, "--dir", w.root / "none", code=2).err, "which labels?")
    register(w, "--import", bare, "--dir", w.root / "bare", "--labels", "x:host")
    (w.root / "act/theirs").write_text("<html>")
    check("theirs" in register(w, "--import", config, "--dir", w.root / "none", code=2).err, "which file?")
    check("nothing.yaml" in register(w, "--import", "nothing.yaml", code=2).err, "which file?")


@case()
def a_just_in_time_configuration_stays_in_memory(w):
    folder = w.root / "r"
    with GitHubDouble("V") as hub:
        register(w, "--url", hub.repository, "--token", "REG1", "--ephemeral", "--dir", folder, "--unattended")
        key = document(folder, ".credentials_rsaparams")["d"]
        files = {name: base64.b64encode((folder / name).read_bytes()).decode() for name in FILES}
        shutil.rmtree(folder)
        text = base64.b64encode(json.dumps(files).encode()).decode()
        job = hub.push({"runs-on": "ubuntu-latest", "steps": [{"run": "echo hello"}]})
        fault = hub.fault("session", "hang")
        process = subprocess.Popen([w.ostler, "listen"], env={**w.env, "ACTIONS_RUNNER_INPUT_JITCONFIG": text}, cwd=w.repo,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            hub.wait(lambda: fault.struck)
            check(text.encode() not in pathlib.Path(f"/proc/{process.pid}/environ").read_bytes(), "others can see the configuration")
            kept = [p for p in w.root.rglob("*") if p.is_file() and (p.name in FILES or key.encode() in p.read_bytes())]
            check(not kept, f"it is on the disk: {kept}")
            fault.lift()
            hub.finished(job, 90)
            said = process.communicate(timeout=60)[0].decode()
            check(process.returncode == 0 and job.conclusion == "succeeded", f"{process.returncode}, {job.conclusion}\n{said}")
            left = list((w.state / "work").iterdir())
            check(not left, f"left where jobs work: {left}")
        finally:
            process.kill()
            process.wait()
    for wrong, why in (("x", "is broken"), (base64.b64encode(b"{}").decode(), "lacks a file")):
        r = w.ostler_call("listen", "--jitconfig", wrong)
        check(r.code == 1 and why in r.err and "generate-jitconfig" in r.err, str(r))


def typed(w, *args, answers):
    """The command at a terminal; all that is shown, and its exit code. ANSWERS: (after this text, type that)."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([w.ostler, *map(str, args)], env=w.env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown, at, end = b"", 0, time.monotonic() + 30
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                shown += os.read(ours, 1 << 16)
            if answers and (found := shown.find(answers[0][0].encode(), at)) >= 0:
                at = found + 1
                os.write(ours, answers.pop(0)[1].encode() + b"\n")
    except OSError:  # EIO: the other side is closed
        pass
    os.close(ours)
    return shown.decode(errors="replace"), process.wait(10)


@case()
def whoever_sits_at_a_terminal_is_asked(w):
    with GitHubDouble("V") as hub:
        shown, code = typed(w, "register", "--dir", w.root / "r", answers=[
            ("Address", hub.repository), ("token:", "REG1"), ("Name", "mine"), ("Labels", "gpu")])
        check(code == 0 and "REG1" not in shown, f"{code}: {shown}")
        check(hub.agents[0].name == "mine" and hub.agents[0].labels[-1] == "gpu", str(hub.agents))
        again = ["register", "--url", hub.repository, "--token", "REG1", "--name", "mine", "--labels", "x", "--dir", w.root / "s"]
        shown, code = typed(w, *again, answers=[("Take its place?", "")])
        check(code == 2 and "--replace" in shown, f"{code}: {shown}")
        shown, code = typed(w, *again, answers=[("Take its place?", "y")])
        check(code == 0 and len(hub.agents) == 1, f"{code}: {shown}")
        hub.check()


@case()
def a_token_prompt_that_is_interrupted_leaves_the_terminal_as_it_was(w):
    for signo in (signal.SIGINT, signal.SIGTERM):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([w.ostler, "register", "--url", "http://127.0.0.1:9/a", "--dir", str(w.root / "r")], env=w.env,
                                   stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        shown, end = b"", time.monotonic() + 20
        while b"token:" not in shown and time.monotonic() < end:
            shown += os.read(ours, 1 << 16)
        while (hidden := termios.tcgetattr(theirs)[3] & termios.ECHO) and time.monotonic() < end:
            time.sleep(0.01)
        check(not hidden, f"what is typed is shown: {shown}")
        process.send_signal(signo)
        check(process.wait(20) == -signo, f"it ended with {process.returncode}: {shown}")
        check(termios.tcgetattr(theirs)[3] & termios.ECHO, "the terminal shows nothing that is typed any more")
        os.close(ours)
        os.close(theirs)
