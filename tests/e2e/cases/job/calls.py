"""Reusable workflows: what goes in, what comes out, and what becomes of a run through them."""

import signal

from case import case
from world import check


def called(w, text, name="called.yml"):
    return w.workflow(text, name)


DEPLOY = """
    on:
      workflow_call:
        inputs:
          target: {type: string, required: true}
          dry: {type: boolean}
          count: {type: number, default: 3}
        secrets:
          key: {required: true}
          other:
        outputs:
          url: {value: "${{ jobs.up.outputs.url }}"}
    jobs:
      up:
        runs-on: ubuntu-latest
        outputs: {url: "${{ steps.u.outputs.url }}"}
        steps:
          - id: u
            name: up
            env: {KEY: "${{ secrets.key }}", OTHER: "${{ secrets.other }}"}
            run: |
              echo "to ${{ inputs.target }} dry=${{ inputs.dry && 'yes' || 'no' }} count=${{ inputs.count == 3 }}"
              echo "level <${LEVEL-}> key $KEY ${#KEY} other <$OTHER> of ${{ github.workflow }} on ${{ github.event_name }}"
              echo "url=http://${{ inputs.target }}" >> "$GITHUB_OUTPUT"
    """


@case()
def inputs_go_in_and_outputs_come_out(w):
    called(w, DEPLOY, "deploy.yml")
    flow = w.workflow("""
        name: The caller
        on: push
        env: {LEVEL: of the caller}
        jobs:
          one:
            runs-on: ubuntu-latest
            outputs: {v: "${{ steps.a.outputs.v }}"}
            steps: [{id: a, run: 'echo v=42 >> $GITHUB_OUTPUT'}]
          ship:
            needs: one
            name: Ship it
            uses: ./.github/workflows/deploy.yml
            with: {target: "v${{ needs.one.outputs.v }}", dry: true}
            secrets: {key: "${{ secrets.MASTER }}"}
          after:
            needs: ship
            runs-on: ubuntu-latest
            steps: [{name: after, run: 'echo "${{ needs.ship.result }} at ${{ needs.ship.outputs.url }}"'}]
        """)
    r = w.run(flow, "--secret", "MASTER=opensesame", "--secret", "OTHER=leftathome", code=0)
    r.says("to v42 dry=yes count=true", "level <> key *** 10 other <> of The caller on push", job="ship/up")
    r.says("success at http://v42", job="after")
    r.equal("names", [e["name"] for e in r.of("job.finished")], ["one", "Ship it / up", "after"])
    check("opensesame" not in w.recorded(), "the secret is in the run folder")


@case()
def secrets_are_inherited_and_masked(w):
    called(w, """
        on: workflow_call
        jobs:
          show:
            runs-on: ubuntu-latest
            steps: [{name: show, run: 'echo "${{ secrets.ONE }} <${{ secrets.two }}> <${{ secrets.NONE }}>"; echo ${{ secrets.ONE }} | base64'}]
        """)
    flow = w.workflow("""
        on: push
        jobs:
          all: {uses: ./.github/workflows/called.yml, secrets: inherit}
          none: {uses: ./.github/workflows/called.yml}
        """)
    r = w.run(flow, "--secret", "ONE=first-secret", "--secret", "TWO=second-secret", code=0)
    r.says("*** <***> <>", job="all/show").says(" <> <>", job="none/show")
    check("first-secret" not in w.recorded() and "second-secret" not in w.recorded(), "a secret is in the run folder")


