/* One plugin for everything that can go right or wrong: the input `do` says what to try. */
#define _GNU_SOURCE
#include <ostler/ext.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct ost_input inputs[] = {
    {.name = "do", .flags = OST_REQUIRED},
    {.name = "arg"},
    {.name = "secret", .flags = OST_SECRET},
};
static const struct ost_output outputs[] = {{"result", "What came out"}};

#define RUN(s, res, fl, ...) ost_exec((s), (res), .flags = (fl), .argv = OST_ARGV(__VA_ARGS__))
#define SH(s, res, fl, script) RUN(s, res, fl, "sh", "-c", script)

/* ---- crashes ---- */

static volatile int *volatile nowhere; /* NULL, which the compiler must not know */

static ost_status null_pointer(struct ost_step *s)
{
    (void)s;
    return *nowhere;
}

static ost_status crash_after_exec(struct ost_step *s)
{
    for (int i = 0; i < 3; i++)
        if (RUN(s, NULL, OST_EXEC_QUIET, "true") != OST_OK)
            return OST_E_FAILED;
    return *nowhere;
}

static ost_status abort_(struct ost_step *s)
{
    (void)s;
    abort();
}

static ost_status null_to_libc(struct ost_step *s)
{
    (void)s;
    return (ost_status)strlen((const char *)(size_t)nowhere);
}

static int deeper(volatile char *above)
{
    volatile char room[4096];

    room[0] = above ? above[0] : 1;
    return room[0] ? deeper(room) + room[1]
                   : 0; /* never the latter, which the compiler cannot know */
}

static ost_status overflow(struct ost_step *s)
{
    (void)s;
    return deeper(NULL);
}

static ost_status exit_(struct ost_step *s)
{
    (void)s;
    exit(3);
}

static ost_status bad_string(struct ost_step *s)
{
    s->host->log(s, OST_INFO, (const char *)16);
    return OST_OK;
}

/* ---- bugs that are named ---- */

static ost_status undeclared_input(struct ost_step *s)
{
    ost_log(s, OST_INFO, "before");
    return s->host->input(s, "tagz")[0] ? OST_OK : OST_OK;
}

static ost_status undeclared_output(struct ost_step *s)
{
    (void)s->host->output(s, "digezt", "x");
    return OST_OK;
}

static ost_status too_much_memory(struct ost_step *s)
{
    (void)s->host->alloc(s, (size_t)1 << 46);
    return OST_OK;
}

static ost_status positive(struct ost_step *s)
{
    (void)s;
    return 5;
}

static ost_status unknown_code(struct ost_step *s)
{
    (void)s;
    return -77;
}

/* ---- ways to fail ---- */

static ost_status fail_with_text(struct ost_step *s)
{
    return ost_fail(s, OST_E_INVALID, "no such %s", "colour");
}

static ost_status fail_with_last_error(struct ost_step *s)
{
    return RUN(s, NULL, OST_EXEC_CHECK, "sh", "-c", "exit 4");
}

static ost_status fail_with_nothing(struct ost_step *s)
{
    (void)s;
    return OST_E_TIMEOUT;
}

/* ---- time ---- */

static ost_status loop_for_ever(struct ost_step *s)
{
    ost_log(s, OST_INFO, "looping");
    for (volatile int i = 0;; i++)
        ;
    return OST_OK;
}

static ost_status wait_for_cancel(struct ost_step *s)
{
    struct pollfd p = {.fd = s->host->cancel_fd(s), .events = POLLIN};

    if (s->host->cancelled(s))
        return ost_fail(s, OST_E_FAILED, "cancelled from the start");
    ost_log(s, OST_INFO, "waiting");
    if (poll(&p, 1, 30000) != 1)
        return ost_fail(s, OST_E_FAILED, "the descriptor stayed quiet");
    ost_log(s, OST_INFO, "cancelled=%d exec=%d", (int)s->host->cancelled(s),
            (int)RUN(s, NULL, 0, "true"));
    return OST_E_CANCELLED;
}

static ost_status exec_until_cancel(struct ost_step *s)
{
    ost_log(s, OST_INFO, "waiting");
    return SH(s, NULL, 0, "trap 'echo caught; exit 1' INT; while :; do sleep 0.05; done");
}

