"""--limit: what a job may use, and what is told when that is not enough."""

from case import case
from world import check


@case(who="root")
def a_job_out_of_memory_says_so_with_the_biggest_process(w):
    w.steps("""
        - name: eat
          run: |
            exec python3 -c '
            import time
            hoard = []
            while True:
                hoard.append(bytearray(b"x" * (4 << 20))); time.sleep(0.02)'
        - {if: failure(), run: echo goes on}
        """)
    r = w.run("--limit", "memory=128M", code=1)
    r.says("Out of memory: 1 process of the job was killed at its limit of 128 MiB; the biggest process was python3",
           step="eat")
    r.says("goes on", "Peak memory: 12")
    r.equal("annotations", [e["level"] for e in r.of("annotation") if "Out of memory" in e["message"]], ["error"])


@case(who="root")
def a_child_that_is_killed_is_a_warning_when_the_step_goes_on(w):
    w.steps("""- {name: eat, run: "python3 -c 'x = bytearray(b\\"x\\" * (300 << 20))' || echo survived"}""")
    r = w.run("--limit", "memory=128M", code=0)
    r.says("survived", step="eat")
    r.equal("annotations", [e["level"] for e in r.of("annotation") if "Out of memory" in e["message"]], ["warning"])


@case(who="root")
def processes_are_counted(w):
    w.steps("""- {name: fork, run: 'for i in $(seq 40); do sleep 5 & done; wait'}""")
    r = w.run("--limit", "processes=20", code=1)
    r.says("The job may have 20 processes at once, and asked for more", step="fork")


@case(who="root")
def cpus_are_shared_out(w):
    w.steps("""- {name: spin, run: 'timeout 2 sh -c "while :; do :; done" || times'}""")
    r = w.run("--limit", "cpus=0.2", code=0)
    line = [x for x in r.log("spin").splitlines() if x.startswith("0m")][1]  # of the children
    used = sum(float(part.split("m")[1].rstrip("s")) for part in line.split())
    check(used < 1.2, f"two seconds of a fifth of a core took {used} s\n{r}")


@case(who="user")
def what_cannot_be_held_is_said(w):
    w.steps("- run: echo fine")
    r = w.run("--limit", "memory=128M", "--limit", "processes=500", code=0)
    if r.notes():
        r.shows("not limited, for want of a control group to write to: ")
    r.says("fine")


@case()
def wrong_limits_are_told(w):
    w.steps("- run: 'true'")
    for text, wanted in (("memory=1M", "'1M' is no amount of memory"), ("memory=x", "'x' is no amount"),
                         ("cpus=0", "'0' is no number of cores"), ("processes=3", "'3' is no number of processes"),
                         ("disks=1G", "there is no limit 'disks'"), ("memory", "'' is no amount"),
                         ("disk=1M", "'1M' is no amount of disk space")):
        w.run("--limit", text).complains(wanted)


FILL = """
    - name: fill
      run: |
        trap 'echo got away' EXIT
        for i in $(seq 100); do dd if=/dev/zero of=%s/big.$i bs=1M count=4 status=none; sleep 0.05; done
        sleep 30
    - {name: default, run: echo never}
    - {name: always, if: always(), run: 'echo still here; du -sm . | cut -f1'}
    """


def is_held(r, step="fill"):
    r.says("Disk limit: the job's files take", "MiB, and may take 40 MiB: what ran was stopped.", step=step)
    r.concluded(default="skipped", always="success").says("still here", step="always")
    taken = int(r.log(step).partition("files take ")[2].split()[0])
    check(40 < taken < 240, f"{taken} MiB\n{r}")
    r.equal("annotations", len([e for e in r.of("annotation") if "Disk limit" in e["message"]]), 1)


@case()
def a_job_that_fills_the_disk_is_stopped(w):
    """Wherever it writes: each top-level folder is an overlay of the job's own."""
    for place in (".", "$HOME", "$RUNNER_TEMP"):
        is_held(w.run(w.steps(FILL % place), "--limit", "disk=40M", code=1))


@case()
def on_the_host_too(w):
    is_held(w.run(w.steps(FILL % "."), "--limit", "disk=40M", "--isolation", "host", code=1))


@case()
def files_that_go_again_are_not_counted(w):
    flow = w.steps("- run: 'for i in $(seq 12); do dd if=/dev/zero of=x bs=1M count=30 status=none; rm x; sleep 0.1; done; echo fine'")
    w.run(flow, "--limit", "disk=50M", code=0).says("fine")


@case()
def all_lanes_and_composites_end_at_the_limit_of_the_disk(w):
    w.write("act/action.yml", """
        runs:
          using: composite
          steps:
            - shell: bash
              run: |
                dd if=/dev/zero of=big bs=1M count=60 status=none
                sleep 200
        """)
    w.commit("an action")
    r = w.run(w.steps("""
        - uses: actions/checkout@v4
        - {name: lane, background: true, run: exec sleep 200}
        - {name: fill, uses: ./act}
        - {name: default, run: echo never}
        - {name: always, if: always(), run: echo still here}
        """), "--limit", "disk=40M", code=1)
    r.took_less(20)
    r.concluded(lane="failure", fill="failure", default="skipped", always="success")
    check("Disk limit: the job's files take " in r.log(), r)
