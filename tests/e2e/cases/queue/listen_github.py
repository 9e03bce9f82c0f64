"""Jobs of GitHub, both ways of delivery: what comes in, what the service gets to know, and what may go wrong between."""

import json
import pathlib
import re
import shutil
import signal
import threading
import time

import watch
from case import case
from github_double import GitHubDouble
from listening import FULL, MATRIX, SECRETS, SLOW, VARS, Listener, echo, github_registration, local_logs
from world import check

QUICK = {"OSTLER_TEST_MINUTE_MS": "1000"}  # the service's clocks, sixty times as fast
BRISK = {"OSTLER_TEST_MINUTE_MS": "12000"}  # five times: what is a busy loop stays one on a slow machine
PROFILES = ("L", "V", "A")


def forget(w):
    shutil.rmtree(w.root / "registrations")


@case(limit=150)
def a_job_of_github_is_reported_as_it_ran(w):
    w.plugin("blobs")
    logs = local_logs(w, FULL, MATRIX)
    for profile in PROFILES:
        with GitHubDouble(profile, results=profile != "L", encryption="sha256") as double:
            github_registration(w, double)
            job = double.push(FULL, matrix=MATRIX, secrets=SECRETS, variables=VARS,
                              needs={"lint": {"result": "success", "outputs": {"ok": "1"}}})
            listener = Listener(w)
            double.finished(job)
            done = listener.drain()
            double.check()
            check(job.conclusion == "succeeded", f"{profile}: {job.conclusion}\n{job.log()}\n{done}")
            check(job.outputs == {"v": "3"}, f"{profile}: {job.outputs}")
            check("# it went well" in "".join(job.summarised.values()), f"{profile}: {job.summarised}\n{done}")
            check([name for _, name in double.artifacts] == ["numbers"], f"{profile}: {double.artifacts}\n{job.log()}")
            check([key for _, _, key in double.caches] == ["key-1"], f"{profile}: {double.caches}\n{job.log()}")
            kept = pathlib.Path(re.search(r"record=(\S+)", done.err)[1])
            recorded = "".join(line.partition(" ")[2] for p in kept.glob("logs/*/*.log") for line in p.open(encoding="utf-8"))
            check("the word is ***" in recorded and "swordfish" not in recorded, f"{profile}: {recorded}")
            check(json.loads((kept / "run.json").read_text())["result"] == "success", f"{profile}: {kept}")
            for index, step in enumerate(FULL["steps"]):
                got, wanted = job.log(job.step_id(index)).rstrip("\n"), logs.get(step["name"], "").rstrip("\n")
                check(got == wanted, f"{profile}: the log of '{step['name']}' is\n{got}\n--- wanted\n{wanted}")
            check(job.states()["skipped"] == "skipped" and job.states()["last"] == "succeeded", f"{profile}: {job.states()}")
        forget(w)


@case(limit=120)
def the_services_odd_messages_do_no_harm(w):
    for profile in ("V", "L"):
        with GitHubDouble(profile, results=profile != "L", hold=2.0) as double:
            github_registration(w, double)
            listener = Listener(w, env=BRISK)
            double.wait(lambda: double.of("poll"))
            double.tell("AgentRefresh", {"agentId": 7, "timeout": "00:30:00", "targetVersion": "2.999.0"})
            double.tell("RunnerRefresh", {"target_version": "2.999.0", "download_url": "x", "sha256_checksum": "0", "os": "linux-x64"})
            double.wait(lambda: any("2.999.0" in call.query.get("updateTrace", [""])[0] for call in double.of("update-state")))
            double.tell("ForceTokenRefresh", "")
            double.refresh("runner", lambda now: {**now, "agentName": "another"})
            double.refresh("credentials", lambda now: {**now, "data": {**now["data"], "authorizationUrlV2": f"{double.url}/newer/token"}})
            double.wait(lambda: len(double.of("session")) == 2)  # a new session, with what was replaced
            double.tell("NeverHeardOf", {"x": 1}, message_id=-5)
            double.tell("JobCancellation", {"jobId": "00000000-0000-4000-8000-000000000009", "timeout": "0.00:05:00.0000"}, stale=profile == "V")
            double.expire_tokens()
            job = double.push(echo("after all that"))
            double.finished(job)
            check(job.conclusion == "succeeded", f"{profile}: {job.conclusion}")
            check(len(double.of("token")) >= 2, f"{profile}: it had no new token")
            left = sorted(p.name for p in (w.root / "registrations" / "hub").glob(".*migrated"))
            check(left == [".credentials_migrated"], f"{profile}: {left}")
            check(bool(double.newer_tokens) == (profile == "V"), f"{profile}: the newer authority was asked {len(double.newer_tokens)} times")
            for message in double.agents[-1].queue:
                message.stale, message.gone = False, True
            listener.drain()
            double.failing = profile == "L"  # a message that came last may be left
            double.check()
        forget(w)


