"""Every moment of a run, ended in every way: nothing runs, is mounted or locked after the next start, and the record
reads to its last event (runtime contract 12; DESIGN.md 7.4).

A moment is a workflow that gets stuck in a known place; a strike is a way to end it. Each moment is a case and takes
all strikes that can hit it, one after the other. The containers' moments are cases of their own."""

import contextlib
import os
import pathlib
import random
import signal
import time

import githttp
import watch
from case import case
from world import check

STUCK = "4321.5"  # the argument of each sleep that a moment gets stuck in
LAST = "\n- {name: last, if: always(), run: echo last words}\n"


def of_run(running, word):
    """Processes of the run with WORD in their command line."""
    found = []
    for pid in watch.descendants(running.process.pid):
        with contextlib.suppress(OSError):
            if word in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace"):
                found.append(pid)
    return found


def until(what, condition, running, limit=20):
    deadline = time.monotonic() + limit
    while not condition():
        running._pump(0.01)
        if time.monotonic() > deadline or running.process.poll() is not None:
            running.kill()
            raise AssertionError(f"{what} never came\n{running.finish(5)}")


def is_stuck(running):
    until("the moment", lambda: of_run(running, STUCK), running)


# ---- strikes ----

def interrupt(running):
    running.send(signal.SIGINT)


def interrupt_twice(running):
    running.send(signal.SIGINT)
    time.sleep(0.15)
    if running.process.poll() is None:
        running.send(signal.SIGINT)


def terminate(running):
    running.send(signal.SIGTERM)


def kill_front(running):
    running.kill()


def killer(word):
    def kill(running):
        for pid in of_run(running, word)[:1]:
            watch.kill(pid)
    kill.word = word
    kill.__name__ = f"kill_{word}"
    return kill


kill_worker, kill_init, kill_serve = killer("worker"), killer("ostler-init"), killer("ostler-serve")


def kill_all(running):
    """All of them before any can see another's end."""
    everyone = [running.process.pid, *watch.descendants(running.process.pid)]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


CANCELS = (interrupt, interrupt_twice, terminate)
CODES = {interrupt: (3,), interrupt_twice: (3,), terminate: (3,), kill_worker: (1,), kill_front: (-9,),
         kill_init: (1,), kill_serve: (0, 1), kill_all: (-9,)}


# ---- what must hold then ----

def locks_below(folder):
    """Files below FOLDER that somebody has locked."""
    with open("/proc/locks", encoding="ascii") as lines:
        locked = {int(line.split()[-3].rpartition(":")[2]) for line in lines if "->" not in line}
    return [str(p) for p in folder.rglob("*") if p.is_file() and not p.is_symlink() and p.lstat().st_ino in locked]


def names(events):
    return [(e["event"], e.get("job"), e.get("step"), e.get("name")) for e in events]


def the_record_reads(w, r):
    """Whole events only, all that were shown among them, and the log that they point at is there."""
    folder = w.run_folder()
    text = (folder / "events.jsonl").read_bytes()
    check(text.endswith(b"\n"), f"the record ends in the middle of a line: {text[-200:]}\n{r}")
    events = w.recorded_events()
    seen = [e for e in r.events if e["event"] != "log"]  # what is shown last may be cut off, what is recorded not
    kept = [e for e in events if e["event"] != "log"]
    check(names(kept)[:len(seen)] == names(seen), f"shown and not recorded:\n{names(seen)}\n{names(kept)}\n{r}")
    for e in events:
        if e["event"] == "log":
            size = (folder / e["file"]).stat().st_size
            check(e["offset"] + e["length"] <= size, f"{e} points behind the end of its file, {size}\n{r}")
    return events


def all_is_over(w, r, cancelled):
    left = watch.wait_until_alone(5)
    check(not left, f"left running: {[watch.describe(p) for p in left]}\n{r}")
    watch.reap()
    w.sane(r)
    check(not locks_below(w.root), f"locked: {locks_below(w.root)}\n{r}")
    if cancelled:  # it has cleared up behind itself
        w.nothing_left(r)


def next_run_is_clean(w, r):
    """The next start works, and what the killed one left is gone."""
    w.write("next.yml", "on: push\njobs: {next: {runs-on: x, steps: [{name: next, run: echo next}]}}\n",
            below=w.root / "next" / ".github" / "workflows")
    try:
        w.start(w.root / "next/.github/workflows/next.yml", cwd=w.root).finish().exits(0).says("next")
        w.after(r, None)
    except AssertionError as error:
        raise AssertionError(f"after this run:\n{r}\n\nthe next one: {error}") from None