@case()
def two_levels_down_the_job_knows_where_it_is_written(w):
    called(w, """
        on:
          workflow_call:
            inputs: {word: {type: string}}
            outputs: {word: {value: "${{ jobs.inner.outputs.word }}?"}}
        jobs:
          inner: {uses: ./.github/workflows/inner.yml, with: {word: "${{ inputs.word }}!"}}
        """, "outer.yml")
    called(w, """
        on:
          workflow_call:
            inputs: {word: {type: string}}
            outputs: {word: {value: "${{ jobs.say.outputs.word }}"}}
        jobs:
          say:
            runs-on: ubuntu-latest
            outputs: {word: "${{ inputs.word }}"}
            steps:
              - name: say
                run: |
                  echo "${{ job.workflow_file_path }} ${{ github.job }}"
                  echo "${{ github.workflow_ref }}"
        """, "inner.yml")
    flow = w.workflow("""
        on: push
        jobs:
          top: {uses: ./.github/workflows/outer.yml, with: {word: hi}}
          after: {needs: top, runs-on: ubuntu-latest, steps: [{run: 'echo "<${{ needs.top.outputs.word }}>"'}]}
        """)
    r = w.run(flow, code=0).says(".github/workflows/inner.yml say", "/.github/workflows/ci.yml@", job="top/inner/say")
    r.says("<hi!?>", job="after")


@case()
def a_matrix_runs_the_whole_file_each_time(w):
    called(w, """
        on: {workflow_call: {inputs: {os: {type: string}}, outputs: {os: {value: "${{ jobs.b.outputs.os }}"}}}}
        jobs:
          a: {runs-on: ubuntu-latest, steps: [{run: ':'}]}
          b:
            needs: a
            runs-on: ubuntu-latest
            strategy: {matrix: {n: [1, 2]}}
            outputs: {os: "${{ inputs.os }}"}
            steps: [{name: b, run: 'echo "${{ inputs.os }} ${{ matrix.n }} ${{ strategy.job-total }}"'}]
        """)
    flow = w.workflow("""
        on: push
        jobs:
          build:
            strategy: {matrix: {os: [deb, rpm]}}
            uses: ./.github/workflows/called.yml
            with: {os: "${{ matrix.os }}"}
        """)
    r = w.run(flow, code=0).says("rpm 2 2", job="build (rpm)/b (2)")
    r.equal("jobs", sorted(r.jobs()), sorted(f"build ({os})/{job}" for os in ("deb", "rpm") for job in ("a", "b (1)", "b (2)")))
    r = w.run(flow, "--matrix", "os=deb", "--matrix", "n=2", code=0)
    r.equal("chosen", sorted(r.jobs()), ["build (deb)/a", "build (deb)/b (2)"])


@case()
def a_failure_inside_is_the_failure_of_the_call(w):
    called(w, """
        on: {workflow_call: {outputs: {left: {value: "${{ jobs.bad.outputs.left }}"}}}}
        jobs:
          bad:
            runs-on: ubuntu-latest
            outputs: {left: "${{ steps.l.outputs.left }}"}
            steps: [{id: l, run: 'echo left=behind >> $GITHUB_OUTPUT'}, {run: exit 3}]
          next: {needs: bad, runs-on: ubuntu-latest, steps: [{run: ':'}]}
          clean: {needs: next, if: always(), runs-on: ubuntu-latest, steps: [{run: ':'}]}
        """)
    flow = w.workflow("""
        on: push
        jobs:
          call: {uses: ./.github/workflows/called.yml}
          skipped: {needs: call, uses: ./.github/workflows/called.yml}
          told: {needs: [call, skipped], if: failure(), runs-on: ubuntu-latest,
                 steps: [{name: told, run: 'echo "${{ needs.call.result }} ${{ needs.call.outputs.left }} ${{ needs.skipped.result }}"'}]}
        """)
    r = w.run(flow, code=1).says("failure behind skipped", job="told")
    r.equal("results", r.jobs(), {"call/bad": "failure", "call/next": "skipped", "call/clean": "success",
                                  "skipped": "skipped", "told": "success"})


