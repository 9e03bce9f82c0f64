"""ostler/docker-push against real registries: every source, every way to log in, and a proxy that does harm."""

import json
import os
import re
import subprocess
import time

import imagefiles
import watch
from case import case
from engine import BUSYBOX
from imagefiles import Image, layout, nested, sha, tarred
from registries import PASSWORD, USER, Proxy, Registry, Server, Tokens, certificate
from world import check


def push(source, image, *, name="push", **inputs):
    """A step that pushes and may fail, and one that shows its outputs."""
    given = {"source": source, "image": image, **{k.replace("_", "-"): v for k, v in inputs.items()}}
    return (f"- {{name: {name}, id: {name}, uses: ostler/docker-push@v1, continue-on-error: true, with: {json.dumps(given)}}}\n"
            f"- name: show {name}\n"
            f"  run: echo 'digest ${{{{ steps.{name}.outputs.digest }}}} id ${{{{ steps.{name}.outputs.imageid }}}}'\n")


HOST = ("--isolation", "host")  # where the engine's socket is, which is not /var/run/docker.sock here


def run(w, steps, args=(), limit=60):
    """w.run() would find the registry running."""
    w.git("add", "-A", "-f")
    done = w.start(w.steps("- uses: actions/checkout@v4\n" + steps), *args).finish(limit)
    w.sane(done)
    return done.exits(0)


def went(r, name, *said):
    """The push went well, and said that."""
    r.equal(f"outcome of {name}", r.step(name)["outcome"], "success")
    r.says(*said, step=name)


def failed(r, name, *said):
    """It failed, with one error, which said that."""
    r.equal(f"outcome of {name}", r.step(name)["outcome"], "failure")
    r.says(*said, step=name)
    r.equal(f"errors of {name}", r.log(name).count("##[error]"), 1)


def digest_of(r, name="push"):
    """What the step said it pushed."""
    return re.search(r"^digest (sha256:\S{64}) ", r.log(f"show {name}"), re.M).group(1)


def blobs(rows):
    """The uploads among requests."""
    return [row for row in rows if row.startswith(("POST", "PATCH")) or row.startswith("PUT") and "/blobs/" in row]


def no_secret(w, r, *more):
    """Nothing of the password in what was shown, said or kept."""
    for text in (PASSWORD, *more):
        for place, said in (("the log", r.out + r.err), ("the run folder", w.recorded())):
            check(text not in said, f"{place} holds {text!r}\n{r}")


LOGIN = {"username": USER, "password": "${{ secrets.PW }}"}
SECRETS = ("--secret", f"PW={PASSWORD}")


@case(quick=False, limit=90)
def sources_of_every_kind_arrive_whole(w):
    image = Image({"etc/motd": b"hello " * 3000}, {"srv/data": os.urandom(200_000)})
    image.archive(w.repo / "old.tar")
    image.archive(w.repo / "links.tar", links=True)
    image.layout(w.repo / "layout")
    w.write("layout/manifest.json", "[]")  # engines from 25 on put one beside, for old readers
    tarred(w.repo / "layout", w.repo / "layout.tar")
    tarred(w.repo / "layout", w.repo / "layout.tar.gz", "gzip")
    names = ("old.tar", "links.tar", "layout", "layout.tar", "layout.tar.gz")
    with Registry(w.root / "registry") as registry:
        r = run(w, "".join(push(source, f"{registry.host}/team/app{number}", tags="1\nlatest\nextra", name=f"p{number}")
                           for number, source in enumerate(names)))
        digests = []
        for number in range(len(names)):
            went(r, f"p{number}")
            digests.append(digest_of(r, f"p{number}"))
            raw = registry.skopeo("inspect", "--raw", f"docker://{registry.host}/team/app{number}:1", user=False)
            r.equal(f"digest of source {number}", digests[-1], sha(raw))
            shown = json.loads(registry.skopeo("inspect", f"docker://{registry.host}/team/app{number}", user=False))
            check(shown["Digest"] == digests[-1] and len(shown["Layers"]) == 3, f"{shown}\n{r}")
            r.says(f"id {image.id}", step=f"show p{number}")
        check(digests[0] == digests[1], "both kinds of docker-archive give the same bytes")
        check(len(set(digests[2:])) == 1, "a layout is sent as it is")
        check(digests[2] == json.loads((w.repo / "layout/index.json").read_text())["manifests"][0]["digest"], "its own digest")