def strikes(w, start, ready, hits, step="stuck", last=True, jobs=True, more=None, within=8):
    """Each of HITS, on a run of its own: START() it, wait until READY(running). STEP: the one that is cancelled then;
    None: it goes on. LAST: the job has such a step, and a cancelled job runs it."""
    before = w.outside()
    for strike in hits:
        try:
            running = start()
            ready(running)
            word = getattr(strike, "word", None)
            check(not word or of_run(running, word), f"there is no {word}")
            codes = CODES.get(strike, (1,))
            began = time.monotonic()
            strike(running)
            r = running.finish(40)
            took = time.monotonic() - began
            all_is_over(w, r, strike in CANCELS)
            check(r.code in codes, f"exit code {r.code}, wanted one of {codes}\n{r}")
            check(took < within, f"it took {took:.1f} s\n{r}")
            if jobs:
                events = the_record_reads(w, r)
                if strike not in (kill_front, kill_all):
                    check(events[-1]["event"] == "run.finished", f"the record ends with {events[-1]}\n{r}")
            if jobs and strike in CANCELS:
                check(set(r.jobs().values()) == {"cancelled"}, f"jobs: {r.jobs()}\n{r}")
            if strike in (interrupt, terminate) and step:
                r.equal("the step", r.step(step)["conclusion"], "cancelled")
            if strike in (interrupt, terminate) and last:
                r.says("last words", step="last")
            if strike == kill_worker and jobs:
                check("killed by signal 9" in str(r.jobs) + r.out, f"nobody says why\n{r}")
            if more:
                more(strike, r)
            next_run_is_clean(w, r)
        except AssertionError as error:
            raise AssertionError(f"{strike.__name__}: {error}") from None
    lines = [line for what, now in w.outside().items() for line in watch.difference(before[what], now)]
    check(not lines, "HOME or the tree is not as it was:\n  " + "\n  ".join(lines))


EVERYTHING = (interrupt, interrupt_twice, terminate, kill_worker, kill_front, kill_init, kill_all)


# ---- the moments ----

@case(limit=150)
def in_a_step(w):
    flow = w.steps(f"- {{name: stuck, run: 'setsid sleep 1000 >&- 2>&- & echo x > ~/x; exec sleep {STUCK}'}}" + LAST)
    strikes(w, lambda: w.start(flow), is_stuck, EVERYTHING)


@case(limit=150)
def in_a_step_on_the_host(w):
    flow = w.steps(f"- {{name: stuck, run: 'setsid sleep 1000 >&- 2>&- & echo x > ~/x; exec sleep {STUCK}'}}" + LAST)
    strikes(w, lambda: w.start(flow, "--isolation", "host"), is_stuck, [s for s in EVERYTHING if s is not kill_init])


@case(limit=150)
def in_a_composite(w):
    w.write("outer/action.yml", "runs: {using: composite, steps: [{uses: ./inner}]}\n")
    w.write("inner/action.yml", f"runs: {{using: composite, steps: [{{shell: bash, run: exec sleep {STUCK}}}]}}\n")
    flow = w.steps("- uses: actions/checkout@v4\n- {name: stuck, uses: ./outer}" + LAST)
    strikes(w, lambda: w.start(flow), is_stuck, EVERYTHING)


@case(limit=150)
def beside_other_steps(w):
    flow = w.steps(f"""
        - {{id: lane, name: lane, background: true, run: 'exec sleep {STUCK}1'}}
        - {{name: stuck, run: 'exec sleep {STUCK}'}}
        - {{name: last, if: always(), run: echo last words}}
        """)

    def ready(running):
        until("the lane", lambda: len(of_run(running, STUCK)) == 2, running)
    strikes(w, lambda: w.start(flow), ready, EVERYTHING)


@case(limit=150)
def in_a_checkout(w):
    """git is told to wait where the checkout starts it."""
    old = w.git("rev-parse", "HEAD")
    w.write("later", "later\n")
    w.commit("second")
    w.write("bin/git", f'#!/bin/sh\ncase " $* " in *" clone "*|*" fetch "*|*" checkout "*) exec sleep {STUCK};; esac\n'
                       'exec /usr/bin/git "$@"\n', mode=0o755, below=w.home)
    w.env["PATH"] = f"{w.home}/bin:{w.env['PATH']}"
    flow = w.steps(f"- {{name: stuck, uses: actions/checkout@v4, with: {{ref: {old}}}}}" + LAST)
    strikes(w, lambda: w.start(flow), is_stuck, EVERYTHING)


