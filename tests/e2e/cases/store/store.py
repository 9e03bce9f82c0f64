"""Actions and called workflows of other repositories: fetched, kept, locked, offline (runtime contract 9.2, 9.4)."""

import contextlib
import os
import shutil
import signal
import time

import githttp
import watch
from case import case
from world import check

GREET = """
    name: Greet
    inputs: {who: {default: nobody}}
    outputs: {said: {value: "${{ steps.say.outputs.said }}"}}
    runs:
      using: composite
      steps:
        - id: say
          shell: bash
          env: {REF: "${{ github.action_repository }}@${{ github.action_ref }}"}
          run: |
            echo "hello ${{ inputs.who }} from $REF"
            cat "$GITHUB_ACTION_PATH/words"
            echo "at ${GITHUB_ACTION_PATH#*/work/}"
            echo "said=hello" >> "$GITHUB_OUTPUT"
    """

SCRIPT = """
    name: Script
    inputs: {word: {default: none}}
    runs: {using: node20, pre: pre.js, main: main.js, post: post.js, post-if: always()}
    """
SCRIPTS = {
    "action.yml": SCRIPT,
    "pre.js": "require('fs').appendFileSync(process.env.GITHUB_STATE, 'from=pre\\n'); console.log('pre of ' + process.env.INPUT_WORD)",
    "main.js": "console.log('main after ' + process.env.STATE_from)",
    "post.js": "console.log('post after ' + process.env.STATE_from + ' of ' + process.env.INPUT_WORD)",
}


def one_error(r, *texts, job="job"):
    """The job ended in 'Set up job', with one error that says all of TEXTS."""
    r.exits(1).equal(f"steps of {job}", [s["name"] for s in r.steps(job)], ["Set up job"])
    errors = [e["message"] for e in r.of("annotation", level="error", job=job)]
    check(len(errors) == 1, f"wanted one error, there are {errors}\n{r}")
    for text in texts:
        check(text in errors[0], f"the error lacks {text!r}: {errors[0]!r}\n{r}")
    return r


@case()
def a_composite_of_another_repository_is_fetched_once(w):
    s = githttp.Server(w)
    sha = s.repo("acme/greet", {"action.yml": GREET, "words": "the words of one\n"}, "v1")
    flow = w.steps("""
        - {name: greet, id: g, uses: acme/greet@v1, with: {who: Ann}}
        - {name: after, run: 'echo "<${{ steps.g.outputs.said }}> <${GITHUB_ACTION_PATH-}>"'}
        """)
    r = w.run(flow, code=0)
    r.says("Getting action download info", f"Download action repository 'acme/greet@v1' (SHA:{sha})", step="Set up job")
    r.says("hello Ann from acme/greet@v1", "the words of one", "at _actions/acme/greet/v1", step="greet")
    r.says("<hello> <>", step="after")
    check(s.entries() == [f"acme/greet/{sha}"], s.entries())
    check(s.count("fetch") == 1, s.asked)

    w.run(flow, code=0).says("the words of one", step="greet")
    check(s.count("fetch") == 1, f"it was fetched again: {s.asked}")
    two = s.repo("acme/greet", {"words": "the words of two\n"}, "v1")
    w.run(flow, code=0).says("the words of two", step="greet").says(two, step="Set up job")
    check(s.entries() == sorted([f"acme/greet/{sha}", f"acme/greet/{two}"]), s.entries())
    s.stop()


