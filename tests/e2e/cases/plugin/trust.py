"""Which plugins may run, and what of the network they get: policies, signatures, the search path; and how far they are."""

import http.server
import json
import pathlib
import re
import shutil
import subprocess
import threading

from case import case
from world import check


def policy(w, text, name="policy.yml"):
    path = w.root / name
    path.write_text(text)
    path.chmod(0o644)
    return path


USES = "- {name: hi, uses: test/good@v1, with: {who: Ann}}"


@case()
def a_mistake_in_a_policy_is_told_with_its_place_and_its_cure(w):
    flow = w.steps(USES)
    for text, said in (
            ("mode: all\n", "policy.yml:1:7: 'mode' is 'installed' or 'allow-list'"),
            ("allowed: []\n", "policy.yml:1:1: 'allowed' is nothing that 'plugins' says: did you mean 'allow'?"),
            ("allow: {}\n", "policy.yml:1:8: 'allow' is a list of rules"),
            ("allow:\n  - {version: '1'}\n", "policy.yml:2:5: a rule names the plugin: '{id: acme/push}'"),
            ("allow:\n  - {id: push}\n", "policy.yml:2:10: an id is 'owner/name', 'owner/*' or '*'"),
            ("allow:\n  - {id: a/b, versions: '1'}\n", "policy.yml:2:15: 'versions' is nothing that a rule says: did you mean 'version'?"),
            ("allow:\n  - {id: a/b, version: new}\n", "policy.yml:2:24: versions are compared with whole ones"),
            ("allow:\n  - {id: a/b, sha256: 12}\n", "policy.yml:2:23: a SHA-256 is 64 hex digits"),
            ("allow:\n  - {id: a/b, network: [http://x]}\n", "policy.yml:2:25: a host is 'registry.example'"),
            ("allow:\n  - {id: a/b, signer: acme}\n", "policy.yml:2:23: no key of 'acme' is in 'signers'"),
            ("signers: {acme: AAAA}\n", "policy.yml:1:17: no public key ('openssl pkey"),
            ("signers: {acme: /nowhere.pem}\n", "policy.yml:1:17: /nowhere.pem: cannot open '/nowhere.pem'"),
            ("workspace: sometimes\n", "policy.yml:1:12: 'workspace' is true or false"),
            ("path: plugins\n", "policy.yml:1:7: 'path' wants absolute paths")):
        w.run(flow, "--plugin-policy", policy(w, text), code=2).complains(re.escape(said))
    w.run(flow, "--config", policy(w, "plugins:\n  mode: 7\n"), code=2).complains("policy.yml:2:9: 'mode' is")
    path = policy(w, "mode: installed\n")
    path.chmod(0o666)
    w.run(flow, "--plugin-policy", path, code=2).complains("can be written by others", "chmod go-w")


@case()
def an_allow_list_decides_who_runs(w):
    """What no rule names is as if it were not installed; what a rule names and forbids is refused by name."""
    w.plugin("good")
    flow = w.steps(USES)
    config = policy(w, "plugins: {mode: allow-list}\n", "config.yml")
    said = r"plugin 'test/good' is not on the allow-list \(add it to 'allow' in '.*config.yml'\)"
    w.run(flow, "--config", config, "--plugins", "only", code=1).shows(said)
    w.run(flow, "--config", config, "--offline", code=1).shows(said + ": the action itself serves 'test/good@v1'", "not in the action store")
    named = policy(w, "plugins:\n  mode: allow-list\n  allow: [{id: 'test/*', version: '>=1 <2'}]\n", "config.yml")
    w.run(flow, "--config", named, code=0).says("Hello, Ann.", step="hi")
    w.run(flow, "--config", named, "--plugin-policy", policy(w, "allow: [{id: test/good, version: '>=2'}]\n"), code=1).shows(
        "plugin 'test/good 1.0.0' is outside the allowed versions '>=2' .*policy.yml")
    w.run(flow, "--config", named, "--plugin-policy", policy(w, f"allow: [{{id: '*', sha256: \"{'0' * 64}\"}}]\n"), code=1).shows(
        "plugin 'test/good 1.0.0' has the SHA-256 .*which its rule in '.*policy.yml' does not list")
    info = json.loads(w.ostler_call("plugin", "info", "test/good", "--format", "json").exits(0).out)
    right = policy(w, f"mode: allow-list\nallow: [{{id: test/good, sha256: [{info['sha256']}]}}]\n")
    w.run(flow, "--plugin-policy", right, code=0).says("Hello, Ann.", step="hi")
    listed = w.ostler_call("plugin", "list", "--plugin-policy", str(config.with_name("config2.yml")))
    check(listed.code == 2, f"a policy that is not there\n{listed}")
    listed = w.ostler_call("plugin", "list", "--config", str(policy(w, "plugins: {mode: allow-list}\n", "config.yml"))).exits(0)
    check("may not run: plugin 'test/good' is not on the allow-list" in listed.out, f"{listed}")