@case(limit=90)
def ctrl_c_goes_through_a_call(w):
    called(w, """
        on: workflow_call
        jobs:
          slow: {runs-on: ubuntu-latest, steps: [{name: slow, run: 'echo begun; exec sleep 100'}, {name: tidy, if: always(), run: echo tidied}]}
          next: {needs: slow, runs-on: ubuntu-latest, steps: [{run: ':'}]}
          clean: {needs: slow, if: cancelled(), runs-on: ubuntu-latest, steps: [{name: clean, run: echo cleaned}]}
        """)
    flow = w.workflow("on: push\njobs:\n  call: {uses: ./.github/workflows/called.yml}\n")
    running = w.start(flow)
    running.wait_for("begun")
    running.send(signal.SIGINT)
    r = running.finish(limit=40).exits(3)
    r.says("tidied", job="call/slow").says("cleaned", job="call/clean")
    r.equal("results", r.jobs(), {"call/slow": "cancelled", "call/next": "cancelled", "call/clean": "success"})


@case()
def a_job_inside_can_be_chosen(w):
    called(w, """
        on: workflow_call
        jobs:
          a: {runs-on: ubuntu-latest, steps: [{run: ':'}]}
          b: {runs-on: ubuntu-latest, needs: a, steps: [{run: ':'}]}
          c: {runs-on: ubuntu-latest, steps: [{run: ':'}]}
        """)
    flow = w.workflow("""
        on: push
        jobs:
          before: {runs-on: ubuntu-latest, steps: [{run: ':'}]}
          call: {needs: before, uses: ./.github/workflows/called.yml}
          other: {runs-on: ubuntu-latest, steps: [{run: ':'}]}
        """)
    r = w.run(flow, "--job", "call / b", code=0)
    r.equal("chosen", sorted(r.jobs()), ["before", "call/a", "call/b"])
    r = w.run(flow, "--job", "call", code=0)
    r.equal("whole", sorted(r.jobs()), ["before", "call/a", "call/b", "call/c"])
    w.run(flow, "--job", "call/x").complains(r"no job 'call/x'", r"call / b")


@case()
def another_repository_is_read_from_a_clone_at_the_ref(w):
    other = w.root / "lib"
    w.write(".github/workflows/greet.yml", """
        on: {workflow_call: {inputs: {who: {type: string}}}}
        jobs:
          greet: {uses: ./.github/workflows/say.yml, with: {who: "${{ inputs.who }}"}}
        """, below=other)
    w.write(".github/workflows/say.yml", """
        on: {workflow_call: {inputs: {who: {type: string}}}}
        jobs:
          say: {runs-on: ubuntu-latest, steps: [{run: 'echo "hello ${{ inputs.who }} from ${{ job.workflow_repository }} ${{ job.workflow_sha }}"'}]}
        """, below=other)
    w.git("init", "-q", "-b", "main", cwd=other)
    w.git("config", "user.name", "Lib", cwd=other)
    w.git("config", "user.email", "lib@example.com", cwd=other)
    w.git("add", ".", cwd=other)
    w.git("commit", "-q", "-m", "one", cwd=other)
    w.git("tag", "v1", cwd=other)
    sha = w.git("rev-parse", "HEAD", cwd=other).strip()
    (other / ".github/workflows/greet.yml").write_text("not a workflow\n")  # neither in the tag
    w.git("commit", "-q", "-a", "-m", "two", cwd=other)
    flow = w.workflow("""
        on: push
        jobs:
          call: {uses: acme/lib/.github/workflows/greet.yml@v1, with: {who: Ann}}
        """)
    w.run(flow, "--offline").complains(r"ci\.yml:4:16: error: 'acme/lib@\S+ it is not in the action store", "--local-repository acme/lib=FOLDER")
    r = w.run(flow, "--local-repository", f"acme/lib={other}", code=0)
    r.says(f"hello Ann from acme/lib {sha}", job="call/greet/say")
    flow = w.workflow("on: push\njobs:\n  call: {uses: acme/lib/.github/workflows/greet.yml@v9}\n")
    w.run(flow, "--local-repository", f"acme/lib={other}").complains(r"ci\.yml:3:16: error: .* has no branch, tag or commit 'v9'")
    flow = w.workflow("on: push\njobs:\n  call: {uses: acme/lib/.github/workflows/gone.yml@v1}\n")
    w.run(flow, "--local-repository", f"acme/lib={other}").complains(r"there is no '\.github/workflows/gone\.yml' at 'v1'")


