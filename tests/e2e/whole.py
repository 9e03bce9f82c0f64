"""A job with all that one may have, and what it says on this machine: whoever it is reported to must have the same."""

import re

from engine import BUSYBOX
from listening import SECRETS, VARS, as_yaml

MATRIX = {"n": 3, "os": "linux"}
REPORT = '<testsuite name="s" tests="2"><testcase name="a" time="0.5"/><testcase name="b" time="0.5"/></testsuite>'
# All that a job may have: values from everywhere, a service container, first-party stages and actions.
WHOLE = {
    "runs-on": "self-hosted",
    "env": {"LEVEL": "job"},
    "services": {"web": {
        "image": BUSYBOX, "ports": [80], "env": {"TOKEN": "${{ secrets.WORD }}"}, "options": "--entrypoint /bin/sh",
        "command": '-c "mkdir /w; echo hello > /w/index.html; echo the word is $TOKEN; exec httpd -f -p 80 -h /w"'}},
    "outputs": {"v": "${{ steps.a.outputs.v }}"},
    "steps": [
        {"id": "a", "name": "values", "env": {"WORD": "${{ secrets.WORD }}"},
         "run": 'echo "n=${{ matrix.n }} on ${{ matrix.os }} region=${{ vars.REGION }} level=$LEVEL"\necho "the word is $WORD"\n'
                'echo "::warning file=a.c,line=3,title=Look::at $WORD"\necho "v=${{ matrix.n }}" >> "$GITHUB_OUTPUT"\n'
                "printf 'Größe ✓, no newline'"},
        {"name": "ask", "shell": "python3 {0}",
         "run": "import time, urllib.request as u\nport = \"${{ job.services.web.ports['80'] }}\"\nfor _ in range(400):\n"
                "    try:\n        print(u.urlopen(f'http://127.0.0.1:{port}').read())\n        break\n"
                "    except OSError:\n        time.sleep(0.05)\nelse:\n    raise SystemExit('no answer')\n"},
        {"name": "make", "run": f"mkdir -p kept out && echo kept > kept/file && echo '{REPORT}' > out/tests.xml\n"},
        {"name": "Cache", "id": "cache", "uses": "actions/cache@v4", "with": {"path": "kept", "key": "late-${{ matrix.n }}"}},
        {"name": "Save", "uses": "actions/cache/save@v4", "with": {"path": "kept", "key": "now-${{ matrix.n }}"}},
        {"name": "Upload", "uses": "actions/upload-artifact@v4", "with": {"name": "numbers-${{ matrix.n }}", "path": "out"}},
        {"name": "lose", "run": "mv kept was; rm -r out"},
        {"name": "Restore", "uses": "actions/cache/restore@v4", "with": {"path": "kept", "key": "no", "restore-keys": "now-${{ matrix.n }}"}},
        {"name": "Download", "uses": "actions/download-artifact@v4", "with": {"name": "numbers-${{ matrix.n }}", "path": "out"}},
        {"name": "Stage", "uses": "ostler/test@v1",
         "with": {"command": "diff -r kept was && cp out/tests.xml report.xml", "report": "report.xml"}},
        {"name": "sum", "run": 'echo "# it went well, $LEVEL" >> "$GITHUB_STEP_SUMMARY"'},
        {"name": "skipped", "if": "matrix.n == 7", "run": "exit 1"},
        {"name": "forgiven", "continue-on-error": True, "run": "echo bad; exit 3"},
        {"name": "last", "if": "always()", "run": "echo ${{ steps.forgiven.outcome }} ${{ steps.cache.outputs.cache-hit }}"},
    ],
}
for one in WHOLE["steps"]:  # only what has an id is in `steps`
    one.setdefault("id", one["name"].lower())
# What differs from run to run, and from one machine's registration to the other.
DIFFER = [(r"(?m)^[0-9a-f]{12}-[0-9a-f]{12}-\d+-\d+-\d+\n", ""),  # what other jobs have in the engine at the same time
          (r"https://github\.com/|http://127\.0\.0\.1:\d+/(?=acme|root1)", "SERVER/"),
          (r"((?:artifacts/|ID:? |ID is ))\d+", r"\1N"), (r"[0-9a-f]{32,64}|_[0-9a-f]{6}\b|\bostler=[0-9a-f-]+|ostler-test-\w+", "ID"), (r"\b[3-6]\d{4}\b", "PORT"),
          (r"(?<=[ '])/tmp/[^ :']+", "PATH"), (r"\b\d+\.\d\d s\b", "TIME"), (r"\(\d+ B\)", "(SIZE)"), (r"(?m)^(Runner name|Runner group name|Machine name): .*\n", ""),
          (r"##\[group\]GITHUB_TOKEN Permissions\n(.*\n)*?##\[endgroup\]\n", "")]


def same(text):
    for pattern, name in DIFFER:
        text = re.sub(pattern, name, text)
    return text.rstrip("\n")


RESULTS = {"success": "succeeded", "failure": "failed", "cancelled": "canceled", "skipped": "skipped"}


def local(w, said, matrix=None, repository="acme/widgets", **more):
    """[(name, conclusion, log)] of each step of a run on this machine."""
    w.git("remote", "set-url", "origin", f"https://github.com/{repository}.git")
    w.env["XDG_CACHE_HOME"] = str(w.root / "cache")
    flow = w.workflow(as_yaml(said, matrix), "local.yml")
    r = w.run(flow, "--event", "push", *[f"--secret={k}={v}" for k, v in SECRETS.items()],
              *[f"--var={k}={v}" for k, v in VARS.items()], code=0, **more)
    return r, steps_of(r)


def steps_of(r):
    return [(step["name"], RESULTS[step["conclusion"]],
             "".join(e.get("text", "") for e in r.of("log", step=step["step"], job=step.get("job")))) for step in r.steps()]
