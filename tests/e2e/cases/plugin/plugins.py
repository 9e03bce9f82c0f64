"""Steps that a plugin serves, good ones and bad ones (plugin-sdk.md 6)."""

import json
import os

import githttp
from case import case
from world import check

SHORT = {"OSTLER_TEST_MINUTE_MS": "500"}  # a minute's length, in milliseconds

@case()
def a_plugin_is_a_step_like_any_other(w):
    w.plugin("good")
    flow = w.steps("""
        - {name: hi, id: hi, uses: test/good@v1, with: {who: Ann, command: 'echo "in the job: $PWD"'}}
        - {name: after, run: 'echo "<${{ steps.hi.outputs.greeting }}> $GREETED"'}
        """)
    r = w.run(flow, code=0).says("Hello, Ann.", "in the job: ", step="hi").says("<Hello, Ann.> Ann", step="after")
    r.says("test/good@v1", "1.0.0", "sha256:", step="hi")


@case()
def inputs_are_checked_before_anything_runs(w):
    w.plugin("trouble")
    flow = w.steps("- {name: t, uses: test/trouble@v1, with: {how: dance}}")
    w.run(flow, code=1).says("how", "dance", step="t").never_says("about to").concluded(t="failure")
    w.run(w.steps("- {name: t, uses: test/trouble@v1}"), code=1).says("how", step="t")


@case()
def an_unknown_version_is_not_served(w):
    w.plugin("good")
    r = w.run(w.steps("- {name: t, uses: test/good@v2}"), "--offline")
    check(r.code in (1, 2, 4), f"it ran\n{r}")
    r.shows("test/good@v2")


@case()
def who_serves_is_the_users_choice(w):
    """A plugin where there is one, unless --plugins says otherwise, of all actions or of one."""
    w.plugin("good")
    s = githttp.Server(w)
    s.repo("test/good", {"action.yml": """
        name: Good
        inputs: {who: {default: nobody}}
        runs: {using: composite, steps: [{shell: bash, run: "echo the action greets ${{ inputs.who }}"}]}
        """}, "v1")
    flow = w.steps("- {name: hi, uses: test/good@v1, with: {who: Ann}}")

    def serves(text, *options):
        w.run(flow, "--action-source", s.url, *options, code=0).says(text, step="hi")

    plugin, action = "Hello, Ann.", "the action greets Ann"
    serves(plugin)
    serves(plugin, "--plugins", "only")
    serves(action, "--plugins", "never")
    serves(action, "--plugins", "Test/Good=never")
    serves(plugin, "--plugins", "never", "--plugins", "test/good=installed")
    for options, kind in (((), "plugin"), (("--plugins", "never"), "composite")):
        plan = w.ostler_call("plan", flow, "--json", *options).exits(0)
        step, = json.loads(plan.out)["workflows"][0]["jobs"][0]["configurations"][0]["steps"]
        check(step["kind"] == kind, f"{step['kind']} with {options}\n{plan}")
    r = w.run(w.steps("- {name: hi, uses: test/other@v1}"), "--action-source", s.url, "--plugins", "only", code=1)
    r.shows("no installed plugin serves 'test/other@v1'", "no action may be fetched")
    w.run(flow, "--plugins", "maybe").complains("--plugins is 'installed', 'never' or 'only'")
    w.run(flow, "--plugins", "good@v1=never").complains("without a version")


def trouble(w, how, *patterns, **step):
    """The step fails with these words; the job, the runner and the next step go on."""
    w.plugin("trouble")
    more = "".join(f", {k.replace('_', '-')}: {v}" for k, v in step.items())
    flow = w.steps(f"""
        - {{name: bad, uses: test/trouble@v1, with: {{how: '{how}'}}{more}}}
        - {{name: default, run: echo never}}
        - {{name: after, if: always(), run: echo the job goes on}}
        """)
    r = w.run(flow, env=SHORT, code=1, limit=45).concluded(bad="failure", default="skipped", after="success")
    return r.says(*patterns, step="bad").says("the job goes on", step="after")


@case()
def a_null_pointer_fails_its_step_only(w):
    r = trouble(w, "null", "test/trouble 1.2.3 crashed in main (SIGSEGV")
    check("trouble.so+0x" in r.log("bad"), f"nobody says where\n{r}")


@case()
def an_abort_fails_its_step_only(w):
    trouble(w, "abort", "test/trouble 1.2.3 crashed in main (SIGABRT")


@case()
def a_stack_overflow_fails_its_step_only(w):
    trouble(w, "stack", "test/trouble 1.2.3 crashed in main (SIGSEGV")


@case(limit=90)
def an_endless_loop_meets_its_time_limit(w):
    r = trouble(w, "loop", "about to: loop", "The action 'bad' has timed out after 2 minutes.", timeout_minutes=2)
    r.took_less(25)


@case(limit=90)
def a_flood_of_log_lines_is_held_back(w):
    """The log is cut or the time limit ends it; the runner's memory stays what it is."""
    w.plugin("trouble")
    for how in ("flood", "flood-stdout"):
        flow = w.steps(f"""
            - {{name: bad, timeout-minutes: 2, uses: test/trouble@v1, with: {{how: {how}}}}}
            - {{name: after, if: always(), run: echo the job goes on}}
            """)
        # Plain, so that this harness need not hold gigabytes of events.
        r = w.plain(flow, env=SHORT, limit=60, clean=False)
        check(r.code == 1, f"{how}: exit code {r.code}\n{r}")
        r.shows("the job goes on|after", "limit|timed out")


