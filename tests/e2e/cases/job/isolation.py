"""The place a job runs in: nothing gets out, nothing survives, fallbacks are said out loud."""

import os
import pathlib
import subprocess

import watch
from case import case
from world import check

LEVELS = ("sandbox", "host")

DAEMONS = r"""
- name: daemons
  run: |
    setsid sleep 1000 >/dev/null 2>&1 &
    nohup sleep 1001 >/dev/null 2>&1 &
    python3 - <<'EOF'
    import os, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(3): os.close(fd)
            os.environ.clear()
            os.execve("/bin/sleep", ["a-daemon", "1002"], {})
        os._exit(0)
    os.wait()
    EOF
    trap '' TERM HUP INT
    (trap '' TERM HUP INT; exec sleep 1003) >/dev/null 2>&1 &
    echo started
- {name: later, run: 'pgrep -c sleep || true; echo daemons live between steps'}
"""


@case()
def daemons_die_with_the_job_in_the_sandbox(w):
    r = w.run(w.steps(DAEMONS), "--isolation", "sandbox", code=0)
    r.says("started", step="daemons").says("daemons live between steps", step="later")
    r.equal("isolation", r.of("job.started")[0]["isolation"], "sandbox")


@case()
def daemons_die_with_the_job_on_the_host(w):
    r = w.run(w.steps(DAEMONS), "--isolation", "host", code=0).says("started", step="daemons")
    r.equal("isolation", r.of("job.started")[0]["isolation"], "host")


@case()
def daemons_that_hold_the_pipes_do_not_hold_the_step(w):
    r = w.run(w.steps("- {name: a, run: 'sleep 1000 & echo done'}\n- {name: b, run: echo next}"), code=0, limit=30)
    r.says("done", step="a").says("next", step="b")
    r.took_less(12)


