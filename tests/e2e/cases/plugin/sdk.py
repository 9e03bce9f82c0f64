"""What plugin authors are given: new, check, install, remove, and the guide (plugin-sdk.md 7)."""

import concurrent.futures
import functools
import http.server
import json
import re
import subprocess
import threading

import githttp
from case import case
from world import check

# As the CMake package links a plugin; a defect may take something of it back.
FLAGS = ["-shared", "-fPIC", "-O1", "-fvisibility=hidden", "-Wl,-z,relro,-z,now,-z,noexecstack"]
# A defect of tests/e2e/plugins/bad/bad.c: how to get it, and what is to be found: check, words of the text.
BAD = [
    ("", [], []),
    ("-DSECOND_EXPORT", [], [("exports", "1 symbol beside 'ostler_plugin_v1': helper")]),
    ("-DUNDEFINED=nobodys_function", [], [("undefined", "nobodys_function"), ("contract", "nobodys_function")]),
    ("-DUNDEFINED=json_dumps", [], [("undefined", "no library that it needs has: json_dumps")]),
    ("-DWRONG_LAYOUT", [], [("contract", "its table has 16 bytes")]),
    ("-DWRONG_ROWS", [], [("contract", "rows of 12 and 16 bytes")]),
    ("-DDUPLICATE_INPUT", [], [("contract", "the input 'Loud' is declared twice")]),
    ("-DBAD_ID", [], [("contract", "the id 'bad' is not of the form")]),
    ("-DBAD_VERSION", [], [("contract", "the version '1.0' is not of the form")]),
    ("-DWRONG_DEFAULT", [], [("contract", "the input 'loud' cannot be 'maybe'"), ("phases", "cannot be tried")]),
    ("-DDUPLICATE_CHOICE", [], [("contract", "the choice 'red' twice")]),
    ("-DRESERVED_INPUT", [], [("contract", "the input 'entrypoint' has a reserved name")]),
    ("-DSECRET_DEFAULT", [], [("contract", "the secret input 'token' has its default in the object")]),
    ("-DBAD_EXPRESSION", [], [("contract", "the default of the input 'sum' is no expression"), ("phases", "sum")]),
    ("-DCONDITION_ALONE", [], [("contract", "it has a post_if and no post phase")]),
    ("-DNO_DESCRIPTION", [], [("descriptions", "the input 'bare' has no description")]),
    ("-Wl,-z,execstack", [], [("stack", "a stack that can be executed")]),
    ("-Wl,-z,lazy", [], [("relro", "stay writable")]),
    ("-Wl,-z,norelro", [], [("relro", "stay writable")]),
    ("-DTEXT_RELOCATION", [], [("text", "text relocations")]),
    ("plan_writes", [], [("plan", "a plan made '.*/planned.txt'")]),
    ("plan_changes", [], [("plan", "a plan changed '.*/README.md'")]),
    ("undeclared_input", [], [("phases", "asked for the undeclared input 'tagz'")]),
    ("undeclared_output", [], [("phases", "set the undeclared output 'digezt'")]),
    ("null_pointer", [], [("phases", r"crashed in main \(SIGSEGV")]),
    ("ends_process", [], [("phases", "ended its process in main")]),
    ("leak", [], [("leaks", r"main left a descriptor open \(\d+, ")]),
    ("crash_on_fault", [], [("faults", r"crashed in main \(SIGSEGV.*as call 1, 'temp', failed")]),
    ("leak_on_fault", [], [("leaks", r"main left a descriptor open \(.*as call 1, 'temp', failed")]),
    ("hang_on_fault", [], [("faults", "main went on for 4 s after call 1, 'temp', failed")]),
    ("deaf", [], [("faults", "main went on for 4 s after call 1, 'temp', came after the cancel")]),
]


def build_bad(w, how):
    to = w.root / "bad" / f"{re.sub('[^a-z0-9]+', '-', how.lower()).strip('-') or 'sound'}.so"
    defect = [how] if how.startswith("-") else [f'-DDEFECT="{how}"'] if how else []
    done = subprocess.run(["cc", *FLAGS, f"-I{w.project}/include", "-o", str(to),
                           str(w.project / "tests/e2e/plugins/bad/bad.c"), *defect], capture_output=True, text=True)
    check(done.returncode == 0, f"{how}: {done.stderr}")
    return to


