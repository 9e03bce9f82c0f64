#include "job/kinds/plugin_local.h"

#include "base/fd.h"
#include "base/path.h"
#include "job/place.h"
#include "plugin/manifest.h"
#include "plugin/trust.h"

#include <unistd.h>

/* The file that `main` names, as it is now, sealed. */
static int seal_main(struct step_run *s, const char *main, int *ret, char sum[TRUST_HEX_SIZE],
                     struct err *err)
{
    const char *dir = s->instance->action_dir;
    CLEANUP(free_ptr) char *joined = path_join(dir, main);
    CLEANUP(free_ptr) char *path = path_normal(joined);
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(PLUGIN_OBJECT_MAX);
    CLEANUP(fd_closep) int fd = -1;

    if (!path_below(path, dir))
        return err_set(err, ERR_DENIED, "'main: %.80s' leads out of the action's folder", main);
    int r = place_read(s->run, path, &bytes, err);
    if (r == ERR_OK)
        r = fd_memory(buf_slice(&bytes), &fd, err);
    return r == ERR_OK ? trust_seal(fd, path_base(path), ret, sum, err) : r;
}

/* A program's contract is in its manifest; a shared object's in itself. */
static int read_contract(struct step_run *s, int object, struct plugin **ret, struct err *err)
{
    const char *dir = s->instance->action_dir;
    const char *const names[] = {"action.yml", "action.yaml"};
    struct loop *loop = NULL;
    int r = ERR_NOT_FOUND;

    for (size_t i = 0; i < COUNT_OF(names) && r == ERR_NOT_FOUND; i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(PLUGIN_RECORD_MAX);
        const char *path = arena_printf(&s->arena, "%s/%s", dir, names[i]);

        r = place_read(s->run, path, &text, err);
        if (r == ERR_OK)
            r = manifest_contract(buf_slice(&text), path, ret, err);
    }
    if (r != ERR_NOT_FOUND)
        return r;
    /* A loop of its own: nothing else of the job goes on meanwhile, which is a moment. */
    r = loop_new(&loop, err);
    if (r == ERR_OK)
        r = plugin_describe(object, path_base(s->instance->action->main), NULL, loop, ret, err);
    loop_free(loop);
    return r;
}

int plugin_local_load(struct step_run *s, struct err *err)
{
    struct instance *i = s->instance;
    const char *main = i->action->main;
    CLEANUP(fd_closep) int object = -1;
    char sum[TRUST_HEX_SIZE];
    struct plugin *p = NULL;
    int r = trust_workspace(s->run->policy, i->def->uses, err);

    if (r == ERR_OK && !main)
        r = err_set(err, ERR_INVALID, "'%s' is a plugin without 'main'", i->def->uses);
    if (r == ERR_OK)
        r = seal_main(s, main, &object, sum, err);
    if (r == ERR_OK)
        r = read_contract(s, object, &p, err);
    if (r < 0)
        return r;
    p->in_workspace = true;
    p->sha256 = arena_str(&p->arena, slice_of(sum));
    p->object = arena_str(&p->arena, slice_of(path_base(main)));
    p->root = arena_str(&p->arena, slice_of(i->action_dir));
    p->folder = ".";
    r = trust_allows(s->run->policy, p, err);
    if (r < 0) {
        plugin_free(p);
        return r;
    }
    i->plugin = p;
    i->plugin_object = object;
    object = -1;
    return ERR_OK;
}
