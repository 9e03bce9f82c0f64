"""What the administrator of a machine says once for all jobs: hooks, `.env`, `.path`, proxies, certificates,
debug flags (runtime contract 11)."""

import signal

from case import case
from cases.container.containers import box, nothing_left
from world import check

STARTED, COMPLETED = "ACTIONS_RUNNER_HOOK_JOB_STARTED", "ACTIONS_RUNNER_HOOK_JOB_COMPLETED"


def hook(w, name, text):
    """A hook in HOME, which jobs otherwise do not see."""
    return str(w.write(name, text, mode=0o755, below=w.home / "hooks"))


# ---- hooks ----

@case()
def hooks_run_around_the_job_without_its_environment(w):
    """Row 5 of the contract's list, the part about hooks; 11.1: what they see, what they leave, their log."""
    started = hook(w, "started.sh", """
        echo "cwd=$PWD wf=${WF-none} job=${JOB-none} ci=$CI actions=$GITHUB_ACTIONS token=${ACTIONS_RUNTIME_TOKEN-none}"
        echo "workspace=$GITHUB_WORKSPACE repository=$GITHUB_REPOSITORY os=$RUNNER_OS"
        test -s "$GITHUB_EVENT_PATH" && echo the event is there
        echo FROM_HOOK=1 >> $GITHUB_ENV; echo /from/hook >> $GITHUB_PATH; echo '# from the hook' >> $GITHUB_STEP_SUMMARY
        echo lost=1 >> $GITHUB_OUTPUT
        echo '::add-mask::krypto'; echo '::notice::hello'
        """)
    completed = hook(w, "completed.sh", "echo \"hook=${FROM_HOOK-none} path=${PATH%%:*}\"\n")
    flow = w.steps("- {name: step, run: 'echo \"hook=$FROM_HOOK path=${PATH%%:*}\"; echo krypto'}",
                   job="env: {JOB: 1}", top="env: {WF: 1}")
    for level in ("sandbox", "host"):
        r = w.run(flow, "--isolation", level, env={STARTED: started, COMPLETED: completed}, code=0)
        names = [s["name"] for s in r.steps()]
        check(f"##[group]Run '{started}'" in r.out, f"the header is not there\n{r}")
        r.equal("order", names, ["Set up job", "Set up runner", "step", "Complete runner", "Complete job"])
        r.says("A job started hook has been configured by the self-hosted runner administrator",
               "bash --noprofile --norc -e -o pipefail {0}",
               "wf=none job=none ci=true actions=true token=none", "repository=acme/app os=Linux",
               "the event is there", step="Set up runner")
        cwd, workspace = (r.log("Set up runner").partition(f"{key}=")[2].split()[0] for key in ("cwd", "workspace"))
        r.equal("the folder it runs in", cwd, workspace)
        r.says("hook=1 path=/from/hook", "***", step="step").never_says("krypto", step="step")
        r.says("A job completed hook has been configured by the self-hosted runner administrator",
               "hook=none path=/from/hook", step="Complete runner")
        r.equal("summaries", len(r.of("summary")), 1)
        r.equal("notices", [a["message"] for a in r.of("annotation")], ["hello"])


@case()
def a_hook_that_fails_fails_the_job(w):
    good, bad = hook(w, "good.sh", "echo good\n"), hook(w, "bad.sh", "false\necho never\n")
    flow = w.steps("- {name: plain, run: echo plain}\n- {name: always, if: always(), run: echo always}")
    r = w.run(flow, env={STARTED: bad, COMPLETED: good}, code=1)
    r.says("Process completed with exit code 1.", step="Set up runner").never_says("never", step="Set up runner")
    r.concluded(plain="skipped", always="success", Complete_runner="success")
    r = w.run(flow, env={STARTED: good, COMPLETED: bad}, code=1)
    r.concluded(plain="success", Complete_runner="failure").equal("jobs", r.jobs(), {"job": "failure"})


@case()
def a_hook_that_cannot_be_run_is_told(w):
    flow = w.steps("- run: echo x")
    odd = hook(w, "odd.pl", "print 1\n")
    for path, wanted in (("/no/such/hook.sh", "File doesn't exist"), ("hook.sh", "has to be a whole path"),
                         (odd, "it has to end in .sh, .js or .ps1"), (str(w.home), "File doesn't exist")):
        w.run(flow, env={STARTED: path}, code=1).says(wanted, step="Set up runner")


