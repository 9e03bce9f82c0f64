/* A plan for people. */
#include "base/document.h"
#include "cli/plan/parts.h"
#include "report/text.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 << 10 };

struct page {
    struct text_style style;
    int width; /* 0: no limit */
    bool verbose;
    const json_t *permissions; /* of the workflow at hand; NULL: it says nothing */
};

static const char *paint(const struct page *p, const char *sequence)
{
    return p->style.color ? sequence : "";
}

#define BOLD(p) paint(p, "\033[1m")
#define DIM(p) paint(p, "\033[2m")
#define OFF(p) paint(p, "\033[0m")

/* One line, INDENT columns in; texts of the workflow cannot break out of it. */
static void line(const struct page *p, int indent, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void line(const struct page *p, int indent, const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(LINE_MAX_BYTES);
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(3 * LINE_MAX_BYTES);
    CLEANUP(buf_deinit) struct buf cut = BUF_INIT(4 * LINE_MAX_BYTES);
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    text_clean(&clean, buf_slice(&text), p->style);
    if (p->width > indent + 20)
        (void)text_cut(&cut, buf_slice(&clean), p->width - indent, p->style);
    else
        buf_add(&cut, buf_slice(&clean));
    printf("%*s%s\n", indent, "", cut.len ? cut.ptr : "");
}

/* A value of the document on one line. */
static void add_value(struct buf *to, const json_t *value)
{
    const char *unknown = json_string_value(json_object_get(value, "unknown"));
    const char *error = json_string_value(json_object_get(value, "error"));
    const char *text = unknown ? unknown : json_string_value(value);

    if (error) {
        buf_printf(to, "cannot be evaluated: %s", error);
    } else if (text) {
        struct slice rest = slice_of(text), one;

        for (bool first = true; slice_line(&rest, &one); first = false)
            buf_printf(to, "%s%.*s", first ? "" : " ⏎ ", SLICE_ARG(one));
    } else {
        CLEANUP(free_ptr) char *json = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

        buf_add_str(to, json ? json : "");
    }
}

static void pair(const struct page *p, int indent, const char *key, const json_t *value)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(LINE_MAX_BYTES);

    if (!value)
        return;
    add_value(&text, value);
    line(p, indent, "%s%s:%s %s", DIM(p), key, OFF(p), text.len ? text.ptr : "");
}

static void pairs(const struct page *p, int indent, const char *title, const json_t *map)
{
    const char *key;
    json_t *value;

    if (!json_object_size(map))
        return;
    line(p, indent, "%s%s%s", DIM(p), title, OFF(p));
    json_object_foreach ((json_t *)(uintptr_t)map, key, value)
        pair(p, indent + 2, key, value);
}

/* ---- verdicts ---- */

struct verdict {
    const char *name, *glyph, *plain, *color, *words;
};

static const struct verdict *verdict_of(const json_t *object)
{
    static const struct verdict all[] = {
        {"runs", "✓", "+", "\033[32m", "holds"},
        {"skipped", "–", "-", "\033[2m", "is false"},
        {"after-failure", "!", "!", "\033[33m", "holds only after a failure or a cancel"},
        {"unknown", "?", "?", "\033[36m", "is not known yet"},
        {"error", "✗", "x", "\033[31m", "cannot be evaluated"},
    };
    const char *name = document_text(object, "verdict");

    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
    return &all[0];
}

static const char *mark(const struct page *p, const struct verdict *v)
{
    return p->style.utf8 ? v->glyph : v->plain;
}

static void add_seen(struct buf *to, const json_t *seen)
{
    const json_t *value = json_object_get(seen, "value");
    const char *text = json_string_value(value);

    if (strcmp(document_text(seen, "expression"), "always()") == 0)
        return;
    buf_printf(to, "%s%s is ", to->len ? ", " : "", document_text(seen, "expression"));
    if (text)
        buf_printf(to, "'%s'", text);
    else if (value && json_is_null(value))
        buf_add_str(to, "not set");
    else
        add_value(to, value ? value : json_object_get(seen, "unknown"));
    if (json_object_get(seen, "assumed"))
        buf_add_str(to, " if all goes well");
}

