"""packaging/lib/setup.sh, which quickstart.sh and tests/run.sh share: what is missing, how it is said, how it is installed."""

import os
import pty
import subprocess

from case import case
from world import PATH, check

MANY = " ".join(f"'cmd:no-such-{i} package-of-{i}'" for i in range(20))


def setup(w, script, path="", tty=False):
    """SCRIPT by a bash that has read the set-up, with the folder PATH first: its exit code and what it said."""
    argv = ["bash", "-c", f"set -euo pipefail; . {w.project}/packaging/lib/setup.sh; {script}"]
    env = {**w.env, "PATH": f"{path}:{PATH}" if path else PATH, "TERM": "xterm"}
    if not tty:
        done = subprocess.run(argv, cwd=w.root, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr
    ours, theirs = pty.openpty()
    process = subprocess.Popen(argv, cwd=w.root, env=env, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while got := os.read(ours, 4096):
            said += got
    except OSError:  # EIO: the other side is closed
        pass
    os.close(ours)
    return process.wait(), said.decode()


def program(w, name, script, mode=0o755):
    return w.write(f"tools/{name}", f"#!/bin/sh\n{script}\n", mode=mode, below=w.root).parent


@case()
def what_one_account_alone_has_does_not_meet_the_need_of_all(w):
    """Such as a Go or a Rust in root's HOME: the cases as an ordinary user would have none."""
    tools = program(w, "only-mine", "echo 'only-mine 2.0'")
    for need, met in (("cmd:only-mine", True), ("cmd:only-mine>=2", True), ("cmd:only-mine>=2.1", False),
                      ("all:only-mine", False), ("all:only-mine>=1", False), ("all:sh", True), ("all:bash>=4", True),
                      ("all:bash>=99", False), ("all:/bin/sh", True), (f"all:{tools}/only-mine", os.geteuid() != 0)):
        code, said = setup(w, f"is_met '{need}'", tools)
        check((code == 0) == met, f"'{need}' is {'not ' if met else ''}met: {said}")
    code, said = setup(w, 'echo "$COMMON_PATH"')
    check(said.strip() == PATH, f"the set-up looks in {said}, the cases in {PATH}")


@case()
def programs_of_administrators_are_found_by_everybody(w):
    """The PATH of an ordinary user has no /usr/sbin; what lies there was never found, nor mended by installing it."""
    code, said = setup(w, "PATH=/usr/bin:/bin; unmet 'all:useradd passwd'")
    check((code, said) == (0, ""), f"useradd is missed: {said}")


@case()
def what_the_set_up_says_fits_eighty_columns(w):
    program(w, "id", "echo 1000")
    program(w, "sudo", "exit 1")
    for apt, sudo, words in (("exit 0", "exit 1", ("only root can install", "--no-install-recommends \\")),
                             ("exit 0", 'shift; exec "$@"', ("==> installing package-of-0", "still missing after installing")),
                             ("exit 1", 'shift; exec "$@"', ("apt-get update failed", "could not install what is missing"))):
        program(w, "apt-get", apt)
        tools = program(w, "sudo", sudo)
        code, said = setup(w, f"provide {MANY}", tools)
        check(code == 4 and all(word in said for word in words), f"exit code {code}\n{said}")
        check("package-of-19" in said or apt == "exit 1", f"a package is not told of\n{said}")
        wide = [line for line in said.splitlines() if len(line) > 80]
        check(not wide, f"wider than 80 columns: {wide}")


@case()
def a_build_tells_a_terminal_how_far_it_is(w):
    """And nobody else; what it said is shown when it fails, below nothing else."""
    tools = program(w, "cmake", 'case $1 in --build) echo "[3/7] Building C object x.c.o"; sleep 2.5; echo "x.c:1: error"; exit $FAIL;; esac')
    for fail in (0, 1):
        code, said = setup(w, f"export FAIL={fail}; build_preset release", tools, tty=True)
        check("    [3/7]\r" in said and code == fail, f"exit code {code}: {said!r}")
        check(("\x1b[K[3/7] Building C object x.c.o\r\nx.c:1: error" in said) == bool(fail), f"{said!r}")
        code, said = setup(w, f"export FAIL={fail}; build_preset release", tools)
        check("    [3/7]" not in said and "\x1b" not in said and code == fail, f"exit code {code}: {said!r}")
    check(max(map(len, said.splitlines())) <= 80, f"wider than 80 columns: {said}")
