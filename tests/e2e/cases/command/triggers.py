"""Which workflows an event starts: filters against real repositories, and what is said of the others."""

from case import case

JOBS = "jobs: {say: {runs-on: x, steps: [{run: 'echo \"started by ${{ github.event_name }}, before ${{ github.event.before }}\"'}]}}\n"
SRC = "name: src\non:\n  push: {paths: ['src/**']}\n  pull_request: {paths: ['src/**']}\n" + JOBS
DOCS = "name: docs\non:\n  push: {paths: ['docs/**']}\n  pull_request: {paths: ['docs/**']}\n" + JOBS


def two(w):
    """A repository with two workflows, one for each folder, and a first commit that holds both."""
    w.write(".github/workflows/src.yml", SRC)
    w.write(".github/workflows/docs.yml", DOCS)
    w.write("src/a", "1\n")
    w.write("docs/a", "1\n")
    return w.commit("both")


def remote(w, sha, branch="main"):
    """As after a push of SHA to BRANCH."""
    w.git("update-ref", f"refs/remotes/origin/{branch}", sha)
    if branch == "main":
        w.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")


def started(w, *args, **more):
    """The names of the workflows that a run starts, and the run; none: it must say so."""
    r = w.run(*args, **more)
    names = [n for n in ("src", "docs") if f"{n}/say" in r.jobs()]
    if len(r.jobs()) == 1:  # the job of one workflow carries no name of it
        names = [n for n in ("src", "docs") if r.of("run.started")[0]["file"].endswith(f"/{n}.yml")]
    if not r.events:
        r.exits(0).shows("starts no workflow")
    return " ".join(names), r


@case()
def a_push_that_touches_docs_starts_nothing_else(w):
    root = w.project / "pipelines" / "horoscopus"
    r = w.run(*sorted(root.glob("*.yml")), "--event", "push", "--changed", "docs/x.md", code=0)
    r.equal("events", r.events, [])
    r.shows(r"the event 'push' starts no workflow",
            r"push: paths: the changed file 'docs/x\.md' does not match 'frontend/\*\*' \(\S*frontend\.yml:6:5\)")


@case()
def the_last_commit_decides_where_nothing_was_pushed(w):
    two(w)
    w.write("docs/b", "1\n")
    w.commit("docs only")
    names, r = started(w)
    r.equal("started", names, "docs")
    r.shows(r"changed files: 1, since [0-9a-f]{7}, the commit before HEAD",
            r"not started: push: paths: the changed file 'docs/b' does not match 'src/\*\*' \(\.github/workflows/src\.yml:3:10\)")


@case()
def the_working_tree_counts_as_it_is(w):
    two(w)
    w.commit("nothing")
    names, r = started(w)
    r.equal("clean", names, "")
    r.shows(r"no file changed")
    w.write("src/new", "1\n")
    names, r = started(w)
    r.equal("a new file", names, "src")
    (w.repo / "src/new").unlink()
    (w.repo / "docs/a").unlink()
    names, r = started(w)
    r.equal("a file that is gone", names, "docs")
    w.git("rm", "-q", "--cached", "src/a")
    names, r = started(w)
    r.equal("taken out of the index", names, "src docs")


@case()
def a_push_starts_where_the_branch_is_on_its_remote(w):
    first = two(w)
    remote(w, first)
    w.write("src/b", "1\n")
    w.commit("src")
    w.write("docs/b", "1\n")
    w.commit("docs")
    names, r = started(w)
    r.equal("both commits", names, "src docs")
    r.shows("changed files: 2, since .*, where origin/main is").says(f"before {first}")
    remote(w, w.git("rev-parse", "HEAD"))
    names, r = started(w)
    r.equal("all is pushed: the last commit", names, "docs")
    w.write("src/c", "1\n")
    names, r = started(w)
    r.equal("all is pushed: the edits", names, "src")


@case()
def a_branch_may_follow_one_of_another_name(w):
    first = two(w)
    w.git("update-ref", "refs/remotes/up/trunk", first)
    w.git("config", "branch.main.remote", "up")
    w.git("config", "branch.main.merge", "refs/heads/trunk")
    w.write("src/b", "1\n")
    w.commit("src")
    w.write("docs/b", "1\n")
    w.commit("docs")
    names, r = started(w)
    r.equal("started", names, "src docs")
    r.shows("where up/trunk is")


@case()
def before_says_where_a_push_starts(w):
    first = two(w)
    w.write("src/b", "1\n")
    second = w.commit("src")
    w.write("docs/b", "1\n")
    w.commit("docs")
    for before, wanted in ((first, "src docs"), (second, "docs"), ("HEAD~2", "src docs"), ("HEAD", "")):
        names, r = started(w, "--before", before)
        r.equal(before, names, wanted)
    names, r = started(w, "--before", "HEAD~2")
    r.says(f"before {first}")
    w.run("--before", "no-such", code=2).complains("there is no commit 'no-such'")
    w.run("--before", "HEAD", "--event", "pull_request", code=2).complains("--before goes with '--event push'")