@case(quick=False, limit=90)
def a_second_push_sends_no_blob_and_a_sister_repository_mounts_them(w):
    image = Image({"srv/one": os.urandom(100_000)}, {"srv/two": b"two"})
    image.archive(w.repo / "app.tar")
    image.layout(w.repo / "layout")
    with Registry(w.root / "registry") as registry:
        to = f"{registry.host}/team/app"
        first = run(w, push("app.tar", to))
        went(first, "push", "4 blobs sent", "0 mounted, 0 there already")
        sent = registry.requests()
        check(len(blobs(sent)) == 8 and len(sent) <= 16, f"{len(sent)} requests:\n" + "\n".join(sent))
        registry.forget()
        second = run(w, push("app.tar", to))
        went(second, "push", "0 blobs sent (0 B), 0 mounted, 4 there already",
             "3 layers of 'app.tar' are there already, and need not be packed")
        sent = registry.requests()
        check(not blobs(sent) and len(sent) <= 9, f"{len(sent)} requests:\n" + "\n".join(sent))
        registry.forget()
        # two repositories at once: the second takes what the first has
        r = run(w, push("app.tar", to, reuse=False, name="packed") + push("layout", f"{to}/a\n{to}/b", name="two")
                + push("layout", f"{to}/c", mount_from="team/nothing\nteam/app/a", name="mounted")
                + push("layout", f"{to}/d", mount_from="team/nothing", name="nothing")
                + push("layout", f"{to}/e", dry_run=True, name="dry"))
        check(digest_of(r, "packed") == digest_of(second) == digest_of(first), "packed again, it is the same")
        sent = [x for x in registry.requests() if "/v2/team/app/blobs" in x or "/v2/team/app/manifests" in x]
        check(not blobs(sent) and len(sent) == 5, f"{len(sent)} requests:\n" + "\n".join(sent))
        went(r, "two", "team/app/a: 4 blobs sent", "team/app/b: 0 blobs sent (0 B), 4 mounted")
        went(r, "mounted", "team/app/c: 0 blobs sent (0 B), 4 mounted")
        went(r, "nothing", "team/app/d: 4 blobs sent")
        went(r, "dry", f"{to}/e:latest would be pushed: 4 blobs to send")
        check(not registry.open_uploads(), f"left open: {registry.open_uploads()}")
        check(not [x for x in registry.requests() if x.startswith(("PUT", "POST")) and "/e/" in x], "a dry run wrote")


@case(quick=False, limit=90)
def a_password_is_asked_for_and_wrong_ones_are_one_clear_error(w):
    Image({"a": b"a"}, busybox=False).layout(w.repo / "layout")
    with Registry(w.root / "registry", auth="htpasswd") as registry:
        to = f"{registry.host}/team/app"
        w.write("bin/docker-credential-vault", f"""\
            #!/bin/sh
            read -r host
            test "$1 $host" = "get {registry.host}" || exit 1
            printf '{{"ServerURL":"x","Username":"{USER}","Secret":"%s"}}' "$PW"
            """, mode=0o755)
        w.write("helper/config.json", json.dumps({"credHelpers": {registry.host: "vault"}}))
        r = run(w, push("layout", to, **LOGIN, name="known") + push("layout", to, username=USER, password="wr0ng", name="wrong")
                + push("layout", to, name="nobody")
                # as docker login leaves it, in a place of the job's own
                + "- run: |\n    mkdir -p $RUNNER_TEMP/d && echo DOCKER_CONFIG=$RUNNER_TEMP/d >>$GITHUB_ENV\n"
                "    auth=$(printf '%s:%s' ci \"$PW\" | base64)\n"
                f"    echo '{{\"auths\":{{\"{registry.host}\":{{\"auth\":\"'$auth'\"}}}}}}' >$RUNNER_TEMP/d/config.json\n"
                "  env: {PW: '${{ secrets.PW }}'}\n" + push("layout", to, tags="two", name="config")
                + "- run: |\n    echo DOCKER_CONFIG=$PWD/helper >>$GITHUB_ENV\n    echo PW=$PW >>$GITHUB_ENV\n"
                "    echo $PWD/bin >>$GITHUB_PATH\n  env: {PW: '${{ secrets.PW }}'}\n"
                + push("layout", to, tags="three", name="helper"), SECRETS)
        went(r, "known", "2 blobs sent")
        failed(r, "wrong", f"the user name or the password for '{registry.host}' is wrong")
        failed(r, "nobody", f"nobody is logged in to '{registry.host}'", "give 'username' and 'password'")
        went(r, "config", "2 there already")
        went(r, "helper", "2 there already")
        no_secret(w, r)


