"""Plugins that are programs: in any language by JSON lines, and those of Drone and Woodpecker by variables."""

import http.server
import json
import os
import re
import shutil
import subprocess
import textwrap
import threading

from case import case
from cases.container.containers import DOCKER, box, nothing_left
from world import check


def put(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name, text in files.items():
        path = folder / name
        path.write_text(text if text.startswith("#!") else textwrap.dedent(text).lstrip("\n"))
        path.chmod(0o644 if name.endswith((".yml", ".md")) else 0o755)
    return folder


def install(w, path, *args):
    """As World.plugin() does with objects."""
    place = w.root / "plugins"
    if "OSTLER_PLUGIN_PATH" not in w.env:
        place.mkdir(mode=0o755)
        w.env["OSTLER_PLUGIN_PATH"] = str(place)
    return w.ostler_call("plugin", "install", str(path), "--to", str(place), *args).exits(0)


def policy(w, text):
    path = w.root / "policy.yml"
    path.write_text(text)
    path.chmod(0o644)
    return path


@case(limit=120)
def the_example_of_the_manual_runs_as_it_is_printed(w):
    text = (w.project / "sdk/json-lines.md").read_text()
    printed = dict(re.findall(r"^`([\w.]+)`[^\n]*:\n\n```\w+\n(.*?)^```", text, re.S | re.M))
    check(set(printed) == {"action.yml", "greet.py"}, printed.keys())
    folder = w.root / "greet"
    folder.mkdir(mode=0o755)
    for name, body in printed.items():
        (folder / name).write_text(body)
        (folder / name).chmod(0o644)
    session = re.search(r"^    \$ chmod.*?(?=\n\n##)", text, re.S | re.M).group(0)
    said = None
    for line in textwrap.dedent(session).splitlines():
        if not line.startswith("$ "):
            check(line in said, f"the manual prints {line!r}, it says:\n{said}")
            continue
        command = line[2:].partition("#")[0].strip().split()
        if command[0] == "chmod":
            subprocess.run(command, cwd=folder, check=True)
        elif command[1:3] == ["plugin", "install"]:
            install(w, folder / command[3])  # which checks it, too
        else:
            done = w.ostler_call(*command[1:], cwd=folder).exits(0)
            said = (done.out + done.err).splitlines()
    r = w.run(w.steps("""
        - {id: hi, name: hi, uses: acme/greet@v1, with: {who: Ada, loud: true}}
        - {name: after, run: 'echo "<${{ steps.hi.outputs.greeting }}>"'}
        """), code=0)
    r.says("Hello, Ada!", "files here", "acme/greet@v1 → plugin 1.0.0", step="hi").says("<Hello, Ada!>", step="after")
    before = set(os.listdir("/"))
    plan = json.loads(w.ostler_call("plan", "--json").exits(0).out)
    check(set(os.listdir("/")) == before, "a plan leaves something behind")
    step = plan["workflows"][0]["jobs"][0]["configurations"][0]["steps"][0]
    check(step.get("plugin", {}).get("plan") == [{"verb": "greet", "object": "Ada"}], step)
    w.run(w.steps("- {uses: acme/greet@v1, with: {loud: perhaps}}"), code=1).shows("loud", "perhaps")


PROBE = """#!/usr/bin/env python3
import json, os, signal, socket, subprocess, sys
start = json.loads(sys.stdin.readline())
def tried(what, f):
    try:
        f()
        print(f"{what}: done", file=sys.stderr)
    except OSError as e:
        print(f"{what}: {e.strerror}", file=sys.stderr)
tried("process", lambda: subprocess.run(["true"]))
tried("fork", os.fork)
tried("socket", lambda: socket.socket().close())
tried("workspace", lambda: open("mine", "w").close())
tried("temp", lambda: open(os.environ["TMPDIR"] + "/mine", "w").close())
tried("signal", lambda: os.kill(os.getppid(), signal.SIGTERM))
tried("itself", lambda: open(sys.argv[0]).close())
print("environment:", sorted(os.environ), file=sys.stderr)
print(json.dumps({"do": "log", "text": "extensions: " + " ".join(start["extensions"])}))
if start["phase"] == "main":
    print(json.dumps({"id": 1, "do": "save", "name": "word", "value": start["inputs"]["token"]}))
else:
    print(json.dumps({"id": 1, "do": "saved", "name": "word"}))
sys.stdout.flush()
print("answer:", sys.stdin.readline().strip(), file=sys.stderr)
print(json.dumps({"do": "end"}))
"""
MANIFEST = """
    name: Probe
    description: Tries what a plugin may not
    inputs:
      token: {secret: true}
    runs:
      using: ostler/1
      protocol: json-lines
      id: test/probe
      version: 2.0.0
      main: probe
      post: probe
"""


@case()
def a_program_is_shut_in_as_any_plugin(w):
    folder = put(w.root / "probe", {"action.yml": MANIFEST, "probe": PROBE})
    install(w, folder / "probe", "--no-check")
    r = w.run(w.steps("- {name: p, uses: test/probe@v2, with: {token: hunter2}}"), code=0)
    r.says("process: Operation not permitted", "fork: Operation not permitted", "socket: Operation not permitted",
           "workspace: Read-only file system", "temp: done", "signal: Operation not permitted", "itself: done",
           "environment: ['HOME', 'LANG', ", "extensions: ostler.progress/1", "ostler.files/1", step="p")
    r.says('"value":"***"', step="Post p").never_says("hunter2", "ostler.http/1")
    put(folder, {"action.yml": MANIFEST + "      needs: [network, workspace-write]\n"})
    install(w, folder / "action.yml", "--no-check")
    flow = w.steps("- {name: p, uses: test/probe@v2, with: {token: hunter2}}\n- {name: after, run: ls}")
    w.run(flow, code=0).says("fork: Operation not permitted", "socket: done", "workspace: done", "ostler.http/1", step="p").says("mine", step="after")
    w.run(flow, "--plugin-policy", policy(w, "allow: [{id: test/probe, network: []}]\n"), code=0).says(
        "socket: Operation not permitted", step="p").never_says("ostler.http/1")


@case()
def plugins_of_the_workspace_run_where_a_policy_says_so(w):
    put(w.repo / "my/probe", {"action.yml": MANIFEST, "probe": PROBE})
    put(w.repo / "my/object", {"action.yml": "name: o\ndescription: o\nruns: {using: ostler/1, main: good.so}\n"})
    shutil.copy(w.plugin_objects / "good.so", w.repo / "my/object/good.so")
    put(w.repo / "my/out", {"action.yml": "name: o\ndescription: o\nruns: {using: ostler/1, main: ../object/good.so}\n"})
    w.commit("plugins of its own")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: p, uses: ./my/probe, with: {token: hunter2}}
        - {name: o, uses: ./my/object, with: {who: Ann}}
        """)
    w.run(flow, code=1).says("plugin './my/probe' lies in the workspace (install it and name it by its id, or allow such "
                             "with 'plugins: {workspace: true}' in the configuration)", step="p")
    yes = policy(w, "workspace: true\n")
    r = w.run(flow, "--plugin-policy", yes, code=0).says("fork: Operation not permitted", step="p").says("Hello, Ann.", step="o")
    r.says('"value":"***"', step="Post p").says("./my/object → plugin 1.0.0 (sha256:", step="o")
    w.run(flow, "--plugin-policy", policy(w, "workspace: true\nmode: allow-list\nallow: [{id: test/good}, {id: 'actions/*'}]\n"), code=1).says(
        "plugin 'test/probe' is not on the allow-list", step="p")
    w.run(w.steps("- uses: actions/checkout@v4\n- {name: x, uses: ./my/out}"), "--plugin-policy", policy(w, "workspace: true\n"), code=1).says(
        "'main: ../object/good.so' leads out of the action's folder", step="x")


# As the tutorial of Woodpecker has it: a shell script around curl, told by PLUGIN_ variables.
WEBHOOK = """#!/bin/sh
tr '\\0' ' ' < /proc/$$/cmdline; echo
env | grep -E '^(CI|DRONE|PLUGIN)' | grep -v -e TOKEN -e _TIME | sort
echo "in $PWD"
test -n "$PLUGIN_FAIL" && exit "$PLUGIN_FAIL"
python3 - <<'EOF'
import os, urllib.request
request = urllib.request.Request(os.environ["PLUGIN_URL"], os.environ["PLUGIN_BODY"].encode(),
                                 {"Authorization": os.environ["PLUGIN_API_TOKEN"]}, method=os.environ["PLUGIN_METHOD"])
