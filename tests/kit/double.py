"""What the doubles of services share: an HTTP server that answers, fails on demand, writes down every call, and complains.

A double knows the service's rules and is stricter than the service: what no client may do is a complaint, and check()
raises with all of them. A fault strikes the calls of one name:

    double.fault("UpdateLog", "status", status=503, times=3, skip=1)

Before the double has acted: "status" (with BODY, TYPE), "reset", "hang" (for SECONDS or until it is lifted, then the
line is cut). After it has acted: "lost" (the answer never leaves), "cut" (half of it), "trickle" (over SECONDS),
"garbage" (half of it, as if that were all), "late" (after SECONDS), "change" (what CHANGE(answer, call) makes of it).

Standard library only, so that every end-to-end case can use it."""

import dataclasses
import gzip
import http.server
import json
import re
import socket
import ssl
import struct
import threading
import time
import traceback
import urllib.parse
import zlib

from patience import PATIENCE

LIMIT = 64 << 20  # of a request's body
BEFORE = ("status", "reset", "hang")
AFTER = ("lost", "cut", "trickle", "garbage", "late", "change")
HTML = b"<!DOCTYPE html><html><body><h1>It works not</h1></body></html>\n"


class Twice(ValueError):
    """A member is there twice."""


def no_member_twice(pairs):
    members = dict(pairs)
    if len(members) < len(pairs):
        raise Twice(f"a member is there twice in {[key for key, _ in pairs]}")
    return members


@dataclasses.dataclass
class Answer:
    status: int = 200
    body: object = None  # bytes and text as they are, else JSON
    type: str = "application/json"
    headers: dict = dataclasses.field(default_factory=dict)
    then: object = None  # THEN(request, call), once it is sent, has the line for itself

    def content(self):
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclasses.dataclass
class Fault:
    call: str
    kind: str
    times: int = 1
    skip: int = 0
    when: object = None      # WHEN(call): whether this call is meant
    seconds: float = 60.0
    status: int = 500
    body: object = b""
    type: str = "text/html"
    headers: dict = dataclasses.field(default_factory=dict)
    change: object = None
    struck: int = 0
    hits: list = dataclasses.field(default_factory=list)  # the calls that it struck
    lifted: threading.Event = dataclasses.field(default_factory=threading.Event)

    def lift(self):
        self.times = 0
        self.lifted.set()


