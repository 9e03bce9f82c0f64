"""The checks. Each takes a Tree and yields findings: (file, line, what is wrong).

Beside each stand its examples: small trees, and the places where it must find something. A check
that finds nothing in its own examples fails the run, so none can fall asleep."""

import concurrent.futures
import graphlib
import os
import pathlib
import posixpath
import re
import subprocess

from tree import blank, code_only, includes, line_comments

CHECKS = []


def check(*examples):
    """Registers a check with its examples: pairs of {file: text} and [(file, line), ...]."""
    def register(function):
        CHECKS.append((function.__name__, function, examples))
        return function
    return register


# ---- the house's plan: DESIGN.md, section 2 ----

FLOORS = [{"base"}, {"io"}, {"lang"}, {"sandbox", "blobs", "plugin", "store"}, {"job"}, {"queue", "report", "serve"},
          {"listen"}, {"cli"}]
FLOOR = {room: n for n, rooms in enumerate(FLOORS) for room in rooms}
BESIDE = {("plugin", "sandbox"), ("plugin", "blobs"), ("blobs", "sandbox")}  # the arrows along a floor

# Which files may include a library's headers; folders and beginnings of names below runner/, and in plugins.
LIBRARIES = {
    "curl/": ["io/http"],
    "yaml.h": ["lang/yaml"],
    "archive.h": ["io/archive"],
    "archive_entry.h": ["io/archive"],
    "openssl/": ["io/digest"],
    "pcre2.h": ["io/regex"],
    "microhttpd.h": ["serve/"],
    "dlfcn.h": ["plugin/child/object", "io/late"],  # plugins; libraries that are loaded when first needed
}


def room_of(name):
    parts = name.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "runner" else None


@check(
    ({"runner/base/a.c": '#include "base/a.h"\n#include "io/loop.h"\n', "runner/base/a.h": "",
      "runner/io/loop.h": ""}, [("runner/base/a.c", 2)]),
    ({"runner/queue/local/q.c": '#include "report/report.h"\n', "runner/report/report.h": ""},
     [("runner/queue/local/q.c", 1)]),
    ({"runner/plugin/p.c": '#include "sandbox/sandbox.h"\n',
      "runner/sandbox/sandbox.h": '/* #include "cli/no.h" */\n'}, []),
    ({"runner/sandbox/s.c": '#include "plugin/p.h"\n', "runner/plugin/p.h": ""},
     [("runner/sandbox/s.c", 1)]),
    ({"runner/cellar/c.c": ""}, [("runner/cellar/c.c", 1)]),
    ({"plugins/x/x.c": '#include <ostler/plugin.h>\n#include "base/buf.h"\n',
      "runner/base/buf.h": ""}, [("plugins/x/x.c", 2)]),
    ({"include/ostler/e.h": '#include "base/buf.h"\n', "runner/base/buf.h": ""},
     [("include/ostler/e.h", 1)]),
)
def includes_point_downwards(tree):
    """Rooms include rooms below; plugins and public headers include nothing of the runner's."""
    for name in tree.having(".c", ".h", below="runner/"):
        room = room_of(name)
        if room and room not in FLOOR:
            yield name, 1, f"the room '{room}' is not on the plan"
            continue
        for line, quote, wanted in includes(tree.text(name)):
            other = wanted.split("/")[0]
            if quote == "<" or "/" not in wanted or other == room or not room:
                continue
            if f"runner/{wanted}" not in tree.files:
                continue
            if FLOOR[other] >= FLOOR[room] and (room, other) not in BESIDE:
                yield name, line, f"{room} may not include {other}: arrows point downwards only"

    outside = tree.having(".h", below="include/") + [
        f for f in tree.having(".c", ".h", below="plugins/")
        if not posixpath.basename(f).startswith("test_")]
    for name in outside:
        for line, _, wanted in includes(tree.text(name)):
            if f"runner/{wanted}" in tree.files:
                yield name, line, f"'{wanted}' is the runner's own: use the public SDK only"


def circle(arrows):
    """{(from, to): place} -> the places of the arrows of one circle, and the circle in words; [] if there is none."""
    before = {}
    for start, end in arrows:
        before.setdefault(start, []).append(end)
    try:
        graphlib.TopologicalSorter(before).prepare()
    except graphlib.CycleError as error:
        round_ = error.args[1][::-1]
        return [(*arrows[step], " -> ".join(round_)) for step in zip(round_, round_[1:])]
    return []


