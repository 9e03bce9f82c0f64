"""What packages put around the program: the front doors of GitHub's runner, and the service."""

import json
import os
import shutil
import signal
import subprocess
import time

from case import case
from world import check

STUB = """#!/bin/sh
printf '%s\\n' "$*" >> "$(dirname "$0")/calls"
[ "$1" = listen ] || exit 0
[ ! -e "$(dirname "$0")/hang" ] || exec python3 -c '
import signal, sys
signal.signal(signal.SIGTERM, lambda *a: sys.exit(0))
open(sys.argv[1], "w").close()
signal.pause()' "$(dirname "$0")/ready"
code=$(head -n 1 "$(dirname "$0")/codes")
sed -i 1d "$(dirname "$0")/codes"
exit "$code"
"""


class Door:
    """A folder with the scripts, and in place of ostler a program that writes down how it was called."""

    def __init__(self, w):
        self.folder, self.stub = w.root / "my runner", w.root / "stub"
        self.folder.mkdir()
        self.stub.mkdir()
        for name in ("config.sh", "run.sh", "svc.sh"):
            shutil.copy(w.project / "packaging/runner" / name, self.folder)
        (self.stub / "ostler").write_text(STUB)
        (self.stub / "ostler").chmod(0o755)
        self.env = {**w.env, "OSTLER": str(self.stub / "ostler"), "OSTLER_RUN_PAUSE": "0"}

    def start(self, script, *args, **env):
        return subprocess.Popen([self.folder / script, *args], cwd="/", env={**self.env, **env}, stdin=subprocess.DEVNULL)

    def run(self, script, *args, **env):
        return self.start(script, *args, **env).wait(30)

    def calls(self):
        text = (self.stub / "calls").read_text()
        (self.stub / "calls").unlink()
        return text.replace(str(self.folder), "HERE").splitlines()


def same(got, wanted):
    check(got == wanted, f"wanted {wanted}, got {got}")


@case()
def config_sh_registers_its_folder(w):
    door = Door(w)
    door.run("config.sh", "--url", "https://github.com/acme", "--token", "t", "--labels", "a,b", "--unattended")
    same(door.calls(), ["register --dir HERE --url https://github.com/acme --token t --labels a,b --unattended"])
    door.run("config.sh", "remove", "--token", "t")
    same(door.calls(), ["unregister --dir HERE --token t"])
    (door.folder / ".service").write_text("actions.runner.acme.a.service\n")
    same(door.run("config.sh", "remove", "--token", "t"), 1)  # as GitHub's: the service comes first
    check(not (door.stub / "calls").exists(), "it was removed although it is a service")


@case()
def run_sh_tries_again_what_may_go_well(w):
    door = Door(w)
    codes = door.stub / "codes"
    codes.write_text("2\n2\n5\n")
    same(door.run("run.sh", "--once"), 0)
    same(door.calls(), ["listen --once"] * 3)
    (door.folder / ".runner").write_text("{}")
    codes.write_text("1\n")
    same(door.run("run.sh"), 0)
    same(door.calls(), ["listen HERE"])
    codes.write_text("7\n7\n")
    same(door.run("run.sh"), 0)
    same(door.run("run.sh", ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE="1"), 7)


@case()
def run_sh_takes_in_the_authorities_that_a_cluster_mounts(w):
    door = Door(w)
    for name, script in (("update-ca-certificates", f"#!/bin/sh\ntouch '{w.root}/updated'\n"), ("sudo", '#!/bin/sh\nexec "$@"\n')):
        (door.stub / name).write_text(script)
        (door.stub / name).chmod(0o755)
    path = f"{door.stub}:{w.env['PATH']}"
    (door.stub / "codes").write_text("0\n0\n0\n")
    same(door.run("run.sh", PATH=path), 0)
    check(not (w.root / "updated").exists(), "nobody asked for it")
    same(door.run("run.sh", PATH=path, RUNNER_UPDATE_CA_CERTS="1"), 0)
    check((w.root / "updated").exists(), "the store was not updated")
    (door.stub / "update-ca-certificates").write_text("#!/bin/sh\nexit 1\n")
    same(door.run("run.sh", PATH=path, RUNNER_UPDATE_CA_CERTS="1"), 0)  # it goes on without
    same(len(door.calls()), 3)


@case()
def run_sh_hands_on_the_signal_to_stop(w):
    door = Door(w)
    (door.stub / "hang").touch()
    for number in (signal.SIGTERM, signal.SIGINT):
        process = door.start("run.sh")
        while not (door.stub / "ready").exists():
            check(process.poll() is None, "it ended by itself")
            time.sleep(0.01)
        (door.stub / "ready").unlink()
        os.kill(process.pid, number)
        same(process.wait(30), 0)
        same(len(door.calls()), 1)


# ---- the service ----

SYSTEMCTL = """#!/bin/sh
printf '%s\\n' "$*" >> "$(dirname "$0")/calls"
[ ! -e "$(dirname "$0")/fails" ] || exit 1
"""
EXPOSURE = 4.4  # as the manual has it (packaging/README.md)


