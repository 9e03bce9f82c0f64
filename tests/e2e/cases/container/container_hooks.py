"""Containers that an administrator's script makes and uses instead of us (runtime contract 10.6)."""

import json
import os
import signal

import engine
from case import case
from cases.container.containers import box, docker_action
from engine import BUSYBOX, GLIBC
from world import check

DOCKER = {"quick": False, "needs": ("docker",)}

# As the hooks for Docker that GitHub publishes do it, in short. It tells each order to a file.
HOOK = r"""#!/bin/sh
exec python3 -c '
import json, os, subprocess, sys

order = json.loads(sys.stdin.readline())
assert sys.stdin.read() == "", "there is more than a line"
assert os.path.getsize(order["responseFile"]) == 0
command, args, state, answer, label = order["command"], order["args"], order["state"], {}, os.environ["HOOK_LABEL"]
print("the hook is asked for", command, "in", os.getcwd())
with open(os.environ["HOOK_ORDERS"], "a") as orders:
    orders.write(json.dumps({**order, "steered": os.environ.get("STEERED"), "github": "GITHUB_SHA" in os.environ}) + "\n")

def docker(*words):
    return subprocess.run(["docker", *words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

def variables(values):
    return [word for name, value in values.items() for word in ("-e", name + "=" + value)]

def mounts(one):
    return [word for m in one.get("systemMountVolumes", []) + one["userMountVolumes"]
            for word in ("-v", m["sourceVolumePath"] + ":" + m["targetVolumePath"] + (":ro" if m["readOnly"] else ""))]

def run(one, *more):
    ports = [word for p in one["portMappings"] for word in ("-p", p)]
    return ["run", "--label", label, *more, *mounts(one), *ports, *variables(one["environmentVariables"])]

if command == "prepare_job":
    net = docker("network", "create", "--label", label, label)
    own, services = args["container"], []
    for one in args["services"]:
        id = docker(*run(one, "-d", "--network", net, "--network-alias", one["image"].split("/")[1].split(":")[0]),
                    one["image"], "httpd", "-f", "-p", "80", "-h", "/etc")
        port = docker("port", id, "80").rpartition(":")[2]
        services.append({"id": id, "network": net, "ports": {"80": port}})
    id = docker(*run(own, "-d", "--network", net, "--workdir", own["workingDirectory"]), own["image"], "sleep", "1000")
    answer = {"state": {"box": id, "deep": [1, {"a": None}]}, "isAlpine": False,
              "context": {"container": {"id": id, "network": net}, "services": services}}
    if os.environ.get("HOOK_ANSWER"):
        answer = json.loads(os.environ["HOOK_ANSWER"])
elif command == "run_script_step":
    path = ":".join([*args["prependPath"], "/opt/bin:/bin"])
    sys.exit(subprocess.run(["docker", "exec", "--workdir", args["workingDirectory"],
                             *variables({**args["environmentVariables"], "PATH": path}), state["box"], args["entryPoint"],
                             *args["entryPointArgs"]]).returncode)
elif command == "run_container_step":
    image = args["image"] or docker("build", "-q", "-f", args["dockerfile"], os.path.dirname(args["dockerfile"]))
    entry = ["--entrypoint", args["entryPoint"]] if args["entryPoint"] else []
    sys.exit(subprocess.run(["docker", *run(args, "--rm", "--workdir", args["workingDirectory"]), *entry, image,
                             *args["entryPointArgs"]]).returncode)
elif command == "cleanup_job":
    for id in docker("ps", "--all", "--quiet", "--filter", "label=" + label).split():
        docker("rm", "--force", "--volumes", id)
    for id in docker("network", "ls", "--quiet", "--filter", "label=" + label).split():
        docker("network", "rm", id)
json.dump(answer, open(order["responseFile"], "w"))
'
"""


def hooked(w, more=""):
    """The hook in its place, and its label; what it is told goes to the file that is returned."""
    label, orders = f"hook-{os.getpid()}", w.root / "orders"
    w.env["ACTIONS_RUNNER_CONTAINER_HOOKS"] = str(w.write("hook.sh", HOOK, below=w.root / "admin"))
    w.env["XDG_CONFIG_HOME"] = str(w.root / "config")
    w.write("config/ostler/.env", f"HOOK_LABEL={label}\nHOOK_ORDERS={orders}\n{more}", mode=0o600, below=w.root)
    return orders, label