@check(
    ({"runner/io/a.h": '#include "io/b.h"\n', "runner/io/b.h": '\n#include "io/c.h"\n',
      "runner/io/c.h": '#include "io/a.h"\n', "runner/io/d.h": '#include "io/a.h"\n'},
     [("runner/io/a.h", 1), ("runner/io/b.h", 2), ("runner/io/c.h", 1)]),
    ({"runner/job/log/l.c": '#include "job/kinds/k.h"\n', "runner/job/log/l.h": "",
      "runner/job/kinds/k.h": "", "runner/job/kinds/deep/k.c": '#include "job/log/l.h"\n'},
     [("runner/job/log/l.c", 1), ("runner/job/kinds/deep/k.c", 1)]),
    ({"runner/job/j.h": '#include "job/log/l.h"\n', "runner/job/log/l.h": "", "runner/job/e.h": "",
      "runner/job/log/l.c": '#include "job/e.h"\n'}, []),
)
def includes_run_in_no_circle(tree):
    """Neither those of headers, nor those between folders that lie side by side in a room. A room's own files stand both
    above its folders and below them."""
    headers, folders = {}, {}
    for name in tree.having(".c", ".h", below="runner/"):
        for line, _, wanted in includes(tree.text(name)):
            other = f"runner/{wanted}"
            if other not in tree.files:
                continue
            if name.endswith(".h"):
                headers.setdefault((name, other), (name, line))
            ours, theirs = name.split("/"), other.split("/")
            n = len(posixpath.commonprefix([ours, theirs])) + 1
            if n > 2 and n < min(len(ours), len(theirs)):
                folders.setdefault(("/".join(ours[:n]), "/".join(theirs[:n])), (name, line))
    for name, line, words in circle(headers) + circle(folders):
        yield name, line, f"includes run in a circle: {words}"


@check(
    ({"README.md": "| room | begin with |\n| `runner/io` | loops, `x` | `loop.h`, `gone.h` |\n| `sdk` | a guide | `README.md` |\n",
      "runner/io/loop.h": "", "runner/io/b.c": "", "sdk/README.md": ""}, [("README.md", 2)]),
)
def the_map_names_what_is_there(tree):
    """Where the README says to begin with a room, there is such a file."""
    for line, text in tree.lines("README.md") if "README.md" in tree.files else ():
        row = re.match(r"\| `([\w/]+)` \|.*\|([^|]*)\|$", text)
        for name in re.findall(r"`([^`]+)`", row[2]) if row and tree.having("", below=f"{row[1]}/") else ():
            if f"{row[1]}/{name}" not in tree.files:
                yield "README.md", line, f"there is no {row[1]}/{name}"


@check(
    ({"runner/io/http.c": "#include <curl/curl.h>\n", "runner/io/git.c": "#include <curl/curl.h>\n"},
     [("runner/io/git.c", 1)]),
    ({"runner/lang/yaml_scalar.c": "#include <yaml.h>\n", "runner/lang/expr/expr.c": "\n#include <yaml.h>"},
     [("runner/lang/expr/expr.c", 2)]),
    ({"runner/serve/cache.c": "#include <microhttpd.h>\n", "runner/serve/a.c": "#include <openssl/evp.h>"},
     [("runner/serve/a.c", 1)]),
    ({"runner/plugin/host/host.c": "#include <dlfcn.h>\n"}, [("runner/plugin/host/host.c", 1)]),
    ({"plugins/lib/web.c": "#include <curl/curl.h>\n", "plugins/x/x.c": "#include <curl/curl.h>\n"},
     [("plugins/x/x.c", 1)]),
)
def one_module_a_library(tree):
    """Each external library is included by the one module that wraps it."""
    for name in tree.having(".c", ".h", below="runner/"):
        for line, _, wanted in includes(tree.text(name)):
            for header, places in LIBRARIES.items():
                if not (wanted == header or header.endswith("/") and wanted.startswith(header)):
                    continue
                if not any(name.startswith(f"runner/{place}") for place in places):
                    yield name, line, f"<{wanted}> belongs to {' and '.join(places)} alone"
    for name in tree.having(".c", ".h", below="plugins/"):
        for line, _, wanted in includes(tree.text(name)):
            if wanted.startswith("curl/") and not name.startswith("plugins/lib/web"):
                yield name, line, f"<{wanted}> belongs to plugins/lib/web alone"


