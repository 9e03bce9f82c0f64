"""actions/checkout from a server, served natively: what is fetched, how it is proved who asks, what is left of it."""

import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import githttp
from case import case
from engine import GLIBC
from world import check

TOKEN = "ght-5ecret-of-the-tests"
MAJORS = ("v3", "v4", "v5", "v6", "v7")
GROUPS = ["Getting Git version info", "Determining repository object format", "Initializing the repository",
          "Disabling automatic garbage collection", "Setting up auth", "Determining the default branch",
          "Fetching the repository", "Determining the checkout info", "Setting up sparse checkout",
          "Checking out the ref", "Setting up auth for fetching submodules", "Fetching submodules",
          "Persisting credentials for submodules"]


def server(w, *private):
    """A server with acme/lib: two commits, a branch, tags, a pull request."""
    s = githttp.Server(w)
    s.first = s.repo("acme/lib", {"lib.c": "one\n", "docs/a.md": "a\n", "src/deep/b.c": "b\n"}, "v1.0")
    bare, work = s.root / "acme/lib.git", w.root / "work/acme/lib"
    w.git("tag", "-a", "-m", "noted", "noted", s.first, cwd=work)
    w.git("push", "-q", str(bare), "--tags", cwd=work)
    s.second = s.repo("acme/lib", {"lib.c": "two\n"})
    w.git("update-ref", "refs/heads/topic", s.first, cwd=bare)
    w.git("update-ref", "refs/heads/topic-two", s.second, cwd=bare)
    w.git("update-ref", "refs/pull/7/merge", s.first, cwd=bare)
    for name in private:
        s.tokens[name] = TOKEN
    secrets = w.root / "secrets"
    secrets.write_text(f"GITHUB_TOKEN={TOKEN}\n")
    s.args = ("--secret-file", secrets)
    return s


def step(s, version="v4", name="co", more="", **inputs):
    """A step that checks acme/lib out into lib."""
    given = {"repository": "acme/lib", "path": "lib", "github-server-url": s.url, **inputs}
    lines = [f"- name: {name}", f"  id: {name}", f"  uses: actions/checkout@{version}", *more.splitlines(), "  with:"]
    for key, value in given.items():
        lines.append(f"    {key.replace('_', '-')}: {json.dumps(str(value))}")
    return "\n".join(lines) + "\n"


def sh(name, *lines):
    return f"- name: {name}\n  run: |\n" + "".join(f"    {line}\n" for line in lines)


def kept(w):
    """The work folder of the job that was run with --keep."""
    found = list(w.root.glob("state/ostler/**/work/app/app"))
    check(len(found) == 1, f"wanted one kept job, there are {found}")
    return found[0]


def no_secret(w, r, folder):
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            check(TOKEN.encode() not in path.read_bytes(), f"the token is in {path}\n{r}")
            check(b"AUTHORIZATION" not in path.read_bytes(), f"a header is in {path}\n{r}")


@case(limit=120)
def the_default_branch_of_another_repository(w):
    """By every version: its files, one commit of them, what git knows of it, outputs, what the log says. And row 16 of
    the contract's list: what is set for all repositories does not outlive the step."""
    s = server(w, "acme/lib")
    for version in MAJORS:
        r = w.run(w.steps(step(s, version) + sh(
            "look", "cd lib", "cat lib.c", "git rev-list --count HEAD", "git branch --show-current",
            "git remote get-url origin", "git config --get gc.auto",
            "echo \"<${{ steps.co.outputs.ref }}> <${{ steps.co.outputs.commit }}>\"", "git fetch -q origin && echo fetched",
            "git config --global --get-all safe.directory || echo nothing is safe for later steps")),
            *s.args, code=0)
        outputs = "<> <>" if version == "v3" else f"<refs/heads/main> <{s.second}>"
        r.says(f"two\n1\nmain\n{s.url}/acme/lib\n0\n{outputs}\nfetched\nnothing is safe", step="look")
        log = r.log("co")
        places = [log.find(f"##[group]{title}\n") for title in GROUPS]
        there = [p for p in places if p >= 0]
        check(there == sorted(there) and len(there) == (9 if version >= "v6" else 8), f"{version}: {places}\n{log}")
        r.says("Syncing repository: acme/lib", "[command]/usr/bin/git version", "--depth=1 origin", step="co")
        r.never_says(TOKEN)


