"""Options that stand in a configuration file (the manual of `ostler run`, "Configuration")."""

import os
import pathlib

from case import case
from world import check


def usual(w, text):
    """The user's file, with TEXT in it."""
    folder = w.root / "config"
    (folder / "ostler").mkdir(parents=True, exist_ok=True)
    w.env["XDG_CONFIG_HOME"] = str(folder)
    path = folder / "ostler/config.yml"
    path.write_text(text)
    path.chmod(0o600)
    return path


@case()
def the_command_line_comes_after_the_configuration(w):
    flow = w.steps("- {name: a, run: 'echo \"<${{ vars.A }} ${{ vars.B }}>\"'}")
    usual(w, "# nothing yet\n")
    w.run(flow, code=0).says("< >", step="a")
    usual(w, "var: {A: 1, B: two}\nisolation: host\noffline: false\n")
    r = w.run(flow, "--var", "B=three", code=0).says("<1 three>", step="a")
    r.equal("isolation", r.of("job.started")[0]["isolation"], "host")
    plan = w.ostler_call("plan", flow).exits(0)
    check("<1 two>" in plan.out, f"the plan does not know\n{plan}")


@case()
def a_named_configuration_is_the_only_one(w):
    flow = w.steps("- {name: a, run: 'echo \"<${{ vars.A }}|${{ vars.B }}|${{ secrets.S }}>\" | tr a-z A-Z'}")
    usual(w, "var: {A: usual}\n")
    secrets = pathlib.Path(w.write("secrets.env", "S=hidden\n", 0o600, below=w.root))
    other = w.write("other.yml", f"var: {{B: other}}\nsecret-file: {secrets}\n", 0o600, below=w.root)
    w.run(flow, "--config", other, code=0).says("<|OTHER|HIDDEN>", step="a")
    w.run(flow, "--config", w.root / "none.yml").complains("none.yml")


@case()
def mistakes_are_named_with_their_place_and_cure(w):
    flow = w.steps("- run: echo never")
    rows = (
        ("jobs: 2\nlimits: {memory: 1G}\n", ":2:1: 'limits' is nothing that a configuration says: did you mean 'limit'?"),
        ("jobs: many\n", ":1:7: --jobs"),
        ("jobs: {a: b}\n", ":1:7: 'jobs' wants a text or a number here"),
        ("offline: maybe\n", ":1:10: 'offline' is true or false"),
        ("limit: 4G\n", ":1:8: 'limit' wants names and values"),
        ("limit: {memory: some}\n", ":1:17: --limit"),
        ("plugins: {actions/cache: sometimes}\n", ":1:26: --plugins is 'installed', 'never' or 'only', not 'sometimes'"),
        ("secret-file: secrets\n", ":1:14: 'secret-file' wants an absolute path in a configuration, not 'secrets'"),
        ("var: {A: }\n", ":1:10: 'var' wants a text or a number here"),
        ("- jobs\n", ":1:1: a configuration is a mapping"),
        ("jobs: [2\n", "config.yml:"),
    )
    for text, complaint in rows:
        path = usual(w, text)
        w.run(flow).complains(complaint, str(path))
    path = usual(w, "jobs: 2\n")
    path.chmod(0o620)
    w.run(flow).complains("can be written by others", "chmod go-w")
    if os.getuid() == 0:
        path.chmod(0o600)
        os.chown(path, 4242, 4242)
        w.run(flow).complains("can be written by others")
