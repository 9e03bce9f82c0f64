"""Service containers, job containers and Docker actions on a real engine; afterwards nothing of them is left."""

import os
import re
import shutil
import signal
import subprocess
import time

import engine
import watch
from case import case
from engine import BUSYBOX, GLIBC
from world import check

DOCKER = {"quick": False, "needs": ("docker",)}


def service(command, options="", more=""):
    """A job's `services:` with one, 'web', that runs COMMAND in a shell."""
    return (f"services:\n  web:\n    image: {BUSYBOX}\n    options: --entrypoint /bin/sh {options}\n"
            f"    command: -c \"{command}\"\n" + more)


def nothing_left(done):
    """Each worker labels what it makes; its log has the label."""
    labels = set(re.findall(r"--label (ostler=[0-9a-f-]+)", done.out))
    check(labels, f"there is no label in the log\n{done}")
    deadline = time.monotonic() + 20  # another case may be removing what a killed worker of this one left
    while left := [line for label in labels for line in engine.labelled(label)]:
        check(time.monotonic() < deadline, f"left in the engine: {left}\n{done}")
        time.sleep(0.1)


@case(**DOCKER)
def a_service_is_reached_by_its_port(w):
    """Ports, ids and the network are in the `job` context; secrets come to the container and never to a log."""
    job = service("mkdir /w; echo hello $NAME > /w/index.html; echo the secret is $TOKEN; exec httpd -f -p 80 -h /w",
                  more="    ports: [80]\n    env: {TOKEN: '${{ secrets.TOKEN }}', NAME: \"a\\nb\"}\n")
    for level in ("sandbox", "host"):
        r = w.run(w.steps("""
            - name: ask
              run: |
                echo "id=${{ job.services.web.id }} network=${{ job.services.web.network }}"
                python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:${{ job.services.web.ports['80'] }}').read())"
            """, job), "--isolation", level, "--secret", "TOKEN=geheim-42", code=0)
        r.says("hello a b", "id=", "network=github_network_", step="ask")
        r.says("##[group]Starting web service container", "is on this machine already", step="Initialize containers")
        r.says("the secret is ***", "Remove container network: github_network_", step="Stop containers")
        check("geheim-42" not in r.out + r.err, f"the secret is in the open\n{r}")
        nothing_left(r)


@case(**DOCKER)
def health_is_waited_for(w):
    r = w.run(w.steps("- {name: late, run: 'echo it is ready'}",
                      service("sleep 2; touch /ready; sleep 100",
                              '--health-cmd "test -e /ready" --health-interval 500ms --health-retries 100')), code=0)
    r.says("web service is starting, waiting", "web service is healthy.", step="Initialize containers")
    r.concluded(late="success")
    nothing_left(r)


@case(**DOCKER)
def a_sick_service_fails_the_job_and_shows_its_log(w):
    r = w.run(w.steps("- {name: never, run: echo no}\n- {name: always, if: always(), run: echo yes}",
                      service("echo I cannot find my data; sleep 100",
                              "--health-cmd false --health-interval 200ms --health-retries 2")), code=1)
    r.says("##[group]Service container web failed.", "I cannot find my data",
           f"Failed to initialize container {BUSYBOX}", "One or more containers failed to start.",
           step="Initialize containers")
    r.concluded(Initialize_containers="failure", never="skipped", always="success", Stop_containers="success")
    nothing_left(r)


@case(**DOCKER)
def a_service_that_ends_at_once_is_told(w):
    slow = (f"services:\n  first:\n    image: {BUSYBOX}\n    command: sleep 100\n"
            "    options: --health-cmd true --health-interval 1s\n")
    ends = service("echo wrong password; exit 3").removeprefix("services:\n")
    r = w.run(w.steps("- run: 'true'", slow + ends), code=0)
    r.says("wrong password", "has ended already", step="Initialize containers")


@case(**DOCKER)
def an_image_that_is_not_there_is_one_error(w):
    job = "services:\n  web:\n    image: 127.0.0.1:1/no/such:image\n"
    r = w.run(w.steps("- run: echo no", job), "--offline", code=1)
    r.says("the image '127.0.0.1:1/no/such:image' is not on this machine, and '--offline' forbids",
           step="Initialize containers")


