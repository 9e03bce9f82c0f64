/* The whole stage, its scripts included: "ssh" runs them on this machine, with a folder as the server's home, and
 * "docker" plays an engine there. What a real sshd and a real engine do is tested end to end. */
#include "settings.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ostler/test.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/scratch.h"

extern const struct ost_plugin ostler_plugin_v1;

#define KEY "-----BEGIN KEY-----\nc2VjcmV0\n-----END KEY-----"
#define PIN "SHA256:0123456789012345678901234567890123456789012"

static struct ost_test *host;

/* The server of alias "h1" has its home in "h1". A file "cut" there breaks the connection of what comes next. */
static const char fake_ssh[] =
    "#!/bin/sh\n"
    "top=$(cd \"${0%/*}/..\" && pwd)\n"
    "printf 'ssh %s\\n' \"$*\" >>\"$top/ssh\"\n"
    "while :; do case $1 in -F) shift 2 ;; -*) shift ;; *) break ;; esac; done\n"
    "home=$top/$1\n"
    "shift\n"
    "export HOME=\"$home\"\n"
    "cd \"$HOME\" || exit 255\n"
    "exec sh -c \"exec $*\"\n";
static const char fake_docker[] =
    "#!/bin/sh\n"
    "live=$(cat \"$HOME/live\" 2>/dev/null)\n"
    "case $1 in\n"
    "compose) exit 1 ;;\n"
    "inspect)\n"
    "    [ \"$2\" = -f ] || exit 0\n"
    "    case $3 in\n"
    "    *Status*) [ -e \"$HOME/sick-$live\" ] && echo '/app-1 exited 3 none' || echo '/app-1 "
    "running 0 none' ;;\n"
    "    *) echo \"app:latest sha256:$live\" ;;\n"
    "    esac ;;\n"
    "image) [ \"$2\" = inspect ] && echo sha256:moved || printf '%s\\n' \"$*\" >>\"$HOME/removed\" "
    ";;\n"
    "tag) printf '%s\\n' \"$*\" >>\"$HOME/tagged\" ;;\n"
    "logs) echo 'the last words of app-1'; echo '@0123 exit=0' ;;\n"
    "login) { printf '%s\\n' \"$*\" \"$DOCKER_CONFIG\"; cat; } >>\"$HOME/login\" ;;\n"
    "esac\n";
static const char fake_compose[] =
    "#!/bin/sh\n"
    "printf '%s\\n' \"$*\" >>\"$HOME/words\"\n"
    "for word; do\n"
    "    case $word in\n"
    "    version) exit 0 ;;\n"
    "    ps) [ ! -e \"$HOME/live\" ] || echo c1; exit ;;\n"
    "    config) echo app; exit ;;\n"
    "    pull | up | stop | rm)\n"
    "        printf '%s %s %s\\n' \"$word\" \"$TAG\" \"$OSTLER_RELEASE\" >>\"$HOME/calls\"\n"
    "        [ ! -e \"$HOME/fail-$word-$TAG\" ] || exit 1\n"
    "        [ ! -e \"$HOME/kill-$word-$TAG\" ] || kill -9 $PPID\n"
    "        [ \"$word\" != up ] || echo \"$TAG\" >\"$HOME/live\"\n"
    "        exit 0 ;;\n"
    "    esac\n"
    "done\n";

/* What SCRIPT, run in scratch, exits with. */
static int ask_shell(const char *script)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        if (chdir(scratch_path) == 0)
            execlp("sh", "sh", "-ec", script, NULL);
        _exit(99);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void shell(const char *script)
{
    cr_assert_eq(ask_shell(script), 0, "%s\n%s\n%s", script, ost_test_failure(host),
                 ost_test_log(host));
}

static void make_host(void)
{
    char path[8192];

    host = ost_test_new(&ostler_plugin_v1);
    snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", scratch_path);
    ost_test_exec_for_real(host, path);
    snprintf(path, sizeof path, "%s/work", scratch_path);
    ost_test_dir(host, OST_DIR_WORKSPACE, path);
    snprintf(path, sizeof path, "%s/temp", scratch_path);
    ost_test_dir(host, OST_DIR_TEMP, path);
    ost_test_context(host, "github.repository", "acme/app");
    ost_test_context(host, "github.run_id", "7");
    ost_test_context(host, "github.actor", "tess\nstate=live $(touch pwned)");
    ost_test_context(host, "github.sha", "0123456789012345678901234567890123456789");
    ost_test_with(host, "host", "deploy@web.test");
    ost_test_with(host, "key", KEY);
    ost_test_with(host, "known-hosts", "web.test ssh-ed25519 AAAA");
    ost_test_with(host, "folder", "app");
    ost_test_with(host, "env", "TAG=one");
    ost_test_with(host, "health-retries", "0");
    ost_test_with(host, "health-interval", "1ms");
}