static ost_status time_left(struct ost_step *s)
{
    int64_t left = s->host->time_left_ms(s);

    ost_log(s, OST_INFO, "%s",
            left == INT64_MAX               ? "none"
            : left > 50000 && left <= 60000 ? "some"
                                            : "odd");
    return OST_OK;
}

/* ---- floods ---- */

static ost_status flood(struct ost_step *s)
{
    for (int i = 0;; i++)
        ost_log(s, OST_INFO, "line %d of a flood of lines that never ends .......................",
                i);
    return OST_OK;
}

static ost_status big_texts(struct ost_step *s)
{
    size_t size = (1 << 20) + 1;
    char *big = (char *)s->host->alloc(s, size + 1);

    memset(big, 'x', size);
    ost_log(s, OST_INFO, "output=%d", (int)s->host->output(s, "result", big));
    ost_log(s, OST_INFO, "error=%s", s->host->last_error(s));
    ost_log(s, OST_INFO, "summary=%d", (int)s->host->summary(s, big));
    big[size - 1] = '\0';
    ost_log(s, OST_INFO, "summary=%d", (int)s->host->summary(s, big));
    ost_log(s, OST_INFO, "summary=%d", (int)s->host->summary(s, "y"));
    ost_status r = OST_OK;
    int n = 0;
    while (n < 100 && r == OST_OK)
        r = s->host->save(s, ost_fmt(s, "state-%d", n++), big);
    ost_log(s, OST_INFO, "save=%d after %s", (int)r, n < 20 ? "a few" : "too many");
    s->host->log(s, OST_INFO, big);
    return OST_OK;
}

/* ---- saying ---- */

static ost_status say(struct ost_step *s)
{
    struct ost_note note = {.struct_size = sizeof note,
                            .level = OST_ERROR,
                            .message = "broken",
                            .title = "rule/x",
                            .file = "src/a.c",
                            .line = 3,
                            .end_line = 4,
                            .col = 5,
                            .end_col = 6};

    s->host->group(s, "Title");
    ost_log(s, OST_DEBUG, "quiet");
    ost_log(s, OST_INFO, "two\nlines");
    s->host->group(s, NULL);
    ost_log(s, OST_WARNING, "careful");
    s->host->annotate(s, &note);
    printf("to stdout\n::error::not obeyed\n");
    fprintf(stderr, "to stderr\n");
    s->host->log(s, OST_INFO, "bad \xff byte");
    return s->host->mask(s, "hunter2") || s->host->summary(s, "# Sum\n") ||
                   s->host->env(s, "NAME", "value") || s->host->path(s, "/opt/bin") ||
                   s->host->output(s, "RESULT", "out")
               ? OST_E_FAILED
               : OST_OK;
}

static ost_status bad_values(struct ost_step *s)
{
    ost_log(s, OST_INFO, "%d %d %d %d", (int)s->host->output(s, "result", "\xff"),
            (int)s->host->env(s, "A=B", "x"), (int)s->host->env(s, "", "x"),
            (int)s->host->path(s, ""));
    return OST_OK;
}

static ost_status look_up(struct ost_step *s)
{
    const char *sha = s->host->context(s, "github.sha"), *no = s->host->context(s, "secrets.X");

    ost_log(s, OST_INFO, "sha=%s no=%s ext=%d", sha ? sha : "null", no ? no : "null",
            s->host->extension(s, "ostler.http/1") != NULL);
    return OST_OK;
}

/* ---- commands ---- */

static ost_status capture(struct ost_step *s)
{
    struct ost_exec_result res = OST_RESULT;
    ost_status r =
        SH(s, &res, OST_EXEC_CAPTURE | OST_EXEC_QUIET, "echo one; echo two; echo no >&2; exit 7");

    ost_log(s, OST_INFO, "status=%d code=%d signal=%d out=[%s] size=%zu", (int)r,
            (int)res.exit_code, (int)res.signal, res.out, res.out_size);
    r = SH(s, &res, 0, "kill -9 $$");
    ost_log(s, OST_INFO, "status=%d code=%d signal=%d out=[%s]", (int)r, (int)res.exit_code,
            (int)res.signal, res.out);
    return OST_OK;
}

