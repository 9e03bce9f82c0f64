"""The sample project for real: npm registry, Node, ESLint, Vitest, Vite."""

import os
import pathlib
import shutil
import subprocess

from case import case
from world import check


def sample(w):
    """A copy of the sample in a repository of its own, and a tool cache with Node 20 where the host has none."""
    source = w.project / "pipelines" / "horoscopus"
    shutil.rmtree(w.repo)
    shutil.copytree(source, w.repo, ignore=shutil.ignore_patterns("node_modules", "dist"))
    w.git("init", "-q", "-b", "main")
    w.git("config", "user.name", "x")
    w.git("config", "user.email", "x@example.test")
    w.git("remote", "add", "origin", "https://github.com/acme/horoscopus.git")
    w.commit("the sample")
    tools = w.project / "build" / "tools"
    if tools.is_dir():
        w.env["RUNNER_TOOL_CACHE"] = str(tools)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "npm_config_registry"):
        if name in os.environ:
            w.env[name] = os.environ[name]
    return "frontend.yml"


@case(quick=False, needs=("network",), limit=600)
def the_frontend_pipeline_runs_for_real(w):
    flow = sample(w)
    r = w.run(flow, "--event", "push", code=0, limit=300)
    r.concluded(Install_dependencies="success", Lint="success", Test="success", Build="success", Deploy="success")
    check(not (w.repo / "frontend" / "node_modules").exists(), "node_modules is in the user's tree")

    topic = w.run(flow, "--event", "push", "--ref", "refs/heads/topic", code=0, limit=300).concluded(Deploy="skipped")
    check("refs/heads/topic" in topic.step("Deploy").get("reason", ""), f"the reason is not said\n{topic}")

    app = next(pathlib.Path(w.repo, "frontend", "src").glob("zodiac.ts"))
    lines = app.read_text().splitlines()
    app.write_text("\n".join([*lines, "export function planted() {", "  var unused = 1", "}", ""]))
    wanted = len(lines) + 2
    broken = w.run(flow, "--event", "push", limit=300).exits(1).concluded(Lint="failure", Deploy="skipped")
    found = [a for a in broken.of("annotation") if a.get("file", "").endswith("src/zodiac.ts") and a.get("line") == wanted]
    check(found, f"no annotation at src/zodiac.ts:{wanted}\n{[a for a in broken.of('annotation')]}")
    check(subprocess.run(["git", "-C", str(w.repo), "status", "--short"], env=w.env, capture_output=True,
                         text=True).stdout.strip() == "M frontend/src/zodiac.ts", "the tree has changed")
