"""Artifacts and caches of plugins: through the runner, and shared with GitHub's own clients."""

import http.server
import os
import shutil
import signal
import ssl
import subprocess
import textwrap
import threading
import time

import watch
from case import case
from cases.store import toolkit
from world import check

NEEDS = ("toolkit",)


def ready(w):
    toolkit.clients(w)
    w.plugin("blobs")


def native(*lines):
    return "  - uses: test/blobs@v1\n    with:\n      do: |\n" + "\n".join(" " * 8 + line for line in lines)


def script(text):
    return "  - run: |\n" + textwrap.indent(textwrap.dedent(text).strip("\n"), " " * 6)


def client(text):
    return ("  - uses: ./client\n    with:\n      do: |\n" + textwrap.indent(textwrap.dedent(text).strip("\n"), " " * 8))


def job(*steps, more=""):
    return "\n".join([*more.splitlines(), "runs-on: ubuntu-latest", "steps:", "  - uses: actions/checkout@v4",
                      "  - {name: node, run: 'ls -d $RUNNER_TOOL_CACHE/node/20.*/*/bin >> $GITHUB_PATH || true'}",
                      *steps])


TREE = """
    mkdir -p 'deps/ein Ordner' ~/.store other
    printf inhalt > 'deps/ein Ordner/Größe – 大小.txt'
    printf '#!/bin/sh\\necho runs\\n' > deps/tool; chmod 755 deps/tool
    ln -s tool deps/link; ln deps/tool deps/second; ln -s /nowhere deps/broken
    touch -d 2020-02-02T02:02:02.123456789Z deps/tool
    printf stored > ~/.store/x
    """
GONE = "rm -rf deps ~/.store other"
SAME = """
    test "$(cat 'deps/ein Ordner/Größe – 大小.txt')" = inhalt
    test "$(deps/link)" = runs
    test deps/tool -ef deps/second
    test "$(readlink deps/broken)" = /nowhere
    test "$(stat -c %y deps/tool | cut -c1-29)" = "2020-02-02 02:02:02.123456789"
    test "$(cat ~/.store/x)" = stored
    """


@case(quick=False, limit=200, needs=NEEDS)
def caches_are_shared_with_githubs_client(w):
    """What the one saves the other restores: files, links, modes, times, places outside the workspace."""
    ready(w)
    r = w.run(toolkit.flow(w, a=job(
        script(TREE),
        native("save|ours-1|deps,~/.store", "save|ours-1|deps,~/.store", "save|none|no/such/path", "cache_save|bad,key|deps"),
        client("assert.ok(await cache.saveCache(['deps', '~/.store'], 'theirs-1') > 0);"),
        script(GONE),
        native("lookup|Ours-1|deps,~/.store", "restore|absent|deps,~/.store", "restore|ours-1|deps", "restore|ours-1|deps,~/.store"),
        script(SAME), script(GONE),
        native("restore|x,theirs-|deps,~/.store"),
        script(SAME), script(GONE),
        client("assert.equal(await cache.restoreCache(['deps', '~/.store'], 'x', ['ours-']), 'ours-1');"),
        script(SAME), script(GONE),
        native("restore|a,b,c,d,e,f,g,h,i,j,k|deps", "cache_restore|ours-1|deps,~/.store", "cache_save|short|deps"))), code=0, limit=180)
    r.says("save: fine", "save: -4: CreateCacheEntry: the server answered 409", "save: -3: Path Validation Error: Path(s)",
           "cache_save: -2: Key Validation Error: bad,key cannot contain commas.",
           "lookup: fine, ours-1 exactly, without a size", "restore: fine, nothing",
           "restore: fine, ours-1 exactly, with its bytes", "restore: fine, theirs-1, with its bytes",
           "restore: -2: Key Validation Error: Keys are limited to a maximum of 10.", "cache_restore: fine, ours-1", "cache_save: fine")


@case(quick=False, limit=100, needs=NEEDS)
def without_namespaces_it_is_the_same(w):
    ready(w)
    r = w.run(toolkit.flow(w, a=job(
        script(TREE), native("save|k|deps,~/.store", "put|a|deps"), script(GONE),
        native("restore|k|deps,~/.store", "get|a|in"), script(SAME), script("test -e 'in/ein Ordner/Größe – 大小.txt'"))),
        "--isolation", "host", code=0, limit=90)
    r.says("save: fine", "put: fine", "restore: fine, k exactly", "get: fine")