static void enter(void)
{
    scratch_enter();
    scratch_file("bin/ssh", fake_ssh);
    scratch_file("bin/docker", fake_docker);
    scratch_file("bin/docker-compose", fake_compose);
    scratch_file("work/docker-compose.yml", "services: {app: {image: 'app:$TAG'}}\n");
    scratch_file("h1/.keep", "");
    scratch_file("h2/.keep", "");
    cr_assert_eq(mkdir("temp", 0700), 0);
    make_host();
    shell("chmod +x bin/*");
}

static void leave(void)
{
    ost_test_free(host);
    scratch_leave();
}

TestSuite(ssh_deploy, .init = enter, .fini = leave, .timeout = 120);

static void run(int phase, ost_status wanted)
{
    ost_status r = ost_test_run(host, phase);

    cr_assert_eq(r, wanted, "%d: %s\n%s", r, ost_test_failure(host), ost_test_log(host));
}

/* Deploys with the tag TAG. */
static void deploy(const char *tag, ost_status wanted)
{
    char env[256];

    snprintf(env, sizeof env, "TAG=%s", tag);
    ost_test_with(host, "env", env);
    run(OST_PHASE_MAIN, wanted);
}

static void is_output(const char *name, const char *wanted)
{
    const char *got = ost_test_output(host, name);

    cr_expect_str_eq(got ? got : "(none)", wanted, "output %s", name);
}

static void fails_with(const char *text)
{
    cr_expect(strstr(ost_test_failure(host), text), "no '%s' in: %s", text, ost_test_failure(host));
}

static void is_state(const char *current, const char *previous, const char *last)
{
    char text[256];

    snprintf(text, sizeof text, "current=%s\nprevious=%s\nlast=%s\npending=\nstep=\nby=\n", current,
             previous, last);
    scratch_has("h1/app/.ostler/state", text);
}

/* ---- compose ---- */

Test(ssh_deploy, a_good_release_goes_live)
{
    deploy("one", OST_OK);
    is_output("release", "1");
    is_output("previous", "");
    is_output("rolled-back", "false");
    is_state("1", "", "1");
    deploy("two", OST_OK);
    is_output("release", "2");
    is_output("previous", "1");
    is_state("2", "1", "2");
    scratch_has("h1/calls", "pull one 1\nup one 1\npull two 2\nup two 2\n");
    scratch_has("h1/app/.ostler/releases/2/env", "TAG='two'\n");
    scratch_has("h1/app/.ostler/releases/1/images", "app:latest sha256:one\n");
    cr_expect(strstr(ost_test_summary(host), "| web.test | 2 | live |"));
}

Test(ssh_deploy, nothing_stays_behind)
{
    deploy("one", OST_OK);
    shell(
        "[ -z \"$(ls temp)\" ]; [ ! -e h1/app/.ostler/owner ]; flock -n h1/app/.ostler/lock true");
    cr_expect_str_eq(ost_test_kept(host, "folder"), "");
    cr_expect_str_eq(ost_test_kept(host, "unsettled"), "");
}

Test(ssh_deploy, secrets_travel_by_stdin_only)
{
    ost_test_with(host, "registry", "reg.test:5000");
    ost_test_with(host, "registry-username", "ci");
    ost_test_with(host, "registry-password", "it's $(touch pwned) \"x\"");
    ost_test_with(host, "passphrase", "open sesame");
    deploy("one", OST_OK);
    shell("grep -qx 'login -u ci --password-stdin reg.test:5000' h1/login");
    shell("grep -qxF \"it's \\$(touch pwned) \\\"x\\\"\" h1/login");
    shell("[ ! -e \"$(sed -n 2p h1/login)\" ]"); /* its configuration is gone */
    shell("! grep -q 'secret\\|sesame\\|pwned\\|one' ssh");
    shell("[ -z \"$(find . -name pwned)\" ]");
    for (size_t i = 0; ost_test_exec(host, i); i++)
        cr_expect(!strstr(ost_test_exec(host, i), "sesame") &&
                      !strstr(ost_test_exec(host, i), "c2VjcmV0"),
                  "%s", ost_test_exec(host, i));
    cr_expect(!strstr(ost_test_log(host), "sesame"));
}

