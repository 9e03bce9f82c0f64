"""Many steps, long logs, long lines: time and memory grow as they should."""

import resource

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
