"""A whole job, from registration to removal: a service sees of it what `ostler run` of the same workflow says."""

from case import case
from gitea_double import GiteaDouble
from github_double import GitHubDouble
from listening import SECRETS, VARS, Listener, as_yaml, without_server
from whole import MATRIX, RESULTS, WHOLE, local, same
from world import check

ACTIONS = {}  # of other repositories: name -> files
KINDS = {"values": ("run", "sh", None), "ask": ("run", "python3", None), "Cache": ("plugin", "actions/cache", "v4"),
         "Save": ("plugin", "actions/cache/save", "v4"), "Stage": ("plugin", "ostler/test", "v1"), "skipped": (None, None, None),
         "Set up job": ("runner", "setup_job", None), "Initialize containers": ("runner", "initialize_containers", None),
         "Post Cache": ("plugin", "actions/cache", "v4"), "Stop containers": ("runner", "stop_containers", None),
         "Complete job": ("runner", "complete_job", None)}


def reported(job):
    """The same as the service has it, in the order of its numbers; and the records themselves, by name."""
    if job.legacy:
        records = [{**r, "number": r["order"], "conclusion": r["result"], "external_id": r["id"]}
                   for r in job.records.values() if r["type"] == "Task"]
    else:
        records = job.completed["stepResults"]
    records = sorted(records, key=lambda r: r["number"])
    return [(r["name"], r["conclusion"], job.log(r["external_id"])) for r in records], {r["name"]: r for r in records}


def compare(where, wanted, got):
    check([one[:2] for one in wanted] == [one[:2] for one in got], f"{where}:\n{[o[:2] for o in got]}\nwanted\n{[o[:2] for o in wanted]}")
    for (name, _, ours), (_, _, theirs) in zip(wanted, got, strict=True):
        check(same(ours) == same(theirs), f"{where}: the log of '{name}' is\n{same(theirs)}\n--- wanted\n{same(ours)}")


# What each way demands, in this order, once where it says so; and what may come besides.
ORDER = {"L": "tenant connection pools find-agent add-agent token session poll lock records event end-session delete-agent",
         "V": "tenant connection pools find-agent add-agent token session poll acknowledge acquire renew steps complete end-session delete-agent",
         "A": "tenant groups find-runner register token session poll acknowledge acquire renew steps complete end-session delete-runner"}
ONCE = "add-agent register session acknowledge acquire complete event end-session delete-agent delete-runner socket".split()
BESIDES = {"L": "delete-message new-log log attachment socket feed blob downloads archive",
           "V": "step-log-url step-log job-log-url job-log summary-url summary socket blob resolve archive"}
BESIDES["A"] = BESIDES["V"]


def in_order(hub):
    names = [name for name in hub.names() if not name.startswith("stored/")]
    wanted = ORDER[hub.profile].split()
    first = [names.index(name) if name in names else -1 for name in wanted]
    check(first == sorted(first) and -1 not in first, f"wanted {wanted}\n{names}")
    odd = set(names) - set(wanted) - set(BESIDES[hub.profile].split())
    check(not odd, f"nobody wanted {odd}\n{names}")
    for name in ONCE:
        check(names.count(name) <= 1, f"{name}: {names.count(name)} times\n{names}")


def through(w, profile, said, live=(), **more):
    """A runner is registered with a double, does what is SAID, and is removed: (the double, the job). LIVE lines come."""
    with GitHubDouble(profile, results=profile != "L") as hub:
        folder = w.root / "registrations" / "hub"
        w.ostler_call("register", "--url", hub.repository, "--type", "github", "--token", "REG1", "--name", "t1", "--dir", folder).exits(0)
        job = hub.push(said, secrets=SECRETS, variables=VARS, github={"run_id": "1"}, **more)
        for name, files in ACTIONS.items():
            hub.archive(name, files)
        listener = Listener(w)
        hub.finished(job, 90)
        hub.wait(lambda: set(live) <= {line for lines in job.feed.values() for line in lines})
        done = listener.drain()
        w.ostler_call("unregister", "--dir", folder, "--token", "REM1").exits(0)
        hub.check()
        check(job.conclusion == "succeeded", f"{profile}: {job.conclusion}\n{job.log()}\n{done}")
        in_order(hub)
    return hub, job


def ran(job):
    """{name of a step: (type, action, ref)}: what the service is told of who ran it."""
    if not job.legacy:
        return {one["name"]: (one.get("type"), one.get("action_name"), one.get("ref")) for one in job.completed["stepResults"]}
    told = {one["stepId"]: (one["type"], one.get("action"), one.get("ref")) for one in job.completed["actionsStepsTelemetry"]}
    return {r["name"]: told.get(r["id"], (None, None, None)) for r in job.records.values() if r["type"] == "Task"}


