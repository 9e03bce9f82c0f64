"""The packages on a Debian of their own, with and without systemd. With --thorough: a root is made by debootstrap, and the packages
are built first."""

import base64
import json
import os
import pathlib
import shutil
import subprocess

from case import case
from engine import BUSYBOX, GLIBC
from github_double import GitHubDouble
from listening import SLOW, echo, github_registration
from roots import Root, base, demand
from world import check

OLDER = "0.0.9-1"
LIMIT = 1800


def packages(w):
    """{name: file} of the packages: those in $OSTLER_TEST_PACKAGES, or else built, one case at a time."""
    out = pathlib.Path(os.environ.get("OSTLER_TEST_PACKAGES") or w.project / "build" / "debian")
    if "OSTLER_TEST_PACKAGES" not in os.environ:
        out.mkdir(parents=True, exist_ok=True)
        demand("flock", out, w.project / "packaging/debian/build.sh", out, w.project / "build/debian-release")
    newest = {}
    for path in sorted(out.glob("*.deb"), key=lambda p: p.stat().st_mtime):
        newest[path.name.split("_")[0]] = path
    check(newest.keys() == {"ostler", "ostler-plugins", "ostler-dev"}, f"{newest}")
    return newest


def put(root, files, into="/srv"):
    for path in files:
        shutil.copy(path, root.folder / into.lstrip("/") / path.name)
    return [f"{into}/{path.name}" for path in files]


def older(w, debs):
    """The same packages under the number of a version before."""
    made = []
    for name, path in debs.items():
        folder = w.root / f"older-{name}"
        demand("dpkg-deb", "-R", path, folder)
        control = folder / "DEBIAN/control"
        text = control.read_text()
        version = next(line.split()[1] for line in text.splitlines() if line.startswith("Version: "))
        control.write_text(text.replace(version, OLDER))
        made.append(w.root / f"{name}_{OLDER}.deb")
        demand("dpkg-deb", "--root-owner-group", "-b", folder, made[-1])
    return made


APT = ["apt-get", "-q", "-y", "--no-install-recommends", "--allow-downgrades", "install"]


