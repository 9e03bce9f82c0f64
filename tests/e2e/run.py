#!/usr/bin/env python3
"""End to end: the built runner over real workflow files, as root and as an ordinary user.

    tests/e2e/run.py [--build DIR] [--as root|user|both] [--quick] [--jobs N] [--keep] [--list] [NAME...]

NAME is a part of "group/case". Each case is a process of its own with a scratch folder of its own, so
that whatever it leaves behind can be told. As root, the ordinary user is a throw-away account,
ostler-test; started by an ordinary user, the cases that need root are named and left out.
The last line is "N passed, N failed"."""

import argparse
import concurrent.futures
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "kit"))  # the doubles of services

import case  # noqa: E402
import engine  # noqa: E402
import watch  # noqa: E402
from patience import PATIENCE  # noqa: E402
from world import PATH, World  # noqa: E402

ROOT = HERE.parents[1]
IMAGES = ROOT / "build" / "images"
USER = "ostler-test"
PASSED, FAILED = 0, 1
MAY_WAVER = 3  # cases of a run that may pass only at their second try, when nothing runs beside them


# ---- one case, in a process of its own ----

def hear_signals():
    """Whoever starts us may have some ignored, as nohup and the & of a script do; then all that we start would ignore them."""
    for signo in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(signo, signal.SIG_DFL)


def run_one(args):
    hear_signals()
    wanted = {c.name: c for c in case.load(args.one.split("/")[0])}[args.one]
    watch.become_subreaper()
    if "docker" not in wanted.needs:
        os.environ.pop("DOCKER_HOST", None)
    world = World(args.scratch, args.project, args.build, args.plugins)
    try:
        wanted.function(world)
        left = watch.wait_until_alone(0.5)
        if left:
            raise AssertionError(f"left running at the end: {[watch.describe(p) for p in left]}")
        return PASSED
    except AssertionError as error:
        frame = traceback.extract_tb(error.__traceback__)
        here = next(f for f in frame if "/cases/" in f.filename)
        print(f"{os.path.relpath(here.filename, ROOT)}:{here.lineno}: {here.line}\n{error}")
        return FAILED
    except Exception:  # a bug of the case, or a world it did not expect
        traceback.print_exc(file=sys.stdout)
        return FAILED
    finally:
        if not args.keep:
            world.leave()


# ---- all of them ----

class Identity:
    """Somebody to be: root, or the ordinary user."""

    def __init__(self, name):
        self.name = name
        self.prefix = []
        if name == "user" and os.geteuid() == 0:
            entry = pwd.getpwnam(USER)
            self.prefix = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups",
                           "--inh-caps=-all", "--"]

    def can(self, *command):
        return subprocess.run([*self.prefix, *command], capture_output=True).returncode == 0

    def python(self):
        """What runs the cases: this Python, unless it lies where only root can go."""
        return sys.executable if self.can("test", "-x", sys.executable) else shutil.which("python3")

    def scratch(self, below, name):
        folder = tempfile.mkdtemp(prefix=f"{name.split('/')[-1][:20]}.", dir=below)
        if self.prefix:
            entry = pwd.getpwnam(USER)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        return folder


def make_user():
    """The throw-away account; true if it is new, and ours to remove."""
    try:
        pwd.getpwnam(USER)
        return False
    except KeyError:
        subprocess.run(["useradd", "--no-create-home", "--home-dir", "/nonexistent", "--user-group",
                        "--shell", "/bin/sh", USER], check=True)
        return True


class Stage:
    """Where the cases find what they need: this clone, or a copy of the little of it that they use, for
    when somebody cannot get at it (a clone in root's HOME)."""

    def __init__(self, build, identities, below):
        self.project, self.build, self.harness = ROOT, build, HERE
        self.plugins = build_plugins(below)
        install_sdk(build, below)
        wanted = [build / "ostler", HERE / "run.py"]
        if not all(i.can("test", "-r", str(path)) for i in identities for path in wanted):
            self._copy(below / "project")

    def _copy(self, to):
        leave_out = shutil.ignore_patterns("node_modules", "dist", "__pycache__")
        shutil.copytree(ROOT / "pipelines", to / "pipelines", symlinks=True, ignore=leave_out)
        for folder in ("include", "sdk", "packaging"):
            shutil.copytree(ROOT / folder, to / folder)
        shutil.copytree(HERE, to / "tests" / "e2e", symlinks=True, ignore=leave_out)
        shutil.copytree(HERE.parent / "kit", to / "tests" / "kit")
        if (ROOT / "build" / "tools").is_dir():
            shutil.copytree(ROOT / "build" / "tools", to / "build" / "tools", symlinks=True)
        folder = to / "build" / self.build.name
        folder.mkdir(parents=True)
        for path in self.build.iterdir():
            if path.name == "plugins":
                shutil.copytree(path, folder / "plugins", symlinks=True)
            elif path.name.startswith("ostler") and path.is_file():
                shutil.copy2(path, folder / path.name)
        self.project, self.build, self.harness = to, folder, to / "tests" / "e2e"


