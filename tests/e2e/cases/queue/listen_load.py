"""Many jobs at once, over registrations of each kind: each one ends right, and what it said is in its own log."""

from case import case
from gitea_double import GiteaDouble
from github_double import GitHubDouble
from listening import Listener, as_yaml, gitea_registration, github_registration
from world import check

ON_GITEA, ON_GITHUB = 20, 2  # jobs; the latter on each of two


def said(word, fails):
    """A job that says its WORD many times, in two steps, and when it ran."""
    return {"runs-on": "ubuntu-latest", "steps": [
        {"run": f"date +%s%N; for i in $(seq 60); do echo {word}-$i; done"},
        {"run": f"echo {word}-${{{{ github.run_id }}}}-end; date +%s%N; exit {int(fails)}"}]}


def at_once(spans):
    """The most that ran in the same moment."""
    edges = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def look(word, fails, result, log, wanted):
    """Holds a LOG against what its job has said; returns when that ran."""
    check(result == wanted[fails], f"{word}: {result}\n{log}")
    lines = [line for line in log.splitlines() if line.startswith("word-")]
    strange = [line for line in lines if not line.startswith(f"{word}-")]
    check(not strange, f"{word}: lines of others: {strange[:5]}")
    check([line for line in lines if not line.endswith("-end")] == [f"{word}-{i}" for i in range(1, 61)], f"{word}: {lines}")
    check(len(lines) == 61, f"{word}: {len(lines)} lines")
    times = [int(line) for line in log.splitlines() if line.isdigit() and len(line) > 17]
    check(len(times) == 2, f"{word}: {times}")
    return times


def jobs_at_once(w, slots):
    """24 jobs on three servers, SLOTS at a time."""
    tasks, jobs = {}, {}
    with GiteaDouble(capacity=ON_GITEA) as forge, GitHubDouble("V") as newer, GitHubDouble("L", results=False) as older:
        gitea_registration(w, forge, key="forge", capacity=ON_GITEA)
        github_registration(w, newer, key="newer")
        github_registration(w, older, key="older")
        for number in range(ON_GITEA + 2 * ON_GITHUB):
            word, fails = f"word-{number}", number % 5 == 0
            if number < ON_GITEA:
                tasks[word] = forge.push(as_yaml(said(word, fails)), steps=2), fails
            else:
                jobs[word] = (newer, older)[number % 2].push(said(word, fails)), fails
        listener = Listener(w, slots=slots)
        for task, _ in tasks.values():
            forge.finished(task)
        for job, _ in jobs.values():
            job.double.finished(job)
        listener.drain()
        for double in (forge, newer, older):
            double.check()
    spans = [look(word, fails, task.result, task.log(), {False: "RESULT_SUCCESS", True: "RESULT_FAILURE"}) for word, (task, fails) in tasks.items()]
    spans += [look(word, fails, job.conclusion, "\n".join(job.log(job.step_id(i)) for i in (0, 1)), {False: "succeeded", True: "failed"})
              for word, (job, fails) in jobs.items()]
    check(at_once(spans) <= slots, f"{at_once(spans)} ran at once, of {slots}")


@case(limit=90)
def many_jobs_of_many_servers_end_right_each_with_its_own_log(w):
    jobs_at_once(w, 24)


@case(limit=90, thorough=True)
def jobs_of_many_servers_share_a_few_slots(w):
    jobs_at_once(w, 4)