Test(ssh_deploy, hostile_names_and_values_are_only_text)
{
    ost_test_with(host, "folder", "a'p;p \"$(touch pwned)\" `touch pwned`");
    ost_test_with(host, "env", "TAG=';touch pwned;'$(touch pwned)\nOTHER=\"`touch pwned`\\");
    ost_test_with(host, "compose-files", "a b'$(touch pwned).yml");
    scratch_file("work/a b'$(touch pwned).yml", "services: {}\n}\ntouch pwned\n@0 exit=0\n");
    ost_test_with(host, "post-commands",
                  "printf '%s' \"$TAG|$OTHER\" >got; printf '@%s exit=1\\n' 0");
    run(OST_PHASE_MAIN, OST_OK);
    shell("[ -z \"$(find . -name pwned)\" ]");
    shell(
        "[ \"$(cat h1/a*/got)\" = \"';touch pwned;'\\$(touch pwned)|\\\"\\`touch pwned\\`\\\\\" ]");
    shell("cmp h1/a*/.ostler/releases/1/files/a* work/a*.yml");
    shell("! grep -qx 'state=live.*touch.*' h1/a*/.ostler/releases/1/record");
}

Test(ssh_deploy, compose_is_told_what_was_asked_for)
{
    if (access("/usr/bin/rsync", X_OK) != 0)
        cr_skip_test("rsync is not installed");
    scratch_file("work/conf/web/nginx.conf", "listen 80;\n");
    scratch_file("work/other.yml", "services: {}\n");
    ost_test_with(host, "compose-files", "docker-compose.yml\nother.yml");
    ost_test_with(host, "files", "conf/web");
    ost_test_with(host, "services", "web, worker");
    ost_test_with(host, "profiles", "prod");
    ost_test_with(host, "project", "shop");
    ost_test_with(host, "remove-orphans", "true");
    ost_test_with(host, "post-commands",
                  "cat \"$OSTLER_RELEASE_DIR/conf/web/nginx.conf\" >seen; compose stop x");
    deploy("one", OST_OK);
    scratch_has("h1/app/seen", "listen 80;\n");
    shell("f=$PWD/h1/app/.ostler/releases/1/files; "
          "o=\"--project-directory $PWD/h1/app -f $f/docker-compose.yml -f $f/other.yml --profile "
          "prod -p shop\"; "
          "grep -qxF -- \"$o pull -q web worker\" h1/words; "
          "grep -qxF -- \"$o up -d --remove-orphans web worker\" h1/words; "
          "grep -qxF -- \"$o stop x\" h1/words");
}

Test(ssh_deploy, a_release_that_is_not_well_is_rolled_back)
{
    deploy("one", OST_OK);
    scratch_file("h1/sick-two", "");
    deploy("two", OST_E_FAILED);
    is_output("release", "2");
    is_output("previous", "1");
    is_output("rolled-back", "true");
    is_state("1", "", "2");
    scratch_has("h1/live", "one\n");
    fails_with("release 2 did not go live: web.test: the health check failed: the container app-1 "
               "ended with "
               "exit code 3; release 1 is back and works");
    ost_test_said(host, "info: *the last words of app-1*");
    ost_test_said(host, "info: release 1 is healthy");
    scratch_has("h1/tagged", "tag sha256:one app:latest\n"); /* its tag had moved */
    deploy("three", OST_OK);
    is_output("release", "3");
    is_output("previous", "1");
}

Test(ssh_deploy, what_compose_and_commands_refuse_is_rolled_back)
{
    deploy("one", OST_OK);
    scratch_file("h1/fail-up-two", "");
    deploy("two", OST_E_FAILED);
    fails_with("compose could not start release 2; release 1 is back and works");
    ost_test_with(host, "post-commands", "false\necho never");
    deploy("three", OST_E_FAILED);
    fails_with("the post-commands ended with exit code 1; release 1 is back and works");
    cr_expect(!ost_test_lines(host, "*never*"));
    is_state("1", "", "3");
    scratch_has("h1/live", "one\n");
}

