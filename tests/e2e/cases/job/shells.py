"""Run steps: each shell, its working directory, its exit code (runtime contract 4)."""

from case import case


@case()
def every_shell_runs_its_script(w):
    w.write("bin/upper", "#!/bin/sh\ntr a-z A-Z <\"$2\"\n", mode=0o755)
    flow = w.steps("""
        - {name: unset, run: 'echo "unset $BASH_VERSION" | cut -c1-7'}
        - {name: bash, shell: bash, run: 'echo "bash ${BASH_VERSION:+yes}"'}
        - {name: sh, shell: sh, run: 'echo "sh $0" | sed "s,/.*/,,"'}
        - {name: python, shell: python, run: 'import sys; print("python", sys.version_info[0])'}
        - {name: custom, shell: 'perl -w {0}', run: 'print "perl ", 6 * 7, "\\n";'}
        - {name: own, shell: 'bash -c "tr a-z A-Z <{0}"', run: 'shouted'}
        """)
    r = w.run(flow, code=0)
    r.says("unset", step="unset").says("bash yes", step="bash").says("sh ", step="sh")
    r.says("python 3", step="python").says("perl 42", step="custom").says("SHOUTED", step="own")


@case()
def only_an_explicit_bash_has_pipefail(w):
    """Row 1 of the contract's list; the part about containers is in containers.py."""
    flow = w.steps("""
        - {name: unset, run: 'false | true; shopt -q login_shell || echo no login'}
        - {name: bash, shell: bash, run: 'false | true', continue-on-error: true}
        - {name: profile, run: 'echo "HOME has $(ls -A ~ | wc -l)"'}
        """)
    r = w.run(flow, code=0).says("no login", step="unset").never_says("the profile of the user")
    r.equal("outcome of bash", r.step("bash")["outcome"], "failure")


@case()
def a_failing_command_ends_the_script_and_the_job(w):
    flow = w.steps("""
        - {name: breaks, run: "echo before\\n(exit 7)\\necho after"}
        - {name: later, run: echo never}
        """)
    r = w.run(flow, code=1).says("before", "##[error]Process completed with exit code 7.", step="breaks")
    r.never_says("\nafter", step="breaks").concluded(breaks="failure", later="skipped")
    r.equal("exit code of the step", r.step("breaks").get("exit_code"), 7)
    r.equal("jobs", r.jobs(), {"job": "failure"})


@case()
def a_command_ended_by_a_signal_fails_with_128_and_more(w):
    r = w.run(w.steps("- {name: dies, run: 'kill -TERM $$'}"), code=1)
    r.says("Process completed with exit code 143.", step="dies")


@case()
def a_shell_that_is_not_there_is_named(w):
    r = w.run(w.steps("- {name: a, shell: 'nosuchshell {0}', run: x}"), code=1)
    r.says("nosuchshell", step="a").concluded(a="failure")


@case()
def a_shell_without_a_place_for_the_script_is_refused(w):
    r = w.run(w.steps("- {name: a, shell: 'perl -w', run: x}"))
    r.equal("it failed", r.code in (1, 2), True)
    r.shows("shell")


@case()
def working_directories_and_defaults_apply(w):
    w.write("deep/er/here.txt", "x")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: default, run: 'pwd; ls'}
        - {name: own, working-directory: deep, run: 'basename "$PWD"; echo "pipefail $(set -o | grep -c "pipefail.*on")"'}
        - {name: missing, working-directory: not/there, run: echo never}
        """, job="defaults: {run: {working-directory: deep/er, shell: bash}}")
    r = w.run(flow, code=1).says("/deep/er", "here.txt", step="default").says("deep\n", "pipefail 1", step="own")
    r.says("not/there", step="missing").never_says("never", step="missing")


@case()
def a_step_has_no_terminal_and_an_empty_input(w):
    flow = w.steps("""
        - {name: input, run: 'if read -r x; then echo "read $x"; else echo at its end; fi; test -t 1 || echo no terminal'}
        """)
    w.run(flow, code=0).says("at its end", "no terminal", step="input")


@case()
def a_script_keeps_its_bytes(w):
    """Quotes, expressions in text, UTF-8 and a script without a final newline."""
    flow = w.steps(r"""
        - name: odd
          env: {WORD: "it's \"quoted\" $HOME `date` äöü"}
          run: |-
            printf '%s\n' "$WORD" 'a\nb' '${{ format('{0} {{1}}', github.job) }}'
            # the last line has no end
        """)
    w.run(flow, code=0).says('it\'s "quoted" $HOME `date` äöü', "a\\nb", "job {1}", step="odd")


@case()
def the_header_shows_script_shell_and_environment(w):
    flow = w.steps("""
        - {name: a, shell: bash, env: {ONE: "1"}, run: "echo first\\necho second"}
        """, job="env: {TWO: '2'}")
    r = w.run(flow, code=0)
    text = "".join(e["text"] for e in r.of("log", step=r.step("a")["step"]))
    for line in ("##[group]Run echo first\n", "\x1b[36;1mecho first\x1b[0m\n", "\x1b[36;1mecho second\x1b[0m\n",
                 "bash --noprofile --norc -e -o pipefail {0}\n", "env:\n", "  TWO: 2\n", "  ONE: 1\n", "##[endgroup]\n"):
        r.equal(f"{line!r} is in the header", line in text, True)