@case(**DOCKER)
def an_empty_image_is_no_service(w):
    job = "services:\n  web:\n    image: ${{ github.event.nothing }}\n"
    r = w.run(w.steps("- run: echo yes", job), code=0)
    r.says("The service 'web' will not be started because the container definition has an empty image.",
           step="Initialize containers")


@case(**DOCKER)
def volumes_reach_the_job_s_work_folder(w):
    job = service("echo from the service > /data/file; sleep 100",
                  more="    volumes: ['${{ github.workspace }}:/data']\n")
    for level in ("sandbox", "host"):
        r = w.run(w.steps("- {name: look, run: 'sleep 0.5; cat file'}", job), "--isolation", level, code=0)
        r.says("from the service", step="look")
        nothing_left(r)


SICK = ("echo started; sleep 100", "--health-cmd false --health-interval 1s --health-retries 1000")


@case(**DOCKER)
def a_cancel_ends_the_wait_for_health(w):
    """Row 11 of the contract's list: nothing else does, but the job's own time limit."""
    flow = w.steps("- {name: never, run: echo no}", service(*SICK))
    r = w.start(flow).wait_for("web service is starting").send(signal.SIGINT).finish(20)
    w.after(r, None)
    r.equal("jobs", r.jobs(), {"job": "cancelled"})
    r.concluded(Initialize_containers="cancelled", never="skipped", Stop_containers="success")
    r.took_less(15)
    nothing_left(r)


@case(**DOCKER)
def the_job_s_time_limit_ends_the_wait_for_health(w):
    flow = w.steps("- {name: never, run: echo no}", "timeout-minutes: 1\n" + service(*SICK))
    r = w.run(flow, env={"OSTLER_TEST_MINUTE_MS": "2000"}, limit=30)
    r.equal("jobs", r.jobs(), {"job": "cancelled"})
    nothing_left(r)


