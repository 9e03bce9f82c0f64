/* Rows of what a running step can see of its runner: masking, commands, command files, annotations. */
#include "conformance.h"
#include "values.h"

#include "base/fd.h"
#include "job/effects.h"
#include "job/log/log_state.h"
#include "job/outcome.h"
#include "job/run.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static bool flag_of(const json_t *row, const char *name)
{
    return json_is_true(json_object_get(row, name));
}

/* JSON values as the text that rows are compared by; the harness reads all numbers as reals. */
static void row_json(struct file_run *run, const char *id, const json_t *wanted, json_t *got)
{
    char *w = json_dumps(wanted, JSON_SORT_KEYS | JSON_ENCODE_ANY);
    char *g = json_dumps(got, JSON_SORT_KEYS | JSON_ENCODE_ANY);

    row_text(run, id, slice_of(w), slice_of(g));
    free(w);
    free(g);
    json_decref(got);
}

static json_t *json_of(struct slice s)
{
    return json_stringn(s.len ? s.ptr : "", s.len);
}

/* ---- secret-masking.json ---- */

static void masking_row(struct file_run *run, const json_t *row)
{
    struct mask *m = mask_new();
    struct buf out = BUF_INIT(1 << 20);
    size_t i;
    json_t *secret;

    json_array_foreach (json_object_get(row, "secrets"), i, secret)
        (void)!mask_add(m, slice_of(json_string_value(secret)));
    mask_apply(m, text_of(row, "input"), &out);
    row_text(run, id_of(row), text_of(row, "expect"), buf_slice(&out));
    buf_deinit(&out);
    mask_free(m);
}

void run_masking(struct file_run *run)
{
    run_cases(run, masking_row);
}

/* ---- command-parse.json ---- */

/* A command_known_fn: the names of a row. */
static bool registered(const void *ctx, struct slice name)
{
    const json_t *names = json_object_get(ctx, "registered"), *one;
    size_t i;

    json_array_foreach (names, i, one)
        if (slice_eq_nocase(slice_of(json_string_value(one)), name))
            return true;
    return false;
}

static json_t *command_json(const struct command *c)
{
    json_t *properties = json_object();

    for (size_t i = 0; i < c->n_properties; i++) {
        char *key = mem_dup(c->properties[i].key.ptr, c->properties[i].key.len);

        json_object_set_new(properties, key, json_of(c->properties[i].value));
        free(key);
    }
    return json_pack("{s:o, s:o, s:o}", "command", json_of(c->name), "properties", properties,
                     "data", json_of(c->data));
}

static void parse_row(struct file_run *run, const json_t *row)
{
    struct command c;

    command_init(&c);
    bool is = command_parse(&c, text_of(row, "line"), registered, row);
    row_json(run, id_of(row), json_object_get(row, "expect"), is ? command_json(&c) : json_null());
    command_deinit(&c);
}

void run_command_parse(struct file_run *run)
{
    run_cases(run, parse_row);
}

/* ---- a log whose events are collected ---- */

struct recorder {
    int fd;
    struct event_writer writer;
    struct mask *mask;
    struct log *log;
    struct buf text;
    json_t *annotations;
    size_t n_pairs; /* commands that gave a name and a value */
};

static int accept_pair(void *ctx, struct slice name, struct slice value, struct err *err)
{
    struct recorder *r = ctx;

    r->n_pairs++;
    (void)name;
    (void)value;
    (void)err;
    return ERR_OK;
}

static void recorder_start(struct recorder *r, struct log_spec spec)
{
    static const struct log_handlers handlers = {
        .set_output = accept_pair, .save_state = accept_pair, .set_env = accept_pair};

    *r = (struct recorder){.fd = memfd_create("events", MFD_CLOEXEC),
                           .mask = mask_new(),
                           .text = BUF_INIT(64 << 20),
                           .annotations = json_array()};
    event_writer_init(&r->writer, r->fd, NULL);
    spec.events = &r->writer;
    spec.mask = r->mask;
    spec.handlers = &handlers;
    spec.ctx = r;
    r->log = log_new(&spec);
}

