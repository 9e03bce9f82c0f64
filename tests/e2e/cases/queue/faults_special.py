"""Faults that are no call's: of keys, messages, tokens, clocks, hosts; and an hour of peace, in a minute's time."""

import shutil
import subprocess
import time

from case import case
from faults import MINUTE, QUICK, SLACK, KINDS, Thrift
from github_double import GitHubDouble
from gitea_double import GiteaDouble
from listening import SLOW, Listener, as_yaml, echo, gitea_registration, github_registration
from world import check

PROFILES = ("V", "L")


def hubs(w, profiles=PROFILES, **more):
    """A double and a registration of each of PROFILES."""
    made = [GitHubDouble(profile, results=profile != "L", hold=2.0, **more) for profile in profiles]
    for double in made:
        github_registration(w, double, key=f"hub-{double.profile}")
    return made


def leave(doubles):
    for double in doubles:
        double.close()


def ran_once(double, job, mark):
    double.finished(job, 40)
    check(job.conclusion == "succeeded", f"{double.profile}: {job.conclusion}")
    check(job.log(job.step_id(0)).splitlines().count(mark) == 1, f"{double.profile}: {job.log()}")


@case(limit=90)
def a_message_that_comes_twice_or_for_another_key_is_one_job(w):
    doubles = hubs(w)
    newer, older = doubles
    older.miskeys = 1
    jobs = [double.push({"steps": [{"run": f"echo once; sleep {MINUTE}"}]}) for double in doubles]
    listener = Listener(w, env=QUICK)
    for double, job in zip(doubles, jobs):
        double.wait(lambda: job.begun(0), 30)
        double.repeat(job)
    for double, job in zip(doubles, jobs):
        ran_once(double, job, "once")
        double.repeat(job)
        ran_once(double, double.push(echo("another")), "another")
    check(older.miskeys == 0 and len(older.of("session")) == 2, f"{older.names()}")
    done = listener.drain()
    check(done.err.count("job started") == 4, f"that were not four jobs:\n{done}")
    for double in doubles:
        double.check()
    leave(doubles)


@case(limit=90)
def clocks_that_differ_are_named_and_got_over(w):
    doubles = hubs(w)
    for double, skew in zip(doubles, (600, -600)):
        double.skew = skew
    jobs = [double.push(echo("in time")) for double in doubles]
    listener = Listener(w, env=QUICK)
    for double, job in zip(doubles, jobs):
        ran_once(double, job, "in time")
    done = listener.drain()
    for double, way in zip(doubles, ("behind", "ahead")):
        double.check()
        check(double.of("token"), "no token")
        said = [line for line in done.err.splitlines() if f"hub-{double.profile}" in line and "clock shows" in line]
        check(len(said) == 1 and "GitHub's 20" in said[0] and f"s {way}; set it" in said[0], f"{way}: {said}\n{done}")
    leave(doubles)


@case(limit=90)
def whose_access_is_revoked_ends_its_job_and_then_itself(w):
    """GitHub's on both ways, and a Gitea that forgets its runner."""
    for profile in (*PROFILES, "gitea"):
        double = GiteaDouble() if profile == "gitea" else GitHubDouble(profile, results=profile != "L", hold=2.0)
        with double:
            double.failing = double.pausing = True
            if profile == "gitea":
                gitea_registration(w, double)
                task = double.push(as_yaml({"runs-on": "ubuntu-latest", "steps": [{"run": SLOW}]}), steps=1)
            else:
                github_registration(w, double)
                job = double.push({"steps": [{"run": f"echo once; sleep {2 * MINUTE}"}]})
            listener = Listener(w, env=QUICK)
            if profile == "gitea":
                double.wait(lambda: "begun" in task.lines, 30)
                double.remove()
            else:
                double.wait(lambda: job.begun(0), 30)
                double.revoke(double.agents[0])
            done = listener.ended(code=1)
            said = [line for line in done.err.splitlines() if " error " in line or " warning " in line]
            check(any("register" in line for line in said), f"{profile}: no way out is named\n{done}")
            if profile == "V":  # the job has a token of its own
                check(job.conclusion == "succeeded", f"{profile}: {job.conclusion}\n{done}")
            double.check()
        shutil.rmtree(w.root / "registrations", ignore_errors=True)


@case(limit=60)
def a_queue_that_moves_to_another_host_is_followed(w):
    with GitHubDouble("L", results=False, hold=2.0) as double:
        github_registration(w, double)
        before = double.push({"steps": [{"run": f"echo before; sleep {MINUTE}"}]})
        listener = Listener(w, env=QUICK)
        double.wait(lambda: before.begun(0), 30)
        double.migrate()
        ran_once(double, before, "before")
        ran_once(double, double.push(echo("behind")), "behind")
        stopped = double.push({"steps": [{"run": SLOW}]})
        double.wait(lambda: stopped.begun(0), 30)
        double.cancel(stopped)
        double.finished(stopped)
        check(stopped.conclusion == "canceled", f"{stopped.conclusion}")
        check(any(call.path.startswith("/broker/message") for call in double.of("poll")), "nobody asked there")
        listener.drain()
        double.check()


