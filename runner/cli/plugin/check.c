/* ostler plugin check: is a plugin fit to be given to others? */
#include "cli/plugin/check.h"

#include "base/fd.h"
#include "base/path.h"
#include "cli/exit.h"
#include "cli/plugin/cmds.h"
#include "plugin/host/host.h"
#include "plugin/install.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { TIMEOUT_MS = 10000 }; /* of a phase, unless --timeout says otherwise */

static const char *const level_names[] = {
    [CHECK_OK] = "ok",
    [CHECK_NOTE] = "note",
    [CHECK_FAILED] = "FAILED",
    [CHECK_SKIPPED] = "skipped",
};

/* ---- the report ---- */

static void report_deinit(struct check_report *r)
{
    vec_deinit(&r->lines);
    arena_deinit(&r->arena);
}

void check_say(struct check_report *r, const char *check, enum check_level level, const char *cure,
               const char *fmt, ...)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(PLUGIN_TEXT_MAX);
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    const struct check_line line = {
        .check = check,
        .level = level,
        .text = arena_str(&r->arena, buf_slice(&text)),
        .cure = cure ? arena_str(&r->arena, slice_of(cure)) : NULL,
    };
    vec_push(&r->lines, line);
    r->n_failed += level == CHECK_FAILED;
}

bool check_is_silent(const struct check_report *r, const char *check)
{
    VEC_EACH (line, &r->lines)
        if (strcmp(line->check, check) == 0)
            return false;
    return true;
}

/* ---- one plugin ---- */

struct checked {
    const char *file;
    int object; /* the sealed copy of it; -1: there is none */
    struct loop *loop;
    char sum[TRUST_HEX_SIZE];
    struct plugin *plugin; /* NULL: it could not be described */
    struct action action;  /* that it is held against */
    struct check_report report;
};

static void checked_init(struct checked *c, const char *file)
{
    *c = (struct checked){.file = file, .object = -1};
    action_init(&c->action);
}

static void checked_deinit(struct checked *c)
{
    fd_closep(&c->object);
    loop_free(c->loop);
    plugin_free(c->plugin);
    action_deinit(&c->action);
    report_deinit(&c->report);
}

/* True if there is more to look at. */
static bool look_at_file(struct checked *c)
{
    const char *name = path_base(c->file);
    struct check_report *to = &c->report;
    struct err err = ERR_INIT;
    struct stat st;
    struct elf e;

    void *map = fstat(c->object, &st) == 0 && st.st_size > 0
                    ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, c->object, 0)
                    : MAP_FAILED;
    if (map == MAP_FAILED) {
        check_say(to, "object", CHECK_FAILED, "give it the file that the linker made",
                  "'%s' is empty, or cannot be mapped", name);
        return false;
    }
    int r = elf_open(slice_make(map, (size_t)st.st_size), name, &e, &err);
    if (r == ERR_OK) {
        check_say(to, "object", CHECK_OK, NULL, "a shared object for this machine");
        check_file(&e, name, to);
    } else {
        check_say(to, "object", CHECK_FAILED, "link with -shared", "%s", err.text);
    }
    (void)munmap(map, (size_t)st.st_size); /* of a mapping that we made: cannot fail */
    return r == ERR_OK;
}

static void look_for_strangers(struct checked *c)
{
    CLEANUP(buf_deinit) struct buf names = BUF_INIT(300);
    struct err err = ERR_INIT;
    json_t *list = NULL, *one;
    size_t i;

    if (plugin_strangers(c->object, path_base(c->file), NULL, c->loop, &list, &err) < 0) {
        check_say(&c->report, "undefined", CHECK_FAILED, "see what it was linked with", "%s",
                  err.text);
        return;
    }
    json_array_foreach (list, i, one)
        buf_printf(&names, "%s%.60s", i ? ", " : "", json_string_value(one));
    if (json_array_size(list))
        check_say(&c->report, "undefined", CHECK_FAILED,
                  "link what it uses into it; -Wl,-z,defs finds it when linking",
                  "no library that it needs has: %s", names.ptr);
    else
        check_say(&c->report, "undefined", CHECK_OK, NULL, "nothing");
    json_decref(list);
}

static void on_contract(void *ctx, enum contract_part part, bool error, const char *text,
                        const char *cure)
{
    static const char *const checks[] = {
        [CONTRACT_TABLES] = "contract",
        [CONTRACT_DESCRIPTIONS] = "descriptions",
        [CONTRACT_AGAINST] = "against",
    };

    check_say(ctx, checks[part], error ? CHECK_FAILED : CHECK_NOTE, cure, "%s", text);
}

/* True if it could be described. */
static bool look_at_contract(struct checked *c)
{
    struct check_report *to = &c->report;
    struct err err = ERR_INIT;

    if (install_describe(c->file, c->object, c->sum, NULL, c->loop, &c->plugin, &err) < 0) {
        check_say(to, "contract", CHECK_FAILED, "see <ostler/plugin.h> for what may stand there",
                  "%s", err.text);
        return false;
    }
    contract_check(c->plugin, on_contract, to);
    if (check_is_silent(to, "contract"))
        check_say(to, "contract", CHECK_OK, NULL, "%s %s: %zu inputs, %zu outputs", c->plugin->id,
                  c->plugin->version, c->plugin->n_inputs, c->plugin->n_outputs);
    if (check_is_silent(to, "descriptions"))
        check_say(to, "descriptions", CHECK_OK, NULL, "all there");
    return true;
}

