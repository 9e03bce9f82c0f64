"""ostler/docker-push against real registries: every source, every way to log in, and a proxy that does harm."""

import json
import os
import signal
import subprocess
import time

import imagefiles
import watch
from case import case
from engine import BUSYBOX
from imagefiles import Image, layout, nested, sha, tarred
from registries import PASSWORD, USER, Proxy, Registry, Server, Tokens, certificate
from world import check


def push(w, source, image, *, name="push", **inputs):
    """A step that pushes, and one that shows its outputs."""
    given = {"source": source, "image": image, **{k.replace("_", "-"): v for k, v in inputs.items()}}
    return (f"- {{name: {name}, id: {name}, uses: ostler/docker-push@v1, with: {json.dumps(given)}}}\n"
            f"- {{name: show {name}, if: always(), run: 'echo \"digest ${{{{ steps.{name}.outputs.digest }}}}\"; "
            f"echo \"id ${{{{ steps.{name}.outputs.imageid }}}}\"; echo \"tags ${{{{ join(steps.{name}.outputs.tags) }}}}\"'}}\n")


HOST = ("--isolation", "host")  # where the engine's socket is, which is not /var/run/docker.sock here


def run(w, steps, code=0, limit=60, args=()):
    """w.run() would find the registry running."""
    done = w.start(w.steps(steps), *args).finish(limit)
    w.sane(done)
    return done.exits(code)


def digest_of(r, name="push"):
    """What the step said it pushed."""
    line = next(x for x in r.log(f"show {name}").splitlines() if x.startswith("digest "))
    return line.split()[1]


@case(quick=False, limit=90)
def sources_of_every_kind_arrive_whole(w):
    image = Image({"etc/motd": b"hello " * 3000}, {"srv/data": os.urandom(200_000)})
    image.archive(w.repo / "old.tar")
    image.archive(w.repo / "links.tar", links=True)
    image.layout(w.repo / "layout")
    tarred(w.repo / "layout", w.repo / "layout.tar")
    tarred(w.repo / "layout", w.repo / "layout.tar.gz", "gzip")
    with Registry(w.root / "registry") as registry:
        steps = "- uses: actions/checkout@v4\n"
        for number, source in enumerate(("old.tar", "links.tar", "layout", "layout.tar", "layout.tar.gz")):
            steps += push(w, source, f"{registry.host}/team/app{number}", tags="1\nlatest\nextra", name=f"p{number}")
        w.git("add", "-A", "-f")
        r = run(w, steps)
        digests = []
        for number in range(5):
            digests.append(digest_of(r, f"p{number}"))
            raw = registry.skopeo("inspect", "--raw", f"docker://{registry.host}/team/app{number}:1", user=False)
            r.equal(f"digest of source {number}", digests[-1], sha(raw))
            shown = json.loads(registry.skopeo("inspect", f"docker://{registry.host}/team/app{number}", user=False))
            check(shown["Digest"] == digests[-1] and len(shown["Layers"]) == 3, f"{shown}\n{r}")
            r.says(f"id {image.id}", step=f"show p{number}")
        check(digests[0] == digests[1], "both kinds of docker-archive give the same bytes")
        check(len(set(digests[2:])) == 1, "a layout is sent as it is")
        check(digests[2] == json.loads((w.repo / "layout/index.json").read_text())["manifests"][0]["digest"], "its own digest")


def blobs(rows):
    """The uploads among requests."""
    return [row for row in rows if row.startswith(("POST", "PATCH")) or row.startswith("PUT") and "/blobs/" in row]


def no_secret(w, r, *more):
    """Nothing of the password in what was shown, said or kept."""
    for text in (PASSWORD, *more):
        for place, said in (("the log", r.out + r.err), ("the run folder", w.recorded())):
            check(text not in said, f"{place} holds {text!r}\n{r}")


