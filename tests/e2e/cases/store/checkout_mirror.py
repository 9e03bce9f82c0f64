"""The runner's mirrors of repositories: what a checkout takes from there, and that nothing depends on them."""

import os
import shutil
import time

import watch
from case import case
from cases.plugin.checkout_server import TOKEN, server, sh, step
from cases.store.store import victims
from world import check

LARGE = 300_000  # bytes that no archive makes smaller


def large(w, *private):
    """A server whose repository takes a while, as far as its bytes tell."""
    s = server(w, *private)
    s.third = s.repo("acme/lib", {"large.txt": os.urandom(LARGE // 2).hex()})
    s.mirror = s.store.parent / "git" / f"http%3A%2F%2F127.0.0.1%3A{s.port}" / "acme/lib/mirror"
    return s


def fetched(s):
    """The bytes of all fetches since the last call."""
    n = sum(s.sent)
    s.sent.clear()
    return n


WHOLE = sh("look", "cd lib", "git fsck --strict", "git rev-list --count HEAD", "git branch -r | wc -l", "git tag | tr '\\n' ' '",
           "test ! -e .git/objects/info/alternates && echo its own")


@case(limit=120)
def the_second_checkout_fetches_nearly_nothing(w):
    s = large(w, "acme/lib")
    for version in ("v4", "v7"):
        flow = w.steps(step(s, version, fetch_depth=0) + WHOLE)
        shutil.rmtree(s.mirror, ignore_errors=True)
        first = w.run(flow, *s.args, code=0).says("\n3\n3\nnoted v1.0 its own", step="look").never_says(TOKEN)
        check(LARGE / 2 < fetched(s) < LARGE * 3 / 2, f"the first fetches all, once\n{first}")
        check(s.mirror.is_dir(), f"there is no mirror\n{first}")
        again = w.run(flow, *s.args, code=0).says("\n3\n3\nnoted v1.0 its own", step="look").never_says(TOKEN)
        check(fetched(s) < 5000, f"the second fetched much\n{again}")
        r = w.run(w.steps(step(s, version) + WHOLE), *s.args, code=0).says("\n1\n1\n", "its own", step="look")
        check(fetched(s) < 5000, f"depth 1 fetched much\n{r}")
        first.equal("what it says", groups(again), groups(first))
    for path in s.mirror.rglob("*"):
        check(not path.is_file() or TOKEN.encode() not in path.read_bytes(), f"the token is in {path}")


def groups(r):
    return [line for line in r.log("co").splitlines() if "##[group]" in line or " fetch " in line]


@case(limit=90)
def a_shallow_checkout_makes_none_and_uses_one(w):
    s = large(w)
    w.run(w.steps(step(s)), code=0)
    check(not s.mirror.exists(), "it was made for one commit")
    w.run(w.steps(step(s, fetch_depth=0)), code=0)
    s.sent.clear()
    s.fourth = s.repo("acme/lib", {"lib.c": "four\n"})
    r = w.run(w.steps(step(s, ref="main") + sh("look", "cat lib/lib.c")), "--debug", code=0).says("four", step="look")
    r.says("The mirror of", "has what is wanted", step="co")
    check(fetched(s) < 5000, f"it fetched more than what is new\n{r}")
    r = w.run(w.steps(step(s, ref="refs/pull/7/merge") + sh("look", "cat lib/lib.c")), code=0).says("one", step="look")


@case(limit=90)
def who_may_not_read_it_gets_no_mirror(w):
    s = large(w, "acme/lib")
    w.run(w.steps(step(s, fetch_depth=0)), *s.args, code=0)
    s.sent.clear()
    for given, said in (("wrong-token", "the server refused the token"), ("", "the server wants a token")):
        r = w.run(w.steps(step(s, token=given, ref="main", fetch_depth=0, more="  continue-on-error: true")
                          + sh("look", "ls -A ../../_mirrors 2>/dev/null | wc -l")), *s.args, code=0)
        r.says(said, step="co").never_says("wrong-token", "Waiting").says("0\n", step="look")
        check(not s.sent, "something was fetched")
    check(s.mirror.is_dir(), "it is gone")


@case(limit=120)
def damage_costs_nothing_but_time(w):
    s = large(w)
    flow = w.steps(step(s, fetch_depth=0) + WHOLE)
    w.run(flow, code=0)
    for harm in (lambda: shutil.rmtree(s.mirror / "objects"), lambda: (s.mirror / "HEAD").unlink(),
                 lambda: [p.unlink() for p in s.mirror.glob("objects/pack/*.pack")],
                 lambda: (s.mirror / "packed-refs.lock").write_text("")):
        harm()
        s.repo("acme/lib", {"lib.c": "more\n"})
        w.run(flow, code=0).says("its own", step="look")
        fetched(s)
        r = w.run(flow, code=0).says("its own", step="look")
        check(fetched(s) < 5000, f"it was not made again\n{r}")


@case(limit=90)
def several_jobs_share_one(w):
    s = large(w)
    job = "    runs-on: x\n    steps:\n" + "".join(f"      {line}\n" for line in (step(s, fetch_depth=0) + WHOLE).splitlines())
    flow = w.workflow("on: push\njobs:\n" + "".join(f"  j{n}:\n{job}" for n in range(3)))
    r = w.run(flow, "--jobs", "3", code=0)
    check(len(r.of("job.finished", result="success")) == 3, r)
    check(fetched(s) < 3 * LARGE * 3 / 2, "more than each by itself")
    check([p.name for p in s.mirror.parent.glob("new-*")] == [], "something half-made is left")


@case(limit=90)
def killed_in_the_middle_it_is_made_the_next_time(w):
    s = large(w)
    flow = w.steps(step(s, fetch_depth=0) + WHOLE)
    for victim in ("mirror-child", "worker", "all"):
        s.hang.set()
        r = w.start(flow).wait_for_file(s.hanging)
        pids = victims(r.process.pid, victim)
        check(pids, f"no {victim}")
        for pid in pids:
            watch.kill(pid)
        s.hang.clear()
        while s.hanging.exists():
            time.sleep(0.02)
        done = r.finish()
        left = watch.wait_until_alone(5)
        check(not left, f"{victim}: left running: {[watch.describe(p) for p in left]}\n{done}")
        watch.reap()
        check(not s.mirror.exists() or victim == "mirror-child", f"{victim}: half a mirror\n{done}")
        shutil.rmtree(s.mirror, ignore_errors=True)
    shutil.rmtree(w.state)  # with nobody left, the jobs' folders stay
    w.run(flow, code=0).says("its own", step="look")
    check(s.mirror.is_dir() and not list(s.mirror.parent.glob("new-*")), list(s.mirror.parent.iterdir()))


@case(limit=90)
def a_job_cannot_change_it_and_does_without_where_it_could(w):
    s = large(w)
    w.run(w.steps(step(s, fetch_depth=0) + sh("harm", "m=$(echo ../../_mirrors/*)", "test -d $m/objects", "rm -rf $m/* || :", "ls -A $m | wc -l")),
          code=0).says("0\n", step="harm")
    check((s.mirror / "HEAD").is_file() and list(s.mirror.glob("objects/pack/*.pack")), "the job removed it")
    s.sent.clear()
    w.run(w.steps(step(s, fetch_depth=0) + WHOLE), "--isolation", "host", code=0).says("its own", step="look")
    check(fetched(s) > LARGE / 2, "at the level 'host' a mirror was used")