@case(quick=False, limit=200, needs=NEEDS)
def artifacts_are_shared_with_githubs_client(w):
    ready(w)
    make = """
        mkdir -p 'out/ein Ordner' out/leer
        printf inhalt > 'out/ein Ordner/Größe – 大小.txt'
        : > out/empty
        head -c 20000000 /dev/urandom > out/large; sha256sum < out/large > sum
        echo '<p>' > page.html
        ln -s ../page.html out/link
        """
    same = """
        test "$(cat 'in/ein Ordner/Größe – 大小.txt')" = inhalt
        test -e in/empty -a ! -s in/empty -a ! -e in/leer
        test "$(cat in/link)" = '<p>' -a ! -L in/link
        test "$(sha256sum < in/large)" = "$(cat sum)"
        """
    r = w.run(toolkit.flow(w, a=job(
        script(make),
        native("upload|ours ü|out|out|6", "upload|ours ü|out|out|6", "upload|a:b|out|out|6", "upload|stored|out|out|0",
               "upload||.|page.html|6|raw", "put|short|out", "list", "download|ours ü|in"),
        script(same), script("ln -sfn /etc in/there; rm -r in/large; ln -s /etc/passwd in/large; echo old > in/empty"),
        native("download|ours ü|in"), script(same), script("rm -r in"),
        client("""
        for (const name of ['ours ü', 'stored']) {
          const {artifact: one} = await artifacts.getArtifact(name);
          const got = await artifacts.downloadArtifact(one.id, {path: name === 'stored' ? 'in' : 'other', expectedHash: one.digest});
          assert.equal(got.digestMismatch, false);
        }
        const page = (await artifacts.getArtifact('page.html')).artifact;
        await artifacts.downloadArtifact(page.id, {path: 'in', expectedHash: page.digest});
        assert.equal(fs.readFileSync('in/page.html', 'utf8'), '<p>\\n');
        await artifacts.uploadArtifact('theirs', ['out/ein Ordner/Größe – 大小.txt', 'out/empty', 'out/large', 'out/link'], 'out');
        await artifacts.uploadArtifact('ignored', ['sum'], '.', {skipArchive: true});
        """),
        script(same), script("rm -r in; mv other in"), script(same), script("rm -r in"),
        native("download|theirs|in", "download|sum|in", "download|theirs|zipped|raw", "get|short|short", "download|nothing|in"),
        script(same), script("cmp in/sum sum; test \"$(head -c 2 zipped/*)\" = PK; test -e short/large"),
        native("remove|theirs", "remove|theirs", "list"))), code=0, limit=180)
    r.says("upload: fine, ours ü with bytes digest 64 good", "upload: -4: CreateArtifact: the server answered 409",
           "upload: -2: The artifact name is not valid: a:b",
           "upload: fine, page.html with bytes digest 64 good", "put: fine", "list: fine, 4", "listed: stored with bytes digest 64 good",
           "download: fine, a zip, whole", "download: fine, as it is, whole", "get: fine", "download: -3: the run has no artifact with the id",
           "remove: fine", "remove: -3: the run has no artifact 'theirs'", "list: fine, 5")
    r.never_says("CHANGED")


@case(quick=False, limit=200, needs=NEEDS)
def five_thousand_files_are_one_artifact_and_one_cache(w):
    ready(w)
    n = 1000 if toolkit.is_sanitized(w) else 5000
    same = f'for i in $(seq {n}); do test "$(cat "$1/$((i % 50))/file $i")" = "number $i" || exit 1; done'
    w.run(toolkit.flow(w, a=job(
        script(f'for i in $(seq 0 49); do mkdir -p out/$i; done; for i in $(seq {n}); do echo "number $i" > "out/$((i % 50))/file $i"; done\n'
               f"echo '{same}' > same.sh"),
        native("upload|many|out|out|6", "download|many|in", "save|many|out"),
        script("bash -e same.sh in; rm -r in; mv out before"),
        client(f"""
        const {{artifact: one}} = await artifacts.getArtifact('many');
        await artifacts.downloadArtifact(one.id, {{path: 'in', expectedHash: one.digest}});
        assert.equal(await cache.restoreCache(['out'], 'many'), 'many');
        """),
        script("bash -e same.sh in; diff -r out before; rm -r out"),
        native("restore|many|out"), script("diff -r out before"))), code=0, limit=180)


