"""The same with podman, where there is no docker: job containers, services, Docker actions, and what a killed run left."""

import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

import watch
from case import case
from cases.container.containers import box, worker_of
from engine import BUSYBOX, GLIBC, Engine
from world import check

ROOT = {"who": "root", "quick": False, "needs": ("docker",), "limit": 150}

# What a machine without systemd, and without the right to raise limits, takes.
SETTINGS = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=10000:10000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


class Podman:
    """A podman with a storage of its own, as the only engine on the PATH of W's runs."""

    def __init__(self, w):
        check(shutil.which("podman"), "there is no 'podman': tests/run.sh installs it")
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="ostpod."))
        networks = f'[network]\nnetwork_config_dir = "{self.place}/networks"\n'  # else all podmans share them
        w.write("settings", SETTINGS + networks, below=self.place)
        tools = w.root / "tools"
        self.program = w.write("podman", f"""\
            #!/bin/sh
            export CONTAINERS_CONF={self.place}/settings PATH=/usr/sbin:/usr/bin:/sbin:/bin
            exec /usr/bin/podman --root {self.place}/root --runroot {self.place}/run --storage-driver vfs "$@"
            """, mode=0o755, below=tools)
        for name in ("git", "bash", "sh", "sleep"):
            (tools / name).symlink_to(shutil.which(name))
        w.env["PATH"] = str(tools)
        w.env.pop("DOCKER_HOST", None)

    def __enter__(self):
        with tempfile.TemporaryDirectory(prefix="ostimg.") as folder:
            for name, make, words in ((BUSYBOX, Engine._busybox, ()), (GLIBC, Engine._glibc, ("-c", "ENV PATH=/opt/bin:/bin",
                                                                                             "-c", "ENV FROM_IMAGE=yes"))):
                root = make(pathlib.Path(folder, name.replace("/", "-").replace(":", "-")))
                archive = root.with_suffix(".tar")
                with tarfile.open(archive, "w") as tar:
                    tar.add(root, arcname=".")
                self("import", *words, "-c", 'CMD ["/bin/sh"]', str(archive), name)
        return self

    def __call__(self, *words):
        return subprocess.run([self.program, *words], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout

    def left(self):
        return self("ps", "--all", "--quiet").split() + self("network", "ls", "--quiet", "--filter", "label=ostler").split()

    def __exit__(self, *_):
        self("rm", "--all", "--force", "--volumes", "--time", "0")
        shutil.rmtree(self.place, ignore_errors=True)


SERVICE = f"""services:
  web:
    image: {BUSYBOX}
    ports: [80]
    options: --entrypoint /bin/sh
    command: -c "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 80 -h /w"
"""


@case(**ROOT)
def podman_takes_the_same_commands(w):
    w.write("hello.txt", "from the tree\n")
    w.write("act/Dockerfile", f'FROM {GLIBC}\nENTRYPOINT ["sh", "-c", "echo act $INPUT_WHO; cat hello.txt; echo out=1 >> $GITHUB_OUTPUT"]\n')
    w.write("act/action.yml", "name: a\ndescription: d\ninputs: {who: {}}\noutputs: {out: {description: d}}\n"
                              "runs: {using: docker, image: Dockerfile}\n")
    w.commit("an action")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: look, run: 'echo "$PWD $HOME $MINE $FROM_IMAGE port ${{ job.services.web.ports[80] > 0 }}"; cat hello.txt'}
        - {name: act, id: act, uses: ./act, with: {who: Ada}}
        - {name: image, uses: 'docker://%s', with: {args: sh -c "echo in an image"}}
        - {name: last, run: 'echo "out ${{ steps.act.outputs.out }}"'}
        """ % BUSYBOX, box(more="  env: {MINE: '${{ secrets.S }}'}\n") + SERVICE)
    with Podman(w) as podman:
        r = w.run(flow, "--secret", "S=geheim", code=0, limit=100)
        r.says("/__w/app/app /github/home *** yes port true", "from the tree", step="look")
        r.says("act Ada", "from the tree", step="act").says("in an image", step="image").says("out 1", step="last")
        check("geheim" not in r.out, f"the secret is in the open\n{r}")
        check(not podman.left(), f"left in the engine: {podman.left()}\n{r}")


@case(**ROOT)
def what_a_killed_run_left_in_podman_goes_at_the_next_start(w):
    flow = w.steps("- run: echo it is $((40+2)); sleep 100", box() + SERVICE)
    with Podman(w) as podman:
        running = w.start(flow).wait_for("it is 42")
        for pid in (running.process.pid, worker_of(running)):
            watch.kill(pid)
        running.finish(30)
        check(podman.left(), "nothing was left to remove")
        r = w.start(w.steps("- run: echo next", name="other.yml")).finish(40).exits(0)
        check(not podman.left(), f"left in the engine: {podman.left()}\n{r}")
