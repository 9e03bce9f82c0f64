#include "plugin/child/lines.h"

#include "base/num.h"
#include "base/utf8.h"
#include "base/vec.h"

#include <ostler/ext.h>

#include <stdarg.h>

/* ---- codes and levels as words ---- */

static const char *const codes[] = {
    [-OST_OK] = "ok",
    [-OST_E_FAILED] = "failed",
    [-OST_E_INVALID] = "invalid",
    [-OST_E_NOT_FOUND] = "not-found",
    [-OST_E_DENIED] = "denied",
    [-OST_E_CANCELLED] = "cancelled",
    [-OST_E_TIMEOUT] = "timeout",
    [-OST_E_LIMIT] = "limit",
    [-OST_E_IO] = "io",
    [-OST_E_UNSUPPORTED] = "unsupported",
    [-OST_E_EXIT] = "exit",
};
static const char *const levels[] = {[OST_DEBUG] = "debug",
                                     [OST_INFO] = "info",
                                     [OST_NOTICE] = "notice",
                                     [OST_WARNING] = "warning",
                                     [OST_ERROR] = "error"};
static const char *const phases[] = {[OST_PHASE_PLAN] = "plan",
                                     [OST_PHASE_PRE] = "pre",
                                     [OST_PHASE_MAIN] = "main",
                                     [OST_PHASE_POST] = "post"};

static int index_of(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

static const char *code_name(ost_status status)
{
    return status <= 0 && status >= OST_E_EXIT ? codes[-status] : codes[-OST_E_FAILED];
}

/* ---- out ---- */

static void say(struct lines *l, json_t *take_line)
{
    CLEANUP(free_ptr) char *text = take_line ? json_dumps(take_line, JSON_COMPACT) : NULL;
    size_t size = text ? strlen(text) : 0;

    json_decref(take_line);
    if (!text || size >= LINES_MAX) {
        lines_break(l, "an answer is larger than %d bytes", LINES_MAX);
        return;
    }
    buf_add(&l->out, slice_make(text, size));
    buf_add_char(&l->out, '\n');
}

void lines_break(struct lines *l, const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4096);
    va_list ap;

    if (l->done)
        return;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    l->done = true;
    l->status = l->step->host->fail(l->step, OST_E_FAILED, text.ptr);
}

void lines_cancel(struct lines *l)
{
    say(l, json_pack("{s:b}", "cancelled", 1));
}

static json_t *text_json(const char *text)
{
    struct slice s = slice_of(text);

    return json_stringn(s.ptr, utf8_valid(s)); /* paths may be no text: as far as they are */
}

/* ---- the first line ---- */

static json_t *list_json(struct slice value)
{
    json_t *list = json_array();
    struct slice line;

    while (slice_line(&value, &line)) {
        line = slice_trim(line);
        if (line.len)
            json_array_append_new(list, json_stringn(line.ptr, line.len));
    }
    return list;
}

static json_t *input_json(const char *type, struct slice value)
{
    struct err ignored;
    int64_t number;

    if (strcmp(type, "bool") == 0 && value.len)
        return json_boolean(slice_eq(value, SLICE("true")));
    if (strcmp(type, "int") == 0 &&
        num_parse_i64(value, INT64_MIN, INT64_MAX, &number, &ignored) == ERR_OK)
        return json_integer(number);
    if (strcmp(type, "list") == 0)
        return list_json(value);
    return json_stringn(value.ptr, value.len);
}

static json_t *inputs_json(const struct child_start *start)
{
    json_t *contract = json_loads(start->contract, 0, NULL), *inputs = json_object();
    const json_t *in;
    size_t i;

    json_array_foreach (json_object_get(contract, "inputs"), i, in) {
        const char *name = json_string_value(json_object_get(in, "name"));
        const char *type = json_string_value(json_object_get(in, "type"));
        struct slice value;

        if (name && type && strmap_find(&start->inputs, slice_of(name), &value))
            json_object_set_new(inputs, name, input_json(type, value));
    }
    json_decref(contract);
    return inputs;
}

static json_t *extensions_json(struct ost_step *s)
{
    static const char *const ids[] = {OST_EXT_PROGRESS, OST_EXT_MASK,      OST_EXT_HTTP,
                                      OST_EXT_CACHE,    OST_EXT_ARTIFACTS, OST_EXT_FILES};
    json_t *list = json_array();

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        if (s->host->extension(s, ids[i]))
            json_array_append_new(list, json_string(ids[i]));
    return list;
}

