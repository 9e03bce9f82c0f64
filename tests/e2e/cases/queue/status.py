"""ostler status: what it makes of what it finds behind the sockets of listeners; and a listener, seen from outside."""

import http.client
import json
import os
import socket
import subprocess
import threading

from case import case
from world import check

LISTENER = {
    "version": "0.1.0", "pid": 4321, "age_s": 7401, "draining": False, "trouble": None,
    "slots": {"now": 4, "busy": 1, "min": 4, "max": 4}, "disk": {"free": 10, "wanted": 1},
    "registrations": [
        {"name": "build-1", "kind": "github", "url": "https://github.com/acme", "labels": "linux", "connected": True,
         "contact_s": 12, "trouble": None, "ended": False, "requests": 9, "failures": 0, "running": 1},
        {"name": "tea", "kind": "gitea", "url": "https://tea.example", "labels": None, "connected": False,
         "contact_s": 190, "trouble": "cannot\x1b[2J resolve it", "ended": False, "requests": 1, "failures": 1,
         "running": 0}],
    "jobs": [{"key": "build-1/3c", "registration": "build-1", "repository": "acme/app", "name": "build (22)",
              "workflow": "ci", "event": "push", "age_s": 62, "stopping": False}]}


def socket_at(folder, name, kind=socket.SOCK_STREAM):
    folder.mkdir(parents=True, exist_ok=True)
    server, at = socket.socket(socket.AF_UNIX, kind), os.open(folder, os.O_PATH)
    server.bind(f"/proc/self/fd/{at}/{name}")  # a path of a socket has to be short
    os.close(at)
    return server


def listener(folder, name, answer):
    """A socket in FOLDER at which every question has ANSWER, as long as the tests run."""
    server = socket_at(folder, name)
    server.listen()

    def serve():
        while True:
            connection = server.accept()[0]
            with connection:
                connection.recv(4096)
                connection.sendall(answer)
    threading.Thread(target=serve, daemon=True).start()


def answer(body, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def ask(w, *args):
    return w.ostler_call("status", *args, env={"XDG_RUNTIME_DIR": str(w.runtime)})


def short_folder(w):
    """Where ostler looks for sockets, which it connects to by their whole path: 107 bytes at most."""
    w.runtime = w.root / "r"
    return w.runtime / "ostler"


@case()
def without_a_listener_that_is_said(w):
    short_folder(w)
    done = ask(w)
    done.exits(1).shows(r"^ostler status: no listener runs here: 'ostler listen' starts one$")
    done.equal("stdout", done.out, "")
    done = ask(w, "--json")
    done.exits(1).equal("JSON", json.loads(done.out), [])


@case()
def a_listener_is_shown_with_what_it_does(w):
    folder = short_folder(w)
    listener(folder, "listen-1.sock", answer(json.dumps(LISTENER)))
    done = ask(w).exits(0)
    done.equal("stdout", done.out.replace(str(folder), ""), (
        "listener 4321, up 2h03m: 1 of 4 slots busy\n"
        "  build-1  github  https://github.com/acme  connected, last answer 12s ago\n"
        "  tea      gitea   https://tea.example      not connected, last answer 3m10s ago: cannot resolve it\n"
        "  build-1/3c  acme/app  build (22)  push  running  1m02s\n"))
    said = json.loads(ask(w, "--json").exits(0).out)
    done.equal("JSON", said, [{**LISTENER, "socket": str(folder / "listen-1.sock")}])


@case()
def one_that_was_killed_is_nobody_and_a_stranger_is_named(w):
    folder = short_folder(w)
    socket_at(folder, "listen-1.sock").close()
    listener(folder, "other.sock", b"hello\r\n")
    done = ask(w)
    done.exits(1).shows("no listener runs here")
    listener(folder, "listen-2.sock", b"220 mail\r\n")
    listener(folder, "listen-3.sock", answer(json.dumps({**LISTENER, "draining": True, "trouble": "the disk is full"})))
    done = ask(w)
    done.exits(1).shows(r"listen-2\.sock': that is no listener", "busy, takes no more jobs$", "^  the disk is full$")
    done = ask(w, "--socket", folder / "listen-1.sock")
    done.exits(1).shows(r"listen-1\.sock': nobody listens there$")
    check("no listener runs" not in done.err, done)


@case()
def an_answer_that_lacks_everything_is_no_trouble(w):
    listener(short_folder(w), "listen-1.sock", answer('{"registrations": [{}, 7], "jobs": [{}], "slots": []}'))
    ask(w).exits(0).shows("^listener 0, up 0s: 0 of 0 slots busy$", "no answer yet")


@case()
def wrong_words_are_named(w):
    w.ostler_call("status", "--sockt", "x").complains("unknown option '--sockt'")
    w.ostler_call("status", "here").complains("'here' is nothing that 'ostler status' takes")
    w.ostler_call("status", "--socket").complains("option '--socket' needs a value")


RUNNER = {"id": 7, "uuid": "11111111-2222-3333-4444-555555555555", "name": "tea", "token": "0" * 40,
          "address": "http://127.0.0.1:1", "labels": ["ubuntu-latest:host"]}  # where nobody answers


@case()
def a_listener_that_runs_is_seen_by_all_who_look(w):
    """The service manager, a probe, Prometheus and ostler status; its lines as JSON; and no socket is left."""
    sockets = short_folder(w)
    folder, manager = w.root / "tea", socket_at(w.root, "manager", socket.SOCK_DGRAM)
    manager.settimeout(30)
    folder.mkdir(mode=0o700)
    (folder / ".runner").write_text(json.dumps(RUNNER))
    (folder / ".runner").chmod(0o600)
    port = free_port()
    process = subprocess.Popen(
        [w.ostler, "listen", str(folder), "--isolation", "host", "--log", "json", "--address", f"127.0.0.1:{port}"],
        env={**w.env, "XDG_RUNTIME_DIR": str(w.runtime), "NOTIFY_SOCKET": str(w.root / "manager"),
             "WATCHDOG_USEC": "200000"}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        heard = ""
        while not all(line in heard for line in ("READY=1\n", "STATUS=waiting for jobs\n", "WATCHDOG=1\n")):
            heard += manager.recv(4096).decode()
        check(get(port, "/healthz") == (200, "ok\n"), "it is healthy while it runs")
        status, text = get(port, "/readyz")
        check(status == 503 and text.startswith("tea: ") or "no registration is in contact" in text, f"{status}: {text}")
        status, text = get(port, "/metrics")
        check(status == 200 and "\nostler_ready 0\n" in text and '\ngha_running_jobs{name="tea",' in text, text)
        ask(w).exits(0).shows(rf"^listener {process.pid}, up \d+s: 0 of 1 slots busy$", r"^  tea  gitea  http://127\.0\.0\.1:1 ")
        process.terminate()
        lines = process.communicate(timeout=60)[1].decode().splitlines()
    finally:
        process.kill()
        process.wait()
    check(process.returncode == 0, f"exit code {process.returncode}")
    for line in lines:
        check({"time", "level", "message"} <= set(json.loads(line)), line)
    check(any("no more jobs are taken" in line for line in lines), lines)
    check(list(sockets.iterdir()) == [], "its socket was left")
    manager.settimeout(0.1)
    while "STOPPING=1\n" not in heard:
        heard = manager.recv(4096).decode()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()
