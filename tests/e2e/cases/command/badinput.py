"""Bad input and poor machines: one clear error or a said-out-loud fallback, and nothing left behind."""

import os
import re
import shutil
import subprocess

from case import case
from world import check

FINE = "on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo hi\n"


def refused(w, text, *patterns):
    """A workflow that GitHub refuses: exit code 2, file:line:column, and no run folder."""
    flow = w.workflow(text)
    r = w.run(flow).complains(r"ci\.yml:\d+:\d+", *patterns)
    check(not list(w.state.glob("runs/[0-9]*")), f"a run was recorded though nothing was started\n{r}")
    r.equal("events", r.events, [])


@case()
def a_file_that_is_not_there(w):
    w.run("nope.yml").complains(r"nope\.yml", "no such file|not found|does not exist|not there|neither here")
    check(not list(w.state.glob("runs/[0-9]*")), "a run was recorded though nothing was started")


@case()
def a_folder_in_place_of_a_file(w):
    (w.repo / "folder.yml").mkdir()
    w.run("folder.yml").complains(r"folder\.yml", "folder|directory")


@case()
def a_file_that_cannot_be_read(w):
    path = w.workflow(FINE)
    if os.geteuid() == 0:  # root reads anything: give it something that cannot be read by its nature
        (w.repo / path).unlink()
        (w.repo / path).symlink_to("/proc/self/mem")
        w.run(path).complains(r"ci\.yml")
    else:
        (w.repo / path).chmod(0)
        w.run(path).complains(r"ci\.yml", "permission")


@case()
def a_fifo_or_a_device_does_not_hang_it(w):
    os.mkfifo(w.repo / "fifo.yml")
    w.run("fifo.yml", limit=10).complains(r"fifo\.yml")
    w.run("/dev/zero", limit=10).complains("/dev/zero")


@case()
def a_workflow_that_is_not_yaml(w):
    refused(w, "jobs: [unclosed\n  x: }{\n")
    refused(w, "\tjobs:\n\t\tx: 1\n")
    refused(w, "just a sentence\n")


@case()
def bytes_that_are_no_text(w):
    w.write("bytes.yml", bytes(range(256)) * 4)
    w.run("bytes.yml").complains(r"bytes\.yml")
    w.write("empty.yml", "")
    w.run("empty.yml").complains(r"empty\.yml")


@case()
def an_alias_bomb_is_an_error(w):
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)) + FINE
    flow = w.workflow(text)
    r = w.run(flow, limit=20).complains(r"ci\.yml")
    r.took_less(5)


@case()
def a_file_that_is_too_deep_or_too_large(w):
    refused(w, "on: push\njobs: " + "[" * 5000 + "]" * 5000 + "\n")
    w.write("large.yml", FINE + "# " + "x" * 30_000_000 + "\n")
    w.run("large.yml", limit=20).complains(r"large\.yml", "large|limit|bytes|MiB|size")
    w.write("large.yml", FINE + "# " + "x" * 2_000_000 + "\n")
    w.run("large.yml").complains(r"large\.yml: error: The maximum file size of 1048576 characters")
    w.write("many.yml", "on: push\njobs:\n" + "".join(f"  j{i}: {{runs-on: x, steps: [{{run: x}}]}}\n" for i in range(10_000)))
    w.run("many.yml").complains(r"many\.yml:\d+:\d+: error: Maximum YAML nodes exceeded", "call parts of it with 'uses'")


@case()
def what_github_refuses_is_refused(w):
    refused(w, "on: push\n", "jobs")
    refused(w, FINE.replace("on: push", "on: pushh"), "pushh")
    refused(w, FINE.replace("runs-on", "run-on"), "run-on|runs-on")
    refused(w, FINE.replace("- run: echo hi", "- run: echo hi\n        uses: x/y@v1"), "run|uses")
    refused(w, FINE.replace("- run: echo hi", "- name: nothing"), "run|uses")
    refused(w, FINE.replace("echo hi", "echo ${{ github.ref"), "expression|}}|closing|unterminated|end")
    refused(w, FINE.replace("echo hi", "echo ${{ nonsense(1) }}"), "nonsense")
    refused(w, FINE.replace("- run: echo hi", "- run: echo hi\n        if: secrets.X == 'y'"), "secrets")
    refused(w, FINE + "  job:\n    runs-on: x\n", "job")


@case()
def a_need_that_is_unknown_or_goes_in_a_circle(w):
    free = FINE + "  free: {runs-on: x, steps: [{run: x}]}\n"
    refused(w, free.replace("    steps", "    needs: buidl\n    steps", 1), "buidl")
    two = free + "  two: {needs: job, runs-on: x, steps: [{run: x}]}\n"
    refused(w, two.replace("    steps:\n", "    needs: two\n    steps:\n", 1), "cycle|circle|depend|itself")