def worker_of(running):
    found = subprocess.run(["pgrep", "--parent", str(running.process.pid)], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


@case(**DOCKER)
def a_killed_worker_leaves_no_container(w):
    running = w.start(w.steps("- run: sleep 100", service("sleep 100"))).wait_for("Run sleep 100")
    os.kill(worker_of(running), signal.SIGKILL)
    r = running.finish(30)
    r.equal("jobs", r.jobs(), {"job": "failure"})
    nothing_left(r)


@case(**DOCKER)
def a_killed_program_leaves_no_container(w):
    """Its worker notices, and cleans up before it ends."""
    running = w.start(w.steps("- run: sleep 100", service("sleep 100"))).wait_for("Run sleep 100")
    running.kill()
    nothing_left(running.finish(30))


@case(**DOCKER)
def after_both_were_killed_the_next_start_cleans_up(w):
    running = w.start(w.steps("- run: sleep 100", service("sleep 100"))).wait_for("Run sleep 100")
    worker = worker_of(running)
    for pid in (running.process.pid, worker):
        watch.kill(pid)
    r = running.finish(30)
    w.run(w.steps("- run: 'true'", name="other.yml"), code=0)
    nothing_left(r)


@case(needs=("docker",))
def without_an_engine_the_cure_is_told(w):
    flow = w.steps("- run: echo no", service("sleep 100"))
    w.run(flow, env={"DOCKER_HOST": f"unix://{w.root}/nothing"}, code=1).says(
        "no container engine answers", "systemctl start docker", step="Initialize containers")
    tools = w.root / "tools"
    tools.mkdir()
    for name in ("git", "bash", "sh"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    w.run(flow, env={"PATH": str(tools)}, code=1).says(
        "there is neither 'docker' nor 'podman' on the PATH: install one of them", step="Initialize containers")


# ---- job containers ----

def box(image=GLIBC, more=""):
    return f"container:\n  image: {image}\n" + more


@case(**DOCKER)
def steps_run_in_the_job_s_container(w):
    """Rows 1 and 10 of the contract's list: `sh -e` when no shell is named, and only whole values are translated."""
    w.write("hello.txt", "from the tree\n")
    w.commit("hello")
    r = w.run(w.steps(r"""
        - uses: actions/checkout@v4
        - name: look
          id: look
          env: {WHOLE: '${{ github.workspace }}/x', LIST: 'a:${{ github.workspace }}', CI: mine}
          run: |
            echo "$WHOLE $LIST $CI $PWD $HOME"; cat hello.txt; echo "$FROM_IMAGE $MINE ${PATH} ${HOST_ONLY-no host}"
            echo "expression=${{ runner.temp }} variable=$RUNNER_TEMP event=$GITHUB_EVENT_PATH"; test -s $GITHUB_EVENT_PATH
            [ -z "$BASH_VERSION" ] && echo plain sh
            echo out=1 >> $GITHUB_OUTPUT; echo NEXT=2 >> $GITHUB_ENV; echo /first >> $GITHUB_PATH; echo /second >> $GITHUB_PATH
            echo '**bold**' >> $GITHUB_STEP_SUMMARY
            echo '::warning file=/__w/app/app/hello.txt,line=1::look here'
            echo '{"problemMatcher": [{"owner": "x", "pattern": [{"regexp": "^(.+):(\\d+): (.*)$", "file": 1, "line": 2, "message": 3}]}]}' > $RUNNER_TEMP/m.json
            echo "::add-matcher::$RUNNER_TEMP/m.json"; echo "$PWD/hello.txt:1: matched"; echo '::remove-matcher owner=x::'
        - name: later
          shell: bash
          working-directory: /opt
          run: |
            echo "${{ steps.look.outputs.out }} $NEXT $PATH $PWD ${BASH_VERSION:+bash}"
            echo "id=${{ job.container.id }} hash=${{ hashFiles('hello.txt') }}"
        - {name: fails, run: exit 7}
        """, box(more="  env: {MINE: '${{ secrets.S }}'}\n")), "--secret", "S=geheim", env={"HOST_ONLY": "yes"}, code=1)
    work = "/home/runner/work"
    r.says(f"/__w/app/app/x a:{work}/app/app mine /__w/app/app /github/home", "from the tree", "yes *** /opt/bin:/bin no host",
           f"expression={work}/_temp variable=/__w/_temp event=/github/workflow/event.json", "plain sh",
           "shell: sh -e {0}", step="look")
    r.says("1 2 /second:/first:/opt/bin:/bin /opt bash", "shell: bash --noprofile", step="later")
    r.equal("exit code", r.step("fails")["exit_code"], 7)
    r.equal("isolation", r.of("job.started")[0]["isolation"], "container")
    r.equal("summaries", len(r.of("summary")), 1)
    r.equal("annotated files", [a.get("file") for a in r.of("annotation") if "file" in a], ["hello.txt"] * 2)
    nothing_left(r)


@case(**DOCKER)
def services_are_reached_by_name_from_the_job_s_container(w):
    job = box() + service("mkdir /w; echo hello > /w/index.html; exec httpd -f -p 80 -h /w")
    w.run(w.steps("- {name: ask, run: 'wget -q -O - http://web/'}", job), code=0).says("hello", step="ask")


@case(**DOCKER)
def any_user_may_be_the_container_s(w):
    r = w.run(w.steps("""
        - name: write
          run: |
            id -u; echo a=1 >> $GITHUB_ENV; echo x > file; echo y > ~/file; echo z > $RUNNER_TEMP/file
        - {name: later, run: 'echo "a is $a"'}
        """, box(more="  options: --user 65534:65534\n")), code=0)
    r.says("65534", step="write").says("a is 1", step="later")


@case(**DOCKER)
def what_the_container_s_root_wrote_is_gone_too(w):
    """w.run() looks for what was left; as an ordinary user this is the hard one."""
    r = w.run(w.steps("""
        - run: mkdir -p deep/er; echo x > deep/er/file; chmod -R 700 deep; echo y > ~/file; mkdir $RUNNER_TEMP/dir
        """, box()), code=0)
    nothing_left(r)


@case(**DOCKER)
def a_cancel_ends_all_that_runs_in_the_container(w):
    flow = w.steps("""
        - name: long
          run: |
            (trap '' INT TERM; sleep 1000) &
            echo it runs; sleep 1000
        - {name: always, if: always(), run: 'echo still here; ps | grep -c "[s]leep 1000" || true'}
        """, box())
    r = w.start(flow).wait_for("it runs").send(signal.SIGINT).finish(40)
    w.after(r, None)
    r.equal("jobs", r.jobs(), {"job": "cancelled"})
    r.concluded(long="cancelled", always="success").says("still here", step="always")
    nothing_left(r)


@case(**DOCKER)
def a_step_over_its_time_in_a_container_fails(w):
    r = w.run(w.steps("""
        - {name: slow, timeout-minutes: 1, run: 'trap "" INT; sleep 1000'}
        - {name: later, if: always(), run: echo later}
        """, box()), env={"OSTLER_TEST_MINUTE_MS": "1000"}, limit=40, code=1)
    r.says("has timed out after 1 minutes", step="slow").says("later", step="later")


@case(**DOCKER)
def a_container_that_is_killed_fails_its_step(w):
    running = w.start(w.steps("- {name: long, run: 'echo it runs; sleep 1000'}\n"
                              "- {name: after, if: always(), run: echo no}", box())).wait_for("it runs")
    label = re.search(rb"--label (ostler=[0-9a-f-]+)", running.out).group(1).decode()
    ids = engine.demand("docker", "ps", "--quiet", "--filter", f"label={label}").split()
    engine.demand("docker", "kill", *ids)
    r = running.finish(30)
    w.after(r, None)
    r.concluded(long="failure", after="failure")
    check("the job's container has ended" in r.notes(), f"it is not said\n{r}")
    nothing_left(r)


@case(**DOCKER)
def a_killed_worker_ends_its_container(w):
    running = w.start(w.steps("- run: echo it runs; sleep 1000", box())).wait_for("it runs")
    os.kill(worker_of(running), signal.SIGKILL)
    nothing_left(running.finish(30))


@case(**DOCKER)
def actions_run_in_the_container(w):
    """Composite and JavaScript; there is a Node at /__e as on GitHub."""
    w.write("both/action.yml", """
        name: both
        description: of two kinds
        inputs: {who: {default: nobody}}
        runs:
          using: composite
          steps:
            - {shell: sh, run: 'echo "composite for ${{ inputs.who }} at $GITHUB_ACTION_PATH"; test -f $GITHUB_ACTION_PATH/action.yml'}
            - {uses: ./js, with: {who: '${{ inputs.who }}'}}
        """)
    w.write("js/action.yml", "name: js\ndescription: d\ninputs: {who: {}}\nruns: {using: node20, main: main.js}\n")
    w.write("js/main.js", "not looked at")
    tools = w.root / "tools"
    w.write("node", "#!/bin/sh\necho \"node runs $1 for $INPUT_WHO in $FROM_IMAGE\"\n", mode=0o755, below=tools)
    w.commit("actions")
    r = w.run(w.steps("- uses: actions/checkout@v4\n- {name: both, uses: ./both, with: {who: Ada}}", box()),
              env={"PATH": f"{tools}:{w.env['PATH']}"}, code=0)
    r.says("composite for Ada at /__w/app/app/both", "node runs /__w/app/app/js/main.js for Ada in yes", step="both")


@case(**DOCKER)
def a_container_without_our_c_library_wants_a_node_of_its_own(w):
    """9.5: this machine's Node does not run in an Alpine; which is said, with the cure."""
    w.write("js/action.yml", "name: js\ndescription: d\nruns: {using: node20, main: main.js}\n")
    w.write("js/main.js", "not looked at")
    w.write("bin/node", "#!/bin/sh\necho its own node\n", mode=0o755)
    w.commit("actions")
    tools = w.root / "tools"
    tools.mkdir()
    shutil.copy2("/bin/bash", tools / "node")  # a program of this machine's
    image = f"ostler-test/alpine:{os.getpid()}"
    subprocess.run(["docker", "build", "-q", "-t", image, "-"], check=True, capture_output=True,
                   input=f"FROM {BUSYBOX}\nRUN echo ID=alpine > /etc/os-release\n".encode())
    try:
        r = w.run(w.steps("""
            - uses: actions/checkout@v4
            - {name: fails, uses: ./js, continue-on-error: true}
            - run: echo $PWD/bin >> $GITHUB_PATH
            - {name: own, uses: ./js}
            """, box(image)), env={"PATH": f"{tools}:{w.env['PATH']}"}, code=0)
        r.says("which this machine's Node needs (it is an Alpine)", "node:20-alpine", "apk add nodejs", step="fails")
        r.says("its own node", step="own")
    finally:
        engine.run("docker", "rmi", image)


@case(**DOCKER)
def no_container_no_steps(w):
    """A container that does not come up fails the job; no step of it runs on the host instead."""
    r = w.run(w.steps("- {name: always, if: always(), run: echo on the host}", box("127.0.0.1:1/none")), "--offline", code=1)
    r.never_says("on the host", step="always").says("the job's container is not there", step="always")
    r.concluded(Initialize_containers="failure", always="failure")
    w.run(w.steps("- {name: there, run: 'test -z \"$FROM_IMAGE\"'}", box("${{ github.event.nothing }}")), code=0)


@case(**DOCKER)
def containers_of_steps_are_held_to_the_job_s_limits(w):
    flow = w.steps(f"""
        - {{name: look, run: cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null || true}}
        - {{name: image, uses: 'docker://{BUSYBOX}', with: {{args: sh -c "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; true"}}}}
        """, box(more="  options: --pids-limit 900\n"))
    r = w.run(flow, "--limit", "processes=77")
    r.says("77", step="look").says("77", step="image")


@case(**DOCKER)
def a_plugin_and_its_commands_see_the_same_files(w):
    """The child runs on our side, its commands in the container; both call the job's folders what it calls them."""
    w.plugin("both")
    tools = w.root / "tools"
    w.write("tool", "of the cache", below=tools)
    w.write("hello.txt", "from the tree\n")
    w.write("bin/mine", "#!/bin/sh\necho found by its name\n", mode=0o755)
    w.commit("hello")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: both, uses: test/both@v1, with: {file: '${{ github.workspace }}/hello.txt'}}
        - {name: later, run: 'cat made; mine'}
        """, box())
    for level in ("sandbox", "host"):
        r = w.run(flow, "--isolation", level, env={"RUNNER_TOOL_CACHE": str(tools)}, code=0)
        r.says("workspace is /__w/app/app", "temp is /__w/_temp", "tools is /__w/_tool", "home is /github/home", "cwd is /__w/app/app",
               "by the plugin", "/__w/app/app /github/home yes", "made: by the command", "at home: at home", "tool: of the cache",
               "file: from the tree", "the same under the other name: by the command", step="both")
        r.says("by the command", "found by its name", step="later")
        r.equal("annotated files", [a.get("file") for a in r.of("annotation") if "file" in a], ["hello.txt"])
        nothing_left(r)


@case(**DOCKER)
def a_plugin_in_a_container_that_did_not_come_up_does_not_run(w):
    w.plugin("both")
    r = w.run(w.steps("- {name: both, if: always(), uses: test/both@v1}", box("127.0.0.1:1/none")), "--offline", code=1)
    r.says("the job's container is not there", step="both").never_says("workspace is", step="both")


@case(**DOCKER)
def a_plugins_transfers_have_the_containers_files_and_no_others(w):
    """The packer runs on our side: what the container would find in its own /etc, it does not find in ours."""
    w.plugin("blobs")
    w.env["XDG_CACHE_HOME"] = str(w.root / "cache")
    flow = w.steps("""
        - run: 'mkdir -p out ~/.store; echo inside > out/a; echo home > ~/.store/b; ln -s /etc/passwd out/link'
        - name: save
          uses: test/blobs@v1
          with:
            do: |
              save|k|out,~/.store
              save|etc|/etc/passwd
              upload|ok|out|=/__w/app/app/out/a|6
              upload|bad|out|=/__w/app/app/out/link|6
              list
        - run: 'rm -r out ~/.store'
        - name: restore
          uses: test/blobs@v1
          with:
            do: |
              restore|k|out,~/.store
              get|ok|in
        - {name: look, run: 'cat out/a ~/.store/b in/a; readlink out/link'}
        """, box())
    for level in ("sandbox", "host"):
        r = w.run(flow, "--isolation", level, code=0)
        r.says("upload: fine, ok", "upload: -3: cannot open", "list: fine, 1", "save: -3: Path Validation Error", step="save")
        r.says("restore: fine, k exactly", "get: fine", step="restore")
        r.says("inside\nhome\ninside\n/etc/passwd", step="look")
        nothing_left(r)
        shutil.rmtree(w.root / "cache")


@case(**DOCKER)
def lint_and_setup_steps_work_with_what_the_container_has(w):
    """setup-node finds the Node of the tool cache; a linter that only this machine has is not there."""
    tools = w.root / "tools"
    arch = {"x86_64": "x64", "aarch64": "arm64"}[os.uname().machine]
    w.write(f"node/20.1.0/{arch}/bin/node", "#!/bin/sh\necho v20.1.0\n", mode=0o755, below=tools)
    w.write(f"node/20.1.0/{arch}.complete", "", below=tools)
    w.write("bin/shellcheck", "#!/bin/sh\ntest -n \"$FROM_IMAGE\" && cat bin/said\n", mode=0o755)
    w.write("bin/said", '{"comments": [{"file": "it.sh", "line": 2, "endLine": 2, "column": 1, "endColumn": 1, "level": "error", '
                        '"code": 7, "message": "found inside"}]}')
    w.write("it.sh", "#!/bin/sh\n:\n", mode=0o755)
    w.commit("files")
    r = w.run(w.steps("""
        - uses: actions/checkout@v4
        - {name: node, uses: actions/setup-node@v4, with: {node-version: 20}}
        - {name: use, run: 'node --version; command -v node'}
        - {name: none, uses: ostler/lint@v1, with: {linters: shellcheck, paths: it.sh}, continue-on-error: true}
        - run: echo $PWD/bin >> $GITHUB_PATH
        - {name: lint, uses: ostler/lint@v1, with: {linters: shellcheck, paths: it.sh}, continue-on-error: true}
        """, box()), env={"RUNNER_TOOL_CACHE": str(tools)}, code=0)
    r.says("/__w/_tool/node/20.1.0", step="node").says("v20.1.0", f"/__w/_tool/node/20.1.0/{arch}/bin/node", step="use")
    r.says("shellcheck", "apt-get install", step="none")
    r.equal("findings", [(a["file"], a["line"], a["message"]) for a in r.of("annotation") if "file" in a], [("it.sh", 2, "found inside")])
    nothing_left(r)


# ---- Docker actions ----

SHOW = """\
#!/bin/sh
echo "stage $1 with $2 and $3"
echo "who=$INPUT_WHO mine=$MINE given=$GIVEN home=$HOME pwd=$PWD image=$FROM_IMAGE"
echo "temp=$RUNNER_TEMP event=$GITHUB_EVENT_PATH v2=${ACTIONS_CACHE_SERVICE_V2-none} runtime=${ACTIONS_RUNTIME_URL:+yes}"
test -s "$GITHUB_EVENT_PATH" && cat hello.txt
echo "out=from $1" >> "$GITHUB_OUTPUT"
echo "kept=by $1" >> "$GITHUB_STATE"
echo "state=$STATE_kept"
echo "a file of root" > written
echo x > ~/file
echo '::notice::it speaks'
"""


def docker_action(w, more=""):
    w.write("hello.txt", "from the tree\n")
    w.write("act/show", SHOW, mode=0o755)
    w.write("act/Dockerfile", f"FROM {GLIBC}\nCOPY show /opt/bin/show\nENTRYPOINT [\"show\"]\n")
    w.write("act/action.yml", """
        name: act
        description: d
        inputs: {who: {default: nobody}, text: {}}
        outputs: {out: {description: d}}
        runs:
          using: docker
          image: Dockerfile
          args: [main, '${{ inputs.text }}', 'for ${{ inputs.who }}']
          env: {GIVEN: 'with ${{ inputs.who }}', MINE: 'the action'}
        """ + more)
    w.commit("an action")


@case(**DOCKER)
def a_docker_action_is_built_and_run(w):
    """Rows 5 and 16 of the contract's list: no cache v2, and RUNNER_TEMP is there, at its own place."""
    docker_action(w)
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: act, id: act, uses: ./act, with: {who: Ada, text: 'a "b" $c'}, env: {MINE: '${{ secrets.S }}', TEXT: "two\\nlines"}}
        - {name: later, run: 'echo "${{ steps.act.outputs.out }}"; cat written'}
        """)
    for level in ("sandbox", "host"):
        r = w.run(flow, "--isolation", level, "--secret", "S=geheim", code=0)
        r.says("##[group]Building docker image", "Dockerfile for action: '", 'stage main with a "b" $c and for Ada',
               "who=Ada mine=*** given=with Ada home=/github/home pwd=/github/workspace image=yes",
               "temp=/github/runner_temp event=/github/workflow/event.json v2=none", "from the tree", step="act")
        r.says("from main", "a file of root", step="later")
        r.equal("notices", [a["message"] for a in r.of("annotation", level="notice")], ["it speaks"])
        check("geheim" not in r.out, f"the secret is in the open\n{r}")
        nothing_left(r)
        tag = re.search(r"-t (ostler-action:[0-9a-f]+)", r.out).group(1)
        check(not engine.demand("docker", "images", "--quiet", tag), f"the image {tag} is left")


@case(**DOCKER)
def an_image_is_a_step(w):
    """`docker://`: entrypoint and args of `with`, split as GitHub's runner does; all of `with` is INPUT_*, too."""
    r = w.run(w.steps(f"""
        - name: show
          uses: docker://{GLIBC}
          with: {{entrypoint: /bin/sh, args: '-c "echo args of $INPUT_MORE; pwd; exit 0"', more: 'many words'}}
        - {{name: fails, uses: 'docker://{GLIBC}', with: {{args: sh -c "exit 9"}}}}
        """), code=1)
    r.says("args of many words", "/github/workspace", step="show")
    r.says("is on this machine already", step=f"Pull {GLIBC}")
    r.equal("exit code", r.step("fails")["exit_code"], 9)
    r.never_says("##[error]", step="fails")
    nothing_left(r)