@case(who="root", thorough=True, limit=LIMIT)
def packages_come_work_and_go(w):
    debs, root = packages(w), Root(w.root / "debian")
    tags = subprocess.run(["lintian", *debs.values()], capture_output=True, text=True).stdout
    check(not [line for line in tags.splitlines() if line[:2] in ("E:", "W:")], tags)
    before = root.sh("dpkg-query -W -f '${Package}\\n'; cut -d: -f1 /etc/passwd")

    root.run("apt-get", "-q", "update")
    root.run(*APT, *put(root, older(w, debs)), "git", "gcc", "libc6-dev", "make", "cmake", "pkg-config")
    check(f"ostler {OLDER}" in root.sh("dpkg-query -W ostler | tr '\\t' ' '"), "the older version")
    check("ostler 0." in root.run("ostler", "version"), "ostler version")
    for page in ("ostler.1", "ostler-run.1", "ostler-listen.1", "ostler-config.5"):
        check(root.has(f"/usr/share/man/man{page[-1]}/{page}.gz"), f"no page {page}")
    for path in ("bash-completion/completions/ostler", "zsh/vendor-completions/_ostler", "fish/vendor_completions.d/ostler.fish",
                 "ostler/runner/svc.sh"):
        check(root.has(f"/usr/share/{path}"), f"no {path}")
    check("ostler:x:" in root.sh("getent passwd ostler"), "no user")
    check(root.sh("stat -c '%a %U' /var/lib/ostler").strip() == "700 ostler", "the state folder")

    # A workflow, with a stage of the plugins'; and a plugin of one's own.
    root.sh("mkdir -p /srv/app/.github/workflows && cd /srv/app && git init -q && cat > .github/workflows/ci.yml <<'END'\n"
            "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"
            "      - run: test -f README && echo from a package\nEND\n"
            "echo hi > README && git add -A && git -c user.name=a -c user.email=a@example.test commit -qm first")
    said = root.sh("cd /srv/app && ostler run -v --isolation sandbox")
    check("from a package" in said, said)
    said = root.sh("cd /srv && ostler plugin new acme/hello && cd hello && cmake -B build && cmake --build build && "
                   "ctest --test-dir build --output-on-failure && ostler plugin check build/hello.so && "
                   "ostler plugin install build/hello.so && ostler plugin list")
    check("acme/hello" in said, said)

    # An upgrade keeps what is the machine's.
    root.sh("mkdir -p /etc/ostler /var/lib/ostler/.local/state/ostler/registrations/one && echo 'jobs: 3' > /etc/ostler/config.yml && "
            "echo '{}' > /var/lib/ostler/.local/state/ostler/registrations/one/.runner && chown -R ostler: /var/lib/ostler")
    kept = root.sh("cat /etc/ostler/config.yml; find /var/lib/ostler -printf '%p %U %m\\n' | sort")
    root.run(*APT, *put(root, debs.values()))
    check(root.sh("cat /etc/ostler/config.yml; find /var/lib/ostler -printf '%p %U %m\\n' | sort") == kept, "an upgrade changed something")
    check(OLDER not in root.sh("dpkg-query -W 'ostler*'"), "it was no upgrade")
    root.run("dpkg", "--verify", "ostler", "ostler-plugins", "ostler-dev")

    # Away: a removal leaves what a purge takes.
    root.run("systemctl", "enable", "ostler")
    root.run("dpkg", "--remove", "ostler-dev", "ostler-plugins", "ostler")
    check(not root.has("/usr/bin/ostler") and not root.has("/usr/lib/ostler") and not root.has("/usr/include/ostler"), "a program is left")
    check(not root.has("/etc/systemd/system/multi-user.target.wants/ostler.service"), "a service without a unit is enabled")
    check(root.sh("cat /etc/ostler/config.yml; find /var/lib/ostler -printf '%p %U %m\\n' | sort") == kept, "a removal took the state")
    root.sh("rm /etc/ostler/config.yml")
    root.run("dpkg", "--purge", "ostler-dev", "ostler-plugins", "ostler")
    left = root.sh("find /usr /etc /var /opt /home /lib -xdev -name '*ostler*' -not -path '/var/log/*' -not -path '/var/cache/*' "
                   "-not -path '/var/lib/apt/*'")
    check(not left.strip(), f"left: {left}")
    check("ostler" not in root.sh("cut -d: -f1 /etc/passwd /etc/group"), "the user is left")
    check(set(before.splitlines()) <= set(root.sh("dpkg-query -W -f '${Package}\\n'; cut -d: -f1 /etc/passwd").splitlines()), "it took more along")


# ---- the service, under a real systemd ----

REGISTRATIONS = "/var/lib/ostler/.local/state/ostler/registrations"
# What a job under the unit must find: its own processes alone, no state of the service's, a way to write where a job writes.
LOOK = r"""
id -un; echo "first: $(cat /proc/1/comm)"; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status
test ! -e %s && echo 'no registrations here'; echo hi > /opt/x && cat /opt/x; echo "$HOME"; mktemp; hostname
cat /proc/self/cgroup
""" % REGISTRATIONS


def show(root, *names):
    """Properties of the unit, in the order asked for."""
    said = dict(line.split("=", 1) for line in root.inside("systemctl", "show", "ostler", *[f"-p{n}" for n in names]).splitlines())
    return [said[name] for name in names]


def drop_in(root, text):
    root.inside("sh", "-ec", f"mkdir -p /run/systemd/system/ostler.service.d; printf '[Unit]\\nConditionPathExistsGlob=\\n[Service]\\n{text}' > "
                "/run/systemd/system/ostler.service.d/test.conf; systemctl daemon-reload; systemctl reset-failed ostler || true")


def no_drop_in(root):
    root.inside("sh", "-ec", "rm -r /run/systemd/system/ostler.service.d; systemctl daemon-reload; systemctl reset-failed ostler || true")


def serve(root, folder):
    """FOLDER, a registration, becomes the one of the service."""
    root.inside("rm", "-rf", REGISTRATIONS)
    (root.folder / REGISTRATIONS.lstrip("/")).mkdir(parents=True)
    shutil.copytree(folder, root.folder / REGISTRATIONS.lstrip("/") / "hub")
    root.inside("chown", "-R", "ostler:", "/var/lib/ostler")