Test(ssh_deploy, before_the_switch_a_failure_touches_nothing)
{
    deploy("one", OST_OK);
    scratch_file("h1/fail-pull-two", "");
    deploy("two", OST_E_FAILED);
    fails_with("the images of release 2 could not be pulled; nothing that runs was touched");
    is_output("rolled-back", "false");
    ost_test_with(host, "pre-commands", "exit 7");
    deploy("three", OST_E_FAILED);
    fails_with("the pre-commands ended with exit code 7; nothing that runs was touched");
    is_state("1", "", "3");
    scratch_has("h1/calls", "pull one 1\nup one 1\npull two 2\npull three 3\n");
}

Test(ssh_deploy, the_first_release_is_stopped_when_it_is_not_well)
{
    scratch_file("h1/sick-one", "");
    deploy("one", OST_E_FAILED);
    fails_with("there is no release before it, so it was stopped");
    scratch_has("h1/calls", "pull one 1\nup one 1\nstop one 1\n");
    is_state("", "", "1");
}

Test(ssh_deploy, a_rollback_that_fails_says_so)
{
    deploy("one", OST_OK);
    scratch_file("h1/sick-one", "");
    scratch_file("h1/sick-two", "");
    deploy("two", OST_E_FAILED);
    fails_with("the way back failed as well");
    fails_with("release 1 is back, but the health check failed");
    is_output("rolled-back", "false");
}

Test(ssh_deploy, by_hand_it_goes_back_one_release)
{
    deploy("one", OST_OK);
    deploy("two", OST_OK);
    ost_test_with(host, "rollback", "true");
    run(OST_PHASE_MAIN, OST_OK);
    is_output("release", "1");
    is_output("rolled-back", "true");
    is_state("1", "", "2");
    scratch_has("h1/live", "one\n");
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    fails_with("there is no release before 1 to go back to");
}

Test(ssh_deploy, only_some_releases_and_images_are_kept)
{
    ost_test_with(host, "keep", "2");
    ost_test_with(host, "prune", "true");
    deploy("one", OST_OK);
    deploy("two", OST_OK);
    deploy("three", OST_OK);
    shell("[ \"$(cd h1/app/.ostler/releases && echo *)\" = '2 3' ]");
    scratch_has("h1/removed", "image rm app:latest\n");
}

/* ---- health ---- */

Test(ssh_deploy, the_runner_asks_for_the_url)
{
    ost_test_with(host, "health-url", "http://{host}:8080/healthz");
    ost_test_with(host, "health-retries", "3");
    ost_test_on_http(host, "GET http://web.test:8080/healthz", .status = 503, .times = 2);
    deploy("one", OST_OK);
    cr_expect_eq(ost_test_requests(host, "*"), 3);
    is_output("url", "http://web.test:8080/healthz");
    ost_test_said(host, "info: not healthy yet: http://web.test:8080/healthz answers 503");
    ost_test_on_http(host, "GET *", .fails = OST_E_IO, .error = "nobody is there");
    deploy("two", OST_E_FAILED);
    fails_with("http://web.test:8080/healthz: nobody is there");
    cr_expect_eq(ost_test_requests(host, "*"), 8); /* four for each of them */
    ost_test_without(host, OST_EXT_HTTP);
    deploy("three", OST_E_UNSUPPORTED);
    fails_with("set health-from to server");
}

Test(ssh_deploy, the_server_asks_for_the_url)
{
    scratch_file("bin/curl", "#!/bin/sh\necho \"$*\" >>\"$HOME/curl\"\n[ -e \"$HOME/up\" ] || { "
                             "echo 'curl: (7) no' >&2; exit 7; }\n");
    shell("chmod +x bin/curl; touch h1/up");
    ost_test_with(host, "health-url", "http://127.0.0.1/it's $(touch pwned)");
    ost_test_with(host, "health-from", "server");
    deploy("one", OST_OK);
    scratch_has("h1/curl", "-fsS -L -m 5 -o /dev/null -- http://127.0.0.1/it's $(touch pwned)\n");
    shell("rm h1/up");
    deploy("two", OST_E_FAILED);
    fails_with("curl: (7) no");
}

/* ---- the server ---- */