static int record(void *ctx, json_t *event, struct slice log, struct err *err)
{
    struct recorder *r = ctx;

    (void)err;
    if (log.len)
        buf_add(&r->text, log);
    else
        json_array_append(r->annotations, event);
    return ERR_OK;
}

static void recorder_read(struct recorder *r)
{
    struct buf all = BUF_INIT(64 << 20);
    struct event_reader reader;
    struct err err = ERR_INIT;

    event_reader_init(&reader, record, r);
    if (log_end(r->log, LOG_STDOUT, &err) < 0 || lseek(r->fd, 0, SEEK_SET) < 0 ||
        fd_read_all(r->fd, &all, &err) < 0 || event_reader_feed(&reader, buf_slice(&all), &err) < 0)
        BUG("%s", err.text);
    event_reader_deinit(&reader);
    buf_deinit(&all);
}

static void recorder_stop(struct recorder *r)
{
    log_free(r->log);
    mask_free(r->mask);
    event_writer_deinit(&r->writer);
    buf_deinit(&r->text);
    json_decref(r->annotations);
    fd_closep(&r->fd);
}

/* ---- command-manager.json ---- */

/* What became of each line, as the rows put it. */
static json_t *obey_all(struct recorder *r, const json_t *lines)
{
    json_t *got = json_array(), *pair;
    size_t i;

    json_array_foreach (lines, i, pair) {
        const json_t *text = json_array_get(pair, 0);
        bool failed = log_failed(r->log);
        json_t *done = json_boolean(
            log_obey(r->log, slice_make(json_string_value(text), json_string_length(text))));

        /* Rows call only a refused stop-commands an error; other failures still count as processed. */
        if (!failed && log_failed(r->log) && json_is_string(json_array_get(pair, 1)))
            done = json_string("error");
        json_array_append_new(got, json_pack("[O, o]", text, done));
    }
    return got;
}

static const char *masks_wrong(struct recorder *r, const json_t *row)
{
    json_t *pair, *token;
    size_t i;

    json_array_foreach (json_object_get(row, "then_masked"), i, token)
        if (!mask_would_change(r->mask, slice_of(json_string_value(token))))
            return "a token is not masked";
    json_array_foreach (json_object_get(row, "mask"), i, pair) {
        CLEANUP(buf_deinit) struct buf out = BUF_INIT(1000);

        mask_apply(r->mask, slice_of(json_string_value(json_array_get(pair, 0))), &out);
        if (strcmp(out.ptr, json_string_value(json_array_get(pair, 1))) != 0)
            return "a value is masked otherwise";
    }
    return NULL;
}

static void manager_row(struct file_run *run, const json_t *row)
{
    struct slice weak =
        text_of(json_object_get(row, "env"), "ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS");
    bool debug = slice_find(text_of(row, "setup"), SLICE("ACTIONS_STEP_DEBUG")) >= 0;
    const json_t *echo = json_object_get(row, "echo_after"), *lines = json_object_get(row, "lines");
    struct recorder r;

    recorder_start(&r, (struct log_spec){.allow_insecure_tokens = weak.len > 0,
                                         .debug = debug,
                                         .echo = debug || flag_of(row, "start_echo")});
    json_t *got = obey_all(&r, lines);
    const char *wrong = masks_wrong(&r, row);
    if (wrong)
        row_fail(run, id_of(row), "%s", wrong);
    else if (echo && log_echo(r.log) != json_is_true(echo))
        row_fail(run, id_of(row), "echo is %s", log_echo(r.log) ? "on" : "off");
    else if (text_of(row, "command_result").len && !log_failed(r.log))
        row_fail(run, id_of(row), "the step did not fail");
    else
        row_json(run, id_of(row), lines, json_incref(got));
    json_decref(got);
    recorder_stop(&r);
}

void run_command_manager(struct file_run *run)
{
    run_cases(run, manager_row);
}

