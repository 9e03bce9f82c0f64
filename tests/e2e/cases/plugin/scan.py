"""ostler/scan: secrets in what is pushed, in a real repository; scanners are doubles that print real reports."""

import json

from case import case
from world import check

# Made up, and in two pieces: nobody who reads this file finds one.
GITHUB = "ghp_" + "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1xYz"
NPM = "npm_" + "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1xYz"


def push(w):
    """The event of a push of all that came after the first commit."""
    before, after = w.git("rev-list", "--max-parents=0", "HEAD"), w.git("rev-parse", "HEAD")
    path = w.write("push.json", json.dumps({"ref": "refs/heads/main", "before": before, "after": after,
                                            "repository": {"default_branch": "main"}}), below=w.root)
    return "--event", "push", "--event-file", path


def secrets(w):
    w.write("src/app.py", f"x = 1\nkey = '{GITHUB}'\n")
    w.write("gone.txt", f"{NPM}\n")
    w.commit("two secrets")
    w.git("rm", "-q", "gone.txt")
    w.commit("one less")


def nowhere(w, r):
    text = r.out + r.err + w.recorded()
    for secret in (GITHUB, NPM):
        check(secret not in text and secret[6:] not in text, f"a secret is in the open\n{r}")


@case()
def a_push_with_secrets_fails_and_shows_none(w):
    secrets(w)
    flow = w.steps("""
        - uses: actions/checkout@v4
          with: {fetch-depth: 0}
        - {name: scan, id: scan, uses: ostler/scan@v1, with: {sarif: scan.sarif}}
        - {if: always(), run: 'cat scan.sarif src/app.py; echo "found ${{ steps.scan.outputs.secrets }}"'}
        """)
    w.commit("a workflow")
    r = w.run(flow, *push(w), code=1)
    r.says("2 secrets found: whoever can read the repository has them, so have what they open changed first",
           "neither trivy nor grype is in this job", step="scan")
    r.says('"ruleId":"github-token"', '"uri":"src/app.py"', "key = '***'", "found 2")
    notes = r.of("annotation")
    check(any(n.get("file") == "src/app.py" and n.get("line") == 2 and "ghp_..." in n["message"] for n in notes), str(notes))
    check(any("in line 1 as of commit" in n["message"] for n in notes), str(notes))
    nowhere(w, r)


@case()
def what_is_allowed_passes(w):
    secrets(w)
    w.write("src/app.py", f"x = 1\nkey = '{GITHUB}'  # ostler:allow\n")
    w.write(".ostler-allow", "path gone.txt\nrule github-token src/\n")
    flow = w.steps("- {uses: actions/checkout@v4, with: {fetch-depth: 0}}\n- {name: scan, uses: ostler/scan@v1}")
    w.commit("allowed")
    r = w.run(flow, *push(w), code=0)
    r.says("secrets: 0 secrets in", "allowed", step="scan")
    nowhere(w, r)


@case()
def a_scanner_is_run_where_there_is_one(w):
    report = (w.project / "plugins" / "scan" / "fixtures" / "trivy.json")
    text = report.read_text() if report.exists() else json.dumps(
        {"SchemaVersion": 2, "Results": [{"Target": "package-lock.json", "Vulnerabilities": [
            {"VulnerabilityID": "CVE-2021-23337", "PkgName": "lodash", "InstalledVersion": "4.17.20", "Severity": "HIGH"}]}]})
    w.write("bin/trivy", f"#!/bin/sh\ncat <<'EOF'\n{text}\nEOF\n", mode=0o755)
    w.write("package-lock.json", "{}\n")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - run: echo "$PWD/bin" >> "$GITHUB_PATH"
        - {name: scan, id: scan, uses: ostler/scan@v1, with: {scope: tree, vulnerabilities: required}}
        """)
    w.commit("a scanner")
    r = w.run(flow, code=1)
    r.says("trivy: ", "CVE-2021-23337 (high) in lodash 4.17.20", "vulnerabilit", step="scan")


@case()
def a_plan_says_where_it_would_look(w):
    w.ostler_call("run", "--plan", w.steps("- {uses: ostler/scan@v1, with: {scope: history}}")).exits(0).shows(
        "in all files, and in every commit of this clone", "trivy fs --quiet")