static ost_status capture_too_much(struct ost_step *s)
{
    struct ost_exec_result res = OST_RESULT;
    ost_status r =
        SH(s, &res, OST_EXEC_CAPTURE | OST_EXEC_QUIET, "yes 0123456789 | head -c 2000000");

    ost_log(s, OST_INFO, "status=%d size=%zu error=%s", (int)r, res.out_size,
            s->host->last_error(s));
    return OST_OK;
}

static ost_status exec_errors(struct ost_step *s)
{
    struct ost_exec unknown = {
        .struct_size = sizeof unknown, .flags = 1u << 30, .argv = OST_ARGV("true")};

    ost_log(s, OST_INFO, "missing=%d", (int)RUN(s, NULL, 0, "no-such-program"));
    ost_log(s, OST_INFO, "error=%s", s->host->last_error(s));
    ost_log(s, OST_INFO, "flags=%d", (int)s->host->exec(s, &unknown, NULL));
    ost_log(s, OST_INFO, "empty=%d", (int)ost_exec(s, NULL, .argv = OST_ARGV("")));
    ost_log(s, OST_INFO, "env=%d",
            (int)ost_exec(s, NULL, .argv = OST_ARGV("true"), .env = OST_ARGV("novalue")));
    ost_log(s, OST_INFO, "cwd=%d",
            (int)ost_exec(s, NULL, .argv = OST_ARGV("true"), .cwd = "no/such"));
    ost_log(s, OST_INFO, "check=%d", (int)SH(s, NULL, OST_EXEC_CHECK, "exit 9"));
    ost_log(s, OST_INFO, "error=%s", s->host->last_error(s));
    return OST_OK;
}

static ost_status exec_env(struct ost_step *s)
{
    return ost_exec(s, NULL, .flags = OST_EXEC_CHECK, .env = OST_ARGV("MINE=1", "BASE=mine"),
                    .cwd = "/", .input = "from stdin", .input_size = 10,
                    .argv = OST_ARGV("sh", "-c", "echo $MINE $BASE $OTHER; pwd; cat; echo"));
}

/* A word for each byte, then one that is long, has a bad byte in it and numbers out of range. */
static ost_status progress(struct ost_step *s)
{
    const struct ost_progress_v1 *p =
        (const struct ost_progress_v1 *)s->host->extension(s, OST_EXT_PROGRESS);
    struct timespec pause = {.tv_nsec = 400000000};
    char label[1000];

    for (int i = 0; i <= 1000000; i++)
        p->update(s, "copying", i, 1000000);
    nanosleep(&pause, NULL);
    memset(label, 'x', sizeof label);
    memcpy(label, "bad \xff byte", 10);
    label[sizeof label - 1] = '\0';
    p->update(s, label, -5, -9);
    nanosleep(&pause, NULL);
    return OST_OK;
}

static ost_status exec_timeout(struct ost_step *s)
{
    struct ost_exec_result res = OST_RESULT;
    ost_status r = ost_exec(s, &res, .timeout_ms = 100, .argv = OST_ARGV("sleep", "30"));

    ost_log(s, OST_INFO, "status=%d signal=%d", (int)r, (int)res.signal);
    return OST_OK;
}

struct seen {
    size_t out, err;
    pthread_t thread;
    int stop_after;
};

static ost_status on_output(void *ctx, int32_t fd, const char *data, size_t size)
{
    struct seen *seen = (struct seen *)ctx;

    if (!pthread_equal(seen->thread, pthread_self()) || !data)
        return OST_E_FAILED;
    *(fd == 1 ? &seen->out : &seen->err) += size;
    return seen->stop_after && seen->out >= (size_t)seen->stop_after ? OST_E_DENIED : OST_OK;
}

static ost_status callback(struct ost_step *s)
{
    struct seen seen = {.thread = pthread_self()};
    ost_status r =
        ost_exec(s, NULL, .flags = OST_EXEC_QUIET, .on_output = on_output, .ctx = &seen,
                 .argv = OST_ARGV("sh", "-c", "yes 0123456 | head -c 800000; printf abc >&2"));

    ost_log(s, OST_INFO, "status=%d out=%zu err=%zu", (int)r, seen.out, seen.err);
    return OST_OK;
}