@case()
def a_wrong_command_line_names_the_mistake(w):
    flow = w.workflow(FINE)
    for args, pattern in ((["--nope"], "--nope"), (["--jobs", "many"], "many"), (["--jobs", "0"], "0|jobs"),
                          (["--event", "no_such_event"], "no_such_event"), (["--matrix", "x"], "matrix|x"),
                          (["--isolation", "cave"], "cave"), (["--job"], "--job"), (["--env", "=x"], "=x|name"),
                          (["--event-file", "nope.json"], r"nope\.json"), (["--ref", "refs/heads/a b"], "a b")):
        r = w.run(flow, *args).complains(pattern)
        check(len(r.err.splitlines()) <= 6, f"more than the mistake: {args}\n{r}")


@case()
def a_secret_file_that_others_can_read_is_a_warning(w):
    flow = w.steps("- {name: a, env: {S: '${{ secrets.S }}'}, run: 'echo \"<$S>\"'}")
    path = w.write("secrets.env", "S=hunter2-hunter2\n", mode=0o644, below=w.root)
    r = w.run(flow, "--secret-file", path, code=0).says("<***>", step="a")
    check("chmod 600" in r.err + r.notes(), f"no warning with its cure\n{r}")
    check("hunter2" not in r.out + r.err, f"the secret is shown\n{r}")


@case()
def a_secret_file_that_cannot_be_read_is_an_error(w):
    flow = w.workflow(FINE)
    w.run(flow, "--secret-file", "nope.env").complains(r"nope\.env")
    w.run(flow, "--secret-file", w.root).complains(str(w.root))
    path = w.write("bad.env", "this line has no equals sign\n", mode=0o600, below=w.root)
    r = w.run(flow, "--secret-file", path).complains(r"bad\.env:1")
    check("no equals sign" not in r.err, f"the content of a secret file is shown\n{r}")


@case(who="user")
def a_secret_file_without_permission_is_an_error(w):
    path = w.write("secrets.env", "S=x\n", mode=0, below=w.root)
    w.run(w.workflow(FINE), "--secret-file", path).complains(r"secrets\.env", "permission")


@case()
def a_missing_tool_is_named_with_its_cure(w):
    """PATH without bash, git and the rest: the job fails and says what was looked for."""
    folder = w.root / "few"
    folder.mkdir()
    for name in ("sh", "cat", "sleep"):
        (folder / name).symlink_to(shutil.which(name))
    flow = w.steps("- {name: py, shell: python, continue-on-error: true, run: x}\n- {name: unset, run: 'echo \"${BASH_VERSION-plain sh}\"'}")
    r = w.run(flow, env={"PATH": str(folder)})
    r.says("python", step="py").equal("outcome", r.step("py")["outcome"], "failure")
    r.says("plain sh", step="unset").exits(0)


@case()
def setup_node_without_node_is_a_clear_error(w):
    r = w.run(w.steps("- {name: node, uses: actions/setup-node@v4, with: {node-version: 3}}"), "--offline", code=1)
    r.concluded(node="failure").says("3", step="node")


@case(who="root")
def a_full_disk_is_said_and_leaves_no_half_state(w):
    for size in ("16k", "256k"):
        prefix = ["unshare", "-m", "sh", "-c",
                  f'mkdir -p "$XDG_STATE_HOME" && mount -t tmpfs -o size={size} none "$XDG_STATE_HOME" && "$@"; c=$?; '
                  'find "$XDG_STATE_HOME" -type f ! -path "*/runs/*" >&2; exit $c', "sh"]
        flow = w.steps("- {name: a, run: 'head -c 3000000 /dev/urandom | base64; head -c 3000000 /dev/zero > big; echo done'}")
        r = w.run(flow, prefix=prefix, limit=40, clean=False)
        check(r.code != 0 or r.notes() or r.err, f"nobody said a word\n{r}")
        check("no space left" in (r.err + r.notes() + r.log()).lower() or "No space" in r.out, f"the cause is not named\n{r}")
        check(0 <= r.code <= 4, f"exit code\n{r}")