@case()
def the_first_push_of_a_branch_brings_all_its_commits(w):
    first = two(w)
    remote(w, first)
    w.git("checkout", "-q", "-b", "topic")
    w.write("src/b", "1\n")
    w.commit("src")
    w.write("docs/b", "1\n")
    w.commit("docs")
    names, r = started(w)
    r.equal("started", names, "src docs")
    r.shows("where the new branch begins").says(f"before {'0' * 40}")


@case()
def the_first_push_of_all_brings_all_files(w):
    two(w)
    w.git("update-ref", "-d", "HEAD")
    w.commit("the only commit")
    names, r = started(w)
    r.equal("started", names, "src docs")
    r.shows("in the first commit")


@case()
def a_shallow_clone_asks_no_paths_but_of_what_is_edited(w):
    two(w)
    w.write("README.md", "2\n")
    w.commit("neither")
    shallow = w.root / "shallow"
    w.git("clone", "-q", "--depth", "1", f"file://{w.repo}", str(shallow))
    names, r = started(w, cwd=shallow)
    r.equal("all is pushed", names, "src docs")
    r.shows("changed files: not known, as this is a shallow clone", "paths was not asked")
    w.git("checkout", "-q", "-b", "topic", cwd=shallow)
    w.write("src/b", "1\n", below=shallow)
    names, r = started(w, cwd=shallow)
    r.equal("a new branch without commits", names, "src")
    w.git("add", "-A", cwd=shallow)
    w.git("-c", "user.name=T", "-c", "user.email=t@example.test", "commit", "-q", "-m", "src", cwd=shallow)
    names, r = started(w, cwd=shallow)
    r.equal("a new branch", names, "src")
    r.shows("changed files: 1, since .*, where the new branch begins")


@case()
def a_tag_asks_no_paths(w):
    two(w)
    w.write("README.md", "2\n")
    w.commit("neither")
    names, r = started(w)
    r.equal("the branch", names, "")
    names, r = started(w, "--ref", "refs/tags/v1")
    r.equal("the tag", names, "src docs")
    w.write(".github/workflows/src.yml", SRC.replace("paths: ['src/**']", "branches: ['**']", 1))
    names, r = started(w, "--ref", "refs/tags/v1")
    r.equal("only branches", names, "docs")
    r.shows("there is a filter of branches only, and 'v1' is a tag")


@case()
def a_pull_request_counts_from_where_it_left_its_base(w):
    two(w)
    w.git("checkout", "-q", "-b", "topic")
    w.write("src/b", "1\n")
    w.commit("src on the topic")
    w.git("checkout", "-q", "main")
    w.write("docs/b", "1\n")
    main = w.commit("docs on main")
    w.git("checkout", "-q", "topic")
    names, r = started(w, "--event", "pull_request")
    r.equal("three dots", names, "src")
    r.shows("where the branch left main")
    names, r = started(w, "--before", main)
    r.equal("two dots", names, "src docs")
    remote(w, main)
    names, r = started(w, "--event", "pull_request", "--base", "main")
    r.equal("the base on the remote", names, "src")
    w.git("checkout", "-q", "--orphan", "apart")
    w.commit("apart")
    names, r = started(w, "--event", "pull_request")
    r.equal("nothing in common", names, "src docs")
    r.shows("have no commit in common", "paths was not asked")
    names, r = started(w, "--event", "pull_request", "--base", "elsewhere")
    r.equal("a base that is not here", names, "src docs")
    r.shows("the base branch 'elsewhere' is not here")


@case()
def renames_and_names_of_any_bytes_are_seen(w):
    two(w)
    w.write("src/long", "words that stay\n" * 20)
    w.commit("src")
    w.git("mv", "src/long", "docs/long")
    w.commit("moved")
    names, r = started(w)
    r.equal("both ends of a rename", names, "src docs")
    w.write("docs/a\nb é", "1\n")
    (w.repo / "docs").joinpath(b"\xff".decode(errors="surrogateescape")).write_text("1\n")
    w.commit("odd names")
    names, r = started(w)
    r.equal("odd names", names, "docs")
    r.shows("none of 2 changed files matches 'src")
    w.write("other\nline", "1\n")
    w.commit("one odd name")
    names, r = started(w, "--before", "HEAD~1")
    r.shows(r"the changed file 'other\\nline' does not match")


