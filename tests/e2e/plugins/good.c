/* test/good - a plugin that uses what the core table has, for the end-to-end tests. */
#include <ostler/plugin.h>

#include <string.h>

static const struct ost_input inputs[] = {
    {.name = "who", .fallback = "world", .description = "Whom to greet"},
    {.name = "token", .flags = OST_SECRET, .description = "Said aloud in every way there is"},
    {.name = "command", .description = "A shell command to run in the job"},
};
static const struct ost_output outputs[] = {{"greeting", "What was said"}};

/* Where a secret might get out: the log, stdout, an annotation, the summary, a command's output. */
static void blab(struct ost_step *s, const char *token)
{
    struct ost_note note = {
        .struct_size = sizeof note, .level = OST_WARNING, .file = "README.md", .line = 1};

    ost_log(s, OST_INFO, "log: %s", token);
    printf("stdout: %s\n", token);
    fprintf(stderr, "stderr: %s\n", token);
    note.message = ost_fmt(s, "annotation: %s", token);
    s->host->annotate(s, &note);
    s->host->group(s, ost_fmt(s, "group: %s", token));
    s->host->group(s, NULL);
    (void)s->host->summary(s, ost_fmt(s, "summary: %s\n", token));
    (void)ost_exec(s, NULL, .argv = OST_ARGV("printf", "%s\\n", ost_fmt(s, "exec: %s", token)));
}

static ost_status good(struct ost_step *s)
{
    const char *text = ost_fmt(s, "Hello, %s.", s->host->input(s, "who"));
    const char *token = s->host->input(s, "token"), *command = s->host->input(s, "command");

    ost_log(s, OST_INFO, "%s", text);
    if (*token)
        blab(s, token);
    if (*command &&
        ost_exec(s, NULL, .flags = OST_EXEC_CHECK, .argv = OST_ARGV("sh", "-c", command)) != OST_OK)
        return OST_E_EXIT;
    fflush(stdout);
    (void)s->host->env(s, "GREETED", s->host->input(s, "who"));
    return s->host->output(s, "greeting", text);
}

OST_PLUGIN(.id = "test/good", .version = "1.0.0", .description = "Says hello", OST_INPUTS(inputs),
           OST_OUTPUTS(outputs), .main = good);