@case(quick=False, limit=90)
def tokens_are_asked_for_renewed_and_never_shown(w):
    Image({"a": os.urandom(50_000)}, {"b": b"b"}, busybox=False).layout(w.repo / "layout")

    def go(*pushes):
        tokens.asked.clear()
        r = run(w, "".join(pushes), SECRETS)
        no_secret(w, r)
        return r

    with Tokens(w.root / "tokens") as tokens, Registry(w.root / "registry", tokens=tokens) as registry, \
            Proxy(registry.host) as proxy:
        to = f"{registry.host}/team"
        r = go(push("layout", f"{to}/app", **LOGIN, name="one"),
               push("layout", f"{to}/other", **LOGIN, mount_from="team/app", name="two"),
               push("layout", f"{to}/app", username="nobody", password="x", name="wrong"))
        went(r, "one", "3 blobs sent")
        went(r, "two", "3 mounted")
        failed(r, "wrong", f"the user name or the password for '{registry.host}' is wrong")
        scopes = [(method, scope) for method, scope, _ in tokens.asked]
        check(scopes[0] == ("GET", ["repository:team/app:pull,push"]), str(scopes))
        check(("GET", ["repository:team/other:pull,push", "repository:team/app:pull"]) in scopes, str(scopes))
        check(len(scopes) == 4, str(scopes))
        # a token that dies on the way, and a 401 after the body: one new token, and the same request again
        tokens.life = 2
        proxy.harm("PUT", "/blobs/uploads/", 1, "status", 401,
                   {"WWW-Authenticate": f'Bearer realm="{tokens.url}",service="test",error="invalid_token"'})
        proxy.harm("HEAD", "/blobs/", 1, "hang", 2.2)
        went(go(push("layout", f"{proxy.host}/team/late", **LOGIN)), "push", "3 blobs sent")
        check(len(tokens.asked) >= 2, str(tokens.asked))
        # less is granted than was asked: one answer, no loop
        tokens.life, tokens.grant = 300, ["pull"]
        failed(go(push("layout", f"{to}/new", **LOGIN)), "push", f"'{USER}' may not do this at '{registry.host}'")
        check(len(tokens.asked) <= 2, str(tokens.asked))


@case(quick=False)
def a_private_authority_is_trusted_when_it_is_named(w):
    Image({"a": b"a"}, busybox=False).layout(w.repo / "layout")
    good, other = certificate(w.root / "tls", "good"), certificate(w.root / "tls", "other")
    for crt, _ in (good, other):
        w.write(crt.name, crt.read_bytes())
    with Registry(w.root / "registry", tls=good) as registry:
        to = f"{registry.host}/team/app"
        r = run(w, push("layout", to, ca_file="good.crt", name="named") + push("layout", to, insecure=registry.host, name="listed")
                + push("layout", to, name="unknown") + push("layout", to, ca_file="other.crt", name="other")
                + "- run: echo SSL_CERT_FILE=$PWD/good.crt >>$GITHUB_ENV\n" + push("layout", to, name="environment"))
        went(r, "named", "2 blobs sent")
        went(r, "listed", "2 there already")
        went(r, "environment", "2 there already")
        for name in ("unknown", "other"):
            failed(r, name, "certificate", "give the file with its authority's certificate as 'ca-file'")