# ---- STYLE.md, section 6 ----

INSTEAD = {
    "strcpy": "a slice or buf_add", "strcat": "buf_add", "sprintf": "buf_printf",
    "vsprintf": "buf_vprintf", "strncpy": "a slice or buf_add", "strtok": "slice_split",
    "strtok_r": "slice_split", "atoi": "num_parse_...", "atol": "num_parse_...",
    "atoll": "num_parse_...", "atof": "num_parse_...", "gets": "fd_read_all",
    "system": "proc_start", "popen": "proc_start", "alloca": "an arena",
    "dup": "fcntl with F_DUPFD_CLOEXEC",
}
BANNED = re.compile(r"(?<![\w.>])(" + "|".join(INSTEAD) + r")\s*\(")
GETENV = re.compile(r"(?<![\w.>])((?:secure_)?getenv)\s*\(")


@check(
    ({"runner/io/a.c": "/* strcpy(a, b) */\nint x = strlen(\"atoi(\");\nstrcpy(a, b);\n"},
     [("runner/io/a.c", 3)]),
    ({"plugins/p/p.c": "q->system(1);\nreturn system (\"ls\");\n"}, [("plugins/p/p.c", 2)]),
    ({"tests/unit/io/test_a.c": "fd = dup(1);\n", "runner/io/b.c": "value = json_dup(1), dup2(1, 2);\n"},
     [("tests/unit/io/test_a.c", 1)]),
    ({"runner/job/e.c": "\ngetenv(\"HOME\");", "runner/cli/e.c": "getenv(\"HOME\");",
      "tests/unit/job/e.c": "getenv(\"HOME\");"}, [("runner/job/e.c", 2)]),
)
def nothing_banned_is_called(tree):
    """The banned functions, and the environment outside cli/."""
    for name in tree.having(".c", ".h"):
        code = code_only(tree.text(name))
        for match in BANNED.finditer(code):
            yield (name, code.count("\n", 0, match.start()) + 1,
                   f"{match.group(1)} is banned: use {INSTEAD[match.group(1)]}")
        if name.startswith(("runner/cli/", "tests/", "sdk/kit/")) or "/test_" in name:
            continue
        for match in GETENV.finditer(code):
            yield (name, code.count("\n", 0, match.start()) + 1,
                   f"{match.group(1)} outside cli/: settings are passed in")


# ---- STYLE.md, sections 3 and 10 ----

LINES_MAX = 1500


@check(
    ({"runner/io/a.h": "#pragma once\n" + "\n" * 1600, "runner/io/b.c": "int a;\n" * 1500},
     [("runner/io/a.h", 1501)]),
    ({"tests/x.sh": "echo\n" * 1501}, [("tests/x.sh", 1501)]),
)
def files_stay_short(tree):
    """No source file over 1,500 lines."""
    for name in tree.having(".c", ".h", ".sh", ".py", ".cmake"):
        count = tree.text(name).count("\n")
        if count > LINES_MAX:
            yield name, LINES_MAX + 1, f"{count} lines, {LINES_MAX} at most: find the second module"


@check(
    ({"runner/io/a.c": "int a;\n\tint b;\n", "runner/io/b.c": "char c = '\\t'; \n"},
     [("runner/io/a.c", 2), ("runner/io/b.c", 1)]),
    ({"runner/io/c.c": "int a;"}, [("runner/io/c.c", 1)]),
    ({"runner/io/d.c": "int a;\r\n"}, [("runner/io/d.c", 1)]),
)
def white_space_is_clean(tree):
    """No tabs, no space at a line's end, no CR, and a line end after the last line."""
    for name in tree.having(".c", ".h", ".sh", ".py", ".cmake", "CMakeLists.txt"):
        for line, text in tree.lines(name):
            if "\t" in text:
                yield name, line, "a tab: indent with spaces"
            if text != text.rstrip():
                yield name, line, "white space at the end of the line"
        if tree.text(name) and not tree.text(name).endswith("\n"):
            yield name, tree.text(name).count("\n") + 1, "no line end after the last line"


