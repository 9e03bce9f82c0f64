/* Every call of ABI 1.0, each looked at: a plugin that can only be satisfied by a host that still means the same. */
#include <ostler/ext.h>
#include <string.h>
#include <unistd.h>

static const char *const colours[] = {"red", "blue", NULL};
static const struct ost_input inputs[] = {
    {.name = "text", .flags = OST_REQUIRED, .description = "Any text"},
    {.name = "flag", .type = OST_BOOL, .fallback = "true", .description = "Yes or no"},
    {.name = "number", .type = OST_INT, .fallback = "42", .description = "A number"},
    {.name = "items", .type = OST_LIST, .fallback = "a\nb", .description = "One a line"},
    {.name = "colour",
     .type = OST_CHOICE,
     .fallback = "red",
     .choices = colours,
     .description = "One of two"},
    {.name = "token", .flags = OST_SECRET, .fallback = "s3cr3t", .description = "A secret"},
};
static const struct ost_output outputs[] = {
    {.name = "calls", .description = "How many were as they should be"},
    {.name = "text", .description = "What came in"},
    {.name = "token", .description = "Shown as ***"},
};

static int n;

static ost_status wrong(struct ost_step *s, const char *what)
{
    return ost_fail(s, OST_E_FAILED, "%s is not what it was in 1.0", what);
}

#define HOLDS(what, ...)                                                                           \
    do {                                                                                           \
        if (!(__VA_ARGS__))                                                                        \
            return wrong(s, what);                                                                 \
        n++;                                                                                       \
    } while (0)

static ost_status says(struct ost_step *s)
{
    const struct ost_note note = {
        .struct_size = sizeof note, .level = OST_NOTICE, .message = "noted", .line = 1};

    for (int32_t level = OST_DEBUG; level <= OST_ERROR; level++)
        s->host->log(s, level, "said");
    s->host->annotate(s, &note);
    s->host->group(s, "group");
    s->host->group(s, NULL);
    HOLDS("mask", s->host->mask(s, "hidden") == OST_OK);
    HOLDS("fail", s->host->fail(s, OST_E_INVALID, "taken back below") == OST_E_INVALID);
    return OST_OK;
}

static ost_status asks(struct ost_step *s)
{
    const char *const *items;

    HOLDS("input", strcmp(s->host->input(s, "TEXT"), "some") == 0);
    HOLDS("OST_BOOL", ost_input_bool(s, "flag"));
    HOLDS("OST_INT", strcmp(s->host->input(s, "number"), "42") == 0);
    HOLDS("input_list", s->host->input_list(s, "items", &items) == 2 && strcmp(items[1], "b") == 0);
    HOLDS("OST_CHOICE", strcmp(s->host->input(s, "colour"), "red") == 0);
    HOLDS("context",
          strcmp(s->host->context(s, "github.workspace"), s->host->dir(s, OST_DIR_WORKSPACE)) == 0);
    HOLDS("no context", !s->host->context(s, "github.nonesuch"));
    return OST_OK;
}

static ost_status hands_on(struct ost_step *s)
{
    HOLDS("output", s->host->output(s, "text", s->host->input(s, "text")) == OST_OK);
    HOLDS("a secret's output", s->host->output(s, "token", s->host->input(s, "token")) == OST_OK);
    HOLDS("env", s->host->env(s, "OLD", "1.0") == OST_OK);
    HOLDS("path", s->host->path(s, s->host->dir(s, OST_DIR_TOOLS)) == OST_OK);
    HOLDS("summary", s->host->summary(s, "# old\n") == OST_OK);
    HOLDS("save", s->host->save(s, "kept", "yes") == OST_OK);
    HOLDS("saved", !s->host->saved(s, "nothing"));
    return OST_OK;
}

static ost_status has_places(struct ost_step *s)
{
    const char *temp = s->host->temp(s, ".x");
    char *memory = (char *)s->host->alloc(s, 4096);

    for (int32_t which = OST_DIR_WORKSPACE; which <= OST_DIR_HOME; which++)
        HOLDS("dir", s->host->dir(s, which)[0] == '/');
    HOLDS("temp",
          temp && strcmp(temp + strlen(temp) - 2, ".x") == 0 && access(temp, R_OK | W_OK) == 0);
    memset(memory, 1, 4096);
    HOLDS("phase", s->host->phase(s) == OST_PHASE_MAIN);
    HOLDS("cancelled", !s->host->cancelled(s));
    HOLDS("cancel_fd", s->host->cancel_fd(s) >= 0);
    HOLDS("time_left_ms", s->host->time_left_ms(s) > 0);
    return OST_OK;
}

