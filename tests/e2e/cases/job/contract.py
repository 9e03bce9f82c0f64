"""What implementers usually get wrong: rows of the runtime contract's section 16 that no other case names.

The rest are named where they belong: `grep -rn "[Rr]ows\\? [0-9]" tests`. A check of the house counts them."""

import hashlib
import signal

import githttp
from case import case


@case(quick=False, limit=90)
def what_a_cancelled_step_s_condition_says_is_asked_again(w):
    """Row 3 of the contract's list: always() and cancelled() steps keep running; failure() is false after a cancel."""
    flow = w.steps("""
        - {name: fails, continue-on-error: true, run: exit 1}
        - {name: runs on, if: always(), run: 'echo it runs; sleep 3; echo to its end'}
        - {name: plain, run: echo no}
        - {name: failure, if: failure(), run: echo no}
        - {name: idiom, if: '!cancelled()', run: echo no}
        - {name: cancelled, if: cancelled(), run: 'echo "status=${{ job.status }}"'}
        - {name: long, if: 'success() || failure()', run: echo no}
        """)
    r = w.start(flow).wait_for("it runs\\n").send(signal.SIGINT).finish(40)
    w.after(r, None)
    r.says("to its end", step="runs on").says("status=cancelled", step="cancelled")
    r.concluded(runs_on="success", plain="skipped", failure="skipped", idiom="skipped", cancelled="success", long="skipped")
    r.equal("jobs", r.jobs(), {"job": "cancelled"})


@case()
def what_stands_before_a_malformed_line_counts(w):
    """Row 6 of the contract's list: and CR is kept, a summary that is too large does not fail its step."""
    flow = w.steps(r"""
        - {name: bad, id: bad, continue-on-error: true,
           run: "printf 'first=1\\nno separator\\nlast=2\\n' >> $GITHUB_OUTPUT; printf 'A=1\\n=2\\nB=3\\n' >> $GITHUB_ENV"}
        - name: cr
          id: cr
          run: |
            printf 'one=x\r\nmore<<EOF\r\ny\r\nEOF\r\n' >> $GITHUB_OUTPUT
            printf 'ENDED=z\r\n' >> $GITHUB_ENV
        - {name: big, run: "head -c 1048577 /dev/zero | tr '\\0' x >> $GITHUB_STEP_SUMMARY"}
        - name: look
          env: {ONE: '${{ steps.cr.outputs.one }}', MORE: '${{ steps.cr.outputs.more }}'}
          run: |
            echo "first=${{ steps.bad.outputs.first }} last=<${{ steps.bad.outputs.last }}> A=$A B=<$B>"
            printf '%s|%s|%s' "$ONE" "$MORE" "$ENDED" | od -An -c | tr -d ' \n'
        """)
    r = w.run(flow, code=0)
    r.equal("outcome", r.step("bad")["outcome"], "failure").concluded(big="success", cr="success")
    r.says("first=1 last=<> A=1 B=<>", r"x\r|y\r|z\r", step="look")
    r.equal("summaries", r.of("summary"), [])


@case()
def commands_are_found_as_the_runner_finds_them(w):
    """Row 7 of the contract's list: `##[cmd]` anywhere in a line, keys as they are, failing at exit code 0."""
    flow = w.steps(r"""
        - name: anywhere
          run: |
            echo 'text before ##[warning]form one'
            echo 'text before ::warning::no command'
            echo '   ::notice::blanks before'
        - name: keys
          run: |
            echo '::error file=a.c, line=3::message'
            echo '::ERROR FILE=b.c,LINE=4::message'
        - {name: fails, run: 'echo "::set-output::without a name"; echo goes on; exit 0'}
        """)
    r = w.run(flow, code=1)
    r.says("##[warning]form one", "text before ::warning::no command", "##[notice]blanks before", step="anywhere")
    r.never_says("text before ##", step="anywhere")
    errors = r.of("annotation", step=r.step("keys")["step"])
    r.equal("places", [(a.get("file"), a.get("line")) for a in errors], [("a.c", None), ("b.c", 4)])
    r.says("goes on", step="fails").concluded(fails="failure").equal("exit code", r.step("fails")["exit_code"], 0)


