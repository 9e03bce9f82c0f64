/* ostler plugin install and remove. */
#include "cli/plugin/cmds.h"

#include "base/path.h"
#include "cli/exit.h"
#include "cli/settings.h"
#include "plugin/install.h"

#include <stdio.h>
#include <strings.h>

static const char *user_folder(struct arena *a)
{
    const char *data = settings_env("XDG_DATA_HOME");

    return data && data[0] == '/'
               ? arena_printf(a, "%s/ostler/plugins", data)
               : arena_printf(a, "%s/.local/share/ostler/plugins", settings_home());
}

/* Whole, from where we are. The caller frees it. */
static char *whole_path(const char *path)
{
    CLEANUP(free_ptr) char *cwd = realpath(".", NULL);

    return path_join(cwd ? cwd : "/", path);
}

int plugin_cmd_install(struct arena *a, struct plugin_options *o)
{
    struct install_spec spec = {.file = o->target, .serves = o->serves};
    CLEANUP(free_ptr) char *to = o->to ? whole_path(o->to) : NULL;
    struct plugin *p = NULL;
    struct loop *loop = NULL;
    struct err err = ERR_INIT;

    spec.root = to ? to : user_folder(a);
    if (!o->no_check) {
        int code = plugin_check_before_install(o);

        if (code != EXIT_OK)
            return code;
    }
    int r = loop_new(&loop, &err);
    if (r == ERR_OK)
        r = install_plugin(&spec, loop, &p, &err);
    loop_free(loop);
    if (r < 0)
        return plugin_fail(&err);
    fprintf(stderr, "installed %s %s in %s/%s\n", p->id, p->version, p->root, p->folder);
    struct err verdict = ERR_INIT;
    plugin_verdict(p, o->policy, &verdict);
    if (verdict.code < 0)
        fprintf(stderr, "it may not run here: %s\n", verdict.text);
    plugin_free(p);
    return EXIT_OK;
}

/* ---- remove ---- */

/* Every version of P's id in the folder that P is in, P among them. */
static void others_of(const struct plugin *p, struct plugin_list *all, struct buf *names)
{
    const char *const roots[] = {p->root, NULL};

    plugin_list_load(roots, all, NULL, NULL);
    for (size_t i = 0; i < all->list.len;) {
        if (strcasecmp(all->list.ptr[i]->id, p->id) == 0) {
            buf_printf(names, "%s%s", names->len ? ", " : "", all->list.ptr[i]->version);
            i++;
        } else {
            plugin_free(all->list.ptr[i]);
            vec_remove(&all->list, i);
        }
    }
}

static int remove_one(const struct plugin *p, struct err *err)
{
    int r = install_remove(p, err);

    if (r == ERR_OK)
        fprintf(stderr, "removed %s %s from %s\n", p->id, p->version, p->root);
    return r;
}

/* "id@1.4.2" or "id@v1.4.2", not just "id@v1". */
static bool names_whole(const char *target, const struct plugin *p)
{
    const char *at = strchr(target, '@');

    return at && strcmp(at + 1 + (at[1] == 'v'), p->version) == 0;
}

/* What is removed must be meant: one version is, and one of several when it is named. */
static int remove_found(const struct plugin *p, const struct plugin_options *o, struct err *err)
{
    CLEANUP(plugin_list_deinit) struct plugin_list all = {0};
    CLEANUP(buf_deinit) struct buf names = BUF_INIT(120);
    int r = ERR_OK;

    others_of(p, &all, &names);
    if (o->all) {
        VEC_EACH (one, &all.list)
            if (r == ERR_OK)
                r = remove_one(*one, err);
        return r;
    }
    if (all.list.len > 1 && !names_whole(o->target, p))
        return err_set(
            err, ERR_INVALID,
            "several versions of '%s' are installed (%s): name one, '%s@%s', or say --all", p->id,
            names.ptr, p->id, p->version);
    return remove_one(p, err);
}

int plugin_cmd_remove(struct arena *a, struct plugin_options *o)
{
    CLEANUP(free_ptr) char *from = o->to ? whole_path(o->to) : NULL;
    const char *const only[] = {from, NULL};
    struct plugin *p = NULL;
    struct err err = ERR_INIT;

    if (o->all && strchr(o->target, '@')) {
        (void)err_set(&err, ERR_INVALID, "--all removes every version: '%s' names one", o->target);
        return plugin_fail(&err);
    }
    if (plugin_find_id(from ? only : settings_plugin_path(a, &o->config), o->target, &p, &err) < 0)
        return plugin_fail(&err);
    int r = remove_found(p, o, &err);
    plugin_free(p);
    return r < 0 ? plugin_fail(&err) : EXIT_OK;
}
