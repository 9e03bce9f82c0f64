"""Artifacts, caches and id tokens, with GitHub's own clients from the npm registry: unmodified, as actions have them."""

import json
import os
import pathlib
import shutil
import signal
import textwrap
import time

import watch
from case import case
from world import check

NEEDS = ("toolkit",)


def clients(w):
    """An action "./client" in the case's repository, and the toolkit where its jobs find it."""
    tools = w.project / "build" / "tools"
    check((tools / "toolkit" / "node_modules").is_dir(), f"there is no toolkit in {tools}: tests/run.sh fetches it")
    shutil.copytree(pathlib.Path(__file__).parents[2] / "toolkit" / "client", w.repo / "client")
    w.env["RUNNER_TOOL_CACHE"] = str(tools)
    w.env["XDG_CACHE_HOME"] = str(w.root / "cache")
    w.commit("a client")


def job(*scripts, more="", names=()):
    """A job that runs each of SCRIPTS in the client."""
    lines = [*more.splitlines(), "runs-on: ubuntu-latest", "steps:", "  - uses: actions/checkout@v4",
             "  - {name: node, run: 'ls -d $RUNNER_TOOL_CACHE/node/20.*/*/bin >> $GITHUB_PATH || true'}"]
    for at, script in enumerate(scripts):
        lines += [f"  - name: {names[at] if at < len(names) else f'do {at + 1}'}", "    uses: ./client",
                  "    with:", "      do: |", textwrap.indent(textwrap.dedent(script).strip("\n"), " " * 8)]
    return "\n".join(lines)


def flow(w, top="", **jobs):
    text = "on: [push, pull_request]\n" + top + "jobs:\n"
    for name, body in jobs.items():
        text += f"  {name}:\n" + textwrap.indent(body, "    ") + "\n"
    return w.workflow(text)


def is_sanitized(w):
    """A build that looks at every byte itself: it is given less of them."""
    return b"__asan_init" in (w.build / "ostler-serve").read_bytes()


def run_folder(w, number=None):
    runs = w.state / "runs"
    return runs / str(number) if number else (runs / os.readlink(runs / "latest"))


# ---- artifacts ----

@case(quick=False, limit=120, needs=NEEDS)
def artifacts_go_from_job_to_job(w):
    """Row 13 of the runtime contract's section 16, with clients that decide it."""
    clients(w)
    r = w.run(flow(w, up=job("""
        fs.mkdirSync('out/ein Ordner', {recursive: true});
        fs.writeFileSync('out/ein Ordner/Größe – 大小.txt', 'contents');
        fs.writeFileSync('out/empty', '');
        noise('out/large', 20e6);
        const up = await artifacts.uploadArtifact('my build ü', ['out/ein Ordner/Größe – 大小.txt', 'out/large', 'out/empty'],
                                                  'out', {retentionDays: 5, compressionLevel: 0});
        assert.equal(typeof up.id, 'number');
        assert.match(await refusal(artifacts.uploadArtifact('my build ü', ['out/large'], 'out')), /already exists/);
        fs.writeFileSync('page.html', '<p>');
        await artifacts.uploadArtifact('ignored', ['page.html'], '.', {skipArchive: true});
        """), down=job("""
        const {artifacts: all} = await artifacts.listArtifacts();
        assert.deepEqual(all.map(one => one.name).sort(), ['my build ü', 'page.html']);
        const {artifact: one} = await artifacts.getArtifact('my build ü');
        const got = await artifacts.downloadArtifact(one.id, {path: 'in', expectedHash: one.digest});
        assert.equal(got.digestMismatch, false);
        assert.equal(fs.readFileSync('in/ein Ordner/Größe – 大小.txt', 'utf8'), 'contents');
        assert.equal(fs.statSync('in/empty').size, 0);
        noise('large', 20e6);
        assert.equal(sha256('in/large'), sha256('large'));
        const page = (await artifacts.getArtifact('page.html')).artifact;
        await artifacts.downloadArtifact(page.id, {path: 'in', expectedHash: page.digest});
        assert.equal(fs.readFileSync('in/page.html', 'utf8'), '<p>');
        await artifacts.deleteArtifact('page.html');
        assert.equal((await artifacts.listArtifacts()).artifacts.length, 1);
        await artifacts.uploadArtifact('page.html', ['client/action.yml'], 'client');
        """, more="needs: up")), code=0, limit=100)
    folder = run_folder(w) / "artifacts"
    check(sorted(p.name for p in folder.iterdir() if p.name[0] != ".") == ["my build ü.zip", "page.html.zip"],
          f"in the run's folder: {list(folder.iterdir())}\n{r}")
    check(not (folder / ".staging").exists(), "the uploads' folder is still there")


