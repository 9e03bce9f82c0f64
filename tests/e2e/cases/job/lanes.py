"""Steps beside others: background, wait, wait-all, cancel, parallel."""

import re

from case import case
from world import check


@case()
def a_background_step_lets_the_next_one_begin(w):
    w.steps("""
        - {id: slow, background: true, run: 'until [ -e done ]; do sleep 0.05; done; echo slow is through'}
        - {id: quick, run: 'touch done'}
        - wait: slow
        - run: echo "after ${{ steps.slow.outcome }}"
        """)
    r = w.run(code=0)
    r.says("slow is through", "slow: success", "after success")
    order = [e["step"] for e in r.of("step.finished") if e.get("name") in ("Run touch done", "Wait")]
    check(len(order) == 2, str(r))
    r.equal("names", [s["name"] for s in r.steps() if s["name"].startswith("Wait")], ["Wait"])


@case()
def what_it_sets_is_there_once_it_was_waited_for(w):
    w.steps("""
        - id: a
          background: true
          run: |
            echo o=out-a >> "$GITHUB_OUTPUT"; echo V=from-a >> "$GITHUB_ENV"; echo /from/a >> "$GITHUB_PATH"
            touch a-is-through
        - run: |
            until [ -e a-is-through ]; do sleep 0.05; done; sleep 0.3
            echo "before [${{ steps.a.outputs.o }}] [${{ steps.a.outcome }}] [$V] [${PATH%%:*}]"
        - wait: [a]
        - run: echo "behind [${{ steps.a.outputs.o }}] [${{ steps.a.outcome }}] [$V] [${PATH%%:*}] [${{ env.V }}]"
        """)
    r = w.run(code=0)
    r.says("behind [out-a] [success] [from-a] [/from/a] [from-a]")
    check(re.search(r"before \[\] \[\] \[\] \[/(?!from)", r.log()), r.log())


@case()
def effects_come_in_the_order_of_the_file_whichever_ends_first(w):
    w.steps("""
        - parallel:
            - {id: one, run: 'until [ -e two ]; do sleep 0.05; done; echo V=one >> $GITHUB_ENV; echo /one >> $GITHUB_PATH'}
            - {id: two, run: 'echo V=two >> $GITHUB_ENV; echo /two >> $GITHUB_PATH; touch two'}
        - run: echo "$V ${PATH%%:/[a-z]*[/]*} ${{ steps.one.outcome }} ${{ steps.two.outcome }}"
        - run: echo "path $PATH"
        """)
    r = w.run(code=0)
    r.says("two ", "success success")
    check(re.search(r"path /two:/one:", r.log()), r.log())
    r.equal("the group", r.step("Parallel group")["conclusion"], "success")


@case()
def a_failure_counts_where_it_is_waited_for(w):
    w.steps("""
        - {id: bad, background: true, run: exit 3}
        - run: sleep 0.3; echo still fine
        - {wait: bad, name: Wait for the bad one}
        - run: echo never
        - {if: failure(), run: 'echo it was ${{ steps.bad.outcome }}'}
        """)
    r = w.run(code=1)
    r.says("still fine", "bad: failure", "it was failure").never_says("never")
    r.equal("the step", r.step("Run exit 3")["conclusion"], "failure")
    r.equal("the wait", r.step("Wait for the bad one")["conclusion"], "failure")


@case()
def a_failure_can_be_forgiven_at_both_ends(w):
    w.steps("""
        - {id: one, background: true, continue-on-error: true, run: exit 1}
        - {id: two, background: true, run: exit 1}
        - wait: one
        - {wait-all: true, continue-on-error: true}
        - run: echo "${{ steps.one.outcome }} ${{ steps.one.conclusion }} ${{ steps.two.outcome }}"
        """)
    w.run(code=0).says("failure success failure")


@case()
def nothing_runs_on_behind_the_last_step(w):
    w.steps("""
        - {background: true, run: 'sleep 0.5; echo through; exit 4'}
        - run: echo last
        """)
    r = w.run(code=1)
    r.says("last", "through")
    r.equal("result", r.job("job")["result"], "failure")


@case()
def a_cancel_step_ends_it_and_forgives(w):
    w.steps("""
        - {id: server, background: true, run: 'echo up > up; exec sleep 100'}
        - run: until [ -e up ]; do sleep 0.05; done
        - cancel: server
        - run: echo "it was ${{ steps.server.outcome }}"
        """)
    r = w.run(code=0)
    r.says("server: cancelled", "it was cancelled")
    r.equal("result", r.job("job")["result"], "success")


@case()
def at_most_ten_run_at_once(w):
    steps = "".join(f"- {{background: true, run: 'touch run-{i}; ls run-* | wc -l; sleep 0.4; rm run-{i}'}}\n"
                    for i in range(14))
    w.steps(steps + "- wait-all:\n")
    r = w.run(code=0)
    counts = [int(line) for line in r.log().splitlines() if line.isdigit()]
    check(len(counts) == 14 and 5 <= max(counts) <= 10, str(counts))


@case()
def composites_run_in_lanes_and_have_lanes(w):
    w.write("act/action.yml", """\
        name: act
        description: two steps, one beside the other
        inputs: {n: {required: true}}
        outputs: {seen: {value: '${{ steps.b.outputs.seen }}'}}
        runs:
          using: composite
          steps:
            - {id: a, shell: bash, run: 'echo "MINE=of-${{ inputs.n }}" >> "$GITHUB_ENV"'}
            - {id: b, shell: bash, run: 'sleep 0.2; echo "seen=$MINE" >> "$GITHUB_OUTPUT"'}
        """)
    w.commit("the action")
    w.steps("""
        - uses: actions/checkout@v4
        - parallel:
            - {id: x, uses: ./act, with: {n: x}}
            - {id: y, uses: ./act, with: {n: y}}
        - run: echo "${{ steps.x.outputs.seen }} ${{ steps.y.outputs.seen }} $MINE"
        """)
    w.run(code=0).says("of-x of-y of-y")


@case()
def cancelling_the_job_reaches_them(w):
    w.steps("""
        - {background: true, run: 'echo up > up; exec sleep 100'}
        - {background: true, run: 'echo up2 > up2; exec sleep 100'}
        - run: until [ -e up ] && [ -e up2 ]; do sleep 0.05; done; echo ready
        - wait-all:
        - {if: cancelled(), run: echo clean up}
        """)
    running = w.start()
    running.wait_for("ready")
    running.send(2)
    r = running.finish(30)
    r.exits(3)
    r.says("clean up")
    w.nothing_left(r)


@case()
def a_time_limit_reaches_them(w):
    w.steps("""
        - {id: slow, background: true, timeout-minutes: 1, run: exec sleep 100}
        - wait: slow
        """)
    r = w.run(code=1, env={"OSTLER_TEST_MINUTE_MS": "500"})
    r.says("has timed out after 1 minutes", "slow: failure")