@case()
def home_and_tree_stay_as_they_are(w):
    """w.run() compares HOME and the working tree before and after; the job does its worst."""
    w.write("src/deep/a.txt", "a\n")
    w.write("tool.sh", "#!/bin/sh\n", mode=0o755)
    (w.repo / "link").symlink_to("src")
    w.commit("more")
    w.write("untracked.txt", "mine\n")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - name: worst
          run: |
            rm -rf src tool.sh; echo changed > README.md; echo new > new.txt; chmod 600 untracked.txt
            mkdir src; touch src/other; rm link; git init -q . 2>/dev/null || true; rm -rf .git
            echo x > ~/x; mkdir -p ~/.config; echo y > ~/.config/y; rm -f ~/.profile
            ls
        """)
    for level in LEVELS:
        w.run(flow, "--isolation", level, code=0).says("new.txt", step="worst")


@case()
def the_real_paths_of_tree_and_home_are_safe_too(w):
    flow = w.steps(f"""
        - name: direct
          run: |
            echo broken > {w.repo}/README.md || true
            rm -rf {w.repo}/.git || true
            echo broken > {w.home}/precious || true
            rm -rf {w.home} || true
            echo done
        """)
    w.run(flow, "--isolation", "sandbox", code=0).says("done", step="direct")


@case()
def a_job_does_not_see_another_jobs_processes_or_files(w):
    flow = w.workflow("""
        on: push
        jobs:
          one:
            runs-on: ubuntu-latest
            env: {MARK: "one-${{ secrets.S }}"}
            steps: [{run: 'echo private > ~/private; echo private > /tmp/private; exec -a secret-name sleep 4'}]
          two:
            runs-on: ubuntu-latest
            steps:
              - name: look
                run: |
                  sleep 1
                  ls ~/private /tmp/private 2>/dev/null || echo no files
                  grep -l 'secret-nam[e]' /proc/[0-9]*/cmdline 2>/dev/null || echo no processes
                  cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep '^MARK=' || echo no environment
        """)
    r = w.run(flow, "--jobs", "2", "--secret", "S=abcdef", code=0)
    r.says("no files", "no processes", "no environment", job="two")


@case()
def a_job_sees_no_registration_and_no_other_run_wherever_they_lie(w):
    """Of HOME nothing shows; here state and cache folder lie outside of it. What a run needs of them it still gets."""
    script = r"""mount -t tmpfs none /srv && mkdir -p /srv/state/ostler/registrations/forge &&
        echo sword''fish >/srv/state/ostler/registrations/forge/.credentials && $BE "$@" &&
        test -d /srv/cache/ostler && test -n "$(ls /srv/state/ostler/runs)" """
    flow = w.steps("""
        - name: look
          run: |
            test -s $GITHUB_EVENT_PATH
            cat /srv/state/ostler/registrations/*/.credentials || true
            find /srv ! -type d -print || true
            grep -rls sword''fish /srv || true
            echo looked
        """)
    mine = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]  # to mount something, and then nobody special again
    env = {"XDG_STATE_HOME": "/srv/state", "XDG_CACHE_HOME": "/srv/cache", "BE": mine and "unshare --user --map-user=1000 --map-group=1000" or ""}
    for level in LEVELS:
        r = w.run(flow, "--isolation", level, code=0, prefix=["unshare", *mine, "--mount", "sh", "-c", script, "sh"], env=env).says("looked", step="look")
        log = r.log(step="look")
        seen = [line for line in log.splitlines() if "swordfish" in line or line.startswith("/srv/")]
        check(bool(seen) == (level == "host"), f"{level}: {log}")


@case(who="root")
def the_host_is_out_of_reach_for_root_jobs(w):
    """Root in the sandbox: its mounts, host name, processes and files end at its walls."""
    marker = f"/etc/ostler-e2e-{os.getpid()}"
    flow = w.steps(f"""
        - name: try
          shell: bash {{0}}
          run: |
            hostname not-the-host 2>/dev/null; mount -t tmpfs none /mnt 2>/dev/null
            echo x > {marker} 2>/dev/null; kill -0 {os.getpid()} 2>/dev/null && echo sees the harness
            (: >>/proc/sysrq-trigger) 2>/dev/null && echo sysrq can be opened
            ls /proc/{os.getpid()} >/dev/null 2>&1 && cat /proc/{os.getpid()}/comm | grep python && echo sees python
            echo done
        """)
    name = os.uname().nodename
    r = w.run(flow, "--isolation", "sandbox", code=0).says("done", step="try")
    r.never_says("sees the harness", "sysrq can", "sees python")
    check("/mnt" not in watch.mounts_below("/mnt"), "something is mounted at /mnt")
    check(os.uname().nodename == name, "the host has a new name")
    check(not os.path.exists(marker), f"{marker} is on the host")


@case(who="root")
def no_user_namespaces_is_said_out_loud(w):
    """Where namespaces are refused the job runs on the host, with a note; required, it does not run."""
    limit = pathlib.Path("/proc/sys/user/max_user_namespaces")
    check(limit.exists(), "this kernel has no user namespaces to take away")
    # In a user namespace of our own, so that nobody else is touched.
    prefix = ["unshare", "--user", "--map-root-user", "sh", "-c",
              'for f in user mnt pid; do echo 0 >/proc/sys/user/max_${f}_namespaces; done; exec "$@"', "sh"]
    flow = w.steps("- {name: a, run: echo ran}")
    r = w.run(flow, prefix=prefix, code=0).says("ran", step="a")
    r.equal("isolation", r.of("job.started")[0]["isolation"], "host")
    check("namespace" in (r.notes() + r.err).lower(), f"nobody says that it fell back\n{r}")
    r = w.run(flow, "--isolation", "sandbox", prefix=prefix)
    if r.code == 0:  # asked for, not required: then it must be said all the same
        check("namespace" in (r.notes() + r.err).lower(), f"nobody says that it fell back\n{r}")
    else:
        r.exits(4)


@case(who="root")
def a_tree_where_overlays_cannot_be_is_copied_and_said(w):
    """A file system that overlayfs refuses as a lower layer."""
    folder = w.root / "odd"
    folder.mkdir()
    flow = w.steps("- uses: actions/checkout@v4\n- {name: a, run: 'cat README.md; echo x > README.md'}")
    # An overlay on an overlay on an overlay is one too many for the kernel.
    script = f"""
        set -e
        low={w.repo}
        for i in 1 2; do
          mkdir -p {folder}/u$i {folder}/w$i {folder}/m$i
          mount -t overlay overlay -o lowerdir=$low,upperdir={folder}/u$i,workdir={folder}/w$i {folder}/m$i
          low={folder}/m$i
        done
        cd $low
        exec "$@"
        """
    r = w.run(flow, prefix=["unshare", "-m", "sh", "-c", script, "sh"], clean=False)
    r.exits(0).says("# app", step="a")
    check("cop" in (r.notes() + r.err + r.log()).lower(), f"nobody says that the tree was copied\n{r}")
    check((w.repo / "README.md").read_text() == "# app\n", "the tree has changed")


@case()
def nothing_of_the_runner_is_open_in_a_step(w):
    """What the shell was given, `ls` inherits; the shell itself has pipes of its own open now and then."""
    flow = w.steps("- {name: a, run: 'ls /proc/self/fd'}")
    for level in LEVELS:
        r = w.run(flow, "--isolation", level, code=0)
        fds = [line for line in r.log("a").splitlines() if line.isdigit()]
        check(fds == ["0", "1", "2", "3"], f"wanted the three and the folder that ls reads: {fds}\n{r}")


@case()
def signals_are_as_a_program_expects_them(w):
    flow = w.steps("- {name: a, run: 'grep -E \"^Sig(Blk|Ign)\" /proc/self/status'}")
    for level in LEVELS:
        r = w.run(flow, "--isolation", level, code=0)
        r.says("SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", step="a")


@case(who="user")
def a_job_cannot_gain_privileges(w):
    flow = w.steps("- {name: a, run: 'grep -E \"^NoNewPrivs\" /proc/self/status'}")
    w.run(flow, "--isolation", "sandbox", code=0).says("NoNewPrivs:\t1", step="a")


@case(who="root")
def the_users_repository_may_belong_to_somebody_else(w):
    """Root runs in a clone of somebody else: git alone would refuse ("dubious ownership")."""
    subprocess.run(["chown", "-R", "65534:65534", str(w.repo)], check=True)
    flow = w.steps("- uses: actions/checkout@v4\n- {name: a, run: 'cat README.md; echo ${{ github.ref }}'}")
    r = w.run(flow, code=0).says("# app", step="a")
    r.says("refs/heads/main", step="a")


@case()
def keep_leaves_the_jobs_folder_for_a_look(w):
    r = w.start(w.steps("- {name: a, run: 'echo found > here.txt'}"), "--keep").finish()
    r.exits(0)
    left = watch.wait_until_alone(0.5)
    check(not left, f"left running: {[watch.describe(p) for p in left]}")
    check(list(w.state.rglob("here.txt")) or "here.txt" in r.err, f"the workspace is not there\n{r}")


@case()
def a_step_says_how_soon_it_goes_when_memory_runs_out(w):
    """A score of 500, as on GitHub; PIPELINE_JOB_OOMSCOREADJ gives another, but none below the runner's own."""
    own = int(open("/proc/self/oom_score_adj").read())
    steps = "".join(f"- run: cat /proc/self/oom_score_adj\n  env: {{PIPELINE_JOB_OOMSCOREADJ: '{given}'}}\n" for given in
                    ("", "700", str(own), str(own - 1), "1001", "much"))
    for level in ("sandbox", "host"):
        r = w.run(w.steps(steps), "--isolation", level, code=0)
        said = [line for line in r.log().splitlines() if line.lstrip("-").isdigit()]
        check(said == ["500", "700", str(own), "500", "500", "500"], f"{level}: {said}\n{r}")
