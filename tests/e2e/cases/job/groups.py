"""Concurrency groups between runs: two programs at once, also when one of them is killed (workflow-language.md 8.3)."""

import signal
import time

import watch
from case import case
from world import check


def flow(w, name, more="", group="shared", job=""):
    """A workflow in GROUP that says when it is up and ends once there is a file with its name."""
    return w.workflow(f"""
        on: push
        concurrency: {{group: {group}{more}}}
        jobs:
          a:
            runs-on: x{job}
            steps:
              - {{name: hold, run: 'echo {name} is up; until [ -e {w.tmp}/{name} ]; do sleep 0.02; done'}}
        """, f"{name}.yml")


def go(w, path):
    return w.start(path, "--isolation", "host")  # its steps see files that are made meanwhile


def let(w, name):
    (w.tmp / name).write_text("")


def finish(w, *all_of_them):
    done = [r.finish(30) for r in all_of_them]
    for name in w.tmp.iterdir():
        name.unlink()
    left = watch.wait_until_alone(2)
    check(not left, f"left running: {[watch.describe(p) for p in left]}")
    watch.reap()
    for r in done:
        w.sane(r)
    w.nothing_left(done[-1])
    check(not list((w.state / "concurrency").rglob("*")), f"left: {list((w.state / 'concurrency').rglob('*'))}")
    return done


@case()
def a_run_waits_for_the_one_that_holds_its_group(w):
    first = go(w, flow(w, "one")).wait_for("one is up")
    second = go(w, flow(w, "two", group="SHARED")).wait_for("waits for the concurrency group 'SHARED'")
    other = go(w, flow(w, "other", group="elsewhere")).wait_for("other is up")
    time.sleep(0.3)
    second._pump(0.1)
    check(b"two is up" not in second.out, "it did not wait")
    let(w, "one")
    second.wait_for("two is up")
    let(w, "two")
    let(w, "other")
    for r in finish(w, first, second, other):
        r.exits(0)
        if r.of("note"):
            check("which workflow '.github/workflows/one.yml' of run 1 holds" in r.notes(), r.notes())


@case()
def what_was_killed_lets_go(w):
    """Of the holder, and of one that waits; nobody has to be told, and the next start clears up."""
    first = go(w, flow(w, "one")).wait_for("one is up")
    second = go(w, flow(w, "two", more=", queue: max")).wait_for("waits for")
    third = go(w, flow(w, "three", more=", queue: max")).wait_for("waits for")
    second.kill()
    second.finish(10)
    time.sleep(0.3)
    third._pump(0.1)
    check(b"three is up" not in third.out, "the first one still runs")
    began = time.monotonic()
    first.kill()
    first.finish(10)
    third.wait_for("three is up")
    check(time.monotonic() - began < 10, "it took long")
    third.kill()
    third.finish(10)
    let(w, "four")
    finish(w, go(w, flow(w, "four")))[0].exits(0)


@case()
def the_newest_that_waits_takes_the_place_of_the_one_before(w):
    first = go(w, flow(w, "one")).wait_for("one is up")
    second = go(w, flow(w, "two")).wait_for("waits for")
    third = go(w, flow(w, "three")).wait_for("waits for")
    second = second.finish(10).exits(1)
    second.equal("job", second.jobs(), {"a": "cancelled"})
    check("of run 3 came to the concurrency group 'shared' later, and only one may wait" in str(second), second)
    let(w, "one")
    let(w, "three")
    for r in finish(w, first, third):
        r.exits(0)


@case()
def with_queue_max_all_of_them_run_in_their_order(w):
    all_of_them = [go(w, flow(w, "n0", more=", queue: max")).wait_for("n0 is up")]
    for n in range(1, 5):
        all_of_them.append(go(w, flow(w, f"n{n}", more=", queue: max")).wait_for("waits for"))
    for n in range(5):
        let(w, f"n{n}")
    times = [r.exits(0).of("step.started", name="hold")[0]["time"] for r in finish(w, *all_of_them)]
    check(times == sorted(times), times)


@case()
def cancel_in_progress_reaches_another_run(w):
    first = go(w, flow(w, "one")).wait_for("one is up")
    second = go(w, flow(w, "two", more=", cancel-in-progress: true"))
    first = first.finish(20)
    first.equal("job", first.jobs(), {"a": "cancelled"})
    check("is cancelled: workflow '.github/workflows/two.yml' of run 2 came to the concurrency group 'shared' with "
          "`cancel-in-progress`" in first.notes(), first)
    second.wait_for("two is up")
    let(w, "two")
    finish(w, second)[0].exits(0)


@case()
def jobs_have_groups_too_and_ctrl_c_ends_the_wait(w):
    job = "\n            concurrency: of-the-job"
    first = go(w, flow(w, "one", group="x", job=job)).wait_for("one is up")
    second = go(w, flow(w, "two", group="y", job=job)).wait_for("waits for the concurrency group 'of-the-job', which job 'a' of run 1")
    second.send(signal.SIGINT)
    second = second.finish(10).exits(3)
    second.equal("jobs", second.jobs(), {"a": "cancelled"})
    let(w, "one")
    finish(w, first)[0].exits(0)


@case(limit=120, quick=False)
def never_two_at_once(w):
    """Ten programs that come as they like, two of which are killed while they wait."""
    path = w.workflow(f"""
        on: push
        concurrency: {{group: one, queue: max}}
        jobs:
          a:
            runs-on: x
            steps: [{{run: 'cd {w.tmp}; mkdir inside || echo NOT ALONE; sleep 0.3; rmdir inside'}}]
        """)
    running = [go(w, path) for _ in range(10)]
    for at in (0, 1):  # whoever came first may have number nine
        waiting = [r for r in running if r.process.poll() is None and b"NOT ALONE" not in r.out]
        for r in waiting:
            r._pump(0.05)
        late = [r for r in waiting if b"waits for" in r.out and b"step.started" not in r.out]
        if late:
            late[-1].kill()
    done = [r.finish(90) for r in running]
    check(not any("NOT ALONE" in r.log() for r in done), "two at once")
    check([r.code for r in done if r.code not in (0, -9)] == [], [r.code for r in done])
    check(sum(r.code == 0 for r in done) >= 8, [r.code for r in done])
    finish(w, go(w, path))[0].exits(0)