@case()
def of_the_own_repository_what_the_clone_lacks(w):
    """The tree is shown, another branch comes from the clone, a pull request from the server."""
    s = server(w)
    w.git("remote", "set-url", "origin", f"{s.url}/acme/lib")
    w.git("branch", "mine")
    flow = ("- {name: tree, uses: actions/checkout@v4}\n- {name: mine, uses: actions/checkout@v4, with: {ref: mine, path: mine}}\n"
            f"- {{name: pull, uses: actions/checkout@v4, with: {{ref: refs/pull/7/merge, path: pull, github-server-url: '{s.url}'}}}}\n"
            + sh("look", "cat README.md mine/README.md pull/lib.c"))
    w.run(w.steps(flow), code=0).says("# app\n# app\none\n", step="look")
    s.asked.clear()
    r = w.run(w.steps(flow), "--offline", code=1)
    r.says("has no branch, tag or commit 'refs/pull/7/merge'", step="pull").equal("asked", s.asked, [])


@case()
def without_a_sandbox_it_is_the_same(w):
    s = server(w, "acme/lib")
    flow = step(s, "v7", submodules="true") + sh("look", "cat lib/lib.c", "git -C lib fetch -q && echo fetched")
    w.run(w.steps(flow), "--isolation", "host", *s.args, code=0).says("two\nfetched", step="look").never_says(TOKEN)


@case(needs=("docker",), quick=False, limit=120)
def a_container_job_finds_its_credentials(w):
    """Row 16 of the contract's list: by the names that its steps have, and those that Docker actions have."""
    s = server(w, "acme/lib")
    flow = w.steps(step(s, "v7") + sh("look", "cat lib/lib.c lib/.git/config", "cat /__w/_temp/git-credentials-*.config | wc -l"),
                   f"container: {GLIBC}\n")
    r = w.run(flow, *s.args, code=0)
    r.says("two\n", "/__w/app/app/lib/.git\"]", "path = /__w/_temp/git-credentials-", "/github/workspace/lib/.git\"]",
           "path = /github/runner_temp/git-credentials-", step="look").never_says(TOKEN)


@case(limit=120)
def each_kind_of_ref(w):
    s = server(w)
    rows = [("topic", "one", "topic", s.first), ("refs/heads/topic", "one", "topic", s.first),
            ("v1.0", "one", "", s.first), ("refs/tags/v1.0", "one", "", s.first), ("noted", "one", "", s.first),
            ("refs/pull/7/merge", "one", "", s.first), (s.first, "one", "", s.first), ("main", "two", "main", s.second)]
    for version in ("v4", "v7"):
        flow = "".join(step(s, version, f"co{n}", ref=ref, path=f"r{n}") for n, (ref, *_) in enumerate(rows))
        flow += sh("look", *(f"echo {n}:$(cat r{n}/lib.c):$(git -C r{n} branch --show-current):$(git -C r{n} rev-parse HEAD):"
                             f"${{{{ steps.co{n}.outputs.commit }}}}" for n in range(len(rows))))
        r = w.run(w.steps(flow), code=0)
        r.says(*(f"{n}:{text}:{branch}:{sha}:{sha}" for n, (_, text, branch, sha) in enumerate(rows)), step="look")