@case()
def javascript_actions_have_pre_main_and_post(w):
    s = githttp.Server(w)
    s.repo("acme/script", SCRIPTS, "v1")
    s.repo("acme/outer", {"sub/dir/action.yml": """
        name: outer
        runs:
          using: composite
          steps:
            - {uses: acme/script@v1, with: {word: inner}}
            - {shell: bash, run: echo between}
        """}, "v2")
    flow = w.steps("""
        - {name: one, run: echo first of all}
        - {name: script, uses: acme/script@v1, with: {word: outer}}
        - {name: both, uses: acme/outer/sub/dir@v2}
        - {name: skipped, if: false, uses: acme/script@v1}
        """)
    r = w.run(flow, code=0)
    r.equal("steps", [s["name"] for s in r.steps()],
            ["Set up job", "Pre script", "Pre both", "Pre skipped", "one", "script", "both", "skipped",
             "Post skipped", "Post both", "Post script", "Complete job"])
    r.says("pre of outer", step="Pre script").says("pre of inner", step="Pre both")
    r.says("main after pre", step="script").says("main after pre", "between", step="both")
    r.says("post after pre of outer", step="Post script").says("post after pre of inner", step="Post both")
    check(r.step("skipped")["conclusion"] == "skipped", r)
    s.stop()


@case()
def names_of_all_kinds_are_resolved(w):
    s = githttp.Server(w)
    act = {"action.yml": GREET, "words": "first\n"}
    first = s.repo("acme/greet", act, "light")
    work = w.root / "work" / "acme" / "greet"
    w.git("tag", "-a", "-m", "annotated", "heavy", cwd=work)
    w.git("branch", "feature/x", cwd=work)
    w.git("branch", "both", cwd=work)
    second = s.repo("acme/greet", {"words": "second\n"}, "both")
    w.git("push", "-q", "--all", str(s.root / "acme/greet.git"), cwd=work)
    wanted = {"light": first, "heavy": first, "feature/x": first, "refs/heads/main": second, "refs/tags/light": first,
              "main": second, first: first, second.upper(): second, "both": first}
    flow = w.steps("\n".join(f"- {{name: n{i}, uses: ACME/greet@{ref}}}" for i, ref in enumerate(wanted)))
    r = w.run(flow, code=0)
    for i, (ref, sha) in enumerate(wanted.items()):
        r.says(f"'ACME/greet@{ref}' (SHA:{sha})", step="Set up job")
        r.says("first" if sha == first else "second", f"at _actions/ACME/greet/{ref}", step=f"n{i}")
    check(s.entries() == sorted([f"acme/greet/{first}", f"acme/greet/{second}"]), s.entries())
    s.stop()


@case()
def what_cannot_be_had_is_one_error_before_the_first_step(w):
    s = githttp.Server(w)
    sha = s.repo("acme/greet", {"action.yml": GREET, "words": "x"}, "v1")
    s.repo("acme/empty", {"README": "no action\n"}, "v1")
    s.repo("acme/broken", {"action.yml": "name: x\nruns: {using: nothing}\n"}, "v1")
    s.repo("acme/again", {"action.yml": "name: x\nruns: {using: composite, steps: [{uses: acme/again@v1}]}\n"}, "v1")
    s.repo("acme/within", {"action.yml": "name: x\nruns:\n  using: composite\n  steps:\n  - uses: acme/none@v1\n"}, "v1")
    none = "f" * 40
    rows = [
        ("acme/greet@v9", "line 3: 'acme/greet@v9'", f"'{s.url}/acme/greet' has no branch or tag 'v9'"),
        (f"acme/greet@{sha[:10]}", "40 digits"),
        (f"acme/greet@{none}", f"has no commit {none}"),
        ("acme/none@v1", f"there is no repository '{s.url}/acme/none'"),
        ("acme/empty@v1", "Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under"),
        ("acme/greet/no/such@v1", "Can't find 'action.yml'"),
        ("acme/again@v1", "_actions/acme/again/v1, line 2: 'acme/again@v1'", "depth exceeded max depth 9"),
        ("acme/within@v1", "_actions/acme/within/v1, line 5: 'acme/none@v1'", "there is no repository"),
        ("acme/greet/../x@v1", "leads out of the repository"),
        ("acme/greet@v1..v2", "is no version"),
        ("../greet/x@v1", "names no owner"),
    ]
    flow = w.workflow("on: push\njobs:\n" + "".join(
        f"  j{i}: {{runs-on: x, steps: [{{run: echo never}}, {{uses: '{uses}'}}]}}\n" for i, (uses, *_) in enumerate(rows)))
    r = w.run(flow, "--jobs", "2", code=1)
    for i, (uses, *texts) in enumerate(rows):
        one_error(r, *texts, job=f"j{i}")
    r = w.run(w.steps("- uses: acme/broken@v1"), code=1)
    r.says("(Line: 2, Col: 7): There's not enough info", "Failed to load", step="Set up job")
    s.stop()


