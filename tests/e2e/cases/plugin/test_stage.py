"""ostler/test on real projects: what it says is what the tools themselves say."""

import json
import re
import shutil
import signal

from case import case
from world import check

SLOW = {"quick": False, "limit": 240}

# Runs what each tool prints as its totals, then the stage; the flaky test has its mark taken away between the two.
STAGE = """
    - uses: actions/checkout@v4
    - {{name: prepare, run: "{prepare}"}}
    - name: itself
      run: |
        {itself} || true
        rm -f flaky-mark */flaky-mark
    - {{name: stage, id: stage, uses: ostler/test@v1, continue-on-error: true, with: {{{given}, retries: 1, artifact: results}}}}
    - name: outputs
      run: |
        cat <<'END'
        ${{{{ toJSON(steps.stage.outputs) }}}}
        END
        cat '${{{{ steps.stage.outputs.report }}}}'
    """


def ready(w):
    w.env["XDG_CACHE_HOME"] = str(w.root / "cache")


def tools(w, name):
    """A tool cache in which NAME is what tests/run.sh has fetched."""
    place = w.project / "build" / "tools"
    check((place / f"{name}.complete").exists(), f"there is no {name} in {place}: tests/run.sh fetches it")
    w.env["RUNNER_TOOL_CACHE"] = str(place)


def outputs(r, step="outputs"):
    log = r.log(step)
    return json.loads(log[log.index("{\n"):log.index("\n}") + 2])


def stage(w, given, itself, prepare="true"):
    """Runs it; the outputs, and what the tool printed itself."""
    ready(w)
    w.commit("a project")
    flow = w.steps(STAGE.format(given=given, itself=itself, prepare=prepare))
    r = w.run(flow, "--offline", code=0, limit=200)
    return r, outputs(r), r.log("itself")


def totals(r, out, **wanted):
    got = {name: int(out[name]) for name in ("total", "passed", "failed", "skipped", "flaky")}
    r.equal("totals", got, wanted)
    report = r.log("outputs")
    check(f'<testsuites tests="{wanted["total"]}"' in report, f"the report has other totals\n{report}")
    check("flakyFailure" in report, f"the report knows of no flaky test\n{report}")


def notes(r, level):
    """{title: (file, line)} of the stage's annotations."""
    return {a["title"]: (a.get("file"), a.get("line")) for a in r.of("annotation", level=level) if "title" in a}


# ---- done when 5 of issue 5: Django, Vitest, Go, CTest, criterion ----

@case(**SLOW)
def a_django_project_has_the_totals_that_django_prints(w):
    tools(w, "django")
    w.write("manage.py", """
        import os, sys
        os.environ["DJANGO_SETTINGS_MODULE"] = "conf"
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
        """)
    w.write("conf.py", """
        SECRET_KEY = "tests"
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        """)
    w.write("polls/__init__.py", "")
    w.write("polls/tests.py", '''\
        import os
        import unittest
        from django.test import TestCase


        class Sums(TestCase):
            def test_adds(self):
                """It has a docstring."""
                print("said on stdout")
                self.assertEqual(1 + 1, 2)

            def test_fails(self):
                self.assertEqual(1 + 1, 3)

            @unittest.skip("not today")
            def test_skipped(self):
                pass


        class Stars(TestCase):
            def test_flaky(self):
                if not os.path.exists("flaky-mark"):
                    open("flaky-mark", "w").close()
                    self.fail("no stars tonight")
        ''')
    python = "$RUNNER_TOOL_CACHE/django/bin"
    r, out, said = stage(w, "runner: django", "python manage.py test 2>&1", prepare=f"echo {python} >> $GITHUB_PATH")
    check("Ran 4 tests" in said and "FAILED (failures=2, skipped=1)" in said, f"Django said\n{said}")
    totals(r, out, total=4, passed=2, failed=1, skipped=1, flaky=1)
    r.equal("failed", notes(r, "error").get("polls.tests.Sums > test_fails"), ("polls/tests.py", 13))
    r.equal("flaky", notes(r, "warning").get("flaky: polls.tests.Stars > test_flaky"), ("polls/tests.py", 24))
    r.says("manage.py test -v 2 --noinput polls.tests.Stars.test_flaky polls.tests.Sums.test_fails", step="stage")


