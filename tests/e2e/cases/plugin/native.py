"""Core actions of GitHub's as plugins serve them: the same workflows, the same outcome, no Node."""

import hashlib
import json
import os
import pathlib
import shutil
import zipfile

import githttp
from case import case
from world import PATH, check

NEEDS = ("toolkit",)
TOOLKIT = pathlib.Path(__file__).parents[2] / "toolkit"


def without_node(w):
    """A PATH with all that the machine's has, but for Node."""
    to = w.root / "no-node"
    to.mkdir(mode=0o755)
    for folder in PATH.split(":"):
        for program in pathlib.Path(folder).iterdir() if os.path.isdir(folder) else ():
            if program.name not in ("node", "nodejs", "npm", "npx", "corepack") and not (to / program.name).is_symlink():
                (to / program.name).symlink_to(program)
    return str(to)


def tool_cache(w):
    """With a Python of its own, and a copy of GitHub's toolkit: a job sees the tool cache, but nothing round it."""
    tools, toolkit = w.root / "tools", w.project / "build" / "tools" / "toolkit"
    check((toolkit / "node_modules").is_dir(), f"there is no toolkit in {toolkit}: tests/run.sh fetches it")
    shutil.copytree(toolkit, tools / "toolkit", symlinks=True,
                    ignore=shutil.ignore_patterns("*.map", "*.md", "*.d.ts", "*.d.mts", "*.d.cts", "typescript",
                                                  "@bufbuild", "browser", "react-native"))
    place = tools / "Python" / "3.90.2"
    w.write("x64/bin/python", '#!/bin/sh\nexec /usr/bin/python3 "$@"\n', mode=0o755, below=place)
    w.write("x64.complete", "", below=place)
    tools.chmod(0o755)
    return str(tools)


def client(w):
    """GitHub's own clients as the action "./client"."""
    start(w)
    shutil.copytree(TOOLKIT / "client", w.repo / "client")
    w.env["RUNNER_TOOL_CACHE"] = str(w.project / "build" / "tools")
    w.commit("a client")


def start(w, node=True):
    """Caches have a place that is not the user's HOME."""
    w.env["XDG_CACHE_HOME"] = str(w.root / "cache")
    if not node:
        w.env["PATH"] = without_node(w)


def artifact(w, name):
    """The content of an artifact of the latest run: {path: bytes}."""
    with zipfile.ZipFile(w.run_folder() / "artifacts" / f"{name}.zip") as z:
        return {info.filename: z.read(info) for info in z.infolist() if not info.is_dir()}


# ---- contracts ----

@case()
def each_has_the_inputs_and_outputs_of_the_action(w):
    """Version by version, against a table of what the manifests say."""
    rows = json.loads((w.project / "tests/data/manifests/actions.json").read_text())
    ids, served = {r["id"] for r in rows}, {(r["id"], r["version"].split(".")[0]) for r in rows}
    for path in (w.build / "plugins" / "actions").rglob("install.json"):
        record = json.loads(path.read_text())
        check(record["id"] not in ids or (record["id"], record["version"].split(".")[0]) in served, f"{path} is not in the table")
    for row in rows:
        name = f"{row['id']} {row['version']}"
        folder = w.build / "plugins" / row["id"] / row["version"]
        record = json.loads((folder / "install.json").read_text())
        ours = {i["name"]: i for i in record["inputs"]}
        check(sorted(ours) == sorted(row["inputs"]), f"{name} has the inputs {sorted(ours)}")
        for key, default in row["inputs"].items():
            if not ours[key]["secret"]:  # a token that is not needed is not asked for
                check(ours[key].get("default") == default, f"{name}: the default of '{key}' is {ours[key].get('default')!r}")
            check(not ours[key]["required"] or key in row["required"] or default is not None,
                  f"{name}: '{key}' need not be given")
        outputs = [o["name"] for o in record["outputs"]]
        check(sorted(outputs) == sorted(row["outputs"]), f"{name} has the outputs {outputs}")
        check(record.get("post_if", record.get("post-if")) == row["post-if"], f"{name}: post-if {record}")


# ---- caches ----

