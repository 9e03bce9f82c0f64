"""What people, servers and machines get wrong around a self-hosted runner, as one table: how it is made, the one message,
the exit code, and the way out that is printed.

Other rows have cases of their own: options of `ostler register`, a token that is no good (register/what_is_wrong...), two
listeners of one machine (listen/two_listeners...), access revoked while a job runs (faults_special/whose_access...), a
registration deleted on the server (listen_github/, listen_gitea/), tasks of Gitea's that cannot be read
(listen_gitea/a_task_that...), a server that answers HTML at any call (faults_github/, faults_gitea/)."""

import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import threading

from case import case
from double import HTML
from faults import QUICK
from gitea_double import GiteaDouble
from github_double import GitHubDouble
from listening import Listener, as_yaml, echo, gitea_registration, github_registration
from world import check

TRIES = {"OSTLER_TEST_MINUTE_MS": "1000"}  # pauses between tries are short
HASTY = {"OSTLER_TEST_MINUTE_MS": "250"}   # and minutes that are waited for


def one_message(what, done, code, *texts):
    """DONE says one thing in one line, which holds TEXTS (expressions), and exits with CODE."""
    done.exits(code)
    lines = [line for line in done.err.splitlines() if " info " not in line]
    check(len(lines) == 1 and len(lines[0]) < 500, f"{what}: that is not one message\n{done}")
    for text in texts:
        check(re.search(text, lines[0]), f"{what}: it lacks {text!r}\n{done}")
    return lines[0]


def register(w, *args, **env):
    done = w.ostler_call("register", "--unattended", "--dir", w.root / "r", "--name", "n", *args, env={**TRIES, **env}, limit=60)
    check("REG1" not in done.out + done.err and "w0rd" not in done.err, f"a secret is shown\n{done}")
    check(not (w.root / "r/.runner").exists(), f"something was left behind\n{done}")
    return done


# ---- the address ----

NO_ADDRESS = r"is no address to register with: that is https://github.com/OWNER/REPO"
NO_PAGE = r"is not what runners are registered with: .*https://github.com/OWNER/REPO.*/enterprises/NAME\)$"
PASSWORD = "leave user and password out of it, the token says who you are$"

# (URL, TYPE or None, exit code, message with its cure); {hub} and {tea} are servers of either kind
ADDRESSES = [
    ("github.com/acme/widgets", None, 2, NO_ADDRESS),
    ("https://git hub.com/a/b", None, 2, NO_ADDRESS),
    ("https:///acme/widgets", None, 2, NO_ADDRESS),
    ("ftp://example.org/a/b", None, 2, NO_ADDRESS),
    ("http://127.0.0.1:99999/a/b", None, 2, NO_ADDRESS),
    ("https://me:w0rd@github.com/a/b", None, 2, PASSWORD),
    ("https://me:w0rd@github.com/a/b", "github", 2, PASSWORD),
    ("https://me:w0rd@tea.example", "gitea", 2, PASSWORD),
    ("https://github.com/a/b/c/d", "github", 2, NO_PAGE),
    ("{hub}/acme/widgets/settings/actions", None, 2, NO_PAGE),
    ("{hub}", None, 2, r"is GitHub's server: register with a repository .* --url '{hub}/OWNER/REPO'"),
    ("http://no-such-host.invalid/a/b", None, 1, "cannot reach 'no-such-host.invalid': no host has that name: see the address, and this machine's DNS"),
    ("http://no-such-host.invalid", "gitea", 1, "cannot reach 'no-such-host.invalid': no host has that name"),
    ("http://127.0.0.1:9/a/b", None, 1, r"nobody listens there \(Connection refused\): is the address right, with its port, and the server up"),
    ("{hub}", "gitea", 4, "has no service for runners: .* is it the address of a Gitea"),
    ("{tea}/acme/widgets", "github", 1, "GitHub finds no '{tea}/acme/widgets', or the token is not for it: check the address"),
    ("{tea}/acme/widgets", None, 2, "is a page of a Gitea or Forgejo server: register with the server's own address, as in --url '{tea}'"),
]