def install_sdk(build, below):
    """What authors of plugins get, as it would be installed: World.sdk."""
    if (build / "cmake_install.cmake").exists() and (build / "sdk" / "libostler-test.a").exists():
        subprocess.run(["cmake", "--install", str(build), "--component", "Sdk", "--prefix", str(below / "sdk")],
                       check=True, stdout=subprocess.DEVNULL)


def build_plugins(below):
    """The plugins that misbehave, built as any author would."""
    to = below / "plugins"
    to.mkdir()
    for source in sorted((HERE / "plugins").glob("*.c")):
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-Wl,-z,defs,-z,relro,-z,now",
                        f"-I{ROOT / 'include'}", "-o", str(to / f"{source.stem}.so"), str(source)], check=True)
    for path in [to, *to.iterdir()]:
        path.chmod(0o755)
    return to


def run_case(item, identity, stage, below, keep):
    scratch, start = identity.scratch(below, item.name), time.monotonic()
    argv = [*identity.prefix, identity.python(), "-B", str(stage.harness / "run.py"), "--one", item.name,
            "--scratch", scratch, "--project", str(stage.project), "--build", str(stage.build),
            "--plugins", str(stage.plugins), *(["--keep"] if keep else [])]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")
    try:
        text, code = process.communicate(timeout=item.limit * PATIENCE)[0].decode(errors="replace"), process.returncode
    except subprocess.TimeoutExpired:
        left = watch.descendants(process.pid)
        code, text = FAILED, f"hung: not done after {item.limit * PATIENCE} s; there are {[watch.describe(p) for p in left]}\n"
        for pid in [process.pid, *left]:
            watch.kill(pid)
        text += process.communicate()[0].decode(errors="replace")
    if not keep:
        try:
            os.rmdir(scratch)
        except OSError as error:
            code, text = FAILED, f"{text}\nthe scratch folder is not empty: {error}"
            shutil.rmtree(scratch, ignore_errors=True)
    return item, identity, code, text, time.monotonic() - start


def waver(again, stage, below, args):
    """Tries the cases that failed once more, one at a time. Those that pass now are named, and are a bug of the case or of
    the runner like any other; but they do not fail the run, unless there are many. The names of those that failed."""
    if args.strict or len(again) > MAY_WAVER:
        return [f"{item.name} ({identity.name})" for item, identity in again]
    failed = []
    for item, identity in again:
        _, _, code, text, seconds = run_case(item, identity, stage, below, args.keep)
        name = f"{item.name} ({identity.name})"
        if code == PASSED:
            print(f"WAVERS {name}: it failed beside others and passed alone, {seconds:.1f} s", flush=True)
        else:
            print(f"FAIL {name}, again, {seconds:.1f} s\n{text}", flush=True)
            failed.append(name)
    return failed


def control_groups():
    """Control groups of jobs that exist right now. The folder above them may stay."""
    return {str(p) for p in pathlib.Path("/sys/fs/cgroup").glob("**/ostler/*") if p.is_dir()}


def choose(args):
    """Pairs of case and identity; and the names of those that cannot run here."""
    root, chosen, left_out = os.geteuid() == 0, [], []
    if args.as_whom == "root" and not root:
        sys.exit("tests/e2e/run.py: --as root: you are not")
    who = {"both": ["root", "user"] if root else ["user"]}.get(args.as_whom, [args.as_whom])
    for index, item in enumerate(case.load()):
        if args.names and not any(n in item.name for n in args.names):
            continue
        if args.quick and not (item.quick and not item.needs) or item.thorough and not args.thorough:
            continue
        possible = [w for w in who if item.who in ("any", w)]
        if args.half and item.limit > case.SHORT and index // 2 % 2 != args.half - 1:
            continue
        if (args.quick or args.half) and len(possible) > 1 and not item.name.startswith("isolation/"):
            possible = [possible[(index + (args.half == 2)) % 2]]  # turn and turn about
        chosen += [(item, w) for w in possible]
        if not possible and not root and item.who == "root":
            left_out.append(f"{item.name}: it needs root")
    return chosen, left_out


