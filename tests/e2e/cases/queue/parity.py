"""A whole job, from registration to removal: a service sees of it what `ostler run` of the same workflow says."""

import json
import textwrap

import githttp
from case import case
from engine import BUSYBOX
from gitea_double import GiteaDouble
from github_double import GitHubDouble
from listening import SECRETS, VARS, Listener, as_yaml, without_server
from whole import MATRIX, RESULTS, WHOLE, local, same, steps_of
from world import check

# Of other repositories: name -> files.
ACTIONS = {
    "acme/outer": {"action.yml": """
        name: Outer
        inputs: {who: {default: nobody}}
        outputs: {said: {value: "${{ steps.in.outputs.said }}"}}
        runs:
          using: composite
          steps:
            - {shell: bash, run: 'echo "outer of ${{ inputs.who }}: $TOKEN"', env: {TOKEN: "${{ github.token }}"}}
            - {id: in, uses: acme/inner/deep@v2, with: {word: "${{ inputs.who }}"}}
            - {shell: sh, run: 'echo "::error file=b.c,line=7::inside"'}
        """},
    "acme/inner": {"deep/action.yml": """
        name: Inner
        inputs: {word: {required: true}}
        outputs: {said: {value: "${{ steps.say.outputs.said }}"}}
        runs:
          using: composite
          steps: [{id: say, shell: bash, run: 'echo "said=<${{ inputs.word }}>" >> "$GITHUB_OUTPUT"; echo "# of inner" >> "$GITHUB_STEP_SUMMARY"'}]
        """},
    "acme/boxed": {
        "action.yml": """
        name: Boxed
        inputs: {word: {default: none}}
        runs: {using: docker, image: Dockerfile, args: ["${{ inputs.word }}"], env: {MORE: "${{ inputs.word }}s"}}
        """,
        "Dockerfile": f"FROM {BUSYBOX}\nCOPY say /say\nENTRYPOINT [\"/bin/sh\", \"/say\"]\n",
        "say": 'echo "boxed: $1 $MORE $INPUT_WORD"; echo "in=$1" >> "$GITHUB_OUTPUT"\n'}}
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


def through(w, profile, said, live=(), shas=None, env=None, **more):
    """A runner is registered with a double, does what is SAID, and is removed: (the double, the job). LIVE lines come."""
    with GitHubDouble(profile, results=profile != "L") as hub:
        folder = w.root / "registrations" / "hub"
        w.ostler_call("register", "--url", hub.repository, "--type", "github", "--token", "REG1", "--name", "t1", "--dir", folder).exits(0)
        job = hub.push(said, secrets=SECRETS, variables=VARS, github={"run_id": "1"}, **more)
        for name, files in ACTIONS.items():
            hub.archive(name, {path: textwrap.dedent(text).lstrip("\n") for path, text in files.items()}, **(shas or {}).get(name, {}))
        config = w.root / "listen.yml"
        config.write_text("listen: {containers: {socket: true}}\n")  # as a local run has it
        listener = Listener(w, "--config", config, env=env)
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


# A job of a workflow that another one calls, of composite and Docker actions.
CALLED = {
    "runs-on": "self-hosted",
    "steps": [
        {"id": "out", "name": "outer", "uses": "acme/outer@v1", "with": {"who": "${{ inputs.who }}"}},
        {"id": "box", "name": "boxed", "uses": "acme/boxed@v1", "with": {"word": "${{ steps.out.outputs.said }}"}},
        {"name": "image", "uses": f"docker://{BUSYBOX}", "with": {"entrypoint": "/bin/echo", "args": "straight ${{ steps.box.outputs.in }}"}},
    ],
}

CALLED_KINDS = {"Build acme/boxed@v1": ("runner", "build_acme/boxed@v1", None), "outer": ("composite", "acme/outer", "v1"),
                "boxed": ("Dockerfile", "acme/boxed", "v1"), "image": ("DockerHub", BUSYBOX, None)}
BUILDS = {"Build acme/boxed@v1"}  # their logs are the engine's, which remembers what it built before


@case(limit=150, quick=False, needs=("docker",))
def actions_of_all_kinds_in_a_called_workflow_are_as_they_are_here(w):
    server = githttp.Server(w)
    shas = {name: {"sha": server.repo(name, files, "v1", "v2")} for name, files in ACTIONS.items()}
    w.git("remote", "set-url", "origin", "https://github.com/acme/widgets.git")
    w.workflow(json.dumps({"on": {"workflow_call": {"inputs": {"who": {"type": "string"}}}}, "jobs": {"build": CALLED}}), "called.yml")
    sha = w.commit("a workflow to call")
    flow = w.workflow(json.dumps({"on": "push", "jobs": {"call": {"uses": "./.github/workflows/called.yml", "with": {"who": "Ann"}}}}), "local.yml")
    here = w.run(flow, "--event", "push", "--secret=GITHUB_TOKEN=geheim-42", code=0)
    wanted = steps_of(here)
    server.stop()
    del w.env["OSTLER_ACTION_SOURCE"]  # the service says where they are
    for profile in ("L", "A"):
        _, job = through(w, profile, {**CALLED, "name": "call / build"}, shas=shas, inputs={"who": "Ann"}, job={
            "workflow_ref": "acme/widgets/.github/workflows/called.yml@refs/heads/main", "workflow_sha": sha})
        got, records = reported(job)
        compare(profile, [one for one in wanted if one[0] not in BUILDS], [one for one in got if one[0] not in BUILDS])
        told = ran(job)
        check({name: told[name] for name in CALLED_KINDS} == CALLED_KINDS, f"{profile}: {told}")
        check([a[:4] for a in annotations(job, records["outer"])] == [("failure", "inside", "b.c", 7)], f"{profile}: {records['outer']}")
        check(list(job.summarised.values()) == ["# of inner\n"], f"{profile}: {job.summarised}")