@check(
    ({"runner/io/a.c": 'char *u = "http://x"; /* a // b */\nint b; // no\n'}, [("runner/io/a.c", 2)]),
    ({"plugins/p/p.c": "#define X '\"' // no\n"}, [("plugins/p/p.c", 1)]),
)
def comments_are_of_one_kind(tree):
    """No // comments in C."""
    for name in tree.having(".c", ".h"):
        for line in line_comments(tree.text(name)):
            yield name, line, "a // comment: write /* ... */"


@check(
    ({"runner/io/a.h": "/* a */\n#pragma once\n", "runner/io/b.h": "/* #pragma once */\nint b;\n"},
     [("runner/io/b.h", 1)]),
    ({"include/ostler/x.h": "/* x */\n#ifndef OSTLER_X_H\n#define OSTLER_X_H\n#endif\n",
      "include/ostler/y.h": "#pragma once\n"}, [("include/ostler/y.h", 1)]),
)
def headers_guard_themselves(tree):
    """#pragma once inside, include guards in public headers."""
    for name in tree.having(".h"):
        code = code_only(tree.text(name))
        if name.startswith("include/"):
            guard = re.sub(r"\W", "_", name.removeprefix("include/")).upper()
            if not re.search(rf"^#ifndef {guard}\n#define {guard}\n", code, re.M):
                yield name, 1, f"a public header is guarded by {guard}"
        elif not re.search(r"^#pragma once$", code, re.M):
            yield name, 1, "no #pragma once"


# ---- what other programs find ----

def begins_with(tree, source):
    """The header that SOURCE includes before any other, if it is one of the tree."""
    wanted = next(iter(includes(tree.text(source))), (0, "", ""))[2]
    places = ("runner", "include", "tests", "plugins", posixpath.dirname(source))
    return [f"{place}/{wanted}" for place in places if f"{place}/{wanted}" in tree.files][:1]


def run(argv, tree, **more):
    return subprocess.run(argv, cwd=tree.root, capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, **more)


def some(items, n=16):
    return [items[i:i + n] for i in range(0, len(items), n)]


