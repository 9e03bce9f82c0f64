"""`ostler check`: what it says, in which form, with which exit code, and what it mends."""

import json
import os

import githttp
from case import case
from world import check

FINE = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo hi\n"
BAD = """\
on:
  push: {branch: main}
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: echo "→ é ${{ github.head_ref }}"
      - uses: some/action@v1
\t
"""


def rows(done):
    """The lines that name a place."""
    return [line for line in done.out.splitlines() if ".yml:" in line and not line.startswith(" ")]


def look(w, *args, **more):
    return w.ostler_call("check", *args, **more)


def utf8(w, *args, **env):
    return look(w, *args, env={"LC_ALL": "C.UTF-8", **env})


@case()
def nothing_wrong_is_one_line_and_exit_code_0(w):
    w.workflow(FINE)
    r = look(w)
    r.equal("exit code", r.code, 0)
    r.equal("stdout", r.out, "1 file checked: nothing found\n")
    r.equal("stderr", r.err, "")


@case()
def findings_have_places_a_caret_and_a_hint(w):
    path = w.workflow(BAD.replace("\t", ""))
    r = utf8(w, path, "--ignore", "shellcheck")
    r.equal("exit code", r.code, 1)
    lines = r.out.splitlines()
    check(lines[0] == f"{path}:2:10: error: Unexpected value 'branch' [language]", str(r))
    check(lines[1:4] == ["     2 |   push: {branch: main}", "       |          ^",
                         "       = did you mean 'branches'?"], str(r))
    source = next(i for i, line in enumerate(lines) if "→ é" in line)
    check(lines[source].index("github.head_ref") == lines[source + 1].index("^"), str(r))
    check(f"{path}:7:28: error:" in r.out, str(r))
    check(lines[-1] == "1 file checked: 2 errors, 1 warning in 1 of them", str(r))


@case()
def without_files_it_takes_those_of_the_repository(w):
    w.workflow(FINE, name="b.yml")
    w.workflow(FINE, name="a.yaml")
    w.write("action.yml", "name: n\ndescription: d\nruns: {using: node20, main: x.js}\n")
    w.write(".github/actions/deep/one/action.yml", "name: n\nruns: {using: nod20}\n")
    w.write("sub/x.txt", "")
    r = look(w)
    check("4 files checked" in r.out and ".github/actions/deep/one/action.yml:" in r.out, str(r))
    r.equal("exit code", r.code, 1)
    r = look(w, cwd=w.repo / "sub")
    check("4 files checked" in r.out and "../.github/actions/deep" in r.out, str(r))


@case()
def where_there_is_nothing_it_says_so(w):
    r = look(w)
    r.equal("exit code", r.code, 2)
    check("there is no .github/workflows" in r.err and not r.out, str(r))
    r = look(w, "nope.yml")
    r.equal("exit code", r.code, 2)
    check("nope.yml" in r.err, str(r))


@case()
def wrong_usage_is_one_line(w):
    w.workflow(FINE)
    for args, text in (("--ignore", "nothing"), "no rule 'nothing'"), (("--ignore", "language"), "no rule"), \
            (("--json", "--sarif"), "choose one"), (("--wrong",), "--wrong"), (("--ignore",), "needs a value"):
        r = look(w, *args)
        r.equal("exit code", r.code, 2)
        check(text in r.err and r.err.count("\n") == 1 and not r.out, str(r))


@case()
def warnings_are_allowed_unless_it_is_strict(w):
    w.steps("- uses: some/action@v1")
    for args, code in ((), 0), (("--strict",), 1), (("--strict", "--ignore", "unpinned-action"), 0):
        r = look(w, *args)
        r.equal(f"exit code with {args}", r.code, code)


