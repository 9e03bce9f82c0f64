"""A secret reaches neither terminal nor events nor run folder, whole or in disguise."""

import base64
import json
import urllib.parse

from case import case
from world import check

SECRET = "S3cret/p+ss&w'rd \"äß\""
ENCODED = {
    "whole": SECRET,
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64, one on": base64.b64encode(SECRET.encode()[1:]).decode(),
    "base64, two on": base64.b64encode(SECRET.encode()[2:]).decode(),
    "URL": urllib.parse.quote(SECRET, safe="-._~"),
    "JSON": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "expression": SECRET.replace("'", "''"),
    "XML": SECRET.replace("&", "&amp;").replace("'", "&apos;").replace('"', "&quot;"),
}


def nowhere(w, r, needles, where=""):
    """None of NEEDLES on the terminal, in the events or in the run folder."""
    places = {"the terminal": r.out + r.err, "the run folder": w.recorded(),
              "the events": json.dumps(r.events, ensure_ascii=False),
              "a name in the state folder": "\n".join(str(p) for p in w.state.rglob("*"))}
    for what, needle in needles.items():
        for place, text in places.items():
            check(needle not in text, f"{what} ({needle!r}) is in {place}{where}\n{r}")


def both_ways(w, needles, *args, code=0, env=None):
    for mode in (w.run, w.plain):
        r = mode(*args, env=env)
        nowhere(w, r, needles)
        r.exits(code)
        check("***" in r.out + r.err + w.recorded(), f"nothing was masked at all\n{r}")
    return r


@case()
def every_encoding_is_masked(w):
    steps = "".join(f"""
        - name: {name}
          env: {{WAY: "${{{{ vars.WAY{i} }}}}", S: "${{{{ secrets.S }}}}"}}
          run: |
            printf '%s\\n' "before $WAY after" "twice $WAY$WAY"
            printf 'nonewline %s' "$WAY"
            printf '%s\\n' "$WAY" >&2
        """ for i, name in enumerate(ENCODED))
    flow = w.steps(steps)
    args = [a for i, value in enumerate(ENCODED.values()) for a in ("--var", f"WAY{i}={value}")]
    both_ways(w, ENCODED, flow, *args, "--secret", "S", env={"S": SECRET})


@case()
def a_secret_split_over_writes_is_masked(w):
    flow = w.steps("""
        - name: split
          shell: python
          env: {S: "${{ secrets.S }}"}
          run: |
            import os, sys, time
            s = os.environ["S"]
            for cut in range(1, len(s)):
                os.write(1, b"x " + s[:cut].encode()); time.sleep(0.02); os.write(1, s[cut:].encode() + b"\\n")
            for c in s:
                os.write(1, c.encode()); time.sleep(0.01)
            os.write(1, b"\\n" + b"y" * 65530 + s.encode() + b"\\n")
        """)
    secret = "hunter2-hunter2"
    both_ways(w, {"whole": secret, "half": "hunter2-h"}, flow, "--secret", f"S={secret}")


@case()
def lines_of_a_secret_are_masked_each(w):
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----"
    flow = w.steps("""
        - {name: a, env: {K: "${{ secrets.K }}"}, run: 'echo "$K"; echo "$K" | sed -n 2p; echo "$K" | tr -d "\\n"'}
        """)
    both_ways(w, {"line 2": "MIIEvQIBADANBg", "line 3": "kqhkiG9w0BAQEF"}, flow, "--secret", "K", env={"K": key})


@case()
def every_other_way_out_is_masked(w):
    """Step names, annotations, summaries, groups, environment headers, outputs of jobs, names of jobs."""
    flow = w.workflow("""
        on: push
        jobs:
          job:
            runs-on: ubuntu-latest
            outputs: {leak: "${{ steps.a.outputs.leak }}", fine: ok}
            steps:
              - id: a
                name: uses ${{ secrets.S }} here
                env: {SHOWN: "prefix ${{ secrets.S }}"}
                run: |
                  echo "leak=$SHOWN" >> "$GITHUB_OUTPUT"
                  echo "::warning file=$SHOWN,title=$SHOWN::$SHOWN"
                  echo "::group::$SHOWN"
                  echo "$SHOWN" >> "$GITHUB_STEP_SUMMARY"
                  echo "::error::${SHOWN}%0A$SHOWN"
              - {name: literal, run: 'echo ${{ secrets.S }}'}
          next:
            needs: job
            runs-on: ubuntu-latest
            steps:
              - {name: b, run: 'echo "<${{ needs.job.outputs.leak }}> <${{ needs.job.outputs.fine }}>"'}
        """)
    both_ways(w, {"whole": "hunter2-hunter2"}, flow, "--secret", "S=hunter2-hunter2")
    r = w.run(flow, "--secret", "S=hunter2-hunter2", code=0).says("<> <ok>", step="b")
    r.says("may contain secret", job="job")