@case()
def depth_tags_filter_and_sparse(w):
    s = server(w)
    flow = (step(s, name="all", path="all", fetch_depth=0) + step(s, name="two", path="two", fetch_depth=2)
            + step(s, "v7", name="tags", path="tags", fetch_tags="true") + step(s, name="some", path="some", sparse_checkout="docs")
            + step(s, name="odd", path="odd", sparse_checkout="/src/*\n!/src/none", sparse_checkout_cone_mode="false")
            + step(s, name="part", path="part", filter="tree:0", show_progress="false")
            + sh("look", "for d in all two tags some odd part; do echo \"$d $(git -C $d rev-list --count HEAD) $(git -C $d tag | tr '\\n' ' ')"
                 "$(cd $d && find . -name .git -prune -o -type f -print | sort | tr '\\n' ' ')\"; done",
                 "git -C all branch -r | tr -d '\\n'"))
    r = w.run(w.steps(flow), code=0)
    every = "./docs/a.md ./lib.c ./src/deep/b.c"
    r.says(f"all 2 noted v1.0 {every}", f"two 2 {every}", f"tags 1 noted v1.0 {every}", "some 1 ./docs/a.md ./lib.c \n",
           "odd 1 ./src/deep/b.c \n", f"part 1 {every}", "origin/topic  origin/topic-two", step="look")
    r.says("--filter=blob:none", step="some").says("--filter=tree:0", step="part").never_says("--progress --depth", step="part")


@case(limit=120)
def credentials_serve_later_steps_and_are_gone_at_the_end(w):
    s = server(w, "acme/lib")
    for version in MAJORS:
        r = w.run(w.steps(step(s, version) + sh(
            "later", "cd lib", "git fetch -q origin && echo fetched", "git config --show-origin --get-regexp 'http.*extraheader'",
            "git worktree add -q ../tree && cd ../tree && git fetch -q && echo from-a-tree")),
            "--keep", *s.args, code=0)
        r.says("fetched", "from-a-tree", step="later").never_says(TOKEN)
        r.says("git-credentials-" if version >= "v6" else "file:.git/config", step="later")
        r.step("Post co")
        no_secret(w, r, kept(w).parents[2])
        check("lib.c" in os.listdir(kept(w) / "lib"), "nothing was kept")
        shutil.rmtree(kept(w).parents[2])


@case()
def credentials_can_be_kept_from_later_steps(w):
    s = server(w, "acme/lib")
    for version in ("v4", "v7"):
        r = w.run(w.steps(step(s, version, persist_credentials="false") + sh(
            "later", "git -C lib config --get-regexp 'extraheader|includeif|sshcommand' || echo none", "ls -A \"$RUNNER_TEMP\" | grep -c credentials || true",
            "GIT_TERMINAL_PROMPT=0 git -C lib fetch -q origin || echo refused")), *s.args, code=0)
        r.says("none\n0\n", "refused", step="later").says("Removing auth", step="co")


@case()
def a_wrong_token_is_one_clear_error(w):
    s = server(w, "acme/lib")
    for given, said in (("wrong-token", "the server refused the token"), ("", "the server wants a token")):
        r = w.run(w.steps(step(s, token=given, ref="main")), *s.args, code=1)
        r.says(said, step="co").never_says("wrong-token", "Waiting").concluded(co="failure")
        r.equal("fetches", s.count("fetch"), 0)


@case()
def nobody_sees_the_token(w):
    """Not in a command line, not in its base64 form, not in what the job prints of it. (The brackets keep who looks
    for it from being found.)"""
    s = server(w, "acme/lib")
    flow = (sh("watch", "(while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -ao 'gh[t]-5ecret[a-z-]*\\|eC1hY2Nl[c]3[A-Za-z0-9+/=]*' >>/tmp/seen || :; done) &")
            + step(s, "v7") + step(s, "v4", "again", path="again")
            + sh("look", "cat \"$RUNNER_TEMP\"/git-credentials-*.config again/.git/config", "test -s /tmp/seen && echo SEEN || echo unseen",
                 "sh -c 'sleep 1; :' '${{ github.token }}'", "test -s /tmp/seen && echo who looks does see"))
    r = w.run(w.steps(flow), *s.args, code=0).says("AUTHORIZATION: basic ***", "unseen\nwho looks does see", step="look")
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    check(TOKEN not in r.out + r.err and basic not in r.out + r.err, "the token is in the output")