def told(orders):
    return [json.loads(line) for line in orders.read_text().splitlines()]


def nothing_left(label, r):
    left = engine.labelled(label)
    check(not left, f"left in the engine: {left}\n{r}")


@case(who="root", **DOCKER)
def a_hook_makes_the_containers_and_runs_the_steps(w):
    """Row 18 of the contract's list: no `contextName`, answers by their index, `isAlpine` is mandatory."""
    orders, label = hooked(w)
    docker_action(w)
    w.write("js/action.yml", "name: js\ndescription: d\ninputs: {who: {}}\nruns: {using: node20, main: main.js}\n")
    w.write("js/main.js", "not looked at")
    tools = w.root / "tools"
    w.write("node", "#!/bin/sh\necho \"node runs $1 for $INPUT_WHO in $FROM_IMAGE\"\n", mode=0o755, below=tools)
    w.commit("actions")
    job = box(more="  env: {MINE: '${{ secrets.S }}', STEERED: by the workflow}\n  options: --cpus 1\n  volumes: ['/tmp:/d:ro']\n"
                   "  credentials: {username: u, password: '${{ secrets.P }}'}\n")
    job += f"services:\n  none: {{image: '${{{{ github.event.nothing }}}}'}}\n  web: {{image: {BUSYBOX}, ports: [80], env: {{A: b}}}}\nenv: {{STEERED: by the job}}\n"
    r = w.run(w.steps(r"""
        - uses: actions/checkout@v4
        - id: look
          name: look
          run: |
            echo "$PWD $HOME $MINE $FROM_IMAGE ${{ job.services.web.ports['80'] > 0 }} id=${{ job.container.id != '' }}"
            mkdir bin; printf '#!/bin/sh\necho by its name\n' > bin/mine; chmod +x bin/mine
            echo "out=a b" >> $GITHUB_OUTPUT; echo NEXT=1 >> $GITHUB_ENV; echo $PWD/bin >> $GITHUB_PATH
            wget -q -O - http://busybox/passwd
            echo '::notice::it speaks'
        - {name: later, shell: bash, working-directory: /opt, run: 'echo "${{ steps.look.outputs.out }} $NEXT $PWD ${BASH_VERSION:+bash}"; mine'}
        - {name: fails, continue-on-error: true, run: exit 7}
        - {name: js, uses: ./js, with: {who: Ada}}
        - {name: act, id: act, uses: ./act, with: {who: Ada, text: 'a "b"'}}
        - {name: image, uses: 'docker://%s', with: {entrypoint: /bin/sh, args: '-c "echo in an image; cat written"'}}
        - {name: last, run: 'echo "${{ steps.act.outputs.out }}"'}
        """ % BUSYBOX, job), "--isolation", "host", "--secret", "S=geheim", "--secret", "P=hush-hush",
              env={"PATH": f"{tools}:{w.env['PATH']}"}, code=0)
    r.says("the hook is asked for run_script_step in ", "/__w/app/app /github/home *** yes true id=true", "root:x:0:0", step="look")
    r.says("a b 1 /opt bash", "by its name", step="later").says("node runs /__w/app/app/js/main.js for Ada in yes", step="js")
    r.says('stage main with a "b" and for Ada', "who=Ada", step="act").says("in an image", "a file of root", step="image")
    r.says("from main", step="last")
    r.equal("exit code", r.step("fails")["exit_code"], 7)
    r.equal("notices", {a["message"] for a in r.of("annotation", level="notice")}, {"it speaks"})
    names = [s["name"] for s in r.steps()]
    r.equal("first steps", names[:3], ["Set up job", "Initialize containers", "Run actions/checkout@v4"])
    r.equal("last steps", names[-2:], ["Stop containers", "Complete job"])
    check("geheim" not in r.out and "hush-hush" not in r.out, f"a secret is in the open\n{r}")
    nothing_left(label, r)

    all_told = told(orders)
    r.equal("orders", [o["command"] for o in all_told],
            ["prepare_job"] + ["run_script_step"] * 4 + ["run_container_step"] * 2 + ["run_script_step", "cleanup_job"])
    first, own = all_told[0], all_told[0]["args"]["container"]
    r.equal("state", [first["state"], *{json.dumps(o["state"]["deep"]) for o in all_told[1:]}], [None, '[1, {"a": null}]'])
    r.equal("registry", own["registry"], {"username": "u", "password": "hush-hush", "serverUrl": ""})
    r.equal("options", (own["createOptions"], own["entryPoint"], own["entryPointArgs"], own["dockerfile"]), ("--cpus 1", None, [], None))
    r.equal("volumes", own["userMountVolumes"], [{"userProvidedValue": "/tmp:/d:ro", "sourceVolumePath": "/tmp",
                                                  "targetVolumePath": "/d", "readOnly": True}])
    check({"/__w", "/github/home", "/github/workflow"} <= {m["targetVolumePath"] for m in own["systemMountVolumes"]}, own)
    r.equal("services", [(s["image"], s["portMappings"], s["environmentVariables"], s["registry"]) for s in first["args"]["services"]],
            [(BUSYBOX, ["80"], {"A": "b"}, None)])
    check("contextName" not in json.dumps(first), "contextName is sent")
    check(all(o["github"] and o["steered"] is None for o in all_told), f"the hook's environment is not its own: {all_told}")
    r.equal("folder of 'later'", all_told[2]["args"]["workingDirectory"], "/opt")
    r.equal("prepended", all_told[2]["args"]["prependPath"], ["/__w/app/app/bin"])