@case()
def changes_can_be_stated(w):
    two(w)
    for args, wanted in ((["--changed", "src/x"], "src"), (["--changed", "./docs/x", "--changed", "src/x"], "src docs"),
                         (["--changed", "x"], "")):
        names, r = started(w, *args)
        r.equal(str(args), names, wanted)
    w.write("list", "src/x\n\nREADME\n", below=w.root)
    names, r = started(w, "--changed-file", w.root / "list")
    r.equal("lines", names, "src")
    w.write("list", b"docs/a\nb\0README\0", below=w.root)
    names, r = started(w, "--changed-file", w.root / "list")
    r.equal("zeros", names, "docs")
    w.write("list", "", below=w.root)
    names, r = started(w, "--changed-file", w.root / "list")
    r.equal("nothing", names, "")
    r.shows("no file changed")
    for args, wanted in ((["--changed", "/etc/passwd"], "no path of a changed file"), (["--changed", "a/../../b"], "no path"),
                         (["--changed", ""], "no path"), (["--changed-file", "nope"], "nope"),
                         (["--changed", "a", "--event", "release"], "'release' has no changed files")):
        w.run(*args, code=2).complains(wanted)


@case()
def a_named_file_runs_unless_changes_are_stated(w):
    two(w)
    src = ".github/workflows/src.yml"
    w.write("docs/b", "1\n")
    w.commit("docs [skip ci]")
    r = w.run(src, code=0)
    r.equal("jobs", r.jobs(), {"say": "success"})
    r.shows("it runs as it is named, though GitHub would not start it: push: the message of the commit at the head says")
    r = w.run(src, "--event", "release", code=0)
    r.equal("jobs", r.jobs(), {"say": "success"})
    w.commit("words")
    r = w.run(src, "--changed", "docs/b", code=0)
    r.equal("events", r.events, [])
    r = w.run(src, "--changed", "docs/b", "--no-filter", code=0)
    r.equal("jobs", r.jobs(), {"say": "success"})
    names, r = started(w, "--changed", "x", "--no-filter")
    r.equal("without a file", names, "src docs")


@case()
def an_event_that_nobody_knows_is_a_mistake(w):
    two(w)
    w.run("--event", "release", code=2).complains("no workflow listens to the event 'release'")


@case()
def the_activity_is_one_of_the_types(w):
    w.workflow("on: {pull_request: {types: [labeled]}, issues: null}\n" + JOBS)
    r = w.run("--event", "pull_request", code=0)
    r.shows("pull_request: types: 'synchronize' is not 'labeled'")
    w.run("--event", "pull_request", "--type", "labeled", code=0).says("started by pull_request")
    w.run("--event", "push", "--type", "opened", code=2).complains("the event 'push' has no types")


@case()
def schedules_fire_at_their_minute(w):
    w.workflow("""
        on:
          schedule:
            - cron: '0 5 * * *'
            - cron: '0 */5 * * *'
            - cron: '30 6 * * 1-5'
              timezone: Europe/Berlin
        jobs: {say: {runs-on: x, steps: [{run: 'echo "fired ${{ github.event.schedule }}"'}]}}
        """)
    r = w.run("--event", "schedule", "--at", "2026-07-01T04:30Z", code=0).says("fired 30 6 * * 1-5")
    r.equal("jobs", len(r.jobs()), 1)
    r = w.run("--event", "schedule", "--at", "2026-07-01T05:00Z", code=0).says("fired 0 5 * * *", "fired 0 */5 * * *")
    r.equal("each is a run of its own", len(r.jobs()), 2)
    r = w.run("--event", "schedule", "--at", "2026-07-01T05:01Z", code=0)
    r.equal("events", r.events, [])
    r.shows(r"nothing fires at 2026-07-01T05:01Z; the next is '0 \*/5 \* \* \*' at 2026-07-01T10:00Z")
    w.run("--event", "schedule", code=0).says("fired 0 5 * * *")
    w.run("--event", "schedule", "--at", "noon", code=2).complains("--at: 'noon' is no time like")
    w.run("--at", "now", code=2).complains("--at goes with '--event schedule'")


@case()
def an_unknown_zone_is_said(w):
    w.workflow("on: {schedule: [{cron: '0 5 * * *', timezone: Europe/Atlantis}]}\n" + JOBS)
    r = w.run("--event", "schedule", "--at", "2026-07-01T05:00Z", code=2)
    r.complains(r"\.github/workflows/ci\.yml:1:47: there is no time zone 'Europe/Atlantis'")


@case()
def a_look_at_the_changes_starts_no_program_of_the_repository(w):
    two(w)
    w.write(".gitattributes", "* filter=evil\n")
    w.commit("attributes")
    mark = w.root / "started"
    w.git("config", "filter.evil.clean", f"touch {mark}; cat")
    w.git("config", "diff.external", f"touch {mark}")
    w.git("config", "core.fsmonitor", f"touch {mark}")
    w.write("src/a", "2\n")
    names, r = started(w)
    r.equal("started", names, "src")
    r.equal("the filter ran", mark.exists(), False)
