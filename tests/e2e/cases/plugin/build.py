"""ostler/build: real tools and real engines build, and what has been built is not built again."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import zipfile

import jsonschema

from case import case
from cases.container.podman import Podman
from engine import BUSYBOX
from registries import Registry
from world import check

HEX = "^[0-9a-f]{64}$"
DESCRIPTOR = {"type": "object", "properties": {"uri": {"type": "string"}, "name": {"type": "string"},
                                               "digest": {"type": "object", "additionalProperties": {"type": "string"}}}}
# https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, https://slsa.dev/spec/v1.0/provenance
STATEMENT = {
    "type": "object", "required": ["_type", "subject", "predicateType", "predicate"], "additionalProperties": False,
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "subject": {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["name", "digest"],
            "properties": {"digest": {"type": "object", "required": ["sha256"],
                                      "properties": {"sha256": {"type": "string", "pattern": HEX}}}}}},
        "predicateType": {"const": "https://slsa.dev/provenance/v1"},
        "predicate": {
            "type": "object", "required": ["buildDefinition", "runDetails"], "additionalProperties": False,
            "properties": {
                "buildDefinition": {
                    "type": "object", "required": ["buildType", "externalParameters"], "additionalProperties": False,
                    "properties": {"buildType": {"type": "string", "format": "uri"},
                                   "externalParameters": {"type": "object"}, "internalParameters": {"type": "object"},
                                   "resolvedDependencies": {"type": "array", "items": DESCRIPTOR}}},
                "runDetails": {
                    "type": "object", "required": ["builder"], "additionalProperties": False,
                    "properties": {
                        "builder": {"type": "object", "required": ["id"],
                                    "properties": {"id": {"type": "string", "format": "uri"},
                                                   "version": {"type": "object"}}},
                        "metadata": {"type": "object", "additionalProperties": False, "properties": {
                            "invocationId": {"type": "string"},
                            "startedOn": {"type": "string", "format": "date-time"},
                            "finishedOn": {"type": "string", "format": "date-time"}}},
                        "byproducts": {"type": "array", "items": DESCRIPTOR}}}}}}}


def start(w):
    """Caches have a place that is not the user's HOME."""
    w.env["XDG_CACHE_HOME"] = str(w.root / "cache")


def with_tools(w):
    """npm may lie beside the PATH of the runs: tests/run.sh fetches one where the machine has none that will do."""
    check(shutil.which("go"), "there is no 'go': tests/run.sh installs it")
    fetched = sorted(str(p) for p in (w.project / "build" / "tools" / "node").glob("20.*/*/bin/npm"))
    path = fetched[-1] if fetched else shutil.which("npm")
    check(path, "there is no 'npm': tests/run.sh installs it")
    w.env["PATH"] += f":{os.path.dirname(path)}"


def artifact(w, name):
    """The content of an artifact of the latest run: {path: bytes}."""
    with zipfile.ZipFile(w.run_folder() / "artifacts" / f"{name}.zip") as z:
        return {i.filename: z.read(i) for i in z.infolist()}


def projects(w):
    """One of each kind, in a folder of its own."""
    w.write("c/CMakeLists.txt", """
        cmake_minimum_required(VERSION 3.18)
        project(hello C)
        add_executable(hello hello.c)
        install(TARGETS hello)
        """)
    w.write("c/hello.c", '#include <stdio.h>\nint main(void) { puts("hello from C"); return 0; }\n')
    w.write("web/package.json", '{"name": "web", "version": "1.0.0", "private": true, '
                                '"scripts": {"build": "mkdir -p dist && node -e \\"console.log(6*7)\\" > dist/answer.txt"}}')
    w.write("web/package-lock.json", '{"name": "web", "version": "1.0.0", "lockfileVersion": 3, "requires": true, '
                                     '"packages": {"": {"name": "web", "version": "1.0.0"}}}')
    w.write("py/pyproject.toml", """
        [build-system]
        requires = ["setuptools"]
        build-backend = "setuptools.build_meta"
        [project]
        name = "greeter"
        version = "1.2.3"
        [tool.setuptools]
        py-modules = ["greeter"]
        """)
    w.write("py/greeter.py", "HELLO = 'hello'\n")
    w.write("gopher/go.mod", "module example.test/gopher\n\ngo 1.19\n")
    w.write("gopher/main.go", 'package main\n\nfunc main() { println("hello from Go") }\n')
    w.write("plain/in.txt", "a\n")