@case(**DOCKER)
def answers_of_a_hook_that_cannot_be_used_fail_the_job(w):
    """Row 18 of the contract's list, the part about `isAlpine`."""
    flow = w.steps("- {name: never, run: echo no}\n- {name: always, if: always(), run: echo on the host}", box())
    for answer, why in (('{"state": {}}', "isAlpine"), ("[]", "a JSON object"),
                        ('{"isAlpine": false, "context": {"container": {}}}', "`context.services`: an array")):
        _, label = hooked(w, f"HOOK_ANSWER={answer}\n")
        r = w.run(flow, "--isolation", "host", code=1)
        r.concluded(Initialize_containers="failure", never="skipped", always="failure", Stop_containers="success")
        r.says(why, step="Initialize containers").never_says("on the host", step="always")
        nothing_left(label, r)


@case(**DOCKER)
def a_cancelled_job_of_a_hook_is_cleaned_up(w):
    orders, label = hooked(w)
    flow = w.steps("- {name: long, run: 'echo it is $((40+2)); exec sleep 1000'}\n- {name: last, if: always(), run: echo last}", box())
    r = w.start(flow, "--isolation", "host").wait_for("it is 42").send(signal.SIGINT).finish(40)
    w.after(r, None)
    r.equal("jobs", r.jobs(), {"job": "cancelled"})
    r.concluded(long="cancelled", last="success", Stop_containers="success")
    nothing_left(label, r)


@case(**DOCKER)
def jobs_without_containers_ask_the_hook_for_docker_actions_alone(w):
    orders, label = hooked(w)
    r = w.run(w.steps(f"""
        - {{name: plain, run: 'test -z "$FROM_IMAGE" && echo on this machine'}}
        - {{name: image, uses: 'docker://{GLIBC}', with: {{args: sh -c "echo in $FROM_IMAGE image"}}}}
        """), "--isolation", "host", code=0)
    r.says("on this machine", step="plain").says("in yes image", step="image")
    r.equal("orders", [o["command"] for o in told(orders)], ["run_container_step"])


@case()
def a_hook_that_is_not_there_is_one_error(w):
    w.env["ACTIONS_RUNNER_CONTAINER_HOOKS"] = str(w.root / "none.sh")
    r = w.run(w.steps("- {name: never, run: echo no}", box()), code=1)
    r.says("File doesn't exist", "none.sh", "ACTIONS_RUNNER_CONTAINER_HOOKS", step="Initialize containers").concluded(never="skipped")
