#include "job/kinds/manifest.h"

#include "job/contexts.h"
#include "job/place.h"

enum { MANIFEST_MAX = 1 << 20 };

static int read_text(struct run *run, const char *dir, struct arena *a, struct buf *text,
                     const char **ret_name, struct err *err)
{
    static const char *const names[] = {"action.yml", "action.yaml"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        *ret_name = arena_printf(a, "%s/%s", dir, names[i]);
        int r = place_read(run, *ret_name, text, err);
        if (r != ERR_NOT_FOUND)
            return r;
    }
    return err_set(err, ERR_NOT_FOUND,
                   "Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '%s'.", dir);
}

/* An action without a manifest: all that is known of it is how its image is built. */
static bool is_bare(struct run *run, const char *dir, struct arena *a)
{
    static const char *const names[] = {"Dockerfile", "dockerfile"};
    struct err ignored = ERR_INIT;
    bool found = false;

    for (size_t i = 0; i < COUNT_OF(names) && !found; i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(MANIFEST_MAX);

        found = place_read(run, arena_printf(a, "%s/%s", dir, names[i]), &text, &ignored) == ERR_OK;
    }
    return found;
}

int manifest_load(struct run *run, const char *dir, struct log *log, struct action **ret,
                  struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(MANIFEST_MAX);
    CLEANUP(diags_deinit) struct diags diags = {.arena = &a};
    const char *name;
    int r = read_text(run, dir, &a, &text, &name, err);
    bool bare = r == ERR_NOT_FOUND && is_bare(run, dir, &a);

    if (r < 0 && !bare)
        return r;
    struct action *action = mem_new(sizeof *action);
    action_init(action);
    if (bare) {
        action->kind = ACTION_DOCKER;
        action->image = "Dockerfile";
    } else if ((run_is_forge(run) ? action_parse_forge : action_parse)(action, buf_slice(&text),
                                                                       name, &diags) < 0) {
        for (size_t i = 0; i < diags.list.len; i++)
            if (diags.list.ptr[i].level == DIAG_ERROR)
                log_issue(log, ANNOTATION_ERROR, "%s", diag_text(&a, &diags.list.ptr[i]));
        action_deinit(action);
        free(action);
        return err_set(err, ERR_INVALID, "Failed to load %s", name);
    }
    *ret = action;
    return ERR_OK;
}
