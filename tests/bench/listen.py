#!/usr/bin/env python3
"""listen - what a listener costs, against the doubles of the services.

    tests/bench/listen.py [idle] [pick-up] [--service V|L|A|gitea] [--jobs N] [--slots N] [--idle SECONDS] [--registrations N,...]

idle      over SECONDS (60) without a job, for each number of registrations (1,2,10): private memory; an hour's wake-ups,
          calls, bytes both ways, and CPU time
pick-up   N jobs (500) one after another on each of the slots (1), a registration each: from the moment a job is ready at the
          service to the first byte that its first step writes. With Gitea, which is asked ten times a second here, from the moment in
          which it hands the job out, too. Then memory, descriptors, processes and files after half of the jobs and after
          all of them

--service: V (the default), A and L are GitHub's, see tests/kit/github_double.py. OSTLER names the program (default
build/release/ostler). Nothing fails here but a job: it tells, a person decides. For figures of an hour take --idle 600; as root
the interface that bytes are counted on is one of our own.
"""

import argparse
import ctypes
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "kit"))

from gitea_double import GiteaDouble  # noqa: E402
from github_double import GitHubDouble  # noqa: E402

OSTLER = os.environ.get("OSTLER", ROOT / "build" / "release" / "ostler")
STEPS = {"runs-on": "ubuntu-latest", "steps": [{"run": "date +%s%N"}]}
CLONE_NEWNET = 0x40000000


class GitHub(GitHubDouble):
    def __init__(self, profile):
        super().__init__(profile, results=profile != "L", hold=50.0)
        self.handed = None  # when a job left, in nanoseconds: a client of GitHub's waits for it

    def registering(self):
        return ["--type", "github", "--url", self.repository, "--token", "REG1"]

    def one_job(self):
        job = self.finished(self.push(STEPS))
        return job.conclusion == "succeeded", job.log(job.step_id(0))


class Gitea(GiteaDouble):
    handed = None

    def registering(self):
        return ["--type", "gitea", "--url", self.url, "--token", "REG"]

    def outcome(self, call):
        super().outcome(call)
        if call.name == "FetchTask" and call.told and "task" in (call.answer.body or {}):
            self.handed = time.time_ns()

    def one_job(self):
        task = self.finished(self.push(json.dumps({"name": "ci", "on": "push", "jobs": {"build": STEPS}}), steps=1))
        return task.result == "RESULT_SUCCESS", task.log()


def service(name):
    return Gitea() if name == "gitea" else GitHub(name)


