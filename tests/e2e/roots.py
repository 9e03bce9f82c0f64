"""A Debian of its own for a case: made by debootstrap once, entered in namespaces of its own, or started with systemd as its first
process. All that is mounted and started in it ends with the namespaces."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from world import check

HERE = pathlib.Path(__file__).resolve().parent
IMAGES = HERE.parents[1] / "build" / "images"
RELEASE = "bookworm"
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
       "DEBIAN_FRONTEND": "noninteractive"}

# A root must be one: in a chroot nobody may make a user namespace. The old one is out of sight before anything is run.
ENTER = r"""
root=$1; shift
mount --bind "$root" "$root"; cd "$root"
mount -t proc proc proc; mount -t sysfs sys sys; mount -t tmpfs tmp tmp; mount -t tmpfs -o mode=755 run run
mount --rbind /dev dev; mount --rbind /sys/fs/cgroup sys/fs/cgroup
mkdir -p .old; pivot_root . .old; cd /; umount -l .old; rmdir .old
exec "$@"
"""

# systemd gets devices that are not the machine's, a cgroup hierarchy that begins with it, and nothing that would set this
# kernel's parameters.
BOOT = r"""
root=$1; shift
mount --bind "$root" "$root"; cd "$root"
mount -t proc proc proc; mount -t sysfs sys sys; mount -t tmpfs tmp tmp; mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=755 dev dev; mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts; ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd; ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr
mount -t tmpfs -o mode=1777 shm dev/shm
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mount -t cgroup2 cgroup sys/fs/cgroup
mkdir -p .old; pivot_root . .old; cd /; umount -l .old; rmdir .old
exec "$@"
"""


def demand(*argv, **more):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)
    check(done.returncode == 0, f"{argv} failed ({done.returncode}):\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def base():
    """The archive of a minimal Debian; made where there is none."""
    archive = IMAGES / f"{RELEASE}.tar"
    if not archive.exists():
        IMAGES.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ostroot.") as folder:
            demand("debootstrap", "--variant=minbase", RELEASE, folder)
            new = archive.with_suffix(f".{os.getpid()}")
            demand("tar", "--directory", folder, "--create", "--file", new, "--exclude=./dev/*", "--exclude=./proc/*", ".")
            new.rename(archive)
    return archive


class Root:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        demand("tar", "--directory", self.folder, "--extract", "--file", base())
        self.folder.chmod(0o755)  # it was made in a folder that was for its maker alone, and "/" is not
        shutil.copy("/etc/resolv.conf", self.folder / "etc/resolv.conf")
        self.system = None

    def run(self, *argv, code=0, limit=600, **env):
        """A command as root in it; what it said."""
        done = subprocess.run(["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "sh", "-ec", ENTER, "sh",
                               str(self.folder), *map(str, argv)], env={**ENV, **env}, capture_output=True, text=True,
                              errors="replace", stdin=subprocess.DEVNULL, timeout=limit)
        text = done.stdout + done.stderr
        check(code is None or done.returncode == code, f"{argv} ended with {done.returncode}\n{text[-6000:]}")
        return text

    def sh(self, script, **more):
        return self.run("sh", "-ec", script, **more)

    def has(self, path):
        return os.path.lexists(self.folder / path.lstrip("/"))

    # ---- with systemd ----

    def boot(self):
        """Starts systemd, and returns once it says that it is up."""
        for unit in ("systemd-sysctl.service", "systemd-modules-load.service", "systemd-networkd.service", "systemd-resolved.service"):
            (self.folder / "etc/systemd/system" / unit).symlink_to("/dev/null")
        self.group = pathlib.Path(tempfile.mkdtemp(prefix="ostboot.", dir=cgroup2()))
        start = 'echo $$ >"$1/cgroup.procs"; shift; exec unshare --mount --pid --uts --ipc --cgroup --fork --kill-child "$@"'
        self.log = open(self.folder / "boot.log", "wb")
        self.system = subprocess.Popen(
            ["sh", "-ec", start, "sh", str(self.group), "sh", "-ec", BOOT, "sh", str(self.folder), "/lib/systemd/systemd",
             "--log-target=journal"], env={**ENV, "container": "ostler-test"}, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT)
        end = time.monotonic() + 90
        while time.monotonic() < end:
            state = self.inside("systemctl", "is-system-running", code=None).strip()
            if state in ("running", "degraded"):
                return
            time.sleep(0.2)
        check(False, f"it did not come up: {state}\n{(self.folder / 'boot.log').read_text(errors='replace')[-4000:]}")

    def first(self):
        """The pid of systemd."""
        children = pathlib.Path(f"/proc/{self.system.pid}/task/{self.system.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def inside(self, *argv, code=0, limit=120, **env):
        """A command as root beside systemd; what it said."""
        done = subprocess.run(["nsenter", f"--target={self.first()}", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--root", "--wd",
                               *map(str, argv)], env={**ENV, **env}, capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, timeout=limit)
        text = done.stdout + done.stderr
        check(code is None or done.returncode == code, f"{argv} ended with {done.returncode}\n{text[-6000:]}")
        return text

    def until(self, what, *argv, wanted, limit=60):
        """Asks until the answer has WANTED in it."""
        end = time.monotonic() + limit
        while wanted not in (said := self.inside(*argv, code=None)):
            check(time.monotonic() < end, f"{what}: {said}\n{self.journal()}")
            time.sleep(0.1)
        return said

    def journal(self):
        return self.inside("journalctl", "--no-pager", "-u", "ostler", "-n", "60", code=None)

    def halt(self):
        if not self.system:
            return
        os.kill(self.first() or self.system.pid, signal.SIGKILL)
        self.system.wait()
        self.log.close()
        (self.group / "cgroup.kill").write_text("1")
        for folder in sorted(self.group.rglob("*"), key=lambda p: -len(p.parts)):
            if folder.is_dir():
                folder.rmdir()
        self.group.rmdir()
        self.system = None


def cgroup2():
    """Where the hierarchy of cgroup v2 is mounted."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line:
            return line.split()[4]
    raise AssertionError("there is no hierarchy of cgroup v2 here")