/* "if github.ref == 'x' is false: github.ref is 'y'" */
static void condition(const struct page *p, int indent, const json_t *about)
{
    CLEANUP(buf_deinit) struct buf seen = BUF_INIT(LINE_MAX_BYTES);
    const json_t *cond = json_object_get(about, "if");
    const char *expression = json_string_value(json_object_get(cond, "expression"));
    const char *why = json_string_value(json_object_get(about, "why"));
    const char *error = json_string_value(json_object_get(cond, "error"));
    const struct verdict *v = verdict_of(cond);
    bool holds = json_is_true(json_object_get(cond, "holds"));
    json_t *one;
    size_t i;

    json_array_foreach (json_object_get(cond, "saw"), i, one)
        if (!expression || strcmp(expression, document_text(one, "expression")) != 0 ||
            !json_is_boolean(json_object_get(one, "value"))) /* it would say the same again */
            add_seen(&seen, one);
    if (expression)
        line(p, indent, "%sif%s %s %s%s%s%s%s", DIM(p), OFF(p), expression, paint(p, v->color),
             holds ? "holds" : v->words, OFF(p), seen.len ? ": " : "", seen.len ? seen.ptr : "");
    if (why)
        line(p, indent, "%s%s%s", DIM(p), why, OFF(p));
    if (error)
        line(p, indent, "%s", error);
    error = json_string_value(json_object_get(about, "error"));
    if (error)
        line(p, indent, "%s%s%s", paint(p, "\033[31m"), error, OFF(p));
}

/* ---- steps ---- */

/* The script, or what of it a line has room for. */
static void script(const struct page *p, int indent, const json_t *step)
{
    const json_t *run = json_object_get(step, "run");
    const char *unknown = json_string_value(json_object_get(run, "unknown"));
    const char *text = unknown ? unknown : json_string_value(run);
    struct slice rest = slice_of(text ? text : ""), one;
    const json_t *named = json_object_get(step, "name");
    struct slice name = slice_of(json_string_value(json_object_get(named, "unknown")));
    size_t n = 0;

    if (json_is_string(named))
        name = slice_of(json_string_value(named));
    if (json_object_get(run, "error"))
        pair(p, indent, "run", run);
    while (slice_line(&rest, &one)) {
        if (!slice_trim(one).len && !p->verbose)
            continue;
        bool is_name =
            slice_starts(name, SLICE("Run ")) && slice_eq(slice_from(name, 4), slice_trim(one));

        if ((n++ == 0 && !is_name) || p->verbose)
            line(p, indent, "%s$%s %.*s", DIM(p), OFF(p), SLICE_ARG(one));
    }
    if (n > 1 && !p->verbose)
        line(p, indent, "%s… and %zu more line%s%s", DIM(p), n - 1, n > 2 ? "s" : "", OFF(p));
}

static void plugin_plan(const struct page *p, int indent, const json_t *plugin)
{
    const char *none = json_string_value(json_object_get(plugin, "no_plan"));
    json_t *one;
    size_t i;

    json_array_foreach (json_object_get(plugin, "plan"), i, one) {
        const char *detail = document_text(one, "detail");

        line(p, indent, "%s→%s %s %s%s%s%s", paint(p, "\033[36m"), OFF(p),
             document_text(one, "verb"), document_text(one, "object"), *detail ? " (" : "", detail,
             *detail ? ")" : "");
    }
    if (none)
        line(p, indent, "%sno plan from the plugin: %s%s", DIM(p), none, OFF(p));
}

static void steps(const struct page *p, int indent, const json_t *list);

