"""Workflow commands in a step's output, and what a log may hold (runtime contract 5, 14)."""

from case import case


@case()
def annotations_carry_their_place(w):
    flow = w.steps(r"""
        - uses: actions/checkout@v4
        - name: a
          run: |
            echo "::error file=README.md,line=3,endLine=4,col=5,endColumn=9,title=Bad%2C bad::first%0Asecond 100%25"
            echo "::warning::careful"
            echo "::notice file=$GITHUB_WORKSPACE/src/x.c,line=1::look"
            echo "::unknown::this is plain output"
        """)
    r = w.run(flow, code=0)
    error, = r.of("annotation", level="error")
    for key, wanted in dict(file="README.md", line=3, end_line=4, title="Bad, bad", message="first\nsecond 100%").items():
        r.equal(key, error.get(key), wanted)
    r.equal("no columns over lines", "col" in error or "end_col" in error, False)
    warning, = r.of("annotation", level="warning")
    r.equal("warning", (warning["message"], "file" in warning), ("careful", False))
    notice, = r.of("annotation", level="notice")
    r.equal("notice's file", notice.get("file"), "src/x.c")
    r.says("##[error]first", "##[warning]careful", "##[notice]look", "::unknown::this is plain output", step="a")


@case()
def outputs_groups_masks_and_debug(w):
    flow = w.steps(r"""
        - id: a
          name: a
          run: |
            echo "::set-output name=old::still works"
            echo "::group::Inside"; echo body; echo "::endgroup::"
            echo "::add-mask::swordfish"; echo "the word is swordfish"
            echo "::debug::not to be seen"
            echo "text before ##[add-mask]mackerel"; echo "and mackerel"
        - {name: b, run: 'echo "<${{ steps.a.outputs.old }}>"'}
        """)
    r = w.run(flow, code=0).says("##[group]Inside\nbody\n##[endgroup]", "the word is ***", "and ***", step="a")
    r.never_says("not to be seen", "swordfish", "mackerel").says("<still works>", step="b")


@case()
def stop_commands_stop_until_the_token(w):
    flow = w.steps(r"""
        - id: a
          name: a
          run: |
            echo "::stop-commands::tok"; echo "::set-output name=x::1"; echo "::tok::"
            echo "::set-output name=y::2"
        - {name: b, run: 'echo "<${{ steps.a.outputs.x }}><${{ steps.a.outputs.y }}>"'}
        """)
    w.run(flow, code=0).says("::set-output name=x::1", step="a").says("<><2>", step="b")


@case()
def a_command_that_fails_fails_the_step(w):
    flow = w.steps(r"""
        - {name: env, continue-on-error: true, run: 'echo "::set-env name=A::1"'}
        - {name: allowed, env: {ACTIONS_ALLOW_UNSECURE_COMMANDS: "true"}, run: 'echo "::set-env name=A::1"'}
        - {name: reads, run: 'echo "A=$A"'}
        """)
    r = w.run(flow, code=0).says("A=1", step="reads")
    r.equal("outcome", r.step("env")["outcome"], "failure")


@case()
def lines_end_at_lf_crlf_and_cr(w):
    flow = w.steps(r"""- {name: a, run: 'printf "one\ntwo\r\nthree\rfour\nlast without an end"'}""")
    w.run(flow, code=0).says("one\ntwo\nthree\nfour\nlast without an end\n", step="a")


@case()
def nul_bytes_and_broken_utf8_pass_harmlessly(w):
    flow = w.steps(r"""- {name: a, run: 'printf "x\0y \377\376 z\n\033[31mred\033[0m\n"; printf "::notice::n\0n\n"'}""")
    r = w.run(flow, code=0).says("x\0y \ufffd\ufffd z\n", "\x1b[31mred\x1b[0m", step="a")
    r.equal("annotations", len(r.of("annotation", level="notice")), 1)
    shown = w.plain(flow, code=0)
    r.equal("no NUL reaches the terminal", b"\0" in shown.raw_out + shown.raw_err, False)


@case()
def output_cannot_drive_the_terminal(w):
    """Colours pass; what would move the cursor, change the title or paste does not."""
    flow = w.steps(r"""- {name: a, run: 'printf "\033]0;title\007 \033[2J \033[5A \033[6n \033Pq\033\\ \233 end\n"'}""")
    r = w.plain(flow, "-v", code=0)
    for bad in (b"\x1b]0", b"\x1b[2J", b"\x1b[5A", b"\x1b[6n", b"\x1bP"):
        r.equal(f"{bad!r} on the terminal", bad in r.raw_out + r.raw_err, False)


@case()
def both_streams_are_kept(w):
    flow = w.steps("""- {name: a, run: 'for i in $(seq 200); do echo out $i; echo err $i >&2; done'}""")
    r = w.run(flow, code=0).says("out 200", "err 200", step="a")
    lines = r.log("a").split("\n")
    for stream in ("out", "err"):
        r.equal(f"order of {stream}", [x for x in lines if x.startswith(stream)], [f"{stream} {i}" for i in range(1, 201)])


