"""Every fault at every call of GitHub's, on both ways of delivery."""

import time

import faults
from case import case
from faults import MINUTE, QUICK, Row, Thrift, asked_again, diagonal, side_by_side, table
from github_double import GitHubDouble
from listening import Listener, github_registration
from world import check

RUNNERS = 6
ACTION = {"action.yml": "name: A\nruns:\n  using: composite\n  steps: [{run: echo of the action, shell: bash}]\n"}

# Calls in the order in which a job makes them, and after how many of the service's seconds each is made again at most.
COMMON = {"token": 60, "session": 90, "poll": 60}
NEWER = {**COMMON, "acknowledge": None, "acquire": 15, "renew": 15, "resolve": None, "archive": None, "socket": None, "steps": 30,
         "step-log-url": 30, "blob": 30, "step-log": 30, "summary-url": 30, "summary": 30, "job-log-url": 30, "job-log": 30, "complete": 15}
OLDER = {**COMMON, "connection": None, "delete-message": 15, "lock": 15, "downloads": None, "archive": None, "records": 30, "new-log": 30,
         "log": 30, "feed": None, "attachment": 30, "event": 15}
OF_RUNNER = {"session", "poll", "acknowledge", "acquire", "connection", "delete-message", "lock"}

# A token that is refused is a matter of the runner's own calls: that of a job cannot be had anew.
WITHOUT = {(call, "expired") for call in {*NEWER, *OLDER} - OF_RUNNER} | {
    ("socket", kind) for kind in ("garbage", "cut", "trickle")}  # it is a conversation, not an answer

# What was done by the server, and nobody knows: the job is somebody else's, as far as can be told (4.1, 10.1).
LOST = {("acquire", kind) for kind in ("lost", "cut", "garbage")}

# What comes instead of an action's files cannot be run, and a service of actions that has enough is believed (7.1): the job
# fails, and says so.
FAILED = {("archive", "html"), ("archive", "garbage"), ("resolve", "429"), ("downloads", "429")}


def job_of(number, row):
    """The smallest job that makes ROW's call."""
    steps = [{"run": f"echo row-{number}"}]
    if row.call in ("resolve", "archive", "downloads"):
        steps.append({"uses": f"acme/act{number}@v1"})
    if row.call in ("summary-url", "summary", "attachment"):
        steps.append({"run": "echo '# Sum' >> $GITHUB_STEP_SUMMARY"})
    if row.skip and row.call in ("renew", "lock"):
        steps.append({"run": f"sleep {MINUTE * 1.5}"})
    return {"steps": steps}