@case(quick=False, limit=120)
def what_breaks_on_the_way_is_done_again(w):
    Image({"srv/data": os.urandom(3_000_000)}, {"b": b"b"}, busybox=False).layout(w.repo / "layout")
    big = max((w.repo / "layout/blobs/sha256").iterdir(), key=lambda p: p.stat().st_size).name

    def relative(_, headers):
        headers["Location"] = "/" + headers["Location"].split("/", 3)[3]

    with Registry(w.root / "registry") as registry, Proxy(registry.host) as proxy:
        def to(name, **inputs):
            return push("layout", f"{proxy.host}/{name}", name=name, **inputs)

        proxy.harm("PUT", f"/cut/.*digest=sha256.*{big}", 1, "cut", 1_000_000)   # in the middle of a body
        proxy.harm("PUT", "/cut/manifests/", 1, "cut-answer")                    # it was done, and nobody was told
        proxy.harm("POST", "/busy/blobs/uploads/", 1, "status", 429, {"Retry-After": "1"})
        proxy.harm("HEAD", "/busy/blobs/", 2, "status", 503)
        proxy.harm("PUT", "/busy/manifests/", 1, "status", 502)
        proxy.harm("PUT", "/lost/blobs/", 1, "cut-answer")
        proxy.harm("POST", "/lost/blobs/uploads/", 9, "rewrite", relative)       # as ghcr.io has it
        proxy.harm("PUT", f"/small/.*digest=sha256.*{big}", 1, "status", 413)    # only small requests pass
        proxy.harm("PATCH", "/small/blobs/uploads/", 1, "status", 413)
        proxy.harm("PATCH", "/broken/blobs/uploads/", 1, "cut", 300_000)         # in a chunk: it goes on where it was
        proxy.harm("PUT", "/bad/manifests/", 1, "status", 400)
        proxy.harm("PUT", "/denied/blobs/", 9, "status", 403)
        r = run(w, "".join(map(to, ("cut", "busy", "lost", "small"))) + to("chunks", chunk_size=1) + to("broken", chunk_size=1)
                + to("bad") + to("denied"), limit=100)
        went(r, "cut", "the upload broke off")
        went(r, "busy", "the server answered 429; trying again in 1.0 s", "the server answered 503", "the server answered 502")
        went(r, "lost")
        went(r, "small", "trying a stream", "trying chunks of 4 MiB")
        went(r, "chunks")
        went(r, "broken")
        check([x for x in proxy.seen if x.startswith("GET /v2/broken/blobs/uploads/")], "it asks where it stands")
        failed(r, "bad", "answered 400 <html>busy</html>")
        failed(r, "denied", "may not do this")
        check(len([x for x in proxy.seen if x.startswith("PATCH /v2/chunks")]) >= 5, f"{proxy.seen}\n{r}")
        for name in ("cut", "busy", "lost", "small", "chunks", "broken"):
            registry.skopeo("copy", f"docker://{registry.host}/{name}", f"dir:{w.root}/{name}", user=False)


@case(quick=False, limit=90)
def a_push_that_was_killed_goes_on_where_it_was(w):
    Image({"one": os.urandom(400_000)}, {"two": os.urandom(300_000)}, {"three": b"three"}, busybox=False).archive(w.repo / "app.tar")
    w.git("add", "-A", "-f")
    with Registry(w.root / "registry") as registry, Proxy(registry.host) as proxy:
        steps = push("app.tar", f"{proxy.host}/team/app")
        proxy.harm("PUT", "/blobs/uploads/", 1, lambda _: time.sleep(8))
        going = w.start(w.steps("- uses: actions/checkout@v4\n" + steps))
        deadline = time.monotonic() + 30
        while len([x for x in registry.requests() if x.startswith("PUT")]) < 3:
            going._pump(0.05)
            check(time.monotonic() < deadline, "the other blobs never came")
        pids = [p for p in watch.descendants() if "plugin-child" in watch.describe(p)]
        check(pids, f"no plugin: {[watch.describe(p) for p in watch.descendants()]}")
        for pid in pids:
            watch.kill(pid)
        going.finish(30).says("ostler/docker-push", step="push")
        registry.forget()
        went(run(w, steps), "push", "1 blob sent", "3 there already")
        check(len([x for x in registry.requests() if x.startswith("PUT") and "/blobs/" in x]) == 1, str(registry.requests()))


@case(quick=False)
def secrets_never_follow_a_redirect(w):
    Image({"a": b"a"}, busybox=False).layout(w.repo / "layout")

    class Storage(Server):
        def answer(self, request):
            self.seen.append((request.command, dict(request.headers)))
            self.reply(request, 404)

    with Tokens(w.root / "tokens") as tokens, Registry(w.root / "registry", tokens=tokens) as registry, \
            Proxy(registry.host) as proxy, Storage() as storage:
        def away(request):
            if request.headers.get("Authorization"):
                Server.reply(request, 307, Location=f"http://{storage.host}/bucket/x?signature=1")
            else:
                Server.reply(request, 401, WWW_Authenticate=f'Bearer realm="{tokens.url}",service="test"')

        proxy.harm("HEAD", "/blobs/", 2, away)
        r = run(w, push("layout", f"{proxy.host}/team/app", **LOGIN), SECRETS)
        went(r, "push", "2 blobs sent")
        check(storage.seen and not [x for x in storage.seen if "Authorization" in x[1]], str(storage.seen))
        no_secret(w, r, "signature=1")