class Service(Door):
    """The same with a systemctl that writes down how it was called, and a folder for units."""

    def __init__(self, w, registration):
        super().__init__(w)
        (self.stub / "systemctl").write_text(SYSTEMCTL)
        (self.stub / "systemctl").chmod(0o755)
        self.units = w.root / "units"
        self.units.mkdir()
        (self.folder / ".runner").write_text(json.dumps(registration, indent=2))
        (w.root / "systemd").mkdir()  # beside the folder, as it is beside "runner" in the sources
        shutil.copy(w.project / "packaging/systemd/ostler.service", w.root / "systemd")
        self.env = {**self.env, "PATH": f"{self.stub}:{w.env['PATH']}", "OSTLER_UNIT_FOLDER": str(self.units),
                    "OSTLER": "ostler"}

    def svc(self, *args, code=0, **env):
        done = subprocess.run([self.folder / "svc.sh", *args], cwd="/", env={**self.env, **env}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30)
        check(done.returncode == code, f"{args} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def unit(self, name):
        return (self.units / name).read_text()


def verify(unit):
    """systemd has nothing to say against UNIT."""
    done = subprocess.run(["systemd-analyze", "--man=no", "verify", str(unit)], capture_output=True, text=True, timeout=30)
    check(done.returncode == 0 and not done.stderr, f"{unit}: {done}\n{unit.read_text()}")


@case(who="root")
def svc_sh_is_the_official_one_over_our_unit(w):
    service = Service(w, {"agentName": "build 1", "gitHubUrl": "https://github.com/acme/app", "agentId": 1})
    name = "actions.runner.acme-app.build_1.service"
    check("not installed" in service.svc("status", code=1), "status before")
    check("User does not exist" in service.svc("install", "no-such-user", code=1), "a wrong user")
    check("chown" in service.svc("install", "daemon", code=1), "a user who may not read the registration")
    service.svc("install", "root")
    same(service.calls(), ["daemon-reload", f"enable {name}"])
    same((service.folder / ".service").read_text(), f"{name}\n")
    unit, folder = service.unit(name), str(service.folder)
    for line in ("User=root", f"WorkingDirectory={folder}", f'ExecStart="{service.stub}/ostler" listen "{folder}"',
                 "Type=notify", "NoNewPrivileges=yes", "RestartPreventExitStatus=1 5", "WantedBy=multi-user.target"):
        check(line in unit.splitlines(), f"no line '{line}' in\n{unit}")
    check("StateDirectory" not in unit and "Condition" not in unit, unit)
    verify(service.units / name)
    check(f"exists {service.units / name}" in service.svc("install", code=1), "a second time")
    check(str(service.units / name) in service.svc("start"), "start shows the status")
    service.svc("stop")
    service.svc("status")
    same(service.calls(), [f"start {name}", f"--no-pager status {name}", f"stop {name}", f"--no-pager status {name}",
                           f"--no-pager status {name}"])
    (service.stub / "fails").touch()
    check("failed to start" in service.svc("start", code=1), "what systemctl refuses")
    (service.stub / "fails").unlink()
    service.svc("uninstall")
    check(not list(service.units.iterdir()) and not (service.folder / ".service").exists(), "something is left")
    check("[install, start, stop, status, uninstall]" in service.svc(), "usage")


@case(who="root")
def svc_sh_takes_no_name_but_a_runners(w):
    """The folder is its user's, and may say what it likes: root removes no other unit for it."""
    service = Service(w, {"name": "tea/1", "address": "https://gitea.example/", "uuid": "u"})
    for wanted in ("ssh.service", "../../x.service", "actions.runner..service/../ssh.service", ""):
        (service.units / "ssh.service").touch()
        (service.folder / ".service").write_text(wanted)
        check("is not installed" in service.svc("uninstall"), wanted)
        check((service.units / "ssh.service").exists(), f"'{wanted}' removed another's unit")
    template = w.root / "template"
    template.write_text("[Service]\nExecStart={{RunnerRoot}}/run.sh\nUser={{User}}\n# {{Description}}\n")
    service.svc("install", GITHUB_ACTIONS_RUNNER_SERVICE_TEMPLATE=str(template), SUDO_USER="root")
    same(service.unit("actions.runner.gitea.example.tea-1.service").splitlines()[1:3], [f"ExecStart={service.folder}/run.sh", "User=root"])


@case()
def the_unit_is_sound_and_as_shut_in_as_the_manual_says(w):
    unit = w.root / "ostler.service"
    text = (w.project / "packaging/systemd/ostler.service").read_text()
    unit.write_text(text.replace("/usr/bin/ostler", w.ostler))
    verify(unit)
    done = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}",
                           str(unit)], capture_output=True, text=True, timeout=30)
    check(done.returncode == 0 and f"{EXPOSURE} OK" in done.stdout, done.stdout[-2000:])
    check(f"exposure of {EXPOSURE} " in (w.project / "packaging/README.md").read_text(), "the manual has another figure")
