"""Every fault at every call of a Gitea's."""

import faults
from case import case
from faults import QUICK, Row, Thrift, asked_again, diagonal, side_by_side, table
from gitea_double import GiteaDouble
from listening import Listener, as_yaml, gitea_registration
from world import check

PARALLEL = 6

# Calls, and after how many of the service's seconds each is made again at most; the storage is asked by the plugin, with pauses of
# its own. Those of the runner alone come one after the other.
OF_TASK = {"UpdateLog": 10, "UpdateTask": 10, "summary": None, "artifact/CreateArtifact": None, "blob": None, "artifact/FinalizeArtifact": None}
OF_RUNNER = {"Declare": 60, "FetchTask": 60}
STORED = {"artifact/CreateArtifact", "blob", "artifact/FinalizeArtifact"}

# It was done, and nobody knows: asked once more, the server says that there is one of that name.
REFUSED = {("artifact/CreateArtifact", kind) for kind in ("lost", "cut", "garbage")}

# A 401 without a word of the service's is a proxy's.
WITHOUT = {(call, "expired") for call in STORED}


def job_of(number, row):
    steps = [{"run": f"echo row-{number}"}]
    if row.call == "summary":
        steps.append({"run": "echo '# Sum' >> $GITHUB_STEP_SUMMARY"})
    if row.call in STORED:
        steps += [{"run": "mkdir out && seq 3 > out/numbers"}, {"uses": "test/blobs@v1", "with": {"do": f"upload|n{number}|out|out|6"}}]
    return {"runs-on": "ubuntu-latest", "steps": steps}


class Suite:
    def __init__(self, w, rows, alone):
        self.w, self.rows, self.alone = w, rows, alone

    def run(self):
        w = self.w
        w.plugin("blobs")
        with GiteaDouble(capacity=PARALLEL) as double:
            self.double = double
            gitea_registration(w, double, capacity=PARALLEL)
            double.pausing = True
            declares = [row for row in self.alone if row.call == "Declare"]
            for row in declares:
                self.fault(row)
            self.listener = Listener(w, env=QUICK, slots=PARALLEL)
            thrift = Thrift(self.listener)
            double.wait(lambda: double.of("FetchTask"), 30)
            for row, fault in zip(declares, list(double.faults)):
                check(fault.struck == 1, f"{row}: it never struck")
                if row.kind in faults.FAILS:
                    asked_again(double, lambda: double.of("Declare"), fault.hits[0], OF_RUNNER["Declare"], row)
            failed = side_by_side(self.listener, [row for row in self.alone if row.call != "Declare"], [None], self.one)
            failed += side_by_side(self.listener, self.rows, range(PARALLEL), self.one)
            check(not failed, "\n".join([*failed, double.transcript(20)]))
            thrift.at_most(0.15 * len(self.rows + self.alone) + 2, "all rows")
            done = self.listener.drain()
            double.check()
            check("Traceback" not in done.err, str(done))

    def fault(self, row, **more):
        kind, told = faults.KINDS[row.kind]
        return self.double.fault(row.call, kind, skip=row.skip, **told, **more)

    def one(self, _, number, row):
        double, about = self.double, []

        def is_of(call):
            return any(mark in call.raw or mark in call.path.encode() for mark in about) or (
                about and call.name in ("summary", *STORED) and self.task_of(call) is about_task[0])
        about_task = [None]
        fault = self.fault(row, **({} if row.call in OF_RUNNER else {"when": is_of}))
        job = job_of(number, row)
        with double.turn:
            task = double.push(as_yaml(job), steps=len(job["steps"]))
            about.append(f'"{task.id}"'.encode())
            about_task[0] = task
        double.finished(task, 40)
        check(fault.struck == 1, "it never struck")
        check(task.result == "RESULT_SUCCESS" and task.lines.count(f"row-{number}") == 1, f"{task.result}\n{task.log()}")
        if row.call in STORED:
            there = any(name == f"n{number}" and a["done"] for (_, name), a in double.artifacts.items())
            told = [line for line in task.lines if line.startswith("upload: -")]
            check((not there and len(told) == 1) if (row.call, row.kind) in REFUSED else (there and not told), f"{there}, {told}\n{task.log()}")
        most = {**OF_TASK, **OF_RUNNER}[row.call]
        if most and row.kind in faults.FAILS:
            asked_again(double, lambda: [c for c in double.of(row.call) if row.call in OF_RUNNER or is_of(c)], fault.hits[0], most, row)

    def task_of(self, call):
        """Whose CALL of a job's services is."""
        token = call.headers.get("Authorization", "").partition("Bearer ")[2]
        blob = call.path.rpartition("/")[2]
        for task in self.double.tasks.values():
            run = task.message["context"]["run_id"]
            if token and task.message["context"].get("gitea_runtime_token") == token:
                return task
            if any(of == run and a["blob"] == blob for (of, _), a in self.double.artifacts.items()):
                return task
        return None


ROWS = table(OF_TASK, without=WITHOUT) + [Row(call, kind, skip=1) for call in ("UpdateLog", "UpdateTask") for kind in faults.KINDS]
ALONE = table(["Declare"], kinds=[*sorted(faults.FAILS), "garbage", "late"]) + table(["FetchTask"])  # the last ends it


@case(limit=120)
def a_fault_at_a_call_leaves_the_task_as_it_was(w):
    Suite(w, diagonal(ROWS, 4), diagonal(ALONE, 3)).run()


@case(limit=300, thorough=True)
def any_fault_at_any_call_leaves_the_task_as_it_was(w):
    Suite(w, ROWS, ALONE).run()