/* Nothing is tried of what may not even be loaded as it is. */
static int try_phases(struct checked *c, const struct plugin_options *o, struct err *err)
{
    static const char *const checks[] = {"plan", "phases", "faults", "leaks"};
    int64_t timeout = o->run.timeout_ms ? o->run.timeout_ms : TIMEOUT_MS;
    int r = ERR_OK;

    if (c->plugin)
        r = check_phases(c->plugin, c->object, &o->run.with, timeout, &c->report, err);
    if (r == ERR_INVALID || r == ERR_UNSUPPORTED) { /* its own defaults do not fit its inputs */
        check_say(&c->report, "phases", CHECK_FAILED, "mend the contract, or say it with --with",
                  "it cannot be tried: %s", err->text);
        r = ERR_OK;
    }
    for (size_t i = 0; r == ERR_OK && i < COUNT_OF(checks); i++)
        if (check_is_silent(&c->report, checks[i]))
            check_say(&c->report, checks[i], CHECK_SKIPPED, NULL, "nothing could be tried");
    return r;
}

static void compare(struct checked *c, const char *what)
{
    struct check_report *to = &c->report;

    if (!c->plugin) {
        check_say(to, "against", CHECK_SKIPPED, NULL, "there is no contract to compare");
        return;
    }
    contract_against(c->plugin, &c->action, on_contract, to);
    if (check_is_silent(to, "against"))
        check_say(to, "against", CHECK_OK, NULL, "whatever a workflow says to '%s' fits it", what);
}

/* An error is ours, or the user's; what is wrong with the plugin is in the report. */
static int check_all(struct checked *c, const struct plugin_options *o, struct err *err)
{
    bool program =
        install_is_program(c->file); /* no object: nothing is exported, linked or loaded */
    int r = install_seal(c->file, &c->object, c->sum, err);

    if (r < 0 || (r = loop_new(&c->loop, err)) < 0 ||
        (o->against && (r = check_load_action(o->against, &c->action, err)) < 0) ||
        (!program && !look_at_file(c)))
        return r;
    if (!program)
        look_for_strangers(c);
    (void)look_at_contract(c);
    r = try_phases(c, o, err);
    if (r == ERR_OK && o->against)
        compare(c, o->against);
    return r;
}

static int exit_code(int r)
{
    switch (r) {
    case ERR_CANCELLED:
        return EXIT_CANCELLED;
    case ERR_SYS:
    case ERR_TIMEOUT:
    case ERR_UNSUPPORTED:
        return EXIT_LACKING;
    default:
        return EXIT_USAGE;
    }
}

/* ---- said ---- */

static void print_line(FILE *to, const struct check_line *line)
{
    fprintf(to, "%-7s  %-12s  %s%s%s%s\n", level_names[line->level], line->check, line->text,
            line->cure ? " (" : "", line->cure ? line->cure : "", line->cure ? ")" : "");
}

static void print_text(const struct checked *c)
{
    const char *name = path_base(c->file);

    VEC_EACH (line, &c->report.lines)
        print_line(stdout, line);
    if (c->report.n_failed)
        printf("%s: %zu finding%s to be mended\n", name, c->report.n_failed,
               c->report.n_failed == 1 ? "" : "s");
    else
        printf("%s: sound\n", name);
}

static void print_json(const struct checked *c)
{
    static const char *const levels[] = {
        [CHECK_OK] = "ok",
        [CHECK_NOTE] = "note",
        [CHECK_FAILED] = "failed",
        [CHECK_SKIPPED] = "skipped",
    };
    json_t *all = json_object(), *lines = json_array();

    json_object_set_new(all, "file", json_string(c->file));
    json_object_set_new(all, "sha256", json_string(c->sum));
    if (c->plugin) {
        json_object_set_new(all, "id", json_string(c->plugin->id));
        json_object_set_new(all, "version", json_string(c->plugin->version));
    }
    json_object_set_new(all, "sound", json_boolean(!c->report.n_failed));
    VEC_EACH (line, &c->report.lines) {
        json_t *j = json_object();

        json_object_set_new(j, "check", json_string(line->check));
        json_object_set_new(j, "result", json_string(levels[line->level]));
        json_object_set_new(j, "text", json_string(line->text));
        if (line->cure)
            json_object_set_new(j, "cure", json_string(line->cure));
        json_array_append_new(lines, j);
    }
    json_object_set_new(all, "checks", lines);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

/* ---- the commands ---- */

int plugin_cmd_check(struct arena *a, struct plugin_options *o)
{
    CLEANUP(checked_deinit) struct checked c;
    struct err err = ERR_INIT;

    (void)a;
    checked_init(&c, o->target);
    int r = check_all(&c, o, &err);
    if (r < 0) {
        (void)plugin_fail(&err);
        return exit_code(r);
    }
    if (o->json)
        print_json(&c);
    else
        print_text(&c);
    return c.report.n_failed ? EXIT_RUN_FAILED : EXIT_OK;
}

int plugin_check_before_install(const struct plugin_options *o)
{
    CLEANUP(checked_deinit) struct checked c;
    struct err err = ERR_INIT;

    checked_init(&c, o->target);
    int r = check_all(&c, o, &err);
    if (r < 0) {
        (void)plugin_fail(&err);
        return exit_code(r);
    }
    if (!c.report.n_failed)
        return EXIT_OK;
    VEC_EACH (line, &c.report.lines)
        if (line->level == CHECK_FAILED)
            print_line(stderr, line);
    fprintf(stderr,
            "ostler plugin: '%s' is not installed: mend what is said above, or install it all the "
            "same with --no-check\n",
            o->target);
    return c.plugin ? EXIT_RUN_FAILED : EXIT_USAGE; /* the latter for what is no plugin */
}
