#include "run.h"

#include "../lib/words.h"

#include <ostler/ext.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    HEAD_MAX = 64 << 10, /* bytes looked at to find out what a command of the user's prints */
    LIST_MAX = 16 << 20, /* bytes of a list of tests */
    SAY_MAX = 8 << 10,   /* bytes of a line for the log */
    REPORTS_MAX = 20000, /* files of one pattern */
};

int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the output of a command ---- */

struct listener {
    struct ost_step *step;
    struct run *run;
    const struct runner *runner; /* NULL: any */
    bool guess;                  /* what it prints may be a report itself */
    struct reader *reader;       /* NULL: none, or not yet */
    struct sink head;            /* what came while guessing */
    struct clip tail;
    uint64_t size;
    char *line; /* for say() */
};

static void say(void *ctx, struct span text)
{
    struct listener *l = ctx;

    if (text.size > SAY_MAX)
        text.size = SAY_MAX;
    memcpy(l->line, text.at, text.size);
    l->line[text.size] = '\0';
    l->step->host->log(l->step, OST_INFO, l->line);
}

static void start_reader(struct listener *l, const struct format *format)
{
    l->reader = reader_new(l->step, format, &l->run->results);
    l->reader->say = l->runner && l->runner->raw ? say : NULL;
    l->reader->say_ctx = l;
    l->run->n_reports++;
}

/* Enough has come to know, or all of it. */
static void end_guess(struct listener *l)
{
    const struct format *format;

    if (!l->guess)
        return;
    l->guess = false;
    format = format_find(sink_span(&l->head));
    if (!format)
        return;
    start_reader(l, format);
    reader_feed(l->reader, sink_span(&l->head), now_ns());
}

static ost_status on_output(void *ctx, int32_t fd, const char *data, size_t size)
{
    struct listener *l = ctx;
    struct span s = {data, size};

    clip_add(&l->tail, s);
    if (l->runner && l->runner->stream_fd && l->runner->stream_fd != fd)
        return OST_OK;
    l->size += size;
    if (l->size > READ_REPORT_MAX)
        return OST_OK; /* listener_end() says so */
    if (l->guess) {
        sink_add(&l->head, s);
        if (l->head.size >= HEAD_MAX)
            end_guess(l);
    } else if (l->reader) {
        reader_feed(l->reader, s, now_ns());
    }
    return OST_OK;
}

static void note_trouble(struct run *run, const char *trouble)
{
    if (trouble && !run->trouble)
        run->trouble = trouble;
}

static void listener_end(struct listener *l)
{
    const char *trouble;

    end_guess(l);
    l->run->tail = clip_dup(&l->tail);
    if (!l->reader)
        return;
    trouble = reader_end(l->reader);
    if (l->size > READ_REPORT_MAX)
        trouble = ost_fmt(l->step, "it is larger than %d MiB", READ_REPORT_MAX >> 20);
    if (trouble)
        note_trouble(l->run, ost_fmt(l->step, "%s: %s", l->reader->format->name, trouble));
}

/* ---- reports ---- */

/* What a report says, told apart from others' and as all tools have it. */
static void adopt(const struct target *t, const struct command *c, struct results *all,
                  size_t first)
{
    for (size_t i = first; i < all->n; i++) {
        struct result *r = &all->list[i];

        if (c && c->label)
            r->suite = *r->suite ? ost_fmt(t->step, "%s > %s", c->label, r->suite) : c->label;
        if (t->runner && t->runner->lines_from_zero && *r->file)
            r->line++;
    }
}

static void read_report(const struct target *t, const struct command *c, const char *path,
                        struct run *run)
{
    size_t first = run->results.n;
    const char *trouble = read_file(t->step, path, &run->results);

    adopt(t, c, &run->results, first);
    run->n_reports++;
    if (trouble)
        note_trouble(run, ost_fmt(t->step, "the report '%s' cannot be read %s", path, trouble));
}

/* A file system's clock is a little behind the system's. */
static bool is_stale(const char *path, int64_t since)
{
    struct stat st;

    return since && stat(path, &st) == 0 && st.st_mtim.tv_sec < since - 1;
}

static void read_patterns(const struct run_spec *spec, const char *const *patterns, int64_t since,
                          struct run *run)
{
    const struct target *t = spec->target;
    const struct ost_files_v1 *files = t->step->host->extension(t->step, OST_EXT_FILES);
    const char *const *paths = NULL;
    struct strings rooted = {0};
    size_t n = 0;

    for (; *patterns; patterns++)
        strings_add(t->step, &rooted,
                    (*patterns)[0] == '!'
                        ? ost_fmt(t->step, "!%s", rel_join(t->step, t->root, *patterns + 1))
                        : rel_join(t->step, t->root, *patterns));
    if (!files) {
        note_trouble(run, "this runner has no service that finds files by pattern");
        return;
    }
    if (files->glob(t->step, strings_list(&rooted), 0, &paths, &n) < 0) {
        note_trouble(run, ost_fmt(t->step, "the reports cannot be looked for: %s",
                                  t->step->host->last_error(t->step)));
        return;
    }
    for (size_t i = 0; i < n && i < REPORTS_MAX; i++)
        if (is_stale(paths[i], since))
            run->n_stale++;
        else if (!file_is_folder(paths[i]))
            read_report(t, NULL, paths[i], run);
}