@case(quick=False)
def a_second_push_sends_no_blob_and_a_sister_repository_mounts_them(w):
    image = Image({"srv/one": os.urandom(100_000)}, {"srv/two": b"two"})
    image.archive(w.repo / "app.tar")
    image.layout(w.repo / "layout")
    w.git("add", "-A", "-f")
    with Registry(w.root / "registry") as registry:
        to = f"{registry.host}/team/app"
        checkout = "- uses: actions/checkout@v4\n"
        first = run(w, checkout + push(w, "app.tar", to))
        first.says("4 blobs sent", "0 mounted, 0 there already", step="push")
        sent = registry.requests()
        check(len(blobs(sent)) == 8 and len(sent) <= 16, f"{len(sent)} requests:\n" + "\n".join(sent))
        registry.forget()
        second = run(w, checkout + push(w, "app.tar", to))
        second.says("0 blobs sent (0 B), 0 mounted, 4 there already", step="push")
        second.says("3 layers of 'app.tar' are there already, and need not be packed", step="push")
        sent = registry.requests()
        check(not blobs(sent) and len(sent) <= 9, f"{len(sent)} requests:\n" + "\n".join(sent))
        second.equal("digest", digest_of(second), digest_of(first))
        registry.forget()
        third = run(w, checkout + push(w, "app.tar", to, reuse=False))
        check(digest_of(third) == digest_of(first), "packed again, it is the same")
        sent = registry.requests()
        check(not blobs(sent) and len(sent) <= 6, f"{len(sent)} requests:\n" + "\n".join(sent))
        # two repositories at once: the second takes what the first has
        r = run(w, checkout + push(w, "layout", f"{to}/a\n{to}/b"))
        r.says("team/app/a: 4 blobs sent", "team/app/b: 0 blobs sent (0 B), 4 mounted", step="push")
        r = run(w, checkout + push(w, "layout", f"{to}/c", mount_from="team/nothing\nteam/app/a"))
        r.says("team/app/c: 0 blobs sent (0 B), 4 mounted", step="push")
        r = run(w, checkout + push(w, "layout", f"{to}/d", mount_from="team/nothing"))
        r.says("team/app/d: 4 blobs sent", step="push")
        check(not registry.open_uploads(), f"left open: {registry.open_uploads()}")
        r = run(w, checkout + push(w, "layout", f"{to}/e", dry_run=True))
        r.says(f"{to}/e:latest would be pushed: 4 blobs to send", step="push")
        check(not [x for x in registry.requests() if x.startswith(("PUT", "POST")) and "/e/" in x], "a dry run wrote")


@case(quick=False)
def a_password_is_asked_for_and_wrong_ones_are_one_clear_error(w):
    Image(busybox=False).layout(w.repo / "layout")
    Image({"a": b"a"}, busybox=False).layout(w.repo / "layout")
    w.git("add", "-A", "-f")
    with Registry(w.root / "registry", auth="htpasswd") as registry:
        to = f"{registry.host}/team/app"
        checkout = "- uses: actions/checkout@v4\n"
        login = {"username": USER, "password": "${{ secrets.PW }}"}
        secrets = ("--secret", f"PW={PASSWORD}")
        done = w.start(w.steps(checkout + push(w, "layout", to, **login)), *secrets).finish(60).exits(0)
        done.says("2 blobs sent", step="push")
        no_secret(w, done)
        done = w.start(w.steps(checkout + push(w, "layout", to, username=USER, password="wr0ng-password"))).finish(60).exits(1)
        done.says(f"the user name or the password for '{registry.host}' is wrong", step="push")
        check(done.log("push").count("##[error]") == 1, done.log("push"))
        done = run(w, checkout + push(w, "layout", to), code=1)
        done.says(f"nobody is logged in to '{registry.host}'", "give 'username' and 'password'", step="push")
        # as docker login leaves it, in a place of the job's own
        script = ("- run: |\n    mkdir -p $RUNNER_TEMP/d && echo DOCKER_CONFIG=$RUNNER_TEMP/d >>$GITHUB_ENV\n"
                  "    auth=$(printf '%s:%s' ci \"$PW\" | base64)\n"
                  f"    echo '{{\"auths\":{{\"{registry.host}\":{{\"auth\":\"'$auth'\"}}}}}}' >$RUNNER_TEMP/d/config.json\n"
                  "  env: {PW: '${{ secrets.PW }}'}\n")
        done = w.start(w.steps(checkout + script + push(w, "layout", to, tags="two")), *secrets).finish(60).exits(0)
        done.says("2 there already", step="push")
        no_secret(w, done)
        # a credential helper
        w.write("bin/docker-credential-vault", f"""\
            #!/bin/sh
            read -r host
            test "$1 $host" = "get {registry.host}" || exit 1
            echo '{{"ServerURL":"x","Username":"{USER}","Secret":"{PASSWORD}"}}'
            """, mode=0o755)
        w.write("d/config.json", json.dumps({"credHelpers": {registry.host: "vault"}}))
        w.git("add", "-A", "-f")
        script = "- run: echo DOCKER_CONFIG=$PWD/d >>$GITHUB_ENV; echo $PWD/bin >>$GITHUB_PATH\n"
        done = w.start(w.steps(checkout + script + push(w, "layout", to, tags="three"))).finish(60).exits(0)
        done.says("2 there already", step="push")
        check(PASSWORD not in done.log("push"), "the helper's secret is in the log")


