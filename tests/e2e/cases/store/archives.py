"""Actions as archives over HTTP: GitHub's own interface, and mirrors of files (runtime contract 9.2)."""

import base64
import http.server
import io
import os
import pathlib
import signal
import subprocess
import tarfile
import threading
import time

from case import case
from world import check

ACTION = """
    name: Greet
    runs:
      using: composite
      steps: [{shell: bash, run: 'cat "$GITHUB_ACTION_PATH/words"; ls -l "$GITHUB_ACTION_PATH"'}]
    """
TOKEN = "s3cr3t-token"


class Server:
    """GitHub's interface at 127.0.0.1, its archives at localhost, a mirror at /files. ASKED: (host, path, who asks)."""

    def __init__(self, w):
        server = self
        self.asked, self.files, self.names = [], {}, {}
        w.env["XDG_CACHE_HOME"] = str(w.root / "cache")
        self.store = pathlib.Path(w.env["XDG_CACHE_HOME"], "ostler", "actions")

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                server.answer(self)

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def answer(self, request):
        host = request.headers["Host"].split(":")[0]
        self.asked.append((host, request.path, request.headers.get("Authorization")))
        path = request.path.removeprefix("/api/v3/repos/")
        status, headers, body = 404, {}, b"{}"
        if path.startswith("acme/greet/commits/") and path.rpartition("/commits/")[2] in self.names:
            status, body = 200, self.names[path.rpartition("/commits/")[2]].encode()
        elif path.startswith("acme/greet/tarball/"):
            status, headers = 302, {"Location": f"http://localhost:{self.port}/codeload/{path.rpartition('/')[2]}"}
        elif request.path.startswith(("/codeload/", "/files/")):
            name = request.path.rpartition("/")[2].removesuffix(".tar.gz")
            if name in self.files:
                status, body = 200, self.files[name]
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def entries(self):
        return sorted("/".join(p.parts[-3:]) for p in self.store.glob("*/*/*/*") if p.is_dir())


def commit(w, s, name, words):
    """The next commit of acme/greet, as GitHub would pack it; NAME is it from now on."""
    work = w.root / "greet"
    if not work.exists():
        work.mkdir()
        w.git("init", "-q", cwd=work)
        w.git("config", "user.name", "Al", cwd=work)
        w.git("config", "user.email", "al@example.test", cwd=work)
    w.write("action.yml", ACTION, below=work)
    w.write("words", words, below=work)
    w.write("tool", "#!/bin/sh\n", mode=0o755, below=work)
    w.git("add", "-A", cwd=work)
    w.git("commit", "-q", "-m", name, cwd=work)
    sha = w.git("rev-parse", "HEAD", cwd=work)
    s.files[sha] = subprocess.run(["git", "archive", "--format=tar.gz", f"--prefix=acme-greet-{sha[:7]}/", sha], cwd=work,
                                  env=w.env, check=True, capture_output=True).stdout
    s.names[name] = sha
    return sha


@case()
def githubs_interface_says_which_commit_and_gives_its_archive(w):
    s = Server(w)
    one = commit(w, s, "v1", "the first words\n")
    w.env["OSTLER_ACTION_SOURCE"] = f"http://x-access-token:{TOKEN}@127.0.0.1:{s.port}/api/v3"
    flow = w.steps("- {name: greet, uses: acme/greet@v1}")
    r = w.run(flow, code=0)
    r.says("the first words", "-rwxr-xr-x", step="greet").says(f"acme/greet@v1' (SHA:{one})")
    check(s.entries() == [f"acme/greet/{one}"], s.entries())
    wanted = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    check([(h, a) for h, _, a in s.asked] == [("127.0.0.1", wanted), ("127.0.0.1", wanted), ("localhost", None)], s.asked)
    check(TOKEN not in str(r) + w.recorded(), "the token is told")

    asked = len(s.asked)
    w.run(flow, code=0).says("the first words")
    check(len(s.asked) == asked + 1, f"only the name is asked for again: {s.asked[asked:]}")
    two = commit(w, s, "v1", "other words\n")
    w.run(flow, code=0).says("other words", f"SHA:{two}")
    w.run(flow, "--offline", code=0).says("other words")

    r = w.run(w.steps("- uses: acme/greet@v9", name="none.yml"), code=1)
    r.says(f"there is no 'http://127.0.0.1:{s.port}/api/v3/repos/acme/greet/commits/v9'")
    check(TOKEN not in str(r), "the token is told")
    s.stop()