@case()
def offline_is_served_from_what_is_there(w):
    s = githttp.Server(w)
    sha = s.repo("acme/greet", {"action.yml": GREET, "words": "kept\n"}, "v1")
    flow = w.steps("- {name: greet, uses: acme/greet@v1}")
    one_error(w.run(flow, "--offline"), "line 6: 'acme/greet@v1': it is not in the action store", "--offline")
    check(not s.asked, s.asked)
    check(not s.store.exists(), "something was made")
    w.run(flow, code=0)
    asked = len(s.asked)
    w.run(flow, "--offline", code=0).says("kept", step="greet")
    check(len(s.asked) == asked, s.asked)
    s.stop()
    w.run(flow, "--offline", code=0).says("kept", step="greet")
    r = w.run(flow, code=0).says("kept", step="greet")  # nobody is there: said, and gone on with
    r.says("cannot fetch", "going on with the commit that is in the store", step="Set up job")
    w.run(w.steps(f"- {{name: greet, uses: acme/greet@{sha}}}"), code=0).says("kept", step="greet")
    one_error(w.run(w.steps("- uses: acme/greet@v2")), "cannot fetch", "Failed to connect")


@case()
def the_lock_is_kept(w):
    s = githttp.Server(w)
    one = s.repo("acme/greet", {"action.yml": GREET, "words": "one\n"}, "v1")
    flow = w.steps("- {name: greet, uses: acme/greet@v1}")
    w.write(".github/actions.lock", f"# agreed\nacme/Greet@v1 {one}\n")
    w.run(flow, code=0).says("one", step="greet")
    two = s.repo("acme/greet", {"words": "two\n"}, "v1")
    one_error(w.run(flow), "acme/greet@v1", two, one, ".github/actions.lock", "moved")
    w.run(flow, "--offline", code=0).says("one", step="greet")
    w.write(".github/actions.lock", f"acme/greet@v1 {two} # looked at\n")
    w.run(flow, code=0).says("two", step="greet")
    w.write(".github/actions.lock", "\nacme/greet@v1 v2\n")
    w.run(flow).complains(r"\.github/actions\.lock:2: behind 'acme/greet@v1' comes the commit", code=2)
    s.stop()