@case(quick=False, limit=90)
def tokens_are_asked_for_renewed_and_never_shown(w):
    Image({"a": os.urandom(50_000)}, {"b": b"b"}, busybox=False).layout(w.repo / "layout")
    w.git("add", "-A", "-f")
    checkout, login = "- uses: actions/checkout@v4\n", {"username": USER, "password": "${{ secrets.PW }}"}

    def go(to, code=0, **more):
        done = w.start(w.steps(checkout + push(w, "layout", to, **{**login, **more})), "--secret", f"PW={PASSWORD}")
        done = done.finish(60).exits(code)
        no_secret(w, done)
        return done

    with Tokens(w.root / "tokens") as tokens, Registry(w.root / "registry", tokens=tokens) as registry:
        go(f"{registry.host}/team/app")
        check([(a, b) for a, b, _ in tokens.asked] == [("GET", ["repository:team/app:pull,push"])], str(tokens.asked))
        tokens.asked.clear()
        go(f"{registry.host}/team/other", mount_from="team/app").says("3 mounted", step="push")
        check(["repository:team/other:pull,push", "repository:team/app:pull"] in [x[1] for x in tokens.asked], str(tokens.asked))
        done = go(f"{registry.host}/team/app", code=1, username="nobody")
        done.says(f"the user name or the password for '{registry.host}' is wrong", step="push")
        # a token that dies while the push goes on: each request that comes too late gets a new one
        tokens.life = 2
        with Proxy(registry.host) as slow:
            slow.harm("POST", "/uploads/", 3, lambda q: None).rules.clear()
            slow.harm("PUT", "/blobs/uploads/", 1, "status", 401,
                      {"WWW-Authenticate": f'Bearer realm="{tokens.url}",service="test",scope="repository:team/late:pull,push",'
                                           'error="invalid_token"'})
            slow.harm("HEAD", "/blobs/", 1, "hang", 2.2)
            tokens.asked.clear()
            go(f"{slow.host}/team/late")
            check(len(tokens.asked) >= 2, str(tokens.asked))
        # less is granted than was asked: one answer, no loop
        tokens.life, tokens.grant = 300, ["pull"]
        tokens.asked.clear()
        go(f"{registry.host}/team/new", code=1).says(f"'{USER}' may not do this at '{registry.host}'", step="push")
        check(len(tokens.asked) <= 2, str(tokens.asked))


