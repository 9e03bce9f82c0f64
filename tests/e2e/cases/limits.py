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
                         ("disk=1G", "there is no limit 'disk'"), ("memory", "'' is no amount")):
        w.run("--limit", text).complains(wanted)