static void step(const struct page *p, int indent, const json_t *s)
{
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(LINE_MAX_BYTES), what = BUF_INIT(1000);
    const struct verdict *v = verdict_of(s);
    const json_t *plugin = json_object_get(s, "plugin");
    const char *uses = document_text(s, "uses");
    bool runs = strcmp(v->name, "skipped") != 0;

    add_value(&name, json_object_get(s, "name"));
    if (*uses && !slice_ends(buf_slice(&name), slice_of(uses)))
        buf_printf(&what, "  %s", uses);
    if (plugin)
        buf_printf(&what, "  plugin %s", document_text(plugin, "version"));
    else if (strcmp(document_text(s, "kind"), "script") != 0)
        buf_printf(&what, "  %s", document_text(s, "kind"));
    line(p, indent, "%s%s%s %2d %s%s%s%s", paint(p, v->color), mark(p, v), OFF(p),
         (int)json_integer_value(json_object_get(s, "number")), name.len ? name.ptr : "", DIM(p),
         what.len ? what.ptr : "", OFF(p));
    indent += 5;
    condition(p, indent, s);
    if (!runs && !p->verbose)
        return;
    script(p, indent, s);
    pairs(p, indent, "with", json_object_get(s, "with"));
    pairs(p, indent, "env", json_object_get(s, "env"));
    if (plugin)
        plugin_plan(p, indent, plugin);
    steps(p, indent, json_object_get(s, "steps"));
}

static void steps(const struct page *p, int indent, const json_t *list)
{
    json_t *one;
    size_t i;

    json_array_foreach (list, i, one)
        step(p, indent, one);
}

/* ---- jobs ---- */

static void jobs(const struct page *p, int indent, const json_t *list);

static void concurrency(const struct page *p, int indent, const json_t *c)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(LINE_MAX_BYTES);
    const json_t *cancel = json_object_get(c, "cancel_in_progress");

    if (!c)
        return;
    add_value(&text, json_object_get(c, "group"));
    if (json_is_true(cancel))
        buf_add_str(&text, ", cancels what is under way");
    else if (json_object_get(cancel, "unknown"))
        buf_add_str(&text, ", may cancel what is under way");
    line(p, indent, "%sconcurrency:%s %s", DIM(p), OFF(p), text.ptr);
}

static void names_of(struct buf *to, const json_t *map)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)map, key, value)
        buf_printf(to, "%s%s", to->len ? ", " : "", key);
}

/* On one line: a scalar, or "contents read, deployments write". */
static void permissions(const struct page *p, int indent, const json_t *value)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1000);
    const char *scope;
    json_t *level;

    if (!json_is_object(value)) {
        pair(p, indent, "permissions", value);
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)value, scope, level)
        buf_printf(&text, "%s%s %s", text.len ? ", " : "", scope,
                   json_string_value(level) ? json_string_value(level) : "");
    line(p, indent, "%spermissions:%s %s", DIM(p), OFF(p), text.len ? text.ptr : "none");
}

static void settings(const struct page *p, int indent, const json_t *config)
{
    CLEANUP(buf_deinit) struct buf services = BUF_INIT(1000);
    const json_t *environment = json_object_get(config, "environment");
    const json_t *container = json_object_get(config, "container");

    pair(p, indent, "runs on", json_object_get(config, "runs_on"));
    if (environment) {
        pair(p, indent, "environment", json_object_get(environment, "name"));
        pair(p, indent + 2, "url", json_object_get(environment, "url"));
    }
    concurrency(p, indent, json_object_get(config, "concurrency"));
    pair(p, indent, "container",
         json_is_object(container) ? json_object_get(container, "image") : container);
    names_of(&services, json_object_get(config, "services"));
    if (services.len)
        line(p, indent, "%sservices:%s %s", DIM(p), OFF(p), services.ptr);
    if (json_object_get(config, "permissions") &&
        !json_equal(json_object_get(config, "permissions"), p->permissions))
        permissions(p, indent, json_object_get(config, "permissions"));
    pairs(p, indent, "env", json_object_get(config, "env"));
}

