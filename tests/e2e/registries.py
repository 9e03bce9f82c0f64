"""Real registries on the loopback, the services round them, and a proxy that does them harm."""

import base64
import contextlib
import crypt
import http.client
import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import time
import urllib.parse

USER, PASSWORD = "ci", "s3cret-of-the-registry"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def certificate(place, name):
    """A certificate that signs itself, for the loopback."""
    place.mkdir(parents=True, exist_ok=True)
    crt, key = place / f"{name}.crt", place / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", crt,
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    return crt, key


class Registry:
    """docker-registry: open, or with USER's password (auth="htpasswd"), or TOKENS; with a certificate."""

    def __init__(self, place, auth=None, tokens=None, tls=None):
        self.place, self.port = pathlib.Path(place), free_port()
        self.host, self.tls = f"127.0.0.1:{self.port}", tls
        self.place.mkdir(parents=True)
        config = {"version": 0.1, "log": {"level": "info", "formatter": "json"},
                  "storage": {"filesystem": {"rootdirectory": str(self.place / "data")}, "delete": {"enabled": True}},
                  "http": {"addr": self.host, "secret": "x"}}
        if tls:
            config["http"]["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
        if auth == "htpasswd":
            salt = crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)
            (self.place / "users").write_text(f"{USER}:{crypt.crypt(PASSWORD, salt)}\n")
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self.place / "users")}}
        if tokens:
            config["auth"] = {"token": {"realm": tokens.url, "service": "test", "issuer": "test",
                                        "rootcertbundle": str(tokens.crt)}}
        (self.place / "config.yml").write_text(json.dumps(config))

    def __enter__(self):
        self.log = open(self.place / "log", "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", self.place / "config.yml"], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            time.sleep(0.05)
        raise AssertionError(f"docker-registry does not start: {(self.place / 'log').read_text()}")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def requests(self):
        """What it has answered: ["PUT /v2/... 201"]."""
        rows = []
        for line in (self.place / "log").read_text().splitlines():
            if '"http.response.status"' in line:
                row = json.loads(line)
                rows.append(f"{row['http.request.method']} {row['http.request.uri']} {row['http.response.status']}")
        return rows

    def forget(self):
        """The requests so far."""
        self.log.truncate(0)
        self.log.seek(0)

    def open_uploads(self):
        return list(self.place.glob("data/docker/registry/v2/repositories/**/_uploads/*/data"))

    def skopeo(self, command, *words, user=True, top=()):
        """What skopeo prints; TOP: options in front of the command."""
        options = ["--tls-verify=false"] + ([f"--creds={USER}:{PASSWORD}"] if user else [])
        done = subprocess.run(["skopeo", *top, command, *options, *words], capture_output=True,
                              env={**os.environ, "HOME": str(self.place), "XDG_RUNTIME_DIR": str(self.place)})
        assert done.returncode == 0, f"skopeo {words}: {done.stderr.decode()}"
        return done.stdout


class Server:
    """An HTTP server in threads whose requests ANSWER handles."""

    def __init__(self, tls=None):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                outer.answer(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # cut connections are what this is for
                pass

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.seen, self.lock = [], threading.Lock()

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def reply(request, status, body=b"", **headers):
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)


class Tokens(Server):
    """A token service as Docker Hub has one: tokens for USER, good for LIFE seconds, or less than was asked."""

    def __init__(self, place, life=300, grant=None):
        super().__init__()
        self.crt, self.key = certificate(pathlib.Path(place), "tokens")
        self.url, self.life, self.grant = f"http://{self.host}/token", life, grant
        self.asked = []

    def answer(self, request):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        if request.command == "POST":
            form = request.rfile.read(int(request.headers["Content-Length"])).decode()
            query = urllib.parse.parse_qs(form)
        who = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        known = request.headers.get("Authorization") == f"Basic {who}" or query.get("refresh_token") == [PASSWORD]
        with self.lock:
            self.asked.append((request.command, query.get("scope", []), known))
        if not known:
            self.reply(request, 401, b'{"errors":[{"code":"UNAUTHORIZED","message":"no such user"}]}')
            return
        access = []
        for scope in query.get("scope", []):
            kind, name, rights = scope.split(":")
            access.append({"type": kind, "name": name, "actions": self.grant or rights.split(",")})
        self.reply(request, 200, json.dumps({"token": self.make(access), "expires_in": self.life}).encode())

    def make(self, access):
        def text(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        der = subprocess.run(["openssl", "x509", "-in", self.crt, "-outform", "DER"], check=True, capture_output=True).stdout
        now = int(time.time())
        head = {"alg": "RS256", "typ": "JWT", "x5c": [base64.b64encode(der).decode()]}
        claims = {"iss": "test", "sub": USER, "aud": "test", "exp": now + self.life, "nbf": now - 10, "iat": now,
                  "jti": str(len(self.asked)), "access": access}
        signed = text(json.dumps(head).encode()) + b"." + text(json.dumps(claims).encode())
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=signed, check=True,
                                   capture_output=True).stdout
        return (signed + b"." + text(signature)).decode()


class Proxy(Server):
    """Stands before a registry and does harm by rules: (method, pattern of the path, how often, what).

    What: ("status", 503, {headers}); ("cut", bytes of the body that pass, half of it at most); ("cut-answer",); ("hang", seconds);
    ("rewrite", function of status and headers, which changes them); a function of the request, which answers."""

    def __init__(self, to):
        super().__init__()
        self.to, self.rules = to, []

    def harm(self, method, pattern, times, *what):
        self.rules.append([method, re.compile(pattern), times, what])
        return self

    def _rule(self, request):
        with self.lock:
            self.seen.append(f"{request.command} {request.path}")
            for rule in self.rules:
                if rule[2] > 0 and rule[0] in (request.command, "*") and rule[1].search(request.path):
                    rule[2] -= 1
                    return rule[3]
        return ()

    def _body(self, request):
        if request.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while True:
                size = int(request.rfile.readline().split(b";")[0], 16)
                body += request.rfile.read(size)
                request.rfile.readline()
                if not size:
                    return body
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))

    def answer(self, request):
        what = self._rule(request)
        if what and what[0] == "cut":
            request.rfile.read(min(what[1], int(request.headers.get("Content-Length") or 0) // 2))
            request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True
            return
        body = self._body(request)
        if what and callable(what[0]):
            what[0](request)
            return
        if what and what[0] == "status":
            self.reply(request, what[1], b"<html>busy</html>", **(what[2] if len(what) > 2 else {}))
            return
        if what and what[0] == "hang":
            time.sleep(what[1])
            request.close_connection = True
            return
        upstream = http.client.HTTPConnection(self.to, timeout=30)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("transfer-encoding", "expect", "content-length")}
        upstream.request(request.command, request.path, body=body if body or request.command in ("PUT", "POST", "PATCH") else None,
                         headers=headers)
        answer = upstream.getresponse()
        data, status, given = answer.read(), answer.status, dict(answer.getheaders())
        upstream.close()
        if what and what[0] == "cut-answer":  # it has happened, and nobody is told
            request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True
            return
        if what and what[0] == "rewrite":
            status = what[1](status, given) or status
        request.send_response(status)
        for name, value in given.items():
            if name.lower() not in ("transfer-encoding", "connection"):
                request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)