@case(limit=120)
def submodules_with_the_same_token(w):
    s = server(w, "acme/lib", "acme/sub", "acme/deep")
    s.repo("acme/deep", {"deep.txt": "deep\n"})
    for name, inner in (("acme/sub", "deep"), ("acme/lib", "sub")):
        s.repo(name, {f"{inner}-user.txt": "x\n"})
        work = w.root / "work" / name
        clone = s.root / f"acme/{inner}.git"
        w.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(clone), f"the {inner}", cwd=work)
        w.git("config", "-f", ".gitmodules", f"submodule.the {inner}.url", f"git@127.0.0.1:acme/{inner}.git", cwd=work)
        s.repo(name, {}, message="with a submodule")
    for version in ("v4", "v7"):
        flow = (step(s, version, submodules="recursive")
                + step(s, version, "flat", submodules="true", path="flat", fetch_depth=0)
                + sh("look", "cat \"lib/the sub/the deep/deep.txt\"", "ls -A \"flat/the sub/the deep\" | wc -l",
                     "git -C 'lib/the sub' fetch -q && git -C 'lib/the sub/the deep' fetch -q && echo fetched"))
        r = w.run(w.steps(flow), "--keep", *s.args, code=0)
        r.says("deep\n0\nfetched", step="look").says("Persisting credentials for submodules", step="co").never_says(TOKEN)
        no_secret(w, r, kept(w).parents[2])
        shutil.rmtree(kept(w).parents[2])


@case()
def a_second_checkout_goes_on_with_the_first(w):
    s = server(w)
    flow = (step(s, fetch_depth=0) + sh("dirty", "cd lib", "touch left.txt .git/index.lock .git/shallow.lock", "echo x >>lib.c", "git branch main-extra")
            + step(s, name="again", ref="topic") + sh("look", "cd lib", "ls", "cat lib.c", "git status --short", "git branch | tr -d '\\n '", "echo", "test -e .git/index.lock || test -e .git/shallow.lock || echo no locks")
            + sh("dirty2", "touch lib/left.txt") + step(s, name="unclean", ref="topic", clean="false") + sh("look2", "ls lib")
            + step(s, name="other", repository="acme/lib2", more="  continue-on-error: true"))
    s.repo("acme/lib2", {"other.txt": "other\n"})
    r = w.run(w.steps(flow + sh("look3", "ls lib")), code=0)
    r.says("Removing previously created refs", "Cleaning the repository", step="again").never_says("Initializing", step="again")
    r.says("docs\nlib.c\nsrc\none\n*topic\nno locks", step="look")
    r.never_says("left.txt", step="look").says("left.txt", step="look2")
    r.says("Deleting the contents", step="other").says("other.txt", step="look3").never_says("lib.c", step="look3")


@case(limit=90)
def what_fails_is_tried_again(w):
    s = server(w)
    s.failing = 1
    r = w.run(w.steps(step(s, ref="main")), code=0, limit=80)
    r.says("The process '/usr/bin/git' failed with exit code 128", "before trying again", step="co")
    r.equal("fetches", s.count("fetch"), 2)


@case()
def a_cancel_in_the_middle_of_a_fetch(w):
    """Nothing runs on, no lock stays, the credentials are gone."""
    s = server(w, "acme/lib")
    s.hang.set()
    running = w.start(w.steps(step(s, "v7") + sh("z", "echo never")), "--keep", *s.args)
    running.wait_for_file(s.hanging)
    running.send(signal.SIGINT)
    begun = time.monotonic()
    r = running.finish(30)
    s.hang.clear()
    while s.hanging.exists():
        time.sleep(0.02)
    check(time.monotonic() - begun < 40, "it took too long")
    r.equal("the job", r.jobs(), {"job": "cancelled"}).never_says("never", TOKEN)
    folder = kept(w)
    check(not list(folder.rglob("*.lock")), f"locks: {list(folder.rglob('*.lock'))}")
    no_secret(w, r, folder.parents[2])


