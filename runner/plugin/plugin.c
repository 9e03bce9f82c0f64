#include "plugin/plugin.h"

#include "base/path.h"

#include <strings.h>

struct plugin *plugin_free(struct plugin *p)
{
    if (p) {
        struct arena arena = p->arena; /* P itself lives in it */

        arena_deinit(&arena);
    }
    return NULL;
}

bool plugin_has_phase(const struct plugin *p, int phase)
{
    return phase >= 0 && phase < 32 && (p->phases & 1u << phase);
}

bool plugin_can_plan(const struct plugin *p)
{
    return plugin_has_phase(p, OST_PHASE_PLAN) || (p->traits & OST_EFFECTS_VIA_HOST);
}

const struct plugin_input *plugin_input_find(const struct plugin *p, const char *name)
{
    for (size_t i = 0; i < p->n_inputs; i++)
        if (strcasecmp(p->inputs[i].name, name) == 0)
            return &p->inputs[i];
    return NULL;
}

const struct plugin_output *plugin_output_find(const struct plugin *p, const char *name)
{
    for (size_t i = 0; i < p->n_outputs; i++)
        if (strcasecmp(p->outputs[i].name, name) == 0)
            return &p->outputs[i];
    return NULL;
}

char *plugin_object_path(const struct plugin *p)
{
    CLEANUP(free_ptr) char *folder = path_join(p->root ? p->root : ".", p->folder ? p->folder : "");

    return path_join(folder, p->object ? p->object : "");
}

static const char *const type_names[] = {
    [OST_STRING] = "string", [OST_BOOL] = "bool",     [OST_INT] = "int",
    [OST_LIST] = "list",     [OST_CHOICE] = "choice", [OST_PATH] = "path",
};

static const char *const phase_names[] = {
    [OST_PHASE_PLAN] = "plan",
    [OST_PHASE_PRE] = "pre",
    [OST_PHASE_MAIN] = "main",
    [OST_PHASE_POST] = "post",
};

const char *plugin_type_name(int type)
{
    return type >= 0 && (size_t)type < COUNT_OF(type_names) ? type_names[type] : NULL;
}

const char *plugin_phase_name(int phase)
{
    return phase >= 0 && (size_t)phase < COUNT_OF(phase_names) ? phase_names[phase] : NULL;
}