@case(limit=150)
def in_a_phase_of_a_plugin(w):
    """It does not listen, so it takes the whole ladder."""
    w.plugin("trouble")
    flow = w.steps("- {name: stuck, uses: test/trouble@v1, with: {how: loop}}" + LAST)

    def ready(running):
        running.wait_for("about to: loop")
    strikes(w, lambda: w.start(flow), ready, (*EVERYTHING, killer("plugin-child")), within=15)


POSTS = {
    "action.yml": "runs: {using: node20, main: main.js, post: post.js}\n",
    "main.js": "",
    "post.js": "const end = Date.now() + 1500; setInterval(() => { if (Date.now() > end) "
               "{ console.log('tidied up'); process.exit(0); } }, 20); console.log('tidies up');",
}


@case(limit=150)
def in_a_post_step(w):
    """It runs on a cancel, as its condition, always(), still holds; not when somebody is impatient."""
    for name, text in POSTS.items():
        w.write(f"act/{name}", text)
    flow = w.steps("- uses: actions/checkout@v4\n- {name: act, uses: ./act}\n- {name: last, run: echo last words}")

    def ready(running):
        running.wait_for("tidies up")

    def more(strike, r):
        if strike in (interrupt, terminate):
            r.says("tidied up", step="Post act")
    strikes(w, lambda: w.start(flow), ready, EVERYTHING, step=None, more=more)


def fresh(server, start, *args):
    """Whoever hung before does not count."""
    server.hanging.unlink(missing_ok=True)
    return start(*args)


@case(limit=150)
def while_an_action_is_fetched(w):
    s = githttp.Server(w)
    s.repo("acme/slow", {"action.yml": "runs: {using: composite, steps: [{shell: sh, run: 'true'}]}\n"}, "v1")
    flow = w.steps("- {name: slow, uses: acme/slow@v1}" + LAST)
    s.hang.set()
    strikes(w, lambda: fresh(s, w.start, flow), lambda running: running.wait_for_file(s.hanging),
            (*EVERYTHING, killer("store-child")), step=None, last=False,
            more=lambda strike, r: check(not [e for e in s.entries() if "/new-" not in e], f"half-made: {s.entries()}"))
    s.hang.clear()
    w.run(flow, code=0)
    check(len(s.entries()) == 1, f"what was half-made is still there: {s.entries()}")
    s.stop()


@case(limit=150)
def while_a_called_workflow_is_fetched(w):
    """Before the run has begun: no folder is left for one that never did."""
    s = githttp.Server(w)
    s.repo("acme/flows", {".github/workflows/call.yml": "on: workflow_call\njobs: {in: {runs-on: x, steps: [{run: 'true'}]}}\n"},
           "v1")
    flow = w.workflow("on: push\njobs: {call: {uses: acme/flows/.github/workflows/call.yml@v1}}\n")
    s.hang.set()

    others = []  # the next runs of those before

    def more(strike, r):
        if strike in CANCELS:
            r.shows("ostler: cancelled")
            kept = [p.name for p in (w.state / "runs").iterdir() if not p.is_symlink()]
            check(len(kept) == len(others), f"a folder was kept: {kept}\n{r}")
        others.append(strike)

    def empty():
        return [str(p) for p in (w.state / "runs").glob("*") if not (p / "events.jsonl").stat().st_size]
    strikes(w, lambda: fresh(s, w.start, flow), lambda running: running.wait_for_file(s.hanging), (*CANCELS, kill_front, kill_all),
            step=None, last=False, jobs=False, more=more)
    check(not empty(), f"runs that never began: {empty()}")
    s.hang.clear()
    s.stop()


UPLOAD = r"""
const scope = JSON.parse(Buffer.from(process.env.ACTIONS_RUNTIME_TOKEN.split('.')[1], 'base64url')).scp.split(' ')
  .find(s => s.startsWith('Actions.Results:')).split(':');
const call = async (method, body) => {
  const r = await fetch(new URL('/twirp/github.actions.results.api.v1.ArtifactService/' + method, process.env.ACTIONS_RESULTS_URL), {
    method: 'POST', headers: {'content-type': 'application/json', authorization: 'Bearer ' + process.env.ACTIONS_RUNTIME_TOKEN},
    body: JSON.stringify({workflow_run_backend_id: scope[1], workflow_job_run_backend_id: scope[2], name: 'half', ...body})});
  if (!r.ok) throw new Error(method + ': ' + r.status + ' ' + await r.text());
  return r.json();
};
(async () => {
  const made = await call('CreateArtifact', {version: 4});
  const url = made.signed_upload_url ?? made.signedUploadUrl;
  const piece = Buffer.alloc(1 << 20, 'x');
  for (const n of ['0', '1', '2'])
    await fetch(url + '&comp=block&blockid=' + Buffer.from(n).toString('base64'), {method: 'PUT', body: piece});
  console.log('three pieces are there');
  await fetch(url + '&comp=block&blockid=' + Buffer.from('3').toString('base64'), {method: 'PUT', duplex: 'half',
    body: new ReadableStream({start(c) { c.enqueue(piece); }})});  // and never ends
})().catch(error => { console.log('refused: ' + error.message); process.exitCode = 1; });
"""