void lines_begin(struct lines *l, const struct child_start *start)
{
    static const char *const names[] = {"workspace", "temp", "tools", "home", "self"};
    int64_t left = l->step->host->time_left_ms(l->step);
    json_t *dirs = json_object();

    for (size_t i = 0; i < COUNT_OF(names); i++)
        json_object_set_new(dirs, names[i], text_json(start->dirs[i]));
    json_t *line = json_pack("{s:i, s:s, s:o, s:o, s:o}", "ostler", LINES_VERSION, "phase",
                             phases[start->phase & 3], "inputs", inputs_json(start), "dirs", dirs,
                             "extensions", extensions_json(l->step));
    if (left != INT64_MAX)
        json_object_set_new(line, "time_left_ms", json_integer(left));
    say(l, line);
}

/* ---- in ---- */

static void wrong(struct lines_call *c, const char *name, const char *wanted)
{
    if (!c->wrong[0])
        snprintf(c->wrong, sizeof c->wrong, "'%s' is %s", name, wanted);
}

const char *lines_maybe(struct lines_call *c, const char *name)
{
    const json_t *j = json_object_get(c->ask, name);

    if (!j || json_is_null(j))
        return NULL;
    if (!json_is_string(j) || strlen(json_string_value(j)) != json_string_length(j)) {
        wrong(c, name, "to be a text");
        return NULL;
    }
    return json_string_value(j);
}

const char *lines_text(struct lines_call *c, const char *name)
{
    const char *text = lines_maybe(c, name);

    if (!text)
        wrong(c, name, "missing");
    return text ? text : "";
}

bool lines_flag(struct lines_call *c, const char *name)
{
    const json_t *j = json_object_get(c->ask, name);

    if (j && !json_is_boolean(j) && !json_is_null(j))
        wrong(c, name, "to be true or false");
    return json_is_true(j);
}

int64_t lines_number(struct lines_call *c, const char *name, int64_t fallback)
{
    const json_t *j = json_object_get(c->ask, name);

    if (!j || json_is_null(j))
        return fallback;
    if (!json_is_integer(j))
        wrong(c, name, "to be a whole number");
    return json_integer_value(j);
}

/* Room for N pointers and the NULL behind them, until the call is over. */
static const char **make_list(struct lines_call *c, size_t n)
{
    if (c->n_memory == COUNT_OF(c->memory))
        BUG("a request with more than %zu lists", COUNT_OF(c->memory));
    const char **list = mem_new((n + 1) * sizeof *list);
    c->memory[c->n_memory++] = list;
    return list;
}

const char *const *lines_list(struct lines_call *c, const char *name)
{
    const json_t *j = json_object_get(c->ask, name);

    if (!j || json_is_null(j))
        return NULL;
    bool one = json_is_string(j);
    size_t n = one ? 1 : json_array_size(j);
    const char **list = make_list(c, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = one ? j : json_array_get(j, i);

        list[i] = json_string_value(item);
        if (!list[i] || strlen(list[i]) != json_string_length(item)) {
            wrong(c, name, "to be a list of texts");
            list[i] = "";
        }
    }
    if (!one && !json_is_array(j))
        wrong(c, name, "to be a list of texts");
    return list;
}

const void *lines_extension(struct lines_call *c, const char *id)
{
    const void *table = c->lines->step->host->extension(c->lines->step, id);

    if (!table && !c->wrong[0])
        snprintf(c->wrong, sizeof c->wrong, "there is no '%s' here", id);
    return table;
}

void lines_put(struct lines_call *c, const char *name, json_t *take_value)
{
    json_object_set_new(c->answer, name, take_value);
}

void lines_put_text(struct lines_call *c, const char *name, const char *text)
{
    lines_put(c, name, text ? text_json(text) : json_null());
}

/* ---- the core's requests ---- */

static struct ost_step *step_of(const struct lines_call *c)
{
    return c->lines->step;
}

#define HOST(c) (step_of(c)->host)

static int level_of(struct lines_call *c, const char *fallback)
{
    const char *name = lines_maybe(c, "level");
    int level = index_of(levels, COUNT_OF(levels), name ? name : fallback);

    if (level < 0)
        wrong(c, "level", "to be debug, info, notice, warning or error");
    return level < 0 ? OST_INFO : level;
}

/* Every function looks at all that it takes before it does anything: REFUSED(c) then. */
#define REFUSED(c) ((c)->wrong[0] != '\0')

static ost_status do_log(struct lines_call *c)
{
    const char *text = lines_text(c, "text");
    int level = level_of(c, "info");

    if (!REFUSED(c))
        HOST(c)->log(step_of(c), level, text);
    return OST_OK;
}