@case(quick=False, limit=100, needs=NEEDS)
def a_link_reaches_what_the_job_reaches_and_nothing_else(w):
    """The runner's own files are hidden from a job; a link in the workspace does not lead a runner of root's there."""
    ready(w)
    secret = w.root / "secret"
    secret.write_text("of the runner")
    link = "/home/runner/work/app/app/out/link"
    r = w.run(toolkit.flow(w, a=job(
        script(f"mkdir out; ln -s {secret} out/link; ln -s /etc/hostname out/fine; cat out/link || echo hidden"),
        native("upload|found|out|out|0", f"upload|bad|out|={link}|0", f"upload||.|={link}|0|raw", "upload|fifo|.|=/dev/zero|0",
               "upload|above|out|=/etc/hostname|0", "save|link|out", "list"),
        script("rm -r out"), native("restore|link|out", "get|found|in"),
        script("test -L out/link; test -s in/fine; ls in"))), code=0, limit=90)
    r.says("hidden", "upload: fine, found", "upload: -3: cannot open", "upload: -2: '/dev/zero' is not below",
           "upload: -2: '/etc/hostname' is not below", "list: fine, 1")
    r.never_says("of the runner")
    for path in toolkit.run_folder(w).rglob("*.zip"):
        check(b"of the runner" not in path.read_bytes(), f"it is in {path}")


@case(quick=False, limit=100, needs=NEEDS)
def a_bad_cache_stays_inside_the_job(w):
    """What a cache names is the job's to overwrite: the machine's files of that name stay as they are."""
    ready(w)
    mark, up = f"/etc/ostler-{os.getpid()}-{w.root.name}", "/home/runner/work/up"
    r = w.run(toolkit.flow(w, a=job(
        script(f"mkdir {up}; echo above > {up}/y; echo aside > {mark} || true"),
        native(f"save|all|{up},{mark}", "save|above|../../up"), script(f"rm -r {up}; rm -f {mark}"),
        native(f"restore|all|{up},{mark}"), script(f"cat {up}/y; cat {mark} || true"))), code=0, limit=90)
    r.says("save: fine", "save: -2: Invalid pattern '../../up'.", "restore: fine, all exactly", "above\n")
    if os.geteuid() == 0:
        r.says("aside\n")
    check(not os.path.exists(mark), "the machine's own folder was written to")


UPLOAD = (script("head -c 150000000 /dev/urandom > large; echo uploading"), native("upload|large|.|large|0", "list"))


@case(quick=False, limit=200, needs=NEEDS)
def a_server_that_is_killed_goes_on_where_it_was(w):
    """Blocks whose answers were lost are sent again."""
    ready(w)
    running = w.start(toolkit.flow(w, a=job(*UPLOAD, native("download|large|in"), script("cmp large in/large"))))
    toolkit.wait_for_pieces(w, running, 5)
    killed = toolkit.serving()
    check(len(killed) == 1, f"servers: {killed}")
    os.kill(killed[0], signal.SIGKILL)
    running.finish(150).exits(0).says("upload: fine, large", "download: fine, a zip, whole")
    shutil.rmtree(toolkit.run_folder(w) / "artifacts")


def ours(name):
    return [p for p in watch.descendants() if name in watch.describe(p)]


@case(quick=False, limit=120, needs=NEEDS)
def whoever_is_killed_nothing_half_is_there(w):
    ready(w)
    for name in ("blobs-carrier", "blobs-packer"):
        running = w.start(toolkit.flow(w, a=job(*UPLOAD)))
        toolkit.wait_for_pieces(w, running, 3)
        found = ours(name)
        check(len(found) == 1, f"{name}: {found}")
        os.kill(found[0], signal.SIGKILL)
        running.finish(60).exits(0).says("upload: -1: ", "signal 9", "list: fine, 0")
        left = [p for p in (toolkit.run_folder(w) / "artifacts").rglob("*") if p.is_file()]
        check(not left, f"left behind: {left}")