def each(function, items):
    """FUNCTION over ITEMS, as many at once as there are processors; results in order."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, items))


@check(
    ({"runner/io/a.c": "int a(void)\n{\n    return 1;\n}\n", "runner/io/b.c": "int  b;\n",
      ".clang-format": "IndentWidth: 4\nBreakBeforeBraces: Linux\n"
                       "AllowShortFunctionsOnASingleLine: None\n"},
     [("runner/io/b.c", 1)]),
)
def code_is_formatted(tree):
    """clang-format-14 would change nothing."""
    def look(names):
        return run(["clang-format-14", "--dry-run", "-Werror", *names], tree)
    for done in each(look, some(tree.having(".c", ".h"))):
        seen = set()
        for name, line in re.findall(r"^(.+?):(\d+):\d+: error:", done.stderr, re.M):
            if (name, line) not in seen:
                yield name, int(line), "not as clang-format-14 has it: clang-format-14 -i FILE"
            seen.add((name, line))
        if done.returncode and not seen:
            yield ".clang-format", 1, done.stderr.strip() or "clang-format-14 failed"


@check(
    ({"a.sh": "#!/bin/sh\necho \"$1\"\n", "tests/b.sh": "#!/bin/sh\necho $1\n"}, [("tests/b.sh", 2)]),
    ({".ci/run": "#!/bin/sh\ncd $1\n"}, [(".ci/run", 2)] * 2),
)
def scripts_pass_shellcheck(tree):
    """shellcheck over every shell script, with or without a name that tells."""
    scripts = [f for f in tree.having("") if not f.startswith("pipelines/")
               and (f.endswith((".sh", ".bash"))
                    or "." not in posixpath.basename(f) and re.match(r"#!.*\b(ba)?sh\b", tree.text(f)))]
    if not scripts:
        return
    done = run(["shellcheck", "-x", "-f", "gcc", *scripts], tree)
    for name, line, text in re.findall(r"^(.+?):(\d+):\d+: (.*)$", done.stdout, re.M):
        yield name, int(line), text
    if done.returncode and not done.stdout:
        yield scripts[0], 1, done.stderr.strip()


@check(
    ({"runner/io/a.h": "#pragma once\n#include <stddef.h>\nsize_t a(void);\n",
      "runner/io/b.h": "#pragma once\n\nsize_t b(void);\n"}, [("runner/io/b.h", 3)]),
    ({"runner/io/c.h": "#pragma once\nsize_t c(void);\n", "runner/io/c.c": '#include "io/c.h"\n'}, []),
    ({"runner/io/d.h": "#pragma once\nsize_t d(void);\n",
      "runner/io/e.c": '#include <stddef.h>\n#include "io/d.h"\n'}, [("runner/io/d.h", 2)]),
)
def headers_stand_alone(tree):
    """Every header compiles by itself, with gcc and with clang-14; the build shows it of those that a source begins with."""
    flags = run(["pkg-config", "--cflags", "jansson", "yaml-0.1"], tree).stdout.split()

    def compile_alone(job):
        compiler, name = job
        with open(os.devnull) as nothing:
            return name, subprocess.run(
                [compiler, "-std=c17", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-Wall", "-Wextra",
                 "-Werror", "-fsyntax-only", "-Irunner", "-Iinclude", "-Itests", *flags, "-include", name,
                 "-x", "c", "-"], cwd=tree.root, stdin=nothing, capture_output=True, text=True)
    shown = {found for name in tree.having(".c") for found in begins_with(tree, name)}
    jobs = [(c, f) for f in tree.having(".h") if f not in shown for c in ("gcc", "clang-14")]
    seen = set()
    for name, done in each(compile_alone, jobs):
        if done.returncode == 0 or name in seen:
            continue
        seen.add(name)
        where = re.search(rf"^(?:\./)?{re.escape(name)}:(\d+):.*?error: (.*)$", done.stderr, re.M)
        yield name, int(where.group(1)) if where else 1, "does not compile alone: " + (
            where.group(2) if where else done.stderr.strip())


# ---- what holds the project together ----

@check(
    ({"README.md": "See {0}here.\nand {0}there, a/{0}b\n".format("/wo" + "rk/")},
     [("README.md", 1), ("README.md", 2)]),
    ({"x.sh": "cd {0}x\ncd /home/runner{1}x\ncd $HOME{1}x ~{1}y\n".format("/ro" + "ot/", "/wo" + "rk/")},
     [("x.sh", 1)]),
)
def no_path_of_one_machine(tree):
    """Absolute paths that exist on the machine of whoever wrote them."""
    home = re.compile(r"(?<![\w./~$}*>-])/(?:work|root)/")
    for name in tree.having(""):
        for line, text in tree.lines(name):
            if home.search(text):
                yield name, line, f"a path of one machine: {home.search(text).group()}..."


@check(
    ({"CMakeLists.txt": "pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)\n"
                        "pkg_check_modules(FOO REQUIRED foo-2)\n",
      "packaging/lib/setup.sh": "BUILD_NEEDS=(\n    'pc:jansson libjansson-dev'\n)\n",
      "tests/run.sh": "TEST_NEEDS=()\n"}, [("CMakeLists.txt", 2)]),
)
def libraries_are_installed_by_quickstart(tree):
    """What CMake asks pkg-config for, the set-up installs."""
    known = set()
    for name in ("packaging/lib/setup.sh", "tests/run.sh"):
        known |= set(re.findall(r"'pc:(\S+) \S+'", tree.text(name)))
    for name in tree.having("CMakeLists.txt", ".cmake"):
        for line, text in tree.lines(name):
            match = re.match(r"\s*pkg_(?:check|search)_modules?s?\((.*)\)", text)
            for word in match.group(1).split()[1:] if match else []:
                module = re.split("[<>=]", word)[0]
                if module not in known and not re.fullmatch("[A-Z_]+", module):
                    yield name, line, f"'{module}' is not among the needs of packaging/lib/setup.sh"


@check(
    ({"runner/io/CMakeLists.txt": "ostler_room(io SOURCES loop.c init/a.c)\n", "runner/io/loop.c": "",
      "runner/io/init/a.c": "", "runner/io/lost.c": ""}, [("runner/io/lost.c", 1)]),
    ({"runner/lang/CMakeLists.txt": "# a.c\n", "runner/lang/a.c": ""}, [("runner/lang/a.c", 1)]),
)
def every_source_is_built(tree):
    """A .c file that no CMakeLists.txt names is dead, or forgotten."""
    for name in tree.having(".c", below="runner/"):
        folder, built = posixpath.dirname(name), False
        while folder and not built:
            lists = f"{folder}/CMakeLists.txt"
            if lists in tree.files:
                text = re.sub(r"#[^\n]*", lambda m: blank(m.group()), tree.text(lists))
                wanted = re.escape(posixpath.relpath(name, folder))
                built = re.search(rf"(?<![\w./-]){wanted}(?![\w.])", text) is not None
            folder = posixpath.dirname(folder)
        if not built:
            yield name, 1, "no CMakeLists.txt names this file"


@check(
    ({"packaging/a.sh": "#!/bin/sh\n", "packaging/lib/b.sh": "# sourced\n"}, [("packaging/a.sh", 1)]),
)
def scripts_can_be_started(tree):
    """A script with a #! line may be executed; one without may not."""
    for name in tree.having(".sh", ".py", "run", below=""):
        starts, may = tree.text(name).startswith("#!"), os.access(tree.root / name, os.X_OK)
        mode = (tree.root / name).stat().st_mode & 0o111
        if starts and not (may and mode):
            yield name, 1, "has a #! line but may not be executed: chmod +x"
        if not starts and mode:
            yield name, 1, "may be executed but has no #! line: chmod -x"