@case()
def a_mirror_of_files_serves_commits_and_what_the_lock_names(w):
    s = Server(w)
    sha = commit(w, s, "v1", "mirrored words\n")
    where = f"http://127.0.0.1:{s.port}/files/{{owner}}/{{repo}}/{{sha}}.tar.gz"
    flow = w.steps(f"- {{name: greet, uses: acme/greet@{sha}}}")
    w.run(flow, "--action-source", where, code=0).says("mirrored words", step="greet")
    check([p for _, p, _ in s.asked] == [f"/files/acme/greet/{sha}.tar.gz"], s.asked)

    flow = w.steps("- {name: greet, uses: acme/greet@v1}")
    w.run(flow, "--action-source", where, code=1).says("does not say which commit 'v1' is", "acme/greet@v1 COMMIT")
    w.write(".github/actions.lock", f"acme/greet@v1 {sha}\n")
    w.run(flow, "--action-source", where, code=0).says("mirrored words", step="greet")
    missing = "1" * 40
    r = w.run(w.steps(f"- uses: acme/greet@{missing}"), "--action-source", where, code=1)
    r.says(f"there is no 'http://127.0.0.1:{s.port}/files/acme/greet/{missing}.tar.gz'")
    for bad in ("https://x.test/{owner}/{sha}.tar.gz", "ssh://x.test/{owner}/{repo}/{sha}", "https://{owner}/{repo}/{sha}"):
        w.run(flow, "--action-source", bad).complains("is no form of addresses of archives")
    s.stop()


def packed(*members):
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w:gz") as tar:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.linkname = content
                tar.addfile(info)
    return to.getvalue()


@case()
def archives_that_want_to_get_out_are_refused(w):
    s = Server(w)
    where = f"http://127.0.0.1:{s.port}/files/{{owner}}/{{repo}}/{{sha}}.tar.gz"
    good = commit(w, s, "v1", "x\n")
    rows = {"leads upwards": packed(("top/../../../escaped", tarfile.REGTYPE, b"x")),
            "absolute path": packed((f"{w.root}/escaped", tarfile.REGTYPE, b"x")),
            "hard link": packed(("top/a", tarfile.LNKTYPE, "/etc/passwd")),
            "damaged": s.files[good][:100]}
    for n, (why, archive) in enumerate(rows.items()):
        sha = f"{n + 1}" * 40
        s.files[sha] = archive
        r = w.run(w.steps(f"- uses: acme/greet@{sha}"), "--action-source", where, code=1)
        check(why in r.log(), f"wanted {why!r}\n{r}")
        check(s.entries() == [] and not list(w.root.rglob("escaped")), s.entries())
    s.stop()


@case()
def the_store_keeps_to_its_size_and_to_what_is_in_use(w):
    s = Server(w)
    where = f"http://127.0.0.1:{s.port}/files/{{owner}}/{{repo}}/{{sha}}.tar.gz"
    shas = [commit(w, s, f"v{n}", f"{n}" * (9 << 20)) for n in range(3)]
    args = ("--action-source", where, "--store-size", "16M")

    def age(seconds):
        for at, path in enumerate(sorted(s.store.glob("*/*/*/*/"), key=lambda p: p.stat().st_mtime)):
            os.utime(path, times=(time.time() - seconds + at, time.time() - seconds + at))
    use = {n: w.workflow(f"""
        on: push
        jobs: {{a: {{runs-on: x, steps: [{{uses: 'acme/greet@{sha}', if: false}}, {{run: 'echo up; {"exec sleep 300" if n == 0 else ":"}'}}]}}}}
        """, f"n{n}.yml") for n, sha in enumerate(shas)}
    holding = w.start(use[0], *args).wait_for(r'\nup\n')
    age(5000)
    w.start(use[1], *args).finish().exits(0)
    age(5000)
    check(len(s.entries()) == 2, "the first one is in use")
    w.start(use[2], *args).finish().exits(0)
    check(s.entries() == sorted(f"acme/greet/{shas[n]}" for n in (0, 2)), f"{s.entries()}, {shas}")
    holding.send(signal.SIGINT).send(signal.SIGINT)
    holding.finish().exits(3)
    age(5000)
    w.run(use[1], *args, code=0)
    check(len(s.entries()) == 1, f"nobody uses it: {s.entries()}")
    s.stop()
