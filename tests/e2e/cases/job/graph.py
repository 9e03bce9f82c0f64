"""Jobs and what hangs together: needs, outputs, if, matrix, results."""


from case import case


def jobs(text):
    """A workflow on push with these jobs; a line "ID: needs, steps" is written out for each."""
    return "on: push\njobs:\n" + text


SAY = "runs-on: ubuntu-latest, steps: [{run: 'echo hi'}]"
FAIL = "runs-on: ubuntu-latest, steps: [{run: 'exit 1'}]"


@case()
def outputs_travel_along_needs(w):
    flow = w.workflow("""
        on: push
        jobs:
          one:
            runs-on: ubuntu-latest
            outputs:
              word: ${{ steps.a.outputs.word }}
              list: ${{ steps.a.outputs.list }}
              none: ${{ steps.a.outputs.nope }}
            steps: [{id: a, run: 'echo "word=hi there" >> $GITHUB_OUTPUT; echo "list=[1,2]" >> $GITHUB_OUTPUT'}]
          two:
            needs: [one]
            runs-on: ubuntu-latest
            env: {W: "${{ needs.one.outputs.word }}"}
            strategy: {matrix: {n: "${{ fromJSON(needs.one.outputs.list) }}"}}
            steps: [{name: b, run: 'echo "$W ${{ matrix.n }} ${{ needs.one.result }} <${{ needs.one.outputs.none }}>"'}]
        """)
    r = w.run(flow, code=0)
    r.says("hi there 1 success <>", job="two (1)").says("hi there 2 success <>", job="two (2)")
    r.equal("outputs in the event", r.job("one")["outputs"], {"word": "hi there", "list": "[1,2]"})


@case()
def a_failed_need_skips_what_depends_on_it(w):
    flow = w.workflow(jobs(f"""
  bad: {{{FAIL}}}
  skipped: {{needs: bad, {SAY}}}
  skipped_too: {{needs: skipped, {SAY}}}
  always: {{needs: [bad, skipped], if: always(), {SAY}}}
  failure: {{needs: skipped_too, if: failure(), {SAY}}}
  apart: {{{SAY}}}
  after_always: {{needs: always, {SAY}}}
"""))
    r = w.run(flow, code=1)
    r.equal("results", r.jobs(), {"bad": "failure", "skipped": "skipped", "skipped_too": "skipped", "always": "success",
                                  "failure": "success", "apart": "success", "after_always": "skipped"})
    r.equal("result of the run", r.of("run.finished")[0]["result"], "failure")


@case()
def jobs_run_in_parallel_as_needs_allow(w):
    sleeper = "runs-on: ubuntu-latest, steps: [{run: 'sleep 2'}]"
    flow = w.workflow(jobs("".join(f"  j{i}: {{{sleeper}}}\n" for i in range(4))))
    fast = w.run(flow, "--jobs", "4", code=0)
    slow = w.run(flow, "--jobs", "2", code=0)
    for r, wanted in ((fast, (3, 4)), (slow, (2,))):  # a machine may be too slow to begin the fourth in time
        running = most = 0
        for e in r.events:
            running += {"job.started": 1, "job.finished": -1}.get(e["event"], 0)
            most = max(most, running)
        r.equal("most at a time", most in wanted, True)


@case()
def conditions_of_steps_follow_the_status(w):
    flow = w.steps("""
        - {name: ok, id: ok, run: 'true'}
        - {name: bad, id: bad, run: 'exit 1', continue-on-error: true}
        - {name: after, if: "steps.bad.outcome == 'failure' && steps.bad.conclusion == 'success'", run: echo yes}
        - {name: no failure yet, if: failure(), run: echo no}
        - {name: really bad, run: exit 1}
        - {name: default, run: echo no}
        - {name: failure, if: failure(), run: echo yes}
        - {name: always, if: always(), run: 'echo "${{ job.status }}"'}
        - {name: success, if: success(), run: echo no}
        - {name: not cancelled, if: "!cancelled()", run: echo yes}
        - {name: text, if: "always() && contains('abc', 'b')", run: echo yes}
        - {name: broken, if: "${{ always() && fromJSON('{') }}", run: echo no}
        """)
    r = w.run(flow, code=1)
    for name, wanted in {"ok": "success", "bad": "success", "after": "success", "no failure yet": "skipped",
                         "really bad": "failure", "default": "skipped", "failure": "success", "always": "success",
                         "success": "skipped", "not cancelled": "success", "text": "success", "broken": "failure"}.items():
        r.equal(name, r.step(name)["conclusion"], wanted)
    r.says("failure", step="always")


