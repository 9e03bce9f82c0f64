#include "job/container/job_engine.h"

#include "base/path.h"
#include "job/container/container_policy.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 3 };

int job_engine_get(struct run *run, struct engine **ret, struct err *err)
{
    if (!run->engine) {
        int r = engine_open((const char *const *)environ, run->loop, &run->engine, err);
        if (r == ERR_OK)
            r = engine_mark(run->engine, run->dir, err);
        if (r < 0)
            return r;
    }
    *ret = run->engine;
    return ERR_OK;
}

const char *job_engine_socket(const struct run *run)
{
    if (!container_policy_shows_socket(run->job->container_policies))
        return NULL;
    for (char **p = environ; *p; p++)
        if (strncmp(*p, "DOCKER_HOST=", 12) == 0)
            return strncmp(*p + 12, "unix://", 7) == 0 ? *p + 19 : NULL;
    return access("/var/run/docker.sock", F_OK) == 0 ? "/var/run/docker.sock" : NULL;
}

const char *const *job_engine_limits(const struct run *run, struct arena *a)
{
    const struct job_limits *l = &run->job->limits;
    const char **list = arena_array(a, 9, sizeof *list);
    size_t n = 0;

    if (l->memory_bytes) { /* swap would be more of it */
        list[n++] = "--memory";
        list[n++] = arena_printf(a, "%lld", (long long)l->memory_bytes);
        list[n++] = "--memory-swap";
        list[n++] = list[1];
    }
    if (l->cpu_milli) {
        list[n++] = "--cpus";
        list[n++] = arena_printf(a, "%g", (double)l->cpu_milli / 1000);
    }
    if (l->processes) {
        list[n++] = "--pids-limit";
        list[n++] = arena_printf(a, "%lld", (long long)l->processes);
    }
    return list;
}

void job_engine_random(char *ret, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[32];

    if (getrandom(bytes, n, 0) != (ssize_t)n)
        BUG("no random bytes");
    for (size_t i = 0; i < n; i++)
        ret[i] = digits[bytes[i] & 15];
    ret[n] = '\0';
}

/* ---- what is told ---- */

static void on_command(void *ctx, struct slice line)
{
    struct err ignored = ERR_INIT; /* nobody reads: that is found out later */

    log_write(ctx, LOG_COMMAND, line);
    (void)!log_flush(ctx, &ignored); /* it may take its time, as a pull does */
}

static void on_output(void *ctx, bool error, struct slice bytes)
{
    struct err ignored = ERR_INIT; /* nobody reads: that is found out at the next flush */

    (void)!log_feed(ctx, error ? LOG_STDERR : LOG_STDOUT, bytes, &ignored);
}

void job_engine_tell(struct engine *e, struct log *log)
{
    struct engine_hooks hooks = {.command = on_command, .output = on_output, .ctx = log};

    engine_set_hooks(e, log ? &hooks : NULL);
}

void job_engine_group(struct log *log, const char *fmt, ...)
{
    struct err ignored = ERR_INIT;
    char title[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(title, sizeof title, fmt, ap);
    va_end(ap);
    log_write(log, LOG_GROUP, slice_of(title));
    (void)!log_flush(log, &ignored); /* somebody is waiting: show what for */
}

void job_engine_end_group(struct log *log)
{
    struct err ignored = ERR_INIT;

    (void)!log_end(log, LOG_STDOUT, &ignored); /* a last line without its end */
    (void)!log_end(log, LOG_STDERR, &ignored);
    log_write(log, LOG_ENDGROUP, SLICE(""));
}

/* ---- images ---- */

/* Trying again does not help: there is no such image, or not for us. */
static bool is_final(const struct err *err)
{
    static const char *const words[] = {"not found",      "unauthorized",      "denied",
                                        "does not exist", "invalid reference", "no such host"};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcasestr(err->text, words[i]))
            return true;
    return err->code != ERR_FAILED;
}

