"""Artifacts and caches of plugins: through the runner, and shared with GitHub's own clients."""

import os
import shutil
import signal
import textwrap
import time

import watch
from case import case
from cases import toolkit
from world import check

NEEDS = ("toolkit",)


def ready(w):
    toolkit.clients(w)
    w.plugin("blobs")


def native(*lines):
    return "  - uses: test/blobs@v1\n    with:\n      do: |\n" + "\n".join(" " * 8 + line for line in lines)


def script(text):
    return "  - run: |\n" + textwrap.indent(textwrap.dedent(text).strip("\n"), " " * 6)


def client(text):
    return ("  - uses: ./client\n    with:\n      do: |\n" + textwrap.indent(textwrap.dedent(text).strip("\n"), " " * 8))


def job(*steps, more=""):
    return "\n".join([*more.splitlines(), "runs-on: ubuntu-latest", "steps:", "  - uses: actions/checkout@v4",
                      "  - {name: node, run: 'ls -d $RUNNER_TOOL_CACHE/node/20.*/*/bin >> $GITHUB_PATH || true'}",
                      *steps])


TREE = """
    mkdir -p 'deps/ein Ordner' ~/.store other
    printf inhalt > 'deps/ein Ordner/Größe – 大小.txt'
    printf '#!/bin/sh\\necho runs\\n' > deps/tool; chmod 755 deps/tool
    ln -s tool deps/link; ln deps/tool deps/second; ln -s /nowhere deps/broken
    touch -d 2020-02-02T02:02:02.123456789Z deps/tool
    printf stored > ~/.store/x
    """
GONE = "rm -rf deps ~/.store other"
SAME = """
    test "$(cat 'deps/ein Ordner/Größe – 大小.txt')" = inhalt
    test "$(deps/link)" = runs
    test deps/tool -ef deps/second
    test "$(readlink deps/broken)" = /nowhere
    test "$(stat -c %y deps/tool | cut -c1-29)" = "2020-02-02 02:02:02.123456789"
    test "$(cat ~/.store/x)" = stored
    """


@case(quick=False, limit=200, needs=NEEDS)
def caches_are_shared_with_githubs_client(w):
    """What the one saves the other restores: files, links, modes, times, places outside the workspace."""
    ready(w)
    r = w.run(toolkit.flow(w, a=job(
        script(TREE),
        native("save|ours-1|deps,~/.store", "save|ours-1|deps,~/.store", "save|none|no/such/path", "cache_save|bad,key|deps"),
        client("assert.ok(await cache.saveCache(['deps', '~/.store'], 'theirs-1') > 0);"),
        script(GONE),
        native("lookup|Ours-1|deps,~/.store", "restore|absent|deps,~/.store", "restore|ours-1|deps", "restore|ours-1|deps,~/.store"),
        script(SAME), script(GONE),
        native("restore|x,theirs-|deps,~/.store"),
        script(SAME), script(GONE),
        client("assert.equal(await cache.restoreCache(['deps', '~/.store'], 'x', ['ours-']), 'ours-1');"),
        script(SAME), script(GONE),
        native("restore|a,b,c,d,e,f,g,h,i,j,k|deps", "cache_restore|ours-1|deps,~/.store", "cache_save|short|deps"))), code=0, limit=180)
    r.says("save: fine", "save: -4: CreateCacheEntry: the server answered 409", "save: -3: Path Validation Error: Path(s)",
           "cache_save: -2: Key Validation Error: bad,key cannot contain commas.",
           "lookup: fine, ours-1 exactly, without a size", "restore: fine, nothing",
           "restore: fine, ours-1 exactly, with its bytes", "restore: fine, theirs-1, with its bytes",
           "restore: -2: Key Validation Error: Keys are limited to a maximum of 10.", "cache_restore: fine, ours-1", "cache_save: fine")


@case(quick=False, limit=200, needs=NEEDS)
def artifacts_are_shared_with_githubs_client(w):
    ready(w)
    make = """
        mkdir -p 'out/ein Ordner' out/leer
        printf inhalt > 'out/ein Ordner/Größe – 大小.txt'
        : > out/empty
        head -c 20000000 /dev/urandom > out/large; sha256sum < out/large > sum
        echo '<p>' > page.html
        ln -s ../page.html out/link
        """
    same = """
        test "$(cat 'in/ein Ordner/Größe – 大小.txt')" = inhalt
        test -e in/empty -a ! -s in/empty -a ! -e in/leer
        test "$(cat in/link)" = '<p>' -a ! -L in/link
        test "$(sha256sum < in/large)" = "$(cat sum)"
        """
    r = w.run(toolkit.flow(w, a=job(
        script(make),
        native("upload|ours ü|out|out|6", "upload|ours ü|out|out|6", "upload|a:b|out|out|6", "upload|stored|out|out|0",
               "upload||.|page.html|6|raw", "put|short|out", "list", "download|ours ü|in"),
        script(same), script("ln -sfn /etc in/there; rm -r in/large; ln -s /etc/passwd in/large; echo old > in/empty"),
        native("download|ours ü|in"), script(same), script("rm -r in"),
        client("""
        for (const name of ['ours ü', 'stored']) {
          const {artifact: one} = await artifacts.getArtifact(name);
          const got = await artifacts.downloadArtifact(one.id, {path: name === 'stored' ? 'in' : 'other', expectedHash: one.digest});
          assert.equal(got.digestMismatch, false);
        }
        const page = (await artifacts.getArtifact('page.html')).artifact;
        await artifacts.downloadArtifact(page.id, {path: 'in', expectedHash: page.digest});
        assert.equal(fs.readFileSync('in/page.html', 'utf8'), '<p>\\n');
        await artifacts.uploadArtifact('theirs', ['out/ein Ordner/Größe – 大小.txt', 'out/empty', 'out/large', 'out/link'], 'out');
        await artifacts.uploadArtifact('ignored', ['sum'], '.', {skipArchive: true});
        """),
        script(same), script("rm -r in; mv other in"), script(same), script("rm -r in"),
        native("download|theirs|in", "download|sum|in", "download|theirs|zipped|raw", "get|short|short", "download|nothing|in"),
        script(same), script("cmp in/sum sum; test \"$(head -c 2 zipped/*)\" = PK; test -e short/large"),
        native("remove|theirs", "remove|theirs", "list"))), code=0, limit=180)
    r.says("upload: fine, ours ü with bytes digest 64 good", "upload: -4: CreateArtifact: the server answered 409",
           "upload: -2: The artifact name is not valid: a:b",
           "upload: fine, page.html with bytes digest 64 good", "put: fine", "list: fine, 4", "listed: stored with bytes digest 64 good",
           "download: fine, a zip, whole", "download: fine, as it is, whole", "get: fine", "download: -3: the run has no artifact with the id",
           "remove: fine", "remove: -3: the run has no artifact 'theirs'", "list: fine, 5")
    r.never_says("CHANGED")