def reported(double):
    """The names of what came with a job's token: at the tenant's own address, and where that sends it on to."""
    here, there = set(), set()
    for call in double.calls:
        if call.path.startswith("/tenant/") and call.headers.get("Authorization", "").removeprefix("Bearer ") in {j.token for j in double.jobs}:
            (there if call.headers["Host"].startswith("localhost:") else here).add(call.name)
    return here, there


REDIRECTS = {"Actions.EnableHttpRedirects": "true"}


@case(limit=90)
def what_a_job_reports_follows_its_tenant_to_another_host(w):
    with GitHubDouble("L", results=False, hold=2.0) as double:
        github_registration(w, double)
        double.archive("acme/tool", {"action.yml": "name: t\nruns:\n  using: composite\n  steps:\n  - run: echo tool\n    shell: bash\n"})
        double.send_on()
        said = {"steps": [{"run": "echo hello; echo '# well' >> $GITHUB_STEP_SUMMARY"}, {"uses": "acme/tool@v1"}]}
        listener = Listener(w, env=QUICK)
        job = double.push(said, flags=REDIRECTS)
        double.finished(job, 40)
        done = listener.drain()
        check(job.conclusion == "succeeded" and "hello" in job.log() and "tool" in job.log(), f"{job.conclusion}\n{job.log()}\n{done}")
        here, there = reported(double)
        check(here == there and here >= {"connection", "records", "new-log", "log", "attachment", "event", "downloads"}, f"{here}\n{there}\n{done}")
        double.check()


@case(limit=90)
def it_stays_where_no_redirects_are_wanted_and_goes_from_https_to_nothing_less(w):
    certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", w.root / "key", "-out", w.root / "pem", "-days", "2",
                   "-subj", "/CN=t", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(certificate, check=True, capture_output=True)
    for secure, flags, env in ((False, REDIRECTS, {"GITHUB_ACTIONS_RUNNER_NO_HTTP_REDIRECTS": "true"}),
                               (False, {}, {}),
                               (True, REDIRECTS, {"SSL_CERT_FILE": str(w.root / "pem")})):
        with GitHubDouble("L", results=False, hold=2.0) as double:
            double.failing = True
            if secure:
                double.secure(w.root / "pem", w.root / "key")
            github_registration(w, double)
            double.send_on()
            job = double.push(echo(), flags=flags)
            listener = Listener(w, env={**QUICK, **env})
            double.wait(lambda: "event" in double.names(), 40)
            here, there = reported(double)
            double.lapse(job)
            done = listener.drain()
            check("event" in here and not there, f"{secure}, {env}: {here}, {there}\n{done}")
            check("could not be told of the job's end" in done.err and "303" in done.err, f"nothing is said\n{done}")
            double.check()
        shutil.rmtree(w.root / "registrations")


# ---- time that is as it is, or bad ----

HOUR = 3.0  # seconds
MINUTE_MS = HOUR / 60 * 1000


@case(limit=90)
def an_hour_of_peace_and_ten_minutes_of_each_trouble_cost_next_to_nothing(w):
    """One listener, three servers."""
    doubles = hubs(w)
    for double in doubles:
        double.hold, double.token_life, double.session_life = 50 / 3600 * HOUR, 2, HOUR / 60
    gitea = GiteaDouble()
    gitea.pausing = True
    gitea_registration(w, gitea)
    doubles.append(gitea)
    listener = Listener(w, env={"OSTLER_TEST_MINUTE_MS": str(int(MINUTE_MS))}, slots=3)
    names = {id(double): "FetchTask" if double is gitea else "poll" for double in doubles}
    for double in doubles:
        double.wait(lambda: len(double.of(names[id(double)])) > 1, 30)
    thrift, calls = Thrift(listener), [len(double.calls) for double in doubles]
    time.sleep(HOUR)
    # GitHub's holds a poll for 50 s; a Gitea is asked every 5 s, and our timer comes back within a millisecond.
    for double, before, most in zip(doubles, calls, (90, 90, 1000)):
        made = len(double.calls) - before
        check(2 <= made <= most, f"{names[id(double)]}: {made} calls in an hour, wanted {most} at most\n{double.transcript(30)}")
    thrift.at_most(1.5, "an hour of peace")

    for name in ("5xx", "html", "reset", "away", "hang", "429"):
        thrift, faults, before = Thrift(listener), [], [len(double.calls) for double in doubles]
        kind, more = KINDS.get(name, (None, {}))
        for double in doubles:
            if name == "away":
                double.leave()
            else:
                faults.append(double.fault("*", kind, times=1 << 30, **more))
        time.sleep(HOUR / 6)
        spent = [len(double.calls) - n for double, n in zip(doubles, before)]
        for double in doubles:
            double.leave(False)
        for fault in faults:
            fault.lift()
        check(max(spent) <= 120, f"{name}: {spent} calls in ten minutes")
        begun = time.monotonic()
        for double in doubles:
            seen = len(double.of(names[id(double)]))
            double.wait(lambda: any(c.told for c in double.of(names[id(double)])[seen:]), 10)
        took = time.monotonic() - begun  # a 429 wants a second of everybody's time, not of the service's
        check(took <= 3 * 60 / 3600 * HOUR + SLACK + (1 if name == "429" else 0), f"{name}: back after {took:.1f} s")
        thrift.at_most(1.0, f"{name} for ten minutes")
    done = listener.drain()
    check(done.err.count("in contact again") >= 3, f"it was never said that the trouble is over\n{done}")
    leave(doubles)