void run_read_only(const struct run_spec *spec, struct run *ret)
{
    *ret = (struct run){.tail = ""};
    read_patterns(spec, spec->reports, 0, ret);
}

/* ---- commands ---- */

static const char *const environment[] = {"PYTHONUNBUFFERED=1", NULL};

/* Tries the places of its program in turn: the first that is there is the one. */
static ost_status try_programs(const struct target *t, const struct command *c, struct ost_exec *e,
                               struct ost_exec_result *res)
{
    struct strings argv = {0};
    ost_status r = OST_E_NOT_FOUND;

    words_add(t->step, &argv, c->argv);
    for (size_t i = 0; r == OST_E_NOT_FOUND && (i == 0 || (c->programs && c->programs[i])); i++) {
        if (c->programs)
            argv.list[0] = c->programs[i];
        e->argv = strings_list(&argv);
        r = t->step->host->exec(t->step, e, res);
    }
    return r;
}

/* What is left until the deadline; 0: no limit; -1: nothing. */
static int64_t left_ms(const struct target *t)
{
    int64_t left;

    if (!t->deadline_ns)
        return 0;
    left = (t->deadline_ns - now_ns()) / 1000000;
    return left > 0 ? left : -1;
}

static ost_status run_one(const struct target *t, const struct command *c, bool guess,
                          struct run *run)
{
    struct listener l = {.step = t->step,
                         .run = run,
                         .runner = t->runner,
                         .guess = guess,
                         .head = {.step = t->step},
                         .tail = {.step = t->step}};
    struct ost_exec e = {
        .struct_size = sizeof e,
        .flags = t->runner && t->runner->raw ? OST_EXEC_QUIET : 0,
        .env = environment,
        .cwd = target_cwd(t),
        .timeout_ms = left_ms(t),
        .on_output = on_output,
        .ctx = &l,
    };
    struct ost_exec_result res = OST_RESULT;
    ost_status r = e.timeout_ms < 0 ? OST_E_TIMEOUT : OST_OK;

    l.line = t->step->host->alloc(t->step, SAY_MAX + 1);
    if (r == OST_OK && t->runner && t->runner->stream)
        start_reader(&l, t->runner->stream);
    if (r == OST_OK && t->runner && t->runner->raw)
        ost_log(t->step, OST_INFO, "[command]%s", words_join(t->step, c->argv));
    if (r == OST_OK)
        r = try_programs(t, c, &e, &res);
    if (r < 0)
        run->error = span_dup(t->step, span_of(t->step->host->last_error(t->step)));
    listener_end(&l);
    if (r == OST_OK && !run->exit_code && !run->signal) {
        run->exit_code = res.exit_code;
        run->signal = res.signal;
    }
    if (c->report && file_exists(c->report))
        read_report(t, c, c->report, run);
    return r;
}

void run_commands(const struct run_spec *spec, const struct commands *commands, struct run *ret)
{
    const struct target *t = spec->target;
    const struct runner *runner = t->runner;
    bool told = runner && (runner->stream || commands->list[0].report);
    const char *const own[] = {runner && runner->reports ? runner->reports : NULL, NULL};
    const char *const *patterns = spec->reports[0] ? spec->reports : told ? own + 1 : own;
    int64_t since = time(NULL);

    *ret = (struct run){.tail = ""};
    for (size_t i = 0; i < commands->n && ret->status == OST_OK; i++) {
        ret->program = commands->list[i].argv[0];
        ret->status = run_one(t, &commands->list[i], !told && !patterns[0], ret);
    }
    if (patterns[0] && ret->status != OST_E_NOT_FOUND)
        read_patterns(spec, patterns, since, ret);
}

/* ---- lists ---- */

struct quiet {
    struct sink *out;
    struct clip err;
};

static ost_status on_list(void *ctx, int32_t fd, const char *data, size_t size)
{
    struct quiet *q = ctx;

    clip_add(&q->err, (struct span){data, size});
    if (fd != 1)
        return OST_OK;
    if (q->out->size + size > LIST_MAX)
        return OST_E_LIMIT;
    sink_add(q->out, (struct span){data, size});
    return OST_OK;
}

ost_status run_quietly(const struct target *t, const struct command *command, const char *what,
                       struct sink *out, const char **ret_failed)
{
    struct quiet q = {.out = out, .err = {.step = t->step}};
    struct ost_exec e = {.struct_size = sizeof e,
                         .flags = OST_EXEC_QUIET,
                         .env = environment,
                         .cwd = target_cwd(t),
                         .timeout_ms = left_ms(t),
                         .on_output = on_list,
                         .ctx = &q};
    struct ost_exec_result res = OST_RESULT;
    ost_status r = e.timeout_ms < 0 ? OST_E_TIMEOUT : try_programs(t, command, &e, &res);
    const char *line = words_join(t->step, command->argv);

    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(t->step, r, "cannot %s with '%s': %s", what, line,
                        t->step->host->last_error(t->step));
    *ret_failed = NULL;
    if (r == OST_OK && (res.exit_code != 0 || res.signal))
        *ret_failed = ost_fmt(t->step, "'%s' ended with exit code %d: %s", line, (int)res.exit_code,
                              clip_dup(&q.err));
    return r;
}