@case()
def a_skipped_step_says_why(w):
    r = w.run(w.steps("- {name: deploy, if: \"github.ref == 'refs/heads/release'\", run: echo never}"), code=0)
    reason = r.step("deploy").get("reason", "")
    r.equal("the reason names the value it met", "refs/heads/main" in reason, True)
    shown = w.plain(w.steps("- {name: deploy, if: \"github.ref == 'refs/heads/release'\", run: echo never}"), code=0)
    shown.shows("deploy.*refs/heads/main|refs/heads/main.*")


@case()
def a_matrix_has_its_includes_and_excludes(w):
    flow = w.workflow("""
        on: push
        jobs:
          m:
            runs-on: ubuntu-latest
            strategy:
              max-parallel: 2
              matrix:
                os: [a, b]
                v: [1, 2]
                exclude: [{os: b, v: 1}]
                include: [{os: a, v: 1, extra: more}, {os: c, v: 9}]
            steps: [{name: s, run: 'echo "${{ matrix.os }}-${{ matrix.v }}-${{ matrix.extra }} ${{ strategy.job-total }}"'}]
        """)
    r = w.run(flow, "--jobs", "4", code=0)
    r.equal("jobs", sorted(r.jobs()), ["m (a, 1)", "m (a, 2)", "m (b, 2)", "m (c, 9)"])
    r.says("a-1-more 4", "a-2- 4", "b-2- 4", "c-9- 4")
    one = w.run(flow, "--matrix", "os=a", "--matrix", "v=2", code=0)
    one.equal("chosen by --matrix", sorted(one.jobs()), ["m (a, 2)"])
    w.run(flow, "--matrix", "os=z").complains("os")


@case()
def fail_fast_cancels_the_rest(w):
    flow = w.workflow("""
        on: push
        jobs:
          m:
            runs-on: ubuntu-latest
            strategy: {matrix: {n: [bad, slow, later]}}
            steps:
              - {run: 'if [ ${{ matrix.n }} = bad ]; then sleep 1; exit 1; fi; exec sleep 200'}
          after: {needs: m, if: always(), runs-on: ubuntu-latest, steps: [{name: r, run: 'echo "${{ needs.m.result }}"'}]}
        """)
    r = w.run(flow, "--jobs", "2", limit=45, code=1).took_less(30)
    r.equal("jobs", r.jobs(), {"m (bad)": "failure", "m (slow)": "cancelled", "m (later)": "cancelled", "after": "success"})
    r.says("failure", job="after")


@case()
def without_fail_fast_all_go_on(w):
    flow = w.workflow("""
        on: push
        jobs:
          m:
            runs-on: ubuntu-latest
            continue-on-error: ${{ matrix.n == 'soft' }}
            strategy: {fail-fast: false, matrix: {n: [hard, soft, fine]}}
            steps: [{run: 'test ${{ matrix.n }} = fine'}]
        """)
    r = w.run(flow, code=1)
    r.equal("jobs", r.jobs(), {"m (hard)": "failure", "m (soft)": r.jobs()["m (soft)"], "m (fine)": "success"})


@case()
def continue_on_error_saves_job_and_run(w):
    flow = w.workflow(jobs(f"""
  soft: {{continue-on-error: true, {FAIL}}}
  next: {{needs: soft, {SAY}}}
"""))
    r = w.run(flow, code=0)
    r.equal("next", r.jobs()["next"], "success")
    r.equal("the run", r.of("run.finished")[0]["result"], "success")


@case()
def a_job_can_be_chosen_with_what_it_needs(w):
    flow = w.workflow(jobs(f"""
  a: {{{SAY}}}
  b: {{needs: a, {SAY}}}
  c: {{needs: b, {SAY}}}
  d: {{{SAY}}}
"""))
    r = w.run(flow, "--job", "b", code=0)
    r.equal("jobs", {k for k, v in r.jobs().items() if v == "success"}, {"a", "b"})
    w.run(flow, "--job", "e").complains("'e'", r"\b[abcd]\b")


@case()
def without_a_file_those_run_that_listen_to_the_event(w):
    w.workflow("{on: push, jobs: {m: {runs-on: x, steps: [{run: echo hi}]}}}", "main.yml")
    w.workflow("{on: [workflow_dispatch], jobs: {d: {runs-on: x, steps: [{run: echo hi}]}}}", "dispatch.yml")
    w.workflow("{on: pull_request, jobs: {p: {runs-on: x, steps: [{run: echo hi}]}}}", "pr.yml")
    w.commit("workflows")
    for event, job in (("push", "m"), ("workflow_dispatch", "d"), ("pull_request", "p")):
        ran = {key.split("/")[-1] for key in w.run("--event", event, code=0).jobs()}
        assert ran == {job}, (event, ran)
    w.run("--event", "schedule").complains("schedule")


