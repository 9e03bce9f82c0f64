"""The command line itself: what is misspelt, files that are none, and descriptors that are closed or full."""

import os
import subprocess

from case import case
from world import check

PRINTS = (("run",), ("run", "--json"), ("run", "--help"), ("plan",), ("check",), ("check", "--rules"), ("eval", "1"), ("plugin", "list"),
          ("status", "--json"), ("version",), ("--help",))


def shell(w, script, **env):
    """SCRIPT with $0 as ostler, by bash."""
    return subprocess.run(["bash", "-c", script, w.ostler], cwd=w.repo, env={**w.env, **env}, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=60)


@case()
def what_is_misspelt_is_told_with_what_was_meant(w):
    w.steps("- run: echo hi")
    for words, wanted in (
            (["chekc"], "there is no command 'chekc': did you mean 'check'?"), (["zzz"], "there is no command 'zzz': see 'ostler --help'"),
            (["run", "--evnt", "x"], "unknown option '--evnt': did you mean '--event'?"),
            (["run", "--e", "x"], "unknown option '--e': is it '--event' or '--event-file'?"),
            (["run", "-xv"], "unknown option '-x': see 'ostler run --help'"), (["plan", "--json=1"], "option '--json' takes no value"),
            (["run", "--hel=SECRET"], "option '--hel' takes no value"), (["plan", "-é"], "unknown option '-é': see 'ostler plan --help'"),
            (["eval", "-1 + 2"], "unknown option '-1': see 'ostler eval --help' (an expression that begins with '-' goes behind '--')"),
            (["eval", "--contxt=SECRET"], "unknown option '--contxt': did you mean '--context'?"),
            (["status", "--socket=SECRET", "-qj"], "unknown option '-q': see 'ostler status --help'"),
            (["run", "--secret"], "option '--secret' needs a value"), (["run", "--secret", ""], "--secret wants NAME=VALUE, not ''"),
            (["listen", "--slts=5"], "unknown option '--slts': did you mean '--slots'?"),
            (["register", "--tokn=SECRET"], "unknown option '--tokn': did you mean '--token'?"),
            (["status", "--zzz"], "unknown option '--zzz': see 'ostler status --help'"),
            (["plugin", "info", "--frmat", "x"], "unknown option '--frmat': did you mean '--format'?"),
            (["run", "--event", "pullrequest"], "there is no event 'pullrequest': did you mean 'pull_request'?"),
            (["run", "--event", "zzz"], "there is no event 'zzz': push, pull_request and workflow_dispatch are some")):
        done = w.ostler_call(*words)
        check(done.code == (1 if words[0] == "listen" else 2) and done.err.splitlines()[0].endswith(wanted), f"wanted: {wanted}\n{done}")
        check("SECRET" not in done.err, f"{done}")


@case()
def a_workflow_may_be_called_by_its_name_alone(w):
    w.steps("- run: echo from the folder of workflows")
    (w.repo / "deep").mkdir()
    w.run("ci.yml", cwd=w.repo / "deep", code=0).says("from the folder of workflows")
    w.write("deep/ci.yml", "on: push\njobs: {a: {runs-on: x, steps: [{run: echo from here}]}}\n")
    w.run("ci.yml", cwd=w.repo / "deep", code=0).says("from here")
    w.run("nope.yml").complains("there is no workflow 'nope.yml', neither here nor in '.*/.github/workflows'")
    w.run("./nope.yml").complains("cannot open './nope.yml'")


@case()
def what_cannot_be_printed_is_an_error(w):
    w.steps("- run: echo hi")
    for words in PRINTS:
        for to, why in ((">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")):
            done = shell(w, f'"$0" {" ".join(words)} {to}')
            wanted = (1, 2) if words[0] in ("run", "status") else (2,)
            check(done.returncode in wanted and "cannot write" in done.stderr or "no listener" in done.stderr, f"{words} {to}: {done}")
            check(words[0] in ("eval", "status") or why in done.stderr, f"{words} {to}: {done}")
    done = shell(w, '"$0" run --json | head -n 1; echo "${PIPESTATUS[0]}"')
    check(done.stdout.splitlines()[-1] == "0" and not done.stderr, f"a reader that leaves is no error: {done}")


@case()
def closed_descriptors_are_nobody_elses(w):
    """What is printed goes nowhere then, and never into a file that was given the number."""
    w.steps("- run: echo hi")
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = shell(w, f'"$0" run --json {closed}')
        check(done.returncode == (1 if " >&-" in f" {closed}" else 0), f"{closed}: {done}")
        for path in w.state.rglob("*"):
            said = path.read_bytes() if path.is_file() else b""
            check(said.count(b'"event":"run.started"') == (path.name == "events.jsonl"), f"{closed}: {path}: {said}")


@case()
def files_may_come_out_of_a_pipe(w):
    w.steps("- run: echo \"[${{ secrets.A }}|${{ github.event.a }}]\" | rev")
    done = shell(w, '"$0" run -v --secret-file <(sleep 0.1; echo A=bcde) --event-file <(sleep 0.1; echo \'{"a": 5}\')')
    check("]5|edcb[" in done.stdout, f"{done}")
    done = shell(w, 'echo \'{"github": {"a": 7}}\' | "$0" eval --context /dev/stdin github.a')
    check(done.stdout == "7\n", f"{done}")
    done = shell(w, '"$0" run --plugin-policy <(sleep 0.1; echo "oops: 1")')
    check(done.returncode == 2 and "'oops' is nothing" in done.stderr, f"an unread policy: {done}")
    os.mkfifo(w.root / "pipe")
    done = shell(w, f'{{ sleep 0.2; echo "jobz: 2"; }} >"{w.root}/pipe" & "$0" run --config "{w.root}/pipe"')
    check(done.returncode == 2 and "'jobz' is nothing" in done.stderr, f"an unread configuration: {done}")