@case()
def a_signature_can_be_asked_for(w):
    """Made by us or by openssl, checked by either; of this release and no other."""
    def openssl(*args):
        return subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True)
    w.plugin("good")
    key, public, other = w.root / "key.pem", w.root / "acme.pem", w.root / "other.pem"
    for private, to in ((key, public), (w.root / "k2.pem", other)):
        check(openssl("genpkey", "-algorithm", "ed25519", "-out", private).returncode == 0, "no key")
        check(openssl("pkey", "-in", private, "-pubout", "-out", to).returncode == 0, "no public key")
        to.chmod(0o644)
    plugin = w.root / "good.so"
    shutil.copy(w.plugin_objects / "good.so", plugin)
    w.ostler_call("plugin", "sign", str(plugin), "--key", str(key)).exits(0)
    flow = w.steps(USES)
    wants = policy(w, f"signers: {{acme: {public}}}\nallow: [{{id: test/good, signer: acme}}]\n")
    another = policy(w, f"signers: {{acme: {other}}}\nallow: [{{id: test/good, signer: acme}}]\n", "other.yml")

    w.run(flow, "--plugin-policy", wants, code=1).says("plugin 'test/good 1.0.0' is not signed", "install a release that has its .sig file", step="hi")
    place = w.root / "plugins"
    w.ostler_call("plugin", "install", "--no-check", str(plugin), "--to", str(place), "--plugin-policy", str(wants)).exits(0)
    folder = place / "test/good/1.0.0"
    verified = openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", folder / "install.json",
                       "-sigfile", folder / "install.json.sig")
    check(verified.returncode == 0, f"openssl says {verified.stdout}{verified.stderr}")
    w.run(flow, "--plugin-policy", wants, code=0).says("Hello, Ann.", step="hi")
    w.run(flow, "--plugin-policy", another, code=1).says("is no signature of 'acme' for this release", step="hi")

    made = openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", str(plugin) + ".json", "-out", str(plugin) + ".json.sig")
    check(made.returncode == 0, made.stderr)
    w.ostler_call("plugin", "install", "--no-check", str(plugin), "--to", str(place)).exits(0)
    w.run(flow, "--plugin-policy", wants, code=0).says("Hello, Ann.", step="hi")

    record = folder / "install.json"
    record.write_text(record.read_text().replace('"needs": []', '"needs": ["workspace-write"]'))
    w.run(flow, "--plugin-policy", wants, code=1).says("is no signature of 'acme' for this release", step="hi")
    refused = w.ostler_call("plugin", "install", "--no-check", str(plugin), "--to", str(w.root / "elsewhere"), "--plugin-policy", str(another)).exits(0)
    check("it may not run here: " in refused.err and "no signature of 'acme'" in refused.err, f"{refused}")
    for args, said in ((["--key", str(public)], "no private key ('openssl genpkey"), ([], "'sign' wants a key"),
                       (["--key", str(w.root / "none")], "--key")):
        refused = w.ostler_call("plugin", "sign", str(plugin), *args)
        check(refused.code == 2 and said in refused.err, f"{said}\n{refused}")