def annotations(job, record):
    """[(level, message, path, line, step)]"""
    if not job.legacy:
        return [(a["level"], a["message"], a.get("path"), a["startLine"], a["stepNumber"]) for a in record["annotations"]]
    return [("failure" if i["type"] == "error" else i["type"], i["message"], i["data"].get("file"),
             int(i["data"].get("line") or i["data"]["logFileLineNumber"]), int(i["data"]["stepNumber"])) for i in record["issues"]]


@case(limit=150, quick=False, needs=("docker",))
def a_whole_job_of_github_is_as_it_is_here(w):
    here, wanted = local(w, WHOLE, MATRIX)
    for profile in ("L", "V"):
        hub, job = through(w, profile, WHOLE, live=("the word is ***", "b'hello\\n'"), matrix=MATRIX)
        got, records = reported(job)
        compare(profile, wanted, got)
        check(job.outputs == {"v": "3"}, f"{profile}: {job.outputs}")
        summaries = sorted(same(text) for text in job.summarised.values())
        check(summaries == sorted(same(e["markdown"]) for e in here.of("summary")), f"{profile}: {summaries}")
        check([name for _, name in hub.artifacts] == ["numbers-3"], f"{profile}: {hub.artifacts}")
        check([key for _, _, key in hub.caches] == ["now-3", "late-3"], f"{profile}: {hub.caches}")
        # Post steps are numbered down from twice what there was before them.
        before = 2 + len(WHOLE["steps"])
        numbers = [one["number"] for one in records.values()]
        check(numbers == [*range(1, before + 1), 2 * before - 1, 2 * before, 2 * before + 1], f"{profile}: {numbers}")
        told = ran(job)
        check({name: told[name] for name in KINDS} == KINDS, f"{profile}: {told}")
        check(annotations(job, records["values"]) == [("warning", "at ***", "a.c", 3, 3)], f"{profile}: {records['values']}")
        check(annotations(job, records["forgiven"]) == [("failure", "Process completed with exit code 3.", None, 8, before - 1)],
              f"{profile}: {records['forgiven']}")


@case(limit=150, quick=False, needs=("docker",))
def a_whole_job_of_a_gitea_is_as_it_is_here(w):
    here, wanted = local(w, WHOLE, MATRIX)
    said = {name: log for name, _, log in wanted}
    for dialect in ("gitea", "forgejo"):
        with GiteaDouble(dialect) as forge:
            folder = w.root / "registrations" / "home"
            w.ostler_call("register", "--url", forge.url, "--token", "REG", "--name", "t1", "--labels", "self-hosted:host", "--unattended",
                          "--dir", folder).exits(0)
            task = forge.push(as_yaml(WHOLE, MATRIX), steps=len(WHOLE["steps"]), secrets=SECRETS, variables=VARS, labels=("self-hosted",),
                              context={"run_id": "1", "repository": "acme/widgets"})
            listener = Listener(w, env={"XDG_CACHE_HOME": str(w.root / f"cache-{dialect}")})  # caches are this machine's
            forge.finished(task, 90)
            done = listener.drain()
            w.ostler_call("unregister", "--dir", folder).exits(0)
            forge.check()
        check(task.result == "RESULT_SUCCESS" and task.outputs == {"v": "3"}, f"{dialect}: {task.result}, {task.outputs}\n{task.log()}\n{done}")
        for index, step in enumerate(WHOLE["steps"]):
            ours, theirs = same(said[step["name"]]), same(without_server(task.log(index)))
            check(ours == theirs, f"{dialect}: the log of '{step['name']}' is\n{theirs}\n--- wanted\n{ours}")
        log = same(without_server(task.log()))
        for name in ("Initialize containers", "Post Cache", "Stop containers", "Complete job"):
            check(same(said[name]) in log, f"{dialect}: of '{name}' there is not\n{same(said[name])}\n--- in\n{log}")
        check("Runner name: 't1'" in task.lines, f"{dialect}: {task.lines[:8]}")
        results = [RESULTS[{"RESULT_SUCCESS": "success", "RESULT_SKIPPED": "skipped"}[step["result"]]] for step in task.steps]
        check(results == [conclusion for name, conclusion, _ in wanted if name in {one["name"] for one in WHOLE["steps"]}], f"{dialect}: {results}")
        summaries = "".join(task.summaries[key] for key in sorted(task.summaries)).replace("\n\n", "\n")  # one file for all at a Forgejo
        check(same(summaries) == same("".join(e["markdown"] for e in here.of("summary")).replace("\n\n", "\n")), f"{dialect}: {task.summaries}")
        check([name for _, name in forge.artifacts] == ["numbers-3"], f"{dialect}: {forge.artifacts}")
