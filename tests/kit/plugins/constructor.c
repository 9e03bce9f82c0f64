/* Its constructor crashes: before any phase, and whoever looks at it must survive. */
#include <ostler/plugin.h>
#include <stdlib.h>

__attribute__((constructor)) static void crash(void)
{
    abort();
}

static ost_status run(struct ost_step *s)
{
    (void)s;
    return OST_OK;
}

OST_PLUGIN(.id = "acme/constructor", .version = "1.0.0", .main = run);
