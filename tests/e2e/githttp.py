"""Repositories behind a server: git http-backend, and what a case wants to go wrong with it."""

import base64
import gzip
import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import textwrap
import threading


class Server:
    """Serves the bare repositories below ROOT/git. ASKED holds what it was asked for: (repository, command). TOKENS
    holds what opens those that are private; the next FAILING fetches find a server that is busy. SENT holds the bytes
    of each answer to a fetch."""

    def __init__(self, world, folder="git"):
        self.world, self.root = world, world.root / folder
        self.root.mkdir()
        self.work = world.root / ("work" if folder == "git" else f"{folder}-work")
        self.logins = set()  # what it was told of who asks
        self.asked, self.hang, self.tokens, self.failing = [], threading.Event(), {}, 0
        self.sent = []
        self.objects = {}  # of Git LFS
        self.hanging = world.root / "hanging"  # is there while a fetch waits
        self.backend = subprocess.run(["git", "--exec-path"], capture_output=True, text=True,
                                      check=True).stdout.strip() + "/git-http-backend"
        world.env.setdefault("XDG_CACHE_HOME", str(world.root / "cache"))
        self.store = pathlib.Path(world.env["XDG_CACHE_HOME"], "ostler", "actions")
        self.start()

    def start(self, port=0):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                server.answer(self, b"")

            def do_POST(self):
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while (size := int(self.rfile.readline(), 16)):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server.answer(self, body)

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.world.env["OSTLER_ACTION_SOURCE"] = self.url
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def answer(self, request, body):
        path, _, query = request.path.partition("?")
        plain = gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body
        command = next((c for c in ("fetch", "ls-refs") if f"command={c}".encode() in plain), "look")
        owner, name, *rest = path.lower().split("/")[1:]  # servers ignore case in names
        path = "/".join(["", owner, name.removesuffix(".git") + ".git", *path.split("/")[3:]])
        name = name.removesuffix(".git")
        self.logins.add(request.headers.get("Authorization"))
        if not self.may(request, f"{owner}/{name}"):
            self.refuse(request, 401, ("WWW-Authenticate", 'Basic realm="here"'))
            return
        if "lfs" in rest:
            self.large(request, path, rest, plain)
            return
        self.asked.append((f"{owner}/{name}", command))
        if command == "fetch" and self.failing:
            self.failing -= 1
            self.refuse(request, 503)
            return
        if command == "fetch" and self.hang.is_set():
            request.send_response(200)
            request.send_header("Content-Type", "application/x-git-upload-pack-result")
            request.end_headers()
            request.wfile.write(b"000dpackfile\n")
            request.wfile.flush()
            self.hanging.write_text("")
            while self.hang.is_set():
                threading.Event().wait(0.05)
            self.hanging.unlink(missing_ok=True)
            return
        env = {**self.world.env, "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": request.command, "REMOTE_ADDR": "127.0.0.1",
               "CONTENT_TYPE": request.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(plain)),
               "GIT_PROTOCOL": request.headers.get("Git-Protocol", "")}
        done = subprocess.run([self.backend], input=plain, env=env, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        if command == "fetch":
            self.sent.append(len(content))
        request.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def may(self, request, repository):
        if repository not in self.tokens:
            return True
        wanted = base64.b64encode(f"x-access-token:{self.tokens[repository]}".encode()).decode()
        return request.headers.get("Authorization", "").partition(" ")[2] == wanted

    def large(self, request, path, rest, body):
        """What Git LFS asks for: where objects are (all are here), and then for one of them."""
        if rest[-1] == "batch":
            self.asked.append(("lfs", "batch"))
            objects = [{**o, "actions": {"download": {"href": f"{self.url}{path.split('/info/')[0]}/lfs/{o['oid']}"}}}
                       for o in json.loads(body)["objects"]]
            content = json.dumps({"transfer": "basic", "objects": objects}).encode()
        else:
            self.asked.append(("lfs", "object"))
            content = self.objects[rest[-1]]
        request.send_response(200)
        request.send_header("Content-Type", "application/vnd.git-lfs+json" if rest[-1] == "batch" else "application/octet-stream")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def pointer(self, content):
        """Keeps CONTENT as Git LFS does; what stands for it in a commit."""
        oid = hashlib.sha256(content).hexdigest()
        self.objects[oid] = content
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"

    def refuse(self, request, status, *fields):
        request.send_response(status)
        for name, value in (*fields, ("Content-Length", "0")):
            request.send_header(name, value)
        request.end_headers()

    def count(self, command, repository=None):
        return sum(1 for r, c in list(self.asked) if c == command and repository in (None, r))

    # -- making repositories --

    def repo(self, name, files, *tags, message="more", links=None):
        """A commit with FILES in the repository NAME, and TAGS on it; its digits."""
        work, bare = self.work / name, self.root / f"{name}.git"
        git = self.world.git
        if not work.exists():
            work.mkdir(parents=True)
            git("init", "-q", "-b", "main", cwd=work)
            git("config", "user.name", "Al Ther", cwd=work)
            git("config", "user.email", "al@example.test", cwd=work)
            bare.parent.mkdir(parents=True, exist_ok=True)
            git("init", "-q", "--bare", "-b", "main", str(bare), cwd=work)
            git("config", "uploadpack.allowFilter", "true", cwd=bare)
        for path, text in files.items():
            place = work / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(textwrap.dedent(text))
        for path, target in (links or {}).items():
            os.symlink(target, work / path)
        git("add", "-A", cwd=work)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=work)
        for tag in tags:
            git("tag", "-f", tag, cwd=work)
        git("push", "-q", "-f", str(bare), "main", "--tags", cwd=work)
        return git("rev-parse", "HEAD", cwd=work)

    def entries(self):
        """What the store holds: {"owner/repo/COMMIT"}, and what is half-made."""
        return sorted("/".join(p.parts[-3:]) for p in self.store.glob("*/*/*/*") if p.is_dir())