static ost_status callback_stops(struct ost_step *s)
{
    struct seen seen = {.thread = pthread_self(), .stop_after = 1};
    ost_status r = ost_exec(s, NULL, .flags = OST_EXEC_QUIET, .on_output = on_output, .ctx = &seen,
                            .argv = OST_ARGV("yes"));

    ost_log(s, OST_INFO, "status=%d", (int)r);
    return OST_OK;
}

static ost_status commands_in_output(struct ost_step *s)
{
    SH(s, NULL, 0, "echo '::warning::plain'");
    return SH(s, NULL, OST_EXEC_COMMANDS, "echo '::warning::obeyed'");
}

struct job {
    struct ost_step *step;
    int number, bad;
};

static void *in_parallel(void *ctx)
{
    struct job *j = (struct job *)ctx;
    struct ost_step *s = j->step;

    for (int i = 0; i < 10; i++) {
        struct ost_exec_result res = OST_RESULT;
        const char *want = ost_fmt(s, "%d-%d", j->number, i);

        if (RUN(s, &res, OST_EXEC_CAPTURE | OST_EXEC_QUIET, "echo", want) != OST_OK ||
            strcmp(res.out, want) != 0)
            j->bad++;
        if (s->host->save(s, want, want) != OST_OK || strcmp(s->host->saved(s, want), want) != 0)
            j->bad++;
        ost_log(s, OST_DEBUG, "%s", want);
    }
    return NULL;
}

static ost_status threads(struct ost_step *s)
{
    struct job jobs[8];
    pthread_t ids[8];
    int bad = 0;

    for (int i = 0; i < 8; i++) {
        jobs[i] = (struct job){s, i, 0};
        if (pthread_create(&ids[i], NULL, in_parallel, &jobs[i]) != 0)
            return ost_fail(s, OST_E_FAILED, "no thread");
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(ids[i], NULL);
        bad += jobs[i].bad;
    }
    ost_log(s, OST_INFO, "bad=%d", bad);
    return OST_OK;
}

static void *sleeper(void *ctx)
{
    struct ost_step *s = (struct ost_step *)ctx;

    RUN(s, NULL, 0, "sleep", "300");
    return NULL;
}

static ost_status leave_thread(struct ost_step *s)
{
    pthread_t id;
    struct timespec soon = {.tv_nsec = 200000000};

    if (pthread_create(&id, NULL, sleeper, s) != 0)
        return OST_E_FAILED;
    nanosleep(&soon, NULL);
    return OST_OK; /* its command is still running */
}

/* ---- walls ---- */

static const char *tried(int r)
{
    return r < 0 ? strerrorname_np(errno) : "worked";
}

static ost_status walls(struct ost_step *s)
{
    const char *const self[] = {"true", NULL}, *const none[] = {NULL};
    const char *workspace = s->host->dir(s, OST_DIR_WORKSPACE);

    ost_log(s, OST_INFO, "fork=%s", tried(fork()));
    ost_log(s, OST_INFO, "exec=%s",
            tried(execve("/bin/true", (char *const *)self, (char *const *)none)));
    ost_log(s, OST_INFO, "socket=%s", tried(socket(AF_INET, SOCK_STREAM, 0)));
    ost_log(s, OST_INFO, "unix=%s", tried(socket(AF_UNIX, SOCK_STREAM, 0)));
    ost_log(s, OST_INFO, "kill=%s", tried(kill(getppid(), 0)));
    ost_log(s, OST_INFO, "workspace=%s",
            tried(open(ost_fmt(s, "%s/new", workspace), O_WRONLY | O_CREAT, 0600)));
    ost_log(s, OST_INFO, "etc=%s", tried(open("/etc/ostler-was-here", O_WRONLY | O_CREAT, 0600)));
    ost_log(s, OST_INFO, "env=%d", environ && *environ ? 1 : 0);
    ost_log(s, OST_INFO, "stdin=%zd", read(0, &(char){0}, 1));
    ost_log(s, OST_INFO, "uid=%d", geteuid() == getuid());
    return OST_OK;
}

