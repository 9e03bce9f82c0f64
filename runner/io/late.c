#include "io/late.h"

#include <dlfcn.h>
#include <string.h>

int late_load(const char *soname, const char *package, const struct late_symbol *symbols,
              struct err *err)
{
    void *handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

    if (!handle)
        return err_set(err, ERR_NOT_FOUND, "cannot load '%s' (install %s): %s", soname, package,
                       dlerror());
    for (const struct late_symbol *s = symbols; s->name; s++) {
        if (dlsym(handle, s->name))
            continue;
        dlclose(handle);
        return err_set(err, ERR_UNSUPPORTED, "'%s' has no %s (install a newer %s)", soname, s->name,
                       package);
    }
    for (const struct late_symbol *s = symbols; s->name; s++) {
        void *address = dlsym(handle, s->name);

        /* POSIX lets a function's address travel in a void *, ISO C does not: hence the copy. */
        memcpy(s->to, &address, sizeof address);
    }
    return ERR_OK;
}
