"""A real container engine for the cases that need one: the machine's own if it answers, else one of ours.

    tests/e2e/engine.py FOLDER

makes the images of services of which FOLDER keeps none yet, ahead of the cases that need them.

Ours is a dockerd with its own data, socket, bridge and control groups, so it gets in nobody's way, and
nothing of it stays: see Engine.stop(). Its images are made on the spot, of the programs of this machine,
so no registry is needed."""

import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

sys.dont_write_bytecode = True

import images  # noqa: E402

# Several harnesses may run at once.
BRIDGE, ADDRESS = f"ost{os.getpid()}", f"172.31.{200 + os.getpid() % 50}.1/24"
BUSYBOX, GLIBC, NODE = "ostler-test/busybox:1", "ostler-test/glibc:1", "ostler-test/node:1"
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")
READY_SECONDS = 60


class EngineError(Exception):
    """There is no engine, and none could be started."""


def run(*argv, **more):
    return subprocess.run(argv, stdin=more.pop("stdin", subprocess.DEVNULL), capture_output=True, **more)


def demand(*argv, **more):
    done = run(*argv, **more)
    if done.returncode:
        raise EngineError(f"{' '.join(argv)}: {done.stderr.decode(errors='replace').strip()[-600:]}")
    return done.stdout.decode(errors="replace")


def answers():
    return run("docker", "version", "--format", "{{.Server.Version}}").returncode == 0