Test(ssh_deploy, an_env_file_that_everybody_reads_is_refused)
{
    scratch_file("h1/app/.env", "PASSWORD=x\n");
    shell("chmod 644 h1/app/.env");
    deploy("one", OST_E_FAILED);
    fails_with("/h1/app/.env': run chmod 600 ");
    scratch_has("h1/app/.env", "PASSWORD=x\n");
    cr_expect_neq(access("h1/calls", F_OK), 0);
    shell("chmod 640 h1/app/.env");
    deploy("one", OST_OK);
    scratch_has("h1/app/.env", "PASSWORD=x\n");
}

Test(ssh_deploy, two_at_once_wait_or_refuse)
{
    scratch_file("h1/app/.ostler/state", "pending=1\nstep=preparing\nlast=1\n");
    scratch_file("h1/app/.ostler/owner", "token=x\nwho=acme/other, run 9\npid=1\nsince=1\n");
    int fd = open("h1/app/.ostler/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    cr_assert_eq(flock(fd, LOCK_EX), 0);
    ost_test_with(host, "on-locked", "refuse");
    deploy("one", OST_E_DENIED);
    fails_with("another deploy is at work (acme/other, run 9, pid 1, for ");
    ost_test_with(host, "on-locked", "wait");
    ost_test_with(host, "lock-timeout", "1s");
    deploy("one", OST_E_TIMEOUT);
    ost_test_said(host, "info: waiting for another deploy: acme/other, run 9, pid 1, *");
    fails_with("after 'lock-timeout'");
    close(fd); /* it died: the lock goes with it, what it wrote does not */
    deploy("one", OST_OK);
    ost_test_said(host, "warning: an earlier deploy ended without *: acme/other, run 9");
}

Test(ssh_deploy, an_unfinished_deploy_is_found)
{
    deploy("one", OST_OK);
    scratch_file("h1/app/.ostler/releases/2/record", "who=acme/app, run 3\nstate=switching\n");
    shell("printf '%s\n' current=1 previous= last=2 pending=2 step=switching by=x "
          ">h1/app/.ostler/state");
    scratch_file("h1/fail-pull-three", "");
    deploy("three", OST_E_FAILED);
    ost_test_said(host,
                  "warning: found release 2 unfinished (switching), begun by acme/app, run 3; the "
                  "last good release is 1");
    fails_with("release 1 is back and works"); /* nobody knew what was live */
    is_state("1", "", "3");
    shell("grep -qx state=interrupted h1/app/.ostler/releases/2/record");
}

Test(ssh_deploy, going_back_from_a_half_live_release_is_to_the_last_good_one)
{
    deploy("one", OST_OK);
    deploy("two", OST_OK);
    shell("printf '%s\n' current=2 previous=1 last=3 pending=3 step=switched by=x "
          ">h1/app/.ostler/state");
    ost_test_with(host, "rollback", "true");
    run(OST_PHASE_MAIN, OST_OK);
    is_output("release", "2");
    is_state("2", "1", "3");
}

Test(ssh_deploy, a_script_that_is_killed_is_taken_back)
{
    deploy("one", OST_OK);
    scratch_file("h1/kill-up-two", "");
    deploy("two", OST_E_IO);
    fails_with("the connection broke; release 1 is back and works");
    scratch_has("h1/live", "one\n");
    is_state("1", "", "2");
}

Test(ssh_deploy, ssh_s_troubles_are_explained)
{
    static const struct {
        const char *err, *wanted;
        ost_status code;
    } rows[] = {
        {"@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nHost key verification "
         "failed.\n",
         "the host key of 'web.test' is not the pinned one, so nothing was sent to it",
         OST_E_DENIED},
        {"No ED25519 host key is known for web.test\nHost key verification failed.\n",
         "run 'ssh-keyscan web.test', compare", OST_E_DENIED},
        {"deploy@web.test: Permission denied (publickey).\n", "refused the key", OST_E_DENIED},
        {"Load key \"k\": error in libcrypto\nd@w: Permission denied (publickey).\n",
         "the key is damaged", OST_E_INVALID},
        {"ssh: Could not resolve hostname web.test: x\n", "no such name", OST_E_IO},
        {"ssh: connect to host w port 22: Connection refused\n", "nothing listens there", OST_E_IO},
        {"ssh: connect to host w port 22: Connection timed out\n", "does not answer", OST_E_IO},
        {"something else\n", "the connection broke: something else", OST_E_IO},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ost_test_on_exec(host, "ssh *", .exit_code = 255, .err = rows[i].err);
        run(OST_PHASE_MAIN, rows[i].code);
        fails_with(rows[i].wanted);
    }
    ost_test_on_exec(host, "ssh *", .status = OST_E_NOT_FOUND);
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    fails_with("install openssh-client");
}

/* ---- other strategies ---- */

Test(ssh_deploy, files_are_copied_and_a_link_is_put_in_place)
{
    if (access("/usr/bin/rsync", X_OK) != 0)
        cr_skip_test("rsync is not installed");
    scratch_file("work/dist/index.html", "one");
    scratch_file("work/dist/same", "same");
    scratch_file("work/dist/.git/config", "x");
    scratch_file("h1/app/shared/media/photo", "precious");
    ost_test_with(host, "strategy", "release");
    ost_test_with(host, "source", "dist");
    ost_test_with(host, "shared", "media\nvar/log");
    ost_test_with(host, "post-commands", "cat index.html >>../../restarts");
    ost_test_with(host, "health-command", "[ \"$(cat index.html)\" != bad ]");
    ost_test_with(host, "keep", "2");
    run(OST_PHASE_MAIN, OST_OK);
    shell("[ \"$(cat h1/app/current/index.html)\" = one ]");
    shell("[ \"$(cat h1/app/current/media/photo)\" = precious ]");
    shell("[ -d h1/app/current/var/log ]; [ ! -e h1/app/current/.git ]");
    shell("printf two >work/dist/index.html");
    run(OST_PHASE_MAIN, OST_OK);
    shell("[ \"$(readlink h1/app/current)\" = releases/2 ]");
    shell("[ h1/app/releases/1/same -ef h1/app/releases/2/same ]");
    shell("printf bad >work/dist/index.html");
    run(OST_PHASE_MAIN, OST_E_FAILED);
    fails_with("the health command ended with exit code 1; release 2 is back and works");
    shell("[ \"$(cat h1/app/current/index.html)\" = two ]");
    scratch_has("h1/app/restarts", "onetwobadtwo");
    scratch_has("h1/app/shared/media/photo", "precious");
    shell("printf four >work/dist/index.html");
    run(OST_PHASE_MAIN, OST_OK);
    shell("[ \"$(cd h1/app/releases && echo *)\" = '2 3 4' ] || [ \"$(cd h1/app/releases && echo "
          "*)\" = '2 4' ]");
    ost_test_with(host, "rollback", "true");
    run(OST_PHASE_MAIN, OST_OK);
    shell("[ \"$(cat h1/app/current/index.html)\" = two ]");
}

Test(ssh_deploy, a_script_is_run_with_its_variables)
{
    ost_test_with(host, "strategy", "command");
    ost_test_with(host, "script", "echo \"$TAG $OSTLER_RELEASE\" >live\n[ \"$TAG\" != two ]");
    deploy("one", OST_OK);
    scratch_has("h1/app/live", "one 1\n");
    ost_test_with(host, "rollback-commands", "echo \"back to $OSTLER_RELEASE\" >live");
    deploy("two", OST_E_FAILED);
    fails_with("the script ended with exit code 1; release 1 is back and works");
    scratch_has("h1/app/live", "back to 1\n");
    ost_test_with(host, "strategy", "compose");
    ost_test_with(host, "script", "");
    deploy("three", OST_E_INVALID);
    fails_with("was deployed with the strategy 'command'");
}

/* ---- several servers ---- */

Test(ssh_deploy, servers_are_changed_one_by_one_and_all_go_back)
{
    ost_test_with(host, "host", "deploy@web.test:22\nother@web.test:2222");
    deploy("one", OST_OK);
    scratch_file("h2/sick-two", "");
    ost_test_with(host, "commands-on", "first");
    ost_test_with(host, "pre-commands", "echo migrated >>$HOME/migrations");
    deploy("two", OST_E_FAILED);
    fails_with("web.test:2222: the health check failed");
    fails_with("release 1 is back and works");
    scratch_has("h1/live", "one\n");
    scratch_has("h2/live", "one\n");
    scratch_has("h1/migrations", "migrated\n");
    cr_expect_neq(access("h2/migrations", F_OK), 0);
    is_state("1", "", "2");
    ost_test_said(host, "info: [[]web.test:22] release 2 is healthy");
    scratch_file("h1/sick-three", ""); /* the first fails: the second is never touched */
    deploy("three", OST_E_FAILED);
    shell("! grep -q 'up three' h2/calls");
    ost_test_with(host, "max-unavailable", "2");
    ost_test_with(host, "pre-commands", "");
    deploy("four", OST_OK);
    scratch_has("h1/live", "four\n");
    scratch_has("h2/live", "four\n");
}

/* ---- what is asked for ---- */

Test(ssh_deploy, mistakes_have_one_clear_error)
{
    static const struct {
        const char *input, *value, *wanted;
    } rows[] = {
        {"host", "-oProxyCommand=x", "it has to be USER@HOST:PORT"},
        {"host", "a b;c", "it has to be USER@HOST:PORT"},
        {"host", "$(x)", "it has to be USER@HOST:PORT"},
        {"host", "a@b:99999", "a port is 1 to 65535"},
        {"host", "web.test, web.test", "twice"},
        {"username", "-l", ""},
        {"fingerprint", "MD5:00:11", "a fingerprint is 'SHA256:' and 43 characters"},
        {"port", "0", "from 1 to 65535"},
        {"timeout", "soon", "a time such as 30s"},
        {"env", "A B=c", "it has to be NAME=value"},
        {"env", "IFS=x", "it has to be NAME=value"},
        {"env", "folder=/", "it has to be NAME=value"},
        {"env", "OSTLER_RELEASE=9", "it has to be NAME=value"},
        {"services", "web;x", "letters, digits"},
        {"project", "-p", "letters, digits"},
        {"registry", "a b", "HOST or HOST:PORT"},
        {"registry-username", "x", "together"},
        {"compose-files", "../x.yml", "below the folder"},
        {"compose-files", "none.yml", "cannot read the compose file 'none.yml'"},
        {"files", "/etc/passwd", "below the folder"},
        {"folder", "/", "'folder' has to be"},
        {"health-url", "ftp://x", "http://"},
        {"script", "true", "'strategy: command'"},
        {"known-hosts", "", "run 'ssh-keyscan web.test', compare"},
        {"proxy_host", "a b", "it has to be USER@HOST:PORT"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].input, "username") == 0)
            ost_test_with(host, "host", "web.test");
        ost_test_with(host, rows[i].input, rows[i].value);
        cr_expect_lt(ost_test_run(host, OST_PHASE_MAIN), 0, "%s: %s", rows[i].input, rows[i].value);
        cr_expect(strstr(ost_test_failure(host), rows[i].wanted), "%s: %s: %s", rows[i].input,
                  rows[i].value, ost_test_failure(host));
        cr_expect_eq(ost_test_execs(host, "*"), 0);
        ost_test_free(host);
        make_host();
    }
}