@case(limit=120)
def a_check_finds_each_planted_defect(w):
    """And nothing else: each plugin is sound but for the one defect."""
    (w.root / "bad").mkdir()

    def look(row):
        how, _, wanted = row
        patience = ("--timeout", "4") if how in ("hang_on_fault", "deaf") else ()  # a busy machine takes its time
        done = w.ostler_call("plugin", "check", build_bad(w, how), "--json", *patience, limit=60)
        found = json.loads(done.out)
        failed = [c for c in found["checks"] if c["result"] == "failed"]
        for one in failed:
            check(any(one["check"] == name and re.search(text, one["text"]) for name, text in wanted)
                  and one.get("cure"), f"{how}: {one['check']}: {one['text']}")
        for name, text in wanted:
            check(any(one["check"] == name and re.search(text, one["text"]) for one in failed),
                  f"{how}: no finding '{name}: {text}' in {json.dumps(found, indent=1)}")
        check(found["sound"] == (not wanted) and done.code == (1 if wanted else 0), f"{how}: {done}")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(look, BAD))


@case(who="root", quick=False, limit=180)
def what_ships_is_sound(w):
    """The newest of each plugin of our own, as any other: some runs end early, since nothing says what to do."""
    newest = {}
    for record in sorted((w.build / "plugins").rglob("install.json")):
        newest[json.loads(record.read_text())["id"]] = next(record.parent.glob("*.so"))
    check("ostler/lint" in newest, f"what ships: {sorted(newest)}")

    def look(file):
        w.ostler_call("plugin", "check", file, limit=120).exits(0).shows("^ok +faults", "^ok +leaks", ": sound$")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(look, newest.values()))


