/* install - puts a plugin's object into a folder of the search path: looked at, described, recorded, and
 * moved into place whole. A record and a signature that lie beside it are kept: release.h. */
#pragma once

#include "io/loop.h"
#include "plugin/plugin.h"

struct install_spec {
    const char *file; /* the object */
    const char *root; /* OWNER/NAME/VERSION/ appears below it; created if missing */
    const char *const *
        serves; /* commits of the action that this release equals; NULL: none, or those of the record that
                                  lies beside the object */
    const char *child; /* as in plugin_spec */
};

/* Installs it; what was there under the same id and version is replaced. On success *RET is the installed
 * plugin, the caller's. Turns LOOP while the object describes itself. */
MUST_CHECK int install_plugin(const struct install_spec *spec, struct loop *loop,
                              struct plugin **ret, struct err *err);

/* Opens FILE, seals a copy and describes it: *RET and *RET_OBJECT (a sealed memfd) are the caller's. The
 * plugin has its object and sha256 set, and root and folder are those of the file. */
MUST_CHECK int install_look(const char *file, const char *child, struct loop *loop,
                            struct plugin **ret, int *ret_object, struct err *err);