/* ---- output-processing.json ---- */

static void add_matchers(struct matchers *m, json_t *list)
{
    CLEANUP(buf_deinit) struct buf owners = BUF_INIT(1 << 20);
    json_t *config = json_pack("{s:o}", "problemMatcher", whole_numbers(list));
    char *text = json_dumps(config, 0);
    struct err err = ERR_INIT;

    if (matchers_add(m, slice_of(text), &owners, &err) < 0)
        BUG("%s", err.text);
    free(text);
    json_decref(config);
}

/* Rows have a command of their own, for which one of ours stands, and write ESC as the upstream test
 * does by mistake: NUL, then 33. */
static void feed_line(struct recorder *r, struct slice line)
{
    static const struct {
        struct slice theirs, ours;
    } words[] = {
        {SLICE_INIT("some-command"), SLICE_INIT("save-state name=x")},
        {SLICE_INIT("\0"
                    "33["),
         SLICE_INIT("\x1b[")},
    };
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    while (line.len) {
        size_t n = 1, w = 0;

        while (w < COUNT_OF(words) && !slice_starts(line, words[w].theirs))
            w++;
        if (w < COUNT_OF(words))
            n = words[w].theirs.len;
        buf_add(&text, w < COUNT_OF(words) ? words[w].ours : slice_head(line, n));
        line = slice_from(line, n);
    }
    buf_add_char(&text, '\n');
    if (log_feed(r->log, LOG_STDOUT, buf_slice(&text), &err) < 0)
        BUG("%s", err.text);
}

static void run_ops(struct recorder *r, struct matchers *m, const json_t *ops)
{
    json_t *op;
    size_t i;

    json_array_foreach (ops, i, op) {
        json_t *added = json_object_get(op, "add");

        if (added) {
            json_t *list = json_pack("[O]", added);

            add_matchers(m, list);
            json_decref(list);
        }
        if (json_object_get(op, "remove"))
            matchers_remove(m, text_of(op, "remove"));
        if (json_object_get(op, "line"))
            feed_line(r, text_of(op, "line"));
    }
}

/* The annotations as rows have them: with the keys that the row's issue of the same number has. */
static json_t *issues_of(const json_t *annotations, const json_t *wanted)
{
    json_t *issues = json_array(), *one, *value;
    const char *key;
    size_t i;

    json_array_foreach (annotations, i, one) {
        json_t *issue = json_object();

        json_object_foreach (json_array_get(wanted, i), key, value) {
            json_t *got = json_object_get(one, key);

            if (strcmp(key, "log_text") == 0) /* the line itself is looked for in the log */
                json_object_set(issue, key, value);
            else if (json_is_integer(got))
                json_object_set_new(issue, key,
                                    json_sprintf("%lld", (long long)json_integer_value(got)));
            else
                json_object_set_new(issue, key, got ? json_incref(got) : json_null());
        }
        json_array_append_new(issues, issue);
    }
    return issues;
}

/* The lines of the log that are no issues; *RET_ISSUES holds the others, without their tag. */
static void split_log(struct slice log, struct buf *ret, struct buf *ret_issues)
{
    static const struct slice tag = SLICE_INIT("##[error]");
    struct slice line;

    while (slice_line(&log, &line)) {
        bool issue = slice_starts(line, tag);

        buf_add(issue ? ret_issues : ret, slice_from(line, issue ? tag.len : 0));
        buf_add_char(issue ? ret_issues : ret, '\n');
    }
}