@case()
def the_service_knows_of_a_job_that_asks_for_an_id_token_at_once(w):
    asks = ("import json, os, urllib.request\n"
            "q = urllib.request.Request(os.environ['ACTIONS_ID_TOKEN_REQUEST_URL'],\n"
            "    headers={'Authorization': 'Bearer ' + os.environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']})\n"
            "print('got', json.load(urllib.request.urlopen(q))['value'])\n")
    for profile in ("V", "L"):
        with GitHubDouble(profile, results=profile != "L") as double:
            github_registration(w, double)
            job = double.push({"steps": [{"shell": "python", "run": asks}]}, id_tokens=True)
            listener = Listener(w)
            double.finished(job)
            listener.drain()
            double.check()
            check("got head.claims.signature" in job.log(job.step_id(0)), f"{profile}: {job.log()}")
        forget(w)


@case(limit=120)
def a_cancelled_job_ends_as_cancelled(w):
    with GitHubDouble("V") as double:  # one that will not end is ended
        github_registration(w, double)
        job = double.push({"steps": [{"run": "echo begun; trap '' INT TERM; sleep 90 & wait; sleep 90"}, {"if": "always()", "run": "sleep 90"}]})
        listener = Listener(w, env=QUICK)
        double.wait(lambda: job.begun(0))
        start = time.monotonic()
        double.cancel(job, timeout="00:00:02")
        double.finished(job)
        check(job.conclusion == "canceled" and time.monotonic() - start < 30, f"{job.conclusion} after {time.monotonic() - start:.1f} s")
        listener.drain()
        double.check()
    forget(w)
    slow = {"steps": [{"run": SLOW}, {"if": "always()", "run": "echo cleaned up"}, {"run": "echo never"}]}
    for profile in ("V", "L"):
        with GitHubDouble(profile, results=profile != "L") as double:
            github_registration(w, double)
            job = double.push(slow)
            listener = Listener(w)
            double.wait(lambda: job.begun(0))
            double.cancel(job)
            double.finished(job)
            listener.drain()
            double.check()
            check(job.conclusion == "canceled", f"{profile}: {job.conclusion}")
            check("cleaned up" in job.log(job.step_id(1)), f"{profile}: {job.log()}")
            check(job.states()["Run echo never"] == "skipped", f"{profile}: {job.states()}")
        forget(w)


@case(limit=120)
def whoever_is_killed_the_service_has_a_result(w):
    """The worker: at once. The listener, and both: when the next one starts."""
    work = {"steps": [{"run": "echo begun; for i in $(seq 40); do echo $i; sleep 0.1; done"}]}
    for profile in ("V", "L"):
        for victims in ("worker", "listener", "both"):
            with GitHubDouble(profile, results=profile != "L", hold=2.0, session_life=0.0) as double:
                github_registration(w, double)
                double.failing = True
                job = double.push(work)
                listener = Listener(w, env=QUICK)
                double.wait(lambda: job.begun(0))
                workers = listener.workers()
                check(workers, "there is no worker")
                if victims != "worker":
                    listener.process.send_signal(signal.SIGKILL)
                if victims != "listener":
                    for pid in workers:
                        watch.kill(pid)
                if victims != "worker":
                    listener.running.finish(20)
                    before = len(double.calls)
                    listener = Listener(w, env=QUICK)
                double.finished(job)
                if victims != "worker":
                    told = next(c.number for c in double.calls if c.name in ("complete", "event") and c.told)
                    early = [c for c in double.of("poll") if before <= c.number < told and c.query["status"] == ["Online"]]
                    check(not early, f"{profile}, {victims}: it was free before the lost job was told\n{double.transcript(500)}")
                listener.drain()
                double.check()
                check(job.conclusion in ("failed", "canceled", "abandoned"), f"{profile}, {victims}: {job.conclusion}")
            forget(w)


@case(limit=120)
def a_job_that_is_not_run_says_why_in_its_log(w):
    """One that the policy refuses, and one that cannot be read."""
    policy = w.root / "policy.yml"
    policy.write_text("listen: {allow: [acme/other]}\n")
    for profile in ("V", "L"):
        with GitHubDouble(profile, results=profile != "L", hold=2.0) as double:
            github_registration(w, double)
            refused, unread = double.push(echo("never")), double.push(echo("nor this"))
            unread.message["environmentVariables"] = [{"type": 77}]
            listener = Listener(w, "--config", policy)
            for job, why in ((refused, "policy.yml"), (unread, "environmentVariables[0]: a template token has an unknown type")):
                double.finished(job)
                check(job.conclusion == "failed", f"{profile}: {job.conclusion}")
                check(list(job.states()) == ["Set up job"] and job.states()["Set up job"] == "failed", f"{profile}: {job.states()}")
                check(job.log().startswith("##[error]") and why in job.log(), f"{profile}: {job.log()!r}")
                note = job.completed["stepResults"][0]["annotations"][0] if profile == "V" else None
                check(not note or (note["level"], note["startLine"], note["stepNumber"]) == ("failure", 1, 1) and why in note["message"], f"{note}")
            listener.drain()
            double.check()
        forget(w)


@case()
def a_deleted_registration_ends_the_listener(w):
    for profile in ("V", "L"):
        with GitHubDouble(profile, hold=2.0) as double:
            github_registration(w, double)
            listener = Listener(w)
            double.wait(lambda: double.of("poll"))
            double.remove()
            listener.ended(code=0)
            double.check()
            check(not list((w.root / "registrations" / "hub").glob(".*")), "the registration's files are still there")
        shutil.rmtree(w.root / "registrations", ignore_errors=True)