/* The same steps with the same verdicts: what differs is in their values. */
static bool is_alike(const json_t *x, const json_t *y)
{
    const json_t *a = json_object_get(x, "steps"), *b = json_object_get(y, "steps");

    if (!a || !b || json_array_size(a) != json_array_size(b))
        return false;
    for (size_t i = 0; i < json_array_size(a); i++)
        if (strcmp(document_text(json_array_get(a, i), "verdict"),
                   document_text(json_array_get(b, i), "verdict")) != 0)
            return false;
    return true;
}

static void configuration(const struct page *p, int indent, const json_t *job, const json_t *config,
                          const json_t *first)
{
    const struct verdict *v = verdict_of(job);
    const json_t *call = json_object_get(config, "call");
    const char *error = json_string_value(json_object_get(config, "error"));
    bool alike = !p->verbose && config != first && is_alike(config, first);

    line(p, indent, "%s%s%s %s%s%s%s%s%s", paint(p, v->color), mark(p, v), OFF(p), BOLD(p),
         document_text(config, "name"), OFF(p), DIM(p),
         alike ? "  the same steps with its values" : "", OFF(p));
    if (config == first)
        condition(p, indent + 2, job);
    if (error)
        line(p, indent + 2, "%s%s%s", paint(p, "\033[31m"), error, OFF(p));
    if (json_object_get(json_object_get(config, "matrix"), "unknown"))
        pair(p, indent + 2, "matrix", json_object_get(config, "matrix"));
    if (alike)
        return;
    settings(p, indent + 2, config);
    steps(p, indent + 2, json_object_get(config, "steps"));
    if (!call)
        return;
    line(p, indent + 2, "%scalls%s %s", DIM(p), OFF(p), document_text(call, "uses"));
    pairs(p, indent + 2, "with", json_object_get(call, "with"));
    jobs(p, indent + 2, json_object_get(call, "jobs"));
}

static void job(const struct page *p, int indent, const json_t *j)
{
    const json_t *configs = json_object_get(j, "configurations");
    const struct verdict *v = verdict_of(j);
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(1000);
    json_t *one;
    size_t i;

    json_array_foreach (configs, i, one)
        configuration(p, indent, j, one, json_array_get(configs, 0));
    if (json_array_size(configs))
        return;
    if (json_object_get(j, "name"))
        add_value(&name, json_object_get(j, "name"));
    line(p, indent, "%s%s %s%s", paint(p, v->color), mark(p, v),
         name.len ? name.ptr : document_text(j, "id"), OFF(p));
    condition(p, indent + 2, j);
}

static void jobs(const struct page *p, int indent, const json_t *list)
{
    json_int_t stage = -1;
    json_t *one;
    size_t i;

    json_array_foreach (list, i, one) {
        json_int_t now = json_integer_value(json_object_get(one, "stage"));

        if (now != stage)
            line(p, indent, "%sstage %d%s", DIM(p), (int)now + 1, OFF(p));
        stage = now;
        job(p, indent + 2, one);
    }
}

/* ---- the whole ---- */

static void verdict(const struct page *p, const json_t *w)
{
    const char *reason = json_string_value(json_object_get(w, "reason"));
    const char *asked = document_text(w, "not_asked");
    bool starts = json_is_true(json_object_get(w, "starts"));
    int at = (int)json_integer_value(json_object_get(w, "line"));
    const char *glyph = starts ? (p->style.utf8 ? "✓" : "+") : (p->style.utf8 ? "–" : "-");

    if (!starts && !json_is_true(json_object_get(w, "listens")))
        line(p, 0, "%s%s %s does not listen to it%s", DIM(p), glyph, document_text(w, "file"),
             OFF(p));
    else if (!starts && at)
        line(p, 0, "%s %s does not start: %s (line %d)", glyph, document_text(w, "file"), reason,
             at);
    else if (!starts)
        line(p, 0, "%s %s does not start: %s", glyph, document_text(w, "file"),
             reason ? reason : "");
    else if (*asked)
        line(p, 0, "%s%s%s %s starts, for all that is known: %s", paint(p, "\033[36m"), "?", OFF(p),
             document_text(w, "file"), asked);
    else
        line(p, 0, "%s%s%s %s starts%s%s", paint(p, "\033[32m"), glyph, OFF(p),
             document_text(w, "file"),
             reason ? ", as it is named; GitHub would not start it: " : "", reason ? reason : "");
}