CACHE = """
    - uses: actions/checkout@v4
    - {name: cache, id: cache, uses: actions/cache@v4, with: {path: "deps\\n~/.tool", key: "k-${{ hashFiles('lock') }}", restore-keys: k-}}
    - name: work
      run: |
        echo "hit <${{ steps.cache.outputs.cache-hit }}> $(cat deps/sub/made ~/.tool/made 2>/dev/null | tr '\\n' ' ')"
        mkdir -p deps/sub ~/.tool
        echo "of $(cat lock)" | tee deps/sub/made > ~/.tool/made
    """


@case(limit=120)
def a_cache_comes_back_in_the_next_run(w):
    """Row 15 of the runtime contract's section 16: a total miss leaves cache-hit empty."""
    start(w, node=False)
    w.write("lock", "one")
    w.commit("a lock")
    flow = w.steps(CACHE)
    post = "Post cache"
    r = w.run(flow, code=0).says("hit <> \n", step="work")
    r.says("actions/cache@v4", "sha256:", "Cache not found for input keys: k-", step="cache")
    r.says("Cache saved with key: k-", step=post)
    r = w.run(flow, code=0).says("hit <true> of one of one", step="work")
    r.says("Cache hit for: k-", "Cache restored successfully", "Cache restored from key: k-", step="cache")
    r.says("Cache hit occurred on the primary key k-", ", not saving cache.", step=post)
    w.write("lock", "two")
    w.commit("another lock")
    r = w.run(flow, code=0).says("hit <false> of one of one", step="work").says("Cache hit for restore-key: k-", step="cache")
    r.says("Cache saved with key: k-", step=post)
    w.run(flow, code=0).says("hit <true> of two of two", step="work")
    # A run that fails keeps nothing.
    w.write("lock", "three")
    w.commit("and another")
    w.run(w.steps(CACHE + "- run: exit 1\n"), code=1).never_says("Cache saved")


@case(limit=120)
def restore_and_save_are_steps_of_their_own(w):
    start(w)
    flow = w.steps("""
        - {name: miss, id: miss, uses: actions/cache/restore@v5, with: {path: a, key: one}}
        - {name: none, uses: actions/cache/save@v5, with: {path: a, key: one}}
        - run: mkdir a && echo 1 > a/x
        - {name: save, uses: actions/cache/save@v5, with: {path: a, key: one}}
        - {name: again, uses: actions/cache/save@v5, with: {path: a, key: one}}
        - run: rm -r a
        - {name: look, id: look, uses: actions/cache/restore@v5, with: {path: a, key: one, lookup-only: true}}
        - {name: gone, run: 'test ! -e a && echo "<${{ steps.miss.outputs.cache-matched-key }}>"'}
        - {name: find, id: find, uses: actions/cache/restore@v5, with: {path: a, key: onetwo, restore-keys: one}}
        - {name: there, run: 'cat a/x && echo "${{ toJSON(steps.find.outputs) }}"'}
        - {name: must, uses: actions/cache/restore@v5, with: {path: a, key: nothing, fail-on-cache-miss: true}}
        """)
    r = w.run(flow, code=1).says("<>", step="gone")
    r.says("[warning]Path Validation Error: Path(s) specified in the action for caching do(es) not exist", step="none")
    r.says("Cache saved with key: one", step="save").says("Failed to save: Unable to reserve cache with key one", step="again")
    r.says("Lookup only - skipping download", "Cache found and can be restored from key: one", step="look")
    r.says("cache-hit: false", "cache-primary-key: onetwo", "cache-matched-key: one", step="there")
    r.says("Failed to restore cache entry. Exiting as fail-on-cache-miss is set. Input key: nothing", step="must")
    r.equal("warnings", [a["message"] for a in r.of("annotation", level="warning")], ["Cache save failed."] * 2)


@case(quick=False, limit=200, needs=NEEDS)
def caches_are_shared_with_githubs_own_client(w):
    client(w)
    w.run(w.steps("""
        - uses: actions/checkout@v4
        - run: mkdir -p 'deps/a b' && echo native > 'deps/a b/x' && ln -s x 'deps/a b/link' && chmod 750 'deps/a b'
        - {uses: actions/cache/save@v4, with: {path: "deps\\n!deps/no", key: native-1}}
        - run: rm -r deps
        - name: client
          uses: ./client
          with:
            do: |
              assert.equal(await cache.restoreCache(['deps', '!deps/no'], 'native-2', ['native-']), 'native-1');
              assert.equal(fs.readFileSync('deps/a b/link', 'utf8'), 'native\\n');
              assert.equal(fs.statSync('deps/a b').mode & 0o777, 0o750);
              fs.writeFileSync('deps/which', 'client');
              assert.ok(await cache.saveCache(['deps'], 'client-1') > 0);
              assert.equal(await cache.saveCache(['deps', '!deps/no'], 'native-1'), -1);
        - run: rm -r deps
        - {name: native, id: native, uses: actions/cache/restore@v4, with: {path: deps, key: client-1}}
        - {name: look, run: 'echo "${{ steps.native.outputs.cache-hit }} $(cat deps/which) $(cat "deps/a b/link")"'}
        """), code=0, limit=100).says("true client native", step="look")