@case(limit=150)
def in_an_upload(w):
    w.write("up/action.yml", "runs: {using: node20, main: main.js}\n")
    w.write("up/main.js", UPLOAD)
    w.env["XDG_CACHE_HOME"] = str(w.root / "cache")
    flow = w.steps("- uses: actions/checkout@v4\n- {name: stuck, uses: ./up}" + LAST)

    def ready(running):
        running.wait_for("three pieces are there")
        staging = w.state / "runs"
        until("the fourth piece", lambda: list(staging.glob("*/artifacts/.staging/*/i-*")), running)

    def nothing_is_half_there(strike, r):
        found = [p for p in w.run_folder().glob("artifacts/**/*") if p.is_file() and ".staging" not in p.parts]
        check(not found, f"half of it can be had: {found}\n{r}")
    strikes(w, lambda: w.start(flow), ready, (*EVERYTHING, kill_serve), more=nothing_is_half_there)


# ---- any moment ----

BUSY = """
    on: push
    jobs:
      first:
        runs-on: x
        strategy: {matrix: {n: [1, 2]}}
        steps:
          - uses: actions/checkout@v4
          - uses: ./act
          - {id: lane, background: true, run: 'setsid sleep 1000 >&- 2>&- & sleep 0.2; echo a=b >> $GITHUB_OUTPUT'}
          - run: 'for i in $(seq 20); do echo $i; done; echo x >> $GITHUB_STEP_SUMMARY; touch ~/x here'
          - uses: ./outer
          - wait: lane
      second:
        needs: first
        if: always()
        concurrency: {group: one}
        runs-on: x
        steps:
          - run: 'exec sleep 0.2'
          - {if: cancelled(), run: echo cancelled}
    """
WAYS = (interrupt, interrupt_twice, terminate, kill_front, kill_all, kill_worker, kill_init, killer("plugin-child"), "any")


def at_random_moments(w, rounds):
    seed = int(os.environ.get("OSTLER_TEST_SEED") or random.SystemRandom().getrandbits(32))
    print(f"seed {seed}: OSTLER_TEST_SEED={seed} does the same again")
    dice = random.Random(seed)
    for name, text in POSTS.items():
        w.write(f"act/{name}", text.replace("1500", "50"))
    w.write("outer/action.yml", "runs: {using: composite, steps: [{shell: bash, run: 'sleep 0.1; echo in'}]}\n")
    flow = w.workflow(BUSY)
    whole = w.start(flow).finish().exits(0).seconds
    print(f"one run takes {whole:.2f} s")
    for n in range(rounds):
        way, after = dice.choice(WAYS), dice.uniform(0, whole * 1.1)
        text = f"seed {seed}, round {n}: {getattr(way, '__name__', way)} after {after:.3f} s of {whole:.1f}"
        running, began = w.start(flow), time.monotonic()
        while time.monotonic() < began + after:
            running._pump(max(0, min(0.01, began + after - time.monotonic())))
        if way == "any":
            all_of_it = [running.process.pid, *watch.descendants(running.process.pid)]
            watch.kill(dice.choice(all_of_it))
        elif running.process.poll() is None:
            way(running)
        try:
            r = running.finish(40)
            # A signal can come before it is listened to: then nothing had begun.
            check(r.code in (0, 1, 3, -9) or -r.code in (signal.SIGINT, signal.SIGTERM), f"exit code {r.code}\n{r}")
            all_is_over(w, r, False)
            if r.events:
                events = the_record_reads(w, r)
                if r.code in (0, 1, 3):
                    check(events[-1]["event"] == "run.finished", f"the record ends with {events[-1]}\n{r}")
            next_run_is_clean(w, r)
        except AssertionError as error:
            raise AssertionError(f"{text}: {error}") from None


@case(limit=400, quick=False)
def at_any_moment(w):
    at_random_moments(w, 25)


@case(limit=400, quick=False)
def at_any_other_moment(w):
    at_random_moments(w, 25)
