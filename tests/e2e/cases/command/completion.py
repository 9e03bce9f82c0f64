"""Completion: what "ostler complete" knows, and that bash, zsh and fish get it from there."""

import os
import pty
import re
import select
import subprocess
import time

from case import case
from world import check

COMMANDS = ("run", "plan", "check", "listen", "eval", "register", "unregister", "plugin", "status")
PLUGIN = ("list", "info", "new", "check", "install", "remove", "run", "sign")
ALSO_OF_RUN = ("plan", "listen")  # their manuals send the reader to that of "run"


def complete(w, *words):
    """{word: meaning}, and the kinds of names that fit, too."""
    lines = w.ostler_call("complete", *words).exits(0).out.splitlines()
    return dict(line.split("\t") for line in lines if "\t" in line), [line for line in lines if line.startswith(":")]


@case()
def every_option_is_in_the_help_and_the_manual(w):
    for command in [(c,) for c in COMMANDS if c != "plugin"] + [("plugin", sub) for sub in PLUGIN]:
        options, _ = complete(w, *command, "--")
        manual = next((w.project / "runner/cli").glob(f"*/cmd_{command[0]}.md")).read_text()
        if command[0] in ALSO_OF_RUN:
            manual += (w.project / "runner/cli/run/cmd_run.md").read_text()
        if command[0] == "plugin":
            manual += (w.project / "runner/cli/plugin_policy.md").read_text()
        check("--help" in options, f"{command}: {options}")
        for option, meaning in options.items():
            check(meaning, f"--help of {command} says nothing of {option}")
            check(option == "--help" or re.search(rf"{option}(?![\w-])", manual), f"the manual of {command} says nothing of {option}")
        help_text = w.ostler_call(*command, "--help").exits(0).out
        wide = [line for line in help_text.splitlines() if len(line) > 80]
        check(not wide, f"--help of {command} is wider than a terminal: {wide}")
        for said in set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", help_text, re.M)) if command[0] != "plugin" else ():
            check(said in options, f"--help of {command} has {said}, which is no option")


@case()
def words_fit_the_place(w):
    w.git("branch", "feature/x")
    check(complete(w, "")[0].keys() == set(COMMANDS), f"{complete(w, '')}")
    overview = (w.project / "runner/cli/ostler.md").read_text()
    check(all(f"`ostler {c}`" in overview for c in COMMANDS), "the overview leaves out a command")
    check(complete(w, "un")[0] == {"unregister": "make them forget it again"}, f"{complete(w, 'un')}")
    check(tuple(complete(w, "plugin", "")[0]) == PLUGIN, f"{complete(w, 'plugin', '')}")
    for words, wanted, names in (
            (("run", ""), [], [":files"]), (("listen", ""), [], [":folders"]), (("status", ""), [], []),
            (("check", ""), [], [":files", ":folders"]), (("eval", "--context", ""), [], [":files"]),
            (("run", "--ref", "feat"), ["feature/x"], []), (("run", "--job", ""), [], []),
            (("run", "--limit", ""), ["memory=", "disk=", "cpus=", "processes="], []),
            (("listen", "--limit=mem"), ["--limit=memory="], []), (("run", "--limit", "memory", "=", "5"), [], []),
            (("run", "--event", "watch", "--type", ""), ["started"], []), (("plan", "--event=watch", "--type", ""), ["started"], []),
            (("run", "--event", "=", "watch", "--type", "="), ["started"], []), (("run", "--type", ""), [], []),
            (("run", "--event", "pull_request", "--type", "re"), ["reopened", "ready_for_review", "review_requested",
                                                                  "review_request_removed"], []),
            (("run", "--event", "create", "--type", ""), [], []), (("run", "--event-file", "x", "--type", ""), [], []),
            (("run", "--plugins", ""), ["installed", "never", "only"], []),
            (("run", "--event", "pus"), ["push"], []), (("run", "--event=pus"), ["--event=push"], []),
            (("run", "--event", "="), None, []), (("run", "--event", "=", "pus"), ["push"], []),
            (("listen", "--config", ""), [], [":files"]), (("listen", "--config="), [], []),
            (("listen", "--log", ""), ["text", "json"], []), (("check", "--ignore", "inj"), ["injection"], []),
            (("register", "--type", ""), ["github", "gitea", "forgejo"], []), (("unregister", "--type", ""), [], []),
            (("plugin", "info", "--format", ""), ["text", "yaml", "json"], []), (("plugin", "list", "--f"), [], []),
            (("plugin", "sign", "--key", ""), [], [":files"]), (("plugin", "new", ""), [], []),
            (("run", "--", "-"), [], [":files"]), (("nothing", ""), [], []), (("worker", ""), [], [])):
        got, kinds = complete(w, *words)
        check((wanted is None or list(got) == wanted) and kinds == names, f"{words}: {got} {kinds}")
    w.plugin("good")
    check("test/good" in complete(w, "plugin", "info", "test/")[0], "an installed plugin")