@case(**DOCKER)
def stages_of_a_docker_action_have_their_own_programs(w):
    """Of another repository, so that there is a pre stage: it is built before the job's first step."""
    other = w.root / "other"
    for name, text in (("show", SHOW), ("Dockerfile", f"FROM {GLIBC}\nCOPY show /opt/bin/show\nRUN ln -s show /opt/bin/before; ln -s show /opt/bin/after\n"),
                       ("action.yml", "name: o\ndescription: d\nruns:\n  using: docker\n  image: Dockerfile\n  entrypoint: show\n"
                                      "  pre-entrypoint: before\n  post-entrypoint: after\n  args: [x]\n")):
        w.write(name, text, mode=0o755 if name == "show" else None, below=other)
    for words in (("init", "-q", "-b", "main"), ("config", "user.name", "T"), ("config", "user.email", "t@example.test"),
                  ("add", "-A"), ("commit", "-q", "-m", "x"), ("tag", "v1")):
        w.git(*words, cwd=other)
    r = w.run(w.steps("- {name: first, run: echo first}\n- {name: act, uses: acme/other@v1}"),
              "--local-repository", f"acme/other={other}", env={"XDG_CACHE_HOME": str(w.root / "cache")}, code=0)
    names = [s["name"] for s in r.steps()]
    r.equal("steps", names, ["Set up job", "Build acme/other@v1", "Pre act", "first", "act", "Post act", "Complete job"])
    r.says("stage x", step="Pre act").says("state=by x", step="act").says("state=by x", step="Post act")
    nothing_left(r)