@case()
def a_hook_in_javascript_is_run_by_node(w):
    tools = w.root / "tools"
    w.write("node", "#!/bin/sh\necho \"node runs ${1##*/}\"\n", mode=0o755, below=tools)
    r = w.run(w.steps("- run: 'true'"), env={STARTED: hook(w, "start.js", "1\n"), "PATH": f"{tools}:{w.env['PATH']}"}, code=0)
    r.says("node runs start.js", "/node {0}", step="Set up runner")


@case()
def a_cancel_leaves_the_completed_hook(w):
    flow = w.steps("- {name: long, run: 'echo it runs; exec sleep 1000'}")
    r = w.start(flow, env={COMPLETED: hook(w, "end.sh", "echo tidied up\n")}).wait_for("it runs\\n")
    r = r.send(signal.SIGINT).finish(30)
    w.after(r, None)
    r.says("tidied up", step="Complete runner").equal("jobs", r.jobs(), {"job": "cancelled"})


@case(quick=False, needs=("docker",))
def hooks_of_a_job_in_a_container_run_outside_it(w):
    """Row 5 of the contract's list, in job containers too: on the host, before the containers and after them."""
    started = hook(w, "started.sh", 'echo "image=${FROM_IMAGE-none} cwd=$PWD"; echo FROM_HOOK=1 >> $GITHUB_ENV\n')
    completed = hook(w, "completed.sh", 'echo "image=${FROM_IMAGE-none} mine=${MINE-none}"\n')
    r = w.run(w.steps("- {name: step, run: 'echo \"hook=$FROM_HOOK image=$FROM_IMAGE\"'}", box(more="  env: {MINE: 1}\n")),
              env={STARTED: started, COMPLETED: completed}, code=0)
    r.equal("order", [s["name"] for s in r.steps()], ["Set up job", "Set up runner", "Initialize containers", "step",
                                                      "Stop containers", "Complete runner", "Complete job"])
    r.says("image=none cwd=/home/runner/work/app/app", step="Set up runner")
    r.says("hook=1 image=yes", step="step").says("image=none mine=none", step="Complete runner")
    nothing_left(r)


# ---- .env and .path ----

def site(w, name, text):
    w.write(f".config/ostler/{name}", text, below=w.home)


@case()
def the_site_s_env_reaches_jobs_word_by_word(w):
    """11.2: no quotes, no comments, no expansion; an empty value unsets; a workflow's own wins."""
    site(w, ".env", "SITE=\"a\" # $HOME=b\r\n# no comment\n=nothing\nno separator\nLANG=\nBOTH=site\n TRIM= x \n")
    w.write(".env", "OF_THE_APPLICATION=1\n")
    r = w.run(w.steps("""
        - name: look
          run: |
            echo "<$SITE> lang=${LANG-unset} both=$BOTH app=${OF_THE_APPLICATION-unset}"
            env | grep '^ TRIM= x $' || echo no such name
        """, job="env: {BOTH: workflow}"), env={"LANG": "C.UTF-8"}, code=0)
    r.says('<"a" # $HOME=b> lang=unset both=workflow app=unset', step="look")


@case()
def the_site_s_path_is_the_jobs(w):
    tools = w.root / "tools"
    w.write("ourtool", "#!/bin/sh\necho our tool\n", mode=0o755, below=tools)
    site(w, ".path", f"{tools}:{w.env['PATH']}\n")
    w.run(w.steps("- {name: look, run: ourtool}"), code=0).says("our tool", step="look")
    site(w, ".path", "/a\n/b\n")
    w.run(w.steps("- run: 'true'")).complains("more than one line", code=2)


@case()
def what_is_no_file_of_the_site_is_one_error(w):
    flow = w.steps("- run: 'true'")
    site(w, ".env", b"A=\0\n")
    w.run(flow).complains("holds a NUL byte", code=2)
    site(w, ".env", "A=1\n")
    (w.home / ".config/ostler/.env").chmod(0o666)
    w.run(flow).complains(r"/\.env' can be written by others", code=2)
    (w.home / ".config/ostler/.env").unlink()
    (w.home / ".config/ostler/.env").mkdir()
    w.run(flow).complains(r"\.config/ostler/\.env", code=2)


# ---- proxies and certificates ----

