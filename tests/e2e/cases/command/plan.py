"""`ostler plan`: what would run and why, and that nothing is done to find it out."""

import json
import re
import subprocess
import sys

import githttp
from case import case
from world import check

try:
    import jsonschema
except ImportError:  # a Python beside Debian's own does not look where Debian's packages are
    sys.path.append("/usr/lib/python3/dist-packages")
    import jsonschema

TOKEN = "tOken-f0r-plan"

CI = """\
name: CI
run-name: ${{ github.ref_name }} ${{ github.run_number }}
on:
  push:
    branches: [main]
  schedule:
    - cron: '30 5 * * 1-5'
      timezone: Europe/Berlin
    - cron: '0 0 1 1 *'
concurrency: {group: 'ci-${{ github.ref }}', cancel-in-progress: "${{ github.ref != 'refs/heads/main' }}"}
env: {REGISTRY: ghcr.io}
jobs:
  changes:
    runs-on: x
    outputs:
      api: ${{ steps.filter.outputs.api }}
      image: ${{ env.REGISTRY }}/app
      versions: ${{ steps.filter.outputs.versions }}
    steps:
      - id: filter
        run: echo api=true >> "$GITHUB_OUTPUT"
  test:
    needs: changes
    if: needs.changes.outputs.api == 'true'
    strategy:
      fail-fast: false
      max-parallel: 2
      matrix: {py: ['3.11', '3.12'], include: [{py: '3.13', late: true}]}
    name: test ${{ matrix.py }}
    continue-on-error: ${{ matrix.late == true }}
    runs-on: x
    env: {IMAGE: '${{ needs.changes.outputs.image }}:${{ needs.changes.outputs.api }}'}
    steps:
      - run: |
          echo "$PY"
          pytest
        env: {PY: '${{ matrix.py }}', URL: 'db://u:${{ secrets.PG }}@h'}
      - run: echo ${{ env.IMAGE }} ${{ env.REGISTRY }} ${{ env.LATER }} ${{ hashFiles('a', 'b') }}
      - if: failure()
        run: echo ${{ job.status }}
  dynamic:
    needs: changes
    strategy: {matrix: {v: '${{ fromJSON(needs.changes.outputs.versions) }}'}}
    runs-on: x
    steps: [{run: 'echo ${{ matrix.v }}'}]
  deploy:
    needs: [test]
    if: github.ref == 'refs/heads/main'
    environment: {name: production, url: 'https://${{ steps.d.outputs.host }}/'}
    runs-on: x
    steps: [{id: d, run: './deploy ${{ vars.HOST }}'}]
  rollback:
    needs: dynamic
    if: failure()
    runs-on: x
    steps: [{run: 'echo ${{ needs.dynamic.result }}'}]
  always:
    needs: [deploy, rollback]
    if: always()
    runs-on: x
    steps: [{run: 'echo ${{ needs.deploy.result }}'}]
  never:
    if: github.event_name == 'release'
    runs-on: x
    steps: [{run: 'true'}]
  behind-never:
    needs: never
    runs-on: x
    steps: [{run: 'true'}]
  beside-never:
    needs: never
    if: always()
    runs-on: x
    steps: [{run: 'echo ${{ needs.never.result }}'}]
"""


