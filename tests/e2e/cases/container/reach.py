"""Artifacts, caches and id tokens from inside containers, with GitHub's own clients; and who cannot come to them."""

import shutil
import textwrap

import engine
from case import case
from cases.container.containers import nothing_left
from cases.store.toolkit import clients
from engine import BUSYBOX, GLIBC
from world import check

NEEDS = {"quick": False, "needs": ("docker", "toolkit"), "limit": 150}

TRIP = """
    const up = await artifacts.uploadArtifact('from WHERE', [path.join(here, 'action.yml')], here);
    assert.equal((await artifacts.listArtifacts()).artifacts.length, 1);
    await artifacts.downloadArtifact(up.id, {path: 'in'});
    assert.ok(fs.existsSync('in/action.yml'));
    fs.mkdirSync('kept', {recursive: true});
    noise('kept/large', 5e6);
    const sum = sha256('kept/large');
    await cache.saveCache(['kept'], 'WHERE');
    fs.rmSync('kept', {recursive: true});
    assert.equal(await cache.restoreCache(['kept'], 'WHERE'), 'WHERE');
    assert.equal(sha256('kept/large'), sum);
    assert.equal((await core.getIDToken('me')).split('.').length, 3);
    """


def trip(where):
    body = TRIP.replace("WHERE", where)
    return textwrap.indent(textwrap.dedent("const here = path.dirname(process.argv[1]);\n" + textwrap.dedent(body)), " " * 6)


def node_image(w):
    return engine.with_node(w.project / "build" / "tools")


TOKENS = "permissions: {id-token: write}\n"


@case(**NEEDS)
def the_toolkit_works_in_a_job_s_container(w):
    """13.0 rule 5: what actions are told of the services' address holds in there, too."""
    clients(w)
    flow = w.steps("- uses: actions/checkout@v4\n- name: trip\n  uses: ./client\n  with:\n    do: |\n" + trip("the box"),
                   f"container: {node_image(w)}\n", top=TOKENS)
    for level in ("sandbox", "host"):
        r = w.run(flow, "--isolation", level, code=0, limit=120)
        nothing_left(r)


def docker_client(w, image, entry):
    """The client as a Docker action; the image has the toolkit."""
    clients(w)
    shutil.move(w.repo / "client", w.repo / "act")
    w.write("act/Dockerfile", f"FROM {image}\nCOPY . /client\n{entry}\n")
    w.write("act/action.yml", "name: act\ndescription: d\ninputs: {do: {required: true}}\n"
                              "runs: {using: docker, image: Dockerfile}\n")
    w.write("act/start", "#!/bin/sh\nexport RUNNER_TOOL_CACHE=/kit\nexec node /client/main.mjs \"$@\"\n",
            mode=0o755)
    w.commit("a client in a container")


@case(**NEEDS)
def the_toolkit_works_in_docker_actions(w):
    """With the image's own program and arguments, and two of them at once, beside a container of the job or not."""
    docker_client(w, node_image(w), 'ENTRYPOINT ["start"]\nCMD ["an argument"]\nENV PATH=/client:/bin')
    steps = ("- uses: actions/checkout@v4\n- name: trip\n  uses: ./act\n  with:\n    do: |\n" + trip("an action")
             + f"- {{name: image, uses: 'docker://{BUSYBOX}', with: {{args: sh -c \"echo as ever $$; exit 0\"}}}}\n")
    r = w.run(w.steps(steps, top=TOKENS), code=0, limit=120)
    r.says("as ever 1", step="image")  # it is the first process, as without us
    nothing_left(r)
    w.run(w.steps(steps, f"container: {GLIBC}\n", top=TOKENS), code=0, limit=120)


@case(**NEEDS)
def the_program_of_a_docker_action_is_what_its_image_says(w):
    w.write("a/Dockerfile", f"FROM {BUSYBOX}\nENTRYPOINT [\"echo\", \"entry\"]\nCMD [\"a  b\", \"\"]\n")
    w.write("a/action.yml", "name: a\ndescription: d\nruns: {using: docker, image: Dockerfile}\n")
    w.write("b/Dockerfile", f"FROM {BUSYBOX}\nENTRYPOINT echo in a shell $0\nCMD [\"no\"]\n")
    w.write("b/action.yml", "name: b\ndescription: d\nruns: {using: docker, image: Dockerfile}\n")
    w.write("c/Dockerfile", f"FROM {BUSYBOX}\nCMD [\"no-such-program\"]\n")
    w.write("c/action.yml", "name: c\ndescription: d\nruns: {using: docker, image: Dockerfile}\n")
    w.commit("actions")
    r = w.run(w.steps("""
        - uses: actions/checkout@v4
        - {name: entry, uses: ./a}
        - {name: args, uses: ./a, with: {args: 'x "y z"'}}
        - {name: other, uses: ./a, with: {entrypoint: /bin/pwd}}
        - {name: shell, uses: ./b}
        - {name: none, uses: ./c, continue-on-error: true}
        """), code=0)
    r.says("entry a  b", step="entry").says("entry x y z", step="args").says("/github/workspace", step="other")
    r.says("in a shell", step="shell").says("no-such-program", step="none")
    r.equal("exit code", r.step("none")["exit_code"], 127)


PROBE = """\
while ! test -s /x/go; do sleep 0.1; done
read port own < /x/go
gateway=$(ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p')
for at in 127.0.0.1 $gateway $own; do nc -w 2 $at $port < /dev/null && echo "reached $at"; done
nc -w 2 $own 9999 < /dev/null && echo "the way is open"
echo probed $gateway $own
"""


@case(**NEEDS)
def nobody_else_can_come_to_the_services(w):
    """Neither another container, one of the same job even, nor anybody without the job's token."""
    clients(w)
    w.write("probe", PROBE)
    w.commit("a probe")
    r = w.run(w.steps("""
        - uses: actions/checkout@v4
        - uses: ./client
          with:
            do: |
              const url = process.env.ACTIONS_RESULTS_URL;
              fs.writeFileSync('port', new URL(url).port);
              const method = 'twirp/github.actions.results.api.v1.ArtifactService/ListArtifacts';
              for (const authorization of ['', 'Bearer x']) {
                const answer = await fetch(url + method, {method: 'POST', headers: {authorization}, body: '{}'});
                assert.equal(answer.status, 401);
              }
        - name: others
          run: |
            nc -l -p 9999 &
            echo "$(cat port) $(hostname -i)" > go
            for i in $(seq 100); do grep -q probed result && break; sleep 0.1; done
            cat result
        """, f"container: {node_image(w)}\nservices:\n  web:\n    image: {BUSYBOX}\n    options: --entrypoint /bin/sh\n"
             "    command: -c \"while ! test -s /x/probe; do sleep 0.1; done; sh /x/probe >/x/result\"\n"
             "    volumes: ['${{ github.workspace }}:/x']\n"), limit=100, code=0)
    r.says("the way is open", "probed ", step="others").never_says("reached", step="others")
    nothing_left(r)