@case()
def proxies_reach_steps_in_both_spellings(w):
    """11.3: the lower case counts, a scheme is added, passwords are masked, our services are excepted."""
    r = w.run(w.steps("""
        - name: look
          run: |
            for n in http_proxy HTTP_PROXY https_proxy HTTPS_PROXY no_proxy NO_PROXY; do eval "echo $n=\\$$n"; done
            echo "${http_proxy#*@}"; printf 'ge%s\\n' 'h@im' 'h%40im'
        """), env={"http_proxy": "bob:geh%40im@proxy.test:3128", "HTTP_PROXY": "http://other.test:1",
                   "HTTPS_PROXY": "http://secure.test:2", "NO_PROXY": "intern.test"}, code=0)
    r.says(*(f"{n}=http://bob:***@proxy.test:3128" for n in ("http_proxy", "HTTP_PROXY")),
           *(f"{n}=http://secure.test:2" for n in ("https_proxy", "HTTPS_PROXY")),
           *(f"{n}=intern.test" for n in ("no_proxy", "NO_PROXY")), step="look")
    r.says("behind proxy server 'http://bob:***@proxy.test:3128' for all HTTP requests.",
           "behind proxy server 'http://secure.test:2' for all HTTPS requests.", step="Set up job")
    r.equal("masked passwords", r.log("look").count("\n***"), 2)
    check("geh%40im" not in r.out + r.err and "geh@im" not in r.out + r.err, f"the password is in the open\n{r}")


@case(quick=False, needs=("docker",))
def proxies_reach_containers_unless_they_have_their_own(w):
    proxies = {"http_proxy": "http://proxy.test:3128", "NO_PROXY": "intern.test"}
    r = w.run(w.steps("- {name: look, run: 'echo \"$http_proxy $HTTP_PROXY $no_proxy $NO_PROXY\"'}",
                      box(more="  env: {NO_PROXY: mine.test}\n")), env=proxies, code=0)
    r.says("http://proxy.test:3128 http://proxy.test:3128  mine.test", step="look").never_says("intern.test", step="look")


@case()
def the_site_s_certificates_reach_git_curl_node_and_python(w):
    """One file, named once; it is seen although it lies in HOME."""
    w.write("ca.pem", "CERTIFICATES\n", below=w.home)
    own = w.write("own.pem", "OWN\n", below=w.home)
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        w.env.pop(name, None)
    flow = w.steps("""
        - name: look
          run: |
            cat "$SSL_CERT_FILE"
            echo "$GIT_SSL_CAINFO $CURL_CA_BUNDLE $NODE_EXTRA_CA_CERTS"; cat "$REQUESTS_CA_BUNDLE"
        """)
    ca = str(w.home / "ca.pem")
    for level in ("sandbox", "host"):
        r = w.run(flow, "--isolation", level, env={"SSL_CERT_FILE": ca, "REQUESTS_CA_BUNDLE": str(own)}, code=0)
        r.says("CERTIFICATES", f"{ca} {ca} {ca}", "OWN", step="look")


# ---- switches ----

@case()
def debug_flags_come_as_secrets_or_variables(w):
    """11.4: strictly "true"; the secret wins; never out of `env`."""
    flow = w.steps("""
        - {name: look, run: 'echo "debug=${RUNNER_DEBUG-unset}"; echo "::debug::seen"; echo "::notice::echoed"'}
        - {name: ask, if: runner.debug == '1', run: echo yes}
        """, job="env: {ACTIONS_STEP_DEBUG: true}")
    for args, on in ((("--var", "ACTIONS_STEP_DEBUG=true"), True), (("--secret", "ACTIONS_STEP_DEBUG=true"), True),
                     (("--var", "ACTIONS_STEP_DEBUG=True"), False), ((), False),
                     (("--var", "ACTIONS_STEP_DEBUG=true", "--secret", "ACTIONS_STEP_DEBUG=false"), False)):
        r = w.run(flow, *args, code=0)
        if on:
            r.says("debug=1", "##[debug]seen", step="look")
        else:
            r.says("debug=unset", step="look").never_says("##[debug]", step="look")
        r.concluded(ask="success" if on else "skipped")


@case()
def a_machine_may_demand_job_containers(w):
    r = w.run(w.steps("- {name: never, run: echo no}"), env={"ACTIONS_RUNNER_REQUIRE_JOB_CONTAINER": "1"}, code=1)
    r.says("Jobs without a job container are forbidden on this runner", step="Set up job")


@case()
def unsecure_commands_are_allowed_by_the_machine_as_well(w):
    flow = w.steps("- run: echo '::set-env name=OLD::way'\n- {name: look, run: 'echo \"OLD=$OLD\"'}")
    w.run(flow, code=1).says("ACTIONS_ALLOW_UNSECURE_COMMANDS")
    w.run(flow, env={"ACTIONS_ALLOW_UNSECURE_COMMANDS": "true"}, code=0).says("OLD=way", step="look")
    w.run(flow, env={"ACTIONS_ALLOW_UNSECURE_COMMANDS": "1"}, code=1)  # a strict one