static uint32_t line_number(struct lines_call *c, const char *name)
{
    int64_t n = lines_number(c, name, 0);

    return n > 0 && n <= INT32_MAX ? (uint32_t)n : 0;
}

static ost_status do_annotate(struct lines_call *c)
{
    struct ost_note note = {
        .struct_size = sizeof note,
        .level = level_of(c, "notice"),
        .message = lines_text(c, "message"),
        .title = lines_maybe(c, "title"),
        .file = lines_maybe(c, "file"),
        .line = line_number(c, "line"),
        .end_line = line_number(c, "end_line"),
        .col = line_number(c, "col"),
        .end_col = line_number(c, "end_col"),
    };

    if (!REFUSED(c))
        HOST(c)->annotate(step_of(c), &note);
    return OST_OK;
}

static ost_status do_group(struct lines_call *c)
{
    const char *title = lines_maybe(c, "title");

    if (!REFUSED(c))
        HOST(c)->group(step_of(c), title);
    return OST_OK;
}

static ost_status do_mask(struct lines_call *c)
{
    const char *secret = lines_text(c, "secret");

    return REFUSED(c) ? OST_OK : HOST(c)->mask(step_of(c), secret);
}

typedef ost_status set_fn(struct ost_step *, const char *name, const char *value);

static ost_status set(struct lines_call *c, set_fn *fn)
{
    const char *name = lines_text(c, "name"), *value = lines_text(c, "value");

    return REFUSED(c) ? OST_OK : fn(step_of(c), name, value);
}

static ost_status do_output(struct lines_call *c)
{
    return set(c, HOST(c)->output);
}

static ost_status do_env(struct lines_call *c)
{
    return set(c, HOST(c)->env);
}

static ost_status do_save(struct lines_call *c)
{
    return set(c, HOST(c)->save);
}

static ost_status do_path(struct lines_call *c)
{
    const char *dir = lines_text(c, "dir");

    return REFUSED(c) ? OST_OK : HOST(c)->path(step_of(c), dir);
}

static ost_status do_summary(struct lines_call *c)
{
    const char *markdown = lines_text(c, "markdown");

    return REFUSED(c) ? OST_OK : HOST(c)->summary(step_of(c), markdown);
}

static ost_status do_saved(struct lines_call *c)
{
    const char *name = lines_text(c, "name");

    if (!REFUSED(c))
        lines_put_text(c, "value", HOST(c)->saved(step_of(c), name));
    return OST_OK;
}

static ost_status do_context(struct lines_call *c)
{
    const char *name = lines_text(c, "name");

    if (!REFUSED(c))
        lines_put_text(c, "value", HOST(c)->context(step_of(c), name));
    return OST_OK;
}

static ost_status do_temp(struct lines_call *c)
{
    const char *suffix = lines_maybe(c, "suffix");

    if (REFUSED(c))
        return OST_OK;
    const char *path = HOST(c)->temp(step_of(c), suffix);
    lines_put_text(c, "path", path);
    return path ? OST_OK : OST_E_IO;
}

/* {"NAME": "value"} as "NAME=value". */
static const char *const *env_list(struct lines_call *c)
{
    json_t *env = json_object_get(c->ask, "env"), *value;
    const char *name;
    size_t n = 0;

    if (!env || json_is_null(env))
        return NULL;
    if (!json_is_object(env)) {
        wrong(c, "env", "to be names and texts");
        return NULL;
    }
    const char **list = make_list(c, json_object_size(env));
    json_object_foreach (env, name, value) {
        if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
            wrong(c, "env", "to be names and texts");
        else
            list[n++] = ost_fmt(step_of(c), "%s=%s", name, json_string_value(value));
    }
    return list;
}

static ost_status do_exec(struct lines_call *c)
{
    struct ost_exec_result res = OST_RESULT;
    const char *input = lines_maybe(c, "input");
    const struct ost_exec what = {
        .struct_size = sizeof what,
        .flags = (lines_flag(c, "check") ? OST_EXEC_CHECK : 0u) |
                 (lines_flag(c, "quiet") ? OST_EXEC_QUIET : 0u) |
                 (lines_flag(c, "capture") ? OST_EXEC_CAPTURE : 0u) |
                 (lines_flag(c, "commands") ? OST_EXEC_COMMANDS : 0u),
        .argv = lines_list(c, "argv"),
        .env = env_list(c),
        .cwd = lines_maybe(c, "cwd"),
        .input = input,
        .input_size = input ? strlen(input) : 0,
        .timeout_ms = lines_number(c, "timeout_ms", 0),
    };

    if (!what.argv)
        wrong(c, "argv", "missing");
    if (REFUSED(c))
        return OST_OK;
    ost_status r = HOST(c)->exec(step_of(c), &what, &res);
    lines_put(c, "exit_code", json_integer(res.exit_code));
    lines_put(c, "signal", json_integer(res.signal));
    if (what.flags & OST_EXEC_CAPTURE) {
        struct slice out = slice_make(res.out ? res.out : "", res.out_size);
        CLEANUP(buf_deinit) struct buf clean = BUF_INIT(3 * out.len + 1);

        utf8_clean(out, &clean);
        lines_put(c, "output", json_stringn(clean.ptr, clean.len));
    }
    return r;
}

