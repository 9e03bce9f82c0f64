"""What packages put around the program: the front doors of GitHub's runner."""

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
        for name in ("config.sh", "run.sh"):
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
