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
    ("hang_on_fault", [], [("faults", "main went on for 1 s after call 1, 'temp', failed")]),
    ("deaf", [], [("faults", "main went on for 1 s after call 1, 'temp', came after the cancel")]),
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
        done = w.ostler_call("plugin", "check", build_bad(w, how), "--json", "--timeout", "1", limit=60)
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
    manual = (w.project / "runner/cli/cmd_plugin.md").read_text()
    help_text = w.ostler_call("plugin", "--help").exits(0).out
    for option in set(re.findall(r"--[a-z][a-z-]+", help_text)):
        check(option in manual, f"the manual lacks {option}")
    for line in re.findall(r"(?:Usage:|      ) (ostler plugin \w.*)", help_text):
        check(f"    {line}\n" in manual, f"the manual lacks '{line}'")
    done = json.loads(w.ostler_call("plugin", "check", push(w), "--json").exits(0).out)
    for name in {c["check"] for c in done["checks"]}:
        check(f"`{name}`" in manual, f"the manual lacks the check {name}")
