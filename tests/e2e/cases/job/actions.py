"""Local and composite actions (runtime contract 9)."""

from case import case
from world import check


def composite(w, path, text):
    w.write(f"{path}/action.yml", text)


@case()
def a_composite_has_inputs_outputs_and_its_own_path(w):
    composite(w, "tools/greet", """
        name: Greet
        description: says hello
        inputs:
          who: {description: whom, required: true}
          loud: {description: loud, default: "false"}
        outputs:
          said: {description: what, value: "${{ steps.say.outputs.said }}"}
          none: {description: nothing}
        runs:
          using: composite
          steps:
            - id: say
              shell: bash
              run: |
                echo "inputs ${{ inputs.who }} ${{ inputs.loud }} <$INPUT_WHO>"
                "$GITHUB_ACTION_PATH/helper.sh" "${{ inputs.who }}" >> "$GITHUB_OUTPUT"
                test "$GITHUB_ACTION_PATH" = "${{ github.action_path }}" && echo same path
            - {shell: sh, run: 'echo "second <${{ steps.say.outputs.said }}>"'}
        """)
    w.write("tools/greet/helper.sh", '#!/bin/sh\necho "said=Hello, $1"\n', mode=0o755)
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: greet, id: greet, uses: ./tools/greet, with: {who: Ann}}
        - {name: after, run: 'echo "<${{ steps.greet.outputs.said }}> <${{ steps.say.outputs.said }}> <${GITHUB_ACTION_PATH-}>"'}
        """)
    r = w.run(flow, code=0).says("inputs Ann false <>", "same path", "second <Hello, Ann>", step="greet")
    r.says("<Hello, Ann> <> <>", step="after")


@case()
def composites_nest_and_share_one_log(w):
    composite(w, "outer", """
        name: outer
        outputs: {word: {value: "${{ steps.in.outputs.word }}!"}}
        runs:
          using: composite
          steps:
            - {shell: bash, run: 'echo "outer at $(basename $GITHUB_ACTION_PATH)"; echo FROM_OUTER=1 >> $GITHUB_ENV'}
            - {id: in, uses: ./inner, with: {x: "${{ inputs.y || 'nothing' }}"}}
            - {shell: bash, run: 'echo "back at $(basename $GITHUB_ACTION_PATH) $FROM_OUTER $FROM_INNER"'}
        """)
    composite(w, "inner", """
        name: inner
        inputs: {x: {default: none}}
        outputs: {word: {value: "${{ steps.a.outputs.w }}"}}
        runs:
          using: composite
          steps:
            - {id: a, shell: bash, run: 'echo "inner ${{ inputs.x }} at $(basename $GITHUB_ACTION_PATH)"; echo "w=deep" >> $GITHUB_OUTPUT; echo FROM_INNER=2 >> $GITHUB_ENV'}
        """)
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: outer, id: o, uses: ./outer}
        - {name: after, run: 'echo "<${{ steps.o.outputs.word }}> $FROM_OUTER $FROM_INNER"'}
        """)
    r = w.run(flow, code=0).says("outer at outer", "inner nothing at inner", "back at outer 1 2", step="outer")
    r.says("<deep!> 1 2", step="after")


@case()
def status_functions_inside_ask_the_composite(w):
    """Row 9 of the contract's list."""
    composite(w, "act", """
        name: act
        outputs: {seen: {value: "${{ steps.always.outputs.seen }}"}}
        runs:
          using: composite
          steps:
            - {shell: bash, if: success(), run: echo starts afresh}
            - {shell: bash, run: exit 4}
            - {shell: bash, run: echo never this}
            - {shell: bash, if: failure(), run: echo inner failure seen}
            - {id: always, shell: bash, if: always(), run: 'echo seen=yes >> $GITHUB_OUTPUT'}
        """)
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: act, id: act, continue-on-error: true, uses: ./act}
        - {name: after, run: 'echo "${{ steps.act.outcome }} ${{ steps.act.conclusion }} ${{ steps.act.outputs.seen }}"'}
        - {name: bad, run: exit 1}
        - {name: again, if: always(), continue-on-error: true, uses: ./act}
        """)
    r = w.run(flow, code=1).says("starts afresh", "inner failure seen", step="act").never_says("never this")
    r.says("failure success yes", step="after").says("starts afresh", step="again")


@case()
def a_steps_env_reaches_the_steps_inside(w):
    composite(w, "act", """
        name: act
        runs:
          using: composite
          steps:
            - {shell: bash, run: 'echo "A=$A B=$B"'}
            - {shell: bash, env: {A: inner}, run: 'echo "A=$A"'}
            - {shell: bash, run: 'echo "A=written" >> $GITHUB_ENV'}
            - {shell: bash, run: 'echo "still A=$A"'}
        """)
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: act, uses: ./act, env: {A: outer}}
        - {name: after, run: 'echo "later A=$A"'}
        """, job="env: {A: job, B: job}")
    w.run(flow, code=0).says("A=outer B=job", "A=inner", "still A=outer", step="act").says("later A=written", step="after")