@case(quick=False, limit=120, needs=NEEDS)
def what_npm_has_fetched_comes_back(w):
    start(w)
    w.write("package-lock.json", "{}\n")
    w.write("package.json", '{"packageManager": "npm@10.1.0"}\n')
    w.commit("a package")
    work = """
        - {name: work, run: 'echo "hit <${{ steps.node.outputs.cache-hit }}> $(cat ~/.npm/made 2>/dev/null)"; mkdir -p ~/.npm; echo it > ~/.npm/made'}
        """
    asked = w.steps("""
        - uses: actions/checkout@v4
        - {name: node, id: node, uses: actions/setup-node@v4, with: {cache: npm}}""" + work)
    r = w.run(asked, code=0).says("hit <false> \n", step="work").says("npm cache is not found", step="node")
    r.says("Cache saved with the key: node-cache-Linux-x64-npm-", step="Post node")
    r = w.run(asked, code=0).says("hit <true> it", step="work").says("Cache restored from key: node-cache-", step="node")
    r.says("Cache hit occurred on the primary key node-cache-", step="Post node")
    # Since version 6 npm need not be asked for, if package.json does.
    found = w.steps("""
        - uses: actions/checkout@v4
        - {name: node, id: node, uses: actions/setup-node@v7}""" + work)
    w.run(found, code=0).says("hit <true> it", step="work").says("Detected npm as the package manager", step="node")


# ---- artifacts ----

