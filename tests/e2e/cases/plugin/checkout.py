"""actions/checkout, served natively for a local run."""

import pathlib
import shutil

from case import case
from world import check

LOOK = "- {name: look, run: 'find . -path ./.git -prune -o -type f -print | sort | tr \"\\n\" \" \"'}"


def project(w):
    w.write("src/main.c", "int main;\n")
    w.write(".gitignore", "/build/\n*.o\nsecret.env\n")
    w.commit("project")


@case()
def the_working_tree_appears_as_it_is(w):
    """Changes that are not committed are there, new files too; what git ignores is not."""
    project(w)
    w.write("build/out.bin", "x")
    w.write("src/main.o", "x")
    w.write("secret.env", "x")
    w.write("src/new.c", "new\n")
    w.write("src/main.c", "changed\n")
    flow = w.steps(f"- {{id: co, uses: actions/checkout@v4}}\n{LOOK}\n- {{name: more, run: 'cat src/main.c; git status --short; echo ${{{{ steps.co.outputs.commit }}}}'}}")
    for level in ("sandbox", "host"):
        r = w.run(flow, "--isolation", level, code=0)
        r.says("./README.md ./src/main.c ./src/new.c", step="look").never_says("main.o", "out.bin", "secret.env", step="look")
        r.says("Post job cleanup.", step="Post Run actions/checkout@v4").never_says("plugin", step="Post Run actions/checkout@v4")
        r.says("changed", " M src/main.c", w.git("rev-parse", "HEAD"), step="more")