LABELS = [
    ("x:vm", "label 'x:vm' has a schema that is not known: write NAME:host or NAME:docker://IMAGE"),
    ("x:docker://", "label 'x:docker://' names no image: write NAME:host"),
    (":host", "label ':host' has no name: write NAME:host"),
]


@case(who="user")
def an_address_or_a_label_that_is_none_has_its_message(w):
    with GitHubDouble("V") as hub, GiteaDouble() as tea:
        tea.complain = lambda text: None  # it is asked for GitHub's calls, too
        hub.complain = lambda text: None
        for url, kind, code, text in ADDRESSES:
            urls = {"hub": hub.url, "tea": tea.url}
            done = register(w, "--url", url.format(**urls), *(["--type", kind] if kind else []), "--token", "REG1")
            one_message(url, done, code, text.format(**urls) if "{" in text else text)
        for label, text in LABELS:
            one_message(label, register(w, "--url", tea.url, "--type", "gitea", "--token", "REG", "--labels", label), 2, text)
        check(not hub.agents and not tea.runners, f"{hub.agents}, {tea.runners}")


# ---- what is between us and the server ----

class Wall(http.server.BaseHTTPRequestHandler):
    """A proxy that wants to know who we are; or (STATUS 403) does not like where we go."""
    status = 407

    def do_CONNECT(self):
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_CONNECT

    def log_message(self, *_):
        pass


def wall(status):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Wall,), {"status": status}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return f"127.0.0.1:{server.server_port}"


