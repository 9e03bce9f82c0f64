"""Jobs that mean harm, on a listener that runs those of others as well."""

import pathlib
import re
import shutil
import tempfile

import watch
from case import case
from gitea_double import GiteaDouble
from listening import Listener, as_yaml, gitea_registration
from world import check

SECRET = "swordfish-1234"
# What such a job might take: what it finds is in its log.
LOOK = r"""
set +e
find ROOT -type f -o -type l
cat ROOT/registrations/home/.runner ROOT/pat
grep -rls SECRET ROOT /proc/[0-9]*/environ
true"""


@case(who="root", limit=60)
def a_job_sees_nothing_of_the_listener_or_of_other_jobs(w):
    """Also where registrations, work folder and state lie outside of HOME, as operators of GitHub's runner have it."""
    root, scratch = pathlib.Path(tempfile.mkdtemp(prefix="ostler-e2e-", dir="/opt")), w.root
    try:
        with GiteaDouble(capacity=2) as double:
            w.root = root
            w.env["XDG_STATE_HOME"], w.env["XDG_CACHE_HOME"] = str(root / "state"), str(root / "cache")
            gitea_registration(w, double, capacity=2)
            listener = Listener(w)
            victim = double.push(as_yaml({"runs-on": "ubuntu-latest", "steps": [
                {"env": {"WORD": "${{ secrets.WORD }}"}, "run": "echo $WORD > word; echo begun; until test -e go; do sleep 0.05; done"}]}),
                steps=1, secrets={"WORD": SECRET})
            double.wait(lambda: "begun" in victim.lines)
            for pid in (listener.process.pid, *listener.workers()):
                limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
                check(re.search(r"Max core file size +0 ", limits), f"a core of {watch.describe(pid)} would hold secrets:\n{limits}")
            mirror = root / "cache/ostler/git/forge.test/acme/app"  # whole repositories, of whoever; not there at the start
            mirror.mkdir(parents=True)
            (mirror / "mirror.size").write_text(SECRET)
            look = LOOK.replace("ROOT", str(root)).replace("SECRET", f"{SECRET[:9]}''{SECRET[9:]}")
            task = double.push(as_yaml({"runs-on": "ubuntu-latest", "steps": [{"run": look}]}), steps=1)
            double.finished(task)
            found = [line for line in task.lines if line.startswith(str(root)) or '"token"' in line]
            check(not found, "\n".join(found))
            check(task.result == "RESULT_SUCCESS", f"{task.result}\n{task.log()}")
            next(root.glob("work/*/job/work/*/*/word")).with_name("go").touch()
            double.finished(victim)
            check(victim.result == "RESULT_SUCCESS", f"{victim.result}\n{victim.log()}")
            listener.drain()
    finally:
        w.root = scratch
        shutil.rmtree(root)