@case()
def a_bug_in_a_plugin_is_named_as_one(w):
    trouble(w, "undeclared", "test/trouble asked for the undeclared input 'tagz'")
    w.env.pop("OSTLER_PLUGIN_PATH")
    (w.root / "plugins").rename(w.root / "old")
    trouble(w, "output", "unheard-of")


@case()
def a_plugin_that_says_it_failed_gives_its_reason(w):
    trouble(w, "fail", "as it was told")


@case()
def a_plugin_that_ends_without_a_word_has_failed(w):
    trouble(w, "exit", "test/trouble")


@case()
def a_daemon_of_a_plugin_dies_with_it(w):
    w.plugin("trouble")
    r = w.run(w.steps("- {name: t, uses: test/trouble@v1, with: {how: daemon}}\n- {name: after, if: always(), run: echo after}"), limit=30)
    r.says("after", step="after")


@case()
def continue_on_error_holds_for_a_crash(w):
    w.plugin("trouble")
    flow = w.steps("""
        - {name: bad, continue-on-error: true, uses: test/trouble@v1, with: {how: 'null'}}
        - {name: after, run: echo after}
        """)
    r = w.run(flow, code=0).says("after", step="after")
    r.equal("outcome", r.step("bad")["outcome"], "failure")


@case()
def the_commands_show_what_is_installed(w):
    w.plugin("good")
    w.ostler_call("plugin", "list").exits(0).shows(r"test/good\s+1\.0\.0")
    w.ostler_call("plugin", "info", "test/good").exits(0).shows("who", "greeting", "[0-9a-f]{64}")
    w.ostler_call("plugin", "run", str(w.plugin_objects / "good.so"), "--with", "who=Bob").exits(0).shows("Hello, Bob.")
    w.ostler_call("plugin", "info", "test/nothing").complains("test/nothing")
    w.ostler_call("plugin", "install", str(w.repo / "README.md"), "--to", str(w.root / "plugins")).complains("README.md", code=2)


@case()
def a_plugin_that_others_can_write_is_not_loaded(w):
    w.plugin("good")
    place = next((w.root / "plugins").rglob("good.so"))
    os.chmod(place, 0o666)
    r = w.run(w.steps("- {name: t, uses: test/good@v1}"))
    check(r.code != 0, f"it was loaded\n{r}")
    r.shows(r"good\.so.*chmod|chmod.*good\.so")


@case()
def a_plugin_that_was_changed_is_not_loaded(w):
    w.plugin("good")
    place = next((w.root / "plugins").rglob("good.so"))
    os.chmod(place, 0o644)
    with open(place, "ab") as f:
        f.write(b"more")
    r = w.run(w.steps("- {name: t, uses: test/good@v1}"))
    check(r.code != 0, f"it was loaded\n{r}")
    r.never_says("Hello").shows("sha256|hash|record")


@case()
def no_context_gives_the_token_away(w):
    w.plugin("contexts")
    names = {"github.sha": "something", "github.event": "something", "runner": "something", "github.token": "nothing",
             "GitHub.Token": "nothing", "github": "nothing", "github.*": "nothing", "secrets": "nothing", "secrets.GITHUB_TOKEN": "nothing"}
    flow = w.steps("- name: look\n  uses: test/contexts@v1\n  with:\n    names: |\n" + "".join(f"      {name}\n" for name in names))
    w.write("secrets", "GITHUB_TOKEN=abc-of-the-tests\n", mode=0o600, below=w.root)
    r = w.run(flow, "--secret-file", w.root / "secrets", code=0)
    r.says(*(f"{name}: {there}" for name, there in names.items()), step="look")


@case()
def lint_finds_a_planted_mistake(w):
    """The first-party plugin, served from beside the runner, over a script with a known fault."""
    w.write("bad.sh", "#!/bin/sh\necho $1\n")
    w.write("good.sh", "#!/bin/sh\necho \"$1\"\n")
    w.commit("scripts")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: lint, id: lint, uses: ostler/lint@v1, with: {linters: shellcheck}}
        - {name: count, if: always(), run: 'echo "errors <${{ steps.lint.outputs.errors }}> warnings <${{ steps.lint.outputs.warnings }}>"'}
        """)
    r = w.run(flow, limit=60)
    found = [a for a in r.of("annotation") if a.get("file") == "bad.sh" and a.get("line") == 2]
    check(found, f"no annotation at bad.sh:2\n{r}")
    check("SC2086" in str(found), f"the rule is not named: {found}")
    check(not [a for a in r.of("annotation") if a.get("file") == "good.sh"], f"good.sh has annotations\n{r}")
    check(r.of("summary"), f"no table in the summary\n{r}")


@case()
def a_linter_that_is_named_and_missing_says_how_to_get_it(w):
    w.write("Dockerfile", "FROM scratch\n")
    w.commit("image")
    flow = w.steps("- uses: actions/checkout@v4\n- {name: lint, uses: ostler/lint@v1, with: {linters: hadolint}}")
    r = w.run(flow, code=1).concluded(lint="failure").says("hadolint", step="lint")
    check("install" in r.log("lint").lower(), f"nobody says how to install it\n{r}")