print("answered", urllib.request.urlopen(request).status, os.environ["PLUGIN_API_TOKEN"])
EOF
echo "message-id=42" >> "$DRONE_OUTPUT"
echo "other=no" >> "$DRONE_OUTPUT"
echo "::warning::not obeyed"
"""
WEBHOOK_MANIFEST = """
    name: Webhook
    description: Asks a server
    inputs:
      url: {required: true}
      method: {type: choice, choices: [POST, PUT], default: POST}
      body: {default: '{}'}
      tags: {type: list}
      dry-run: {type: bool, default: 'false'}
      api-token: {secret: true}
      fail: {type: int}
    outputs:
      message-id: {description: what was sent}
    runs:
      using: ostler/1
      protocol: plugin-env
      id: test/webhook
      version: 1.0.0
      main: webhook
"""


class Hook(http.server.BaseHTTPRequestHandler):
    got = []

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.command, self.path, body, self.headers["Authorization"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


@case()
def a_plugin_of_woodpecker_runs_as_it_is(w):
    install(w, put(w.root / "hook", {"action.yml": WEBHOOK_MANIFEST, "webhook": WEBHOOK}) / "webhook", "--no-check")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    flow = w.steps(f"""
        - name: hook
          id: hook
          uses: test/webhook@v1
          with:
            url: http://127.0.0.1:{server.server_address[1]}/send
            method: PUT
            body: '{{"a": [1, 2]}}'
            api-token: hunter2
            tags: |
              latest
              1.0
        - {{name: after, run: 'echo "<${{{{ steps.hook.outputs.message-id }}}}>"; ls -A $RUNNER_TEMP'}}
        """)
    try:
        r = w.run(flow, code=0)
    finally:
        server.shutdown()
    check(Hook.got == [("PUT", "/send", b'{"a": [1, 2]}', "hunter2")], Hook.got)
    r.says("PLUGIN_METHOD=PUT", 'PLUGIN_BODY={"a": [1, 2]}', "PLUGIN_TAGS=latest,1.0", "PLUGIN_DRY_RUN=false", "DRONE=true",
           "CI_COMMIT_BRANCH=main", "DRONE_BRANCH=main", "CI_PIPELINE_EVENT=push", "answered 204 ***", "::warning::not obeyed",
           step="hook").never_says("PLUGIN_FAIL", "hunter2")
    log = r.log("hook")
    sha = r.of("run.started")[0]["sha"]
    check(f"DRONE_COMMIT_SHA={sha}" in log and f"CI_COMMIT_SHA={sha}" in log, log)
    workspace = re.search(r"^CI_WORKSPACE=(.*)$", log, re.M).group(1)
    check(f"in {workspace}\n" in log, log)
    r.says("<42>", step="after").never_says("-webhook", "-output", step="after")
    check(not r.of("annotation"), r.of("annotation"))
    plan = json.loads(w.ostler_call("plan", "--json").exits(0).out)
    step = plan["workflows"][0]["jobs"][0]["configurations"][0]["steps"][0]
    check(step["plugin"]["plan"] == [{"verb": "run", "object": "webhook", "detail":
                                      "PLUGIN_URL, PLUGIN_METHOD, PLUGIN_BODY, PLUGIN_TAGS, PLUGIN_DRY_RUN, PLUGIN_API_TOKEN"}], step)
    w.run(w.steps("- {name: hook, uses: test/webhook@v1, with: {url: x, fail: 3}}"), code=1).says("exited with code 3", step="hook")
    w.run(w.steps("- {name: hook, uses: test/webhook@v1}"), code=1).says("url", step="hook")


@case(**DOCKER)
def programs_work_in_the_jobs_container(w):
    """The one runs on our side with our interpreter, its commands and the other in the container; paths are the container's."""
    tell = """#!/usr/bin/env python3
import json, os, sys
start = json.loads(sys.stdin.readline())
print(os.getcwd(), start["dirs"]["workspace"], sorted(os.listdir(".")), file=sys.stderr)
print(json.dumps({"do": "exec", "argv": ["sh", "-c", "echo $0 in $PWD; echo a > made"]}))
print(json.dumps({"do": "end"}))
"""
    manifest = MANIFEST.replace("test/probe", "test/tell").replace("      post: probe\n", "")
    install(w, put(w.root / "tell", {"action.yml": manifest, "probe": tell}) / "probe", "--no-check")
    script = "#!/bin/sh\ntest -e /bin/busybox && echo busybox in $PWD with $PLUGIN_URL\n"
    install(w, put(w.root / "hook", {"action.yml": WEBHOOK_MANIFEST, "webhook": script}) / "webhook", "--no-check")
    flow = w.steps("""
        - {name: tell, uses: test/tell@v2}
        - {name: hook, uses: test/webhook@v1, with: {url: some}}
        - {name: after, run: 'ls -A; ls -A $RUNNER_TEMP'}
        """, box())
    for level in ("sandbox", "host"):
        r = w.run(flow, "--isolation", level, code=0)
        r.says("/__w/app/app /__w/app/app []", "sh in /__w/app/app", step="tell").says("busybox in /__w/app/app with some", step="hook")
        r.says("made", step="after").never_says("-webhook", ".program", step="after")
        nothing_left(r)
