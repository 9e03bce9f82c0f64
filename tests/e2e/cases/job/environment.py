"""What a step finds in its environment, and who wins (runtime contract 2)."""

from case import case


@case()
def env_of_workflow_job_and_step_come_in_this_order(w):
    flow = w.steps("""
        - name: look
          env: {C: step, D: "${{ env.A }}-${{ env.B }}"}
          run: echo "$A $B $C $D"
        - {name: written, run: 'echo "A=file" >> "$GITHUB_ENV"; echo "same step: $A"'}
        - {name: later, run: 'echo "later: $A $C"', env: {E: "${{ env.A }}"}}
        - {name: wins, env: {A: step}, run: 'echo "step wins: $A"'}
        """, top="env: {A: workflow, B: workflow, C: workflow}", job="env: {B: job, C: job}")
    r = w.run(flow, code=0).says("workflow job step workflow-job", step="look").says("same step: workflow", step="written")
    r.says("later: file job", step="later").says("step wins: step", step="wins")


@case()
def the_command_line_sets_env_vars_and_inputs(w):
    flow = w.workflow("""
        on:
          workflow_dispatch:
            inputs:
              level: {type: choice, options: [low, high], default: low}
              loud: {type: boolean, default: false}
        jobs:
          job:
            runs-on: ubuntu-latest
            steps:
              - {name: a, run: 'echo "$FROM ${{ vars.REGION }} ${{ inputs.level }} ${{ inputs.loud && ''loud'' || ''still'' }}"'}
        """)
    args = ["--event", "workflow_dispatch", "--env", "FROM=line", "--var", "REGION=eu"]
    w.run(flow, *args, "--input", "level=high", "--input", "loud=true", code=0).says("line eu high loud", step="a")
    w.run(flow, *args, code=0).says("line eu low still", step="a")
    w.run(flow, *args, "--input", "level=middling").complains("level", "low|choice|option")
    w.run(flow, *args, "--input", "volume=11").complains("volume")


@case()
def reserved_names_are_replaced_and_ci_is_left_alone(w):
    """Row 4 of the contract's list; and row 5: scripts get no token."""
    flow = w.steps("""
        - {name: own, env: {GITHUB_JOB: mine, RUNNER_OS: mine, CI: "false", GITHUB_ACTIONS: "false"},
           run: 'echo "$GITHUB_JOB $RUNNER_OS $CI $GITHUB_ACTIONS"'}
        - {name: default, run: 'echo "CI is $CI"'}
        - {name: token, run: 'echo "token <${GITHUB_TOKEN-}> runtime <${ACTIONS_RUNTIME_TOKEN-}>"'}
        """)
    r = w.run(flow, "--secret", "GITHUB_TOKEN=tok-123456", code=0).says("job Linux false true", step="own")
    r.says("CI is true", step="default").says("token <> runtime <>", step="token")


@case()
def node_options_may_not_be_set_by_file(w):
    """Row 4 of the contract's list, its other half."""
    flow = w.steps("""
        - {name: writes, run: "echo NODE_OPTIONS=--x >> $GITHUB_ENV\\necho OTHER=y >> $GITHUB_ENV"}
        - {name: reads, run: 'echo "<${NODE_OPTIONS-}> $OTHER"'}
        - {name: direct, env: {NODE_OPTIONS: --ok}, run: 'echo "<$NODE_OPTIONS>"'}
        """)
    r = w.run(flow, code=0).says("<> y", step="reads").says("<--ok>", step="direct").concluded(writes="success")
    r.equal("an error annotation", len(r.of("annotation", level="error")), 1)