FLOW = """
    - uses: actions/checkout@v4
    - {name: c, id: c, uses: ostler/build@v1, with: {path: c, inputs: "*", install-prefix: c/out, artifacts: out/bin/*}}
    - {name: web, id: web, uses: ostler/build@v1, with: {path: web, inputs: "*.json", artifacts: dist/**, name: web}}
    - name: py
      id: py
      uses: ostler/build@v1
      with: {path: py, inputs: "*", arguments: --no-build-isolation, name: py}
      env: {PIP_NO_INDEX: 1}
    - name: go
      id: go
      uses: ostler/build@v1
      with: {path: gopher, inputs: "*", name: go}
      env: {GOFLAGS: -mod=mod, GOTOOLCHAIN: local}
    - name: plain
      id: plain
      uses: ostler/build@v1
      with:
        path: plain
        command: 'tr a-z A-Z < in.txt > out.txt'
        artifacts: out.txt
        inputs: '*.txt'
        artifact: plain
        provenance: plain/provenance.json
        name: plain
    - name: look
      run: |
        c/out/bin/hello; cat web/dist/answer.txt; ls py/dist; gopher/bin/gopher 2>&1; cat plain/out.txt
        sha256sum --check SHA256SUMS; cat plain/provenance.json
        echo "skipped: ${{ steps.c.outputs.skipped }} ${{ steps.web.outputs.skipped }} ${{ steps.py.outputs.skipped }} ${{ steps.go.outputs.skipped }} ${{ steps.plain.outputs.skipped }}"
        echo "wheel: ${{ fromJSON(steps.py.outputs.artifacts)[0].path }}"
    - {uses: actions/upload-artifact@v4, with: {name: statement, path: plain/provenance.json}}
    """


@case(quick=False, limit=240)
def each_kind_is_built_once(w):
    start(w)
    with_tools(w)
    projects(w)
    w.commit("projects")
    flow = w.steps(FLOW)
    for again in (False, True):
        r = w.run(flow, code=0, limit=150)
        word = "true" if again else "false"
        r.says("hello from C", "42", "greeter-1.2.3-py3-none-any.whl", "hello from Go", "plain/out.txt: OK",
               f"skipped: {' '.join([word] * 5)}", "wheel: py/dist/greeter-1.2.3", step="look")
        for name in ("c", "web", "py", "go", "plain"):
            r.says("skipped: nothing that the result depends on has changed" if again
                   else "nothing like it has been built before", step=name)
        check(artifact(w, "plain") == {"plain/out.txt": b"A\n"}, str(artifact(w, "plain")))
        statement = json.loads(artifact(w, "statement")["provenance.json"])
        jsonschema.validate(statement, STATEMENT, format_checker=jsonschema.FormatChecker())
        check(statement["subject"] == [{"name": "plain/out.txt", "digest": {"sha256": hashlib.sha256(b"A\n").hexdigest()}}],
              str(statement))
        materials = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        check(materials[0]["digest"]["gitCommit"] == w.git("rev-parse", "HEAD"), str(materials))
    w.write("c/hello.c", '#include <stdio.h>\nint main(void) { puts("hello again"); return 0; }\n')
    w.commit("C says something else")
    r = w.run(flow, code=0, limit=100)
    r.says("'c/hello.c' changed", step="c").says("hello again", "skipped: false true true true true", step="look")