@case()
def json_is_what_the_manual_says(w):
    path = w.workflow(BAD.replace("\t", ""))
    r = look(w, "--json", "--ignore=shellcheck")
    r.equal("exit code", r.code, 1)
    doc = json.loads(r.out)
    r.equal("members", sorted(doc), ["errors", "files", "findings", "infos", "version", "warnings"])
    r.equal("counts", [doc["version"], doc["files"], doc["errors"], doc["warnings"], doc["infos"]], [1, 1, 2, 1, 0])
    r.equal("first", doc["findings"][0], {
        "path": path, "line": 2, "column": 10, "severity": "error", "rule": "language",
        "message": "Unexpected value 'branch'", "hint": "did you mean 'branches'?"})
    places = [(f["line"], f["column"]) for f in doc["findings"]]
    r.equal("order", places, sorted(places))


@case()
def sarif_has_what_code_scanning_needs(w):
    path = w.workflow(BAD.replace("\t", ""), name="a b.yml")
    r = look(w, "--sarif", path, "--ignore=shellcheck")
    doc = json.loads(r.out)
    r.equal("version", doc["version"], "2.1.0")
    run = doc["runs"][0]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    check(all(rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]), str(r))
    r.equal("results", len(run["results"]), 3)
    for result in run["results"]:
        r.equal("rule", ids[result["ruleIndex"]], result["ruleId"])
        check(result["level"] in ("error", "warning", "note") and result["message"]["text"], str(r))
        place = result["locations"][0]["physicalLocation"]
        r.equal("uri", place["artifactLocation"]["uri"], ".github/workflows/a%20b.yml")
        check(place["region"]["startLine"] >= 1 and place["region"]["startColumn"] >= 1, str(r))


@case()
def fix_mends_keys_and_nothing_else_and_only_once(w):
    text = "# keep\non: push\njobs:\n  a:\n    'runs-onn': ubuntu-latest  # this too\n    stesp:\n" \
           "      - run: echo \"runs-onn stesp\"\r\n        nmae: x\n"
    path = w.workflow("")
    (w.repo / path).write_bytes(text.encode())
    (w.repo / path).chmod(0o640)
    r = look(w, "--fix", path)
    fixed = (w.repo / path).read_bytes().decode()
    r.equal("file", fixed, text.replace("'runs-onn'", "'runs-on'").replace("    stesp:", "    steps:")
            .replace("nmae: x", "name: x"))
    r.equal("exit code", r.code, 0)
    check(f"{path}:5:5: fixed: 'runs-onn' is now 'runs-on'" in r.err, str(r))
    r.equal("mode", (w.repo / path).stat().st_mode & 0o777, 0o640)
    before = (w.repo / path).stat().st_mtime_ns
    r = look(w, "--fix", path)
    r.equal("stderr of the second", r.err, "")
    r.equal("time of change", (w.repo / path).stat().st_mtime_ns, before)
    check(not [p for p in (w.repo / path).parent.iterdir() if p.name != "ci.yml"], "something was left beside it")


@case()
def fix_never_makes_a_key_that_is_there_already(w):
    path = w.workflow(FINE + "    step: []\n")
    before = (w.repo / path).read_bytes()
    r = look(w, "--fix", path)
    r.equal("exit code", r.code, 1)
    r.equal("file", (w.repo / path).read_bytes(), before)
    r.equal("stderr", r.err, "")


@case()
def fix_through_a_link_keeps_the_link(w):
    w.write("real.yml", FINE.replace("steps", "stesp"))
    (w.repo / "link.yml").symlink_to("real.yml")
    look(w, "--fix", "link.yml")
    check((w.repo / "link.yml").is_symlink() and "steps:" in (w.repo / "real.yml").read_text(), "the link is gone")