ROWS = 18  # of the runtime contract's section 16: what implementers usually get wrong


@check(
    ({"tests/e2e/cases/a.py": '"""Rows 1, 2 and 3 of the contract\'s list: x."""\n',
      "tests/unit/job/test_a.c": "/* Row 4 of the runtime contract's section 16. */\n",
      "plugins/b/test_b.c": "".join(f"/* Row {n} of the contract's list. */\n" for n in range(5, 18)),
      "runner/job/a.c": "/* row 18 of the contract's list */\n"}, [("tests", 1)]),
)
def every_row_of_the_contract_is_tested(tree):
    """Each row has a test that names it: "Row 7 of the contract's list"."""
    naming = re.compile(r"\b[Rr]ows? (\d+(?:(?:, | and )\d+)*) of the (?:runtime )?contract's")
    named = set()
    for name in tree.having(".py", ".c", ".mjs"):
        if name.startswith("tests/") or posixpath.basename(name).startswith("test_"):
            for match in naming.finditer(tree.text(name)):
                named |= {int(number) for number in re.findall(r"\d+", match.group(1))}
    for row in sorted(set(range(1, ROWS + 1)) - named):
        yield "tests", 1, f"no test names row {row} of the contract's list"


# ---- manuals ----

@check(
    ({"packaging/man/x.3": ".Dd November 22, 2026\n.Dt X 3\n.Os\n.Sh NAME\n.Nm x\n.Nd does x\n"}, []),
    ({"packaging/man/y.3": ".Dd November 22, 2026\n.Dt Y 3\n.Os\n.Sh NAME\n.Nm y\n.Nd does y\n.Qz nothing\n"},
     [("packaging/man/y.3", 7)]),
)
def manual_pages_are_sound(tree):
    """mandoc has nothing to warn of."""
    for name in tree.having(*(f".{n}" for n in range(1, 9)), below="packaging/man/"):
        done = run(["mandoc", "-T", "lint", "-W", "warning", name], tree)
        for line, text in re.findall(r"^mandoc: .*?:(\d+):\d+: (.*)$", done.stdout + done.stderr, re.M):
            yield name, int(line), text


TITLE = re.compile(r"# [a-z-]+\([0-9]\)\n")
MAKE_PAGE = pathlib.Path(__file__).resolve().parents[2] / "packaging/man/page.awk"