@case()
def each_choice_in_the_help_is_taken(w):
    """A word that completion offers is one that the program takes."""
    for command in ("listen", "run"):
        for level in complete(w, command, "--isolation", "")[0]:
            said = w.ostler_call(command, "--isolation", level, "--no-such-option").err
            check("no-such-option" in said, said)
    for form in complete(w, "listen", "--log", "")[0]:
        check("no-such-option" in w.ostler_call("listen", "--log", form, "--no-such-option").err, form)
    for form in complete(w, "plan", "--graph", "")[0]:
        w.steps("- run: echo hi")
        w.ostler_call("plan", "--graph", form).exits(0)
    for language in complete(w, "plugin", "new", "--lang", "")[0]:
        w.ostler_call("plugin", "new", f"acme/{language}", "--lang", language).exits(0)
    w.plugin("good")
    for form in complete(w, "plugin", "info", "--format", "")[0]:
        w.ostler_call("plugin", "info", "test/good", "--format", form).exits(0)
    for kind in complete(w, "register", "--type", "")[0]:
        said = w.ostler_call("register", "--type", kind, "--unattended", "--dir", str(w.root / "none")).err
        check("--type" not in said, said)


# ---- the shells themselves ----

TYPED = [("ostler unreg", "ostler unregister"), ("ostler run --event-f", "ostler run --event-file"),
         ("ostler run --event pus", "ostler run --event push"), ("ostler run --event=pus", "ostler run --event=push"),
         ("ostler run --ref feat", "ostler run --ref feature/x"),
         ("ostler run --limit mem", "ostler run --limit memory="), ("ostler plugin inst", "ostler plugin install"),
         ("ostler run --config READ", "ostler run --config README.md"), ("ostler listen regi", "ostler listen registrations")]


def typed_into(w, argv, prepare):
    """What a shell on a terminal makes of each line of TYPED once Tab was pressed: it is shown by putting echo before it."""
    env = {**w.env, "PATH": f"{w.build}:{w.env['PATH']}", "TERM": "dumb", "PS1": "$ ", "INPUTRC": "/dev/null"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(w.repo)
        os.execvpe(argv[0], argv, env)
    lines = [prepare, *(f"{line}\t\x01echo @@ \x05" for line, _ in TYPED), "exit"]
    out, end = b"", time.monotonic() + 40
    try:
        for line in lines:
            os.write(terminal, f"{line}\r".encode())
        while time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                out += os.read(terminal, 1 << 16)
    except OSError:  # it has left
        pass
    os.close(terminal)
    os.waitpid(pid, 0)
    return [line.strip().rstrip("/") for line in re.findall(r"^@@ (.*?)\r?$", out.decode(errors="replace"), re.M)], out


def prepared(w):
    w.git("branch", "feature/x")
    (w.repo / "registrations").mkdir()
    return w.project / "packaging/completions"


@case()
def bash_completes(w):
    got, out = typed_into(w, ["bash", "--norc", "--noprofile", "-i"], f". '{prepared(w)}/ostler.bash'")
    check(got == [wanted for _, wanted in TYPED], f"{got}\n{out.decode(errors='replace')}")


@case()
def zsh_completes(w):
    prepare = f"fpath=('{prepared(w)}' $fpath); autoload -U compinit; compinit -u -D; bindkey -e"
    got, out = typed_into(w, ["zsh", "-f", "-i"], prepare)
    check(got == [wanted for _, wanted in TYPED], f"{got}\n{out.decode(errors='replace')}")


@case()
def fish_completes(w):
    file = prepared(w) / "ostler.fish"
    env = {**w.env, "PATH": f"{w.build}:{w.env['PATH']}"}
    for line, wanted in TYPED:
        done = subprocess.run(["fish", "--no-config", "-c", f"source '{file}'; complete -C '{line}'"], cwd=w.repo, env=env,
                              capture_output=True, text=True, timeout=30)
        words = [row.split("\t")[0] for row in done.stdout.splitlines()]
        check([word.rstrip("/") for word in words] == [wanted.split(" ")[-1]], f"{line}: {done}")