def nobody():
    """A port where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


# (the proxy, message with its cure); {} is the port of who plays it
PROXIES = [
    (nobody, "http://{}", r"its proxy, '{}', is not there \(Connection refused\): see {}"),
    (nobody, "http://me:w0rd@{}", r"its proxy, '{}', is not there"),
    (lambda: wall(407), "http://{}", r"the proxy '{}' wants a login \(407\): write it into {}, as http://USER:PASSWORD@HOST:PORT"),
    (lambda: wall(407), "http://me:w0rd@{}", r"the proxy '{}' refuses our login \(407\): see user and password in {}"),
    (lambda: "no-proxy.invalid:3128", "http://{}", "there is no host with the name of its proxy, '{}': see {}"),
    (nobody, "ftp://me:w0rd@{}", r"what .*_proxy says is no address of a proxy: write it as http://HOST:PORT"),
]


@case(who="user")
def a_proxy_that_lets_nobody_through_is_named_with_its_variable(w):
    for play, proxy, text in PROXIES:
        at = play()
        for variable, url in (("http_proxy", "http://tea.example.test"), ("https_proxy", "https://tea.example.test")):
            done = register(w, "--url", url, "--type", "gitea", "--token", "REG1", **{variable: proxy.format(at)})
            one_message(proxy, done, 1, "cannot reach 'tea.example.test': ", text.format(re.escape(at), variable))
    done = register(w, "--url", "https://tea.example.test", "--type", "gitea", "--token", "REG1", https_proxy="http://" + wall(403))
    one_message("a proxy that says no", done, 1, r"does not let us through \(403\): .*no_proxy")


@case(who="user", thorough=True)
def a_proxy_that_does_not_answer_is_named(w):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        at = f"127.0.0.1:{silent.getsockname()[1]}"
        done = register(w, "--url", "http://hub.example.test/acme", "--token", "REG1", http_proxy=f"http://{at}")
        one_message("silence", done, 1, rf"no answer within \d+ s by way of the proxy '{at}' \(http_proxy\): is that up")


def certificate(w, name, subject):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", w.root / f"{name}.key", "-out", w.root / f"{name}.pem",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={subject}"], check=True, capture_output=True)


# (the server's certificate, SSL_CERT_FILE or None, message with its cure or None: it is let in)
CERTIFICATES = [
    ("ours", "ours.pem", None),
    ("ours", "theirs.pem", r"SSL_CERT_FILE, '.*theirs.pem', does not vouch for its certificate \(self-signed certificate\): put that of its authority in there"),
    ("ours", None, r"nobody whom this machine trusts vouches for its certificate \(self-signed.*SSL_CERT_FILE|does not vouch"),
    ("ours", "nowhere.pem", "SSL_CERT_FILE, '.*nowhere.pem', cannot be used: No such file or directory"),
    ("ours", "words.pem", "SSL_CERT_FILE, '.*words.pem', cannot be used: no certificate in PEM is in there"),
    ("theirs", "theirs.pem", "its certificate is for another host: use the name that is in it"),
    (None, "ours.pem", r"it speaks no TLS: should the address begin with http://\?"),
]


@case(who="user")
def a_certificate_that_nobody_vouches_for_is_named_with_its_cure(w):
    certificate(w, "ours", "IP:127.0.0.1")
    certificate(w, "theirs", "DNS:example.org")
    (w.root / "words.pem").write_text("no certificate\n")
    for of, trusted, text in CERTIFICATES:
        with GiteaDouble() as tea:
            if of:
                tea.secure(w.root / f"{of}.pem", w.root / f"{of}.key")
            env = {"SSL_CERT_FILE": str(w.root / trusted)} if trusted else {}
            args = ["--url", tea.url.replace("http:", "https:"), "--type", "gitea", "--token", "REG", "--labels", "x:host"]
            if text:
                one_message((of, trusted), register(w, *args, **env), 1, text)
            else:
                w.ostler_call("register", "--unattended", "--dir", w.root / "good", *args, env=env).exits(0)
                check(len(tea.runners) == 1, "it is not registered")


# ---- the registration's folder ----

ANEW = r": have it back from a copy, or register this machine anew \('ostler unregister --local' first\)$"
OTHERS = r"can be written by others: .*\(chown\), .*\(chmod go-w\)"

# (whose, file, what is done to it: text, mode, None: removed, or a change of its document; message)
BROKEN = [
    ("hub", ".runner", "<html>", r"hub/\.runner': line 1, column 1: this is no JSON" + ANEW),
    ("hub", ".runner", "", r"hub/\.runner': line 1, column 1: this is no JSON" + ANEW),
    ("hub", ".runner", "{}", r"hub/\.runner': it is of neither GitHub's runner nor Gitea's" + ANEW),
    ("hub", ".runner", " " * 300000, r"hub/\.runner': more than 262144 bytes" + ANEW),
    ("hub", ".runner", {"serverUrlV2": "here"}, "'serverUrlV2' is no address" + ANEW),
    ("hub", ".runner", 0o666, r"hub/\.runner' " + OTHERS),
    ("hub", ".runner", None, "there is no registration in '.*hub': 'ostler register --dir .*hub' makes one"),
    ("hub", "", 0o777, "hub' " + OTHERS),
    ("hub", ".credentials", None, r"hub/\.credentials': it is not there" + ANEW),
    ("hub", ".credentials", "{}", r"hub/\.credentials': its scheme is not 'OAuth'" + ANEW),
    ("hub", ".credentials_rsaparams", None, r"hub/\.credentials_rsaparams': it is not there" + ANEW),
    ("hub", ".credentials_rsaparams", {"p": "%"}, r"\.credentials_rsaparams': 'p' is no number of an RSA key of 2048 bits" + ANEW),
    ("tea", ".runner", {"token": ""}, r"tea/\.runner': 'token' is no text: register this machine anew"),
    ("tea", ".runner", {"labels": []}, r"tea/\.runner': there are no 'labels', so there would be no jobs: register this machine anew with --labels"),
    ("tea", ".runner", {"labels": ["x:vm"]}, r"tea/\.runner': label 'x:vm' has a schema that is not known: write NAME:host"),
    ("tea", ".runner", {"address": "here"}, r"tea/\.runner': 'here' is no address of a server: write it as https://"),
    ("tea", ".runner", {"capacity": 0}, r"tea/\.runner': 'capacity' is a number from 1 to 1000"),
]


def break_it(path, how):
    if how is None:
        path.unlink()
    elif isinstance(how, int):
        path.chmod(how)
    elif isinstance(how, dict):
        path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8-sig")), **how}))
    else:
        path.write_text(how)


@case()
def a_registration_that_is_broken_is_named_with_the_way_out_and_that_works(w):
    (w.root / "work").mkdir(mode=0o700)
    with GitHubDouble("V") as hub, GiteaDouble() as tea:
        whole = {"hub": github_registration(w, hub, key="hub"), "tea": gitea_registration(w, tea, key="tea")}
        for number, (whose, name, how, text) in enumerate(BROKEN):
            folder = w.root / f"{number}/{whose}"
            shutil.copytree(whole[whose], folder)
            break_it(folder / name, how)
            done = w.start(folder, "--work", w.root / "work", command="listen", json_out=False).finish(30)
            one_message((whose, name, how), done, 1, text)
            if ANEW in text and how is not None:
                w.ostler_call("unregister", "--local", "--dir", folder).exits(0)
                check(not folder.exists(), f"{name}: the way out leads nowhere")
    if os.geteuid():
        (whole["tea"] / ".runner").chmod(0)
        done = w.start(whole["tea"], command="listen", json_out=False).finish(30)
        one_message("unreadable", done, 1, r"\.runner' cannot be read: Permission denied: only the user that registered this machine may")


# ---- the configuration ----

SETTINGS = [
    ("listen: {slots: many}\n", r"config.yml:1:\d+: --slots"),
    ("listen: {address: here}\n", r"--address|HOST:PORT|127\.0\.0\.1"),
    ("listen:\n  min-free: lots\n", r"config.yml:2:13: --min-free"),
    ("listen:\n  log: xml\n", r"config.yml:2:8: .*'text' or 'json'"),
    ("listen: {work: here}\n", r"config.yml:1:16: 'work' wants an absolute path in a configuration, not 'here'"),
    ("listen:\n  slot: 2\n", r"config.yml:2:3: .*'slot'"),
    ("listen: [acme]\n", r"config.yml:1:9: "),
    ("listen: {allow: acme}\n", r"config.yml:1:17: this is a list of at most 1000 rules: '\[acme/\*\]'"),
]


@case()
def what_a_configuration_says_wrong_has_its_place(w):
    (w.root / "work").mkdir(mode=0o700)
    with GiteaDouble() as tea:
        folder = gitea_registration(w, tea)
        for text, wanted in SETTINGS:
            config = w.write("config.yml", text, 0o600, below=w.root)
            done = w.start(folder, "--config", config, "--work", w.root / "work", command="listen", json_out=False).finish(30)
            one_message(text, done, 1, wanted)


# ---- the server, while we listen ----

def server_of(kind, **more):
    """A double of KIND, and what makes a registration and a job at it."""
    if kind == "gitea":
        double = GiteaDouble()
        double.pausing = True
        return double, gitea_registration, lambda said: double.push(as_yaml(said), steps=len(said["steps"]))
    double = GitHubDouble(kind, results=kind != "L", hold=2.0, **more)
    double.failing = True
    return double, github_registration, double.push


def copied(w, folder):
    """FOLDER as somebody took it to another machine."""
    other = w.root / "other/machine"
    shutil.copytree(folder, other, ignore=shutil.ignore_patterns("leases"))
    (w.root / "elsewhere").mkdir(exist_ok=True, mode=0o700)
    return [other, "--work", w.root / "elsewhere", "--min-free", 0]


@case(limit=90)
def two_machines_with_one_registration(w):
    """GitHub's: the one that comes second is told so and leaves, as the official runner does. Gitea knows no sessions: both are
    served, and a task goes to one of them."""
    for kind in ("V", "L", "gitea"):
        double, make, push = server_of(kind)
        with double:
            folder = make(w, double)
            first = Listener(w, env=HASTY)
            double.wait(lambda: double.of("FetchTask" if kind == "gitea" else "poll"))
            second = w.start(*copied(w, folder), command="listen", json_out=False, env=HASTY)
            if kind == "gitea":
                second.wait_for("in contact")
                tasks = [push(echo("once")) for _ in range(3)]
                for task in tasks:
                    double.finished(task)
                    check(task.lines.count("once") == 1, task.log())
                second.send(15).finish(30).exits(0)
            else:
                done = second.finish(60).exits(5)
                check(re.search("another listener has a session with this registration: stop that one, or register this machine under a name of its own",
                                done.err), str(done))
                job = push(echo("once"))
                double.finished(job)
                check(job.conclusion == "succeeded", str(job.conclusion))
            first.drain()
        shutil.rmtree(w.root / "registrations")
        shutil.rmtree(w.root / "other")


GONE = r"GitHub does not know this runner, or not with this key|the server refuses this registration"

# (server, what is done before we come, exit code, message)
REFUSALS = [
    ("V", lambda d: d.remove(), 1, rf"error .*(?:{GONE}).*'ostler unregister --local --dir .*/hub', then 'ostler register'"),
    ("L", lambda d: d.remove(), 1, rf"error .*(?:{GONE}).*'ostler unregister --local --dir .*/hub', then 'ostler register'"),
    ("gitea", lambda d: d.remove(), 1, r"error .*does not know the runner 'ostler-1' any more: .*'ostler unregister --dir .*/home', then register anew"),
    ("V", lambda d: d.refuse("session", "RunnerVersionTooOld"), 1, r"error .*the runner version that we report: give 'ostler listen' a newer --runner-version"),
]


@case()
def a_server_that_does_not_want_us_is_told_with_the_way_out(w):
    for kind, prepare, code, text in REFUSALS:
        double, make, _ = server_of(kind)
        with double:
            make(w, double)
            prepare(double)
            one_message((kind, text), Listener(w, env=HASTY).ended(code), code, text)
        shutil.rmtree(w.root / "registrations", ignore_errors=True)


@case()
def a_server_that_shows_pages_is_asked_again(w):
    for kind in ("V", "L", "gitea"):
        double, make, push = server_of(kind)
        with double:
            make(w, double)
            double.fault("*", "status", status=200, body=HTML, times=3)
            listener = Listener(w, env=HASTY)
            double.finished(push(echo("after that")))
            done = listener.drain()
            one_message(kind, done, 0, "warning .*a page for people|warning .*a web page where JSON should be; it is asked again")
        shutil.rmtree(w.root / "registrations")


# ---- job messages ----

def without(*names):
    def change(job):
        for name in names:
            del job.message[name]
    return change


def strange(job):
    job.message |= {"aNewMember": {"deep": [1, {"x": None}]}, "another": "?"}
    job.steps[0]["novel"] = [1]
    job.message["resources"]["more"] = [{"a": 1}]


# (what is changed, conclusion: None where the message does not say whom to tell, message in the listener's log)
MESSAGES = [
    (strange, "succeeded", None),
    (without("timeline", "variables", "mask", "jobDisplayName"), "succeeded", None),
    (lambda job: job.message.update(steps="x"), "failed", "warning .*the job is not run: the job message cannot be read: steps"),
    (lambda job: job.steps[0].pop("reference"), "failed", r"the job is not run: the job message cannot be read: steps\[0\]"),
    (lambda job: job.message.update(contextData="x"), "failed", "the job is not run: the job message cannot be read: contextData"),
    (without("plan"), None, "warning .*a job came that cannot be read, nor its end be told: .*: planId"),
    (without("resources"), None, "a job came that cannot be read, nor its end be told: .*: resources"),
]


def message_row(double, listener, row, seconds):
    change, conclusion, _ = row
    with double.turn:
        job = double.push(echo("hello"))
        change(job)
    if conclusion:
        double.finished(job, seconds)
        check(job.conclusion == conclusion, f"{row}: {job.conclusion}\n{job.log()}")
    else:
        double.wait(lambda: job.known, seconds)
        before = listener.running.err.count(b"nor its end be told")
        double.wait(lambda: listener.running._pump(0) and listener.running.err.count(b"nor its end be told") > before, seconds)
        double.lapse(job)


@case(limit=90)
def a_message_with_more_or_less_than_it_should_have(w):
    for kind in ("V", "L"):
        double, make, _ = server_of(kind)
        with double:
            make(w, double)
            listener = Listener(w, env=QUICK)
            for row in MESSAGES:
                message_row(double, listener, row, 20)
            told = listener.drain().err
            for _, _, text in MESSAGES:
                check(not text or re.search(text, told), f"{kind}: nothing says {text!r}\n{told}")
        shutil.rmtree(w.root / "registrations")


def peak(listener):
    """Bytes of memory that it has had at most; None: it is no build to be measured."""
    with open(f"/proc/{listener.process.pid}/maps") as maps:
        if "asan" in maps.read():
            return None
    with open(f"/proc/{listener.process.pid}/status") as status:
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status.read(), re.M)[1]) << 10


MEGA = 1 << 20


@case(limit=300, thorough=True)
def a_message_of_fifty_megabytes_is_run_or_refused_in_bounded_memory(w):
    """Up to 50 MiB it is a job; beyond that whoever waits for it is told so."""
    for kind in ("V", "L", "gitea"):
        for size in (49 * MEGA, 51 * MEGA):
            double, make, push = server_of(kind)
            with double:
                make(w, double)
                with double.turn:
                    if kind == "gitea":
                        said = double.push(as_yaml(echo("big")) + "\n# " + "x" * size, steps=1)
                    else:
                        said = push(echo("big"))
                        said.message["variables"]["big"] = {"value": "x" * size}
                listener = Listener(w)
                double.finished(said, 60)
                most = peak(listener)
                after = push(echo("and then"))
                double.finished(after)
                done = listener.drain()
                got = said.result if kind == "gitea" else said.conclusion
                wanted = "RESULT_FAILURE" if kind == "gitea" else "succeeded" if size < 50 * MEGA else "failed"
                check(got == wanted, f"{kind}, {size}: {got}\n{done}")
                check(most is None or most < 8 * size, f"{kind}, {size}: it took {most} bytes")
                print(f"{kind}, {size >> 20} MiB: {got}, at most {most and most >> 20} MiB of memory")
            shutil.rmtree(w.root / "registrations")


@case(limit=120)
def a_message_of_more_than_eighty_megabytes_is_thrown_away_and_the_next_one_taken(w):
    double, make, push = server_of("L", encryption=None)
    with double:
        make(w, double)
        listener = Listener(w, env=QUICK)
        double.wait(lambda: double.of("poll"))
        with double.turn:
            double.tell("Surprise", "x" * (81 * MEGA))
            huge = double.agents[-1].queue[-1]
        double.wait(lambda: huge.gone, 60)
        double.finished(push(echo("and then")))
        done = listener.drain()
        told = re.findall("warning .*a message of more than 80 MB came: it is deleted unread", done.err)
        check(len(told) == 1 and len(double.of("delete-message")) == 2, f"{told}, {double.names()}\n{done}")
        double.check()


# ---- the machine ----

@case(who="root")
def a_full_disk_refuses_jobs_and_the_listener_lives_on(w):
    """The work folder lies on 2 MB, of which nothing is left; then there is room again."""
    work = w.root / "work"
    work.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", str(work)], check=True)
    try:
        for kind in ("V", "gitea"):
            double, make, push = server_of(kind)
            with double:
                make(w, double)
                listener = Listener(w, env=QUICK)
                double.wait(lambda: double.of("FetchTask" if kind == "gitea" else "poll"))
                (work / "fill").write_bytes(b"x" * (1 << 20))
                with open(work / "rest", "wb", buffering=0) as rest:
                    try:
                        while rest.write(b"x" * 4096):
                            pass
                    except OSError:
                        pass
                lost = push(echo("no room"))
                double.finished(lost)
                said = lost.result if kind == "gitea" else lost.conclusion
                check(said in ("failed", "RESULT_FAILURE"), f"{kind}: {said}\n{lost.log()}")
                (work / "fill").unlink()
                (work / "rest").unlink()
                fine = push(echo("room again"))
                double.finished(fine)
                check((fine.result if kind == "gitea" else fine.conclusion) in ("succeeded", "RESULT_SUCCESS"), f"{kind}: {fine.log()}")
                listener.running.send(15)
                done = listener.running.finish(30).exits(0)
                kept = "".join(path.read_text() for path in w.state.glob("listen/runs/*/logs/*/1.log"))
                told = json.dumps(lost.completed) if kind == "V" else kept
                check("No space left on device" in told, f"{kind}: the cause is not told\n{told}\n{done}")
                log = "\n".join(lost.lines) if kind == "gitea" else lost.log()
                check("No space left on device" in log, f"{kind}: the cause is not in the server's log\n{log}\n{done}")
                shutil.rmtree(w.state / "listen/runs")
            shutil.rmtree(w.root / "registrations")
    finally:
        subprocess.run(["umount", str(work)], check=True)