@case(quick=False)
def several_platforms_become_one_index(w):
    amd, arm = Image({"a": b"amd"}), Image({"a": b"arm"}, architecture="arm64")
    amd.archive(w.repo / "amd.tar")
    arm.archive(w.repo / "arm.tar")
    digest = nested(w.repo / "both", amd, arm)
    with Registry(w.root / "registry") as registry:
        to = f"{registry.host}/team/app"

        def raw(tag):
            return json.loads(registry.skopeo("inspect", "--raw", f"docker://{to}:{tag}", user=False))

        r = run(w, push("amd.tar\narm.tar", to, tags="two", name="two") + push("both", to, tags="whole", name="whole")
                + push("both", to, tags="arm", name="arm", platforms="linux/arm64")
                + push("amd.tar", to, tags="oci", name="oci", format="oci")
                + push("amd.tar", to, tags="zstd", name="zstd", compression="zstd")
                + push("both", to, tags="docker", name="docker", format="docker")
                + push("both", to, platforms="windows/amd64", name="windows"))
        for name in ("two", "whole", "arm", "oci", "zstd", "docker"):
            went(r, name)
        failed(r, "windows", "there is no image for the platform 'windows/amd64'; there is linux/amd64, linux/arm64")
        two = raw("two")
        check(two["mediaType"].endswith("manifest.list.v2+json") and len(two["manifests"]) == 2, str(two))
        check([m["platform"]["architecture"] for m in two["manifests"]] == ["amd64", "arm64"], str(two))
        check(sha(registry.skopeo("inspect", "--raw", f"docker://{to}:whole", user=False)) == digest, str(raw("whole")))
        check(raw("arm")["config"]["digest"] == arm.id, str(raw("arm")))
        for tag, end in (("oci", "gzip"), ("zstd", "zstd")):
            check({x["mediaType"] for x in raw(tag)["layers"]} == {f"{imagefiles.OCI}.layer.v1.tar+{end}"}, str(raw(tag)))
        check("docker" in raw("docker")["mediaType"], str(raw("docker")))
        for tag in ("two", "whole", "docker", "zstd"):  # all of it can be read
            registry.skopeo("copy", f"docker://{to}:{tag}", f"dir:{w.root}/{tag}", user=False, top=["--override-arch=amd64"])
        registry.skopeo("copy", f"docker://{to}:two", f"dir:{w.root}/twoarm", user=False, top=["--override-arch=arm64"])


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
    wrong = {"layout": "layer 1 of 'layout' is not what it was when it was looked at",
             "app.tar": "layer 1 of 'app.tar' is damaged: it is not what the image's configuration says",
             "text.tar": "'text.tar' is no archive of an image", "none.tar": "cannot open the source 'none.tar'",
             "out": "'out' holds no image"}
    with Registry(w.root / "registry") as registry:
        r = run(w, "".join(push(source, f"{registry.host}/team/app", name=f"p{number}") for number, source in enumerate(wrong))
                + push("layout", f"{registry.host}/Team/App", name="name"))
        for number, said in enumerate(wrong.values()):
            failed(r, f"p{number}", said)
        failed(r, "name", "names of images have no capital letters")
        check(not [x for x in registry.requests() if "/manifests/" in x and x.startswith("PUT")], "a manifest was put")


@case(who="root", quick=False, needs=("docker",), limit=120)
def an_image_of_the_engine_is_pushed_pulled_and_run(w):
    name = "ostler-test/pushed:1"
    subprocess.run(["docker", "build", "-q", "-t", name, "-"], check=True, capture_output=True,
                   input=f"FROM {BUSYBOX}\nRUN echo it runs >/said\nCMD cat /said\n".encode())
    with Registry(w.root / "registry") as registry:
        to = f"{registry.host}/team/app"
        try:
            r = run(w, push(f"engine:{name}", to, tags="=1\nbranch\nsemver") + push("engine:no/such:1", to, name="none"), HOST)
            local = subprocess.run(["docker", "image", "inspect", "-f", "{{.Id}}", name], check=True, capture_output=True, text=True)
            went(r, "push")
            r.says(f"id {local.stdout.strip()}", step="show push")
            failed(r, "none", "docker has no image 'no/such:1' to save")
            subprocess.run(["docker", "rmi", "-f", name], check=True, capture_output=True)
            ran = subprocess.run(["docker", "run", "--rm", f"{to}@{digest_of(r)}"], capture_output=True, text=True)
            check(ran.stdout == "it runs\n", f"{ran.stdout}{ran.stderr}")
        finally:
            subprocess.run(["docker", "rmi", "-f", name, f"{to}:1"], capture_output=True)