class Listener:
    """One `ostler listen` for DOUBLES, a registration each."""

    def __init__(self, folder, doubles, hasty=False):
        self.folder = folder
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
        (folder / "registrations").mkdir(mode=0o700)
        for n, double in enumerate(doubles):
            home = folder / "registrations" / f"r{n}"
            self.ostler("register", *double.registering(), "--name", f"r{n}", "--unattended", "--dir", str(home))
            if hasty:
                self.hasten(home / ".runner")
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen([OSTLER, "listen", *sorted(map(str, (folder / "registrations").iterdir()))],
                                        env=self.env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def ostler(self, *argv):
        subprocess.run([OSTLER, *argv], env=self.env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    @staticmethod
    def hasten(path):
        """Asks a Gitea for jobs as often as it may be."""
        path.write_text(json.dumps({**json.loads(path.read_text()), "fetch_interval_ms": 100}))

    def look(self):
        """What it has at this moment."""
        proc = pathlib.Path("/proc") / str(self.process.pid)
        rollup = dict(line.split(":", 1) for line in (proc / "smaps_rollup").read_text().splitlines()[1:])
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        tasks = [c for t in (proc / "task").iterdir() for c in (t / "children").read_text().split()]
        return {"private KiB": int(rollup["Private_Dirty"].split()[0]), "descriptors": len(list((proc / "fd").iterdir())),
                "processes": len(tasks), "files": sum(len(names) for _, _, names in os.walk(self.folder)),
                "wake-ups": int(status["voluntary_ctxt_switches"]), "CPU ms": int((proc / "schedstat").read_text().split()[0]) / 1e6}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.log.close()
        if code:
            raise SystemExit(f"the listener ended with {code}:\n{(self.folder / 'log').read_text()}")


def own_interface():
    """A loopback interface that nobody else uses, where we may have one."""
    if os.geteuid() == 0 and ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def traffic():
    """Bytes over the loopback interface so far."""
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split(":")[1].split()[0])
    return 0


def idle(args):
    for count in map(int, args.registrations.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            doubles = [service(args.service) for _ in range(count)]
            listener = Listener(pathlib.Path(folder), doubles)
            try:
                time.sleep(5)
                before, bytes_before, calls = listener.look(), traffic(), sum(len(double.calls) for double in doubles)
                time.sleep(args.idle)
                after, hour = listener.look(), 3600 / args.idle
                figures = [(after["wake-ups"] - before["wake-ups"], "wake-ups"), (sum(len(double.calls) for double in doubles) - calls, "calls"),
                           ((traffic() - bytes_before) / 1024, "KiB of traffic"), (after["CPU ms"] - before["CPU ms"], "ms of CPU time")]
                print(f"idle       {args.service}, {count} registrations, {args.idle} s: {after['private KiB']} KiB private; an hour: " +
                      ", ".join(f"{value * hour:.0f} {what}" for value, what in figures), flush=True)
            finally:
                listener.process.poll() is None and listener.stop()
                for double in doubles:
                    double.close()


def jobs_of(double, count, waits, starts, failed):
    for _ in range(count):
        start = time.time_ns()
        good, log = double.one_job()
        if not good:
            failed.append(log)
            return
        written = int(re.findall(r"^\d{19}$", log, re.M)[-1])
        waits.append((written - start) / 1e6)
        if double.handed:
            starts.append((written - double.handed) / 1e6)


def round_of(doubles, count, waits, starts):
    failed = []
    threads = [threading.Thread(target=jobs_of, args=(double, count // len(doubles), waits, starts, failed)) for double in doubles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"a job did not end well:\n{failed[0]}")


def tell(what, times):
    times.sort()
    print(f"pick-up    {what}: p50 {statistics.median(times):.1f} ms, p99 {times[int(len(times) * 0.99)]:.1f} ms, most {times[-1]:.1f} ms, {len(times)} jobs")


def pick_up(args):
    waits, starts = [], []
    with tempfile.TemporaryDirectory() as folder:
        doubles = [service(args.service) for _ in range(args.slots)]
        listener = Listener(pathlib.Path(folder), doubles, hasty=args.service == "gitea")
        try:
            time.sleep(2)
            began = time.monotonic()
            round_of(doubles, args.jobs // 2, waits, starts)
            took = time.monotonic() - began
            time.sleep(2)
            middle, began = listener.look(), time.monotonic()
            round_of(doubles, args.jobs - args.jobs // 2, waits, starts)
            took += time.monotonic() - began
            time.sleep(2)
            end = listener.look()
        finally:
            listener.process.poll() is None and listener.stop()
            for double in doubles:
                double.close()
    tell(args.service, waits)
    if starts:
        tell(f"{args.service}, from when it was handed out", starts)
    print(f"soak       {len(waits) / took:.1f} jobs a second on {args.slots} slots; " +
          ", ".join(f"{name} {middle[name]} then {end[name]}" for name in ("private KiB", "descriptors", "processes", "files")), flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("figures", nargs="*", choices=["idle", "pick-up", []], default=[])
    parser.add_argument("--service", choices=["V", "L", "A", "gitea"], default="V")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--idle", type=int, default=60)
    parser.add_argument("--registrations", default="1,2,10")
    args = parser.parse_args()
    own_interface()
    if "idle" in args.figures or not args.figures:
        idle(args)
    if "pick-up" in args.figures or not args.figures:
        pick_up(args)


if __name__ == "__main__":
    main()