def build(w, name, source, *flags):
    to = w.root / f"{name}.so"
    done = subprocess.run(["cc", *FLAGS, f"-I{w.project}/include", "-o", str(to), "-x", "c", "-", *flags],
                          input=source, capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    return to


PUSH = """
#include <ostler/plugin.h>
static const struct ost_input inputs[] = {
    {.name = "tags", .type = OST_LIST, .flags = OST_REQUIRED, .description = "Tags"},
    {.name = "context", .fallback = CONTEXT, .description = "Folder"},
};
static const struct ost_output outputs[] = {{"digest", "Digest"}};
static ost_status push(struct ost_step *s)
{
    return s->host->output(s, "digest", s->host->input(s, "tags"));
}
OST_PLUGIN(.id = "acme/push", .version = VERSION, .title = "Push", .author = "A. C. Me", .description = "Pushes",
           OST_INPUTS(inputs), OST_OUTPUTS(outputs), .traits = OST_EFFECTS_VIA_HOST, .main = push);
"""


def push(w, version="1.4.2", context="."):
    return build(w, f"push-{version}{context.count('.')}", PUSH, f'-DVERSION="{version}"', f'-DCONTEXT="{context}"')


@case()
def a_plugin_is_held_against_the_action_that_it_replaces(w):
    """From the store, which asks the server; a folder, a file, an address."""
    manifest = """
        name: Push
        inputs: {tags: {required: true}, context: {default: .}}
        outputs: {digest: {description: d}}
        runs: {using: node20, main: x.js}
        """
    s = githttp.Server(w)
    s.repo("acme/push", {"action.yml": manifest}, "v1")
    s.repo("acme/other", {"sub/action.yaml": manifest.replace("context: {default: .}", "more: {default: x}")
                          .replace("digest:", "image:")}, "v1")
    good, bad = push(w), push(w, context="..")
    for what in ("acme/push@v1", w.write("here/action.yml", manifest), w.repo / "here"):
        w.ostler_call("plugin", "check", good, "--against", what).exits(0).shows(r"^ok +against")
    check(("acme/push", "fetch") in s.asked, f"the server was asked for {s.asked}")
    r = w.ostler_call("plugin", "check", bad, "--against", "acme/push@v1").exits(1)
    r.shows(r"^FAILED +against +the input 'context' has the default '\.\.', and that of the action has '\.' \(")
    r = w.ostler_call("plugin", "check", good, "--against", "acme/other/sub@v1").exits(1)
    r.shows("the action's input 'more' is missing", "the action's output 'image' is missing",
            r"^note +against +the action has no input 'context'")
    s.stop()
    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=w.repo / "here"))
    threading.Thread(target=files.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{files.server_port}"
    w.ostler_call("plugin", "check", good, "--against", f"{address}/action.yml").exits(0).shows(r"^ok +against")
    w.ostler_call("plugin", "check", good, "--against", f"{address}/no.yml").complains("no.yml' answers with status 404")
    files.shutdown()
    files.server_close()
    w.ostler_call("plugin", "check", good, "--against", f"{address}/action.yml").complains("connect", code=4)
    w.ostler_call("plugin", "check", good, "--against", "nowhere").complains("neither a file or folder nor 'owner/name")


@case()
def what_has_a_finding_is_not_installed_unless_one_insists(w):
    bad = build(w, "bad", PUSH, '-DVERSION="1.0.0"', '-DCONTEXT="."', "-Wl,-z,lazy")
    to = w.root / "to"
    r = w.ostler_call("plugin", "install", bad, "--to", to).complains("is not installed.*--no-check", code=1)
    r.shows(r"^FAILED +relro.*-z,now")
    check(not to.exists(), f"something was made in {to}")
    w.ostler_call("plugin", "install", bad, "--to", to, "--no-check").exits(0)
    check((to / "acme/push/1.0.0/push.so").exists(), f"nothing in {to}")
    w.ostler_call("plugin", "check", w.repo / "README.md").exits(1).shows(r"^FAILED +object +'README.md' is not a shared")
    w.ostler_call("plugin", "check", w.repo / "nothing.so").complains("nothing.so")
    w.ostler_call("plugin", "check").complains("needs a shared object")


@case()
def what_is_installed_is_listed_shown_and_removed(w):
    place = w.root / "place"
    w.env["OSTLER_PLUGIN_PATH"] = str(place)
    for version in ("1.4.2", "1.5.0", "2.0.0-rc.1"):
        w.ostler_call("plugin", "install", push(w, version), "--to", place).exits(0)
    r = w.ostler_call("plugin", "list").exits(0)
    r.shows(r"^PLUGIN +VERSION +NEEDS +VERDICT +FOLDER$", rf"^acme/push +1\.5\.0 +- +allowed +{place}/acme/push/1\.5\.0$")
    (place / "acme/push/1.4.2/push.so").chmod(0o666)
    r = w.ostler_call("plugin", "list").exits(0)
    r.shows(r"^acme/push +1\.4\.2 +- +refused ", "may not run: .*push.so' can be written by others \\(chmod")
    known = {p["version"]: p for p in json.loads(w.ostler_call("plugin", "list", "--json").out) if p["id"] == "acme/push"}
    check([known[v]["allowed"] for v in ("1.4.2", "1.5.0")] == [False, True], str(known))
    r = w.ostler_call("plugin", "info", "acme/push@v1").exits(0)
    r.shows("^acme/push 1.5.0: Pushes$", "^title +Push$", "^author +A. C. Me$", "^inputs +tags +list, required$",
            "context +string, default '.'$", "^outputs +digest +Digest$", "^phases +main; a plan from main itself$",
            "^serves +acme/push@v1, @v1.5, @v1.5.0$", f"^sha256 +{known['1.5.0']['sha256']}$")
    shown = json.loads(w.ostler_call("plugin", "info", "acme/push@v1", "--format", "json").out)
    check(shown == json.loads((place / "acme/push/1.5.0/install.json").read_text()), str(shown))
    shown = w.ostler_call("plugin", "info", "acme/push@v1", "--format", "yaml").out
    check(shown == (place / "acme/push/1.5.0/action.yml").read_text(), shown)

    def remove(*args):
        return w.ostler_call("plugin", "remove", *args)

    remove("acme/push").complains("several versions of 'acme/push' are installed .*1.5.0, 1.4.2.*--all")
    remove("acme/push@v1").complains("several versions")
    remove("acme/push@v1.4.2").exits(0).shows("^removed acme/push 1.4.2 from ")
    check(sorted(p.name for p in (place / "acme/push").iterdir()) == ["1.5.0", "2.0.0-rc.1"], "the wrong one is gone")
    remove("acme/push", "--all", "--from", place).exits(0)
    check(not list(place.iterdir()), f"left: {list(place.rglob('*'))}")
    remove("acme/push").complains("no plugin 'acme/push' is installed")


@case()
def the_manual_of_plugin_names_every_option_and_check(w):
    manual = (w.project / "runner/cli/plugin/cmd_plugin.md").read_text()
    help_text = w.ostler_call("plugin", "--help").exits(0).out
    for option in set(re.findall(r"--[a-z][a-z-]+", help_text)):
        check(option in manual, f"the manual lacks {option}")
    for line in re.findall(r"(?:Usage:|      ) (ostler plugin \w.*)", help_text):
        check(f"    {line}\n" in manual, f"the manual lacks '{line}'")
    done = json.loads(w.ostler_call("plugin", "check", push(w), "--json").exits(0).out)
    for name in {c["check"] for c in done["checks"]}:
        check(f"`{name}`" in manual, f"the manual lacks the check {name}")


# ---- new projects, outside of the tree ----

def installed(w):
    """As after 'cmake --install': the runner in PATH, the SDK where CMake and pkg-config look."""
    check(w.sdk.is_dir(), "the SDK was not built: target ostler_test")
    bin_folder = w.root / "bin"
    bin_folder.mkdir()
    (bin_folder / "ostler").symlink_to(w.ostler)
    packages, = w.sdk.rglob("pkgconfig")
    library, = w.sdk.rglob("libostler-test.a")
    w.env |= {"PATH": f"{bin_folder}:{w.env['PATH']}", "CMAKE_PREFIX_PATH": str(w.sdk), "PKG_CONFIG_PATH": str(packages),
              "CARGO_HOME": str(w.root / "cargo"), "CARGO_NET_OFFLINE": "true", "LIBRARY_PATH": str(library.parent),
              "XDG_DATA_HOME": str(w.root / "data"), "LC_ALL": "C.UTF-8"}


def do(w, cwd, command):
    done = subprocess.run(["bash", "-c", command], cwd=cwd, env=w.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    check(done.returncode == 0, f"{command}\n{done.stdout}")
    return done.stdout


CMAKE = "cmake -B build -D{0} && cmake --build build && ctest --test-dir build --output-on-failure"
CARGO = "cargo test && cargo build --release"
NEW = [  # name, language, how it is built, what comes out of it
    ("by-gcc", "c", CMAKE.format("CMAKE_C_COMPILER=gcc"), "build/by-gcc.so"),
    ("by-clang", "c", CMAKE.format("CMAKE_C_COMPILER=clang-14"), "build/by-clang.so"),
    ("by.g--", "cpp", CMAKE.format("CMAKE_CXX_COMPILER=g++"), "build/by.g--.so"),
    ("by.clang--", "cpp", CMAKE.format("CMAKE_CXX_COMPILER=clang++-14"), "build/by.clang--.so"),
    ("7by-rustc", "rust", CARGO, "target/release/libn7by_rustc_plugin.so"),
]


@case(who="root", quick=False, limit=240)
def a_new_plugin_is_built_outside_and_serves_a_workflow(w):
    """With each language and compiler: built, tested and checked against the installed SDK, installed, used."""
    installed(w)

    def make(row):
        name, lang, how, result = row
        folder = w.root / "outside" / name
        do(w, w.root, f"ostler plugin new acme/{name} --lang {lang} --dir outside/{name}")
        do(w, folder, how)
        do(w, folder, f"ostler plugin check {result} --against {w.root}/action.yml")
        do(w, folder, f"ostler plugin install {result}")

    w.write("action.yml", """
        name: Greet
        inputs: {who: {default: world}, loud: {default: false}}
        outputs: {greeting: {description: said}}
        runs: {using: node20, main: x.js}
        """, below=w.root)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(make, NEW))
    flow = w.steps("\n".join(f"- {{name: {name}, id: s{n}, uses: acme/{name}@v1, with: {{who: '{lang}'}}}}\n"
                             f"- {{name: after {name}, run: 'echo \"<${{{{ steps.s{n}.outputs.greeting }}}}>\"'}}"
                             for n, (name, lang, *_) in enumerate(NEW)))
    r = w.run(flow, code=0)
    for name, lang, *_ in NEW:
        r.says(f"acme/{name}@v1 → plugin 1.0.0", f"Hello, {lang}, from Linux.", step=name)
        r.says(f"<Hello, {lang}, from Linux.>", step=f"after {name}")


@case()
def a_new_plugin_overwrites_nothing_and_has_a_name_that_can_be(w):
    for name in ("hello", "acme/", "/hello", "a/b/c", "acme/he llo", "../hello", "acme/..", "acme/-x", "acme/" + "x" * 101):
        w.ostler_call("plugin", "new", name).complains("cannot be the name of a new plugin")
    w.ostler_call("plugin", "new", "acme/hello", "--lang", "cobol").complains("--lang is c, cpp or rust")
    w.ostler_call("plugin", "new").complains("needs a name of the form 'owner/name'")
    check(sorted(p.name for p in w.repo.iterdir()) == [".git", "README.md"], "something was made")
    mine = w.write("here/hello.c", "mine\n")
    w.ostler_call("plugin", "new", "acme/hello", "--dir", "here").complains("'here/hello.c' is there already: nothing was made")
    check([p.name for p in (w.repo / "here").iterdir()] == ["hello.c"] and mine.read_text() == "mine\n", "it was touched")
    (w.repo / "here/hello.c").unlink()
    (w.repo / "here/.gitignore").symlink_to("nowhere")
    w.ostler_call("plugin", "new", "acme/hello", "--dir", "here").complains("'here/.gitignore' is there already")
    w.write("other/notes.txt", "mine\n")
    r = w.ostler_call("plugin", "new", "Acme/Hello.2", "--dir", "other", "--lang", "rust").exits(0)
    check("other/src/lib.rs" in r.out.splitlines() and (w.repo / "other/notes.txt").exists(), str(r))
    check("hello_2_plugin" in (w.repo / "other/Cargo.toml").read_text(), "the crate's name")
    left = [p for p in (w.repo / "other").rglob("*") if p.is_file() and re.search("@[A-Z]+@", p.read_text())]
    check(not left, f"marks are left in {left}")


# ---- the guide ----

def told(shown, said):
    """SAID is what SHOWN has: line by line, where '*' in a line is any text, and '...' alone any lines."""
    if not shown:
        return not said
    if shown[0] == "...":
        return any(told(shown[1:], said[n:]) for n in range(len(said) + 1))
    pattern = ".*".join(map(re.escape, shown[0].split("*")))
    return bool(said) and re.fullmatch(pattern, said[0].rstrip()) is not None and told(shown[1:], said[1:])


def parts_of(guide):
    """("file", name, text) and ("command", line, output), in their order."""
    lines, parts, name = guide.splitlines(), [], None
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith("```"):
            end = lines.index("```", at)
            if name:
                parts.append(("file", name, "\n".join(lines[at:end]) + "\n"))
            at, name = end + 1, None
        elif line.startswith("    $ "):
            shown = []
            while at < len(lines) and lines[at].startswith("    ") and not lines[at].startswith("    $ "):
                shown.append(lines[at][4:])
                at += 1
            parts.append(("command", line[6:], shown))
        elif match := re.search(r"`([\w.]+)`:$", line):
            name = match.group(1)
        elif line.strip():
            name = None
    return parts


@case(who="root", quick=False, limit=240)
def the_guide_for_authors_works_as_printed(w):
    installed(w)
    here = w.root / "guide"
    here.mkdir()
    parts = parts_of((w.project / "sdk/README.md").read_text())
    check(len([p for p in parts if p[0] == "command"]) > 30, f"the guide's parts: {parts}")
    for kind, what, text in parts:
        if kind == "file":
            (here / what).write_text(text)
        elif what.startswith("cd "):
            here = here / what[3:]
        else:
            said = do(w, here, what)
            check(told(text, said.splitlines()), f"the guide shows for '{what}':\n" + "\n".join(text) + f"\nand it says:\n{said}")
    shown = (w.project / "sdk/README.md").read_text().split("`hello.c`, but for its first line:\n\n```c\n")[1].split("```")[0]
    made = (w.root / "guide/hello/hello.c").read_text()
    check(made.split("\n", 1)[1] == shown, f"the guide shows another hello.c than is made:\n{made}")
