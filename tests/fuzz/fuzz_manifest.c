/* The manifest of a plugin that is a program. What was read and is written as an action.yml reads as the same again. */
#include "plugin/manifest.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* NULL: it is no such manifest. */
static char *again(struct slice text)
{
    struct plugin *p = NULL;
    struct err err = ERR_INIT;
    char *yaml;

    if (manifest_contract(text, "action.yml", &p, &err) < 0) {
        if (!err.code || !err.text[0])
            BUG("an error that says nothing");
        return NULL;
    }
    if (!p->object || p->protocol == PLUGIN_OBJECT)
        BUG("a manifest without program");
    yaml = plugin_to_yaml(p);
    plugin_free(p);
    return yaml;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = mem_dup((const char *)data, size); /* its own allocation, for the sanitizer */
    char *once = again(slice_make(copy, size));
    char *twice = once ? again(slice_of(once)) : NULL;

    if (once && (!twice || strcmp(once, twice) != 0))
        BUG("'%s' is read as '%s'", once, twice ? twice : "nothing");
    free(twice);
    free(once);
    free(copy);
    return 0;
}
