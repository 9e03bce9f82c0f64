/* `options` of a container, of anyone: they are read or refused, and by an operator who allows nothing only what is harmless is let
 * through. */
#include "job/container/container_options.h"
#include "job/container/container_policy.h"

#include <stdint.h>

static bool nothing_is_own(void *ctx, const char *path)
{
    (void)ctx;
    (void)path;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct container_policy_own own = {nothing_is_own, NULL};
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const char *none = NULL, *source;
    struct container_def d = {.image = "i", .volumes = &none};
    struct container_option *list;
    struct err err = ERR_INIT;
    size_t n;

    if (memchr(data, '\0', size))
        return 0;
    d.options = arena_str(&a, slice_make((const char *)data, size));
    int r = container_options_read(&a, d.options, &list, &n, &err);
    json_t *nobody = json_array();
    int allowed = container_policy_check(&a, nobody, &own, &d, &err);
    json_decref(nobody);
    if (r < 0 && allowed == ERR_OK)
        BUG("what cannot be read is allowed: '%s'", d.options);
    for (size_t i = 0; r == ERR_OK && i < n; i++) {
        const char *value = list[i].value ? list[i].value : "";

        if (list[i].kind == CONTAINER_OPTION_OTHER && allowed == ERR_OK)
            BUG("'%s' is allowed", list[i].name);
        if (list[i].kind == CONTAINER_OPTION_VOLUME && strchr(value, ':') && allowed == ERR_OK)
            BUG("'%s' may be mounted", value);
        if (list[i].kind == CONTAINER_OPTION_MOUNT && allowed == ERR_OK &&
            (container_options_mount(&a, value, &source, &err) < 0 || *source))
            BUG("'%s' may be mounted", value);
    }
    return 0;
}