@dataclasses.dataclass
class Call:
    """One request, and what became of it. NAME is the double's word for it."""
    number: int
    at: float
    method: str
    path: str
    query: dict
    headers: object
    raw: bytes
    name: str = "?"
    request: object = None    # its Handler
    match: object = None      # what its path matched
    data: object = None       # the JSON body
    answer: Answer = None     # None: none was sent
    fault: str = None
    told: bool = False        # the whole answer left, and somebody was there to read it
    counted: bool = False     # outcome() was called
    ended: float = None

    def line(self):
        body = self.raw.decode(errors="replace")
        got = "nothing" if self.answer is None else f"{self.answer.status} {self.answer.content()[:300].decode(errors='replace')}"
        query = "?" + urllib.parse.urlencode(self.query, doseq=True) if self.query else ""
        return (f"{self.at:8.3f} {self.name}: {self.method} {self.path}{query} {body[:500]}{'...' if len(body) > 500 else ''}\n"
                f"         -> {got}{f' [{self.fault}]' if self.fault else ''}")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    double = None  # that of a subclass

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, TimeoutError, ssl.SSLError):
            pass  # the other side left

    def anything(self):
        self.double.serve(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = anything

    def read(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            size = min(int(self.headers.get("Content-Length") or 0), LIMIT)
            body = self.rfile.read(size)
            if len(body) < size:
                raise ConnectionError("its sender went away")
        coding = self.headers.get("Content-Encoding", "identity")
        if coding == "gzip":
            return gzip.decompress(body)
        return zlib.decompress(body) if coding == "deflate" else body

    def gone(self):
        """Whether nobody waits for the answer any more."""
        try:
            # Of TLS, too: whether bytes are there, not what they say.
            return socket.socket.recv(self.connection, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def reset(self):
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def send(self, answer, pace=0.0, part=None):
        """Sends ANSWER within PACE seconds; only PART of its bytes when that is said."""
        content = answer.content()
        headers = dict(answer.headers)
        if self.double.squeezed and "gzip" in self.headers.get("Accept-Encoding", ""):
            content = gzip.compress(content)
            headers["Content-Encoding"] = "gzip"
        lines = [f"HTTP/1.1 {answer.status} {http.server.BaseHTTPRequestHandler.responses.get(answer.status, ('Odd',))[0]}",
                 f"Date: {self.date_time_string(int(time.time() + self.double.skew))}"]
        if content or answer.status == 200:
            lines.append(f"Content-Type: {answer.type}")
        if answer.status >= 200 and answer.status not in (204, 304):
            lines.append(f"Content-Length: {len(content)}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode() + (b"" if self.command == "HEAD" else content)
        if part is not None:
            data = data[:int(part * len(data)) if not content else len(data) - len(content) + int(part * len(content))]
        if pace:
            size = max(1, len(data) // 40)
            for at in range(0, len(data), size):
                self.connection.sendall(data[at:at + size])
                if self.double.closing.wait(pace / 40):
                    break
        else:
            self.connection.sendall(data)


class Double:
    """Subclasses say name(call) and act(call): the name of a call, and its Answer. They run one at a time; act() may
    wait on self.turn, and then others run."""

    def __init__(self):
        self.turn = threading.Condition(threading.RLock())
        self.closing = threading.Event()
        self.calls, self.complaints, self.faults = [], [], []
        self.skew, self.squeezed = 0, False
        self.away = self.was_away = False
        self.busy_seconds = 1.0  # twenty questions in less are a busy loop
        self.begun = time.monotonic()
        self.servers = []
        self.http = self.open()
        self.port = self.http.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def open(self):
        """One more address at which all of this answers."""
        server = Server(("127.0.0.1", 0), type("OneHandler", (Handler,), {"double": self}))
        self.servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server

    def secure(self, certificate, key):
        """From now on its address speaks TLS only."""
        way = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        way.load_cert_chain(certificate, key)
        self.http.socket = way.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = self.url.replace("http:", "https:")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closing.set()
        for fault in self.faults:
            fault.lift()
        with self.turn:
            self.turn.notify_all()
        for server in self.servers:
            server.shutdown()
            server.server_close()

    # -- what a case says --

    def fault(self, call, kind, **more):
        """The next calls of that NAME fail; "*" stands for every name."""
        assert kind in BEFORE + AFTER, kind
        with self.turn:
            self.faults.append(Fault(call, kind, **more))
            return self.faults[-1]

    def leave(self, away=True):
        """The server is down: every connection is refused at once."""
        self.away = away
        self.was_away = True

    def wait(self, what, limit=20.0):
        """Until WHAT() is true; gives that."""
        end = time.monotonic() + limit * PATIENCE
        with self.turn:
            while not (value := what()):
                left = end - time.monotonic()
                if left <= 0 or self.closing.is_set():
                    raise AssertionError(f"waited {limit * PATIENCE} s in vain\n{self.transcript()}")
                self.turn.wait(min(left, 0.2))
            return value

    def of(self, name):
        """The calls of that name so far."""
        with self.turn:
            return [call for call in self.calls if call.name == name]

    def names(self):
        with self.turn:
            return [call.name for call in self.calls]

    def transcript(self, last=60):
        with self.turn:
            lines = [call.line() for call in self.calls[-last:]]
        return f"--- the last {len(lines)} calls of {len(self.calls)}\n" + "\n".join(lines)

    def complain(self, text):
        with self.turn:
            self.complaints.append(text)

    def check(self):
        """Raises when anybody did what is not allowed; what ends with the case is looked at now."""
        with self.turn:
            self.final()
            found = list(self.complaints)
        if found:
            raise AssertionError("\n".join([f"the double complains {len(found)} times:", *(f"  {c}" for c in found[:20]),
                                            self.transcript()]))

    def final(self):
        """What must hold at the end: a subclass adds to it."""

    # -- what a subclass uses --

    def fields(self, where, data, known, needed=()):
        """DATA is an object whose members are those of KNOWN: name -> what its value must be (see is_a)."""
        if not isinstance(data, dict):
            self.complain(f"{where}: wanted an object, got {str(data)[:80]!r}")
            return False
        good = True
        for name, value in data.items():
            if name not in known:
                self.complain(f"{where}: unknown field '{name}'")
                good = False
            elif not is_a(value, known[name]):
                self.complain(f"{where}: field '{name}' is {str(value)[:80]!r}")
                good = False
        for name in needed:
            if name not in data:
                self.complain(f"{where}: field '{name}' is missing")
                good = False
        return good

    def name(self, call):
        raise NotImplementedError

    def act(self, call):
        raise NotImplementedError

    def outcome(self, call):
        """CALL is over, once; call.told says whether its answer was heard: a subclass may want to know."""

    # -- the wire --

    def serve(self, request):
        if self.away:
            request.reset()
            return
        try:
            raw, broken = request.read(), None
        except ConnectionError:
            request.close_connection = True  # half a request is none
            return
        except (ValueError, OSError, zlib.error) as error:
            raw, broken = b"", error
        parts = urllib.parse.urlsplit(request.path)
        call = Call(0, time.monotonic() - self.begun, request.command, parts.path,
                    urllib.parse.parse_qs(parts.query, keep_blank_values=True), request.headers, raw, request=request)
        with self.turn:
            call.number = len(self.calls)
            self.calls.append(call)
            call.name = self.name(call)
            if broken:
                self.complain(f"{call.name}: its body cannot be read: {broken}")
            fault = self._struck_by(call)
        try:
            self._serve(request, call, fault)
        except OSError:
            request.close_connection = True
        finally:
            with self.turn:
                call.ended = time.monotonic() - self.begun
                self._over(call)
                self.turn.notify_all()

    def _over(self, call):
        if not call.counted:
            call.counted = True
            self.outcome(call)

    def _struck_by(self, call):
        for fault in self.faults:
            if fault.times <= 0 or fault.call not in (call.name, "*") or (fault.when and not fault.when(call)):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.times -= 1
            fault.struck += 1
            fault.hits.append(call)
            call.fault = fault.kind
            return fault
        return None

    def _serve(self, request, call, fault):
        kind = fault.kind if fault else None
        if kind == "reset":
            request.reset()
            return
        if kind == "hang":
            fault.lifted.wait(fault.seconds)
            request.reset()
            return
        if kind == "status":
            answer = Answer(fault.status, fault.body or (HTML if fault.type == "text/html" else b""), fault.type, fault.headers)
        else:
            with self.turn:
                try:
                    answer = self.act(call)
                except Exception:  # of this double, which must not pass for a server that is down
                    self.complain(f"{call.name}: the double fell over: {traceback.format_exc()}")
                    answer = Answer(500)
            if kind == "change":
                changed = fault.change(answer.body, call)
                answer = changed if isinstance(changed, Answer) else dataclasses.replace(answer, body=changed)
        if self.away or kind == "lost":
            request.reset()
            return
        if kind == "late":
            fault.lifted.wait(fault.seconds)
        if answer is None or request.gone():
            request.close_connection = True
            return
        call.answer = answer
        if kind == "garbage":
            answer = dataclasses.replace(answer, body=answer.content()[:len(answer.content()) // 2])
        if kind == "cut":
            request.send(answer, part=0.5)
            request.reset()
            return
        if kind not in ("garbage", "status") or (kind == "garbage" and not answer.content()):
            with self.turn:  # before it is sent: what the client does next may come at once
                call.told = True
                self._over(call)
        try:
            request.send(answer, pace=fault.seconds if kind == "trickle" else 0.0)
            if answer.then:
                request.close_connection = True
                answer.then(request, call)
        except OSError:
            with self.turn:
                call.told = False
            raise


GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def whole(value):
    """A number without fraction, as JSON has it or as the text that 64-bit numbers are written as."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value) is not None)


KINDS = {
    "text": lambda v: isinstance(v, str),
    "filled": lambda v: isinstance(v, str) and v != "",
    "truth": lambda v: isinstance(v, bool),
    "whole": whole,
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "guid": lambda v: isinstance(v, str) and GUID.fullmatch(v) is not None,
    "time": lambda v: isinstance(v, str) and TIME.fullmatch(v) is not None,
    "texts": lambda v: isinstance(v, list) and all(isinstance(t, str) for t in v),
    "list": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
    "map": lambda v: isinstance(v, dict) and all(isinstance(t, str) for t in v.values()),
    "any": lambda v: True,
}


def is_a(value, kind):
    """KIND: a word of KINDS ("?" before it: or null), a set of what is allowed, or a function."""
    if callable(kind):
        return kind(value)
    if isinstance(kind, (set, frozenset, tuple, list)):
        return not isinstance(value, (dict, list)) and value in kind
    if kind.startswith("?"):
        return value is None or KINDS[kind[1:]](value)
    return KINDS[kind](value)


def parse(raw):
    """RAW as JSON, as strictly as the servers read it; raises ValueError."""
    def refuse(word):
        raise ValueError(f"'{word}' is no JSON")
    return json.loads(raw.decode("utf-8"), object_pairs_hook=no_member_twice, parse_constant=refuse)


# ---- secrets ----

def parts_of_secret(value):
    """What of VALUE must never be seen: the whole, and each line of it that is more than a word's end."""
    lines = [line.strip() for line in value.splitlines()]
    return {part for part in [value.strip(), *lines] if len(part) >= 4}


def secrets_in(text, secrets):
    return sorted({part[:2] + "..." for secret in secrets for part in parts_of_secret(secret) if part in text})