def schema(w, part="plan"):
    text = json.loads((w.project / "runner/cli/plan/plan.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(text)
    del text["oneOf"]  # the message about the part is clearer than one about both
    text["$ref"] = f"#/$defs/{part}"
    return jsonschema.Draft202012Validator(text)


def plan(w, *args, code=0, part="plan", **more):
    """The document of a plan, held against the published schema."""
    r = w.ostler_call("plan", *args, "--json", **more)
    r.equal("exit code", r.code, code)
    document = json.loads(r.out)
    for e in schema(w, part).iter_errors(document):
        check(False, f"{list(e.absolute_path)}: {e.message}\n{r}")
    return document


def jobs_of(document, at=0):
    return {job["id"]: job for job in document["workflows"][at]["jobs"]}


def steps_of(job, at=0):
    return job["configurations"][at]["steps"]


def equal(what, got, wanted):
    check(got == wanted, f"{what}: {got!r}, not {wanted!r}")


@case()
def verdicts_stages_and_what_waits_for_what(w):
    w.workflow(CI)
    jobs = jobs_of(plan(w))
    equal("verdicts", {i: j["verdict"] for i, j in jobs.items()}, {
        "changes": "runs", "test": "unknown", "dynamic": "runs", "deploy": "unknown", "rollback": "after-failure",
        "always": "runs", "never": "skipped", "behind-never": "skipped", "beside-never": "runs"})
    equal("stages", {i: j["stage"] for i, j in jobs.items()}, {
        "changes": 0, "never": 0, "test": 1, "dynamic": 1, "behind-never": 1, "beside-never": 1, "deploy": 2,
        "rollback": 2, "always": 3})
    equal("the order", [j["stage"] for j in jobs.values()], sorted(j["stage"] for j in jobs.values()))
    equal("why", jobs["behind-never"]["why"], "needs never, which is skipped")
    equal("why", jobs["deploy"]["why"], "needs test, which may be skipped")
    check("configurations" not in jobs["never"], "a job that is skipped has none")
    equal("a result that is certain", steps_of(jobs["beside-never"])[0]["run"], "echo skipped")
    equal("a result that is not", steps_of(jobs["always"])[0]["run"], {"unknown": "echo ‹known after job deploy›"})


@case()
def conditions_show_the_values_they_saw(w):
    w.workflow(CI)
    jobs = jobs_of(plan(w, "--ref", "refs/heads/topic", "--no-filter"))
    cond = jobs["deploy"]["if"]
    equal("written", cond["expression"], "github.ref == 'refs/heads/main'")
    equal("saw", cond["saw"], [{"expression": "github.ref", "value": "refs/heads/topic"}])
    equal("verdict", (cond["verdict"], cond["holds"]), ("skipped", False))
    cond = jobs["test"]["if"]
    equal("saw", cond["saw"], [{"expression": "needs.changes.outputs.api", "unknown": "‹known after job changes›"}])
    equal("verdict", (cond["verdict"], cond["holds"]), ("unknown", None))
    cond = jobs["rollback"]["if"]
    equal("saw", cond["saw"], [{"expression": "failure()", "value": False, "assumed": True}])
    equal("verdict", cond["verdict"], "after-failure")


@case()
def steps_are_resolved_as_far_as_that_goes(w):
    w.workflow(CI)
    document = plan(w)
    jobs = jobs_of(document)
    test = jobs["test"]
    equal("configurations", [c["name"] for c in test["configurations"]], ["test 3.11", "test 3.12", "test 3.13"])
    equal("matrix", test["configurations"][2]["matrix"], {"py": "3.13", "late": True})
    equal("limits", (test["fail_fast"], test["max_parallel"]), (False, 2))
    equal("forgiven", [c["continue_on_error"] for c in test["configurations"]], [False, False, True])
    equal("env", test["configurations"][0]["env"],
          {"REGISTRY": "ghcr.io", "IMAGE": {"unknown": "ghcr.io/app:‹known after job changes›"}})
    one, two, three = steps_of(test)
    equal("script", one["run"], 'echo "$PY"\npytest\n')
    equal("env", one["env"], {"PY": "3.11", "URL": "db://u:***@h"})
    equal("script", two["run"], {"unknown": "echo ghcr.io/app:‹known after job changes› ghcr.io  ‹hash of a, b›"})
    equal("a step for failures", (three["verdict"], three["run"]),
          ("after-failure", {"unknown": "echo ‹known when it ends›"}))
    dynamic = jobs["dynamic"]["configurations"]
    equal("a matrix that is not known", [c["matrix"] for c in dynamic], [{"unknown": "‹known after job changes›"}])
    equal("its values", dynamic[0]["steps"][0]["run"], {"unknown": "echo ‹known after job changes›"})
    equal("environment", jobs["deploy"]["configurations"][0]["environment"],
          {"name": "production", "url": {"unknown": "https://‹known after step d›/"}})
    equal("not given", document["not_given"], {"secrets": ["PG"], "vars": ["HOST"]})
    flow = document["workflows"][0]
    equal("concurrency", flow["concurrency"], {"group": "ci-refs/heads/main", "cancel_in_progress": False})
    equal("run name", flow["run_name"], {"unknown": "main ‹number of the run›"})


@case()
def what_is_given_is_known_and_secrets_are_masked(w):
    w.workflow(CI)
    r = w.ostler_call("plan", "--json", "--secret", f"PG={TOKEN}", "--var", "HOST=example.org")
    check(TOKEN not in r.out + r.err, str(r))
    document = json.loads(r.out)
    jobs = jobs_of(document)
    equal("not given", document["not_given"], {"secrets": [], "vars": []})
    equal("secret", steps_of(jobs["test"])[0]["env"]["URL"], "db://u:***@h")
    equal("variable", steps_of(jobs["deploy"])[0]["run"], "./deploy example.org")
    for word in ("runs", "name", "script", "e"):  # our own words are no secrets
        jobs = plan(w, "--secret", f"PG={word}")["workflows"][0]["jobs"]
        equal(f"verdict with the secret {word!r}", (jobs[0]["verdict"], steps_of(jobs[0])[0]["kind"]), ("runs", "script"))


@case()
def outputs_that_do_not_wait_are_known_behind_the_job(w):
    w.workflow("""\
on: push
jobs:
  a:
    runs-on: x
    outputs: {fixed: 'v-${{ github.ref_name }}', secret: '${{ secrets.S }}', late: 'x${{ steps.s.outputs.o }}y'}
    steps: [{id: s, run: 'true'}]
  b:
    needs: a
    if: needs.a.outputs.fixed == 'v-main'
    runs-on: x
    steps: [{run: 'echo ${{ needs.a.outputs.fixed }} ${{ needs.a.outputs.late }} [${{ needs.a.outputs.secret }}]'}]
""")
    jobs = jobs_of(plan(w, "--secret", f"S={TOKEN}"))
    equal("verdict", jobs["b"]["verdict"], "runs")
    equal("script", steps_of(jobs["b"])[0]["run"], {"unknown": "echo v-main x‹known after job a›y []"})


@case()
def steps_see_those_before_them(w):
    w.workflow("""\
on: push
jobs:
  a:
    runs-on: x
    steps:
      - {id: skipped, if: false, run: 'true'}
      - {id: made, run: 'echo A=1 >> $GITHUB_ENV'}
      - {if: steps.skipped.outcome == 'skipped', run: 'echo [${{ steps.skipped.outputs.x }}]'}
      - {if: steps.made.outcome == 'success', run: 'echo ${{ steps.made.outputs.x }} ${{ steps.made.outcome }}'}
      - {if: steps.made.outputs.x == 'y', run: 'echo ${{ env.A }} ${{ env.B }}', env: {B: b}}
      - {if: always() && steps.made.conclusion == 'failure', run: 'true'}
      - {if: "runner.os == 'Windows'", run: 'true'}
      - {if: success(), run: 'true'}
      - {if: cancelled(), run: 'true'}
""")
    steps = steps_of(jobs_of(plan(w))["a"])
    equal("verdicts", [s["verdict"] for s in steps],
          ["skipped", "runs", "runs", "runs", "unknown", "after-failure", "skipped", "runs", "after-failure"])
    equal("scripts", [s["run"] for s in steps[2:5]],
          ["echo []", {"unknown": "echo ‹known after step made› ‹known after step made›"},
           {"unknown": "echo ‹set by an earlier step› b"}])


@case()
def composite_actions_of_the_tree_are_opened(w):
    w.write(".github/actions/greet/action.yml", """\
name: greet
description: says it
inputs: {who: {default: world}, loud: {default: 'no'}}
outputs:
  said: {value: 'hello ${{ inputs.who }}'}
  time: {value: '${{ steps.t.outputs.time }}'}
runs:
  using: composite
  steps:
    - {id: t, shell: bash, run: 'echo ${{ inputs.who }}'}
    - {if: inputs.loud == 'yes', shell: bash, run: 'echo LOUD'}
""")
    w.workflow("""\
on: push
jobs:
  a:
    runs-on: x
    steps:
      - {id: g, uses: ./.github/actions/greet, with: {who: '${{ github.ref_name }}'}}
      - run: echo ${{ steps.g.outputs.said }} at ${{ steps.g.outputs.time }}
      - uses: ./not/here
""")
    one, two, three = steps_of(jobs_of(plan(w))["a"])
    equal("kind", (one["kind"], one["with"]), ("composite", {"who": "main", "loud": "no"}))
    equal("inside", [(s["verdict"], s["run"]) for s in one["steps"]], [("runs", "echo main"), ("skipped", "echo LOUD")])
    equal("outputs", two["run"], {"unknown": "echo hello main at ‹known after step g›"})
    check("not/here" in three["why"] and three["verdict"] == "runs", str(three))


@case()
def calls_are_opened_with_what_they_are_given(w):
    w.workflow("""\
on:
  workflow_call:
    inputs: {tag: {type: string, required: true}, n: {type: number, default: 3}, flag: {type: boolean}}
    secrets: {KEY: {required: true}}
    outputs:
      late: {value: '${{ jobs.a.outputs.o }}'}
      fixed: {value: 'f-${{ inputs.n }}'}
jobs:
  a:
    if: inputs.n == 3
    runs-on: x
    outputs: {o: '${{ steps.s.outputs.v }}'}
    steps: [{id: s, run: 'echo ${{ inputs.tag }} ${{ secrets.KEY }} ${{ inputs.flag }}'}]
""", "called.yml")
    w.workflow("""\
on: push
jobs:
  first: {runs-on: x, outputs: {t: '${{ steps.s.outputs.t }}'}, steps: [{id: s, run: 'true'}]}
  call:
    needs: first
    strategy: {matrix: {os: [deb, rpm]}}
    uses: ./.github/workflows/called.yml
    with: {tag: '${{ matrix.os }}-${{ needs.first.outputs.t }}', flag: '${{ needs.first.outputs.t == 1 }}'}
    secrets: {KEY: '${{ secrets.DEPLOY }}'}
  last: {needs: call, runs-on: x, steps: [{run: 'echo ${{ needs.call.outputs.late }} ${{ needs.call.outputs.fixed }}'}]}
""")
    jobs = jobs_of(plan(w, w.repo / ".github/workflows/ci.yml"))
    calls = [c["call"] for c in jobs["call"]["configurations"]]
    equal("inside", [c["jobs"][0]["configurations"][0]["steps"][0]["run"]["unknown"] for c in calls],
          [f"echo {os}-‹known after job first› *** ‹known after job first›" for os in ("deb", "rpm")])
    equal("names", [c["jobs"][0]["configurations"][0]["name"] for c in calls], ["call (deb) / a", "call (rpm) / a"])
    equal("secrets", calls[0]["secrets"], ["KEY"])
    equal("behind it", steps_of(jobs["last"])[0]["run"], {"unknown": "echo ‹known after job call› f-3"})


@case()
def plugins_say_what_they_would_do(w):
    w.write("a.sh", "#!/bin/sh\necho $x\n")
    w.steps("- uses: ostler/lint@v1\n  with: {linters: shellcheck}\n- uses: ostler/lint@v1\n  if: false\n")
    document = plan(w)
    one, two = steps_of(next(iter(jobs_of(document).values())))
    equal("kind", (one["kind"], one["plugin"]["id"]), ("plugin", "ostler/lint"))
    check(any(line["verb"] == "lint" and "shellcheck" in line["object"] for line in one["plugin"]["plan"]), str(one))
    check("no_plan" not in one["plugin"] and one["with"]["linters"] == "shellcheck", str(one))
    equal("a step that is skipped is not asked", two["plugin"]["plan"], [])


@case()
def a_plugin_that_cannot_say_is_no_error(w):
    w.steps("- uses: ostler/lint@v1\n  with: {max-warnings: many}\n"
            "- {id: n, run: 'true'}\n"
            "- uses: ostler/lint@v1\n  with: {max-warnings: '${{ steps.n.outputs.n }}'}\n")
    one, _, three = steps_of(next(iter(jobs_of(plan(w)).values())))
    check("max-warnings" in one["plugin"]["no_plan"], str(one))
    check(three["plugin"]["no_plan"].startswith("some of its inputs are not known yet"), str(three))


@case()
def a_plugin_without_a_plan_is_recorded_if_it_allows_that(w):
    w.plugin("recorded")
    w.plugin("good")
    w.steps("- uses: test/recorded@v1\n- uses: test/good@v1\n")
    one, two = steps_of(next(iter(jobs_of(plan(w)).values())))
    equal("recorded", [(line["verb"], line["object"], line.get("detail")) for line in one["plugin"]["plan"]],
          [("output", "fixed", "one"), ("exec", "touch 'made it'", None), ("env", "RECORDED", "yes")])
    equal("no plan", (two["plugin"]["plan"], two["plugin"]["no_plan"]), ([], "it has no plan phase"))
    check(not (w.repo / "made it").exists(), "the plan did something")


@case()
def transfers_are_recorded_and_nobody_is_asked(w):
    """Nothing is known of what would be found: all that comes after it may depend on it."""
    w.plugin("blobs")
    w.plugin("web")
    w.steps("""
        - {uses: test/web@v1, with: {server: 'http://127.0.0.1:1'}}
        - uses: test/blobs@v1
          with:
            do: |
              restore|key,other|deps
              save|key|deps
              list
              upload|name|out|=/x|6
              remove|name
        """)
    web, one = steps_of(next(iter(jobs_of(plan(w)).values())))
    equal("requests", [(line["verb"], line["object"], line["detail"]) for line in web["plugin"]["plan"][:2]],
          [("http", "http://127.0.0.1:1/header", "GET"), ("http", "http://127.0.0.1:1/mirror", "POST")])
    equal("recorded", [(line["verb"], line["object"], line.get("detail")) for line in one["plugin"]["plan"]],
          [("cache-restore", "key", "deps"), ("cache-save", "key", "deps"), ("artifact-list", "", None),
           ("artifact-upload", "name", one["plugin"]["plan"][3]["detail"]), ("artifact-remove", "name", None)])


@case()
def a_run_does_what_the_plan_says(w):
    path = w.workflow("""\
on: push
env: {TOP: t}
jobs:
  a:
    runs-on: x
    outputs: {o: '${{ steps.s.outputs.o }}', k: 'k-${{ github.ref_name }}'}
    steps:
      - {id: s, run: 'echo o=x >> "$GITHUB_OUTPUT"'}
      - {if: github.ref == 'refs/heads/other', run: echo never}
      - {if: failure(), run: echo never}
      - run: echo "${{ env.TOP }} ${{ env.IN }} ${{ join(fromJSON('[1, 2]')) }}"
        env: {IN: '${{ github.event_name }}-in'}
  b:
    needs: a
    if: needs.a.outputs.k == 'k-main'
    strategy: {matrix: {n: [1, 2]}}
    runs-on: x
    steps: [{run: 'echo ${{ matrix.n }} of ${{ strategy.job-total }} ${{ needs.a.outputs.k }}'}]
  c: {needs: a, if: needs.a.outputs.k == 'other', runs-on: x, steps: [{run: echo never}]}
  d: {needs: c, runs-on: x, steps: [{run: echo never}]}
  e: {needs: [b, d], if: failure(), runs-on: x, steps: [{run: echo never}]}
  f: {needs: [b, d], if: "!cancelled()", runs-on: x, steps: [{run: 'echo ${{ needs.d.result }}'}]}
""")
    planned = jobs_of(plan(w))
    r = w.run(path, code=0)
    keys = {c["key"]: job["verdict"] for job in planned.values() for c in job.get("configurations", [job])}
    equal("jobs", {k: v == "runs" for k, v in keys.items()}, {k: r.job(k)["result"] == "success" for k in keys})
    for job in planned.values():
        for config in job.get("configurations", []):
            if job["verdict"] != "runs":
                continue
            wanted = [s["run"] for s in config["steps"] if s["verdict"] == "runs"]
            log = "".join(e.get("text", "") for e in r.of("log") if e.get("job") == config["key"])
            equal(f"scripts of {config['key']}", [text for text in wanted if f"\x1b[36;1m{text}\x1b[0m" not in log], [])


@case()
def workflows_that_stay_away_say_why(w):
    w.write(".github/workflows/a.yml", "on: {push: {branches: [release]}}\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n")
    w.write(".github/workflows/b.yml", "on: issues\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n")
    w.write(".github/workflows/c.yml", "on: {push: {paths: [src/**]}}\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n")
    w.commit("three")
    a, b, c = plan(w)["workflows"]
    equal("a", (a["listens"], a["starts"], a["filter"], a["line"]), (True, False, "branches", 1))
    check("release" in a["reason"] and "jobs" not in a, str(a))
    equal("b", (b["listens"], b["starts"], b["filter"]), (False, False, "on"))
    check(c["starts"] and "--changed" in c["not_asked"], str(c))
    c = plan(w, "--changed", "docs/x")["workflows"][2]
    equal("c", (c["starts"], c["filter"]), (False, "paths"))
    r = w.ostler_call("plan", "--event", "release")
    r.equal("exit code", r.code, 2)
    r.shows("no workflow listens to the event 'release'")
    named = plan(w, w.repo / ".github/workflows/a.yml")["workflows"][0]
    check(named["starts"] and "release" in named["reason"], str(named))


@case()
def before_asks_git_what_changed(w):
    w.workflow("on: {push: {paths: [src/**]}}\njobs: {a: {runs-on: x, steps: [{run: 'echo ${{ github.event.head_commit.message }}'}]}}\n")
    first = w.commit("first")
    w.write("docs/a", "1\n")
    w.commit("only docs")
    flow = plan(w)["workflows"][0]
    equal("without it the commit is not read", flow["jobs"][0]["configurations"][0]["steps"][0]["run"],
          {"unknown": "echo ‹in the commit›"})
    flow = plan(w, "--before", first)["workflows"][0]
    equal("starts", (flow["starts"], flow["filter"]), (False, "paths"))
    w.write("src/a", "1\n")
    w.commit("and src")
    flow = plan(w, "--before", first)["workflows"][0]
    equal("script", flow["jobs"][0]["configurations"][0]["steps"][0]["run"], "echo and src")


@case()
def schedules_are_listed_as_they_fire(w):
    w.workflow(CI)
    document = plan(w, "--next", "3", "--at", "2026-12-30T12:00Z", part="firings")
    equal("next", [(f["at"], f["schedule"], f.get("timezone")) for f in document["next"]],
          [("2026-12-31T04:30Z", "30 5 * * 1-5", "Europe/Berlin"), ("2027-01-01T00:00Z", "0 0 1 1 *", None),
           ("2027-01-01T04:30Z", "30 5 * * 1-5", "Europe/Berlin")])
    r = w.ostler_call("plan", "--next", "1", "--at", "2026-12-30T12:00Z")
    r.equal("text", r.out, "2026-12-31T04:30Z  .github/workflows/ci.yml:7  30 5 * * 1-5  Europe/Berlin\n")
    flow = plan(w, "--event", "schedule", "--at", "2026-12-31T04:30Z")["workflows"][0]
    equal("schedule", (flow["starts"], flow["schedule"]), (True, "30 5 * * 1-5"))


@case()
def graphs_are_what_their_programs_read(w):
    w.workflow(CI.replace("  changes:\n", "  changes:\n    name: 'say \"x\" <#&'\n", 1))
    dot = w.ostler_call("plan", "--graph", "dot").out
    check(dot.startswith("digraph plan {") and dot.count("{") == dot.count("}"), dot)
    ids = dict(re.findall(r"(j\d+) \[label=\"([a-z-]+)", dot))
    edges = {(ids[a], ids[b]) for a, b in re.findall(r"(j\d+) -> (j\d+);", dot)}
    equal("edges", edges, {("changes", "test"), ("changes", "dynamic"), ("test", "deploy"), ("dynamic", "rollback"),
                           ("deploy", "always"), ("rollback", "always"), ("never", "behind-never"),
                           ("never", "beside-never")})
    mermaid = w.ostler_call("plan", "--graph", "mermaid").out
    equal("mermaid", len(re.findall(r"^ +j\d+ --> j\d+$", mermaid, re.M)), len(edges))
    ascii_ = w.ostler_call("plan", "--graph", "ascii").out
    check(ascii_.isascii() and "| after deploy, rollback |" in ascii_, ascii_)
    for line in ascii_.splitlines():
        check(len(line) <= 110, line)


@case()
def people_read_it_on_a_terminal_and_in_a_pipe(w):
    w.workflow(CI)
    r = w.ostler_call("plan", env={"LC_ALL": "C.UTF-8"})
    r.equal("exit code", r.code, 0)
    for wanted in ("✓ .github/workflows/ci.yml starts", "  stage 2",
                   "if github.event_name == 'release' is false: github.event_name is 'push'",
                   "if needs.changes.outputs.api == 'true' is not known yet: needs.changes.outputs.api is ‹known after job changes›",
                   "! rollback", "if failure() holds only after a failure or a cancel",
                   "secrets not given (--secret): PG", "vars not given (--var): HOST"):
        check(wanted in r.out, f"{wanted!r} is missing\n{r}")
    check("\x1b" not in r.out, "colours in a pipe")
    check(w.ostler_call("plan", env={"LC_ALL": "C", "LANG": "C"}).out.isascii(), "beyond ASCII where that cannot be shown")
    verbose = w.ostler_call("plan", "-v", env={"LC_ALL": "C.UTF-8"}).out
    check(verbose.count("pytest") == 3, "every configuration with its script")


@case()
def texts_of_a_workflow_cannot_move_the_cursor(w):
    w.workflow('on: push\njobs: {a: {name: "x\\e[2Jy\\rz", runs-on: x, steps: [{name: "\\a\\e]0;t\\a", run: "true"}]}}\n')
    r = w.ostler_call("plan", env={"CLICOLOR_FORCE": "1", "TERM": "xterm", "LC_ALL": "C.UTF-8"})
    check("\x1b[2J" not in r.out and "\x1b]" not in r.out and "\a" not in r.out and "\r" not in r.out, repr(r.out))


@case()
def what_cannot_work_is_in_the_plan_and_in_the_exit_code(w):
    w.workflow("""\
on: push
jobs:
  bad:
    strategy: {matrix: '${{ fromJSON(''{"a": 1}'') }}'}
    runs-on: x
    steps: [{run: 'true'}]
  worse:
    runs-on: x
    steps: [{run: "echo ${{ fromJSON('{') }}"}]
  good: {runs-on: x, steps: [{run: 'true'}]}
""")
    document = plan(w, code=1)
    jobs = jobs_of(document)
    equal("verdicts", (jobs["bad"]["verdict"], jobs["good"]["verdict"]), ("error", "runs"))
    check("strategy" in jobs["bad"]["error"], str(jobs["bad"]))
    check("error" in steps_of(jobs["worse"])[0]["run"], str(jobs["worse"]))


@case()
def wrong_calls_are_told(w):
    w.workflow(CI)
    for args, wanted in ((("--graph", "png"), "--graph is 'mermaid', 'dot' or 'ascii', not 'png'"),
                         (("--graph", "dot", "--json"), "--graph and --json: one of them"),
                         (("--next", "0"), "--next"), (("--nope",), "unknown option '--nope'"),
                         (("--job", "tset"), "no job 'tset'"), (("nowhere.yml",), "nowhere.yml")):
        r = w.ostler_call("plan", *args)
        r.equal(f"exit code of {args}", r.code, 2)
        check(wanted in r.err and not r.out, str(r))
    r = w.ostler_call("run", "--graph", "dot")
    check(r.code == 2 and "--graph goes with 'ostler plan'" in r.err, str(r))


@case()
def run_with_plan_is_a_plan(w):
    w.workflow(CI)
    one = w.ostler_call("plan")
    for option in ("--plan", "--dry-run"):
        two = w.ostler_call("run", option)
        equal(option, (two.code, two.out), (one.code, one.out))
    check(not list(w.state.glob("runs/*")), "a plan left a run")


def blocks(text, head):
    """The indented blocks of TEXT that follow a line which begins with HEAD, without the indent."""
    lines, found = text.splitlines(), []
    for at, line in enumerate(lines):
        if not line.startswith(head):
            continue
        block = []
        for one in lines[at + 1:]:
            if one.strip() and not one.startswith("    "):
                break
            block.append(one[4:])
        found.append("\n".join(block).strip("\n") + "\n")
    return found


@case()
def the_manual_shows_what_a_plan_really_says(w):
    text = (w.project / "runner/cli/plan/cmd_plan.md").read_text()
    w.workflow(blocks(text, "With `.github/workflows/ci.yml`")[0])
    w.workflow("name: Docs\non: {push: {paths: ['docs/**']}}\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n", "docs.yml")
    w.write("a.sh", "#!/bin/sh\necho hi\n")
    w.commit("as in the manual")
    for command, wanted in (("", blocks(text, "    $ ostler plan --changed api/x.py\n".rstrip())[0]),
                            ("--graph ascii", blocks(text, "    $ ostler plan --changed api/x.py --graph")[0])):
        r = w.ostler_call("plan", "--changed", "api/x.py", *command.split(), env={"LC_ALL": "C.UTF-8"})
        out = re.sub(r"at [0-9a-f]{7}, by tess-ter", "at 6f1c2d8, by ada-lovelace", r.out)
        equal(command or "plan", out, wanted)


WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
PURE_FILES = ("/dev/null", "/dev/tty", "/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/setgroups")


def traced(w, *args, cwd=None):
    """The system calls of a plan with its plugins, by all its processes."""
    log = w.root / "trace"
    argv = ["strace", "-f", "-qq", "-e", "signal=none", "-o", str(log), "-e",
            "trace=execve,execveat,connect,bind,socket,openat,open,creat,mkdir,mkdirat,unlink,unlinkat,rename,renameat,"
            "renameat2,link,linkat,symlink,symlinkat,chmod,fchmodat,chown,fchownat,truncate,utimensat,mknodat",
            str(w.ostler), "plan", *map(str, args)]
    # the leak checker cannot work where another one traces
    env = {**w.env, "ASAN_OPTIONS": w.env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
    done = subprocess.run(argv, cwd=cwd or w.repo, env=env, capture_output=True, text=True, timeout=60)
    return done, [line for line in log.read_text().splitlines() if " = -1 " not in line]


def check_pure(lines, text):
    starts = [line for line in lines if " execve" in line]
    check(len(starts) == 1, "a program was started:\n" + "\n".join(starts))
    for line in lines:
        call = line.split("(", 1)[0].split()[-1]
        if call in ("open", "openat"):
            check(not WRITES.search(line) or any(f'"{f}"' in line for f in PURE_FILES), f"{line}\n{text}")
        else:
            check(call == "execve" or "resumed" in line, f"{line}\n{text}")


@case(limit=120)
def each_pipeline_has_a_plan_and_nothing_is_done_for_it(w):
    pipelines = sorted((w.project / "pipelines").rglob("*.yml"))
    pipelines = [p for p in pipelines if "node_modules" not in p.parts and re.search(r"^on:", p.read_text(), re.M)]
    check(len(pipelines) >= 2, str(pipelines))
    for path in pipelines:
        done, lines = traced(w, path, "--event", "push", "--json")
        equal(f"exit code of {path}", done.returncode, 0)
        for e in schema(w).iter_errors(json.loads(done.stdout)):
            check(False, f"{path}: {list(e.absolute_path)}: {e.message}")
        check_pure(lines, path)


@case()
def a_whole_repository_is_planned_without_doing_anything(w):
    w.workflow(CI)
    w.write("a.sh", "echo $x\n")
    w.steps("- uses: ostler/lint@v1\n- uses: actions/checkout@v4\n", name="lint.yml")
    w.commit("both")
    before = {p: p.stat().st_mtime_ns for p in w.repo.rglob("*")}
    done, lines = traced(w)
    equal("exit code", done.returncode, 0)
    check("lint" in done.stdout, done.stdout)
    check_pure(lines, done.stdout)
    equal("the tree", {p: p.stat().st_mtime_ns for p in w.repo.rglob("*")}, before)


@case()
def what_the_store_has_is_opened_and_nothing_is_fetched(w):
    s = githttp.Server(w)
    s.repo("acme/greet", {"action.yml": """
        name: Greet
        inputs: {who: {default: nobody}}
        outputs: {said: {value: 'hello ${{ inputs.who }}'}}
        runs: {using: composite, steps: [{shell: bash, run: 'echo ${{ inputs.who }}'}]}
        """, "sub/action.yml": "name: Sub\ninputs: {n: {default: '1'}}\nruns: {using: node20, main: m.js}\n",
        ".github/workflows/called.yml": """
        on: {workflow_call: {inputs: {word: {type: string}}}}
        jobs: {say: {runs-on: x, steps: [{run: 'echo ${{ inputs.word }}'}]}}
        """}, "v1")
    w.workflow("""
        on: push
        jobs:
          a:
            runs-on: x
            steps:
              - {id: g, uses: acme/greet@v1, with: {who: '${{ github.ref_name }}'}}
              - {uses: acme/greet/sub@v1, if: false}
              - run: echo ${{ steps.g.outputs.said }}
              - {uses: acme/other@v1, if: false}
          b: {uses: acme/greet/.github/workflows/called.yml@v1, with: {word: hi}}
        """)
    r = w.ostler_call("plan")
    check(r.code == 2 and "'acme/greet@v1': it is not in the action store" in r.err, str(r))
    check(s.count("fetch") == 0, s.asked)
    w.workflow("on: push\njobs: {a: {runs-on: x, steps: [{uses: acme/greet@v1}]}}\n", "first.yml")
    w.run(w.repo / ".github/workflows/first.yml", code=0)
    (w.repo / ".github/workflows/first.yml").unlink()
    s.stop()
    jobs = jobs_of(plan(w))
    one, two, three, four = steps_of(jobs["a"])
    equal("a composite", (one["kind"], one["with"], one["steps"][0]["run"]), ("composite", {"who": "main"}, "echo main"))
    equal("a script", (two["kind"], two["with"]), ("javascript", {"n": "1"}))
    equal("its output", three["run"], "echo hello main")
    equal("what is not there", (four["kind"], four["with"]), ("action", {}))
    equal("the call", jobs["b"]["configurations"][0]["call"]["jobs"][0]["configurations"][0]["steps"][0]["run"], "echo hi")
    done, lines = traced(w)
    equal("exit code", done.returncode, 0)
    check_pure(lines, done.stdout)


@case()
def a_plugin_sees_no_secret_of_others(w):
    """The plugin's process is a copy of one that split off before any option was read."""
    w.plugin("spy")
    w.steps("- uses: test/spy@v1\n  with: {own: own-secret-value}\n", name="spy.yml")
    file = w.write("secrets", f"OTHER={TOKEN}\nTHIRD='x {TOKEN} x'\n", 0o600, below=w.root)
    args, env = ["--secret-file", str(file)], {}
    if b"__asan_init" not in (w.build / "ostler").read_bytes():  # which keeps copies of its own
        args, env = args + ["--secret", f"FOURTH=y{TOKEN}"], {"FROM_ENV": TOKEN + "-env"}
    r = w.ostler_call("plan", "--json", *args, env=env)
    r.equal("exit code", r.code, 0)
    one = steps_of(next(iter(jobs_of(json.loads(r.out)).values())))[0]
    equal("in its memory", {line["verb"]: line["object"] for line in one["plugin"]["plan"]},
          {"own": "found", "others": "not found"})