@case()
def a_cancel_before_the_next_try(w):
    s = server(w)
    s.failing = 3
    running = w.start(w.steps(step(s, ref="main")))
    running.wait_for("before trying again")
    begun = time.monotonic()
    r = running.send(signal.SIGINT).finish(30)
    check(time.monotonic() - begun < 8, f"it waited on\n{r}")
    r.equal("the job", r.jobs(), {"job": "cancelled"}).equal("fetches", s.count("fetch"), 1)


@case()
def repositories_with_sha256(w):
    s = server(w)
    bare, work = s.root / "acme/wide.git", w.root / "work/wide"
    work.mkdir(parents=True)
    for line in (["init", "-q", "--object-format=sha256", "-b", "main"], ["config", "user.name", "x"], ["config", "user.email", "x@y.z"],
                 ["commit", "-q", "--allow-empty", "-m", "one"], ["init", "-q", "--bare", "--object-format=sha256", "-b", "main", str(bare)],
                 ["push", "-q", str(bare), "main"]):
        w.git(*line, cwd=work)
    sha = w.git("rev-parse", "HEAD", cwd=work)
    flow = (step(s, "v7", repository="acme/wide") + step(s, "v6", "named", repository="acme/wide", ref="main", path="b")
            + step(s, "v7", "hex", repository="acme/wide", ref=sha, path="c") + sh("look", "for d in lib b c; do git -C $d rev-parse HEAD; done"))
    w.run(w.steps(flow), code=0).says(f"{sha}\n{sha}\n{sha}", step="look")


@case(needs=("lfs",))
def large_files_come_from_their_own_store(w):
    s = server(w, "acme/lib")
    content = b"large\n" * 1000
    s.repo("acme/lib", {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "big.bin": s.pointer(content)})
    flow = (step(s, lfs="true") + step(s, name="without", path="plain")
            + step(s, name="sparse", path="sparse", lfs="true", sparse_checkout="docs")
            + sh("look", "wc -c <lib/big.bin", "head -c 7 plain/big.bin", "ls sparse", "git -C lib lfs pull && echo pulled"))
    r = w.run(w.steps(flow), *s.args, code=0)
    r.says(f"{len(content)}\n", "version", "pulled", step="look")
    r.says("Fetching LFS objects", step="co").never_says("Fetching LFS objects", step="sparse")


class Sshd:
    """A real one, for the user deploy, who may do nothing but git. It has an address of its own, as the addresses of
    git that are written like those of scp have no port."""

    address = "127.0.0.77"

    def __init__(self, repository):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="ostssh."))
        self.home.chmod(0o755)
        if subprocess.run(["id", "deploy"], capture_output=True).returncode:
            subprocess.run(["useradd", "-m", "-p", "*", "-s", "/bin/sh", "deploy"], check=True)
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        for name in ("host", "id", "other"):
            subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", self.home / name], check=True)
        shutil.copytree(repository, self.home / "git/acme/lib.git")
        subprocess.run(["chmod", "-R", "a+rX", self.home / "git"], check=True)
        serve = self.home / "serve"
        serve.write_text(f"#!/bin/sh\ncd {self.home}/git && export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory "
                         "GIT_CONFIG_VALUE_0='*' && exec sh -c \"$SSH_ORIGINAL_COMMAND\"\n")
        serve.chmod(0o755)
        config = self.home / "config"
        config.write_text(f"Port 22\nListenAddress {self.address}\nHostKey {self.home}/host\nPidFile none\nUsePAM no\n"
                          f"AuthorizedKeysFile {self.home}/id.pub\nStrictModes no\nPasswordAuthentication no\n"
                          f"ForceCommand {serve}\n")
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", config, "-E", self.home / "log"])
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((self.address, 22), 1).close()
                return
            except OSError:
                check(time.monotonic() < deadline and self.process.poll() is None, "sshd does not come up")
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.home)

    def known(self, name):
        return f"{self.address} " + " ".join((self.home / f"{name}.pub").read_text().split()[:2])

    def secret(self, name):
        return f'KEY="{(self.home / name).read_text()}"\n'