@case()
def shellcheck_speaks_at_the_place_in_the_yaml(w):
    w.steps("""
        - run: |
            echo fine
              rm $x
        - {run: 'rm $y', shell: sh}
        - {run: 'rm $z', shell: pwsh}
        - {run: 'echo "${{ github.sha }}" $HOME/x'}
        """)
    doc = json.loads(look(w, "--json").out)
    found = [(f["line"], f["column"]) for f in doc["findings"] if "SC2086" in f["message"]]
    text = (w.repo / ".github/workflows/ci.yml").read_text().splitlines()
    wanted = [(n + 1, line.index(v) + 1) for n, line in enumerate(text) for v in ("$x", "$y", "$HOME")
              if v in line]
    check(found == wanted, f"wanted {wanted}, got {found}")
    check(not list(w.tmp.iterdir()), "shellcheck's files were left behind")


@case()
def without_shellcheck_it_says_nothing_about_scripts(w):
    w.steps("- run: rm $x")
    r = look(w, env={"PATH": "/nowhere"})
    r.equal("exit code", r.code, 0)
    r.equal("stderr", r.err, "")
    r.equal("stdout", r.out, "1 file checked: nothing found\n")


@case()
def lines_fit_into_80_columns(w):
    long = "x" * 300
    w.workflow(BAD.replace("\t", f"      - run: echo {long} ${{{{ github.head_ref }}}} {long}"))
    r = utf8(w, COLUMNS="80")
    for line in r.out.splitlines():
        check(len(line) <= 80, f"{len(line)} columns: {line}")
    source = [i for i, line in enumerate(r.out.splitlines()) if "xxx" in line]
    lines = r.out.splitlines()
    check(lines[source[-1]].index("github") == lines[source[-1] + 1].index("^"), str(r))


@case()
def colours_are_for_terminals_and_bytes_of_files_are_not(w):
    w.write(".github/workflows/ci.yml", "on: push\njobs:\n  \"\\e[31mred\": {runs-on: \x1b]0;title\x07}\n")
    r = look(w)
    check("\x1b" not in r.out and "\x07" not in r.out, repr(r.out))
    r = look(w, env={"CLICOLOR_FORCE": "1"})
    check("\x1b[1;31merror:" in r.out and "\x1b]" not in r.out, repr(r.out))
    r = look(w, env={"CLICOLOR_FORCE": "1", "NO_COLOR": "1"})
    check("\x1b" not in r.out, repr(r.out))


@case()
def tabs_before_the_place_do_not_move_the_caret(w):
    w.write(".github/workflows/ci.yml", "on:\tpush\njobs:\n  a: {runs-on: x,\t\tstep: []}\n")
    lines = look(w).out.splitlines()
    at = [i for i, line in enumerate(lines) if "step: []" in line][-1]
    check(lines[at].index("step:") == lines[at + 1].index("^"), "\n".join(lines))


@case()
def odd_files_are_one_error_each(w):
    os.mkfifo(w.repo / "fifo.yml")
    (w.repo / "folder.yml").mkdir()
    for name in "fifo.yml", "/dev/zero":
        r = look(w, name, limit=20)
        check(r.code in (1, 2) and r.out + r.err, str(r))
    r = look(w, "folder.yml")
    r.equal("exit code", r.code, 2)
    w.write("nul.yml", "on: push\0\n")
    r = look(w, "nul.yml")
    r.equal("exit code", r.code, 1)


@case()
def more_findings_than_are_kept_are_said_and_counted(w):
    jobs = "".join(f"  j{i}: {{runs-on: my-own, steps: []}}\n" for i in range(300))
    bad = "".join(f"  k{i}: {{runs-on: x, stesp: []}}\n" for i in range(250))
    r = look(w, w.workflow("on: push\njobs:\n" + jobs))
    r.equal("exit code", r.code, 0)
    check("these are the first 200 findings" in r.out and "200 infos" in r.out, str(r))
    r = look(w, w.workflow("on: push\njobs:\n" + bad))
    r.equal("exit code", r.code, 1)
    check("these are the first 200 findings" in r.out and "250 errors" in r.out, str(r))