static ost_status count(void *ctx, int32_t fd, const char *data, size_t size)
{
    (void)data;
    ((size_t *)ctx)[fd - 1] += size;
    return OST_OK;
}

static ost_status runs(struct ost_step *s)
{
    static const char *const env[] = {"WORD=word", NULL};
    struct ost_exec_result res = OST_RESULT;
    size_t seen[2] = {0, 0};

    HOLDS("exec",
          ost_exec(s, &res, .argv = OST_ARGV("sh", "-c", "echo $WORD; cat"), .env = env,
                   .input = "in\n", .input_size = 3, .flags = OST_EXEC_CAPTURE | OST_EXEC_QUIET,
                   .cwd = "/", .timeout_ms = 60000) == OST_OK);
    HOLDS("its output", strcmp(res.out, "word\nin") == 0 && res.out_size == 7 &&
                            res.exit_code == 0 && !res.signal);
    HOLDS("on_output",
          ost_exec(s, NULL, .argv = OST_ARGV("sh", "-c", "echo 12; echo 345 >&2"),
                   .on_output = count, .ctx = seen, .flags = OST_EXEC_QUIET) == OST_OK &&
              seen[0] == 3 && seen[1] == 4);
    HOLDS("exit code", ost_exec(s, &res, .argv = OST_ARGV("sh", "-c", "exit 3")) == OST_OK &&
                           res.exit_code == 3);
    HOLDS("OST_EXEC_CHECK",
          ost_exec(s, NULL, .argv = OST_ARGV("false"), .flags = OST_EXEC_CHECK) == OST_E_EXIT);
    HOLDS("signal", ost_exec(s, &res, .argv = OST_ARGV("sh", "-c", "kill -9 $$")) == OST_OK &&
                        res.signal == 9);
    HOLDS("no program", ost_exec(s, NULL, .argv = OST_ARGV("no-such-program")) == OST_E_NOT_FOUND);
    HOLDS("last_error", s->host->last_error(s)[0] != '\0');
    HOLDS("unknown flag",
          ost_exec(s, NULL, .argv = OST_ARGV("true"), .flags = 1u << 31) == OST_E_UNSUPPORTED);
    return OST_OK;
}

static ost_status grows(struct ost_step *s)
{
    const struct ost_files_v1 *files =
        (const struct ost_files_v1 *)s->host->extension(s, OST_EXT_FILES);
    const char *const patterns[] = {"*.none", NULL};
    const char *const *paths;
    const char *hex;
    size_t found;

    HOLDS("no extension", !s->host->extension(s, "acme.none/1"));
    HOLDS("ostler.files/1", files && OST_HAS(files, hash));
    HOLDS("glob", files->glob(s, patterns, 0, &paths, &found) == OST_OK && found == 0);
    HOLDS("hash", files->hash(s, patterns, &hex) == OST_OK && !*hex);
    return OST_OK;
}

static ost_status main_(struct ost_step *s)
{
    ost_phase *const parts[] = {says, asks, hands_on, has_places, runs, grows};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        ost_status r = parts[i](s);
        if (r < 0)
            return r;
    }
    return s->host->output(s, "calls", ost_fmt(s, "%d", n));
}

static ost_status pre(struct ost_step *s)
{
    return s->host->save(s, "from-pre", "1");
}

static ost_status post(struct ost_step *s)
{
    const char *kept = s->host->saved(s, "kept"), *from_pre = s->host->saved(s, "from-pre");

    HOLDS("saved by main", kept && strcmp(kept, "yes") == 0);
    HOLDS("saved by pre", from_pre && strcmp(from_pre, "1") == 0);
    ost_log(s, OST_INFO, "post: %s", s->host->context(s, "job.status"));
    return OST_OK;
}

static ost_status plan(struct ost_step *s)
{
    return s->host->plan(s, "try", "every call", "of 1.0");
}

OST_PLUGIN(.id = "acme/every", .version = "1.0.0", .title = "Every",
           .description = "Makes every call of ABI 1.0", .author = "acme", OST_INPUTS(inputs),
           OST_OUTPUTS(outputs), .traits = OST_POST_IF_SAVED, .plan = plan, .pre = pre,
           .main = main_, .post = post, .post_if = "always()");