@case()
def a_local_composite_gets_what_it_uses_when_it_starts(w):
    s = githttp.Server(w)
    sha = s.repo("acme/greet", {"action.yml": GREET, "words": "late\n"}, "v1")
    s.repo("acme/script", SCRIPTS, "v1")
    w.write("local/action.yml", """
        name: local
        outputs: {said: {value: "${{ steps.g.outputs.said }}"}}
        runs:
          using: composite
          steps:
            - {id: g, uses: acme/greet@v1, with: {who: Bob}}
            - {uses: acme/script@v1, with: {word: late}}
        """)
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: local, id: l, uses: ./local}
        - {name: after, run: 'echo "<${{ steps.l.outputs.said }}>"'}
        """)
    r = w.run(flow, code=0).never_says("Download", step="Set up job")
    r.says(f"Download action repository 'acme/greet@v1' (SHA:{sha})", "hello Bob", "late", "main after", step="local")
    r.says("<hello>", step="after").says("post after", step="Post local")
    w.write("local/action.yml", "name: x\nruns: {using: composite, steps: [{uses: acme/none@v1}]}\n")
    r = w.run(flow, code=1).says("there is no repository", step="local")
    r.equal("after", r.step("after")["conclusion"], "skipped")
    s.stop()


@case()
def a_job_writes_to_its_copy_alone(w):
    s = githttp.Server(w)
    sha = s.repo("acme/greet", {"action.yml": """
        name: x
        runs:
          using: composite
          steps:
            - shell: bash
              run: |
                cd "$GITHUB_ACTION_PATH"
                ls made 2>/dev/null && exit 1
                touch made && echo changed >> words && mkdir sub/more && rm gone && cat words
        """, "words": "as it was\n", "gone": "x\n", "sub/x": "x\n"}, "v1")
    flow = w.steps("- {name: greet, uses: acme/greet@v1}")
    for level in ([], ["--isolation", "host"]):
        for _ in range(2):
            w.run(flow, *level, code=0).says("as it was\nchanged", step="greet")
        entry = next(s.store.glob(f"*/acme/greet/{sha}"))
        check((entry / "words").read_text() == "as it was\n", "the store was changed")
        check(sorted(p.name for p in entry.iterdir()) == ["action.yml", "gone", "sub", "words"], list(entry.iterdir()))
    s.stop()


@case()
def many_jobs_fetch_it_once(w):
    s = githttp.Server(w)
    s.repo("acme/greet", {"action.yml": GREET, "words": "x\n"}, "v1")
    flow = w.workflow("""
        on: push
        jobs:
          a:
            strategy: {matrix: {n: [1, 2, 3, 4, 5, 6]}}
            runs-on: ubuntu-latest
            steps: [{uses: acme/greet@v1}]
          b:
            needs: a
            runs-on: ubuntu-latest
            steps: [{uses: acme/greet@v1}]
        """)
    r = w.run(flow, "--jobs", "6", code=0)
    check(s.count("fetch") == 1, s.asked)
    asked = s.count("ls-refs")
    check(1 <= asked <= 6, f"one that came later asked again: {s.asked}")
    check(len(r.of("job.finished", result="success")) == 7, r)
    check(len(s.entries()) == 1, s.entries())
    s.stop()


@case()
def killed_in_the_middle_nothing_half_is_ever_served(w):
    s = githttp.Server(w)
    sha = s.repo("acme/greet", {"action.yml": GREET, "words": "whole\n"}, "v1")
    flow = w.steps("- {name: greet, uses: acme/greet@v1}")
    for victim in ("ostler", "worker", "store-child", "all"):
        s.hang.set()
        r = w.start(flow).wait_for_file(s.hanging)
        check(any("/new-" in e for e in s.entries()) and f"acme/greet/{sha}" not in s.entries(), s.entries())
        for pid in victims(r.process.pid, victim):
            watch.kill(pid)
        done = r.finish()
        s.hang.clear()
        while s.hanging.exists():
            time.sleep(0.02)
        left = watch.wait_until_alone(5)
        check(not left, f"{victim}: left running: {[watch.describe(p) for p in left]}\n{done}")
        watch.reap()
        check(not watch.mounts_below(w.root), f"left mounted: {watch.mounts_below(w.root)}\n{done}")
        check(f"acme/greet/{sha}" not in s.entries(), s.entries())
    shutil.rmtree(w.state)  # with nobody left, the jobs' folders stay
    w.run(flow, code=0).says("whole", step="greet")
    check(s.entries() == [f"acme/greet/{sha}"], s.entries())
    s.stop()


def victims(pid, which):
    """The process PID (the program itself), or those below it that run the subcommand WHICH, or all."""
    below, all_of_them = [pid], []
    while below:
        one = below.pop()
        all_of_them.append(one)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            for thread in os.listdir(f"/proc/{one}/task"):
                below += map(int, open(f"/proc/{one}/task/{thread}/children").read().split())
    if which == "all":
        return all_of_them
    if which == "ostler":
        return [pid]
    found = [p for p in all_of_them if watch.arguments(p)[1:2] == [which]]
    check(found, f"there is no {which}")
    return found


@case()
def a_fetch_can_be_cancelled(w):
    s = githttp.Server(w)
    s.repo("acme/greet", {"action.yml": GREET, "words": "x\n"}, "v1")
    w.write("local/action.yml", "name: x\nruns: {using: composite, steps: [{uses: acme/greet@v1}]}\n")
    for flow in (w.steps("- {name: greet, uses: acme/greet@v1}"),
                 w.steps("- uses: actions/checkout@v4\n- {name: greet, uses: ./local}", name="two.yml")):
        s.hang.set()
        r = w.start(flow).wait_for_file(s.hanging)
        done = r.send(signal.SIGINT).finish(limit=10)
        s.hang.clear()
        while s.hanging.exists():
            time.sleep(0.02)
        w.after(done, None, wait=2)
        done.exits(3).says("The operation was canceled.")
        check(done.jobs() == {"job": "cancelled"}, done)
    s.stop()


@case()
def called_workflows_are_fetched(w):
    s = githttp.Server(w)
    s.repo("acme/flows", {
        ".gitattributes": ".github export-ignore\n",
        ".github/workflows/outer.yml": """
            on:
              workflow_call:
                inputs: {word: {type: string}}
            jobs:
              in: {uses: ./.github/workflows/inner.yml, with: {word: "${{ inputs.word }}!"}}
            """,
        ".github/workflows/inner.yml": """
            on:
              workflow_call:
                inputs: {word: {type: string}}
            jobs:
              say:
                runs-on: ubuntu-latest
                steps:
                  - {name: say, run: 'echo "${{ inputs.word }} of ${{ job.workflow_repository }}"'}
            """}, "v1")
    flow = w.workflow("""
        on: push
        jobs:
          call: {uses: acme/flows/.github/workflows/outer.yml@v1, with: {word: hi}}
        """)
    w.run(flow, "--offline").complains(r"ci\.yml:4:16: error: 'acme/flows@v1': it is not in the action store",
                                       "--local-repository acme/flows=FOLDER")
    w.run(flow, code=0).says("hi! of acme/flows", step="say")
    check(s.count("fetch") == 1, s.asked)
    s.stop()
    w.run(flow, "--offline", code=0).says("hi! of acme/flows", step="say")
    r = w.run(flow, code=0).says("hi! of acme/flows", step="say")  # nobody is there: said, and gone on with
    check("acme/flows@v1: cannot fetch" in r.notes() and "the commit that is in the store" in r.notes(), r)
    w.run(w.workflow("""
        on: push
        jobs:
          call: {uses: acme/flows/.github/workflows/none.yml@v1}
        """), "--offline").complains(r"ci\.yml:4:16: error: there is no '\.github/workflows/none\.yml' at 'v1' in 'acme/flows'")


@case()
def links_that_lead_out_are_left_out(w):
    s = githttp.Server(w)
    s.repo("acme/links", {"action.yml": """
        name: x
        runs: {using: composite, steps: [{shell: bash, run: 'ls $GITHUB_ACTION_PATH; cat $GITHUB_ACTION_PATH/in'}]}
        """, "a/words": "inside\n"}, "v1", links={"out": "/etc/passwd", "up": "../../../x", "in": "a/words"})
    r = w.run(w.steps("- {name: x, uses: acme/links@v1}"), code=0)
    r.says("2 symbolic links of it lead out of the repository and were left out", step="Set up job")
    r.says("a\naction.yml\nin\ninside", step="x")
    s.stop()


@case()
def a_clone_stands_for_its_server(w):
    s = githttp.Server(w)
    s.repo("acme/greet", {"action.yml": GREET, "words": "from the clone\n"}, "v1")
    s.stop()
    flow = w.steps("- {name: greet, uses: acme/greet@v1}")
    clone = w.root / "work" / "acme" / "greet"
    w.run(flow, "--offline", "--local-repository", f"acme/greet={clone}", code=0).says("from the clone", step="greet")
    w.run(flow, "--action-source", str(s.root), code=0).says("from the clone", step="greet")
    w.run(flow, "--action-source", "nowhere").complains("'nowhere' is no source of actions")