/* What a row wants of the log as a whole; NULL: it is there. */
static const char *log_wrong(const json_t *row, const struct buf *lines, const struct buf *issues)
{
    const json_t *issue, *list = json_object_get(row, "messages");
    CLEANUP(buf_deinit) struct buf wanted = BUF_INIT(1 << 20);
    const char *lacks =
        json_string_value(json_array_get(json_object_get(row, "message0_lacks"), 0));
    const char *has =
        json_string_value(json_array_get(json_object_get(row, "message0_contains"), 0));
    json_t *one;
    size_t i;

    json_array_foreach (list, i, one)
        buf_printf(&wanted, "%s\n", json_string_value(one));
    if (list && !slice_eq(buf_slice(&wanted), buf_slice(lines)))
        return "other lines";
    if (!list && !has && lines->len)
        return "lines where there should be none";
    if (has && (!strstr(lines->ptr, has) || strstr(lines->ptr, lacks)))
        return "another line";
    json_array_foreach (json_object_get(row, "issues"), i, one) {
        issue = json_object_get(one, "log_text");
        if (issue && !strstr(issues->ptr, json_string_value(issue)))
            return "another issue line";
    }
    return NULL;
}

static void output_row(struct file_run *run, const json_t *row)
{
    const json_t *wanted = json_object_get(row, "issues");
    struct matchers *m = matchers_new(&(struct matchers_spec){0});
    CLEANUP(buf_deinit) struct buf lines = BUF_INIT(1 << 20);
    CLEANUP(buf_deinit) struct buf issues = BUF_INIT(1 << 20);
    struct recorder r;
    char *messages = json_dumps(json_object_get(row, "messages"), JSON_ENCODE_ANY);

    recorder_start(&r, (struct log_spec){.step = 1,
                                         .matchers = m,
                                         .debug = messages && strstr(messages, "##[debug]")});
    add_matchers(m, json_object_get(row, "matchers"));
    run_ops(&r, m, json_object_get(row, "ops"));
    recorder_read(&r);
    split_log(buf_slice(&r.text), &lines, &issues);
    const char *wrong = log_wrong(row, &lines, &issues);
    if (r.n_pairs != json_array_size(json_object_get(row, "commands")))
        row_fail(run, id_of(row), "%zu commands were obeyed", r.n_pairs);
    else if (wrong)
        row_fail(run, id_of(row), "%s: '%s' and issues '%s'", wrong, lines.ptr, issues.ptr);
    else
        row_json(run, id_of(row), wanted, issues_of(r.annotations, wanted));
    recorder_stop(&r);
    matchers_free(m);
    free(messages);
}

void run_output_processing(struct file_run *run)
{
    run_cases(run, output_row);
}

/* ---- file-command-*.json ---- */

struct pairs {
    json_t *values;
    size_t issues;
};

static int put_pair(void *ctx, struct slice name, struct slice value, struct err *err)
{
    struct pairs *p = ctx;
    char *key = mem_dup(name.ptr, name.len);

    (void)err;
    json_object_set_new(p->values, key, json_of(value));
    free(key);
    return ERR_OK;
}

/* GITHUB_ENV, through the engine's own rule of what may be set. */
static int put_env(void *ctx, struct slice name, struct slice value, struct err *err)
{
    struct pairs *p = ctx;
    struct run run = {0};
    struct sequence seq = {.run = &run}; /* of the job's own steps */
    struct step_run step = {.run = &run, .seq = &seq};
    struct err refused = ERR_INIT;
    int r = effects_set_env(&step, name, value, &refused);

    strmap_deinit(&run.env);
    strmap_deinit(&step.env);
    p->issues += r < 0;
    return r < 0 ? ERR_OK : put_pair(ctx, name, value, err);
}

static void file_row(struct file_run *run, const json_t *row)
{
    bool env = strstr(run_path(run), "command-env") != NULL;
    struct slice wanted = text_of(row, "error_contains");
    struct buf text = BUF_INIT(1 << 20);
    struct pairs got = {.values = json_object()};
    struct err err = ERR_INIT;

    if (slice_eq(text_of(row, "platform"), SLICE("windows"))) {
        row_skip(run, id_of(row), "of another system");
        json_decref(got.values);
        return;
    }
    files_decode(text_of(row, "file"), &text);
    int r = files_parse_pairs(buf_slice(&text), env ? put_env : put_pair, &got, &err);
    if (r < 0 || wanted.len)
        row_text(run, id_of(row), wanted,
                 wanted.len && strstr(err.text, wanted.ptr) ? wanted : slice_of(err.text));
    else if (got.issues != (size_t)json_number_value(json_object_get(row, "issues")))
        row_fail(run, id_of(row), "%zu issues", got.issues);
    else
        row_json(run, id_of(row), json_object_get(row, "result"), json_incref(got.values));
    json_decref(got.values);
    buf_deinit(&text);
}