@case()
def masks_of_a_step_hold_for_what_follows(w):
    flow = w.steps("""
        - {name: a, run: 'token=$(printf made-%s-up 4711); echo "::add-mask::$token"; echo "T=$token" >> "$GITHUB_ENV"; echo "$token"'}
        - {name: b, run: 'echo "$T"; echo "$T" | base64'}
        - {name: c, run: "exit 3"}
        """)
    both_ways(w, {"whole": "made-4711-up", "base64": base64.b64encode(b"made-4711-up\n").decode()[:14]}, flow, code=1)


@case()
def secrets_come_from_files_too(w):
    w.write("secrets.env", "A=alpha-secret-1\nB='beta secret 2'\n# a comment\nC=\"gamma\\nsecret\"\n", mode=0o600, below=w.root)
    flow = w.steps("""
        - name: a
          env: {A: "${{ secrets.A }}", B: "${{ secrets.B }}"}
          run: |
            test "$A" = alpha-""secret-1 && test "$B" = "beta"" secret 2" && echo both are right
            echo "$A $B"
        """)
    r = both_ways(w, {"A": "alpha-secret-1", "B": "beta secret 2"}, flow, "--secret-file", w.root / "secrets.env")
    w.run(flow, "--secret-file", w.root / "secrets.env", code=0).says("both are right", step="a")
    check("warning" not in r.err.lower(), f"a private file is no reason to warn\n{r}")


@case()
def a_secret_from_the_environment_stays_out_of_argv(w):
    """--secret NAME takes the value from our environment; no process may show it in its arguments."""
    flow = w.steps("""
        - name: a
          env: {S: "${{ secrets.S }}"}
          run: |
            test -n "$S" && echo it is set
            for p in /proc/[0-9]*/cmdline; do
              while IFS= read -r -d '' word; do case $word in *"$S"*) echo "in $p" ;; esac; done <"$p"
            done 2>/dev/null
            echo looked
        """)
    w.run(flow, "--secret", "S", env={"S": "hunter2-hunter2"}, code=0).says("it is set", "looked", step="a").never_says("in /proc")
    w.run(flow, "--secret", "S").complains("'?S'?")


@case()
def a_plugin_cannot_let_a_secret_out(w):
    w.plugin("good")
    flow = w.steps("""
        - {name: blab, uses: test/good@v1, with: {token: "${{ secrets.S }}"}}
        """)
    needles = {"whole": "hunter2-hunter2", "base64": base64.b64encode(b"hunter2-hunter2").decode()}
    both_ways(w, needles, flow, "--secret", "S=hunter2-hunter2")
    r = w.run(flow, "--secret", "S=hunter2-hunter2", code=0).concluded(blab="success")
    r.says("log: ***", "stdout: ***", "stderr: ***", "exec: ***", step="blab")


@case()
def a_short_secret_masks_everywhere(w):
    """Row 12 of the contract's list."""
    r = w.run(w.steps("- {name: a, run: 'echo banana; echo xQx'}"), "--secret", "S=Q", code=0)
    r.says("banana\nx***x", step="a")


@case()
def nothing_of_a_secret_stays_on_disk(w):
    """While the job runs only its own folder, which is private and goes with it, may hold the value."""
    secret = "hunter2-hunter2"
    flow = w.steps("""
        - {name: a, env: {S: "${{ secrets.S }}"}, run: 'echo ${{ secrets.S }}; echo waiting; sleep 1'}
        """)
    running = w.start(flow, "--secret", f"S={secret}").wait_for("waiting")
    found = [p for p in w.state.rglob("*") if p.is_file() and "/jobs/" not in str(p) and secret.encode() in p.read_bytes()]
    found += [p for p in w.state.rglob("jobs") if p.stat().st_mode & 0o077]
    r = running.finish()
    w.after(r, None)
    check(not found, f"on disk while running: {found}\n{r}")
    nowhere(w, r, {"whole": secret})