@case(quick=False)
def a_private_authority_is_trusted_when_it_is_named(w):
    Image({"a": b"a"}, busybox=False).layout(w.repo / "layout")
    good, other = certificate(w.root / "tls", "good"), certificate(w.root / "tls", "other")
    for crt, _ in (good, other):
        w.write(crt.name, crt.read_bytes())
    w.git("add", "-A", "-f")
    checkout = "- uses: actions/checkout@v4\n"
    with Registry(w.root / "registry", tls=good) as registry:
        to = f"{registry.host}/team/app"
        run(w, checkout + push(w, "layout", to, ca_file="good.crt")).says("2 blobs sent", step="push")
        run(w, checkout + push(w, "layout", to, insecure=registry.host)).says("2 there already", step="push")
        run(w, checkout + "- run: echo SSL_CERT_FILE=$PWD/good.crt >>$GITHUB_ENV\n" + push(w, "layout", to))
        for more in ({}, {"ca_file": "other.crt"}):
            r = run(w, checkout + push(w, "layout", to, **more), code=1)
            r.says("certificate", "give the file with its authority's certificate as 'ca-file'", step="push")
            check(r.log("push").count("##[error]") == 1, r.log("push"))


@case(quick=False, limit=120)
def what_breaks_on_the_way_is_done_again(w):
    image = Image({"srv/data": os.urandom(3_000_000)}, {"b": b"b"}, busybox=False)
    image.layout(w.repo / "layout")
    w.git("add", "-A", "-f")
    checkout = "- uses: actions/checkout@v4\n"
    big = max((w.repo / "layout/blobs/sha256").iterdir(), key=lambda p: p.stat().st_size).name

    def relative(_, headers):
        headers["Location"] = "/" + headers["Location"].split("/", 3)[3]

    with Registry(w.root / "registry") as registry, Proxy(registry.host) as proxy:
        number = 0

        def go(code=0, **more):
            nonlocal number
            number += 1
            done = run(w, checkout + push(w, "layout", f"{proxy.host}/team/app{number}", **more), code=code)
            proxy.rules.clear()
            if code == 0:
                registry.skopeo("copy", f"docker://{registry.host}/team/app{number}", f"dir:{w.root}/copy{number}", user=False)
            return done

        proxy.harm("PUT", f"digest=sha256.*{big}", 1, "cut", 1_000_000)     # in the middle of a body
        proxy.harm("PUT", "/manifests/", 1, "cut-answer")                   # it was done, and nobody was told
        go().says("the upload broke off", step="push")
        proxy.harm("POST", "/uploads/", 1, "status", 429, {"Retry-After": "1"})
        proxy.harm("HEAD", "/blobs/", 2, "status", 503)
        proxy.harm("PUT", "/manifests/", 1, "status", 502)
        go().says("the server answered 429; trying again in 1.0 s", "the server answered 503", step="push")
        proxy.harm("PUT", "/blobs/", 1, "cut-answer")
        proxy.harm("POST", "/uploads/", 9, "rewrite", relative)             # as ghcr.io has it
        go()
        proxy.harm("PUT", f"digest=sha256.*{big}", 1, "status", 413)        # only small requests pass
        proxy.harm("PATCH", "/uploads/", 1, "status", 413)
        go().says("trying a stream", "trying chunks of 4 MiB", step="push")
        sent = go(chunk_size=1)
        check(len([x for x in proxy.seen if x.startswith("PATCH")]) >= 5, f"{proxy.seen}\n{sent}")
        proxy.harm("PATCH", "/uploads/", 1, "cut", 300_000)                 # this registry forgets then: from the start
        go(chunk_size=1)
        proxy.harm("PUT", "/manifests/", 1, "status", 400)
        go(code=1).says("answered 400 <html>busy</html>", step="push")
        proxy.harm("PUT", "/blobs/", 99, "status", 403)
        go(code=1).says("may not do this", step="push")
        r = registry.open_uploads()
        check(len(r) <= 4, f"uploads that nobody will finish: {r}")


