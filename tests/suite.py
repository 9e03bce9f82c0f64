#!/usr/bin/env python3
"""Runs the test programs of all kinds, two and more at once, and counts what they tell.

    tests/suite.py [--quick | --thorough] [--fuzz SECONDS] [--conformance DIR] [NAME...]

Started by tests/run.sh, which has built everything. A kind is a list of programs; each says at its end
how many of its tests passed, in one of the two ways below. What cannot be started, or ends without
saying so, is a failure. Every output is kept in build/test-logs/."""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEV, RELEASE, FUZZ = (ROOT / "build" / name for name in ("dev", "release", "fuzz"))
LOGS = ROOT / "build" / "test-logs"
OTHERS_ARE_DONE = threading.Event()
FUZZ_LIMIT = 3600  # seconds that a target may have to wait for its share

CRITERION = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+) \| Crashing: (\d+)")
OURS = re.compile(r"^(\d+) passed, (\d+) failed\s*$", re.M)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclasses.dataclass
class Program:
    """One program of a kind. WHOLE: it has the machine to itself, but for those that stand back. SPARE: it runs beside all
    others until it had so many seconds of the time that they leave, or so many once they are done, and is asked to end."""
    kind: str
    name: str
    argv: list
    limit: int = 300
    whole: bool = False
    spare: int = 0
    env: dict = dataclasses.field(default_factory=dict)
    cwd: str = None
    passed: int = 0
    failed: int = 0
    seconds: float = 0.0
    why: str = ""

    def run(self):
        start, log = time.monotonic(), LOGS / f"{self.kind}-{self.name}.log"
        try:
            with open(log, "wb") as out:
                process = subprocess.Popen(
                    self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                    cwd=self.cwd or ROOT, env={**os.environ, **self.env}, start_new_session=self.spare > 0)
            try:
                code = self._wait(process, start + self.limit)
            finally:
                process.kill()
                process.wait()
        except subprocess.TimeoutExpired:
            code, self.why = 1, f"not done after {self.limit} s"
        except OSError as error:
            code, self.why = 1, f"cannot be started: {error}"
        self.seconds = time.monotonic() - start
        self._count(code, COLOUR.sub("", log.read_text(errors="replace")))
        if self.failed:
            self.why = self.why or f"see {log.relative_to(ROOT)}"

    def _wait(self, process, end):
        back, until = True, end
        if self.spare:
            stand(process.pid, back)
            while time.monotonic() < until and processor_seconds(process.pid) < self.spare:
                try:
                    return process.wait(0.5)
                except subprocess.TimeoutExpired:
                    pass
                if back and OTHERS_ARE_DONE.is_set():
                    back, until = False, time.monotonic() + self.spare
                    stand(process.pid, back)
            process.send_signal(signal.SIGUSR1)
        return process.wait(max(end - time.monotonic(), 10))

    def _count(self, code, text):
        criterion, ours = CRITERION.findall(text), OURS.findall(text)
        if criterion:
            tested, passing = (sum(int(row[i]) for row in criterion) for i in (0, 1))
            self.passed, self.failed = passing, tested - passing
        elif ours:
            self.passed, self.failed = map(int, ours[-1])
        else:
            self.passed = 1 if code == 0 else 0
        if code != 0 and not self.failed:
            self.failed = 1
            self.why = self.why or f"ended with code {code}"
        if self.passed + self.failed == 0:
            self.failed, self.why = 1, "it ran no test at all"


def stand(pid, back):
    """PID, which leads a session, gets the time that nobody else wants, or no longer stands BACK."""
    try:
        os.sched_setscheduler(pid, os.SCHED_IDLE if back else os.SCHED_OTHER, os.sched_param(0))
        pathlib.Path(f"/proc/{pid}/autogroup").write_text("19" if back else "0")  # sessions share evenly otherwise
    except OSError:
        pass  # it has ended, or this kernel groups nothing