class Suite:
    """RUNNERS registrations, one listener, ROWS."""

    def __init__(self, w, profile, calls, rows):
        self.w, self.profile, self.calls, self.rows = w, profile, calls, rows
        self.told = []

    def run(self):
        w = self.w
        with GitHubDouble(self.profile, results=self.profile != "L", hold=2.0, session_life=1.0) as double:
            double.failing, self.double = True, double
            for number in range(len(self.rows)):
                double.archive(f"acme/act{number}", ACTION)
            for number in range(RUNNERS):
                github_registration(w, double, name=f"t{number}", key=f"r{number}")
            agents = list(double.agents)
            self.listener = Listener(w, env=QUICK, slots=RUNNERS)
            thrift = Thrift(self.listener)
            failed = side_by_side(self.listener, self.rows, agents, self.one)
            check(not failed, "\n".join([*failed, double.transcript(20)]))
            thrift.at_most(0.15 * len(self.rows) + 2, "all rows")
            done = self.leave(agents)
            double.check()
            for number in self.told:
                check(done.err.count("a job could not be had") == len(self.told), f"losses were told otherwise than once each:\n{done}")

    def one(self, agent, number, row):
        double = self.double
        kind, more = faults.KINDS[row.kind]
        about = []

        def is_meant(call):
            whose, job = double.side(call)
            return whose is agent and (job is None or job in about)
        fault = double.fault(row.call, kind, when=is_meant, skip=row.skip, **more)
        if row.call == "session":  # the one there is ends
            double.tell_lost(agent)
        if row.call == "feed":  # which is for those that have no other way
            double.fault("socket", "status", status=404, when=is_meant)
        if row.call == "token":
            double.expire_tokens(agent)
        if row.call in ("token", "session"):
            double.wait(lambda: fault.struck, 20)
        with double.turn:
            job = double.push(job_of(number, row), agent=agent)
            about.append(job)
        if (row.call, row.kind) in LOST:
            double.wait(lambda: fault.struck, 20)
            double.wait(lambda: any(c.number > fault.hits[0].number for c in self.of(row.call, agent, job)), 20)
            double.lapse(job)
            self.told.append(number)
        else:
            double.finished(job, 30)
            if (row.call, row.kind) in FAILED:
                self.look_at_failure(job)
            else:
                check(job.conclusion == "succeeded", f"the job has {job.conclusion}")
                self.look_at_log(number, row, job)
        check(fault.struck == 1, "it never struck")
        if self.calls[row.call] and row.kind in faults.FAILS:
            asked_again(double, lambda: self.of(row.call, agent, None if row.call in COMMON else job), fault.hits[0], self.calls[row.call], row)

    def of(self, name, agent, job):
        """The calls of that NAME by AGENT, for JOB where that can be told."""
        found = []
        for call in self.double.of(name):
            whose, its = self.double.side(call)
            if whose is agent and (job is None or its is None or its is job):
                found.append(call)
        return found

    def look_at_log(self, number, row, job):
        lines = job.log(job.step_id(0)).splitlines()
        least, most = 1, 2 if row.call == "log" else 1  # a page of the older way that may have come is sent as another one
        check(least <= lines.count(f"row-{number}") <= most, f"the step's log is {lines}")
        if row.call in ("resolve", "archive", "downloads"):
            check("of the action" in job.log(), f"the action did not run: {job.log()}")
        if row.call in ("summary-url", "summary", "attachment"):
            check(any("# Sum" in text for text in job.summarised.values()), f"the summary is not there: {job.summarised}")

    @staticmethod
    def look_at_failure(job):
        said = [issue["message"] for record in job.records.values() for issue in record.get("issues", []) if issue["type"] == "error"]
        for step in (job.completed or {}).get("stepResults", []):
            said += [one["message"] for one in step.get("annotations", []) if one["level"] == "failure"]
        check(job.conclusion == "failed" and len(said) == 1, f"the job has {job.conclusion}, and says {said}")

    def leave(self, agents):
        """The last call has its faults, too: one for each of the runners."""
        kinds = [kind for kind in faults.KINDS if kind != "expired"][:len(agents)]
        for agent, name in zip(agents, kinds):
            kind, more = faults.KINDS[name]
            self.double.fault("end-session", kind, when=lambda call, a=agent: self.double.side(call)[0] is a, **more)
        begun = time.monotonic()
        done = self.listener.drain()
        check(time.monotonic() - begun < 6, f"it took {time.monotonic() - begun:.1f} s to leave")
        return done


def rows_of(calls):
    return table(calls, without=WITHOUT) + [Row(call, kind, skip=1) for call in ("renew", "lock") if call in calls
                                            for kind in ("5xx", "reset", "html", "lost")]


@case(limit=120)
def a_fault_at_a_call_of_the_newer_way_leaves_the_job_as_it_was(w):
    Suite(w, "V", NEWER, diagonal(rows_of(NEWER), 7)).run()


@case(limit=120)
def a_fault_at_a_call_of_the_older_way_leaves_the_job_as_it_was(w):
    Suite(w, "L", OLDER, diagonal(rows_of(OLDER), 7)).run()


@case(limit=600, thorough=True)
def any_fault_at_any_call_of_the_newer_way_leaves_the_job_as_it_was(w):
    Suite(w, "V", NEWER, rows_of(NEWER)).run()


@case(limit=600, thorough=True)
def any_fault_at_any_call_of_the_newer_way_throughout_leaves_the_job_as_it_was(w):
    Suite(w, "A", NEWER, rows_of(NEWER)).run()


@case(limit=600, thorough=True)
def any_fault_at_any_call_of_the_older_way_leaves_the_job_as_it_was(w):
    Suite(w, "L", OLDER, rows_of(OLDER)).run()