@case(quick=False)
def matrix_jobs_share_nothing(w):
    start(w)
    w.write("in.txt", "same\n")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - name: build
          uses: ostler/build@v1
          with: {command: 'echo ${{ matrix.n }} > out', artifacts: out, inputs: in.txt, artifact: 'out-${{ matrix.n }}'}
        """, job="strategy: {matrix: {n: [1, 2]}}")
    for again in (False, True):
        w.run(flow, code=0)
        for n in (1, 2):
            check(artifact(w, f"out-{n}") == {"out": f"{n}\n".encode()}, f"{n}: {artifact(w, f'out-{n}')}")
    log = w.recorded()
    check(log.count("skipped: nothing that the result depends on has changed") >= 2, log[-3000:])


IMAGE = f"FROM {BUSYBOX}\nARG WHO\nCOPY hello.txt /hello.txt\nRUN echo built for $WHO > /who\n"


def inspect(name):
    done = subprocess.run(["docker", "image", "inspect", name], capture_output=True, text=True, check=True,
                          stdin=subprocess.DEVNULL)
    return json.loads(done.stdout)[0]


@case(quick=False, needs=("docker",), limit=240)
def docker_builds_an_image_once(w):
    start(w)
    name = f"ostler-test/build-{os.getpid()}"
    w.write("Dockerfile", IMAGE)
    w.write("hello.txt", f"hello {name}\n")  # else the one as root and the one as the user make and remove the same image
    w.write("junk.txt", "1\n")
    w.commit("an image")
    flow = w.steps(f"""
        - uses: actions/checkout@v4
        - name: build
          id: build
          uses: ostler/build@v1
          with:
            engine: docker
            image: {name}
            tags: "branch\\nsha:12\\n=mine"
            build-args: WHO=Ada
            inputs: "Dockerfile\\nhello.txt"
            output: image.tar
            artifact: image
        - run: echo "id=${{{{ steps.build.outputs.imageid }}}} skipped=${{{{ steps.build.outputs.skipped }}}}"
        """)
    try:
        r = w.run(flow, "--isolation", "host", code=0, limit=100).says("skipped=false")
        commit = w.git("rev-parse", "HEAD")
        image = inspect(f"{name}:mine")
        r.says(f"id={image['Id']}")
        check(sorted(image["RepoTags"]) == sorted(f"{name}:{t}" for t in ("branch-main", f"sha-{commit[:12]}", "mine")),
              str(image["RepoTags"]))
        labels = image["Config"]["Labels"]
        check(labels["org.opencontainers.image.revision"] == commit and
              labels["org.opencontainers.image.source"] == "https://github.com/acme/app", str(labels))
        with tarfile.open(fileobj=io.BytesIO(artifact(w, "image")["image.tar"])) as tar:
            manifest = json.load(tar.extractfile("manifest.json"))
        check(f"{name}:mine" in manifest[0]["RepoTags"], str(manifest))
        w.write("junk.txt", "2\n")
        w.commit("no input of the image")
        r = w.run(flow, "--isolation", "host", code=0, limit=100).says("skipped=true", f"id={image['Id']}")
        check(f"{name}:sha-{w.git('rev-parse', 'HEAD')[:12]}" in inspect(image["Id"])["RepoTags"], "not named anew")
        w.write("hello.txt", f"hi {name}\n")
        w.commit("an input")
        w.run(flow, "--isolation", "host", code=0, limit=100).says("skipped=false", "building (docker): 'hello.txt' changed")
        check(inspect(f"{name}:mine")["Id"] != image["Id"], "the image is the old one")
    finally:
        subprocess.run(f"docker images --quiet {name} | xargs -r docker rmi --force", shell=True, capture_output=True,
                       stdin=subprocess.DEVNULL)


@case(who="root", quick=False, needs=("docker",), limit=150)
def podman_builds_with_secrets(w):
    """They are in a file while the build runs, and nowhere else: not in the image, its history, a log or a command."""
    start(w)
    w.write("Dockerfile", f"FROM {BUSYBOX}\nRUN --mount=type=secret,id=TOKEN wc -c < /run/secrets/TOKEN > /size\n")
    w.commit("an image")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - name: build
          id: build
          uses: ostler/build@v1
          with:
            image: localhost/app
            tags: mine
            secrets: 'TOKEN=${{ secrets.TOKEN }}'
            output: layout
            output-format: oci-layout
            artifact: layout
        - run: 'echo "digest ${{ steps.build.outputs.digest }}"; ls "$RUNNER_TEMP"'
        """)
    with Podman(w) as podman:
        for name in ("mkdir", "rm", "mv", "tee", "ls", "printenv"):
            (w.root / "tools" / name).symlink_to(shutil.which(name))
        r = w.run(flow, "--isolation", "host", "--secret", "TOKEN=geheim-42-geheim", code=0, limit=120)
        check("geheim" not in r.out + r.err + w.recorded() + podman("history", "--no-trunc", "localhost/app:mine"),
              f"the secret is in the open\n{r}")
        files = artifact(w, "layout")
        index = json.loads(files["layout/index.json"])
        r.says(f"digest {index['manifests'][0]['digest']}")
        check(podman("run", "--rm", "--network", "none", "localhost/app:mine", "cat", "/size").strip() == "16", "no secret")
        check(b"geheim" not in b"".join(files.values()), "the secret is in the layout")