@case()
def the_first_folder_that_has_a_plugin_serves(w):
    """plugins.path, then the system's folders, then the user's own, $OSTLER_PLUGIN_PATH last."""
    w.plugin("good")
    first, data = w.root / "first", w.root / "data"
    for place in (first, data / "ostler/plugins"):
        place.mkdir(parents=True, mode=0o755)
        w.ostler_call("plugin", "install", "--no-check", str(w.plugin_objects / "good.so"), "--to", str(place)).exits(0)
    config = policy(w, f"plugins:\n  path: [{first}, {w.root}/missing, {first}/]\n", "config.yml")

    def folder(*args, **env):
        out = w.ostler_call("plugin", "info", "test/good", *args, env=env).exits(0).out
        return next(line.split()[1] for line in out.splitlines() if line.startswith("file"))
    check(folder().startswith(str(w.root / "plugins")), folder())
    check(folder(XDG_DATA_HOME=str(data)).startswith(str(data)), folder(XDG_DATA_HOME=str(data)))
    check(folder("--config", str(config), XDG_DATA_HOME=str(data)).startswith(str(first)), folder("--config", str(config)))
    listed = json.loads(w.ostler_call("plugin", "list", "--json", "--config", str(config)).exits(0).out)
    check(sum(one["id"] == "test/good" for one in listed) == 2, f"a folder that is named twice is read once: {listed}")


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = 200, b"hello"
        if self.path.startswith("/to/"):
            status, body = 302, b""
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.path[4:])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@case()
def the_network_is_what_the_policy_leaves_of_it(w):
    w.plugin("guarded")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    here = f"http://127.0.0.1:{port}"
    flow = w.steps(f"""
        - name: net
          uses: test/guarded@v1
          with:
            urls: |
              {here}/
              http://localhost:{port}/
              {here}/to/{here}/there
              {here}/to/http://localhost:{port}/away
              {here}/to///localhost:{port}/away
              {here}/to//there
        """)

    def rule(network):
        return policy(w, f"allow: [{{id: test/guarded, network: {network}}}]\n")
    try:
        w.run(flow, code=0).says("socket: there is a network", f"{here}/: 200 hello", f"http://localhost:{port}/: 200 hello", step="net")
        w.run(flow, "--plugin-policy", rule("[]"), code=0).says("socket: Operation not permitted", "http: no",
                                                                "its network limited by the policy", step="net")
        for hosts in (f"['127.0.0.1:{port}', example.org]", "127.0.0.1"):
            r = w.run(flow, "--plugin-policy", rule(hosts), code=0)
            r.says("socket: Operation not permitted", f"{here}/: 200 hello", f"{here}/to/{here}/there: 200 hello", f"{here}/to//there: 200 hello", step="net")
            r.says(f"http://localhost:{port}/: failed -4: 'localhost' is not among the hosts that the policy allows", step="net")
            r.says(f"{here}/to/http://localhost:{port}/away: failed -4: redirected: 'localhost' is not", step="net")
            r.says(f"{here}/to///localhost:{port}/away: failed -4: redirected: 'localhost' is not", step="net")
        w.run(flow, "--plugin-policy", rule("['127.0.0.1:1', '*.example']"), code=0).says(f"{here}/: failed -4: '127.0.0.1' is not among", step="net")
    finally:
        server.shutdown()


@case()
def a_plugin_says_how_far_it_is_and_no_record_grows_by_it(w):
    w.plugin("guarded")
    r = w.run(w.steps("- {name: far, uses: test/guarded@v1, with: {progress: 24, token: hunter2}}"), code=0)
    told = [e for e in r.events if e["event"] == "progress"]
    check(3 <= len(told) <= 4 * r.seconds + 3, f"{len(told)} words in {r.seconds:.1f} s\n{r}")
    for e in told:
        check(e["label"] == "moving ***" and 0 <= e["done"] < 24000 and e["total"] == 24000, f"{e}")
    check([e["done"] for e in told] == sorted(e["done"] for e in told), f"{told}")
    record = next(pathlib.Path(w.state).rglob("events.jsonl")).read_text()
    check('"progress"' not in record and "moving" not in record, record)