static ost_status do_plan(struct lines_call *c)
{
    const char *verb = lines_text(c, "verb"), *object = lines_maybe(c, "object");
    const char *detail = lines_maybe(c, "detail");

    return REFUSED(c) ? OST_OK : HOST(c)->plan(step_of(c), verb, object, detail);
}

/* The end of the phase: {"do": "end"}, or with a code, and a text that says why. */
static ost_status do_end(struct lines_call *c)
{
    const char *name = lines_maybe(c, "code"), *text = lines_maybe(c, "error");
    int code = name ? index_of(codes, COUNT_OF(codes), name) : text ? -OST_E_FAILED : 0;

    if (code < 0)
        wrong(c, "code", "none of those that there are");
    if (REFUSED(c))
        return OST_OK;
    c->lines->done = true;
    c->lines->status = (ost_status)-code;
    if (code && text)
        (void)HOST(c)->fail(step_of(c), (ost_status)-code, text);
    return OST_OK;
}

static const struct lines_op core_ops[] = {
    {"log", do_log},         {"annotate", do_annotate}, {"group", do_group},     {"mask", do_mask},
    {"output", do_output},   {"env", do_env},           {"save", do_save},       {"path", do_path},
    {"summary", do_summary}, {"saved", do_saved},       {"context", do_context}, {"temp", do_temp},
    {"exec", do_exec},       {"plan", do_plan},         {"end", do_end},         {NULL, NULL},
};

/* ---- one line ---- */

static lines_fn *find_op(const char *name)
{
    const struct lines_op *const tables[] = {core_ops, lines_ext_ops};

    for (size_t i = 0; i < COUNT_OF(tables); i++)
        for (const struct lines_op *op = tables[i]; op->name; op++)
            if (strcmp(op->name, name) == 0)
                return op->fn;
    return NULL;
}

/* STATUS below 0 is told with TEXT. Without an id nobody waits for it. */
static void answer(struct lines *l, json_t *id, struct lines_call *c, ost_status status,
                   const char *text)
{
    if (!id || l->done)
        return;
    json_object_set(c->answer, "id", id);
    lines_put(c, "ok", json_boolean(status == OST_OK));
    if (status < 0) {
        lines_put_text(c, "code", code_name(status));
        lines_put_text(c, "error", text);
    }
    say(l, json_incref(c->answer));
}

static void serve(struct lines *l, const json_t *ask)
{
    struct lines_call c = {.lines = l, .ask = ask, .answer = json_object()};
    json_t *id = json_object_get(ask, "id");
    const char *name = lines_text(&c, "do");
    lines_fn *fn = REFUSED(&c) ? NULL : find_op(name);
    ost_status r = OST_OK;

    if (id && !json_is_integer(id) && !json_is_string(id))
        wrong(&c, "id", "to be a number or a text");
    if (fn && !REFUSED(&c))
        r = fn(&c);
    else if (!REFUSED(&c))
        snprintf(c.wrong, sizeof c.wrong, "there is no request '%.60s'", name);
    if (REFUSED(&c) && !id)
        lines_break(l, "the plugin sent a request that is none: %s", c.wrong);
    else if (REFUSED(&c))
        answer(l, id, &c, OST_E_INVALID, c.wrong);
    else
        answer(l, id, &c, r, r < 0 ? l->step->host->last_error(l->step) : "");
    for (size_t i = 0; i < c.n_memory; i++)
        free(c.memory[i]);
    json_decref(c.answer);
}

void lines_serve(struct lines *l, struct slice line)
{
    CLEANUP(buf_deinit) struct buf shown = BUF_INIT(400);
    json_error_t why;

    if (l->done || !slice_trim(line).len)
        return;
    json_t *ask = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(ask)) {
        serve(l, ask);
    } else {
        utf8_clean(slice_head(line, 100), &shown);
        lines_break(l,
                    "the plugin wrote what is no request (%s): '%s'. Its standard output is for "
                    "requests alone; what is for people goes to standard error or into 'log'",
                    ask ? "no object" : why.text, shown.ptr);
    }
    json_decref(ask);
}