@case(who="root")
def a_record_that_cannot_go_on_is_dropped_and_said(w):
    """The disk is full from the first step on: the run goes on, and its end still says where the record began."""
    prefix = ["unshare", "-m", "sh", "-c", 'mkdir -p "$XDG_STATE_HOME" && mount -t tmpfs -o size=2m none "$XDG_STATE_HOME" && "$@"',
              "sh"]
    flow = w.steps("- {name: a, run: 'head -c 50000000 /dev/zero > big || rm big; echo one'}\n"
                   "- {name: b, run: 'head -c 50000000 /dev/zero > big || echo two'}\n- {name: c, run: echo three}")
    r = w.plain(flow, prefix=prefix, clean=False)
    r.exits(1)
    check("going on without a report" in r.out and "/logs/" in r.out, f"nobody said that the record ends\n{r}")
    check(f"recorded, but not to the end, in {w.state}/runs/1\n" in r.out, f"where the record is\n{r}")
    check(".sh': cannot write: No space left on device" in r.out, f"what could not be written\n{r}")


@case(who="root")
def a_full_tmp_is_said(w):
    prefix = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=8k none "$TMPDIR" && head -c 9000 /dev/zero >"$TMPDIR/fill"; '
              'rm -f "$TMPDIR/fill.x"; exec "$@"', "sh"]
    r = w.run(w.steps("- {name: a, run: echo ran}"), prefix=prefix, clean=False)
    check(r.code in (0, 1, 4), f"exit code\n{r}")


@case(who="user")
def a_read_only_home_is_said(w):
    """No place below HOME for the state: another one is found and told, HOME stays as it is."""
    flow = w.steps("- {name: a, run: 'echo ran; echo x > ~/x && echo HOME of the job can be written'}")
    w.home.chmod(0o555)
    before = w.outside()
    r = w.start(flow, prefix=["env", "-u", "XDG_STATE_HOME"]).finish()
    w.home.chmod(0o755)
    r.exits(0).says("ran", "HOME of the job can be written", step="a")
    check(str(w.tmp) in r.notes() + r.err, f"nobody says where the run is kept\n{r}")
    check(before["HOME"].keys() == w.outside()["HOME"].keys(), "HOME has changed")
    shutil.rmtree(next(w.tmp.glob("ostler-*")))


@case(who="root")
def a_home_on_a_read_only_file_system_is_said(w):
    prefix = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none {w.home} && mount -o remount,ro {w.home} && exec "$@"', "sh",
              "env", "-u", "XDG_STATE_HOME"]
    r = w.start(w.steps("- {name: a, run: echo ran}"), prefix=prefix).finish()
    r.exits(0).says("ran", step="a")
    check(str(w.tmp) in r.notes() + r.err, f"nobody says where the run is kept\n{r}")
    shutil.rmtree(next(w.tmp.glob("ostler-*")))


@case()
def no_home_at_all(w):
    r = w.start(w.steps("- {name: a, run: 'echo \"HOME is $HOME\"; test -w ~ && echo mine'}"), prefix=["env", "-u", "HOME"]).finish()
    w.after(r, None)
    r.exits(0).says("mine", step="a")


@case()
def no_git_repository_is_a_fallback(w):
    shutil.rmtree(w.repo / ".git")
    flow = w.steps("- uses: actions/checkout@v4\n- {name: a, run: 'cat README.md; echo \"<$GITHUB_SHA> $GITHUB_REF\"'}")
    r = w.run(flow, code=0).says("# app", "refs/heads/", step="a")
    check("git" in (r.notes() + r.err).lower(), f"nobody says that there is no repository\n{r}")


@case()
def a_repository_without_a_commit_works(w):
    shutil.rmtree(w.repo / ".git")
    w.git("init", "-q", "-b", "main")
    flow = w.steps("- uses: actions/checkout@v4\n- {name: a, run: 'cat README.md'}")
    w.run(flow, code=0).says("# app", step="a")


@case()
def a_broken_repository_is_said(w):
    (w.repo / ".git" / "HEAD").write_text("rubbish\n")
    r = w.run(w.steps("- {name: a, run: echo ran}"))
    check(r.code in (0, 2, 4) and "git" in (r.notes() + r.err).lower(), f"nobody says that the repository is broken\n{r}")


@case()
def no_workflows_at_all(w):
    w.run().complains(r"\.github/workflows")


@case()
def nothing_matches_the_event(w):
    w.workflow(FINE)
    r = w.run("--event", "release")
    check(r.code in (0, 2), f"exit code\n{r}")
    check("release" in r.err + r.notes(), f"nobody says that nothing matched\n{r}")


@case()
def odd_paths_are_only_paths(w):
    """Blanks, quotes, newlines and a leading dash in every name there is."""
    odd = w.root / "a 'b\" $c\n-d"
    shutil.copytree(w.repo, odd, symlinks=True)
    w.write("- x y.yml", FINE.replace("echo hi", "'cat README.md; pwd'").replace("- run", "- uses: actions/checkout@v4\n      - name: a\n        run"), below=odd)
    r = w.run("./- x y.yml", cwd=odd, env={"TMPDIR": str(w.tmp), "XDG_STATE_HOME": str(w.root / "st ate")}, clean=False)
    r.exits(0).says("# app", step="a")