@case(quick=False, limit=200, needs=NEEDS)
def five_thousand_files_are_one_artifact(w):
    clients(w)
    w.run(flow(w, top=f"env: {{N: {1000 if is_sanitized(w) else 5000}}}\n", a=job("""
        const files = [], n = Number(process.env.N);
        for (let i = 0; i < n; i++) {
          const file = path.join('out', String(i % 50), `file ${i}`);
          fs.mkdirSync(path.dirname(file), {recursive: true});
          fs.writeFileSync(file, `number ${i}`);
          files.push(file);
        }
        const {id} = await artifacts.uploadArtifact('many', files, 'out');
        await artifacts.downloadArtifact(id, {path: 'in'});
        for (let i = 0; i < n; i++)
          assert.equal(fs.readFileSync(path.join('in', String(i % 50), `file ${i}`), 'utf8'), `number ${i}`);
        """)), code=0, limit=180)


@case(who="root", quick=False, limit=400, needs=NEEDS)
def two_gigabytes_pass_with_little_memory(w):
    """The server's own memory; the bytes lie in the kernel's cache, whoever they are of."""
    clients(w)
    size, digest = ((2 ** 28, "a6d72ac7690f53be6ae46ba88506bd97302a093f7108472bd9efc3cefda06484") if is_sanitized(w) else
                    (2 ** 31, "a7c744c13cc101ed66c29f672f92455547889cc586ce6d44fe76ae824958ea51"))
    running = w.start(flow(w, top=f"env: {{SIZE: {size}, DIGEST: {digest}}}\n", a=job("""
        const size = Number(process.env.SIZE);
        fs.writeFileSync('large', '');
        fs.truncateSync('large', size);
        const {id, digest} = await artifacts.uploadArtifact('', ['large'], '.', {skipArchive: true});
        assert.equal(digest, process.env.DIGEST);
        fs.rmSync('large');
        const got = await artifacts.downloadArtifact(id, {path: 'in', expectedHash: 'sha256:' + digest});
        assert.equal(got.digestMismatch, false);
        assert.equal(fs.statSync('in/large').size, size);
        """)))
    most = 0
    while running.process.poll() is None:
        running._pump(0.05)
        for pid in serving():
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
            most = max(most, int(text.partition("RssAnon:")[2].split()[0]))
    r = running.finish(250).exits(0)
    check(0 < most < (400_000 if is_sanitized(w) else 20_000), f"{most} KiB\n{r}")
    shutil.rmtree(run_folder(w) / "artifacts")


@case(quick=False, limit=120, needs=NEEDS)
def jobs_upload_side_by_side(w):
    clients(w)
    r = w.run(flow(w, up=job("""
        const n = process.env.N;
        noise(`out/file-${n}`, 9e6 + Number(n));
        await artifacts.uploadArtifact(`part-${n}`, [`out/file-${n}`], 'out', {compressionLevel: 0});
        """, more="strategy: {matrix: {n: [1, 2, 3, 4]}}\nenv: {N: '${{ matrix.n }}'}"), down=job("""
        const {artifacts: all} = await artifacts.listArtifacts({latest: true});
        assert.equal(all.length, 4);
        for (const one of all) {
          const got = await artifacts.downloadArtifact(one.id, {path: 'in', expectedHash: one.digest});
          assert.equal(got.digestMismatch, false);
        }
        for (let n = 1; n <= 4; n++) assert.equal(fs.statSync(`in/file-${n}`).size, 9e6 + n);
        """, more="needs: up")), "--jobs", "4", code=0, limit=100)
    r.equal("jobs", len(r.jobs()), 5)