@case(**DOCKER)
def a_docker_action_of_a_container_job_is_its_sibling(w):
    docker_action(w)
    job = box() + service("mkdir /w; echo hello > /w/index.html; exec httpd -f -p 80 -h /w")
    r = w.run(w.steps(f"""
        - uses: actions/checkout@v4
        - {{name: before, run: echo from the job > file}}
        - {{name: act, uses: ./act, with: {{who: Ada}}}}
        - name: ask
          uses: docker://{BUSYBOX}
          with: {{args: sh -c "cat file; wget -q -O - http://web/"}}
        - {{name: later, run: cat written}}
        """, job), code=0)
    r.says("from the job", "hello", step="ask").says("a file of root", step="later")
    nothing_left(r)


@case(**DOCKER)
def a_cancelled_docker_action_leaves_no_container(w):
    flow = w.steps(f"- {{name: long, uses: 'docker://{GLIBC}', with: {{args: sh -c \"echo it runs; sleep 1000\"}}}}")
    r = w.start(flow).wait_for("it runs\\n").send(signal.SIGINT).finish(40)
    w.after(r, None)
    r.concluded(long="cancelled")
    nothing_left(r)


@case(**DOCKER)
def a_docker_action_over_its_time_fails_and_goes(w):
    r = w.run(w.steps(f"""
        - {{name: long, timeout-minutes: 1, uses: 'docker://{GLIBC}', with: {{args: sh -c "trap '' INT TERM; sleep 1000"}}}}
        - {{name: later, if: always(), run: echo later}}
        """), env={"OSTLER_TEST_MINUTE_MS": "1000"}, limit=40, code=1)
    r.says("has timed out after 1 minutes", step="long").says("later", step="later")
    nothing_left(r)