int job_engine_try(struct engine *e, struct log *log, const struct engine_command *command,
                   struct err *err)
{
    for (int left = TRIES - 1;; left--) {
        int r = engine_must(e, command, err);
        unsigned char byte = 0;

        if (r == ERR_OK || left == 0 || is_final(err))
            return r;
        (void)!getrandom(&byte, 1, 0);
        int seconds = 1 + byte % 10;
        log_issue(log, ANNOTATION_WARNING, "%s; trying again in %d seconds", err->text, seconds);
        r = engine_pause(e, seconds * 1000, err);
        if (r < 0)
            return r;
    }
}

/* Images of GitHub's own registry are the job's to read with its token. */
static void default_credentials(const struct run *run, struct container_def *d,
                                const char *registry)
{
    const char *server = json_string_value(json_object_get(run->github, "server_url"));
    const char *actor = json_string_value(json_object_get(run->github, "actor"));
    const char *token = strmap_get(&run->job->secrets, "GITHUB_TOKEN");
    bool own =
        strcmp(registry, "ghcr.io") == 0 || strcmp(registry, "containers.pkg.github.com") == 0;

    if (!own || d->username || !server || strcmp(server, "https://github.com") != 0 || !actor ||
        !token || !*token)
        return;
    d->username = actor;
    d->password = token;
}

/* Logs in with a configuration of its own, in CONFIG, so that nobody else is logged in by it. */
static int log_in(struct engine *e, struct log *log, const struct container_def *d,
                  const char *config, const char *registry, struct err *err)
{
    const char *args[] = {"--config",
                          config,
                          "login",
                          "-u",
                          d->username,
                          "--password-stdin",
                          *registry ? registry : NULL,
                          NULL};
    struct engine_command command = {.args = args, .input = slice_of(d->password)};

    return job_engine_try(e, log, &command, err);
}

static int pull(struct run *run, struct engine *e, struct log *log, struct container_def *d,
                struct arena *a, struct err *err)
{
    const char *registry = container_registry(a, d->image);
    char id[33];

    default_credentials(run, d, registry);
    if (!d->username || !d->password) {
        const char *args[] = {"pull", d->image, NULL};
        return job_engine_try(e, log, &(struct engine_command){.args = args}, err);
    }
    job_engine_random(id, 32);
    const char *name = arena_printf(a, ".docker_%s", id);
    const char *config = arena_printf(a, "%s/%s", run->job->dir, name);
    const char *args[] = {"--config", config, "pull", d->image, NULL};
    struct err ignored = ERR_INIT;
    if (mkdirat(run->dir, name, 0700) < 0)
        return err_sys(err, "cannot create '%s'", config);
    int r = log_in(e, log, d, config, registry, err);
    if (r == ERR_OK)
        r = job_engine_try(e, log, &(struct engine_command){.args = args}, err);
    (void)!path_remove(run->dir, name, &ignored); /* goes with the job's folder at the latest */
    return r;
}

int job_engine_provide(struct run *run, struct engine *e, struct log *log, struct container_def *d,
                       struct arena *a, struct err *err)
{
    const char *args[] = {"image", "inspect", "--format", "{{.Id}}", d->image, NULL};
    int code = 1;
    int r = run->job->pull
                ? ERR_OK
                : engine_run(e, &(struct engine_command){.args = args, .quiet = true}, &code, err);

    if (r < 0)
        return r;
    if (code == 0)
        log_printf(log, LOG_PLAIN, "The image '%s' is on this machine already", d->image);
    else if (run->job->offline)
        r = err_set(err, ERR_NOT_FOUND,
                    "the image '%s' is not on this machine, and '--offline' forbids to fetch it: "
                    "'docker pull %s'",
                    d->image, d->image);
    else
        r = pull(run, e, log, d, a, err);
    if (r == ERR_OK && !run->tidy_image)
        run->tidy_image = mem_dup(d->image, strlen(d->image));
    return r;
}