@case(**SLOW)
def a_vitest_project_has_the_totals_that_vitest_prints(w):
    tools(w, "vitest")
    w.write("package.json", '{"name": "app", "type": "module", "scripts": {"test": "vitest run"}}\n')
    w.write(".gitignore", "node_modules\n")
    w.write("src/sums.test.ts", """\
        import { describe, expect, it } from 'vitest';
        import { existsSync, writeFileSync } from 'node:fs';

        describe('sums', () => {
          it('adds', () => expect(1 + 1).toBe(2));
          it('fails (a+b)', () => {
            expect(1 + 1).toBe(3);
          });
          it.skip('skipped', () => {});
          it('flaky', () => {
            if (existsSync('flaky-mark')) return;
            writeFileSync('flaky-mark', '');
            throw new Error('no stars tonight');
          });
        });
        """)
    place = "$RUNNER_TOOL_CACHE"
    r, out, said = stage(
        w, "runner: vitest", "NO_COLOR=1 node_modules/.bin/vitest run 2>&1",
        prepare=f"ln -s {place}/vitest/node_modules node_modules; ls -d {place}/node/20.*/*/bin >> $GITHUB_PATH || true")
    check(re.search(r"Tests +2 failed \| 1 passed \| 1 skipped \(4\)", said), f"Vitest said\n{said}")
    totals(r, out, total=4, passed=2, failed=1, skipped=1, flaky=1)
    r.equal("failed", notes(r, "error").get("sums > fails (a+b)"), ("src/sums.test.ts", 7))
    r.equal("flaky", notes(r, "warning").get("flaky: sums > flaky"), ("src/sums.test.ts", 13))
    r.says("-t '^(sums fails \\(a\\+b\\)|sums flaky)$'", step="stage")


@case(**SLOW)
def a_go_project_has_the_totals_that_go_prints(w):
    w.write("go.mod", "module example.com/calc\n\ngo 1.19\n")
    w.write("calc_test.go", """\
        package calc

        import "testing"

        func TestAdd(t *testing.T) {
        \tfor name, want := range map[string]int{"small": 2, "wrong one": 3} {
        \t\tt.Run(name, func(t *testing.T) {
        \t\t\tif 1+1 != want {
        \t\t\t\tt.Errorf("1 + 1 is not %d", want)
        \t\t\t}
        \t\t})
        \t}
        }

        func TestSkipped(t *testing.T) { t.Skip("not today") }
        """)
    w.write("stars/stars_test.go", """\
        package stars

        import (
        \t"os"
        \t"testing"
        )

        func TestFlaky(t *testing.T) {
        \tif _, err := os.Stat("flaky-mark"); err != nil {
        \t\tos.WriteFile("flaky-mark", nil, 0644)
        \t\tt.Fatal("no stars tonight")
        \t}
        }
        """)
    r, out, said = stage(w, "arguments: -vet=off", "go test -vet=off -v ./... 2>&1")
    told = [len(re.findall(rf"^ *--- {verdict}", said, re.M)) for verdict in ("PASS", "FAIL", "SKIP")]
    r.equal("what go said", told, [1, 3, 1])
    totals(r, out, total=5, passed=2, failed=2, skipped=1, flaky=1)
    r.equal("failed", notes(r, "error"), {"example.com/calc > TestAdd/wrong_one": ("calc_test.go", 9)})
    r.equal("flaky", notes(r, "warning").get("flaky: example.com/calc/stars > TestFlaky"), ("stars/stars_test.go", 11))
    r.says("go test: found by go.mod", "-count=1 -vet=off -run '^(TestFlaky)$' example.com/calc/stars", step="stage")


@case(**SLOW)
def a_ctest_project_has_the_totals_that_ctest_prints(w):
    w.write("CMakeLists.txt", """
        cmake_minimum_required(VERSION 3.25)
        project(app NONE)
        enable_testing()
        add_test(NAME passes COMMAND true)
        add_test(NAME fails COMMAND sh -c "echo '${CMAKE_SOURCE_DIR}/src/a.c:2: 1 is not 2'; exit 1")
        add_test(NAME skips COMMAND sh -c "exit 77")
        set_tests_properties(skips PROPERTIES SKIP_RETURN_CODE 77)
        add_test(NAME missing COMMAND no-such-program)
        add_test(NAME "flaky (a+b)" COMMAND sh -c "test -e flaky-mark || { touch flaky-mark; exit 1; }")
        """)
    w.write("src/a.c", "a\nb\n")
    r, out, said = stage(w, "timeout: 5m", "ctest --test-dir build 2>&1", prepare="cmake -B build >/dev/null")
    check("3 tests failed out of 5" in said, f"CTest said\n{said}")
    totals(r, out, total=5, passed=2, failed=2, skipped=1, flaky=1)
    r.equal("failed", notes(r, "error"), {"fails": ("src/a.c", 2), "missing": (None, None)})
    check("flaky: flaky (a+b)" in notes(r, "warning"), f"{notes(r, 'warning')}")
    r.says("CTest: found by build/CTestTestfile.cmake", r"-R '^(fails|missing|flaky \(a\+b\))$'", step="stage")