@case()
def a_wrong_call_is_refused_before_anything_starts(w):
    called(w, DEPLOY, "deploy.yml")
    called(w, "on: push\njobs:\n  a: {runs-on: ubuntu-latest, steps: [{run: ':'}]}\n", "plain.yml")
    called(w, "on: workflow_call\njobs:\n  a: {runs-on: ubuntu-latest, stepz: []}\n", "broken.yml")
    called(w, "on: workflow_call\njobs:\n  a: {uses: ./.github/workflows/circle.yml}\n", "circle.yml")
    called(w, "on: workflow_call\npermissions: {contents: write}\njobs:\n  a: {runs-on: ubuntu-latest, steps: []}\n", "greedy.yml")
    flow = w.workflow("""
        on: push
        jobs:
          missing: {uses: ./.github/workflows/deploy.yml}
          unknown: {uses: ./.github/workflows/deploy.yml, secrets: inherit, with: {target: x, tragte: y}}
          type: {uses: ./.github/workflows/deploy.yml, secrets: inherit, with: {target: x, dry: 'true'}}
          plain: {uses: ./.github/workflows/plain.yml}
          broken: {uses: ./.github/workflows/broken.yml}
          gone: {uses: ./.github/workflows/gone.yml}
          circle: {uses: ./.github/workflows/circle.yml}
          greedy: {permissions: {contents: read}, uses: ./.github/workflows/greedy.yml}
        """)
    r = w.run(flow).complains(
        r"ci\.yml:4:19: error: Input target is required, but not provided while calling\.",
        r"ci\.yml:4:19: error: Secret key is required, but not provided while calling\.",
        r"ci\.yml:5:\d+: error: Invalid input, tragte is not defined in the referenced workflow\.\n  did you mean 'target'\?",
        r"ci\.yml:6:\d+: error: Unexpected value 'true'\n  input 'dry' is a boolean",
        r":1:5: error: workflow_call key is not defined in the referenced workflow\.\n  add 'workflow_call:' to it\n"
        r"  called by \.github/workflows/ci\.yml:7:17",
        r"broken\.yml:3:31: error: Unexpected value 'stepz'\n  did you mean 'steps'\?\n  called by \.github/workflows/ci\.yml:8:18",
        r"ci\.yml:9:16: error: cannot read the called workflow: .*gone\.yml",
        r"circle\.yml:3:13: error: Nested reusable workflow depth exceeded 9\.\n  a workflow may not call itself: "
        r"\.github/workflows/circle\.yml calls \.github/workflows/circle\.yml",
        r"ci\.yml:11:3: error: Error calling workflow '\./\.github/workflows/greedy\.yml'\. The workflow is requesting "
        r"'contents: write', but is only allowed 'contents: read'\.")
    check(not r.events, "something was started")


@case()
def a_called_file_lies_in_the_tree(w):
    (w.root / "outside.yml").write_text("on: workflow_call\njobs:\n  a: {runs-on: ubuntu-latest, steps: []}\n")
    flow = w.workflow("on: push\njobs:\n  call: {uses: ./.github/workflows/link.yml}\n")
    (w.repo / ".github/workflows/link.yml").symlink_to(w.root / "outside.yml")
    w.run(flow).complains(r"ci\.yml:3:16: error: cannot read the called workflow")


@case()
def what_is_wrong_in_a_called_file_is_told_once(w):
    called(w, "on: workflow_call\njobs:\n  a: {runs-on: ubuntu-latest, stepz: []}\n", "broken.yml")
    flow = w.workflow("on: push\njobs:\n  a: {uses: ./.github/workflows/broken.yml}\n"
                      "  b: {uses: ./.github/workflows/broken.yml}\n")
    r = w.run(flow).complains(r"  called by \.github/workflows/ci\.yml:3:13\n  called by \.github/workflows/ci\.yml:4:13\n")
    r.equal("times", r.err.count("stepz"), 1)
