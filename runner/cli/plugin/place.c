#include "cli/plugin/place.h"

#include "base/fd.h"
#include "base/path.h"
#include "cli/settings.h"
#include "lang/template.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- the place ---- */

static int make_folder(struct plugin_place *l, struct err *err)
{
    const char *base = settings_env("TMPDIR");
    char *folder = path_join(base && base[0] == '/' ? base : "/tmp", "ostler-plugin-XXXXXX");

    if (!mkdtemp(folder)) {
        (void)err_sys(err, "cannot create '%s'", folder);
        free(folder);
        return err->code;
    }
    l->folder = folder;
    CLEANUP(free_ptr) char *job = path_join(folder, "job");
    if (mkdir(job, 0700) < 0)
        return err_sys(err, "cannot create '%s'", job);
    return path_open(AT_FDCWD, job, O_RDONLY | O_DIRECTORY, 0, &l->job_dir, err);
}

static int make_dirs(struct plugin_place *l, struct err *err)
{
    CLEANUP(fd_closep) int root = -1;
    const char *const wanted[] = {l->workspace, l->temp, l->tools};
    int r = path_open_in(sandbox_root(l->sandbox), "/", O_RDONLY | O_DIRECTORY, 0, &root, err);

    for (size_t i = 0; r == ERR_OK && i < COUNT_OF(wanted); i++)
        r = path_mkdirs(root, wanted[i] + 1, 0777, err);
    return r;
}

static void set_env(struct strmap *env, const char *name, const char *value)
{
    strmap_set(env, slice_of(name), slice_of(value));
}

static void make_env(struct plugin_place *l, const struct strmap *more)
{
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;
    size_t n = 0;

    for (const char *const *v = settings_job_environ(&l->arena, NULL); *v; v++) {
        struct slice one = slice_of(*v);
        ssize_t at = slice_find_char(one, '=');

        if (at > 0)
            strmap_set(&env, slice_head(one, (size_t)at), slice_from(one, (size_t)at + 1));
    }
    set_env(&env, "CI", "true");
    set_env(&env, "HOME", sandbox_home(l->sandbox));
    set_env(&env, "GITHUB_WORKSPACE", l->workspace);
    set_env(&env, "RUNNER_TEMP", l->temp);
    set_env(&env, "RUNNER_TOOL_CACHE", l->tools);
    strmap_merge(&env, more);
    const char **list = arena_array(&l->arena, env.len + 1, sizeof *list);
    STRMAP_EACH (item, &env) {
        list[n++] = arena_printf(&l->arena, "%s=%s", item->name, item->value);
    }
    l->env = list;
}

int plugin_place_open(struct plugin_place *l, const struct plugin *p, const struct strmap *env,
                      plugin_place_note_fn *note, void *ctx, struct err *err)
{
    static const char work[] = "/home/runner/work";
    const char *visible[] = {p->root, NULL};
    int r = make_folder(l, err);

    if (r < 0)
        return r;
    CLEANUP(free_ptr) char *job_path = path_join(l->folder, "job");
    struct sandbox_spec spec = {
        .level = SANDBOX_NAMESPACES,
        .job_dir = l->job_dir,
        .job_path = job_path,
        .work_path = work,
        .home_path = settings_home(),
        .env = settings_job_environ(&l->arena, NULL),
        .read_only = visible,
    };
    if ((r = sandbox_open(&spec, l->loop, note, ctx, &l->sandbox, err)) < 0)
        return r;
    l->workspace = arena_printf(&l->arena, "%s/plugin/plugin", sandbox_work(l->sandbox));
    l->temp = arena_printf(&l->arena, "%s/_temp", sandbox_work(l->sandbox));
    l->tools = arena_printf(&l->arena, "%s/_tool", sandbox_work(l->sandbox));
    make_env(l, env);
    return make_dirs(l, err);
}

void plugin_place_close(struct plugin_place *l)
{
    struct err err = ERR_INIT;

    sandbox_close(l->sandbox, false);
    fd_closep(&l->job_dir);
    if (l->folder && path_remove(AT_FDCWD, l->folder, &err) < 0)
        fprintf(stderr, "ostler plugin: %s\n", err.text);
    free(l->folder);
    strmap_deinit(&l->inputs);
    strmap_deinit(&l->saved);
    arena_deinit(&l->arena);
}

/* ---- inputs ---- */

static const json_t *no_context(void *ctx, struct slice name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

/* A default with ${{ }}: alone, every context is null. */
static int add_fallback(struct arena *a, const struct plugin_input *in, struct strmap *given,
                        struct err *err)
{
    const struct expr_scope scope = {.context = no_context};
    struct expr_error error = {0};
    struct slice literal, text;
    const struct expr *e;
    struct expr_value v;

    if (template_compile(a, slice_of(in->fallback), NULL, &literal, &text, &error) < 0 ||
        (text.ptr &&
         (expr_parse(a, text, NULL, &e, &error) < 0 || expr_eval(e, &scope, a, &v, &error) < 0)))
        return err_set(err, ERR_INVALID, "the default of the input '%s': %.*s", in->name,
                       SLICE_ARG(error.message));
    strmap_set(given, slice_of(in->name), text.ptr ? expr_string(a, &v) : literal);
    return ERR_OK;
}

int plugin_place_inputs(struct plugin_place *l, const struct plugin *p, const struct strmap *with,
                        struct err *err)
{
    CLEANUP(strmap_deinit) struct strmap given = STRMAP_INIT_NOCASE;
    const struct plugin_places places = {
        .workspace = l->workspace,
        .temp = l->temp,
        .tools = l->tools,
        .home = sandbox_home(l->sandbox),
    };

    STRMAP_EACH (item, with) {
        if (!plugin_input_find(p, item->name))
            return err_set(err, ERR_INVALID,
                           "%s has no input '%.80s' (see 'ostler plugin info %s')", p->id,
                           item->name, p->id);
    }
    strmap_merge(&given, with);
    for (size_t i = 0; i < p->n_inputs; i++) {
        const struct plugin_input *in = &p->inputs[i];

        if (in->fallback && !strmap_get(&given, in->name) &&
            add_fallback(&l->arena, in, &given, err) < 0)
            return err->code;
    }
    return plugin_check_inputs(p, &given, &places, &l->inputs, err);
}

bool plugin_place_context(const struct plugin_place *l, const char *status, const char *name,
                          struct buf *ret)
{
    const struct {
        const char *name, *value;
    } known[] = {
        {"github.workspace", l->workspace},
        {"runner.temp", l->temp},
        {"runner.tool_cache", l->tools},
        {"job.status", status},
    };

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(name, known[i].name) == 0) {
            buf_add_str(ret, known[i].value);
            return true;
        }
    }
    return false;
}

struct plugin_spec plugin_place_spec(const struct plugin_place *l, const struct plugin *p,
                                     int object)
{
    return (struct plugin_spec){
        .plugin = p,
        .object = object,
        .inputs = &l->inputs,
        .sandbox = l->sandbox,
        .env = l->env,
        .cwd = l->workspace,
        .workspace = l->workspace,
        .temp = l->temp,
        .tools = l->tools,
        .home = sandbox_home(l->sandbox),
        .deadline_ms = INT64_MAX,
    };
}