@case(**DOCKER)
def what_cannot_be_built_or_pulled_is_told(w):
    w.write("act/Dockerfile", f"FROM {GLIBC}\nRUN exit 7\n")
    w.write("act/action.yml", "name: a\ndescription: d\nruns: {using: docker, image: Dockerfile}\n")
    w.commit("broken")
    r = w.run(w.steps("- uses: actions/checkout@v4\n- {name: act, uses: ./act}"), code=1)
    r.says("the action's image could not be built", step="act")
    r = w.run(w.steps("- {name: never, run: echo no}\n- {name: pull, uses: 'docker://127.0.0.1:1/none'}"), "--offline", code=1)
    r.says("'--offline' forbids", step="Pull 127.0.0.1:1/none").concluded(never="skipped", pull="skipped")


@case(**DOCKER)
def a_docker_action_that_nobody_foresaw_sees_the_job_s_files(w):
    """What is laid over the work folder becomes a copy then, and steps under way keep their command files."""
    docker_action(w)
    w.write("both/action.yml", "name: b\ndescription: d\nruns: {using: composite, steps: [{uses: ./made}]}\n")
    w.write("gone.txt", "removed by the job\n")
    w.commit("a composite action")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - id: lane
          background: true
          run: |
            until test -e $GITHUB_WORKSPACE/written; do sleep 0.05; done
            echo "out=of the lane" >> $GITHUB_OUTPUT
        - run: mv act made; rm gone.txt; echo of the job > made/new; echo NEXT=env >> $GITHUB_ENV
        - {name: both, uses: ./both}
        - {wait: [lane]}
        - {name: later, run: 'echo "${{ steps.lane.outputs.out }} and $NEXT"; cat written made/new; ls; echo x=1 >> $GITHUB_OUTPUT'}
        - {name: again, uses: ./made, with: {who: Ada}}
        """)
    for level in ("sandbox", "host"):
        r = w.run(flow, "--isolation", level, code=0)
        r.says("stage main", "from the tree", step="both").says("who=Ada", step="again")
        r.says("of the lane and env", "a file of root", "of the job", "hello.txt", step="later").never_says("gone.txt", step="later")
        nothing_left(r)
    check((w.repo / "act").exists() and (w.repo / "gone.txt").exists(), "the tree itself has changed")


@case(**DOCKER)
def core_actions_work_on_the_containers_files(w):
    """Paths, home and hashes are the container's; neither Node nor tar has to be in its image."""
    w.env["XDG_CACHE_HOME"] = str(w.root / "cache")
    w.write("package-lock.json", "{}\n")
    w.commit("a lock")
    w.plugin("hash")
    flow = w.steps("""
        - uses: actions/checkout@v4
        - {name: plugin, uses: test/hash@v1, with: {pattern: '**/package-lock.json'}}
        - {name: runner, run: 'echo "hash ${{ hashFiles(''**/package-lock.json'') }}"'}
        - {name: cache, id: cache, uses: actions/cache@v4, with: {path: "deps\\n~/.store", key: "k-${{ hashFiles('package-lock.json') }}"}}
        - run: 'echo "hit <${{ steps.cache.outputs.cache-hit }}> $(cat deps/a ~/.store/b 2>/dev/null | tr "\\n" " ")"'
          name: work
        - run: mkdir -p deps ~/.store && echo inside > deps/a && echo home > ~/.store/b
        - {uses: actions/upload-artifact@v4, with: {path: "deps\\n~/.store/b"}}
        - {name: down, id: down, uses: actions/download-artifact@v5, with: {path: in}}
        - {name: look, run: 'echo "${{ steps.down.outputs.download-path }}"; find in -type f'}
        """, box())
    r = w.run(flow, code=0).says("hit <> ", step="work").says("Cache saved with key: k-", step="Post cache")
    hashes = [line for step in ("plugin", "runner") for line in r.log(step).splitlines() if line.startswith("hash ")]
    check(len(hashes) == 2 and hashes[0] == hashes[1] and len(hashes[0]) > 60, f"{hashes}\n{r}")
    r.says("/__w/app/app/in", "in/__w/app/app/deps/a", "in/github/home/.store/b", step="look")
    w.run(flow, code=0).says("hit <true> inside home", step="work")