@case()
def an_event_file_is_the_payload(w):
    w.write("event.json", '{"issue": {"number": 42, "labels": [{"name": "bug"}]}}', below=w.root)
    flow = w.workflow("""
        on: issues
        jobs:
          job:
            runs-on: ubuntu-latest
            if: contains(github.event.issue.labels.*.name, 'bug')
            steps: [{name: a, run: 'echo "number ${{ github.event.issue.number }}"'}]
        """)
    w.run(flow, "--event", "issues", "--event-file", w.root / "event.json", code=0).says("number 42", step="a")
    w.write("event.json", '{"issue": ', below=w.root)
    w.run(flow, "--event", "issues", "--event-file", w.root / "event.json").complains(r"event\.json")


@case()
def events_have_the_order_they_promise(w):
    """The documented schema: what starts ends, numbers count up, and the record is what was shown."""
    flow = w.workflow(jobs(f"  a: {{{SAY}}}\n  b: {{needs: a, {SAY}}}\n"))
    r = w.run(flow, code=0)
    kinds = [e["event"] for e in r.events]
    r.equal("first and last", (kinds[0], kinds[-1], r.events[0].get("schema")), ("run.started", "run.finished", 1))
    for key in ("a", "b"):
        mine = [e for e in r.events if e.get("job") == key]
        order = [e["event"] for e in mine if e["event"].startswith("job.")]
        r.equal(f"life of {key}", order, ["job.queued", "job.started", "job.finished"])
        started = [e["step"] for e in mine if e["event"] == "step.started"]
        r.equal("steps count up from 1", started, list(range(1, len(started) + 1)))
        r.equal("each is finished", sorted(e["step"] for e in mine if e["event"] == "step.finished"), started)
    recorded = [e["event"] for e in w.recorded_events()]
    r.equal("the run folder tells the same", recorded, kinds)


@case()
def jobs_of_a_group_take_turns(w):
    flow = w.workflow("""
        on: push
        concurrency: ${{ github.workflow }}
        jobs:
          m:
            runs-on: ubuntu-latest
            strategy: {matrix: {n: [1, 2, 3]}}
            concurrency: {group: "board-${{ github.ref_name }}", queue: max}
            steps: [{run: 'sleep 0.2'}]
          old:
            runs-on: ubuntu-latest
            concurrency: site
            steps: [{run: 'echo begun; exec sleep 20'}, {name: tidy, if: always(), run: echo tidy}]
          dropped: {needs: starts, runs-on: ubuntu-latest, concurrency: site, steps: [{run: echo no}]}
          starts: {runs-on: ubuntu-latest, steps: [{run: sleep 0.5}]}
          new:
            needs: starts
            runs-on: ubuntu-latest
            concurrency: {group: SITE, cancel-in-progress: true}
            steps: [{run: echo new}]
        """)
    r = w.run(flow, "--jobs", "6", code=1)
    r.equal("results", r.jobs(), {"m (1)": "success", "m (2)": "success", "m (3)": "success", "starts": "success",
                                  "old": "cancelled", "dropped": "cancelled", "new": "success"})
    running = set()
    for e in r.events:
        if e["event"] == "job.started":
            running.add(e["job"])
            r.equal("of the board", len([j for j in running if j.startswith("m (")]) <= 1, True)
            r.equal("of the site", len(running & {"old", "new", "dropped"}) <= 1, True)
        elif e["event"] == "job.finished":
            running.discard(e["job"])
    r.says("tidy", job="old")
    r.equal("why it was cancelled", r.job("dropped")["reason"],
            "job 'new' came to the concurrency group 'SITE' later, and only one may wait")
    notes = [(e.get("job"), e["text"]) for e in r.of("note")]
    for wanted in (("m (2)", "waits for the concurrency group 'board-main', which job 'm (1)' holds"),
                   ("old", "is cancelled: job 'new' came to the concurrency group 'SITE' with `cancel-in-progress`"),
                   ("new", "waits for the concurrency group 'SITE', which job 'old' holds")):
        r.equal(f"a note says {wanted}", wanted in notes, True)


@case()
def groups_that_can_never_be_had_do_not_hang(w):
    flow = w.workflow("""
        name: ci
        on: push
        concurrency: one
        jobs:
          a: {runs-on: ubuntu-latest, concurrency: ONE, steps: [{run: echo no}]}
          b: {runs-on: ubuntu-latest, steps: [{run: echo yes}]}
        """)
    r = w.run(flow, code=1)
    r.equal("results", r.jobs(), {"a": "cancelled", "b": "success"})
    r.equal("why", r.job("a")["reason"], "deadlock: it wants the concurrency group 'ONE', which workflow 'ci' holds, "
                                         "and it is a part of that")
