"""Time limits, Ctrl-C, and what becomes of a job when its processes are killed."""

import os
import pathlib
import signal
import time

import watch
from case import case
from world import check

SHORT = {"OSTLER_TEST_MINUTE_MS": "500"}  # a minute's length, in milliseconds

@case(limit=90)
def a_step_over_its_time_fails_and_the_job_goes_on(w):
    flow = w.steps("""
        - {name: slow, timeout-minutes: 2, run: 'echo begins; sleep 100'}
        - {name: default, run: echo never}
        - {name: always, if: always(), run: echo still}
        """)
    r = w.run(flow, env=SHORT, code=1, limit=40).concluded(slow="failure", default="skipped", always="success")
    r.says("begins", "The action 'slow' has timed out after 2 minutes.", step="slow")
    check(1 <= r.seconds, f"took {r.seconds:.1f} s\n{r}")
    r.took_less(25)


@case(limit=90)
def a_job_over_its_time_is_cancelled(w):
    flow = w.steps("""
        - {name: slow, run: 'exec sleep 100'}
        - {name: cleanup, if: always(), run: echo cleaned}
        """, job="timeout-minutes: 2")
    r = w.run(flow, env=SHORT, limit=45).says("cleaned", step="cleanup")
    r.equal("it did not succeed", (r.code != 0, r.jobs()["job"] in ("cancelled", "failure")), (True, True))


@case(limit=90, quick=False)
def the_ladder_has_three_rungs(w):
    """Row 2 of the contract's list: SIGINT at once, SIGTERM after 7.5 s, SIGKILL after 2.5 s more; to the direct
    child only."""
    flow = w.steps("""
        - name: stubborn
          timeout-minutes: 1
          shell: python
          run: |
            import signal, sys, time
            t0 = time.monotonic()
            def said(n, _): print("got", n, round(time.monotonic() - t0, 1), flush=True)
            signal.signal(signal.SIGINT, said); signal.signal(signal.SIGTERM, said)
            print("ready", flush=True)
            while True: time.sleep(0.1)
        """)
    r = w.run(flow, env={"OSTLER_TEST_MINUTE_MS": "3000"}, code=1, limit=45)
    got = {int(line.split()[1]): float(line.split()[2]) for line in r.log("stubborn").splitlines() if line.startswith("got")}
    check(set(got) == {2, 15}, f"signals: {got}\n{r}")
    check(7 < got[15] - got[2] < 15, f"SIGTERM came {got[15] - got[2]} s after SIGINT\n{r}")
    check(12.5 < r.seconds, f"took {r.seconds}\n{r}")
    r.took_less(18)


@case(limit=90)
def ctrl_c_stops_in_order(w):
    """The running step is asked, always() steps run, what was not started is skipped; exit code 3."""
    flow = w.workflow("""
        on: push
        jobs:
          a:
            runs-on: ubuntu-latest
            steps:
              - {name: long, run: "trap 'echo tidied up; exit 1' INT\\necho is up\\nsleep 60 & wait $!"}
              - {name: default, run: echo never}
              - {name: failure, if: failure(), run: echo never}
              - {name: cancelled, if: cancelled(), run: 'echo "status ${{ job.status }}"'}
              - {name: always, if: always(), run: echo last words}
          b: {needs: a, runs-on: ubuntu-latest, steps: [{run: echo never}]}
          c: {needs: a, if: always(), runs-on: ubuntu-latest, steps: [{name: c, run: echo never}]}
        """)
    before = w.outside()
    r = w.start(flow).wait_for("is up").send(signal.SIGINT).finish(40)
    w.after(r, before)
    r.exits(3).says("tidied up", "The operation was canceled.", step="long")
    r.says("status cancelled", step="cancelled").says("last words", step="always")
    r.concluded(default="skipped", failure="skipped", always="success", cancelled="success", long="cancelled")
    r.equal("jobs a and b", (r.jobs()["a"], r.jobs()["b"] in ("skipped", "cancelled")), ("cancelled", True))
    r.took_less(15)


@case(limit=60)
def a_second_ctrl_c_does_not_wait(w):
    flow = w.steps("""
        - {name: deaf, run: "trap '' INT TERM\\necho is up\\nwhile :; do sleep 1; done"}
        - {name: always, if: always(), run: sleep 60}
        """)
    running = w.start(flow).wait_for("is up").send(signal.SIGINT)
    time.sleep(1)
    start = time.monotonic()
    r = running.send(signal.SIGINT).finish(30)
    w.after(r, None)
    check(time.monotonic() - start < 8, f"the second one took {time.monotonic() - start:.1f} s\n{r}")
    r.exits(3)