def allowed(chosen, identities):
    """Without the cases for which somebody may not use the engine, which is the machine's own then."""
    may = {whom: i.can("docker", "version") for whom, i in identities.items()}
    barred = [(item, whom) for item, whom in chosen if "docker" in item.needs and not may[whom]]
    return ([pair for pair in chosen if pair not in barred],
            [f"{item.name} ({whom}): {whom} may not use this machine's container engine" for item, whom in barred])


def run_all(args):
    chosen, left_out = choose(args)
    if args.list:
        print("\n".join(f"{item.name} ({whom})" for item, whom in chosen))
        return 0
    build = pathlib.Path(args.build).resolve()
    if not (build / "ostler").exists():
        print(f"there is no {build}/ostler\n0 passed, 1 failed")
        return 1

    below = pathlib.Path(tempfile.mkdtemp(prefix="ost."))
    below.chmod(0o755)
    docker = engine.Engine()
    new_user = any(whom == "user" for _, whom in chosen) and os.geteuid() == 0 and make_user()
    groups, failed, again, times = control_groups(), [], [], []
    try:
        identities = {whom: Identity(whom) for whom in {w for _, w in chosen}}
        def provided(need, provide, *args):
            """Provides what the cases with NEED need; where it cannot, they have failed."""
            those = [f"{item.name} ({whom})" for item, whom in chosen if need in item.needs]
            if not those or set(those) <= set(failed):
                return False
            try:
                provide(*args)
            except engine.EngineError as error:
                failed.extend(name for name in those if name not in failed)
                print(f"FAIL all that need '{need}': {error}", flush=True)
                return False
            return True

        if provided("docker", docker.start, USER if "user" in identities and os.geteuid() == 0 else None):
            chosen, barred = allowed(chosen, identities)
            left_out += barred
        provided("services", docker.provide_services, IMAGES)
        stage = Stage(build, identities.values(), below)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            # The long ones first, so that none is still running when all others are done.
            ready = [c for c in chosen if f"{c[0].name} ({c[1]})" not in failed]
            order = sorted(ready, key=lambda c: -c[0].limit)
            runs = [pool.submit(run_case, item, identities[whom], stage, below, args.keep)
                    for item, whom in order]
            for run in concurrent.futures.as_completed(runs):
                item, identity, code, text, seconds = run.result()
                times.append((seconds, f"{item.name} ({identity.name})"))
                if code != PASSED:
                    again.append((item, identity))
                    print(f"FAIL {item.name} ({identity.name}, {seconds:.1f} s)\n{text}", flush=True)
                elif args.verbose:
                    print(f"ok   {item.name} ({identity.name}, {seconds:.1f} s)", flush=True)
        failed += waver(again, stage, below, args)
        passed, left = len(chosen) - len(failed), sorted(control_groups() - groups)
        if left:
            failed.append("control groups")
            print(f"FAIL left behind: the control groups {left}")
    finally:
        docker.stop()
        if not args.keep:
            shutil.rmtree(below, ignore_errors=True)
        if new_user:
            subprocess.run(["userdel", USER], check=False, capture_output=True)

    for name in left_out:
        print(f"not run: {name}")
    print("slowest: " + ", ".join(f"{name} {s:.1f} s" for s, name in sorted(times, reverse=True)[:5]))
    if failed:
        print("failed:\n  " + "\n  ".join(sorted(failed)))
    print(f"{passed} passed, {len(failed)} failed", flush=True)
    return 1 if failed or not chosen else 0


def main():
    parser = argparse.ArgumentParser(description="end-to-end tests")
    parser.add_argument("--build", default=ROOT / "build" / "dev", help="the build folder to test")
    parser.add_argument("--as", dest="as_whom", choices=["root", "user", "both"], default="both")
    parser.add_argument("--half", type=int, choices=[1, 2],
                        help="each case as one of those it can be, root or the user, in turn; 2: as the other one")
    parser.add_argument("--quick", action="store_true", help="without the slow ones and the network")
    parser.add_argument("--thorough", action="store_true", help="with those that need what only tests/run.sh --thorough makes")
    parser.add_argument("--strict", action="store_true", help="a case that fails is not tried again")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="cases at once")
    parser.add_argument("--keep", action="store_true", help="leave the scratch folders for a look")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--verbose", "-v", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    parser.add_argument("--plugins", help=argparse.SUPPRESS)
    parser.add_argument("--project", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    os.environ["PATH"] = PATH  # what a case starts itself is what its runs find, not what the PATH of whoever starts us holds
    if args.one:
        return run_one(args)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    return run_all(args)


if __name__ == "__main__":
    sys.exit(main())
