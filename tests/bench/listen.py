#!/usr/bin/env python3
"""listen - what a listener costs, against the doubles of the services.

    tests/bench/listen.py [--jobs N] [--slots N] [--idle SECONDS]

idle      over SECONDS (60) without a job: private memory, wake-ups, bytes sent and had
pick-up   from the moment a job is ready at the service to the first byte that its first step writes, over the N jobs (200)
soak      the N jobs one after another on each of the slots (2), a registration each: memory, descriptors, processes and
          files before and after; the half of the jobs is the warm-up

OSTLER names the program (default build/release/ostler). Nothing fails here but a job: it tells, a person decides.
"""

import argparse
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "kit"))

from github_double import GitHubDouble  # noqa: E402

OSTLER = os.environ.get("OSTLER", ROOT / "build" / "release" / "ostler")
STEPS = {"steps": [{"run": "date +%s%N"}]}


class Listener:
    """One `ostler listen` for DOUBLES, a registration each."""

    def __init__(self, folder, doubles):
        self.folder = folder
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
        (folder / "registrations").mkdir(mode=0o700)
        for n, double in enumerate(doubles):
            self.ostler("register", "--type", "github", "--url", double.repository, "--token", "REG1", "--name", f"r{n}", "--unattended",
                        "--dir", str(folder / "registrations" / f"r{n}"))
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen([OSTLER, "listen", *sorted(map(str, (folder / "registrations").iterdir()))],
                                        env=self.env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def ostler(self, *argv):
        subprocess.run([OSTLER, *argv], env=self.env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def look(self):
        """What it has at this moment."""
        proc = pathlib.Path("/proc") / str(self.process.pid)
        rollup = dict(line.split(":", 1) for line in (proc / "smaps_rollup").read_text().splitlines()[1:])
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        tasks = [c for t in (proc / "task").iterdir() for c in (t / "children").read_text().split()]
        return {"private KiB": int(rollup["Private_Dirty"].split()[0]), "descriptors": len(list((proc / "fd").iterdir())),
                "processes": len(tasks), "files": sum(len(names) for _, _, names in os.walk(self.folder)),
                "wake-ups": int(status["voluntary_ctxt_switches"])}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.log.close()
        if code:
            raise SystemExit(f"the listener ended with {code}:\n{(self.folder / 'log').read_text()}")


def traffic():
    """Bytes over the loopback interface so far: the listener's, on a machine where nothing else runs."""
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split(":")[1].split()[0])
    return 0


def idle(listener, seconds):
    time.sleep(3)
    before, bytes_before = listener.look(), traffic()
    time.sleep(seconds)
    after = listener.look()
    print(f"idle       {after['private KiB']} KiB private, {(after['wake-ups'] - before['wake-ups']) * 3600 / seconds:.0f} wake-ups and "
          f"{(traffic() - bytes_before) * 3600 / seconds / 1024:.0f} KiB of traffic an hour (of {seconds} s)", flush=True)


def jobs_of(double, count, waits, failed):
    for _ in range(count):
        start = time.time_ns()
        job = double.finished(double.push(STEPS))
        if job.conclusion != "succeeded":
            failed.append(job)
            return
        written = [line for line in job.log(job.step_id(0)).splitlines() if line.isdigit()]
        waits.append((int(written[-1]) - start) / 1e6)


def round_of(doubles, count, failed):
    waits = []
    threads = [threading.Thread(target=jobs_of, args=(double, count // len(doubles), waits, failed)) for double in doubles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"a job ended as {failed[0].conclusion}:\n{failed[0].log()}")
    return sorted(waits)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--idle", type=int, default=60)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        doubles = [GitHubDouble() for _ in range(args.slots)]
        listener = Listener(pathlib.Path(folder), doubles)
        try:
            idle(listener, args.idle)
            failed, began = [], time.monotonic()
            first = round_of(doubles, args.jobs // 2, failed)
            time.sleep(2)
            middle = listener.look()
            second = round_of(doubles, args.jobs - args.jobs // 2, failed)
            waits, took = sorted(first + second), time.monotonic() - began
            time.sleep(2)
            end = listener.look()
        finally:
            listener.process.poll() is None and listener.stop()
            for double in doubles:
                double.close()
        print(f"pick-up    p50 {statistics.median(waits):.1f} ms, p99 {waits[int(len(waits) * 0.99)]:.1f} ms, most {waits[-1]:.1f} ms, {len(waits)} jobs")
        print(f"soak       {len(waits) / took:.1f} jobs a second; " +
              ", ".join(f"{name} {middle[name]} then {end[name]}" for name in middle if name != "wake-ups"))


if __name__ == "__main__":
    main()