@case()
def links_modes_and_odd_names_are_kept(w):
    w.write("run.sh", "#!/bin/sh\necho ran\n", mode=0o755)
    w.write("odd 'na\"me\n.txt", "odd\n")
    w.write("ä/ö.txt", "umlaut\n")
    (w.repo / "link").symlink_to("run.sh")
    (w.repo / "dangling").symlink_to("nowhere")
    w.commit("odd")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: a, run: "./run.sh; ./link; readlink dangling; cat ä/ö.txt; cat odd*"}
        """)
    for level in ("sandbox", "host"):
        w.run(flow, "--isolation", level, code=0).says("ran\nran\nnowhere\numlaut\nodd", step="a")


@case()
def path_puts_it_into_a_folder(w):
    project(w)
    flow = w.steps(f"""
        - {{uses: actions/checkout@v4, with: {{path: one/two}}}}
        {LOOK}
        - {{name: out, continue-on-error: true, uses: actions/checkout@v4, with: {{path: ../../out}}}}
        - {{name: abs, continue-on-error: true, uses: actions/checkout@v4, with: {{path: /tmp/out}}}}
        """)
    r = w.run(flow, code=0).says("./one/two/src/main.c", step="look")
    for name in ("out", "abs"):
        r.equal(f"outcome of {name}", r.step(name)["outcome"], "failure")
        r.says("not under", step=name)


@case()
def ref_checks_out_a_branch_a_tag_and_a_commit(w):
    first = w.git("rev-parse", "HEAD")
    w.git("tag", "v1")
    w.git("checkout", "-q", "-b", "topic")
    w.write("topic.txt", "t")
    w.commit("topic")
    w.git("checkout", "-q", "main")
    w.write("main.txt", "m")
    w.commit("second")
    flow = w.steps(f"""
        - {{uses: actions/checkout@v4, with: {{ref: topic, path: b}}}}
        - {{uses: actions/checkout@v4, with: {{ref: v1, path: t}}}}
        - {{id: c, uses: actions/checkout@v4, with: {{ref: {first}, path: c}}}}
        - {{uses: actions/checkout@v4, with: {{ref: refs/heads/topic, path: full}}}}
        - name: look
          run: |
            ls b t c full; git -C b branch --show-current; git -C c rev-parse HEAD; echo "commit ${{{{ steps.c.outputs.commit }}}}"
        - {{name: none, continue-on-error: true, uses: actions/checkout@v4, with: {{ref: nosuch, path: n}}}}
        """)
    r = w.run(flow, "--offline", code=0)
    r.says("b:\nREADME.md\ntopic.txt", "t:\nREADME.md\n", "full:\nREADME.md\ntopic.txt", "topic\n", f"{first}\n", f"commit {first}", step="look")
    r.says("nosuch", step="none").equal("outcome", r.step("none")["outcome"], "failure")


@case()
def refs_are_looked_for_as_git_has_them(w):
    """An annotated tag stands for its commit; a branch comes before a tag of its name, and before one that only the
    origin has."""
    first = w.git("rev-parse", "HEAD")
    w.git("tag", "-a", "-m", "noted", "noted")
    w.git("tag", "both")
    w.write("second.txt", "2")
    second = w.commit("second")
    w.git("branch", "both")
    w.git("update-ref", "refs/remotes/origin/both", first)
    w.git("update-ref", "refs/remotes/origin/theirs", first)
    w.write("third.txt", "3")
    w.commit("third")
    rows = [("noted", first, ""), ("refs/tags/noted", first, ""), ("both", second, "both"), ("refs/tags/both", first, ""),
            ("theirs", first, "theirs"), ("refs/heads/theirs", first, "theirs"), (second.upper(), second, "")]
    flow = "".join(f"- {{id: c{n}, uses: actions/checkout@v4, with: {{ref: {ref}, path: p{n}}}}}\n" for n, (ref, *_) in enumerate(rows))
    flow += "- name: look\n  run: |\n" + "".join(
        f"    echo {n}:$(git -C p{n} rev-parse HEAD):${{{{ steps.c{n}.outputs.commit }}}}:$(git -C p{n} branch --show-current):\n" for n in range(len(rows)))
    r = w.run(w.steps(flow), "--offline", code=0)
    r.says(*(f"{n}:{sha}:{sha}:{branch}:" for n, (_, sha, branch) in enumerate(rows)), step="look")


@case()
def fetch_depth_decides_how_much_history(w):
    for n in range(4):
        w.commit(f"commit {n}")
    w.git("branch", "topic")
    w.commit("one more")
    flow = w.steps("""
        - {uses: actions/checkout@v4, with: {ref: topic, path: one}}
        - {uses: actions/checkout@v4, with: {ref: topic, path: three, fetch-depth: 3}}
        - {uses: actions/checkout@v4, with: {ref: topic, path: all, fetch-depth: 0}}
        - {name: count, run: 'for d in one three all; do echo "$d $(git -C $d rev-list --count HEAD)"; done'}
        """)
    w.run(flow, code=0).says("one 1\nthree 3\nall 5", step="count")


@case()
def repository_of_a_local_clone(w):
    other = w.root / "other"
    w.git("init", "-q", "-b", "trunk", str(other), cwd=w.root)
    w.write("lib.c", "lib\n", below=other)
    for args in (["config", "user.name", "x"], ["config", "user.email", "x@y"], ["add", "-A"], ["commit", "-qm", "x"]):
        w.git(*args, cwd=other)
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: co, uses: actions/checkout@v4, with: {repository: acme/lib, path: lib}}
        - {name: look, run: 'cat README.md lib/lib.c'}
        """)
    w.run(flow, "--local-repository", f"acme/lib={other}", code=0).says("# app\nlib\n", step="look")
    r = w.run(flow, "--offline", code=1).says("acme/lib", step="co").concluded(co="failure")


@case()
def clean_decides_about_what_lies_there(w):
    project(w)
    flow = w.steps(f"""
        - uses: actions/checkout@v4
        - run: touch left.txt
        - {{uses: actions/checkout@v4, name: again}}
        {LOOK}
        - run: touch left.txt
        - {{uses: actions/checkout@v4, name: unclean, continue-on-error: true, with: {{clean: "false"}}}}
        - {{name: kept, if: always(), run: 'ls left.txt src/main.c'}}
        """)
    r = w.run(flow, code=0).never_says("left.txt", step="look").says("./src/main.c", step="look")
    r.says("left.txt", "src/main.c", step="kept")


@case()
def an_input_that_is_no_boolean_is_refused(w):
    flow = w.steps("- {name: co, uses: actions/checkout@v4, with: {clean: maybe}}")
    w.run(flow, code=1).says("clean", step="co").concluded(co="failure")