@case(quick=False, limit=120, needs=NEEDS)
def version_three_of_the_client_is_served(w):
    clients(w)
    w.run(flow(w, up=job("""
        fs.mkdirSync('out/d e', {recursive: true});
        fs.writeFileSync('out/d e/ä.txt', 'x'.repeat(1000));
        fs.writeFileSync('out/empty', '');
        noise('out/large', 9e6);
        const up = await artifactV3.create().uploadArtifact('three', ['out/d e/ä.txt', 'out/large', 'out/empty'], 'out');
        assert.deepEqual(up.failedItems, []);
        fs.writeFileSync('out/more', 'more');
        await artifactV3.create().uploadArtifact('three', ['out/more'], 'out');
        """), down=job("""
        await artifactV3.create().downloadArtifact('three', 'in');
        assert.equal(fs.readFileSync('in/d e/ä.txt', 'utf8'), 'x'.repeat(1000));
        assert.equal(fs.readFileSync('in/more', 'utf8'), 'more');
        assert.equal(fs.statSync('in/empty').size, 0);
        noise('large', 9e6);
        assert.equal(sha256('in/large'), sha256('large'));
        const all = await artifactV3.create().downloadAllArtifacts('all');
        assert.equal(all.length, 1);
        """, more="needs: up")), code=0, limit=100)
    folder = run_folder(w) / "artifacts" / "three"
    check((folder / "more").exists() or (folder / "more.gz").exists(), f"{list(folder.iterdir())}")


# ---- caches ----

SAVE = """
    fs.mkdirSync('deps', {recursive: true});
    fs.writeFileSync('deps/which', '%s');
    noise('deps/large', 3e6);
    assert.ok(await cache.saveCache(['deps'], '%s') > 0);
    """
# What is found under KEY or one of KEYS, by its content; "" on a miss.
FIND = """
    const find = async (key, keys) => {
      fs.rmSync('deps', {recursive: true, force: true});
      const hit = await cache.restoreCache(['deps'], key, keys);
      return hit ? hit + ': ' + fs.readFileSync('deps/which', 'utf8') : '';
    };
    """
V1 = "delete process.env.ACTIONS_CACHE_SERVICE_V2;\n"


def caches(w, prefix):
    clients(w)
    w.run(flow(w, a=job(prefix + SAVE % ("of main", "npm-1"), prefix + FIND + """
        assert.equal(await find('npm-1'), 'npm-1: of main');
        assert.equal(await find('npm-2'), '');
        fs.mkdirSync('deps'); fs.writeFileSync('deps/which', 'another');
        assert.equal(await cache.saveCache(['deps'], 'npm-1'), -1);
        """)), code=0, limit=100)
    w.git("checkout", "-q", "-b", "topic")
    w.run(flow(w, a=job(prefix + FIND + """
        assert.equal(await find('npm-1'), 'npm-1: of main');
        assert.equal(await find('npm-9', ['yarn-', 'npm-']), 'npm-1: of main');
        noise('sum', 3e6);
        assert.equal(sha256('deps/large').length, 64);
        """, prefix + SAVE % ("of topic", "npm-2"), prefix + FIND + """
        assert.equal(await find('npm-9', ['npm-']), 'npm-2: of topic');
        """)), code=0, limit=100)
    w.git("checkout", "-q", "main")
    w.run(flow(w, a=job(prefix + FIND + """
        assert.equal(await find('npm-9', ['npm-']), 'npm-1: of main');
        assert.equal(await find('npm-2'), '');
        """)), code=0, limit=100)


@case(quick=False, limit=300, needs=NEEDS)
def caches_are_shared_between_runs_and_kept_apart_by_branch(w):
    caches(w, "")
    left = list((w.root / "cache").glob("ostler/caches/acme/app/staging/*"))
    check(not left, f"uploads were left: {left}")


@case(quick=False, limit=120, needs=NEEDS)
def caches_have_another_place_where_theirs_cannot_be(w):
    clients(w)
    (w.root / "cache").write_text("no folder")
    r = w.start(flow(w, a=job(SAVE % ("x", "k"), FIND + "assert.equal(await find('k'), 'k: x');"))).finish(100).exits(0)
    check("caches are kept in" in r.err, f"nobody said where\n{r}")
    check(list((w.state / "caches").glob("acme/app/entries/*")), "they are not there")
    shutil.rmtree(w.state / "caches")


@case(quick=False, limit=300, needs=NEEDS)
def the_older_cache_service_does_the_same(w):
    caches(w, V1)


# ---- what else the toolkit asks the runner for ----

