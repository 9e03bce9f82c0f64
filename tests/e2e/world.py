"""The world of one case: a scratch repository, a HOME, a TMPDIR, a state folder, and the runner in it.

Every run is held against the promises that hold for all: nothing of it is left running, mounted or
lying about, and neither HOME nor the working tree has changed."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import textwrap
import time

import watch
from patience import PATIENCE

SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:)")
# A step's header shows its script: what a case looks for must not be found there.
HEADER = ("##[group]Run ", "\x1b[36;1m")


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def shorten(text, limit=6000):
    text = text if isinstance(text, str) else text.decode(errors="replace")
    return text if len(text) <= limit else text[:limit // 2] + "\n  [...]\n" + text[-limit // 2:]


class Finished:
    """A run that has ended: exit code, what it wrote, its events."""

    def __init__(self, argv, code, out, err, seconds, events=None):
        self.argv, self.code, self.seconds = argv, code, seconds
        self.raw_out, self.raw_err = out, err
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")
        self.events = events if events is not None else []

    def __str__(self):
        return (f"--- {' '.join(self.argv)}\n--- exit code {self.code} after {self.seconds:.1f} s\n"
                f"{self.failed_steps()}"
                f"--- stdout\n{shorten(self.out)}\n--- stderr\n{shorten(self.err)}")

    def failed_steps(self):
        """What the steps said that failed: what is cut out of a long run is most often just that."""
        text = ""
        for step in self.of("step.finished", outcome="failure"):
            log = "".join(e.get("text", "") for e in self.of("log", job=step.get("job"), step=step.get("step")))
            text += f"--- step '{step.get('name')}' failed\n{shorten(log)}\n"
        return text

    # -- asking --

    def of(self, event, **members):
        """Events of one kind whose members are as given."""
        return [e for e in self.events if e.get("event") == event
                and all(e.get(k) == v for k, v in members.items())]

    def job(self, key):
        found = self.of("job.finished", job=key)
        check(len(found) == 1, f"wanted one job.finished of '{key}', there are {len(found)}\n{self}")
        return found[0]

    def jobs(self):
        """{key: result}."""
        return {e["job"]: e["result"] for e in self.of("job.finished")}

    def steps(self, job=None):
        """step.finished with the name from step.started, in order."""
        names = {(e.get("job"), e["step"]): (e["name"], e.get("stage")) for e in self.of("step.started")}
        done = []
        for e in self.of("step.finished"):
            name, stage = names.get((e.get("job"), e["step"]), (e.get("name"), e.get("stage")))
            if job is None or e.get("job") == job:
                done.append({**e, "name": name, "stage": stage})
        return done

    def step(self, name, job=None):
        found = [s for s in self.steps(job) if s["name"] == name]
        check(len(found) == 1, f"wanted one step '{name}', there are {len(found)} in "
              f"{[s['name'] for s in self.steps(job)]}\n{self}")
        return found[0]

    def log(self, step=None, job=None):
        """The log text of a step by name, or of all; without the scripts in the headers."""
        number = None
        if step is not None:
            found = self.step(step, job)
            job, number = found.get("job"), found["step"]
        text = "".join(e.get("text", "") for e in self.of("log")
                       if (job is None or e.get("job") == job)
                       and (number is None or e.get("step") == number))
        return "\n".join(line for line in text.split("\n") if not line.startswith(HEADER))

    def notes(self):
        return "\n".join(e["text"] for e in self.of("note"))

    # -- demanding --

    def took_less(self, seconds):
        """SECONDS tells what ended by itself from what was waited for, no more."""
        check(self.seconds < seconds * PATIENCE, f"it took {self.seconds:.1f} s\n{self}")
        return self

    def exits(self, code):
        check(self.code == code, f"wanted exit code {code}\n{self}")
        return self

    def equal(self, what, got, wanted):
        check(got == wanted, f"{what}: wanted {wanted!r}, got {got!r}\n{self}")
        return self

    def says(self, *texts, step=None, job=None):
        """The log holds each of TEXTS."""
        log = self.log(step, job)
        for text in texts:
            check(text in log, f"the log of {step or 'the run'} lacks {text!r}; it is:\n{shorten(log)}\n{self}")
        return self

    def never_says(self, *texts, step=None, job=None):
        log = self.log(step, job)
        for text in texts:
            check(text not in log, f"the log of {step or 'the run'} holds {text!r}:\n{shorten(log)}\n{self}")
        return self

    def shows(self, *patterns):
        """What is on the terminal, both streams, matches each pattern."""
        for pattern in patterns:
            check(re.search(pattern, self.out + self.err, re.M), f"nothing matches {pattern!r}\n{self}")
        return self

    def complains(self, *patterns, code=2):
        """One clear error on stderr, matching each pattern, and nothing that looks like a crash."""
        self.exits(code)
        for pattern in patterns:
            check(re.search(pattern, self.err, re.M | re.I), f"stderr does not match {pattern!r}\n{self}")
        errors = [line for line in self.err.splitlines() if re.match(r"(\S*ostler: |error: )", line)]
        check(len(errors) <= 1, f"wanted one error, there are {len(errors)}\n{self}")
        return self

    def concluded(self, **steps):
        """concluded(step_name="success"): underscores in names stand for spaces."""
        for name, wanted in steps.items():
            name = name.replace("_", " ")
            self.equal(f"conclusion of step '{name}'", self.step(name)["conclusion"], wanted)
        return self


class Running:
    """A run under way, for signals."""

    def __init__(self, world, argv, process, json_out):
        self.world, self.argv, self.process, self.json = world, argv, process, json_out
        self.start = time.monotonic()
        self.out, self.err = bytearray(), bytearray()
        self.open = {process.stdout.fileno(): self.out, process.stderr.fileno(): self.err}
        for fd in self.open:
            os.set_blocking(fd, False)

    def _pump(self, limit):
        """Reads what comes within LIMIT seconds; false when both streams are at their end."""
        if not self.open:
            return False
        for fd in select.select(list(self.open), [], [], limit)[0]:
            chunk = os.read(fd, 1 << 16)
            if chunk:
                self.open[fd].extend(chunk)
            else:
                del self.open[fd]
        return True

    def wait_for(self, text, limit=20):
        """Until TEXT has appeared on either stream."""
        deadline, text = time.monotonic() + limit * PATIENCE, text.encode()
        while text not in self.out and text not in self.err:
            if not self._pump(0.05) or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"{text!r} never came\n{self.finish(2)}")
        return self

    def wait_for_file(self, path, limit=20):
        deadline = time.monotonic() + limit * PATIENCE
        while not os.path.exists(path):
            self._pump(0.02)
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"{path} never came\n{self.finish(2)}")
        return self

    def send(self, number):
        self.process.send_signal(number)
        return self

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()

    def finish(self, limit=30):
        deadline = time.monotonic() + limit * PATIENCE
        while self._pump(0.05) or self.process.poll() is None:
            if time.monotonic() > deadline:
                left = [watch.describe(p) for p in watch.descendants()]
                self.kill()
                raise AssertionError(f"not done after {limit * PATIENCE} s; still there: {left}\n"
                                     f"{shorten(self.out)}\n{shorten(self.err)}")
            if not self.open:
                time.sleep(0.01)
        code = self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        return Finished(self.argv, code, bytes(self.out), bytes(self.err),
                        time.monotonic() - self.start, events_of(self.out) if self.json else [])


def events_of(text):
    events = []
    for line in bytes(text).decode(errors="replace").split("\n"):
        if line.startswith("{"):
            events.append(json.loads(line))
    return events


class World:
    """What a case is given. ROOT is an empty folder of its own."""

    def __init__(self, root, project, build, plugins):
        self.root, self.project = pathlib.Path(root), pathlib.Path(project)
        self.build, self.plugin_objects = pathlib.Path(build), pathlib.Path(plugins)
        self.sdk = self.plugin_objects.parent / "sdk"
        self.ostler = str(self.build / "ostler")
        self.repo, self.home, self.tmp, self.state = (self.root / n for n in ("app", "home", "tmp", "state"))
        for folder in (self.repo, self.home, self.tmp):
            folder.mkdir()
        (self.home / ".profile").write_text("echo 'the profile of the user'\n")
        (self.home / "precious").write_text("do not touch\n")
        keep = {k: os.environ[k] for k in ("LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                           "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "DOCKER_HOST") if k in os.environ}
        self.env = {**keep, "PATH": PATH, "HOME": str(self.home), "TMPDIR": str(self.tmp), "TERM": "dumb",
                    "XDG_STATE_HOME": str(self.root / "state"), "USER": "tester",
                    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        self.state = self.root / "state" / "ostler"
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Tess Ter")
        self.git("config", "user.email", "tess@example.test")
        self.git("remote", "add", "origin", "https://github.com/acme/app.git")
        self.write("README.md", "# app\n")
        self.commit("first")
        self.clean_after_run = True

    # -- making --

    def write(self, path, text, mode=None, below=None):
        path = (below or self.repo) / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        if mode is not None:
            path.chmod(mode)
        return path

    def git(self, *args, cwd=None):
        return subprocess.run(["git", *args], cwd=cwd or self.repo, env=self.env, check=True,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout.strip()

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def workflow(self, text, name="ci.yml"):
        self.write(f".github/workflows/{name}", text)
        return f".github/workflows/{name}"

    def steps(self, steps, job="", top="", name="ci.yml"):
        """A workflow with one job, 'job', of the given STEPS."""
        def block(text, depth):
            return textwrap.indent(textwrap.dedent(text).strip("\n"), " " * depth) + "\n" if text.strip() else ""
        return self.workflow("on: push\n" + block(top, 0) + "jobs:\n  job:\n    runs-on: ubuntu-latest\n"
                             + block(job, 4) + "    steps:\n" + block(steps, 6), name)

    def plugin(self, name):
        """Makes one of the test plugins available to the runs of this case."""
        place = self.root / "plugins"
        if "OSTLER_PLUGIN_PATH" not in self.env:
            place.mkdir(mode=0o755)
            self.env["OSTLER_PLUGIN_PATH"] = str(place)
        self.ostler_call("plugin", "install", str(self.plugin_objects / f"{name}.so"), "--to", str(place),
                         "--no-check").exits(0)

    # -- running --

    def start(self, *args, env=None, cwd=None, json_out=True, prefix=(), command="run"):
        argv = [*prefix, self.ostler, command, *(["--json"] if json_out else []), *map(str, args)]
        process = subprocess.Popen(argv, cwd=cwd or self.repo, env={**self.env, **(env or {})},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return Running(self, argv, process, json_out)

    def run(self, *args, limit=60, clean=True, code=None, **more):
        """`ostler run --json ARGS`, then everything that must hold after any run."""
        before = self.outside()
        done = self.start(*args, **more).finish(limit)
        self.after(done, before if clean else None)
        return done if code is None else done.exits(code)

    def plain(self, *args, **more):
        return self.run(*args, json_out=False, **more)

    def ostler_call(self, *args, env=None, cwd=None, limit=30):
        start = time.monotonic()
        done = subprocess.run([self.ostler, *map(str, args)], cwd=cwd or self.repo, env={**self.env, **(env or {})},
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=limit * PATIENCE)
        result = Finished(done.args, done.returncode, done.stdout, done.stderr, time.monotonic() - start)
        self.sane(result)
        return result

    def on_terminal(self, *args, columns=80, rows=24, limit=60, env=None):
        """The run on a pseudo terminal; what it wrote is in .out."""
        argv, start, out = [self.ostler, "run", *map(str, args)], time.monotonic(), bytearray()
        before = self.outside()
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        process = subprocess.Popen(argv, cwd=self.repo, env={**self.env, "TERM": "xterm-256color", "LANG": "C.UTF-8",
                                                             **(env or {})},
                                   stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        try:
            while time.monotonic() - start < limit * PATIENCE:
                if select.select([ours], [], [], 0.1)[0]:
                    out += os.read(ours, 1 << 16)
                elif process.poll() is not None:
                    break
        except OSError:  # EIO: the other side is closed
            pass
        finally:
            os.close(ours)
        if time.monotonic() - start >= limit * PATIENCE:
            process.kill()
        done = Finished(argv, process.wait(), bytes(out), b"", time.monotonic() - start)
        self.after(done, before)
        return done

    # -- what holds after every run --

    def outside(self):
        return {name: watch.picture(folder) for name, folder in (("HOME", self.home), ("the tree", self.repo))}

    def sane(self, done):
        text = done.out + done.err
        check(not SANITIZER.search(text), f"a sanitizer spoke up\n{done}")
        check(done.code not in (-signal.SIGSEGV, -signal.SIGABRT, 70, 134, 139), f"it crashed\n{done}")

    def after(self, done, before, wait=0.5):
        left = watch.wait_until_alone(wait)
        check(not left, f"left running: {[watch.describe(p) for p in left]}\n{done}")
        watch.reap()
        self.sane(done)
        self.nothing_left(done)
        if before is None:
            return
        after = self.outside()
        for what in before:
            lines = watch.difference(before[what], after[what])
            check(not lines, f"{what} is not as it was:\n  " + "\n  ".join(lines) + f"\n{done}")

    def nothing_left(self, done=""):
        check(not watch.mounts_below(self.root), f"left mounted: {watch.mounts_below(self.root)}\n{done}")
        lying = [str(p) for p in self.tmp.rglob("*")]
        if self.state.is_dir():
            kept = self.state / "runs"
            lying += [str(p) for p in self.state.rglob("*")
                      if not p.is_dir() and kept not in p.parents]
            lying += [str(p) for p in self.state.glob("*/*") if p.parent != kept]
            lying += [str(p) for p in kept.glob("*/jobs/*")]
            lying += [str(p) for p in kept.glob("*/artifacts/.staging")]
        check(not lying, f"left lying about: {lying[:20]}\n{done}")

    # -- the run folder --

    def run_folder(self, number="latest"):
        return (self.state / "runs" / str(number)).resolve()

    def recorded(self, number="latest"):
        """Everything in the run folder as one text."""
        folder = self.run_folder(number)
        return "".join(f"== {p.relative_to(folder)}\n{p.read_bytes().decode(errors='replace')}\n"
                       for p in sorted(folder.rglob("*")) if p.is_file())

    def recorded_events(self, number="latest"):
        return events_of((self.run_folder(number) / "events.jsonl").read_bytes())

    def leave(self):
        """Empties ROOT; whoever made it removes it, and so sees whether that was possible."""
        watch.kill_rest()
        for here, folders, _ in os.walk(self.root):  # modes that a case took away
            for name in folders:
                path = os.path.join(here, name)
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
