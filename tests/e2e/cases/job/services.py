"""What the run's server is told on the command line and by the workflow."""

import base64
import json

from case import case
from world import check

RESERVE = r"""
const call = (size) => fetch(process.env.ACTIONS_CACHE_URL + '_apis/artifactcache/caches', {
  method: 'POST', headers: {'content-type': 'application/json', authorization: 'Bearer ' + process.env.ACTIONS_RUNTIME_TOKEN},
  body: JSON.stringify({key: 'k' + size, version: 'v', cacheSize: size})}).then(async r => console.log(size + ':', r.status, await r.text()));
(async () => { for (const size of [15e6, 25e6]) await call(size); })();
"""


@case()
def caches_have_the_size_that_is_said(w):
    w.write("act/action.yml", "runs: {using: node20, main: main.js}\n")
    w.write("act/main.js", RESERVE)
    w.env["XDG_CACHE_HOME"] = str(w.root / "cache")
    flow = w.steps("- uses: actions/checkout@v4\n- {name: act, uses: ./act}")
    r = w.run(flow, code=0)
    r.says("15000000: 201", "25000000: 201", step="act")
    r = w.run(flow, "--cache-size", "20M", code=0)
    r.says("15000000: 201", "25000000: 400", "20971520", step="act")
    for text in ("", "x", "1M", "0"):
        w.run(flow, "--cache-size", text).complains("--cache-size: .* is no size")


def claims(r, job):
    text = r.log("ask", job).partition("token ")[2].split()[0].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


@case()
def id_tokens_speak_for_the_jobs_environment(w):
    """Runtime contract 13.10: `sub` and `environment`; the name may come out of the matrix."""
    ask = """
        import json, os, urllib.request
        ask = urllib.request.Request(os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"],
                                     headers={"Authorization": "Bearer " + os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]})
        print("token", json.load(urllib.request.urlopen(ask))["value"])
        """
    w.write("ask.py", ask)
    w.env["XDG_CACHE_HOME"] = str(w.root / "cache")
    flow = w.workflow("""
        on: push
        permissions: {id-token: write, contents: read}
        jobs:
          to:
            strategy: {matrix: {where: [live, test]}}
            environment: {name: "${{ matrix.where }}", url: "https://example.test"}
            runs-on: x
            steps: [{uses: actions/checkout@v4}, {name: ask, run: python3 ask.py}]
          none:
            environment: ${{ vars.NOWHERE }}
            runs-on: x
            steps: [{uses: actions/checkout@v4}, {name: ask, run: python3 ask.py}]
        """)
    r = w.run(flow, code=0)
    for where in ("live", "test"):
        said = claims(r, f"to ({where})")
        check((said["environment"], said["sub"]) == (where, f"repo:acme/app:environment:{where}"), said)
    said = claims(r, "none")
    check("environment" not in said and said["sub"] == "repo:acme/app:ref:refs/heads/main", said)