void run_file_commands(struct file_run *run)
{
    run_cases(run, file_row);
}

/* ---- annotation-lines.json ---- */

static int64_t position(const struct annotation *a, const char *name)
{
    if (strcmp(name, "line") == 0)
        return a->line;
    if (strcmp(name, "endLine") == 0)
        return a->end_line;
    return strcmp(name, "col") == 0 ? a->col : a->end_col;
}

static void annotation_row(struct file_run *run, const json_t *row)
{
    const json_t *wanted = json_object_get(row, "expect");
    json_t *got = json_object(), *value;
    struct annotation a;
    struct command c;
    const char *name;

    command_init(&c);
    if (command_parse(&c, text_of(row, "command"), NULL, NULL)) {
        annotation_of(&c, ANNOTATION_WARNING, NULL, NULL, &a);
        json_object_foreach ((json_t *)(uintptr_t)wanted, name, value) {
            int64_t at = position(&a, name);

            json_object_set_new(got, name, at ? json_sprintf("%lld", (long long)at) : json_null());
        }
    }
    row_json(run, id_of(row), wanted, got);
    command_deinit(&c);
}

void run_annotation_lines(struct file_run *run)
{
    run_cases(run, annotation_row);
}

/* ---- step-summary.json ---- */

/* The file of a summary row in a folder of its own, through the file set of a step. */
static void summary_row(struct file_run *run, const json_t *row)
{
    struct slice file = text_of(row, "file");
    char dir[] = "/tmp/conformance-XXXXXX";
    struct buf text = BUF_INIT(4 << 20);
    struct err err = ERR_INIT;
    struct files *files;

    if (json_object_get(row, "mask_regexes")) {
        row_skip(run, id_of(row), "secrets are values here: there are no regular expressions yet");
        return;
    }
    CLEANUP(fd_closep) int fd = mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0 || files_new(fd, &files, &err) < 0)
        BUG("no scratch folder: %s", err.text);
    if (file.len && file.ptr[0] == '(' && file.ptr[1] != 'n') { /* "(1048577 zero bytes)" */
        CLEANUP(free_ptr) char *zeros = mem_new(FILES_SUMMARY_MAX + 1);

        if (files_write(files, FILE_SUMMARY, slice_make(zeros, FILES_SUMMARY_MAX + 1), &err) < 0)
            BUG("%s", err.text);
    } else if (unlinkat(fd, files_name(files, FILE_SUMMARY), 0) < 0) {
        BUG("the file is not there");
    }
    bool issue = files_read(files, FILE_SUMMARY, &text, &err) < 0;
    json_t *got = json_pack("{s:b, s:f}", "uploaded", text.len > 0, "issues", issue ? 1.0 : 0.0);
    json_t *wanted = json_pack("{s:O, s:O}", "uploaded", json_object_get(row, "uploaded"), "issues",
                               json_object_get(row, "issues"));
    row_json(run, id_of(row), wanted, got);
    json_decref(wanted);
    files_free(files);
    rmdir(dir);
    buf_deinit(&text);
}

void run_step_summary(struct file_run *run)
{
    run_cases(run, summary_row);
}

/* ---- result-merge.json ---- */

/* RESULTS: the engine has no such result. */
static enum result result_in(const json_t *row, const char *name)
{
    static const struct {
        const char *name;
        enum result result;
    } rows[] = {{"succeeded", RESULT_SUCCESS},
                {"failed", RESULT_FAILURE},
                {"canceled", RESULT_CANCELLED},
                {"skipped", RESULT_SKIPPED}};