@case(who="root", thorough=True, limit=LIMIT)
def the_service_runs_under_systemd(w):
    debs, root = packages(w), Root(w.root / "debian")
    root.run("apt-get", "-q", "update")
    root.run(*APT, *put(root, [debs["ostler"], debs["ostler-plugins"]]), "git")
    try:
        root.boot()
        check("0 loaded units" in root.inside("systemctl", "--failed", "--no-pager"), "something of systemd's own failed")
        root.inside("systemctl", "start", "ostler")
        check(show(root, "ActiveState", "ConditionResult") == ["inactive", "no"], "without a registration there is nothing to start")
        try:
            under_systemd(w, root)
        except AssertionError as error:
            journal = root.sh("journalctl --no-pager -n 60 -u ostler -o short-precise 2>&1 || true")
            raise AssertionError(f"{error}\n{journal}") from None
    finally:
        root.halt()


def under_systemd(w, root):
    with GitHubDouble("V", session_life=2.0) as double:
        serve(root, github_registration(w, double))
        root.inside("systemctl", "start", "ostler")  # Type=notify: it returns when the listener says that it is up
        state, access, main = show(root, "ActiveState", "NotifyAccess", "MainPID")
        check(state == "active" and access == "main", f"{state} {access}\n{root.journal()}")
        print(root.inside("sh", "-c", f"grep -E '^(VmRSS|RssAnon)' /proc/{main}/status; systemctl show ostler -pStatusText"))
        check("hub" in root.inside("ostler", "status"), "status of another user's listener, for root")

        job = double.push({"runs-on": "ubuntu-latest", "steps": [{"run": LOOK}, {"uses": "actions/checkout@v4", "if": "false"}]})
        double.finished(job)
        log = job.log()
        check(job.conclusion == "succeeded", f"{job.conclusion}\n{log}\n{root.journal()}")
        for line in ("first: ostler-init", "NoNewPrivs:\t1", "Seccomp:\t2", "no registrations here", "hi", "/ostler/"):
            check(line in log, f"no '{line}' in\n{log}")
        print(log)

        # A reload, and so an upgrade, begins anew when the job has ended; to systemd it is the same process.
        for word, action in (("reload", ["systemctl", "reload", "ostler"]), ("upgrade", ["dpkg", "-i", *put(root, [packages(w)["ostler"]])])):
            job = double.push(echo(steps=[{"run": "echo begun; sleep 4; echo ended"}]))
            root.until("the job does not begin", "ostler", "status", wanted="running")
            root.inside(*action)
            root.until("it does not wait for the job", "ostler", "status", wanted="takes no more jobs")
            double.finished(job)
            check(job.conclusion == "succeeded" and "ended" in job.log(), f"{word}: {job.conclusion}\n{root.journal()}")
            job = double.push(echo(f"after the {word}"))
            double.finished(job)
            check(job.conclusion == "succeeded", f"{word}: {job.conclusion}\n{root.journal()}")
            check(show(root, "MainPID", "NRestarts", "ActiveState") == [main, "0", "active"], f"{word}\n{root.journal()}")

        # A stop lets the job come to its end.
        job = double.push(echo(steps=[{"run": "echo begun; sleep 4; echo ended"}]))
        root.until("the job does not begin", "ostler", "status", wanted="running")
        root.inside("systemctl", "stop", "ostler")
        check(job.conclusion == "succeeded" and "ended" in job.log(), f"{job.conclusion}\n{root.journal()}")
        check(show(root, "ActiveState", "Result") == ["inactive", "success"], root.journal())
        check(not root.inside("sh", "-c", "find /proc -maxdepth 1 -user ostler 2>/dev/null"), "processes are left")

        # The watchdog: it is fed while all is well, and who hangs is started anew.
        drop_in(root, "WatchdogSec=2s\\nTimeoutAbortSec=1s\\nRestartSec=0\\nEnvironment=OSTLER_TEST_MINUTE_MS=1000\\n")
        root.inside("systemctl", "start", "ostler")
        root.inside("sleep", "6")
        check(show(root, "NRestarts", "ActiveState") == ["0", "active"], root.journal())
        root.inside("systemctl", "kill", "-s", "STOP", "--kill-whom=main", "ostler")
        root.until("a listener that hangs is not started anew", "systemctl", "show", "ostler", "-pNRestarts,ActiveState,SubState",
                   wanted="NRestarts=1")
        root.until("it does not come up", "systemctl", "show", "ostler", "-pSubState", wanted="running")
        job = double.push(echo("after"))
        double.finished(job)
        check(job.conclusion == "succeeded", f"{job.conclusion}\n{root.journal()}")

        # Who is removed at the server has nothing more to do, and is not started again.
        double.remove()
        root.until("it does not leave", "systemctl", "show", "ostler", "-pActiveState", wanted="inactive")
        root.inside("sleep", "2")  # with RestartSec=0 it would be back
        check(show(root, "Result", "ActiveState") == ["success", "inactive"], root.journal())

    # What starting again may mend is started again; what it does not, is not.
    for code, again in ((1, False), (5, False), (2, True)):
        drop_in(root, f"ExecStart=\\nExecStart=/bin/sh -c \"exit {code}\"\\nRestartSec=100ms\\n")
        root.inside("systemctl", "start", "ostler", code=None)
        if again:
            root.until("it is not started again", "systemctl", "show", "ostler", "-pNRestarts", wanted="NRestarts=2")
        else:
            root.until("it did not fail", "systemctl", "show", "ostler", "-pActiveState", wanted="failed")
            check(show(root, "NRestarts", "ExecMainStatus") == ["0", str(code)], root.journal())
        root.inside("systemctl", "stop", "ostler")
    no_drop_in(root)