@case(limit=120)
def artifacts_go_from_job_to_job(w):
    """Row 17 of the runtime contract's section 16: one that was chosen alone comes straight into the folder."""
    start(w, node=False)
    flow = w.workflow("""
        on: push
        jobs:
          up:
            runs-on: ubuntu-latest
            outputs: {id: "${{ steps.one.outputs.artifact-id }}", digest: "${{ steps.one.outputs.artifact-digest }}"}
            steps:
              - run: mkdir -p 'out/ein Ordner' out/.git other && echo 1 > 'out/ein Ordner/Größe' && echo 2 > out/.git/x && echo 3 > other/y
              - {name: one, id: one, uses: actions/upload-artifact@v4, with: {name: build-one, path: out/, retention-days: 3}}
              - {name: two, uses: actions/upload-artifact@v6, with: {name: build-two, path: "out\\nother\\n!**/Gr*", compression-level: 0}}
              - {name: raw, id: raw, uses: actions/upload-artifact@v7, with: {path: other/y, archive: false}}
              - {name: clash, continue-on-error: true, uses: actions/upload-artifact@v4, with: {name: build-one, path: other}}
              - {name: over, uses: actions/upload-artifact@v4, with: {name: build-two, path: "out\\nother", overwrite: true}}
              - {name: url, run: 'echo "${{ steps.one.outputs.artifact-url }}"'}
          down:
            needs: up
            runs-on: ubuntu-latest
            steps:
              - {name: name, id: name, uses: actions/download-artifact@v4, with: {name: build-one, path: by/name}}
              - {name: all, uses: actions/download-artifact@v5, with: {pattern: build-*, path: by/pattern}}
              - {name: alone, uses: actions/download-artifact@v5, with: {pattern: '*-one', path: alone5}}
              - {name: alone four, uses: actions/download-artifact@v4, with: {pattern: '*-one', path: alone4}}
              - {name: id, uses: actions/download-artifact@v8, with: {artifact-ids: "${{ needs.up.outputs.id }}", path: by/id}}
              - {name: zip, uses: actions/download-artifact@v8, with: {name: build-one, path: zip, skip-decompress: true}}
              - {name: raw, uses: actions/download-artifact@v8, with: {name: y, path: raw}}
              - {name: merged, uses: actions/upload-artifact/merge@v4, with: {pattern: 'build-{one,two}', separate-directories: true, delete-merged: true}}
              - {name: none, continue-on-error: true, uses: actions/download-artifact@v4, with: {name: build-one}}
              - name: look
                run: |
                  echo "path ${{ steps.name.outputs.download-path }}"
                  find . -type f | sort
                  cat raw/*
                  sha256sum zip/* | cut -c 1-64 | sed 's/^/zip /'
                  echo "out ${{ needs.up.outputs.digest }}"
        """)
    r = w.run(flow, code=0)
    r.says("With the provided path, there will be 1 file uploaded", "Artifact build-one has been successfully uploaded!", step="one")
    r.says("The least common ancestor is ", "there will be 1 file uploaded", step="two")
    log = r.log("Set up job", job="up")
    r.equal("said once", log.count("actions/upload-artifact@v4 is served by plugin actions/upload-artifact 4."), 1)
    r.says("(409) Conflict: an artifact with this name already exists", step="clash")
    r.says("Artifact 'build-two' (ID: ", "deleted", "there will be 2 files uploaded", step="over")
    r.says("https://github.com/acme/app/actions/runs/", "/artifacts/", step="url")
    r.says("Unable to download artifact(s): Artifact not found for name: build-one", step="none")
    r.says("The 2 artifact(s) have been successfully merged!", "The 2 artifact(s) have been deleted", step="merged")
    log = r.log("look")
    found = [line for line in log.splitlines() if line.startswith("./") and not line.startswith("./zip/")]
    r.equal("files", found, ["./alone4/build-one/ein Ordner/Größe", "./alone5/ein Ordner/Größe", "./by/id/ein Ordner/Größe",
                             "./by/name/ein Ordner/Größe", "./by/pattern/build-one/ein Ordner/Größe",
                             "./by/pattern/build-two/other/y", "./by/pattern/build-two/out/ein Ordner/Größe", "./raw/y"])
    check("path /home/runner/work/app/app/by/name" in log and "\n3\n" in log, log)
    zipped, out = (next(line[4:] for line in log.splitlines() if line.startswith(word)) for word in ("zip ", "out "))
    r.equal("digest", zipped, out)
    r.equal("kept", artifact(w, "merged-artifacts"), {
        "build-one/ein Ordner/Größe": b"1\n", "build-two/other/y": b"3\n", "build-two/out/ein Ordner/Größe": b"1\n"})


@case(quick=False, limit=200, needs=NEEDS)
def artifacts_are_shared_with_githubs_own_client(w):
    client(w)
    w.run(w.steps("""
        - uses: actions/checkout@v4
        - run: mkdir -p out/a && head -c 9000000 /dev/urandom > out/a/large && touch out/empty && sha256sum out/a/large | cut -c 1-64 > sum
        - {name: up, id: up, uses: actions/upload-artifact@v4, with: {name: native, path: out}}
        - name: client
          uses: ./client
          with:
            do: |
              const {artifact: one} = await artifacts.getArtifact('native');
              assert.equal(one.digest, 'sha256:${{ steps.up.outputs.artifact-digest }}');
              assert.equal(one.id, ${{ steps.up.outputs.artifact-id }});
              const got = await artifacts.downloadArtifact(one.id, {path: 'in', expectedHash: one.digest});
              assert.equal(got.digestMismatch, false);
              assert.equal(sha256('in/a/large'), fs.readFileSync('sum', 'utf8').trim());
              assert.equal(fs.statSync('in/empty').size, 0);
              await artifacts.uploadArtifact('of the client', ['in/a/large', 'in/empty'], 'in');
        - {name: down, uses: actions/download-artifact@v8, with: {name: of the client, path: back}}
        - {name: look, run: 'test "$(sha256sum back/a/large | cut -c 1-64)" = "$(cat sum)" && test -e back/empty && echo same'}
        """), code=0, limit=150).says("same", step="look")


@case()
def artifacts_of_other_runs_are_not_here(w):
    start(w)
    r = w.run(w.steps("""
        - {name: down, uses: actions/download-artifact@v4, with: {name: x, github-token: abc, run-id: 12}}
        """), code=1)
    r.says("the artifacts of run 12 of 'acme/app' are GitHub's", "--plugins actions/download-artifact=never", step="down")
    r.never_says("abc")