    if (json_is_null(json_object_get(row, name)))
        return RESULT_NONE;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_eq(text_of(row, name), slice_of(rows[i].name)))
            return rows[i].result;
    return RESULTS;
}

static void merge_row(struct file_run *run, const json_t *row)
{
    enum result a = result_in(row, "current"), b = result_in(row, "incoming");

    if (a == RESULTS || b == RESULTS) {
        row_skip(run, id_of(row), "only a server abandons jobs");
        return;
    }
    enum result want = result_in(row, "expect");
    row_text(run, id_of(row), slice_of(result_name(want)),
             slice_of(result_name(result_merge(a, b))));
}

void run_result_merge(struct file_run *run)
{
    run_cases(run, merge_row);
}

/* ---- execution-context.json: limits of annotations, names of results ---- */

static enum annotation_level level_of(struct slice name)
{
    enum annotation_level l = 0;

    while (l < ANNOTATION_LEVELS && !slice_eq(name, slice_of(annotation_name(l))))
        l++;
    return l;
}

static void limit_row(struct file_run *run, const json_t *row)
{
    json_t *added = json_object_get(row, "added"), *kept = json_object(), *count, *event;
    struct recorder r;
    const char *name;
    size_t i;

    recorder_start(&r, (struct log_spec){.step = 1});
    json_object_foreach (added, name, count)
        for (int n = 0; n < (int)json_number_value(count); n++)
            log_issue(r.log, level_of(slice_of(name)), "issue %d", n);
    recorder_read(&r);
    json_array_foreach (r.annotations, i, event) {
        const char *level = json_string_value(json_object_get(event, "level"));
        double n = json_number_value(json_object_get(kept, level));

        json_object_set_new(kept, level, json_real(n + 1));
    }
    row_json(run, id_of(row), json_object_get(row, "kept"), kept);
    recorder_stop(&r);
}

static void length_row(struct file_run *run, const json_t *row)
{
    int most = (int)json_number_value(json_object_get(row, "max_chars"));
    struct buf text = BUF_INIT(1 << 20);

    for (int i = 0; i <= most; i++)
        buf_add_str(&text, "x");
    struct annotation a = {.level = level_of(text_of(row, "type")), .message = buf_slice(&text)};
    json_t *event = annotation_event(&a, 1);
    row_json(run, id_of(row), json_object_get(row, "max_chars"),
             json_real((double)text_of(event, "message").len));
    json_decref(event);
    buf_deinit(&text);
}

static void context_row(struct file_run *run, const json_t *row)
{
    struct slice kind = text_of(row, "kind");

    if (slice_eq(kind, SLICE("issue-limit")))
        limit_row(run, row);
    else if (slice_eq(kind, SLICE("issue-length")))
        length_row(run, row);
    else if (slice_eq(kind, SLICE("result-name")))
        row_text(run, id_of(row), text_of(row, "expect"),
                 slice_of(result_name(result_in(row, "task_result"))));
    else
        row_skip(run, id_of(row), "needs a running engine");
}

void run_execution_context(struct file_run *run)
{
    run_cases(run, context_row);
}

/* ---- composite-markers.json ---- */

static void marker_row(struct file_run *run, const json_t *row)
{
    struct slice fn = text_of(row, "fn"), in = text_of(row, "in");
    struct buf out = BUF_INIT(1 << 20);

    if (!in.ptr) {
        row_skip(run, id_of(row), "there is no such thing as no text");
    } else if (slice_eq(fn, SLICE("escape-property")) || slice_eq(fn, SLICE("strip-markers"))) {
        if (slice_eq(fn, SLICE("escape-property")))
            command_escape(in, &out);
        else
            command_hide_markers(in, &out);
        row_text(run, id_of(row), text_of(row, "expect"), buf_slice(&out));
    } else {
        row_skip(run, id_of(row), "the runner's own markers are not emitted");
    }
    buf_deinit(&out);
}

void run_composite_markers(struct file_run *run)
{
    run_cases(run, marker_row);
}