@case(quick=False, limit=120, needs=NEEDS)
def a_run_that_is_cancelled_keeps_nothing_of_its_uploads(w):
    ready(w)
    running = w.start(toolkit.flow(w, a=job(*UPLOAD)))
    toolkit.wait_for_pieces(w, running, 3)
    start = time.monotonic()
    running.send(signal.SIGINT).finish(60).exits(3)
    check(time.monotonic() - start < 40, "it took long to end")
    check(not ours("blobs-"), "somebody still runs")
    left = [p for p in (toolkit.run_folder(w) / "artifacts").rglob("*") if p.is_file()]
    check(not left, f"left behind: {left}")


@case(quick=False, limit=100, needs=NEEDS)
def nobody_sees_the_token_and_no_proxy_is_asked_for_this_machine(w):
    """Nobody listens where the proxy should be."""
    ready(w)
    r = w.run(toolkit.flow(w, a=job(script("mkdir d; echo x > d/x"), native("save|k|d", "restore|k|d", "put|a|d"))),
              env={"http_proxy": "http://127.0.0.1:9", "NO_PROXY": "example.test"}, code=0, limit=90)
    r.says("save: fine", "restore: fine, k exactly", "put: fine")
    text = (toolkit.run_folder(w) / "events.jsonl").read_text()
    check("eyJhbGciOiJIUzI1NiIs" not in text, "a token is in the record")


# ---- requests of a plugin's own ----

class Web(http.server.BaseHTTPRequestHandler):
    """What test/web asks for."""
    busy = 0

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass

    def do_POST(self):
        self.answer(201, repr(self.rfile.read(int(self.headers["Content-Length"]))).encode())

    def do_GET(self):
        if self.path == "/header":
            self.answer(200, f"{self.headers['X-Mine']}, token {self.headers['Authorization']}".encode())
        elif self.path == "/busy":
            Web.busy += 1
            self.answer(503 if Web.busy < 2 else 200, b"at last")
        elif self.path == "/slow":
            time.sleep(2)
            self.answer(200, b"late")
        elif self.path == "/huge":
            self.answer(200, b"x" * (9 << 20))
        else:
            self.answer(404, b"no such page")


@case(limit=60)
def a_plugin_asks_servers_through_the_runner(w):
    w.plugin("web")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        Web.busy = 0
        r = w.run(w.steps(f"""
            - {{uses: test/web@v1, with: {{server: '{address}'}}}}
            - {{name: size, run: 'stat -c "%s bytes" below/huge; ls -A $RUNNER_TEMP'}}
            """), code=0, limit=50)
    finally:
        server.shutdown()
    r.says("/header: 200, 16 bytes: mine, token None", "/mirror: 201, 10 bytes: b'b\\x00dy'", "/missing: 404, 12 bytes: no such page, its length said",
           "/busy: 200, 7 bytes: at last", "/slow: failed -8: ", "/huge: failed -7: the answer is larger than 8388608 bytes",
           "/huge: 200, 0 bytes", "file:///etc/passwd: failed -2: ")
    r.says("9437184 bytes", step="size").never_says(".http", step="size")


@case(limit=60)
def a_private_authority_is_trusted_once_the_runner_names_it(w):
    """SSL_CERT_FILE of the machine counts for the requests that the runner makes for plugins, too."""
    w.plugin("web")
    key, certificate = w.root / "tls.key", w.root / "tls.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-keyout", key, "-out", certificate, "-subj", "/CN=test", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    certificate.chmod(0o644)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    flow = w.steps(f"- {{name: ask, uses: test/web@v1, with: {{server: 'https://127.0.0.1:{server.server_address[1]}'}}}}")
    try:
        Web.busy = 0
        w.run(flow, limit=50).says("/missing: failed -8: ", "certificate", step="ask")
        w.run(flow, env={"SSL_CERT_FILE": str(certificate)}, code=0, limit=50).says("/missing: 404, 12 bytes: no such page, its length said", step="ask")
    finally:
        server.shutdown()
