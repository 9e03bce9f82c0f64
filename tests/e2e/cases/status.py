"""ostler status: what it makes of what it finds behind the sockets of listeners."""

import json
import os
import socket
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


def socket_at(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    server, at = socket.socket(socket.AF_UNIX), os.open(folder, os.O_PATH)
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
