#include "io/helper.h"

#include "base/path.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A link is followed: a container engine may see where it leads, and not the link (packaging/container). */
static bool is_there(char *take_path, char **ret)
{
    CLEANUP(free_ptr) char *path = take_path;
    char *real = access(path, X_OK) == 0 ? realpath(path, NULL) : NULL;

    if (real)
        *ret = real;
    return real;
}

/* Where a prefix has it, wherever that was moved to. */
static bool is_installed_below(const char *prefix, const char *name, char **ret)
{
    CLEANUP(free_ptr) char *folder = path_join(*prefix ? prefix : "/", "libexec/ostler");

    return is_there(path_join(folder, name), ret);
}

int helper_find(const char *name, const char *folder, char **ret, struct err *err)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n < 0)
        return err_sys(err, "cannot read '/proc/self/exe'");
    self[n] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(self, '/');

        if (!slash)
            break;
        *slash = '\0';
        if (is_there(path_join(*self ? self : "/", name), ret))
            return ERR_OK;
    }
    if (is_installed_below(self, name, ret))
        return ERR_OK;
    if (is_there(path_join(folder, name), ret))
        return ERR_OK;
    return err_set(err, ERR_NOT_FOUND, "no '%s' beside ostler or in '%s'; install it again", name,
                   folder);
}
