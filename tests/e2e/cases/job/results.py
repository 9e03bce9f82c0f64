"""What becomes of steps (runtime contract 12.1, 12.2, 12.5), and what step debug shows of it (14.2)."""

import os
import signal
import subprocess

from case import case
from world import check

BROKEN = "${{ fromJSON('no JSON') }}"


@case()
def what_fails_before_a_step_runs_is_not_forgiven(w):
    """As on GitHub: continue-on-error is for what ran. Not so a time limit that makes no sense: there is none then."""
    flow = w.steps(f"""
        - {{name: condition, if: "{BROKEN}", continue-on-error: true, run: echo no}}
        - {{name: env, if: always(), continue-on-error: true, env: {{A: "{BROKEN}"}}, run: echo no}}
        - {{name: limit, if: always(), timeout-minutes: "{BROKEN}", run: echo yes}}
        - {{name: forgives, if: always(), continue-on-error: "{BROKEN}", run: exit 1}}
        """)
    r = w.run(flow, code=1).concluded(condition="failure", env="failure", limit="success", forgives="failure")
    r.says("An error occurred when attempting to determine the step timeout.", "yes", step="limit")
    r.says("an error occurred when attempting to determine whether to continue on error.", step="forgives")
    for name in ("condition", "env"):
        r.says("Error parsing fromJson", step=name).never_says("no\n", step=name)


@case()
def results_of_steps_are_merged_as_the_contract_says(w):
    flow = w.steps("""
        - {name: forgiven, id: f, continue-on-error: true, run: exit 1}
        - {name: skipped, id: s, if: false, run: exit 1}
        - name: look
          run: |
            echo "${{ steps.f.outcome }} ${{ steps.f.conclusion }} ${{ steps.s.outcome }} ${{ steps.s.conclusion }}"
            echo "later=<${{ steps.later.outcome }}> status=${{ job.status }}"
        - {name: later, id: later, run: 'true'}
        """)
    w.run(flow, code=0).says("failure success skipped skipped", "later=<> status=success", step="look")
    w.run(w.steps("- {name: a, if: false, run: exit 1}"), code=0)


@case()
def step_debug_shows_how_it_was_decided(w):
    flow = w.steps("""
        - {name: runs, if: "github.ref == 'refs/heads/main'", env: {A: "${{ github.job }}"}, run: 'echo "${{ env.A }} $A"'}
        - {name: stays, if: "env.WORD == 'x'", run: echo no}
        """, job="env: {WORD: secretword}")
    r = w.run(flow, "--debug", "--secret", "S=secretword", code=0)
    log = r.log("runs")
    for first, then in (("##[debug]Evaluating condition for step: 'runs'", "##[debug]Evaluating: (success() && (github.ref == 'refs/heads/main'))"),
                        ("##[debug]Expanded: (true && ('refs/heads/main' == 'refs/heads/main'))", "##[debug]Result: true"),
                        ("##[debug]Result: true", "##[debug]Starting: runs"), ("##[debug]Starting: runs", "job job"),
                        ("job job", "##[debug]Finishing: runs")):
        check(first in log and then in log.partition(first)[2], f"{then!r} does not follow {first!r} in\n{log}\n{r}")
    r.says("Expanded: (true && ('***' == 'x'))", "##[debug]Result: false", step="stays")
    r.never_says("Starting", step="stays").concluded(stays="skipped")
    check("secretword" not in r.out, f"the secret is in the open\n{r}")
    w.run(flow, code=0).never_says("##[debug]")


@case(quick=False)
def a_runner_that_is_told_to_end_says_so(w):
    """12.4: no further step, always() or not; the job has failed, not been cancelled."""
    running = w.start(w.steps("- {name: long, run: 'echo it runs; exec sleep 1000'}\n- {name: always, if: always(), run: echo no}"))
    running.wait_for("it runs\\n")
    found = subprocess.run(["pgrep", "--parent", str(running.process.pid)], capture_output=True, text=True, check=True)
    os.kill(int(found.stdout.split()[0]), signal.SIGTERM)
    r = running.finish(30)
    w.after(r, None)
    r.concluded(long="cancelled", always="skipped").equal("jobs", r.jobs(), {"job": "failure"})
    r.says("The runner has received a shutdown signal.", step="Complete job")


@case()
def the_job_s_first_and_last_words_are_the_contract_s(w):
    """14.3 and 14.5: in this order, and what a step left running is told by its name."""
    flow = w.steps("""
        - {name: leaves, id: it, run: 'sleep 1000 & echo word=yes >> $GITHUB_OUTPUT; echo secret=geheim >> $GITHUB_OUTPUT'}
        """, job="environment: {name: prod, url: 'https://x.test/${{ steps.it.outputs.word }}'}\n"
                 "outputs: {word: '${{ steps.it.outputs.word }}', none: '', secret: '${{ steps.it.outputs.secret }}'}")
    r = w.run(flow, "--secret", "S=geheim", code=0)
    for step, wanted in (("Set up job", ("Current runner version: '2.336.0'", "Runner name: 'ostler'", "Machine name: '",
                                         "Secret source: Actions", "Prepare workflow directory",
                                         "Prepare all required actions", "Complete job name: job")),
                         ("Complete job", ("Evaluate and set job outputs", "Set output 'word'", "Skip output 'secret' since",
                                           "Evaluate and set environment url", "Evaluated environment url: https://x.test/yes",
                                           "Cleaning up orphan processes"))):
        places = [r.log(step).find(text) for text in wanted]
        check(-1 not in places and places == sorted(places), f"{wanted} are not in this order\n{r.log(step)}\n{r}")
    r.equal("url", r.job("job")["environment_url"], "https://x.test/yes")
    if r.of("job.started")[0]["isolation"] == "sandbox":
        r.says("(sleep)", step="Complete job").says("Terminate orphan process: pid (", step="Complete job")


@case()
def an_environment_s_address_is_told_without_secrets(w):
    job = "environment: {name: prod, url: 'https://x.test/%s'}"
    r = w.run(w.steps("- {id: a, run: 'echo s=geheim >> $GITHUB_OUTPUT'}", job % "${{ steps.a.outputs.s }}"), "--secret", "S=geheim", code=0)
    r.says("Skip setting environment url as it may contain secret.", step="Complete job")
    check("environment_url" not in r.job("job"), f"it is told\n{r}")
    r = w.run(w.steps("- {id: a, run: 'true'}", job % "${{ fromJSON(steps.a.outputs.none) }}"), code=1)
    r.says("Failed to evaluate environment url", step="Complete job").concluded(Complete_job="failure")


@case()
def a_job_of_a_called_workflow_says_whose_it_is(w):
    w.workflow("""
        on: {workflow_call: {inputs: {who: {type: string, required: true}, times: {type: number, default: 3}}}}
        jobs: {inner: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}
        """, "called.yml")
    flow = w.workflow("on: push\njobs: {call: {uses: ./.github/workflows/called.yml, with: {who: Ada}}}\n")
    w.commit("a call")
    r = w.run(flow, code=0)
    r.says("Uses: acme/app/.github/workflows/called.yml@refs/heads/main (", "##[group] Inputs", "  who: Ada\n  times: 3\n",
           step="Set up job", job="call/inner")