def processor_seconds(pid):
    """What PID has used so far, dead or not, until it is waited for."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- the kinds ----

def house(_args, pattern):
    names = [pattern] if pattern else []
    yield Program("house", "checks", [sys.executable, "-B", "tests/house/run.py", *names])


def from_ctest(kind):
    """What CMakeLists.txt registers under the label KIND."""
    out = subprocess.run(["ctest", "--test-dir", str(DEV), "--show-only=json-v1"], check=True,
                         capture_output=True, text=True).stdout
    for test in json.loads(out)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        if kind not in properties.get("LABELS", []):
            continue
        yield Program(kind, test["name"], test.get("command") or [f"{test['name']} (not built)"],
                      limit=int(properties.get("TIMEOUT", 300)), cwd=properties.get("WORKING_DIRECTORY"),
                      env=dict(pair.split("=", 1) for pair in properties.get("ENVIRONMENT", [])))


def labelled(kind):
    def programs(_args, pattern):
        found = [p for p in from_ctest(kind) if not pattern or pattern in p.name]
        return found or [Program(kind, "none", ["false"], why="CMake knows no such test")]
    return programs


def conformance(args, _pattern):
    folder = pathlib.Path(args.conformance)
    if not folder.is_dir():
        print(f"there is no {folder}: the project's own tables run instead", flush=True)
    program = DEV / "tests" / "conformance" / "conformance"
    yield Program("conformance", "conformance", [str(program), str(folder)])


def e2e(args, pattern):
    """The dev build finds what the sanitizers see, the release what only the real thing shows. Each case runs with
    both, as root with the one and as an ordinary user with the other; long ones with one of them, in turn."""
    quick = ["--quick"] if args.quick else []
    for half, build in enumerate([DEV] if args.quick else [DEV, RELEASE], 1):
        turns = ["--thorough"] if args.thorough else [] if args.quick else ["--half", str(half)]
        yield Program("e2e", build.name, [sys.executable, "-B", "tests/e2e/run.py", "--build", str(build), *turns,
                                          *quick, *([pattern] if pattern else [])], limit=1800, whole=True)


def fuzz(args, pattern):
    """A target ends when it is asked to. -timeout is for one input, and long: it may have to wait for a processor."""
    if args.fuzz == 0:
        return
    targets = sorted(p for p in (FUZZ / "tests").glob("fuzz_*") if os.access(p, os.X_OK) and p.is_file())
    if not targets:
        yield Program("fuzz", "none", ["false"], why="no target was built")
    for target in targets:
        name = target.name.removeprefix("fuzz_")
        if pattern and pattern not in name:
            continue
        grown = FUZZ / "corpus" / name
        grown.mkdir(parents=True, exist_ok=True)
        seeds = [str(p) for p in (ROOT / "tests" / "fuzz" / "corpus" / name, ROOT / "tests" / "data" / name)
                 if p.is_dir()]
        yield Program("fuzz", name, [str(target), f"-max_total_time={FUZZ_LIMIT + args.fuzz}", "-rss_limit_mb=2048",
                                     "-timeout=120", "-print_final_stats=1", f"-artifact_prefix={LOGS}/{name}-",
                                     str(grown), *seeds], limit=FUZZ_LIMIT + 2 * args.fuzz, spare=args.fuzz)


KINDS = {"house": house, "unit": labelled("unit"), "plugin": labelled("plugin"),
         "conformance": conformance, "e2e": e2e, "fuzz": fuzz}


# ---- running and telling ----

def plan(args):
    wanted = [name.partition("/") for name in args.names] or [(kind, "", "") for kind in KINDS]
    for kind, _, pattern in wanted:
        yield from KINDS[kind](args, pattern)


def folders(log):
    """The table by folder that the conformance program ends with."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    begin = next((i for i, line in enumerate(lines) if line.startswith("folder ")), len(lines))
    for line in lines[begin:]:
        if not line:
            break
        print(f"     | {line}")


def show(program):
    log = LOGS / f"{program.kind}-{program.name}.log"
    if not program.failed:
        print(f"ok   {program.kind}/{program.name}: {program.passed} ({program.seconds:.1f} s)", flush=True)
        if program.kind == "conformance":
            folders(log)
        for line in log.read_text(errors="replace").splitlines() if program.kind == "e2e" else []:
            if line.startswith("WAVERS "):
                print(f"     | {line}", flush=True)
        return
    print(f"FAIL {program.kind}/{program.name}: {program.failed} of {program.passed + program.failed}, "
          f"{program.why}")
    tail = log.read_text(errors="replace").splitlines()[-60:] if log.exists() else []
    print("".join(f"     | {line}\n" for line in tail), end="", flush=True)


def table(programs, seconds):
    print(f"\n{'kind':<12}{'passed':>8}{'failed':>8}")
    for kind in KINDS:
        of_kind = [p for p in programs if p.kind == kind]
        if of_kind:
            print(f"{kind:<12}{sum(p.passed for p in of_kind):>8}{sum(p.failed for p in of_kind):>8}")
    print(f"in {seconds:.0f} s; every output is in {LOGS.relative_to(ROOT)}\n")
    print(f"{sum(p.passed for p in programs)} passed, {sum(p.failed for p in programs)} failed", flush=True)


def main():
    parser = argparse.ArgumentParser(description="runs and counts all tests")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--thorough", action="store_true")
    parser.add_argument("--fuzz", type=int, default=0, metavar="SECONDS")
    parser.add_argument("--conformance", default="../shared/conformance", metavar="DIR")
    parser.add_argument("names", nargs="*", metavar="KIND[/PATTERN]")
    args = parser.parse_args()
    for name in args.names:
        if name.partition("/")[0] not in KINDS:
            parser.error(f"no such kind: {name}; there are {', '.join(KINDS)}")

    start = time.monotonic()
    LOGS.mkdir(parents=True, exist_ok=True)
    programs = list(plan(args))
    programs.sort(key=lambda p: (p.spare > 0, p.whole))
    pools = [concurrent.futures.ThreadPoolExecutor(os.cpu_count()) for _ in range(2)]
    with pools[0], pools[1]:
        runs = [(p, None if p.whole else pools[p.spare > 0].submit(p.run)) for p in programs]
        for program, run in runs:
            if program.spare:
                OTHERS_ARE_DONE.set()
            program.run() if program.whole else run.result()
            show(program)
    table(programs, time.monotonic() - start)
    return 1 if any(p.failed for p in programs) else 0


if __name__ == "__main__":
    sys.exit(main())