@check(
    ({"runner/cli/x.md": "# x(1)\n\n    x [--all]\n\nDoes `x`. See [y](y.md).\n\n| a | b |\n|---|---|\n| `-a` | c |\n",
      "runner/cli/y.md": "# Y\n"}, []),
    ({"runner/cli/y.md": "# y(1)\n\nDoes y, see [z](z.md).\n"}, [("runner/cli/y.md", 3)]),
    ({"runner/cli/z.md": "# z(1)\n\nDoes z.\n\n## \n\nMore.\n"}, [("runner/cli/z.md", 1)]),
    ({"runner/cli/n.md": "# n(1)\n\nDoes n.\n\n<!-- `this` -->\n\n| a |\n|---|\n| b | c | | `d` |\n"}, []),
    ({"runner/cli/t.md": "# t(1)\n\nDoes t.\n\n| a | b |\n`lost`\n| c | d |\n"}, [("runner/cli/t.md", 6)]),
)
def manuals_make_sound_pages(tree):
    """Each "# name(1)" makes a page that mandoc likes, with all that the manual says in `code`; and its links lead somewhere."""
    def look(name):
        page = run(["awk", "-v", "date=2026-01-31", "-v", "version=0", "-f", str(MAKE_PAGE), name], tree)
        lint = run(["sh", "-c", 'printf %s "$1" | mandoc -T lint', "sh", page.stdout], tree)
        shown = run(["sh", "-c", 'printf %s "$1" | mandoc -T utf8 | col -b', "sh", page.stdout], tree)
        return name, page.stderr + lint.stdout + lint.stderr, re.sub(r"\s", "", shown.stdout)

    for name, trouble, shown in each(look, [n for n in tree.having(".md", below="runner/") if TITLE.match(tree.text(n))]):
        for text in trouble.splitlines():
            yield name, 1, text
        for line, text in tree.lines(name):
            for where in re.findall(r"\]\(([^)#:]+)[^):]*\)", text):
                if posixpath.normpath(posixpath.join(posixpath.dirname(name), where)) not in tree.files:
                    yield name, line, f"there is no '{where}'"
            for code in re.findall(r"`([^`]+)`", re.sub(r"\[[^]]*\]\([^)]*\)", "", text)) if not text.startswith(" ") else ():
                if re.sub(r"\s", "", code.replace("\\|", "|")) not in shown:
                    yield name, line, f"its page says nothing of '{code}'"


PAGE, HEADERS = "packaging/man/ostler-plugin.3", ("include/ostler/plugin.h", "include/ostler/ext.h")


@check(
    ({PAGE: ".Fn log step\n.Dv OST_OK\n.Dv OST_EXT_X\n.Fn ask\n", HEADERS[1]: "#define OST_EXT_X \"x/1\"\n"
      "struct ost_x_v1 {\n    ost_status (*ask)(void);\n    ost_status (*answer)(void);\n};\n",
      HEADERS[0]: "enum { OST_OK = 0, OST_MORE = 1 };\nstruct ost_host {\n    void (*log)(int);\n    void (*group)(int);\n"
      "};\nstruct ost_note {\n    uint32_t line, col; /* from 1 */\n};\n"},
     [(HEADERS[0], 1), (HEADERS[0], 4), (HEADERS[0], 7), (HEADERS[0], 7), (HEADERS[1], 4)]),
)
def the_abi_is_described(tree):
    """ostler-plugin(3) names every member and constant of plugin.h, and every extension with its calls."""
    if PAGE not in tree.files:
        return
    known = set(re.findall(r"\w+", tree.text(PAGE)))
    for header in HEADERS:
        struct = ""
        for line, text in enumerate(code_only(tree.text(header)).split("\n"), 1):
            struct = "" if text.startswith("}") else (re.match(r"struct (\w+) \{", text) or [None, struct])[1]
            names = re.findall(r"\(\*(\w+)\)\(", text) if header == HEADERS[0] or struct.endswith("_v1") else []
            names += re.findall(r"\b(OST_(?:EXT_)?[A-Z_]+)\b(?= =|[ \n]*$)" if header == HEADERS[0] else r"(OST_EXT_\w+) ", text)
            members = re.match(r"    (?:[\w ]+[ *])((?:\*?\w+, )*\*?\w+);", text)
            if members and header == HEADERS[0] and struct.startswith("ost_"):
                names += re.findall(r"\w+", members[1])
            for name in names:
                if name not in known and name not in SAID_ONCE:
                    yield header, line, f"{PAGE} says nothing of '{name}'"


SAID_ONCE = {"struct_size", "abi_minor", "n_inputs", "input_size", "n_outputs", "output_size"}  # the macros fill them in