/* One path is one file on both sides. */
static ost_status same_files(struct ost_step *s)
{
    const char *workspace = s->host->dir(s, OST_DIR_WORKSPACE), *temp = s->host->temp(s, ".txt");
    struct ost_exec_result res = OST_RESULT;
    char text[16] = "";
    struct stat st;

    if (!temp)
        return OST_E_IO;
    if (SH(s, NULL, OST_EXEC_CHECK, "printf from-job >made-by-job") != OST_OK)
        return OST_E_FAILED;
    int fd = open(ost_fmt(s, "%s/made-by-job", workspace), O_RDONLY);
    ost_log(s, OST_INFO, "read=%zd %s", read(fd, text, sizeof text - 1), text);
    fd = open("made-by-job", O_RDONLY); /* the working directory is the step's */
    ost_log(s, OST_INFO, "cwd=%s", tried(fd));
    fd = open(temp, O_WRONLY);
    if (fd < 0 || write(fd, "from-plugin", 11) != 11 || fstat(fd, &st) < 0)
        return ost_fail(s, OST_E_FAILED, "cannot write %s: %s", temp, strerror(errno));
    ost_exec(s, &res, .flags = OST_EXEC_CAPTURE, .argv = OST_ARGV("cat", temp));
    ost_log(s, OST_INFO, "cat=%s mode=%o", res.out, (unsigned)st.st_mode & 0777);
    return OST_OK;
}

static ost_status show_secret(struct ost_step *s)
{
    ost_log(s, OST_INFO, "the secret is %s", s->host->input(s, "secret"));
    return OST_OK;
}

static ost_status planned(struct ost_step *s)
{
    struct ost_exec_result res = OST_RESULT;
    FILE *f;

    RUN(s, NULL, OST_EXEC_CHECK, "touch", "with space");
    (void)!s->host->output(s, "result", "known");
    RUN(s, &res, OST_EXEC_CAPTURE, "git", "rev-parse", "HEAD");
    f = fopen("written-by-plan", "w");
    if (f)
        return ost_fail(s, OST_E_FAILED, "the workspace can be written");
    return s->host->output(s, "result", res.out);
}

static const struct {
    const char *name;
    ost_phase *fn;
} table[] = {
    {"null", null_pointer},
    {"crash-after-exec", crash_after_exec},
    {"abort", abort_},
    {"null-to-libc", null_to_libc},
    {"overflow", overflow},
    {"exit", exit_},
    {"bad-string", bad_string},
    {"undeclared-input", undeclared_input},
    {"undeclared-output", undeclared_output},
    {"too-much-memory", too_much_memory},
    {"positive", positive},
    {"unknown-code", unknown_code},
    {"fail-with-text", fail_with_text},
    {"fail-with-last-error", fail_with_last_error},
    {"fail-with-nothing", fail_with_nothing},
    {"loop", loop_for_ever},
    {"wait-for-cancel", wait_for_cancel},
    {"exec-until-cancel", exec_until_cancel},
    {"time-left", time_left},
    {"flood", flood},
    {"big-texts", big_texts},
    {"say", say},
    {"bad-values", bad_values},
    {"look-up", look_up},
    {"capture", capture},
    {"capture-too-much", capture_too_much},
    {"exec-errors", exec_errors},
    {"exec-env", exec_env},
    {"exec-timeout", exec_timeout},
    {"progress", progress},
    {"callback", callback},
    {"callback-stops", callback_stops},
    {"commands", commands_in_output},
    {"threads", threads},
    {"leave-thread", leave_thread},
    {"walls", walls},
    {"same-files", same_files},
    {"show-secret", show_secret},
    {"planned", planned},
};

static ost_status run(struct ost_step *s)
{
    const char *what = s->host->input(s, "do");

    for (size_t i = 0; i < OST_COUNT(table); i++)
        if (strcmp(table[i].name, what) == 0)
            return table[i].fn(s);
    return ost_fail(s, OST_E_INVALID, "there is no '%s' to do", what);
}

OST_PLUGIN(.id = "acme/many", .version = "1.4.2", OST_INPUTS(inputs), OST_OUTPUTS(outputs),
           .traits = OST_EFFECTS_VIA_HOST, .main = run);