static void workflow(struct page *p, const json_t *w)
{
    putchar('\n');
    const char *name = document_text(w, "name"), *file = document_text(w, "file");
    line(p, 0, "%s%s%s%s%s%s%s", BOLD(p), name, OFF(p), DIM(p), strcmp(name, file) ? "  " : "",
         strcmp(name, file) ? file : "", OFF(p));
    pair(p, 2, "run name", json_object_get(w, "run_name"));
    pair(p, 2, "schedule", json_object_get(w, "schedule"));
    concurrency(p, 2, json_object_get(w, "concurrency"));
    p->permissions = json_object_get(w, "permissions"); /* jobs only tell what differs */
    if (p->permissions)
        permissions(p, 2, p->permissions);
    pairs(p, 2, "inputs", json_object_get(w, "inputs"));
    jobs(p, 2, json_object_get(w, "jobs"));
}

static void not_given(const struct page *p, const json_t *plan, const char *what,
                      const char *option)
{
    CLEANUP(buf_deinit) struct buf names = BUF_INIT(LINE_MAX_BYTES);
    const json_t *list = json_object_get(json_object_get(plan, "not_given"), what);
    json_t *name;
    size_t i;

    json_array_foreach (list, i, name)
        buf_printf(&names, "%s%s", i ? ", " : "", json_string_value(name));
    if (names.len)
        line(p, 0, "%s not given (%s): %s", what, option, names.ptr);
}

static void event(const struct page *p, const json_t *e)
{
    const char *action = document_text(e, "action"), *ref = document_text(e, "ref"),
               *sha = document_text(e, "sha");

    line(p, 0, "%s%s%s%s%s%s%s%s%.7s, by %s", BOLD(p), document_text(e, "name"), *action ? "/" : "",
         action, OFF(p), *ref ? " of " : "", ref, *sha ? " at " : "", sha,
         document_text(e, "actor"));
}

static void firings(const struct page *p, const json_t *next)
{
    json_t *one;
    size_t i;

    json_array_foreach (next, i, one) {
        const char *zone = document_text(one, "timezone");

        line(p, 0, "%s  %s:%d  %s%s%s", document_text(one, "at"), document_text(one, "file"),
             (int)json_integer_value(json_object_get(one, "line")), document_text(one, "schedule"),
             *zone ? "  " : "", zone);
    }
    if (!json_array_size(next))
        line(p, 0, "no workflow has a schedule");
}

void plan_print(const json_t *plan, const struct report_screen *screen, bool verbose)
{
    struct page p = {.style = {.color = screen->color, .utf8 = screen->utf8},
                     .width = screen->width,
                     .verbose = verbose};
    struct winsize size;
    json_t *one;
    size_t i;

    if (!p.width && screen->tty && ioctl(screen->fd, TIOCGWINSZ, &size) == 0)
        p.width = size.ws_col;
    if (json_object_get(plan, "next")) {
        firings(&p, json_object_get(plan, "next"));
        return;
    }
    event(&p, json_object_get(plan, "event"));
    json_array_foreach (json_object_get(plan, "notes"), i, one)
        line(&p, 2, "%s", json_string_value(one));
    json_array_foreach (json_object_get(plan, "workflows"), i, one)
        verdict(&p, one);
    json_array_foreach (json_object_get(plan, "workflows"), i, one)
        if (json_is_true(json_object_get(one, "starts")))
            workflow(&p, one);
    if (json_array_size(json_object_get(json_object_get(plan, "not_given"), "secrets")) ||
        json_array_size(json_object_get(json_object_get(plan, "not_given"), "vars")))
        putchar('\n');
    not_given(&p, plan, "secrets", "--secret");
    not_given(&p, plan, "vars", "--var");
}
