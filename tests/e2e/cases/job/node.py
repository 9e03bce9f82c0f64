"""Which Node runs a JavaScript action (runtime contract 9.5). The Nodes here are scripts that say who they are."""

import os
import platform
import shutil

from case import case
from world import check

ARCH = "arm64" if platform.machine() == "aarch64" else "x64"
ACTION = """
    name: Script
    runs: {{using: {using}, main: main.js}}
    """


def node(w, version, *path):
    """A `node` of that VERSION in the folder PATH of the case; returns the folder."""
    folder = w.root.joinpath(*path)
    w.write("node", f'#!/bin/sh\n[ "$1" = --version ] && {{ echo v{version}; exit; }}\necho "ran by {version}: ${{1##*/}}"\n',
            mode=0o755, below=folder)
    for part in [folder, *folder.parents]:
        if part == w.root:
            break
        part.chmod(0o755)
    return folder


def cached(w, version):
    """The same in a tool cache."""
    node(w, version, "tools", "node", version, ARCH, "bin")
    w.write(f"{ARCH}.complete", "", below=w.root / "tools" / "node" / version)
    w.env["RUNNER_TOOL_CACHE"] = str(w.root / "tools")


def action(w, using, before="", **more):
    w.write(f"{using}/action.yml", ACTION.format(using=using))
    w.write(f"{using}/main.js", "")
    w.commit("an action")
    return w.steps(f"""
        - uses: actions/checkout@v4
        {before or "- run: ':'"}
        - {{name: act, uses: ./{using}}}
        """)


@case()
def the_tool_cache_has_the_major_that_is_asked_for(w):
    for version in ("18.1.0", "20.3.9", "20.11.0", "24.0.1"):
        cached(w, version)
    w.write(f"tools/node/20.99.0/{ARCH}/bin/node", "#!/bin/sh\n", mode=0o755, below=w.root)  # no mark that it is complete
    for using, version in (("node12", "20.11.0"), ("node20", "20.11.0"), ("node24", "24.0.1")):
        w.run(action(w, using), code=0).says(f"ran by {version}: main.js", step="act")
    flow = action(w, "node20")
    w.run(flow, "--env", "FORCE_JAVASCRIPT_ACTIONS_TO_NODE24=True", code=0).says("ran by 24.0.1", step="act")


@case()
def the_projects_node_is_not_the_actions_node(w):
    """A step that puts another node in front of PATH does not change what actions run with."""
    before = """- run: |
            mkdir old
            echo '#!/bin/sh' > old/node
            echo 'echo v12.0.0' >> old/node
            chmod +x old/node
            echo "$PWD/old" >> "$GITHUB_PATH"
        - {name: project, run: node --version}"""
    own = node(w, "20.5.0", "own")
    flow = action(w, "node20", before)
    r = w.run(flow, "--isolation", "host", env={"PATH": f"{own}:{os.environ['PATH']}"}, code=0)
    r.says("v12.0.0", step="project").says("ran by 20.5.0", step="act")


@case()
def a_node_that_was_named_is_the_one(w):
    cached(w, "20.11.0")
    named = node(w, "22.1.0", "named")
    w.run(action(w, "node20"), "--node", named / "node", code=0).says("ran by 22.1.0", step="act")
    w.run(action(w, "node20"), "--node", w.root / "none").complains("--node: cannot use")
    w.write("named/node", "#!/bin/sh\nexit 1\n", mode=0o755, below=w.root)
    w.run(action(w, "node20"), "--node", named / "node", code=1).shows("is no Node that works")


@case()
def an_older_node_is_the_last_resort_and_said(w):
    old = node(w, "18.19.0", "old")
    for tool in ("sh", "bash", "git", "mkdir"):  # a machine with no other node
        (old / tool).symlink_to(shutil.which(tool))
    r = w.run(action(w, "node24"), "--isolation", "host", env={"PATH": str(old)}, code=0)
    r.says("ran by 18.19.0", step="act")
    check("asks for Node 24 or later and runs with Node 18" in r.notes(), f"nobody says so\n{r}")
    (old / "node").unlink()
    r = w.run(action(w, "node24"), "--isolation", "host", env={"PATH": str(old)}, code=1)
    r.says("is a JavaScript action, which wants Node 24", "install Node.js, or name one with --node", step="act")
