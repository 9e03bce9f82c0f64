"""What GitHub is told of a job that was really run: by the listener, against the double."""

from case import case
from github_double import GitHubDouble
from world import check

STEPS = [
    {"name": "Say", "run": "echo one\necho\necho '::warning file=a.c,line=3::look'\nprintf 'no end'"},
    {"name": "Much", "run": "for i in $(seq 40000); do echo \"line $i of a log that is longer than one block of it\"; done"},
    {"name": "Sum", "run": "echo '# Done' >> $GITHUB_STEP_SUMMARY"},
    {"name": "Fail", "run": "echo bad; exit 3"},
    {"name": "Never", "run": "echo never"},
]
MUCH = [f"line {i} of a log that is longer than one block of it" for i in range(1, 40001)]


def said(job, nr):
    """What step NR said, behind the script that is shown in a group."""
    record = job.steps[nr - 1]["id"]
    pages = b"".join(bytes(log) for log in job.logs.values() if log.record == record).decode().removeprefix("\ufeff")
    lines = [line.partition("Z ")[2] for line in job.logged.get(record) or pages.splitlines()]
    return lines[lines.index("##[endgroup]") + 1:]


@case()
def github_is_told_what_a_job_says_and_how_its_steps_end(w):
    for profile in ("V", "L"):
        with GitHubDouble(profile) as hub:
            folder = w.root / profile
            r = w.ostler_call("register", "--url", hub.repository, "--type", "github", "--token", "REG1", "--name", "t1", "--dir", folder)
            check(r.code == 0, str(r))
            job = hub.push({"steps": STEPS})
            r = w.ostler_call("listen", folder, "--once", "--isolation", "host", limit=60)
            check(r.code == 0 and job.over and job.conclusion == "failed", f"{profile}: {job.conclusion}\n{r}\n{hub.transcript()}")
            check(said(job, 1) == ["one", "", "##[warning]look", "no end"], f"{profile}: {said(job, 1)}")
            check(said(job, 2) == MUCH, f"{profile}: {len(said(job, 2))} lines")
            check(said(job, 4) == ["bad", "##[error]Process completed with exit code 3."], f"{profile}: {said(job, 4)}")
            check("# Done\n" in job.summarised.values(), f"{profile}: {job.summarised}")
            check("one" in job.feed.get(job.steps[0]["id"], []), f"{profile}: {list(job.feed)}")
            hub.check()