@case(**SLOW)
def a_criterion_project_has_the_totals_that_criterion_prints(w):
    w.write("t.c", """\
        #include <criterion/criterion.h>
        #include <stdio.h>
        #include <unistd.h>

        Test(sums, adds) { cr_assert_eq(1 + 1, 2); }
        Test(sums, fails)
        {
            cr_assert_eq(1 + 1, 3, "one and one");
        }
        Test(sums, crashes) { raise(SIGSEGV); }
        Test(sums, skipped) { cr_skip_test("not today"); }
        Test(stars, flaky)
        {
            if (access("flaky-mark", F_OK) == 0)
                return;
            fclose(fopen("flaky-mark", "w"));
            cr_assert_fail("no stars tonight");
        }
        """)
    r, out, said = stage(w, "runner: criterion, command: build/t", "build/t 2>&1",
                         prepare="mkdir build && cc -include signal.h -o build/t t.c -lcriterion")
    check("Tested: 4 | Passing: 1 | Failing: 3 | Crashing: 1" in said, f"criterion said\n{said}")
    totals(r, out, total=5, passed=2, failed=2, skipped=1, flaky=1)
    r.equal("failed", notes(r, "error").get("t > sums > fails"), ("t.c", 8))
    r.equal("flaky", notes(r, "warning").get("flaky: t > stars > flaky"), ("t.c", 17))
    r.says("'--filter=@(sums/", step="stage")


@case(**SLOW)
def a_pytest_project_has_the_totals_that_pytest_prints(w):
    tools(w, "django")
    w.write("pytest.ini", "[pytest]\naddopts = -p no:cacheprovider\n")
    w.write("tests/test_sums.py", """\
        import pathlib
        import pytest


        @pytest.mark.parametrize("a,want", [(1, 2), (3, 7)], ids=["one", "wrong [x]"])
        def test_double(a, want):
            assert a + a == want


        class TestMore:
            @pytest.mark.skip(reason="not today")
            def test_skipped(self):
                pass


        @pytest.fixture
        def sick():
            raise RuntimeError("no fixture")


        def test_sick(sick):
            pass


        def test_flaky():
            mark = pathlib.Path("flaky-mark")
            if not mark.exists():
                mark.touch()
                pytest.fail("no stars tonight")
        """)
    w.write(".venv/bin/pytest", '#!/bin/sh\nexec "$RUNNER_TOOL_CACHE/django/bin/python" -m pytest "$@"\n', mode=0o755)
    r, out, said = stage(w, "annotations: 10", ".venv/bin/pytest 2>&1")
    check("2 failed, 1 passed, 1 skipped, 1 error in" in said, f"pytest said\n{said}")
    totals(r, out, total=5, passed=2, failed=2, skipped=1, flaky=1)
    r.equal("failed", notes(r, "error"), {"tests.test_sums > test_double[wrong [x]]": ("tests/test_sums.py", 7),
                                          "tests.test_sums > test_sick": ("tests/test_sums.py", 18)})
    r.equal("flaky", notes(r, "warning").get("flaky: tests.test_sums > test_flaky"), ("tests/test_sums.py", 29))
    r.says("pytest: found by pytest.ini", "'tests/test_sums.py::test_double[wrong [x]]' ", step="stage")


# ---- shards ----

@case(limit=200)
def shards_together_are_the_whole_and_no_test_runs_twice(w):
    """By name at first; in the next run by how long each took, and then the longest is alone."""
    ready(w)
    for name, seconds in (("a", 0), ("b", 0), ("c", 0), ("long", 1)):
        w.write(f"test_{name}.py", f"""
            import time, unittest
            class T(unittest.TestCase):
                def test_it(self):
                    time.sleep({seconds})
                def test_other(self):
                    pass
            """)
    w.commit("tests")
    flow = w.workflow("""
        on: push
        jobs:
          shard:
            runs-on: ubuntu-latest
            strategy: {matrix: {i: [1, 2, 3]}}
            steps:
              - uses: actions/checkout@v4
              - {name: stage, uses: ostler/test@v1, with: {runner: unittest, shard: "${{ matrix.i }}/3"}}
        """)
    for how in ("by name", "by how long they took before"):
        r = w.run(flow, "--offline", code=0, limit=90)
        ran = {job: re.findall(r"^(test_\w+) \((test_\w+)", r.log("stage", job=job), re.M) for job in r.jobs()}
        every = sorted(test for tests in ran.values() for test in tests)
        r.equal("all of them", every, sorted((t, f"test_{m}") for m in ("a", "b", "c", "long") for t in ("test_it", "test_other")))
        r.says(f"split {how}")
    alone = [tests for tests in ran.values() if any(module == "test_long" for _, module in tests)]
    r.equal("with the long one", len(alone[0]), 2)