@case()
def problem_matchers_find_their_lines(w):
    w.write("matcher.json", """
        {"problemMatcher": [{"owner": "demo", "pattern": [
          {"regexp": "^(.+):(\\\\d+): (warning|error): (.*)$", "file": 1, "line": 2, "severity": 3, "message": 4}]}]}
        """)
    flow = w.steps(r"""
        - uses: actions/checkout@v4
        - name: a
          run: |
            echo "::add-matcher::matcher.json"
            echo "README.md:12: warning: too short"
            echo "::remove-matcher owner=demo::"
            echo "README.md:13: warning: not seen"
        """)
    r = w.run(flow, code=0)
    found, = r.of("annotation", level="warning")
    r.equal("annotation", (found.get("file"), found.get("line"), found["message"]), ("README.md", 12, "too short"))
    r.says("##[warning]README.md:12: warning: too short", "README.md:13: warning: not seen", step="a")


@case()
def problem_matchers_are_the_jobs(w):
    """Registered in one step, they see the lines of all later ones, each step and stream from its start."""
    w.write("two.json", r"""
        {"problemMatcher": [{"owner": "two", "pattern": [
          {"regexp": "^in (.*)$", "file": 1},
          {"regexp": "^ +(\\d+): (.*)$", "line": 1, "message": 2, "loop": true}]}]}
        """)
    w.write("act/action.yml", """
        runs:
          using: composite
          steps:
            - {shell: bash, run: 'printf "in README.md\\n 3: inner\\n" >&2'}
        """)
    flow = w.steps(r"""
        - uses: actions/checkout@v4
        - {name: add, run: 'echo "##[add-matcher]$PWD/two.json"; echo "in README.md"'}
        - {name: other, run: 'echo " 1: of another step"; echo " 1: of another stream" >&2'}
        - {name: both, run: 'printf "in README.md\n 1: one\n \033[31m2: two\033[0m\n"'}
        - {name: composite, uses: ./act}
        - {name: elsewhere, run: 'printf "in /etc/passwd\n 4: not ours\n"'}
        - {name: end, run: 'echo "::remove-matcher::two.json"; printf "in README.md\n 5: unseen\n"'}
        """)
    r = w.run(flow, code=0)
    found = [(a.get("file"), a["line"], a["message"]) for a in r.of("annotation", level="error")]
    r.equal("annotations", found, [("README.md", 1, "one"), ("README.md", 2, "two"), ("README.md", 3, "inner"),
                                   (None, 4, "not ours")])
    r.says("##[error] 1: one", "##[error] 2: two", step="both").says("##[error] 3: inner", step="composite")
    r.concluded(both="success")


@case()
def a_problem_matcher_that_is_wrong_fails_its_step(w):
    w.write("bad.json", '{"problemMatcher": [{"owner": "bad", "pattern": [{"regexp": "(", "message": 1}]}]}')
    w.write("cut.json", '{"problemMatcher": [')
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: bad, continue-on-error: true, run: 'echo "::add-matcher::bad.json"'}
        - {name: cut, continue-on-error: true, run: 'echo "::add-matcher::cut.json"'}
        - {name: none, continue-on-error: true, run: 'echo "::add-matcher::none.json"'}
        - {name: slow, run: 'echo "::add-matcher::/dev/zero"'}
        """)
    r = w.run(flow, code=1)
    r.says("bad.json': matcher 'bad': pattern 1: 'regexp': missing closing parenthesis", step="bad")
    r.says("cut.json': line 1, column", step="cut").says("none.json", "No such file", step="none")
    r.says("/dev/zero", step="slow").concluded(slow="failure")
    for name in ("bad", "cut", "none"):
        r.equal(name, r.step(name)["outcome"], "failure")


@case()
def secrets_stay_masked_in_what_matchers_find(w):
    w.write("m.json", r"""
        {"problemMatcher": [{"owner": "m", "pattern": [{"regexp": "^E (\\S+):(\\S+)$", "code": 1, "message": 2}]}]}
        """)
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: a, run: 'echo "::add-matcher::m.json"; echo "E x:${{ secrets.PAIR }}"; echo "E ${{ secrets.PAIR }}"'}
        """)
    r = w.run(flow, "--secret", "PAIR=first-half:second-half", code=0)
    error, = r.of("annotation", level="error")
    r.equal("annotation", (error.get("code"), error["message"]), ("x", "***"))
    r.says("##[error]E x:***", "E ***", step="a").never_says("second-half")


@case()
def setup_node_registers_the_matchers_of_the_action(w):
    flow = w.steps(r"""
        - uses: actions/checkout@v4
        - {name: node, uses: actions/setup-node@v4}
        - name: tools
          run: |
            echo "README.md(3,5): error TS2304: Cannot find name 'x'."
            printf '%s\n' "$PWD/README.md" '  1:10  warning  Missing semicolon  semi'
            echo "$PWD/README.md: line 7, col 2, Error - Parsing failed (fatal)"
        """)
    r = w.run(flow, "--offline", code=0)
    found = sorted((a["line"], a["col"], a["level"], a["code"], a["message"], a.get("file")) for a in r.of("annotation"))
    r.equal("annotations", found, [(1, 10, "warning", "semi", "Missing semicolon", "README.md"),
                                   (3, 5, "error", "2304", "Cannot find name 'x'.", "README.md"),
                                   (7, 2, "error", "fatal", "Parsing failed", "README.md")])