def end_with_us():
    """In a child: asked to end when its parent does, however that ends."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Engine:
    """Started once a run of the harness; GROUP may use it."""

    def __init__(self):
        self.folder = self.process = self.log = None
        self.mounted = []

    # -- starting --

    def start(self, group=None):
        if not shutil.which("docker"):
            raise EngineError("there is no 'docker': install docker.io (tests/run.sh does)")
        if not answers():
            self._start_own(group)
        self._make_images()
        return self

    def _start_own(self, group):
        if os.geteuid() != 0:
            raise EngineError("no container engine answers, and only root can start one: start it "
                              "('systemctl start docker'), or run the tests as root")
        if not shutil.which("dockerd"):
            raise EngineError("no container engine answers and there is no 'dockerd': install docker.io")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ostdk."))
        self.folder.chmod(0o755)
        self._control_groups()
        run("ip", "link", "del", BRIDGE)
        demand("ip", "link", "add", BRIDGE, "type", "bridge")
        demand("ip", "addr", "add", ADDRESS, "dev", BRIDGE)
        demand("ip", "link", "set", BRIDGE, "up")
        socket = self.folder / "docker.sock"
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            ["dockerd", "--data-root", self.folder / "data", "--exec-root", self.folder / "exec",
             "--pidfile", self.folder / "pid", "--host", f"unix://{socket}", "--bridge", BRIDGE,
             "--containerd-namespace", BRIDGE, "--containerd-plugins-namespace", f"{BRIDGE}-plugins",
             *(["--group", group] if group else [])],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, preexec_fn=end_with_us)
        os.environ["DOCKER_HOST"] = f"unix://{socket}"
        end = time.monotonic() + READY_SECONDS
        while not answers():
            if self.process.poll() is not None or time.monotonic() > end:
                tail = (self.folder / "log").read_text(errors="replace")[-1500:]
                raise EngineError(f"dockerd does not start:\n{tail}")
            time.sleep(0.1)

    def _control_groups(self):
        """dockerd wants controllers; a bare machine without an init has none mounted."""
        top = pathlib.Path("/sys/fs/cgroup")
        if (top / "cgroup.controllers").exists() or (top / "memory").exists():
            return
        if run("mount", "-t", "cgroup2", "none", top).returncode == 0:
            self.mounted.append(top)
            if "memory" in (top / "cgroup.controllers").read_text():
                return
        demand("mount", "-t", "tmpfs", "-o", "mode=755", "cgroup", top)
        self.mounted.append(top)
        for name in CONTROLLERS:
            (top / name).mkdir()
            demand("mount", "-t", "cgroup", "-o", name, "cgroup", top / name)
            self.mounted.append(top / name)

    # -- images --

    def provide_services(self, kept):
        """Images of PostgreSQL and Redis; KEPT: the folder where those that were made are kept."""
        try:
            images.provide(kept, ours=self.folder is not None)
        except images.ImageError as error:
            raise EngineError(str(error)) from error

    def _make_images(self):
        with tempfile.TemporaryDirectory(prefix="ostimg.") as folder:
            if run("docker", "image", "inspect", BUSYBOX).returncode:
                self._import(self._busybox(pathlib.Path(folder, "busybox")), BUSYBOX)
            if run("docker", "image", "inspect", GLIBC).returncode:
                self._import(self._glibc(pathlib.Path(folder, "glibc")), GLIBC,
                             "ENV PATH=/opt/bin:/bin", "ENV FROM_IMAGE=yes")

    @staticmethod
    def _import(root, name, *changes, more=None):
        def keep(entry):
            return None if entry.name.endswith((".map", ".ts", ".md")) else entry

        archive = root.with_suffix(".tar")
        with tarfile.open(archive, "w") as tar:
            tar.add(root, arcname=".")
            for source, to in (more or {}).items():
                tar.add(source, arcname=to, filter=keep)
        options = [word for change in changes for word in ("-c", change)]
        demand("docker", "import", *options, "-c", 'CMD ["/bin/sh"]', archive, name)

    @staticmethod
    def _busybox(root):
        for folder in ("bin", "etc", "tmp"):
            (root / folder).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        shutil.copy2("/bin/busybox", root / "bin" / "busybox")
        for name in demand("/bin/busybox", "--list").split():
            if name != "busybox":
                (root / "bin" / name).symlink_to("busybox")
        (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
        return root

    @classmethod
    def _glibc(cls, root, more=()):
        """Busybox, and a bash with the libraries of this machine: what an ordinary distribution has."""
        cls._busybox(root)
        (root / "opt" / "bin").mkdir(parents=True)
        for path in (shutil.which("bash"), shutil.which("env"), *more):
            to = root / "bin" / os.path.basename(path)
            to.unlink(missing_ok=True)
            shutil.copy2(path, to)
            for word in demand("ldd", path).split():
                if word.startswith("/"):
                    to = root / word.lstrip("/")
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(word, to)
        (root / "etc" / "os-release").write_text("ID=ostler\n")
        return root

    # -- the end --

    def stop(self):
        if not self.folder:
            return
        if self.process:
            run("sh", "-c", "docker ps --all --quiet | xargs -r docker rm --force --volumes")
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self._remove_rules()
        run("ip", "link", "del", BRIDGE)
        for path in reversed(self.mounted):
            run("umount", path)
        if self.log:
            self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = None

    @staticmethod
    def _remove_rules():
        """dockerd leaves the rules for its bridge behind."""
        rules = run("iptables-save").stdout.decode(errors="replace").splitlines(keepends=True)
        kept = [line for line in rules if BRIDGE not in line]
        if len(kept) < len(rules):
            subprocess.run(["iptables-restore"], input="".join(kept).encode(), capture_output=True)


def with_node(tools):
    """The name of an image with Node, this machine's or the one that tests/run.sh fetched into TOOLS, and with
    GitHub's toolkit in /kit."""
    if run("docker", "image", "inspect", NODE).returncode:
        fetched = sorted(tools.glob("node/20.*/*/bin/node"))
        node = str(fetched[-1]) if fetched else shutil.which("node")
        if not node:
            raise EngineError(f"there is no 'node' on the PATH and none in {tools}: tests/run.sh fetches it")
        with tempfile.TemporaryDirectory(prefix="ostimg.") as folder:
            root = Engine._glibc(pathlib.Path(folder, "node"), [node, *map(shutil.which, ("tar", "gzip"))])
            Engine._import(root, NODE, "ENV PATH=/opt/bin:/bin", more={tools / "toolkit": "kit/toolkit"})
    return NODE


# ---- what is there ----

def labelled(label):
    """Containers and networks with LABEL, as lines for a person."""
    left = []
    for what, listing in (("container", ("ps", "--all")), ("network", ("network", "ls"))):
        rows = demand("docker", *listing, "--filter", f"label={label}", "--format", "{{json .}}")
        left += [f"{what} {row.get('Names') or row.get('Name')}" for row in map(json.loads, rows.splitlines())]
    return left


def main(kept):
    if images.archive(kept).exists() or answers() or os.geteuid() != 0:
        return 0  # they are there; or they will be pulled; or who runs the cases says what is missing
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    engine = Engine()
    try:
        engine.start().provide_services(kept)
    except EngineError as error:
        print(error)
        return 1
    finally:
        engine.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