@case()
def an_ephemeral_runner_takes_one_job_and_is_gone(w):
    for profile in ("V", "L"):
        with GitHubDouble(profile, results=profile != "L", hold=2.0) as double:
            github_registration(w, double, ephemeral=True)
            job, other = double.push(echo("the one")), double.push(echo("not this"))
            listener = Listener(w)
            double.finished(job)
            listener.ended(code=0)
            double.check()
            check(job.conclusion == "succeeded" and other.agent is None, f"{job.conclusion}, {other.agent}")
        shutil.rmtree(w.root / "registrations", ignore_errors=True)


@case()
def how_its_job_ended_can_be_how_the_listener_ends(w):
    wanted = {"ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED": "1", "GITHUB_ACTIONS_RUNNER_EXTRA_USER_AGENT": "arc/0.12.0"}
    with GitHubDouble("V", hold=2.0) as double:
        github_registration(w, double)
        for script, code in (("true", 100), ("false", 102)):
            double.push({"steps": [{"run": script}]})
            Listener(w, env=wanted).ended(code=code)
        double.check()
        check(all(" arc/0.12.0 Pid/" in call.headers["User-Agent"] for call in double.of("poll")), double.of("poll")[0].headers["User-Agent"])


def tokens_of(double, folder):
    """All that must not show: what proves something to a service, and the key."""
    key = json.loads((folder / ".credentials_rsaparams").read_text(encoding="utf-8-sig"))
    return {*double.runner_tokens, *(word for job in double.jobs for word in job.hidden), key["d"], key["p"], key["q"]}


@case()
def what_a_folder_says_is_for_its_own_jobs_and_no_token_shows(w):
    """.env and .path, as the official runner has them in its folder; debug logs are on."""
    script = 'echo "said: $ONLY_HERE, ${PATH%%:*}, ${LANG-}, ${http_proxy-}"; echo "$WORD ${{ github.token }}" | rev | rev'
    said = {"env": {"WORD": "${{ secrets.WORD }}"}, "steps": [{"name": "say", "run": script}]}
    with GitHubDouble("V") as double:
        folders = [github_registration(w, double, name, key=name) for name in ("one", "two")]
        for path, text in ((".env", "ONLY_HERE=a b=c\nLANG=\nnonsense\nhttp_proxy=127.0.0.1:9\n"), (".path", "/of/one:/usr/bin:/bin\n")):
            (folders[0] / path).write_text(text)
            (folders[0] / path).chmod(0o600)
        jobs = [double.push(said, agent=agent, secrets=SECRETS, flags={"ACTIONS_STEP_DEBUG": "true", "ACTIONS_RUNNER_DEBUG": "true"},
                            mask=[{"type": "regex", "value": r"\bsaid: (?=nobody)"}]) for agent in double.agents]
        listener = Listener(w, "--log", "json", env={"LANG": "C.UTF-8", **QUICK})
        for job in jobs:
            double.finished(job)
        token = next(token for token, agent in double.runner_tokens.items() if agent is double.agents[0])
        double.fault("poll", "status", status=500, body=json.dumps({"message": f"who is '{token}'?"}), type="application/json",
                     when=lambda call: token in call.headers.get("Authorization", ""))
        third = double.push(echo("after all that"), agent=double.agents[0])
        double.finished(third)
        done = listener.drain()
        double.check()
        logs = [job.log(job.step_id(0)) for job in jobs]
        check("said: a b=c, /of/one, , http://127.0.0.1:9\n" in logs[0], logs[0])
        check("a b=c" not in logs[1] and "/of/one" not in logs[1] and "C.UTF-8" in logs[1], logs[1])
        check(all("##[debug]" in log and "*** ***" in log for log in logs), logs)
        shown = done.err + done.out + "".join(p.read_text(errors="replace") for p in (w.root / "work").rglob("*") if p.is_file())
        found = [word for folder in folders for word in tokens_of(double, folder) if word in shown]
        check("who is '***'?" in done.err, f"what the server said is not told\n{done}")
        check(not found, f"tokens can be seen: {found}\n{shown}")
    (folders[0] / ".env").chmod(0o666)
    done = w.start(folders[0], command="listen", json_out=False).finish(30).exits(1)
    check(".env" in done.err, str(done))


@case()
def a_listener_that_waits_for_github_sleeps(w):
    with GitHubDouble("V") as double:
        github_registration(w, double)
        listener = Listener(w)
        double.wait(lambda: double.of("poll"))
        before, calls = listener.cpu_ticks(), len(double.calls)
        threading.Event().wait(3)
        spent = listener.cpu_ticks() - before
        check(spent <= 3 and len(double.calls) == calls, f"in 3 s it took {spent} ticks and called {len(double.calls) - calls} times")
        start = time.monotonic()
        listener.drain()
        check(time.monotonic() - start < 5, "an idle listener takes long to end")
        double.check()
        check(double.of("end-session"), "the session was left open")