@case(who="root", needs=("ssh",))
def by_ssh_with_a_key(w):
    def run(flow, *args, code):
        r = w.start(w.steps(flow), "--secret-file", secrets, *args).finish(60).exits(code)
        w.sane(r)  # not what holds after every run: there is sshd
        return r

    s = server(w)
    secrets = w.root / "secrets"
    with Sshd(s.root / "acme/lib.git") as there:
        secrets.write_text(there.secret("id"))
        given = {"ssh-key": "${{ secrets.KEY }}", "ssh-user": "deploy", "github-server-url": f"http://{there.address}",
                 "ssh-known-hosts": there.known("host")}
        for version in ("v4", "v7"):
            flow = step(s, version, **given) + sh(
                "later", "cat lib/lib.c", "git -C lib remote get-url origin", "git -C lib fetch -q && echo fetched",
                "stat -c %a \"$(ls -d \"$RUNNER_TEMP\"/*_known_hosts | sed s/_known_hosts//)\"")
            r = run(flow, "--keep", code=0)
            r.says("two\n", f"deploy@{there.address}:acme/lib.git\nfetched\n600", step="later")
            r.says("StrictHostKeyChecking=yes", step="co").never_says("PRIVATE KEY")
            job = kept(w).parents[2]
            check("sshCommand" not in (kept(w) / "lib/.git/config").read_text(), f"the key is still named\n{r}")
            check(not list(job.rglob("*_known_hosts")), f"its files are still there\n{r}")
            for path in job.rglob("*"):
                check(not path.is_file() or path.is_symlink() or b"PRIVATE KEY" not in path.read_bytes(), f"the key is in {path}\n{r}")
            shutil.rmtree(job)
        r = run(step(s, **{**given, "ssh-known-hosts": there.known("other")}), code=1)
        r.says("host key is not known", step="co").never_says("Waiting")
        secrets.write_text(there.secret("other"))
        r = run(step(s, **given), code=1)
        r.says("the server refused the SSH key", step="co").never_says("Waiting")


@case()
def what_git_complains_of_becomes_an_annotation(w):
    s = server(w)
    r = w.run(w.steps(step(s, repository="acme/none", ref="main", more="  continue-on-error: true")
                      + sh("after", "echo 'fatal: not mine any more'")), code=0)
    notes = [e["message"] for e in r.of("annotation")]
    check(any("not found" in m for m in notes) and not any("not mine" in m for m in notes), f"{notes}\n{r}")
    r.says("no such repository", step="co")


@case()
def the_inputs_are_checked(w):
    s = server(w)
    for inputs, said in (({"path": "../out"}, "is not under"), ({"repository": "lib"}, "Expected format {owner}/{repo}"),
                         ({"github-server-url": "ftp://x"}, "is no server"), ({"submodules": "recusrive"}, "submodules"),
                         ({"ref": "--upload-pack=x"}, "is no ref")):
        r = w.run(w.steps(step(s, **inputs)), code=1).says(said, step="co")
        r.equal("fetches", s.count("fetch"), 0)


@case()
def code_of_a_fork_is_refused(w):
    s = server(w)
    event = w.root / "event.json"
    event.write_text('{"repository": {"id": 1}, "number": 7, "pull_request": {"number": 7, "base": {"ref": "main"},'
                     f'"merge_commit_sha": "{s.second}", "head": {{"ref": "x", "sha": "{s.first}", '
                     '"repo": {"id": 2, "full_name": "mallory/lib"}}}}')
    for more, said in (({"repository": "mallory/lib"}, "Refusing"), ({"ref": "refs/pull/7/merge"}, "Refusing"), ({"ref": s.first}, "Refusing"),
                       ({"ref": "refs/pull/7/merge", "allow-unsafe-pr-checkout": "true"}, "Checking out the ref"),
                       ({"ref": "topic"}, "Checking out the ref")):
        flow = w.workflow("on: pull_request_target\njobs:\n  job:\n    runs-on: x\n    steps:\n" + "".join(
            f"      {line}\n" for line in step(s, **more).splitlines()))
        r = w.run(flow, "--event", "pull_request_target", "--event-file", event)
        r.exits(1 if said == "Refusing" else 0).says(said, step="co")