@case(quick=False, limit=90)
def a_push_that_was_killed_goes_on_where_it_was(w):
    image = Image({"one": os.urandom(400_000)}, {"two": os.urandom(300_000)}, {"three": b"three"}, busybox=False)
    image.archive(w.repo / "app.tar")
    w.git("add", "-A", "-f")
    steps = "- uses: actions/checkout@v4\n"
    with Registry(w.root / "registry") as registry, Proxy(registry.host) as proxy:
        stuck = []
        proxy.harm("PUT", "/blobs/uploads/", 1, lambda q: (stuck.append(q), time.sleep(8)))
        going = w.start(w.steps(steps + push(w, "app.tar", f"{proxy.host}/team/app")))
        deadline = time.monotonic() + 30
        while len([x for x in registry.requests() if x.startswith("PUT")]) < 3:
            going._pump(0.05)
            check(time.monotonic() < deadline, "the other blobs never came")
        pids = [p for p in watch.descendants() if "plugin-child" in watch.describe(p)]
        check(pids, f"no plugin: {[watch.describe(p) for p in watch.descendants()]}")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        killed = going.finish(30).exits(1)
        killed.says("ostler/docker-push", step="push")
        registry.forget()
        r = run(w, steps + push(w, "app.tar", f"{proxy.host}/team/app"))
        r.says("1 blob sent", "3 there already", step="push")
        check(len([x for x in registry.requests() if x.startswith("PUT") and "/blobs/" in x]) == 1, str(registry.requests()))


@case(quick=False)
def secrets_never_follow_a_redirect(w):
    Image({"a": b"a"}, busybox=False).layout(w.repo / "layout")
    w.git("add", "-A", "-f")

    class Storage(Server):
        def answer(self, request):
            self.seen.append((request.command, dict(request.headers)))
            self.reply(request, 404)

    with Tokens(w.root / "tokens") as tokens, Registry(w.root / "registry", tokens=tokens) as registry, \
            Proxy(registry.host) as proxy, Storage() as storage:
        away = {"Location": f"http://{storage.host}/bucket/x?signature=1"}
        proxy.harm("HEAD", "/blobs/", 2, lambda q: Server.reply(q, 307 if q.headers.get("Authorization") else 401, b"", **(
            away if q.headers.get("Authorization") else
            {"WWW-Authenticate": f'Bearer realm="{tokens.url}",service="test"'})))
        r = w.start(w.steps("- uses: actions/checkout@v4\n" + push(w, "layout", f"{proxy.host}/team/app", username=USER,
                                                                   password="${{ secrets.PW }}")),
                    "--secret", f"PW={PASSWORD}").finish(60).exits(0)
        check(storage.seen and not [x for x in storage.seen if "Authorization" in x[1]], str(storage.seen))
        no_secret(w, r, "signature=1")


@case(quick=False)
def several_platforms_become_one_index(w):
    amd, arm = Image({"a": b"amd"}), Image({"a": b"arm"}, architecture="arm64")
    amd.archive(w.repo / "amd.tar")
    arm.archive(w.repo / "arm.tar")
    digest = nested(w.repo / "both", amd, arm)
    w.git("add", "-A", "-f")
    checkout = "- uses: actions/checkout@v4\n"
    with Registry(w.root / "registry") as registry:
        to = f"{registry.host}/team/app"

        def raw(tag):
            return json.loads(registry.skopeo("inspect", "--raw", f"docker://{to}:{tag}", user=False))

        run(w, checkout + push(w, "amd.tar\narm.tar", to, tags="two")
            + push(w, "both", to, tags="nested", name="whole") + push(w, "both", to, tags="arm", name="arm", platforms="linux/arm64")
            + push(w, "amd.tar", to, tags="oci", name="oci", format="oci") + push(w, "amd.tar", to, tags="zstd", name="zstd", compression="zstd")
            + push(w, "both", to, tags="docker", name="docker", format="docker"))
        two, whole = raw("two"), raw("nested")
        check(two["mediaType"].endswith("manifest.list.v2+json") and len(two["manifests"]) == 2, str(two))
        check([m["platform"]["architecture"] for m in two["manifests"]] == ["amd64", "arm64"], str(two))
        check(sha(registry.skopeo("inspect", "--raw", f"docker://{to}:nested", user=False)) == digest, str(whole))
        check(raw("arm")["config"]["digest"] == arm.id, str(raw("arm")))
        check({x["mediaType"] for x in raw("oci")["layers"]} == {f"{imagefiles.OCI}.layer.v1.tar+gzip"}, str(raw("oci")))
        check({x["mediaType"] for x in raw("zstd")["layers"]} == {f"{imagefiles.OCI}.layer.v1.tar+zstd"}, str(raw("zstd")))
        check("docker" in raw("docker")["mediaType"], str(raw("docker")))
        for architecture in ("amd64", "arm64"):
            for tag in ("two", "nested", "docker"):
                registry.skopeo("copy", f"docker://{to}:{tag}", f"dir:{w.root}/{tag}{architecture}", user=False,
                                top=[f"--override-arch={architecture}"])
        registry.skopeo("copy", f"docker://{to}:zstd", f"dir:{w.root}/zstd", user=False)
        r = run(w, checkout + push(w, "both", to, platforms="windows/amd64"), code=1)
        r.says("there is no image for the platform 'windows/amd64'; there is linux/amd64, linux/arm64", step="push")