@case(quick=False, limit=120, needs=NEEDS)
def id_tokens_can_be_checked_with_the_issuers_keys(w):
    clients(w)
    check_token = """
        const token = await core.getIDToken('sts.example.test');
        const [head, body, signature] = token.split('.');
        const of = (part) => JSON.parse(Buffer.from(part, 'base64url'));
        const issuer = await (await fetch(of(body).iss + '/.well-known/openid-configuration')).json();
        const {keys} = await (await fetch(issuer.jwks_uri)).json();
        const key = crypto.createPublicKey({key: keys.find(k => k.kid === of(head).kid), format: 'jwk'});
        assert.ok(crypto.verify('sha256', Buffer.from(head + '.' + body), key, Buffer.from(signature, 'base64url')));
        assert.equal(of(body).aud, 'sts.example.test');
        assert.equal(of(body).sub, 'repo:acme/app:ref:refs/heads/main');
        assert.equal(of(body).repository, 'acme/app');
        console.log('the token is ' + token);
        """
    r = w.run(flow(w, may=job(check_token, more="permissions: {id-token: write}"), mayNot=job("""
        assert.match(await refusal(core.getIDToken()), /ACTIONS_ID_TOKEN_REQUEST_URL/);
        """)), code=0, limit=100)
    r.says("the token is ***", job="may")