@case()
def a_broken_or_missing_action_is_named(w):
    composite(w, "broken", "name: x\nruns:\n  using: composite\n  steps:\n    - run: echo no shell\n")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: missing, continue-on-error: true, uses: ./not/here}
        - {name: broken, continue-on-error: true, uses: ./broken}
        - {name: last, run: echo last}
        """)
    r = w.run(flow, code=0).says("last", step="last").says("not/here", step="missing").says("shell", step="broken")
    r.says("action.yml", step="broken")


@case()
def an_action_that_calls_itself_ends(w):
    composite(w, "act", "name: x\nruns:\n  using: composite\n  steps:\n    - uses: ./act\n")
    flow = w.steps("- uses: actions/checkout@v4\n- {name: act, uses: ./act}")
    w.run(flow, code=1, limit=30).concluded(act="failure").says("depth", step="act")


@case()
def a_required_input_that_is_missing_is_said(w):
    composite(w, "act", """
        name: x
        inputs: {must: {required: true, description: x}}
        runs: {using: composite, steps: [{shell: bash, run: 'echo "must <${{ inputs.must }}>"'}]}
        """)
    flow = w.steps("- uses: actions/checkout@v4\n- {name: act, uses: ./act, with: {other: 1}}")
    r = w.run(flow, code=0).says("must <>", step="act")
    warnings = " ".join(a["message"] for a in r.of("annotation", level="warning"))
    check("other" in warnings, f"no warning names the unexpected input\n{r}")


@case()
def a_timeout_ends_a_composite(w):
    composite(w, "act", """
        name: act
        runs:
          using: composite
          steps:
            - {shell: bash, run: 'echo in it; exec sleep 60'}
            - {shell: bash, run: echo never}
        """)
    flow = w.steps("- uses: actions/checkout@v4\n- {name: act, timeout-minutes: 2, uses: ./act}\n- {name: z, if: always(), run: echo z}")
    r = w.run(flow, env={"OSTLER_TEST_MINUTE_MS": "500"}, code=1, limit=30).says("in it", step="act").concluded(act="failure", z="success")
    check("timed out" in r.log("act"), f"nobody says that it timed out\n{r}")


@case()
def an_action_that_needs_the_network_is_refused_offline(w):
    r = w.run(w.steps("- {name: far, uses: acme/unheard-of@v1}"), "--offline")
    check(r.code in (1, 2, 4), f"exit code\n{r}")
    r.shows("acme/unheard-of@v1")


@case()
def errors_inside_have_the_rules_of_composites(w):
    """9.6: what a condition inside cannot decide ends the composite's steps; a broken env fails its step, which runs."""
    composite(w, "act", """
        name: act
        runs:
          using: composite
          steps:
            - {shell: bash, env: {A: here, B: "${{ fromJSON('x') }}"}, run: 'echo "runs with <$A>"'}
            - {shell: bash, if: failure(), run: echo sees the failure}
            - {shell: bash, if: "always() && fromJSON('x')", run: echo never this}
            - {shell: bash, if: always(), run: echo nor this}
        """)
    flow = w.steps("- uses: actions/checkout@v4\n- {name: act, uses: ./act}\n- {name: later, if: failure(), run: echo later}")
    r = w.run(flow, code=1).says("runs with <here>", "sees the failure", step="act").concluded(act="failure", later="success")
    r.never_says("never this", "nor this", step="act")


@case()
def time_that_is_up_is_told_inside_and_outside(w):
    composite(w, "act", "name: act\nruns: {using: composite, steps: [{shell: bash, run: exec sleep 100}]}\n")
    flow = w.steps("- uses: actions/checkout@v4\n- {name: act, timeout-minutes: 1, uses: ./act}")
    r = w.run(flow, env={"OSTLER_TEST_MINUTE_MS": "500"}, code=1)
    r.says("The action has timed out.", "The action 'act' has timed out after 1 minutes.", step="act")
    r.never_says("Process completed with exit code", step="act")