@case(quick=False)
def what_is_damaged_is_refused_before_it_is_named(w):
    image = Image({"a": os.urandom(1000)}, busybox=False)
    image.layout(w.repo / "layout")
    big = max((w.repo / "layout/blobs/sha256").iterdir(), key=lambda p: p.stat().st_size)
    big.write_bytes(bytes(big.stat().st_size))
    image.config = image.config.replace(sha(image.layers[0]).encode(), sha(b"another").encode())
    image.archive(w.repo / "app.tar")
    w.write("text.tar", "this is no archive\n")
    (w.repo / "out").symlink_to("/etc")
    w.git("add", "-A", "-f")
    checkout = "- uses: actions/checkout@v4\n"
    with Registry(w.root / "registry") as registry:
        to = f"{registry.host}/team/app"
        for source, said in (("layout", "layer 1 of 'layout' is not what it was when it was looked at"),
                             ("app.tar", "layer 1 of 'app.tar' is damaged: it is not what the image's configuration says"),
                             ("text.tar", "'text.tar' is no archive of an image"), ("none.tar", "cannot open the source 'none.tar'"),
                             ("out", "'out' holds no image")):
            r = run(w, checkout + push(w, source, to), code=1)
            r.says(said, step="push")
            check(r.log("push").count("##[error]") == 1, r.log("push"))
        check(not [x for x in registry.requests() if "/manifests/" in x and x.startswith("PUT")], "a manifest was put")
        r = run(w, checkout + push(w, "layout", f"{registry.host}/Team/App"), code=1)
        r.says("names of images have no capital letters", step="push")


@case(who="root", quick=False, needs=("docker",), limit=120)
def an_image_of_the_engine_is_pushed_pulled_and_run(w):
    made = ["docker", "build", "-q", "-t", "ostler-test/pushed:1", "-"]
    subprocess.run(made, input=f"FROM {BUSYBOX}\nRUN echo it runs >/said\nCMD cat /said\n".encode(), check=True, capture_output=True)
    with Registry(w.root / "registry") as registry:
        to = f"{registry.host}/team/app"
        try:
            r = run(w, push(w, "engine:ostler-test/pushed:1", to, tags="=1\nbranch\nsemver"), args=HOST)
            local = subprocess.run(["docker", "image", "inspect", "-f", "{{.Id}}", "ostler-test/pushed:1"], check=True,
                                   capture_output=True, text=True).stdout.strip()
            r.says(f"id {local}", step="show push")
            subprocess.run(["docker", "rmi", "-f", "ostler-test/pushed:1"], check=True, capture_output=True)
            ran = subprocess.run(["docker", "run", "--rm", f"{to}@{digest_of(r)}"], capture_output=True, text=True)
            check(ran.stdout == "it runs\n", f"{ran.stdout}{ran.stderr}")
            r = run(w, push(w, "engine:no/such:1", to), code=1, args=HOST)
            r.says("docker has no image 'no/such:1' to save", step="push")
        finally:
            subprocess.run(["docker", "rmi", "-f", "ostler-test/pushed:1", f"{to}:1"], capture_output=True)