Test(ssh_deploy, ssh_is_told_everything_in_a_file)
{
    ost_test_with(host, "host", "web.test:2222, u@[::1]:23");
    ost_test_with(host, "username", "deploy");
    ost_test_with(host, "proxy_host", "jump@gate.test:24");
    ost_test_with(host, "fingerprint", PIN);
    ost_test_with(host, "passphrase", "x");
    ost_test_on_exec(host, "ssh *", .exit_code = 255);
    run(OST_PHASE_MAIN, OST_E_IO);
    const char *said = ost_test_exec_input(host, 0);
    static const char *const wanted[] = {
        "Host h1\n HostName web.test\n Port 2222\n User deploy\n IdentityFile ",
        "Host h2\n HostName ::1\n Port 23\n User u\n",
        "Host jump\n HostName gate.test\n Port 24\n User jump\n",
        " ProxyJump jump\n",
        " StrictHostKeyChecking yes\n",
        " GlobalKnownHostsFile /dev/null\n",
        "umask 077\n",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        cr_expect(strstr(said, wanted[i]), "no '%s' in\n%s", wanted[i], said);
}

Test(ssh_deploy, the_plan_says_what_would_be_done)
{
    ost_test_with(host, "host", "a.test\nb.test");
    ost_test_with(host, "pre-commands", "migrate");
    ost_test_with(host, "health-url", "http://{host}/");
    run(OST_PHASE_PLAN, OST_OK);
    cr_expect_str_eq(ost_test_planned(host, 0),
                     "deploy a.test:22:app: docker-compose.yml with compose (services: all)");
    cr_expect_str_eq(ost_test_planned(host, 1), "pull a.test:22:app");
    cr_expect_str_eq(ost_test_planned(host, 2), "run pre-commands a.test:22:app");
    cr_expect_str_eq(
        ost_test_planned(host, 3),
        "check a.test:22:app: containers http://a.test/, 1 looks; else back to the release before");
    cr_expect_eq(ost_test_execs(host, "*"), 0);
    shell("rm work/docker-compose.yml"); /* a step may make it */
    run(OST_PHASE_PLAN, OST_OK);
    run(OST_PHASE_MAIN, OST_E_NOT_FOUND);
    fails_with("name the file in 'compose-files'");
}

/* ---- whatever happens ---- */

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

/* A phase ended somewhere; the post phase is given what it had saved. */
static void then_post(void)
{
    char *folder = copy(ost_test_kept(host, "folder"));
    char *unsettled = copy(ost_test_kept(host, "unsettled"));

    ost_test_saved(host, "folder", folder ? folder : "");
    ost_test_saved(host, "unsettled", unsettled ? unsettled : "");
    free(folder);
    free(unsettled);
    run(OST_PHASE_POST, OST_OK);
}

/* What must hold on SERVERS after the post phase: the old release or the new one is live, whole, the same on all, and
 * nothing is pending. */
static void are_sane(const char *servers, const char *what, int nth)
{
    char checks[1024];

    snprintf(checks, sizeof checks,
             "exec >&2\n"
             "for home in %s; do\n"
             "    live=$(cat $home/live)\n"
             "    current=$(sed -n s/^current=//p $home/app/.ostler/state)\n"
             "    ! grep '^pending=.' $home/app/.ostler/state\n"
             "    case $current/$live in 1/one | 2/two) ;; *) echo \"$home: $current is $live\"; "
             "exit 1 ;; esac\n"
             "    cmp h1/live $home/live\n"
             "done\n"
             "[ -z \"$(ls temp)\" ]",
             servers);
    cr_assert_eq(ask_shell(checks), 0, "%s, call %d:\n%s\n%s", what, nth, ost_test_failure(host),
                 ost_test_log(host));
}

static void start_over(struct ost_test *t, const struct ost_test_round *round, void *ctx)
{
    (void)t, (void)round, (void)ctx;
    shell("rm -rf h1 && cp -a clean1 h1");
}

/* Now and then nobody comes back to it, as when the runner was killed; then the next deploy has to cope. */
static void somebody_makes_it_sane(struct ost_test *t, const struct ost_test_round *round,
                                   void *ctx)
{
    (void)ctx;
    if (round->nth % 4) {
        then_post();
        are_sane("h1", round->call, round->nth);
        return;
    }
    ost_test_with(t, "env", "TAG=three");
    cr_assert_eq(ost_test_run(t, OST_PHASE_MAIN), OST_OK, "call %d: %s", round->nth,
                 ost_test_failure(t));
    ost_test_with(t, "env", "TAG=two");
    scratch_has("h1/live", "three\n");
    shell("! grep '^pending=.' h1/app/.ostler/state; rm -rf temp/*");
}

/* The deploy of "two" over "one". */
Test(ssh_deploy, whatever_fails_and_whenever_it_is_cancelled_the_server_is_sane)
{
    deploy("one", OST_OK);
    shell("cp -a h1 clean1");
    ost_test_with(host, "env", "TAG=two");
    cr_expect_gt(ost_test_each_fault(host, .phase = OST_PHASE_MAIN, .before = start_over,
                                     .after = somebody_makes_it_sane),
                 100);
}

Test(ssh_deploy, several_servers_are_the_same_afterwards)
{
    int rounds = 0;

    ost_test_with(host, "host", "deploy@web.test:22\nother@web.test:2222");
    ost_test_with(host, "max-unavailable", "2");
    deploy("one", OST_OK);
    shell("cp -a h1 clean1 && cp -a h2 clean2");
    ost_test_with(host, "env", "TAG=two");
    for (bool struck = true; struck; rounds++) {
        shell("rm -rf h1 h2 && cp -a clean1 h1 && cp -a clean2 h2");
        (rounds % 2 ? ost_test_cancel : ost_test_fault)(host, 10 + 5 * rounds);
        (void)ost_test_run(host, OST_PHASE_MAIN);
        struck = ost_test_struck(host) || rounds % 2; /* there are fewer calls that can fail */
        then_post();
        are_sane("h1 h2", "two servers", 10 + 5 * rounds);
    }
    cr_expect_gt(rounds, 4);
}
