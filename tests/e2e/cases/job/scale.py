"""Many steps, long logs, long lines: time and memory grow as they should."""

import pathlib
import resource
import time

import watch
from case import case
from world import check


def many(w, n):
    return w.steps("\n".join(f"- {{id: s{i}, run: 'true'}}" for i in range(n)), name=f"many{n}.yml")


def user_seconds():
    """CPU time of all that was run and has ended, without what the kernel did for it: neither the load of the
    machine nor the state of its file system counts."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


@case(limit=240, quick=False)
def a_thousand_steps_take_ten_times_a_hundred(w):
    w.run(many(w, 10), code=0)
    times = {}
    for n in (100, 1000):
        start = user_seconds()
        r = w.run(many(w, n), code=0, limit=200)
        times[n] = user_seconds() - start
        check(len([s for s in r.steps() if s["conclusion"] == "success"]) >= n, f"of {n} steps\n")
    check(times[1000] < 15 * times[100], f"100 steps took {times[100]:.2f} s of user time, 1000 took {times[1000]:.2f} s")


@case(limit=120)
def a_long_log_passes_with_bounded_memory(w):
    """60 MB of log; what is measured is the largest process of ours."""
    flow = w.steps("- {name: a, run: 'yes \"a line of some length that says nothing at all\" | head -c 60000000; echo; echo the end'}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    r = w.plain(flow, code=0, limit=100)
    r.shows("the end")
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    check(max(used, before) < 200_000, f"{used} KiB")


def peaks():
    """{pid: most memory it ever had, KiB} of what runs below us."""
    found = {}
    for pid in watch.descendants():
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace")
        except OSError:
            continue  # it has ended
        found[pid] = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return found


@case(limit=300, quick=False)
def a_gigabyte_in_lines_of_100_mb_takes_the_memory_of_the_first(w):
    """What a process of ours has needed for two lines is what it needs for ten."""
    flow = w.steps("""
        - run: for i in 0 1 2 3 4 5 6 7 8 9; do head -c 99999999 /dev/zero | tr '\\0' x; echo; done
        - run: sleep 1
        """)
    secrets = [part for i in range(50) for part in ("--secret", f"S{i}={'xyz' * 5}{i:05}")]
    running = w.start(flow, *secrets, json_out=False, prefix=("sh", "-c", 'exec "$@" >/dev/null', "sh"))
    log, early, late, size = w.run_folder() / "logs/job/2.log", {}, {}, 0
    deadline = time.monotonic() + 240
    while running.process.poll() is None and time.monotonic() < deadline:
        log = w.run_folder() / "logs/job/2.log"
        size = log.stat().st_size if log.exists() else 0
        if size < 200_000_000:
            early.update(peaks())
        else:
            late.update({pid: kib for pid, kib in peaks().items() if pid in early})
        time.sleep(0.02)
    done = running.finish(60).exits(0)
    check(log.stat().st_size > 1_000_000_000, f"the log has {log.stat().st_size} bytes\n{done}")
    check(late, f"nothing was seen at work\n{done}")
    grown = {watch.describe(pid): (early[pid], kib) for pid, kib in late.items() if kib > early[pid] + 8192}
    check(not grown, f"KiB after two lines and after ten: {grown}")


@case(limit=90)
def a_line_without_an_end_comes_in_parts(w):
    flow = w.steps("- {name: a, run: 'head -c 5000000 /dev/zero | tr \"\\0\" x; echo; echo after'}")
    r = w.run(flow, "--secret", "S=xyz-never", code=0).says("after", step="a")
    check(r.log("a").count("x") >= 5_000_000, f"only {r.log('a').count('x')} bytes of the line came")


@case(limit=120)
def many_jobs_of_a_matrix(w):
    flow = w.workflow("""
        on: push
        jobs:
          m:
            runs-on: ubuntu-latest
            strategy: {matrix: {a: [1, 2, 3, 4, 5, 6], b: [1, 2, 3, 4, 5]}}
            steps: [{run: echo hi}]
        """)
    r = w.run(flow, "--jobs", "4", code=0, limit=100)
    r.equal("jobs", len([k for k, v in r.jobs().items() if v == "success"]), 30)