# ---- the same workflow, either way ----

WHOLE = """
    - {name: source, run: "echo 'nothing==1.0' > requirements.txt && echo \\"print('tested')\\" > test.py"}
    - name: cache
      id: cache
      uses: actions/cache@v4
      with:
        path: |
          deps
          ~/.tool
        key: deps-${{ hashFiles('requirements.txt') }}
        restore-keys: deps-
    - {name: python, id: python, uses: actions/setup-python@v5, with: {python-version: '3.90', architecture: x64}}
    - name: test
      run: |
        mkdir -p deps ~/.tool report/sub 'report/e m p t y'
        echo fetched > deps/x; echo made > ~/.tool/x
        python test.py > report/sub/result.txt
        echo hidden > report/.hidden
        ln -s sub/result.txt report/link
        echo "python is $(command -v python)"
        command -v node || echo "no node"
    - {name: upload, id: upload, uses: actions/upload-artifact@v4, with: {name: report, path: "report\\n*.txt\\n!requirements.txt", retention-days: 5}}
    - {name: nothing, id: nothing, uses: actions/upload-artifact@v4, with: {name: nothing, path: nowhere}}
    - {name: back, id: back, uses: actions/download-artifact@v4, with: {name: report, path: back}}
    - {name: broken, id: broken, continue-on-error: true, uses: actions/download-artifact@v4, with: {name: nothing}}
    - name: outputs
      run: |
        (cd back && find . -type f | sort)
        cat <<'END'
        ${{ toJSON(steps) }}
        END
    """


def outcome(w, r):
    """What a run has come to, without what differs from one upload to the next."""
    log = r.log("outputs").partition("##[endgroup]\n")[2]
    steps = json.loads(log[log.index("{\n"):])
    upload = steps["upload"]["outputs"]
    zipped = (w.run_folder() / "artifacts" / "report.zip").read_bytes()
    r.equal("digest", upload.pop("artifact-digest"), hashlib.sha256(zipped).hexdigest())
    check(upload.pop("artifact-url").endswith(f"/artifacts/{upload.pop('artifact-id')}"), f"{upload}")
    says = ("Cache ", "Artifact ", "python is", "Failed", "No files")
    lines = [line for step in ("cache", "test", "nothing", "broken", "Post cache") for line in r.log(step).splitlines()
             if line.startswith(says) and not line.startswith("Cache Size")]  # two programs pack, and not to the same byte
    notes = [{k: v for k, v in a.items() if k in ("level", "message", "title", "file", "line")} for a in r.of("annotation")]
    return {"files": artifact(w, "report"), "back": log[:log.index("{\n")], "steps": steps, "annotations": notes,
            "conclusions": [(s["name"], s["conclusion"]) for s in r.steps()], "lines": lines}


@case(quick=False, limit=300, needs=NEEDS)
def a_workflow_comes_to_the_same_with_plugins_and_with_actions(w):
    """Natively without any Node; then with the plugins off, and actions built on GitHub's own npm packages."""
    w.env["RUNNER_TOOL_CACHE"] = tool_cache(w)
    server = githttp.Server(w)
    for name in ("cache", "upload-artifact", "download-artifact", "setup-python"):
        files = {p.name: p.read_text() for p in (TOOLKIT / "actions" / name).iterdir()}
        server.repo(f"actions/{name}", files, "v4" if name != "setup-python" else "v5")
    flow, bare = w.steps(WHOLE), {"PATH": without_node(w)}
    seen = {}
    for way, options, env in (("native", [], bare), ("action", ["--plugins", "never", "--action-source", server.url], {})):
        env = {**env, "XDG_CACHE_HOME": str(w.root / f"cache of {way}")}
        for time in ("first", "second"):
            r = w.run(flow, *options, env=env, code=0, limit=120)
            seen[way, time] = outcome(w, r)
            if way == "native":
                r.says("no node", step="test")
    for time in ("first", "second"):
        native, action = seen["native", time], seen["action", time]
        for what in native:
            check(native[what] == action[what], f"{what}, {time} time:\n  with plugins {native[what]}\n  with actions {action[what]}")
    check(seen["native", "first"]["lines"] != seen["native", "second"]["lines"], "the cache made no difference")
    check(len(seen["native", "first"]["annotations"]) == 2, f"{seen['native', 'first']['annotations']}")