# ---- what goes wrong ----

@case(limit=120)
def a_runner_that_breaks_down_is_told_with_its_last_words(w):
    ready(w)
    w.write("test_it.py", "import os\nos.write(2, b'about to break down\\n')\nos._exit(3)\n")
    w.write("reports/old.xml", "<testsuite><testcase name='old'/></testsuite>\n")
    w.write("empty/.keep", "")
    w.commit("broken")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - run: touch -d 2020-01-01 reports/old.xml
        - {name: broken, continue-on-error: true, uses: ostler/test@v1, with: {runner: unittest}}
        - {name: none, continue-on-error: true, uses: ostler/test@v1, with: {runner: unittest, path: empty}}
        - {name: old, continue-on-error: true, uses: ostler/test@v1, with: {command: "true", report: reports/*.xml}}
        - {name: lost, continue-on-error: true, uses: ostler/test@v1}
        - {name: slow, continue-on-error: true, uses: ostler/test@v1, with: {command: "exec sleep 60", timeout: 1s}}
        """)
    r = w.run(flow, "--offline", code=0, limit=90)
    r.says("unittest ended with exit code 3 before it told of any test; it said last:\nabout to break down", step="broken")
    r.says("unittest in empty had no tests at all", step="none")
    r.says("all 1 files that match 'report' were there before the tests ran", step="old")
    r.says("no test runner was found in '.': say which with 'runner'", step="lost")
    r.says("the command was still running when its time was over, and 'timeout' is 1s", step="slow")


@case(limit=120)
def a_cancel_in_the_middle_ends_the_tests_and_tells_what_there_was(w):
    ready(w)
    w.write("test_it.py", """
        import time, unittest
        class T(unittest.TestCase):
            def test_a(self):
                self.fail("early")
            def test_b(self):
                time.sleep(600)
        """)
    w.commit("slow")
    flow = w.steps("- uses: actions/checkout@v4\n- {name: stage, uses: ostler/test@v1, with: {runner: unittest}}\n")
    r = w.start(flow, "--offline").wait_for("test_a (test_it.T.test_a) ... FAIL", 60).send(signal.SIGINT).finish(40)
    w.after(r, None)
    r.equal("jobs", r.jobs(), {"job": "cancelled"})
    r.says("the job was cancelled: what follows is what was told until then", "0 passed, 1 failed", step="stage")


@case(limit=120)
def coverage_counts_for_changed_lines_alone_too(w):
    ready(w)
    w.write("a.py", "one\ntwo\n")
    w.commit("base")
    w.git("branch", "base")
    w.write("a.py", "one\ntwo\nthree\nfour\n")
    w.write("cov.info", "TN:\nSF:a.py\nDA:1,1\nDA:2,1\nDA:3,1\nDA:4,0\nend_of_record\n")
    w.write("r.tap", "TAP version 13\nok 1 - a\n1..1\n")
    w.commit("changed")
    given = "report: r.tap, coverage: cov.info, base: base"
    flow = w.steps(f"""
        - uses: actions/checkout@v4
          with: {{fetch-depth: 0}}
        - {{name: fine, id: stage, uses: ostler/test@v1, with: {{{given}, coverage-threshold: 75, diff-coverage-threshold: 50}}}}
        - {{name: low, continue-on-error: true, uses: ostler/test@v1, with: {{{given}, diff-coverage-threshold: 50.5}}}}
        - {{name: outputs, run: "echo '${{{{ toJSON(steps.stage.outputs) }}}}'"}}
        """)
    r = w.run(flow, "--offline", code=0)
    out = outputs(r)
    r.equal("coverage", (out["coverage"], out["diff-coverage"], out["total"]), ("75.00", "50.00", "1"))
    r.says("50.00 % of the changed lines are covered, and 'diff-coverage-threshold' is 50.5", step="low")


@case()
def the_plan_says_which_runner_and_why(w):
    ready(w)
    w.write("web/go.mod", "module m\n")
    w.commit("a module")
    w.steps("- uses: actions/checkout@v4\n- {uses: ostler/test@v1, with: {shard: 2/3, retries: 1}}\n")
    place = next((w.build / "plugins").rglob("test.so"))
    r = w.ostler_call("plugin", "run", str(place), "--with", "shard=2/3", "--workspace", str(w.repo), "--plan").exits(0)
    r.shows(r"test +go test in web +\(found by go\.mod\)", r"choose +shard 2/3 .*listed by go list", r"run +go test -json \./\.\.\.")
    shutil.rmtree(w.repo / "web")
    r = w.ostler_call("plan").exits(0)
    r.shows(r"ostler/test@v1")