@contextlib.contextmanager
def buildah(w):
    """A job's settings for a buildah with a storage of its own, and an image of nothing but a busybox to build."""
    start(w)
    w.write("storage.conf", f'[storage]\ndriver = "vfs"\ngraphroot = "{w.root}/graph"\nrunroot = "{w.root}/run"\n',
            below=w.root)
    settings = {"CONTAINERS_STORAGE_CONF": str(w.root / "storage.conf"), "BUILDAH_ISOLATION": "chroot"}
    w.write("Dockerfile", 'FROM scratch\nCOPY busybox /busybox\nRUN ["/busybox", "sh", "-c", "echo $((6*7)) > /answer"]\n')
    shutil.copy("/bin/busybox", w.repo / "busybox")
    w.commit("an image")
    yield f"env: {json.dumps(settings)}"
    subprocess.run(["buildah", "rmi", "--all", "--force"], env={**w.env, **settings}, capture_output=True,
                   stdin=subprocess.DEVNULL)


@case(who="root", quick=False)
def what_is_built_is_what_is_pushed(w):
    """By the same rules for tags, and with the same digest."""
    with buildah(w) as job, Registry(w.root / "registry") as registry:
        flow = w.steps(f"""
            - uses: actions/checkout@v4
            - {{id: build, uses: ostler/build@v1, with: {{engine: buildah, output: layout, output-format: oci-layout}}}}
            - {{id: push, uses: ostler/docker-push@v1, with: {{source: layout, image: {registry.host}/team/app, tags: "latest\\nbranch"}}}}
            - run: 'echo "built ${{{{ steps.build.outputs.digest }}}} pushed ${{{{ steps.push.outputs.digest }}}}"'
            """, job=job)
        r = w.start(flow, "--isolation", "host").finish(60)  # the registry runs on, which w.run() would see
        w.sane(r.exits(0))
        shown = json.loads(registry.skopeo("inspect", f"docker://{registry.host}/team/app:branch-main", user=False))
        r.says(f"built {shown['Digest']} pushed {shown['Digest']}")


@case(who="root", quick=False)
def buildah_builds_without_a_daemon(w):
    """As an archive for docker, by the engine that is there; the second time it is in its storage already."""
    flow, seen = """
        - uses: actions/checkout@v4
        - name: build
          id: build
          uses: ostler/build@v1
          with: {engine: buildah, image: localhost/app, tags: mine, inputs: "*", output: image.tar, artifact: image}
        - run: 'echo "id=${{ steps.build.outputs.imageid }} skipped=${{ steps.build.outputs.skipped }}"'
        """, []
    with buildah(w) as job:
        for word in ("false", "true"):
            r = w.run(w.steps(flow, job=job), "--isolation", "host", code=0)
            r.says(f"skipped={word}")
            with tarfile.open(fileobj=io.BytesIO(artifact(w, "image")["image.tar"])) as tar:
                manifest = json.load(tar.extractfile("manifest.json"))[0]
                layers = [tarfile.open(fileobj=io.BytesIO(tar.extractfile(name).read())) for name in manifest["Layers"]]
                check(any(b"42" in layer.extractfile(m).read() for layer in layers for m in layer if m.name.endswith("answer")),
                      str(manifest))
            check(manifest["RepoTags"] == ["localhost/app:mine"], str(manifest))
            seen.append(manifest["Config"])
            r.says(f"id=sha256:{manifest['Config'].removesuffix('.json')}")
    check(seen[0] == seen[1], str(seen))


@case()
def a_plan_says_what_would_be_built(w):
    start(w)
    projects(w)
    w.commit("projects")
    done = w.ostler_call("run", "--plan", w.steps(FLOW)).exits(0)
    done.shows(r"cmake -S \. -B build", r"npm ci", r"pip wheel --no-deps", r"go build -trimpath",
               "if it has been built before", "from the same 2 files", "plain/provenance.json")
    check(not (w.repo / "SHA256SUMS").exists(), "the plan built something")


@case()
def a_folder_that_is_two_things_is_refused(w):
    start(w)
    w.write("go.mod", "module x\n")
    w.write("Dockerfile", "FROM scratch\n")
    r = w.run(w.steps("- uses: actions/checkout@v4\n- {name: build, uses: ostler/build@v1}"), code=1)
    r.says("'.' has a Dockerfile or Containerfile and a go.mod: say with 'kind'", step="build")