@case()
def every_version_shows_the_tree(w):
    """Also those that no plugin serves otherwise, and with plugins off: only the runner knows the tree."""
    project(w)
    w.write("src/new.c", "new\n")
    for version in ("v2", "v3", "v7", "main", "11bd71901bbe5b1630ceea73d27597364c9af683"):
        flow = w.steps(f"- {{name: co, uses: actions/checkout@{version}}}\n{LOOK}")
        w.run(flow, "--offline", "--plugins", "never", code=0).says("./src/new.c", step="look")
        major = {"v2": "7", "main": "7"}.get(version, "4" if len(version) == 40 else version[1:])
        r = w.run(flow, "--offline", code=0)
        check(f"plugin {major}." in r.log("co"), f"{version} was not served by version {major}\n{r}")
    r = w.run(flow, "--offline", "--plugins", "actions/checkout=never")
    check(r.code != 0 and "actions/checkout" in r.out + r.err, f"the action itself was not asked for\n{r}")


@case()
def a_runner_without_its_plugins_says_what_is_missing(w):
    w.env["OSTLER_PLUGIN_PATH"] = str(w.root / "none")
    alone = w.root / "alone"
    alone.mkdir()
    for name in ("ostler", "ostler-init"):
        for found in w.build.rglob(name):
            if found.is_file():
                shutil.copy(found, alone / name)
    w.ostler = str(alone / "ostler")
    r = w.run(w.steps("- {name: co, uses: actions/checkout@v4}"))
    check(r.code != 0 and "ostler plugin install checkout.so" in r.out + r.err, str(r))


@case()
def nothing_is_there_without_checkout(w):
    w.run(w.steps("- {name: a, run: 'ls -A | wc -l'}"), code=0).says("0", step="a")


@case()
def git_works_in_the_workspace(w):
    project(w)
    flow = w.steps("""
        - uses: actions/checkout@v4
        - name: a
          run: |
            git log --oneline | wc -l
            git config user.name x; git config user.email x@y
            echo more >> README.md; git commit -qam more; git log -1 --format=%s
            git tag here; git stash list | wc -l
        """)
    before = w.git("rev-parse", "HEAD")
    for level in ("sandbox", "host"):
        w.run(flow, "--isolation", level, code=0).says("2\nmore\n0", step="a")
    check(w.git("rev-parse", "HEAD") == before and "here" not in w.git("tag"), "the user's repository has changed")


@case()
def a_worktree_and_a_submodule_are_repositories_too(w):
    project(w)
    tree = w.root / "tree"
    w.git("worktree", "add", "-q", "-b", "side", str(tree))
    w.write(".github/workflows/ci.yml", """
        on: push
        jobs:
          job:
            runs-on: ubuntu-latest
            steps:
              - uses: actions/checkout@v4
              - {name: a, run: 'ls src; echo "${{ github.ref }}"'}
        """, below=tree)
    w.run(".github/workflows/ci.yml", cwd=tree, code=0).says("main.c", "refs/heads/side", step="a")


@case()
def a_run_in_a_subfolder_finds_the_root(w):
    project(w)
    w.steps(f"- uses: actions/checkout@v4\n{LOOK}")
    r = w.run("../.github/workflows/ci.yml", cwd=w.repo / "src", code=0)
    r.says("./src/main.c", step="look")


@case(quick=False, limit=120)
def a_big_tree_costs_no_more_than_a_small_one(w):
    flow = w.steps("- {name: co, uses: actions/checkout@v4}\n- {name: a, run: 'ls big | wc -l'}")
    w.run(flow)
    small = w.run(flow).step("co")["elapsed_ms"]
    folder = pathlib.Path(w.repo, "big")
    folder.mkdir()
    for n in range(5000):
        (folder / f"{n}.txt").write_text("x\n")
    w.commit("big")
    r = w.run(flow, "--isolation", "sandbox", code=0).says("5000", step="a")
    check(r.step("co")["elapsed_ms"] < small + 250, f"{r.step('co')['elapsed_ms']} ms, the small one {small} ms")