@case(quick=False, limit=120, needs=NEEDS)
def scripts_do_not_get_the_token_and_nobody_shows_it(w):
    """Row 5 of the runtime contract's section 16; the id token's variables are for scripts, too."""
    clients(w)
    body = job("""
        for (const name of ['ACTIONS_RUNTIME_URL', 'ACTIONS_RUNTIME_TOKEN', 'ACTIONS_RESULTS_URL', 'ACTIONS_CACHE_URL'])
          assert.ok(process.env[name], name);
        assert.equal(process.env.ACTIONS_CACHE_SERVICE_V2, 'True');
        console.log('the token is ' + process.env.ACTIONS_RUNTIME_TOKEN);
        fs.writeFileSync('token', Buffer.from(process.env.ACTIONS_RUNTIME_TOKEN).toString('base64'));
        """, more="permissions: {id-token: write}")
    r = w.run(flow(w, a=body + "\n  - {name: script, run: 'env | grep -o ^ACTIONS_[A-Z_]*; cat token'}"), code=0, limit=100)
    r.says("the token is ***").says("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "***", step="script")
    r.never_says("ACTIONS_RUNTIME_TOKEN", "ACTIONS_RESULTS_URL", "ACTIONS_CACHE_URL", step="script")
    text = (run_folder(w) / "events.jsonl").read_text()
    check("eyJhbGciOiJIUzI1NiIs" not in text, "a token is in the record")


@case(quick=False, limit=120, needs=NEEDS)
def proxies_are_not_asked_for_this_machine(w):
    """Row 14 of the runtime contract's section 16: nobody listens where the proxy should be."""
    clients(w)
    w.run(flow(w, a=job("""
        assert.ok(process.env.NO_PROXY.startsWith('example.test,'));
        fs.writeFileSync('x', 'x');
        const {id} = await artifacts.uploadArtifact('x', ['x'], '.');
        await artifacts.downloadArtifact(id, {path: 'in'});
        assert.ok(await cache.saveCache(['x'], 'k') > 0);
        """)), env={"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "example.test"},
          code=0, limit=100)


@case(quick=False, limit=120, needs=NEEDS)
def tools_are_cached_and_found(w):
    clients(w)
    w.run(flow(w, a=job("""
        fs.mkdirSync('made/bin', {recursive: true});
        fs.writeFileSync('made/bin/thing', '#!/bin/sh\\necho I am here\\n', {mode: 0o755});
        const dir = await tools.cacheDir('made', 'thing', '1.2.3');
        assert.equal(tools.find('thing', '1.x'), dir);
        core.addPath(path.join(dir, 'bin'));
        core.setOutput('dir', dir);
        core.exportVariable('MADE', 'yes');
        core.summary.addRaw('a summary').write();
        """) + "\n  - {name: use, run: 'thing; echo $MADE'}"), code=0, limit=100).says("I am here", "yes", step="use")


@case(quick=False, limit=120, needs=NEEDS)
def a_token_ends_with_its_job(w):
    clients(w)
    w.run(flow(w, first=job("""
        core.setOutput('token', Buffer.from(process.env.ACTIONS_RUNTIME_TOKEN).toString('hex'));
        const {id} = await artifacts.uploadArtifact('t', ['client/action.yml'], 'client');
        fs.writeFileSync('token', Buffer.from(process.env.ACTIONS_RUNTIME_TOKEN).toString('hex'));
        await artifacts.uploadArtifact('leak', ['token'], '.');
        """), second=job("""
        const {artifact: one} = await artifacts.getArtifact('leak');
        await artifacts.downloadArtifact(one.id, {path: 'in'});
        const ask = async (token) => (await fetch(process.env.ACTIONS_CACHE_URL + '_apis/artifactcache/caches?key=k',
                                                  {headers: {Authorization: 'Bearer ' + token}})).status;
        assert.equal(await ask(process.env.ACTIONS_RUNTIME_TOKEN), 200);
        assert.equal(await ask(Buffer.from(fs.readFileSync('in/token', 'utf8'), 'hex').toString()), 401);
        """, more="needs: first")), code=0, limit=100)


# ---- what is killed ----

def serving():
    """The servers below us."""
    found = []
    for pid in watch.descendants():
        try:
            if pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(b"/ostler-serve"):
                found.append(pid)
        except OSError:
            pass
    return found


def wait_for_pieces(w, running, n):
    """Until N blocks of an upload have arrived."""
    deadline = time.monotonic() + 60
    while len(list((w.state / "runs").glob("*/artifacts/.staging/*/p-*"))) < n:
        running._pump(0.01)
        if running.process.poll() is not None or time.monotonic() > deadline:
            running.kill()
            raise AssertionError(f"no block has arrived\n{running.finish()}")


UPLOAD = """
    noise('out/large', 150e6);
    console.log('uploading');
    const {id, digest} = await artifacts.uploadArtifact('large', ['out/large'], 'out', {compressionLevel: 0});
    const got = await artifacts.downloadArtifact(id, {path: 'in', expectedHash: 'sha256:' + digest});
    assert.equal(got.digestMismatch, false);
    assert.equal(sha256('in/large'), sha256('out/large'));
    """


@case(quick=False, limit=200, needs=NEEDS)
def a_server_that_is_killed_goes_on_where_it_was(w):
    clients(w)
    running = w.start(flow(w, a=job(UPLOAD)))
    wait_for_pieces(w, running, 5)
    killed = serving()
    check(len(killed) == 1, f"servers: {killed}")
    os.kill(killed[0], signal.SIGKILL)
    running.finish(150).exits(0)
    check(json.loads(next((run_folder(w) / "artifacts" / ".index").iterdir()).read_text())["size"] > 150e6, "it is cut off")
    shutil.rmtree(run_folder(w) / "artifacts")


@case(quick=False, limit=120, needs=NEEDS)
def a_run_that_is_cancelled_keeps_nothing_of_its_uploads(w):
    clients(w)
    running = w.start(flow(w, a=job(UPLOAD)))
    wait_for_pieces(w, running, 3)
    running.send(signal.SIGINT).finish(60).exits(3)
    left = [p for p in (run_folder(w) / "artifacts").rglob("*") if p.is_file()]
    check(not left, f"left behind: {left}")


@case(quick=False, limit=120, needs=NEEDS)
def a_program_that_is_killed_leaves_no_server_and_the_next_start_clears_up(w):
    clients(w)
    running = w.start(flow(w, a=job(UPLOAD)))
    wait_for_pieces(w, running, 3)
    for pid in serving():  # before its front: it cannot clear up itself
        watch.kill(pid)
    running.kill()
    running.process.wait()
    left = watch.wait_until_alone(5)
    check(not left, f"left running: {[watch.describe(p) for p in left]}")
    running.process.stdout.close()
    running.process.stderr.close()
    first = run_folder(w)
    check(list(first.glob("artifacts/.staging/*/p-*")), "there was nothing to clear up")
    check(not list(first.glob("artifacts/.index/*")), "half of it can be found")
    w.run(flow(w, a=job("assert.equal((await artifacts.listArtifacts()).artifacts.length, 0);")), code=0, limit=60)
    check(not (first / "artifacts" / ".staging").exists(), "the uploads are still there")


@case()
def nothing_is_made_for_a_run_that_cannot_call(w):
    w.run(w.steps("- uses: actions/checkout@v4\n- run: env | grep ACTIONS_ || echo none"), code=0).says("none")
    check(not (run_folder(w) / "artifacts").exists(), "a folder was made")
