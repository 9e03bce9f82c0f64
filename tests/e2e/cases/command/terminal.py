"""What a person sees: on a terminal, in a pipe, without colour, afterwards in the run folder."""

import json
import re

from case import case
from screen import Screen
from world import check

MIXED = """
    on: push
    jobs:
      build:
        name: Build it
        runs-on: ubuntu-latest
        steps:
          - {name: Compile, run: 'for i in $(seq 40); do echo "line $i of a compiler that talks far too much for one line of eighty columns, äöü"; done; sleep 1'}
          - name: Break
            run: |
              echo "::group::Details"; echo inside; echo "::endgroup::"
              echo "::error file=src/x.c,line=7,col=3::missing semicolon"
              echo "# Report" >> "$GITHUB_STEP_SUMMARY"
              echo "the last words"
              exit 9
      fine:
        runs-on: ubuntu-latest
        strategy: {matrix: {v: [1, 2]}}
        steps: [{run: 'sleep 1.5; echo ok'}]
      never: {needs: build, runs-on: ubuntu-latest, steps: [{run: echo no}]}
    """


@case()
def a_terminal_of_80_columns_is_kept_tidy(w):
    r = w.on_terminal(w.workflow(MIXED), "--jobs", "3").exits(1)
    screen = Screen(80, 24).feed(r.out)
    check(not screen.strange, f"sequences that a terminal may not know: {screen.strange[:5]}\n{r}")
    check(screen.frames > 3, f"there was no live area ({screen.frames} redraws)\n{r}")
    check(screen.wrapped == 0 or all(len(line) <= 80 for line in screen.lines), f"{screen.wrapped} characters wrapped\n{r}")
    check(screen.cursor_shown, f"the cursor is still hidden\n{r}")
    check("\x1b[?1049h" not in r.out, "it took the whole screen")
    text = "\n".join(screen.lines)
    for wanted in ("Build it", "fine (1)", "fine (2)", "never", "Break", "src/x.c:7", "missing semicolon", "the last words"):
        check(wanted in text, f"{wanted!r} is not on the screen:\n{text}")
    check(text.count("line 3 of a compiler") == 0, f"the log of a step that went well is shown:\n{text}")


@case()
def our_own_words_are_not_broken_within_a_word(w):
    flow = w.steps("""
        - {name: A step that is never run on a push, run: 'true', if: "github.event_name == 'pull_request' && 'so that it is a long sentence'"}
        - {name: last, run: 'true'}
        """, job="name: A job with quite a name")
    r = w.on_terminal(flow).exits(0)
    lines = [line.rstrip() for line in Screen(80, 24).feed(r.out).lines]
    first = next(i for i, line in enumerate(lines) if "never run on a push" in line)
    said = lines[first] + "".join(f" {line.strip()}" for line in lines[first + 1:first + 4] if line.startswith(" " * 27))
    check("(skipped: its `if` is false: github.event_name == 'pull_request' && 'so that it is a long sentence'" in said, f"{lines}\n{r}")
    check(lines[first + 1].startswith(" " * 27), f"what goes on does not begin below the name of the step: {lines}")


@case()
def a_narrow_and_a_tiny_terminal_work_too(w):
    for columns, rows in ((40, 10), (20, 5), (200, 50)):
        r = w.on_terminal(w.workflow(MIXED), "--jobs", "3", columns=columns, rows=rows).exits(1)
        screen = Screen(columns, rows).feed(r.out)
        check(not screen.strange and screen.cursor_shown, f"{columns} columns\n{r}")


@case()
def no_color_means_no_colour(w):
    flow = w.workflow(MIXED)
    r = w.on_terminal(flow, env={"NO_COLOR": "1"}).exits(1)
    check(not re.search(r"\x1b\[[0-9;]+m", r.out), f"there are colours\n{r}")
    r = w.plain(flow, code=1)
    check("\x1b" not in r.out + r.err, f"there are escape sequences in a pipe\n{r}")
    r = w.on_terminal(flow, env={"TERM": "dumb"}).exits(1)
    check("\x1b" not in r.out, f"there are escape sequences on a dumb terminal\n{r}")


