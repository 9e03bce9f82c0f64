"""File commands: GITHUB_ENV, PATH, OUTPUT, STATE, STEP_SUMMARY (runtime contract 6)."""

from case import case


@case()
def outputs_in_both_forms_reach_later_steps(w):
    flow = w.steps(r"""
        - id: set
          run: |
            echo "plain=a=b<<c" >> "$GITHUB_OUTPUT"
            { echo "multi<<EOF"; echo one; echo two; echo EOF; } >> "$GITHUB_OUTPUT"
            { echo "empty<<X"; echo X; } >> "$GITHUB_OUTPUT"
            echo "twice=1" >> "$GITHUB_OUTPUT"; echo "twice=2" >> "$GITHUB_OUTPUT"
            printf 'cr=x\r\n' >> "$GITHUB_OUTPUT"
        - name: get
          env: {O: "${{ toJSON(steps.set.outputs) }}"}
          run: python3 -c 'import json,os; print(sorted(json.loads(os.environ["O"]).items()))'
        """)
    w.run(flow, code=0).says(r"[('cr', 'x\r'), ('empty', ''), ('multi', 'one\ntwo'), ('plain', 'a=b<<c'), ('twice', '2')]",
                             step="get")


@case()
def path_entries_come_newest_first(w):
    flow = w.steps(r"""
        - run: |
            for d in old new; do mkdir -p "$RUNNER_TEMP/$d"; printf '#!/bin/sh\necho from %s\n' $d > "$RUNNER_TEMP/$d/tool"
            chmod +x "$RUNNER_TEMP/$d/tool"; echo "$RUNNER_TEMP/$d" >> "$GITHUB_PATH"; done
            ! command -v tool && echo not yet
        - {name: uses, run: 'tool'}
        """)
    w.run(flow, code=0).says("not yet").says("from new", step="uses")


@case()
def a_bad_line_fails_the_step_but_what_stood_before_counts(w):
    flow = w.steps(r"""
        - {name: bad, id: bad, run: "printf 'good=1\nnonsense\nlate=2\n' >> $GITHUB_OUTPUT\necho X=y >> $GITHUB_ENV"}
        - {name: look, if: always(), run: 'echo "good <${{ steps.bad.outputs.good }}> late <${{ steps.bad.outputs.late }}> X=$X"'}
        """)
    r = w.run(flow, code=1).concluded(bad="failure").says("good <1> late <> X=y", step="look")
    r.says("nonsense", step="bad")


@case()
def a_delimiter_that_never_comes_is_an_error(w):
    flow = w.steps(r"""- {name: bad, run: "printf 'a<<END\nline\n' >> $GITHUB_OUTPUT"}""")
    w.run(flow, code=1).says("END", step="bad").concluded(bad="failure")


@case()
def summaries_arrive_masked(w):
    flow = w.steps(r"""
        - {name: a, run: 'printf "# Result\n\nkey: hunter2hunter2\n" >> "$GITHUB_STEP_SUMMARY"'}
        - {name: b, run: 'head -c 1048577 /dev/zero | tr "\0" x >> "$GITHUB_STEP_SUMMARY"'}
        """)
    r = w.run(flow, "--secret", "KEY=hunter2hunter2", code=0).concluded(b="success")
    found = r.of("summary", step=r.step("a")["step"])
    r.equal("summaries of a", [s["markdown"] for s in found], ["# Result\n\nkey: ***\n"])
    r.equal("summaries of b", r.of("summary", step=r.step("b")["step"]), [])
    r.equal("errors of b", len(r.of("annotation", step=r.step("b")["step"], level="error")), 1)


@case()
def odd_command_files_do_no_harm(w):
    """A FIFO, a folder, a link to a file outside: none is followed, none hangs."""
    flow = w.steps("""
        - {name: gone, run: 'rm -f "$GITHUB_OUTPUT" "$GITHUB_ENV"'}
        - {name: fifo, continue-on-error: true, timeout-minutes: 1, run: 'rm "$GITHUB_ENV"; mkfifo "$GITHUB_ENV"'}
        - {name: link, continue-on-error: true, run: 'rm "$GITHUB_STEP_SUMMARY"; ln -s /etc/hostname "$GITHUB_STEP_SUMMARY"'}
        - {name: last, run: echo still here}
        """)
    w.run(flow, code=0, limit=30).concluded(gone="success").says("still here", step="last")


@case()
def nul_bytes_and_huge_values_survive(w):
    flow = w.steps(r"""
        - id: a
          run: |
            printf 'nul<<E\na\0b\nE\n' >> "$GITHUB_OUTPUT"
            { echo 'big<<E'; head -c 300000 /dev/zero | tr '\0' y; echo; echo E; } >> "$GITHUB_OUTPUT"
        - {name: b, run: 'echo "len ${#BIG}"', env: {BIG: "${{ fromJSON('[\"x\"]')[0] }}"}}
        - {name: c, if: "${{ steps.a.outputs.big != '' }}", run: echo it is there}
        """)
    w.run(flow, code=0).says("it is there", step="c")