@case()
def github_context_and_variables_agree(w):
    sha = w.git("rev-parse", "HEAD")
    names = ["SHA", "REF", "REF_NAME", "REF_TYPE", "REPOSITORY", "REPOSITORY_OWNER", "EVENT_NAME", "JOB", "WORKFLOW",
             "RUN_ATTEMPT", "SERVER_URL", "WORKSPACE", "ACTOR"]
    tests = "; ".join(f'test "$GITHUB_{n}" = "${{{{ github.{n.lower()} }}}}" || echo "differs: {n}"' for n in names)
    flow = w.workflow(f"""
        name: The Name
        on: push
        jobs:
          job:
            runs-on: ubuntu-latest
            steps:
            - name: a
              shell: bash {{0}}
              run: |
                {tests}
                echo "$GITHUB_SHA $GITHUB_REF $GITHUB_REPOSITORY $GITHUB_EVENT_NAME $GITHUB_WORKFLOW"
                python3 -c 'import json,os; e=json.load(open(os.environ["GITHUB_EVENT_PATH"])); print("event", e["ref"])'
                test -d "$RUNNER_TEMP" && test -d "$GITHUB_WORKSPACE" && echo "$RUNNER_ARCH/$RUNNER_OS"
                case $GITHUB_WORKSPACE in */app/app) echo the usual folders ;; esac
        """)
    r = w.run(flow, code=0).never_says("differs:")
    r.says(f"{sha} refs/heads/main acme/app push The Name", "event refs/heads/main", "/Linux", "the usual folders")


@case()
def the_users_own_environment_stays_outside(w):
    """A local run takes along what tools need, not what happens to be in the shell that started it."""
    r = w.run(w.steps("- {name: a, run: 'env; echo end'}"), env={"AWS_SECRET_ACCESS_KEY": "sk-outside-42"}, code=0)
    r.says("end", step="a").never_says("sk-outside-42")


@case()
def home_and_temp_are_private_and_path_works(w):
    flow = w.steps("""
        - name: a
          run: |
            echo "precious: $(cat ~/precious 2>/dev/null || echo out of sight)"
            touch ~/mine "$RUNNER_TEMP/mine" /tmp/mine && echo may write
            test "$(mktemp -d | cut -c1-5)" = /tmp/ || mktemp -d >/dev/null && echo temp works
        - {name: later, run: 'ls ~/mine "$RUNNER_TEMP/mine" && echo kept between steps'}
        """)
    r = w.run(flow, code=0).says("precious: out of sight", "may write", "temp works", step="a")
    r.says("kept between steps", step="later")


@case()
def the_event_s_file_is_as_it_was_for_every_step(w):
    """2.2: it is written again before each step, whatever the one before did to it."""
    flow = w.steps("""
        - {name: one, run: 'sha256sum < $GITHUB_EVENT_PATH; echo "{}" > $GITHUB_EVENT_PATH'}
        - {name: two, run: 'sha256sum < $GITHUB_EVENT_PATH; rm -r $(dirname $GITHUB_EVENT_PATH)'}
        - {name: three, run: 'sha256sum < $GITHUB_EVENT_PATH; cp $GITHUB_EVENT_PATH x; mv x $GITHUB_EVENT_PATH'}
        - {name: four, run: 'sha256sum < $GITHUB_EVENT_PATH'}
        """)
    for level in ("sandbox", "host"):
        r = w.run(flow, "--isolation", level, code=0)
        sums = {r.log(name).split("##[endgroup]")[-1].strip() for name in ("one", "two", "three", "four")}
        r.equal("different contents", len(sums), 1)


@case()
def scripts_can_tell_that_no_action_runs_them(w):
    """2.1 and 2.2: names that are there with nothing in them, and a mark of the job that a step may take away."""
    flow = w.steps("""
        - {name: look, run: 'echo "<$GITHUB_ACTION_REF> <$GITHUB_ACTION_REPOSITORY> $RUNNER_TRACKING_ID"; set -u; : "$GITHUB_ACTION_REF"'}
        - {name: same, run: 'echo "$RUNNER_TRACKING_ID"'}
        - {name: none, env: {RUNNER_TRACKING_ID: ""}, run: 'echo "<$RUNNER_TRACKING_ID>"'}
        """)
    r = w.run(flow, code=0).says("<> <> github_", step="look").says("<>", step="none")
    mark = r.log("look").partition("<> <> ")[2].split()[0]
    r.says(mark, step="same").equal("its length", len(mark), len("github_") + 36)