@case()
def a_long_chain_and_a_long_script_take_no_time(w):
    chain = "".join(f"  j{i}: {{needs: j{i + 1}, runs-on: x, steps: []}}\n" for i in range(1500))
    r = look(w, w.workflow(f"on: push\njobs:\n{chain}  j1500: {{if: false, runs-on: x, steps: []}}\n"), limit=20)
    r.equal("exit code", r.code, 0)
    script = "".join(f"          echo {i}\n" for i in range(30000))
    r = look(w, "--ignore=shellcheck", w.workflow(FINE.replace("echo hi\n", "|\n" + script)), limit=20)
    r.equal("exit code", r.code, 0)


@case()
def the_workflows_that_ship_have_nothing_to_say_sorry_for(w):
    ours = w.project / "pipelines"
    r = look(w, *sorted([*ours.glob("*.yml"), *ours.glob("*/*.yml")]))
    check(r.code == 0 and "error" not in r.out and "warning" not in r.out, str(r))


@case()
def rules_are_listed_with_their_reasons(w):
    r = look(w, "--rules")
    r.equal("exit code", r.code, 0)
    names = [line.split()[0] for line in r.out.splitlines()]
    check("injection" in names and "shellcheck" in names and all(len(line.split()) > 3 for line in r.out.splitlines()),
          str(r))
    manual = (w.project / "runner/cli/check/cmd_check.md").read_text()
    check(all(f"`{name}`" in manual for name in names), "the manual lacks a rule")
    r = look(w, "--ignore", ",".join(names), w.workflow(FINE))
    r.equal("exit code", r.code, 0)


CALL = "on: [push, workflow_call]\njobs:\n  call: {uses: ./.github/workflows/%s}\n"


@case()
def what_a_named_file_calls_is_checked_once_with_its_callers(w):
    w.workflow(CALL % "b.yml", name="a.yml")
    w.workflow(CALL % "c.yml", name="b.yml")
    w.workflow("on: workflow_call\njobs:\n  x: {runs-on: ubuntu-latest, stepz: []}\n", name="c.yml")
    ci = w.workflow("on: push\njobs:\n  one: {uses: ./.github/workflows/a.yml}\n"
                    "  two: {uses: ./.github/workflows/c.yml}\n", name="ci.yml")
    r = look(w, ci)
    r.equal("exit code", r.code, 1)
    r.equal("times", r.out.count("'stepz'") - r.out.count("can't be called"), 1)
    check("       = called by .github/workflows/b.yml:3:16, called by .github/workflows/a.yml:3:16, "
          "called by .github/workflows/ci.yml:3:15\n"
          "       = called by .github/workflows/ci.yml:4:15\n" in r.out
          or "       = called by .github/workflows/ci.yml:4:15\n"
             "       = called by .github/workflows/b.yml:3:16, called by .github/workflows/a.yml:3:16, "
             "called by .github/workflows/ci.yml:3:15\n" in r.out, str(r))
    check("4 files checked: 3 errors in 3 of them" in r.out, str(r))
    doc = json.loads(look(w, ci, "--json").out)
    found = [f for f in doc["findings"] if f["path"] == ".github/workflows/c.yml"]
    r.equal("callers", sorted((c["path"], c["line"], c["column"]) for c in found[0]["callers"]),
            [(".github/workflows/b.yml", 3, 16), (".github/workflows/ci.yml", 4, 15)])
    sarif = json.loads(look(w, ci, "--sarif").out)["runs"][0]["results"]
    r.equal("related places", [len(x.get("relatedLocations", [])) for x in sarif if "'stepz'" in x["message"]["text"]
                               and "can't" not in x["message"]["text"]], [2])
    r = look(w)
    check("called by" not in r.out and "4 files checked: 3 errors in 3 of them" in r.out, str(r))
    r = look(w, "../.github/workflows/ci.yml", cwd=w.repo / ".github")
    check("../.github/workflows/c.yml:3:31: error" in r.out, str(r))
    r = look(w, ci, "--fix")
    check("stepz" in (w.repo / ".github/workflows/c.yml").read_text(), "a file that nobody named was mended")