# ---- the image, as actions-runner-controller's pods start it ----

def jitconfig(folder):
    """What generate-jitconfig would answer for the registration in FOLDER."""
    files = {name: base64.b64encode((folder / name).read_bytes()).decode() for name in (".runner", ".credentials", ".credentials_rsaparams")}
    return base64.b64encode(json.dumps(files).encode()).decode()


@case(who="root", thorough=True, limit=LIMIT, needs=("docker",))
def the_image_runs_one_job_as_the_controller_wants_it(w):
    debs, context, name = packages(w), w.root / "context", f"ostler-test/arc:{os.getpid()}"
    context.mkdir()
    for path in (debs["ostler"], debs["ostler-plugins"], *(w.project / "packaging/runner").glob("*.sh")):
        shutil.copy(path, context)
    # The engine of the tests has no BuildKit; that is what COPY --chmod wants.
    recipe = (w.project / "packaging/container/Dockerfile").read_text().replace("COPY --chmod=755 ", "COPY ")
    (context / "Dockerfile").write_text(recipe)
    demand("docker", "import", base(), "ostler-test/debian:12")
    env = {**os.environ, "DOCKER_BUILDKIT": "0"}
    try:
        demand("docker", "build", "-t", name, "--network", "host", "--build-arg", "BASE=ostler-test/debian:12", context, env=env)
        in_the_image(w, name)
    finally:
        for image in (name, "ostler-test/debian:12"):
            subprocess.run(["docker", "image", "rm", "-f", image], capture_output=True)


