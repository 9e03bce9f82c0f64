/* install - puts a plugin's object into a folder of the search path: looked at, described, recorded, and
 * moved into place whole. A record and a signature that lie beside it are kept: release.h. */
#pragma once

#include "io/loop.h"
#include "plugin/plugin.h"
#include "plugin/trust.h"

struct install_spec {
    /* the object, or the program or action.yml of a plugin that is one (manifest.h) */
    const char *file;
    const char *root; /* OWNER/NAME/VERSION/ appears below it; created if missing */
    /* commits of the action that this release equals; NULL: none, or those of the record that lies beside the object */
    const char *const *serves;
    const char *child; /* as in plugin_spec */
};

/* Installs it; what was there under the same id and version is replaced. On success *RET is the installed
 * plugin, the caller's. Turns LOOP while the object describes itself. */
MUST_CHECK int install_plugin(const struct install_spec *spec, struct loop *loop,
                              struct plugin **ret, struct err *err);

/* Opens FILE, seals a copy and describes it, or reads its manifest where it is a program: *RET and *RET_OBJECT (a sealed
 * memfd) are the caller's. The plugin has its object and sha256 set, and root and folder are those of the file. */
MUST_CHECK int install_look(const char *file, const char *child, struct loop *loop,
                            struct plugin **ret, int *ret_object, struct err *err);

/* Its two halves: *RET is a sealed copy, the caller's; and OBJECT, the sealed copy of FILE, describes itself. */
MUST_CHECK int install_seal(const char *file, int *ret, char ret_sha256[TRUST_HEX_SIZE],
                            struct err *err);
MUST_CHECK int install_describe(const char *file, int object, const char sum[TRUST_HEX_SIZE],
                                const char *child, struct loop *loop, struct plugin **ret,
                                struct err *err);

/* Is FILE the program, or the manifest, of a plugin that is a program? */
bool install_is_program(const char *file);

/* Removes the installed P: its folder leaves its place by one rename, so that a run finds all of it or nothing, and
 * then goes with what was in it, and with the folders of its owner and name if they are empty. */
MUST_CHECK int install_remove(const struct plugin *p, struct err *err);
