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