@case()
def a_file_that_is_named_twice_is_checked_once(w):
    ci = w.workflow(FINE)
    r = look(w, ci, "./" + ci, str(w.repo / ci))
    r.equal("stdout", r.out, "1 file checked: nothing found\n")


@case()
def inputs_of_installed_plugins_are_known(w):
    w.steps("- {id: lint, uses: ostler/lint@v1, with: {pathz: .}}\n- run: echo ${{ steps.lint.outputs.none }}\n"
            "- uses: ostler/lint@v9")
    r = look(w, "--ignore=shellcheck")
    r.equal("exit code", r.code, 1)
    check("'ostler/lint@v1' has no input 'pathz' [action-input]" in r.out and "= did you mean 'paths'?" in r.out, str(r))
    check("'steps.lint.outputs' has no 'none' here" in r.out, str(r))
    r.equal("pinned is only what a plugin serves", r.out.count("is not pinned"), 1)


@case()
def actions_on_the_disk_are_known_and_pinned(w):
    s = githttp.Server(w)
    sha = s.repo("acme/greet", {"action.yml": "name: g\ndescription: d\ninputs: {who: {description: w}}\n"
                                              "outputs: {said: {description: s, value: x}}\n"
                                              "runs: {using: composite, steps: [{run: 'true', shell: bash}]}\n"}, "v1")
    fetched = w.steps("- uses: acme/greet@v1")
    w.run(fetched, code=0)
    s.stop()
    (w.repo / fetched).unlink()
    locked = "0123456789abcdef0123456789abcdef01234567"
    w.write(".github/actions.lock", f"other/thing@main {locked}\n")
    text = ("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"
            "      - uses: acme/greet@v1\n        id: g\n        with: {whom: x}\n"
            "      - uses: 'Acme/Greet@v1'   \n"
            "      - uses: acme/greet@v1 # keep\n"
            "      - {uses: other/thing/below@main, name: x}\n"
            "      - uses: un/known@v1\n"
            "      - run: echo ${{ steps.g.outputs.sad }}\n")
    path = w.write(".github/workflows/use.yml", "")
    path = w.repo / ".github/workflows/use.yml"
    path.write_text(text)
    r = look(w, "--ignore=shellcheck", ".github/workflows/use.yml")
    check(f"= here it is {sha}: --fix writes that" in r.out, str(r))
    check("use.yml:8:16: warning: 'acme/greet@v1' has no input 'whom' [action-input]" in r.out, str(r))
    check("'steps.g.outputs' has no 'sad' here" in r.out, str(r))
    r = look(w, "--fix", "--ignore=shellcheck", ".github/workflows/use.yml")
    r.equal("file", path.read_text(),
            text.replace("acme/greet@v1\n", f"acme/greet@{sha} # v1\n").replace("whom", "who")
            .replace("'Acme/Greet@v1'   \n", f"'Acme/Greet@{sha}' # v1   \n")
            .replace("acme/greet@v1 # keep", f"acme/greet@{sha} # keep")
            .replace("other/thing/below@main", f"other/thing/below@{locked}"))
    r.equal("left", r.out.count("is not pinned"), 1)


@case()
def a_script_that_stands_twice_is_told_twice(w):
    text = FINE.replace("run: echo hi", "run: echo $A")
    w.workflow(text, name="a.yml")
    w.workflow("# further down\n" + text + "      - {name: again, run: echo $A}\n", name="b.yml")
    r = look(w, "--json")
    found = [(f["path"][-5:], f["line"], f["column"], f["message"][:6]) for f in json.loads(r.out)["findings"]]
    r.equal("places", found, [("a.yml", 6, 19, "SC2086"), ("b.yml", 7, 19, "SC2086"), ("b.yml", 8, 33, "SC2086")])