@case()
def descriptors_and_limits_of_the_caller_do_not_matter(w):
    """Closed standard streams, a low limit of descriptors, a strange umask."""
    flow = w.steps("- {name: a, run: echo ran}")
    w.run(flow, prefix=["sh", "-c", 'ulimit -n 64; umask 0; exec "$@"', "sh"], code=0, clean=False).says("ran", step="a")
    r = w.start(flow, prefix=["sh", "-c", 'exec "$@" <&-', "sh"]).finish()
    w.after(r, None)
    r.exits(0).says("ran", step="a")
    r = w.start(flow, prefix=["sh", "-c", 'exec "$@" 2>&-', "sh"]).finish()
    w.after(r, None)
    r.exits(0).says("ran", step="a")


@case()
def a_limit_on_files_is_an_error_and_kills_nobody(w):
    """`ulimit -f`: who writes more gets a signal whose default is the end; a job has that default."""
    flow = w.steps("- {name: a, run: 'head -c 3000000 /dev/zero | tr \\\\0 x; grep SigIgn /proc/self/status'}")
    r = w.run(flow, prefix=["sh", "-c", 'ulimit -f 100; exec "$@"', "sh"], clean=False).exits(0)
    mask = re.search(r"SigIgn:\s*(\w+)", r.log("a"))
    check("going on without a report" in r.notes(), f"not said:\n{r.notes()}")
    check(int(mask.group(1), 16) == 0, f"ignored in the job: {mask.group(0)}")


@case()
def ignored_signals_of_the_caller_do_not_reach_the_job(w):
    flow = w.steps("- {name: a, run: 'grep SigIgn /proc/self/status'}")
    r = w.run(flow, prefix=["sh", "-c", "trap '' PIPE USR1; exec \"$@\"", "sh"], code=0)
    r.says("SigIgn:\t0000000000000000", step="a")


@case()
def bytes_that_are_no_text_come_as_replacements(w):
    """Branch, author and message in Latin-1, a folder and a file named so: nothing of it stops a run."""
    w.steps(r"""
        - uses: actions/checkout@v4
        - name: a
          run: |
            printf 'o=x\351y\n' >>"$GITHUB_OUTPUT"; printf 'E=x\351y\n' >>"$GITHUB_ENV"; printf '/tmp/p\351\n' >>"$GITHUB_PATH"
            printf 'sum\351\n' >>"$GITHUB_STEP_SUMMARY"; printf '::error file=f\351.txt,line=1::m\351\n'; ls
        - {name: b, run: 'echo "$E" "${{ github.ref_name }}" "${{ github.event.head_commit.message }}"'}
        """)
    repo, flow = (os.fsdecode(name) for name in (b"caf\xe9", b"f\xe9.yml"))
    repo = w.repo.rename(w.repo.parent / repo)
    flow = (repo / ".github/workflows/ci.yml").rename(repo / flow)
    git = ["git", "-c", b"user.name=J\xe9r\xf4me", "-c", "user.email=j@example.test"]
    for args in (["checkout", "-q", "-b", b"br\xe9"], ["commit", "-q", "--allow-empty", "-m", b"m\xe9ssage"]):
        subprocess.run([*git, *args], cwd=repo, check=True, stderr=subprocess.DEVNULL)
    r = w.run(flow, cwd=repo, code=0, clean=False)
    r.says("x\ufffdy br\ufffd méssage", step="b")  # git makes Latin-1 of what is no UTF-8


@case()
def values_that_are_no_text_are_refused(w):
    flow = w.steps("- run: echo hi")
    for option in ("--secret", "--var", "--env", "--input"):
        r = w.run(flow, option, os.fsdecode(b"X=q\xe9"), code=2)
        check("'X' is not UTF-8 text" in r.err, f"{option}\n{r}")


@case()
def a_name_is_cut_between_characters_and_never_inside_a_secret(w):
    flow = w.steps(f"""
        - {{name: 'x{"é" * 3000}', run: 'echo one'}}
        - {{name: '{"z" * 4090}${{{{ secrets.S }}}}', run: 'echo two'}}
        """)
    r = w.run(flow, "--secret", "S=hunter2hunter2", code=0)
    check("hunter" not in r.out, f"half a secret is in a name\n{r}")
    check(any(e.get("name", "").startswith("xé") for e in r.of("step.started")), f"the name\n{r}")