def in_the_image(w, image):
    print("image:", int(demand("docker", "image", "inspect", "-f", "{{.Size}}", image)) >> 20, "MiB")
    with GitHubDouble("V") as double:
        for steps, conclusion in (([{"run": "id; pwd; echo $HOME; docker --version"}, {"run": "sudo -n true && echo root by sudo"}], "succeeded"),
                                  ([{"run": "exit 1"}], "failed")):
            folder = github_registration(w, double, name=f"pod-{conclusion}", ephemeral=True, key=conclusion)
            job = double.push(echo(steps=steps))
            # As its ephemeral_runner_controller and the chart do: the command, the configuration, and nothing of the folder.
            pod = subprocess.run(["docker", "run", "--rm", "--network", "host", "-e", f"ACTIONS_RUNNER_INPUT_JITCONFIG={jitconfig(folder)}",
                                  "-e", "RUNNER_ALLOW_RUNASROOT=0", image, "/home/runner/run.sh"], capture_output=True, text=True,
                                 stdin=subprocess.DEVNULL, timeout=300)
            check(job.conclusion == conclusion, f"{job.conclusion}\n{pod.stdout}{pod.stderr}")
            check(pod.returncode == 0, f"the controller starts a pod that ends with {pod.returncode} again\n{pod.stdout}{pod.stderr}")
            if conclusion == "succeeded":
                for line in ("uid=1001(runner)", "123(docker)", "/home/runner/_work/", "root by sudo", "Docker version"):
                    check(line in job.log(), f"no '{line}' in\n{job.log()}")
        double.check()
        # A runner whose configuration the server no longer knows has nothing to try again.
        folder = github_registration(w, double, name="pod-gone", ephemeral=True, key="gone")
        double.remove()
        gone = subprocess.run(["docker", "run", "--rm", "--network", "host", "-e", f"ACTIONS_RUNNER_INPUT_JITCONFIG={jitconfig(folder)}",
                               image, "/home/runner/run.sh"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        check(gone.returncode == 0, f"{gone}")
    # The chart's init container for "dind".
    demand("docker", "run", "--rm", image, "sh", "-ec", "mkdir tmpDir && cp -r /home/runner/externals/. /home/runner/tmpDir/")
    with_docker_beside_it(w, image)


def with_docker_beside_it(w, image):
    """The chart's mode "dind": a Docker that has two folders of the pod's under the same paths, and sees nothing else of it. Here
    that Docker is the tests' own, and the paths are ones that it may have."""
    work, externals, name = w.root / "_work", w.root / "externals", f"{image}-dind"
    recipe = (f"FROM {image}\nUSER root\nRUN mkdir -p {w.root} && mv /home/runner/externals {externals} && mv /home/runner/_work {work} && "
              f"ln -s {externals} /home/runner/externals && ln -sf {externals}/ostler-init /usr/libexec/ostler/ostler-init && "
              f"sed -i 's|/home/runner/_work|{work}|' /etc/ostler/config.yml && chmod 755 {w.root}\nUSER runner\n")
    socket = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    try:
        w.write("dind/Dockerfile", recipe, below=w.root)
        demand("docker", "build", "-t", name, w.root / "dind", env={**os.environ, "DOCKER_BUILDKIT": "0"})
        work.mkdir()
        demand("docker", "run", "--rm", "--user", "0", "-v", f"{externals}:/out", image, "sh", "-c", "cp -r /home/runner/externals/. /out/")
        os.chown(work, 1001, 123)
        w.root.chmod(0o755)
        group = os.stat(socket).st_gid
        with GitHubDouble("V") as double:
            folder = github_registration(w, double, name="pod-dind", ephemeral=True, key="dind")
            job = double.push({"container": GLIBC, "services": {"web": {"image": BUSYBOX, "options": "--entrypoint /bin/sh", "command": "-c 'sleep 1000'"}},
                               "steps": [{"run": "test -e /.dockerenv && echo in a container; echo to the summary >> $GITHUB_STEP_SUMMARY"}]})
            pod = subprocess.run(["docker", "run", "--rm", "--network", "host", "--group-add", str(group), "-v", f"{work}:{work}",
                                  "-v", f"{socket}:/var/run/docker.sock", "-e", f"ACTIONS_RUNNER_INPUT_JITCONFIG={jitconfig(folder)}",
                                  "-e", "DOCKER_HOST=unix:///var/run/docker.sock", "-e", "RUNNER_WAIT_FOR_DOCKER_IN_SECONDS=20", name],
                                 capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
            check(job.conclusion == "succeeded" and "in a container" in job.log(), f"{job.conclusion}\n{job.log()}\n{pod.stdout}{pod.stderr}")
            check("to the summary" in "".join(job.summarised.values()), f"{job.summarised}")
            check(pod.returncode == 0 and not list(work.iterdir()), f"{pod}\n{list(work.iterdir())}")
            double.check()
    finally:
        subprocess.run(["docker", "image", "rm", "-f", name], capture_output=True)