@case()
def stages_around_an_action_have_rules_of_their_own(w):
    """Row 8 of the contract's list: `if` does not gate pre; with a pre stage, post runs though main was skipped;
    continue-on-error and the time limit count for both."""
    node = w.root / "bin"
    w.write("node", '#!/bin/sh\n[ "$1" = --version ] && { echo v20.1.0; exit; }\nexec sh -e "$1"\n', mode=0o755, below=node)
    server = githttp.Server(w)
    manifest = "name: A\nruns: {using: node20, pre: pre, main: main, post: post}\n"
    server.repo("acme/plain", {"action.yml": manifest, "pre": "echo pre", "main": "echo main", "post": "echo post"}, "v1")
    server.repo("acme/bad", {"action.yml": manifest, "pre": "exit 3", "main": "echo main", "post": "exit 4"}, "v1")
    server.repo("acme/slow", {"action.yml": manifest, "pre": "exec sleep 100", "main": "echo main", "post": "exec sleep 100"}, "v1")
    path = {"PATH": f"{node}:{w.env['PATH']}", "OSTLER_TEST_MINUTE_MS": "1000"}

    r = w.run(w.steps("- {name: it, if: false, uses: acme/plain@v1}"), env=path, code=0)
    r.equal("steps", [(s["name"], s["conclusion"]) for s in r.steps()][1:-1],
            [("Pre it", "success"), ("it", "skipped"), ("Post it", "success")])

    r = w.run(w.steps("- {name: it, uses: acme/bad@v1}\n- {name: later, run: echo no}"), env=path, code=1)
    r.concluded(Pre_it="failure", it="skipped", later="skipped", Post_it="failure")

    r = w.run(w.steps("- {name: it, continue-on-error: true, uses: acme/bad@v1}\n- {name: later, run: echo yes}"),
              env=path, code=0)
    r.concluded(Pre_it="success", it="success", later="success", Post_it="success")
    r.equal("outcomes", [r.step(f"{p} it")["outcome"] for p in ("Pre", "Post")], ["failure", "failure"])

    r = w.run(w.steps("- {name: it, timeout-minutes: 1, continue-on-error: true, uses: acme/slow@v1}"), env=path, code=0)
    for stage in ("Pre it", "Post it"):
        r.says("has timed out after 1 minutes", step=stage)


@case()
def a_composite_s_steps_see_its_ref_in_their_env_alone(w):
    """Row 9 of the contract's list; what success() and failure() ask is in actions.py."""
    server = githttp.Server(w)
    server.repo("acme/inner", {"action.yml": """
        name: Inner
        inputs: {word: {default: none}}
        runs:
          using: composite
          steps:
            - shell: bash
              env: {REF: "${{ github.action_ref }}", REPOSITORY: "${{ github.action_repository }}"}
              run: |
                echo "env=$REPOSITORY@$REF script=<${{ github.action_ref }}> variable=<${GITHUB_ACTION_REF-}>"
        """}, "v7")
    w.run(w.steps("- {name: act, uses: acme/inner@v7}"), code=0).says(
        "env=acme/inner@v7 script=<> variable=<>", step="act")


@case()
def what_was_said_before_a_mask_stays(w):
    """Row 12 of the contract's list: no minimum length, nothing rewritten, outputs as they are."""
    flow = w.steps("""
        - name: a
          id: a
          run: |
            echo before: zebra; echo '::add-mask::zebra'; echo after: zebra
            echo '::add-mask::Q'; echo 'xQx'; echo 'word=zebra' >> $GITHUB_OUTPUT
        - {name: b, run: "test '${{ steps.a.outputs.word }}' = ze''bra && echo as it is"}
        """)
    r = w.run(flow, code=0)
    r.says("before: zebra\n", "after: ***", "x***x", step="a").says("as it is", step="b")


@case()
def hashes_of_files_go_in_the_order_of_bytes(w):
    """Row 15 of the contract's list, the part about hashFiles: the order of names, whatever the locale says."""
    names = ["a/z", "a-b", "B", "a", "Z.txt", "_", "é", "aa", "10", "9"]
    names = [n for n in names if n != "a"]  # a folder of that name is there
    for n in names:
        w.write(f"in/{n}", f"content of {n}\n")
    w.commit("files")

    def walk(prefix):
        """Depth first, the entries of a folder in the order of their bytes."""
        here = {n[len(prefix):].split("/")[0].encode() for n in names if n.startswith(prefix)}
        for entry in sorted(here):
            name = prefix + entry.decode()
            yield from [name] if name in names else walk(f"{name}/")

    total = hashlib.sha256()
    for n in walk(""):
        total.update(hashlib.sha256(f"content of {n}\n".encode()).digest())
    r = w.run(w.steps("- uses: actions/checkout@v4\n- {name: hash, run: \"echo ${{ hashFiles('in/**') }}\"}"),
              env={"LANG": "en_US.UTF-8"}, code=0)
    r.says(total.hexdigest(), step="hash")