@case(limit=60)
def sigterm_and_a_closed_terminal_cancel_too(w):
    flow = w.steps("- {name: long, run: 'echo is up; exec sleep 60'}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        r = w.start(flow).wait_for("is up").send(number).finish(30)
        w.after(r, None)
        r.exits(3)


@case(limit=60)
def a_reader_that_goes_away_ends_the_run(w):
    """ostler run | head: no endless loop, nothing left."""
    flow = w.steps("- {name: a, run: 'for i in $(seq 100000); do echo line $i; done; exec sleep 50'}")
    running = w.start(flow, json_out=False).wait_for("line", 20)
    for fd in list(running.open):
        if fd == running.process.stdout.fileno():
            del running.open[fd]
    running.process.stdout.close()
    deadline = time.monotonic() + 15
    while running.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    if running.process.poll() is None:  # it may go on for the record's sake; it must still obey
        running.send(signal.SIGINT)
    while running.process.poll() is None and time.monotonic() < deadline + 60:
        time.sleep(0.1)
    code = running.process.poll()
    running.kill()
    running.process.wait()
    check(code is not None and code >= 0, f"it ended with {code}")
    check(not watch.wait_until_alone(1), "something is left")


def children_named(pid, word):
    """Descendants of PID whose arguments or executable hold WORD."""
    found = []
    for child in watch.descendants(pid):
        try:
            text = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if word in text:
            found.append(child)
    return found


@case(limit=60)
def a_killed_worker_is_one_failed_job(w):
    flow = w.workflow("""
        on: push
        jobs:
          a: {runs-on: ubuntu-latest, steps: [{run: 'setsid sleep 1000 & echo is up; exec sleep 60'}]}
          b: {needs: a, if: always(), runs-on: ubuntu-latest, steps: [{name: b, run: 'echo "a was ${{ needs.a.result }}"'}]}
        """)
    running = w.start(flow).wait_for("is up")
    workers = children_named(running.process.pid, "worker")
    check(workers, f"no process calls itself worker: {[watch.describe(p) for p in watch.descendants()]}")
    os.kill(workers[0], signal.SIGKILL)
    r = running.finish(30)
    left = watch.wait_until_alone(2)
    check(not left, f"left running: {[watch.describe(p) for p in left]}\n{r}")
    r.exits(1).says("a was failure", job="b")
    r.equal("job a", r.jobs()["a"], "failure")
    check("killed" in r.job("a").get("reason", "") + r.err + r.notes(), f"nobody says why\n{r}")
    w.run(w.steps("- {run: echo next}"), code=0)  # and w.run() checks that no folder is left now


@case(who="root")  # others have no group unless it was delegated
def a_killed_worker_leaves_no_control_group(w):
    running = w.start(w.steps("- run: echo is up; exec sleep 60"), "--limit", "memory=1G").wait_for("is up")
    worker = children_named(running.process.pid, "worker")[0]

    def groups():
        return list(pathlib.Path("/sys/fs/cgroup").glob(f"**/job-{worker}-*"))

    check(groups(), "there is no control group to begin with")
    os.kill(worker, signal.SIGKILL)
    running.finish(30).exits(1)
    check(not groups(), f"control groups are left: {groups()}")


@case(limit=60)
def a_killed_run_leaves_nothing_after_the_next_start(w):
    flow = w.steps("- {run: 'setsid sleep 1000 & (setsid sleep 1000 &) ; echo is up; touch ~/x; exec sleep 60'}")
    running = w.start(flow).wait_for("is up")
    running.kill()
    running.finish(10)
    left = watch.wait_until_alone(5)
    check(not left, f"left running: {[watch.describe(p) for p in left]}")
    watch.reap()
    events = [e["event"] for e in w.recorded_events()]
    check("step.started" in events and "run.finished" not in events, f"the record: {events}")
    w.run(w.steps("- {run: echo next}"), code=0)


@case(limit=120, quick=False)
def killing_any_process_at_any_moment_leaves_nothing(w):
    flow = w.steps("""
        - uses: actions/checkout@v4
        - run: 'setsid sleep 1000 & for i in $(seq 20); do /bin/true; done'
        - run: 'echo x >> $GITHUB_STEP_SUMMARY; sleep 0.1'
        """)
    for n in range(24):
        running = w.start(flow)
        time.sleep(0.02 * n)
        mine = [p for p in [running.process.pid, *watch.descendants(running.process.pid)] if p != os.getpid()]
        try:
            os.kill(mine[n % len(mine)], signal.SIGKILL)
        except ProcessLookupError:
            pass
        r = running.finish(30)
        left = watch.wait_until_alone(5)
        check(not left, f"round {n}: left running: {[watch.describe(p) for p in left]}\n{r}")
        watch.reap()
    w.run(w.steps("- {run: echo next}"), code=0)


@case(limit=60)
def a_thousand_processes_end_at_once(w):
    flow = w.steps("""
        - {name: many, run: "for i in $(seq 300); do (setsid sleep 1000 >/dev/null 2>&1 &) ; done\\necho is up\\nexec sleep 60"}
        """)
    running = w.start(flow).wait_for("is up", 30).send(signal.SIGINT)
    time.sleep(0.1)
    start = time.monotonic()
    r = running.send(signal.SIGINT).finish(30)
    w.after(r, None)
    check(time.monotonic() - start < 8, f"took {time.monotonic() - start:.1f} s\n{r}")