@case()
def a_pipe_gets_plain_prefixed_lines(w):
    r = w.plain(w.workflow(MIXED), "--jobs", "3", code=1)
    text = r.out + r.err
    check(re.search(r"^Build it\s+\| .*line 40 of a compiler", text, re.M), f"lines have no prefix\n{r}")
    check(re.search(r"^fine \(2\)\s*\| .*ok", text, re.M), f"lines have no prefix\n{r}")
    check("src/x.c:7:3" in text and "missing semicolon" in text, f"the annotation lacks its place\n{r}")
    check(text.rstrip().count("Build it") >= 2, f"no table at the end\n{r}")


@case()
def verbose_shows_every_step_on_a_terminal(w):
    r = w.on_terminal(w.workflow(MIXED), "-v", "--jobs", "3", rows=200).exits(1)
    text = "\n".join(Screen(80, 200).feed(r.out).lines)
    check("line 3 of a compiler" in text, f"-v does not show the log\n{text}")


@case()
def json_is_one_object_a_line_and_nothing_else(w):
    r = w.run(w.workflow(MIXED), code=1)
    for line in r.out.splitlines():
        check(isinstance(json.loads(line), dict), f"{line!r} is no object")
    r.equal("first line names the schema", json.loads(r.out.splitlines()[0]).get("schema"), 1)


@case()
def the_run_folder_keeps_all(w):
    r = w.run(w.workflow(MIXED), "--jobs", "3", code=1)
    folder = w.run_folder()
    run = json.loads((folder / "run.json").read_text())
    r.equal("result", (run["result"], run["event_name"]), ("failure", "push"))
    logs = "".join(p.read_text() for p in folder.rglob("*.log"))
    for wanted in ("line 40 of a compiler", "the last words", "##[error]missing semicolon"):
        check(wanted in logs, f"{wanted!r} is not in the logs\n{w.recorded()[:3000]}")
    check([p for p in folder.rglob("*.md") if "# Report" in p.read_text()], "the summary is not kept")
    modes = {p: p.stat().st_mode & 0o077 for p in folder.rglob("*")}
    check(not any(modes.values()), f"others can read {[str(p) for p, m in modes.items() if m]}")
    w.run(w.steps("- run: echo 2"), code=0)
    check(w.run_folder().name == str(int(folder.name) + 1), "the next run has the next number")


@case()
def two_runs_at_once_do_not_meet(w):
    flow = w.steps("- {name: a, run: 'echo mine > ~/x; sleep 1; cat ~/x'}")
    runs = [w.start(flow) for _ in range(4)]
    done = [r.finish() for r in runs]
    for r in done:
        r.exits(0).says("mine", step="a")
    w.after(done[0], None)
    check(len(list(w.state.glob("runs/[0-9]*"))) == 4, f"folders: {list(w.state.glob('runs/*'))}")


@case()
def help_and_version_answer(w):
    w.ostler_call("--version").exits(0).shows(r"^ostler \d+\.\d+")
    w.ostler_call("--help").exits(0).shows("run", "plugin", "eval")
    w.ostler_call("run", "--help").exits(0).shows("--event", "--secret", "--isolation")
    w.ostler_call("nonsense").complains("nonsense")
    w.ostler_call().exits(2)


@case()
def eval_prints_json(w):
    w.write("context.json", '{"github": {"ref": "refs/heads/main"}}')
    w.ostler_call("eval", "1 + 1").complains(r"\b3\b|column")
    for expr, wanted in (("1 == 1.0", "true"), ("format('{0}-{1}', 'a', 2)", '"a-2"'), ("github.ref", '"refs/heads/main"'),
                         ("fromJSON('[1,2]')", "[1,2]"), ("null", "null"), ("0xff", "255")):
        for words in (("--context", "context.json", "--json", expr), (expr, "--json", "--context=context.json"),
                      ("--context", "context.json", expr, "--json"), ("--json", "--context", "context.json", "--", expr)):
            r = w.ostler_call("eval", *words).exits(0)
            r.equal(expr, json.loads(r.out), json.loads(wanted))
    for words, other in ((("1", "+", "2"), "[+]"), (("1", "--json", "2"), "2"), (("1", "--", "-2"), "-2"), (("--", "1", "-2"), "-2")):
        w.ostler_call("eval", *words).complains(f"one expression at a time, but there is also '{other}'")
